//! A log and a key store in a temporary folder, with three clients.

use squareoff_domain::client::{
    self, Client, ClientReport, ClientState, IdentityField, client_stream,
};
use squareoff_domain::{ClientCode, Timestamp};
use squareoff_identity::{
    KeyStore, Line, MasterKeySource, PlainIdentity, Recorded, RecordedBy, Vault, client_streams,
};
use squareoff_store::{Caller, EventStore, Position, StoredEvent, Streams};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use uuid::Uuid;

pub const NOW: Timestamp = Timestamp(1_795_000_000_000_000_000);
pub const WHY: &str = "asked by letter";

pub fn code(number: u32) -> ClientCode {
    format!("C{number:05}").parse().unwrap()
}

pub fn pan(number: u32) -> String {
    format!("AAAPZ{number:04}Z")
}

/// As the client master tells of client `number`.
pub fn line(number: u32) -> Line {
    let mut identity = PlainIdentity::default();
    identity.set(IdentityField::Name, format!("Asha{number} Namuna"));
    identity.set(IdentityField::Pan, pan(number));
    identity.set(IdentityField::Email, format!("c{number}@example.com"));
    identity.set(IdentityField::Phone, format!("+91 00000 {number:05}"));
    Line {
        client: code(number),
        identity,
    }
}

pub fn caller() -> Caller {
    Caller {
        actor: "desk-asha".into(),
        request_id: Uuid::now_v7(),
        correlation_id: Uuid::nil(),
        epoch: 1,
        now: NOW,
    }
}

pub struct World {
    pub folder: tempfile::TempDir,
    pub store: EventStore,
    pub vault: Vault,
    pub streams: Streams<ClientState>,
}

impl World {
    /// Clients 1 to 3 are registered and their identities recorded.
    pub async fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let store = EventStore::open(&folder.path().join("log")).unwrap();
        let world = World {
            vault: vault(folder.path()),
            streams: client_streams(&store),
            store,
            folder,
        };
        for number in 1..=3 {
            world.register(number).await;
        }
        let recorded = world.record(&[line(1), line(2), line(3)]).await;
        assert_eq!((recorded.recorded, recorded.anew), (3, 0));
        world
    }

    pub async fn register(&self, number: u32) {
        let client = Client {
            client: code(number),
            category: "retail".into(),
            branch: "MUM-01".into(),
            segments: vec![],
        };
        let decide = |state: &ClientState| {
            let report = ClientReport::Registered(client.clone());
            Ok::<_, Infallible>((client::record(state, report), ()))
        };
        let stream = client_stream(&code(number));
        self.streams
            .transact(&stream, &caller(), decide)
            .await
            .unwrap();
    }

    pub async fn record(&self, lines: &[Line]) -> Recorded {
        let by = RecordedBy {
            actor: "operator".into(),
            epoch: 1,
            now: NOW,
            source: "2026-11-20/0011223344556677".into(),
        };
        self.vault.record(&self.store, lines, &by).await.unwrap()
    }

    pub async fn state(&self, number: u32) -> ClientState {
        let loaded = self.streams.load(&client_stream(&code(number))).await;
        (*loaded.unwrap().state).clone()
    }

    pub async fn log(&self) -> Vec<StoredEvent> {
        self.store.read_all(Position::START, 10_000).await.unwrap()
    }

    pub async fn types(&self, number: u32) -> Vec<String> {
        let stream = client_stream(&code(number));
        let events = self.store.read_stream(&stream, 1, 100).await.unwrap();
        events
            .iter()
            .map(|event| event.event_type.to_string())
            .collect()
    }

    /// The text of a field, through a reveal.
    pub async fn reveal(&self, number: u32) -> Result<PlainIdentity, String> {
        self.vault
            .reveal(&self.streams, &code(number), WHY, &caller())
            .await
            .map(|revealed| revealed.identity)
            .map_err(|error| error.to_string())
    }

    pub async fn erase(&self, number: u32) {
        self.vault
            .erase(&self.streams, &code(number), WHY, &caller())
            .await
            .unwrap();
    }

    pub fn find(&self, number: u32) -> Vec<ClientCode> {
        self.vault.find(&pan(number).into()).unwrap()
    }

    /// Files of the key store that hold the client's code, and so a slot of it.
    pub fn files_with(&self, number: u32) -> Vec<PathBuf> {
        let (mut found, needle) = (vec![], code(number));
        let keys = self.folder.path().join("keys");
        for folder in [keys.clone(), keys.join("backup")] {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let needle = needle.as_str().as_bytes();
                let holds = |bytes: Vec<u8>| bytes.windows(needle.len()).any(|part| part == needle);
                if path.is_file() && std::fs::read(&path).is_ok_and(holds) {
                    found.push(path);
                }
            }
        }
        found
    }
}

pub fn vault(folder: &Path) -> Vault {
    let keys = folder.join("keys");
    let store = KeyStore::open(&keys, &keys.join("backup")).unwrap();
    let master = MasterKeySource::FileMadeOnce(folder.join("master.key"));
    Vault::new(store, master)
}
