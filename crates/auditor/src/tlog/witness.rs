//! The witness: co-signs a log's checkpoint only when it continues the last one it co-signed (C2SP tlog-witness).
//!
//! The process around it speaks HTTP and holds the folder's lock; this is all it decides and all it keeps: for each log the newest
//! checkpoint with both signatures, in `<SHA-256 of the origin in hex>/checkpoint` (which is also what it may publish there).
//!
//! 1. A signature leaves only after the record of what was signed is durable.
//! 2. The record never goes back and never changes sides: a smaller tree, or another of the same past, is refused by name.
//! 3. A record that can't be read, or is not the witness's own, stops it; it is never taken for "nothing signed yet".
//!
//! It does not serve `sign-subtree`, which is optional and needs ML-DSA.

use super::checkpoint::{Checkpoint, CheckpointError};
use super::disk;
use super::hash::{EMPTY_ROOT, Hash, hash_from_base64, parse_decimal};
use super::note::{NoteSignature, SignedNote, Signer, VerifierKey};
use super::proof::{ProofError, verify_consistency};
use sha2::{Digest, Sha256};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Lines of a consistency proof; the protocol allows no more.
const PROOF_LINES_MAX: usize = 63;

/// A witness of some logs. It is asked by one caller at a time (`&mut`), as check and record must be one step.
#[derive(Debug)]
pub struct Witness {
    folder: PathBuf,
    signer: Signer,
    logs: Vec<VerifierKey>,
}

/// What to answer to `POST add-checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
}

/// Why a checkpoint is not co-signed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WitnessRefusal {
    #[error("the request is malformed: {0}")]
    Malformed(&'static str),
    #[error("the log `{0}` is not one that this witness knows")]
    UnknownLog(String),
    #[error("the checkpoint is not the log's: {0}")]
    NotTheLogs(CheckpointError),
    #[error("old size {old} is larger than the checkpoint's, {size}")]
    OldAboveSize { old: u64, size: u64 },
    #[error(
        "rollback: the checkpoint has {size} entries, and one of {latest} is co-signed already"
    )]
    Rollback { old: u64, size: u64, latest: u64 },
    #[error("the proof starts from {old} entries, the latest co-signed checkpoint has {latest}")]
    NotTheLatest { old: u64, latest: u64 },
    #[error("a tree without entries has another root")]
    EmptyRoot,
    #[error("fork: another checkpoint of {size} entries is co-signed already")]
    ForkAtSize { size: u64 },
    #[error(
        "fork: the checkpoint does not continue the co-signed one of {latest} entries: {proof}"
    )]
    Fork { latest: u64, proof: ProofError },
}

/// Why there is no signature.
#[derive(Debug, Error)]
pub enum WitnessError {
    #[error(transparent)]
    Refused(#[from] WitnessRefusal),
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{}: the witness's own record is damaged: {source}", path.display())]
    Record {
        path: PathBuf,
        #[source]
        source: CheckpointError,
    },
}

/// The parts of the request's body.
struct Request<'a> {
    old: u64,
    proof: Vec<Hash>,
    note: &'a str,
}

impl Witness {
    /// A witness that keeps its records in `folder` and signs checkpoints of `logs`.
    pub fn new(folder: &Path, signer: Signer, logs: Vec<VerifierKey>) -> Self {
        Witness {
            folder: folder.to_owned(),
            signer,
            logs,
        }
    }

    /// Answers the body of `POST add-checkpoint`; `time` is now, in seconds since 1970.
    pub fn add_checkpoint(&mut self, body: &str, time: u64) -> Answer {
        let text = |status, body| Answer {
            status,
            content_type: "text/plain; charset=utf-8",
            body,
        };
        match self.cosign(body, time) {
            Ok(signature) => text(200, signature.to_string()),
            Err(WitnessError::Refused(refusal)) => match refusal.latest() {
                Some(latest) => Answer {
                    status: 409,
                    content_type: "text/x.tlog.size",
                    body: format!("{latest}\n"),
                },
                None => text(refusal.status(), format!("{refusal}\n")),
            },
            Err(error @ (WitnessError::Io { .. } | WitnessError::Record { .. })) => {
                text(500, format!("{error}\n"))
            }
        }
    }

    /// Checks, records, signs: the signature line for the request's checkpoint.
    ///
    /// # Errors
    /// [`WitnessError::Refused`] when it must not be signed; the others when the record can't be read or made durable.
    pub fn cosign(&mut self, body: &str, time: u64) -> Result<NoteSignature, WitnessError> {
        let request = Request::parse(body)?;
        let (checkpoint, note) = self.open(request.note)?;
        let latest = self.latest(&checkpoint.origin)?;
        let latest = latest.as_ref().map(|(checkpoint, _)| checkpoint);
        check(&request, &checkpoint, latest)?;
        let signature = self.signer.sign(&note.text, time);
        let log = self.log(&checkpoint.origin)?;
        let mut signatures = note.signatures;
        // What strangers signed is not ours to vouch for or to keep.
        signatures.retain(|line| line.name == log.name() && line.key_id == log.id());
        signatures.push(signature.clone());
        let record = SignedNote {
            text: note.text,
            signatures,
        };
        self.record(&checkpoint.origin, &record)?;
        Ok(signature)
    }

    /// The newest checkpoint of a log that this witness co-signed, with the note.
    ///
    /// # Errors
    /// [`WitnessError::Io`], or [`WitnessError::Record`] when the record is not what this witness signed.
    pub fn latest(&self, origin: &str) -> Result<Option<(Checkpoint, String)>, WitnessError> {
        let path = self.path(origin);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(WitnessError::Io { path, source }),
        };
        let read = || {
            let note = SignedNote::parse(&text)?;
            note.verify(self.signer.public())?;
            let checkpoint = Checkpoint::parse(&note.text)?;
            if checkpoint.origin != origin {
                return Err(CheckpointError::Origin {
                    found: checkpoint.origin,
                    expected: origin.to_owned(),
                });
            }
            Ok(checkpoint)
        };
        match read() {
            Ok(checkpoint) => Ok(Some((checkpoint, text))),
            Err(source) => Err(WitnessError::Record { path, source }),
        }
    }

    fn log(&self, origin: &str) -> Result<&VerifierKey, WitnessRefusal> {
        let log = self.logs.iter().find(|log| log.name() == origin);
        log.ok_or_else(|| WitnessRefusal::UnknownLog(origin.to_owned()))
    }

    fn open(&self, note: &str) -> Result<(Checkpoint, SignedNote), WitnessRefusal> {
        const MALFORMED: WitnessRefusal = WitnessRefusal::Malformed("its checkpoint is none");
        let parsed = SignedNote::parse(note).map_err(|_| MALFORMED)?;
        let checkpoint = Checkpoint::parse(&parsed.text).map_err(|_| MALFORMED)?;
        let log = self.log(&checkpoint.origin)?;
        Checkpoint::open(note, log).map_err(WitnessRefusal::NotTheLogs)
    }

    fn record(&self, origin: &str, note: &SignedNote) -> Result<(), WitnessError> {
        let path = self.path(origin);
        let folder = path.parent().expect("the record lies in the log's folder");
        disk::write(&path, note.to_string().as_bytes())
            .and_then(|()| disk::sync_folder(folder))
            .and_then(|()| disk::sync_folder(&self.folder))
            .map_err(|source| WitnessError::Io { path, source })
    }

    fn path(&self, origin: &str) -> PathBuf {
        let hash: String = Sha256::digest(origin)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        self.folder.join(hash).join("checkpoint")
    }
}

/// Whether a checkpoint may follow the latest co-signed one, in the protocol's order of checks.
fn check(
    request: &Request<'_>,
    new: &Checkpoint,
    latest: Option<&Checkpoint>,
) -> Result<(), WitnessRefusal> {
    let (old, size) = (request.old, new.size);
    let (latest, root) = latest.map_or((0, EMPTY_ROOT), |latest| (latest.size, latest.root));
    if size < latest {
        return Err(WitnessRefusal::Rollback { old, size, latest });
    }
    if old > size {
        return Err(WitnessRefusal::OldAboveSize { old, size });
    }
    if old != latest {
        return Err(WitnessRefusal::NotTheLatest { old, latest });
    }
    if size == 0 && new.root != EMPTY_ROOT {
        return Err(WitnessRefusal::EmptyRoot);
    }
    if old == size && new.root != root {
        return Err(WitnessRefusal::ForkAtSize { size });
    }
    verify_consistency((old, &root), (size, &new.root), &request.proof)
        .map_err(|proof| WitnessRefusal::Fork { latest, proof })
}

impl<'a> Request<'a> {
    fn parse(body: &'a str) -> Result<Self, WitnessRefusal> {
        let malformed = WitnessRefusal::Malformed;
        let (head, note) = body
            .split_once("\n\n")
            .ok_or(malformed("no blank line stands before its checkpoint"))?;
        let mut lines = head.split('\n');
        let old = lines
            .next()
            .and_then(|line| parse_decimal(line.strip_prefix("old ")?))
            .ok_or(malformed("its first line is not `old` and a size"))?;
        let proof: Option<Vec<_>> = lines
            .take(PROOF_LINES_MAX + 1)
            .map(hash_from_base64)
            .collect();
        let proof = proof.ok_or(malformed("a line of its proof is no hash"))?;
        if proof.len() > PROOF_LINES_MAX {
            return Err(malformed("its proof has more than 63 lines"));
        }
        Ok(Request { old, proof, note })
    }
}

impl WitnessRefusal {
    /// The HTTP status the protocol asks for.
    pub fn status(&self) -> u16 {
        match self {
            WitnessRefusal::Malformed(_) | WitnessRefusal::OldAboveSize { .. } => 400,
            WitnessRefusal::NotTheLogs(_) => 403,
            WitnessRefusal::UnknownLog(_) => 404,
            WitnessRefusal::Rollback { old, size, .. } if old > size => 400,
            WitnessRefusal::Rollback { .. } | WitnessRefusal::NotTheLatest { .. } => 409,
            WitnessRefusal::EmptyRoot
            | WitnessRefusal::ForkAtSize { .. }
            | WitnessRefusal::Fork { .. } => 422,
        }
    }

    /// What a 409 says: the size to prove consistency from.
    fn latest(&self) -> Option<u64> {
        match self {
            WitnessRefusal::Rollback { latest, .. }
            | WitnessRefusal::NotTheLatest { latest, .. }
                if self.status() == 409 =>
            {
                Some(*latest)
            }
            WitnessRefusal::Malformed(_)
            | WitnessRefusal::UnknownLog(_)
            | WitnessRefusal::NotTheLogs(_)
            | WitnessRefusal::OldAboveSize { .. }
            | WitnessRefusal::Rollback { .. }
            | WitnessRefusal::NotTheLatest { .. }
            | WitnessRefusal::EmptyRoot
            | WitnessRefusal::ForkAtSize { .. }
            | WitnessRefusal::Fork { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
