use crate::{small, small_book};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use squareoff_domain::reference::InstrumentKind;
use squareoff_domain::{Contract, Product, Segment, Side, Symbol, Venue};
use squareoff_primary::sample::SLICES_MAX;
use squareoff_primary::{Book, SampleBook, SampleError, generate};
use std::collections::{BTreeMap, BTreeSet};

fn digest(book: &Book) -> String {
    let mut hasher = Sha256::new();
    for (name, bytes) in book.files() {
        hasher.update(name);
        hasher.update(bytes);
    }
    let digest = hasher.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_same_arguments_give_the_same_bytes_in_every_release() {
    let book = generate(&SampleBook::of("2026-11-20".parse().unwrap())).unwrap();
    assert_eq!(
        digest(&book),
        "3e579c7e6db5fe1ae1b45a8f747566401abfad94bcee1c32730340618f6697a6"
    );
    let other_seed = SampleBook { seed: 8, ..small() };
    assert_ne!(
        digest(&generate(&other_seed).unwrap()),
        digest(&small_book())
    );
}

#[test]
fn the_default_book_is_as_large_and_as_mixed_as_promised() {
    let book = generate(&SampleBook::of("2026-11-20".parse().unwrap())).unwrap();
    assert_eq!(
        (
            book.contracts.len(),
            book.clients.len(),
            book.positions.len()
        ),
        (60, 2_000, 8_000)
    );
    let contract = contracts(&book);
    let has = |what: &str, least: usize, found: usize| assert!(found >= least, "{what}: {found}");
    for kind in [
        InstrumentKind::Equity,
        InstrumentKind::IndexFuture,
        InstrumentKind::StockFuture,
        InstrumentKind::IndexOption,
        InstrumentKind::StockOption,
    ] {
        let of_kind = |line: &&_| is_kind(line, kind);
        has(
            &format!("{kind:?}"),
            5,
            book.contracts.iter().filter(of_kind).count(),
        );
    }
    for venue in [Venue::Nse, Venue::Bse] {
        let at = |venue| {
            book.positions
                .iter()
                .filter(|line| line.key.venue == venue)
                .count()
        };
        has(venue.as_str(), 500, at(venue));
    }
    for product in Product::ALL {
        let of = book
            .positions
            .iter()
            .filter(|line| line.key.product == *product);
        has(product.as_str(), 500, of.count());
    }
    let short = book
        .positions
        .iter()
        .filter(|line| line.net_quantity.0 < 0)
        .count();
    has("short", 1_500, short);
    has("long", 1_500, book.positions.len() - short);
    let sliced = book.positions.iter().filter(|line| {
        line.net_quantity.open() > contract[&(line.key.venue, line.key.symbol.clone())].freeze
    });
    has("larger than one order may be", 100, sliced.count());
    assert!(contract.contains_key(&(Venue::Nse, "NIFTY26NOVFUT".parse().unwrap())));
}

#[test]
fn contracts_do_not_hang_on_how_many_clients_there_are() {
    let more = SampleBook {
        clients: 90,
        positions: 10,
        ..small()
    };
    let (one, other) = (small_book(), generate(&more).unwrap());
    assert_eq!(one.contracts, other.contracts);
    assert_eq!(one.clients, other.clients[..60]);
}

#[test]
fn a_book_that_cannot_be_is_refused() {
    let sample = |clients, positions| SampleBook {
        clients,
        positions,
        ..small()
    };
    for (sample, refusal) in [
        (
            sample(0, 1),
            "0 clients can hold at most 0 positions, not 1",
        ),
        (
            sample(1, 121),
            "1 clients can hold at most 120 positions, not 121",
        ),
        (
            sample(1_000_001, 1),
            "1000001 clients are more than the 1000000 of a sample book",
        ),
        (
            SampleBook {
                trading_date: "2262-01-01".parse().unwrap(),
                ..small()
            },
            "a sample book can't be dated 2262-01-01: only years 1971 to 2261",
        ),
    ] {
        assert_eq!(generate(&sample).unwrap_err().to_string(), refusal);
    }
    assert_eq!(generate(&sample(0, 0)).unwrap().positions, vec![]);
}

#[test]
fn a_full_book_holds_everything_once() {
    let sample = SampleBook {
        clients: 5,
        positions: 1,
        ..small()
    };
    let most = match generate(&SampleBook {
        positions: 10_000,
        ..sample
    })
    .unwrap_err()
    {
        SampleError::TooManyPositions { most, .. } => u32::try_from(most).unwrap(),
        other => panic!("{other}"),
    };
    check(
        &generate(&SampleBook {
            positions: most,
            ..sample
        })
        .unwrap(),
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_book_holds_together(seed in any::<u64>(), clients in 1_u32..40, positions in 0_u32..300, day in 1_u8..=28, month in 1_u8..=12, year in 1971_u16..=2261) {
        let trading_date = squareoff_domain::TradingDate::new(year, month, day).unwrap();
        match generate(&SampleBook { seed, clients, positions, trading_date }) {
            Ok(book) => {
                prop_assert_eq!((book.clients.len(), book.positions.len()), (clients as usize, positions as usize));
                check(&book);
            }
            Err(refusal) => prop_assert!(clients < 7, "{}", refusal),
        }
    }
}

fn is_kind(line: &squareoff_primary::ContractLine, kind: InstrumentKind) -> bool {
    line.contract.kind == kind
}

fn contracts(book: &Book) -> BTreeMap<(Venue, Symbol), &Contract> {
    let key = |contract: &Contract| (contract.venue, contract.symbol.clone());
    let lines = book.contracts.iter();
    lines
        .map(|line| (key(&line.contract), &line.contract))
        .collect()
}

fn check(book: &Book) {
    let contracts = contracts(book);
    assert_eq!(contracts.len(), 60);
    for line in &book.contracts {
        assert_eq!(line.source, "sample");
        check_contract(book, &line.contract);
    }
    let clients: BTreeMap<_, _> = book
        .clients
        .iter()
        .map(|line| (&line.client.client, &line.client))
        .collect();
    assert_eq!(clients.len(), book.clients.len());
    let keys: BTreeSet<_> = book.positions.iter().map(|line| &line.key).collect();
    assert_eq!(keys.len(), book.positions.len(), "each key once");
    for line in &book.positions {
        let contract = contracts[&(line.key.venue, line.key.symbol.clone())];
        let open = line.net_quantity.open();
        assert!(open.is_multiple_of(contract.lot), "{line:?}");
        assert!(
            open.units() <= SLICES_MAX * contract.largest_slice().units(),
            "{line:?}"
        );
        assert!(line.average_price.0 > 0);
        assert_eq!(line.key.date, book.trading_date);
        assert!(
            clients[&line.key.client]
                .segments
                .contains(&contract.segment),
            "{line:?}"
        );
        match line.key.product {
            Product::Mis => {}
            Product::Cnc => assert!(contract.segment == Segment::Cash && line.net_quantity.0 > 0),
            Product::Nrml => assert_eq!(contract.segment, Segment::Derivatives),
        }
    }
}

fn check_contract(book: &Book, contract: &Contract) {
    let Contract {
        tick,
        band_low,
        band_high,
        reference_price,
        ..
    } = *contract;
    for price in [
        band_low,
        band_high,
        reference_price,
        contract.price_protection,
    ] {
        assert!(price.is_multiple_of(tick) && price >= tick, "{contract:?}");
    }
    assert!(
        band_low <= reference_price && reference_price < band_high,
        "{contract:?}"
    );
    // The band is never so narrow that a protected order has nowhere to go.
    for side in [Side::Buy, Side::Sell] {
        let limit = contract.marketable_limit(side);
        assert!(
            contract.in_band(limit) && limit.is_multiple_of(tick),
            "{contract:?}"
        );
    }
    assert!(
        contract.largest_slice() >= contract.lot && !contract.lot.is_zero(),
        "{contract:?}"
    );
    assert_eq!(contract.trading_date, book.trading_date);
    assert_eq!(contract.version, book.versions.contracts);
    assert!(
        contract
            .expiry
            .is_none_or(|expiry| expiry >= book.trading_date)
    );
    let worth = contract.freeze.units() * contract.band_high.0.unsigned_abs();
    let cash = contract.segment == Segment::Cash;
    assert!(
        !cash || worth <= 100_000_000 * 10_000,
        "above 10 crore rupees: {contract:?}"
    );
}
