//! The trace that a caller's request is a part of (W3C Trace Context), kept with every event that the request caused.
//!
//! Whoever takes a request says its trace once, around everything that is done for it ([`traced`]); what is appended within has it. What is
//! done in a task of its own, or for nobody's request, has none.

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Sixteen bytes, not all of them zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId([u8; 16]);

/// What is no trace's id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a trace's id is 32 small hexadecimal digits, not all of them zero")]
pub struct NotATrace;

impl TraceId {
    /// `None` for zeros, which say that there is no trace.
    pub fn of_bytes(bytes: [u8; 16]) -> Option<TraceId> {
        (bytes != [0; 16]).then_some(TraceId(bytes))
    }

    /// The one that is being worked for, for what is done in another task.
    pub fn current() -> Option<TraceId> {
        current()
    }

    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// The id of a `traceparent` header's value; `None` where it tells none.
    pub fn of_traceparent(text: &str) -> Option<TraceId> {
        text.split('-').nth(1)?.parse().ok()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for TraceId {
    type Err = NotATrace;

    fn from_str(text: &str) -> Result<Self, NotATrace> {
        let digit = |byte: &u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let digits: Option<Vec<u8>> = text.as_bytes().iter().map(digit).collect();
        let pairs = digits.unwrap_or_default();
        let bytes: Vec<u8> = pairs
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |sum, digit| sum << 4 | digit))
            .collect();
        let whole = (text.len() == 32).then(|| bytes.try_into().ok()).flatten();
        whole.and_then(TraceId::of_bytes).ok_or(NotATrace)
    }
}

tokio::task_local! {
    static TRACE: Option<TraceId>;
}

/// Does `work` as a part of this trace, or of none.
pub async fn traced<T>(trace: Option<TraceId>, work: impl Future<Output = T>) -> T {
    TRACE.scope(trace, work).await
}

/// The trace that is being worked for.
pub(crate) fn current() -> Option<TraceId> {
    TRACE.try_with(|trace| *trace).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_known_by_its_id_and_nothing_else_is_taken_for_one() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        for (header, told) in [
            (format!("00-{id}-b7ad6b7169203331-01"), Some(id)),
            (format!("01-{id}-b7ad6b7169203331-01-more"), Some(id)),
            (id.to_owned(), None),
            (format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)), None),
            (
                format!("00-{}-b7ad6b7169203331-01", id.to_uppercase()),
                None,
            ),
            (format!("00-{}-b7ad6b7169203331-01", &id[1..]), None),
            ("00-x\u{1b}[31m-y-01".to_owned(), None),
            (String::new(), None),
        ] {
            let trace = TraceId::of_traceparent(&header);
            assert_eq!(
                trace.map(|trace| trace.to_string()).as_deref(),
                told,
                "{header:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_trace_holds_within_its_work_and_in_no_other_task() {
        let trace = TraceId::of_bytes([7; 16]);
        assert_eq!(current(), None);
        let (within, spawned) = traced(trace, async {
            (current(), tokio::spawn(async { current() }).await.unwrap())
        })
        .await;
        assert_eq!((within, spawned, current()), (trace, None, None));
    }
}
