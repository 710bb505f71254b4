//! How a reader is told: server-sent events (WHATWG HTML, 9.2), or the same JSON objects as WebSocket text.

use super::access::{Audience, Filter};
use super::reader::Told;
use bytes::Bytes;
use serde_json::{Value, json};
use squareoff_store::Position;

/// How soon a reader that was cut off may come back, in milliseconds.
pub const RETRY_MS: u32 = 2_000;

/// As a server-sent event.
pub fn sse(told: &Told, filter: &Filter) -> Bytes {
    let event = |name: &str, position: &Position| {
        let data = object(told, filter);
        let text = format!("retry: {RETRY_MS}\nid: {position}\nevent: {name}\ndata: {data}\n\n");
        Bytes::from(text)
    };
    match told {
        Told::Change(change, shown) => change.sse(*shown),
        Told::Ready(position) => event("ready", position),
        Told::Reset(position) => event("reset", position),
        Told::Behind(position) => event("behind", position),
        Told::Closing(position) => event("closing", position),
        Told::Expelled(position) => event("expelled", position),
        // An id without data moves a browser's Last-Event-ID on and tells its page nothing.
        Told::Heartbeat(position) => format!(": heartbeat\nid: {position}\n\n").into(),
    }
}

/// As the text of a WebSocket message.
pub fn text(told: &Told, filter: &Filter) -> Bytes {
    match told {
        Told::Change(change, shown) => change.json(*shown),
        Told::Ready(_)
        | Told::Reset(_)
        | Told::Behind(_)
        | Told::Closing(_)
        | Told::Expelled(_)
        | Told::Heartbeat(_) => object(told, filter).to_string().into(),
    }
}

/// What is said when nothing changed.
fn object(told: &Told, filter: &Filter) -> Value {
    let said = |event: &str, position: &Position| json!({ "event": event, "position": position.to_string() });
    match told {
        Told::Change(change, _) => said("change", &change.position),
        Told::Heartbeat(position) => said("heartbeat", position),
        Told::Ready(position) => {
            let client_code = match &filter.audience {
                Audience::All => None,
                Audience::Client(client) => Some(client),
            };
            json!({
                "event": "ready",
                "position": position.to_string(),
                "topics": filter.topics.names().collect::<Vec<_>>(),
                "client_code": client_code,
            })
        }
        Told::Reset(position) => json!({
            "event": "reset",
            "position": position.to_string(),
            "reason": "what was missed is not kept any more: load afresh with at_least of this position; changes behind it follow",
        }),
        Told::Behind(position) => json!({
            "event": "behind",
            "position": position.to_string(),
            "reason": "the changes were not read fast enough: come back with this position",
            "retry_ms": RETRY_MS,
        }),
        Told::Expelled(position) => json!({
            "event": "expelled",
            "position": position.to_string(),
            "reason": "who you are is not valid any more",
        }),
        Told::Closing(position) => json!({
            "event": "closing",
            "position": position.to_string(),
            "reason": "the server ends: come back with this position",
            "retry_ms": RETRY_MS,
        }),
    }
}
