//! A log, its sealer and a witness in one folder, as tasks of the test.

use squareoff_auditor::seal::{self, COSIGNED, PUBLIC_KEY, SealSettings, Status, WitnessAddress};
use squareoff_auditor::tlog::{Checkpoint, KeyKind, Signer, VerifierKey};
use squareoff_auditor::witness::{self, WitnessSettings};
use squareoff_domain::Timestamp;
use squareoff_store::{EventStore, NewEvent, Position};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

pub const ORIGIN: &str = "example.com/log";
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Rig {
    folder: TempDir,
    pub store: EventStore,
    versions: BTreeMap<String, u64>,
}

/// A task with a way to end it.
pub struct Running {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Running {
    pub async fn stop(mut self) {
        self.stop.take().unwrap().send(()).ok();
        self.task.await.unwrap();
    }

    /// As kill -9 does: at whatever place it is.
    pub async fn kill(self) {
        self.task.abort();
        self.task.await.ok();
    }
}

impl Rig {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = EventStore::open(&folder.path().join("log")).unwrap();
        Rig {
            folder,
            store,
            versions: BTreeMap::new(),
        }
    }

    pub fn audit(&self) -> PathBuf {
        self.folder.path().join("audit")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn settings(&self, witnesses: Vec<WitnessAddress>) -> SealSettings {
        SealSettings {
            folder: self.audit(),
            origin: ORIGIN.to_owned(),
            witnesses,
        }
    }

    pub fn key(&self) -> Signer {
        seal::key(&self.audit(), ORIGIN, KeyKind::Ed25519).unwrap()
    }

    pub fn seal(&self, witnesses: Vec<WitnessAddress>) -> Running {
        let (stop, stopped) = oneshot::channel::<()>();
        let (store, settings) = (self.store.clone(), self.settings(witnesses));
        let task = tokio::spawn(async move {
            seal::run(store, settings, async { drop(stopped.await) })
                .await
                .unwrap();
        });
        Running {
            stop: Some(stop),
            task,
        }
    }

    pub fn witness_key(&self) -> Signer {
        seal::key(
            &self.path("witness"),
            "example.com/witness",
            KeyKind::CosignatureV1,
        )
        .unwrap()
    }

    pub async fn witness(&self, logs: Vec<VerifierKey>) -> (WitnessAddress, Running) {
        let listener = witness::listen("127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let address = WitnessAddress {
            url: format!("http://{}", listener.local_addr().unwrap()),
            key: self.witness_key().public().clone(),
        };
        let settings = WitnessSettings {
            folder: self.path("witness"),
            signer: self.witness_key(),
            logs,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            witness::serve(listener, settings, stopped).await.unwrap();
        });
        let running = Running {
            stop: Some(stop),
            task,
        };
        (address, running)
    }

    /// Appends events to a stream; the position of the last.
    pub async fn append(&mut self, stream: &str, number: usize) -> Position {
        let version = self.versions.entry(stream.to_owned()).or_default();
        let mut last = Position::START;
        for chunk in (0..number).collect::<Vec<_>>().chunks(500) {
            let events: Vec<_> = chunk.iter().map(|_| event()).collect();
            let appended = self.store.append(stream, *version, events).await.unwrap();
            *version = appended.last_version;
            last = appended.position;
        }
        last
    }

    /// The newest checkpoint on disk, its signature checked.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        let note = std::fs::read_to_string(self.audit().join("checkpoint")).ok()?;
        Some(Checkpoint::open(&note, self.key().public()).unwrap().0)
    }

    pub fn cosigned(&self) -> Option<Checkpoint> {
        let note = std::fs::read_to_string(self.audit().join(COSIGNED)).ok()?;
        let (checkpoint, note) = Checkpoint::open(&note, self.key().public()).unwrap();
        note.verify(self.witness_key().public()).unwrap();
        Some(checkpoint)
    }

    pub fn status(&self) -> Status {
        Status::read(&self.audit()).unwrap_or_default()
    }

    pub fn public_key(&self) -> VerifierKey {
        let text = std::fs::read_to_string(self.audit().join(PUBLIC_KEY)).unwrap();
        VerifierKey::parse(text.trim_end()).unwrap()
    }

    /// Waits until the newest checkpoint covers `position`.
    pub async fn sealed(&self, position: Position) -> Checkpoint {
        until("it is sealed", || {
            (self.status().position >= position.as_u64()).then(|| self.checkpoint().unwrap())
        })
        .await
    }
}

/// A guard against hanging, not a measure.
pub async fn until<T>(what: &str, mut is: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = is() {
            return value;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn event() -> NewEvent {
    let id = Uuid::new_v4();
    NewEvent {
        id,
        event_type: "PlatformStoodDown",
        schema_version: 1,
        occurred_at: Timestamp(1_795_341_600_000_000_000),
        actor: "asha".into(),
        request_id: id,
        correlation_id: id,
        trace_id: None,
        epoch: 1,
        body: format!("{{\"epoch\":1,\"reason\":\"{id} — ठीक है\"}}").into_bytes(),
    }
}
