use squareoff_primary::bod::MISTAKES_SHOWN_MAX;
use squareoff_primary::read;
use std::fs;
use std::path::Path;

const CONTRACTS: &str = "\
trading_date,venue,segment,symbol,series_or_expiry,instrument_type,strike,option_type,lot_size_units,tick_size_rupees,freeze_quantity_units,price_band_low_rupees,price_band_high_rupees,reference_price_rupees,reference_price_at,source,price_protection_rupees
2026-11-20,NSE,CM,SBIN,EQ,EQ,,,1,0.05,90000,900.00,1100.00,1000.00,2026-11-19T15:30:00+05:30,test,50.00
2026-11-20,NSE,FO,NIFTY26NOVFUT,2026-11-24,FUTIDX,,,65,0.10,1800,23400.00,28600.00,26012.30,2026-11-19T15:30:00+05:30,test,780.00
2026-11-20,NSE,FO,NIFTY26NOV26000CE,2026-11-24,OPTIDX,26000.00,CE,65,0.05,1800,100.00,400.00,250.00,2026-11-19T15:30:00+05:30,test,50.00
";
const CLIENTS: &str = "\
client_code,name,category,branch,segments,pan,email,phone
C00001,Asha Namuna,retail,MUM-01,CM|FO,AAAPZ0001Z,c00001@example.com,+91 00000 00001
C00002,\"Namuna, Sons\",corporate,DEL-01,CM,AAACZ0002Z,c00002@example.com,+91 00000 00002
";
const POSITIONS: &str = "\
trading_date,client_code,venue,symbol,product,net_quantity_units,average_price_rupees
2026-11-20,C00001,NSE,SBIN,CNC,10,990.05
2026-11-20,C00001,NSE,NIFTY26NOVFUT,NRML,-65,26100.00
";

fn read_files(
    contracts: &str,
    clients: &str,
    positions: &str,
) -> Result<squareoff_primary::Book, String> {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    put("contracts.csv", contracts);
    put("clients.csv", clients);
    put("positions.csv", positions);
    read(folder.path()).map_err(|error| error.to_string())
}

#[test]
fn good_files_are_read_as_they_stand() {
    let book = read_files(CONTRACTS, CLIENTS, POSITIONS).unwrap();
    assert_eq!(
        (
            book.contracts.len(),
            book.clients.len(),
            book.positions.len()
        ),
        (3, 2, 2)
    );
    assert_eq!(book.clients[1].identity.name, "Namuna, Sons");
    assert_eq!(book.positions[1].net_quantity.0, -65);
    assert!(
        book.versions.contracts.starts_with("2026-11-20/"),
        "{}",
        book.versions.contracts
    );
    assert_eq!(book.versions.contracts.len(), "2026-11-20/".len() + 16);
    assert_eq!(book.contracts[0].contract.version, book.versions.contracts);
    let no_lines = |text: &str| format!("{}\n", text.lines().next().unwrap());
    let empty = read_files(CONTRACTS, &no_lines(CLIENTS), &no_lines(POSITIONS)).unwrap();
    assert_eq!((empty.clients.len(), empty.positions.len()), (0, 0));
}

#[test]
fn a_fact_of_the_primary_is_read_however_odd() {
    for (from, to) in [
        ("-65", "-64"),
        ("-65", "0"),
        ("26100.00", "0"),
        ("NRML", "CNC"),
        (",SBIN,CNC,10,", ",NIFTY26NOV26000CE,CNC,-1,"),
        ("C00001,NSE,NIFTY26NOVFUT", "C00002,NSE,NIFTY26NOVFUT"),
    ] {
        let positions = POSITIONS.replace(from, to);
        assert_ne!(positions, POSITIONS);
        read_files(CONTRACTS, CLIENTS, &positions).unwrap();
    }
}

/// (text, instead, what is said) of one file.
type Cases<'a> = &'a [(&'a str, &'a str, &'a str)];

fn check(file: &str, good: &str, cases: Cases) {
    for (from, to, says) in cases {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from} does not stand in {file}");
        let result = match file {
            "contracts.csv" => read_files(&bad, CLIENTS, POSITIONS),
            "clients.csv" => read_files(CONTRACTS, &bad, POSITIONS),
            _ => read_files(CONTRACTS, CLIENTS, &bad),
        };
        let expected = format!("1 mistake in the files:\n  {file}{says}");
        assert_eq!(result.unwrap_err(), expected);
    }
}

#[test]
fn a_mistake_in_the_contract_file_is_named_by_line_and_column() {
    let sbin = CONTRACTS.lines().nth(1).unwrap();
    check(
        "contracts.csv",
        CONTRACTS,
        &[
            (
                "2026-11-20,NSE,CM",
                "20-11-2026,NSE,CM",
                ", line 2, column trading_date: `20-11-2026` is not a date of the form YYYY-MM-DD",
            ),
            (
                "2026-11-20,NSE,FO",
                "2026-11-19,NSE,FO",
                ", line 3, column trading_date: `2026-11-19` is not the book's trading date 2026-11-20",
            ),
            (
                "OPTIDX",
                "OPTCUR",
                ", line 4, column instrument_type: `OPTCUR` is not EQ, FUTIDX, FUTSTK, OPTIDX or OPTSTK",
            ),
            (
                "NSE,CM,SBIN",
                "NSE,FO,SBIN",
                ", line 2, column segment: `FO` is not where EQ is traded: CM",
            ),
            (
                "NSE,CM,SBIN",
                "NSE,EQ,SBIN",
                ", line 2, column segment: `EQ` is not a segment: CM, FO, CD or COM",
            ),
            (
                "SBIN,EQ",
                "SBIN,BL",
                ", line 2, column series_or_expiry: `BL` is not the series EQ or BE",
            ),
            (
                "2026-11-24,FUT",
                "2026-11-19,FUT",
                ", line 3, column series_or_expiry: `2026-11-19` is before the trading date 2026-11-20",
            ),
            (
                "26000.00,CE",
                "0,CE",
                ", line 4, column strike: `0` must be above zero",
            ),
            (
                "26000.00,CE",
                "26000.00,XX",
                ", line 4, column option_type: `XX` is not CE or PE",
            ),
            (
                "FUTIDX,,",
                "FUTIDX,100,",
                ", line 3, column strike: `100` must be empty: this is no option",
            ),
            (
                ",65,0.10",
                ",0,0.10",
                ", line 3, column lot_size_units: `0` is not a whole number of units above zero, at most a million million",
            ),
            (
                ",65,0.10",
                ",+65,0.10",
                ", line 3, column lot_size_units: `+65` is not a whole number of units above zero, at most a million million",
            ),
            (
                ",65,0.10",
                ", 65,0.10",
                ", line 3, column lot_size_units: ` 65` is not a whole number of units above zero, at most a million million",
            ),
            (
                "0.10",
                "-0.10",
                ", line 3, column tick_size_rupees: `-0.10` must be above zero",
            ),
            (
                "0.10",
                "0.00001",
                ", line 3, column tick_size_rupees: `0.00001` is not a decimal number of rupees with at most four decimals",
            ),
            (
                "0.10,1800",
                "0.10,64",
                ", line 3, column freeze_quantity_units: `64` is less than the lot of 65",
            ),
            (
                "28600.00",
                "20000.00",
                ", line 3, column price_band_high_rupees: `20000.00` is below the low end 23400.00",
            ),
            (
                "26012.30",
                "28600.01",
                ", line 3, column reference_price_rupees: `28600.01` is outside the band 23400.00 to 28600.00",
            ),
            (
                "0.10",
                "50000",
                ", line 3, column tick_size_rupees: `50000` leaves no price inside the band",
            ),
            (
                "T15:30:00+05:30",
                " 15:30",
                ", line 2, column reference_price_at: `2026-11-19 15:30` is not an instant of the form 2026-11-19T15:30:00+05:30",
            ),
            (
                ",test,50.00",
                ",,50.00",
                ", line 2, column source: `` is not a label: 1 to 32 printable ASCII characters",
            ),
            (
                ",test,50.00",
                ",test,0",
                ", line 2, column price_protection_rupees: `0` must be above zero",
            ),
            (",test,50.00", ",test", ", line 2 has 16 columns, not 17"),
            (
                sbin,
                &format!("{sbin}\n{sbin}"),
                ", line 3, column symbol: `SBIN` is listed at NSE on line 2 already",
            ),
            (
                "trading_date,venue",
                "date,venue",
                &format!(
                    ", line 1 must be the header {},protection_low_rupees,protection_high_rupees,restriction",
                    CONTRACTS.lines().next().unwrap()
                ),
            ),
        ],
    );
}

#[test]
fn a_mistake_in_the_client_file_shows_no_identity() {
    let asha = CLIENTS.lines().nth(1).unwrap();
    check(
        "clients.csv",
        CLIENTS,
        &[
            (
                "Asha Namuna",
                "",
                ", line 2, column name: the value (withheld) is not a name: 1 to 120 characters",
            ),
            (
                "AAAPZ0001Z",
                "AAAPZ00010",
                ", line 2, column pan: the value (withheld) is not five letters, four digits and a letter",
            ),
            (
                "c00001@",
                "c00001",
                ", line 2, column email: the value (withheld) is not an e-mail address",
            ),
            (
                "+91 00000 00001",
                "00000",
                ", line 2, column phone: the value (withheld) is not a phone number: + and digits, spaces between",
            ),
            (
                "CM|FO",
                "CM|CM",
                ", line 2, column segments: `CM|CM` is not a list of different segments (CM, FO, CD, COM) with | between them",
            ),
            (
                "CM|FO",
                "",
                ", line 2, column segments: `` is not a list of different segments (CM, FO, CD, COM) with | between them",
            ),
            (
                "MUM-01",
                "",
                ", line 2, column branch: `` is not a label: 1 to 32 printable ASCII characters",
            ),
            (
                asha,
                &format!("{asha}\n{asha}"),
                ", line 3, column client_code: `C00001` is on line 2 already",
            ),
        ],
    );
}

#[test]
fn a_mistake_in_the_position_file_is_named_by_line_and_column() {
    let first = POSITIONS.lines().nth(1).unwrap();
    let long = "9".repeat(80);
    let shown = format!(
        ", line 2, column net_quantity_units: `{}…` is not a whole number of units, at most a million million either way",
        "9".repeat(60)
    );
    check(
        "positions.csv",
        POSITIONS,
        &[
            (
                "C00001",
                "C99999",
                ", line 2, column client_code: `C99999` is not in the client file",
            ),
            (
                "C00001",
                "c1",
                ", line 2, column client_code: `c1` is not a client code: 1 to 12 capital letters and digits",
            ),
            (
                "NSE,SBIN",
                "BSE,SBIN",
                ", line 2, column symbol: `SBIN` is not listed at BSE in the contract file",
            ),
            (
                "CNC",
                "MTF",
                ", line 2, column product: `MTF` is not a product: MIS, NRML or CNC",
            ),
            (
                "CNC,10",
                "CNC,1.5",
                ", line 2, column net_quantity_units: `1.5` is not a whole number of units, at most a million million either way",
            ),
            ("CNC,10", &format!("CNC,{long}"), &shown),
            (
                "990.05",
                "-990.05",
                ", line 2, column average_price_rupees: `-990.05` must not be below zero",
            ),
            (
                "2026-11-20",
                "2026-11-23",
                ", line 2, column trading_date: `2026-11-23` is not the book's trading date 2026-11-20",
            ),
            (
                first,
                &format!("{first}\n{first}"),
                ", line 3, column client_code: `C00001` has this instrument and product on line 2 already",
            ),
        ],
    );
}

#[test]
fn all_mistakes_of_all_files_are_told_at_once() {
    let said = read_files(
        &CONTRACTS.replacen(",1,0.05,90000", ",0,x,0", 1),
        &CLIENTS.replace("AAAPZ0001Z", "1"),
        &POSITIONS.replace("CNC,10", "XXX,ten"),
    )
    .unwrap_err();
    let places: Vec<_> = said
        .lines()
        .skip(1)
        .map(|line| line.split(':').next().unwrap().trim())
        .collect();
    assert_eq!(
        places,
        [
            "contracts.csv, line 2, column lot_size_units",
            "contracts.csv, line 2, column tick_size_rupees",
            "contracts.csv, line 2, column freeze_quantity_units",
            "clients.csv, line 2, column pan",
            "positions.csv, line 2, column product",
            "positions.csv, line 2, column net_quantity_units",
        ]
    );
}

#[test]
fn a_wrong_file_gives_a_bounded_message_with_the_count() {
    let line = POSITIONS.lines().nth(1).unwrap();
    let positions: String = std::iter::once(POSITIONS.lines().next().unwrap().to_owned())
        .chain((0..1_000).map(|number| line.replace("C00001", &format!("X{number}"))))
        .map(|line| line + "\n")
        .collect();
    let said = read_files(CONTRACTS, CLIENTS, &positions).unwrap_err();
    assert_eq!(said.lines().count(), 1 + MISTAKES_SHOWN_MAX + 1);
    assert!(
        said.starts_with("1000 mistakes in") && said.ends_with("\n  and 980 more"),
        "{said}"
    );
}

#[test]
fn a_file_that_cannot_be_understood_is_not_blamed_on_the_positions() {
    let said = read_files("x\n", "", POSITIONS).unwrap_err();
    assert!(said.starts_with("2 mistakes"), "{said}");
    let said = read_files(CONTRACTS.lines().next().unwrap(), CLIENTS, POSITIONS).unwrap_err();
    assert!(said.contains("contracts.csv has no contracts"), "{said}");
    let missing = read(Path::new("no/such/folder")).unwrap_err();
    assert_eq!(missing.count, 3);
    assert!(
        missing
            .to_string()
            .contains("contracts.csv could not be read: No such file"),
        "{missing}"
    );
}

#[test]
fn text_that_is_not_utf8_is_named_by_its_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("contracts.csv"), CONTRACTS).unwrap();
    fs::write(folder.path().join("positions.csv"), POSITIONS).unwrap();
    let mut clients = CLIENTS.as_bytes().to_vec();
    let at = CLIENTS.find("Asha").unwrap();
    clients[at] = 0xff;
    fs::write(folder.path().join("clients.csv"), clients).unwrap();
    let said = read(folder.path()).unwrap_err().to_string();
    assert_eq!(
        said,
        "1 mistake in the files:\n  clients.csv, line 2 is not UTF-8 text"
    );
}
