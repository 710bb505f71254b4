//! The start: the whole log is read against the last checkpoint, and what can be made of it (tiles, positions) is made again where it is
//! missing or damaged.

use super::positions::PositionsLog;
use super::{Contradiction, Seal, SealError};
use crate::tlog::{Checkpoint, CompactRange, Hash, TILE_WIDTH, TileLog, Tiles};
use squareoff_domain::sealing::{CheckpointSealed, STREAM, Sealed};
use squareoff_store::{EventStore, Position, Streams};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Entries of one read.
const PAGE: usize = 4_096;
/// Leaves between two writes of tiles that are made again.
const REMADE: u64 = 1 << 16;
/// Where tiles are made again, beside the ones in use.
const BESIDE: &str = "again";
/// The committed checkpoint's file (see [`TileLog`]).
const CHECKPOINT: &str = "checkpoint";

/// Where the sealer goes on.
pub(super) struct Begun {
    pub(super) tiles: TileLog,
    pub(super) positions: PositionsLog,
    /// Position of the last sealed event and of the one before it.
    pub(super) last: Position,
    pub(super) before_last: Position,
    pub(super) checkpoint: Option<Head>,
}

/// A checkpoint and its note.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) checkpoint: Checkpoint,
    pub(super) note: String,
}

impl Seal<'_> {
    /// # Errors
    /// [`Contradiction`] when the log is not what was sealed; the others when it can't be read or the folder not be written.
    pub(super) async fn begin(
        &self,
        store: &EventStore,
        streams: &Streams<Sealed>,
    ) -> Result<Begun, SealError> {
        let folder = &self.settings.folder;
        fs::create_dir_all(folder)?;
        let on_disk = self.on_disk(&folder.join(CHECKPOINT))?;
        let in_log = match self.in_log(streams).await {
            // What is wrong with the log's own checkpoints is found below, in its place, when there is one on disk to go by.
            Err(_) if on_disk.is_some() => None,
            told => told?,
        };
        let head = match (on_disk.clone(), in_log) {
            (Some(disk), Some(log)) => {
                let (a, b) = (&disk.checkpoint, &log.checkpoint);
                if a.size == b.size && a.root != b.root {
                    return Err(Contradiction::TwoRoots { size: a.size }.into());
                }
                Some(if a.size >= b.size { disk } else { log })
            }
            (disk, log) => disk.or(log),
        };
        let Some(head) = head else {
            return Ok(Begun {
                tiles: TileLog::open(folder)?,
                positions: PositionsLog::open(folder, &[])?,
                last: Position::START,
                before_last: Position::START,
                checkpoint: None,
            });
        };
        let size = head.checkpoint.size;
        let known = on_disk.as_ref().map_or(0, |disk| disk.checkpoint.size);
        let mut pass = Pass::new(folder, known);
        let mut after = Position::START;
        while pass.tree.size() < size {
            let left = usize::try_from(size - pass.tree.size()).unwrap_or(usize::MAX);
            let entries = store.read_entries(after, left.min(PAGE)).await?;
            let Some(last) = entries.last() else {
                return Err(self.shorter(&pass, size).into());
            };
            after = last.position;
            for entry in entries {
                pass.take(entry.position, entry.leaf_hash());
            }
        }
        if pass.tree.root() != head.checkpoint.root {
            return Err(match pass.differs {
                Some((index, position)) => Contradiction::Altered { position, index },
                None => Contradiction::Somewhere { size },
            }
            .into());
        }
        let whole = pass.differs.is_none()
            && !pass.unreadable
            && on_disk.is_some_and(|disk| disk.checkpoint.size == size);
        let tiles = match TileLog::open(folder) {
            Ok(tiles) if whole => tiles,
            Ok(_) | Err(_) => {
                tracing::warn!(
                    size,
                    "the tiles are made again of the log: they were missing or damaged"
                );
                self.make_again(store, &head).await?
            }
        };
        let positions = PositionsLog::open(folder, &pass.positions)?;
        let mut from_end = pass.positions.iter().rev().copied().map(Position::from_u64);
        let last = from_end.next().unwrap_or_default();
        Ok(Begun {
            tiles,
            positions,
            last,
            before_last: from_end.next().unwrap_or_default(),
            checkpoint: Some(head),
        })
    }

    fn on_disk(&self, path: &Path) -> Result<Option<Head>, SealError> {
        let note = match fs::read_to_string(path) {
            Ok(note) => note,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match Checkpoint::open(&note, self.signer.public()) {
            Ok((checkpoint, _)) => Ok(Some(Head { checkpoint, note })),
            Err(source) => Err(Contradiction::NotOurs {
                path: path.to_owned(),
                source,
            }
            .into()),
        }
    }

    /// The newest checkpoint that the log tells of: it outlives a folder that was lost or restored from before.
    async fn in_log(&self, streams: &Streams<Sealed>) -> Result<Option<Head>, SealError> {
        let loaded = streams.load(STREAM).await?;
        let Some(CheckpointSealed { size, note, .. }) = loaded.state.0.clone() else {
            return Ok(None);
        };
        match Checkpoint::open(&note, self.signer.public()) {
            Ok((checkpoint, _)) => Ok(Some(Head { checkpoint, note })),
            Err(source) => Err(Contradiction::AnotherKey { size, source }.into()),
        }
    }

    fn shorter(&self, pass: &Pass, sealed: u64) -> Contradiction {
        let found = pass.tree.size();
        // A log cut short may be altered besides: that comes first.
        if let Some((index, position)) = pass.differs {
            return Contradiction::Altered { position, index };
        }
        let map = super::Positions::open(&self.settings.folder);
        let missing = map.ok().and_then(|map| map.at(found).ok().flatten());
        Contradiction::Shorter {
            last: pass
                .positions
                .last()
                .copied()
                .map_or(Position::START, Position::from_u64),
            found,
            sealed,
            missing: missing.map_or_else(
                || format!("number {found}"),
                |position| format!("position {position}"),
            ),
        }
    }

    /// Tiles and checkpoint of a log that was found to be what the checkpoint says. A crash on the way leaves tiles that do not fit, and so
    /// begins it again.
    async fn make_again(&self, store: &EventStore, head: &Head) -> Result<TileLog, SealError> {
        let folder = &self.settings.folder;
        let beside = folder.join(BESIDE);
        remove(&beside)?;
        let mut tiles = TileLog::open(&beside)?;
        let (mut after, size, mut written) = (Position::START, head.checkpoint.size, 0);
        while tiles.size() < size {
            let left = usize::try_from(size - tiles.size()).unwrap_or(usize::MAX);
            let entries = store.read_entries(after, left.min(PAGE)).await?;
            let Some(last) = entries.last() else {
                return Err(Contradiction::Somewhere { size }.into());
            };
            after = last.position;
            entries
                .iter()
                .for_each(|entry| tiles.append(entry.leaf_hash()));
            if tiles.size() - written >= REMADE {
                tiles.write_tiles()?;
                written = tiles.size();
            }
        }
        tiles.write_tiles()?;
        tiles.commit(&head.note)?;
        drop(tiles);
        remove(&folder.join("tile"))?;
        if beside.join("tile").exists() {
            fs::rename(beside.join("tile"), folder.join("tile"))?;
        }
        super::whole(&folder.join(CHECKPOINT), head.note.as_bytes())?;
        remove(&beside)?;
        Ok(TileLog::open(folder)?)
    }
}

fn remove(folder: &Path) -> Result<(), SealError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The way along the log: its tree, and the first leaf that is not the tiles'.
struct Pass {
    tree: CompactRange,
    positions: Vec<u64>,
    folder: PathBuf,
    /// Leaves that the tiles should have.
    known: u64,
    /// The level-0 tile that is compared with now; empty when it can't be read.
    tile: Vec<Hash>,
    unreadable: bool,
    differs: Option<(u64, Position)>,
}

impl Pass {
    fn new(folder: &Path, known: u64) -> Self {
        Pass {
            tree: CompactRange::default(),
            positions: vec![],
            folder: folder.to_owned(),
            known,
            tile: vec![],
            unreadable: false,
            differs: None,
        }
    }

    fn take(&mut self, position: Position, leaf: Hash) {
        let index = self.tree.size();
        if index.is_multiple_of(TILE_WIDTH) {
            self.tile = Tiles::new(&self.folder, self.known)
                .tile(0, index / TILE_WIDTH)
                .unwrap_or_default();
        }
        let within = usize::try_from(index % TILE_WIDTH).expect("under 256");
        match self.tile.get(within) {
            Some(known) if *known == leaf => {}
            Some(_) => drop(self.differs.get_or_insert((index, position))),
            None => self.unreadable |= index < self.known,
        }
        self.tree.push(leaf);
        self.positions.push(position.as_u64());
    }
}
