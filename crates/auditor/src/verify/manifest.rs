//! What an export says of itself, `manifest.json`: which entries it has, and what each file's bytes are.
//!
//! It guards against accidents. It is not signed: what is proved, the checkpoint proves.

use crate::tlog::to_base64;
use crate::tlog::{Checkpoint, Hash};
use crate::verify::line::to_hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The format this release writes and reads.
pub const FORMAT: &str = "squareoff-export/1";
pub const MANIFEST: &str = "manifest.json";
/// Holds the manifest's own hash.
pub const MANIFEST_SUM: &str = "manifest.sha256";

/// The manifest of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// UTC, for people.
    pub made_at: String,
    pub origin: String,
    /// The log's vkey. A verifier trusts the one it is given, not this one.
    pub log_key: String,
    pub witness_keys: Vec<String>,
    pub checkpoint: Head,
    /// Null in a whole export.
    pub filter: Option<Filter>,
    pub positions: Positions,
    pub entries: Entries,
    /// Events that stood behind the checkpoint.
    pub unsealed: u64,
    /// Every file but the manifest and its hash, by its path below the folder.
    pub files: BTreeMap<String, FileHash>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub size: u64,
    /// Base64.
    pub root: String,
}

/// What was asked for: the entries that match all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    pub from: Option<String>,
    pub to: Option<String>,
    pub client: Option<String>,
    pub stream: Option<String>,
}

/// How an event's position follows from its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// It is the index plus one: the embedded log.
    Dense,
    /// It grows with the index: KurrentDB.
    Ordered,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entries {
    pub count: u64,
    /// The indexes of the lines, ascending: each from the first number to before the second.
    pub ranges: Vec<(u64, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileHash {
    pub bytes: u64,
    /// Hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// The bytes of `manifest.json` and `manifest.sha256`.
    pub fn files(&self) -> (Vec<u8>, Vec<u8>) {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a manifest is JSON");
        bytes.push(b'\n');
        let sum = sum_line(&bytes);
        (bytes, sum)
    }

    /// Reads it back, when `sum` is its hash and it says nothing that can't be.
    pub(crate) fn read(bytes: &[u8], sum: &[u8]) -> Result<Self, &'static str> {
        if sum != sum_line(bytes) {
            return Err("manifest.sha256 is not its hash");
        }
        let manifest: Manifest =
            serde_json::from_slice(bytes).map_err(|_| "it is not a manifest")?;
        if manifest.format != FORMAT {
            return Err("it is of a format that this release does not know");
        }
        let Entries { count, ranges } = &manifest.entries;
        let size = manifest.checkpoint.size;
        let mut last = 0;
        let mut sum: u64 = 0;
        for (from, to) in ranges {
            if *from < last || to <= from || *to > size {
                return Err("its ranges of entries can't be");
            }
            last = *to;
            sum += to - from;
        }
        let whole = manifest.filter.is_none();
        if sum != *count || (whole && *count != size) {
            return Err("its count of entries is not that of its ranges");
        }
        Ok(manifest)
    }

    /// Whether it is about this checkpoint.
    pub(crate) fn is_of(&self, checkpoint: &Checkpoint) -> bool {
        let Head { size, root } = &self.checkpoint;
        self.origin == checkpoint.origin
            && *size == checkpoint.size
            && *root == to_base64(&checkpoint.root)
    }

    /// The indexes that the lines should have, in order.
    pub(crate) fn indexes(&self) -> impl Iterator<Item = u64> + '_ {
        self.entries.ranges.iter().flat_map(|(from, to)| *from..*to)
    }
}

impl FileHash {
    /// Of a file's content.
    pub fn of(bytes: &[u8]) -> Self {
        FileHash {
            bytes: bytes.len() as u64,
            sha256: to_hex(&<Hash>::from(Sha256::digest(bytes))),
        }
    }
}

fn sum_line(manifest: &[u8]) -> Vec<u8> {
    let sum = FileHash::of(manifest).sha256;
    format!("{sum}  {MANIFEST}\n").into_bytes()
}
