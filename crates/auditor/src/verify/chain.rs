//! Each stream's own chain: versions 1, 2, 3, ... and in `previous` the hash of the event before.
//!
//! In a tree that is as it was signed this finds what went wrong before the signature: in the seconds until the seal, or in a log that
//! is older than its seal.

use super::fields::Fields;
use super::report::{Damage, DamageKind};
use crate::tlog::Hash;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// A stream's name in 16 bytes: those of 100,000 streams stay small.
type Stream = [u8; 16];

/// What the chain needs of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    stream: Stream,
    version: u64,
    previous: Hash,
}

impl Link {
    pub(crate) fn of(fields: &Fields<'_>) -> Self {
        let hash: Hash = Sha256::digest(fields.stream).into();
        Link {
            stream: *hash.first_chunk().expect("a hash is longer"),
            version: fields.version,
            previous: fields.previous,
        }
    }
}

/// The last event of each stream.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    last: HashMap<Stream, (u64, Hash, u64)>,
    /// Whether a stream's first event may be missing.
    from_the_middle: bool,
}

impl Chains {
    /// `whole`: the log from its first event.
    pub(crate) fn new(whole: bool) -> Self {
        Chains {
            last: HashMap::new(),
            from_the_middle: !whole,
        }
    }

    /// Takes the event at `index`, the next in the log's order.
    ///
    /// # Errors
    /// The [`Damage`] when it does not follow its stream's last.
    pub(crate) fn follow(&mut self, index: u64, link: &Link, leaf: Hash) -> Result<(), Damage> {
        let before = self.last.insert(link.stream, (link.version, leaf, index));
        let (version, previous, at) = match before {
            None if self.from_the_middle => return Ok(()),
            None => (0, [0; 32], index),
            Some(last) => last,
        };
        let expected = version.saturating_add(1);
        let damage = |kind, index, detail| Err(Damage::new(kind, Some(index), detail));
        if link.version > expected {
            let detail = format!(
                "version {expected} of the stream is missing before version {}",
                link.version
            );
            return damage(DamageKind::Removed, index, detail);
        }
        if link.version < expected {
            let detail = format!(
                "version {} of the stream follows version {version}",
                link.version
            );
            return damage(DamageKind::Inserted, index, detail);
        }
        if link.previous != previous {
            let detail = format!("the stream's next event, at {index}, holds another hash of it");
            return damage(DamageKind::Altered, at, detail);
        }
        Ok(())
    }
}
