//! The one fold behind every row: live projection and rebuild both come through here, so that the same events give the same rows.
//!
//! 1. A position's row and its orders' rows are derived from the domain's own fold; nothing of it is written down a second time.
//! 2. A stream that is not remembered is read again from the log, up to the event at hand; what Postgres holds is never read back.
//! 3. Memory is bounded for the live runner ([`STREAMS_MAX`]); a rebuild remembers every stream, about 1 KB per order.

use crate::clients::{self, ClientRow};
use crate::orders::{self, OrderRow};
use crate::positions::{self, PositionRow};
use crate::trades::{self, TradeRow};
use crate::units::{instant, position as log_position, whole};
use futures::{StreamExt, TryStreamExt, stream};
use lru::LruCache;
use squareoff_domain::position::{self, Position, PositionEvent};
use squareoff_domain::{Event, OrderId, PositionKey, RequestId};
use squareoff_store::codec::{self, DecodeError};
use squareoff_store::{
    EventStore, Position as LogPosition, READ_EVENTS_MAX, ReadError, StoredEvent,
};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use thiserror::Error;
use time::OffsetDateTime;

/// Streams the live runner remembers: twice the sample book's positions, some ten kilobytes each at most on a busy day. It must be
/// more than the events of a batch, so that none is forgotten while its batch is folded.
const STREAMS_MAX: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");
/// Streams read from the log at the same time: more than the log has readers gains nothing.
const LOADS_MAX: usize = 4;

/// Why an event can't become rows. Trying again gives the same answer, except for [`FoldError::Read`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FoldError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(
        "position {position} of the log holds {event_type} in stream {stream}, which names no position"
    )]
    NotAPosition {
        position: LogPosition,
        event_type: Arc<str>,
        stream: Arc<str>,
    },
    #[error(
        "stream {stream} goes on with version {found} at position {position} of the log, where version {expected} was expected"
    )]
    Gap {
        stream: Arc<str>,
        position: LogPosition,
        expected: u64,
        found: u64,
    },
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A stream's state and what its rows need beside it.
#[derive(Debug)]
pub(crate) struct Folded {
    pub key: PositionKey,
    pub position: Position,
    pub placed: BTreeMap<OrderId, Placed>,
    pub version: u64,
    pub updated_position: i64,
    pub updated_at: OffsetDateTime,
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

/// Rows that a batch of events changed, one each, as they are after it.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub clients: Vec<ClientRow>,
    pub positions: Vec<PositionRow>,
    pub orders: Vec<OrderRow>,
    pub trades: Vec<TradeRow>,
}

/// What a batch touched; rows are made of it when they are wanted.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    clients: BTreeMap<String, ClientRow>,
    orders: BTreeMap<Arc<str>, BTreeSet<OrderId>>,
    trades: Vec<TradeRow>,
    /// A rebuild makes every other row at its end, whatever was touched.
    trades_only: bool,
}

#[derive(Debug)]
pub(crate) struct Fold {
    streams: LruCache<Arc<str>, Folded>,
    /// Every client that was named, for a rebuild's end; `None` in the live runner.
    clients: Option<BTreeMap<String, ClientRow>>,
    last: LogPosition,
}

impl Fold {
    /// For the live runner: bounded, starts anywhere in the log.
    pub(crate) fn bounded() -> Self {
        Fold {
            streams: LruCache::new(STREAMS_MAX),
            clients: None,
            last: LogPosition::START,
        }
    }

    /// For a rebuild: remembers everything from the log's first event.
    pub(crate) fn whole() -> Self {
        Fold {
            streams: LruCache::unbounded(),
            clients: Some(BTreeMap::new()),
            last: LogPosition::START,
        }
    }

    /// The rows that `events` change.
    pub(crate) async fn fold(
        &mut self,
        store: &EventStore,
        events: Vec<StoredEvent>,
    ) -> Result<Rows, FoldError> {
        let decoded = decode(events)?;
        self.load(store, &decoded).await?;
        let mut touched = Touched::default();
        self.apply(decoded, &mut touched)?;
        Ok(self.rows(touched))
    }

    /// Reads what is not remembered of the streams that `decoded` goes on with.
    async fn load(
        &mut self,
        store: &EventStore,
        decoded: &[(StoredEvent, Event)],
    ) -> Result<(), FoldError> {
        let mut missing = BTreeMap::new();
        for (stored, event) in decoded {
            if matches!(event, Event::Position(_))
                && stored.version > 1
                && !self.streams.contains(&stored.stream)
            {
                missing.entry(stored.stream.clone()).or_insert(stored);
            }
        }
        // A stream that begins in this batch is in no need of reading, wherever the batch goes on with it.
        for (stored, _) in decoded.iter().filter(|(stored, _)| stored.version == 1) {
            missing.remove(&stored.stream);
        }
        let mut loads = Vec::with_capacity(missing.len());
        for first in missing.into_values() {
            loads.push(load(store, first));
        }
        let loaded: Vec<_> = stream::iter(loads)
            .buffer_unordered(LOADS_MAX)
            .try_collect()
            .await?;
        for (stream, folded) in loaded {
            self.streams.put(stream, folded);
        }
        Ok(())
    }

    /// The trades of events that are folded for a rebuild.
    pub(crate) fn trades(
        &mut self,
        decoded: Vec<(StoredEvent, Event)>,
    ) -> Result<Vec<TradeRow>, FoldError> {
        let mut touched = Touched {
            trades_only: true,
            ..Touched::default()
        };
        self.apply(decoded, &mut touched)?;
        Ok(touched.trades)
    }

    fn apply(
        &mut self,
        decoded: Vec<(StoredEvent, Event)>,
        touched: &mut Touched,
    ) -> Result<(), FoldError> {
        for (stored, event) in decoded {
            self.last = stored.position;
            match event {
                Event::Position(event) => self.apply_position(&stored, event, touched)?,
                Event::Client(event) => {
                    let row = clients::row(&stored, event);
                    touched.clients.insert(row.client_code.clone(), row);
                }
                // No read model is made of these yet.
                Event::Bulk(_)
                | Event::Contract(_)
                | Event::Platform(_)
                | Event::Refusal(_)
                | Event::Session(_)
                | Event::Suspense(_) => {}
            }
        }
        if let Some(clients) = &mut self.clients {
            clients.append(&mut touched.clients.clone());
        }
        Ok(())
    }

    fn apply_position(
        &mut self,
        stored: &StoredEvent,
        event: PositionEvent,
        touched: &mut Touched,
    ) -> Result<(), FoldError> {
        if !self.streams.contains(&stored.stream) {
            self.streams
                .put(stored.stream.clone(), Folded::new(stored)?);
        }
        let folded = self
            .streams
            .get_mut(&stored.stream)
            .expect("it was put there if it was missing");
        let order = folded.apply(stored, &event)?;
        if let PositionEvent::Executed(executed) = &event {
            touched
                .trades
                .push(trades::row(stored, &folded.key, executed));
        }
        if touched.trades_only {
            return Ok(());
        }
        let orders = match touched.orders.get_mut(&stored.stream) {
            Some(orders) => orders,
            None => touched.orders.entry(stored.stream.clone()).or_default(),
        };
        orders.extend(order);
        Ok(())
    }

    /// Position of the last event that was folded.
    pub(crate) fn last(&self) -> LogPosition {
        self.last
    }

    fn rows(&self, touched: Touched) -> Rows {
        let mut rows = Rows {
            clients: touched.clients.into_values().collect(),
            trades: touched.trades,
            ..Rows::default()
        };
        for (stream, orders) in touched.orders {
            let folded = self
                .streams
                .peek(&stream)
                .expect("a batch is smaller than what is remembered");
            rows.positions.push(positions::row(&stream, folded));
            rows.orders.extend(
                orders
                    .iter()
                    .filter_map(|id| folded.order_row(&stream, *id)),
            );
        }
        rows
    }

    /// Every client, for a rebuild.
    pub(crate) fn all_clients(&self) -> impl Iterator<Item = &ClientRow> {
        self.clients.iter().flatten().map(|(_, row)| row)
    }

    /// Every position, for a rebuild.
    pub(crate) fn all_positions(&self) -> impl Iterator<Item = PositionRow> {
        self.streams
            .iter()
            .map(|(stream, folded)| positions::row(stream, folded))
    }

    /// Every order, for a rebuild.
    pub(crate) fn all_orders(&self) -> impl Iterator<Item = OrderRow> {
        self.streams.iter().flat_map(|(stream, folded)| {
            folded
                .placed
                .keys()
                .filter_map(move |id| folded.order_row(stream, *id))
        })
    }
}

impl Folded {
    fn new(first: &StoredEvent) -> Result<Self, FoldError> {
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
        })
    }

    /// Folds the next event of the stream; gives the order whose row it changes.
    fn apply(
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
    fn order_row(&self, stream: &str, id: OrderId) -> Option<OrderRow> {
        Some(orders::row(
            stream,
            self,
            id,
            self.position.orders.get(&id)?,
            self.placed.get(&id)?,
        ))
    }
}

pub(crate) fn decode(events: Vec<StoredEvent>) -> Result<Vec<(StoredEvent, Event)>, FoldError> {
    events
        .into_iter()
        .map(|stored| {
            let event = codec::decode(&stored)?;
            Ok((stored, event))
        })
        .collect()
}

/// The stream of `next` up to the event before it.
async fn load(store: &EventStore, next: &StoredEvent) -> Result<(Arc<str>, Folded), FoldError> {
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
