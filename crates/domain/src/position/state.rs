//! What decisions need to know of a position, and what can be derived from it.

use super::event::{SquareOffTerms, TimeInForce};
use crate::amount::{NetQuantity, Price, Quantity};
use crate::id::{ClOrdId, ExchangeOrderId, ExecutionKey, OrderId, PositionKey, RequestId, Side};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    /// `None` until the BOD line is loaded.
    pub key: Option<PositionKey>,
    pub bod: NetQuantity,
    pub bod_average_price: Price,
    /// N: BOD and every execution.
    pub net: NetQuantity,
    pub orders: BTreeMap<OrderId, Order>,
    pub executions: BTreeMap<ExecutionKey, Booked>,
    pub requests: BTreeMap<RequestId, Asked>,
    /// Facts that contradicted what was known, each once, so that a repetition says nothing new.
    pub contradictions: BTreeSet<String>,
    /// Orders are numbered as they are placed: the highest is the newest.
    pub placed: u32,
}

/// What a person asked before, kept to know a repetition and to answer it alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    SquareOff {
        terms: SquareOffTerms,
        orders: Vec<OrderId>,
    },
    /// `None` asks for every order.
    Cancel { order: Option<OrderId> },
}

/// An execution as it was booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    pub order: OrderId,
    pub quantity: Quantity,
    pub price: Price,
}

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

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub cl_ord_id: ClOrdId,
    pub side: Side,
    pub quantity: Quantity,
    pub price: Price,
    pub time_in_force: TimeInForce,
    /// The n-th order of the position, from 1.
    pub number: u32,
    pub dispatched: bool,
    pub exchange_order_id: Option<ExchangeOrderId>,
    pub cumulative: Quantity,
    pub cancels: BTreeMap<ClOrdId, CancelState>,
    pub ended: BTreeSet<Ended>,
}

/// OrdStatus (FIX tag 39) and the two states before the venue knows of the order. Derived, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStatus {
    /// Reserved here, not yet sent.
    Placed,
    /// Sent, not yet acknowledged.
    Sent,
    New,
    PartiallyFilled,
    PendingCancel,
    Filled,
    Canceled,
    Expired,
    Rejected,
    NotDelivered,
}

impl OrderStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            OrderStatus::Placed => "placed",
            OrderStatus::Sent => "sent",
            OrderStatus::New => "new",
            OrderStatus::PartiallyFilled => "partially-filled",
            OrderStatus::PendingCancel => "pending-cancel",
            OrderStatus::Filled => "filled",
            OrderStatus::Canceled => "canceled",
            OrderStatus::Expired => "expired",
            OrderStatus::Rejected => "rejected",
            OrderStatus::NotDelivered => "not-delivered",
        }
    }
}

impl Order {
    /// R(o): the most that may still fill. Zero once the order has ended.
    pub fn leaves(&self) -> Quantity {
        if self.ended.is_empty() {
            self.quantity.minus(self.cumulative)
        } else {
            Quantity::ZERO
        }
    }

    pub fn cancel_pending(&self) -> bool {
        !self.leaves().is_zero()
            && self
                .cancels
                .values()
                .any(|state| *state == CancelState::Pending)
    }

    /// The one precedence rule: filled, then how it ended, then what is pending, then how far it got.
    pub fn status(&self) -> OrderStatus {
        if self.cumulative >= self.quantity {
            return OrderStatus::Filled;
        }
        match self.ended.last() {
            Some(Ended::Canceled) => return OrderStatus::Canceled,
            Some(Ended::Expired) => return OrderStatus::Expired,
            Some(Ended::Rejected) => return OrderStatus::Rejected,
            Some(Ended::NotDelivered) => return OrderStatus::NotDelivered,
            None => {}
        }
        if self.cancel_pending() {
            OrderStatus::PendingCancel
        } else if !self.cumulative.is_zero() {
            OrderStatus::PartiallyFilled
        } else if self.exchange_order_id.is_some() {
            OrderStatus::New
        } else if self.dispatched {
            OrderStatus::Sent
        } else {
            OrderStatus::Placed
        }
    }
}

impl Position {
    /// The side that closes what is open; `None` when flat.
    pub const fn closing_side(&self) -> Option<Side> {
        match self.net.0 {
            0 => None,
            1.. => Some(Side::Sell),
            _ => Some(Side::Buy),
        }
    }

    /// The most that orders on the way may still fill.
    pub fn working(&self) -> Quantity {
        self.orders.values().map(Order::leaves).sum()
    }

    /// What may still be asked for: open and not yet on its way.
    pub fn closable(&self) -> Quantity {
        self.net.open().minus(self.working())
    }

    /// The order that a message with this ClOrdID is about: its own, or that of one of its cancels.
    pub fn order_of(&self, cl_ord_id: &ClOrdId) -> Option<(OrderId, &Order)> {
        let about =
            |order: &Order| order.cl_ord_id == *cl_ord_id || order.cancels.contains_key(cl_ord_id);
        self.orders
            .iter()
            .find(|(_, order)| about(order))
            .map(|(id, order)| (*id, order))
    }
}
