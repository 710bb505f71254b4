//! The one fold behind every row: live projection and rebuild both come through here, so that the same events give the same rows.
//!
//! 1. A position's row and its orders' rows are derived from the domain's own fold; nothing of it is written down a second time.
//! 2. A stream that is not remembered is read again from the log, up to the event at hand; what Postgres holds is never read back.
//! 3. Memory is bounded by the number of streams that are remembered, about 1 KB per order in them.
//! 4. A row that changes has the position of the event that last changed it in `updated_position`: of two rows with one key the
//!    higher is the newer. A rebuild relies on it.

mod position;

pub(crate) use position::{Folded, Placed};

use crate::clients::{self, ClientRow};
use crate::orders::OrderRow;
use crate::positions::{self, PositionRow};
use crate::trades::{self, TradeRow};
use futures::{StreamExt, TryStreamExt, stream};
use lru::LruCache;
use position::load;
use squareoff_domain::Event;
use squareoff_domain::position::PositionEvent;
use squareoff_store::codec::{self, DecodeError};
use squareoff_store::{EventStore, Position as LogPosition, ReadError, StoredEvent};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use thiserror::Error;

/// Streams the live runner remembers: twice the sample book's positions, some ten kilobytes each at most on a busy day.
pub(crate) const STREAMS_MAX: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");
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

/// Rows that a batch of events changed, one each, as they are after it.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub clients: Vec<ClientRow>,
    pub positions: Vec<PositionRow>,
    pub orders: Vec<OrderRow>,
    pub trades: Vec<TradeRow>,
}

/// What a batch changed; rows are made of it when they are wanted.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    clients: BTreeMap<String, ClientRow>,
    streams: Vec<Arc<str>>,
    trades: Vec<TradeRow>,
}

#[derive(Debug)]
pub(crate) struct Fold {
    streams: LruCache<Arc<str>, Folded>,
}

impl Fold {
    /// Starts anywhere in the log. `streams_max` must be at least the events of a batch, so that no stream is forgotten while its
    /// batch is folded.
    pub(crate) fn new(streams_max: NonZeroUsize) -> Self {
        Fold {
            streams: LruCache::new(streams_max),
        }
    }

    /// The rows that `events` change.
    pub(crate) async fn fold(
        &mut self,
        store: &EventStore,
        events: Vec<StoredEvent>,
    ) -> Result<Rows, FoldError> {
        let mut touched = Touched::default();
        self.take_in(store, decode(events)?, &mut touched).await?;
        Ok(self.rows(touched))
    }

    /// Folds a part of a batch, whose rows are asked for at its end.
    pub(crate) async fn take_in(
        &mut self,
        store: &EventStore,
        decoded: Vec<(StoredEvent, Event)>,
        touched: &mut Touched,
    ) -> Result<(), FoldError> {
        self.load(store, &decoded).await?;
        for (stored, event) in decoded {
            self.apply(&stored, event, touched)?;
        }
        Ok(())
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

    fn apply(
        &mut self,
        stored: &StoredEvent,
        event: Event,
        touched: &mut Touched,
    ) -> Result<(), FoldError> {
        match event {
            Event::Position(event) => self.apply_position(stored, &event, touched)?,
            Event::Client(event) => {
                let row = clients::row(stored, event);
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
        Ok(())
    }

    fn apply_position(
        &mut self,
        stored: &StoredEvent,
        event: &PositionEvent,
        touched: &mut Touched,
    ) -> Result<(), FoldError> {
        let folded = self
            .streams
            .try_get_or_insert_mut(stored.stream.clone(), || Folded::new(stored))?;
        let order = folded.apply(stored, event)?;
        folded.changed_orders.extend(order);
        if let PositionEvent::Executed(executed) = event {
            touched
                .trades
                .push(trades::row(stored, &folded.key, executed));
        }
        if !std::mem::replace(&mut folded.changed, true) {
            touched.streams.push(stored.stream.clone());
        }
        Ok(())
    }

    /// The rows that a batch changed, as they are after it.
    pub(crate) fn rows(&mut self, touched: Touched) -> Rows {
        let mut rows = Rows {
            clients: touched.clients.into_values().collect(),
            trades: touched.trades,
            ..Rows::default()
        };
        for stream in touched.streams {
            let folded = self
                .streams
                .peek_mut(&stream)
                .expect("a batch is smaller than what is remembered");
            folded.changed = false;
            let orders = std::mem::take(&mut folded.changed_orders);
            rows.positions.push(positions::row(&stream, folded));
            rows.orders.extend(
                orders
                    .into_iter()
                    .filter_map(|id| folded.order_row(&stream, id)),
            );
        }
        rows
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
