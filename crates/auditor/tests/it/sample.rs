//! A small log with its checkpoints, exported: the same bytes every time.

use squareoff_auditor::tlog::{
    Checkpoint, Hash, KeyKind, SignedNote, Signer, TileLog, Tiles, TlogProof, VerifierKey,
    leaf_hash,
};
use squareoff_auditor::verify::{
    Entries, FORMAT, Fields, FileHash, Filter, Head, MANIFEST, MANIFEST_SUM, Manifest, Positions,
    Report, Trust, Verdict, line, verify_export,
};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

const ORIGIN: &str = "squareoff.example/log";

pub fn log() -> Signer {
    Signer::from_seed(ORIGIN, KeyKind::Ed25519, &[1; 32]).unwrap()
}

pub fn witness() -> Signer {
    Signer::from_seed(
        "squareoff.example/witness",
        KeyKind::CosignatureV1,
        &[2; 32],
    )
    .unwrap()
}

pub fn trust() -> Trust {
    Trust {
        log: log().public().clone(),
        witnesses: vec![witness().public().clone()],
    }
}

/// The entries of a log of some streams, each a chain.
pub fn entries(count: u64) -> Vec<Vec<u8>> {
    entries_but(count, u64::MAX)
}

/// The same log, had one event been another from the beginning.
pub fn entries_but(count: u64, other: u64) -> Vec<Vec<u8>> {
    let mut last: HashMap<String, (u64, Hash)> = HashMap::new();
    let entry = |index: u64| {
        // Some streams get every other event, some few.
        let stream = format!("position-2026-11-2{}-CL{}", index % 2, (index * index) % 7);
        let (version, previous) = last.get(&stream).copied().unwrap_or_default();
        let quantity = if index == other { 1 } else { index * 25 };
        let body = format!(r#"{{"quantity":{},"reason":"é \"{index}\""}}"#, quantity);
        // Not every body is JSON on one line.
        let body = if index % 50 == 3 {
            format!("{body}\n")
        } else {
            body
        };
        let mut bytes = Vec::new();
        let fields = Fields {
            stream: &stream,
            version: version + 1,
            id: id(index, 0),
            event_type: "SquareOffAccepted",
            schema_version: 2,
            occurred_at: 1_795_341_600_000_000_000 + index as i64,
            recorded_at: 1_795_341_600_000_400_000 + index as i64,
            actor: if index.is_multiple_of(3) {
                "desk \"one\""
            } else {
                "asha"
            },
            request_id: id(index, 1),
            correlation_id: id(index / 4, 2),
            // Of requests that came with one; the small vectors are of before there were any.
            trace_id: (index > 20 && index % 5 == 4).then(|| id(index, 3)),
            epoch: 1,
            previous,
            body: body.as_bytes(),
        };
        fields.encode(&mut bytes);
        last.insert(stream, (version + 1, leaf_hash(&bytes)));
        bytes
    };
    (0..count).map(entry).collect()
}

fn id(index: u64, kind: u8) -> [u8; 16] {
    let mut id = [kind; 16];
    id[8..].copy_from_slice(&index.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    id
}

/// The audit folder of these entries, sealed after each of `sizes`: the older checkpoints, and the last with its cosignature.
pub fn seal(folder: &Path, entries: &[Vec<u8>], sizes: &[u64]) -> (Vec<String>, String) {
    let mut tiles = TileLog::open(folder).unwrap();
    let mut older = Vec::new();
    for size in sizes {
        let more = &entries[tiles.size() as usize..*size as usize];
        more.iter().for_each(|entry| tiles.append(leaf_hash(entry)));
        tiles.write_tiles().unwrap();
        let mut note = checkpoint(&tiles);
        tiles.commit(&note.to_string()).unwrap();
        older.push(note.to_string());
        note.signatures
            .push(witness().sign(&note.text, 1_795_341_600));
        fs::write(folder.join("cosigned"), note.to_string()).unwrap();
    }
    older.pop();
    (older, fs::read_to_string(folder.join("cosigned")).unwrap())
}

fn checkpoint(tiles: &TileLog) -> SignedNote {
    let checkpoint = Checkpoint {
        origin: ORIGIN.to_owned(),
        size: tiles.size(),
        root: tiles.root(),
    };
    checkpoint.sign(&log())
}

/// Writes an export of the first entries, sealed after each of `sizes`; of those that `filter` picks, when there is one.
pub fn export(folder: &Path, entries: &[Vec<u8>], sizes: &[u64], filter: Option<fn(u64) -> bool>) {
    let audit = tempfile::tempdir().unwrap();
    let (older, note) = seal(audit.path(), entries, sizes);
    let size = *sizes.last().unwrap();
    let tiles = Tiles::new(audit.path(), size);
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut lines = Vec::new();
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for index in (0..size).filter(|index| filter.is_none_or(|filter| filter(*index))) {
        let proof = filter.map(|_| TlogProof {
            extra: None,
            index,
            hashes: tiles.inclusion_proof(index, size).unwrap(),
            checkpoint: note.clone(),
        });
        let proof = proof.map(|proof| proof.to_string());
        line::write(
            index,
            index + 1,
            proof.as_deref(),
            &entries[index as usize],
            &mut lines,
        );
        match ranges.last_mut().filter(|(_, to)| *to == index) {
            Some((_, to)) => *to += 1,
            None => ranges.push((index, index + 1)),
        }
    }
    files.insert("entries.jsonl".to_owned(), lines);
    files.insert("checkpoint".to_owned(), note.clone().into_bytes());
    files.insert(
        "log.vkey".to_owned(),
        format!("{}\n", log().public()).into_bytes(),
    );
    if filter.is_none() {
        let line =
            |note: &String| format!("{{\"note\":{}}}\n", serde_json::to_string(note).unwrap());
        let older: String = older.iter().map(line).collect();
        files.insert("checkpoints.jsonl".to_owned(), older.into_bytes());
        for tile in squareoff_auditor::tlog::Tile::all(size) {
            let bytes = fs::read(audit.path().join(tile.path())).unwrap();
            files.insert(tile.path(), bytes);
        }
    }
    for (name, bytes) in &files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let (head, _) = Checkpoint::open(&note, log().public()).unwrap();
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        made_at: "2026-11-21T10:00:00Z".to_owned(),
        origin: ORIGIN.to_owned(),
        log_key: log().public().to_string(),
        witness_keys: vec![witness().public().to_string()],
        checkpoint: Head {
            size,
            root: head.text().lines().nth(2).unwrap().to_owned(),
        },
        filter: filter.map(|_| Filter {
            from: None,
            to: None,
            client: Some("CL1".to_owned()),
            stream: None,
        }),
        positions: Positions::Dense,
        entries: Entries {
            count: ranges.iter().map(|(from, to)| to - from).sum(),
            ranges,
        },
        unsealed: 0,
        files: files
            .iter()
            .map(|(name, bytes)| (name.clone(), FileHash::of(bytes)))
            .collect(),
    };
    write_manifest(folder, &manifest);
}

pub fn write_manifest(folder: &Path, manifest: &Manifest) {
    let (bytes, sum) = manifest.files();
    fs::write(folder.join(MANIFEST), bytes).unwrap();
    fs::write(folder.join(MANIFEST_SUM), sum).unwrap();
}

/// The verdict in the words of `verify.py`.
pub fn verdict(folder: &Path) -> String {
    in_words(&verify_export(folder, &trust(), &[]).unwrap())
}

pub fn in_words(report: &Report) -> String {
    match &report.verdict {
        Verdict::Intact => "intact".to_owned(),
        Verdict::Damaged(damage) => match damage.index {
            Some(index) => format!("{} at {index}", damage.kind.name()),
            None => damage.kind.name().to_owned(),
        },
    }
}

pub fn key(text: &str) -> VerifierKey {
    VerifierKey::parse(text).unwrap()
}
