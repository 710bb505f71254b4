//! `squareoff audit export`: the folder that an auditor takes away, with all that a check needs (docs/AUDIT.md has its form).
//!
//! 1. Everything in it is under one checkpoint; what stands behind that is counted and left out.
//! 2. A whole export has every entry and the tiles; a filtered one has a tlog-proof with each entry.
//! 3. The manifest is written last: a folder without one is not an export.
//!
//! It checks nothing: an altered log is exported as it is, beside the tiles that say what it was, also where an entry can no longer be read.

mod columns;
mod filter;

pub use filter::{Bound, BoundError, Filter};

use crate::proofs::{Proofs, Published};
use crate::seal::PUBLIC_KEY;
use crate::tlog::{Tile, TileError, Tiles, TlogProof};
use crate::verify::{self, Entries, FileHash, Manifest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use columns::Columns;
use serde::Serialize;
use sha2::{Digest, Sha256};
use squareoff_domain::Timestamp;
use squareoff_domain::sealing::{CheckpointSealed, STREAM};
use squareoff_store::{EventStore, Position, ReadError, StoredEvent};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// The verifier that goes along.
const PYTHON: &str = include_str!("../../verify.py");
/// Entries of one read.
const PAGE: usize = 4_096;
/// For so long the export waits for a witness's signature under the newest checkpoint: they come within milliseconds.
const WITNESS_WAIT: Duration = Duration::from_secs(3);
const WITNESS_POLL: Duration = Duration::from_millis(20);
/// Events behind the checkpoint that are counted; more are said to be that many.
const UNSEALED_MAX: u64 = 1_000_000;

/// What to export, and where to.
#[derive(Debug, Clone)]
pub struct ExportSettings {
    /// The folder of the seal.
    pub audit: PathBuf,
    /// The vkeys of the witnesses that are asked.
    pub witness_keys: Vec<String>,
    /// Made by the export: it must not be there, or be empty.
    pub out: PathBuf,
    pub filter: Filter,
}

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    pub entries: u64,
    /// Of the checkpoint.
    pub size: u64,
    pub cosigned: bool,
    pub unsealed: u64,
}

#[derive(Debug, Error)]
pub enum ExportError {
    #[error("{} is there already and not empty", .0.display())]
    NotEmpty(PathBuf),
    #[error("there is no checkpoint in {}: start `squareoff seal`, which `squareoff up` does", .0.display())]
    NotSealed(PathBuf),
    #[error(
        "the log has {found} events and {sealed} were sealed: `squareoff audit verify` says which is the first missing"
    )]
    Shorter { found: u64, sealed: u64 },
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Tiles(#[from] TileError),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("entries.parquet cannot be written: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
}

/// Writes the export.
///
/// # Errors
/// [`ExportError`]; the folder is then left as far as it came, without a manifest.
pub async fn export(
    store: &EventStore,
    settings: &ExportSettings,
) -> Result<Exported, ExportError> {
    let out = &settings.out;
    let taken = fs::read_dir(out).is_ok_and(|mut files| files.next().is_some());
    if taken {
        return Err(ExportError::NotEmpty(out.clone()));
    }
    fs::create_dir_all(out).map_err(at(out))?;
    let head = newest(settings).await?;
    let mut folder = Folder {
        out,
        files: BTreeMap::new(),
    };
    folder.write("checkpoint", head.note.as_bytes())?;
    let key_file = settings.audit.join(PUBLIC_KEY);
    let log_key = fs::read_to_string(&key_file).map_err(at(&key_file))?;
    folder.write("log.vkey", log_key.as_bytes())?;
    if !settings.witness_keys.is_empty() {
        let keys: String = settings
            .witness_keys
            .iter()
            .map(|key| format!("{key}\n"))
            .collect();
        folder.write("witness.vkey", keys.as_bytes())?;
    }
    folder.write("verify.py", PYTHON.as_bytes())?;
    let whole = settings.filter.is_whole();
    let tiles = Tiles::new(&settings.audit, head.size);
    if whole {
        for tile in Tile::all(head.size) {
            folder.write(&tile.path(), &tiles.tile(tile.level, tile.index)?.concat())?;
        }
    }
    drop(tiles);
    let mut lines = Lines::create(settings, &head)?;
    let mut after = Position::START;
    while lines.index < head.size {
        let left = usize::try_from(head.size - lines.index).unwrap_or(usize::MAX);
        let entries = store.read_entries(after, left.min(PAGE)).await?;
        let Some(last) = entries.last() else {
            return Err(ExportError::Shorter {
                found: lines.index,
                sealed: head.size,
            });
        };
        after = last.position;
        for entry in &entries {
            lines.take(entry)?;
        }
    }
    let unsealed = count_behind(store, after).await?;
    let written = lines.finish(&mut folder)?;
    let checkpoint = crate::tlog::SignedNote::parse(&head.note);
    let origin = checkpoint
        .ok()
        .and_then(|note| note.text.lines().next().map(str::to_owned));
    let manifest = Manifest {
        format: verify::FORMAT.to_owned(),
        made_at: OffsetDateTime::now_utc()
            .format(&Rfc3339)
            .unwrap_or_default(),
        origin: origin.unwrap_or_default(),
        log_key: log_key.trim_end().to_owned(),
        witness_keys: settings.witness_keys.clone(),
        checkpoint: verify::Head {
            size: head.size,
            root: STANDARD.encode(head.root),
        },
        filter: settings.filter.for_manifest(),
        positions: if written.dense {
            verify::Positions::Dense
        } else {
            verify::Positions::Ordered
        },
        entries: Entries {
            count: written.count,
            ranges: written.ranges,
        },
        unsealed,
        files: std::mem::take(&mut folder.files),
    };
    let (text, sum) = manifest.files();
    folder.write(verify::MANIFEST, &text)?;
    folder.write(verify::MANIFEST_SUM, &sum)?;
    Ok(Exported {
        entries: written.count,
        size: head.size,
        cosigned: head.cosigned,
        unsealed,
    })
}

/// The newest checkpoint; where witnesses are asked, with their signatures if they come soon.
async fn newest(settings: &ExportSettings) -> Result<Published, ExportError> {
    let proofs = Proofs::new(&settings.audit);
    let begun = Instant::now();
    loop {
        let newest = proofs.newest().map_err(at(&settings.audit))?;
        let newest = newest.ok_or_else(|| ExportError::NotSealed(settings.audit.clone()))?;
        let enough = newest.cosigned || settings.witness_keys.is_empty();
        if enough || begun.elapsed() >= WITNESS_WAIT {
            return Ok(newest);
        }
        tokio::time::sleep(WITNESS_POLL).await;
    }
}

async fn count_behind(store: &EventStore, mut after: Position) -> Result<u64, ReadError> {
    let mut count = 0;
    while count < UNSEALED_MAX {
        let entries = store.read_entries(after, PAGE).await?;
        let Some(last) = entries.last() else { break };
        after = last.position;
        count += entries.len() as u64;
    }
    Ok(count)
}

/// The folder that is written, and what is in it so far.
struct Folder<'a> {
    out: &'a Path,
    files: BTreeMap<String, FileHash>,
}

impl Folder<'_> {
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
        let path = self.out.join(name);
        let written = || {
            fs::create_dir_all(path.parent().expect("a file in the folder"))?;
            fs::write(&path, bytes)
        };
        written().map_err(at(&path))?;
        self.files.insert(name.to_owned(), FileHash::of(bytes));
        Ok(())
    }
}

/// The files with a line or row for each entry.
struct Lines<'a> {
    filter: &'a Filter,
    proofs: Option<(Tiles, &'a str)>,
    jsonl: Hashing,
    checkpoints: Option<Hashing>,
    columns: Columns,
    out: &'a Path,
    /// Of the next entry of the log.
    index: u64,
    line: Vec<u8>,
    written: Written,
}

#[derive(Debug, Clone)]
struct Written {
    count: u64,
    ranges: Vec<(u64, u64)>,
    dense: bool,
}

const JSONL: &str = "entries.jsonl";
const PARQUET: &str = "entries.parquet";
const CHECKPOINTS: &str = "checkpoints.jsonl";

/// A line of `checkpoints.jsonl`.
#[derive(Serialize)]
struct Older<'a> {
    index: u64,
    size: u64,
    root: &'a str,
    note: &'a str,
}

impl<'a> Lines<'a> {
    fn create(settings: &'a ExportSettings, head: &'a Published) -> Result<Self, ExportError> {
        let whole = settings.filter.is_whole();
        let out = &settings.out;
        let checkpoints = whole.then(|| Hashing::create(&out.join(CHECKPOINTS)));
        Ok(Lines {
            filter: &settings.filter,
            proofs: (!whole).then(|| (Tiles::new(&settings.audit, head.size), head.note.as_str())),
            jsonl: Hashing::create(&out.join(JSONL)).map_err(at(&out.join(JSONL)))?,
            checkpoints: checkpoints
                .transpose()
                .map_err(at(&out.join(CHECKPOINTS)))?,
            columns: Columns::create(&out.join(PARQUET))?,
            out,
            index: 0,
            line: vec![],
            written: Written {
                count: 0,
                ranges: vec![],
                dense: true,
            },
        })
    }

    fn take(&mut self, entry: &squareoff_store::Entry) -> Result<(), ExportError> {
        let (index, position) = (self.index, entry.position);
        self.index += 1;
        self.written.dense &= position.as_u64() == index + 1;
        // Whose it was can't be told where it can't be read, so a filter does not take it.
        let event = match entry.event() {
            Ok(event) => Some(event),
            Err(error) if self.filter.is_whole() => {
                tracing::warn!(%position, %error, "the entry cannot be read; its bytes are exported");
                None
            }
            Err(_) => return Ok(()),
        };
        if let Some(checkpoints) = &mut self.checkpoints
            && let Some(event) = &event
            && &*event.stream == STREAM
            && let Ok(sealed) = serde_json::from_slice::<CheckpointSealed>(&event.body)
        {
            let older = Older {
                index,
                size: sealed.size,
                root: &sealed.root,
                note: &sealed.note,
            };
            let mut line = serde_json::to_vec(&older).expect("numbers and texts");
            line.push(b'\n');
            checkpoints
                .write(&line)
                .map_err(at(&self.out.join(CHECKPOINTS)))?;
        }
        if event
            .as_ref()
            .is_some_and(|event| !self.filter.takes(event))
        {
            return Ok(());
        }
        let proof = match &self.proofs {
            None => None,
            Some((tiles, note)) => Some(
                TlogProof {
                    extra: None,
                    index,
                    hashes: tiles.inclusion_proof(index, tiles.size())?,
                    checkpoint: (*note).to_owned(),
                }
                .to_string(),
            ),
        };
        self.line.clear();
        verify::line::write(
            index,
            position.as_u64(),
            proof.as_deref(),
            &entry.bytes,
            &mut self.line,
        );
        self.jsonl
            .write(&self.line)
            .map_err(at(&self.out.join(JSONL)))?;
        let event = event.unwrap_or_else(|| unreadable(position));
        self.columns
            .push(index, &event, proof.unwrap_or_default())?;
        self.written.count += 1;
        match self.written.ranges.last_mut() {
            Some((_, to)) if *to == index => *to = index + 1,
            Some(_) | None => self.written.ranges.push((index, index + 1)),
        }
        Ok(())
    }

    fn finish(self, folder: &mut Folder<'_>) -> Result<Written, ExportError> {
        let jsonl = self.jsonl.finish().map_err(at(&self.out.join(JSONL)))?;
        folder.files.insert(JSONL.to_owned(), jsonl);
        if let Some(checkpoints) = self.checkpoints {
            let hash = checkpoints
                .finish()
                .map_err(at(&self.out.join(CHECKPOINTS)))?;
            folder.files.insert(CHECKPOINTS.to_owned(), hash);
        }
        self.columns.finish()?;
        let path = self.out.join(PARQUET);
        let hash = hash_of(&path).map_err(at(&path))?;
        folder.files.insert(PARQUET.to_owned(), hash);
        Ok(self.written)
    }
}

/// The row of an entry that can't be read: nothing but its place.
fn unreadable(position: Position) -> StoredEvent {
    StoredEvent {
        position,
        stream: "".into(),
        version: 0,
        id: Uuid::nil(),
        event_type: "".into(),
        schema_version: 0,
        occurred_at: Timestamp(0),
        recorded_at: Timestamp(0),
        actor: "".into(),
        request_id: Uuid::nil(),
        correlation_id: Uuid::nil(),
        trace_id: None,
        epoch: 0,
        previous: [0; 32],
        body: vec![],
    }
}

/// A file whose hash is known when it is written.
struct Hashing {
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl Hashing {
    fn create(path: &Path) -> io::Result<Self> {
        Ok(Hashing {
            file: BufWriter::new(File::create(path)?),
            hash: Sha256::new(),
            bytes: 0,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    fn finish(mut self) -> io::Result<FileHash> {
        self.file.flush()?;
        Ok(FileHash {
            bytes: self.bytes,
            sha256: hex(&self.hash.finalize()),
        })
    }
}

fn hash_of(path: &Path) -> io::Result<FileHash> {
    let mut file = File::open(path)?;
    let (mut hash, mut bytes, mut part) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut part)?;
        if read == 0 {
            let sha256 = hex(&hash.finalize());
            return Ok(FileHash { bytes, sha256 });
        }
        hash.update(&part[..read]);
        bytes += read as u64;
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn at(path: &Path) -> impl Fn(io::Error) -> ExportError + use<> {
    let path = path.to_owned();
    move |source| ExportError::Io {
        path: path.clone(),
        source,
    }
}
