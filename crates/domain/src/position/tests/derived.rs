//! What is derived of a position and shown: its trades in the order of booking, what it has earned, what is handed back.

use super::*;
use crate::amount::Money;
use crate::id::Side;

/// A BOD line and trades of the primary: ExecID, side, units, rupees.
fn traded(bod_units: i64, trades: &[(&str, Side, u64, &str)]) -> Position {
    let mut reports = vec![bod(bod_units)];
    reports.extend(
        trades
            .iter()
            .map(|(id, side, units, price)| Report::PrimaryTrade {
                key: sample::key(),
                execution: execution_key(id),
                side: *side,
                quantity: Quantity::new(*units).unwrap(),
                price: price.parse().unwrap(),
                traded_at: sample::now(),
                source: "primary".into(),
            }),
    );
    let events = record_all(&Position::default(), &reports);
    events.iter().fold(Position::default(), evolve)
}

fn rupees(text: &str) -> Money {
    Money(text.parse::<Price>().unwrap().0)
}

#[test]
fn trades_come_in_the_order_of_booking_whatever_their_ids() {
    let position = traded(
        0,
        &[
            ("E9", Side::Buy, 10, "100"),
            ("E5", Side::Sell, 5, "110"),
            ("E1", Side::Buy, 10, "120"),
        ],
    );
    let trades = position.trades();
    let ids: Vec<_> = trades.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        ids,
        ["E9", "E5", "E1"].map(|id| execution_key(id).to_string())
    );
    let numbers: Vec<_> = trades.iter().map(|(_, trade)| trade.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    // Five of those bought at 100 were sold at 110, before any was bought at 120.
    assert_eq!(position.profit(None).realized, rupees("50"));
}

#[test]
fn a_trade_that_the_primary_tells_again_keeps_its_place() {
    let told = |id, price: &str| {
        PositionEvent::PrimaryTradeApplied(PrimaryTradeApplied {
            key: sample::key(),
            execution: execution_key(id),
            side: Side::Buy,
            quantity: Quantity::new(10).unwrap(),
            price: price.parse().unwrap(),
            traded_at: sample::now(),
            source: "primary".into(),
        })
    };
    let history = [
        told("E9", "100"),
        told("E5", "110"),
        told("E9", "105"),
        told("E1", "120"),
    ];
    let position = history.iter().fold(Position::default(), evolve);
    let trades = position.trades();
    let places: Vec<_> = trades
        .into_iter()
        .map(|(key, trade)| (key.clone(), trade.number, trade.price))
        .collect();
    let expected = [("E9", 1, "105"), ("E5", 2, "110"), ("E1", 3, "120")];
    assert_eq!(
        places,
        expected.map(|(id, number, price)| (execution_key(id), number, price.parse().unwrap()))
    );
}

#[test]
fn profit_is_that_of_the_live_trades_against_the_mark() {
    // The BOD line's 40 stand at 99.00.
    let mut position = traded(
        40,
        &[("E1", Side::Sell, 10, "100"), ("E2", Side::Sell, 10, "98")],
    );
    let mark = Some("99.50".parse().unwrap());
    let profit = |realized, unrealized: Option<&str>, sold| Profit {
        average_price: Some(Price(990_000)),
        realized: rupees(realized),
        unrealized: unrealized.map(rupees),
        bought: 0,
        sold,
    };
    assert_eq!(position.profit(mark), profit("0", Some("10"), 20));
    assert_eq!(position.profit(None), profit("0", None, 20));

    let execution = execution_key("E2");
    let order_id = OrderId(Uuid::nil());
    let busted = PositionEvent::ExecutionBusted(ExecutionBusted {
        order_id,
        execution,
    });
    position = evolve(position, &busted);
    assert_eq!(position.profit(mark), profit("10", Some("15"), 10));
}

#[test]
fn a_flat_position_has_no_average_price_and_nothing_unrealized() {
    let position = traded(40, &[("E1", Side::Sell, 40, "100")]);
    for mark in [None, Some(Price(1))] {
        let profit = Profit {
            average_price: None,
            realized: rupees("40"),
            unrealized: Some(Money(0)),
            bought: 0,
            sold: 40,
        };
        assert_eq!(position.profit(mark), profit);
    }
    let bought = traded(-40, &[("E1", Side::Buy, 40, "100")]);
    assert_eq!(bought.profit(None).realized, rupees("-40"));
    assert_eq!(
        (bought.profit(None).bought, bought.profit(None).sold),
        (40, 0)
    );
}

#[test]
fn an_average_price_is_rounded_to_the_nearest() {
    let averages = |second| {
        let trades = [
            ("E1", Side::Buy, 2, "0.0001"),
            ("E2", Side::Buy, second, "0.0002"),
        ];
        traded(0, &trades).profit(None).average_price
    };
    // 1.5 and 1.67 ten-thousandths of a rupee, and 1.2 of a short position.
    assert_eq!(averages(2), Some(Price(2)));
    assert_eq!(averages(4), Some(Price(2)));
    let short = [
        ("E1", Side::Sell, 8, "0.0001"),
        ("E2", Side::Sell, 2, "0.0002"),
    ];
    assert_eq!(traded(0, &short).profit(None).average_price, Some(Price(1)));
}

#[test]
fn a_flat_position_is_closed_on_neither_side() {
    for (units, side) in [(5, Some(Side::Sell)), (0, None), (-5, Some(Side::Buy))] {
        assert_eq!(traded(units, &[]).closing_side(), side);
    }
}

#[test]
fn what_is_handed_back_is_counted_without_what_was_taken_back() {
    let mut world = World::new(sample::key(), sample::contract());
    world.position = traded(
        40,
        &[
            ("E1", Side::Sell, 10, "100"),
            ("E2", Side::Sell, 5, "98"),
            ("E3", Side::Sell, 5, "98"),
        ],
    );
    let (order_id, execution) = (OrderId(Uuid::nil()), execution_key("E2"));
    let busted = PositionEvent::ExecutionBusted(ExecutionBusted {
        order_id,
        execution,
    });
    world.position = evolve(world.position.clone(), &busted);
    let went = world.go(&Step::HandBack(1));
    let [PositionEvent::PositionHandedBack(handed)] = went.events() else {
        panic!("{went:?}");
    };
    assert_eq!(
        (handed.net, handed.executions, handed.epoch),
        (NetQuantity(25), 2, 7)
    );
}

#[test]
fn orders_are_found_by_their_ids_and_told_in_the_order_of_these() {
    let mut world = World::new(sample::key(), sample::contract());
    assert!(world.position.orders.is_empty());
    world.position = traded(40, &[]);
    let mut placed = vec![];
    for request in 1..=3 {
        let (units, price, ioc) = (Some(10), None, false);
        let went = world.go(&Step::Close {
            request,
            units,
            price,
            ioc,
        });
        placed.extend(went.events().iter().filter_map(PositionEvent::order_id));
    }
    placed.sort_unstable();
    let orders = &world.position.orders;
    assert_eq!(
        (placed.len(), orders.len(), orders.is_empty()),
        (3, 3, false)
    );
    assert!(orders.keys().eq(&placed));
    assert!(placed.iter().all(|id| orders.contains_key(id)));
    assert!(!orders.contains_key(&OrderId(Uuid::nil())));
}
