//! The embedded adapter's file: append-only by itself, ours or not, of this release or a newer one, and under a lock.

use crate::log::{Log, any_event, event, whole_log};
use rusqlite::Connection;
use squareoff_store::embedded::FILE_NAME;
use squareoff_store::{AppendError, EventStore, OpenError};

fn raw(log: &Log) -> Connection {
    Connection::open(log.folder.path().join(FILE_NAME)).unwrap()
}

#[tokio::test]
async fn the_file_itself_refuses_to_change_or_lose_an_event() {
    let log = Log::embedded();
    let store = log.store();
    store
        .append("s", 0, vec![event(10, "a"), event(20, "b")])
        .await
        .unwrap();
    let before = whole_log(&store).await;
    let raw = raw(&log);
    let row = |position: i64, version: i64| {
        format!("({position}, 1, {version}, {}, x'00')", position - 1)
    };
    let into = "into events (position, stream, version, before, entry) values";
    for statement in [
        "update events set entry = x'00'".to_owned(),
        "update events set version = version + 10 where position = 2".to_owned(),
        "update or replace events set position = 1 where position = 2".to_owned(),
        "delete from events".to_owned(),
        "delete from events where position = 2".to_owned(),
        format!("insert {into} {}", row(1, 3)),
        format!("insert or replace {into} {}", row(1, 1)),
        format!("insert or replace {into} {}", row(3, 2)),
        format!("insert or replace {into} {}", row(2, 3)),
        format!("insert or ignore {into} {}", row(7, 3)),
        format!("insert {into} {}", row(3, 4)),
        format!(
            "insert {into} {} on conflict do update set entry = x'00'",
            row(3, 2)
        ),
        format!("insert {into} (3, 1, 3, 1, x'00')"),
        "update ends set version = 1".to_owned(),
        "update ends set version = 3, position = 1".to_owned(),
        "insert or replace into ends values (1, 0, 0)".to_owned(),
        "insert into ends values (5, 1, 1)".to_owned(),
        "delete from ends".to_owned(),
        "update streams set name = 't'".to_owned(),
        "update or replace streams set id = 2".to_owned(),
        "delete from streams".to_owned(),
        "insert into streams (id, name) values (2, 's')".to_owned(),
        "insert or replace into streams (id, name) values (2, 's')".to_owned(),
        "insert or replace into streams (id, name) values (1, 't')".to_owned(),
    ] {
        let refused = raw.execute_batch(&statement);
        assert!(refused.is_err(), "{statement}");
    }
    assert_eq!(whole_log(&store).await, before);
    // The same row in its right place goes in: it was the place that was refused.
    raw.execute_batch(&format!(
        "insert {into} (3, 1, 3, 2, (select entry from events where position = 1))"
    ))
    .unwrap();
    assert_eq!(whole_log(&store).await.len(), 3);
}

#[test]
fn a_file_that_is_not_ours_is_left_alone() {
    for (make, message) in [
        (
            "create table letters (letter text); pragma user_version = 1",
            "is not a Squareoff event log",
        ),
        (
            "pragma application_id = 99; create table t (x)",
            "is not a Squareoff event log",
        ),
        ("pragma user_version = 5", "is not a Squareoff event log"),
        (
            "pragma application_id = 1399934822; pragma user_version = 3",
            "was written by a newer release: its format is 3, this release knows 2",
        ),
        (
            "pragma application_id = 1399934822; pragma user_version = 1",
            "was written by a development version: its format is 1, this release knows 2 and does not convert it",
        ),
    ] {
        let log = Log::embedded();
        raw(&log).execute_batch(make).unwrap();
        let file = log.folder.path().join(FILE_NAME);
        let before = std::fs::read(&file).unwrap();
        let error = EventStore::open(log.folder.path()).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), before, "{make}");
    }
    let log = Log::embedded();
    std::fs::write(
        log.folder.path().join(FILE_NAME),
        "ISIN,quantity\n".repeat(1_000),
    )
    .unwrap();
    assert!(matches!(
        EventStore::open(log.folder.path()),
        Err(OpenError::NotOurs { .. })
    ));
}

#[test]
fn a_folder_that_cannot_be_is_one_sentence() {
    let log = Log::embedded();
    let file = log.folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = EventStore::open(&file.join("log")).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "{error}");
    assert!(!error.to_string().contains('\n'));
}

#[cfg(unix)]
#[test]
fn a_folder_we_make_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let log = Log::embedded();
    let folder = log.folder.path().join("data/log");
    EventStore::open(&folder).unwrap();
    assert_eq!(
        folder.metadata().unwrap().permissions().mode() & 0o777,
        0o700
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_may_make_the_same_log_at_once() {
    let log = Log::embedded();
    let folder = log.folder.path().to_owned();
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let folder = folder.clone();
            std::thread::spawn(move || EventStore::open(&folder).unwrap())
        })
        .collect();
    for (version, opened) in (0..).zip(opening) {
        opened
            .join()
            .unwrap()
            .append("s", version, vec![any_event()])
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_long_lock_the_queue_fills_and_the_rest_is_refused() {
    const APPENDS: usize = 10_000;
    let log = Log::embedded();
    let store = log.store();
    let lock = raw(&log);
    lock.execute_batch("begin immediate").unwrap();
    let tasks: Vec<_> = (0..APPENDS)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .append(&format!("s{number}"), 0, vec![any_event()])
                    .await
            })
        })
        .collect();
    // At most one batch and one queue can wait; when that many are refused, every task has been polled.
    let mut refused = 0;
    let mut waiting = Vec::new();
    for task in tasks {
        if task.is_finished() {
            refused += usize::from(task.await.unwrap() == Err(AppendError::Overloaded))
        } else {
            waiting.push(task)
        }
    }
    lock.execute_batch("rollback").unwrap();
    let mut appended = 0;
    for task in waiting {
        match task.await.unwrap() {
            Ok(_) => appended += 1,
            Err(AppendError::Overloaded) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(appended + refused, APPENDS);
    assert!(appended >= 4_096, "{appended}");
    assert_eq!(whole_log(&store).await.len(), appended);
    // Nothing of it lasts.
    store.append("later", 0, vec![any_event()]).await.unwrap();
}

/// A read steps into a long stream at a milestone, which is every 64th version.
#[tokio::test]
async fn a_long_stream_is_read_from_any_version_to_any_length() {
    const EVENTS: u64 = 300;
    let log = Log::embedded();
    let store = log.store();
    for version in (0..EVENTS).step_by(10) {
        let ten = (0..10).map(|_| any_event()).collect();
        store.append("long", version, ten).await.unwrap();
        store
            .append("other", version / 10, vec![any_event()])
            .await
            .unwrap();
    }
    let versions = |events: Vec<squareoff_store::StoredEvent>| -> Vec<u64> {
        assert!(events.iter().all(|event| &*event.stream == "long"));
        events.iter().map(|event| event.version).collect()
    };
    for from in [
        0, 1, 2, 62, 63, 64, 65, 127, 128, 129, 200, 255, 256, 257, 299, 300, 301,
    ] {
        for max in [1, 2, 10, 63, 64, 65, 100, 128, 1_000] {
            let read = store
                .read_stream("long", from, usize::try_from(max).unwrap())
                .await
                .unwrap();
            let from = from.max(1);
            let expected: Vec<u64> = (from..(from + max).min(EVENTS + 1)).collect();
            assert_eq!(versions(read), expected, "{max} from {from}");
        }
    }
}
