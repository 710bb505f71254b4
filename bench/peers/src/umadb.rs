//! UmaDB: its server over gRPC with its own client, and its engine in our process (the writer thread that the server itself runs).
//!
//! A stream is a tag, and the version check is its append condition: fail if an event with the tag is behind the last one we know.
//! Its writer answers after `fdatasync` (umadb-core, `Mvcc::commit`), many requests to one.

use crate::event::{Event, FILL_BATCH, FILLED_STREAM_EVENTS, TYPE, stream};
use crate::server::{free_port, spawn, wait_for_port};
use anyhow::{Context, Result};
use rustc_hash::FxHashMap;
use std::path::Path;
use std::sync::Arc;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use umadb_client::{AsyncUmaDbClient, UmaDbClient};
use umadb_core::common::Position;
use umadb_core::db::read_conditional;
use umadb_core::mvcc::{Mvcc, StorageOptions};
use umadb_core::writer_thread_blocking::writer_thread_blocking;
use umadb_core::writer_thread_request::WriterThreadRequest;
use umadb_dcb::{
    DcbAppendCondition, DcbEvent, DcbEventStoreAsync, DcbQuery, DcbQueryItem, DcbResult,
};

/// Events of one read.
const CHUNK: u32 = 4_096;
/// As in UmaDB's server.
const QUEUE_REQUESTS: usize = 1_024;
const BATCH_EVENTS_MAX: usize = 2_048;

pub struct Umadb {
    clients: Vec<Arc<AsyncUmaDbClient>>,
    _server: Child,
}

impl Umadb {
    pub async fn start(
        folder: &Path,
        programs: &Path,
        connections: usize,
        flags: &[String],
    ) -> Result<Self> {
        let (port, log) = (free_port()?, folder.join("server.log"));
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new(programs.join("umadb"));
        command.args(["--listen", &address, "--db-path"]);
        command.arg(folder.join("uma.db")).args(flags);
        let mut server = spawn(command, &log)?;
        wait_for_port(&mut server, port, &log).await?;
        let mut clients = Vec::new();
        for _ in 0..connections {
            let client = UmaDbClient::new(format!("http://{address}")).batch_size(CHUNK);
            clients.push(Arc::new(client.connect_async().await?));
        }
        Ok(Umadb {
            clients,
            _server: server,
        })
    }

    pub fn client(&self, number: usize) -> UmadbClient {
        UmadbClient {
            client: self.clients[number % self.clients.len()].clone(),
            last: None,
        }
    }

    pub async fn fill(&self, events: usize) -> Result<()> {
        for batch in 0..events / FILL_BATCH {
            self.clients[0]
                .append(fill_batch(batch), None, None)
                .await?;
        }
        Ok(())
    }

    pub async fn replay(&self) -> Result<usize> {
        let mut response = self.clients[0].read(None, None, false, None).await?;
        let mut events = 0;
        loop {
            let batch = response.next_batch().await?;
            if batch.is_empty() {
                return Ok(events);
            }
            events += std::hint::black_box(&batch).len();
        }
    }
}

pub struct UmadbClient {
    client: Arc<AsyncUmaDbClient>,
    last: Option<u64>,
}

impl UmadbClient {
    pub async fn append(&mut self, stream: &str, event: Event) -> Result<()> {
        let (event, condition) = append_of(stream, self.last, event);
        let appended = self.client.append(vec![event], Some(condition), None).await;
        self.last = Some(appended.context("umadb")?);
        Ok(())
    }
}

pub struct UmadbInProcess {
    mvcc: Arc<Mvcc>,
    requests: mpsc::Sender<WriterThreadRequest>,
}

impl UmadbInProcess {
    pub fn start(folder: &Path) -> Result<Self> {
        let options = StorageOptions::default().db_path(folder.join("uma.db"));
        let mvcc = Arc::new(Mvcc::new(false, options)?);
        let (requests, queue) = mpsc::channel(QUEUE_REQUESTS);
        let (head, _) = watch::channel(None);
        let writer = mvcc.clone();
        std::thread::spawn(move || writer_thread_blocking(writer, queue, head, BATCH_EVENTS_MAX));
        Ok(UmadbInProcess { mvcc, requests })
    }

    pub fn client(&self) -> UmadbInProcessClient {
        UmadbInProcessClient {
            requests: self.requests.clone(),
            last: None,
        }
    }

    pub async fn fill(&self, events: usize) -> Result<()> {
        for batch in 0..events / FILL_BATCH {
            ask(&self.requests, fill_batch(batch), None).await?;
        }
        Ok(())
    }

    pub fn replay(&self) -> Result<usize> {
        let (mut from, mut events) = (None, 0);
        loop {
            let reader = self.mvcc.reader()?;
            let chunk = read_conditional(
                self.mvcc.as_ref(),
                &FxHashMap::default(),
                reader.events_tree_root_id,
                reader.tags_tree_root_id,
                DcbQuery::new(),
                from.map(Position),
                false,
                Some(CHUNK),
                false,
                None,
            )?;
            let Some(last) = chunk.last() else {
                return Ok(events);
            };
            from = Some(last.position + 1);
            events += std::hint::black_box(&chunk).len();
        }
    }
}

pub struct UmadbInProcessClient {
    requests: mpsc::Sender<WriterThreadRequest>,
    last: Option<u64>,
}

impl UmadbInProcessClient {
    pub async fn append(&mut self, stream: &str, event: Event) -> Result<()> {
        let (event, condition) = append_of(stream, self.last, event);
        self.last = Some(ask(&self.requests, vec![event], Some(condition)).await?);
        Ok(())
    }
}

async fn ask(
    requests: &mpsc::Sender<WriterThreadRequest>,
    events: Vec<DcbEvent>,
    condition: Option<DcbAppendCondition>,
) -> Result<u64> {
    let (response_tx, answered) = oneshot::channel::<DcbResult<u64>>();
    let request = WriterThreadRequest::Append {
        events,
        condition,
        tracking_info: None,
        response_tx,
        cancel: None,
    };
    let gone = "umadb's writer thread ended";
    requests.send(request).await.ok().context(gone)?;
    answered.await.context(gone)?.context("umadb in process")
}

fn append_of(stream: &str, last: Option<u64>, event: Event) -> (DcbEvent, DcbAppendCondition) {
    let of_stream = DcbQuery::new().item(DcbQueryItem::new().tags([stream]));
    (
        dcb_event(stream, event),
        DcbAppendCondition::new(of_stream).after(last),
    )
}

fn fill_batch(batch: usize) -> Vec<DcbEvent> {
    (batch * FILL_BATCH..(batch + 1) * FILL_BATCH)
        .map(|number| dcb_event(&stream(number / FILLED_STREAM_EVENTS), Event::new()))
        .collect()
}

fn dcb_event(stream: &str, event: Event) -> DcbEvent {
    DcbEvent::new()
        .event_type(TYPE)
        .tags([stream])
        .uuid(event.id)
        .data(event.body)
}
