//! Append sessions: bidirectional streams on which any number of appends are on their way at once.
//!
//! The crate's single append costs 40 ms (it has no TCP_NODELAY) and its batch session dies of the first append that is refused, with
//! the fate of all others on it unknown. So there are a few of them, one that failed is dropped, and whoever was on it asks again:
//! same ids, same concrete expected revision, which KurrentDB answers as the first time.

use super::clients::{Clients, Live, one_line};
use kurrentdb::{
    BatchAppendClient, BatchAppendOptions, BatchWriteResult, Error, EventData, StreamState,
};
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

/// Sessions at once: a conflict makes a quarter of what is on its way ask again.
const SESSIONS: usize = 4;
/// What the client says to everybody whose append was on a session that another's refusal ended. Such a session says nothing of the
/// connection below it.
const SESSION_CLOSED: &str = "Batch-append stream has been closed";

#[derive(Debug, Default)]
pub(super) struct Sessions {
    slots: [Mutex<Option<Arc<Session>>>; SESSIONS],
}

struct Session {
    batch: BatchAppendClient,
    live: Arc<Live>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session")
    }
}

/// What became of one try.
#[derive(Debug)]
pub(super) enum Tried {
    Done(BatchWriteResult),
    /// The stream is not at the expected revision.
    Conflict,
    /// The server will not have it, now or later.
    Refused(Refusal),
    /// It may have been appended or not.
    Ambiguous(String),
    /// Nothing was sent.
    NotSent(String),
}

#[derive(Debug)]
pub(super) enum Refusal {
    TooLarge,
    Closed(String),
}

impl Sessions {
    /// One try, on one of the sessions; another `turn` takes another.
    pub(super) async fn append(
        &self,
        clients: &Clients,
        turn: usize,
        stream: &str,
        expected: StreamState,
        events: Vec<EventData>,
        until: Instant,
    ) -> Tried {
        let slot = &self.slots[turn % SESSIONS];
        let session = match open(slot, clients, until).await {
            Ok(session) => session,
            Err(reason) => return Tried::NotSent(reason),
        };
        let call = timeout(
            clients.address().call_max(),
            session.batch.append_to_stream(stream, expected, events),
        );
        let answer = call.await;
        if !matches!(answer, Ok(Ok(_))) {
            let mut held = slot.lock().await;
            if held
                .as_ref()
                .is_some_and(|held| Arc::ptr_eq(held, &session))
            {
                *held = None;
            }
        }
        match answer {
            Ok(Ok(written)) => Tried::Done(written),
            Ok(Err(error)) => tried(clients, &session.live, &error),
            Err(_) => {
                // A session that hangs says nothing of the others, but a connection that is gone looks the same.
                clients.lost(&session.live, None);
                Tried::Ambiguous("the server did not answer in time".to_owned())
            }
        }
    }
}

async fn open(
    slot: &Mutex<Option<Arc<Session>>>,
    clients: &Clients,
    until: Instant,
) -> Result<Arc<Session>, String> {
    let late = || "no session could be opened in time".to_owned();
    let mut held = timeout_at(until, slot.lock()).await.map_err(|_| late())?;
    if let Some(session) = held.as_ref() {
        return Ok(session.clone());
    }
    let live = clients
        .live(until)
        .await
        .map_err(|error| error.to_string())?;
    let options = BatchAppendOptions::default().requires_leader(true);
    let opening = timeout(
        clients.address().call_max(),
        live.client.batch_append(&options),
    );
    match opening.await {
        Ok(Ok(batch)) => {
            let session = Arc::new(Session { batch, live });
            *held = Some(session.clone());
            Ok(session)
        }
        Ok(Err(error)) => {
            clients.lost(&live, Some(&error));
            Err(clients.explain(&error).to_string())
        }
        Err(_) => {
            clients.lost(&live, None);
            Err(late())
        }
    }
}

fn tried(clients: &Clients, live: &Arc<Live>, error: &Error) -> Tried {
    let text = one_line(&error.to_string());
    match error {
        Error::WrongExpectedVersion { .. } => Tried::Conflict,
        Error::Grpc { code, message } => {
            let code = *code as i32;
            match code {
                // As `google.rpc.Code` has them, in the answer to this one append.
                6 => Tried::Conflict,
                3 if message.contains("Maximum") => Tried::Refused(Refusal::TooLarge),
                3 | 9 | 12 => Tried::Refused(Refusal::Closed(text)),
                5 => Tried::Refused(Refusal::Closed("the stream was deleted".to_owned())),
                7 | 16 => Tried::Refused(Refusal::Closed(format!(
                    "the server denies it: {}",
                    one_line(message)
                ))),
                _ => Tried::Ambiguous(text),
            }
        }
        Error::AccessDenied => Tried::Refused(Refusal::Closed("the server denies it".to_owned())),
        Error::UnsupportedFeature => Tried::Refused(Refusal::Closed(
            "the server takes no batch appends".to_owned(),
        )),
        Error::ServerError(reason) if reason.contains(SESSION_CLOSED) => Tried::Ambiguous(text),
        // Said to everybody on the session, whose appends were not all looked at.
        Error::ServerError(_)
        | Error::NotLeaderException(_)
        | Error::ConnectionClosed
        | Error::GrpcConnectionError(_)
        | Error::DeadlineExceeded
        | Error::ResourceAlreadyExists
        | Error::ResourceNotFound
        | Error::ResourceDeleted
        | Error::InternalParsingError(_)
        | Error::InternalClientError
        | Error::InitializationError(_)
        | Error::IllegalStateError(_) => {
            clients.lost(live, Some(error));
            Tried::Ambiguous(text)
        }
    }
}
