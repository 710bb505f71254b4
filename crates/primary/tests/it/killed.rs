//! The import in a process of its own, killed in the middle.

use crate::import::{by, events};
use crate::small;
use squareoff_domain::Event;
use squareoff_domain::platform::PlatformEvent;
use squareoff_primary::{Book, SampleBook, generate, import};
use squareoff_store::EventStore;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Set for the process that is to be killed: the folder it imports into.
const FOLDER: &str = "SQUAREOFF_TEST_IMPORT_FOLDER";
/// On a busy machine the import may win the race against its killer.
const TRIES_MAX: usize = 10;
const GUARD: Duration = Duration::from_secs(120);

fn book() -> Book {
    generate(&SampleBook {
        clients: 800,
        positions: 3_000,
        ..small()
    })
    .unwrap()
}

#[tokio::test]
async fn an_import_killed_in_the_middle_is_completed_by_the_next() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let store = EventStore::open(Path::new(&folder)).unwrap();
        import(&store, &book(), &by()).await.unwrap();
        return;
    }
    let book = book();
    let lines = book.contracts.len() + book.clients.len() + book.positions.len();
    for _ in 0..TRIES_MAX {
        let folder = tempfile::tempdir().unwrap();
        let store = EventStore::open(folder.path()).unwrap();
        import_and_kill(&store, folder.path()).await;
        let before = events(&store).await.len();
        if before >= lines {
            continue;
        }
        let report = import(&store, &book, &by()).await.unwrap();
        let appended = (report.events_appended, report.unchanged);
        assert_eq!(appended, (lines - before, before));
        let events = events(&store).await;
        // The last says that the book is loaded.
        assert_eq!(events.len(), lines + 1);
        assert!(matches!(
            events.last(),
            Some(Event::Platform(PlatformEvent::BookLoaded(_)))
        ));
        let positions = events
            .iter()
            .filter(|event| matches!(event, Event::Position(_)));
        assert_eq!(positions.count(), book.positions.len());
        return;
    }
    panic!("every import was done before it could be killed");
}

/// Kills it as soon as some positions are in.
async fn import_and_kill(store: &EventStore, folder: &Path) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "killed::an_import_killed_in_the_middle_is_completed_by_the_next",
        ])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    // Contracts and clients before them are 860 events.
    while store.head().await.unwrap().as_u64() < 900 {
        assert!(started.elapsed() < GUARD, "the import made no progress");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
