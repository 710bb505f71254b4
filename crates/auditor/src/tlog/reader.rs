//! A tree read from its tiles: leaves, roots of prefixes, proofs.
//!
//! A reader belongs to one size, a checkpoint's; the log may grow meanwhile. It trusts what it reads: who checks a proof against a signed
//! root need not trust it.

use super::hash::{EMPTY_ROOT, Hash, node_hash, perfect_root};
use super::tile::{HASH_BYTES, TILE_HEIGHT, TILE_WIDTH, Tile};
use super::writer::{TileError, at};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Tiles that a reader remembers, 8 KiB each: those of a proof, which needs at most two a level.
const REMEMBERED_MAX: usize = 64;

/// A tile's hashes.
type Row = Rc<[Hash]>;

/// The tiles of a tree of one size.
#[derive(Debug)]
pub struct Tiles {
    folder: PathBuf,
    size: u64,
    remembered: RefCell<HashMap<(u8, u64), Row>>,
}

impl Tiles {
    /// The tiles below `folder` (which holds `tile/`) as they are for a tree of `size` leaves. Reads nothing yet.
    pub fn new(folder: &Path, size: u64) -> Self {
        Tiles {
            folder: folder.to_owned(),
            size,
            remembered: RefCell::default(),
        }
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of one tile, as many as the tree's size asks for.
    ///
    /// # Errors
    /// [`TileError`] when the tile is not there or shorter.
    pub fn tile(&self, level: u8, index: u64) -> Result<Vec<Hash>, TileError> {
        let hashes = self.size >> (TILE_HEIGHT * u32::from(level));
        let Some(left) = hashes
            .checked_sub(index.saturating_mul(TILE_WIDTH))
            .filter(|left| *left > 0)
        else {
            return Err(TileError::Outside {
                asked: index,
                size: self.size,
            });
        };
        let tile = Tile {
            level,
            index,
            width: left.min(TILE_WIDTH) as u16,
        };
        let path = self.folder.join(tile.path());
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            // Since this size the tile may have become full, and the partial one may have gone.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !tile.is_full() => {
                let full = self.folder.join(tile.full().path());
                fs::read(full).map_err(|_| at(&path)(error))?
            }
            Err(error) => return Err(at(&path)(error)),
        };
        let (hashes, _) = bytes.as_chunks::<{ HASH_BYTES as usize }>();
        match hashes.get(..usize::from(tile.width)) {
            Some(hashes) => Ok(hashes.to_vec()),
            None => Err(TileError::Length {
                path,
                found: bytes.len() as u64,
                expected: tile.bytes(),
            }),
        }
    }

    /// The leaf hash at an index.
    ///
    /// # Errors
    /// [`TileError`] when there is none, or its tile can't be read.
    pub fn leaf(&self, index: u64) -> Result<Hash, TileError> {
        self.inside(index, self.size.saturating_sub(1))?;
        self.node(0, index)
    }

    /// The root of the tree's first `size` leaves.
    ///
    /// # Errors
    /// [`TileError`] when the tree is smaller, or a tile can't be read.
    pub fn root(&self, size: u64) -> Result<Hash, TileError> {
        self.inside(size, self.size)?;
        if size == 0 {
            return Ok(EMPTY_ROOT);
        }
        self.range(0..size)
    }

    /// Proof that a leaf stands at `index` of the first `size` leaves: the sibling first.
    ///
    /// # Errors
    /// [`TileError`] when there is no such leaf or prefix, or a tile can't be read.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, TileError> {
        self.inside(size, self.size)?;
        if index >= size {
            return Err(TileError::Outside { asked: index, size });
        }
        let mut proof = Vec::new();
        let mut range = 0..size;
        while range.end - range.start > 1 {
            let split = split(&range);
            let (kept, sibling) = if index < split {
                (range.start..split, split..range.end)
            } else {
                (split..range.end, range.start..split)
            };
            proof.push(self.range(sibling)?);
            range = kept;
        }
        proof.reverse();
        Ok(proof)
    }

    /// Proof that the first `old` leaves are a prefix of the first `new` ones. Empty when `old` is 0 or `new`.
    ///
    /// # Errors
    /// [`TileError`] when `old` is larger than `new` or that than the tree, or a tile can't be read.
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, TileError> {
        self.inside(new, self.size)?;
        if old > new {
            return Err(TileError::Outside {
                asked: old,
                size: new,
            });
        }
        if old == 0 || old == new {
            return Ok(Vec::new());
        }
        let mut proof = Vec::new();
        let mut range = 0..new;
        while range.end != old {
            let split = split(&range);
            let (kept, other) = if old <= split {
                (range.start..split, split..range.end)
            } else {
                (split..range.end, range.start..split)
            };
            proof.push(self.range(other)?);
            range = kept;
        }
        // The checker knows the old root: a node that is the whole old tree is left out.
        if range.start != 0 {
            proof.push(self.range(range)?);
        }
        proof.reverse();
        Ok(proof)
    }

    fn inside(&self, asked: u64, most: u64) -> Result<(), TileError> {
        if asked > most || most > self.size {
            return Err(TileError::Outside {
                asked,
                size: self.size,
            });
        }
        Ok(())
    }

    /// The root of a node's range of leaves: from a multiple of its largest subtree, not empty.
    fn range(&self, range: Range<u64>) -> Result<Hash, TileError> {
        let mut peaks = Vec::new();
        let mut from = range.start;
        while from < range.end {
            let height = (range.end - from).ilog2();
            peaks.push(self.node(height, from >> height)?);
            from += 1 << height;
        }
        let last = peaks.pop().expect("the range is not empty");
        Ok(peaks
            .iter()
            .rfold(last, |right, left| node_hash(left, &right)))
    }

    /// The root of the `index`-th perfect subtree of 2^height leaves.
    fn node(&self, height: u32, index: u64) -> Result<Hash, TileError> {
        let (level, within) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
        let first = index << within;
        let hashes = self.remembered(level as u8, first / TILE_WIDTH)?;
        let first = (first % TILE_WIDTH) as usize;
        let subtree = hashes.get(first..first + (1 << within));
        let subtree = subtree.ok_or(TileError::Outside {
            asked: index,
            size: self.size,
        })?;
        Ok(perfect_root(subtree))
    }

    fn remembered(&self, level: u8, index: u64) -> Result<Row, TileError> {
        if let Some(hashes) = self.remembered.borrow().get(&(level, index)) {
            return Ok(hashes.clone());
        }
        let hashes: Row = self.tile(level, index)?.into();
        let mut remembered = self.remembered.borrow_mut();
        if remembered.len() == REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert((level, index), hashes.clone());
        Ok(hashes)
    }
}

/// Where a node's range splits: at the largest power of two smaller than its length (RFC 6962, 2.1).
fn split(range: &Range<u64>) -> u64 {
    let length = range.end - range.start;
    range.start + (1 << (length - 1).ilog2())
}
