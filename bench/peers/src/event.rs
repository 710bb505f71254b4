//! The one event that every store is given: the size and shape of an `OrderPlaced`, its ids random so that it doesn't compress away.

use std::fmt::Write;
use uuid::Uuid;

pub const TYPE: &str = "OrderPlaced";
/// Of an `OrderPlaced`, the event we append most.
pub const BODY_BYTES: usize = 311;

#[derive(Debug, Clone)]
pub struct Event {
    pub id: Uuid,
    pub body: Vec<u8>,
}

impl Event {
    pub fn new() -> Self {
        let (id, order) = (Uuid::new_v4(), Uuid::new_v4());
        let mut body = String::with_capacity(BODY_BYTES);
        write!(
            body,
            r#"{{"order_id":"{order}","request_id":"{id}","cl_ord_id":"1-{}","key":{{"date":"2026-11-20","client":"C0000001","venue":"NSE","symbol":"NIFTY26NOVFUT","product":"NRML"}},"side":"sell","quantity":75,"price":1234500,"time_in_force":"day""#,
            order.simple()
        )
        .expect("writing to a string can't fail");
        while body.len() < BODY_BYTES - 1 {
            body.push(' ');
        }
        body.push('}');
        debug_assert_eq!(body.len(), BODY_BYTES);
        Event {
            id,
            body: body.into_bytes(),
        }
    }
}

/// The stream of client or position `number`.
pub fn stream(number: usize) -> String {
    format!("position-2026-11-20-C{number:07}-NSE:NIFTY26NOVFUT-NRML")
}

/// Events of each stream in a log that was filled for a replay.
pub const FILLED_STREAM_EVENTS: usize = 8;
/// Events of one append while filling: a multiple of the above, small enough for every store's limit on a transaction.
pub const FILL_BATCH: usize = 800;
