//! Append: one append of a call of its own. What an append does to the log is [`to_log`], a batch session's too.

use crate::faults::{self, Call};
use crate::position::place;
use crate::propose::{self, Expected};
use crate::refusal::Refusal;
use crate::service::Incoming;
use crate::wire::{
    AppendConflict, AppendContent, AppendReq, AppendResp, AppendResult, ConflictCurrent,
    ConflictExpected, OldCurrent, OldExpected, Success, SuccessPosition, SuccessRevision,
};
use squareoff_store::{
    APPEND_BYTES_MAX, APPEND_EVENTS_MAX, AppendError, Appended, EventStore, NewEvent, ReadError,
};
use tonic::{Status, Streaming};

/// Races that an append without an expected revision may lose before it says so.
const ATTEMPTS_MAX: usize = 100;
/// How far back a repeat of an append without an expected revision is recognised, in events of its stream.
const REPEAT_EVENTS_MAX: u64 = 1_024;

pub(crate) async fn append(
    incoming: Incoming,
    mut requests: Streaming<AppendReq>,
) -> Result<AppendResp, Status> {
    let first = requests.message().await?.and_then(|first| first.content);
    let Some(AppendContent::Options(options)) = first else {
        return Err(Status::invalid_argument(
            "an append begins with its options",
        ));
    };
    let refused = |refusal: Refusal| refusal.status();
    incoming.to_write().map_err(refused)?;
    let stream = options.stream_identifier.unwrap_or_default().stream_name;
    let stream = propose::stream(stream).map_err(refused)?;
    let expected = Expected::of(options.expected).map_err(refused)?;
    let mut gathered = Gathered::default();
    while let Some(request) = requests.message().await? {
        let Some(AppendContent::Proposed(message)) = request.content else {
            return Err(Status::invalid_argument("an append has its options once"));
        };
        let event = incoming.event(message).map_err(refused)?;
        gathered.add(event).map_err(refused)?;
    }
    let fault = incoming.shared.faults.take(Call::Append);
    faults::before(fault.as_ref(), &incoming.peer).await?;
    let answer = to_log(&incoming.shared.store, &stream, expected, gathered.events).await;
    faults::after(fault.as_ref(), &incoming.peer).await?;
    let result = match answer {
        Ok(success) => AppendResult::Success(success),
        Err(Refusal::Conflict {
            expected, version, ..
        }) => AppendResult::WrongExpectedVersion(conflict(expected, version)),
        Err(refusal) => return Err(refusal.status()),
    };
    Ok(AppendResp {
        result: Some(result),
    })
}

/// The events of an append on their way in, no more than the log takes.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) events: Vec<NewEvent>,
    bytes: usize,
}

impl Gathered {
    pub(crate) fn add(&mut self, event: NewEvent) -> Result<(), Refusal> {
        let too_large = |what: &str, limit| {
            Err(Refusal::TooLarge {
                what: what.to_owned(),
                limit,
            })
        };
        self.bytes += event.body.len();
        if self.bytes > APPEND_BYTES_MAX {
            return too_large("append in bytes", APPEND_BYTES_MAX);
        }
        if self.events.len() == APPEND_EVENTS_MAX {
            return too_large("append in events", APPEND_EVENTS_MAX);
        }
        self.events.push(event);
        Ok(())
    }
}

/// Appends, or answers as the first time.
pub(crate) async fn to_log(
    store: &EventStore,
    stream: &str,
    expected: Expected,
    events: Vec<NewEvent>,
) -> Result<Success, Refusal> {
    let refused = |error| Refusal::of_append(error, expected);
    if events.is_empty() {
        return nothing(store, stream, expected).await;
    }
    match expected {
        Expected::At(version) => match store.append(stream, version, events).await {
            Ok(appended) => Ok(success(appended)),
            // KurrentDB knows one kind of conflict. Whoever gets it reads what stands there.
            Err(AppendError::EventIdReused { .. }) => Err(Refusal::Conflict {
                stream: stream.to_owned(),
                expected,
                version: store.stream_version(stream).await?,
            }),
            Err(error) => Err(refused(error)),
        },
        Expected::Any | Expected::Exists => {
            let mut version = store.stream_version(stream).await?;
            for _ in 0..ATTEMPTS_MAX {
                if expected == Expected::Exists && version == 0 {
                    break;
                }
                let at = repeat_of(store, stream, version, &events).await?;
                match store
                    .append(stream, at.unwrap_or(version), events.clone())
                    .await
                {
                    Ok(appended) => return Ok(success(appended)),
                    Err(AppendError::WrongVersion { actual, .. }) if at.is_none() => {
                        version = actual;
                    }
                    Err(error) => return Err(refused(error)),
                }
            }
            Err(Refusal::Conflict {
                stream: stream.to_owned(),
                expected,
                version,
            })
        }
    }
}

/// An append of nothing is a question for the version.
async fn nothing(store: &EventStore, stream: &str, expected: Expected) -> Result<Success, Refusal> {
    let version = store.stream_version(stream).await?;
    let stands = match expected {
        Expected::Any => true,
        Expected::Exists => version > 0,
        Expected::At(expected) => version == expected,
    };
    if !stands {
        return Err(Refusal::Conflict {
            stream: stream.to_owned(),
            expected,
            version,
        });
    }
    Ok(Success {
        current: Some(match version.checked_sub(1) {
            Some(revision) => SuccessRevision::Revision(revision),
            None => SuccessRevision::NoStream(()),
        }),
        position: Some(SuccessPosition::NoPosition(())),
    })
}

/// The version before the events, when they stand in the stream's tail already.
async fn repeat_of(
    store: &EventStore,
    stream: &str,
    version: u64,
    events: &[NewEvent],
) -> Result<Option<u64>, ReadError> {
    let from = version.saturating_sub(REPEAT_EVENTS_MAX) + 1;
    let mut next = from;
    while next <= version {
        let page = store
            .read_stream(stream, next, REPEAT_EVENTS_MAX as usize)
            .await?;
        let Some(last) = page.last() else { break };
        next = last.version + 1;
        if let Some(there) = page.iter().find(|there| there.id == events[0].id) {
            return Ok(Some(there.version - 1));
        }
    }
    Ok(None)
}

fn success(appended: Appended) -> Success {
    Success {
        current: Some(SuccessRevision::Revision(appended.last_version - 1)),
        position: Some(SuccessPosition::Position(place(appended.position))),
    }
}

fn conflict(expected: Expected, version: u64) -> AppendConflict {
    let (old_expected, expected) = match expected {
        Expected::Any => (OldExpected::Any(()), ConflictExpected::Any(())),
        Expected::Exists => (
            OldExpected::StreamExists(()),
            ConflictExpected::StreamExists(()),
        ),
        Expected::At(0) => (
            OldExpected::Revision(u64::MAX),
            ConflictExpected::NoStream(()),
        ),
        Expected::At(version) => (
            OldExpected::Revision(version - 1),
            ConflictExpected::Revision(version - 1),
        ),
    };
    let (old_current, current) = match version.checked_sub(1) {
        Some(revision) => (
            OldCurrent::Revision(revision),
            ConflictCurrent::Revision(revision),
        ),
        None => (OldCurrent::NoStream(()), ConflictCurrent::NoStream(())),
    };
    AppendConflict {
        old_current: Some(old_current),
        old_expected: Some(old_expected),
        current: Some(current),
        expected: Some(expected),
    }
}
