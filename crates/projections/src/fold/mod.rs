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
mod rows;
mod streams;

pub use live::{LiveChange, LiveFold, LivePlatform};
pub(crate) use position::{FoldedPosition, Placed, Told};
pub(crate) use rows::{Encoded, Form, Listed, Rows, Table};
pub(crate) use streams::{Folded, next_version};

use crate::approvals::FoldedApproval;
use crate::audit;
use crate::bulks::FoldedBulk;
use crate::clients::{self, ClientRow};
use crate::contracts::{self, ContractRow};
use crate::platform::FoldedPlatform;
use crate::suspense::FoldedSuspense;
use squareoff_domain::Event;
use squareoff_domain::client::ClientEvent;
use squareoff_store::codec::{self, DecodeError};
use squareoff_store::{EventStore, Position as LogPosition, ReadError, StoredEvent};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use streams::Streams;
use thiserror::Error;

/// Streams that the live runner remembers, and live readers' fold: twice the sample book's positions, some ten kilobytes each at most on a busy day.
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

/// What a batch changed; rows are made of it when they are wanted.
#[derive(Debug)]
pub(crate) struct Touched<F: Form> {
    approvals: BTreeSet<Arc<str>>,
    bulks: BTreeSet<Arc<str>>,
    clients: BTreeMap<String, ClientRow>,
    contracts: BTreeMap<(time::Date, String, String), ContractRow>,
    platform: BTreeSet<Arc<str>>,
    positions: Vec<Arc<str>>,
    /// The audit trail's are there already.
    rows: Rows<F>,
    suspense: BTreeSet<Arc<str>>,
}

impl<F: Form> Touched<F> {
    /// Nothing yet; the rows will be `into`, which is empty.
    pub(crate) fn begin(into: Rows<F>) -> Self {
        Touched {
            approvals: BTreeSet::new(),
            bulks: BTreeSet::new(),
            clients: BTreeMap::new(),
            contracts: BTreeMap::new(),
            platform: BTreeSet::new(),
            positions: vec![],
            rows: into,
            suspense: BTreeSet::new(),
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

    /// The rows that `events` change. After an error the fold is of no more use: some of them were taken in.
    pub(crate) async fn fold(
        &mut self,
        store: &EventStore,
        events: Vec<StoredEvent>,
    ) -> Result<Rows<Listed>, FoldError> {
        let mut touched = Touched::begin(Rows::default());
        self.take_in(store, &decode(events)?, &mut touched).await?;
        Ok(self.rows(touched))
    }

    /// Folds a part of a batch, whose rows are asked for at its end.
    pub(crate) async fn take_in<F: Form>(
        &mut self,
        store: &EventStore,
        decoded: &[(StoredEvent, Event)],
        touched: &mut Touched<F>,
    ) -> Result<(), FoldError> {
        let mut rest = decoded;
        while let Some((stored, event)) = rest.first() {
            if self.apply(stored, event, touched)? {
                rest = &rest[1..];
            } else {
                self.load(store, rest).await?;
            }
        }
        Ok(())
    }

    /// Reads the streams that `decoded` goes on with and that are not remembered.
    async fn load(
        &mut self,
        store: &EventStore,
        decoded: &[(StoredEvent, Event)],
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
        suspense.load(store, decoded, is_suspense).await
    }

    /// Whether it could: false changes nothing, and the event's stream has to be read first.
    fn apply<F: Form>(
        &mut self,
        stored: &StoredEvent,
        event: &Event,
        touched: &mut Touched<F>,
    ) -> Result<bool, FoldError> {
        let stream = || stored.stream.clone();
        let (mut position, mut approval) = (None, None);
        match event {
            Event::Approval(_) => {
                let Some(folded) = self.approvals.apply_ready(stored, event)? else {
                    return Ok(false);
                };
                touched.approvals.insert(stream());
                approval = Some(&*folded);
            }
            Event::Position(_) => {
                let Some(folded) = self.positions.apply_ready(stored, event)? else {
                    return Ok(false);
                };
                if !std::mem::replace(&mut folded.touched, true) {
                    touched.positions.push(stream());
                }
                position = Some(&*folded);
            }
            Event::Bulk(_) => {
                if self.bulks.apply_ready(stored, event)?.is_none() {
                    return Ok(false);
                }
                touched.bulks.insert(stream());
            }
            Event::Platform(_) => {
                if self.platform.apply_ready(stored, event)?.is_none() {
                    return Ok(false);
                }
                touched.platform.insert(stream());
            }
            Event::Suspense(_) => {
                if self.suspense.apply_ready(stored, event)?.is_none() {
                    return Ok(false);
                }
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
        touched.rows.audit.add(entry);
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
        Ok(true)
    }

    /// The rows that a batch changed, as they are after it.
    pub(crate) fn rows<F: Form>(&mut self, touched: Touched<F>) -> Rows<F> {
        let mut rows = touched.rows;
        rows.clients.add(touched.clients.into_values());
        rows.contracts.add(touched.contracts.into_values());
        for stream in touched.positions {
            let folded = self.positions.changed(&stream);
            rows.positions.add(folded.row(&stream));
            rows.orders.add(folded.order_rows(&stream));
            rows.trades.add(folded.trade_rows(&stream));
            folded.settled();
        }
        for stream in touched.approvals {
            let folded = self.approvals.changed(&stream);
            rows.approvals.add(folded.row());
            folded.settled();
        }
        for stream in touched.bulks {
            let folded = self.bulks.changed(&stream);
            rows.bulks.add(folded.row());
            rows.bulk_items.add(folded.item_rows());
            folded.settled();
        }
        for stream in touched.platform {
            let folded = self.platform.changed(&stream);
            rows.platform.add([folded.row(&stream)]);
            rows.halts.add(folded.halt_rows());
            rows.cancel_alls.add(folded.cancel_all_rows());
            rows.market_phases.add(folded.market_phase_rows());
            rows.incidents.add(folded.incident_rows());
            folded.settled();
        }
        for stream in touched.suspense {
            let folded = self.suspense.changed(&stream);
            rows.suspense.add(folded.rows());
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
