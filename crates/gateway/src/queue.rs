//! What waits to be handed to the sessions of a venue. Called by `plan` and `outbound`.
//!
//! Every event of the log makes one message at most, so that an event's position names its message. `turns` says which goes next.

use crate::turns::{Class, Turns};
use squareoff_domain::{ClOrdId, OrderId, PositionKey};
use squareoff_fix::message::Dialect;
use squareoff_fix::{AppMessage, OutboundMessage};
use squareoff_store::Position;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

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
    pub class: Class,
    /// The session it goes to, by its number.
    pub lane: usize,
    /// The activation of the platform that it was decided in.
    pub epoch: u32,
    pub stream: Arc<str>,
    pub key: PositionKey,
}

#[derive(Debug)]
pub struct Queue {
    dialect: Dialect,
    items: BTreeMap<Position, (Item, OutboundMessage)>,
    /// One for each session.
    turns: Vec<Turns>,
    /// Where the messages of an order wait.
    of_order: HashMap<OrderId, Vec<Position>>,
}

impl Queue {
    /// For so many sessions, which speak this.
    pub fn new(lanes: usize, dialect: Dialect) -> Queue {
        Queue {
            dialect,
            items: BTreeMap::new(),
            turns: Vec::from_iter((0..lanes).map(|_| Turns::default())),
            of_order: HashMap::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing waits for this session.
    pub fn is_empty(&self, lane: usize) -> bool {
        self.turns[lane].is_empty()
    }

    pub fn push(&mut self, at: Position, item: Item, message: &AppMessage) {
        let id = item.cl_ord_id.as_str();
        let message = OutboundMessage::new_in(self.dialect, id, at.as_u64(), message)
            .expect("our ids, symbols and codes are printable ASCII and short");
        self.of_order.entry(item.order_id).or_default().push(at);
        self.turns[item.lane].push(at, item.class, &item.key.client, &item.stream);
        self.items.insert(at, (item, message));
    }

    /// The message of this session whose turn it is.
    pub fn pop(&mut self, lane: usize) -> Option<OutboundMessage> {
        let at = self.turns[lane].pop()?;
        let (item, message) = self.items.remove(&at)?;
        self.forget(item.order_id, at);
        Some(message)
    }

    /// Takes an order out with its cancels and replaces; its ClOrdID when the order itself did wait.
    pub fn remove(&mut self, order_id: OrderId) -> Option<ClOrdId> {
        let places = self.of_order.remove(&order_id)?;
        let items = places.into_iter().filter_map(|at| self.take(at));
        items
            .filter(|item| item.what == What::Order)
            .map(|item| item.cl_ord_id)
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

    /// The orders of which a cancel waits together with the order itself or a replace.
    pub fn overtaken(&self) -> Vec<OrderId> {
        let orders = self.of_order.iter().filter(|(_, places)| places.len() > 1);
        let orders = orders.map(|(order_id, _)| *order_id);
        orders
            .filter(|order_id| self.has(*order_id, What::Cancel))
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
        self.take(at).map(|item| item.cl_ord_id)
    }

    fn take(&mut self, at: Position) -> Option<Item> {
        let (item, _) = self.items.remove(&at)?;
        self.turns[item.lane].remove(at);
        Some(item)
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
