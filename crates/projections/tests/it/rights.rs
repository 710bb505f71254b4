//! The parts' roles: each may do in the read database what its part needs, and nothing else.

use crate::story::{Desk, Projecting, reach, start};
use sqlx::{AssertSqlSafe, Executor, PgConnection, PgPool};
use squareoff_projections::audit::{AuditFilter, audit};
use squareoff_projections::bulks::{BulkListFilter, bulks};
use squareoff_projections::contracts::{ContractFilter, contracts};
use squareoff_projections::incidents::{IncidentFilter, incidents};
use squareoff_projections::orders::{OrderFilter, orders};
use squareoff_projections::platform::platform;
use squareoff_projections::positions::{PositionFilter, positions};
use squareoff_projections::suspense::{SuspenseFilter, suspense};
use squareoff_projections::trades::{TradeFilter, trades};
use squareoff_projections::{
    Database, DatabaseError, Part, RebuildError, RebuildOptions, RunError, SwapWhen, Watcher,
    checkpoint, rebuild,
};
use squareoff_store::Position;
use std::time::Duration;

const SWAP: RebuildOptions = RebuildOptions::new(SwapWhen::Equal);
/// What only a rebuild and the migrations keep for themselves.
const BOOKKEEPING: [&str; 3] = ["_sqlx_migrations", "rebuild", "rebuild_steps"];

/// Each live table with one of its columns.
async fn tables(owner: &PgPool) -> Vec<(String, String)> {
    let tables: Vec<(String, String)> = sqlx::query_as(
        "SELECT relname::text, quote_ident(attname)
         FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum = 1
         WHERE relnamespace = 'read_live'::regnamespace AND relkind = 'r'
         ORDER BY relname",
    )
    .fetch_all(owner)
    .await
    .unwrap();
    assert!(
        tables.len() > 15,
        "every read model, and the bookkeeping: {tables:?}"
    );
    tables
}

/// Whether Postgres lets it through; what fails for another reason than a missing right is let through.
async fn may(connection: &mut PgConnection, statement: &str) -> bool {
    // Nothing stays of what is let through.
    connection.execute("BEGIN").await.unwrap();
    let done = connection
        .execute(AssertSqlSafe(statement.to_owned()))
        .await;
    connection.execute("ROLLBACK").await.unwrap();
    let refused = |error: sqlx::Error| {
        let error = error.into_database_error();
        error.is_some_and(|error| error.code().as_deref() == Some("42501"))
    };
    !done.is_err_and(refused)
}

/// What a role may do to each table, as `table: right right`; and what it may of everything else.
async fn assert_rights(owner: &PgPool, database: &Database, part: Part) {
    let pool = database.of_part(part).pool(1);
    let mut connection = pool.acquire().await.unwrap();
    for (table, column) in tables(owner).await {
        let is_row = !BOOKKEEPING.contains(&table.as_str());
        let writes = is_row && part == Part::Projections;
        let reads = is_row || (part == Part::Projections && table == "_sqlx_migrations");
        for (statement, allowed) in [
            (format!("SELECT {column} FROM {table}"), reads),
            (format!("INSERT INTO {table} DEFAULT VALUES"), writes),
            (format!("UPDATE {table} SET {column} = {column}"), writes),
            (format!("DELETE FROM {table}"), writes),
            (format!("TRUNCATE {table} CASCADE"), false),
            (format!("DROP TABLE {table} CASCADE"), false),
            (format!("ALTER TABLE {table} ADD COLUMN more int"), false),
            (
                format!("ALTER TABLE {table} OWNER TO {}", part.role()),
                false,
            ),
            (format!("CREATE INDEX ON {table} ({column})"), false),
            (
                format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"),
                writes,
            ),
            (
                format!(
                    "CREATE TRIGGER t BEFORE INSERT ON {table} EXECUTE FUNCTION suppress_redundant_updates_trigger()"
                ),
                false,
            ),
        ] {
            let found = may(&mut connection, &statement).await;
            assert_eq!(found, allowed, "{part:?}: {statement}");
        }
    }
    for statement in [
        "CREATE TABLE read_live.mine (n int)",
        "CREATE TABLE public.mine (n int)",
        "CREATE TEMPORARY TABLE positions (n int)",
        "CREATE SCHEMA mine",
        "ALTER SCHEMA read_live RENAME TO mine",
        "DROP SCHEMA read_live CASCADE",
        "CREATE ROLE mine",
        "SET ROLE squareoff",
        "COPY read_live.checkpoint TO '/tmp/squareoff-rights'",
    ] {
        let found = may(&mut connection, statement).await;
        assert!(!found, "{part:?}: {statement}");
    }
}

#[tokio::test]
async fn each_part_may_do_to_each_table_what_it_needs_before_and_after_a_rebuild() {
    let (test, owner) = start().await;
    let admin = owner.pool(1);
    let mut desk = Desk::new(60);
    let head = desk.many_things(50).await;
    for _ in 0..2 {
        for part in [Part::Api, Part::Projections] {
            assert_rights(&admin, &owner, part).await;
        }
        let projecting = Projecting::start(&desk.store, &owner.of_part(Part::Projections));
        reach(&owner, head).await;
        projecting.stop().await;
        let report = rebuild(&desk.store, &owner, SWAP, |_| {}).await.unwrap();
        assert!(report.swapped, "{report:?}");
    }
    drop(test);
}

/// Each query once; the least position that an answer reflects.
async fn ask_everything(pool: &PgPool) -> Position {
    let of_today = ContractFilter {
        trading_date: time::macros::date!(2026 - 11 - 20),
        venue: None,
        segment: None,
        expiry: None,
        after: None,
        limit: None,
    };
    let answers = [
        positions(pool, &PositionFilter::default())
            .await
            .map(|answer| answer.position),
        orders(pool, &OrderFilter::default())
            .await
            .map(|answer| answer.position),
        trades(pool, &TradeFilter::default())
            .await
            .map(|answer| answer.position),
        contracts(pool, &of_today)
            .await
            .map(|answer| answer.position),
        bulks(pool, &BulkListFilter::default())
            .await
            .map(|answer| answer.position),
        incidents(pool, &IncidentFilter::default())
            .await
            .map(|answer| answer.position),
        suspense(pool, &SuspenseFilter::default())
            .await
            .map(|answer| answer.position),
        audit(pool, &AuditFilter::default())
            .await
            .map(|answer| answer.position),
        platform(pool).await.map(|answer| answer.position),
        checkpoint(pool).await,
    ];
    let positions = answers.map(|answer| answer.expect("the role may read, and reads never stop"));
    positions.into_iter().min().unwrap()
}

#[tokio::test]
async fn the_parts_go_on_in_their_roles_while_rebuilds_are_swapped_in() {
    let (_test, owner) = start().await;
    let mut desk = Desk::new(61);
    let head = desk.many_things(300).await;
    let projecting = Projecting::start(&desk.store, &owner.of_part(Part::Projections));
    reach(&owner, head).await;
    let pool = owner.of_part(Part::Api).pool(4);
    let watcher = Watcher::start(pool.clone());
    let (store, other) = (desk.store.clone(), owner.clone());
    let rebuilding = tokio::spawn(async move {
        for _ in 0..3 {
            let report = rebuild(&store, &other, SWAP, |_| {}).await.unwrap();
            assert!(report.swapped && report.equal(), "{report:?}");
        }
    });
    while !rebuilding.is_finished() {
        desk.something().await;
        assert!(ask_everything(&pool).await >= head);
    }
    rebuilding.await.unwrap();
    let head = desk.store.head().await.unwrap();
    watcher
        .wait_for(head, Duration::from_secs(120))
        .await
        .unwrap();
    assert_eq!(ask_everything(&pool).await, head);
    projecting.stop().await;
}

#[tokio::test]
async fn what_was_granted_beyond_a_parts_need_is_taken_back() {
    let (_test, owner) = start().await;
    let admin = owner.pool(1);
    for statement in [
        "GRANT ALL ON ALL TABLES IN SCHEMA read_live TO squareoff_api, squareoff_projections",
        "GRANT CREATE ON SCHEMA read_live TO squareoff_api",
        "REVOKE SELECT ON read_live.positions FROM squareoff_api",
    ] {
        admin.execute(statement).await.unwrap();
    }
    // Both once more: nothing fails on what is there.
    for _ in 0..2 {
        owner.make_roles().await.unwrap();
        owner.migrate().await.unwrap();
    }
    for part in [Part::Api, Part::Projections] {
        assert_rights(&admin, &owner, part).await;
    }
    admin
        .execute("ALTER ROLE squareoff_api CREATEDB")
        .await
        .unwrap();
    let error = owner.make_roles().await.unwrap_err();
    assert!(error.to_string().contains("squareoff_api"), "{error}");
}

#[tokio::test]
async fn who_may_not_lay_out_the_tables_says_who_has_to() {
    let (_test, owner) = start().await;
    let projections = owner.of_part(Part::Projections);
    projections.migrate().await.unwrap();
    let admin = owner.pool(1);
    let desk = Desk::new(62);
    for (damage, mend) in [
        (
            "DELETE FROM read_live._sqlx_migrations WHERE version = 3",
            None,
        ),
        ("DROP SCHEMA read_live CASCADE", Some(())),
    ] {
        admin.execute(damage).await.unwrap();
        let error = projections.migrate().await.unwrap_err();
        assert!(matches!(error, DatabaseError::NotPrepared), "{error}");
        let error = Projecting::start(&desk.store, &projections)
            .gives_up()
            .await;
        assert!(matches!(
            error,
            RunError::Database(DatabaseError::NotPrepared)
        ));
        let rebuilt = rebuild(&desk.store, &projections, SWAP, |_| {}).await;
        assert!(matches!(
            rebuilt,
            Err(RebuildError::Database(DatabaseError::NotPrepared))
        ));
        if mend.is_some() {
            owner.migrate().await.unwrap();
            projections.migrate().await.unwrap();
        }
    }
}

/// As a database administrator sets it up: the owner is no superuser.
#[tokio::test]
async fn an_owner_who_is_no_superuser_does_for_migrations_and_rebuilds() {
    let (test, admin) = start().await;
    let pool = admin.pool(1);
    for statement in [
        "CREATE ROLE desk_owner LOGIN",
        "CREATE DATABASE of_desk OWNER desk_owner",
    ] {
        pool.execute(statement).await.unwrap();
    }
    let options = test.cluster.connect_options("of_desk");
    Database::new(options.clone()).make_roles().await.unwrap();
    let owner = Database::new(options.username("desk_owner"));
    owner.migrate().await.unwrap();
    let mut desk = Desk::new(63);
    let head = desk.many_things(50).await;
    let projecting = Projecting::start(&desk.store, &owner.of_part(Part::Projections));
    reach(&owner, head).await;
    let report = rebuild(&desk.store, &owner, SWAP, |_| {}).await.unwrap();
    assert!(report.swapped, "{report:?}");
    projecting.stop().await;
    for part in [Part::Api, Part::Projections] {
        assert_rights(&owner.pool(1), &owner, part).await;
    }
    assert_eq!(
        ask_everything(&owner.of_part(Part::Api).pool(1)).await,
        head
    );
}
