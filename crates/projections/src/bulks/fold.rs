//! One bulk's stream, folded: the domain's own state for status and counts, and the rows as they stand.

use super::{BulkItemRow, BulkRow};
use crate::fold::{FoldError, Folded, next_version};
use crate::orders::time_in_force;
use crate::units::{date, instant, position as log_position, small, units, whole};
use squareoff_domain::Event;
use squareoff_domain::bulk::{
    self, Bulk, BulkEvent, BulkId, BulkItem, BulkItemsListed, BulkOutcome, BulkPrice, BulkProposed,
    BulkStatus,
};
use squareoff_store::StoredEvent;
use std::collections::BTreeSet;
use time::{Duration, OffsetDateTime};

#[derive(Debug)]
pub(crate) struct FoldedBulk {
    id: BulkId,
    bulk: Bulk,
    row: Option<BulkRow>,
    /// Of each item what its row shows and the state has not.
    items: Vec<Item>,
    changed_items: BTreeSet<u32>,
    version: u64,
}

#[derive(Debug)]
struct Item {
    /// The first outcome, which stands.
    settled: Option<(BulkOutcome, OffsetDateTime)>,
    version: i64,
    updated_position: i64,
}

impl Folded for FoldedBulk {
    fn begin(next: &StoredEvent) -> Result<Self, FoldError> {
        let id = BulkId::of_stream(&next.stream).ok_or_else(|| FoldError::NotABulk {
            position: next.position,
            event_type: next.event_type.clone(),
            stream: next.stream.clone(),
        })?;
        Ok(FoldedBulk {
            id,
            bulk: Bulk::default(),
            row: None,
            items: vec![],
            changed_items: BTreeSet::new(),
            version: 0,
        })
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn apply(&mut self, stored: &StoredEvent, event: &Event) -> Result<(), FoldError> {
        self.version = next_version(self.version, stored)?;
        if let Event::Bulk(event) = event {
            self.work_on(instant(stored.occurred_at));
            self.note(stored, event);
            self.bulk = bulk::evolve(std::mem::take(&mut self.bulk), event);
            self.count(stored);
        }
        Ok(())
    }

    fn settled(&mut self) {
        self.changed_items.clear();
    }
}

impl FoldedBulk {
    /// `None` for a stream that begins with something else than its proposal.
    pub(crate) fn row(&self) -> Option<BulkRow> {
        self.row.clone()
    }

    /// The items that changed.
    pub(crate) fn item_rows(&self) -> impl Iterator<Item = BulkItemRow> {
        let items = self.changed_items.iter();
        items.filter_map(|index| {
            let listed = self.bulk.items.get(*index)?;
            let item = self.items.get(slot(*index))?;
            let cancelled = self.bulk.cancelled.get(slot(*index)) == Some(&true);
            Some(item_row(self.id, *index, listed, item, cancelled))
        })
    }

    /// The time since the event before was worked, if the bulk was running.
    fn work_on(&mut self, now: OffsetDateTime) {
        if let (true, Some(row)) = (self.bulk.may_begin(), &mut self.row) {
            let ms = (now - row.updated_at).whole_milliseconds().max(0);
            let worked = i128::from(row.worked_ms).saturating_add(ms);
            row.worked_ms = i64::try_from(worked).unwrap_or(i64::MAX);
        }
    }

    /// What the rows show beside the state. Before the state takes the event in, so that what stands is known.
    fn note(&mut self, stored: &StoredEvent, event: &BulkEvent) {
        let at = instant(stored.occurred_at);
        match event {
            BulkEvent::BulkProposed(proposed) => self.row = Some(self.proposed(stored, proposed)),
            BulkEvent::BulkItemsListed(listed) => self.listed(stored, listed),
            BulkEvent::BulkCancelsDone(done) => {
                for index in &done.items {
                    self.item(stored, *index);
                }
            }
            BulkEvent::BulkItemsSettled(settled) => {
                for (index, outcome) in &settled.outcomes {
                    self.settle(stored, *index, outcome);
                }
            }
            BulkEvent::BulkApproved(approved) => self.change(|row| {
                row.approved_by = Some(approved.by.clone());
                row.approved_at = Some(at);
            }),
            BulkEvent::BulkPaused(paused) => self.change(|row| {
                row.paused_by = Some(paused.by.clone());
                row.paused_reason = Some(paused.reason.clone());
            }),
            BulkEvent::BulkResumed(_) => self.change(|row| {
                (row.paused_by, row.paused_reason) = (None, None);
            }),
            BulkEvent::BulkRejected(rejected) => {
                self.ended(at, &rejected.by, Some(&rejected.reason));
            }
            BulkEvent::BulkAborted(aborted) => self.ended(at, &aborted.by, Some(&aborted.reason)),
            BulkEvent::BulkCompleted(_) => self.ended(at, &stored.actor, None),
            BulkEvent::BulkPhaseEntered(_) => {}
        }
    }

    fn proposed(&self, stored: &StoredEvent, proposed: &BulkProposed) -> BulkRow {
        let at = instant(stored.occurred_at);
        let filter = &proposed.filter;
        let text = |text: &str| text.to_owned();
        BulkRow {
            bulk_id: self.id.0,
            proposed_position: log_position(stored.position),
            trading_date: date(proposed.trading_date),
            status: String::new(),
            phase: None,
            filter_client: filter.client.as_ref().map(|client| text(client.as_str())),
            filter_venue: filter.venue.map(|venue| text(venue.as_str())),
            filter_symbol: filter.symbol.as_ref().map(|symbol| text(symbol.as_str())),
            filter_product: filter.product.map(|product| text(product.as_str())),
            filter_segment: filter.segment.map(|segment| text(segment.as_str())),
            filter_expiry: filter.expiry.map(date),
            price: match proposed.terms.price {
                BulkPrice::MarketableLimit => text("marketable-limit"),
            },
            time_in_force: text(time_in_force(proposed.terms.time_in_force)),
            cancel_external: proposed.terms.cancel_external,
            reason: proposed.reason.clone(),
            proposed_by: proposed.proposed_by.clone(),
            proposed_at: at,
            approved_by: None,
            approved_at: None,
            paused_by: None,
            paused_reason: None,
            ended_by: None,
            ended_reason: None,
            ended_at: None,
            as_of: whole(proposed.as_of),
            items: i64::from(proposed.items),
            orders_to_cancel: i64::from(proposed.orders_to_cancel),
            slices: i64::from(proposed.slices),
            notional: whole(proposed.notional),
            messages: whole(proposed.messages),
            estimated_seconds: whole(proposed.estimated_seconds),
            message_rate_per_s: i64::from(proposed.message_rate_per_s),
            listed: 0,
            cancelled: 0,
            closed: 0,
            nothing_to_do: 0,
            refused: 0,
            failed: 0,
            skipped: 0,
            closed_quantity: 0,
            worked_ms: 0,
            estimated_end_at: None,
            version: 0,
            updated_position: 0,
            updated_at: at,
        }
    }

    fn listed(&mut self, stored: &StoredEvent, listed: &BulkItemsListed) {
        for _ in &listed.items {
            let index = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
            self.items.push(Item {
                settled: None,
                version: whole(stored.version),
                updated_position: log_position(stored.position),
            });
            self.changed_items.insert(index);
        }
    }

    /// The first outcome stands.
    fn settle(&mut self, stored: &StoredEvent, index: u32, outcome: &BulkOutcome) {
        let Some(item) = self.item(stored, index) else {
            return;
        };
        if item.settled.is_some() {
            return;
        }
        item.settled = Some((outcome.clone(), instant(stored.occurred_at)));
        if let BulkOutcome::Closed { quantity } = outcome {
            let closed = units(*quantity);
            self.change(|row| row.closed_quantity = row.closed_quantity.saturating_add(closed));
        }
    }

    /// The item, which the event at hand changes.
    fn item(&mut self, stored: &StoredEvent, index: u32) -> Option<&mut Item> {
        let item = self.items.get_mut(slot(index))?;
        item.version = whole(stored.version);
        item.updated_position = log_position(stored.position);
        self.changed_items.insert(index);
        Some(item)
    }

    fn change(&mut self, change: impl FnOnce(&mut BulkRow)) {
        if let Some(row) = &mut self.row {
            change(row);
        }
    }

    fn ended(&mut self, at: OffsetDateTime, by: &str, reason: Option<&str>) {
        self.change(|row| {
            row.ended_by = Some(by.to_owned());
            row.ended_reason = reason.map(str::to_owned);
            row.ended_at = Some(at);
        });
    }

    /// What follows from the state, after it took the event in.
    fn count(&mut self, stored: &StoredEvent) {
        let Some(row) = &mut self.row else { return };
        let (bulk, counts) = (&self.bulk, self.bulk.counts);
        row.status = bulk.status.as_str().to_owned();
        row.phase = bulk.phase.map(|phase| phase.as_str().to_owned());
        row.listed = i64::from(counts.listed);
        row.cancelled = i64::from(counts.cancelled);
        row.closed = i64::from(counts.closed);
        row.nothing_to_do = i64::from(counts.nothing_to_do);
        row.refused = i64::from(counts.refused);
        row.failed = i64::from(counts.failed);
        row.skipped = i64::from(counts.skipped);
        row.version = whole(stored.version);
        row.updated_position = log_position(stored.position);
        row.updated_at = instant(stored.occurred_at);
        let settled = i64::from(counts.settled());
        row.estimated_end_at = (bulk.status == BulkStatus::Running)
            .then(|| estimated_end(row, settled))
            .flatten();
    }
}

fn item_row(
    id: BulkId,
    index: u32,
    listed: &BulkItem,
    item: &Item,
    cancelled: bool,
) -> BulkItemRow {
    let (outcome, outcome_quantity, outcome_reason) = match item.settled.as_ref() {
        None => (None, None, None),
        Some((BulkOutcome::Closed { quantity }, _)) => {
            (Some("closed"), Some(units(*quantity)), None)
        }
        Some((BulkOutcome::NothingToDo, _)) => (Some("nothing-to-do"), None, None),
        Some((BulkOutcome::Skipped, _)) => (Some("skipped"), None, None),
        Some((BulkOutcome::Refused { code }, _)) => (Some("refused"), None, Some(code.clone())),
        Some((BulkOutcome::Failed { left, reason }, _)) => {
            (Some("failed"), Some(units(*left)), Some(reason.clone()))
        }
    };
    BulkItemRow {
        bulk_id: id.0,
        item: small(index),
        stream: listed.key.stream(),
        client_code: listed.key.client.as_str().to_owned(),
        venue: listed.key.venue.as_str().to_owned(),
        symbol: listed.key.symbol.as_str().to_owned(),
        product: listed.key.product.as_str().to_owned(),
        phase: listed.phase.as_str().to_owned(),
        net_quantity: listed.net.0,
        notional: whole(listed.notional),
        working_orders: i64::from(listed.working),
        cancelled,
        outcome: outcome.map(str::to_owned),
        outcome_quantity,
        outcome_reason,
        settled_at: item.settled.as_ref().map(|(_, at)| *at),
        version: item.version,
        updated_position: item.updated_position,
    }
}

/// An index as a place in a vector; one that no memory could hold names no place.
fn slot(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// From the last event on, what is left at the slower of two paces: the estimate's, and that of the items settled so far.
fn estimated_end(row: &BulkRow, settled: i64) -> Option<OffsetDateTime> {
    let left = i128::from(row.listed.saturating_sub(settled));
    let by_estimate = i128::from(row.estimated_seconds)
        .saturating_mul(1_000)
        .saturating_mul(left)
        .checked_div(i128::from(row.items))?;
    let so_far = i128::from(row.worked_ms)
        .saturating_mul(left)
        .checked_div(i128::from(settled));
    let ms = i64::try_from(by_estimate.max(so_far.unwrap_or(0))).ok()?;
    row.updated_at.checked_add(Duration::milliseconds(ms))
}
