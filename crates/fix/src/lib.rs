//! FIX 4.4, and 4.2 as a dialect, from our side of the wire and from the exchange's: bytes, dictionary, messages, session, journal.
//!
//! Called by `gateway` (initiator) and `exchange` (acceptor). From the bottom up:
//! `codec` finds messages in a byte stream, `dictionary` knows what FIX says of fields, `message` gives messages types, `session` is the protocol as a
//! state machine without IO or clock, `journal` keeps what was sent, `driver` runs all of it on tokio.
//!
//! 1. No byte reaches a socket that is not durable in the journal.
//! 2. The persisted inbound number moves only after the application has recorded the messages below it,
//!    so what it has not recorded is asked for again: at least once in, at most once out.
//! 3. Any bytes from a peer are survived with bounded memory.
//!
//! Not here: orders, positions, throttling, what a venue adds to FIX.

pub mod codec;
pub mod dictionary;
pub mod driver;
pub mod encode;
pub mod journal;
pub mod message;
pub mod session;
pub mod tag;
pub mod value;

pub use codec::{Decoder, Frame, Message};
pub use dictionary::{Dictionary, UserDefined};
pub use driver::faults;
pub use driver::{
    Application, Clock, DriverError, Ended, Endpoint, NotRecorded, Registry, SentRecord,
    SessionState, Why, accept_loop, accept_loop_tls, accept_loop_with, connect_loop,
    connect_loop_tls, connect_loop_with,
};
pub use journal::{History, Journal, JournalError, Kind, Record};
pub use message::{AppMessage, OutboundMessage};
pub use session::{
    Bodies, Hours, Inbound, Output, Reason, Resend, Reset, Role, Schedule, Session, SessionConfig,
    Validation, Weekday,
};
pub use value::{LocalMktDate, PriceE4, Timestamp};
