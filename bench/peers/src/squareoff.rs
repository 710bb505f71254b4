//! Our own log: embedded.

use crate::event::{Event, FILL_BATCH, FILLED_STREAM_EVENTS, TYPE, stream};
use anyhow::{Context, Result};
use squareoff_domain::Timestamp;
use squareoff_store::{EventStore, NewEvent, Position};
use std::path::Path;
use tokio::task::JoinSet;
use uuid::Uuid;

/// Events of one read.
const CHUNK: usize = 4_096;

pub struct Squareoff {
    store: EventStore,
}

impl Squareoff {
    pub fn start(folder: &Path) -> Result<Self> {
        Ok(Squareoff {
            store: EventStore::open(folder)?,
        })
    }

    pub fn client(&self) -> SquareoffClient {
        SquareoffClient {
            store: self.store.clone(),
        }
    }

    pub async fn fill(&self, events: usize) -> Result<()> {
        let streams = events / FILLED_STREAM_EVENTS;
        for batch in 0..streams.div_ceil(FILL_BATCH) {
            let mut appends = JoinSet::new();
            for number in batch * FILL_BATCH..streams.min((batch + 1) * FILL_BATCH) {
                let store = self.store.clone();
                let life = (0..FILLED_STREAM_EVENTS).map(|_| new_event(Event::new()));
                let life: Vec<_> = life.collect();
                appends.spawn(async move { store.append(&stream(number), 0, life).await });
            }
            while let Some(done) = appends.join_next().await {
                done??;
            }
        }
        Ok(())
    }

    pub async fn replay(&self) -> Result<usize> {
        let (mut after, mut events) = (Position::START, 0);
        loop {
            let chunk = self.store.read_all(after, CHUNK).await?;
            let Some(last) = chunk.last() else {
                return Ok(events);
            };
            after = last.position;
            events += std::hint::black_box(&chunk).len();
        }
    }
}

pub struct SquareoffClient {
    store: EventStore,
}

impl SquareoffClient {
    pub async fn append(&self, stream: &str, version: u64, event: Event) -> Result<()> {
        let appended = self
            .store
            .append(stream, version - 1, vec![new_event(event)])
            .await;
        appended.map(|_| ()).context("squareoff")
    }
}

fn new_event(event: Event) -> NewEvent {
    NewEvent {
        id: event.id,
        event_type: TYPE,
        schema_version: 1,
        occurred_at: Timestamp(0),
        actor: "bench".into(),
        request_id: event.id,
        correlation_id: Uuid::nil(),
        trace_id: None,
        epoch: 1,
        body: event.body,
    }
}
