//! What people asked for and did not get: the audit trail's other half. Appended by the API after it refused; nothing is decided by it.
//!
//! A refusal is deliberately no event of the aggregate that refused: there it changes nothing. Who asked, and when, stands in the envelope.

use crate::id::{ClientCode, PositionKey, RequestId};
use crate::time::TradingDate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;

/// `refusals-<date>-<client>`; `refusals-<date>-desk` for what is about no single client. No client code has small letters.
pub fn stream(date: TradingDate, client: Option<&ClientCode>) -> String {
    match client {
        Some(client) => format!("refusals-{date}-{client}"),
        None => format!("refusals-{date}-desk"),
    }
}

/// A request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRefused {
    /// What was asked for: `square-off`, `modify`, `cancel`, `approve-activation`.
    pub what: String,
    pub request_id: RequestId,
    pub position: Option<PositionKey>,
    /// The refusal's stable name.
    pub code: String,
    /// The refusal's sentence, with its values.
    pub detail: String,
}

impl RequestRefused {
    /// The request id to append this under. Not the refused request's own: that one may be accepted when it is asked again.
    pub fn append_id(&self) -> Uuid {
        Uuid::new_v5(
            &self.request_id.0,
            format!("refused {}", self.code).as_bytes(),
        )
    }
}

/// Every event of the refusals of a day, `refusals-<date>-<client>`, with `desk` for what is about no single client. The variant's name is the event's type in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusalEvent {
    RequestRefused(RequestRefused),
}

/// Which requests were refused for what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusals(pub BTreeSet<(RequestId, String)>);

/// The same request refused for the same reason again gives no event.
pub fn record(refusals: &Refusals, refused: RequestRefused) -> Vec<RefusalEvent> {
    let key = (refused.request_id, refused.code.clone());
    if refusals.0.contains(&key) {
        vec![]
    } else {
        vec![RefusalEvent::RequestRefused(refused)]
    }
}

#[must_use]
pub fn evolve(mut refusals: Refusals, event: &RefusalEvent) -> Refusals {
    match event {
        RefusalEvent::RequestRefused(refused) => {
            let key = (refused.request_id, refused.code.clone());
            refusals.0.insert(key);
        }
    }
    refusals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_refused_twice_alike_is_kept_once_and_never_under_its_own_id() {
        let refused = RequestRefused {
            what: "square-off".into(),
            request_id: RequestId(Uuid::from_u128(7)),
            position: None,
            code: "nothing-to-close".into(),
            detail: "nothing is left to close".into(),
        };
        let kept = record(&Refusals::default(), refused.clone())
            .iter()
            .fold(Refusals::default(), evolve);
        assert_eq!(record(&kept, refused.clone()), vec![]);
        let otherwise = RequestRefused {
            code: "platform-not-active".into(),
            ..refused.clone()
        };
        assert_ne!(otherwise.append_id(), refused.append_id());
        assert_ne!(refused.append_id(), refused.request_id.0);
        assert_eq!(record(&kept, otherwise).len(), 1);
    }

    #[test]
    fn no_client_has_the_stream_of_the_desk() {
        let date = "2026-11-20".parse().unwrap();
        assert_eq!(stream(date, None), "refusals-2026-11-20-desk");
        let client = "DESK".parse().unwrap();
        assert_eq!(stream(date, Some(&client)), "refusals-2026-11-20-DESK");
    }
}
