//! What live readers are told of each event: the rows that it changed, as a query would show them right behind it.
//!
//! Beside the batches of [`super::Fold`], whose rows are those at a batch's end, this one looks after every single event. The rows are the
//! same: a position's is joined here with its contract, as its query joins them. A new reference price alone changes no position here.

use super::listings::Listings;
use super::streams::{Folded, Streams};
use super::{FoldError, FoldedPosition, STREAMS_MAX, decode};
use crate::approvals::{ApprovalRow, FoldedApproval};
use crate::orders::OrderRow;
use crate::platform::FoldedPlatform;
use crate::positions::PositionRow;
use squareoff_domain::platform::Platform;
use squareoff_domain::{Event, PositionKey};
use squareoff_store::{EventStore, StoredEvent};
use std::num::NonZeroUsize;

/// Approvals that are remembered.
const APPROVALS_MAX: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

/// The platform right behind one of its events.
#[derive(Debug, Clone)]
pub struct LivePlatform {
    pub platform: Platform,
    /// Version of its stream.
    pub version: u64,
}

/// What one event changed; nothing of many events.
#[derive(Debug, Clone, Default)]
pub struct LiveChange {
    pub orders: Vec<OrderRow>,
    pub position: Option<PositionRow>,
    pub platform: Option<LivePlatform>,
    pub approval: Option<ApprovalRow>,
}

/// Starts anywhere in the log.
#[derive(Debug)]
pub struct LiveFold {
    listings: Listings,
    platform: Streams<FoldedPlatform>,
    positions: Streams<FoldedPosition>,
    approvals: Streams<FoldedApproval>,
}

impl Default for LiveFold {
    fn default() -> Self {
        LiveFold {
            listings: Listings::default(),
            platform: Streams::new(NonZeroUsize::MIN),
            positions: Streams::new(STREAMS_MAX),
            approvals: Streams::new(APPROVALS_MAX),
        }
    }
}

impl LiveFold {
    /// What each of `events`, which follow those of the call before, changed.
    ///
    /// # Errors
    /// [`FoldError::Read`] changes nothing: the same call may be tried again. After any other the fold is of no more use.
    pub async fn fold(
        &mut self,
        store: &EventStore,
        events: Vec<StoredEvent>,
    ) -> Result<Vec<LiveChange>, FoldError> {
        let decoded = decode(events)?;
        let is_position = |event: &Event| matches!(event, Event::Position(_));
        self.positions.load(store, &decoded, is_position).await?;
        let is_platform = |event: &Event| matches!(event, Event::Platform(_));
        self.platform.load(store, &decoded, is_platform).await?;
        let is_approval = |event: &Event| matches!(event, Event::Approval(_));
        self.approvals.load(store, &decoded, is_approval).await?;
        self.listings.load(store, &decoded).await?;
        let mut changes = Vec::with_capacity(decoded.len());
        for (stored, event) in &decoded {
            changes.push(self.apply(stored, event)?);
        }
        self.positions.forget();
        self.approvals.forget();
        Ok(changes)
    }

    fn apply(&mut self, stored: &StoredEvent, event: &Event) -> Result<LiveChange, FoldError> {
        let mut change = LiveChange::default();
        match event {
            Event::Position(_) => {
                let folded = self.positions.apply(stored, event)?;
                change.orders = folded.order_rows(&stored.stream).collect();
                let PositionKey { date, venue, .. } = folded.key;
                let listing = self.listings.find(date, venue, &folded.key.symbol);
                let row = folded.row(&stored.stream);
                change.position = row.map(|row| PositionRow::of(row, listing));
                folded.settled();
            }
            Event::Platform(_) => {
                let folded = self.platform.apply(stored, event)?;
                folded.settled();
                change.platform = Some(LivePlatform {
                    platform: folded.platform().clone(),
                    version: stored.version,
                });
            }
            Event::Contract(event) => self.listings.apply(event),
            Event::Approval(_) => {
                let folded = self.approvals.apply(stored, event)?;
                change.approval = folded.row();
            }
            Event::Bulk(_)
            | Event::Client(_)
            | Event::Person(_)
            | Event::Refusal(_)
            | Event::Seal(_)
            | Event::Session(_)
            | Event::Suspense(_) => {}
        }
        Ok(change)
    }
}
