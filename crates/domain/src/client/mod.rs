//! A client of the broker: what the client master says, and who the client is, as ciphertext only.
//!
//! Identity (name, PAN, date of birth, e-mail, phone) is encrypted field by field under a data key of the client's own before it comes here;
//! the keys live in a key store outside of the log. So the log keeps its bytes for ever, and still forgets a person: with the key destroyed
//! nobody reads the fields again.
//!
//! 1. Nothing here can read a field: `sealed` is a text that the rules pass on.
//! 2. Once erased, no identity is recorded for the client again, and none is revealed.
//! 3. Every look at the plain text is an event with a reason, before the text leaves.
//! 4. Whether a caller is who they say is an event too, of one operator and for a while; what the caller told is none.
//! 5. A look or a verification asked again under the same id gives no events: its first answer stands. Of a verification the call is
//!    compared and not what was told, which is kept nowhere.

mod caller;
#[cfg(test)]
mod caller_tests;
mod event;
mod field;
mod refusal;
#[cfg(test)]
mod tests;

pub use caller::{FAILURE_WINDOW_NS, FAILURES_MAX, Verification, check_verified};
pub use event::{
    CallerVerificationFailed, CallerVerified, Client, ClientErased, ClientEvent,
    ClientIdentityRecorded, ClientIdentityRevealed, ClientKeyRotated, ClientRegistered,
    SealedField,
};
pub use field::{IdentityField, holds_pan, is_pan};
pub use refusal::ClientRefusal;

use crate::id::{ClientCode, KeyId, RequestId};
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// `client-<client>`.
pub fn client_stream(client: &ClientCode) -> String {
    format!("client-{client}")
}

/// Identity as the log has it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedIdentity {
    /// The data key that every field is encrypted under.
    pub key_id: KeyId,
    /// Each field at most once.
    pub fields: Vec<SealedField>,
}

impl SealedIdentity {
    /// The fields that are known.
    pub fn names(&self) -> impl Iterator<Item = IdentityField> {
        self.fields.iter().map(|field| field.field)
    }
}

/// Who erased a client, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    pub by: String,
    pub reason: String,
}

/// What is known of one client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientState {
    /// As the client master named the client last.
    pub client: Option<Client>,
    /// Absent until it is recorded, and after the erasure.
    pub identity: Option<SealedIdentity>,
    pub erased: Option<Erasure>,
    /// By operator.
    pub verifications: BTreeMap<String, Verification>,
    /// The looks and verifications that people asked for, to know a repetition.
    pub requests: BTreeMap<RequestId, Answered>,
}

/// What somebody asked, and the answer they got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    pub by: String,
    /// Of a verification the reference of the call.
    pub reason: String,
    pub answer: Answer,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Revealed { fields: Vec<IdentityField> },
    Verified { valid_until: Timestamp },
    NotVerified { attempts_left: usize },
}

impl Answered {
    fn is_of(&self, request: &ClientRequest) -> bool {
        let same = match (&self.answer, &request.ask) {
            (Answer::Revealed { .. }, ClientAsk::Reveal)
            | (
                Answer::Verified { .. } | Answer::NotVerified { .. },
                ClientAsk::VerifyCaller { .. },
            ) => true,
            (
                Answer::Revealed { .. } | Answer::Verified { .. } | Answer::NotVerified { .. },
                ClientAsk::Reveal
                | ClientAsk::RotateKey { .. }
                | ClientAsk::Erase
                | ClientAsk::VerifyCaller { .. },
            ) => false,
        };
        same && self.by == request.by && self.reason == request.reason
    }
}

/// What a person may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRequest {
    pub request_id: RequestId,
    /// The person: the actor of the event's envelope.
    pub by: String,
    pub client: ClientCode,
    /// Of a verification the reference of the call.
    pub reason: String,
    pub ask: ClientAsk,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAsk {
    /// See the plain text of every field that is recorded.
    Reveal,
    /// Put the same fields under another data key.
    RotateKey { sealed: SealedIdentity },
    /// Forget who the client is.
    Erase,
    /// Say whether somebody on the phone told what is recorded.
    VerifyCaller {
        matched: bool,
        now: Timestamp,
        /// If it matched.
        valid_until: Timestamp,
    },
}

/// What the outside tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientReport {
    /// A line of the client master.
    Registered(Client),
    /// The identity columns of a line, encrypted; whoever tells has compared them with what the log has.
    Identity {
        client: ClientCode,
        sealed: SealedIdentity,
        /// The version of the file.
        source: String,
    },
}

/// # Errors
/// [`ClientRefusal`], in its order of precedence. Erasing a client that is erased gives no events, nor does a request that is repeated:
/// its [`Answered`] stands.
pub fn decide(
    state: &ClientState,
    request: ClientRequest,
) -> Result<Vec<ClientEvent>, ClientRefusal> {
    if let Some(first) = state.requests.get(&request.request_id) {
        return if first.is_of(&request) {
            Ok(vec![])
        } else {
            Err(ClientRefusal::RequestIdReused)
        };
    }
    let ClientRequest {
        request_id,
        by,
        client,
        reason,
        ask,
    } = request;
    if reason.trim().is_empty() {
        return Err(ClientRefusal::ReasonMissing);
    }
    if holds_pan(&reason) {
        return Err(ClientRefusal::ReasonHoldsPan);
    }
    if state.client.is_none() {
        return Err(ClientRefusal::UnknownClient { client });
    }
    if state.erased.is_some() {
        return match ask {
            ClientAsk::Erase => Ok(vec![]),
            ClientAsk::Reveal | ClientAsk::RotateKey { .. } | ClientAsk::VerifyCaller { .. } => {
                Err(ClientRefusal::Erased { client })
            }
        };
    }
    let event = match (ask, &state.identity) {
        (ClientAsk::Erase, identity) => ClientEvent::ClientErased(ClientErased {
            client,
            key_id: identity.as_ref().map(|identity| identity.key_id),
            fields: identity.iter().flat_map(SealedIdentity::names).collect(),
            by,
            reason,
            request_id,
        }),
        (
            ClientAsk::VerifyCaller {
                matched,
                now,
                valid_until,
            },
            _,
        ) => {
            caller::comparable(state, &client)?;
            if state.attempts_left(&by, now) == 0 {
                return Err(ClientRefusal::TooManyVerifications { client, by });
            }
            let call_reference = reason;
            if matched {
                ClientEvent::CallerVerified(CallerVerified {
                    client,
                    call_reference,
                    valid_until,
                    by,
                    request_id,
                })
            } else {
                ClientEvent::CallerVerificationFailed(CallerVerificationFailed {
                    client,
                    call_reference,
                    at: now,
                    by,
                    request_id,
                })
            }
        }
        (ClientAsk::Reveal | ClientAsk::RotateKey { .. }, None) => {
            return Err(ClientRefusal::IdentityNotRecorded { client });
        }
        (ClientAsk::Reveal, Some(identity)) => {
            ClientEvent::ClientIdentityRevealed(ClientIdentityRevealed {
                client,
                fields: identity.names().collect(),
                by,
                reason,
                request_id,
            })
        }
        (ClientAsk::RotateKey { sealed }, Some(_)) => {
            ClientEvent::ClientKeyRotated(ClientKeyRotated {
                client,
                key_id: sealed.key_id,
                fields: sealed.fields,
                by,
                reason,
                request_id,
            })
        }
    };
    Ok(vec![event])
}

/// A line told again says nothing new; identity told of a client that is erased says nothing at all.
pub fn record(state: &ClientState, report: ClientReport) -> Vec<ClientEvent> {
    match report {
        ClientReport::Registered(client) if state.client.as_ref() == Some(&client) => vec![],
        ClientReport::Registered(client) => {
            vec![ClientEvent::ClientRegistered(ClientRegistered { client })]
        }
        ClientReport::Identity { .. } if state.erased.is_some() => vec![],
        ClientReport::Identity { sealed, .. } if state.identity.as_ref() == Some(&sealed) => vec![],
        ClientReport::Identity {
            client,
            sealed,
            source,
        } => vec![ClientEvent::ClientIdentityRecorded(
            ClientIdentityRecorded {
                client,
                key_id: sealed.key_id,
                fields: sealed.fields,
                source,
            },
        )],
    }
}

/// Total: a history that no decision could have made folds to something too.
#[must_use]
pub fn evolve(mut state: ClientState, event: &ClientEvent) -> ClientState {
    let sealed = |key_id: KeyId, fields: &[SealedField]| {
        Some(SealedIdentity {
            key_id,
            fields: fields.to_vec(),
        })
    };
    match event {
        ClientEvent::ClientRegistered(registered) => {
            state.client = Some(registered.client.clone());
        }
        ClientEvent::ClientIdentityRecorded(recorded) if state.erased.is_none() => {
            state.identity = sealed(recorded.key_id, &recorded.fields);
        }
        ClientEvent::ClientKeyRotated(rotated) if state.erased.is_none() => {
            state.identity = sealed(rotated.key_id, &rotated.fields);
        }
        ClientEvent::ClientIdentityRecorded(_) | ClientEvent::ClientKeyRotated(_) => {}
        ClientEvent::ClientIdentityRevealed(revealed) => {
            let fields = revealed.fields.clone();
            let answered = Answered {
                by: revealed.by.clone(),
                reason: revealed.reason.clone(),
                answer: Answer::Revealed { fields },
            };
            state.requests.insert(revealed.request_id, answered);
        }
        ClientEvent::CallerVerified(verified) => {
            let verification = Verification {
                valid_until: Some(verified.valid_until),
                failed_at: vec![],
            };
            state
                .verifications
                .insert(verified.by.clone(), verification);
            let valid_until = verified.valid_until;
            let answered = Answered {
                by: verified.by.clone(),
                reason: verified.call_reference.clone(),
                answer: Answer::Verified { valid_until },
            };
            state.requests.insert(verified.request_id, answered);
        }
        ClientEvent::CallerVerificationFailed(failed) => {
            let of = state.verifications.entry(failed.by.clone()).or_default();
            of.fail(failed.at);
            let attempts_left = state.attempts_left(&failed.by, failed.at);
            let answered = Answered {
                by: failed.by.clone(),
                reason: failed.call_reference.clone(),
                answer: Answer::NotVerified { attempts_left },
            };
            state.requests.insert(failed.request_id, answered);
        }
        ClientEvent::ClientErased(erased) => {
            state.identity = None;
            state.verifications.clear();
            state.erased.get_or_insert_with(|| Erasure {
                by: erased.by.clone(),
                reason: erased.reason.clone(),
            });
        }
    }
    state
}
