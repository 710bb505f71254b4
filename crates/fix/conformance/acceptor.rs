//! The application that the public acceptance scripts expect behind an acceptor, on our session engine.
//!
//! Orders (D) and security definitions (d) are echoed, their fields in ascending order; a possibly resent order that
//! was seen since the log-on is dropped; any other application message is not supported.

use std::collections::HashSet;
use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};
use squareoff_fix::codec::SOH;
use squareoff_fix::driver::Clock;
use squareoff_fix::message::{BusinessMessageReject, RawMessage, Reject};
use squareoff_fix::{
    AppMessage, Application, Bodies, Dictionary, Endpoint, Inbound, Journal, JournalError,
    NotRecorded, OutboundMessage, Record, Registry, Resend, Reset, Role, SentRecord, SessionConfig,
    SessionState, UserDefined, Validation,
};
use tokio::sync::mpsc;

use super::script::{fields, value};

/// Answers that wait for the session; a script sends a few messages at a time.
const ANSWERS_MAX: usize = 4096;

/// Who the acceptor is to be.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Settings {
    /// BeginString.
    #[arg(long, default_value = "FIX.4.4")]
    pub begin_string: String,
    /// The acceptor's CompID.
    #[arg(long, default_value = "ISLD")]
    pub sender: String,
    /// The peer's CompID.
    #[arg(long, default_value = "TW44")]
    pub target: String,
    /// DefaultApplVerID of FIXT 1.1.
    #[arg(long, default_value = "9")]
    pub default_appl_ver_id: String,
    /// How far SendingTime may be off, in seconds.
    #[arg(long, default_value_t = 120)]
    pub latency_limit_s: u32,
}

/// An acceptor with this one session, whose journal is in `folder`.
pub fn registry(
    settings: &Settings,
    folder: &Path,
    clock: Clock,
) -> Result<Registry<Echo>, JournalError> {
    let mut config = SessionConfig::new(Role::Acceptor, &settings.sender, &settings.target);
    config
        .identity
        .begin_string
        .clone_from(&settings.begin_string);
    config
        .default_appl_ver_id
        .clone_from(&settings.default_appl_ver_id);
    config.latency_limit_s = settings.latency_limit_s;
    config.reset = Reset::Always;
    config.bodies = Bodies::Raw;
    config.validation = Validation::Full(UserDefined::Refused);
    let journal = Journal::open(folder, &settings.sender, &settings.target, clock())?;
    let (answers, outbound) = mpsc::channel(ANSWERS_MAX);
    let echo = Echo {
        dictionary: Dictionary::of(settings.begin_string.as_bytes()),
        is_old: matches!(&*settings.begin_string, "FIX.4.0" | "FIX.4.1"),
        appl_ver_id: (settings.begin_string == "FIXT.1.1")
            .then(|| settings.default_appl_ver_id.clone()),
        answers,
        seen: HashSet::new(),
    };
    let mut registry = Registry::new();
    registry.add(Endpoint::new(config, journal, outbound, echo, clock));
    Ok(registry)
}

pub struct Echo {
    dictionary: Option<&'static Dictionary>,
    /// FIX 4.0 or 4.1.
    is_old: bool,
    /// FIXT 1.1.
    appl_ver_id: Option<String>,
    answers: mpsc::Sender<OutboundMessage>,
    /// The ClOrdIDs since the log-on.
    seen: HashSet<Vec<u8>>,
}

impl Echo {
    fn answer(&mut self, inbound: &Inbound) -> Option<AppMessage> {
        let AppMessage::Other(raw) = &inbound.message else {
            return None; // A Reject of the session's.
        };
        match raw.kind.as_str() {
            "D" => {
                let cl_ord_id = value(&raw.body, "11").unwrap_or_default().to_vec();
                let new = self.seen.insert(cl_ord_id);
                (new || !inbound.poss_resend).then(|| self.echo(raw))
            }
            "d" => Some(self.echo(raw)),
            "j" => None,
            // Before FIX 4.2 there is only the session's Reject to say so.
            _ if self.is_old => Some(AppMessage::Reject(Reject {
                ref_seq_num: inbound.seq,
                text: Some("Unsupported message type".to_owned()),
                ..Reject::default()
            })),
            kind => {
                let reject = BusinessMessageReject::unsupported(inbound.seq, kind);
                Some(self.with_version(AppMessage::BusinessMessageReject(reject)))
            }
        }
    }

    /// In FIXT 1.1 the scripts expect the DefaultApplVerID in this answer too, which the standard does not have there.
    fn with_version(&self, answer: AppMessage) -> AppMessage {
        let (Some(version), Ok(body)) = (&self.appl_ver_id, answer.write()) else {
            return answer;
        };
        let told = format!("1137={version}\x01");
        AppMessage::Other(RawMessage {
            kind: answer.kind().to_owned(),
            body: [&body, told.as_bytes()].concat().into(),
        })
    }

    fn echo(&self, raw: &RawMessage) -> AppMessage {
        let tag = |field: &[u8]| -> u32 {
            let digits = field.split(|byte| *byte == b'=').next();
            let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
            digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
        };
        // A repeating group moves as one, behind its count.
        let mut blocks: Vec<(u32, Vec<&[u8]>)> = Vec::new();
        for field in fields(&raw.body) {
            let in_group = blocks.last().is_some_and(|(count, _)| {
                let known = self.dictionary;
                known
                    .is_some_and(|known| known.is_in_group(raw.kind.as_bytes(), *count, tag(field)))
            });
            match blocks.last_mut().filter(|_| in_group) {
                Some((_, block)) => block.push(field),
                None => blocks.push((tag(field), vec![field])),
            }
        }
        blocks.sort_by_key(|(tag, _)| *tag);
        let mut body = BytesMut::with_capacity(raw.body.len());
        for field in blocks.iter().flat_map(|(_, block)| block) {
            body.extend_from_slice(field);
            body.put_u8(SOH);
        }
        AppMessage::Other(RawMessage {
            kind: raw.kind.clone(),
            body: Bytes::from(body),
        })
    }
}

impl Application for Echo {
    async fn receive(&mut self, batch: Vec<Inbound>) -> Result<(), NotRecorded> {
        for inbound in batch {
            let Some(answer) = self.answer(&inbound) else {
                continue;
            };
            let failed = |why: String| NotRecorded(why);
            let answer = OutboundMessage::new("", 0, &answer).map_err(|e| failed(e.to_string()))?;
            let answer = match inbound.poss_resend {
                true => answer.possibly_resent(),
                false => answer,
            };
            self.answers
                .try_send(answer)
                .map_err(|error| failed(error.to_string()))?;
        }
        Ok(())
    }

    async fn resend(&mut self, records: Vec<Record>) -> Result<Vec<Resend>, NotRecorded> {
        Ok(vec![Resend::Again; records.len()])
    }

    async fn sent(&mut self, _: &[SentRecord]) -> Result<(), NotRecorded> {
        Ok(())
    }

    async fn state(&mut self, state: SessionState) -> Result<(), NotRecorded> {
        if matches!(state, SessionState::LoggedOff { .. }) {
            self.seen.clear();
        }
        Ok(())
    }
}
