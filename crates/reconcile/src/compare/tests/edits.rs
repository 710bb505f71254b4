//! Every single edit of a side, and the break that it must be: a table of lines.

use super::{key, units};
use crate::breaks::Kind;
use crate::compare::venue_of;
use crate::sides::*;
use squareoff_domain::position::TradeStatus;
use squareoff_domain::{ExecutionKey, Money, NetQuantity, Price, Product, Side, Venue};
use squareoff_projections::day::{Day, DayTrade};
use squareoff_store::Position as LogPosition;

pub(super) type Edit = fn(&mut Sides, &ExecutionKey);

fn told<'a>(told: &'a mut [Told], key: &ExecutionKey) -> &'a mut Told {
    told.iter_mut().find(|told| told.execution == *key).unwrap()
}

pub(super) fn ledger<'a>(sides: &'a mut Sides, key: &ExecutionKey) -> &'a mut Told {
    told(&mut sides.ledger.as_mut().unwrap().trades, key)
}

fn file<'a>(sides: &'a mut Sides, key: &ExecutionKey) -> &'a mut Told {
    told(sides.trades_file.as_mut().unwrap(), key)
}

fn drop_copy<'a>(sides: &'a mut Sides, key: &ExecutionKey) -> &'a mut Told {
    told(&mut sides.log.drop_copy, key)
}

fn rows(sides: &mut Sides) -> &mut Day {
    match sides.read_model.as_mut().unwrap() {
        ReadModel::At(day) => day,
        ReadModel::Behind { .. } => unreachable!("the day has rows"),
    }
}

fn row<'a>(sides: &'a mut Sides, key: &ExecutionKey) -> &'a mut DayTrade {
    let rows = rows(sides).trades.iter_mut();
    let mut found = rows.filter(|row| row.execution_key == key.as_str());
    found.next().unwrap()
}

pub(super) fn less(told: &mut Told) {
    told.terms.quantity = units(told.terms.quantity.units() - 1);
}

fn turned(told: &mut Told) {
    told.terms.side = match told.terms.side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    };
}

fn renamed(told: &Told) -> Told {
    let venue = venue_of(&told.execution).unwrap();
    Told {
        execution: key(venue, 9_999),
        ..told.clone()
    }
}

/// Of one trade on one side outside the log, and the one break that it must be.
pub(super) const EDITS: &[(&str, Edit, Kind)] = &[
    (
        "a line of the ledger is gone",
        |sides, key| {
            sides
                .ledger
                .as_mut()
                .unwrap()
                .trades
                .retain(|told| told.execution != *key)
        },
        Kind::MissingAtVenue,
    ),
    (
        "a row of the file is gone",
        |sides, key| {
            sides
                .trades_file
                .as_mut()
                .unwrap()
                .retain(|told| told.execution != *key)
        },
        Kind::MissingAtVenue,
    ),
    (
        "the drop copy passed over a trade",
        |sides, key| sides.log.drop_copy.retain(|told| told.execution != *key),
        Kind::MissingInDropCopy,
    ),
    (
        "the drop copy ended before a trade",
        |sides, key| {
            sides.log.drop_copy.retain(|told| told.execution != *key);
            let booked = sides
                .log
                .trades
                .iter_mut()
                .find(|booked| booked.told.execution == *key)
                .unwrap();
            booked.at = LogPosition::from_u64(1_000);
        },
        Kind::Unconfirmed,
    ),
    (
        "the ledger has one more",
        |sides, key| {
            let more = renamed(ledger(sides, key));
            sides.ledger.as_mut().unwrap().trades.push(more);
        },
        Kind::MissingInLog,
    ),
    (
        "the file has one more",
        |sides, key| {
            let more = renamed(file(sides, key));
            sides.trades_file.as_mut().unwrap().push(more);
        },
        Kind::MissingInLog,
    ),
    (
        "the drop copy has one more",
        |sides, key| {
            let more = renamed(drop_copy(sides, key));
            sides.log.drop_copy.push(more);
        },
        Kind::MissingInLog,
    ),
    (
        "another quantity in the ledger",
        |sides, key| less(ledger(sides, key)),
        Kind::QuantityDiffers,
    ),
    (
        "another quantity in the file",
        |sides, key| less(file(sides, key)),
        Kind::QuantityDiffers,
    ),
    (
        "another quantity in the drop copy",
        |sides, key| less(drop_copy(sides, key)),
        Kind::QuantityDiffers,
    ),
    (
        "another price in the ledger",
        |sides, key| ledger(sides, key).terms.price.0 += 1,
        Kind::PriceDiffers,
    ),
    (
        "another price in the file",
        |sides, key| file(sides, key).terms.price.0 += 1,
        Kind::PriceDiffers,
    ),
    (
        "another price in the drop copy",
        |sides, key| drop_copy(sides, key).terms.price.0 -= 1,
        Kind::PriceDiffers,
    ),
    (
        "the other side in the ledger",
        |sides, key| turned(ledger(sides, key)),
        Kind::SideDiffers,
    ),
    (
        "the other side in the file",
        |sides, key| turned(file(sides, key)),
        Kind::SideDiffers,
    ),
    (
        "another client in the ledger",
        |sides, key| ledger(sides, key).account = Some("X1".into()),
        Kind::ClientDiffers,
    ),
    (
        "another client in the file",
        |sides, key| file(sides, key).account = Some("X1".into()),
        Kind::ClientDiffers,
    ),
    (
        "another instrument in the ledger",
        |sides, key| ledger(sides, key).symbol = Some("TCS".into()),
        Kind::InstrumentDiffers,
    ),
    (
        "another instrument in the file",
        |sides, key| file(sides, key).symbol = Some("TCS".into()),
        Kind::InstrumentDiffers,
    ),
    (
        "another order in the ledger",
        |sides, key| ledger(sides, key).order = Some("01000000000000999N00".into()),
        Kind::OrderDiffers,
    ),
    (
        "busted in the ledger alone",
        |sides, key| ledger(sides, key).busted = true,
        Kind::BustedOnOneSide,
    ),
    (
        "busted in the drop copy alone",
        |sides, key| drop_copy(sides, key).busted = true,
        Kind::BustedOnOneSide,
    ),
    (
        "twice in the file",
        |sides, key| {
            let again = file(sides, key).clone();
            sides.trades_file.as_mut().unwrap().push(again);
        },
        Kind::DuplicateExecution,
    ),
    (
        "a row of Postgres is gone",
        |sides, key| {
            rows(sides)
                .trades
                .retain(|row| row.execution_key != key.as_str())
        },
        Kind::ReadModelDiffers,
    ),
    (
        "another quantity in Postgres",
        |sides, key| row(sides, key).quantity += 1,
        Kind::ReadModelDiffers,
    ),
    (
        "another price in Postgres",
        |sides, key| row(sides, key).price += 1,
        Kind::ReadModelDiffers,
    ),
    (
        "another status in Postgres",
        |sides, key| row(sides, key).status = "provisional".to_owned(),
        Kind::ReadModelDiffers,
    ),
    (
        "another side in Postgres",
        |sides, key| row(sides, key).side = "SIDEWAYS".to_owned(),
        Kind::ReadModelDiffers,
    ),
    (
        "counted otherwise in Postgres",
        |sides, key| row(sides, key).live_quantity -= 1,
        Kind::ReadModelDiffers,
    ),
    (
        "one more in Postgres",
        |sides, key| {
            let mut more = row(sides, key).clone();
            more.execution_key = "NSE|2026-11-20|NSE-9999".to_owned();
            rows(sides).trades.push(more);
        },
        Kind::ReadModelDiffers,
    ),
    (
        "an order of Postgres",
        |sides, _| rows(sides).orders[0].status = "canceled".to_owned(),
        Kind::ReadModelDiffers,
    ),
    (
        "an order of Postgres is gone",
        |sides, _| drop(rows(sides).orders.pop()),
        Kind::ReadModelDiffers,
    ),
    (
        "a position of Postgres",
        |sides, _| rows(sides).positions[0].net_quantity += 1,
        Kind::ReadModelDiffers,
    ),
    (
        "a position of Postgres is gone",
        |sides, _| drop(rows(sides).positions.pop()),
        Kind::ReadModelDiffers,
    ),
    (
        "a closing quantity",
        |sides, _| sides.positions_file.as_mut().unwrap()[0].net.0 += 1,
        Kind::PositionDiffers,
    ),
    (
        "an order that works at the venue",
        |sides, _| sides.ledger.as_mut().unwrap().orders[0].leaves = units(5),
        Kind::OrderWorkingAtVenue,
    ),
    (
        "an order that nobody here placed",
        |sides, _| {
            let mut more = sides.ledger.as_ref().unwrap().orders[0].clone();
            more.cl_ord_id = "P1".into();
            sides.ledger.as_mut().unwrap().orders.push(more);
        },
        Kind::OrderUnknownHere,
    ),
    (
        "an order sent twice",
        |sides, _| {
            let twice = SentTwice {
                venue: Venue::Nse,
                cl_ord_id: "01000000000000000N00".to_owned(),
                account: "C9".into(),
                symbol: "INFY".into(),
                value: Money(7),
            };
            sides.ledger.as_mut().unwrap().sent_twice.push(twice);
        },
        Kind::SentTwice,
    ),
    (
        "a line that is not understood",
        |sides, _| {
            let fact = UnknownFact {
                venue: Venue::Nse,
                line: 7,
                kind: "trade_split".to_owned(),
                account: "C9".to_owned(),
                symbol: "INFY".to_owned(),
                value: Money(7),
            };
            sides.ledger.as_mut().unwrap().unknown.push(fact);
        },
        Kind::UnknownTradeFact,
    ),
    (
        "Postgres did not come that far",
        |sides, _| {
            let position = LogPosition::from_u64(3);
            sides.read_model = Some(ReadModel::Behind {
                position,
                waited_s: 1,
            });
        },
        Kind::ReadModelBehind,
    ),
    (
        "lines of the ledger are gone",
        |sides, _| sides.ledger.as_mut().unwrap().gaps.push((3, 4)),
        Kind::LedgerGap,
    ),
    (
        "handed back before the last fill",
        |sides, _| {
            let held = &mut sides.log.positions[0];
            let net = NetQuantity(held.net.0 + 1);
            held.handed_back = Some(HandedBack {
                epoch: 1,
                net,
                executions: 1,
                executions_now: 2,
            });
            rows(sides).positions[0].handed_back_epoch = Some(1);
        },
        Kind::HandedBackDiffers,
    ),
];

/// Of the log itself, where one trade is many things: the break that must be among what is found.
pub(super) const EDITS_OF_THE_LOG: &[(&str, Edit, Kind)] = &[
    (
        "a trade is not booked",
        |sides, key| {
            sides
                .log
                .trades
                .retain(|booked| booked.told.execution != *key)
        },
        Kind::MissingInLog,
    ),
    (
        "a trade is booked twice",
        |sides, key| {
            let again = sides
                .log
                .trades
                .iter()
                .find(|booked| booked.told.execution == *key)
                .unwrap()
                .clone();
            sides.log.trades.push(again);
        },
        Kind::DuplicateExecution,
    ),
    (
        "a trade has another quantity",
        |sides, key| {
            less(
                &mut sides
                    .log
                    .trades
                    .iter_mut()
                    .find(|booked| booked.told.execution == *key)
                    .unwrap()
                    .told,
            );
        },
        Kind::QuantityDiffers,
    ),
    (
        "a trade was taken back",
        |sides, key| {
            let booked = sides
                .log
                .trades
                .iter_mut()
                .find(|booked| booked.told.execution == *key)
                .unwrap();
            (booked.told.busted, booked.status) = (true, TradeStatus::Busted);
        },
        Kind::BustedOnOneSide,
    ),
    (
        "a trade hangs in suspense",
        |sides, key| {
            let booked = sides
                .log
                .trades
                .iter()
                .position(|booked| booked.told.execution == *key)
                .unwrap();
            let booked = sides.log.trades.remove(booked);
            sides.log.suspended.push(Suspended {
                venue: venue_of(key).unwrap(),
                report_key: "r1".to_owned(),
                reason: "no order answers to it".to_owned(),
                execution: Some(booked.told),
                settled: Settled::No,
            });
        },
        Kind::SuspenseNotSettled,
    ),
    (
        "a trade was dismissed",
        |sides, key| {
            let booked = sides
                .log
                .trades
                .iter()
                .position(|booked| booked.told.execution == *key)
                .unwrap();
            let booked = sides.log.trades.remove(booked);
            sides.log.suspended.push(Suspended {
                venue: venue_of(key).unwrap(),
                report_key: "r1".to_owned(),
                reason: "no order answers to it".to_owned(),
                execution: Some(booked.told),
                settled: Settled::Dismissed,
            });
        },
        Kind::MissingInLog,
    ),
    (
        "an order works here alone",
        |sides, _| sides.log.orders[0].leaves = units(3),
        Kind::OrderEndedAtVenue,
    ),
    (
        "an order is in doubt",
        |sides, _| {
            let order = &mut sides.log.orders[0];
            (order.leaves, order.in_doubt) = (units(3), true);
        },
        Kind::OrderInDoubt,
    ),
    (
        "an order never arrived",
        |sides, _| {
            sides.log.orders[0].leaves = units(3);
            sides.ledger.as_mut().unwrap().orders.remove(0);
        },
        Kind::OrderMissingAtVenue,
    ),
    (
        "an order works on both sides",
        |sides, _| {
            sides.log.orders[0].leaves = units(3);
            sides.ledger.as_mut().unwrap().orders[0].leaves = units(3);
        },
        Kind::OrderWorkingAtClose,
    ),
    (
        "an order has more left there",
        |sides, _| {
            sides.log.orders[0].leaves = units(3);
            sides.ledger.as_mut().unwrap().orders[0].leaves = units(4);
        },
        Kind::OrderLeavesDiffer,
    ),
    (
        "an intraday position is open",
        |sides, _| sides.log.positions[0].key.product = Product::Mis,
        Kind::PositionNotFlat,
    ),
    (
        "a contradiction",
        |sides, _| {
            sides.log.alarms.push(Alarm {
                position: 0,
                what: Alarmed::Contradiction,
                text: "x".to_owned(),
            });
        },
        Kind::Contradiction,
    ),
    (
        "an over-fill",
        |sides, _| {
            let what = Alarmed::Overfill {
                order: None,
                excess: units(1),
                price: Price(1),
            };
            sides.log.alarms.push(Alarm {
                position: 0,
                what,
                text: "x".to_owned(),
            });
        },
        Kind::Overfill,
    ),
    (
        "closed beyond flat",
        |sides, key| {
            let what = Alarmed::BeyondFlat {
                execution: key.clone(),
                excess: units(1),
                price: Price(1),
            };
            sides.log.alarms.push(Alarm {
                position: 0,
                what,
                text: "x".to_owned(),
            });
        },
        Kind::BeyondFlat,
    ),
];
