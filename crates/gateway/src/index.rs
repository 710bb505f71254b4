//! Which order of which position a ClOrdID stands for: folded from the log, so that it survives every crash.
//!
//! It grows with every order the log holds, some 400 bytes each: a report may come days after its order.

use squareoff_domain::position::{CancelRequested, OrderPlaced};
use squareoff_domain::{ClOrdId, OrderId, PositionKey, Side};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// An order of ours, as far as the gateway needs to know it.
#[derive(Debug, Clone)]
pub struct Known {
    pub order_id: OrderId,
    /// The ClOrdID of its NewOrderSingle.
    pub cl_ord_id: ClOrdId,
    pub stream: Arc<str>,
    pub key: PositionKey,
    pub side: Side,
    /// The request of the person that all of this goes back to.
    pub request_id: Uuid,
    pub epoch: u32,
}

#[derive(Debug, Default)]
pub struct Index {
    orders: HashMap<ClOrdId, Arc<Known>>,
    /// Orders whose dispatch the log knows.
    dispatched: HashSet<OrderId>,
}

impl Index {
    pub fn placed(&mut self, stream: &Arc<str>, epoch: u32, placed: &OrderPlaced) {
        let known = Known {
            order_id: placed.order_id,
            cl_ord_id: placed.cl_ord_id.clone(),
            stream: Arc::clone(stream),
            key: placed.key.clone(),
            side: placed.side,
            request_id: placed.request_id.0,
            epoch,
        };
        self.orders
            .insert(placed.cl_ord_id.clone(), Arc::new(known));
    }

    /// A cancel's own ClOrdID stands for the order it cancels.
    pub fn cancel_requested(&mut self, requested: &CancelRequested) {
        if let Some(known) = self.orders.get(&requested.original_cl_ord_id).cloned() {
            self.orders.insert(requested.cl_ord_id.clone(), known);
        }
    }

    pub fn dispatched(&mut self, order_id: OrderId) {
        self.dispatched.insert(order_id);
    }

    pub fn is_dispatched(&self, order_id: OrderId) -> bool {
        self.dispatched.contains(&order_id)
    }

    pub fn find(&self, cl_ord_id: &ClOrdId) -> Option<Arc<Known>> {
        self.orders.get(cl_ord_id).cloned()
    }

    /// The same for a text from a peer, which may be no ClOrdID of ours at all.
    pub fn find_text(&self, text: &str) -> Option<(ClOrdId, Arc<Known>)> {
        let cl_ord_id: ClOrdId = text.parse().ok()?;
        self.find(&cl_ord_id).map(|known| (cl_ord_id, known))
    }
}
