//! The check of a live store: the entries as they are stored now, against the tiles that were written when they were sealed, and against
//! the checkpoints that the log tells of itself. The latter outlive a folder that was lost or put back.

use super::chain::{Chains, Link};
use super::damage;
use super::export::check_heads;
use super::fields::Fields;
use super::report::{Damage, DamageKind, Report, Stop, Trust, Verdict, VerifyError};
use super::tree::Tree;
use crate::seal::COSIGNED;
use crate::tlog::{Checkpoint, CompactRange, Hash, Tile, TileError, Tiles, leaf_hash};
use serde::Deserialize;
use squareoff_domain::sealing::STREAM;
use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::thread;

/// Entries that are worth a thread.
const ENTRIES_PER_THREAD_MIN: usize = 256;

/// Verifies a store's entries against the checkpoint and tiles of its audit folder. `next` gives the entries in the log's order, a batch
/// at a time, an empty one at the end. `heads` are checkpoints of the same log that the caller kept, whose prefix it must be. A log that is
/// not sealed yet has all its events unsealed.
///
/// The index of an event behind the checkpoint is its place in the log too.
///
/// # Errors
/// [`VerifyError`] when the folder or the store can't be read.
pub fn verify_store<E: Error + Send + Sync + 'static>(
    audit: &Path,
    trust: &Trust,
    heads: &[String],
    mut next: impl FnMut() -> Result<Vec<Vec<u8>>, E>,
) -> Result<Report, VerifyError> {
    let mut report = Report {
        size: 0,
        root: [0; 32],
        entries: 0,
        unsealed: 0,
        checkpoints: 0,
        verdict: Verdict::Intact,
    };
    let next = || next().map_err(|error| VerifyError::Store(Box::new(error)));
    match check(audit, trust, heads, next, &mut report) {
        Ok(()) => Ok(report),
        Err(Stop::Damaged(damage)) => {
            report.verdict = Verdict::Damaged(damage);
            Ok(report)
        }
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// A checkpoint that the log tells of itself.
struct Told {
    /// Of its event.
    index: u64,
    /// `None` when the note is not one that the log signed.
    checkpoint: Option<Checkpoint>,
}

fn check(
    audit: &Path,
    trust: &Trust,
    heads: &[String],
    mut next: impl FnMut() -> Result<Vec<Vec<u8>>, VerifyError>,
    report: &mut Report,
) -> Result<(), Stop> {
    // Before the log is read, which may grow and be signed further meanwhile.
    let cosigned = cosigned(audit, trust)?;
    let tree = match sealed_tree(audit, trust, report)? {
        Sealed::Nothing => Tree::of(Vec::new()),
        Sealed::Tree(tree) => tree,
        Sealed::Damaged(checkpoint, damage) => {
            return Err(beside(&checkpoint, damage, next)?.into());
        }
    };
    let sealed = tree.leaves();
    let mut chains = Chains::new(true);
    let mut chain = None;
    let mut at = 0;
    let mut leaves: Vec<Hash> = Vec::new();
    // Leaves behind the checkpoint, and what the log says of itself.
    let (mut behind, mut told_of): (Vec<Hash>, Vec<Told>) = (Vec::new(), Vec::new());
    // Streams and versions from where damage was found on, to name the event by.
    let mut names: Vec<Option<(String, u64, Hash)>> = Vec::new();
    loop {
        let batch = next()?;
        if batch.is_empty() {
            break;
        }
        for (entry, Hashed { leaf, link, note }) in batch.iter().zip(hash(&batch)) {
            if let Some(note) = note {
                let checkpoint = Checkpoint::open(&note, &trust.log);
                told_of.push(Told {
                    index: at as u64,
                    checkpoint: checkpoint.ok().map(|(checkpoint, _)| checkpoint),
                });
            }
            if at >= sealed.len() {
                behind.push(leaf);
            }
            let intact = sealed.get(at).is_none_or(|sealed| *sealed == leaf);
            if !leaves.is_empty() || !intact {
                if leaves.is_empty() {
                    leaves.extend(&sealed[..at]);
                }
                leaves.push(leaf);
                names.push(
                    Fields::of(entry)
                        .map(|fields| (fields.stream.to_owned(), fields.version, fields.previous)),
                );
            } else if let (None, Some(link)) = (&chain, link) {
                let index = at as u64;
                chain = chains.follow(index, &link, leaf).err().map(|mut damage| {
                    damage.event =
                        Fields::of(entry).map(|fields| (fields.stream.to_owned(), fields.version));
                    if damage.index.is_some_and(|first| first < index) {
                        damage.event = damage.event.map(|(stream, version)| (stream, version - 1));
                    }
                    damage
                });
            }
            at += 1;
        }
    }
    let (size, read) = (sealed.len(), at);
    if leaves.is_empty() && read < size {
        leaves.extend(&sealed[..read]);
        if leaves.is_empty() {
            let detail = "the log is empty";
            return Err(Damage::new(DamageKind::Removed, Some(0), detail).into());
        }
    }
    if !leaves.is_empty() {
        return Err(told(sealed, &leaves, &names).into());
    }
    if let Some(damage) = chain {
        return Err(damage.into());
    }
    let most = |of: &Told| of.checkpoint.as_ref().map_or(0, |told| told.size);
    let most = told_of.iter().map(most).max().unwrap_or(0);
    // Nothing is hashed anew where the folder has the newest checkpoint, as it has but for an accident, and nobody asks for more.
    let tree = if most > size as u64 || !heads.is_empty() || cosigned.is_some() {
        Tree::of([sealed, &behind].concat())
    } else {
        tree
    };
    let newest = check_told(audit, &tree, &told_of)?;
    if let Some(newest) = newest.filter(|newest| newest.size > report.size) {
        (report.size, report.root) = (newest.size, newest.root);
    }
    report.entries = report.size;
    report.unsealed = (read as u64).saturating_sub(report.size);
    report.checkpoints = told_of.len() as u64;
    check_heads(&tree, trust, heads)?;
    Ok(check_heads(&tree, trust, cosigned.as_slice())?)
}

/// The folder's newest witnessed checkpoint, with the signature of every witness. It may be older than the newest one: witnesses answer a
/// moment later. `None` when no witness is asked for.
fn cosigned(audit: &Path, trust: &Trust) -> Result<Option<String>, Stop> {
    if trust.witnesses.is_empty() {
        return Ok(None);
    }
    let damage = |detail: String| Stop::Damaged(Damage::new(DamageKind::Witness, None, detail));
    let path = audit.join(COSIGNED);
    let note = match fs::read_to_string(&path) {
        Ok(note) => note,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(damage("no witness has signed a checkpoint".to_owned()));
        }
        Err(source) => return Err(VerifyError::Io { path, source }.into()),
    };
    let (_, signed) =
        Checkpoint::open(&note, &trust.log).map_err(|error| damage(error.to_string()))?;
    for witness in &trust.witnesses {
        signed
            .verify(witness)
            .map_err(|error| damage(error.to_string()))?;
    }
    Ok(Some(note))
}

/// Every checkpoint that the log tells of is one of its own past; the newest.
fn check_told<'a>(
    audit: &Path,
    tree: &Tree,
    told_of: &'a [Told],
) -> Result<Option<&'a Checkpoint>, Damage> {
    let mut proved: Option<&Checkpoint> = None;
    for Told { index, checkpoint } in told_of {
        let Some(checkpoint) = checkpoint else {
            let detail = "the checkpoint that it tells of is not one that the log signed";
            return Err(Damage::new(DamageKind::Checkpoint, Some(*index), detail));
        };
        let Checkpoint { size, root, .. } = checkpoint;
        if *size > tree.size() {
            let detail = format!("the log had {size} events by a checkpoint that it tells of");
            return Err(Damage::new(DamageKind::Removed, Some(tree.size()), detail));
        }
        if tree.root(*size) != *root {
            // The checkpoint's file may be gone and the tiles still there: those of the newest that was told.
            let newest = told_of.last().and_then(|of| of.checkpoint.as_ref());
            let signed = newest.and_then(|newest| signed_leaves(audit, newest));
            let differs = |signed: &[Hash]| tree.leaves().get(..signed.len()) != Some(signed);
            if let Some(signed) = signed.filter(|signed| differs(signed)) {
                return Err(told(&signed, tree.leaves(), &[]));
            }
            let from = proved.map_or(0, |proved| proved.size);
            let detail = format!(
                "an event from there up to index {} is not as it was sealed; the folder of the seal does not have the tiles that would tell which",
                size.saturating_sub(1)
            );
            return Err(Damage::new(DamageKind::Altered, Some(from), detail));
        }
        if proved.is_none_or(|proved| proved.size < *size) {
            proved = Some(checkpoint);
        }
    }
    Ok(proved)
}

/// What happened to the first sealed entry that is not where it was.
fn told(sealed: &[Hash], leaves: &[Hash], names: &[Option<(String, u64, Hash)>]) -> Damage {
    let indexes: HashMap<&Hash, u64> = sealed.iter().zip(0..).collect();
    // Behind the sealed ones new events follow, which nothing is known of.
    let known = leaves.iter().map(|leaf| indexes.get(leaf).copied());
    let mut found: Vec<_> = known.collect();
    while found.len() > sealed.len() && found.last() == Some(&None) {
        found.pop();
    }
    let size = sealed.len() as u64;
    let damage = damage::first(0..size, &found);
    let damage = damage.expect("a leaf that differs is somewhere");
    let index = damage
        .index
        .and_then(|index| usize::try_from(index).ok())
        .unwrap_or(usize::MAX);
    let leaf = sealed.get(index);
    let by_the_next = names
        .iter()
        .flatten()
        .find(|(_, _, previous)| Some(previous) == leaf);
    let by_the_next =
        by_the_next.map(|(stream, version, _)| (stream.clone(), version.saturating_sub(1)));
    let unnamed = leaves.len() - names.len();
    let in_its_place = names
        .get(index.wrapping_sub(unnamed))
        .and_then(Option::as_ref);
    let in_its_place = in_its_place.map(|(stream, version, _)| (stream.clone(), *version));
    let kind = match (damage.kind, &by_the_next) {
        // What stands there is an event that was never sealed: it moved up.
        (DamageKind::Altered, Some(_)) if by_the_next != in_its_place => DamageKind::Removed,
        (kind, _) => kind,
    };
    let event = by_the_next.or(in_its_place.filter(|_| kind != DamageKind::Removed));
    Damage {
        kind,
        event,
        ..damage
    }
}

/// What the folder says was sealed.
enum Sealed {
    Nothing,
    Tree(Tree),
    /// The tiles are not those of the checkpoint.
    Damaged(Checkpoint, Damage),
}

/// The tree of the folder's checkpoint, which must be the log's own.
fn sealed_tree(audit: &Path, trust: &Trust, report: &mut Report) -> Result<Sealed, Stop> {
    let path = audit.join("checkpoint");
    let note = match fs::read_to_string(&path) {
        Ok(note) => note,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Sealed::Nothing),
        Err(source) => return Err(VerifyError::Io { path, source }.into()),
    };
    let (checkpoint, _) = Checkpoint::open(&note, &trust.log)
        .map_err(|error| Damage::new(DamageKind::Checkpoint, None, error.to_string()))?;
    (report.size, report.root) = (checkpoint.size, checkpoint.root);
    let tiles = Tiles::new(audit, checkpoint.size);
    let leaves = match leaves(&tiles) {
        Ok(leaves) => leaves,
        Err((tile, error)) => {
            let damage = Damage::new(DamageKind::Tile, Some(tile.leaf(0)), error.to_string());
            return Ok(Sealed::Damaged(checkpoint, damage));
        }
    };
    let tree = Tree::of(leaves);
    if tree.root(tree.size()) != checkpoint.root {
        let detail = "the tiles do not make the root that was signed";
        let damage = Damage::new(DamageKind::Tile, first_difference(&tree, &tiles), detail);
        return Ok(Sealed::Damaged(checkpoint, damage));
    }
    Ok(Sealed::Tree(tree))
}

/// The leaf hashes of the tiles, or the tile that can't be read.
fn leaves(tiles: &Tiles) -> Result<Vec<Hash>, (Tile, TileError)> {
    let mut leaves = Vec::new();
    for tile in Tile::all(tiles.size()).take_while(|tile| tile.level == 0) {
        leaves.extend(tiles.tile(0, tile.index).map_err(|error| (tile, error))?);
    }
    Ok(leaves)
}

/// The leaf hashes that a checkpoint covers, if the folder's tiles still make its root.
fn signed_leaves(audit: &Path, checkpoint: &Checkpoint) -> Option<Vec<Hash>> {
    let leaves = leaves(&Tiles::new(audit, checkpoint.size)).ok()?;
    let tree = Tree::of(leaves);
    (tree.root(tree.size()) == checkpoint.root).then(|| tree.leaves().to_vec())
}

/// Says of damaged tiles whether the entries beside them are what was signed.
fn beside(
    checkpoint: &Checkpoint,
    damage: Damage,
    mut next: impl FnMut() -> Result<Vec<Vec<u8>>, VerifyError>,
) -> Result<Damage, VerifyError> {
    let mut tree = CompactRange::default();
    while tree.size() < checkpoint.size {
        let batch = next()?;
        if batch.is_empty() {
            break;
        }
        let left = usize::try_from(checkpoint.size - tree.size()).unwrap_or(usize::MAX);
        let leaves = hash(&batch).into_iter().take(left);
        tree.extend(leaves.map(|hashed| hashed.leaf));
    }
    let entries = if tree.size() == checkpoint.size && tree.root() == checkpoint.root {
        "the entries are what was signed"
    } else {
        "nor do the entries make the root that was signed"
    };
    Ok(Damage {
        detail: format!("{}; {entries}", damage.detail),
        ..damage
    })
}

/// The first leaf under a tile that its own leaves contradict.
fn first_difference(tree: &Tree, tiles: &Tiles) -> Option<u64> {
    Tile::all(tree.size()).find_map(|tile| {
        let read = tiles.tile(tile.level, tile.index).ok()?;
        let nth = read
            .iter()
            .zip(tree.tile(tile))
            .position(|(read, made)| read != made)?;
        Some(tile.leaf(nth as u64))
    })
}

/// What is worked out of one entry.
struct Hashed {
    leaf: Hash,
    /// Not there when the entry's layout is unknown.
    link: Option<Link>,
    /// Of an event that tells of a checkpoint: its note.
    note: Option<String>,
}

impl Hashed {
    fn of(entry: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Sealed {
            note: String,
        }
        let fields = Fields::of(entry);
        let told = fields.as_ref().filter(|fields| fields.stream == STREAM);
        let sealed = told.map(|fields| serde_json::from_slice::<Sealed>(fields.body));
        Hashed {
            leaf: leaf_hash(entry),
            link: fields.as_ref().map(Link::of),
            // A body without one is not the log's either.
            note: sealed.map(|sealed| sealed.map(|sealed| sealed.note).unwrap_or_default()),
        }
    }
}

/// Each entry, on every core.
fn hash(batch: &[Vec<u8>]) -> Vec<Hashed> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let part = batch.len().div_ceil(cores).max(ENTRIES_PER_THREAD_MIN);
    let hashes = |part: &[Vec<u8>]| {
        let each = part.iter().map(|entry| Hashed::of(entry));
        each.collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let parts = batch.chunks(part).skip(1);
        let others: Vec<_> = parts
            .map(|part| scope.spawn(move || hashes(part)))
            .collect();
        let mut all = hashes(&batch[..batch.len().min(part)]);
        for other in others {
            all.extend(other.join().expect("hashing does not panic"));
        }
        all
    })
}
