//! One order on a position, ours or the primary's: what was told of it, and the status that follows.
//!
//! Nothing here is a transition: what is kept are sets of what was said, so that reports in any order and number give the same order.

use super::event::{RequestedCancel, TimeInForce};
use crate::amount::{Price, Quantity};
use crate::id::{ClOrdId, ExchangeOrderId, Side};
use std::collections::{BTreeMap, BTreeSet};

/// How an order can end without being filled, from weak to strong: the strongest that was reported names the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    NotDelivered,
    Rejected,
    Expired,
    Canceled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelState {
    Pending,
    Rejected,
    NotDelivered,
}

/// A change that was asked for, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replace {
    /// The n-th of the order, from 1: the highest that was accepted holds.
    pub number: u32,
    pub state: ReplaceState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplaceState {
    Pending,
    /// As the venue said it.
    Accepted {
        quantity: Quantity,
        price: Price,
    },
    Rejected,
    NotDelivered,
}

/// Whose order it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Ours,
    /// The primary platform placed it before the outage. We count it and may cancel it.
    External,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub origin: Origin,
    /// The id it was placed with.
    pub cl_ord_id: ClOrdId,
    pub side: Side,
    /// As placed, or as the last accepted replace changed it.
    pub quantity: Quantity,
    pub price: Price,
    pub time_in_force: TimeInForce,
    /// The n-th order of the position, from 1.
    pub number: u32,
    pub dispatched: bool,
    pub exchange_order_id: Option<ExchangeOrderId>,
    /// The venue has accepted it: an acknowledgement, or a fill, which implies one.
    pub acknowledged: bool,
    /// The venue holds it for its control; over once it is acknowledged.
    pub held: bool,
    /// Filled before it was observed here (external orders), as the primary said.
    pub prior: Quantity,
    /// The most that the primary said has filled.
    pub said: Quantity,
    /// Sum of its live executions, and `prior`.
    pub cumulative: Quantity,
    /// The highest CumQty (FIX tag 14) of a fill that the venue gave no LeavesQty (151) with: it considered the order done at that.
    pub done_at: Option<Quantity>,
    pub cancels: BTreeMap<ClOrdId, CancelState>,
    /// A cancel that waits for the venue's answer to a replace.
    pub cancel_queued: Option<RequestedCancel>,
    pub replaces: BTreeMap<ClOrdId, Replace>,
    pub in_doubt: bool,
    /// It was said that the order never reached the venue, whatever the venue said since.
    pub lost: bool,
    pub ended: BTreeSet<Ended>,
}

/// OrdStatus (FIX tag 39), the two states before the venue knows of the order, and doubt. Derived, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStatus {
    /// Reserved here, not yet sent.
    Placed,
    /// Sent, not yet acknowledged.
    Sent,
    New,
    PartiallyFilled,
    /// Held by the venue's control.
    Frozen,
    PendingReplace,
    PendingCancel,
    /// Nobody here knows whether the venue has it.
    InDoubt,
    Filled,
    Canceled,
    Expired,
    Rejected,
    NotDelivered,
}

impl OrderStatus {
    pub const ALL: &'static [OrderStatus] = &[
        OrderStatus::Placed,
        OrderStatus::Sent,
        OrderStatus::New,
        OrderStatus::PartiallyFilled,
        OrderStatus::Frozen,
        OrderStatus::PendingReplace,
        OrderStatus::PendingCancel,
        OrderStatus::InDoubt,
        OrderStatus::Filled,
        OrderStatus::Canceled,
        OrderStatus::Expired,
        OrderStatus::Rejected,
        OrderStatus::NotDelivered,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            OrderStatus::Placed => "placed",
            OrderStatus::Sent => "sent",
            OrderStatus::New => "new",
            OrderStatus::PartiallyFilled => "partially-filled",
            OrderStatus::Frozen => "frozen",
            OrderStatus::PendingReplace => "pending-replace",
            OrderStatus::PendingCancel => "pending-cancel",
            OrderStatus::InDoubt => "in-doubt",
            OrderStatus::Filled => "filled",
            OrderStatus::Canceled => "canceled",
            OrderStatus::Expired => "expired",
            OrderStatus::Rejected => "rejected",
            OrderStatus::NotDelivered => "not-delivered",
        }
    }
}

impl Order {
    pub fn is_ours(&self) -> bool {
        self.origin == Origin::Ours
    }

    /// R(o): the most that may still fill. Zero once the order has ended or was filled; a doubt counts in full. A bust of an order that
    /// still works gives its quantity back (FIX appendix D, J1.a); an order that was done at the venue stays done.
    pub fn leaves(&self) -> Quantity {
        if self.ended.is_empty() && !self.is_filled() {
            self.quantity.minus(self.filled())
        } else {
            Quantity::ZERO
        }
    }

    /// How much has filled, by our executions or by the primary's word, whichever is more.
    pub fn filled(&self) -> Quantity {
        self.cumulative.max(self.said)
    }

    pub fn is_filled(&self) -> bool {
        self.filled() >= self.quantity || self.done_at.is_some_and(|at| at >= self.quantity)
    }

    pub fn cancel_pending(&self) -> bool {
        let on_its_way = |state: &CancelState| *state == CancelState::Pending;
        !self.leaves().is_zero()
            && (self.cancel_queued.is_some() || self.cancels.values().any(on_its_way))
    }

    pub fn replace_pending(&self) -> bool {
        let pending = |replace: &Replace| replace.state == ReplaceState::Pending;
        !self.leaves().is_zero() && self.replaces.values().any(pending)
    }

    /// The accepted replace that holds, and what the order goes by because of it.
    pub(super) fn accepted_replace(&self) -> Option<(&ClOrdId, Quantity, Price)> {
        let accepted = self
            .replaces
            .iter()
            .filter_map(|(id, replace)| match replace.state {
                ReplaceState::Accepted { quantity, price } => {
                    Some((replace.number, id, quantity, price))
                }
                ReplaceState::Pending | ReplaceState::Rejected | ReplaceState::NotDelivered => None,
            });
        accepted
            .max_by_key(|(number, ..)| *number)
            .map(|(_, id, quantity, price)| (id, quantity, price))
    }

    /// The ClOrdID that the venue knows the order by now: OrigClOrdID (FIX tag 41) of a cancel or replace.
    pub fn current_cl_ord_id(&self) -> &ClOrdId {
        self.accepted_replace()
            .map_or(&self.cl_ord_id, |(id, ..)| id)
    }

    /// Whether a message with this ClOrdID is about this order.
    pub fn goes_by(&self, cl_ord_id: &ClOrdId) -> bool {
        self.cl_ord_id == *cl_ord_id
            || self.cancels.contains_key(cl_ord_id)
            || self.replaces.contains_key(cl_ord_id)
    }

    /// The one precedence rule: filled, how it ended, doubt, what is pending (cancel before replace), then how far it got.
    pub fn status(&self) -> OrderStatus {
        if self.is_filled() {
            return OrderStatus::Filled;
        }
        match self.ended.last() {
            Some(Ended::Canceled) => return OrderStatus::Canceled,
            Some(Ended::Expired) => return OrderStatus::Expired,
            Some(Ended::Rejected) => return OrderStatus::Rejected,
            Some(Ended::NotDelivered) => return OrderStatus::NotDelivered,
            None => {}
        }
        if self.in_doubt {
            OrderStatus::InDoubt
        } else if self.cancel_pending() {
            OrderStatus::PendingCancel
        } else if self.replace_pending() {
            OrderStatus::PendingReplace
        } else if !self.filled().is_zero() {
            OrderStatus::PartiallyFilled
        } else if self.acknowledged {
            OrderStatus::New
        } else if self.held {
            OrderStatus::Frozen
        } else if self.dispatched {
            OrderStatus::Sent
        } else {
            OrderStatus::Placed
        }
    }
}
