//! What a session is told before it starts.

use crate::encode::Identity;

/// Who dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Initiator,
    Acceptor,
}

/// How far the bodies of application messages are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bodies {
    /// Into types; what can't be read is answered with Reject and not delivered.
    Typed,
    /// Not at all: everything is delivered by its fields.
    Raw,
}

/// When this side starts both sequences at 1 by itself. A reset asked for by the peer is always followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Never: numbers go on over connections and days.
    Never,
    /// As initiator, when the journal is empty: our Logon says 141=Y, so that a peer that remembers an
    /// older journal of ours starts anew with us. What it had not yet delivered is then lost to us, and
    /// must be asked for otherwise (mass status).
    WhenFresh,
    /// At every log-on.
    Always,
}

/// One session's settings.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    pub role: Role,
    pub identity: Identity,
    /// HeartBtInt in seconds; an acceptor takes the initiator's.
    pub heart_bt_int_s: u32,
    pub reset: Reset,
    pub bodies: Bodies,
    /// How far SendingTime may be from our clock, in seconds.
    pub latency_limit_s: u32,
}

impl SessionConfig {
    /// FIX.4.4, 30 s heartbeats, 120 s latency, typed bodies, numbers that never reset.
    pub fn new(role: Role, sender: &str, target: &str) -> SessionConfig {
        SessionConfig {
            role,
            identity: Identity {
                begin_string: "FIX.4.4".to_owned(),
                sender: sender.to_owned(),
                target: target.to_owned(),
            },
            heart_bt_int_s: 30,
            reset: Reset::Never,
            bodies: Bodies::Typed,
            latency_limit_s: 120,
        }
    }
}
