//! One edit of one side is found and named; nothing is found where all agree; and the order of the lines never matters.

mod edits;

use super::{compare, venue_of};
use crate::breaks::{Break, Kind};
use crate::sides::*;
use crate::totals::agree;
use edits::{EDITS, EDITS_OF_THE_LOG, ledger, less};
use proptest::prelude::*;
use squareoff_domain::position::TradeStatus;
use squareoff_domain::{
    ExecutionKey, Money, NetQuantity, OrderId, PositionKey, Price, Product, Quantity, Segment,
    Side, Timestamp, TradingDate, Venue,
};
use squareoff_projections::day::{Day, DayOrder, DayPosition, DayTrade};
use squareoff_store::Position as LogPosition;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

const SYMBOLS: [&str; 3] = ["RELIANCE", "INFY", "NIFTY26NOVFUT"];
/// Trades that no edit touches, so that each venue is spoken of whatever is taken away.
const ANCHORS: usize = 4;

#[derive(Debug, Clone, Copy)]
struct Done {
    venue: Venue,
    client: u32,
    symbol: usize,
    side: Side,
    units: u64,
    price: i64,
    busted: bool,
}

fn date() -> TradingDate {
    "2026-11-20".parse().unwrap()
}

fn key(venue: Venue, number: usize) -> ExecutionKey {
    ExecutionKey::new(venue, date(), &format!("{venue}-{number:04}")).unwrap()
}

fn units(units: u64) -> Quantity {
    Quantity::new(units).unwrap()
}

fn done() -> impl Strategy<Value = Done> {
    let venue = prop_oneof![Just(Venue::Nse), Just(Venue::Bse)];
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    (
        venue,
        0..4_u32,
        0..3_usize,
        side,
        2..500_u64,
        2..90_000_i64,
        prop::bool::weighted(0.1),
    )
        .prop_map(|(venue, client, symbol, side, units, price, busted)| Done {
            venue,
            client,
            symbol,
            side,
            units,
            price,
            busted,
        })
}

fn day() -> impl Strategy<Value = Vec<Done>> {
    prop::collection::vec(done(), 1..14).prop_map(|more| {
        let anchor = |venue| Done {
            venue,
            client: 9,
            symbol: 0,
            side: Side::Sell,
            units: 10,
            price: 100,
            busted: false,
        };
        let mut day = vec![
            anchor(Venue::Nse),
            anchor(Venue::Nse),
            anchor(Venue::Bse),
            anchor(Venue::Bse),
        ];
        day.extend(more);
        day
    })
}

/// Every side of a day on which everybody saw the same.
fn sides(day: &[Done]) -> Sides {
    let mut log = Log {
        position: LogPosition::from_u64(1_000),
        ..Log::default()
    };
    let mut ledger = Ledger::default();
    let mut rows = Day::default();
    let mut places: BTreeMap<PositionKey, usize> = BTreeMap::new();
    let mut file = Vec::new();
    for (number, done) in day.iter().enumerate() {
        let position_key = PositionKey {
            date: date(),
            client: format!("C{}", done.client).parse().unwrap(),
            venue: done.venue,
            symbol: SYMBOLS[done.symbol].parse().unwrap(),
            product: Product::Nrml,
        };
        let place = *places.entry(position_key.clone()).or_insert_with(|| {
            log.positions.push(Held {
                stream: position_key.stream().into(),
                key: position_key,
                bod: NetQuantity(1_000),
                net: NetQuantity(1_000),
                working: Quantity::ZERO,
                frozen: false,
                handed_back: None,
            });
            log.positions.len() - 1
        });
        let held = &mut log.positions[place];
        let order_id = OrderId(Uuid::from_u128(number as u128 + 1));
        let cl_ord_id: Arc<str> = format!("01{number:015}N00").into();
        let told = Told {
            execution: key(done.venue, number),
            terms: Terms {
                side: done.side,
                quantity: units(done.units),
                price: Price(done.price),
            },
            busted: done.busted,
            account: Some(held.key.client.as_str().into()),
            symbol: Some(SYMBOLS[done.symbol].into()),
            order: Some(Arc::clone(&cl_ord_id)),
            at: Some(Timestamp(number as i64)),
        };
        let signed = done.side.sign() * done.units as i64;
        if !done.busted {
            held.net = held.net.plus(NetQuantity(signed));
            file.push(told.clone());
            log.drop_copy.push(told.clone());
        }
        let status = if done.busted {
            TradeStatus::Busted
        } else {
            TradeStatus::Confirmed
        };
        rows.trades.push(DayTrade {
            execution_key: told.execution.as_str().to_owned(),
            stream: held.stream.to_string(),
            order_id: Some(order_id.0),
            side: done.side.to_string(),
            quantity: done.units as i64,
            price: done.price,
            live_quantity: if done.busted { 0 } else { done.units as i64 },
            status: status.as_str().to_owned(),
        });
        log.orders.push(Order {
            order_id,
            position: place,
            cl_ord_id: Arc::clone(&cl_ord_id),
            side: done.side,
            quantity: units(done.units),
            price: Price(done.price),
            filled: units(done.units),
            leaves: Quantity::ZERO,
            status: "filled",
            ours: true,
            dispatched: true,
            in_doubt: false,
            at: Timestamp(number as i64),
        });
        rows.orders.push(DayOrder {
            order_id: order_id.0,
            stream: held.stream.to_string(),
            side: done.side.to_string(),
            quantity: done.units as i64,
            price: done.price,
            cumulative_quantity: done.units as i64,
            leaves_quantity: 0,
            status: "filled".to_owned(),
        });
        ledger.orders.push(VenueOrder {
            venue: done.venue,
            cl_ord_id,
            account: told.account.clone().unwrap(),
            symbol: told.symbol.clone().unwrap(),
            side: done.side,
            price: Price(done.price),
            leaves: Quantity::ZERO,
            at: Timestamp(number as i64),
        });
        ledger.venues.insert(done.venue);
        ledger.trades.push(told.clone());
        log.trades.push(Booked {
            told,
            position: place,
            order_id: Some(order_id),
            status,
            origin: Origin::Order,
            at: LogPosition::from_u64(number as u64 + 1),
        });
        let reach = Reach {
            last: LogPosition::from_u64(999),
            last_at: Timestamp(999),
            earliest: Timestamp(0),
        };
        log.reach.insert(done.venue, reach);
        let instrument = Instrument {
            segment: Segment::Cash,
            mark: Price(100),
        };
        let place = (done.venue, SYMBOLS[done.symbol].into());
        log.instruments.insert(place, instrument);
    }
    rows.positions = log
        .positions
        .iter()
        .map(|held| DayPosition {
            stream: held.stream.to_string(),
            bod_quantity: held.bod.0,
            net_quantity: held.net.0,
            working_quantity: 0,
            frozen: false,
            handed_back_epoch: None,
        })
        .collect();
    let closing = log.positions.iter().map(|held| Closing {
        key: held.key.clone(),
        net: held.net,
        average_price: Price(100),
    });
    Sides {
        positions_file: Some(closing.collect()),
        ledger: Some(ledger),
        trades_file: Some(file),
        read_model: Some(ReadModel::At(rows)),
        log,
    }
}

/// A trade that may be edited, and its key.
fn picked(day: &[Done], index: prop::sample::Index) -> Option<(usize, ExecutionKey)> {
    let live: Vec<usize> = (ANCHORS..day.len()).filter(|at| !day[*at].busted).collect();
    let at = *live.get(index.index(live.len().max(1)))?;
    Some((at, key(day[at].venue, at)))
}

fn kinds(sides: &Sides) -> Vec<Kind> {
    let compared = compare(sides, Moment::END_OF_DAY);
    compared.breaks.iter().map(|found| found.kind).collect()
}

#[test]
fn every_kind_of_break_is_provoked() {
    let provoked = EDITS
        .iter()
        .chain(EDITS_OF_THE_LOG)
        .map(|(_, _, kind)| *kind);
    let provoked: std::collections::BTreeSet<_> = provoked.collect();
    let missed: Vec<_> = Kind::ALL
        .iter()
        .filter(|kind| !provoked.contains(kind))
        .collect();
    assert_eq!(missed, Vec::<&Kind>::new());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn sides_that_say_the_same_have_no_break(day in day()) {
        let compared = compare(&sides(&day), Moment::END_OF_DAY);
        prop_assert_eq!(&compared.breaks, &vec![]);
        prop_assert_eq!((compared.on_its_way, compared.before_reach), (0, 0));
        prop_assert!(compared.unwitnessed.is_empty());
    }

    #[test]
    fn one_edit_outside_the_log_is_one_break_of_its_kind(day in day(), index: prop::sample::Index) {
        let Some((_, key)) = picked(&day, index) else { return Ok(()) };
        for (name, edit, kind) in EDITS {
            let mut sides = sides(&day);
            edit(&mut sides, &key);
            prop_assert_eq!(kinds(&sides), vec![*kind], "{}", name);
            let found = compare(&sides, Moment::END_OF_DAY).breaks.remove(0);
            let words = !found.cause.is_empty() && !found.next.is_empty() && !found.says.is_empty();
            prop_assert!(words && found.money.0 >= 0, "{name}: {found:?}");
        }
    }

    #[test]
    fn one_edit_of_the_log_is_named_among_what_is_found(day in day(), index: prop::sample::Index) {
        let Some((_, key)) = picked(&day, index) else { return Ok(()) };
        for (name, edit, kind) in EDITS_OF_THE_LOG {
            let mut sides = sides(&day);
            edit(&mut sides, &key);
            let breaks = compare(&sides, Moment::END_OF_DAY).breaks;
            let words = |found: &Break| !found.cause.is_empty() && !found.next.is_empty();
            prop_assert!(breaks.iter().all(words), "{name}: {breaks:?}");
            let found: Vec<Kind> = breaks.iter().map(|found| found.kind).collect();
            prop_assert!(found.contains(kind), "{name}: {found:?}");
            prop_assert!(!found.contains(&Kind::MissingAtVenue), "{name}: {found:?}");
        }
    }

    #[test]
    fn the_order_of_the_lines_changes_nothing(day in day(), index: prop::sample::Index, seed: u64) {
        let Some((_, key)) = picked(&day, index) else { return Ok(()) };
        for (name, edit, _) in EDITS.iter().chain(EDITS_OF_THE_LOG) {
            let mut before = sides(&day);
            edit(&mut before, &key);
            let mut after = before.clone();
            let mut turn = seed;
            shuffle(&mut after.log.trades, &mut turn);
            shuffle(&mut after.log.orders, &mut turn);
            shuffle(&mut after.log.drop_copy, &mut turn);
            let ledger = after.ledger.as_mut().unwrap();
            shuffle(&mut ledger.trades, &mut turn);
            shuffle(&mut ledger.orders, &mut turn);
            shuffle(after.trades_file.as_mut().unwrap(), &mut turn);
            shuffle(after.positions_file.as_mut().unwrap(), &mut turn);
            if let Some(ReadModel::At(rows)) = &mut after.read_model {
                shuffle(&mut rows.trades, &mut turn);
                shuffle(&mut rows.orders, &mut turn);
                shuffle(&mut rows.positions, &mut turn);
            }
            let moment = Moment::END_OF_DAY;
            prop_assert_eq!(compare(&before, moment), compare(&after, moment), "{}", name);
        }
    }

    #[test]
    fn what_is_young_is_on_its_way_while_the_day_goes_on(day in day(), index: prop::sample::Index) {
        let Some((at, key)) = picked(&day, index) else { return Ok(()) };
        let mut sides = sides(&day);
        less(ledger(&mut sides, &key));
        let moment = |settled_before| Moment { is_over: false, settled_before: Timestamp(settled_before) };
        let young = compare(&sides, moment(at as i64 - 1));
        prop_assert_eq!((young.breaks.len(), young.on_its_way), (0, 1));
        let settled = compare(&sides, moment(at as i64));
        prop_assert_eq!((settled.breaks.len(), settled.on_its_way), (1, 0));
    }
}

fn shuffle<T>(items: &mut [T], turn: &mut u64) {
    for at in (1..items.len()).rev() {
        *turn = turn
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        items.swap(at, (*turn >> 33) as usize % (at + 1));
    }
}

/// Two contents of one trade -> what they differ by, in 1/10,000 rupee.
#[test]
fn money_is_the_quantity_times_the_difference_or_all_that_is_at_risk() {
    let terms = |side: &str, quantity, price| Terms {
        side: side.parse().unwrap(),
        quantity: units(quantity),
        price: Price(price),
    };
    for (one, other, money) in [
        (("BUY", 10, 100), ("BUY", 10, 100), 0),
        (("BUY", 10, 100), ("BUY", 7, 100), 300),
        (("BUY", 10, 100), ("BUY", 10, 95), 50),
        (("BUY", 10, 100), ("BUY", 7, 95), 335),
        (("BUY", 10, 100), ("SELL", 10, 100), 2_000),
        (("BUY", 10, 100), ("SELL", 5, 90), 1_450),
    ] {
        let (one, other) = (terms(one.0, one.1, one.2), terms(other.0, other.1, other.2));
        assert_eq!(super::difference(one, other), Money(money));
        assert_eq!(super::difference(other, one), Money(money));
    }
}

#[test]
fn most_money_comes_first() {
    let cheap = Done {
        venue: Venue::Nse,
        client: 1,
        symbol: 0,
        side: Side::Buy,
        units: 2,
        price: 50,
        busted: false,
    };
    let dear = Done {
        price: 5_000,
        ..cheap
    };
    let mut sides = sides(&[cheap, cheap, dear, cheap]);
    let ledger = sides.ledger.as_mut().unwrap();
    ledger.trades.truncate(1);
    let compared = compare(&sides, Moment::END_OF_DAY);
    let money: Vec<_> = compared.breaks.iter().map(|found| found.money.0).collect();
    assert_eq!(money, [10_000, 100, 100]);
    assert!(
        compared
            .breaks
            .iter()
            .all(|found| !found.cause.is_empty() && !found.next.is_empty())
    );
}

#[test]
fn a_side_that_is_absent_is_neither_equal_nor_a_break() {
    let day = [
        Done {
            venue: Venue::Nse,
            client: 1,
            symbol: 0,
            side: Side::Buy,
            units: 2,
            price: 50,
            busted: false,
        },
        Done {
            venue: Venue::Bse,
            client: 1,
            symbol: 0,
            side: Side::Buy,
            units: 2,
            price: 50,
            busted: false,
        },
    ];
    let mut sides = sides(&day);
    sides.log.reach.clear();
    sides.log.drop_copy.clear();
    sides.trades_file = None;
    // A ledger of one exchange says nothing of the other's trades.
    let ledger = sides.ledger.as_mut().unwrap();
    ledger
        .trades
        .retain(|told| venue_of(&told.execution) == Some(Venue::Nse));
    ledger.orders.retain(|order| order.venue == Venue::Nse);
    ledger.venues = [Venue::Nse].into();
    let compared = compare(&sides, Moment::END_OF_DAY);
    assert_eq!(compared.breaks, vec![]);
    assert_eq!(compared.unwitnessed, [Venue::Bse].into());
}

#[test]
fn what_the_primary_told_from_before_a_sides_record_is_left_out_and_counted() {
    let day = [Done {
        venue: Venue::Nse,
        client: 1,
        symbol: 0,
        side: Side::Buy,
        units: 2,
        price: 50,
        busted: false,
    }; 2];
    let mut sides = sides(&day);
    sides.log.trades[0].origin = Origin::Primary;
    let ledger = sides.ledger.as_mut().unwrap();
    ledger.trades.remove(0);
    ledger.first_at = Some(Timestamp(1));
    let compared = compare(&sides, Moment::END_OF_DAY);
    assert_eq!((compared.breaks, compared.before_reach), (vec![], 1));
    // Nor is it in a sum, which would differ where nothing is to be found.
    for sums in compared.totals.clients.values() {
        assert!(agree(sums, &[Source::Log, Source::Ledger]), "{sums:?}");
        assert_eq!(sums[&Source::Log].trades, 1);
    }
    sides.ledger.as_mut().unwrap().first_at = Some(Timestamp(0));
    assert_eq!(kinds(&sides), [Kind::MissingAtVenue]);
}
