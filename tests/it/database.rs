//! The read database of the real processes: who asks it in which role.

use crate::commands::{refused, said, squareoff};
use crate::up::Up;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor};
use squareoff::demo::free_port;
use squareoff_projections::testing::TestDatabase;
use std::fs;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(50);

/// The roles that have sessions in the database, but for the one that asks.
async fn roles(connection: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT DISTINCT usename::text FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY 1",
    )
    .fetch_all(connection)
    .await
    .unwrap()
}

#[tokio::test]
async fn up_starts_the_api_and_the_projections_in_their_own_roles() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_port().unwrap();
    let settings = [
        ("SQUAREOFF_SAMPLE_POSITIONS", "40"),
        ("SQUAREOFF_SAMPLE_CLIENTS", "10"),
        ("SQUAREOFF_SAMPLE_ORDERS", "0"),
    ];
    let up = Up::start(folder.path(), &address, &settings);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let ready = format!("http://{address}/readyz");
    let begun = Instant::now();
    while !http
        .get(&ready)
        .send()
        .await
        .is_ok_and(|answer| answer.status() == 200)
    {
        let output = || fs::read_to_string(folder.path().join("up.out")).unwrap();
        assert!(begun.elapsed() < PATIENCE, "{}", output());
        tokio::time::sleep(POLL).await;
    }
    let url = fs::read_to_string(folder.path().join("run/database_url")).unwrap();
    let owner: PgConnectOptions = url.parse().unwrap();
    let mut connection = owner.connect().await.unwrap();
    // What laid the tables out has left, or is about to.
    let expected = ["squareoff_api", "squareoff_projections"];
    let begun = Instant::now();
    loop {
        let roles = roles(&mut connection).await;
        if roles == expected {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{roles:?}");
        tokio::time::sleep(POLL).await;
    }
    connection.close().await.unwrap();
    let mut api = owner.username("squareoff_api").connect().await.unwrap();
    let error = api
        .execute("DELETE FROM read_live.positions")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("permission denied"), "{error}");
    // Ready is not at the log's end yet.
    let begun = Instant::now();
    loop {
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM read_live.positions")
            .fetch_one(&mut api)
            .await
            .unwrap();
        if rows == 40 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{rows}");
        tokio::time::sleep(POLL).await;
    }
    api.close().await.unwrap();
    up.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_command_prepares_a_database_of_ones_own_and_prints_no_password() {
    let test = TestDatabase::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("{}&password=hunter2hunter2", test.url());
    let run = |url: &str, arguments: &[&str]| {
        squareoff(folder.path(), arguments, &[("DATABASE_URL", url)])
    };
    for _ in 0..2 {
        let told = said(&run(&url, &["database", "prepare", "--roles"]));
        assert!(told.contains("squareoff_api"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    said(&run(&url, &["database", "prepare"]));
    // A part may look whether all is there; it can't lay anything out.
    let of_api = test
        .url()
        .replace("user=squareoff", "user=squareoff_projections");
    said(&run(&of_api, &["database", "prepare"]));
    let mut owner = PgConnection::connect(&test.url()).await.unwrap();
    owner
        .execute("DROP SCHEMA read_live CASCADE")
        .await
        .unwrap();
    let sentence = refused(&run(&of_api, &["database", "prepare"]));
    assert!(sentence.contains("as their owner"), "{sentence}");
}
