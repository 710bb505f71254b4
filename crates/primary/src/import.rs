//! Records a book in the event log: contracts, then clients, then positions; and, when all are there, with the platform that they are.
//!
//! Called by the operator's shell at the beginning of the day, before the platform is activated.
//!
//! 1. The same book again appends nothing; a half-done import is completed by doing it again, from the same or another process.
//! 2. A position told differently than before is a contradiction in its stream, never a change of what was loaded.
//! 3. Positions come last: none is in the log without its contract and client.
//! 4. Identities are not imported here: whoever has the keys encrypts and records them (`squareoff-identity`).
//!
//! It does not judge the book ([`read`](crate::read()) did) and removes nothing that an earlier book had.

use crate::book::Book;
use futures::{StreamExt, TryStreamExt, stream};
use squareoff_domain::client::{self, ClientReport, ClientState, client_stream};
use squareoff_domain::platform::{self, BookLoaded, Platform, PlatformReport};
use squareoff_domain::position::{self, Position, PositionEvent, Report};
use squareoff_domain::reference::{ContractList, contracts_stream};
use squareoff_domain::{Client, Contract, Timestamp, Venue};
use squareoff_store::{
    APPEND_EVENTS_MAX, Aggregate, Caller, EventStore, LoadError, Streams, TransactError,
};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use thiserror::Error;
use uuid::{Uuid, uuid};

/// Appends on their way at once: enough that a durable commit is shared by hundreds, an eighth of what the log queues, so that
/// others still get in.
pub const IN_FLIGHT_MAX: usize = 512;
/// Contracts of one append: the log's limit, less some air.
const CONTRACTS_PER_APPEND: usize = APPEND_EVENTS_MAX - 24;
const _: () = assert!(CONTRACTS_PER_APPEND > 0);
/// Under which the ids of our requests are made. Any fixed UUID will do; this one is for ever.
const REQUESTS: Uuid = uuid!("6b1f6f0e-6a57-4a43-9d0c-6c2f1b0a7f51");

/// Who imports, and when: the envelope of the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedBy {
    pub actor: Arc<str>,
    /// Activation of the platform; 0 before the first.
    pub epoch: u32,
    pub now: Timestamp,
}

/// What became of a book. `contracts`, `clients` and `positions` are its lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportReport {
    pub contracts: usize,
    pub clients: usize,
    pub positions: usize,
    /// Of its lines.
    pub events_appended: usize,
    /// Lines that the log knew already.
    pub unchanged: usize,
    /// Positions that the log knew otherwise: see their streams.
    pub contradicted: usize,
}

/// The stream that could not be recorded, and why. What was appended before stands; the same import again goes on behind it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("stream {stream} could not be recorded: {error}")]
pub struct ImportError {
    pub stream: String,
    #[source]
    pub error: TransactError<Infallible>,
}

/// # Errors
/// [`ImportError`] of the first stream that failed; those beside it may have been recorded.
pub async fn import(
    store: &EventStore,
    book: &Book,
    by: &ImportedBy,
) -> Result<ImportReport, ImportError> {
    let mut report = ImportReport {
        contracts: book.contracts.len(),
        clients: book.clients.len(),
        positions: book.positions.len(),
        ..ImportReport::default()
    };
    let contracts = Streams::<ContractList>::new(store.clone());
    // One at a time: they are the appends of a few streams, each of up to a thousand events.
    for (stream, part) in contract_parts(book) {
        let recorded = contract_part(&contracts, &stream, part, book, by).await?;
        report.add(recorded);
    }
    let clients = Streams::<ClientState>::new(store.clone());
    let each = book
        .clients
        .iter()
        .map(|line| registered(&clients, &line.client, book, by));
    report.add(all(each).await?);
    let positions = Streams::<Position>::new(store.clone());
    let each = book
        .positions
        .iter()
        .map(|line| bod(&positions, line, book, by));
    report.add(all(each).await?);
    loaded(store, book, by).await?;
    tracing::info!(
        actor = %by.actor,
        trading_date = %book.trading_date,
        contracts = report.contracts,
        clients = report.clients,
        positions = report.positions,
        events_appended = report.events_appended,
        unchanged = report.unchanged,
        contradicted = report.contradicted,
        "beginning-of-day book imported"
    );
    Ok(report)
}

/// Tells the platform, which is not activated for a day without its book.
async fn loaded(store: &EventStore, book: &Book, by: &ImportedBy) -> Result<(), ImportError> {
    let count = |lines: usize| u64::try_from(lines).unwrap_or(u64::MAX);
    let versions = &book.versions;
    let source = [&versions.contracts, &versions.clients, &versions.positions];
    let told = BookLoaded {
        trading_date: book.trading_date,
        contracts: count(book.contracts.len()),
        clients: count(book.clients.len()),
        positions: count(book.positions.len()),
        source: source.map(String::as_str).join(" "),
    };
    let platform = Streams::<Platform>::new(store.clone());
    let caller = caller_at(&platform, platform::STREAM, &told.source, by).await?;
    record(&platform, platform::STREAM, &caller, |platform| {
        platform::record(platform, PlatformReport::Book(told.clone()))
    })
    .await?;
    Ok(())
}

/// What one or more lines came to.
#[derive(Debug, Clone, Copy, Default)]
struct Recorded {
    appended: usize,
    unchanged: usize,
    contradicted: usize,
}

impl Recorded {
    fn plus(self, other: Recorded) -> Recorded {
        Recorded {
            appended: self.appended + other.appended,
            unchanged: self.unchanged + other.unchanged,
            contradicted: self.contradicted + other.contradicted,
        }
    }
}

impl ImportReport {
    fn add(&mut self, recorded: Recorded) {
        self.events_appended += recorded.appended;
        self.unchanged += recorded.unchanged;
        self.contradicted += recorded.contradicted;
    }
}

/// Drives the lines, at most [`IN_FLIGHT_MAX`] at once.
async fn all<F>(lines: impl Iterator<Item = F>) -> Result<Recorded, ImportError>
where
    F: Future<Output = Result<Recorded, ImportError>>,
{
    stream::iter(lines)
        .buffer_unordered(IN_FLIGHT_MAX)
        .try_fold(Recorded::default(), async |sum, line| Ok(sum.plus(line)))
        .await
}

/// The contracts by stream, in parts that one append takes.
fn contract_parts(book: &Book) -> Vec<(String, Vec<Contract>)> {
    let mut venues: BTreeMap<Venue, Vec<Contract>> = BTreeMap::new();
    for line in &book.contracts {
        let contract = line.contract.clone();
        venues.entry(contract.venue).or_default().push(contract);
    }
    let mut parts = Vec::new();
    for (venue, contracts) in venues {
        let stream = contracts_stream(book.trading_date, venue);
        let chunks = contracts.chunks(CONTRACTS_PER_APPEND);
        parts.extend(chunks.map(|chunk| (stream.clone(), chunk.to_vec())));
    }
    parts
}

async fn contract_part(
    streams: &Streams<ContractList>,
    stream: &str,
    part: Vec<Contract>,
    book: &Book,
    by: &ImportedBy,
) -> Result<Recorded, ImportError> {
    let lines = part.len();
    let caller = caller_at(streams, stream, &book.versions.contracts, by).await?;
    let appended = record(streams, stream, &caller, |list| list.record(part.clone())).await?;
    Ok(Recorded {
        appended: appended.len(),
        unchanged: lines.saturating_sub(appended.len()),
        contradicted: 0,
    })
}

async fn registered(
    streams: &Streams<ClientState>,
    line: &Client,
    book: &Book,
    by: &ImportedBy,
) -> Result<Recorded, ImportError> {
    let stream = client_stream(&line.client);
    let caller = caller_at(streams, &stream, &book.versions.clients, by).await?;
    let appended = record(streams, &stream, &caller, |state| {
        client::record(state, ClientReport::Registered(line.clone()))
    })
    .await?;
    Ok(Recorded {
        appended: appended.len(),
        unchanged: usize::from(appended.is_empty()),
        contradicted: 0,
    })
}

async fn bod(
    streams: &Streams<Position>,
    line: &crate::PositionLine,
    book: &Book,
    by: &ImportedBy,
) -> Result<Recorded, ImportError> {
    let report = Report::Bod {
        key: line.key.clone(),
        quantity: line.net_quantity,
        average_price: line.average_price,
        source: book.versions.positions.clone(),
    };
    let stream = line.key.stream();
    // A position says each line once for ever, so file and stream alone name the request.
    let caller = caller(&stream, &book.versions.positions, 0, by);
    let appended = record(streams, &stream, &caller, |position| {
        position::record(position, &report)
    })
    .await?;
    let contradicts = |event: &PositionEvent| matches!(event, PositionEvent::BodContradicted(_));
    Ok(Recorded {
        appended: appended.len(),
        unchanged: usize::from(appended.is_empty()),
        contradicted: appended.iter().filter(|event| contradicts(event)).count(),
    })
}

/// What was appended: a fact can't be refused.
pub(crate) async fn record<A: Aggregate>(
    streams: &Streams<A>,
    stream: &str,
    caller: &Caller,
    events: impl Fn(&A) -> Vec<A::Event>,
) -> Result<Vec<A::Event>, ImportError>
where
    A::Event: Clone,
{
    let committed = streams
        .transact(stream, caller, |state| {
            let events = events(state);
            Ok::<_, Infallible>((events.clone(), events))
        })
        .await;
    let failed = |error| ImportError {
        stream: stream.to_owned(),
        error,
    };
    committed.map(|committed| committed.value).map_err(failed)
}

/// A master may go back to what an earlier file said, which is a new event: the version it comes behind tells the two requests apart.
async fn caller_at<A: Aggregate>(
    streams: &Streams<A>,
    stream: &str,
    file: &str,
    by: &ImportedBy,
) -> Result<Caller, ImportError> {
    let failed = |error: LoadError| ImportError {
        stream: stream.to_owned(),
        error: error.into(),
    };
    let loaded = streams.load(stream).await.map_err(failed)?;
    Ok(caller(stream, file, loaded.version, by))
}

/// The same file told to the same stream is the same request, whoever tells it and when.
pub(crate) fn caller(stream: &str, file: &str, version: u64, by: &ImportedBy) -> Caller {
    let name = format!("{file} {stream} {version}");
    Caller {
        actor: by.actor.clone(),
        request_id: Uuid::new_v5(&REQUESTS, name.as_bytes()),
        correlation_id: Uuid::new_v5(&REQUESTS, file.as_bytes()),
        epoch: by.epoch,
        now: by.now,
    }
}
