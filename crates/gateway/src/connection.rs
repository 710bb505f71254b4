//! How a session reaches its venue: where it dials, what it shows and trusts there, when it may be connected, and when its
//! numbers start anew. Called by the sessions
//! that take orders and by the drop copy's, which differ in nothing here.

use squareoff_fix::driver::tls::{ServerName, TlsConnector};
use squareoff_fix::{
    Application, Clock, DriverError, Endpoint, Reset, Schedule, Timestamp, connect_loop,
    connect_loop_tls,
};
use std::fmt;
use tokio::sync::watch;

#[derive(Debug, Clone)]
pub struct Connection {
    /// host:port of the venue's acceptor.
    pub address: String,
    /// `None`: in the clear.
    pub tls: Option<Tls>,
    /// When the session may be connected; `None` for always.
    pub schedule: Option<Schedule>,
    /// When our sequence numbers start at 1 again.
    pub reset: Reset,
    /// What the schedule is held against: [`Timestamp::now`], or a test's.
    pub clock: Clock,
}

/// What a session shows and trusts.
#[derive(Clone)]
pub struct Tls {
    /// Whom the venue's certificate must be for.
    pub server_name: ServerName<'static>,
    pub connector: TlsConnector,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({:?})", self.server_name)
    }
}

impl Connection {
    /// In the clear, at any time.
    pub fn plain(address: impl Into<String>) -> Connection {
        Connection {
            address: address.into(),
            tls: None,
            schedule: None,
            reset: Reset::WhenFresh,
            clock: Timestamp::now,
        }
    }

    /// Keeps the session connected until `stop` turns true, and logs out then.
    ///
    /// # Errors
    /// [`DriverError`]: what no reconnecting mends.
    pub(crate) async fn run<A: Application>(
        &self,
        endpoint: &mut Endpoint<A>,
        stop: watch::Receiver<bool>,
    ) -> Result<(), DriverError> {
        match &self.tls {
            None => connect_loop(&self.address, endpoint, stop).await,
            Some(tls) => {
                let (name, connector) = (tls.server_name.clone(), tls.connector.clone());
                connect_loop_tls(&self.address, name, connector, endpoint, stop).await
            }
        }
    }
}
