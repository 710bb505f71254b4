//! Phases, filters, estimates, ids: cases as data.

use super::*;
use crate::amount::{NetQuantity, Price};
use crate::id::{Product, Segment, Venue};
use crate::reference::{Contract, InstrumentKind, OptionType};

fn contract(kind: InstrumentKind, expiry: Option<&str>) -> Contract {
    let option = matches!(
        kind,
        InstrumentKind::IndexOption | InstrumentKind::StockOption
    );
    Contract {
        kind,
        expiry: expiry.map(|day| day.parse().unwrap()),
        option_type: option.then_some(OptionType::Call),
        ..sample::contract()
    }
}

#[test]
fn a_position_is_closed_in_the_first_phase_that_fits() {
    use BulkPhase as Phase;
    use InstrumentKind as Kind;
    let (today, later) = (Some("2026-11-20"), Some("2026-11-24"));
    for (kind, expiry, product, net, phase) in [
        (
            Kind::IndexOption,
            today,
            Product::Mis,
            -5,
            Phase::ExpiringToday,
        ),
        (
            Kind::IndexFuture,
            today,
            Product::Nrml,
            5,
            Phase::ExpiringToday,
        ),
        (
            Kind::StockOption,
            Some("2026-11-19"),
            Product::Nrml,
            5,
            Phase::ExpiringToday,
        ),
        (
            Kind::IndexOption,
            later,
            Product::Mis,
            -5,
            Phase::ShortOptions,
        ),
        (
            Kind::StockOption,
            later,
            Product::Nrml,
            -1,
            Phase::ShortOptions,
        ),
        (Kind::IndexOption, later, Product::Mis, 5, Phase::Mis),
        (Kind::StockFuture, later, Product::Mis, -5, Phase::Mis),
        (Kind::Equity, None, Product::Mis, 5, Phase::Mis),
        (Kind::IndexFuture, later, Product::Nrml, -5, Phase::Futures),
        (Kind::StockFuture, later, Product::Nrml, 5, Phase::Futures),
        (
            Kind::IndexOption,
            later,
            Product::Nrml,
            5,
            Phase::LongOptions,
        ),
        (
            Kind::StockOption,
            later,
            Product::Nrml,
            0,
            Phase::LongOptions,
        ),
        (Kind::Equity, None, Product::Nrml, 5, Phase::Nrml),
        (Kind::Equity, None, Product::Cnc, 5, Phase::Cnc),
    ] {
        let key = PositionKey {
            product,
            ..sample::key()
        };
        let found = phase_of(&contract(kind, expiry), &key, NetQuantity(net));
        assert_eq!(found, phase, "{kind:?} {expiry:?} {product} {net}");
    }
}

#[test]
fn the_phases_are_listed_in_the_order_of_work() {
    assert!(BulkPhase::ALL.is_sorted());
    assert_eq!(BulkPhase::ALL.len(), 8);
}

#[test]
fn a_filter_takes_what_every_given_field_fits() {
    let contract = contract(InstrumentKind::IndexFuture, Some("2026-11-24"));
    let key = sample::key();
    let all = BulkFilter::default;
    for (filter, fits) in [
        (all(), true),
        (
            BulkFilter {
                client: Some(key.client.clone()),
                ..all()
            },
            true,
        ),
        (
            BulkFilter {
                client: Some("C9".parse().unwrap()),
                ..all()
            },
            false,
        ),
        (
            BulkFilter {
                venue: Some(Venue::Nse),
                ..all()
            },
            true,
        ),
        (
            BulkFilter {
                venue: Some(Venue::Bse),
                ..all()
            },
            false,
        ),
        (
            BulkFilter {
                symbol: Some(key.symbol.clone()),
                ..all()
            },
            true,
        ),
        (
            BulkFilter {
                symbol: Some("OTHER".parse().unwrap()),
                ..all()
            },
            false,
        ),
        (
            BulkFilter {
                product: Some(Product::Nrml),
                ..all()
            },
            true,
        ),
        (
            BulkFilter {
                product: Some(Product::Mis),
                ..all()
            },
            false,
        ),
        (
            BulkFilter {
                segment: Some(Segment::Derivatives),
                ..all()
            },
            true,
        ),
        (
            BulkFilter {
                segment: Some(Segment::Cash),
                ..all()
            },
            false,
        ),
        (
            BulkFilter {
                expiry: Some("2026-11-24".parse().unwrap()),
                ..all()
            },
            true,
        ),
        (
            BulkFilter {
                expiry: Some("2026-11-25".parse().unwrap()),
                ..all()
            },
            false,
        ),
        (
            BulkFilter {
                venue: Some(Venue::Nse),
                product: Some(Product::Mis),
                ..all()
            },
            false,
        ),
    ] {
        assert_eq!(filter.matches(&key, &contract), fits, "{filter:?}");
    }
    let expiring = BulkFilter {
        expiry: Some("2026-11-24".parse().unwrap()),
        ..all()
    };
    assert!(!expiring.matches(
        &key,
        &Contract {
            expiry: None,
            ..contract
        }
    ));
}

#[test]
fn an_estimate_rounds_up_and_never_overflows() {
    for (orders, slices, rate, messages, seconds) in [
        (0, 0, 100, 0, 0),
        (0, 0, 0, 0, 0),
        (1, 0, 100, 1, 1),
        (75_000, 165_000, 40, 240_000, 6_000),
        (75_000, 165_000, 1_000, 240_000, 240),
        (0, 101, 100, 101, 2),
        (1, 1, 0, 2, u64::MAX),
        (u64::MAX, 1, 1, u64::MAX, u64::MAX),
    ] {
        let estimate = Estimate::of(orders, slices, rate);
        assert_eq!(estimate, Estimate { messages, seconds });
    }
    for (seconds, to_close, spare) in [
        (240, 3_600, 3_360),
        (240, 240, 0),
        (6_000, 3_600, -2_400),
        (0, u64::MAX, i64::MAX),
        (u64::MAX, 0, i64::MIN),
    ] {
        let estimate = Estimate {
            messages: 1,
            seconds,
        };
        assert_eq!(estimate.spare_seconds(to_close), spare);
    }
}

#[test]
fn notional_has_no_sign_and_never_overflows() {
    for (net, price, notional) in [
        (5, 1_000_000, 5_000_000),
        (-5, 1_000_000, 5_000_000),
        (-5, -376_000, 1_880_000),
        (0, 1_000_000, 0),
        (i64::MIN, i64::MIN, u64::MAX),
    ] {
        assert_eq!(notional_of(NetQuantity(net), Price(price)), notional);
    }
}

#[test]
fn a_worker_asks_under_ids_that_are_the_same_everywhere_and_no_others() {
    let steps = [
        BulkStep::CancelAll,
        BulkStep::SquareOff { attempt: 1 },
        BulkStep::SquareOff { attempt: 2 },
    ];
    let other = BulkId(Uuid::from_u128(78));
    let mut ids: Vec<_> = [bulk_id(), other]
        .into_iter()
        .flat_map(|bulk| [key(1), key(2)].map(|key| (bulk, key)))
        .flat_map(|(bulk, key)| steps.map(|step| item_request_id(bulk, &key, step)))
        .collect();
    // A contract: it must not change between releases, or a restart on a newer one doubles what was asked.
    assert_eq!(ids[0].to_string(), "256c6750-be34-5955-9227-a17b3c08c8e1");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 12);
}

#[test]
fn a_stream_spells_its_bulk() {
    let id = bulk_id();
    assert_eq!(id.stream(), "bulk-00000000-0000-0000-0000-00000000004d");
    assert_eq!(BulkId::of_stream(&id.stream()), Some(id));
    for other in [
        "bulk-",
        "bulk-7",
        "platform",
        "bulk-0000000000000000000000000000004d",
        "bulk-00000000-0000-0000-0000-00000000004D",
    ] {
        assert_eq!(BulkId::of_stream(other), None, "{other}");
    }
}

#[test]
fn a_whole_brokers_book_is_listed_and_settled_in_chunks() {
    const COUNT: u32 = 150_000;
    let bulk = running(COUNT);
    assert!(bulk.is_listed());
    for index in [0, 1, 499, 500, 77_777, COUNT - 1] {
        assert_eq!(bulk.items.get(index).unwrap().key, key(index));
    }
    assert_eq!(bulk.items.get(COUNT), None);
    let outcomes = (0..COUNT)
        .map(|index| (index, BulkOutcome::NothingToDo))
        .collect();
    let events = record(&bulk, BulkReport::ItemsSettled { outcomes });
    assert_eq!(events.len(), 300);
    let bulk = events.iter().fold(bulk, evolve);
    assert_eq!(bulk.counts.nothing_to_do, COUNT);
    assert_eq!(
        tell(&bulk, BulkReport::Completed).status,
        BulkStatus::Completed
    );
}
