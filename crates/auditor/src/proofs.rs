//! Proofs of single events, made of the sealer's folder while it grows: what the API hands out and a filtered export carries.

use crate::seal::{COSIGNED, Positions};
use crate::tlog::{Checkpoint, SignedNote, TileError, Tiles, TlogProof};
use squareoff_store::{Entry, Position};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Makes proofs of what lies in the folder of the seal.
#[derive(Debug, Clone)]
pub struct Proofs {
    folder: PathBuf,
}

/// Why there is no proof.
#[derive(Debug, Error)]
pub enum ProofsError {
    /// Nothing is wrong: ask again.
    #[error("the event is not under a checkpoint yet")]
    NotSealed,
    /// The log is not what was signed.
    #[error("the event at position {0} is not the one that was sealed")]
    Altered(Position),
    #[error("the folder of the seal cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Tiles(#[from] TileError),
}

/// A checkpoint of the folder. Its signatures are for whoever gets it to check.
#[derive(Debug, Clone)]
pub struct Published {
    pub size: u64,
    pub root: [u8; 32],
    pub note: String,
    /// Whether a witness has signed it.
    pub cosigned: bool,
}

impl Proofs {
    pub fn new(folder: &Path) -> Self {
        Proofs {
            folder: folder.to_owned(),
        }
    }

    /// The tlog-proof of an entry of the log, which it carries as its extra data: under the newest checkpoint with a witness's signature
    /// if that covers it, else under the newest one. Reads some tiles: not for an asynchronous thread.
    ///
    /// # Errors
    /// [`ProofsError`].
    pub fn prove(&self, entry: &Entry) -> Result<TlogProof, ProofsError> {
        let missing = |error: &io::Error| error.kind() == ErrorKind::NotFound;
        let index = match Positions::open(&self.folder) {
            Ok(positions) => positions.index_of(entry.position)?,
            Err(error) if missing(&error) => None,
            Err(error) => return Err(error.into()),
        };
        let index = index.ok_or(ProofsError::NotSealed)?;
        let covering = |published: &Published| index < published.size;
        let published = match self.published(COSIGNED)?.filter(covering) {
            Some(published) => published,
            None => self
                .published("checkpoint")?
                .filter(covering)
                .ok_or(ProofsError::NotSealed)?,
        };
        let tiles = Tiles::new(&self.folder, published.size);
        if tiles.leaf(index)? != entry.leaf_hash() {
            return Err(ProofsError::Altered(entry.position));
        }
        Ok(TlogProof {
            extra: Some(entry.bytes.clone()),
            index,
            hashes: tiles.inclusion_proof(index, published.size)?,
            checkpoint: published.note,
        })
    }

    /// Behind which position to read for the event at `position`: that of the event before it, if both are sealed. A store with gaps may
    /// know no other.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn before(&self, position: Position) -> io::Result<Option<Position>> {
        let positions = match Positions::open(&self.folder) {
            Ok(positions) => positions,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match positions.index_of(position)? {
            Some(0) => Ok(Some(Position::START)),
            Some(index) => positions.at(index - 1),
            None => Ok(None),
        }
    }

    /// The newest checkpoint, with the witnesses' signatures if they have signed it.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn newest(&self) -> io::Result<Option<Published>> {
        let Some(newest) = self.published("checkpoint")? else {
            return Ok(None);
        };
        let cosigned = self.published(COSIGNED)?;
        Ok(Some(match cosigned {
            Some(cosigned) if cosigned.size == newest.size && cosigned.root == newest.root => {
                cosigned
            }
            Some(_) | None => newest,
        }))
    }

    fn published(&self, file: &str) -> io::Result<Option<Published>> {
        let note = match std::fs::read_to_string(self.folder.join(file)) {
            Ok(note) => note,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let checkpoint = SignedNote::parse(&note).map(|note| Checkpoint::parse(&note.text));
        let damaged = |error: String| io::Error::other(format!("{file} is damaged: {error}"));
        let checkpoint = checkpoint.map_err(|error| damaged(error.to_string()))?;
        let checkpoint = checkpoint.map_err(|error| damaged(error.to_string()))?;
        Ok(Some(Published {
            size: checkpoint.size,
            root: checkpoint.root,
            note,
            cosigned: file == COSIGNED,
        }))
    }
}
