//! The live runner: from events to rows, exactly once, through outages.

use crate::story::{Desk, PATIENCE, Projecting, date, key, reach, start};
use squareoff_domain::position::{Execution, Wanted};
use squareoff_domain::{Client, Segment};
use squareoff_projections::clients::client;
use squareoff_projections::orders::{OrderFilter, order, orders};
use squareoff_projections::positions::{positions_of_client, positions_open};
use squareoff_projections::trades::{TradeFilter, trade_count, trade_totals, trades};
use squareoff_projections::{RebuildOptions, RunError, SwapWhen, Watcher, checkpoint, rebuild};
use squareoff_store::Position;
use std::time::Duration;
use uuid::Uuid;

const COMPARE: RebuildOptions = RebuildOptions::new(SwapWhen::Never);

#[tokio::test]
async fn a_square_off_is_seen_in_every_read_model() {
    let (test, database) = start().await;
    let mut desk = Desk::new(1);
    let key = key(7, "RELIANCE");
    let segments = vec![Segment::Cash, Segment::Derivatives];
    let who = Client {
        client: key.client.clone(),
        category: "retail".into(),
        branch: "Pune".into(),
        segments,
    };
    desk.register(who).await;
    desk.activate().await;
    desk.bod(&key, 150).await;
    desk.square_off(&key, Wanted::All).await;
    let ids = desk.orders(&key);
    desk.fill(&key, ids[0], 40, 1_000_000).await;
    desk.fill(&key, ids[0], 60, 1_000_500).await;
    let text = "RMS: margin".to_owned();
    desk.venue(&key, ids[1], Execution::Rejected { code: 3, text })
        .await;
    let head = desk.store.head().await.unwrap();

    let projecting = Projecting::start(&desk.store, &database);
    reach(&database, head).await;
    let pool = database.pool(4);
    let found = client(&pool, "C00007").await.unwrap();
    assert_eq!(found.position, head);
    assert_eq!(found.value.unwrap().segments, ["CM", "FO"]);
    assert_eq!(client(&pool, "NOBODY").await.unwrap().value, None);

    for day in [None, Some(time_date())] {
        let rows = positions_of_client(&pool, "C00007", day)
            .await
            .unwrap()
            .value;
        let [row] = rows.as_slice() else {
            panic!("{rows:?}")
        };
        assert_eq!(
            (
                row.bod_quantity,
                row.net_quantity,
                row.working_quantity,
                row.closable_quantity
            ),
            (150, 50, 0, 50)
        );
        assert_eq!(
            (row.stream.as_str(), row.product.as_str()),
            (key.stream().as_str(), "MIS")
        );
        assert_eq!(row.updated_position, i64::try_from(head.as_u64()).unwrap());
    }
    assert_eq!(positions_open(&pool, None).await.unwrap().value, 1);

    let first = order(&pool, ids[0].0).await.unwrap().value.unwrap();
    assert_eq!(
        (
            &*first.status,
            first.cumulative_quantity,
            first.leaves_quantity
        ),
        ("filled", 100, 0)
    );
    assert_eq!(
        (first.average_price, first.slice, first.slices),
        (Some(1_000_300), 1, 2)
    );
    let second = order(&pool, ids[1].0).await.unwrap().value.unwrap();
    assert_eq!(
        (
            &*second.status,
            second.reject_code,
            second.reject_text.as_deref()
        ),
        ("rejected", Some(3), Some("RMS: margin"))
    );
    assert_eq!(order(&pool, Uuid::nil()).await.unwrap().value, None);

    let rows = trades(
        &pool,
        &TradeFilter {
            order_id: Some(ids[0].0),
            ..TradeFilter::default()
        },
    )
    .await
    .unwrap()
    .value;
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.execution_key.as_str(), row.quantity, row.late))
        .collect();
    assert_eq!(
        seen,
        [
            ("NSE|2026-11-20|E2", 60, false),
            ("NSE|2026-11-20|E1", 40, false)
        ]
    );
    let totals = trade_totals(&pool).await.unwrap().value;
    assert_eq!(
        (
            totals.len(),
            totals[0].quantity,
            totals[0].trades,
            totals[0].side.as_str()
        ),
        (1, 100, 2, "SELL")
    );
    let count = trade_count(&pool).await.unwrap().value;
    assert_eq!((count.trades, count.executions), (2, 2));
    projecting.stop().await;
    drop(test);
}

fn time_date() -> time::Date {
    time::Date::parse(
        &date().to_string(),
        &time::format_description::well_known::Iso8601::DATE,
    )
    .unwrap()
}

#[tokio::test]
async fn a_list_is_paged_by_its_cursor_and_filtered_by_every_field() {
    let (_test, database) = start().await;
    let mut desk = Desk::new(2);
    for client in 1..=3 {
        let key = key(client, "M&M");
        desk.bod(&key, -500).await;
        desk.square_off(&key, Wanted::All).await;
        let ids = desk.orders(&key);
        desk.fill(&key, ids[0], 100, 1_000_000).await;
    }
    let head = desk.store.head().await.unwrap();
    let projecting = Projecting::start(&desk.store, &database);
    reach(&database, head).await;
    let pool = database.pool(2);
    let filter = OrderFilter {
        limit: Some(4),
        ..OrderFilter::default()
    };
    let mut seen = vec![];
    let mut before = None;
    loop {
        let page = orders(
            &pool,
            &OrderFilter {
                behind: before,
                ..filter.clone()
            },
        )
        .await
        .unwrap()
        .value;
        let Some(last) = page.last() else { break };
        before = Some(last.placed_position);
        seen.extend(page.iter().map(|row| row.placed_position));
    }
    assert_eq!(seen.len(), 15);
    assert!(
        seen.is_sorted_by(|newer, older| newer > older),
        "newest first, none twice: {seen:?}"
    );

    let text = |text: &str| Some(text.to_owned());
    for (filter, rows) in [
        (
            OrderFilter {
                client_code: text("C00002"),
                ..OrderFilter::default()
            },
            5,
        ),
        (
            OrderFilter {
                status: text("filled"),
                ..OrderFilter::default()
            },
            3,
        ),
        (
            OrderFilter {
                status: text("placed"),
                client_code: text("C00001"),
                ..OrderFilter::default()
            },
            4,
        ),
        (
            OrderFilter {
                venue: text("BSE"),
                ..OrderFilter::default()
            },
            0,
        ),
        (
            OrderFilter {
                symbol: text("M&M"),
                venue: text("NSE"),
                ..OrderFilter::default()
            },
            15,
        ),
    ] {
        assert_eq!(
            orders(&pool, &filter).await.unwrap().value.len(),
            rows,
            "{filter:?}"
        );
    }
    let mine = TradeFilter {
        client_code: text("C00003"),
        symbol: text("M&M"),
        ..TradeFilter::default()
    };
    assert_eq!(trades(&pool, &mine).await.unwrap().value.len(), 1);
    projecting.stop().await;
}

#[tokio::test]
async fn killed_and_started_again_in_the_middle_every_event_counts_once() {
    let (_test, database) = start().await;
    let mut desk = Desk::new(3);
    for round in 0..6 {
        let head = desk.many_things(120).await;
        let projecting = Projecting::start(&desk.store, &database);
        if round % 2 == 0 {
            // Wherever it happens to be: the moment moves with the machine's load, the outcome must not.
            tokio::task::yield_now().await;
            projecting.abort().await;
        } else {
            reach(&database, head).await;
            projecting.stop().await;
        }
    }
    let report = rebuild(&desk.store, &database, COMPARE, |_| {})
        .await
        .unwrap();
    assert!(report.equal(), "{report:?}");
    assert_eq!(
        report.comparison.unwrap().position,
        desk.store.head().await.unwrap()
    );
}

#[tokio::test]
async fn postgres_killed_while_projecting_costs_nothing_but_time() {
    let (mut test, database) = start().await;
    let mut desk = Desk::new(4);
    let projecting = Projecting::start(&desk.store, &database);
    let watcher = Watcher::start(database.pool(2));
    for _ in 0..3 {
        let head = desk.many_things(300).await;
        let server =
            rustix::process::Pid::from_raw(i32::try_from(test.cluster.pid().unwrap()).unwrap())
                .unwrap();
        rustix::process::kill_process(server, rustix::process::Signal::KILL).unwrap();
        desk.many_things(100).await;
        test.cluster.wait_exit().await;
        test.cluster.restart().await.unwrap();
        watcher.wait_for(head, PATIENCE).await.unwrap();
    }
    let head = desk.store.head().await.unwrap();
    watcher.wait_for(head, PATIENCE).await.unwrap();
    let report = rebuild(&desk.store, &database, COMPARE, |_| {})
        .await
        .unwrap();
    assert!(report.equal(), "{report:?}");
    projecting.stop().await;
}

#[tokio::test]
async fn two_runners_do_not_disturb_each_other_and_one_takes_over() {
    let (_test, database) = start().await;
    let mut desk = Desk::new(5);
    let first = Projecting::start(&desk.store, &database);
    let second = Projecting::start(&desk.store, &database);
    let head = desk.many_things(200).await;
    reach(&database, head).await;
    first.stop().await;
    let head = desk.many_things(200).await;
    reach(&database, head).await;
    second.stop().await;
    assert!(
        rebuild(&desk.store, &database, COMPARE, |_| {})
            .await
            .unwrap()
            .equal()
    );
}

#[tokio::test]
async fn who_waits_for_a_position_is_told_or_told_how_far_it_is() {
    let (_test, database) = start().await;
    let mut desk = Desk::new(6);
    let projecting = Projecting::start(&desk.store, &database);
    let watcher = Watcher::start(database.pool(2));
    let waiting: Vec<_> = (1..=50)
        .map(|number| {
            let watcher = watcher.clone();
            tokio::spawn(
                async move { watcher.wait_for(Position::from_u64(number), PATIENCE).await },
            )
        })
        .collect();
    desk.many_things(100).await;
    for wait in waiting {
        wait.await.unwrap().unwrap();
    }
    let far = Position::from_u64(1_000_000);
    let not_yet = watcher
        .wait_for(far, Duration::from_millis(20))
        .await
        .unwrap_err();
    assert_eq!(not_yet.wanted, far);
    assert!(not_yet.position >= Position::from_u64(50));
    projecting.stop().await;
}

#[tokio::test]
async fn an_event_of_a_newer_release_stops_the_runner_with_its_name_and_place() {
    let (_test, database) = start().await;
    let mut desk = Desk::new(7);
    let before = desk.bod(&key(1, "RELIANCE"), 10).await.unwrap();
    let newer = squareoff_store::NewEvent {
        id: Uuid::from_u128(1),
        event_type: "PositionTeleported",
        schema_version: 1,
        occurred_at: squareoff_domain::Timestamp(0),
        actor: "test".into(),
        request_id: Uuid::nil(),
        correlation_id: Uuid::nil(),
        trace_id: None,
        epoch: 1,
        body: b"{}".to_vec(),
    };
    desk.store
        .append("position-2026-11-20-C1-NSE:X-MIS", 0, vec![newer])
        .await
        .unwrap();
    let error = Projecting::start(&desk.store, &database).gives_up().await;
    assert!(matches!(error, RunError::Fold(_)), "{error:?}");
    let (text, at) = (error.to_string(), before.as_u64() + 1);
    assert!(
        text.contains("PositionTeleported") && text.contains(&at.to_string()),
        "{text}"
    );
}

#[tokio::test]
async fn the_database_of_another_log_is_refused() {
    let (_test, database) = start().await;
    let mut desk = Desk::new(8);
    let head = desk.many_things(50).await;
    let projecting = Projecting::start(&desk.store, &database);
    reach(&database, head).await;
    projecting.stop().await;
    let empty = Desk::new(9);
    let mut longer = Desk::new(10);
    longer.many_things(100).await;
    for other in [&empty, &longer] {
        let error = Projecting::start(&other.store, &database).gives_up().await;
        assert!(matches!(error, RunError::OtherLog(_)), "{error:?}");
    }
    assert_eq!(checkpoint(&database.pool(1)).await.unwrap(), head);
}

#[tokio::test]
async fn a_query_can_be_spawned() {
    let (_test, database) = start().await;
    let pool = database.pool(2);
    let asked = tokio::spawn(async move { orders(&pool, &OrderFilter::default()).await });
    assert_eq!(asked.await.unwrap().unwrap().value, vec![]);
}
