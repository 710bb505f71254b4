//! A client's events in words. Of an identity only which fields it has: the fields are ciphertext.

use crate::client::{ClientEvent, IdentityField};

pub fn client(event: &ClientEvent) -> String {
    match event {
        ClientEvent::ClientRegistered(registered) => {
            let client = &registered.client;
            format!(
                "client {} ({}, branch {}) was loaded",
                client.client, client.category, client.branch
            )
        }
        ClientEvent::ClientIdentityRecorded(recorded) => format!(
            "the identity of {} was loaded, encrypted: {}",
            recorded.client,
            names(recorded.fields.iter().map(|field| field.field))
        ),
        ClientEvent::ClientKeyRotated(rotated) => format!(
            "put the identity of {} under another key: {}",
            rotated.client, rotated.reason
        ),
        ClientEvent::ClientIdentityRevealed(revealed) => format!(
            "saw the identity of {} ({}): {}",
            revealed.client,
            names(revealed.fields.iter().copied()),
            revealed.reason
        ),
        ClientEvent::CallerVerified(verified) => format!(
            "verified who called as {} (call {})",
            verified.client, verified.call_reference
        ),
        ClientEvent::CallerVerificationFailed(failed) => format!(
            "could not verify who called as {} (call {})",
            failed.client, failed.call_reference
        ),
        ClientEvent::ClientErased(erased) => format!(
            "erased the identity of {}: {}",
            erased.client, erased.reason
        ),
    }
}

fn names(fields: impl Iterator<Item = IdentityField>) -> String {
    let names: Vec<_> = fields.map(IdentityField::as_str).collect();
    names.join(", ")
}
