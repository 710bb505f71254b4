//! One event's change, written once for all who read it.

use super::topics::Topics;
use crate::routes::approvals::Approval;
use crate::routes::bulk::Shown as Bulk;
use crate::routes::orders::Order;
use crate::routes::platform::Shown as Platform;
use crate::routes::position_list::Position as ClientPosition;
use crate::routes::rfc3339;
use bytes::Bytes;
use squareoff_domain::{ClientCode, Timestamp};
use squareoff_store::Position;
use std::ops::Range;

/// What changed, as the queries show it.
pub(super) enum Part {
    Orders(Vec<Order>),
    Positions(Vec<ClientPosition>),
    Platform(Box<Platform>),
    Bulk(Box<Bulk>),
    Approvals(Vec<Approval>),
}

/// What an event changed.
pub(super) struct Body {
    pub position: Position,
    pub recorded_at: Timestamp,
    /// Whose orders, positions and approvals these are.
    pub client: Option<ClientCode>,
    pub parts: Vec<Part>,
}

/// Shared by every reader that it goes to.
#[derive(Debug)]
pub struct Change {
    pub position: Position,
    /// Whose orders, position or approval these are.
    pub client: Option<ClientCode>,
    pub topics: Topics,
    /// A server-sent event with every part. What WebSocket readers get lies in it.
    whole: Bytes,
    /// Of the JSON object in it, of what the object has before the first part, and of each part.
    json: Range<usize>,
    head: Range<usize>,
    parts: Vec<(Topics, Range<usize>)>,
}

impl Change {
    /// `None` when nobody is told anything.
    ///
    /// # Errors
    /// When something is no JSON, which would be a mistake of ours.
    pub(super) fn new(body: &Body) -> Result<Option<Self>, serde_json::Error> {
        if body.parts.is_empty() {
            return Ok(None);
        }
        let position = body.position;
        let mut whole = format!("id: {position}\nevent: change\ndata: ").into_bytes();
        let json = whole.len();
        let recorded_at = rfc3339(body.recorded_at);
        let head =
            format!(r#"{{"event":"change","position":"{position}","recorded_at":"{recorded_at}""#);
        whole.extend_from_slice(head.as_bytes());
        let head = json..whole.len();
        let (mut parts, mut topics) = (Vec::with_capacity(body.parts.len()), Topics::NONE);
        for part in &body.parts {
            let begin = whole.len();
            let topic = match part {
                Part::Orders(orders) => {
                    write(&mut whole, "orders", orders)?;
                    Topics::ORDERS
                }
                Part::Positions(positions) => {
                    write(&mut whole, "positions", positions)?;
                    Topics::POSITIONS
                }
                Part::Platform(platform) => {
                    write(&mut whole, "platform", platform)?;
                    Topics::PLATFORM
                }
                Part::Bulk(bulk) => {
                    write(&mut whole, "bulk", bulk)?;
                    Topics::BULK
                }
                Part::Approvals(approvals) => {
                    write(&mut whole, "approvals", approvals)?;
                    Topics::APPROVALS
                }
            };
            topics = topics.or(topic);
            parts.push((topic, begin..whole.len()));
        }
        whole.push(b'}');
        let json = json..whole.len();
        whole.extend_from_slice(b"\n\n");
        Ok(Some(Change {
            position,
            client: body.client.clone(),
            topics,
            whole: whole.into(),
            json,
            head,
            parts,
        }))
    }

    /// As a server-sent event, with the parts in `shown`.
    pub fn sse(&self, shown: Topics) -> Bytes {
        if shown == self.topics {
            return self.whole.clone();
        }
        let mut some = self.whole[..self.json.start].to_vec();
        self.put_json(shown, &mut some);
        some.extend_from_slice(b"\n\n");
        some.into()
    }

    /// As the JSON object alone, with the parts in `shown`.
    pub fn json(&self, shown: Topics) -> Bytes {
        if shown == self.topics {
            return self.whole.slice(self.json.clone());
        }
        let mut some = Vec::new();
        self.put_json(shown, &mut some);
        some.into()
    }

    /// What it takes in memory, nearly.
    pub fn bytes(&self) -> usize {
        self.whole.len() + size_of::<Change>() + 64
    }

    fn put_json(&self, shown: Topics, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.whole[self.head.clone()]);
        for (topic, part) in &self.parts {
            if shown.has(*topic) {
                into.extend_from_slice(&self.whole[part.clone()]);
            }
        }
        into.push(b'}');
    }
}

fn write(
    whole: &mut Vec<u8>,
    name: &str,
    value: &impl serde::Serialize,
) -> Result<(), serde_json::Error> {
    whole.extend_from_slice(format!(r#","{name}":"#).as_bytes());
    serde_json::to_writer(whole, value)
}
