//! One position's stream, folded: the domain's own state, and what its rows show beside it.

use super::{FoldError, decode};
use crate::orders::{self, OrderRow};
use crate::units::{instant, position as log_position, whole};
use squareoff_domain::position::{self, Position, PositionEvent};
use squareoff_domain::{Event, OrderId, PositionKey, RequestId};
use squareoff_store::{EventStore, READ_EVENTS_MAX, StoredEvent};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use time::OffsetDateTime;

/// A stream's state and what its rows need beside it.
#[derive(Debug)]
pub(crate) struct Folded {
    pub key: PositionKey,
    pub position: Position,
    pub placed: BTreeMap<OrderId, Placed>,
    pub version: u64,
    pub updated_position: i64,
    pub updated_at: OffsetDateTime,
    /// Changed in the batch at hand, and its orders that did.
    pub(super) changed: bool,
    pub(super) changed_orders: BTreeSet<OrderId>,
}

/// What an order's row shows and decisions don't need.
#[derive(Debug)]
pub(crate) struct Placed {
    pub request_id: RequestId,
    pub slice: i32,
    pub slices: i32,
    /// Sum of quantity times price of the fills.
    pub value: i128,
    pub reject: Option<(i64, String)>,
    pub placed_at: OffsetDateTime,
    pub placed_position: i64,
    pub version: i64,
    pub updated_position: i64,
    pub updated_at: OffsetDateTime,
}

impl Folded {
    pub(super) fn new(first: &StoredEvent) -> Result<Self, FoldError> {
        let key = PositionKey::of_stream(&first.stream).ok_or_else(|| FoldError::NotAPosition {
            position: first.position,
            event_type: first.event_type.clone(),
            stream: first.stream.clone(),
        })?;
        Ok(Folded {
            key,
            position: Position::default(),
            placed: BTreeMap::new(),
            version: 0,
            updated_position: log_position(first.position),
            updated_at: instant(first.occurred_at),
            changed: false,
            changed_orders: BTreeSet::new(),
        })
    }

    /// Folds the next event of the stream; gives the order whose row it changes.
    pub(super) fn apply(
        &mut self,
        stored: &StoredEvent,
        event: &PositionEvent,
    ) -> Result<Option<OrderId>, FoldError> {
        if stored.version != self.version + 1 {
            let (stream, position) = (stored.stream.clone(), stored.position);
            return Err(FoldError::Gap {
                stream,
                position,
                expected: self.version + 1,
                found: stored.version,
            });
        }
        self.position = position::evolve(std::mem::take(&mut self.position), event);
        self.version = stored.version;
        self.updated_position = log_position(stored.position);
        self.updated_at = instant(stored.occurred_at);
        let order = event.order_id();
        if let PositionEvent::OrderPlaced(placed) = event {
            let row = Placed {
                request_id: placed.request_id,
                slice: small(placed.slice),
                slices: small(placed.slices),
                value: 0,
                reject: None,
                placed_at: self.updated_at,
                placed_position: self.updated_position,
                version: 0,
                updated_position: 0,
                updated_at: self.updated_at,
            };
            self.placed.insert(placed.order_id, row);
        }
        if let Some(placed) = order.and_then(|order| self.placed.get_mut(&order)) {
            placed.version = whole(self.version);
            placed.updated_position = self.updated_position;
            placed.updated_at = self.updated_at;
            match event {
                PositionEvent::Executed(executed) => {
                    let value =
                        i128::from(executed.quantity.units()) * i128::from(executed.price.0);
                    placed.value = placed.value.saturating_add(value);
                }
                PositionEvent::OrderRejected(rejected) => {
                    placed.reject = Some((rejected.code, rejected.text.clone()))
                }
                _ => {}
            }
        }
        Ok(order)
    }

    /// `None` for an order that was only spoken of, never placed.
    pub(super) fn order_row(&self, stream: &str, id: OrderId) -> Option<OrderRow> {
        Some(orders::row(
            stream,
            self,
            id,
            self.position.orders.get(&id)?,
            self.placed.get(&id)?,
        ))
    }
}

/// The stream of `next` up to the event before it.
pub(super) async fn load(
    store: &EventStore,
    next: &StoredEvent,
) -> Result<(Arc<str>, Folded), FoldError> {
    let mut folded = Folded::new(next)?;
    while folded.version + 1 < next.version {
        let events = store
            .read_stream(&next.stream, folded.version + 1, READ_EVENTS_MAX)
            .await?;
        let found = events.last().map_or(0, |last| last.version);
        if found <= folded.version {
            let (stream, position) = (next.stream.clone(), next.position);
            return Err(FoldError::Gap {
                stream,
                position,
                expected: folded.version + 1,
                found: next.version,
            });
        }
        for (stored, event) in decode(events)?
            .iter()
            .filter(|(stored, _)| stored.version < next.version)
        {
            if let Event::Position(event) = event {
                folded.apply(stored, event)?;
            }
        }
    }
    Ok((next.stream.clone(), folded))
}

fn small(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
