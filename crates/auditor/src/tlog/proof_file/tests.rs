//! Proof files, read back and refused.

use super::*;
use crate::tlog::{KeyKind, Signer, leaf_hash, node_hash};

fn signer(name: &str, kind: KeyKind) -> Signer {
    Signer::from_seed(name, kind, &[name.len() as u8; 32]).unwrap()
}

/// The proof of the second of three leaves, co-signed by one witness.
fn proof(extra: Option<Vec<u8>>) -> TlogProof {
    let [a, b, c] = [leaf_hash(b"a"), leaf_hash(b"b"), leaf_hash(b"c")];
    let checkpoint = Checkpoint {
        origin: "log".to_owned(),
        size: 3,
        root: node_hash(&node_hash(&a, &b), &c),
    };
    let mut note = checkpoint.sign(&signer("log", KeyKind::Ed25519));
    let witness = signer("witness", KeyKind::CosignatureV1);
    note.signatures.push(witness.sign(&note.text, 1));
    TlogProof {
        extra,
        index: 1,
        hashes: vec![a, c],
        checkpoint: note.to_string(),
    }
}

#[test]
fn a_proof_is_read_back_and_proves_its_leaf_alone() {
    let log = signer("log", KeyKind::Ed25519);
    let witnesses = ["witness", "other witness"].map(|name| {
        let name = name.replace(' ', "-");
        signer(&name, KeyKind::CosignatureV1).public().clone()
    });
    for extra in [None, Some(Vec::new()), Some(b"more".to_vec())] {
        let proof = proof(extra);
        let again = TlogProof::parse(&proof.to_string()).unwrap();
        assert_eq!(again, proof);
        let verify =
            |leaf: &[u8], needed| again.verify(&leaf_hash(leaf), log.public(), &witnesses, needed);
        assert_eq!(verify(b"b", 1).unwrap().size, 3);
        assert_eq!(
            verify(b"a", 1),
            Err(ProofFileError::Proof(ProofError::Root))
        );
        assert_eq!(
            verify(b"b", 2),
            Err(ProofFileError::Witnesses {
                found: 1,
                needed: 2
            })
        );
        assert!(
            again
                .verify(&leaf_hash(b"b"), &witnesses[0], &[], 0)
                .is_err()
        );
    }
}

#[test]
fn a_wrong_cosignature_is_refused_even_when_none_is_needed() {
    let mut proof = proof(None);
    let mut note = crate::tlog::SignedNote::parse(&proof.checkpoint).unwrap();
    note.signatures[1].signature[3] ^= 1;
    proof.checkpoint = note.to_string();
    let log = signer("log", KeyKind::Ed25519);
    let witness = signer("witness", KeyKind::CosignatureV1);
    let verdict = proof.verify(
        &leaf_hash(b"b"),
        log.public(),
        &[witness.public().clone()],
        0,
    );
    assert!(matches!(verdict, Err(ProofFileError::Checkpoint(_))));
    assert!(proof.verify(&leaf_hash(b"b"), log.public(), &[], 0).is_ok());
}

#[test]
fn what_is_no_proof_file_is_refused() {
    let text = proof(None).to_string();
    for bad in [
        String::new(),
        text.replace("@v1", "@v2"),
        text.replace("index 1", "index 01"),
        text.replace("index 1\n", ""),
        text.replace("index 1\n", "extra !\nindex 1\n"),
        text.replace("index 1\n", "index 1\nno hash\n"),
        text.replacen("\n\n", "\n", 1),
        text.replace(
            "index 1\n",
            &("index 1\n".to_owned() + &"A".repeat(43) + "=\n").repeat(65),
        ),
    ] {
        assert!(TlogProof::parse(&bad).is_err(), "{bad}");
    }
}
