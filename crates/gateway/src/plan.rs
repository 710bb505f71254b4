//! What of the log still has to go to the wire. Called by `outbound` with every event, in the log's order; pure but for its warnings.
//!
//! Until the log has been read to its end nothing is decided: an order that waits may turn out to have been sent, to have ended, or
//! to have been cancelled.

use crate::queue::Queue;
use crate::translate;
use squareoff_domain::platform::{self, Phase, Platform, PlatformEvent};
use squareoff_domain::position::{CancelRequested, OrderPlaced};
use squareoff_domain::{ClOrdId, OrderId};
use squareoff_store::StoredEvent;
use std::collections::HashSet;

/// What the log says is to be done.
#[derive(Default)]
pub struct Plan {
    pub waiting: Queue,
    /// Orders that will not be sent, not yet reported so.
    pub dropped: Vec<ClOrdId>,
    /// All that were ever dropped: their cancels have nowhere to go.
    gone: HashSet<OrderId>,
    platform: Platform,
    /// The log has been read to its end once.
    pub live: bool,
}

impl Plan {
    pub fn placed(&mut self, stored: &StoredEvent, placed: &OrderPlaced) {
        let (order_id, cl_ord_id) = (placed.order_id, &placed.cl_ord_id);
        if self.live && self.active() != Some(stored.epoch) {
            return self.drop_order(order_id, Some(cl_ord_id.clone()));
        }
        let message = translate::new_order(placed, stored.occurred_at);
        self.waiting
            .push_order(stored.position, order_id, cl_ord_id, stored.epoch, &message);
    }

    pub fn cancel_requested(&mut self, stored: &StoredEvent, requested: &CancelRequested) {
        let order_id = requested.order_id;
        if self.gone.contains(&order_id) {
            return;
        }
        if self.live && self.waiting.has_order(order_id) {
            let order = self.waiting.remove(order_id);
            return self.drop_order(order_id, order);
        }
        let message = translate::cancel(requested, stored.occurred_at);
        self.waiting
            .push_cancel(stored.position, order_id, &requested.cl_ord_id, &message);
    }

    /// The log knows an order as sent. When it still waits here, the journal was lost.
    pub fn was_sent(&mut self, order_id: OrderId) {
        if let Some(order) = self.waiting.remove_order(order_id) {
            tracing::error!(cl_ord_id = %order, "the log knows an order as sent that the journal does not; it is not sent again");
        }
    }

    /// The log knows the end of an order: neither it nor its cancels have to go.
    pub fn ended(&mut self, order_id: OrderId) {
        if let Some(order) = self.waiting.remove(order_id) {
            tracing::warn!(cl_ord_id = %order, "an order had ended in the log while it still waited here; it is not sent");
        }
    }

    pub fn platform_changed(&mut self, event: &PlatformEvent) {
        self.platform = platform::evolve(std::mem::take(&mut self.platform), event);
        if self.live {
            self.drop_of_past_activations();
        }
    }

    /// The log has been read to its end: only now it is known which orders that wait still have to go.
    pub fn go_live(&mut self) {
        if std::mem::replace(&mut self.live, true) {
            return;
        }
        for order_id in self.waiting.overtaken() {
            let order = self.waiting.remove(order_id);
            self.drop_order(order_id, order);
        }
        self.drop_of_past_activations();
    }

    /// The activation of the platform that holds now.
    fn active(&self) -> Option<u32> {
        match self.platform.phase {
            Phase::Active => Some(self.platform.epoch),
            Phase::Dormant => None,
        }
    }

    /// The primary is back, or it is another day: what was not sent by then must not go behind anybody's back.
    fn drop_of_past_activations(&mut self) {
        for order_id in self.waiting.not_of(self.active()) {
            let order = self.waiting.remove(order_id);
            self.drop_order(order_id, order);
        }
    }

    fn drop_order(&mut self, order_id: OrderId, order: Option<ClOrdId>) {
        self.gone.insert(order_id);
        self.dropped.extend(order);
    }
}
