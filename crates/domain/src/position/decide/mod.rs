//! People ask: a request becomes events, or a refusal and no event.

mod modify;
mod square_off;

use super::cancel::{cancel, check_cancel};
use super::event::{
    Change, InDoubtResolved, Outcome, PositionEvent, PositionFrozen, PositionHandedBack,
    PositionUnfrozen, PricePolicy, Scope, SquareOffTerms,
};
use super::order::Order;
use super::refusal::Refusal;
use super::state::{Asked, Position};
use crate::amount::Price;
use crate::id::{OrderId, PositionKey, RequestId, Side};
use crate::platform::{Gate, Phase, Platform};
use crate::reference::Contract;
use crate::time::Timestamp;
use modify::modify;
use square_off::{limit_price, square_off};

/// One request places at most this many orders: an append stays well under the log's batch limit, and a slip of the finger bounded.
pub const MAX_SLICES: u32 = 200;

/// The number in a replace's ClOrdID has two digits in base 36; nobody changes one order oftener in earnest.
pub const MAX_REPLACES_PER_ORDER: u32 = 128;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    SquareOff {
        request_id: RequestId,
        terms: SquareOffTerms,
    },
    /// Cancels one order, or with `None` every order that works, ours and the primary's.
    Cancel {
        request_id: RequestId,
        order: Option<OrderId>,
    },
    /// Another price, or a lower quantity, for an order of ours that works.
    Modify {
        request_id: RequestId,
        order: OrderId,
        change: Change,
    },
    /// A person found out whether the exchange has an order.
    ResolveInDoubt {
        request_id: RequestId,
        order: OrderId,
        outcome: Outcome,
        reason: String,
    },
    Freeze {
        request_id: RequestId,
        reason: String,
    },
    Unfreeze {
        request_id: RequestId,
        reason: String,
    },
    /// The primary takes the position back.
    HandBack { request_id: RequestId },
}

impl Request {
    pub const fn request_id(&self) -> RequestId {
        match self {
            Request::SquareOff { request_id, .. }
            | Request::Cancel { request_id, .. }
            | Request::Modify { request_id, .. }
            | Request::ResolveInDoubt { request_id, .. }
            | Request::Freeze { request_id, .. }
            | Request::Unfreeze { request_id, .. }
            | Request::HandBack { request_id } => *request_id,
        }
    }

    /// What was asked, as a repetition would ask it; the reasons people write are not compared.
    fn repeats(&self, asked: &Asked, epoch: u32) -> bool {
        match (self, asked) {
            (Request::SquareOff { terms, .. }, Asked::SquareOff { terms: before, .. }) => {
                terms == before
            }
            (Request::Cancel { order, .. }, Asked::Cancel { order: before }) => order == before,
            (
                Request::Modify { order, change, .. },
                Asked::Modify {
                    order: order_before,
                    change: change_before,
                },
            ) => (order, change) == (order_before, change_before),
            (
                Request::ResolveInDoubt { order, outcome, .. },
                Asked::ResolveInDoubt {
                    order: order_before,
                    outcome: outcome_before,
                },
            ) => (order, outcome) == (order_before, outcome_before),
            (Request::Freeze { .. }, Asked::Freeze)
            | (Request::Unfreeze { .. }, Asked::Unfreeze) => true,
            (Request::HandBack { .. }, Asked::HandBack { epoch: before }) => epoch == *before,
            (
                Request::SquareOff { .. }
                | Request::Cancel { .. }
                | Request::Modify { .. }
                | Request::ResolveInDoubt { .. }
                | Request::Freeze { .. }
                | Request::Unfreeze { .. }
                | Request::HandBack { .. },
                Asked::SquareOff { .. }
                | Asked::Cancel { .. }
                | Asked::Modify { .. }
                | Asked::ResolveInDoubt { .. }
                | Asked::Freeze
                | Asked::Unfreeze
                | Asked::HandBack { .. },
            ) => false,
        }
    }
}

/// The price that the policy gives an order now.
///
/// # Errors
/// `UnknownInstrument`, `StaleReference`, and what speaks against the price itself.
pub fn price(policy: PricePolicy, side: Side, context: &Context) -> Result<Price, Refusal> {
    let contract = context.contract.ok_or(Refusal::UnknownInstrument)?;
    limit_price(policy, side, contract, context)
}

/// What a decision needs from outside the position, read just before.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub platform: &'a Platform,
    /// Whether the session is ready that the client's orders go over: logged on, and the venue has said how every order stands.
    pub session_ready: bool,
    /// The instrument's contract of the position's trading date.
    pub contract: Option<&'a Contract>,
    pub now: Timestamp,
    /// How old a reference price may be that a price is made of, in seconds.
    pub reference_age_max_s: u32,
}

/// # Errors
/// The first [`Refusal`] that applies. A request that was accepted before gives no events again, and no refusal.
pub fn decide(
    position: &Position,
    request: &Request,
    context: &Context,
) -> Result<Vec<PositionEvent>, Refusal> {
    match position.requests.get(&request.request_id()) {
        Some(asked) if request.repeats(asked, context.platform.epoch) => return Ok(vec![]),
        Some(_) => return Err(Refusal::RequestIdReused),
        None => {}
    }
    match request {
        Request::SquareOff { request_id, terms } => {
            square_off(position, *request_id, terms, context)
        }
        Request::Cancel { request_id, order } => cancels(position, *request_id, *order),
        Request::Modify {
            request_id,
            order,
            change,
        } => modify(position, *request_id, *order, *change, context),
        Request::ResolveInDoubt {
            request_id,
            order,
            outcome,
            reason,
        } => resolve(position, *request_id, *order, *outcome, reason),
        Request::Freeze { request_id, reason } => {
            let (request_id, reason) = (Some(*request_id), check_reason(reason)?);
            check_known(position)?;
            Ok(vec![PositionEvent::PositionFrozen(PositionFrozen {
                request_id,
                reason,
            })])
        }
        Request::Unfreeze { request_id, reason } => {
            let (request_id, reason) = (*request_id, check_reason(reason)?);
            check_known(position)?;
            if position.frozen.is_none() {
                return Err(Refusal::NotFrozen);
            }
            Ok(vec![PositionEvent::PositionUnfrozen(PositionUnfrozen {
                request_id,
                reason,
            })])
        }
        Request::HandBack { request_id } => hand_back(position, *request_id, context),
    }
}

fn check_known(position: &Position) -> Result<&PositionKey, Refusal> {
    position.key.as_ref().ok_or(Refusal::UnknownPosition)
}

fn check_reason(reason: &str) -> Result<String, Refusal> {
    if reason.trim().is_empty() {
        Err(Refusal::ReasonMissing)
    } else {
        Ok(reason.to_owned())
    }
}

/// Invariant 11: what places or changes an order passes here; what cancels or records never does.
fn check_open<'a>(
    position: &'a Position,
    context: &Context<'a>,
) -> Result<(&'a PositionKey, &'a Contract), Refusal> {
    if context.platform.phase != Phase::Active {
        return Err(Refusal::PlatformNotActive);
    }
    let key = check_known(position)?;
    // An epoch closes one day's positions: yesterday's stream is history.
    if context.platform.trading_date != Some(key.date) {
        return Err(Refusal::UnknownPosition);
    }
    let contract = context
        .contract
        .filter(|contract| contract.trading_date == key.date)
        .ok_or(Refusal::UnknownInstrument)?;
    let gate = context
        .platform
        .gate(key.date, key.venue, contract.segment)
        .map_err(|gate| match gate {
            Gate::NotActive { .. } => Refusal::PlatformNotActive,
            Gate::OtherDate { .. } => Refusal::UnknownPosition,
            Gate::Halted { reason, .. } => Refusal::Halted { reason },
            Gate::MarketNotOpen { phase } => Refusal::MarketNotOpen {
                phase: phase.map_or("nobody has said that it opened", |phase| phase.as_str()),
            },
        });
    gate?;
    if !context.session_ready {
        return Err(Refusal::SessionNotReady);
    }
    if position.handed_back == Some(context.platform.epoch) {
        return Err(Refusal::HandedBack);
    }
    if let Some(reason) = position.frozen.clone() {
        return Err(Refusal::Frozen { reason });
    }
    if let Some(reason) = contract.restricted() {
        return Err(Refusal::InstrumentRestricted { reason });
    }
    Ok((key, contract))
}

/// Cancelling is always allowed: neither the platform's phase nor the session's state refuses it.
fn cancels(
    position: &Position,
    request_id: RequestId,
    order: Option<OrderId>,
) -> Result<Vec<PositionEvent>, Refusal> {
    let key = check_known(position)?;
    if let Some(id) = order {
        let order = position.orders.get(&id).ok_or(Refusal::UnknownOrder)?;
        check_cancel(order)?;
        let asked = Some((request_id, Scope::ThisOrder));
        return Ok(vec![cancel(id, order, key, asked)]);
    }
    let asked = Some((request_id, Scope::EveryOrder));
    let events: Vec<_> = position
        .orders
        .iter()
        .filter(|(_, order)| check_cancel(order).is_ok())
        .map(|(id, order)| cancel(*id, order, key, asked))
        .collect();
    if events.is_empty() {
        Err(Refusal::NothingToCancel)
    } else {
        Ok(events)
    }
}

fn resolve(
    position: &Position,
    request_id: RequestId,
    order_id: OrderId,
    outcome: Outcome,
    reason: &str,
) -> Result<Vec<PositionEvent>, Refusal> {
    let reason = check_reason(reason)?;
    check_known(position)?;
    let order = position
        .orders
        .get(&order_id)
        .ok_or(Refusal::UnknownOrder)?;
    if order.leaves().is_zero() {
        let status = order.status();
        return Err(Refusal::OrderEnded { status });
    }
    if !order.in_doubt {
        return Err(Refusal::NotInDoubt);
    }
    let request_id = Some(request_id);
    Ok(vec![PositionEvent::InDoubtResolved(InDoubtResolved {
        order_id,
        outcome,
        request_id,
        reason,
    })])
}

/// The position goes back only when nothing of ours may still change it.
fn hand_back(
    position: &Position,
    request_id: RequestId,
    context: &Context,
) -> Result<Vec<PositionEvent>, Refusal> {
    check_known(position)?;
    let epoch = context.platform.epoch;
    if position.handed_back == Some(epoch) {
        return Err(Refusal::HandedBack);
    }
    let may_fill = |order: &&Order| order.is_ours() && !order.leaves().is_zero();
    let orders = position.orders.values().filter(may_fill).count();
    if orders > 0 {
        let orders = u32::try_from(orders).unwrap_or(u32::MAX);
        return Err(Refusal::OrdersWorking { orders });
    }
    let live = |trade: &super::state::Trade| !trade.live_quantity().is_zero();
    let executions = position
        .trades()
        .iter()
        .filter(|(_, trade)| live(trade))
        .count();
    Ok(vec![PositionEvent::PositionHandedBack(
        PositionHandedBack {
            request_id,
            epoch,
            net: position.net,
            executions: u32::try_from(executions).unwrap_or(u32::MAX),
        },
    )])
}
