//! What a message from the peer does once logged on (FIX 4.4 volume 2; session test cases 2 to 14).

use super::logon::text_of;
use super::{
    Bodies, GARBLED_MAX, Gap, HELD_BYTES_MAX, HELD_MESSAGES_MAX, Held, Inbound, Output, Phase,
    Reason, SECOND, Session,
};
use crate::codec::{Garbled, Message};
use crate::dictionary::Dictionary;
use crate::encode::Body;
use crate::message::{AppMessage, Malformed, Reject, RejectReason, ResendRequest, SequenceReset};
use crate::session::check;
use crate::tag;
use crate::value::{Timestamp, parse_count};

/// The routing fields of a message and where they go in the answer.
const REVERSE_ROUTES: [(u32, u32); 6] = [
    (tag::DELIVER_TO_COMP_ID, tag::ON_BEHALF_OF_COMP_ID),
    (tag::DELIVER_TO_SUB_ID, tag::ON_BEHALF_OF_SUB_ID),
    (tag::ON_BEHALF_OF_COMP_ID, tag::DELIVER_TO_COMP_ID),
    (tag::ON_BEHALF_OF_SUB_ID, tag::DELIVER_TO_SUB_ID),
    (tag::DELIVER_TO_LOCATION_ID, tag::ON_BEHALF_OF_LOCATION_ID),
    (tag::ON_BEHALF_OF_LOCATION_ID, tag::DELIVER_TO_LOCATION_ID),
];

impl Session {
    /// A whole message came.
    pub fn received(&mut self, message: &Message, now: Timestamp) {
        self.garbled = 0;
        self.last_received = now;
        self.test_request_out = false;
        match self.phase {
            Phase::Disconnected => {}
            Phase::AwaitingLogon { .. } => self.first_message(message, now),
            Phase::LoggedOn | Phase::LoggingOut { .. } => self.established(message, now),
        }
    }

    /// Bytes came that are no message. Ignored once logged on: if it was a message, its number will be missed.
    pub fn garbled(&mut self, garbled: Garbled) {
        tracing::warn!(fix.target = %self.config.identity.target, %garbled, "ignored a garbled message");
        if matches!(self.phase, Phase::AwaitingLogon { .. }) {
            return self.disconnect(Reason::LogonRefused(garbled.to_string()));
        }
        self.garbled += 1;
        if self.garbled >= GARBLED_MAX && self.is_connected() {
            let text = format!("{GARBLED_MAX} messages in a row are garbled");
            self.disconnect(Reason::Protocol(text));
        }
    }

    fn established(&mut self, message: &Message, now: Timestamp) {
        if message.get(tag::BEGIN_STRING) != Some(self.config.identity.begin_string.as_bytes()) {
            return self.begin_logout(Some("Incorrect BeginString"), now);
        }
        let Some(seq) = message.get(tag::MSG_SEQ_NUM).and_then(parse_count) else {
            self.send_logout(Some("MsgSeqNum missing"), now);
            return self.disconnect(Reason::Protocol("MsgSeqNum missing".to_owned()));
        };
        if let Some(fault) = self.wrong_party_or_time(message, now) {
            self.reject(message, seq, &Malformed::whole(fault), now);
            return self.begin_logout(None, now);
        }
        let before = self.next_in;
        match message.kind() {
            b"5" => self.logged_out_by_peer(message, seq, now),
            b"A" if message.get(tag::RESET_SEQ_NUM_FLAG) == Some(b"Y") => {
                self.logon_again(message, now);
            }
            b"4" if message.get(tag::GAP_FILL_FLAG) != Some(b"Y") => {
                self.sequence_reset(message, seq, now);
            }
            // Answered whatever its number, or two sides asking each other would wait for ever.
            b"2" if seq != self.next_in => self.resend_request_out_of_turn(message, seq, now),
            _ if seq < self.next_in => self.seen_before(message, seq, now),
            _ if seq > self.next_in => {
                self.hold(seq, Held::Message(message.clone()));
                self.ask_for_gap(seq, now);
            }
            _ => self.in_turn(message, seq, now),
        }
        self.take_up_held(before, now);
    }

    /// CompIDs and SendingTime. Absent fields are left to the structure check, which names them.
    pub(super) fn wrong_party_or_time(
        &self,
        message: &Message,
        now: Timestamp,
    ) -> Option<RejectReason> {
        let identity = &self.config.identity;
        let differs = |tag, expected: &str| {
            message
                .get(tag)
                .is_some_and(|found| !found.is_empty() && found != expected.as_bytes())
        };
        if differs(tag::SENDER_COMP_ID, &identity.target)
            || differs(tag::TARGET_COMP_ID, &identity.sender)
        {
            return Some(RejectReason::CompId);
        }
        let sent = message.get(tag::SENDING_TIME).and_then(Timestamp::parse)?;
        let limit = i64::from(self.config.latency_limit_s) * SECOND;
        (now.since(sent).abs() > limit).then_some(RejectReason::SendingTime)
    }

    /// A number below the expected: a duplicate when the peer says so, otherwise the peers disagree for good.
    fn seen_before(&mut self, message: &Message, seq: u64, now: Timestamp) {
        if message.get(tag::POSS_DUP_FLAG) != Some(b"Y") {
            return self.too_low(seq, now);
        }
        if message.kind() == b"4" {
            return;
        }
        let time = |tag| message.get(tag).and_then(Timestamp::parse);
        match (time(tag::ORIG_SENDING_TIME), time(tag::SENDING_TIME)) {
            (None, _) => {
                let missing =
                    Malformed::tag(RejectReason::RequiredTagMissing, tag::ORIG_SENDING_TIME);
                self.reject(message, seq, &missing, now);
            }
            (Some(first), Some(again)) if first > again => {
                self.reject(
                    message,
                    seq,
                    &Malformed::whole(RejectReason::SendingTime),
                    now,
                );
                self.begin_logout(None, now);
            }
            (Some(_), _) => {}
        }
    }

    pub(super) fn too_low(&mut self, seq: u64, now: Timestamp) {
        let reason = Reason::SequenceTooLow {
            expected: self.next_in,
            received: seq,
        };
        self.send_logout(Some(&reason.to_string()), now);
        self.disconnect(reason);
    }

    /// The message whose turn it is.
    fn in_turn(&mut self, message: &Message, seq: u64, now: Timestamp) {
        if let Err(malformed) = check::structure(message, &self.config) {
            return self.reject(message, seq, &malformed, now);
        }
        let done = match message.kind() {
            b"0" => Ok(()),
            b"1" => self.test_request(message, now),
            b"2" => self.resend_request(message),
            b"4" => return self.sequence_reset(message, seq, now),
            b"A" => return self.logon_again(message, now),
            _ => self.deliver(message, seq),
        };
        match done {
            Ok(()) => self.next_in += 1,
            Err(malformed) => self.reject(message, seq, &malformed, now),
        }
    }

    fn deliver(&mut self, message: &Message, seq: u64) -> Result<(), Malformed> {
        let body = match self.config.bodies {
            Bodies::Raw if message.kind() != b"3" => AppMessage::raw(message),
            Bodies::Typed | Bodies::Raw => AppMessage::read(message)?,
        };
        if let AppMessage::Reject(reject) = &body {
            tracing::warn!(fix.target = %self.config.identity.target, ?reject, "the peer rejected our message");
        }
        let inbound = Inbound {
            seq,
            sending_time: message.required(tag::SENDING_TIME)?,
            poss_dup: message.flagged(tag::POSS_DUP_FLAG)?,
            poss_resend: message.flagged(tag::POSS_RESEND)?,
            message: body,
        };
        let oldest = self.unrecorded.map_or(seq, |(oldest, _)| oldest);
        self.unrecorded = Some((oldest, seq));
        self.outputs.push_back(Output::Deliver(inbound));
        Ok(())
    }

    fn test_request(&mut self, message: &Message, now: Timestamp) -> Result<(), Malformed> {
        let id: String = message.required(tag::TEST_REQ_ID)?;
        let mut body = Body::new();
        body.text(tag::TEST_REQ_ID, &id);
        self.send_admin(b"0", body, now);
        Ok(())
    }

    fn resend_request(&mut self, message: &Message) -> Result<(), Malformed> {
        let request = ResendRequest::read(message)?;
        let last = self.next_out - 1;
        if request.begin > last {
            return Err(Malformed::tag(
                RejectReason::ValueOutOfRange,
                tag::BEGIN_SEQ_NO,
            ));
        }
        // An older version's request for all there is ends far beyond the last as well.
        let to = if request.end == 0 {
            last
        } else {
            request.end.min(last)
        };
        self.outputs.push_back(Output::ResendRequested {
            from: request.begin,
            to,
        });
        Ok(())
    }

    fn resend_request_out_of_turn(&mut self, message: &Message, seq: u64, now: Timestamp) {
        if check::structure(message, &self.config).is_err() || self.resend_request(message).is_err()
        {
            tracing::warn!(fix.target = %self.config.identity.target, seq, "ignored an unusable resend request");
            return;
        }
        if seq > self.next_in {
            self.hold(seq, Held::Done);
            self.ask_for_gap(seq, now);
        }
    }

    /// Both modes. A reset ignores the number of the message itself; a gap fill comes here in its turn.
    fn sequence_reset(&mut self, message: &Message, seq: u64, now: Timestamp) {
        let checked =
            check::structure(message, &self.config).and_then(|()| SequenceReset::read(message));
        match checked {
            Err(malformed) => self.reject(message, seq, &malformed, now),
            Ok(reset) if reset.new_seq_no > self.next_in => {
                if !reset.gap_fill {
                    tracing::warn!(
                        fix.target = %self.config.identity.target,
                        from = self.next_in,
                        to = reset.new_seq_no,
                        "the peer set its sequence number forward; messages in between are lost"
                    );
                }
                self.next_in = reset.new_seq_no;
            }
            Ok(reset) if reset.new_seq_no == self.next_in && !reset.gap_fill => {}
            Ok(_) => {
                self.reject(
                    message,
                    seq,
                    &Malformed::whole(RejectReason::ValueOutOfRange),
                    now,
                );
            }
        }
    }

    fn logged_out_by_peer(&mut self, message: &Message, seq: u64, now: Timestamp) {
        if seq == self.next_in {
            self.next_in += 1;
        }
        if matches!(self.phase, Phase::LoggingOut { .. }) {
            let text = self.logout_text.clone();
            return self.disconnect(Reason::WeLoggedOut(text));
        }
        self.send_logout(None, now);
        self.disconnect(Reason::PeerLoggedOut(text_of(message)));
    }

    /// Answers with Reject. The message has been read as far as it can be, so its number is used up.
    fn reject(&mut self, message: &Message, seq: u64, malformed: &Malformed, now: Timestamp) {
        let kind = String::from_utf8_lossy(message.kind()).into_owned();
        tracing::warn!(fix.target = %self.config.identity.target, seq, kind, %malformed, "rejected a message");
        if seq == self.next_in && message.kind() != b"4" {
            self.next_in += 1;
        }
        if message.kind() == b"3" {
            // Two sides that can't read each other's Reject would reject for ever.
            return;
        }
        let reject = self.version.reject(Reject {
            ref_seq_num: seq,
            ref_tag: malformed.tag.clone(),
            ref_kind: Some(kind),
            reason: self.dialect.reject_reason(malformed.reason),
            text: Some(malformed.reason.text().to_owned()),
        });
        let dictionary = Dictionary::of(self.config.identity.begin_string.as_bytes());
        // FIX 4.0 has no locations.
        let has = |tag| dictionary.is_none_or(|known| known.field_name(tag).is_some());
        let mut more: Vec<(u32, &[u8])> = REVERSE_ROUTES
            .iter()
            .filter(|(_, to)| has(*to))
            .filter_map(|(from, to)| Some((*to, message.get(*from)?)))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        more.sort_by_key(|(tag, _)| *tag);
        let mut body = Body::new();
        reject.write(&mut body);
        self.send_admin_with(b"3", &more, body, now);
    }

    pub(super) fn hold(&mut self, seq: u64, held: Held) {
        let bytes = match &held {
            Held::Message(message) => message.bytes().len(),
            Held::Done => 0,
        };
        let full = self.held.len() >= HELD_MESSAGES_MAX || self.held_bytes + bytes > HELD_BYTES_MAX;
        if full || self.held.contains_key(&seq) {
            return;
        }
        self.held_bytes += bytes;
        self.held.insert(seq, held);
    }

    /// Message `seq` came before its turn: asks for what is missing, once per gap.
    pub(super) fn ask_for_gap(&mut self, seq: u64, now: Timestamp) {
        if self.gap.is_some() {
            return;
        }
        self.gap = Some(Gap {
            through: seq - 1,
            asked_at: now,
            tries: 1,
        });
        self.ask_again(now);
    }

    pub(super) fn ask_again(&mut self, now: Timestamp) {
        let mut body = Body::new();
        ResendRequest {
            begin: self.next_in,
            end: self.version.end_of_all(),
        }
        .write(&mut body);
        self.send_admin(b"2", body, now);
    }

    /// Messages that waited and whose turn has come; then whether the gap is closed or another one is left.
    fn take_up_held(&mut self, before: u64, now: Timestamp) {
        while self.is_connected() {
            let Some(entry) = self.held.first_entry() else {
                break;
            };
            let seq = *entry.key();
            if seq > self.next_in {
                break;
            }
            let held = entry.remove();
            if let Held::Message(message) = &held {
                self.held_bytes -= message.bytes().len();
            }
            match held {
                _ if seq < self.next_in => {}
                Held::Done => self.next_in += 1,
                Held::Message(message) => self.in_turn(&message, seq, now),
            }
        }
        let Some(gap) = &mut self.gap else { return };
        if self.next_in > before {
            (gap.asked_at, gap.tries) = (now, 1);
        }
        if self.next_in > gap.through {
            self.gap = None;
            if let Some(seq) = self.held.keys().next().copied() {
                self.ask_for_gap(seq, now);
            }
        }
    }
}
