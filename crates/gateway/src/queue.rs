//! What waits to be handed to the session, in the log's order.

use squareoff_domain::{ClOrdId, OrderId};
use squareoff_fix::{AppMessage, OutboundMessage};
use squareoff_store::Position;
use std::collections::{HashMap, VecDeque};

#[derive(Debug, Default)]
pub struct Queue {
    items: VecDeque<(Option<OrderId>, OutboundMessage)>,
    /// The ClOrdIDs of the orders (not cancels) that wait.
    orders: HashMap<OrderId, ClOrdId>,
}

impl Queue {
    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub fn push_order(&mut self, order_id: OrderId, cl_ord_id: &ClOrdId, position: Position, message: &AppMessage) {
        self.orders.insert(order_id, cl_ord_id.clone());
        self.items.push_back((Some(order_id), outbound(cl_ord_id, position, message)));
    }

    pub fn push_cancel(&mut self, cl_ord_id: &ClOrdId, position: Position, message: &AppMessage) {
        self.items.push_back((None, outbound(cl_ord_id, position, message)));
    }

    pub fn pop(&mut self) -> Option<OutboundMessage> {
        let (order, message) = self.items.pop_front()?;
        if let Some(order_id) = order {
            self.orders.remove(&order_id);
        }
        Some(message)
    }

    /// Takes an order out; its ClOrdID when it did wait.
    pub fn remove_order(&mut self, order_id: OrderId) -> Option<ClOrdId> {
        let cl_ord_id = self.orders.remove(&order_id)?;
        self.items.retain(|(order, _)| *order != Some(order_id));
        Some(cl_ord_id)
    }
}

fn outbound(cl_ord_id: &ClOrdId, position: Position, message: &AppMessage) -> OutboundMessage {
    OutboundMessage::new(cl_ord_id.as_str(), position.as_u64(), message).expect("our ids, symbols and codes are printable ASCII and short")
}
