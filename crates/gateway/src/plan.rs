//! What of the log still has to go to the wire. Called by `outbound` with every event, in the log's order; pure but for its warnings.
//!
//! Until the log has been read to its end nothing is decided: an order that waits may turn out to have been sent, to have ended, or
//! to have been cancelled.

use crate::queue::Queue;
use crate::translate;
use squareoff_domain::platform::{self, Platform, PlatformEvent};
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

    /// The activation of the platform that holds now; while it is handed back, what it accepted still goes.
    fn active(&self) -> Option<u32> {
        self.platform.epoch_in_force()
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

#[cfg(test)]
mod tests {
    use super::*;
    use squareoff_domain::platform::{PlatformActivated, PlatformStoodDown};
    use squareoff_domain::position::TimeInForce;
    use squareoff_domain::{
        PositionKey, Price, Product, Quantity, RequestId, Side, Timestamp, TradingDate, Venue,
    };
    use squareoff_store::Position;
    use uuid::Uuid;

    fn at(position: u64, epoch: u32) -> StoredEvent {
        StoredEvent {
            position: Position::from_u64(position),
            stream: "position".into(),
            version: 1,
            recorded_at: Timestamp(0),
            id: Uuid::nil(),
            event_type: "".into(),
            schema_version: 1,
            occurred_at: Timestamp(0),
            actor: "".into(),
            request_id: Uuid::nil(),
            correlation_id: Uuid::nil(),
            epoch,
            body: vec![],
        }
    }

    fn date() -> TradingDate {
        "2026-11-20".parse().unwrap()
    }

    fn key() -> PositionKey {
        PositionKey {
            date: date(),
            client: "C1".parse().unwrap(),
            venue: Venue::Nse,
            symbol: "ALPHA".parse().unwrap(),
            product: Product::Nrml,
        }
    }

    fn order_id(n: u128) -> OrderId {
        OrderId(Uuid::from_u128(n))
    }

    fn id(n: u128) -> ClOrdId {
        ClOrdId::mint(1, order_id(n))
    }

    /// A line of the log: `+n` places order n, `-n` asks to cancel it, `on`/`off` is the platform, `live` the log's end, `sent n` and
    /// `end n` what the log tells of an order.
    fn tell(plan: &mut Plan, line: u64, word: &str) {
        let number = |text: &str| text.trim().parse::<u128>().unwrap();
        if let Some(n) = word.strip_prefix('+').map(number) {
            let placed = OrderPlaced {
                order_id: order_id(n),
                request_id: RequestId(Uuid::nil()),
                cl_ord_id: id(n),
                key: key(),
                side: Side::Sell,
                quantity: Quantity::new(5).unwrap(),
                price: Price(500),
                time_in_force: TimeInForce::Day,
                slice: 1,
                slices: 1,
            };
            plan.placed(&at(line, 1), &placed);
        } else if let Some(n) = word.strip_prefix('-').map(number) {
            let requested = CancelRequested {
                order_id: order_id(n),
                asked: None,
                cl_ord_id: id(n).cancel(1),
                original_cl_ord_id: id(n),
                key: key(),
                side: Side::Sell,
                quantity: Quantity::new(5).unwrap(),
                exchange_order_id: None,
            };
            plan.cancel_requested(&at(line, 1), &requested);
        } else if let Some(n) = word.strip_prefix("sent").map(number) {
            plan.was_sent(order_id(n));
        } else if let Some(n) = word.strip_prefix("end").map(number) {
            plan.ended(order_id(n));
        } else if word == "live" {
            plan.go_live();
        } else if word == "on" {
            plan.platform_changed(&PlatformEvent::PlatformActivated(PlatformActivated {
                epoch: plan.platform.epoch + 1,
                trading_date: date(),
                reason: String::new(),
                requested_by: None,
                approved_by: None,
                activated_by: None,
                request_id: None,
            }));
        } else {
            let epoch = plan.platform.epoch;
            let reason = String::new();
            plan.platform_changed(&PlatformEvent::PlatformStoodDown(PlatformStoodDown {
                epoch,
                reason,
                by: None,
                request_id: None,
            }));
        }
    }

    #[test]
    fn what_goes_and_what_is_dropped() {
        for (log, goes, dropped) in [
            ("on, +1, +2, live, +3", "+1 +2 +3", ""),
            // Overtaken, before the log's end is read and after.
            ("on, +1, +2, -1, live", "+2", "1"),
            ("on, live, +1, +2, -1", "+2", "1"),
            ("on, +1, -1, live, -1", "", "1"),
            ("on, live, +1, -1, -1", "", "1"),
            // Known as sent: its cancel goes, it does not, and is not taken for dropped.
            ("on, +1, -1, sent 1, live", "-1", ""),
            ("on, +1, sent 1, -1, live", "-1", ""),
            // Known as ended.
            ("on, +1, -1, end 1, live", "", ""),
            ("on, +1, end 1, +2, live", "+2", ""),
            // An activation that is over.
            ("on, +1, off, live", "", "1"),
            ("on, +1, off, on, live", "", "1"),
            ("on, live, +1, off", "", "1"),
            ("on, live, off, +1", "", "1"),
            ("on, live, off, +1, -1", "", "1"),
            ("on, +1, sent 1, off, -1, live", "-1", ""),
            ("on, live, off, -1", "-1", ""),
        ] {
            let mut plan = Plan::default();
            for (line, word) in (1..).zip(log.split(", ")) {
                tell(&mut plan, line, word);
            }
            let waiting = std::iter::from_fn(|| plan.waiting.pop());
            let waiting = Vec::from_iter(waiting.map(|message| message.id().to_owned()));
            let expected = goes.split_whitespace().map(|word| {
                let (sign, n) = word.split_at(1);
                let id = id(n.parse().unwrap());
                let id = if sign == "+" { id } else { id.cancel(1) };
                id.to_string()
            });
            assert_eq!(waiting, Vec::from_iter(expected), "{log}");
            let expected = dropped.split_whitespace().map(|n| id(n.parse().unwrap()));
            assert_eq!(plan.dropped, Vec::from_iter(expected), "{log}");
        }
    }
}
