//! What becomes of a log that was cut, altered, filled up or copied: a prefix or one sentence, and never less than was synced.

use crate::log::{Log, any_event, assert_in_order, event, whole_log};
use proptest::prelude::*;
use rusqlite::Connection;
use squareoff_store::embedded::{self, BackupError, FILE_NAME, MANIFEST_NAME};
use squareoff_store::{AppendError, EventStore, OpenError, Position, ReadError, StoredEvent};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A log as it lay on the disk after each of its appends was answered.
struct Laid {
    events: Vec<StoredEvent>,
    /// The file and its write-ahead log.
    file: Vec<u8>,
    wal: Vec<u8>,
    /// Length of the write-ahead log when the append that ends with this many events had been answered.
    acknowledged: Vec<(usize, usize)>,
    /// Events that were in the file before the write-ahead log began.
    in_file: usize,
}

/// Bytes of a page.
const PAGE: usize = 2_048;

fn wal(folder: &Path) -> PathBuf {
    folder.join(format!("{FILE_NAME}-wal"))
}

/// Made once: cutting is what the cases differ in.
fn laid() -> &'static Laid {
    static LAID: OnceLock<Laid> = OnceLock::new();
    LAID.get_or_init(|| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(lay(0))
    })
}

/// A log in use: its write-ahead log's file was made long with zeros and begun anew, so that frames from before lie behind its last.
fn laid_anew() -> &'static Laid {
    static LAID: OnceLock<Laid> = OnceLock::new();
    LAID.get_or_init(|| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(lay(60))
    })
}

/// `before`: appends that the write-ahead log held before it was begun anew; 0 for one that was not.
async fn lay(before: u64) -> Laid {
    let log = Log::embedded();
    let first = log.store();
    for version in 0..40 {
        first.append("moved", version, vec![down()]).await.unwrap();
    }
    drop(first);
    move_into_the_file(log.folder.path());

    let store = log.store();
    for version in 0..before {
        store.append("before", version, vec![down()]).await.unwrap();
    }
    if before > 0 {
        let mut wal = OpenOptions::new()
            .append(true)
            .open(wal(log.folder.path()))
            .unwrap();
        wal.write_all(&[0; 5_000]).unwrap();
        checkpoint(log.folder.path(), "restart");
    }
    let in_file = whole_log(&store).await.len();
    let mut acknowledged = vec![];
    let mut count = in_file;
    for round in 0..30_u64 {
        let stream = format!("s{}", round % 3);
        let events: Vec<_> = (0..1 + round % 4).map(|_| down()).collect();
        let version = store.stream_version(&stream).await.unwrap();
        count += events.len();
        store.append(&stream, version, events).await.unwrap();
        let frames = usize::try_from(checkpoint(log.folder.path(), "noop")).unwrap();
        acknowledged.push((count, 32 + frames * (24 + PAGE)));
    }
    Laid {
        events: whole_log(&store).await,
        file: std::fs::read(log.folder.path().join(FILE_NAME)).unwrap(),
        wal: std::fs::read(wal(log.folder.path())).unwrap(),
        acknowledged,
        in_file,
    }
}

/// Its connections close on threads of their own, in any order, and of two that close at the same moment neither is the last one: SQLite
/// then leaves the write-ahead log where it is.
fn move_into_the_file(folder: &Path) {
    checkpoint(folder, "truncate");
}

/// Frames in the write-ahead log behind it.
fn checkpoint(folder: &Path, mode: &str) -> i64 {
    let raw = Connection::open(folder.join(FILE_NAME)).unwrap();
    raw.busy_timeout(std::time::Duration::from_mins(1)).unwrap();
    let (busy, frames): (i64, i64) = raw
        .query_row(&format!("pragma wal_checkpoint({mode})"), [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(busy, 0, "something still reads the log");
    frames
}

fn lay_down(file: &[u8], wal_bytes: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE_NAME), file).unwrap();
    std::fs::write(wal(folder.path()), wal_bytes).unwrap();
    folder
}

/// All events, or the sentence that says why not.
async fn read(folder: &Path) -> Result<Vec<StoredEvent>, String> {
    let store = EventStore::open(folder).map_err(|error| error.to_string())?;
    let mut all = Vec::new();
    loop {
        let after = all
            .last()
            .map_or(Position::START, |event: &StoredEvent| event.position);
        let page = store
            .read_all(after, 7)
            .await
            .map_err(|error| error.to_string())?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

fn is_a_sentence(error: &str) -> bool {
    !error.contains('\n') && error.contains(FILE_NAME) | error.contains("event log")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_write_ahead_log_cut_anywhere_gives_a_prefix_with_all_that_was_acknowledged_before_the_cut(at in any::<prop::sample::Index>(), garbage in any::<bool>(), anew in any::<bool>()) {
        let laid = if anew { laid_anew() } else { laid() };
        let cut = at.index(laid.wal.len() + 1);
        let mut torn = laid.wal[..cut].to_vec();
        if garbage {
            torn.extend((cut..laid.wal.len().min(cut + 3_000)).map(|byte| byte as u8));
        }
        let folder = lay_down(&laid.file, &torn);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let events = runtime.block_on(read(folder.path())).unwrap();
        prop_assert_eq!(&events[..], &laid.events[..events.len()]);
        let kept = laid.acknowledged.iter().rev().find(|(_, length)| *length <= cut);
        let kept = kept.map_or(laid.in_file, |(count, _)| *count);
        prop_assert!(events.len() >= kept, "{} of {kept}", events.len());
        // No half of an append either, and the log goes on.
        prop_assert!(events.len() == laid.in_file || laid.acknowledged.iter().any(|(count, _)| *count == events.len()));
        runtime.block_on(async {
            let store = EventStore::open(folder.path()).unwrap();
            store.append("later", 0, vec![down()]).await.unwrap();
            assert_in_order(&whole_log(&store).await);
        });
        let checked = embedded::check(folder.path(), |_, _| {}).unwrap();
        prop_assert!(checked.is_sound(), "{:?}", checked.findings);
    }

    #[test]
    fn a_file_cut_anywhere_is_a_sentence_or_holds_everything(at in any::<prop::sample::Index>(), with_wal in any::<bool>()) {
        let laid = laid();
        let cut = at.index(laid.file.len());
        let folder = lay_down(&laid.file[..cut], if with_wal { &laid.wal } else { &[] });
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let expected = if with_wal { laid.events.len() } else { laid.in_file };
        match runtime.block_on(read(folder.path())) {
            // What was cut off may stand in the write-ahead log, too.
            Ok(events) => prop_assert_eq!(&events[..], &laid.events[..expected]),
            Err(error) => prop_assert!(is_a_sentence(&error), "{error}"),
        }
    }

    #[test]
    fn a_byte_that_was_changed_in_an_entry_is_found_at_its_position(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let laid = laid();
        let folder = lay_down(&laid.file, &laid.wal);
        let event = which.get(&laid.events);
        let raw = Connection::open(folder.path().join(FILE_NAME)).unwrap();
        raw.execute_batch("drop trigger events_are_never_changed").unwrap();
        let mut entry: Vec<u8> = raw
            .query_row("select entry from events where position = ?1", [event.position.as_u64() as i64], |row| row.get(0))
            .unwrap();
        let at = at.index(entry.len());
        prop_assume!(entry[at] != to);
        entry[at] = to;
        raw.execute("update events set entry = ?1 where position = ?2", (&entry, event.position.as_u64() as i64)).unwrap();
        let checked = embedded::check(folder.path(), |_, _| {}).unwrap();
        let last_of_stream = laid.events.iter().rev().find(|other| other.stream == event.stream).unwrap() == event;
        // The chain shows a change by the next event of the stream; of the last one only what can't be read or is contradicted.
        if !last_of_stream {
            let first = checked.findings.first().and_then(|finding| finding.position).unwrap();
            let next = laid.events.iter().find(|other| other.stream == event.stream && other.version == event.version + 1).unwrap();
            prop_assert!((event.position..=next.position).contains(&first), "{first}");
        }
    }
}

/// The last page holds the newest events, and their bodies at its end.
#[tokio::test]
async fn a_file_cut_within_its_last_page_is_never_read_with_zeros_in_it() {
    let laid = tokio::task::spawn_blocking(laid).await.unwrap();
    for missing in (1..PAGE).step_by(41) {
        let cut = &laid.file[..laid.file.len() - missing];
        let folder = lay_down(cut, &[]);
        let error = read(folder.path()).await.unwrap_err();
        assert!(error.contains("is cut off"), "{missing}: {error}");
        assert!(embedded::check(folder.path(), |_, _| {}).is_err());
        // Where the write-ahead log has the page, nothing is lost.
        let folder = lay_down(cut, &laid.wal);
        match read(folder.path()).await {
            Ok(events) => assert_eq!(events, laid.events),
            Err(error) => assert!(is_a_sentence(&error), "{error}"),
        }
    }
}

#[tokio::test]
async fn a_check_names_what_is_missing_out_of_place_or_unknown() {
    let unknown = squareoff_store::NewEvent {
        event_type: "NobodyKnows",
        ..any_event()
    };
    for (tamper, finding) in [
        (
            "delete from events where position = 2",
            "position 3: 1 positions before it are missing",
        ),
        (
            "update events set version = 9 where position = 4",
            "position 4: it is version 9 of t, where version 2 is due",
        ),
        (
            "update events set entry = x'' where position = 1",
            "position 1: its entry cannot be read: it ends in the middle of its layout",
        ),
        (
            "update events set entry = (select entry from events where position = 1) where position = 3",
            "position 3: its entry says stream s, its row t",
        ),
        (
            "delete from streams where name = 't'",
            "position 3: its stream, number 2, has no name",
        ),
        (
            "update events set before = 2 where position = 4",
            "position 4: its row says that position 2 is before it in t, which is position 3",
        ),
        (
            "drop trigger ends_only_move_on; update ends set position = 1 where stream = 1",
            "the file: the stream s ends with version 2 at position 2, and is said to end with version 2 at position 1",
        ),
        (
            "drop trigger ends_are_never_deleted; delete from ends where stream = 1",
            "the file: the stream s is not said to end",
        ),
        (
            "insert into streams values (7, 'u')",
            "the file: the stream u has no events",
        ),
        (
            "update events set stream = 2, version = 7 where position = 2",
            "position 2: it is version 7 of t, where version 1 is due",
        ),
        (
            "select 1",
            "position 5: the log holds NobodyKnows at position 5, which this release does not know",
        ),
    ] {
        let log = Log::embedded();
        let store = log.store();
        let known = || squareoff_store::NewEvent {
            body: sample(),
            event_type: "SessionDown",
            ..any_event()
        };
        store.append("s", 0, vec![known(), known()]).await.unwrap();
        store
            .append("t", 0, vec![known(), known(), unknown.clone()])
            .await
            .unwrap();
        let raw = Connection::open(log.folder.path().join(FILE_NAME)).unwrap();
        raw.execute_batch(
            "drop trigger events_are_never_changed; drop trigger events_are_never_deleted; drop trigger streams_are_never_deleted",
        )
        .unwrap();
        raw.execute_batch(tamper).unwrap();
        let mut pages = 0;
        let checked = embedded::check(log.folder.path(), |_, _| pages += 1).unwrap();
        let findings: Vec<_> = checked.findings.iter().map(ToString::to_string).collect();
        assert!(
            findings.iter().any(|found| found.contains(finding)),
            "{finding}: {findings:#?}"
        );
        assert!(pages > 0);
    }
    let nothing = tempfile::tempdir().unwrap();
    let error = embedded::check(nothing.path(), |_, _| {}).unwrap_err();
    assert!(matches!(error, OpenError::Missing { .. }), "{error}");
}

fn sample() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../domain/tests/stored_events/SessionDown.v1.json");
    std::fs::read(path).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_while_others_append_is_a_prefix_and_is_restored_as_it_was() {
    let log = Log::embedded();
    let store = log.store();
    let writing = {
        let store = store.clone();
        tokio::spawn(async move {
            for version in 0..2_000 {
                store
                    .append("busy", version, vec![down(), down()])
                    .await
                    .map(|_| ())
                    .or_else(expected_end)
                    .unwrap();
            }
        })
    };
    let folder = log.folder.path().to_owned();
    let place = tempfile::tempdir().unwrap();
    let mut backups = vec![];
    for nth in 0..4 {
        let target = place.path().join(format!("backup-{nth}"));
        let (from, to) = (folder.clone(), target.clone());
        let acknowledged = store.head().await.unwrap();
        let manifest = tokio::task::spawn_blocking(move || embedded::backup(&from, &to))
            .await
            .unwrap()
            .unwrap();
        assert!(manifest.head.parse::<Position>().unwrap() >= acknowledged);
        assert!(manifest.events.is_multiple_of(2), "half an append");
        backups.push((target, manifest));
    }
    writing.abort();
    let whole = whole_log(&store).await;
    for (nth, (backup, manifest)) in backups.iter().enumerate() {
        let restored = place.path().join(format!("restored-{nth}"));
        let checked = embedded::restore(backup, &restored, |_, _| {}).unwrap();
        assert_eq!(
            (checked.events, checked.head.to_string()),
            (manifest.events, manifest.head.clone())
        );
        let again = EventStore::open(&restored).unwrap();
        let events = whole_log(&again).await;
        assert_eq!(events, whole[..events.len()]);
        assert_eq!(events.len() as u64, manifest.events);
        again.append("later", 0, vec![any_event()]).await.unwrap();
    }
}

fn down() -> squareoff_store::NewEvent {
    squareoff_store::NewEvent {
        body: sample(),
        event_type: "SessionDown",
        ..any_event()
    }
}

fn expected_end(error: AppendError) -> Result<(), AppendError> {
    match error {
        AppendError::WrongVersion { .. } => Ok(()),
        other => Err(other),
    }
}

#[tokio::test]
async fn nothing_is_written_over_and_nothing_unproved_is_restored() {
    let log = Log::embedded();
    log.store()
        .append("s", 0, vec![down(), down()])
        .await
        .unwrap();
    let place = tempfile::tempdir().unwrap();
    let (backup, target) = (place.path().join("backup"), place.path().join("target"));
    embedded::backup(log.folder.path(), &backup).unwrap();
    let twice = embedded::backup(log.folder.path(), &backup).unwrap_err();
    assert!(matches!(twice, BackupError::TargetTaken(_)), "{twice}");
    let over = embedded::restore(&backup, log.folder.path(), |_, _| {}).unwrap_err();
    assert!(matches!(over, BackupError::LogThere(_)), "{over}");

    let (file, manifest) = (backup.join(FILE_NAME), backup.join(MANIFEST_NAME));
    let (bytes, text) = (
        std::fs::read(&file).unwrap(),
        std::fs::read_to_string(&manifest).unwrap(),
    );
    let mut changed = bytes.clone();
    changed[3_000] ^= 1;
    let mut longer = bytes.clone();
    longer.push(0);
    for (file_bytes, manifest_text, word) in [
        (&changed, text.clone(), "its SHA-256 is not the manifest's"),
        (&longer, text.clone(), "bytes, the manifest says"),
        (
            &bytes,
            text.replace("\"events\": 2", "\"events\": 3"),
            "as many events as the manifest says",
        ),
        (
            &bytes,
            text.replace("\"format\": 1", "\"format\": 2"),
            "has format 2, this release knows 1",
        ),
        (&bytes, "{".to_owned(), "its manifest.json is none"),
    ] {
        std::fs::write(&file, file_bytes).unwrap();
        std::fs::write(&manifest, manifest_text).unwrap();
        let error = embedded::restore(&backup, &target, |_, _| {})
            .unwrap_err()
            .to_string();
        assert!(error.contains(word) && !error.contains('\n'), "{error}");
        assert!(!target.join(FILE_NAME).exists(), "{word}");
    }
    std::fs::remove_file(&manifest).unwrap();
    let error = embedded::restore(&backup, &target, |_, _| {})
        .unwrap_err()
        .to_string();
    assert!(error.contains("holds no whole backup"), "{error}");

    // Whoever was first has the folder to himself.
    std::fs::write(&file, &bytes).unwrap();
    std::fs::write(&manifest, &text).unwrap();
    std::fs::create_dir_all(target.join("restoring")).unwrap();
    let error = embedded::restore(&backup, &target, |_, _| {}).unwrap_err();
    assert!(matches!(error, BackupError::Restoring(_)), "{error}");
    std::fs::remove_dir(target.join("restoring")).unwrap();
    embedded::restore(&backup, &target, |_, _| {}).unwrap();
    let empty = place.path().join("empty");
    let error = embedded::backup(&empty, &place.path().join("other")).unwrap_err();
    assert!(
        error.to_string().contains("there is no event log"),
        "{error}"
    );
}

/// A file system of its own, gone at the end.
struct Mount(tempfile::TempDir);

impl Mount {
    fn of_bytes(bytes: usize) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(folder.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Mount(folder)),
            Ok(output) => {
                let why = String::from_utf8_lossy(&output.stderr);
                eprintln!("not tested, because no file system can be mounted here: {why}");
                None
            }
            Err(error) => {
                eprintln!("not tested, because no file system can be mounted here: {error}");
                None
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_system_that_is_full_closes_the_log_for_appends_and_loses_nothing() {
    const EACH: usize = 3;
    let Some(mount) = Mount::of_bytes(8 << 20) else {
        return;
    };
    let store = EventStore::open(mount.0.path()).unwrap();
    assert_eq!(store.read_only(), None);
    let ballast = mount.0.path().join("ballast");
    std::fs::write(&ballast, vec![0; 6 << 20]).unwrap();
    let mut acknowledged = 0;
    let refused = loop {
        let events = (0..EACH as u128)
            .map(|nth| event(acknowledged as u128 * 8 + nth, &" ".repeat(4_000)))
            .collect();
        match store.append("s", acknowledged as u64, events).await {
            Ok(_) => acknowledged += EACH,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AppendError::ReadOnly { .. }), "{refused}");
    assert!(!refused.to_string().contains('\n'));
    assert!(store.read_only().unwrap().contains("full"));
    // Reads and repeats are answered still, also when there is room again: a person has to look first.
    assert_eq!(whole_log(&store).await.len(), acknowledged);
    std::fs::remove_file(&ballast).unwrap();
    let more = store
        .append("s", acknowledged as u64, vec![any_event()])
        .await;
    assert!(
        matches!(more, Err(AppendError::ReadOnly { .. })),
        "{more:?}"
    );
    let again = (0..EACH as u128).map(|nth| event(nth, &" ".repeat(4_000)));
    assert!(
        store
            .append("s", 0, again.collect())
            .await
            .unwrap()
            .repeated
    );
    // Opened again, it goes on where it was; of the append that failed there is nothing.
    drop(store);
    let store = EventStore::open(mount.0.path()).unwrap();
    assert_eq!(whole_log(&store).await.len(), acknowledged);
    store
        .append("s", acknowledged as u64, vec![any_event()])
        .await
        .unwrap();
    assert_in_order(&whole_log(&store).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_while_the_write_ahead_log_is_made_long_loses_nothing() {
    let Some(mount) = Mount::of_bytes(16 << 20) else {
        return;
    };
    let store = EventStore::open(mount.0.path()).unwrap();
    let large = |nth: u64| vec![event(nth.into(), &" ".repeat(50_000))];
    let mut acknowledged = 0;
    let refused = loop {
        match store.append("s", acknowledged, large(acknowledged)).await {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
        // Behind 4 MiB its file is made longer, here until the disk is full.
        while checkpoint(mount.0.path(), "noop") * (24 + PAGE as i64) > 9 << 19
            && wal(mount.0.path()).metadata().unwrap().len() < 8 << 20
        {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    // Unknown, when SQLite found no room for its index of the write-ahead log, behind the sync.
    let unknown = match refused {
        AppendError::ReadOnly { .. } => 0,
        AppendError::Unknown { .. } => 1,
        other => panic!("{other}"),
    };
    assert!(store.read_only().is_some());
    assert_eq!(whole_log(&store).await.len() as u64, acknowledged);
    // Copied to where there is room, as it lies there, it goes on.
    let roomy = tempfile::tempdir().unwrap();
    for file in [mount.0.path().join(FILE_NAME), wal(mount.0.path())] {
        if let Ok(bytes) = std::fs::read(&file) {
            std::fs::write(roomy.path().join(file.file_name().unwrap()), bytes).unwrap();
        }
    }
    let store = EventStore::open(roomy.path()).unwrap();
    let held = whole_log(&store).await.len() as u64;
    assert!((acknowledged..=acknowledged + unknown).contains(&held));
    let again = store.append("s", acknowledged, large(acknowledged)).await;
    assert_eq!(again.unwrap().repeated, held > acknowledged);
    assert_in_order(&whole_log(&store).await);
}

#[tokio::test]
async fn an_empty_file_is_a_log_that_was_cut_off() {
    let log = Log::embedded();
    std::fs::write(log.folder.path().join(FILE_NAME), "").unwrap();
    let error = EventStore::open(log.folder.path()).unwrap_err();
    assert!(matches!(error, OpenError::Empty { .. }), "{error}");
    assert!(!error.to_string().contains('\n'));
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_one_sentence_that_names_its_position() {
    let log = Log::embedded();
    let store = log.store();
    store
        .append("s", 0, vec![any_event(), any_event()])
        .await
        .unwrap();
    let raw = Connection::open(log.folder.path().join(FILE_NAME)).unwrap();
    raw.execute_batch(
        "drop trigger events_are_never_changed; update events set entry = x'01' where position = 2",
    )
    .unwrap();
    let error = store.read_all(Position::START, 10).await.unwrap_err();
    let ReadError::Io { reason } = error else {
        panic!("{error}")
    };
    assert!(
        reason.contains("event 2: it ends in the middle of its stream"),
        "{reason}"
    );
}
