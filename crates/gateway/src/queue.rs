//! What waits to be handed to the session, in the log's order. Called by `outbound` alone.
//!
//! Every event of the log makes one message at most, so that an event's position names its message.

use squareoff_domain::{ClOrdId, OrderId};
use squareoff_fix::{AppMessage, OutboundMessage};
use squareoff_store::Position;
use std::collections::{BTreeMap, HashMap};

/// What a message is to its order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    /// NewOrderSingle, of this activation of the platform.
    Order {
        epoch: u32,
    },
    Cancel,
}

#[derive(Debug)]
struct Item {
    order_id: OrderId,
    cl_ord_id: ClOrdId,
    what: What,
    message: OutboundMessage,
}

#[derive(Debug, Default)]
pub struct Queue {
    items: BTreeMap<Position, Item>,
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

    pub fn push_order(
        &mut self,
        at: Position,
        order_id: OrderId,
        cl_ord_id: &ClOrdId,
        epoch: u32,
        message: &AppMessage,
    ) {
        self.push(at, order_id, cl_ord_id, What::Order { epoch }, message);
    }

    pub fn push_cancel(
        &mut self,
        at: Position,
        order_id: OrderId,
        cl_ord_id: &ClOrdId,
        message: &AppMessage,
    ) {
        self.push(at, order_id, cl_ord_id, What::Cancel, message);
    }

    fn push(
        &mut self,
        at: Position,
        order_id: OrderId,
        cl_ord_id: &ClOrdId,
        what: What,
        message: &AppMessage,
    ) {
        let message = OutboundMessage::new(cl_ord_id.as_str(), at.as_u64(), message)
            .expect("our ids, symbols and codes are printable ASCII and short");
        let item = Item {
            order_id,
            cl_ord_id: cl_ord_id.clone(),
            what,
            message,
        };
        self.items.insert(at, item);
        self.of_order.entry(order_id).or_default().push(at);
    }

    /// The first in the log's order.
    pub fn pop(&mut self) -> Option<OutboundMessage> {
        let (at, item) = self.items.pop_first()?;
        self.forget(item.order_id, at);
        Some(item.message)
    }

    /// Takes an order out with its cancels; its ClOrdID when the order itself did wait.
    pub fn remove(&mut self, order_id: OrderId) -> Option<ClOrdId> {
        let places = self.of_order.remove(&order_id)?;
        let items = places.iter().filter_map(|at| self.items.remove(at));
        items
            .filter(|item| item.what != What::Cancel)
            .map(|item| item.cl_ord_id)
            .last()
    }

    /// Takes an order out and leaves its cancels; its ClOrdID when it did wait.
    pub fn remove_order(&mut self, order_id: OrderId) -> Option<ClOrdId> {
        self.remove_one(order_id, |item| item.what != What::Cancel)
    }

    /// Takes one cancel of an order out.
    pub fn remove_cancel(&mut self, order_id: OrderId, cl_ord_id: &ClOrdId) -> Option<ClOrdId> {
        self.remove_one(order_id, |item| {
            item.what == What::Cancel && item.cl_ord_id == *cl_ord_id
        })
    }

    /// Whether the order itself waits here.
    pub fn has_order(&self, order_id: OrderId) -> bool {
        self.places(order_id)
            .any(|(_, item)| item.what != What::Cancel)
    }

    /// The orders that wait together with a cancel of theirs.
    pub fn overtaken(&self) -> Vec<OrderId> {
        let waits_with_its_cancel = |order_id: &&OrderId| {
            let cancelled = self
                .places(**order_id)
                .any(|(_, item)| item.what == What::Cancel);
            cancelled && self.has_order(**order_id)
        };
        let orders = self.of_order.keys();
        orders.filter(waits_with_its_cancel).copied().collect()
    }

    /// The orders that wait and were not placed under this activation; `None`: there is none now.
    pub fn not_of(&self, active: Option<u32>) -> Vec<OrderId> {
        let orders = self.items.values().filter_map(|item| match item.what {
            What::Order { epoch } => (active != Some(epoch)).then_some(item.order_id),
            What::Cancel => None,
        });
        orders.collect()
    }

    fn places(&self, order_id: OrderId) -> impl Iterator<Item = (Position, &Item)> {
        let places = self.of_order.get(&order_id).into_iter().flatten();
        places.filter_map(|at| Some((*at, self.items.get(at)?)))
    }

    fn remove_one(&mut self, order_id: OrderId, is_it: impl Fn(&Item) -> bool) -> Option<ClOrdId> {
        let (at, _) = self.places(order_id).find(|(_, item)| is_it(item))?;
        self.forget(order_id, at);
        self.items.remove(&at).map(|item| item.cl_ord_id)
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
