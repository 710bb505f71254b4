//! Log-on, from both sides (FIX 4.4 volume 2, "Logon"; session test cases 1 and 2).

use super::{Held, Output, Phase, Reason, Reset, Role, Session, SessionVersion};
use crate::codec::Message;
use crate::encode::Body;
use crate::message::Logon;
use crate::session::check;
use crate::tag;
use crate::value::Timestamp;

impl Session {
    /// The initiator's first message.
    pub(super) fn ask_for_logon(&mut self, fresh: bool, now: Timestamp) {
        if self.outside_hours(now) {
            return self.disconnect(Reason::OutsideHours);
        }
        self.reset_asked = match self.config.reset {
            Reset::Never => false,
            Reset::WhenFresh => fresh || std::mem::take(&mut self.peer_is_behind),
            Reset::EachSession => {
                let behind = std::mem::take(&mut self.peer_is_behind);
                fresh || behind || self.numbers_are_old(now)
            }
            Reset::Always => true,
        };
        if self.reset_asked && (self.next_out, self.next_in) != (1, 1) {
            self.restart_numbers(now);
        }
        let logon = Logon {
            heart_bt_int_s: self.heartbeat_s.unsigned_abs(),
            reset: self.reset_asked,
            cancel_on_disconnect: self.config.cancel_on_disconnect,
        };
        self.send_logon(&logon, now);
    }

    /// The first message of a connection, which must be a Logon that fits.
    pub(super) fn first_message(&mut self, message: &Message, now: Timestamp) {
        let refuse = |text: String| Reason::LogonRefused(text);
        if message.kind() == b"5" && self.config.role == Role::Initiator {
            // An acceptor that dislikes our Logon says why, for instance that our MsgSeqNum is too low.
            return self.disconnect(refuse(format!("the peer logged out: {}", text_of(message))));
        }
        if message.kind() != b"A" {
            let kind = String::from_utf8_lossy(message.kind()).into_owned();
            return self.disconnect(refuse(format!("MsgType is {kind}")));
        }
        if message.get(tag::BEGIN_STRING) != Some(self.config.identity.begin_string.as_bytes()) {
            return self.disconnect(refuse("BeginString is not ours".to_owned()));
        }
        if let Err(malformed) = check::structure(message, &self.config) {
            return self.disconnect(refuse(malformed.to_string()));
        }
        let told = message.get(tag::DEFAULT_APPL_VER_ID).is_some();
        if self.version == SessionVersion::Fixt11 && !told {
            return self.disconnect(refuse("DefaultApplVerID is missing".to_owned()));
        }
        let (logon, seq) = match (
            Logon::read(message),
            message.required::<u64>(tag::MSG_SEQ_NUM),
        ) {
            (Ok(logon), Ok(seq)) => (logon, seq),
            (Err(malformed), _) | (_, Err(malformed)) => {
                return self.disconnect(refuse(malformed.to_string()));
            }
        };
        if self.outside_hours(now) {
            return self.disconnect(Reason::OutsideHours);
        }
        if let Some(fault) = self.wrong_party_or_time(message, now) {
            return self.disconnect(refuse(fault.text().to_owned()));
        }
        self.log_on(&logon, seq, now);
    }

    fn log_on(&mut self, logon: &Logon, seq: u64, now: Timestamp) {
        if logon.reset && seq != 1 {
            let text = format!("ResetSeqNumFlag with MsgSeqNum {seq}");
            return self.disconnect(Reason::LogonRefused(text));
        }
        match self.config.role {
            Role::Acceptor => {
                self.heartbeat_s = logon.heart_bt_int_s as i64;
                let ours = match self.config.reset {
                    Reset::Never | Reset::WhenFresh => false,
                    Reset::EachSession => self.numbers_are_old(now),
                    Reset::Always => true,
                };
                if logon.reset || ours {
                    self.restart_numbers(now);
                }
            }
            Role::Initiator if logon.reset && !self.reset_asked => {
                // Our Logon is out under an old number; the peer starting at 1 alone can't be followed.
                let text = "the peer reset the sequence numbers unasked".to_owned();
                return self.disconnect(Reason::LogonRefused(text));
            }
            Role::Initiator => self.reset_asked = false,
        }
        if seq < self.next_in {
            self.peer_is_behind = self.config.role == Role::Initiator;
            return self.too_low(seq, now);
        }
        let agreed = self.agreed(logon);
        if self.config.role == Role::Acceptor {
            self.send_logon(&agreed, now);
        }
        self.phase = Phase::LoggedOn;
        self.outputs.push_back(Output::LoggedOn(agreed));
        if seq == self.next_in {
            self.next_in += 1;
        } else {
            self.hold(seq, Held::Done);
            self.ask_for_gap(seq, now);
        }
    }

    /// A Logon while logged on: only a reset makes sense of it (session test case "SessionReset").
    pub(super) fn logon_again(&mut self, message: &Message, now: Timestamp) {
        match Logon::read(message) {
            Ok(logon) if logon.reset && message.get(tag::MSG_SEQ_NUM) == Some(b"1") => {
                self.restart_numbers(now);
                self.heartbeat_s = logon.heart_bt_int_s as i64;
                let agreed = self.agreed(&logon);
                self.send_logon(&agreed, now);
                self.next_in = 2;
            }
            Ok(_) | Err(_) => {
                let text = "Logon while logged on";
                self.send_logout(Some(text), now);
                self.disconnect(Reason::Protocol(text.to_owned()));
            }
        }
    }

    /// Whether the numbers began before the session that `now` is in.
    fn numbers_are_old(&self, now: Timestamp) -> bool {
        let schedule = self.config.schedule.as_ref();
        let session = schedule.and_then(|schedule| schedule.current(now));
        session.is_some_and(|session| self.since < session.start)
    }

    /// Whether the schedule has no session now.
    fn outside_hours(&self, now: Timestamp) -> bool {
        let schedule = self.config.schedule.as_ref();
        schedule.is_some_and(|schedule| schedule.current(now).is_none())
    }

    fn restart_numbers(&mut self, now: Timestamp) {
        self.since = now;
        (self.next_out, self.next_in) = (1, 1);
        self.first_out = 1;
        self.decided.clear();
        self.unrecorded = None;
        self.gap = None;
        self.held.clear();
        self.held_bytes = 0;
        self.outputs.push_back(Output::ResetJournal);
    }

    /// What holds from now on: the peer's Logon as far as we go along with it.
    fn agreed(&self, logon: &Logon) -> Logon {
        Logon {
            heart_bt_int_s: self.heartbeat_s.unsigned_abs(),
            cancel_on_disconnect: logon.cancel_on_disconnect && self.config.cancel_on_disconnect,
            ..*logon
        }
    }

    fn send_logon(&mut self, logon: &Logon, now: Timestamp) {
        let mut body = Body::new();
        logon.write(&mut body);
        if self.version == SessionVersion::Fixt11 {
            body.text(tag::DEFAULT_APPL_VER_ID, &self.config.default_appl_ver_id);
        }
        self.send_admin(b"A", body, now);
    }
}

/// Text (58) of a message, or a stand-in.
pub(super) fn text_of(message: &Message) -> String {
    message
        .get(tag::TEXT)
        .map_or("no text".into(), String::from_utf8_lossy)
        .into_owned()
}
