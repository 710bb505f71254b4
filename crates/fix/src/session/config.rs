//! What a session is told before it starts.

use super::schedule::Schedule;
use crate::dictionary::UserDefined;
use crate::encode::Identity;
use crate::message::Dialect;

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
    /// must be asked for otherwise (mass status). Likewise when the peer answered our Logon with a number
    /// that it had used before: it has lost the end of its own journal, and no log-on would ever succeed.
    WhenFresh,
    /// At the first log-on of each session of the schedule: the journal is older than the session's start. Both sides
    /// do so at the same time; as initiator our Logon says 141=Y, and within a session whenever `WhenFresh` has it.
    EachSession,
    /// At every log-on.
    Always,
}

/// How much of a message is checked before it is acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// The header, the order of header, body and trailer, and what the types read. A venue whose messages are not quite
    /// FIX must still be able to tell us of a fill.
    Basic,
    /// Every field against the dictionary of the session's BeginString; as `Basic` for versions without one.
    Full(UserDefined),
}

/// One session's settings.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    pub role: Role,
    pub identity: Identity,
    /// DefaultApplVerID (1137), which FIXT 1.1 tells at log-on: the version of our application messages, `7` for FIX 5.0, `8`
    /// and `9` for its service packs. Older versions have none.
    pub default_appl_ver_id: String,
    /// HeartBtInt in seconds; an acceptor takes the initiator's.
    pub heart_bt_int_s: u32,
    pub reset: Reset,
    pub bodies: Bodies,
    pub validation: Validation,
    /// How far SendingTime may be from our clock, in seconds.
    pub latency_limit_s: u32,
    /// Whether the acceptor cancels the initiator's working orders when the connection is lost: as initiator we ask
    /// for it, as acceptor we grant it. It holds when both sides want it, which [`Output::LoggedOn`] says.
    ///
    /// [`Output::LoggedOn`]: super::Output::LoggedOn
    pub cancel_on_disconnect: bool,
    /// When the session may be connected; `None` for always.
    pub schedule: Option<Schedule>,
}

impl SessionConfig {
    /// FIX.4.4, 30 s heartbeats, 120 s latency, typed bodies, basic validation, numbers that never reset.
    pub fn new(role: Role, sender: &str, target: &str) -> SessionConfig {
        SessionConfig {
            role,
            identity: Identity {
                begin_string: "FIX.4.4".to_owned(),
                sender: sender.to_owned(),
                target: target.to_owned(),
            },
            default_appl_ver_id: "9".to_owned(),
            heart_bt_int_s: 30,
            reset: Reset::Never,
            bodies: Bodies::Typed,
            validation: Validation::Basic,
            latency_limit_s: 120,
            cancel_on_disconnect: false,
            schedule: None,
        }
    }

    /// The same in another version.
    pub fn speaking(mut self, dialect: Dialect) -> SessionConfig {
        dialect
            .begin_string()
            .clone_into(&mut self.identity.begin_string);
        self
    }
}
