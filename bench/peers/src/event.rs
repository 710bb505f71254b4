//! The one event that every store is given: the size and shape of an `OrderPlaced`, its ids random so that it doesn't compress away.
//!
//! It is cheap to make: what the load costs is taken from the store that shares the machine with it.

use std::cell::Cell;
use std::ops::Range;
use std::sync::LazyLock;
use uuid::Uuid;

pub const TYPE: &str = "OrderPlaced";
/// Of an `OrderPlaced`, the event we append most.
pub const BODY_BYTES: usize = 311;

#[derive(Debug, Clone)]
pub struct Event {
    pub id: Uuid,
    pub body: Vec<u8>,
}

/// The body, and where its ids stand in it.
struct Template {
    body: Vec<u8>,
    order_id: Range<usize>,
    request_id: Range<usize>,
    cl_ord_id: Range<usize>,
}

static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    const BEFORE: [&str; 3] = [
        r#"{"order_id":""#,
        r#"","request_id":""#,
        r#"","cl_ord_id":"1-"#,
    ];
    const AFTER: &str = r#"","key":{"date":"2026-11-20","client":"C0000001","venue":"NSE","symbol":"NIFTY26NOVFUT","product":"NRML"},"side":"sell","quantity":75,"price":1234500,"time_in_force":"day""#;
    let mut body = Vec::with_capacity(BODY_BYTES);
    let mut place = |before: &str, length: usize| {
        body.extend_from_slice(before.as_bytes());
        let start = body.len();
        body.resize(start + length, b'0');
        start..start + length
    };
    let [order_id, request_id, cl_ord_id] = [
        place(BEFORE[0], 36),
        place(BEFORE[1], 36),
        place(BEFORE[2], 32),
    ];
    body.extend_from_slice(AFTER.as_bytes());
    body.resize(BODY_BYTES - 1, b' ');
    body.push(b'}');
    Template {
        body,
        order_id,
        request_id,
        cl_ord_id,
    }
});

impl Event {
    pub fn new() -> Self {
        let (id, order) = (random_id(), random_id());
        let Template {
            body,
            order_id,
            request_id,
            cl_ord_id,
        } = &*TEMPLATE;
        let mut body = body.clone();
        let hyphenated = [(order, order_id), (id, request_id)];
        for (id, place) in hyphenated {
            id.hyphenated().encode_lower(&mut body[place.clone()]);
        }
        order.simple().encode_lower(&mut body[cl_ord_id.clone()]);
        Event { id, body }
    }
}

/// Asked of the system once a thread.
fn random_id() -> Uuid {
    thread_local! {
        static RANDOM: Cell<u64> = Cell::new(Uuid::new_v4().as_u64_pair().1);
    }
    // splitmix64, by Steele, Lea and Flood.
    let next = || {
        let state = RANDOM.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        RANDOM.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let random = (u128::from(next()) << 64) | u128::from(next());
    uuid::Builder::from_random_bytes(random.to_be_bytes()).into_uuid()
}

/// The stream of client or position `number`.
pub fn stream(number: usize) -> String {
    format!("position-2026-11-20-C{number:07}-NSE:NIFTY26NOVFUT-NRML")
}

/// Events of each stream in a log that was filled for a replay.
pub const FILLED_STREAM_EVENTS: usize = 8;
/// Events of one append while filling: a multiple of the above, small enough for every store's limit on a transaction.
pub const FILL_BATCH: usize = 800;
