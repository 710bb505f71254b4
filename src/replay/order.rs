//! The events of one order, by any of its names: its id, the ClOrdID of the order or of one of its cancels and replaces, or the
//! exchange's number.
//!
//! An event holds the order's id as text, so most events are told apart without decoding them. Another name is looked for as it is
//! written, and the first event that has it says which order is meant.

use squareoff_domain::position::PositionEvent;
use squareoff_domain::{ClOrdId, Event, OrderId, PositionKey};
use squareoff_store::StoredEvent;
use squareoff_store::codec::{self, DecodeError};
use std::str::FromStr;
use uuid::Uuid;

/// Fewer characters would be found in anything.
const NAME_MIN: usize = 4;

#[derive(Debug, Clone)]
pub struct OrderFilter {
    /// As it was asked for.
    name: String,
    /// What the name is found by: of a ClOrdID of ours without what tells cancels and replaces from the order.
    stem: String,
    orders: Vec<(OrderId, String)>,
}

impl FromStr for OrderFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(id) = Uuid::parse_str(text) {
            let id = OrderId(id);
            return Ok(OrderFilter {
                name: id.to_string(),
                stem: String::new(),
                orders: vec![(id, id.to_string())],
            });
        }
        let known = text.len() >= NAME_MIN
            && text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'"');
        if !known {
            return Err(
                "an order is named by its id, a ClOrdID, or the exchange's number of it".to_owned(),
            );
        }
        Ok(OrderFilter {
            name: text.to_owned(),
            stem: ClOrdId::stem(text).to_owned(),
            orders: Vec::new(),
        })
    }
}

impl OrderFilter {
    /// Whether it is known yet which order the name stands for.
    pub fn is_known(&self) -> bool {
        !self.orders.is_empty()
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the event is about the order. Learns which order a name stands for.
    ///
    /// # Errors
    /// [`DecodeError`] when an event that names it can't be read.
    pub fn admits(&mut self, stored: &StoredEvent) -> Result<bool, DecodeError> {
        // The request that placed an order does not name it: its id is made of the request's and the position.
        if &*stored.event_type == "SquareOffAccepted" {
            let Event::Position(PositionEvent::SquareOffAccepted(accepted)) =
                codec::decode(stored)?
            else {
                return Ok(false);
            };
            let Some(key) = PositionKey::of_stream(&stored.stream) else {
                return Ok(false);
            };
            let placed = |index| OrderId::of_slice(&key, accepted.request_id, index);
            let slices = accepted.slices.min(squareoff_domain::position::MAX_SLICES);
            return Ok(self
                .orders
                .iter()
                .any(|(order, _)| (0..slices).any(|index| placed(index) == *order)));
        }
        if self.orders.iter().any(|(_, id)| holds(&stored.body, id)) {
            return Ok(true);
        }
        if self.stem.is_empty() || !holds(&stored.body, &self.stem) {
            return Ok(false);
        }
        if let Event::Position(event) = codec::decode(stored)?
            && let Some(order) = event.order_id()
        {
            self.orders.push((order, order.to_string()));
        }
        Ok(true)
    }
}

fn holds(body: &[u8], text: &str) -> bool {
    memchr::memmem::find(body, text.as_bytes()).is_some()
}
