//! The protocol's answers, and that the record never goes back.

use super::*;
use crate::tlog::{CompactRange, KeyKind, TileLog, Tiles, leaf_hash, to_base64};

const ORIGIN: &str = "squareoff.example/log";
const NOW: u64 = 1_795_341_600;

fn log_key() -> Signer {
    Signer::from_seed(ORIGIN, KeyKind::Ed25519, &[1; 32]).unwrap()
}

fn witness_key() -> Signer {
    Signer::from_seed("witness.example", KeyKind::CosignatureV1, &[2; 32]).unwrap()
}

fn witness(folder: &Path) -> Witness {
    Witness::new(folder, witness_key(), vec![log_key().public().clone()])
}

fn leaf(history: u8, index: u64) -> Hash {
    leaf_hash(&[[history; 8], index.to_be_bytes()].concat())
}

/// A log whose history is its own from leaf 4 on.
fn leaves(history: u8, size: u64) -> impl Iterator<Item = Hash> {
    (0..size).map(move |index| leaf(if index < 4 { 0 } else { history }, index))
}

fn checkpoint(history: u8, size: u64) -> SignedNote {
    let mut tree = CompactRange::default();
    tree.extend(leaves(history, size));
    let checkpoint = Checkpoint {
        origin: ORIGIN.to_owned(),
        size,
        root: tree.root(),
    };
    checkpoint.sign(&log_key())
}

fn proof(history: u8, old: u64, new: u64) -> Vec<Hash> {
    let folder = tempfile::tempdir().unwrap();
    let mut log = TileLog::open(folder.path()).unwrap();
    leaves(history, new).for_each(|leaf| log.append(leaf));
    log.write_tiles().unwrap();
    Tiles::new(folder.path(), new)
        .consistency_proof(old, new)
        .unwrap()
}

fn request(old: u64, proof: &[Hash], note: &SignedNote) -> String {
    let lines: String = proof.iter().map(|hash| to_base64(hash) + "\n").collect();
    format!("old {old}\n{lines}\n{note}")
}

/// The request an honest log makes.
fn step(history: u8, old: u64, new: u64) -> String {
    request(old, &proof(history, old, new), &checkpoint(history, new))
}

#[test]
fn a_growing_log_is_co_signed_and_the_signature_verifies() {
    let folder = tempfile::tempdir().unwrap();
    for (old, new) in [(0, 0), (0, 3), (3, 3), (3, 8), (8, 300)] {
        // A new process each time: all that counts is on disk.
        let answer = witness(folder.path()).add_checkpoint(&step(0, old, new), NOW);
        assert_eq!(answer.status, 200, "{old} to {new}: {}", answer.body);
        let mut note = checkpoint(0, new);
        note.signatures
            .push(NoteSignature::parse(answer.body.trim_end()).unwrap());
        assert_eq!(note.verify(witness_key().public()), Ok(NOW));
        let (latest, text) = witness(folder.path()).latest(ORIGIN).unwrap().unwrap();
        assert_eq!((latest.size, text), (new, note.to_string()));
    }
}

#[test]
fn what_must_not_be_signed_is_refused_by_name_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut witness = witness(folder.path());
    assert_eq!(witness.add_checkpoint(&step(0, 0, 8), NOW).status, 200);
    let good = step(0, 8, 12);
    let other_log = Signer::from_seed("other", KeyKind::Ed25519, &[1; 32]).unwrap();
    let stranger = Checkpoint {
        origin: "other".to_owned(),
        size: 12,
        root: [0; 32],
    };
    let mut forged = checkpoint(0, 12);
    forged.signatures[0].signature[0] ^= 1;
    let cases = [
        ("old 8\n".to_owned(), 400, "malformed"),
        (good.replace("old 8", "old 08"), 400, "malformed"),
        (
            good.replace("old 8\n", "old 8\nno hash\n"),
            400,
            "malformed",
        ),
        (
            request(8, &[[0; 32]; 64], &checkpoint(0, 12)),
            400,
            "malformed",
        ),
        (
            request(8, &[], &stranger.sign(&other_log)),
            404,
            "not one that this witness knows",
        ),
        (request(8, &proof(0, 8, 12), &forged), 403, "not the log's"),
        (request(13, &[], &checkpoint(0, 12)), 400, "larger than"),
        (request(9, &[], &checkpoint(0, 5)), 400, "rollback"),
        (step(0, 8, 12).replace("old 8", "old 0"), 409, "8\n"),
        (step(0, 3, 12), 409, "8\n"),
        (step(0, 3, 5), 409, "8\n"),
        (request(8, &[], &checkpoint(1, 8)), 422, "fork"),
        (step(1, 8, 12), 422, "fork"),
        (request(8, &[], &checkpoint(0, 12)), 422, "fork"),
        (
            request(8, &proof(0, 7, 12), &checkpoint(0, 12)),
            422,
            "fork",
        ),
    ];
    for (body, status, words) in cases {
        let answer = witness.add_checkpoint(&body, NOW);
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        assert!(answer.body.contains(words), "{answer:?}");
        assert_eq!(answer.content_type == "text/x.tlog.size", status == 409);
        assert_eq!(witness.latest(ORIGIN).unwrap().unwrap().0.size, 8);
    }
    assert_eq!(witness.add_checkpoint(&good, NOW).status, 200);
}

#[test]
fn the_first_checkpoint_needs_no_proof_and_takes_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut witness = witness(folder.path());
    let answer = witness.add_checkpoint(&request(0, &[[0; 32]], &checkpoint(0, 5)), NOW);
    assert_eq!(answer.status, 422);
    let empty = Checkpoint {
        origin: ORIGIN.to_owned(),
        size: 0,
        root: [1; 32],
    };
    let answer = witness.add_checkpoint(&request(0, &[], &empty.sign(&log_key())), NOW);
    assert_eq!(answer.status, 422);
    assert_eq!(witness.latest(ORIGIN).unwrap(), None);
}

#[test]
fn a_record_that_is_not_the_witnesss_own_stops_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut witness = witness(folder.path());
    assert_eq!(witness.add_checkpoint(&step(0, 0, 5), NOW).status, 200);
    let path = witness.path(ORIGIN);
    let record = fs::read_to_string(&path).unwrap();
    for bad in [
        String::new(),
        record[..record.len() / 2].to_owned(),
        record.replace("\n5\n", "\n4\n"),
        checkpoint(0, 3).to_string(),
    ] {
        fs::write(&path, bad).unwrap();
        let answer = witness.add_checkpoint(&step(0, 5, 8), NOW);
        assert_eq!(answer.status, 500);
        assert!(answer.body.contains("damaged"), "{answer:?}");
    }
    // A record that can't be made durable gives no signature either.
    fs::write(&path, record).unwrap();
    fs::create_dir(path.with_added_extension("tmp")).unwrap();
    assert_eq!(witness.add_checkpoint(&step(0, 5, 8), NOW).status, 500);
    assert_eq!(witness.latest(ORIGIN).unwrap().unwrap().0.size, 5);
}
