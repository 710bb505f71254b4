//! Follows the log through the API, to know when an order has ended without asking for each order again and again.

use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;
use uuid::Uuid;

/// A page of `GET /v1/events`, as much of it as is needed.
#[derive(Deserialize)]
pub struct Page {
    events: Vec<Event>,
    pub next: String,
}

#[derive(Deserialize)]
struct Event {
    position: String,
    r#type: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    order_id: Option<Uuid>,
    #[serde(default)]
    quantity: serde_json::Value,
}

/// What the log has said of the orders so far.
#[derive(Default)]
pub struct Followed {
    orders: Mutex<Orders>,
    more: Notify,
}

#[derive(Default)]
struct Orders {
    open: HashMap<Uuid, u64>,
    /// The log position of the event that ended an order.
    ended: HashMap<Uuid, String>,
}

impl Followed {
    /// Takes a page in and wakes who waits.
    pub fn learn(&self, page: Page) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        for event in page.events {
            let Some(order_id) = event.data.order_id else {
                continue;
            };
            let quantity = event.data.quantity.as_u64().unwrap_or(0);
            let ended = match event.r#type.as_str() {
                "OrderPlaced" => {
                    orders.open.insert(order_id, quantity);
                    false
                }
                "Executed" => {
                    let open = orders.open.entry(order_id).or_default();
                    *open = open.saturating_sub(quantity);
                    *open == 0
                }
                "OrderCanceled" | "OrderRejected" | "OrderExpired" | "OrderNotDelivered" => true,
                _ => false,
            };
            if ended {
                orders.ended.insert(order_id, event.position);
            }
        }
        drop(orders);
        self.more.notify_waiters();
    }

    /// Ends when the order has; the log position at which it did.
    pub async fn ended(&self, order_id: Uuid) -> String {
        loop {
            // Listening begins before looking, so that no wake-up falls in between.
            let more = self.more.notified();
            if let Some(position) = self.position(order_id) {
                return position;
            }
            more.await;
        }
    }

    fn position(&self, order_id: Uuid) -> Option<String> {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.ended.get(&order_id).cloned()
    }
}
