//! What a venue speaks: the one place where its protocol is chosen. `plan` asks how a message is written, `lib` has the session run.
//!
//! Whatever the protocol, a message has an id of ours before it leaves (in the log and in the journal), a place in the journal that is
//! durable before the socket sees a byte, and a report that is in the log before it counts as received. What differs is only
//! 1. how a report finds its order: FIX echoes our ClOrdID; a protocol without one echoes the packet's number, and later says the
//!    venue's order number alone;
//! 2. how both sides find out what the other missed: FIX numbers both ways and asks for the gaps; such a protocol downloads, and what
//!    the download does not show never came.

use crate::connection::Connection;
use crate::inbound::Inbounds;
use crate::index::Index;
#[cfg(feature = "testing")]
use crate::packets;
use crate::translate;
use squareoff_domain::Timestamp;
use squareoff_domain::position::{CancelRequested, OrderPlaced, ReplaceRequested};
use squareoff_fix::message::Dialect;
use squareoff_fix::{AppMessage, DriverError, Endpoint};
use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Fix(Dialect),
    /// Numbered packets without client order ids, as NSE's NNF has them in principle: for tests of the port.
    #[cfg(feature = "testing")]
    Packets,
}

/// A session's engine, made once and kept over connections.
pub enum Engine {
    Fix(Box<Endpoint<Inbounds>>),
    #[cfg(feature = "testing")]
    Packets(Box<packets::Engine>),
}

impl Protocol {
    /// How its messages are written.
    pub fn dialect(self) -> Dialect {
        match self {
            Protocol::Fix(dialect) => dialect,
            // Its messages are bodies of its own, which no dialect changes.
            #[cfg(feature = "testing")]
            Protocol::Packets => Dialect::Fix44,
        }
    }

    /// What has to be remembered of every order to know it again in a report.
    pub fn index(self) -> Index {
        match self {
            Protocol::Fix(_) => Index::default(),
            #[cfg(feature = "testing")]
            Protocol::Packets => Index::with_numbers(),
        }
    }

    pub fn new_order(self, placed: &OrderPlaced, decided_at: Timestamp) -> AppMessage {
        match self {
            Protocol::Fix(_) => translate::new_order(placed, decided_at),
            #[cfg(feature = "testing")]
            Protocol::Packets => packets::new_order(placed),
        }
    }

    pub fn replace(self, requested: &ReplaceRequested, decided_at: Timestamp) -> AppMessage {
        match self {
            Protocol::Fix(_) => translate::replace(requested, decided_at),
            #[cfg(feature = "testing")]
            Protocol::Packets => packets::replace(requested),
        }
    }

    pub fn cancel(self, requested: &CancelRequested, decided_at: Timestamp) -> AppMessage {
        match self {
            Protocol::Fix(_) => translate::cancel(requested, decided_at),
            #[cfg(feature = "testing")]
            Protocol::Packets => packets::cancel(requested),
        }
    }
}

impl Engine {
    /// Keeps the session connected until `stop` turns true, and logs out then.
    ///
    /// # Errors
    /// [`DriverError`]: what no reconnecting mends.
    pub async fn run(
        &mut self,
        connection: &Connection,
        stop: watch::Receiver<bool>,
    ) -> Result<(), DriverError> {
        match self {
            Engine::Fix(endpoint) => connection.run(endpoint, stop).await,
            #[cfg(feature = "testing")]
            Engine::Packets(engine) => engine.run(&connection.address, stop).await,
        }
    }
}
