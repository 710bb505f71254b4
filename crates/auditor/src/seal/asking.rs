//! Asking the witnesses: each has a task of its own that brings it the newest checkpoint, and what they sign is kept in `cosigned`.
//!
//! A witness that does not answer is an alarm and is asked again; one that refuses says that it has seen another past of the log.

use super::begin::Head;
use super::{Board, COSIGNED, SealSettings, whole};
use crate::tlog::{Checkpoint, KeyError, KeyKind, NoteSignature, SignedNote, Tiles, VerifierKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A witness answers in milliseconds; what takes so long has no answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Before a witness that failed is asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// Times that a witness may name another size within one try: it has no reason to more than once.
const CONFLICTS_MAX: usize = 2;
/// Of an answer: signature lines have some hundred bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Where a witness is asked, and the key that its signatures are checked with: `http://host:port#vkey`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessAddress {
    /// Without a slash at its end; `/add-checkpoint` comes behind it.
    pub url: String,
    pub key: VerifierKey,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WitnessAddressError {
    #[error("expected http://host:port#KEY, with the key that `squareoff witness --key` prints")]
    Form,
    #[error("the witness's key: {0}")]
    Key(#[from] KeyError),
    #[error("the key of `{0}` is not one that co-signs (type 0x04)")]
    Kind(String),
}

impl FromStr for WitnessAddress {
    type Err = WitnessAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (url, key) = text.split_once('#').ok_or(WitnessAddressError::Form)?;
        let host = url
            .strip_prefix("http://")
            .ok_or(WitnessAddressError::Form)?;
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(WitnessAddressError::Form);
        }
        let key = VerifierKey::parse(key)?;
        if key.kind() != KeyKind::CosignatureV1 {
            return Err(WitnessAddressError::Kind(key.name().to_owned()));
        }
        Ok(WitnessAddress {
            url: url.trim_end_matches('/').to_owned(),
            key,
        })
    }
}

impl fmt::Display for WitnessAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.url, self.key)
    }
}

/// The tasks; they end with this.
pub(super) struct Asking {
    newest: watch::Sender<Option<Head>>,
    _tasks: JoinSet<()>,
}

impl Asking {
    pub(super) fn start(settings: &SealSettings, board: &Board) -> Self {
        let (newest, to_ask) = watch::channel(None);
        let cosigned = Arc::new(Mutex::new(Cosigned::load(&settings.folder)));
        let known = cosigned.lock().expect("nobody else has it yet").size();
        board.update(|status| {
            status.cosigned = known;
            // Those of witnesses that are no longer asked would never go.
            status.alarms.retain(|who, _| who == "log");
        });
        let mut tasks = JoinSet::new();
        for witness in &settings.witnesses {
            let asked = Asked {
                folder: settings.folder.clone(),
                witness: witness.clone(),
                client: reqwest::Client::new(),
                cosigned: Arc::clone(&cosigned),
                board: board.clone(),
                known: 0,
            };
            tasks.spawn(asked.run(to_ask.clone()));
        }
        Asking {
            newest,
            _tasks: tasks,
        }
    }

    pub(super) fn ask(&self, head: &Head) {
        self.newest.send_replace(Some(head.clone()));
    }
}

/// One witness, as its task knows it.
struct Asked {
    folder: PathBuf,
    witness: WitnessAddress,
    client: reqwest::Client,
    cosigned: Arc<Mutex<Cosigned>>,
    board: Board,
    /// Events under the checkpoint that the witness signed last, as far as we know.
    known: u64,
}

/// Why a witness did not sign.
#[derive(Debug, Error)]
enum Unsigned {
    #[error("the witness {url} does not answer: {reason}")]
    Away { url: String, reason: String },
    #[error("the witness {url} refuses the checkpoint of {size} events ({status}): {said}")]
    Refused {
        url: String,
        size: u64,
        status: u16,
        said: String,
    },
    #[error(
        "the witness {url} has signed a checkpoint of {theirs} events, the newest here has {ours}: this log was put back"
    )]
    Ahead { url: String, theirs: u64, ours: u64 },
    #[error("the answer of the witness {url} is no signature of its key: {reason}")]
    NotItsKey { url: String, reason: String },
    #[error("the proof for the witness cannot be made: {0}")]
    Proof(String),
}

impl Asked {
    async fn run(mut self, mut newest: watch::Receiver<Option<Head>>) {
        // The same trouble is told once, however often it is met.
        let mut told = String::new();
        loop {
            let head = newest.borrow_and_update().clone();
            let Some(head) = head else {
                if newest.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let name = self.witness.key.name().to_owned();
            match self.cosign(&head).await {
                Ok(()) => {
                    self.board.alarm(&name, None);
                    told.clear();
                    if newest.changed().await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    let error = error.to_string();
                    if error != told {
                        tracing::error!(
                            error,
                            witness = name,
                            "ALARM: a checkpoint is not witnessed"
                        );
                        self.board.alarm(&name, Some(error.clone()));
                        told = error;
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    async fn cosign(&mut self, head: &Head) -> Result<(), Unsigned> {
        let (url, ours) = (self.witness.url.clone(), head.checkpoint.size);
        for _ in 0..=CONFLICTS_MAX {
            let body = self.request(head).await?;
            let (status, said) = self.post(body).await?;
            match status {
                200 => {
                    self.keep(head, &said)?;
                    self.known = ours;
                    return Ok(());
                }
                409 => {
                    let theirs: Option<u64> = said.trim_end().parse().ok();
                    match theirs {
                        Some(theirs) if theirs > ours => {
                            return Err(Unsigned::Ahead { url, theirs, ours });
                        }
                        Some(theirs) => self.known = theirs,
                        None => {}
                    }
                }
                status => {
                    let (size, said) = (ours, said.trim_end().to_owned());
                    return Err(Unsigned::Refused {
                        url,
                        size,
                        status,
                        said,
                    });
                }
            }
        }
        Err(Unsigned::Refused {
            url,
            size: ours,
            status: 409,
            said: "it names another size each time".to_owned(),
        })
    }

    /// The body of `add-checkpoint`: what the witness knows, the proof from there, and the note.
    async fn request(&self, head: &Head) -> Result<String, Unsigned> {
        let (folder, old, new) = (self.folder.clone(), self.known, head.checkpoint.size);
        let proof = tokio::task::spawn_blocking(move || {
            Tiles::new(&folder, new).consistency_proof(old, new)
        });
        let proof = proof
            .await
            .map_err(|error| Unsigned::Proof(error.to_string()))?;
        let proof = proof.map_err(|error| Unsigned::Proof(error.to_string()))?;
        let lines: String = proof
            .iter()
            .map(|hash| STANDARD.encode(hash) + "\n")
            .collect();
        Ok(format!("old {old}\n{lines}\n{}", head.note))
    }

    async fn post(&self, body: String) -> Result<(u16, String), Unsigned> {
        let url = &self.witness.url;
        let away = |error: reqwest::Error| Unsigned::Away {
            url: url.clone(),
            reason: error.without_url().to_string(),
        };
        let asked = self.client.post(format!("{url}/add-checkpoint"));
        let answer = asked
            .body(body)
            .timeout(TIMEOUT)
            .send()
            .await
            .map_err(away)?;
        let status = answer.status().as_u16();
        if answer
            .content_length()
            .is_some_and(|bytes| bytes > ANSWER_BYTES_MAX as u64)
        {
            return Err(Unsigned::NotItsKey {
                url: url.clone(),
                reason: "it is too long".to_owned(),
            });
        }
        Ok((status, answer.text().await.map_err(away)?))
    }

    fn keep(&self, head: &Head, answer: &str) -> Result<(), Unsigned> {
        let not = |reason: String| Unsigned::NotItsKey {
            url: self.witness.url.clone(),
            reason,
        };
        let key = &self.witness.key;
        let lines = answer.lines().map(NoteSignature::parse);
        let lines: Vec<_> = lines
            .collect::<Result<_, _>>()
            .map_err(|error| not(error.to_string()))?;
        // Signatures of strangers in it are nobody's business.
        let mut own = lines
            .into_iter()
            .filter(|line| line.name == key.name() && line.key_id == key.id());
        let line = own.next().ok_or_else(|| not("there is none".to_owned()))?;
        let text = head.checkpoint.text();
        let note = SignedNote {
            text,
            signatures: vec![line.clone()],
        };
        note.verify(key).map_err(|error| not(error.to_string()))?;
        let mut cosigned = self
            .cosigned
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if cosigned.add(&head.note, head.checkpoint.size, line) {
            match cosigned.save(&self.folder) {
                Ok(()) => {
                    let size = cosigned.size();
                    self.board.update(|status| status.cosigned = size);
                }
                Err(error) => tracing::warn!(%error, "the witnessed checkpoint cannot be kept"),
            }
        }
        Ok(())
    }
}

/// The newest checkpoint with witnesses' signatures.
struct Cosigned(Option<(u64, SignedNote)>);

impl Cosigned {
    fn load(folder: &Path) -> Self {
        let text = std::fs::read_to_string(folder.join(COSIGNED)).ok();
        let note = text.and_then(|text| SignedNote::parse(&text).ok());
        Cosigned(note.and_then(|note| Some((Checkpoint::parse(&note.text).ok()?.size, note))))
    }

    fn size(&self) -> Option<u64> {
        self.0.as_ref().map(|(size, _)| *size)
    }

    /// Whether it is newer than what was kept, or has one signature more.
    fn add(&mut self, note: &str, size: u64, line: NoteSignature) -> bool {
        match &mut self.0 {
            Some((newest, _)) if *newest > size => false,
            Some((newest, note)) if *newest == size => {
                note.signatures
                    .retain(|old| (&old.name, old.key_id) != (&line.name, line.key_id));
                note.signatures.push(line);
                true
            }
            Some(_) | None => {
                let mut note = SignedNote::parse(note).expect("we wrote the note");
                note.signatures.push(line);
                self.0 = Some((size, note));
                true
            }
        }
    }

    fn save(&self, folder: &Path) -> std::io::Result<()> {
        match &self.0 {
            Some((_, note)) => whole(&folder.join(COSIGNED), note.to_string().as_bytes()),
            None => Ok(()),
        }
    }
}
