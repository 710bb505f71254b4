//! What can be made to go wrong at a call, for tests of clients. Without the feature `faults` there is none of it, and nothing can.

use tonic::Status;

/// How a call ends that is not answered.
#[derive(Debug)]
pub(crate) enum Cut {
    Status(Box<Status>),
    /// Cleanly, as if all had been said.
    End,
}

impl From<Status> for Cut {
    fn from(status: Status) -> Cut {
        Cut::Status(Box::new(status))
    }
}

impl From<Cut> for Status {
    fn from(cut: Cut) -> Status {
        match cut {
            Cut::Status(status) => *status,
            // A call with one answer can't end without it.
            Cut::End => Status::cancelled("the call ended"),
        }
    }
}

#[cfg(feature = "faults")]
pub use on::{Call, Fault, Faults};
#[cfg(feature = "faults")]
pub(crate) use on::{Peer, Socket, after, before};

#[cfg(not(feature = "faults"))]
pub(crate) use off::{Call, Fault, Faults, Peer, Socket, after, before};

#[cfg(not(feature = "faults"))]
mod off {
    use super::Cut;
    use tokio::net::TcpStream;

    #[derive(Debug, Clone, Copy)]
    pub(crate) enum Call {
        Append,
        BatchAppend,
        Read,
        Subscribe,
    }

    #[derive(Debug)]
    pub(crate) enum Fault {}

    #[derive(Debug, Default)]
    pub(crate) struct Faults(());

    impl Faults {
        pub(crate) fn take(&self, _: Call) -> Option<Fault> {
            None
        }

        // As with the feature, where a test may have said one.
        #[allow(clippy::unused_self)]
        pub(crate) fn version(&self) -> Option<String> {
            None
        }
    }

    #[derive(Debug, Clone)]
    pub(crate) struct Peer;

    #[derive(Debug)]
    pub(crate) struct Socket;

    impl Socket {
        // As with the feature, where it takes a second handle to the socket.
        #[allow(clippy::unnecessary_wraps)]
        pub(crate) fn of(_: &TcpStream) -> std::io::Result<(Socket, Peer)> {
            Ok((Socket, Peer))
        }

        pub(crate) async fn reset(&self) {
            std::future::pending().await
        }
    }

    pub(crate) async fn before(_: Option<&Fault>, _: &Peer) -> Result<(), Cut> {
        Ok(())
    }

    pub(crate) async fn after(_: Option<&Fault>, _: &Peer) -> Result<(), Cut> {
        Ok(())
    }
}

#[cfg(feature = "faults")]
mod on {
    use super::Cut;
    use crate::refusal::Refusal;
    use std::net::SocketAddr;
    use std::os::fd::{AsFd, OwnedFd};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use tokio::net::TcpStream;
    use tokio::sync::Notify;
    use tonic::Status;

    /// The unit that a fault waits for.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Call {
        /// An Append call.
        Append,
        /// One append of a BatchAppend session.
        BatchAppend,
        /// One page of a Read with a count, before it is sent.
        Read,
        /// One page of a subscription, before it is sent; the first is its confirmation.
        Subscribe,
    }

    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum Fault {
        /// Nothing is done and nothing answered, ever.
        Hang,
        /// The append is durable and never answered.
        HangAfterCommit,
        /// The append is durable; the call or session ends with UNAVAILABLE.
        AbortAfterCommit,
        /// The stream of answers ends cleanly.
        EndStream,
        /// As a follower answers: the leader is at this address.
        NotLeader(SocketAddr),
        /// The append is durable and answered so much later.
        SlowAnswer(Duration),
        /// The connection is reset before anything was done.
        Reset,
        /// The append is durable, then the connection is reset.
        ResetAfterCommit,
    }

    #[derive(Debug)]
    struct Planned {
        call: Call,
        pass: usize,
        fault: Fault,
        happened: Arc<AtomicBool>,
    }

    /// The faults that are yet to happen, each once.
    #[derive(Debug, Default)]
    pub struct Faults {
        planned: Mutex<Vec<Planned>>,
        version: Mutex<Option<String>>,
    }

    impl Faults {
        /// Lets `pass` more calls of this kind pass, then makes the next one fail. Of several for one kind, the first planned counts first.
        /// What is returned turns true when it has happened.
        pub fn inject(&self, call: Call, pass: usize, fault: Fault) -> Arc<AtomicBool> {
            let happened = Arc::new(AtomicBool::new(false));
            self.planned().push(Planned {
                call,
                pass,
                fault,
                happened: happened.clone(),
            });
            happened
        }

        /// How many have not happened yet.
        pub fn left(&self) -> usize {
            self.planned().len()
        }

        /// Forgets what has not happened.
        pub fn clear(&self) {
            self.planned().clear();
        }

        /// From now on the server says that it is of this version.
        pub fn claim_version(&self, version: &str) {
            let mut claimed = self.version.lock().expect("nothing panics holding it");
            *claimed = Some(version.to_owned());
        }

        pub(crate) fn version(&self) -> Option<String> {
            let claimed = self.version.lock().expect("nothing panics holding it");
            claimed.clone()
        }

        pub(crate) fn take(&self, call: Call) -> Option<Fault> {
            let mut planned = self.planned();
            let index = planned.iter().position(|planned| planned.call == call)?;
            match planned[index].pass.checked_sub(1) {
                Some(pass) => {
                    planned[index].pass = pass;
                    None
                }
                None => {
                    let now = planned.remove(index);
                    now.happened.store(true, Ordering::Release);
                    Some(now.fault)
                }
            }
        }

        fn planned(&self) -> std::sync::MutexGuard<'_, Vec<Planned>> {
            self.planned
                .lock()
                .expect("nothing panics while holding it")
        }
    }

    /// The connection that a call came over.
    #[derive(Debug, Clone)]
    pub(crate) struct Peer {
        cut: Arc<Notify>,
    }

    /// Its own end of that, a second handle to the socket: dropped without lingering, the other end gets a reset and not an end.
    #[derive(Debug)]
    pub(crate) struct Socket {
        cut: Arc<Notify>,
        socket: OwnedFd,
    }

    impl Socket {
        pub(crate) fn of(stream: &TcpStream) -> std::io::Result<(Socket, Peer)> {
            let cut = Arc::new(Notify::new());
            let socket = Socket {
                cut: cut.clone(),
                socket: stream.as_fd().try_clone_to_owned()?,
            };
            Ok((socket, Peer { cut }))
        }

        /// Returns when the connection is to be dropped, for a reset.
        pub(crate) async fn reset(&self) {
            self.cut.notified().await;
            // A socket that is closed already needs no reset.
            let _ = socket2::SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
        }
    }

    impl Peer {
        async fn cut(&self) -> ! {
            self.cut.notify_one();
            std::future::pending().await
        }
    }

    pub(crate) async fn before(fault: Option<&Fault>, peer: &Peer) -> Result<(), Cut> {
        match fault {
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::EndStream) => Err(Cut::End),
            Some(Fault::NotLeader(leader)) => {
                let refusal = Refusal::NotLeader {
                    host: leader.ip().to_string(),
                    port: leader.port(),
                };
                Err(refusal.status().into())
            }
            Some(Fault::Reset) => peer.cut().await,
            None
            | Some(
                Fault::HangAfterCommit
                | Fault::AbortAfterCommit
                | Fault::SlowAnswer(_)
                | Fault::ResetAfterCommit,
            ) => Ok(()),
        }
    }

    pub(crate) async fn after(fault: Option<&Fault>, peer: &Peer) -> Result<(), Cut> {
        match fault {
            Some(Fault::HangAfterCommit) => std::future::pending().await,
            Some(Fault::AbortAfterCommit) => {
                Err(Status::unavailable("aborted after the commit").into())
            }
            Some(Fault::SlowAnswer(longer)) => {
                tokio::time::sleep(*longer).await;
                Ok(())
            }
            Some(Fault::ResetAfterCommit) => peer.cut().await,
            None | Some(Fault::Hang | Fault::EndStream | Fault::NotLeader(_) | Fault::Reset) => {
                Ok(())
            }
        }
    }
}
