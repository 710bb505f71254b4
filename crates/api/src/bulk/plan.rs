//! What a bulk would be: its items in their order, and what it costs in messages and time. Pure; the positions come from a read model.

use super::session_close::SessionClose;
use squareoff_domain::bulk::{BulkItem, BulkPhase, Estimate, notional_of, phase_of};
use squareoff_domain::{
    Contract, NetQuantity, PositionKey, Segment, Timestamp, TradingDate, Venue,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An open position that falls under the filter and may be closed.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub key: PositionKey,
    pub net: NetQuantity,
    /// Orders that may still fill.
    pub working_ours: u32,
    pub working_external: u32,
    pub contract: Arc<Contract>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// In ascending order of phase and key.
    pub items: Vec<BulkItem>,
    pub phases: BTreeMap<BulkPhase, PhasePlan>,
    pub cancels_ours: u32,
    pub cancels_external: u32,
    pub slices: u32,
    /// In 1/10,000 rupee, capped at `u64::MAX`.
    pub notional: u64,
    pub messages: u64,
    /// Of the venue that takes longest: venues work side by side.
    pub seconds: u64,
    pub segments: BTreeSet<Segment>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PhasePlan {
    pub items: u32,
    pub slices: u32,
    pub notional: u64,
}

/// The session's end of one segment, against the plan as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close {
    pub segment: Segment,
    pub closes_at: Timestamp,
    /// Zero once it has closed.
    pub seconds_to_close: u64,
    /// Negative when it does not fit.
    pub spare_seconds: i64,
}

pub fn plan(candidates: Vec<Candidate>, message_rate_per_s: u32) -> Plan {
    let mut plan = Plan::default();
    let mut venues: BTreeMap<Venue, (u64, u64)> = BTreeMap::new();
    for candidate in candidates {
        let Candidate {
            key,
            net,
            working_ours,
            working_external,
            contract,
        } = candidate;
        let phase = phase_of(&contract, &key, net);
        let notional = notional_of(net, contract.reference_price);
        let slices = slices(net, &contract);
        let working = working_ours.saturating_add(working_external);

        let of_phase = plan.phases.entry(phase).or_default();
        of_phase.items = of_phase.items.saturating_add(1);
        of_phase.slices = of_phase.slices.saturating_add(slices);
        of_phase.notional = of_phase.notional.saturating_add(notional);
        plan.cancels_ours = plan.cancels_ours.saturating_add(working_ours);
        plan.cancels_external = plan.cancels_external.saturating_add(working_external);
        plan.slices = plan.slices.saturating_add(slices);
        plan.notional = plan.notional.saturating_add(notional);
        plan.segments.insert(contract.segment);
        let venue = venues.entry(key.venue).or_default();
        venue.0 = venue.0.saturating_add(u64::from(working));
        venue.1 = venue.1.saturating_add(u64::from(slices));
        plan.items.push(BulkItem {
            key,
            phase,
            net,
            notional,
            working,
        });
    }
    plan.items
        .sort_by(|a, b| (a.phase, &a.key).cmp(&(b.phase, &b.key)));
    for (cancels, slices) in venues.into_values() {
        let estimate = Estimate::of(cancels, slices, message_rate_per_s);
        plan.messages = plan.messages.saturating_add(estimate.messages);
        plan.seconds = plan.seconds.max(estimate.seconds);
    }
    plan
}

/// Orders that closing takes; none when not even a lot can be closed.
fn slices(net: NetQuantity, contract: &Contract) -> u32 {
    let whole = net.open().whole_lots(contract.lot).units();
    let largest = contract.largest_slice().units();
    if largest == 0 {
        return 0;
    }
    u32::try_from(whole.div_ceil(largest)).unwrap_or(u32::MAX)
}

impl Plan {
    /// The closes of its segments, where they are known, seen from `now`.
    pub fn closes(
        &self,
        session_close: SessionClose,
        date: TradingDate,
        now: Timestamp,
    ) -> Vec<Close> {
        let estimate = Estimate {
            messages: self.messages,
            seconds: self.seconds,
        };
        let close = |segment: &Segment| {
            let closes_at = session_close.of(*segment, date)?;
            let left_ns = closes_at.0.saturating_sub(now.0).max(0);
            let seconds_to_close = u64::try_from(left_ns / 1_000_000_000).unwrap_or(0);
            Some(Close {
                segment: *segment,
                closes_at,
                seconds_to_close,
                spare_seconds: estimate.spare_seconds(seconds_to_close),
            })
        };
        self.segments.iter().filter_map(close).collect()
    }
}
