//! A codec and a session fed by bytes that nobody vouches for, and what must hold whatever they are.
//!
//! Shared by the fuzz targets (`fuzz/fuzz_targets/`), which search for bytes, and `corpus.rs`, which replays the ones they
//! kept. What a session is fed is text, so that a search gets past the checksum: see [`session`].

use squareoff_fix::codec::{Garbled, MESSAGE_BYTES_MAX, checksum};
use squareoff_fix::message::{AppMessage, OutboundMessage, RawMessage};
use squareoff_fix::session::Numbers;
use squareoff_fix::{
    Decoder, Dictionary, Frame, Message, Output, Reset, Role, Session, SessionConfig, Timestamp,
    UserDefined, Validation,
};

/// 2026-04-30 09:15:00 UTC.
const START: Timestamp = Timestamp(1_777_540_500_000_000_000);

/// Bytes as they come from a socket, in pieces of the length that the first byte says. The buffer stays bounded, and
/// every message that is found can be read, checked and taken apart.
pub fn codec(bytes: &[u8]) {
    let (piece, bytes) = match bytes.split_first() {
        Some((piece, rest)) => (usize::from(*piece) + 1, rest),
        None => return,
    };
    let mut decoder = Decoder::default();
    for piece in bytes.chunks(piece) {
        decoder.buffer.extend_from_slice(piece);
        while let Some(frame) = decoder.next() {
            if let Frame::Message(message) = frame {
                read(&message);
                decoder.done_with(message);
            }
        }
        assert!(decoder.buffer.len() <= 2 * MESSAGE_BYTES_MAX + piece.len());
    }
}

fn read(message: &Message) {
    let again = Message::decode(message.bytes().clone());
    assert_eq!(again.as_ref(), Ok(message), "a message is one again");
    let _ = AppMessage::read(message);
    let _ = (message.body().count(), message.body_bytes());
    for version in ["FIX.4.2", "FIX.4.4"] {
        let dictionary = Dictionary::of(version.as_bytes()).expect("a known version");
        for user_defined in [UserDefined::Taken, UserDefined::Refused] {
            let _ = dictionary.check(message, user_defined);
        }
    }
}

/// One happening per line: `+S` seconds pass; `!` garbled bytes; `s` we send; `r` what was delivered is recorded;
/// `c` the connection is lost and stands again; anything else is the fields of a message, whose `~` is the time. The first byte of all
/// says which kind of session it is.
pub fn session(bytes: &[u8]) {
    let (kind, bytes) = match bytes.split_first() {
        Some((kind, rest)) => (*kind, rest),
        None => return,
    };
    let mut fed = Fed::new(kind);
    for line in bytes.split(|byte| *byte == b'\n').take(400) {
        fed.line(line);
        fed.check();
    }
}

struct Fed {
    session: Session,
    begin_string: &'static str,
    now: Timestamp,
    /// The numbers of our journal: the next to send, and the next expected by what was recorded.
    next_out: u64,
    next_in: u64,
    delivered: u64,
}

impl Fed {
    fn new(kind: u8) -> Fed {
        let role = if kind & 1 == 0 {
            Role::Acceptor
        } else {
            Role::Initiator
        };
        let mut config = SessionConfig::new(role, "US", "THEM");
        let begin_string = if kind & 2 == 0 { "FIX.4.4" } else { "FIX.4.2" };
        begin_string.clone_into(&mut config.identity.begin_string);
        if kind & 4 != 0 {
            config.validation = Validation::Full(UserDefined::Taken);
        }
        if kind & 8 != 0 {
            config.reset = Reset::Always;
        }
        let mut fed = Fed {
            session: Session::new(config),
            begin_string,
            now: START,
            next_out: 1,
            next_in: 1,
            delivered: 0,
        };
        fed.connect();
        fed
    }

    fn connect(&mut self) {
        let numbers = Numbers {
            next_out: self.next_out,
            next_in: self.next_in,
            fresh: (self.next_out, self.next_in) == (1, 1),
            since: START,
        };
        self.session.disconnected();
        self.session.connected(numbers, self.now);
        // What was delivered and not recorded comes again.
        self.delivered = self.next_in - 1;
    }

    fn line(&mut self, line: &[u8]) {
        match line {
            [b'+', seconds @ ..] => {
                let seconds: i64 = std::str::from_utf8(seconds)
                    .ok()
                    .and_then(|s| s.parse().ok())
                    .unwrap_or(1);
                self.now = self.now.plus(seconds.clamp(0, 1_000_000) * 1_000_000_000);
                self.session.tick(self.now);
            }
            [b'!'] => self.session.garbled(Garbled::Checksum),
            [b's'] => {
                let body = AppMessage::Other(RawMessage {
                    kind: "B".to_owned(),
                    body: b"148=news\x0133=1\x0158=x\x01".as_slice().into(),
                });
                let message = OutboundMessage::new("", 0, &body).expect("a short message");
                let taken = self.session.send_app(&message, self.now);
                assert_eq!(taken, self.session.is_logged_on());
            }
            [b'r'] => self.session.recorded_through(self.delivered),
            [b'c'] => self.connect(),
            fields => {
                if let Ok(message) = Message::decode(self.framed(fields).into()) {
                    self.session.received(&message, self.now);
                }
            }
        }
    }

    fn framed(&self, fields: &[u8]) -> Vec<u8> {
        let mut inner = Vec::new();
        for byte in fields {
            match byte {
                b'|' => inner.push(1),
                b'~' => inner.extend_from_slice(self.now.to_string().as_bytes()),
                byte => inner.push(*byte),
            }
        }
        let mut whole = format!("8={}\x019={}\x01", self.begin_string, inner.len()).into_bytes();
        whole.extend_from_slice(&inner);
        let sum = checksum(&whole);
        whole.extend_from_slice(format!("10={sum:03}\x01").as_bytes());
        whole
    }

    fn check(&mut self) {
        while let Some(output) = self.session.next_output() {
            match output {
                Output::Send(record) => {
                    assert_eq!(record.seq, self.next_out, "numbers without a hole");
                    Message::decode(record.bytes).expect("what we send is a message");
                    self.next_out += 1;
                }
                Output::Deliver(inbound) => {
                    assert!(inbound.seq > self.delivered, "in order, each number once");
                    self.delivered = inbound.seq;
                }
                Output::ResendRequested { from, to } => {
                    assert!(1 <= from && from <= to && to < self.next_out);
                }
                Output::ResetJournal => {
                    (self.next_out, self.next_in, self.delivered) = (1, 1, 0);
                }
                Output::LoggedOn(_) => {}
                Output::Disconnect(_) => assert!(!self.session.is_connected()),
            }
        }
        self.next_in = self.session.inbound_to_record();
        assert!(self.next_in >= 1);
    }
}
