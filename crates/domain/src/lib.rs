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
//! | [`mod@reference`] | `contracts-<date>-<venue>` |
//! | [`client`] | `client-<client>` |
//! | [`bulk`] | `bulk-<id>` |
//! | [`approval`] | `approval-<id>` |
//! | [`refusals`] | `refusals-<date>-<client>` |
//! | [`suspense`] | `suspense-<venue>-<date>` |
//! | [`sealing`] | `audit-checkpoints` |
//! | [`people`] | `operator-<id>` |

pub mod amount;
pub mod approval;
pub mod bulk;
pub mod client;
mod describe;
pub mod drop_copy;
pub mod id;
pub mod people;
pub mod platform;
pub mod position;
pub mod reference;
pub mod refusals;
pub mod sealing;
pub mod session;
pub mod suspense;
pub mod time;

pub use amount::{Money, NetQuantity, Price, Quantity};
pub use client::Client;
pub use describe::{describe, reason_of};
pub use id::{
    Account, ClOrdId, ClientCode, ExchangeOrderId, ExecutionKey, KeyId, LogInId, OperatorId,
    OrderId, PositionKey, Product, RequestId, Segment, Side, Symbol, Venue,
};
pub use people::Role;
pub use position::Refusal;
pub use reference::Contract;
pub use time::{Timestamp, TradingDate};

/// Any event of any aggregate: what the log's codec reads and writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Approval(approval::ApprovalEvent),
    Bulk(bulk::BulkEvent),
    Client(client::ClientEvent),
    Contract(reference::ContractEvent),
    Person(people::PersonEvent),
    Platform(platform::PlatformEvent),
    Position(position::PositionEvent),
    Refusal(refusals::RefusalEvent),
    Seal(sealing::SealEvent),
    Session(session::SessionEvent),
    Suspense(suspense::SuspenseEvent),
}
