//! The check of an exported folder, in the order that the module's page gives.
//!
//! A whole export is proved by its tiles, a filtered one by the proof in each line. Leaf hashes count once they make the signed root.
//! When those of the tiles don't, those of the entries may: then a tile was altered and no entry. When neither do, more than one place
//! was altered, and the manifest's hashes, the streams' chains and the older checkpoints narrow down which.

use super::chain::Chains;
use super::damage;
use super::fields::Fields;
use super::line;
use super::line::to_hex;
use super::manifest::{MANIFEST, MANIFEST_SUM, Manifest, Positions};
use super::report::{Damage, DamageKind, Report, Stop, Trust, Verdict, VerifyError, at};
use super::scan::{self, Scanned};
use super::tree::Tree;
use crate::tlog::{Checkpoint, Hash, Tile, TlogProof, verify_inclusion};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Component, Path};

const CHECKPOINT: &str = "checkpoint";
const CHECKPOINTS: &str = "checkpoints.jsonl";
const ENTRIES: &str = "entries.jsonl";

/// Verifies an export. `heads` are older (or newer) checkpoints of the same log that the caller kept, whose prefix it must be.
///
/// # Errors
/// [`VerifyError`] when there is no such folder, or a file in it can't be read. A missing file is damage, not an error.
pub fn verify_export(
    folder: &Path,
    trust: &Trust,
    heads: &[String],
) -> Result<Report, VerifyError> {
    let mut report = Report {
        size: 0,
        root: [0; 32],
        entries: 0,
        unsealed: 0,
        checkpoints: 0,
        verdict: Verdict::Intact,
    };
    if !folder.is_dir() {
        return Err(VerifyError::NoFolder(folder.to_owned()));
    }
    match check(folder, trust, heads, &mut report) {
        Ok(()) => Ok(report),
        Err(Stop::Damaged(damage)) => {
            report.verdict = Verdict::Damaged(damage);
            Ok(report)
        }
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// An export whose manifest and checkpoint hold.
struct Export<'a> {
    folder: &'a Path,
    manifest: Manifest,
    checkpoint: Checkpoint,
    note: String,
    /// Files whose hash is compared already.
    compared: BTreeSet<String>,
    /// The first file found whose hash is not the manifest's.
    differs: Option<String>,
}

fn check(folder: &Path, trust: &Trust, heads: &[String], report: &mut Report) -> Result<(), Stop> {
    let manifest = read_manifest(folder)?;
    let (checkpoint, note) = open_checkpoint(folder, trust)?;
    if !manifest.is_of(&checkpoint) {
        let detail = "it is of another checkpoint than the one beside it";
        return Err(Damage::new(DamageKind::Manifest, None, detail).into());
    }
    (report.size, report.root) = (checkpoint.size, checkpoint.root);
    let mut export = Export {
        folder,
        manifest,
        checkpoint,
        note,
        compared: BTreeSet::new(),
        differs: None,
    };
    if export.manifest.filter.is_none() {
        let tree = export.tree(trust)?;
        export.check_entries(Some(&tree))?;
        report.entries = export.manifest.entries.count;
        export.check_tiles(&tree)?;
        report.checkpoints = export.check_checkpoints(&tree, trust)?;
        check_heads(&tree, trust, heads)?;
    } else if heads.is_empty() {
        export.check_entries(None)?;
        report.entries = export.manifest.entries.count;
    } else {
        return Err(VerifyError::HeadsNeedAWholeExport.into());
    }
    export.check_files()
}

fn read_manifest(folder: &Path) -> Result<Manifest, Stop> {
    let bytes = read(folder, MANIFEST)?.unwrap_or_default();
    let sum = read(folder, MANIFEST_SUM)?.unwrap_or_default();
    Manifest::read(&bytes, &sum)
        .map_err(|detail| Damage::new(DamageKind::Manifest, None, detail).into())
}

fn open_checkpoint(folder: &Path, trust: &Trust) -> Result<(Checkpoint, String), Stop> {
    let damage = |kind, detail: String| Stop::Damaged(Damage::new(kind, None, detail));
    let bytes = read(folder, CHECKPOINT)?.unwrap_or_default();
    let note = String::from_utf8(bytes)
        .map_err(|_| damage(DamageKind::Checkpoint, "it is no text".to_owned()))?;
    let (checkpoint, signed) = Checkpoint::open(&note, &trust.log)
        .map_err(|error| damage(DamageKind::Checkpoint, error.to_string()))?;
    for witness in &trust.witnesses {
        signed
            .verify(witness)
            .map_err(|error| damage(DamageKind::Witness, error.to_string()))?;
    }
    Ok((checkpoint, note))
}

/// Each head is a checkpoint of the tree's past.
pub(super) fn check_heads(tree: &Tree, trust: &Trust, heads: &[String]) -> Result<(), Damage> {
    for head in heads {
        let damage = |index, detail: String| Damage::new(DamageKind::Head, index, detail);
        let (head, _) =
            Checkpoint::open(head, &trust.log).map_err(|error| damage(None, error.to_string()))?;
        if head.size > tree.size() {
            let detail = format!("the log had {} entries by the head given", head.size);
            return Err(damage(Some(tree.size()), detail));
        }
        if tree.root(head.size) != head.root {
            let detail = format!("the head of {} entries is not a prefix of it", head.size);
            return Err(damage(None, detail));
        }
    }
    Ok(())
}

impl Export<'_> {
    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.join(name)
    }

    /// The tree of the signed root, from the tiles or, should they not make it, from the entries.
    fn tree(&mut self, trust: &Trust) -> Result<Tree, Stop> {
        let tree = Tree::of(self.leaves()?);
        if tree.root(tree.size()) == self.checkpoint.root {
            return Ok(tree);
        }
        let (found, leaves) = self.claims(Some(&tree))?;
        let leaves: Option<Vec<Hash>> = leaves.into_iter().collect();
        if let Some(leaves) = leaves.filter(|leaves| leaves.len() as u64 == self.checkpoint.size) {
            let tree = Tree::of(leaves);
            if tree.root(tree.size()) == self.checkpoint.root {
                return Ok(tree);
            }
        }
        for tile in Tile::all(self.checkpoint.size) {
            let path = tile.path();
            let bytes = read(self.folder, &path)?.unwrap_or_default();
            if !self.is_as_listed(&path, &bytes) {
                let detail = format!(
                    "{path} is not what was exported, nor do the entries make the signed root"
                );
                return Err(Damage::new(DamageKind::Tile, Some(tile.leaf(0)), detail).into());
            }
        }
        if let Some(damage) = damage::first(self.manifest.indexes(), &found) {
            return Err(self.name(damage, Some(&tree))?.into());
        }
        let (_, chain) = self.scan(Some(&tree))?;
        if let Some(damage) = chain {
            return Err(self.name(damage, Some(&tree))?.into());
        }
        let proved = self.proved_up_to(&tree, trust)?;
        let detail = "entries and tiles agree, and are not what was signed; the last older checkpoint they fit ends before it";
        let damage = Damage::new(DamageKind::Altered, Some(proved), detail);
        Err(self.name(damage, Some(&tree))?.into())
    }

    /// The leaf hashes of the tiles; zeros where one is missing.
    fn leaves(&mut self) -> Result<Vec<Hash>, Stop> {
        let mut leaves = Vec::new();
        let tiles = Tile::all(self.checkpoint.size);
        for tile in tiles.take_while(|tile| tile.level == 0) {
            let path = tile.path();
            let bytes = read(self.folder, &path)?.unwrap_or_default();
            self.compare(&path, &bytes);
            let (hashes, _) = bytes.as_chunks::<32>();
            let missing = usize::from(tile.width).saturating_sub(hashes.len());
            leaves.extend(hashes.iter().take(tile.width.into()));
            leaves.extend(std::iter::repeat_n([0; 32], missing));
        }
        Ok(leaves)
    }

    /// Entries against leaf hashes or their own proofs, then the streams' chains.
    fn check_entries(&mut self, tree: Option<&Tree>) -> Result<(), Stop> {
        if !self.path(ENTRIES).exists() {
            let first = self.manifest.indexes().next();
            let kind = if first.is_some() {
                DamageKind::Removed
            } else {
                DamageKind::File
            };
            return Err(Damage::new(kind, first, "entries.jsonl is missing").into());
        }
        let (intact, chain) = self.scan(tree)?;
        if !intact {
            let (found, _) = self.claims(tree)?;
            if let Some(damage) = damage::first(self.manifest.indexes(), &found) {
                return Err(self.name(damage, tree)?.into());
            }
        }
        match chain {
            Some(damage) => Err(self.name(damage, tree)?.into()),
            None => Ok(()),
        }
    }

    /// One pass over the lines: whether each is the one expected, and what is wrong with the streams' chains (or the order of
    /// positions) up to there.
    fn scan(&mut self, tree: Option<&Tree>) -> Result<(bool, Option<Damage>), Stop> {
        let path = self.path(ENTRIES);
        let mut chains = Chains::new(self.manifest.filter.is_none());
        let mut expected = self.manifest.indexes();
        let (mut intact, mut chain, mut position) = (true, None, None);
        let (bytes, sum) = scan::lines(&path, |_, line| {
            let line = line.filter(|line| self.is_authentic(line, tree));
            let Some(line) = line.filter(|line| expected.next() == Some(line.index)) else {
                intact = false;
                return false;
            };
            if chain.is_none() && position >= Some(line.position) {
                let detail = "its position is not above the one before";
                chain = Some(Damage::new(DamageKind::Altered, Some(line.index), detail));
            }
            position = Some(line.position);
            if let (None, Some(link)) = (&chain, &line.link) {
                chain = chains.follow(line.index, link, line.leaf).err();
            }
            true
        })?;
        intact = intact && expected.next().is_none();
        if intact {
            drop(expected);
            self.compare_sum(ENTRIES, bytes, &sum);
        }
        Ok((intact, chain))
    }

    /// Whether a line is the entry of the index that it claims.
    fn is_authentic(&self, line: &Scanned, tree: Option<&Tree>) -> bool {
        let labelled = match self.manifest.positions {
            Positions::Dense => line.index.checked_add(1) == Some(line.position),
            Positions::Ordered => true,
        };
        let proved = match (tree, &line.proof) {
            (Some(tree), None) => {
                let leaf = usize::try_from(line.index).ok();
                leaf.and_then(|index| tree.leaves().get(index)) == Some(&line.leaf)
            }
            (None, Some(proof)) => self.is_proved(line, proof),
            (Some(_), Some(_)) | (None, None) => false,
        };
        labelled && proved
    }

    fn is_proved(&self, line: &Scanned, proof: &str) -> bool {
        let Ok(proof) = TlogProof::parse(proof) else {
            return false;
        };
        let Checkpoint { size, root, .. } = &self.checkpoint;
        proof.index == line.index
            && proof.checkpoint == self.note
            && verify_inclusion(&line.leaf, line.index, *size, root, &proof.hashes).is_ok()
    }

    /// For each line the index it is proved to have, and its leaf hash. A line that claims its own place and holds the entry of another
    /// index, as every line behind an event that was taken out of the log before the export does, is that other entry.
    #[expect(clippy::type_complexity, reason = "two columns of the same rows")]
    fn claims(&self, tree: Option<&Tree>) -> Result<(Vec<Option<u64>>, Vec<Option<Hash>>), Stop> {
        let (mut found, mut leaves) = (Vec::new(), Vec::new());
        let known: HashMap<&Hash, u64> = tree
            .map(|tree| tree.leaves().iter().zip(0..).collect())
            .unwrap_or_default();
        if self.path(ENTRIES).exists() {
            scan::lines(&self.path(ENTRIES), |number, line| {
                let is_authentic = |line: &&Scanned| self.is_authentic(line, tree);
                let authentic = line.as_ref().filter(is_authentic).map(|line| line.index);
                let moved = line
                    .as_ref()
                    .filter(|line| line.proof.is_none())
                    .and_then(|line| known.get(&line.leaf).copied())
                    .filter(|index| *index != number as u64);
                found.push(authentic.or(moved));
                leaves.push(line.map(|line| line.leaf));
                true
            })?;
        }
        Ok((found, leaves))
    }

    /// Every tile against what the tree says it holds.
    fn check_tiles(&mut self, tree: &Tree) -> Result<(), Stop> {
        for tile in Tile::all(tree.size()) {
            let path = tile.path();
            let bytes = read(self.folder, &path)?.unwrap_or_default();
            self.compare(&path, &bytes);
            let hashes = tree.tile(tile);
            if bytes == hashes.as_flattened() {
                continue;
            }
            let mut chunks = bytes.chunks(32);
            let same = hashes
                .iter()
                .take_while(|hash| chunks.next() == Some(hash.as_slice()));
            let index = tile.leaf(same.count() as u64);
            let detail = format!("{path} is not what was signed; the entries are");
            return Err(self
                .name(
                    Damage::new(DamageKind::Tile, Some(index), detail),
                    Some(tree),
                )?
                .into());
        }
        Ok(())
    }

    /// Every older checkpoint is a prefix; how many there are.
    fn check_checkpoints(&mut self, tree: &Tree, trust: &Trust) -> Result<u64, Stop> {
        let mut checked = 0;
        for older in self.older(trust)? {
            let fits = older
                .filter(|older| older.size <= tree.size() && tree.root(older.size) == older.root);
            if fits.is_none() {
                let detail = format!(
                    "line {} of {CHECKPOINTS} is not an older checkpoint of this log",
                    checked + 1
                );
                return Err(Damage::new(DamageKind::Checkpoint, None, detail).into());
            }
            checked += 1;
        }
        Ok(checked)
    }

    /// The largest size up to which a tree that is not the signed one fits the older checkpoints.
    fn proved_up_to(&mut self, tree: &Tree, trust: &Trust) -> Result<u64, Stop> {
        let mut older: Vec<_> = self.older(trust)?.into_iter().flatten().collect();
        older.sort_by_key(|older| older.size);
        let fits =
            |older: &&Checkpoint| older.size <= tree.size() && tree.root(older.size) == older.root;
        let last = older.iter().take_while(fits).last();
        Ok(last.map_or(0, |older| older.size))
    }

    /// The checkpoints of `checkpoints.jsonl`; `None` for a line that holds none of the log.
    fn older(&mut self, trust: &Trust) -> Result<Vec<Option<Checkpoint>>, Stop> {
        #[derive(Deserialize)]
        struct Older {
            note: String,
        }
        let Some(bytes) = read(self.folder, CHECKPOINTS)? else {
            return Ok(Vec::new());
        };
        self.compare(CHECKPOINTS, &bytes);
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        Ok(lines
            .map(|line| {
                let line: Older = serde_json::from_slice(line).ok()?;
                Checkpoint::open(&line.note, &trust.log)
                    .ok()
                    .map(|(older, _)| older)
            })
            .collect())
    }

    /// Every file of the manifest that was not compared on the way.
    fn check_files(&mut self) -> Result<(), Stop> {
        let names: Vec<_> = self.manifest.files.keys().cloned().collect();
        for name in names {
            if self.differs.is_some() {
                break;
            }
            if self.compared.contains(&name) {
                continue;
            }
            let below = Path::new(&name)
                .components()
                .all(|part| matches!(part, Component::Normal(_)));
            match below
                .then(|| sum_of(&self.path(&name)))
                .transpose()?
                .flatten()
            {
                Some((bytes, sum)) => self.compare_sum(&name, bytes, &sum),
                None => self.differs = Some(name),
            }
        }
        match self.differs.take() {
            Some(name) => {
                let detail =
                    format!("{name} is not what was exported, and no proof says what it was");
                Err(Damage::new(DamageKind::File, None, detail).into())
            }
            None => Ok(()),
        }
    }

    fn is_as_listed(&self, name: &str, bytes: &[u8]) -> bool {
        let sum: Hash = Sha256::digest(bytes).into();
        let listed = self.manifest.files.get(name);
        listed.is_some_and(|file| file.bytes == bytes.len() as u64 && file.sha256 == to_hex(&sum))
    }

    fn compare(&mut self, name: &str, bytes: &[u8]) {
        if !self.compared.contains(name) {
            let sum: Hash = Sha256::digest(bytes).into();
            self.compare_sum(name, bytes.len() as u64, &sum);
        }
    }

    /// Remembers the first file that is not as listed: the last check of all.
    fn compare_sum(&mut self, name: &str, bytes: u64, sum: &Hash) {
        let listed = self.manifest.files.get(name);
        let same = listed.is_some_and(|file| file.bytes == bytes && file.sha256 == to_hex(sum));
        if !same && self.differs.is_none() {
            self.differs = Some(name.to_owned());
        }
        self.compared.insert(name.to_owned());
    }

    /// Adds the event's stream and version: by the event that names it as its `previous`, or else by the line in its place.
    fn name(&self, damage: Damage, tree: Option<&Tree>) -> Result<Damage, Stop> {
        let (Some(index), true) = (damage.index, self.path(ENTRIES).exists()) else {
            return Ok(damage);
        };
        let leaf = tree.and_then(|tree| tree.leaves().get(usize::try_from(index).ok()?));
        let at_line = self
            .manifest
            .indexes()
            .position(|expected| expected == index);
        let path = self.path(ENTRIES);
        let lines = BufReader::new(File::open(&path).map_err(at(&path))?).split(b'\n');
        let mut entry = Vec::new();
        let mut in_its_place = None;
        for (number, line) in lines.enumerate() {
            let line = line.map_err(at(&path))?;
            let Some(fields) = line::read(&line, &mut entry).and_then(|_| Fields::of(&entry))
            else {
                continue;
            };
            if Some(&fields.previous) == leaf {
                let event = Some((fields.stream.to_owned(), fields.version.saturating_sub(1)));
                return Ok(Damage { event, ..damage });
            }
            if Some(number) == at_line && damage.kind != DamageKind::Removed {
                in_its_place = Some((fields.stream.to_owned(), fields.version));
            }
        }
        Ok(Damage {
            event: in_its_place,
            ..damage
        })
    }
}

/// A file's content; `None` when there is none.
fn read(folder: &Path, name: &str) -> Result<Option<Vec<u8>>, VerifyError> {
    let path = folder.join(name);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(source) => Err(VerifyError::Io { path, source }),
    }
}

fn is_missing(error: &io::Error) -> bool {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | IsADirectory)
}

/// Length and SHA-256 of a file of any size.
fn sum_of(path: &Path) -> Result<Option<(u64, Hash)>, VerifyError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(at(path)(error)),
    };
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer).map_err(at(path))?;
        if read == 0 {
            return Ok(Some((bytes, sum.finalize().into())));
        }
        sum.update(&buffer[..read]);
        bytes += read as u64;
    }
}
