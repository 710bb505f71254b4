//! What decisions need to know of the platform, and the gate that every new order passes.

use super::decide::PlatformRequest;
use super::event::{HaltScope, MarketPhase};
use super::refusal::Gate;
use crate::id::{RequestId, Segment, Venue};
use crate::time::{Timestamp, TradingDate};
use std::collections::BTreeMap;

/// Where the platform is in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    #[default]
    Dormant,
    /// One person asked for an activation.
    Requested,
    /// A second one approved.
    Approved,
    /// The positions of the beginning of the day are being loaded.
    Loading,
    /// New square-offs are taken.
    Active,
    /// One person asked for the hand-back: no new square-offs.
    HandbackRequested,
    /// A second one approved: what works finishes or is cancelled.
    Draining,
    /// The primary platform has the positions; a new activation may be asked for.
    HandedBack,
}

impl Phase {
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Dormant => "dormant",
            Phase::Requested => "requested",
            Phase::Approved => "approved",
            Phase::Loading => "loading",
            Phase::Active => "active",
            Phase::HandbackRequested => "handback-requested",
            Phase::Draining => "draining",
            Phase::HandedBack => "handed-back",
        }
    }
}

/// The activation that was asked for last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    pub trading_date: TradingDate,
    pub reason: String,
    pub outage_began_at: Timestamp,
    pub requested_by: String,
    pub approved_by: Option<String>,
}

/// A kill switch that is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halt {
    pub reason: String,
    pub by: String,
}

/// What one person asked for and another has to approve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub scope: HaltScope,
    pub reason: String,
    pub by: String,
}

/// What was told last of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Market {
    pub trading_date: TradingDate,
    pub phase: MarketPhase,
    pub source: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Platform {
    pub phase: Phase,
    /// Zero until the first activation.
    pub epoch: u32,
    /// Of the activation that is or was in force last, not of one that is only asked for.
    pub trading_date: Option<TradingDate>,
    /// From the request for an activation until it is active or rejected.
    pub activation: Option<Activation>,
    /// Who asked for the hand-back that is under way.
    pub handback_requested_by: Option<String>,
    /// Trading dates whose book is loaded, each with the source that was told last.
    pub books: BTreeMap<TradingDate, String>,
    pub halts: BTreeMap<HaltScope, Halt>,
    /// Resumes that wait for a second person.
    pub resumes: BTreeMap<HaltScope, Wish>,
    /// Cancel-alls that wait for a second person.
    pub cancel_alls: BTreeMap<RequestId, Wish>,
    /// Venues that no session may be connected to, each with who asked and why.
    pub disconnects: BTreeMap<Venue, Halt>,
    /// Disconnects that wait for a second person.
    pub disconnect_wishes: BTreeMap<Venue, Wish>,
    pub markets: BTreeMap<(Venue, Segment), Market>,
    /// What was asked since the last request for an activation, to know a repetition.
    pub requests: BTreeMap<RequestId, PlatformRequest>,
}

impl Platform {
    /// Whether a new order for a position of `date` in this segment may go.
    ///
    /// # Errors
    /// [`Gate`], in its order of precedence.
    pub fn gate(&self, date: TradingDate, venue: Venue, segment: Segment) -> Result<(), Gate> {
        if self.phase != Phase::Active {
            return Err(Gate::NotActive { state: self.phase });
        }
        if self.trading_date != Some(date) {
            return Err(Gate::OtherDate { date });
        }
        // The widest first: the order of the scopes.
        let halted = self
            .halts
            .iter()
            .find(|(scope, _)| scope.covers(venue, segment));
        if let Some((scope, halt)) = halted {
            let (scope, reason) = (*scope, halt.reason.clone());
            return Err(Gate::Halted { scope, reason });
        }
        if !self.is_market_open(venue, segment) {
            let phase = self.market_phase(venue, segment);
            return Err(Gate::MarketNotOpen { phase });
        }
        Ok(())
    }

    /// The segment's phase on the activation's trading date; `None` when nobody has told.
    pub fn market_phase(&self, venue: Venue, segment: Segment) -> Option<MarketPhase> {
        let market = self.markets.get(&(venue, segment))?;
        (self.trading_date == Some(market.trading_date)).then_some(market.phase)
    }

    pub fn is_market_open(&self, venue: Venue, segment: Segment) -> bool {
        self.market_phase(venue, segment) == Some(MarketPhase::Open)
    }

    /// The epoch whose accepted orders may still be sent: active, or being handed back and not yet done with it.
    pub const fn epoch_in_force(&self) -> Option<u32> {
        match self.phase {
            Phase::Active | Phase::HandbackRequested | Phase::Draining => Some(self.epoch),
            Phase::Dormant
            | Phase::Requested
            | Phase::Approved
            | Phase::Loading
            | Phase::HandedBack => None,
        }
    }
}
