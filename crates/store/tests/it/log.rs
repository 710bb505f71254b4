//! A log to test, by adapter, and events to put into it.

use futures::future::BoxFuture;
use squareoff_domain::Timestamp;
use squareoff_serve::{Call, Cluster, Fault, Options, Server, Write};
use squareoff_store::{EventStore, NewEvent, Position, StoredEvent};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;
use uuid::Uuid;

/// What a test of the contract is: it gets an empty log of its own.
pub type Test = fn(Log) -> BoxFuture<'static, ()>;

/// An empty log of its own; `store` opens one more handle on it.
pub struct Log {
    pub folder: TempDir,
    pub served: Served,
    /// Something goes wrong on the way.
    pub is_faulty: bool,
}

/// By whom the log is served over KurrentDB's protocol.
pub enum Served {
    Nobody,
    Server(Server),
    Cluster(Cluster),
}

/// What goes wrong at a server of that address: at which calls, each of them that many calls after the one before.
pub type Plan = fn(SocketAddr) -> Vec<(Call, usize, Fault)>;

/// A call is given up behind this where a fault makes calls hang, and elsewhere never.
const HANG_MS: u32 = 2_000;
const PATIENT_MS: u32 = 10_000;

impl Log {
    pub fn embedded() -> Self {
        Log {
            folder: tempfile::tempdir().unwrap(),
            served: Served::Nobody,
            is_faulty: false,
        }
    }

    /// The adapter for KurrentDB, against one server.
    pub async fn kurrent() -> Self {
        let log = Log::embedded();
        let store = EventStore::open(log.folder.path()).unwrap();
        let server = squareoff_serve::start(store, writable()).await.unwrap();
        Log {
            served: Served::Server(server),
            ..log
        }
    }

    /// The adapter for KurrentDB, against three of which one leads.
    pub async fn cluster() -> Self {
        let log = Log::embedded();
        let store = EventStore::open(log.folder.path()).unwrap();
        let cluster = Cluster::start(&store, &writable()).await.unwrap();
        Log {
            served: Served::Cluster(cluster),
            ..log
        }
    }

    /// The adapter for KurrentDB, against a server on which this goes wrong; and which of it has happened.
    pub async fn faulty(plan: Plan) -> (Self, Vec<Arc<AtomicBool>>) {
        let log = Log::kurrent().await;
        let Served::Server(server) = &log.served else {
            unreachable!("it was started")
        };
        let planned = plan(server.address()).into_iter();
        let happened = planned.map(|(call, pass, fault)| server.faults().inject(call, pass, fault));
        let happened = happened.collect();
        let log = Log {
            is_faulty: true,
            ..log
        };
        (log, happened)
    }

    /// How many there are of whatever a test has many of: a quarter through faults, which happen once however many there are, and with the whole
    /// contract for each.
    pub fn many(&self, number: usize) -> usize {
        if self.is_faulty { number / 4 } else { number }
    }

    /// Where the log is served.
    pub fn address(&self) -> Option<String> {
        match &self.served {
            Served::Nobody => None,
            Served::Server(server) => {
                let planned = server.faults().left() > 0;
                let deadline = if planned { HANG_MS } else { PATIENT_MS };
                let address = server.address();
                Some(format!(
                    "kurrentdb://{address}?tls=false&defaultDeadline={deadline}"
                ))
            }
            Served::Cluster(cluster) => {
                let nodes: Vec<_> = cluster
                    .addresses()
                    .iter()
                    .map(ToString::to_string)
                    .collect();
                let nodes = nodes.join(",");
                Some(format!(
                    "kurrentdb://{nodes}?tls=false&defaultDeadline={PATIENT_MS}"
                ))
            }
        }
    }

    pub fn store(&self) -> EventStore {
        let Some(address) = self.address() else {
            return EventStore::open(self.folder.path()).unwrap();
        };
        let connect = EventStore::connect(&address);
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(connect)).unwrap()
    }
}

fn writable() -> Options {
    Options {
        write: Write::AnyEvents,
        ..Options::default()
    }
}

/// Makes a module per adapter with each of the given tests, `async fn(Log)`, in it, and a list of them for more.
macro_rules! every_adapter {
    ($($test:ident)+) => {
        pub const TESTS: &[(&str, crate::log::Test)] = &[
            $((stringify!($test), |log| Box::pin($test(log))),)+
        ];

        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(crate::log::Log::embedded()).await;
            })+
        }

        mod kurrent {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(crate::log::Log::kurrent().await).await;
            })+
        }

        mod cluster {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(crate::log::Log::cluster().await).await;
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
        trace_id: None,
        epoch: 7,
        body: json(body).into(),
    }
}

/// A body: the text itself where it is JSON, and otherwise the text as JSON.
pub fn json(text: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(_) => text.to_owned(),
        Err(_) => serde_json::Value::from(text).to_string(),
    }
}

/// JSON of so many bytes, two or more.
pub fn sized(bytes: usize) -> String {
    format!("\"{}\"", " ".repeat(bytes - 2))
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
