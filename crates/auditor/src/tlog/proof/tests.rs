//! Roots and proofs against the recursive definition of RFC 6962 and against the crate `ct-merkle`.

use super::*;
use crate::tlog::{Checkpoint, CompactRange, KeyKind, Signer, TileLog, Tiles, leaf_hash};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;
use std::sync::LazyLock;

/// Three levels of tiles are 65,536 leaves; two and both edges are enough for every path but the third level's own.
const LEAVES: u64 = 1_100;

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

fn leaves(size: u64) -> Vec<Hash> {
    (0..size).map(|index| leaf_hash(&entry(index))).collect()
}

/// RFC 6962, 2.1: MTH.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves));
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// RFC 6962, 2.1.1: PATH.
fn naive_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves));
    let (mut path, sibling) = if index < left.len() {
        (naive_path(index, left), right)
    } else {
        (naive_path(index - left.len(), right), left)
    };
    path.push(naive_root(sibling));
    path
}

/// RFC 6962, 2.1.2: SUBPROOF.
fn naive_consistency(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole {
            Vec::new()
        } else {
            vec![naive_root(leaves)]
        };
    }
    let (left, right) = leaves.split_at(split(leaves));
    let (mut proof, other) = if old <= left.len() {
        (naive_consistency(old, left, whole), right)
    } else {
        (naive_consistency(old - left.len(), right, false), left)
    };
    proof.push(naive_root(other));
    proof
}

fn split(leaves: &[Hash]) -> usize {
    1 << (leaves.len() - 1).ilog2()
}

/// The tiles of `size` leaves; proofs of smaller trees are made from them too.
fn tiles(size: u64) -> (tempfile::TempDir, Tiles) {
    let folder = tempfile::tempdir().unwrap();
    let mut log = TileLog::open(folder.path()).unwrap();
    leaves(size).into_iter().for_each(|leaf| log.append(leaf));
    log.write_tiles().unwrap();
    let signer = Signer::from_seed("test", KeyKind::Ed25519, &[1; 32]).unwrap();
    let checkpoint = Checkpoint {
        origin: "test".to_owned(),
        size,
        root: log.root(),
    };
    log.commit(&checkpoint.sign(&signer).to_string()).unwrap();
    let tiles = Tiles::new(folder.path(), size);
    (folder, tiles)
}

/// The roots of every size, from the compact range, each against its definition.
static ROOTS: LazyLock<Vec<Hash>> = LazyLock::new(|| {
    let mut tree = CompactRange::default();
    let mut roots = vec![tree.root()];
    for leaf in leaves(LEAVES) {
        tree.push(leaf);
        roots.push(tree.root());
    }
    roots
});

#[test]
fn the_compact_range_has_the_root_of_the_definition_and_of_ct_merkle() {
    let leaves = leaves(LEAVES);
    let mut oracle = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    for size in 0..=LEAVES {
        let root = ROOTS[size as usize];
        if size < 300 || size % 97 == 0 {
            assert_eq!(root, naive_root(&leaves[..size as usize]));
        }
        if size > 0 {
            oracle.push(entry(size - 1));
            if size % 13 == 0 {
                assert_eq!(root.as_slice(), oracle.root().as_bytes().as_slice());
            }
        }
    }
}

#[test]
fn the_roots_of_all_prefixes_come_from_the_tiles() {
    let (_folder, tiles) = tiles(LEAVES);
    for size in 0..=LEAVES {
        assert_eq!(tiles.root(size).unwrap(), ROOTS[size as usize]);
    }
    assert!(tiles.root(LEAVES + 1).is_err());
    assert_eq!(
        tiles.leaf(LEAVES - 1).unwrap(),
        leaf_hash(&entry(LEAVES - 1))
    );
    assert!(tiles.leaf(LEAVES).is_err());
}

#[test]
fn every_proof_of_small_trees_is_that_of_the_definition() {
    let (_folder, tiles) = tiles(LEAVES);
    let leaves = leaves(40);
    for size in 1..=40_u64 {
        let root = ROOTS[size as usize];
        for index in 0..size {
            let proof = tiles.inclusion_proof(index, size).unwrap();
            assert_eq!(proof, naive_path(index as usize, &leaves[..size as usize]));
            let leaf = leaves[index as usize];
            assert_eq!(verify_inclusion(&leaf, index, size, &root, &proof), Ok(()));
        }
        for old in 0..=size {
            let proof = tiles.consistency_proof(old, size).unwrap();
            if old > 0 {
                let naive = naive_consistency(old as usize, &leaves[..size as usize], true);
                assert_eq!(proof, naive);
            }
            let old = (old, &ROOTS[old as usize]);
            assert_eq!(verify_consistency(old, (size, &root), &proof), Ok(()));
        }
    }
}

#[test]
fn three_levels_of_tiles_prove_too() {
    let size = 66_000;
    let (_folder, tiles) = tiles(size);
    let leaves = leaves(size);
    let root = tiles.root(size).unwrap();
    for index in [0, 255, 256, 65_535, 65_536, 65_999] {
        let proof = tiles.inclusion_proof(index, size).unwrap();
        let leaf = leaves[index as usize];
        assert_eq!(verify_inclusion(&leaf, index, size, &root, &proof), Ok(()));
    }
    for old in [1, 1_100, 65_535, 65_536, 65_537] {
        let proof = tiles.consistency_proof(old, size).unwrap();
        let old_root = tiles.root(old).unwrap();
        assert_eq!(
            verify_consistency((old, &old_root), (size, &root), &proof),
            Ok(())
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn proofs_are_those_of_ct_merkle(size in 1..LEAVES, index: prop::sample::Index, old: prop::sample::Index) {
        let (_folder, tiles) = tiles(size);
        let mut oracle = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        (0..size).for_each(|index| oracle.push(entry(index)));
        let index = index.index(size as usize);
        let proof = tiles.inclusion_proof(index as u64, size).unwrap();
        let theirs = oracle.prove_inclusion(index);
        prop_assert_eq!(proof.as_flattened(), theirs.as_bytes());
        let old = old.index(size as usize) + 1;
        let proof = tiles.consistency_proof(old as u64, size).unwrap();
        let theirs = oracle.prove_consistency(size as usize - old);
        prop_assert_eq!(proof.as_flattened(), theirs.as_bytes());
    }

    #[test]
    fn a_proof_proves_nothing_else(
        size in 1..LEAVES,
        index: prop::sample::Index,
        (other_index, other_size) in (0..LEAVES + 2, 0..LEAVES),
        (damage, at, bit) in (0..6, any::<prop::sample::Index>(), 0..8),
    ) {
        let index = index.index(size as usize) as u64;
        let leaves = leaves(size);
        let leaf = leaves[index as usize];
        let mut proof = naive_path(index as usize, &leaves);
        let (mut claimed, mut claimed_size) = (index, size);
        let (mut root, mut claimed_leaf) = (ROOTS[size as usize], leaf);
        match damage {
            0 => claimed = other_index,
            1 => claimed_size = other_size,
            2 => root[at.index(32)] ^= 1_u8 << bit,
            3 => claimed_leaf[at.index(32)] ^= 1_u8 << bit,
            4 if !proof.is_empty() => {
                let at = at.index(proof.len() * 32);
                proof[at / 32][at % 32] ^= 1_u8 << bit;
            }
            4 => proof.push(root),
            _ => proof.insert(at.index(proof.len() + 1), leaf),
        }
        // Another size may have the very same path, but then not the same root; the same size and index is no damage.
        prop_assume!((claimed, claimed_size) != (index, size) || damage > 1);
        if claimed_size != size {
            root = ROOTS[claimed_size as usize];
        }
        prop_assert!(verify_inclusion(&claimed_leaf, claimed, claimed_size, &root, &proof).is_err());
    }

    #[test]
    fn a_fork_or_a_changed_proof_is_not_consistent(
        sizes in (1..LEAVES, 1..LEAVES),
        (damage, at, bit) in (0..4, any::<prop::sample::Index>(), 0..8),
    ) {
        let (old, new) = (sizes.0.min(sizes.1), sizes.0.max(sizes.1));
        let mut proof = naive_consistency(old as usize, &leaves(new), true);
        let (mut old_root, mut new_root) = (ROOTS[old as usize], ROOTS[new as usize]);
        match damage {
            0 => old_root[at.index(32)] ^= 1_u8 << bit,
            1 => new_root[at.index(32)] ^= 1_u8 << bit,
            2 if !proof.is_empty() => {
                let at = at.index(proof.len() * 32);
                proof[at / 32][at % 32] ^= 1_u8 << bit;
            }
            _ => proof.insert(at.index(proof.len() + 1), new_root),
        }
        let verdict = verify_consistency((old, &old_root), (new, &new_root), &proof);
        prop_assert!(verdict.is_err());
        prop_assert!(verify_consistency((new + 1, &old_root), (new, &new_root), &proof).is_err());
    }
}
