//! Reads, each asked again until it is answered or its time is over: reading is always safe.
//!
//! 1. A page that ends early is taken for the end only with a sign of it: a stream's last position, or in `$all` the event that stands
//!    at the position read from. Without one it was cut off, and is read again.
//! 2. Streams and types that begin with `$` are KurrentDB's own (metadata, links, statistics) and are passed over in the log's order.
//! 3. Any other event is given as it was appended or named: nothing that is not ours is guessed at.
//! 4. A position is the commit position. KurrentDB gives an event written by an append the same commit and prepare position; one of an
//!    explicit transaction, where several share a commit, has no place in our order and is refused by name. We write none.

use super::clients::{Clients, Live, one_line};
use crate::metadata::Metadata;
use crate::{Position, READ_BYTES_MAX, READ_EVENTS_MAX, ReadError, StoredEvent};
use kurrentdb::{
    Error, ReadAllOptions, ReadEvent, ReadStream, ReadStreamOptions, RecordedEvent, StreamPosition,
    SubscriptionFilter,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Between two tries.
const PAUSE_FIRST: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// Events a filtered read of `$all` looks at before it tells where it stands: the default of 32 makes a message of every few events.
const SEARCH_WINDOW: u32 = 4_096;

/// As `google.rpc.Code` has it.
const INVALID_ARGUMENT: i32 = 3;
/// Begins the reason when what was asked is wrong.
const WRONG: &str = "the server can't read that: ";

/// What to read. Revisions are KurrentDB's, from 0.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// From this position, with the event that stands there.
    All {
        from: Position,
    },
    AllEnd,
    Stream {
        stream: Arc<str>,
        revision: u64,
    },
    StreamEnd {
        stream: Arc<str>,
    },
}

/// Neither KurrentDB's own streams nor its own events.
pub(super) fn filter() -> SubscriptionFilter {
    SubscriptionFilter::on_stream_name()
        .exclude_system_events()
        .max(SEARCH_WINDOW)
}

/// At most `max` events and [`READ_BYTES_MAX`], asked again until `until`.
pub(super) async fn recorded(
    clients: &Clients,
    what: &What,
    max: usize,
    until: Instant,
) -> Result<Vec<RecordedEvent>, ReadError> {
    let mut pause = PAUSE_FIRST;
    loop {
        let (reason, lasting) = match checked(clients, what, max, until).await {
            Ok(events) => return Ok(events),
            Err(Failed { reason, lasting }) => (reason, lasting),
        };
        if lasting || Instant::now() + pause >= until {
            return Err(ReadError::Io { reason });
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Why a read was not answered.
struct Failed {
    reason: String,
    /// Asked again it would fail again.
    lasting: bool,
}

impl Failed {
    fn passing(reason: String) -> Self {
        let lasting = false;
        Failed { reason, lasting }
    }
}

/// One page, and whether it said that it ends where the stream does.
struct Page {
    events: Vec<RecordedEvent>,
    ends: bool,
}

async fn checked(
    clients: &Clients,
    what: &What,
    max: usize,
    until: Instant,
) -> Result<Vec<RecordedEvent>, Failed> {
    let Page { events, ends } = once(clients, what, max, until).await?;
    let cut_off = || Failed::passing("its answer was cut off".to_owned());
    match what {
        What::All { .. } | What::AllEnd => {}
        What::StreamEnd { .. } if events.is_empty() && !ends => return Err(cut_off()),
        What::StreamEnd { .. } => {}
        What::Stream { stream, revision } if !ends => {
            // An older server does not say where the stream ends: then its end is asked for.
            let stream = stream.clone();
            let end = once(clients, &What::StreamEnd { stream }, 1, until).await?;
            let read_to = events.last().map_or(*revision, |last| last.revision + 1);
            if end.events.last().is_some_and(|end| end.revision >= read_to) {
                return Err(cut_off());
            }
        }
        What::Stream { .. } => {}
    }
    Ok(events)
}

async fn once(clients: &Clients, what: &What, max: usize, until: Instant) -> Result<Page, Failed> {
    let live = clients
        .live(until)
        .await
        .map_err(|error| Failed::passing(error.to_string()))?;
    let call_max = clients.address().call_max();
    let late = |live: &Arc<Live>| {
        clients.lost(live, None);
        Failed::passing("the server did not answer in time".to_owned())
    };
    let failed = |live: &Arc<Live>, error: &Error| match error {
        Error::AccessDenied => Failed {
            reason: "the server denies this user to read it (`$all` is for `$admins` by default)"
                .to_owned(),
            lasting: true,
        },
        // What was asked is wrong, and not the connection: a position where no event stands, for one.
        Error::Grpc { code, message } if *code as i32 == INVALID_ARGUMENT => Failed {
            reason: format!("{WRONG}{}", one_line(message)),
            lasting: true,
        },
        _ => {
            clients.lost(live, Some(error));
            Failed::passing(one_line(&error.to_string()))
        }
    };
    let mut stream = match timeout(call_max, begin(&live, what, max)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(Error::ResourceNotFound)) => {
            let (events, ends) = (Vec::new(), true);
            return Ok(Page { events, ends });
        }
        Ok(Err(error)) => return Err(failed(&live, &error)),
        Err(_) => return Err(late(&live)),
    };
    let mut events = Vec::new();
    let mut bytes = 0;
    let mut ends = false;
    while events.len() < max && bytes < READ_BYTES_MAX {
        match timeout(call_max, stream.next_read_event()).await {
            Ok(Ok(Some(ReadEvent::Event(event)))) => {
                let Some(event) = event.event.filter(|_| event.link.is_none()) else {
                    continue;
                };
                let of_all = matches!(what, What::All { .. } | What::AllEnd);
                if of_all && is_system(&event) {
                    continue;
                }
                bytes += event.data.len() + event.custom_metadata.len();
                events.push(event);
            }
            Ok(Ok(Some(ReadEvent::LastStreamPosition(_)))) => ends = true,
            Ok(Ok(Some(
                ReadEvent::FirstStreamPosition(_) | ReadEvent::LastAllStreamPosition(_),
            ))) => {}
            Ok(Ok(None)) => break,
            Ok(Err(Error::ResourceNotFound)) => {
                ends = true;
                break;
            }
            Ok(Err(error)) => return Err(failed(&live, &error)),
            Err(_) => return Err(late(&live)),
        }
    }
    // A page that is full was cut off by us.
    ends |= events.len() == max || bytes >= READ_BYTES_MAX;
    Ok(Page { events, ends })
}

async fn begin(live: &Live, what: &What, max: usize) -> kurrentdb::Result<ReadStream> {
    match what {
        What::All { from } => {
            let from = match from.as_u64() {
                0 => StreamPosition::Start,
                at => StreamPosition::Position(kurrentdb::Position {
                    commit: at,
                    prepare: at,
                }),
            };
            let options = ReadAllOptions::default().position(from);
            all(live, options.max_count(max)).await
        }
        What::AllEnd => {
            let options = ReadAllOptions::default().position(StreamPosition::End);
            all(live, options.max_count(max)).await
        }
        What::Stream { stream, revision } => {
            let options =
                ReadStreamOptions::default().position(StreamPosition::Position(*revision));
            let options = options.requires_leader(true).max_count(max);
            live.client.read_stream(&**stream, &options).await
        }
        What::StreamEnd { stream } => {
            let options = ReadStreamOptions::default().position(StreamPosition::End);
            let options = options.requires_leader(true).max_count(1);
            live.client.read_stream(&**stream, &options).await
        }
    }
}

async fn all(live: &Live, options: ReadAllOptions) -> kurrentdb::Result<ReadStream> {
    let options = options.requires_leader(true).filter(filter());
    live.client.read_all(&options).await
}

fn is_system(event: &RecordedEvent) -> bool {
    event.stream_id().starts_with('$') || event.event_type.starts_with('$')
}

/// Whether the server says that no event stands where it was to read from.
pub(super) fn is_wrong(error: &ReadError) -> bool {
    matches!(error, ReadError::Io { reason } if reason.starts_with(WRONG))
}

/// At most as many as one read gives, and one more for the event that stands at the position read from.
pub(super) fn page(max: usize) -> usize {
    max.min(READ_EVENTS_MAX)
}

/// The events as they were appended.
///
/// # Errors
/// [`ReadError::NotOurs`] for the first that is none of ours; what stands before it is given up too.
pub(super) fn stored(events: &[RecordedEvent]) -> Result<Vec<StoredEvent>, ReadError> {
    let mut stored: Vec<StoredEvent> = Vec::with_capacity(events.len());
    for event in events {
        let event = to_stored(event, stored.last())?;
        stored.push(event);
    }
    Ok(stored)
}

/// Texts that `neighbour` has too are shared with it.
fn to_stored(
    event: &RecordedEvent,
    neighbour: Option<&StoredEvent>,
) -> Result<StoredEvent, ReadError> {
    let refuse = |reason: String| ReadError::NotOurs {
        stream: event.stream_id().to_owned(),
        version: event.revision.saturating_add(1),
        reason,
    };
    let metadata =
        Metadata::parse(&event.custom_metadata).map_err(|error| refuse(error.to_string()))?;
    let shared = |text: &str, same: Option<&Arc<str>>| -> Arc<str> {
        same.filter(|same| ***same == *text)
            .map_or_else(|| text.into(), Arc::clone)
    };
    Ok(StoredEvent {
        position: position(event).map_err(refuse)?,
        stream: shared(event.stream_id(), neighbour.map(|event| &event.stream)),
        version: event.revision.saturating_add(1),
        recorded_at: metadata.recorded_at,
        id: event.id,
        event_type: shared(&event.event_type, neighbour.map(|event| &event.event_type)),
        schema_version: metadata.schema_version,
        occurred_at: metadata.occurred_at,
        actor: shared(&metadata.actor, neighbour.map(|event| &event.actor)),
        request_id: metadata.request_id,
        correlation_id: metadata.correlation_id,
        trace_id: metadata.trace_id,
        epoch: metadata.epoch,
        previous: metadata.previous,
        body: event.data.to_vec(),
    })
}

/// See the module's fourth invariant.
pub(super) fn position(event: &RecordedEvent) -> Result<Position, String> {
    let kurrentdb::Position { commit, prepare } = event.position;
    if commit != prepare {
        return Err(format!(
            "it was written in an explicit transaction, at C:{commit}/P:{prepare}"
        ));
    }
    if commit == 0 || i64::try_from(commit).is_err() {
        return Err(format!("its position {commit} is none of ours"));
    }
    Ok(Position::from_u64(commit))
}
