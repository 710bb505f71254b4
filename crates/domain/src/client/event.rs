//! What happens in a client's stream, `client-<client>`.

use super::IdentityField;
use crate::id::{ClientCode, KeyId, RequestId, Segment};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A client of the broker, without identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    pub client: ClientCode,
    /// The broker's category: `retail`, `hni`, `corporate`.
    pub category: String,
    /// The broker's branch that serves the client.
    pub branch: String,
    /// The segments the client may trade in.
    pub segments: Vec<Segment>,
}

/// The client master named this client, or says something else of them than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRegistered {
    pub client: Client,
}

/// One field of a client's identity, encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedField {
    pub field: IdentityField,
    /// Base64 of the nonce (12 bytes), the ciphertext and the tag (16 bytes) of AES-256-GCM under the client's data key; the associated
    /// data names client, field and key, so that it opens nowhere else.
    pub sealed: String,
}

/// The client master told who the client is, or says something else than before. Every field that is known is here again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientIdentityRecorded {
    pub client: ClientCode,
    /// The data key, which is in the key store and nowhere in the log.
    pub key_id: KeyId,
    /// Each field at most once.
    pub fields: Vec<SealedField>,
    pub source: String,
}

/// The same identity under another data key; the one before is destroyed behind this event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientKeyRotated {
    pub client: ClientCode,
    /// The new data key.
    pub key_id: KeyId,
    /// The fields as they were, sealed anew.
    pub fields: Vec<SealedField>,
    pub by: String,
    pub reason: String,
    pub request_id: RequestId,
}

/// A person was shown who the client is. Recorded before the text leaves; a person who then got no answer was recorded all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientIdentityRevealed {
    pub client: ClientCode,
    /// What was shown.
    pub fields: Vec<IdentityField>,
    pub by: String,
    pub reason: String,
    pub request_id: RequestId,
}

/// Who the client is was forgotten: the data key is destroyed behind this event, and no identity is recorded again. What the client traded
/// stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientErased {
    pub client: ClientCode,
    /// The data key that is destroyed; absent when no identity was recorded.
    pub key_id: Option<KeyId>,
    /// What can no longer be read.
    pub fields: Vec<IdentityField>,
    pub by: String,
    pub reason: String,
    pub request_id: RequestId,
}

/// Somebody on the phone told the operator the client's PAN and date of birth as they are recorded: the operator may act for the client
/// until then. What was told is nowhere in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallerVerified {
    pub client: ClientCode,
    /// The call, as the broker's telephone system names it.
    pub call_reference: String,
    pub valid_until: Timestamp,
    /// The operator, and nobody else.
    pub by: String,
    pub request_id: RequestId,
}

/// Somebody on the phone told the operator another PAN or date of birth than is recorded; which of them, and what, is nowhere in the log.
/// What the operator had verified of the client before holds no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallerVerificationFailed {
    pub client: ClientCode,
    /// As of the one that succeeds.
    pub call_reference: String,
    pub at: Timestamp,
    pub by: String,
    pub request_id: RequestId,
}

/// Every event of a client's stream, `client-<client>`. The variant's name is the event's type in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientEvent {
    ClientRegistered(ClientRegistered),
    ClientIdentityRecorded(ClientIdentityRecorded),
    ClientKeyRotated(ClientKeyRotated),
    ClientIdentityRevealed(ClientIdentityRevealed),
    ClientErased(ClientErased),
    CallerVerified(CallerVerified),
    CallerVerificationFailed(CallerVerificationFailed),
}

impl ClientEvent {
    pub const fn client(&self) -> &ClientCode {
        match self {
            ClientEvent::ClientRegistered(event) => &event.client.client,
            ClientEvent::ClientIdentityRecorded(event) => &event.client,
            ClientEvent::ClientKeyRotated(event) => &event.client,
            ClientEvent::ClientIdentityRevealed(event) => &event.client,
            ClientEvent::ClientErased(event) => &event.client,
            ClientEvent::CallerVerified(event) => &event.client,
            ClientEvent::CallerVerificationFailed(event) => &event.client,
        }
    }
}
