//! SierraDB: its server over RESP3, and its engine in our process, which it offers as an embedded store.
//!
//! A stream has versions from 0 and lies in a partition by its name's hash; there is no order over partitions. An append is answered after
//! `fdatasync` of its bucket's segment (seglog, `Writer::sync`), which comes after so many events, bytes or milliseconds as configured.

use crate::event::{Event, FILLED_STREAM_EVENTS, TYPE, stream};
use crate::resp::Resp;
use crate::server::{free_port, spawn, wait_for_port};
use anyhow::{Context, Result, bail};
use redis_protocol::resp3::types::{BytesFrame, Resp3Frame};
use sierradb::bucket::segment::CommittedEvents;
use sierradb::database::{Database, DatabaseBuilder, ExpectedVersion, NewEvent, Transaction};
use sierradb::id::{NAMESPACE_PARTITION_KEY, uuid_to_partition_hash, uuid_v7_with_partition_hash};
use sierradb::{IterDirection, StreamId};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use uuid::Uuid;

/// SierraDB's default.
const PARTITIONS: u16 = 32;
/// Events of one read.
const CHUNK: usize = 250;
/// Who fill the log at once.
const FILLERS: usize = 64;
/// Guard against events that are never seen.
const SEEN_PATIENCE: Duration = Duration::from_secs(15);
const SEEN_POLL: Duration = Duration::from_millis(200);

/// What an operator may set, and what changes the speed.
#[derive(Debug, Clone, Copy)]
pub struct SierradbTuning {
    pub buckets: u16,
    pub sync_ms: u64,
    pub sync_events: usize,
    pub sync_bytes: usize,
}

pub struct Sierradb {
    port: u16,
    _server: Child,
}

impl Sierradb {
    pub async fn start(folder: &Path, programs: &Path, tuning: SierradbTuning) -> Result<Self> {
        let (port, log, config) = (
            free_port()?,
            folder.join("server.log"),
            folder.join("sierra.toml"),
        );
        std::fs::write(&config, toml(folder, port, tuning))?;
        let mut command = Command::new(programs.join("sierradb"));
        command.arg("--config").arg(&config).args(["--log", "warn"]);
        let mut server = spawn(command, &log)?;
        wait_for_port(&mut server, port, &log).await?;
        Ok(Sierradb {
            port,
            _server: server,
        })
    }

    pub async fn client(&self) -> Result<SierradbClient> {
        Ok(SierradbClient {
            connection: Resp::connect(self.port).await?,
        })
    }

    /// One transaction for each stream: a reader takes a transaction as a whole, and longer ones slow it down.
    pub async fn fill(&self, events: usize) -> Result<()> {
        let mut fillers = JoinSet::new();
        for filler in 0..FILLERS {
            let mut connection = Resp::connect(self.port).await?;
            fillers.spawn(async move {
                for number in (filler..events / FILLED_STREAM_EVENTS).step_by(FILLERS) {
                    let (name, key) = (stream(number), partition_key(&stream(number)).to_string());
                    let bodies = [(); FILLED_STREAM_EVENTS].map(|()| Event::new().body);
                    let versions: Vec<_> = (1..).map(expected_text).take(bodies.len()).collect();
                    let mut call: Vec<&[u8]> = vec![b"EMAPPEND", key.as_bytes()];
                    for (version, body) in versions.iter().zip(&bodies) {
                        let words = [&name, TYPE, "EXPECTED_VERSION", version, "PAYLOAD"];
                        call.extend(words.map(str::as_bytes));
                        call.push(body);
                    }
                    connection.call(&call).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = fillers.join_next().await {
            done??;
        }
        // Its reader sees an event a while after its writer was answered.
        let began = Instant::now();
        while self.replay().await? < events && began.elapsed() < SEEN_PATIENCE {
            tokio::time::sleep(SEEN_POLL).await;
        }
        Ok(())
    }

    /// One partition after the other: there is no order between them.
    pub async fn replay(&self) -> Result<usize> {
        let mut connection = Resp::connect(self.port).await?;
        let (count, mut events) = (CHUNK.to_string(), 0);
        for partition in 0..PARTITIONS {
            let (partition, mut from) = (partition.to_string(), 0);
            loop {
                let first = from.to_string();
                let scan = ["EPSCAN", &partition, &first, "+", "COUNT", &count];
                let page = connection.call(&scan.map(str::as_bytes)).await?;
                let read = events_of(&std::hint::black_box(page))?;
                if read == 0 {
                    break;
                }
                from += read;
                events += read;
            }
        }
        Ok(events)
    }
}

pub struct SierradbClient {
    connection: Resp,
}

impl SierradbClient {
    pub async fn append(&mut self, stream: &str, version: u64, event: Event) -> Result<()> {
        let expected = expected_text(version);
        let call: [&[u8]; 7] = [
            b"EAPPEND",
            stream.as_bytes(),
            TYPE.as_bytes(),
            b"EXPECTED_VERSION",
            expected.as_bytes(),
            b"PAYLOAD",
            &event.body,
        ];
        self.connection.call(&call).await?;
        Ok(())
    }
}

pub struct SierradbInProcess {
    database: Database,
}

impl SierradbInProcess {
    pub fn start(folder: &Path, tuning: SierradbTuning) -> Result<Self> {
        let database = DatabaseBuilder::new()
            .total_buckets(tuning.buckets)
            .bucket_ids_from_range(0..tuning.buckets)
            .writer_threads(tuning.buckets)
            .sync_interval(Duration::from_millis(tuning.sync_ms))
            // As its server derives it.
            .sync_idle_interval(Duration::from_millis(tuning.sync_ms * 10))
            .max_batch_size(tuning.sync_events)
            .min_sync_bytes(tuning.sync_bytes)
            .open(folder)?;
        Ok(SierradbInProcess { database })
    }

    pub fn client(&self) -> SierradbInProcessClient {
        SierradbInProcessClient {
            database: self.database.clone(),
        }
    }

    pub async fn fill(&self, events: usize) -> Result<()> {
        let mut fillers = JoinSet::new();
        for filler in 0..FILLERS {
            let database = self.database.clone();
            fillers.spawn(async move {
                for number in (filler..events / FILLED_STREAM_EVENTS).step_by(FILLERS) {
                    let name = stream(number);
                    let key = partition_key(&name);
                    let life = (1..=FILLED_STREAM_EVENTS as u64)
                        .map(|version| new_event(&name, key, version, Event::new()))
                        .collect::<Result<_>>()?;
                    let transaction = Transaction::new(key, partition_of(key), life)?;
                    database.append_events(transaction).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = fillers.join_next().await {
            done??;
        }
        Ok(())
    }

    pub async fn replay(&self) -> Result<usize> {
        let mut events = 0;
        for partition in 0..PARTITIONS {
            let forward = IterDirection::Forward;
            let mut iter = self.database.read_partition(partition, 0, forward).await?;
            while let Some(batch) = iter.next_batch(CHUNK).await? {
                for committed in std::hint::black_box(&batch) {
                    events += match committed {
                        CommittedEvents::Single(_) => 1,
                        CommittedEvents::Transaction { events, .. } => events.len(),
                    };
                }
            }
        }
        Ok(events)
    }
}

pub struct SierradbInProcessClient {
    database: Database,
}

impl SierradbInProcessClient {
    pub async fn append(&self, stream: &str, version: u64, event: Event) -> Result<()> {
        let key = partition_key(stream);
        let events = [new_event(stream, key, version, event)?];
        let transaction = Transaction::new(key, partition_of(key), events.into_iter().collect())?;
        self.database.append_events(transaction).await?;
        Ok(())
    }
}

fn new_event(stream: &str, key: Uuid, version: u64, event: Event) -> Result<NewEvent> {
    Ok(NewEvent {
        event_id: uuid_v7_with_partition_hash(uuid_to_partition_hash(key)),
        stream_id: StreamId::new(stream)?,
        stream_version: match version {
            1 => ExpectedVersion::Empty,
            next => ExpectedVersion::Exact(next - 2),
        },
        event_name: TYPE.into(),
        timestamp: SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64,
        metadata: Vec::new(),
        payload: event.body,
    })
}

fn partition_key(stream: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE_PARTITION_KEY, stream.as_bytes())
}

fn partition_of(key: Uuid) -> u16 {
    uuid_to_partition_hash(key) % PARTITIONS
}

/// What SierraDB expects before our version `version`.
fn expected_text(version: u64) -> String {
    match version {
        1 => "empty".into(),
        next => (next - 2).to_string(),
    }
}

fn events_of(page: &BytesFrame) -> Result<usize> {
    let BytesFrame::Map { data, .. } = page else {
        bail!("sierradb answered a scan with {page:?}");
    };
    let events = data.iter().find_map(|(name, value)| {
        let is_events = name.as_str() == Some("events");
        match value {
            BytesFrame::Array { data, .. } if is_events => Some(data.len()),
            _ => None,
        }
    });
    events.context("sierradb answered a scan without events")
}

fn toml(folder: &Path, port: u16, tuning: SierradbTuning) -> String {
    let SierradbTuning {
        buckets,
        sync_ms,
        sync_events,
        sync_bytes,
    } = tuning;
    format!(
        "dir = {folder:?}\n\
         [network]\ncluster_enabled = false\nclient_address = \"127.0.0.1:{port}\"\n\
         [bucket]\ncount = {buckets}\n\
         [partition]\ncount = {PARTITIONS}\n\
         [threads]\nwrite = {buckets}\n\
         [sync]\ninterval_ms = {sync_ms}\nmax_batch_size = {sync_events}\nmin_bytes = {sync_bytes}\n"
    )
}
