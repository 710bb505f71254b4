//! Rebuild: the same events give the same rows, beside a live projection that never stops.

use crate::story::{Desk, Projecting, key, reach, start};
use crate::wild::Wild;
use sqlx::Executor;
use squareoff_domain::position::{ExternalOrderObserved, PositionEvent};
use squareoff_domain::{Event, OrderId, Price, Quantity, Side};
use squareoff_projections::orders::{OrderFilter, orders};
use squareoff_projections::{RebuildError, RebuildOptions, Stage, SwapWhen, checkpoint, rebuild};
use squareoff_store::{EventStore, Position, codec};
use std::collections::BTreeSet;

const COMPARE: RebuildOptions = RebuildOptions::new(SwapWhen::Never);
const SWAP: RebuildOptions = RebuildOptions::new(SwapWhen::Equal);

#[tokio::test]
async fn any_history_gives_the_same_rows_live_and_rebuilt() {
    let (_test, database) = start().await;
    let mut types_seen = BTreeSet::new();
    for seed in 100..108 {
        let mut desk = Desk::new(seed);
        let pool = database.pool(1);
        pool.execute("DROP SCHEMA read_live CASCADE").await.unwrap();
        pool.close().await;
        let projecting_early = async {
            database.migrate().await.unwrap();
            Projecting::start(&desk.store, &database)
        };
        let projecting = projecting_early.await;
        let mut wild = Wild::default();
        wild.many_things(&mut desk, 300).await;
        let head = desk.many_things(75).await;
        reach(&database, head).await;
        projecting.stop().await;
        // The next runner remembers nothing: it reads again what goes on.
        let projecting = Projecting::start(&desk.store, &database);
        wild.many_things(&mut desk, 300).await;
        let head = desk.many_things(75).await;
        reach(&database, head).await;
        projecting.stop().await;
        types_seen.extend(types(&desk.store).await);
        // Rows that change again and again, in many segments.
        let segments = RebuildOptions {
            segment_events: 60,
            ..COMPARE
        };
        let report = rebuild(&desk.store, &database, segments, |_| {})
            .await
            .unwrap();
        let comparison = report
            .comparison
            .expect("there was something to compare with");
        assert_eq!(
            comparison.hash_live, comparison.hash_next,
            "seed {seed}: {:?}",
            comparison.differences
        );
        assert_eq!((comparison.position, report.swapped), (head, false));
        assert!(report.events > 50 && comparison.hash_live.len() == 64);
    }
    for (event_type, _) in codec::EVENT_TYPES {
        assert!(
            types_seen.contains(*event_type),
            "no history had a {event_type}"
        );
    }
}

async fn types(store: &EventStore) -> BTreeSet<String> {
    let events = store.read_all(Position::START, 16_384).await.unwrap();
    events
        .iter()
        .map(|event| event.event_type.to_string())
        .collect()
}

#[tokio::test]
async fn a_rebuild_swaps_in_while_live_projection_and_reads_go_on() {
    let (_test, database) = start().await;
    let mut desk = Desk::new(20);
    let head = desk.many_things(400).await;
    let projecting = Projecting::start(&desk.store, &database);
    reach(&database, head).await;

    let (store, other) = (desk.store.clone(), database.clone());
    let rebuilding = tokio::spawn(async move {
        for _ in 0..3 {
            let report = rebuild(&store, &other, SWAP, |_| {}).await.unwrap();
            assert!(report.swapped && report.equal(), "{report:?}");
        }
    });
    let pool = database.pool(4);
    let mut seen = Position::START;
    while !rebuilding.is_finished() {
        desk.something().await;
        let answer = orders(&pool, &OrderFilter::default())
            .await
            .expect("reads never stop");
        assert!(
            answer.position >= seen,
            "a read went back from {seen} to {}",
            answer.position
        );
        assert!(!answer.value.is_empty(), "a read fell into the gap");
        seen = answer.position;
    }
    rebuilding.await.unwrap();
    let head = desk.store.head().await.unwrap();
    reach(&database, head).await;
    projecting.stop().await;
    let last = rebuild(&desk.store, &database, COMPARE, |_| {})
        .await
        .unwrap();
    assert!(last.equal(), "{last:?}");
    assert_eq!(checkpoint(&pool).await.unwrap(), head);
}

#[tokio::test]
async fn empty_read_models_are_rebuilt_to_the_end_of_the_log() {
    let (_test, database) = start().await;
    let mut desk = Desk::new(21);
    let head = desk.many_things(200).await;
    let mut stages = vec![];
    let report = rebuild(&desk.store, &database, SWAP, |progress| {
        stages.push(progress.stage)
    })
    .await
    .unwrap();
    assert_eq!(
        (report.comparison.is_none(), report.swapped, report.position),
        (true, true, head)
    );
    stages.dedup();
    use Stage::*;
    assert_eq!(
        stages,
        [Folding, Copying, Indexing, CatchingUp, Comparing, Swapping]
    );
    assert_eq!(checkpoint(&database.pool(1)).await.unwrap(), head);
    // The live runner goes on from there, on the swapped-in tables with all their keys.
    let projecting = Projecting::start(&desk.store, &database);
    let head = desk.many_things(100).await;
    reach(&database, head).await;
    projecting.stop().await;
    assert!(
        rebuild(&desk.store, &database, COMPARE, |_| {})
            .await
            .unwrap()
            .equal()
    );
}

/// An order that is told of a second time, far behind the first, is written in both segments, and its row stays where the order began.
#[tokio::test]
async fn a_row_that_several_segments_wrote_is_kept_once() {
    let (_test, database) = start().await;
    let mut desk = Desk::new(23);
    let key = key(1, "RELIANCE");
    let observed = |units| {
        Event::Position(PositionEvent::ExternalOrderObserved(
            ExternalOrderObserved {
                order_id: OrderId::of_external(&key, &"1100".parse().unwrap()),
                cl_ord_id: "EXT1".parse().unwrap(),
                exchange_order_id: "1100".parse().unwrap(),
                key: key.clone(),
                side: Side::Sell,
                quantity: Quantity::new(units).unwrap(),
                cumulative: Quantity::ZERO,
                price: Price(1_000_000),
                source: "sample".into(),
            },
        ))
    };
    let first = desk.append(&key.stream(), 0, vec![observed(10)]).await;
    desk.bod(&self::key(2, "TCS"), 100).await.unwrap();
    let last = desk.append(&key.stream(), 1, vec![observed(20)]).await;
    let each_alone = RebuildOptions {
        segment_events: 1,
        ..SWAP
    };
    let report = rebuild(&desk.store, &database, each_alone, |_| {}).await;
    assert!(report.unwrap().swapped);
    let rows = orders(&database.pool(1), &OrderFilter::default()).await;
    let rows = rows.unwrap().value;
    let [row] = rows.as_slice() else {
        panic!("{rows:?}")
    };
    let at = |position: Position| i64::try_from(position.as_u64()).unwrap();
    assert_eq!(
        (row.placed_position, row.updated_position, row.quantity),
        (at(first), at(last), 20)
    );
}

#[tokio::test]
async fn a_row_that_differs_is_named_and_nothing_is_swapped_unless_told_to() {
    let (_test, database) = start().await;
    let mut desk = Desk::new(22);
    let head = desk.many_things(200).await;
    let projecting = Projecting::start(&desk.store, &database);
    reach(&database, head).await;
    projecting.stop().await;
    let pool = database.pool(1);
    pool.execute("UPDATE trades SET quantity = quantity + 1 WHERE position = (SELECT max(position) FROM trades)").await.unwrap();

    let report = rebuild(&desk.store, &database, SWAP, |_| {}).await.unwrap();
    assert!(!report.equal() && !report.swapped, "{report:?}");
    let differences = report.comparison.unwrap().differences;
    let [difference] = differences.as_slice() else {
        panic!("{differences:?}")
    };
    assert_eq!(
        (
            difference.table.as_str(),
            difference.only_live.len(),
            difference.only_next.len()
        ),
        ("trades", 1, 1)
    );

    let always = RebuildOptions::new(SwapWhen::Always);
    assert!(
        rebuild(&desk.store, &database, always, |_| {})
            .await
            .unwrap()
            .swapped
    );
    assert!(
        rebuild(&desk.store, &database, COMPARE, |_| {})
            .await
            .unwrap()
            .equal()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_rebuild_at_the_same_time_is_refused() {
    let (_test, database) = start().await;
    let mut desk = Desk::new(23);
    desk.many_things(100).await;
    // Parked at its first word: it is under way until this test says otherwise.
    let (told, telling) = std::sync::mpsc::channel();
    let (go_on, waiting) = std::sync::mpsc::channel::<()>();
    let (store, other) = (desk.store.clone(), database.clone());
    let first = tokio::spawn(async move {
        rebuild(&store, &other, COMPARE, move |_| {
            let _ = told.send(());
            let _ = waiting.recv();
        })
        .await
    });
    tokio::task::spawn_blocking(move || telling.recv().unwrap())
        .await
        .unwrap();
    let second = rebuild(&desk.store, &database, COMPARE, |_| {}).await;
    assert!(matches!(second, Err(RebuildError::Busy)), "{second:?}");
    drop(go_on);
    first.await.unwrap().unwrap();
}
