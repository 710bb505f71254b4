//! Which order of which position a ClOrdID stands for: folded from the log, so that it survives every crash.
//!
//! It grows with every order the log holds, some 400 bytes each: a report may come days after its order.

use squareoff_domain::position::{
    CancelRequested, ExternalOrderObserved, OrderPlaced, ReplaceRequested,
};
use squareoff_domain::{ClOrdId, OrderId, PositionKey, Side};
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
    /// Orders whose dispatch the log knows.
    dispatched: HashSet<OrderId>,
    /// Orders of ours of which the log tells neither a word of the venue's nor an end.
    unanswered: HashMap<OrderId, Arc<Known>>,
    /// The primary's orders.
    externals: HashMap<OrderId, Arc<Known>>,
}

impl Index {
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
        self.externals.insert(observed.order_id, Arc::clone(&known));
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

    fn learn(&mut self, id: &ClOrdId, original: &ClOrdId, order_id: OrderId, role: Role) {
        let external = self.externals.get(&order_id);
        let known = external.or_else(|| self.ids.get(original).map(|(_, known)| known));
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

    pub fn dispatched(&mut self, order_id: OrderId) {
        self.dispatched.insert(order_id);
    }

    /// The venue has said something of the order, or it has ended.
    pub fn answered(&mut self, order_id: OrderId) {
        self.unanswered.remove(&order_id);
    }

    pub fn is_dispatched(&self, order_id: OrderId) -> bool {
        self.dispatched.contains(&order_id)
    }

    /// Orders that were sent and of which the venue has, as far as the log was read, said nothing.
    pub fn unanswered(&self) -> Vec<Named> {
        let sent = self.unanswered.values();
        let sent = sent.filter(|known| self.is_dispatched(known.order_id));
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
