//! What waits to be handed to the session, in the log's order. Called by `plan` and `outbound`.
//!
//! Every event of the log makes one message at most, so that an event's position names its message.

use squareoff_domain::{ClOrdId, OrderId, Symbol, TradingDate};
use squareoff_fix::{AppMessage, OutboundMessage};
use squareoff_store::Position;
use std::collections::{BTreeMap, HashMap};

/// What a message is to its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// NewOrderSingle.
    Order,
    /// OrderCancelReplaceRequest.
    Replace,
    /// OrderCancelRequest.
    Cancel,
}

/// A message that waits, and what tells whether it may still go.
#[derive(Debug, Clone)]
pub struct Item {
    pub order_id: OrderId,
    pub cl_ord_id: ClOrdId,
    pub what: What,
    /// The activation of the platform that it was decided in.
    pub epoch: u32,
    /// Of the position.
    pub date: TradingDate,
    pub symbol: Symbol,
}

#[derive(Debug, Default)]
pub struct Queue {
    items: BTreeMap<Position, (Item, OutboundMessage)>,
    /// Where the messages of an order wait.
    of_order: HashMap<OrderId, Vec<Position>>,
}

impl Queue {
    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub fn push(&mut self, at: Position, item: Item, message: &AppMessage) {
        let message = OutboundMessage::new(item.cl_ord_id.as_str(), at.as_u64(), message)
            .expect("our ids, symbols and codes are printable ASCII and short");
        self.of_order.entry(item.order_id).or_default().push(at);
        self.items.insert(at, (item, message));
    }

    /// The first in the log's order.
    pub fn pop(&mut self) -> Option<OutboundMessage> {
        let (at, (item, message)) = self.items.pop_first()?;
        self.forget(item.order_id, at);
        Some(message)
    }

    /// Takes an order out with its cancels and replaces; its ClOrdID when the order itself did wait.
    pub fn remove(&mut self, order_id: OrderId) -> Option<ClOrdId> {
        let places = self.of_order.remove(&order_id)?;
        let items = places.iter().filter_map(|at| self.items.remove(at));
        items
            .filter(|(item, _)| item.what == What::Order)
            .map(|(item, _)| item.cl_ord_id)
            .last()
    }

    /// Takes an order out and leaves its cancels and replaces; its ClOrdID when it did wait.
    pub fn remove_order(&mut self, order_id: OrderId) -> Option<ClOrdId> {
        self.remove_one(order_id, |item| item.what == What::Order)
    }

    /// Takes the replace of an order out: there is one at a time.
    pub fn remove_replace(&mut self, order_id: OrderId) -> Option<ClOrdId> {
        self.remove_one(order_id, |item| item.what == What::Replace)
    }

    /// Takes one cancel or replace of an order out.
    pub fn remove_change(&mut self, order_id: OrderId, cl_ord_id: &ClOrdId) {
        self.remove_one(order_id, |item| {
            item.what != What::Order && item.cl_ord_id == *cl_ord_id
        });
    }

    /// Whether the order itself waits here.
    pub fn has_order(&self, order_id: OrderId) -> bool {
        self.has(order_id, What::Order)
    }

    /// The orders that wait together with a cancel of theirs.
    pub fn overtaken(&self) -> Vec<OrderId> {
        let orders = self.of_order.keys().copied();
        orders
            .filter(|order_id| self.has_order(*order_id) && self.has(*order_id, What::Cancel))
            .collect()
    }

    /// What waits, in the log's order.
    pub fn items(&self) -> impl Iterator<Item = (Position, &Item)> {
        self.items.iter().map(|(at, (item, _))| (*at, item))
    }

    fn has(&self, order_id: OrderId, what: What) -> bool {
        let mut places = self.places(order_id);
        places.any(|(_, item)| item.what == what)
    }

    fn places(&self, order_id: OrderId) -> impl Iterator<Item = (Position, &Item)> {
        let places = self.of_order.get(&order_id).into_iter().flatten();
        places.filter_map(|at| self.items.get(at).map(|(item, _)| (*at, item)))
    }

    fn remove_one(&mut self, order_id: OrderId, is_it: impl Fn(&Item) -> bool) -> Option<ClOrdId> {
        let (at, _) = self.places(order_id).find(|(_, item)| is_it(item))?;
        self.forget(order_id, at);
        self.items.remove(&at).map(|(item, _)| item.cl_ord_id)
    }

    fn forget(&mut self, order_id: OrderId, at: Position) {
        if let Some(places) = self.of_order.get_mut(&order_id) {
            places.retain(|place| *place != at);
            if places.is_empty() {
                self.of_order.remove(&order_id);
            }
        }
    }
}
