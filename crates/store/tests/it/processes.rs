//! Several processes on one log: this test binary starts itself again as a child, which does as the environment says.

use crate::log::{Log, any_event, assert_in_order, whole_log, whole_stream};
use squareoff_store::{AppendError, Delivery, EventStore, Position, StoredEvent};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What the child does, and in which folder.
const ROLE: &str = "STORE_TEST_ROLE";
const FOLDER: &str = "STORE_TEST_FOLDER";
const CHILD: [&str; 3] = [
    "--exact",
    "processes::a_child_appends_as_it_is_told",
    "--nocapture",
];
const GUARD: Duration = Duration::from_secs(120);
const STREAMS: usize = 4;
const EACH: usize = 150;
/// Events of each append of the child that gets killed.
const BATCH: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_append_to_the_same_streams_and_see_each_other() {
    let log = Log::embedded();
    let store = log.store();
    let mut child = child("contend", log.folder.path());
    let mut subscription = store.subscribe(Position::START);
    let seeing = tokio::spawn(async move { see(&mut subscription, 2 * STREAMS * EACH).await });
    contend(&store).await;
    let seen = tokio::time::timeout(GUARD, seeing)
        .await
        .expect("it hangs")
        .unwrap();
    assert_in_order(&seen);
    assert_eq!(seen, whole_log(&store).await);
    let lines = lines(&mut child);
    assert!(child.wait().unwrap().success(), "{lines:?}");
    // The child's subscription saw the same events in the same order.
    let of_child: Vec<_> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("saw "))
        .map(str::to_owned)
        .collect();
    assert_eq!(
        of_child,
        seen.iter()
            .map(|event| event.id.to_string())
            .collect::<Vec<_>>()
    );
    for number in 0..STREAMS {
        assert_eq!(
            whole_stream(&store, &format!("s{number}")).await.len(),
            2 * EACH
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_process_was_answered_is_there_and_nothing_by_half() {
    let log = Log::embedded();
    let mut acknowledged = BTreeSet::new();
    for round in 0..3 {
        let mut child = child("append", log.folder.path());
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut this_round = 0;
        while this_round < 100 + round * 50 {
            let line = output.next().expect("the child ended by itself").unwrap();
            if let Some(answer) = line.strip_prefix("appended ") {
                acknowledged.insert(answer.to_owned());
                this_round += 1;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // Answers that were on their way when it died count too; the very last line may be cut.
        let rest: Vec<_> = output
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("appended ").map(str::to_owned))
            .collect();
        acknowledged.extend(rest.into_iter().filter(|answer| answer.ends_with('.')));

        let store = log.store();
        let all = whole_log(&store).await;
        assert_in_order(&all);
        let stored: BTreeSet<_> = all.iter().map(answered).collect();
        let lost: Vec<_> = acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "{lost:?}");
        for number in 0..STREAMS {
            let stream = whole_stream(&store, &format!("s{number}")).await;
            assert_eq!(stream.len() % BATCH, 0, "half an append");
        }
    }
}

/// A sync that fails says nothing of what is on the disk: the append in flight is unknown, every later one refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_fails_closes_the_log_and_loses_nothing_that_was_answered() {
    let log = Log::embedded();
    drop(log.store());
    for sync in [5, 11] {
        let strace = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync"])
            .arg("-e")
            .arg(format!("inject=fdatasync:error=EIO:when={sync}+"))
            .arg(std::env::current_exe().unwrap())
            .args(CHILD)
            .env(ROLE, "fail")
            .env(FOLDER, log.folder.path())
            .output();
        let output = match strace {
            Ok(output) if output.status.success() => output,
            Ok(output) => {
                let why = String::from_utf8_lossy(&output.stderr);
                assert!(why.contains("ptrace"), "{why}");
                eprintln!("not tested, because no process can be traced here: {why}");
                return;
            }
            Err(error) => {
                eprintln!("not tested, because strace cannot be run here: {error}");
                return;
            }
        };
        let said = String::from_utf8(output.stdout).unwrap();
        let told = |what: &str| said.lines().filter(|line| line.starts_with(what)).count();
        assert_eq!((told("unknown "), told("read-only ")), (1, 1), "{said}");
        assert!(told("appended ") > 0, "{said}");
        let store = log.store();
        let all = whole_log(&store).await;
        assert_in_order(&all);
        let stored: BTreeSet<_> = all.iter().map(answered).collect();
        for line in said.lines() {
            if let Some(answer) = line.strip_prefix("appended ") {
                assert!(stored.contains(answer), "{answer} is lost");
            }
        }
        // Opened again, it goes on; whether the unknown append is there, the same append tells.
        assert_eq!(all.len() % BATCH, 0, "half an append");
    }
}

/// Appends until the log fails, and once more.
async fn append_until_it_fails(store: &EventStore) {
    let mut version = whole_stream(store, "s0").await.len() as u64;
    loop {
        let events: Vec<_> = (0..BATCH).map(|_| any_event()).collect();
        let last = events[BATCH - 1].id;
        match store.append("s0", version, events).await {
            Ok(done) => {
                version = done.last_version;
                println!("\nappended s0 {version} {last}.");
            }
            Err(AppendError::Unknown { reason }) => println!("\nunknown {reason}"),
            Err(AppendError::ReadOnly { reason }) => {
                assert_eq!(store.read_only(), Some(reason.as_str()));
                println!("\nread-only {reason}");
                return;
            }
            Err(other) => panic!("{other}"),
        }
    }
}

/// The child's side. Run as a test of its own, it appends once and is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_appends_as_it_is_told() {
    let Ok(role) = std::env::var(ROLE) else {
        let log = Log::embedded();
        append_for_ever(&log.store(), Some(1)).await;
        assert_eq!(whole_log(&log.store()).await.len(), STREAMS * BATCH);
        return;
    };
    let store = EventStore::open(Path::new(&std::env::var(FOLDER).unwrap())).unwrap();
    if role == "append" {
        append_for_ever(&store, None).await;
    }
    if role == "fail" {
        return append_until_it_fails(&store).await;
    }
    let mut subscription = store.subscribe(Position::START);
    contend(&store).await;
    println!();
    for event in see(&mut subscription, 2 * STREAMS * EACH).await {
        println!("saw {}", event.id);
    }
}

fn child(role: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(CHILD)
        .env(ROLE, role)
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn lines(child: &mut Child) -> Vec<String> {
    BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .collect()
}

/// To each stream at once, against whoever else does the same.
async fn contend(store: &EventStore) {
    let tasks: Vec<_> = (0..STREAMS)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let (mut version, mut appended) = (0, 0);
                while appended < EACH {
                    match store
                        .append(&format!("s{number}"), version, vec![any_event()])
                        .await
                    {
                        Ok(done) => (version, appended) = (done.last_version, appended + 1),
                        Err(AppendError::WrongVersion { actual, .. }) => version = actual,
                        Err(other) => panic!("{other}"),
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// Says every answer aloud; the final full stop shows that the line is whole.
async fn append_for_ever(store: &EventStore, rounds: Option<usize>) {
    let tasks: Vec<_> = (0..STREAMS)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let stream = format!("s{number}");
                let mut version = whole_stream(&store, &stream).await.len() as u64;
                for _ in 0..rounds.unwrap_or(usize::MAX) {
                    let events: Vec<_> = (0..BATCH).map(|_| any_event()).collect();
                    let last = events[BATCH - 1].id;
                    version = store
                        .append(&stream, version, events)
                        .await
                        .unwrap()
                        .last_version;
                    println!("\nappended {stream} {version} {last}.");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

fn answered(event: &StoredEvent) -> String {
    format!("{} {} {}.", event.stream, event.version, event.id)
}

async fn see(subscription: &mut squareoff_store::Subscription, number: usize) -> Vec<StoredEvent> {
    let mut seen = Vec::new();
    while seen.len() < number {
        match subscription.next(64).await.unwrap() {
            Delivery::Events(events) => seen.extend(events),
            Delivery::CaughtUp(_) => {}
        }
    }
    seen
}
