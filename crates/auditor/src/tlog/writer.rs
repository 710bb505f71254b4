//! The tree on disk as it grows: tiles first, then the checkpoint that covers them.
//!
//! The sealer appends leaf hashes, [writes](TileLog::write_tiles) the tiles, signs [`TileLog::size`] and [`TileLog::root`], and
//! [commits](TileLog::commit) the checkpoint.
//!
//! 1. The tree is what `checkpoint` says; tiles beyond it are nothing yet, and are written over.
//! 2. A checkpoint is committed only of exactly what is on disk: its tiles, their names and folders are synced before it.
//! 3. A partial tile goes only when a committed checkpoint covers the full one. So a crash at any step leaves the last checkpoint's tree.
//!
//! One writer at a time: the caller holds the folder's lock.

use super::checkpoint::{Checkpoint, CheckpointError};
use super::disk;
use super::hash::{Hash, perfect_root};
use super::note::SignedNote;
use super::range::CompactRange;
use super::reader::Tiles;
use super::tile::{TILE_WIDTH, Tile};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The file that says which tree the tiles are.
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// Why tiles can't be read or written.
#[derive(Debug, Error)]
pub enum TileError {
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} has {found} bytes instead of {expected}", path.display())]
    Length {
        path: PathBuf,
        found: u64,
        expected: u64,
    },
    #[error("{}: {source}", path.display())]
    Checkpoint {
        path: PathBuf,
        #[source]
        source: CheckpointError,
    },
    #[error("the tiles in {} are not those of the checkpoint of size {size}", folder.display())]
    NotTheCheckpoints { folder: PathBuf, size: u64 },
    #[error(
        "a checkpoint of size {checkpoint} does not fit tiles that were written up to {written}"
    )]
    NotWritten { checkpoint: u64, written: u64 },
    #[error("a tree of {size} entries has no entry or prefix {asked}")]
    Outside { asked: u64, size: u64 },
}

/// A tree with its tiles, open to append to.
#[derive(Debug)]
pub struct TileLog {
    folder: PathBuf,
    tree: CompactRange,
    /// The hashes of each level's last, partial tile; fewer than 256.
    edges: Vec<Vec<Hash>>,
    /// Tiles that became full since the last write.
    filled: Vec<(Tile, Vec<Hash>)>,
    /// Full tiles on disk that no committed checkpoint covers yet: their partial forerunners are still needed.
    covered_next: Vec<Tile>,
    /// Leaves up to which the tiles are on disk.
    written: u64,
    checkpoint: Option<String>,
}

impl TileLog {
    /// Opens the tree of the folder's checkpoint, or an empty one. Signatures are the caller's to check.
    ///
    /// # Errors
    /// [`TileError`] when a file can't be read, or when the tiles are not the checkpoint's.
    pub fn open(folder: &Path) -> Result<Self, TileError> {
        let mut log = TileLog {
            folder: folder.to_owned(),
            tree: CompactRange::default(),
            edges: Vec::new(),
            filled: Vec::new(),
            covered_next: Vec::new(),
            written: 0,
            checkpoint: None,
        };
        let path = folder.join(CHECKPOINT);
        let note = match std::fs::read_to_string(&path) {
            Ok(note) => note,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(log),
            Err(source) => return Err(TileError::Io { path, source }),
        };
        let head = read_head(&note).map_err(|source| TileError::Checkpoint { path, source })?;
        let tiles = Tiles::new(folder, head.size);
        let mut edges = Vec::new();
        for tile in Tile::all(head.size) {
            if usize::from(tile.level) == edges.len() {
                edges.push(Vec::new());
            }
            if !tile.is_full() {
                edges[usize::from(tile.level)] = tiles.tile(tile.level, tile.index)?;
            }
        }
        let peaks = edges.iter().rev().flat_map(|edge| peaks(edge)).collect();
        let tree = CompactRange::of_peaks(head.size, peaks).expect("tiles by their widths");
        if tree.root() != head.root {
            return Err(TileError::NotTheCheckpoints {
                folder: folder.to_owned(),
                size: head.size,
            });
        }
        log.tree = tree;
        log.edges = edges;
        log.written = head.size;
        log.checkpoint = Some(note);
        Ok(log)
    }

    /// Leaves, with those that are not written yet.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// The newest committed checkpoint, a signed note.
    pub fn checkpoint(&self) -> Option<&str> {
        self.checkpoint.as_deref()
    }

    /// Appends a leaf, in memory: 32 bytes each until the next [`TileLog::write_tiles`].
    pub fn append(&mut self, leaf: Hash) {
        let mut index = self.tree.size();
        self.tree.push(leaf);
        let mut hash = leaf;
        for level in 0.. {
            if self.edges.len() == usize::from(level) {
                self.edges.push(Vec::new());
            }
            let edge = &mut self.edges[usize::from(level)];
            edge.push(hash);
            if edge.len() as u64 != TILE_WIDTH {
                break;
            }
            hash = perfect_root(edge);
            index /= TILE_WIDTH;
            let tile = Tile {
                level,
                index,
                width: TILE_WIDTH as u16,
            };
            self.filled.push((tile, std::mem::take(edge)));
        }
    }

    /// Makes the tiles of [`TileLog::size`] durable. May be called again after an error.
    ///
    /// # Errors
    /// [`TileError::Io`].
    pub fn write_tiles(&mut self) -> Result<(), TileError> {
        if self.written == self.size() {
            return Ok(());
        }
        let mut folders = BTreeSet::new();
        for (path, bytes) in self.files() {
            let file = self.folder.join(&path);
            disk::write(&file, &bytes).map_err(at(&file))?;
            // Each folder above may be new too.
            folders.extend(path.ancestors().skip(1).map(Path::to_owned));
        }
        for folder in folders {
            let folder = self.folder.join(folder);
            disk::sync_folder(&folder).map_err(at(&folder))?;
        }
        self.covered_next
            .extend(self.filled.drain(..).map(|(tile, _)| tile));
        self.written = self.size();
        Ok(())
    }

    /// Makes `note`, the signed checkpoint of what [`TileLog::write_tiles`] wrote, the folder's checkpoint.
    ///
    /// # Errors
    /// [`TileError::NotWritten`] or [`TileError::NotTheCheckpoints`] when it is of another tree; [`TileError::Io`].
    pub fn commit(&mut self, note: &str) -> Result<(), TileError> {
        let path = self.folder.join(CHECKPOINT);
        let head = read_head(note).map_err(|source| TileError::Checkpoint {
            path: path.clone(),
            source,
        })?;
        if head.size != self.written || head.size != self.size() {
            return Err(TileError::NotWritten {
                checkpoint: head.size,
                written: self.written,
            });
        }
        if head.root != self.root() {
            return Err(TileError::NotTheCheckpoints {
                folder: self.folder.clone(),
                size: head.size,
            });
        }
        disk::write(&path, note.as_bytes()).map_err(at(&path))?;
        disk::sync_folder(&self.folder).map_err(at(&self.folder))?;
        self.checkpoint = Some(note.to_owned());
        for tile in self.covered_next.drain(..) {
            // What can't be removed is only in the way: readers prefer the full tile.
            let _ = std::fs::remove_dir_all(self.folder.join(format!("{}.p", tile.path())));
        }
        Ok(())
    }

    /// Every file that is still to be written, in order, by its path below the folder.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let full = self.filled.iter().map(|(tile, hashes)| (*tile, hashes));
        let partial = self
            .edges
            .iter()
            .enumerate()
            .filter(|(_, edge)| !edge.is_empty());
        let partial = partial.map(|(level, edge)| {
            let tile = Tile {
                level: level as u8,
                index: (self.size() >> (8 * level)) / TILE_WIDTH,
                width: edge.len() as u16,
            };
            (tile, edge)
        });
        let files = full.chain(partial);
        files
            .map(|(tile, hashes)| (PathBuf::from(tile.path()), hashes.concat()))
            .collect()
    }
}

/// Size and root that a checkpoint's note claims.
fn read_head(note: &str) -> Result<Checkpoint, CheckpointError> {
    Checkpoint::parse(&SignedNote::parse(note)?.text)
}

/// The perfect subtrees of a partial tile, the largest first.
fn peaks(edge: &[Hash]) -> Vec<Hash> {
    let mut rest = edge;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (subtree, behind) = rest.split_at(1 << rest.len().ilog2());
        found.push(perfect_root(subtree));
        rest = behind;
    }
    found
}

/// Names the file in an IO error.
pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> TileError + use<> {
    let path = path.to_owned();
    move |source| TileError::Io {
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests;
