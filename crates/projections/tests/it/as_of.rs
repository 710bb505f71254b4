//! Copies for an auditor: the read models as they were at a moment of the log.

use crate::story::{Desk, Projecting, key, reach, start};
use sqlx::Executor;
use squareoff_domain::Timestamp;
use squareoff_projections::{
    AsOf, Moment, RebuildError, RebuildOptions, SwapWhen, checkpoint, drop_as_of, list_as_of,
    rebuild, rebuild_as_of,
};
use squareoff_store::Position;

const COMPARE: RebuildOptions = RebuildOptions::new(SwapWhen::Never);

fn as_of(moment: Moment, schema: &str) -> AsOf {
    AsOf {
        moment,
        schema: schema.parse().unwrap(),
        replace: false,
    }
}

#[tokio::test]
async fn a_copy_is_what_live_was_at_that_position_and_at_that_time() {
    let (_test, database) = start().await;
    let mut desk = Desk::new(40);
    let mut moments = vec![];
    for _ in 0..3 {
        let head = desk.many_things(150).await;
        let projecting = Projecting::start(&desk.store, &database);
        reach(&database, head).await;
        projecting.stop().await;
        let report = rebuild(&desk.store, &database, COMPARE, |_| {})
            .await
            .unwrap();
        let before = Position::from_u64(head.as_u64() - 1);
        let last = desk.store.read_all(before, 1).await.unwrap();
        let recorded_at = last[0].recorded_at;
        moments.push((head, recorded_at, report.comparison.unwrap().hash_live));
    }
    // Asked for when the log has long gone on.
    for (number, (head, recorded_at, hash)) in moments.iter().enumerate() {
        for (by, moment) in [
            ("position", Moment::Position(*head)),
            ("time", Moment::Time(*recorded_at)),
        ] {
            let wanted = as_of(moment, &format!("audit_{by}_{number}"));
            let report = rebuild_as_of(&desk.store, &database, &wanted, |_| {})
                .await
                .unwrap();
            assert_eq!(
                (report.position, report.recorded_at, &report.hash),
                (*head, Some(*recorded_at), hash),
                "{wanted:?}"
            );
            // Indexes and keys are there too: whoever queries it meets the same tables.
            let pool = database.pool(1);
            let indexes = "SELECT count(*) FROM pg_indexes WHERE schemaname = ";
            let count = |schema: &str| {
                sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(format!("{indexes}'{schema}'")))
            };
            assert_eq!(
                count(wanted.schema.as_str())
                    .fetch_one(&pool)
                    .await
                    .unwrap(),
                count("read_live").fetch_one(&pool).await.unwrap()
            );
        }
    }
    // Live is where it was, and nothing of a rebuild is left beside it.
    let (head, ..) = moments[2];
    assert_eq!(checkpoint(&database.pool(1)).await.unwrap(), head);
    assert!(
        rebuild(&desk.store, &database, COMPARE, |_| {})
            .await
            .unwrap()
            .equal()
    );
}

#[tokio::test]
async fn before_the_first_event_and_after_the_last_are_moments_too() {
    let (_test, database) = start().await;
    let mut desk = Desk::new(41);
    let head = desk.many_things(50).await;
    for (schema, moment, position) in [
        ("never", Moment::Time(Timestamp(0)), Position::START),
        (
            "nothing",
            Moment::Position(Position::START),
            Position::START,
        ),
        ("everything", Moment::Time(Timestamp(i64::MAX)), head),
    ] {
        let report = rebuild_as_of(&desk.store, &database, &as_of(moment, schema), |_| {})
            .await
            .unwrap();
        assert_eq!(report.position, position, "{schema}");
        assert_eq!(report.recorded_at.is_none(), position == Position::START);
    }
    let beyond = as_of(
        Moment::Position(Position::from_u64(head.as_u64() + 1)),
        "beyond",
    );
    let error = rebuild_as_of(&desk.store, &database, &beyond, |_| {})
        .await
        .unwrap_err();
    assert!(
        matches!(error, RebuildError::BehindTheEnd { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_there_is_replaced_only_when_told_to_and_what_is_not_ours_never() {
    let (_test, database) = start().await;
    let mut desk = Desk::new(42);
    let head = desk.many_things(60).await;
    let mut wanted = as_of(Moment::Position(head), "audit");
    let made = rebuild_as_of(&desk.store, &database, &wanted, |_| {})
        .await
        .unwrap();
    let again = rebuild_as_of(&desk.store, &database, &wanted, |_| {}).await;
    assert!(
        matches!(again, Err(RebuildError::SchemaTaken(_))),
        "{again:?}"
    );
    wanted.replace = true;
    let again = rebuild_as_of(&desk.store, &database, &wanted, |_| {})
        .await
        .unwrap();
    assert_eq!(
        (again.hash, again.gone_on_from),
        (made.hash, Position::START)
    );

    let pool = database.pool(1);
    pool.execute("CREATE SCHEMA payroll").await.unwrap();
    wanted.schema = "payroll".parse().unwrap();
    let foreign = rebuild_as_of(&desk.store, &database, &wanted, |_| {}).await;
    assert!(
        matches!(foreign, Err(RebuildError::SchemaForeign(_))),
        "{foreign:?}"
    );
    let foreign = drop_as_of(&desk.store, &database, &wanted.schema).await;
    assert!(
        matches!(foreign, Err(RebuildError::SchemaForeign(_))),
        "{foreign:?}"
    );

    let listed = list_as_of(&database).await.unwrap();
    let listed: Vec<_> = listed
        .iter()
        .map(|copy| (copy.schema.as_str(), copy.position, copy.whole))
        .collect();
    assert_eq!(listed, [("audit", head, true)]);
    let audit = "audit".parse().unwrap();
    assert!(drop_as_of(&desk.store, &database, &audit).await.unwrap());
    assert!(!drop_as_of(&desk.store, &database, &audit).await.unwrap());
    assert!(list_as_of(&database).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_event_of_a_newer_release_stops_every_reader_with_its_type_and_place() {
    let (_test, database) = start().await;
    let mut desk = Desk::new(43);
    let before = desk.bod(&key(1, "RELIANCE"), 10).await.unwrap();
    let newer = desk.newer_event().await;
    let sentence = format!("the log holds BodLoaded v9 at position {newer}; this release knows v");
    let stops = |text: String| assert!(text.contains(&sentence), "{text}");

    stops(
        Projecting::start(&desk.store, &database)
            .gives_up()
            .await
            .to_string(),
    );
    let rebuilt = rebuild(&desk.store, &database, COMPARE, |_| {}).await;
    stops(rebuilt.unwrap_err().to_string());
    let wanted = as_of(Moment::Position(newer), "audit");
    let copied = rebuild_as_of(&desk.store, &database, &wanted, |_| {}).await;
    stops(copied.unwrap_err().to_string());
    // Up to the event before it there is nothing in the way.
    let wanted = as_of(Moment::Position(before), "before");
    let copied = rebuild_as_of(&desk.store, &database, &wanted, |_| {}).await;
    assert_eq!(copied.unwrap().position, before);
}
