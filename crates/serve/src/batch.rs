//! BatchAppend: a session in which a client sends appends without waiting, and is answered as each is durable.
//!
//! 1. Appends reach the log's queue in the order in which they were sent; none waits for another's answer.
//! 2. A refused append is answered by its own status and the session goes on; only that we are not the leader ends it.
//! 3. A session whose client reads no answers is read no further.

use crate::append::{Gathered, to_log};
use crate::faults::{self, Call, Cut, Fault};
use crate::propose::{self, Expected};
use crate::refusal::Refusal;
use crate::service::Incoming;
use crate::wire::{BatchAppendReq, BatchAppendResp, BatchResult, StreamIdentifier, Success, Uuid};
use futures::stream::{FuturesUnordered, Stream, StreamExt};
use std::collections::HashMap;
use tokio::sync::mpsc;
use tonic::{Status, Streaming};
use uuid::Uuid as Id;

/// Appends of one session under way. The log's own queue takes 4,096 of all callers.
pub(crate) const APPENDS_MAX: usize = 1_024;
/// Appends of one session that came in parts and are not whole. Each may hold 4 MiB.
const PARTS_MAX: usize = 16;
/// Answers that wait for the network.
const ANSWERS_MAX: usize = 256;

type Answer = Result<BatchAppendResp, Status>;

/// An append that is not whole yet.
#[derive(Debug)]
struct Part {
    stream: String,
    expected: Expected,
    gathered: Gathered,
}

pub(crate) fn batch(
    incoming: Incoming,
    requests: Streaming<BatchAppendReq>,
) -> impl Stream<Item = Answer> + Send + 'static {
    let (answers, answered) = mpsc::channel(ANSWERS_MAX);
    tokio::spawn(async move {
        let closed = answers.clone();
        tokio::select! {
            () = session(incoming, requests, answers) => {}
            // Appends that were begun go on in the log.
            () = closed.closed() => {}
        }
    });
    futures::stream::unfold(answered, |mut answered| async move {
        answered.recv().await.map(|answer| (answer, answered))
    })
}

async fn session(
    incoming: Incoming,
    mut requests: Streaming<BatchAppendReq>,
    answers: mpsc::Sender<Answer>,
) {
    let mut parts = HashMap::new();
    let mut under_way = FuturesUnordered::new();
    let mut open = true;
    let shared = incoming.shared.clone();
    let mut closing = std::pin::pin!(shared.closing());
    while open || !under_way.is_empty() {
        let answer = tokio::select! {
            biased;
            Some(answer) = under_way.next(), if !under_way.is_empty() => answer,
            request = requests.message(), if open && under_way.len() < APPENDS_MAX => match request {
                Err(_) | Ok(None) => {
                    open = false;
                    continue;
                }
                Ok(Some(request)) => {
                    let Some(append) = next(&incoming, &mut parts, request) else { continue };
                    under_way.push(append.answer(incoming.clone()));
                    continue;
                }
            },
            () = &mut closing => Err(crate::server::stopping().into()),
        };
        let sent = match answer {
            Ok(answer) => answers.send(Ok(answer)).await,
            Err(Cut::Status(status)) => {
                // The client is gone when it can't be told.
                let _ = answers.send(Err(*status)).await;
                return;
            }
            Err(Cut::End) => return,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// An append that is whole, or refused before it came to that.
struct Append {
    correlation_id: Option<Uuid>,
    stream: String,
    asked: Result<(Expected, Gathered), Refusal>,
    fault: Option<Fault>,
}

/// Takes in one message. `None`: more of its append is to come, or it was refused before.
fn next(
    incoming: &Incoming,
    parts: &mut HashMap<Id, Part>,
    request: BatchAppendReq,
) -> Option<Append> {
    let refused = |stream: String, refusal| Append {
        correlation_id: request.correlation_id.clone(),
        stream,
        asked: Err(refusal),
        fault: None,
    };
    let bad = |reason: &str| Refusal::Bad {
        reason: reason.to_owned(),
    };
    let Some(id) = request.correlation_id.as_ref().and_then(Uuid::id) else {
        return Some(refused(
            String::new(),
            bad("an append needs a correlation id"),
        ));
    };
    let mut part = match request.options {
        Some(options) => {
            let name = options.stream_identifier.unwrap_or_default().stream_name;
            let shown = String::from_utf8_lossy(&name).into_owned();
            let begun = incoming.to_write().and_then(|()| {
                Ok(Part {
                    stream: propose::stream(name)?,
                    expected: Expected::of(options.expected)?,
                    gathered: Gathered::default(),
                })
            });
            match begun {
                Ok(part) => part,
                Err(refusal) => return Some(refused(shown, refusal)),
            }
        }
        // The rest of an append that was refused.
        None => parts.remove(&id)?,
    };
    for message in request.proposed_messages {
        let added = incoming
            .event(message)
            .and_then(|event| part.gathered.add(event));
        if let Err(refusal) = added {
            return Some(refused(part.stream, refusal));
        }
    }
    if request.is_final {
        return Some(Append {
            correlation_id: request.correlation_id,
            stream: part.stream,
            asked: Ok((part.expected, part.gathered)),
            fault: incoming.shared.faults.take(Call::BatchAppend),
        });
    }
    if parts.len() == PARTS_MAX {
        return Some(refused(part.stream, bad("too many appends in parts")));
    }
    parts.insert(id, part);
    None
}

impl Append {
    async fn answer(self, incoming: Incoming) -> Result<BatchAppendResp, Cut> {
        let fault = self.fault.as_ref();
        let result = match self.asked {
            Ok((expected, gathered)) => {
                faults::before(fault, &incoming.peer).await?;
                let store = &incoming.shared.store;
                let result = to_log(store, &self.stream, expected, gathered.events).await;
                faults::after(fault, &incoming.peer).await?;
                result
            }
            Err(refusal) => Err(refusal),
        };
        Ok(BatchAppendResp {
            correlation_id: self.correlation_id,
            stream_identifier: StreamIdentifier::of(&self.stream),
            result: Some(told(result)?),
        })
    }
}

fn told(result: Result<Success, Refusal>) -> Result<BatchResult, Cut> {
    match result {
        Ok(success) => Ok(BatchResult::Success(success)),
        Err(refusal) => match refusal.rpc_status() {
            Some(status) => Ok(BatchResult::Error(status)),
            None => Err(refusal.status().into()),
        },
    }
}
