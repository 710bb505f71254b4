//! The event log: what was decided and what was told, in one global order, for ever.
//!
//! [`EventStore`] is the port; its adapters are an enum's variants, and one contract suite (`tests/it`) runs over each.
//! On top lie the [`codec`] (domain events to stored bytes and back) and [`transact`](Streams::transact) (load, decide, append, retry).
//!
//! 1. An event once appended is never changed or deleted: there is no call for it, and the file refuses it too.
//! 2. Every append states the version it expects of its stream; there is no "any".
//! 3. An append that was answered survives kill -9 and power loss.
//! 4. A repeated append (same ids, same place, same content) gets its first answer. The log looks for it at that place alone: an id
//!    that is used at two places is two events.
//! 5. Versions of a stream are 1, 2, 3, ... without gaps; positions of the log are ordered as the appends became durable.
//!
//! What it does not do: it decides nothing, knows no read model, and starts no task on the caller's runtime.

mod aggregates;
pub mod codec;
pub mod embedded;
mod entry;
mod error;
mod event;
#[cfg(feature = "kurrentdb")]
mod kurrent;
pub mod metadata;
mod store;
mod subscription;
mod trace;
mod transact;

pub use embedded::Embedded;
pub use entry::{Entry, EntryError, NO_PREVIOUS};
pub use error::{AppendError, OpenError, ReadError};
pub use event::{
    APPEND_BYTES_MAX, APPEND_EVENTS_MAX, Appended, BODY_BYTES_MAX, NAME_BYTES_MAX, NewEvent,
    NotAPosition, Position, READ_BYTES_MAX, READ_EVENTS_MAX, StoredEvent,
};
#[cfg(feature = "kurrentdb")]
pub use kurrent::Kurrent;
pub use store::EventStore;
pub use subscription::{Delivery, Subscription};
pub use trace::{NotATrace, TraceId, traced};
pub use transact::{
    ATTEMPTS_MAX, Aggregate, Caller, Committed, LoadError, Loaded, Streams, TransactError, event_id,
};
