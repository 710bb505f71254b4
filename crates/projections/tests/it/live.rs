//! What live readers are told is what the read models show.

use crate::story::{Desk, Projecting, contract, key, reach, start};
use crate::wild::Wild;
use squareoff_domain::reference::{ContractEvent, ContractListed, contracts_stream};
use squareoff_domain::{Event, Price};
use squareoff_projections::orders::{OrderFilter, OrderRow, order, orders};
use squareoff_projections::positions::{PositionRow, position};
use squareoff_projections::{LiveFold, PAGE_ROWS_MAX};
use squareoff_store::{EventStore, Position};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The last that was told of each order and position, of a log that is folded from `after` on, `batch` events at a time.
#[derive(Debug, Default, PartialEq)]
struct Told {
    orders: BTreeMap<Uuid, OrderRow>,
    positions: BTreeMap<String, PositionRow>,
}

async fn told(store: &EventStore, after: Position, batch: usize) -> Told {
    let (mut fold, mut told, mut after) = (LiveFold::default(), Told::default(), after);
    loop {
        let events = store.read_all(after, batch).await.unwrap();
        let Some(last) = events.last() else {
            return told;
        };
        after = last.position;
        for change in fold.fold(store, events).await.unwrap() {
            let orders = change.orders.into_iter();
            told.orders.extend(orders.map(|row| (row.order_id, row)));
            let position = change.position.map(|row| (row.stream.clone(), row));
            told.positions.extend(position);
        }
    }
}

#[tokio::test]
async fn the_last_that_was_told_of_an_order_and_a_position_is_what_a_query_shows() {
    let (_test, database) = start().await;
    let mut desk = Desk::new(31);
    let mut wild = Wild::default();
    wild.many_things(&mut desk, 400).await;
    let middle = desk.store.head().await.unwrap();
    wild.many_things(&mut desk, 100).await;
    let head = desk.many_things(150).await;
    let projecting = Projecting::start(&desk.store, &database);
    reach(&database, head).await;
    projecting.stop().await;
    let pool = database.pool(2);

    let all = told(&desk.store, Position::START, 1_000).await;
    assert!(all.orders.len() > 10 && all.positions.len() > 2, "{all:?}");
    let newest = OrderFilter {
        limit: Some(PAGE_ROWS_MAX),
        ..OrderFilter::default()
    };
    let shown = orders(&pool, &newest).await.unwrap().value;
    assert_eq!(shown.len(), all.orders.len());
    for (id, told) in &all.orders {
        let shown = order(&pool, *id).await.unwrap().value.unwrap();
        assert_eq!(*told, shown);
    }
    for (stream, told) in &all.positions {
        let shown = position(&pool, stream).await.unwrap().value.unwrap();
        // A contract that was listed later is joined by a query alone, with what hangs on it.
        let told = PositionRow {
            segment: shown.segment.clone(),
            kind: shown.kind.clone(),
            expiry: shown.expiry,
            option_type: shown.option_type.clone(),
            mark: shown.mark,
            mark_at: shown.mark_at,
            unrealized_profit: shown.unrealized_profit,
            ..told.clone()
        };
        assert_eq!(told, shown);
    }

    // However it is cut, and wherever it begins.
    assert_eq!(told(&desk.store, Position::START, 1).await, all);
    assert_eq!(told(&desk.store, Position::START, 7).await, all);
    let part = told(&desk.store, middle, 3).await;
    assert!(!part.orders.is_empty());
    assert!(
        part.orders
            .iter()
            .all(|(id, row)| all.orders.get(id) == Some(row))
    );
    assert!(
        part.positions
            .iter()
            .all(|(stream, row)| all.positions.get(stream) == Some(row))
    );
}

#[tokio::test]
async fn a_position_is_marked_at_the_price_listed_last_before_its_change() {
    let mut desk = Desk::new(1);
    let key = key(1, "RELIANCE");
    let list = |price: i64| {
        let mut contract = contract(&key);
        contract.reference_price = Price(price);
        Event::Contract(ContractEvent::ContractListed(ContractListed { contract }))
    };
    let stream = contracts_stream(key.date, key.venue);
    desk.append(&stream, 0, vec![list(1_000_000)]).await;
    // 100 at 99.00.
    let bod = desk.bod(&key, 100).await.unwrap();
    desk.append(&stream, 1, vec![list(1_010_000)]).await;
    let relisted = desk.store.head().await.unwrap();
    let later = crate::story::key(2, "RELIANCE");
    desk.bod(&later, 100).await.unwrap();
    desk.append(&stream, 2, vec![list(1_020_000)]).await;

    let told_from = async |after| told(&desk.store, after, 1_000).await.positions;
    let all = told_from(Position::START).await;
    let profit = |rows: &BTreeMap<String, PositionRow>, key: &squareoff_domain::PositionKey| {
        let row = &rows[&key.stream()];
        (row.mark, row.unrealized_profit)
    };
    assert_eq!(profit(&all, &key), (Some(1_000_000), Some(1_000_000)));
    assert_eq!(profit(&all, &later), (Some(1_010_000), Some(2_000_000)));
    // A fold that begins later reads what was listed before, and no more.
    for after in [bod, relisted] {
        assert_eq!(
            profit(&told_from(after).await, &later),
            (Some(1_010_000), Some(2_000_000))
        );
    }
}
