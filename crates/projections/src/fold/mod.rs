//! The one fold behind every row: live projection and rebuild both come through here, so that the same events give the same rows.
//!
//! 1. Rows are derived from the domain's own folds; nothing of them is written down a second time.
//! 2. A row depends on one stream alone. What depends on two is joined when it is asked for.
//! 3. A stream that is not remembered is read again from the log, up to the event at hand; what Postgres holds is never read back.
//! 4. Memory is bounded by the number of streams that are remembered, about 1 KB per order in them.
//! 5. A row that changes has the position of the event that last changed it in `updated_position`: of two rows with one key the
//!    higher is the newer. A rebuild relies on it.

mod listings;
mod live;
mod position;
mod streams;

pub use live::{LiveChange, LiveFold, LivePlatform};
pub(crate) use position::{FoldedPosition, Placed, Told};
pub(crate) use streams::{Folded, next_version};

use crate::approvals::{ApprovalRow, FoldedApproval};
use crate::audit::{self, Entry};
use crate::bulks::{BulkItemRow, BulkRow, FoldedBulk};
use crate::clients::{self, ClientRow};
use crate::contracts::{self, ContractRow};
use crate::incidents::IncidentRow;
use crate::orders::OrderRow;
use crate::platform::{CancelAllRow, FoldedPlatform, HaltRow, MarketPhaseRow, PlatformRow};
use crate::positions::StoredPosition;
use crate::suspense::{FoldedSuspense, SuspenseRow};
use crate::trades::TradeRow;
use squareoff_domain::Event;
use squareoff_domain::client::ClientEvent;
use squareoff_store::codec::{self, DecodeError};
use squareoff_store::{EventStore, Position as LogPosition, ReadError, StoredEvent};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use streams::Streams;
use thiserror::Error;

/// Streams the live runner remembers: twice the sample book's positions, some ten kilobytes each at most on a busy day.
pub(crate) const STREAMS_MAX: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");
/// Bulks remembered: those under way. One over a large broker's whole book is 30 MB.
const BULKS_MAX: NonZeroUsize = NonZeroUsize::new(8).expect("not zero");
/// Suspense streams remembered: each venue's of this day and the day before.
const SUSPENSE_MAX: NonZeroUsize = NonZeroUsize::new(8).expect("not zero");
/// Approvals remembered: those that wait for a second person, a few rows each.
const APPROVALS_MAX: NonZeroUsize = NonZeroUsize::new(1_024).expect("not zero");
const ONE: NonZeroUsize = NonZeroUsize::MIN;

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
        "position {position} of the log holds {event_type} in stream {stream}, which names no bulk"
    )]
    NotABulk {
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
    pub approvals: Vec<ApprovalRow>,
    pub audit: Vec<Entry>,
    pub bulk_items: Vec<BulkItemRow>,
    pub bulks: Vec<BulkRow>,
    pub cancel_alls: Vec<CancelAllRow>,
    pub clients: Vec<ClientRow>,
    pub contracts: Vec<ContractRow>,
    pub halts: Vec<HaltRow>,
    pub incidents: Vec<IncidentRow>,
    pub market_phases: Vec<MarketPhaseRow>,
    pub orders: Vec<OrderRow>,
    pub platform: Vec<PlatformRow>,
    pub positions: Vec<StoredPosition>,
    pub suspense: Vec<SuspenseRow>,
    pub trades: Vec<TradeRow>,
}

impl Rows {
    /// None, in the memory of those there were: a segment's are a hundred megabytes, which the system would have to clear anew.
    pub(crate) fn emptied(mut self) -> Self {
        let Rows {
            approvals,
            audit,
            bulk_items,
            bulks,
            cancel_alls,
            clients,
            contracts,
            halts,
            incidents,
            market_phases,
            orders,
            platform,
            positions,
            suspense,
            trades,
        } = &mut self;
        approvals.clear();
        audit.clear();
        bulk_items.clear();
        bulks.clear();
        cancel_alls.clear();
        clients.clear();
        contracts.clear();
        halts.clear();
        incidents.clear();
        market_phases.clear();
        orders.clear();
        platform.clear();
        positions.clear();
        suspense.clear();
        trades.clear();
        self
    }
}

/// What a batch changed; rows are made of it when they are wanted.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    approvals: BTreeSet<Arc<str>>,
    bulks: BTreeSet<Arc<str>>,
    clients: BTreeMap<String, ClientRow>,
    contracts: BTreeMap<(time::Date, String, String), ContractRow>,
    platform: BTreeSet<Arc<str>>,
    positions: Vec<Arc<str>>,
    /// The audit trail's are there already.
    rows: Rows,
    suspense: BTreeSet<Arc<str>>,
}

impl Touched {
    /// Nothing yet; the rows will be `into`, which is empty.
    pub(crate) fn begin(into: Rows) -> Self {
        Touched {
            rows: into,
            ..Touched::default()
        }
    }
}

#[derive(Debug)]
pub(crate) struct Fold {
    approvals: Streams<FoldedApproval>,
    bulks: Streams<FoldedBulk>,
    platform: Streams<FoldedPlatform>,
    positions: Streams<FoldedPosition>,
    suspense: Streams<FoldedSuspense>,
}

impl Fold {
    /// Starts anywhere in the log. Remembers at most `streams_max` positions between batches.
    pub(crate) fn new(streams_max: NonZeroUsize) -> Self {
        Fold {
            approvals: Streams::new(APPROVALS_MAX),
            bulks: Streams::new(BULKS_MAX),
            platform: Streams::new(ONE),
            positions: Streams::new(streams_max),
            suspense: Streams::new(SUSPENSE_MAX),
        }
    }

    /// The rows that `events` change.
    pub(crate) async fn fold(
        &mut self,
        store: &EventStore,
        events: Vec<StoredEvent>,
    ) -> Result<Rows, FoldError> {
        let mut touched = Touched::default();
        self.take_in(store, &decode(events)?, &mut touched).await?;
        Ok(self.rows(touched))
    }

    /// Folds a part of a batch, whose rows are asked for at its end.
    pub(crate) async fn take_in(
        &mut self,
        store: &EventStore,
        decoded: &[(StoredEvent, Event)],
        touched: &mut Touched,
    ) -> Result<(), FoldError> {
        let Fold {
            approvals,
            bulks,
            platform,
            positions,
            suspense,
        } = self;
        let is_position = |event: &Event| matches!(event, Event::Position(_));
        positions.load(store, decoded, is_position).await?;
        let is_approval = |event: &Event| matches!(event, Event::Approval(_));
        approvals.load(store, decoded, is_approval).await?;
        let is_bulk = |event: &Event| matches!(event, Event::Bulk(_));
        bulks.load(store, decoded, is_bulk).await?;
        let is_platform = |event: &Event| matches!(event, Event::Platform(_));
        platform.load(store, decoded, is_platform).await?;
        let is_suspense = |event: &Event| matches!(event, Event::Suspense(_));
        suspense.load(store, decoded, is_suspense).await?;
        for (stored, event) in decoded {
            self.apply(stored, event, touched)?;
        }
        Ok(())
    }

    fn apply(
        &mut self,
        stored: &StoredEvent,
        event: &Event,
        touched: &mut Touched,
    ) -> Result<(), FoldError> {
        let stream = || stored.stream.clone();
        let (mut position, mut approval) = (None, None);
        match event {
            Event::Approval(_) => {
                approval = Some(&*self.approvals.apply(stored, event)?);
                touched.approvals.insert(stream());
            }
            Event::Position(_) => {
                let folded = self.positions.apply(stored, event)?;
                if !std::mem::replace(&mut folded.touched, true) {
                    touched.positions.push(stream());
                }
                position = Some(&*folded);
            }
            Event::Bulk(_) => {
                self.bulks.apply(stored, event)?;
                touched.bulks.insert(stream());
            }
            Event::Platform(_) => {
                self.platform.apply(stored, event)?;
                touched.platform.insert(stream());
            }
            Event::Suspense(_) => {
                self.suspense.apply(stored, event)?;
                touched.suspense.insert(stream());
            }
            Event::Client(_)
            | Event::Contract(_)
            | Event::Person(_)
            | Event::Refusal(_)
            | Event::Seal(_)
            | Event::Session(_) => {}
        }
        let entry = audit::entry(stored, event, position, approval);
        touched.rows.audit.extend(entry);
        match event {
            Event::Client(ClientEvent::ClientRegistered(event)) => {
                let row = clients::row(stored, event.clone());
                touched.clients.insert(row.client_code.clone(), row);
            }
            Event::Client(
                ClientEvent::ClientIdentityRecorded(_)
                | ClientEvent::ClientKeyRotated(_)
                | ClientEvent::ClientIdentityRevealed(_)
                | ClientEvent::ClientErased(_)
                | ClientEvent::CallerVerified(_)
                | ClientEvent::CallerVerificationFailed(_),
            ) => {}
            Event::Contract(event) => {
                let row = contracts::row(stored, event.clone());
                let name = (row.trading_date, row.venue.clone(), row.symbol.clone());
                touched.contracts.insert(name, row);
            }
            Event::Approval(_)
            | Event::Position(_)
            | Event::Bulk(_)
            | Event::Person(_)
            | Event::Platform(_)
            | Event::Suspense(_)
            | Event::Refusal(_)
            | Event::Seal(_)
            | Event::Session(_) => {}
        }
        Ok(())
    }

    /// The rows that a batch changed, as they are after it.
    pub(crate) fn rows(&mut self, touched: Touched) -> Rows {
        let mut rows = touched.rows;
        rows.clients.extend(touched.clients.into_values());
        rows.contracts.extend(touched.contracts.into_values());
        for stream in touched.positions {
            let folded = self.positions.changed(&stream);
            rows.positions.extend(folded.row(&stream));
            rows.orders.extend(folded.order_rows(&stream));
            rows.trades.extend(folded.trade_rows(&stream));
            folded.settled();
        }
        for stream in touched.approvals {
            let folded = self.approvals.changed(&stream);
            rows.approvals.extend(folded.row());
            folded.settled();
        }
        for stream in touched.bulks {
            let folded = self.bulks.changed(&stream);
            rows.bulks.extend(folded.row());
            rows.bulk_items.extend(folded.item_rows());
            folded.settled();
        }
        for stream in touched.platform {
            let folded = self.platform.changed(&stream);
            rows.platform.push(folded.row(&stream));
            rows.halts.extend(folded.halt_rows());
            rows.cancel_alls.extend(folded.cancel_all_rows());
            rows.market_phases.extend(folded.market_phase_rows());
            rows.incidents.extend(folded.incident_rows());
            folded.settled();
        }
        for stream in touched.suspense {
            let folded = self.suspense.changed(&stream);
            rows.suspense.extend(folded.rows());
            folded.settled();
        }
        self.positions.forget();
        self.approvals.forget();
        self.bulks.forget();
        self.suspense.forget();
        self.platform.forget();
        rows
    }
}

pub(crate) fn decode(events: Vec<StoredEvent>) -> Result<Vec<(StoredEvent, Event)>, FoldError> {
    // Collecting results would not know how many there will be, and move them again and again.
    let mut decoded = Vec::with_capacity(events.len());
    for stored in events {
        let event = codec::decode(&stored)?;
        decoded.push((stored, event));
    }
    Ok(decoded)
}
