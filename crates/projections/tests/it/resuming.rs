//! A rebuild that is killed, by `kill -9` at each of its stages and at any moment, and what the next one does.
//!
//! The rebuild runs in a process of its own: this test binary starts itself again, and the child parks where it is told to.

use crate::story::{Desk, PATIENCE, Projecting, reach, start};
use sqlx::{Connection, Executor, PgConnection};
use squareoff_projections::{
    AsOf, Database, Moment, Progress, RebuildOptions, SwapWhen, checkpoint, list_as_of, rebuild,
    rebuild_as_of,
};
use squareoff_store::{EventStore, Position};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const URL: &str = "SQUAREOFF_TEST_REBUILD_URL";
const LOG: &str = "SQUAREOFF_TEST_REBUILD_LOG";
/// `<stage> <done> <kept>`: where the child parks.
const PARK: &str = "SQUAREOFF_TEST_REBUILD_PARK";
/// Schema of a copy as of the log's end, instead of a rebuild.
const SCHEMA: &str = "SQUAREOFF_TEST_REBUILD_SCHEMA";
/// Events of a segment: many segments of a short log.
const SEGMENT: usize = 40;

const SWAP: RebuildOptions = RebuildOptions {
    swap: SwapWhen::Equal,
    segment_events: SEGMENT,
};

/// The child's side. Run as a test of its own it has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_rebuilds_until_it_is_told_to_park() {
    let Ok(url) = std::env::var(URL) else { return };
    let store = EventStore::open(Path::new(&std::env::var(LOG).unwrap())).unwrap();
    let database = Database::from_url(&url).unwrap();
    let park = std::env::var(PARK).unwrap_or_default();
    let park: Vec<_> = park.split(' ').map(str::to_owned).collect();
    let tell = move |now: Progress| {
        let Progress {
            stage,
            done,
            total,
            kept,
        } = now;
        println!("\nat {} {done} {total} {kept}", stage.as_str());
        if let [at, least_done, least_kept] = park.as_slice()
            && at == stage.as_str()
            && done >= least_done.parse().unwrap()
            && kept >= least_kept.parse().unwrap()
        {
            println!("\nparked");
            loop {
                std::thread::park();
            }
        }
    };
    match std::env::var(SCHEMA) {
        Ok(schema) => {
            let head = store.head().await.unwrap();
            let as_of = AsOf {
                moment: Moment::Position(head),
                schema: schema.parse().unwrap(),
                replace: false,
            };
            rebuild_as_of(&store, &database, &as_of, tell)
                .await
                .unwrap();
        }
        Err(_) => {
            let report = rebuild(&store, &database, SWAP, tell).await.unwrap();
            assert!(report.equal() && report.swapped, "{report:?}");
        }
    }
}

fn child(url: &str, desk: &Desk, park: &str, schema: Option<&str>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "--nocapture"])
        .arg("resuming::a_child_rebuilds_until_it_is_told_to_park")
        .env(URL, url)
        .env(LOG, desk.path())
        .env(PARK, park)
        .stdout(Stdio::piped());
    if let Some(schema) = schema {
        command.env(SCHEMA, schema);
    }
    command.spawn().unwrap()
}

/// What it told until it parked, as stage, done, total and kept; then it is killed.
fn kill_where_it_parks(mut child: Child) -> Vec<(String, u64, u64, u64)> {
    let mut told = vec![];
    let mut parked = false;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if line == "parked" {
            parked = true;
            break;
        }
        let words: Vec<_> = line.split(' ').collect();
        if let ["at", stage, done, total, kept] = words.as_slice() {
            let number = |text: &str| text.parse().unwrap();
            told.push((
                (*stage).to_owned(),
                number(done),
                number(total),
                number(kept),
            ));
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(parked, "it never came there: {told:?}");
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_killed_at_each_of_its_stages_goes_on_with_what_is_kept() {
    let (test, database) = start().await;
    let mut desk = Desk::new(30);
    let head = desk.many_things(900).await;
    assert!(head.as_u64() > 600);
    let projecting = Projecting::start(&desk.store, &database);
    reach(&database, head).await;
    projecting.stop().await;
    let pool = database.pool(1);

    let (mut kept, mut steps) = (0, None);
    for park in [
        "fold 0 0",
        "fold 0 100",
        "fold 0 300",
        "copy 0 0",
        "index 0 0",
        "index 4 0",
        "index 5 0",
        "catch-up 0 0",
        "compare 0 0",
        "swap 0 0",
    ] {
        let url = test.url();
        let child = child(&url, &desk, park, None);
        let told = tokio::task::spawn_blocking(|| kill_where_it_parks(child))
            .await
            .unwrap();
        assert!(
            told[0].3 >= kept,
            "{park}: {kept} was kept, but the next began at {told:?}"
        );
        kept = told.iter().map(|told| told.3).max().unwrap();
        let indexing: Vec<_> = told.iter().filter(|told| told.0 == "index").collect();
        if let Some((_, _, total, _)) = indexing.first() {
            // The other connection may have crossed off its step too.
            let left = steps.map_or(*total..=*total, |steps: u64| {
                steps.saturating_sub(1)..=steps
            });
            assert!(left.contains(total), "{park}: {told:?}");
            steps = Some(total - indexing.last().unwrap().1);
        }
        assert_eq!(checkpoint(&pool).await.unwrap(), head, "live stays: {park}");
    }
    // Written on while nothing was rebuilding: the last one has all its work behind it but this.
    let later = desk.many_things(50).await;
    let projecting = Projecting::start(&desk.store, &database);
    reach(&database, later).await;
    let report = rebuild(&desk.store, &database, SWAP, |_| {}).await.unwrap();
    assert!(report.equal() && report.swapped, "{report:?}");
    assert_eq!((report.gone_on_from, report.events), (head, 0));
    assert_eq!(report.comparison.unwrap().position, later);

    let last = desk.many_things(50).await;
    reach(&database, last).await;
    projecting.stop().await;
    let compare = RebuildOptions::new(SwapWhen::Never);
    let report = rebuild(&desk.store, &database, compare, |_| {})
        .await
        .unwrap();
    assert!(
        report.equal() && report.gone_on_from == Position::START,
        "{report:?}"
    );
}

/// Audit trail and trades are committed before the other tables and the checkpoint.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_the_two_commits_of_a_segment_no_row_is_there_twice() {
    let (test, database) = start().await;
    let mut desk = Desk::new(34);
    let head = desk.many_things(600).await;
    let projecting = Projecting::start(&desk.store, &database);
    reach(&database, head).await;
    projecting.stop().await;
    let child = child(&test.url(), &desk, "fold 0 120", None);
    tokio::task::spawn_blocking(|| kill_where_it_parks(child))
        .await
        .unwrap();
    // What a segment of any size would have left.
    let mut connection = PgConnection::connect(&test.url()).await.unwrap();
    for ahead in [
        "INSERT INTO read_next.audit SELECT * FROM read_live.audit
         WHERE position > (SELECT position FROM read_next.checkpoint)",
        "INSERT INTO read_next.trades SELECT * FROM read_live.trades
         WHERE updated_position > (SELECT position FROM read_next.checkpoint)",
    ] {
        let rows = connection.execute(ahead).await.unwrap().rows_affected();
        assert!(rows > 20, "{rows} of {ahead}");
    }
    let report = rebuild(&desk.store, &database, SWAP, |_| {}).await.unwrap();
    assert!(report.equal() && report.swapped, "{report:?}");
    assert!(report.gone_on_from >= Position::from_u64(120), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_while_live_projection_goes_on_it_ends_equal() {
    let (test, database) = start().await;
    let mut desk = Desk::new(31);
    let head = desk.many_things(600).await;
    let projecting = Projecting::start(&desk.store, &database);
    reach(&database, head).await;
    for round in 0..12 {
        let mut child = child(&test.url(), &desk, "", None);
        child.stdout.take();
        // Wherever it happens to be by then.
        tokio::time::sleep(Duration::from_millis(10 + 15 * round)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        desk.many_things(20).await;
    }
    let head = desk.store.head().await.unwrap();
    reach(&database, head).await;
    let report = rebuild(&desk.store, &database, SWAP, |_| {}).await.unwrap();
    assert!(report.equal() && report.swapped, "{report:?}");
    assert!(report.comparison.is_some());
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_the_middle_leaves_something_to_go_on_with() {
    let (mut test, database) = start().await;
    let mut desk = Desk::new(32);
    let head = desk.many_things(900).await;
    let projecting = Projecting::start(&desk.store, &database);
    reach(&database, head).await;
    projecting.stop().await;
    let server =
        rustix::process::Pid::from_raw(i32::try_from(test.cluster.pid().unwrap()).unwrap())
            .unwrap();
    let killed = rebuild(&desk.store, &database, SWAP, |now| {
        if now.kept.as_u64() >= 200 {
            let _ = rustix::process::kill_process(server, rustix::process::Signal::KILL);
        }
    });
    let error = killed.await.unwrap_err();
    test.cluster.wait_exit().await;
    test.cluster.restart().await.unwrap();
    let report = rebuild(&desk.store, &database, SWAP, |_| {}).await.unwrap();
    assert!(
        report.equal() && report.swapped,
        "after {error}: {report:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_was_killed_is_listed_as_unfinished_and_gone_on_with() {
    let (test, database) = start().await;
    let mut desk = Desk::new(33);
    let head = desk.many_things(300).await;
    let child = child(&test.url(), &desk, "index 3 0", Some("audit"));
    tokio::task::spawn_blocking(|| kill_where_it_parks(child))
        .await
        .unwrap();
    let copies = list_as_of(&database).await.unwrap();
    assert_eq!((copies.len(), copies[0].whole), (1, false));
    let as_of = AsOf {
        moment: Moment::Position(head),
        schema: "audit".parse().unwrap(),
        replace: false,
    };
    let going_on = rebuild_as_of(&desk.store, &database, &as_of, |_| {});
    let report = tokio::time::timeout(PATIENCE, going_on)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((report.gone_on_from, report.events), (head, 0));
    assert!(list_as_of(&database).await.unwrap()[0].whole);
}
