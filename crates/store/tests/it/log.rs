//! A log to test, by adapter, and events to put into it.

use squareoff_domain::Timestamp;
use squareoff_store::{EventStore, NewEvent, Position, StoredEvent};
use std::path::Path;
use tempfile::TempDir;
use uuid::Uuid;

/// An empty log of its own; `store` opens one more handle on it.
pub struct Log {
    pub folder: TempDir,
    open: fn(&Path) -> EventStore,
}

impl Log {
    pub fn embedded() -> Self {
        let open = |folder: &Path| EventStore::open(folder).unwrap();
        Log {
            folder: tempfile::tempdir().unwrap(),
            open,
        }
    }

    pub fn store(&self) -> EventStore {
        (self.open)(self.folder.path())
    }
}

/// Makes a module per adapter with each of the given tests, `async fn(Log)`, in it.
macro_rules! every_adapter {
    ($($test:ident)+) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(crate::log::Log::embedded()).await;
            })+
        }
    };
}
pub(crate) use every_adapter;

pub fn event(id: u128, body: &str) -> NewEvent {
    NewEvent {
        id: Uuid::from_u128(id),
        event_type: "OrderPlaced",
        schema_version: 1,
        occurred_at: Timestamp(1_700_000_000_000_000_000),
        actor: "desk-1".into(),
        request_id: Uuid::from_u128(id + 1),
        correlation_id: Uuid::from_u128(id + 2),
        epoch: 7,
        body: body.into(),
    }
}

/// An event with an id nobody else has.
pub fn any_event() -> NewEvent {
    event(Uuid::new_v4().as_u128() >> 1, "{}")
}

pub async fn whole_stream(store: &EventStore, stream: &str) -> Vec<StoredEvent> {
    let mut all: Vec<StoredEvent> = Vec::new();
    loop {
        let page = store
            .read_stream(stream, all.len() as u64 + 1, 1_000)
            .await
            .unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

pub async fn whole_log(store: &EventStore) -> Vec<StoredEvent> {
    let mut all: Vec<StoredEvent> = Vec::new();
    loop {
        let after = all.last().map_or(Position::START, |event| event.position);
        let page = store.read_all(after, 1_000).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// Positions rise, and each stream's versions are 1, 2, 3, ...
pub fn assert_in_order(events: &[StoredEvent]) {
    let mut versions = std::collections::HashMap::new();
    let mut position = Position::START;
    for event in events {
        assert!(event.position > position, "{event:?} behind {position}");
        position = event.position;
        let version = versions.entry(event.stream.clone()).or_insert(0);
        *version += 1;
        assert_eq!(event.version, *version, "{event:?}");
    }
}
