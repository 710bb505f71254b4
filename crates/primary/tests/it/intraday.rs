//! The primary's orders and trades of the day.

use crate::import::{by, events};
use crate::small_book;
use squareoff_domain::position::{OrderStatus, Position, PositionEvent};
use squareoff_domain::suspense::{
    self, ReportSuspended, SuspendedExecution, Suspense, SuspenseReport,
};
use squareoff_domain::{Event, Quantity};
use squareoff_primary::book::Existing;
use squareoff_primary::{Book, ImportedBy, Intraday, import, intraday, sample};
use squareoff_store::{Caller, EventStore, Streams};
use std::convert::Infallible;
use uuid::Uuid;

async fn opened(book: &Book) -> (tempfile::TempDir, EventStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = EventStore::open(folder.path()).unwrap();
    import(&store, book, &by()).await.unwrap();
    (folder, store)
}

fn sampled(book: &Book) -> (tempfile::TempDir, Intraday) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("book");
    book.write(&path, Existing::Keep).unwrap();
    let written = sample::intraday(book, 7, 20, 30);
    written.write(&path).unwrap();
    let read = Intraday::read(&path, book).unwrap();
    assert_eq!(
        (&read.orders, &read.trades),
        (&written.orders, &written.trades)
    );
    (folder, read)
}

async fn state(store: &EventStore, stream: &str) -> Position {
    let loaded = Streams::<Position>::new(store.clone()).load(stream).await;
    Position::clone(&loaded.unwrap().state)
}

#[tokio::test]
async fn orders_and_trades_of_the_primary_count_and_the_same_again_appends_nothing() {
    let book = small_book();
    let (_folder, store) = opened(&book).await;
    let (_files, day) = sampled(&book);
    let report = intraday::import(&store, &day, &by()).await.unwrap();
    assert_eq!((report.orders, report.trades), (20, 30));
    assert_eq!((report.events_appended, report.contradicted), (50, 0));

    for line in &day.orders {
        let position = state(&store, &line.key.stream()).await;
        let (_, order) = position.order_of(&line.cl_ord_id).unwrap();
        assert!(!order.is_ours());
        assert_eq!(
            (order.status(), order.leaves()),
            (OrderStatus::New, line.quantity)
        );
        let closes = Some(line.side) == position.closing_side();
        assert!(!closes || position.closable() < position.net.open());
    }
    let traded = &day.trades[0];
    let bod = book
        .positions
        .iter()
        .find(|line| line.key == traded.key)
        .unwrap();
    let of_it = day.trades.iter().filter(|line| line.key == traded.key);
    let moved: i64 = of_it
        .map(|line| i64::try_from(line.quantity.units()).unwrap() * line.side.sign())
        .sum();
    let position = state(&store, &traded.key.stream()).await;
    assert_eq!(position.net.0, bod.net_quantity.0 + moved);

    let head = store.head().await.unwrap();
    let again = ImportedBy {
        actor: "operator:other".into(),
        ..by()
    };
    let report = intraday::import(&store, &day, &again).await.unwrap();
    assert_eq!(report.events_appended, 0);
    assert_eq!(store.head().await.unwrap(), head);
}

#[tokio::test]
async fn more_filled_an_end_and_another_content_are_told_as_such() {
    let book = small_book();
    let (_folder, store) = opened(&book).await;
    let (_files, mut day) = sampled(&book);
    intraday::import(&store, &day, &by()).await.unwrap();

    day.orders_version = "later".into();
    let unit = Quantity::new(1).unwrap();
    day.orders[0].cumulative = unit;
    day.orders[1].ended = true;
    day.trades_version = "later".into();
    day.trades[0].quantity = day.trades[0].quantity.plus(unit);
    let before = events(&store).await.len();
    let report = intraday::import(&store, &day, &by()).await.unwrap();
    assert_eq!(report.contradicted, 1);
    let mut new: Vec<String> = events(&store).await[before..]
        .iter()
        .map(|event| match event {
            Event::Position(event) => format!("{event:?}").split('(').next().unwrap().to_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    new.sort();
    assert_eq!(
        new,
        [
            "ExecutionConflicted",
            "ExternalOrderUpdated",
            "OrderCanceled",
            "PositionFrozen"
        ]
    );
}

#[tokio::test]
async fn a_trade_in_suspense_finds_its_position() {
    let book = small_book();
    let (_folder, store) = opened(&book).await;
    let (_files, day) = sampled(&book);
    let trade = &day.trades[3];
    let held = ReportSuspended {
        venue: trade.key.venue,
        report_key: "E1".into(),
        reason: "unknown order".into(),
        message: "35=8|".into(),
        execution: Some(SuspendedExecution {
            execution: trade.execution.clone(),
            account: None,
            symbol: Some(trade.key.symbol.clone()),
            side: trade.side,
            quantity: trade.quantity,
            price: trade.price,
        }),
    };
    let stream = suspense::stream(trade.key.venue, trade.key.date);
    let streams = Streams::<Suspense>::new(store.clone());
    let caller = Caller {
        actor: "gateway".into(),
        request_id: Uuid::from_u128(1),
        correlation_id: Uuid::from_u128(1),
        epoch: 1,
        now: by().now,
    };
    let suspend = |state: &Suspense| {
        let events = suspense::record(state, SuspenseReport::Suspended(held.clone()));
        Ok::<_, Infallible>((events, ()))
    };
    streams.transact(&stream, &caller, suspend).await.unwrap();

    let report = intraday::import(&store, &day, &by()).await.unwrap();
    assert_eq!(report.matched, 1);
    let state = Streams::<Suspense>::new(store.clone())
        .load(&stream)
        .await
        .unwrap()
        .state;
    let expected = suspense::Settled::Matched {
        position: trade.key.clone(),
    };
    assert_eq!(state.held["E1"].settled, Some(expected));
    let again = intraday::import(&store, &day, &by()).await.unwrap();
    assert_eq!((again.events_appended, again.matched), (0, 0));
    let booked = |event: &Event| matches!(event, Event::Position(PositionEvent::PrimaryTradeApplied(applied)) if applied.execution == trade.execution);
    assert_eq!(
        events(&store)
            .await
            .iter()
            .filter(|event| booked(event))
            .count(),
        1
    );
}

/// `file: cell that is changed => what is said of it`.
#[test]
fn every_mistake_is_named_by_file_line_and_column() {
    let book = small_book();
    let (files, _) = sampled(&book);
    let path = files.path().join("book");
    let good = |name: &str| std::fs::read_to_string(path.join(name)).unwrap();
    let (orders, trades) = (good("orders.csv"), good("trades.csv"));
    for (file, column, value, says) in [
        (
            "orders.csv",
            0,
            "2026-11-19",
            "is not the book's trading date 2026-11-20",
        ),
        ("orders.csv", 1, "C99999", "is not in the client file"),
        ("orders.csv", 3, "NOSUCH", "is not listed at"),
        (
            "orders.csv",
            4,
            "BTST",
            "is not a product: MIS, NRML or CNC",
        ),
        ("orders.csv", 5, "sell", "is not a side: BUY or SELL"),
        (
            "orders.csv",
            6,
            "0",
            "is not a whole number of units above zero",
        ),
        ("orders.csv", 7, "-1", "is not a whole number of units"),
        ("orders.csv", 7, "999999999", "is more than the order's"),
        ("orders.csv", 8, "0", "must be above zero"),
        ("orders.csv", 9, "P 1", "is not a client order id"),
        ("orders.csv", 10, "", "is not a exchange order number"),
        ("orders.csv", 11, "today", "is not an instant"),
        ("orders.csv", 12, "dead", "is not working or ended"),
        ("trades.csv", 7, "1e3", "is not a decimal number of rupees"),
        ("trades.csv", 8, "a|b", "is not a trade number"),
        ("trades.csv", 8, "", "is not a trade number"),
        ("trades.csv", 9, "10:15", "is not an instant"),
    ] {
        let text = if file == "orders.csv" {
            &orders
        } else {
            &trades
        };
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut cells: Vec<&str> = lines[1].split(',').collect();
        cells[column] = value;
        lines[1] = cells.join(",");
        std::fs::write(path.join(file), lines.join("\n")).unwrap();
        let error = Intraday::read(&path, &book).unwrap_err().to_string();
        let place = format!("{file}, line 2, column ");
        assert!(
            error.contains(&place) && error.contains(says),
            "{column} {value}: {error}"
        );
        std::fs::write(path.join(file), text).unwrap();
    }
    // The same order or trade twice.
    for (file, text) in [("orders.csv", &orders), ("trades.csv", &trades)] {
        let line = text.lines().nth(1).unwrap();
        std::fs::write(path.join(file), format!("{text}{line}\n")).unwrap();
        let error = Intraday::read(&path, &book).unwrap_err().to_string();
        assert!(error.contains("is on line 2 already"), "{error}");
        std::fs::write(path.join(file), text).unwrap();
    }
    // Neither has to be there, and the last column of an order neither.
    let short: String = orders
        .lines()
        .map(|line| format!("{}\n", line.rsplit_once(',').unwrap().0))
        .collect();
    std::fs::write(path.join("orders.csv"), short).unwrap();
    assert_eq!(Intraday::read(&path, &book).unwrap().orders.len(), 20);
    std::fs::remove_file(path.join("orders.csv")).unwrap();
    std::fs::remove_file(path.join("trades.csv")).unwrap();
    assert_eq!(Intraday::read(&path, &book).unwrap(), Intraday::default());
}
