//! FIX 4.4 from our side of the wire and from the exchange's: bytes, messages, session, journal.
//!
//! Called by `gateway` (initiator) and `exchange` (acceptor). From the bottom up:
//! `codec` finds messages in a byte stream, `message` gives them types, `session` is the protocol as a
//! state machine without IO or clock, `journal` keeps what was sent, `driver` runs all of it on tokio.
//!
//! 1. No byte reaches a socket that is not durable in the journal.
//! 2. The persisted inbound number moves only after the application has recorded the messages below it,
//!    so what it has not recorded is asked for again: at least once in, at most once out.
//! 3. Any bytes from a peer are survived with bounded memory.
//!
//! Not here: orders, positions, throttling, venues' dialects, validation against a full FIX dictionary.

pub mod codec;
pub mod driver;
pub mod encode;
pub mod journal;
pub mod message;
pub mod session;
pub mod tag;
pub mod value;

pub use codec::{Decoder, Frame, Message};
pub use driver::{
    Application, DriverError, Ended, Endpoint, NotRecorded, Registry, SentRecord, SessionState,
    Why, accept_loop, connect_loop, connect_loop_with,
};
pub use journal::{Journal, JournalError, Kind, Record};
pub use message::{AppMessage, OutboundMessage};
pub use session::{Bodies, Inbound, Output, Reason, Resend, Reset, Role, Session, SessionConfig};
pub use value::{LocalMktDate, PriceE4, Timestamp};
