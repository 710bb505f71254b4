//! Orders that the broker placed before the outage, through its primary platform: `orders.csv` beside the contract file.
//!
//! Read once at start. They rest here like any other order of the broker's session, under the ClOrdID and the exchange
//! order number of the file. 1. A missing file is no orders. 2. Columns are found by name, unknown ones are not looked
//! at. 3. A file with one bad cell is refused whole, by line and column: an exchange without an order that the broker
//! believes in is worse than none. 4. Rows of other days, and of venues without a session here, are left out.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::book::Side;
use crate::config::SessionName;
use crate::contracts::Contracts;
use crate::price::Price;

pub const FILE_NAME: &str = "orders.csv";
/// The columns looked at; `product` is the broker's own label and means nothing to an exchange.
pub const COLUMNS: [&str; 12] = [
    "trading_date",
    "client_code",
    "venue",
    "symbol",
    "product",
    "side",
    "quantity",
    "cumulative_quantity",
    "price",
    "cl_ord_id",
    "exchange_order_id",
    "entered_at",
];
/// More than a broker of 50,000 clients has working; guards against a wrong file.
const LINES_MAX: u64 = 500_000;
/// ClOrdIDs and exchange order numbers at Indian venues.
const ID_CHARS_MAX: usize = 20;

/// One order as it was when the primary went down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarriedOrder {
    /// The session that hears of it, `OURS:THEIRS`.
    pub session: String,
    pub venue: String,
    pub client_code: String,
    pub symbol: String,
    pub side: Side,
    pub quantity_units: i64,
    /// What filled before.
    pub cum_units: i64,
    pub price: Price,
    pub cl_ord_id: String,
    pub exchange_order_id: String,
}

#[derive(Debug, thiserror::Error)]
pub enum CarriedError {
    #[error("order file {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: csv::Error },
    #[error("order file {}: the header row has no column {column}", path.display())]
    Header { path: PathBuf, column: &'static str },
    #[error("order file {}, line {line}, column {column}: {why}", path.display())]
    Cell {
        path: PathBuf,
        line: u64,
        column: &'static str,
        why: String,
    },
    #[error("order file {} has more than {LINES_MAX} lines", path.display())]
    TooLong { path: PathBuf },
}

/// The day's orders of the file, in the order in which they were entered.
///
/// # Errors
/// The first thing wrong, with file, line and column.
pub fn load(
    path: &Path,
    trade_date: &str,
    sessions: &[SessionName],
    contracts: &Contracts,
) -> Result<Vec<CarriedOrder>, CarriedError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let unreadable = |source| CarriedError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(unreadable)?;
    let header = reader.headers().map_err(unreadable)?.clone();
    let mut places = [0; COLUMNS.len()];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        let found = header.iter().position(|name| name == column);
        *place = found.ok_or_else(|| CarriedError::Header {
            path: path.to_owned(),
            column,
        })?;
    }
    let (mut orders, mut seen) = (Vec::new(), HashSet::new());
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(unreadable)? {
        let line = record.position().map_or(0, csv::Position::line);
        if line > LINES_MAX {
            return Err(CarriedError::TooLong {
                path: path.to_owned(),
            });
        }
        let cells = Cells {
            path,
            line,
            places: &places,
            record: &record,
        };
        let session = sessions
            .iter()
            .find(|session| session.venue == cells.cell("venue"));
        let (true, Some(session)) = (cells.cell("trading_date") == trade_date, session) else {
            continue;
        };
        let (entered_at, order) = cells.order(session, contracts)?;
        for (column, id) in [
            ("cl_ord_id", &order.cl_ord_id),
            ("exchange_order_id", &order.exchange_order_id),
        ] {
            if !seen.insert((column, order.venue.clone(), id.clone())) {
                return Err(cells.error(column, format!("{id} is there twice")));
            }
        }
        orders.push((entered_at, order));
    }
    // The sort is stable: what was entered at one instant stays in the file's order.
    orders.sort_by_key(|(entered_at, _)| *entered_at);
    Ok(orders.into_iter().map(|(_, order)| order).collect())
}

/// One row being read: knows where it stands, so that every refusal can say so.
struct Cells<'a> {
    path: &'a Path,
    line: u64,
    places: &'a [usize; COLUMNS.len()],
    record: &'a csv::StringRecord,
}

impl Cells<'_> {
    fn order(
        &self,
        session: &SessionName,
        contracts: &Contracts,
    ) -> Result<(OffsetDateTime, CarriedOrder), CarriedError> {
        let entered_at = OffsetDateTime::parse(self.cell("entered_at"), &Rfc3339)
            .map_err(|_| self.not("entered_at", "an RFC 3339 instant"))?;
        let order = CarriedOrder {
            session: session.label(),
            venue: session.venue.clone(),
            client_code: self.id("client_code")?,
            symbol: self.cell("symbol").to_owned(),
            side: self.side()?,
            quantity_units: self.units("quantity", 1)?,
            cum_units: self.units("cumulative_quantity", 0)?,
            price: self.price()?,
            cl_ord_id: self.id("cl_ord_id")?,
            exchange_order_id: self.id("exchange_order_id")?,
        };
        if contracts.find(&order.venue, &order.symbol).is_none() {
            let why = format!("{} does not list {:?}", order.venue, order.symbol);
            return Err(self.error("symbol", why));
        }
        if order.cum_units > order.quantity_units {
            let why = format!("is more than the quantity {}", order.quantity_units);
            return Err(self.error("cumulative_quantity", why));
        }
        if !order
            .cl_ord_id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric())
        {
            return Err(self.not("cl_ord_id", "letters and digits"));
        }
        Ok((entered_at, order))
    }

    fn side(&self) -> Result<Side, CarriedError> {
        match self.cell("side").to_ascii_lowercase().as_str() {
            "buy" => Ok(Side::Buy),
            "sell" => Ok(Side::Sell),
            _ => Err(self.not("side", "buy or sell")),
        }
    }

    fn units(&self, column: &'static str, least: i64) -> Result<i64, CarriedError> {
        match self.cell(column).parse() {
            Ok(units) if units >= least => Ok(units),
            _ => Err(self.not(column, &format!("a whole number of at least {least}"))),
        }
    }

    fn price(&self) -> Result<Price, CarriedError> {
        match Price::parse(self.cell("price")) {
            Ok(price) if price > Price(0) => Ok(price),
            _ => Err(self.not("price", "a rupee amount above zero")),
        }
    }

    fn id(&self, column: &'static str) -> Result<String, CarriedError> {
        let text = self.cell(column);
        let is_id = (1..=ID_CHARS_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_id
            .then(|| text.to_owned())
            .ok_or_else(|| self.not(column, &format!("an id of 1 to {ID_CHARS_MAX} characters")))
    }

    fn cell(&self, column: &'static str) -> &str {
        let at = COLUMNS
            .iter()
            .position(|name| *name == column)
            .expect("only names from COLUMNS are asked for");
        self.record.get(self.places[at]).unwrap_or_default()
    }

    fn not(&self, column: &'static str, what: &str) -> CarriedError {
        self.error(column, format!("{:?} is not {what}", self.cell(column)))
    }

    fn error(&self, column: &'static str, why: String) -> CarriedError {
        CarriedError::Cell {
            path: self.path.to_owned(),
            line: self.line,
            column,
            why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "2026-11-20,C00001,NSE,QUIET,MIS,sell,15,5,100.00,EXT1,1100000001,2026-11-20T09:20:00+05:30";

    fn load(rows: &[&str]) -> Result<Vec<CarriedOrder>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let text = format!("{},note\n{},x\n", COLUMNS.join(","), rows.join(",x\n"));
        std::fs::write(&path, text).unwrap();
        let sessions = ["NSE:SQUAREOFF".parse().unwrap()];
        super::load(&path, "2026-11-20", &sessions, &contracts()).map_err(|error| error.to_string())
    }

    fn contracts() -> Contracts {
        let mut contracts = Contracts::default();
        let instrument = crate::contracts::Instrument {
            venue: "NSE".to_owned(),
            segment: "CM".to_owned(),
            symbol: "QUIET".to_owned(),
            lot_units: 5,
            tick: Price(500),
            freeze_units: 1_000,
            band_low: Price(900_000),
            band_high: Price(1_100_000),
            reference: Price(1_000_000),
        };
        contracts.insert(instrument).unwrap();
        contracts
    }

    #[test]
    fn the_days_orders_of_our_venues_come_in_the_order_of_entry() {
        let later = GOOD;
        let earlier = GOOD
            .replace("EXT1,1100000001", "EXT2,1100000002")
            .replace("09:20:00+05:30", "03:49:59Z");
        let yesterday = GOOD.replacen("2026-11-20", "2026-11-19", 1);
        let elsewhere = GOOD.replace("NSE", "MCX");
        let orders = load(&[later, &earlier, &yesterday, &elsewhere]).unwrap();
        let ids: Vec<&str> = orders
            .iter()
            .map(|order| order.cl_ord_id.as_str())
            .collect();
        assert_eq!(ids, ["EXT2", "EXT1"]);
        let expected = CarriedOrder {
            session: "NSE:SQUAREOFF".to_owned(),
            venue: "NSE".to_owned(),
            client_code: "C00001".to_owned(),
            symbol: "QUIET".to_owned(),
            side: Side::Sell,
            quantity_units: 15,
            cum_units: 5,
            price: Price(1_000_000),
            cl_ord_id: "EXT1".to_owned(),
            exchange_order_id: "1100000001".to_owned(),
        };
        assert_eq!(orders[1], expected);
    }

    #[test]
    fn a_bad_cell_is_named_by_line_and_column() {
        for (from, to, says) in [
            (
                "sell",
                "short",
                "line 3, column side: \"short\" is not buy or sell",
            ),
            (
                ",15,",
                ",0,",
                "line 3, column quantity: \"0\" is not a whole number of at least 1",
            ),
            (
                ",5,",
                ",-1,",
                "line 3, column cumulative_quantity: \"-1\" is not",
            ),
            (
                ",5,",
                ",16,",
                "line 3, column cumulative_quantity: is more than the quantity 15",
            ),
            (
                "100.00",
                "0",
                "line 3, column price: \"0\" is not a rupee amount above zero",
            ),
            (
                "EXT1",
                "EXT-1",
                "line 3, column cl_ord_id: \"EXT-1\" is not letters and digits",
            ),
            ("EXT1", "", "line 3, column cl_ord_id: \"\" is not an id"),
            ("EXT1", "ABCDEFGHIJKLMNOPQRSTU", "line 3, column cl_ord_id"),
            (
                "QUIET",
                "NONE",
                "line 3, column symbol: NSE does not list \"NONE\"",
            ),
            ("+05:30", "", "line 3, column entered_at"),
            (
                "EXT1",
                "EXT2",
                "line 3, column exchange_order_id: 1100000001 is there twice",
            ),
            (
                "1100000001",
                "1100000002",
                "line 3, column cl_ord_id: EXT1 is there twice",
            ),
        ] {
            let refusal = load(&[GOOD, &GOOD.replace(from, to)]).unwrap_err();
            assert!(refusal.contains(says), "{refusal}");
        }
    }

    #[test]
    fn no_file_is_no_orders_and_a_missing_column_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let load = || super::load(&path, "2026-11-20", &[], &contracts());
        assert_eq!(load().unwrap(), []);
        std::fs::write(&path, "trading_date,client_code\n").unwrap();
        let refusal = load().unwrap_err().to_string();
        assert!(refusal.contains("has no column venue"), "{refusal}");
    }
}
