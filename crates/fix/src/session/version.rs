//! Where the session layers of FIX's versions differ (FIX 4.0 to 4.4, volume 2; FIXT 1.1).
//!
//! | what | 4.0, 4.1 | 4.2, 4.3, 4.4 | FIXT 1.1 |
//! |---|---|---|---|
//! | times that we write | seconds | milliseconds | milliseconds |
//! | a ResendRequest for all there is: EndSeqNo (16) | 999999 | 0 | 0 |
//! | what a Reject says of the message: RefTagID, RefMsgType, SessionRejectReason | in Text | there | there |
//! | DefaultApplVerID (1137) of a Logon | none | none | required |
//!
//! What application messages say differently is in `message::dialect`.

use crate::message::Reject;

/// EndSeqNo (16) of the old versions: up to the last there is.
const INFINITY: u64 = 999_999;

/// The session layer of a BeginString.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionVersion {
    Fix40,
    Fix42,
    Fixt11,
}

impl SessionVersion {
    /// Versions that are not known here are taken as 4.2 to 4.4.
    pub fn of(begin_string: &str) -> SessionVersion {
        match begin_string {
            "FIX.4.0" | "FIX.4.1" => SessionVersion::Fix40,
            "FIXT.1.1" => SessionVersion::Fixt11,
            _ => SessionVersion::Fix42,
        }
    }

    /// A time of a header, of [`Timestamp::text`].
    ///
    /// [`Timestamp::text`]: crate::Timestamp::text
    pub fn time(self, text: &[u8; 21]) -> &[u8] {
        match self {
            SessionVersion::Fix40 => &text[..17],
            SessionVersion::Fix42 | SessionVersion::Fixt11 => text,
        }
    }

    /// What a Reject says besides the number that it refuses.
    pub fn reject(self, mut reject: Reject) -> Reject {
        if self == SessionVersion::Fix40 {
            if let (Some(text), Some(tag)) = (&mut reject.text, &reject.ref_tag) {
                text.push_str(&format!(" ({tag})"));
            }
            (reject.ref_tag, reject.ref_kind, reject.reason) = (None, None, None);
        }
        reject
    }

    /// EndSeqNo (16) of a request for all there is.
    pub fn end_of_all(self) -> u64 {
        match self {
            SessionVersion::Fix40 => INFINITY,
            SessionVersion::Fix42 | SessionVersion::Fixt11 => 0,
        }
    }
}
