//! Checking Merkle proofs (RFC 9162, sections 2.1.3.2 and 2.1.4.2: RFC 6962's proofs, checked without recursion).

use super::hash::{EMPTY_ROOT, Hash, node_hash};
use thiserror::Error;

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProofError {
    #[error("a tree of {size} entries has no entry at index {index}")]
    Outside { index: u64, size: u64 },
    #[error("a tree of {old} entries can't be a prefix of one of {new}")]
    Shrunk { old: u64, new: u64 },
    #[error("the proof has {found} hashes, which is not its length")]
    Length { found: usize },
    #[error("the proof does not lead to the older tree's root")]
    OldRoot,
    #[error("the proof does not lead to the tree's root")]
    Root,
}

/// Proves that the entry with this leaf hash stands at `index` of the tree. `proof` begins with the leaf's sibling.
///
/// # Errors
/// [`ProofError`] when it does not prove that.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Outside { index, size });
    }
    let length = ProofError::Length { found: proof.len() };
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(length);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            // A right edge without a sibling climbs until it is a right child.
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    match (last, hash == *root) {
        (0, true) => Ok(()),
        (0, false) => Err(ProofError::Root),
        (_, _) => Err(length),
    }
}

/// Proves that the older tree is a prefix of the newer one. Every tree begins with the empty one, whose proof is empty, as is that of
/// two equal trees.
///
/// # Errors
/// [`ProofError`] when it does not prove that.
pub fn verify_consistency(
    old: (u64, &Hash),
    new: (u64, &Hash),
    proof: &[Hash],
) -> Result<(), ProofError> {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    let length = ProofError::Length { found: proof.len() };
    if old_size > new_size {
        return Err(ProofError::Shrunk {
            old: old_size,
            new: new_size,
        });
    }
    if old_size == 0 || old_size == new_size {
        let same = if old_size == 0 { &EMPTY_ROOT } else { new_root };
        return match (proof.is_empty(), old_root == same) {
            (true, true) => Ok(()),
            (true, false) => Err(ProofError::OldRoot),
            (false, _) => Err(length),
        };
    }
    // An old tree that is one perfect subtree is a node of the new one, and is not repeated in the proof.
    let whole = [*old_root];
    let known: &[Hash] = if old_size.is_power_of_two() {
        &whole
    } else {
        &[]
    };
    let mut hashes = known.iter().chain(proof);
    let Some(first) = hashes.next() else {
        return Err(length);
    };
    let (mut node, mut last) = (old_size - 1, new_size - 1);
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in hashes {
        if last == 0 {
            return Err(length);
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(length);
    }
    if old_hash != *old_root {
        return Err(ProofError::OldRoot);
    }
    if new_hash != *new_root {
        return Err(ProofError::Root);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
