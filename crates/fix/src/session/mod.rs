//! The FIX session as a state machine: messages and time in, messages and facts out; no IO, no clock.
//!
//! Both roles are this one machine (FIX 4.4 volume 2; FIX Session Layer test cases). Called by `driver`,
//! which feeds it and does what the outputs say, in their order.
//!
//! 1. Every connection starts from the journal's numbers, so nothing that was not journaled uses a number.
//! 2. Application messages are delivered in sequence order, each number at most once per connection;
//!    a gap is asked for and what came early waits (bounded).
//! 3. [`Session::inbound_to_record`] never passes an application message that was delivered but not yet
//!    confirmed with [`Session::recorded_through`].
//! 4. Application messages are numbered only while logged on.
//! 5. Nothing a peer sends panics or grows memory beyond the named limits.
//!
//! It does not decide what is sent again: the application does, see [`Resend`].

mod check;
mod config;
mod inbound;
mod logon;
mod resend;
mod schedule;
mod timers;
mod version;

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};

use crate::codec::Message;
use crate::encode::{Body, Header, frame, frame_to};
use crate::journal::{Kind, Record};
use crate::message::{AppMessage, Dialect, Logon, OutboundMessage};
use crate::tag;
use crate::value::Timestamp;

pub use config::{Bodies, Reset, Role, SessionConfig, Validation};
pub use resend::{Replay, Resend};
pub use schedule::{Hours, OfDay, Schedule, Stretch, Weekday};
pub(crate) use version::SessionVersion;

/// Messages that came early and wait for a gap to close. The peer sends everything behind the gap again
/// anyway, so what does not fit is dropped and asked for later.
pub const HELD_MESSAGES_MAX: usize = 1024;
/// Bytes of messages waiting for a gap to close.
pub const HELD_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Messages in a row that can't be read before the connection is closed. A line that loses bits is not mended by going on,
/// and each one is a line in the log.
pub const GARBLED_MAX: u32 = 100;
/// A log-on is answered within this, or the connection is given up.
pub const LOGON_TIME_LIMIT_S: i64 = 10;
/// A log-out is answered within this, or the connection is closed anyway.
pub const LOGOUT_TIME_LIMIT_S: i64 = 2;
/// A resend request without any progress is repeated after this.
pub const RESEND_PATIENCE_S: i64 = 10;
/// How often a resend request is repeated before the connection is given up.
pub const RESEND_TRIES_MAX: u32 = 3;

/// Memory that outbound messages share: a hundred orders.
const BUFFER_BYTES: usize = 32 * 1024;
const SECOND: i64 = 1_000_000_000;

/// The numbers a connection starts from: the journal's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// The next number we send.
    pub next_out: u64,
    /// The next number we expect.
    pub next_in: u64,
    /// Neither side has sent an application message yet, as far as our journal knows.
    pub fresh: bool,
    /// When the numbers started at 1.
    pub since: Timestamp,
}

/// An application message from the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    pub seq: u64,
    pub sending_time: Timestamp,
    /// PossDupFlag: the peer has sent this number before; we may have recorded it, so compare.
    pub poss_dup: bool,
    /// PossResend: a new number for what may be an old message; compare by its content.
    pub poss_resend: bool,
    pub message: AppMessage,
}

/// What the session wants done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Journal this, then write its bytes.
    Send(Record),
    /// Give this to the application; [`Session::recorded_through`] when it is durably recorded.
    Deliver(Inbound),
    /// The peer asks for our messages `from..=to` again: decide for each, then [`Session::replay`].
    ResendRequested { from: u64, to: u64 },
    /// Both sequences start at 1: start a new generation of the journal before anything that follows.
    ResetJournal,
    /// Both sides are logged on, on these terms.
    LoggedOn(Logon),
    /// Write what is pending and close the connection. Nothing follows.
    Disconnect(Reason),
}

/// Why a session closes its connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("the peer logged out: {0}")]
    PeerLoggedOut(String),
    #[error("logged out as asked: {0}")]
    WeLoggedOut(String),
    #[error("the peer did not answer our logout")]
    LogoutUnanswered,
    #[error("no logon within {LOGON_TIME_LIMIT_S} s")]
    NoLogon,
    #[error("the first message was not a usable logon: {0}")]
    LogonRefused(String),
    #[error("the peer fell silent")]
    Silent,
    #[error("it is outside the session's hours")]
    OutsideHours,
    #[error("MsgSeqNum too low, expecting {expected} but received {received}")]
    SequenceTooLow { expected: u64, received: u64 },
    #[error("the peer broke the protocol: {0}")]
    Protocol(String),
    #[error("the peer did not send the messages from {from} again, asked {RESEND_TRIES_MAX} times")]
    GapNotFilled { from: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Disconnected,
    /// Waiting for the peer's Logon: as acceptor for the first, as initiator for the answer to ours.
    AwaitingLogon {
        until: Timestamp,
    },
    LoggedOn,
    /// Our Logout is out. Messages are still taken: executions may be on their way.
    LoggingOut {
        until: Timestamp,
    },
}

#[derive(Clone, Copy, Debug)]
struct Gap {
    /// The number whose arrival ends the gap.
    through: u64,
    asked_at: Timestamp,
    tries: u32,
}

#[derive(Clone, Debug)]
enum Held {
    Message(Message),
    /// Already acted on when it came (a resend request or the logon itself): it only takes up its number.
    Done,
}

/// The protocol state of one session.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    dialect: Dialect,
    version: SessionVersion,
    phase: Phase,
    next_out: u64,
    next_in: u64,
    /// The oldest application message delivered and not yet confirmed, and the newest delivered.
    unrecorded: Option<(u64, u64)>,
    heartbeat_s: i64,
    last_sent: Timestamp,
    last_received: Timestamp,
    test_request_out: bool,
    /// The first number of this connection: what is below was sent on an earlier one.
    first_out: u64,
    /// What was decided on this connection about messages of earlier ones.
    decided: BTreeMap<u64, Resend>,
    /// Messages in a row that could not be read.
    garbled: u32,
    /// When the numbers of this connection started at 1.
    since: Timestamp,
    /// Our Logon of this connection asked for a reset.
    reset_asked: bool,
    /// The peer answered our last Logon with a number that it had used before.
    peer_is_behind: bool,
    gap: Option<Gap>,
    held: BTreeMap<u64, Held>,
    held_bytes: usize,
    logout_text: String,
    outputs: VecDeque<Output>,
    /// Messages are written into it one behind the other, and the memory is used again when all of them have gone.
    buffer: BytesMut,
}

impl Session {
    /// A session that is not connected.
    pub fn new(config: SessionConfig) -> Session {
        Session {
            dialect: Dialect::of(config.identity.begin_string.as_bytes()),
            version: SessionVersion::of(&config.identity.begin_string),
            config,
            phase: Phase::Disconnected,
            next_out: 1,
            next_in: 1,
            unrecorded: None,
            heartbeat_s: 0,
            last_sent: Timestamp(0),
            last_received: Timestamp(0),
            test_request_out: false,
            first_out: 1,
            decided: BTreeMap::new(),
            garbled: 0,
            since: Timestamp(0),
            reset_asked: false,
            peer_is_behind: false,
            gap: None,
            held: BTreeMap::new(),
            held_bytes: 0,
            logout_text: String::new(),
            outputs: VecDeque::new(),
            buffer: BytesMut::with_capacity(BUFFER_BYTES),
        }
    }

    /// What it was made with.
    pub fn config(&self) -> &SessionConfig {
        &self.config
    }

    /// What is to be done next; `None` when nothing is.
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// A connection stands. An initiator sends its Logon.
    pub fn connected(&mut self, numbers: Numbers, now: Timestamp) {
        self.next_out = numbers.next_out;
        self.first_out = numbers.next_out;
        self.decided.clear();
        self.next_in = numbers.next_in;
        self.unrecorded = None;
        self.since = numbers.since;
        self.garbled = 0;
        self.heartbeat_s = i64::from(self.config.heart_bt_int_s);
        (self.last_sent, self.last_received) = (now, now);
        (self.test_request_out, self.reset_asked) = (false, false);
        self.gap = None;
        self.held.clear();
        self.held_bytes = 0;
        self.outputs.clear();
        self.phase = Phase::AwaitingLogon {
            until: now.plus(LOGON_TIME_LIMIT_S * SECOND),
        };
        if self.config.role == Role::Initiator {
            self.ask_for_logon(numbers.fresh, now);
        }
    }

    /// The connection is gone, whoever closed it. What was delivered and not recorded will be asked for again.
    pub fn disconnected(&mut self) {
        self.phase = Phase::Disconnected;
        self.outputs.clear();
    }

    /// Whether application messages may be sent.
    pub fn is_logged_on(&self) -> bool {
        self.phase == Phase::LoggedOn
    }

    /// Whether the connection is meant to stay.
    pub fn is_connected(&self) -> bool {
        self.phase != Phase::Disconnected
    }

    /// The inbound number that may be persisted as expected next.
    pub fn inbound_to_record(&self) -> u64 {
        match self.unrecorded {
            Some((oldest, _)) => oldest,
            None => self.next_in,
        }
    }

    /// The application has durably recorded every message delivered with a number up to `seq`.
    pub fn recorded_through(&mut self, seq: u64) {
        if let Some((oldest, newest)) = self.unrecorded {
            self.unrecorded = (seq < newest).then(|| (oldest.max(seq + 1), newest));
        }
    }

    /// Numbers an application message and puts it out for journal and wire; `false`: not logged on, not taken.
    #[must_use]
    pub fn send_app(&mut self, message: &OutboundMessage, now: Timestamp) -> bool {
        if !self.is_logged_on() {
            return false;
        }
        let more: &[(u32, &[u8])] = match message.is_poss_resend() {
            true => &[(tag::POSS_RESEND, b"Y")],
            false => &[],
        };
        let header = Header {
            kind: message.kind().as_bytes(),
            seq: self.next_out,
            sending_time: now,
            poss_dup: false,
            more,
        };
        frame_to(
            &mut self.buffer,
            &self.config.identity,
            &header,
            message.body(),
        );
        let bytes = self.buffer.split().freeze();
        self.put_out(Record {
            seq: self.next_out,
            kind: Kind::App,
            id: message.id().to_owned(),
            position: message.position(),
            sending_time: now,
            bytes,
        });
        true
    }

    /// Logs out in an orderly way: the peer answers, then [`Output::Disconnect`].
    pub fn log_out(&mut self, text: &str, now: Timestamp) {
        match self.phase {
            Phase::LoggedOn => self.begin_logout(Some(text), now),
            Phase::AwaitingLogon { .. } => self.disconnect(Reason::WeLoggedOut(text.to_owned())),
            Phase::LoggingOut { .. } | Phase::Disconnected => {}
        }
    }

    fn begin_logout(&mut self, text: Option<&str>, now: Timestamp) {
        if matches!(self.phase, Phase::LoggingOut { .. }) {
            return;
        }
        self.send_logout(text, now);
        self.logout_text = text.unwrap_or("see the reject before it").to_owned();
        self.phase = Phase::LoggingOut {
            until: now.plus(LOGOUT_TIME_LIMIT_S * SECOND),
        };
    }

    fn send_logout(&mut self, text: Option<&str>, now: Timestamp) {
        let mut body = Body::new();
        body.maybe(tag::TEXT, text);
        self.send_admin(b"5", body, now);
    }

    fn disconnect(&mut self, reason: Reason) {
        self.phase = Phase::Disconnected;
        self.outputs.push_back(Output::Disconnect(reason));
    }

    fn send_admin(&mut self, kind: &[u8], body: Body, now: Timestamp) {
        self.send_admin_with(kind, &[], body, now);
    }

    fn send_admin_with(&mut self, kind: &[u8], more: &[(u32, &[u8])], body: Body, now: Timestamp) {
        let Ok(body) = body.finish() else {
            // Only a text of the peer's that we echo can be too long; the message is then worth nothing.
            tracing::warn!("a session-level message could not be written");
            return;
        };
        let header = Header {
            kind,
            seq: self.next_out,
            sending_time: now,
            poss_dup: false,
            more,
        };
        let bytes = frame(&self.config.identity, &header, &body);
        self.put_out(Record {
            seq: self.next_out,
            kind: Kind::Admin,
            id: String::new(),
            position: 0,
            sending_time: now,
            bytes,
        });
    }

    fn put_out(&mut self, record: Record) {
        self.next_out += 1;
        self.last_sent = record.sending_time;
        self.outputs.push_back(Output::Send(record));
    }

    /// Which of these records, asked for again, the application has to decide about: application messages of
    /// earlier connections, once per connection. Any other may be on its way to the peer, which would act on
    /// it although we filled it over; so it goes again, or stays filled over if it was.
    pub fn undecided<'a>(&self, records: &'a [Record]) -> impl Iterator<Item = &'a Record> {
        records.iter().filter(|record| {
            record.kind == Kind::App
                && record.seq < self.first_out
                && !self.decided.contains_key(&record.seq)
        })
    }

    /// The bytes that answer [`Output::ResendRequested`], for the part of it that `replay` covers; they are
    /// already journaled and only written.
    pub fn replay(&mut self, replay: &Replay<'_>, now: Timestamp) -> Vec<Bytes> {
        let asked: Vec<u64> = self.undecided(replay.records).map(|r| r.seq).collect();
        let decisions = replay.decisions.iter().copied();
        let decisions = decisions.chain(std::iter::repeat(Resend::GapFill));
        self.decided.extend(asked.into_iter().zip(decisions));
        self.last_sent = now;
        let decision = |seq| self.decided.get(&seq).copied().unwrap_or(Resend::Again);
        resend::answer(&self.config.identity, replay, decision, now)
    }
}

#[cfg(test)]
mod tests;
