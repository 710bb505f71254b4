//! What the disk and two cores could do at most: a preallocated file, records one behind the other, group commit. No store.
//!
//! It checks versions, checksums what it writes and answers after `fdatasync`; it has no index, no reader, no recovery, one process.

use crate::event::{Event, TYPE};
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Written full of zeros before the run, so that a sync has no blocks to allocate.
const SEGMENT_BYTES: u64 = 3 << 30;
/// As in our store.
const QUEUE_REQUESTS: usize = 4_096;
/// As in our store: a batch waits so long for those who were answered together.
const GATHER_PAUSE: Duration = Duration::from_micros(20);
const GATHER_PAUSES_MAX: usize = 2;

pub struct Segment {
    queue: mpsc::Sender<Request>,
}

struct Request {
    stream: String,
    version: u64,
    event: Event,
    answer: oneshot::Sender<bool>,
}

impl Segment {
    pub fn start(folder: &Path) -> Result<Self> {
        let mut file = File::create(folder.join("segment"))?;
        let zeros = vec![0; 4 << 20];
        for _ in 0..SEGMENT_BYTES / zeros.len() as u64 {
            file.write_all(&zeros)?;
        }
        file.sync_all()?;
        let (queue, requests) = mpsc::channel(QUEUE_REQUESTS);
        std::thread::spawn(move || write(&file, requests));
        Ok(Segment { queue })
    }

    pub fn client(&self) -> SegmentClient {
        SegmentClient {
            queue: self.queue.clone(),
        }
    }
}

pub struct SegmentClient {
    queue: mpsc::Sender<Request>,
}

impl SegmentClient {
    pub async fn append(&self, stream: &str, version: u64, event: Event) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        let request = Request {
            stream: stream.to_owned(),
            version,
            event,
            answer,
        };
        let gone = "the segment's writer ended; is the segment full?";
        self.queue.send(request).await.ok().context(gone)?;
        let appended = answered.await.context(gone)?;
        appended.then_some(()).context("a wrong version")
    }
}

fn write(file: &File, mut requests: mpsc::Receiver<Request>) -> std::io::Result<()> {
    let mut versions: HashMap<String, u64> = HashMap::new();
    let (mut batch, mut bytes) = (Vec::new(), Vec::new());
    let (mut answers, mut end) = (Vec::new(), 0);
    let mut company = 0;
    while let Some(first) = requests.blocking_recv() {
        for _ in 0..GATHER_PAUSES_MAX {
            if requests.len() + 1 < company {
                std::thread::sleep(GATHER_PAUSE);
            }
        }
        batch.push(first);
        while batch.len() < QUEUE_REQUESTS {
            let Ok(request) = requests.try_recv() else {
                break;
            };
            batch.push(request);
        }
        company = batch.len();
        bytes.clear();
        for request in batch.drain(..) {
            let right = check(&mut versions, &request);
            if right {
                record(&mut bytes, &request);
            }
            answers.push((request.answer, right));
        }
        if end + bytes.len() as u64 > SEGMENT_BYTES {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        file.write_all_at(&bytes, end)?;
        file.sync_data()?;
        end += bytes.len() as u64;
        for (answer, right) in answers.drain(..) {
            let _ = answer.send(right);
        }
    }
    Ok(())
}

fn check(versions: &mut HashMap<String, u64>, request: &Request) -> bool {
    let Some(version) = versions.get_mut(&request.stream) else {
        versions.insert(request.stream.clone(), request.version);
        return request.version == 1;
    };
    let right = *version + 1 == request.version;
    if right {
        *version += 1;
    }
    right
}

fn record(bytes: &mut Vec<u8>, request: &Request) {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; 8]);
    for text in [request.stream.as_bytes(), TYPE.as_bytes()] {
        bytes.extend_from_slice(&(text.len() as u16).to_be_bytes());
        bytes.extend_from_slice(text);
    }
    bytes.extend_from_slice(&request.version.to_be_bytes());
    bytes.extend_from_slice(request.event.id.as_bytes());
    bytes.extend_from_slice(&request.event.body);
    let length = (bytes.len() - start - 8) as u32;
    let checksum = crc32fast::hash(&bytes[start + 8..]);
    bytes[start..start + 4].copy_from_slice(&length.to_be_bytes());
    bytes[start + 4..start + 8].copy_from_slice(&checksum.to_be_bytes());
}
