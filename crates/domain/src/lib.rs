//! The rules of squaring off, as pure functions: no IO, no clock, no randomness.
//!
//! Each aggregate has up to three functions. People **ask**: `decide(&State, Request, &Context)` gives events or a [`Refusal`].
//! The exchange and the primary **tell**: `record(&State, Report)` gives events and cannot refuse. `evolve(State, &Event)` folds.
//! Whoever calls appends the events at the version the state was read at; nothing else keeps two desks from closing the same position twice.
//!
//! | module | stream |
//! |---|---|
//! | [`position`] | `position-<date>-<client>-<venue>:<symbol>-<product>` |
//! | [`platform`] | `platform` |
//! | [`session`] | `session-<venue>-<comp id>` |
//! | [`mod@reference`] | `contracts-<date>-<venue>`, `client-<client>` |
//! | [`bulk`] | `bulk-<id>` |
//! | [`refusals`] | `refusals-<date>-<client>` |
//! | [`suspense`] | `suspense-<venue>-<date>` |

pub mod amount;
pub mod bulk;
pub mod id;
pub mod platform;
pub mod position;
pub mod reference;
pub mod refusals;
pub mod session;
pub mod suspense;
pub mod time;

pub use amount::{Money, NetQuantity, Price, Quantity};
pub use id::{
    Account, ClOrdId, ClientCode, ExchangeOrderId, ExecutionKey, OrderId, PositionKey, Product,
    RequestId, Segment, Side, Symbol, Venue,
};
pub use position::Refusal;
pub use reference::{Client, Contract};
pub use time::{Timestamp, TradingDate};

/// Any event of any aggregate: what the log's codec reads and writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Bulk(bulk::BulkEvent),
    Client(reference::ClientEvent),
    Contract(reference::ContractEvent),
    Platform(platform::PlatformEvent),
    Position(position::PositionEvent),
    Refusal(refusals::RefusalEvent),
    Session(session::SessionEvent),
    Suspense(suspense::SuspenseEvent),
}
