//! A proof that can be checked years later with nothing but public keys (C2SP tlog-proof).

use super::checkpoint::{Checkpoint, CheckpointError};
use super::hash::{Hash, from_base64, hash_from_base64, parse_decimal, to_base64};
use super::note::{NoteError, VerifierKey};
use super::proof::{ProofError, verify_inclusion};
use std::fmt;
use thiserror::Error;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// A tree of 2^64 leaves has no longer proof.
const HASHES_MAX: usize = 64;

/// A leaf's place in a tree that a checkpoint is the head of. As text the whole `.tlog-proof` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// What the application wants to carry along. Nothing vouches for it.
    pub extra: Option<Vec<u8>>,
    /// The leaf's index, from 0.
    pub index: u64,
    /// The inclusion proof, the leaf's sibling first.
    pub hashes: Vec<Hash>,
    /// The signed note, with whatever cosignatures it has.
    pub checkpoint: String,
}

/// Why a proof file proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProofFileError {
    #[error("the proof file is malformed: {0}")]
    Malformed(&'static str),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("{found} of the known witnesses have co-signed, {needed} are needed")]
    Witnesses { found: usize, needed: usize },
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl TlogProof {
    /// Reads a proof file; checks nothing of what it says.
    ///
    /// # Errors
    /// [`ProofFileError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, ProofFileError> {
        let malformed = ProofFileError::Malformed;
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or(malformed("no blank line stands before its checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(malformed("its first line is not `c2sp.org/tlog-proof@v1`"));
        }
        let extra = lines.next_if(|line| line.starts_with("extra "));
        let extra = extra.map(|line| from_base64(&line["extra ".len()..]));
        let extra = extra.map(|bytes| bytes.ok_or(malformed("its extra data is not base64")));
        let index = lines
            .next()
            .and_then(|line| parse_decimal(line.strip_prefix("index ")?))
            .ok_or(malformed("it has no index"))?;
        let hashes: Option<Vec<_>> = lines.take(HASHES_MAX + 1).map(hash_from_base64).collect();
        let hashes = hashes.ok_or(malformed("a line of its proof is no hash"))?;
        if hashes.len() > HASHES_MAX {
            return Err(malformed("its proof is longer than any"));
        }
        Ok(TlogProof {
            extra: extra.transpose()?,
            index,
            hashes,
            checkpoint: checkpoint.to_owned(),
        })
    }

    /// Proves that the entry with this leaf hash is in the log, at [`TlogProof::index`] of the tree whose checkpoint is returned.
    ///
    /// # Errors
    /// [`ProofFileError`] when the checkpoint is not the log's, fewer than `needed` of `witnesses` have co-signed it, a signature of
    /// one of these keys is wrong, or the proof does not lead to its root.
    pub fn verify(
        &self,
        leaf: &Hash,
        log: &VerifierKey,
        witnesses: &[VerifierKey],
        needed: usize,
    ) -> Result<Checkpoint, ProofFileError> {
        let (checkpoint, note) = Checkpoint::open(&self.checkpoint, log)?;
        let mut found = 0;
        for witness in witnesses {
            match note.verify(witness) {
                Ok(_) => found += 1,
                Err(NoteError::Unsigned(_)) => {}
                Err(wrong) => return Err(CheckpointError::from(wrong).into()),
            }
        }
        if found < needed {
            return Err(ProofFileError::Witnesses { found, needed });
        }
        let Checkpoint { size, root, .. } = &checkpoint;
        verify_inclusion(leaf, self.index, *size, root, &self.hashes)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", to_base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", to_base64(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests;
