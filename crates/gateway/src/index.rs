//! Which order of which position a ClOrdID stands for: folded from the log, so that it survives every crash.
//!
//! It grows with every order the log holds, some 400 bytes each: a report may come days after its order.

use crate::open::Open;
use squareoff_domain::position::{
    CancelRequested, ExternalOrderObserved, OrderPlaced, PositionEvent, ReplaceRequested,
};
use squareoff_domain::{ClOrdId, ExchangeOrderId, OrderId, PositionKey, Quantity, Side};
use squareoff_store::StoredEvent;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// An order on a position, as far as the gateway needs to know it.
#[derive(Debug, Clone)]
pub struct Known {
    pub order_id: OrderId,
    /// The ClOrdID it was placed with.
    pub cl_ord_id: ClOrdId,
    /// Ours; an order of the primary's is only ever cancelled from here.
    pub is_ours: bool,
    pub stream: Arc<str>,
    pub key: PositionKey,
    pub side: Side,
    /// The request of the person that all of this goes back to.
    pub request_id: Uuid,
    pub epoch: u32,
}

/// What a ClOrdID is to its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The order itself, or a replace that the venue accepted: the order goes by it.
    Order,
    Cancel,
    /// A replace that was not accepted, as far as the log has been read.
    Replace,
}

/// A ClOrdID that is known here.
#[derive(Debug, Clone)]
pub struct Named {
    pub cl_ord_id: ClOrdId,
    pub role: Role,
    pub order: Arc<Known>,
}

impl Named {
    /// It is the NewOrderSingle of an order of ours.
    pub fn is_new_order(&self) -> bool {
        self.order.is_ours && self.cl_ord_id == self.order.cl_ord_id
    }
}

#[derive(Debug, Default)]
pub struct Index {
    ids: HashMap<ClOrdId, (Role, Arc<Known>)>,
    /// Orders whose dispatch the log knows, with the session that each went over.
    dispatched: HashMap<OrderId, Arc<str>>,
    /// The sessions' names, each kept once.
    sessions: HashSet<Arc<str>>,
    /// Orders of ours of which the log tells neither a word of the venue's nor an end.
    unanswered: HashMap<OrderId, Arc<Known>>,
    /// Every order, ours and the primary's.
    orders: HashMap<OrderId, Arc<Known>>,
    /// Those that the venue may still work, and those that it told of last.
    pub open: Open,
    /// The venue's numbers of orders, where reports name nothing else.
    numbers: Option<Numbers>,
}

#[derive(Debug, Default)]
struct Numbers {
    of_order: HashMap<OrderId, String>,
    orders: HashMap<String, ClOrdId>,
}

impl Index {
    /// One that also knows orders by the venue's numbers.
    #[cfg(feature = "testing")]
    pub fn with_numbers() -> Index {
        Index {
            numbers: Some(Numbers::default()),
            ..Index::default()
        }
    }

    /// The venue has given an order a number.
    pub fn numbered(&mut self, order_id: OrderId, number: &ExchangeOrderId) {
        let Some(numbers) = &mut self.numbers else {
            return;
        };
        if let Some(known) = self.orders.get(&order_id) {
            let number = number.to_string();
            numbers
                .orders
                .insert(number.clone(), known.cl_ord_id.clone());
            numbers.of_order.insert(order_id, number);
        }
    }

    #[cfg(feature = "testing")]
    pub fn number_of(&self, order_id: OrderId) -> Option<String> {
        self.numbers.as_ref()?.of_order.get(&order_id).cloned()
    }

    #[cfg(feature = "testing")]
    pub fn of_number(&self, number: &str) -> Option<ClOrdId> {
        self.numbers.as_ref()?.orders.get(number).cloned()
    }

    pub fn placed(&mut self, stored: &StoredEvent, placed: &OrderPlaced) {
        let known = Known {
            order_id: placed.order_id,
            cl_ord_id: placed.cl_ord_id.clone(),
            is_ours: true,
            stream: Arc::clone(&stored.stream),
            key: placed.key.clone(),
            side: placed.side,
            request_id: placed.request_id.0,
            epoch: stored.epoch,
        };
        let known = Arc::new(known);
        self.unanswered.insert(placed.order_id, Arc::clone(&known));
        self.orders.insert(placed.order_id, Arc::clone(&known));
        self.open.placed(&known, placed.quantity, Quantity::ZERO);
        let entry = (Role::Order, known);
        self.ids.insert(placed.cl_ord_id.clone(), entry);
    }

    /// The primary numbers its orders as it likes, the next day perhaps alike: the newest holds, but never against one of ours.
    pub fn external(&mut self, stored: &StoredEvent, observed: &ExternalOrderObserved) {
        let id = &observed.cl_ord_id;
        let known = Known {
            order_id: observed.order_id,
            cl_ord_id: id.clone(),
            is_ours: false,
            stream: Arc::clone(&stored.stream),
            key: observed.key.clone(),
            side: observed.side,
            request_id: stored.correlation_id,
            epoch: stored.epoch,
        };
        let known = Arc::new(known);
        self.orders.insert(observed.order_id, Arc::clone(&known));
        self.open
            .placed(&known, observed.quantity, observed.cumulative);
        if self.ids.get(id).is_none_or(|(_, known)| !known.is_ours) {
            self.ids.insert(id.clone(), (Role::Order, known));
        }
    }

    /// A cancel's own ClOrdID stands for the order it cancels.
    pub fn cancel_requested(&mut self, requested: &CancelRequested) {
        let (id, original) = (&requested.cl_ord_id, &requested.original_cl_ord_id);
        self.learn(id, original, requested.order_id, Role::Cancel);
    }

    /// So does a replace's.
    pub fn replace_requested(&mut self, requested: &ReplaceRequested) {
        let (id, original) = (&requested.cl_ord_id, &requested.original_cl_ord_id);
        self.learn(id, original, requested.order_id, Role::Replace);
    }

    /// How far an event takes its order; called with every event of a position, behind what it is to the ids.
    pub fn follow(&mut self, event: &PositionEvent) {
        let known = event.order_id().and_then(|id| self.orders.get(&id));
        if let Some(known) = known {
            self.open.learn(known, event);
        }
    }

    fn learn(&mut self, id: &ClOrdId, original: &ClOrdId, order_id: OrderId, role: Role) {
        let order = self.orders.get(&order_id);
        let known = order.or_else(|| self.ids.get(original).map(|(_, known)| known));
        if let Some(known) = known.cloned() {
            self.ids.insert(id.clone(), (role, known));
        }
    }

    /// The venue accepted a replace.
    pub fn replaced(&mut self, cl_ord_id: &ClOrdId) {
        if let Some((role, _)) = self.ids.get_mut(cl_ord_id) {
            *role = Role::Order;
        }
    }

    pub fn dispatched(&mut self, order_id: OrderId, session: &str) {
        let known = self.sessions.get(session).cloned();
        let name = known.unwrap_or_else(|| {
            let name: Arc<str> = session.into();
            self.sessions.insert(Arc::clone(&name));
            name
        });
        self.dispatched.insert(order_id, name);
    }

    /// The venue has said something of the order, or it has ended.
    pub fn answered(&mut self, order_id: OrderId) {
        self.unanswered.remove(&order_id);
    }

    pub fn is_dispatched(&self, order_id: OrderId) -> bool {
        self.dispatched.contains_key(&order_id)
    }

    /// Whether an order went over this session; `None`: the log does not tell.
    pub fn went_over(&self, order_id: OrderId, session: &str) -> Option<bool> {
        let over = self.dispatched.get(&order_id)?;
        Some(**over == *session)
    }

    /// Orders that were sent over this session and of which the venue has, as far as the log was read, said nothing.
    pub fn unanswered(&self, session: &str) -> Vec<Named> {
        let sent = self.unanswered.values();
        let sent = sent.filter(|known| self.went_over(known.order_id, session) == Some(true));
        sent.filter_map(|known| self.find(&known.cl_ord_id))
            .collect()
    }

    pub fn find(&self, cl_ord_id: &ClOrdId) -> Option<Named> {
        let (role, order) = self.ids.get(cl_ord_id)?.clone();
        let cl_ord_id = cl_ord_id.clone();
        Some(Named {
            cl_ord_id,
            role,
            order,
        })
    }

    /// The same for a text from a peer, which may be no ClOrdID of ours at all.
    pub fn find_text(&self, text: &str) -> Option<Named> {
        self.find(&text.parse().ok()?)
    }
}
