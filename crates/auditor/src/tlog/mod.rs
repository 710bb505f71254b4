//! The transparency log: hashes, proofs, tiles, signed notes, witness. Pure but for the files of [`TileLog`], [`Tiles`] and [`Witness`].
//!
//! Formats are followed to the letter, so that other tools can read them: RFC 6962 section 2.1 (tree, proofs), and C2SP's
//! [tlog-tiles](https://c2sp.org/tlog-tiles), [tlog-checkpoint](https://c2sp.org/tlog-checkpoint),
//! [signed-note](https://c2sp.org/signed-note), [tlog-cosignature](https://c2sp.org/tlog-cosignature) (v1, Ed25519),
//! [tlog-proof](https://c2sp.org/tlog-proof) and [tlog-witness](https://c2sp.org/tlog-witness).
//!
//! 1. A checkpoint is committed only after the tiles that it covers are on disk.
//! 2. Whatever a crash leaves, opening gives the tree of the last checkpoint.
//! 3. A witness's record is on disk before its signature leaves, and never goes back.
//!
//! What it does not do: it has no clock, draws no keys and serves no HTTP. ML-DSA signatures are not among its algorithms.

mod checkpoint;
mod disk;
mod hash;
mod note;
mod proof;
mod proof_file;
mod range;
mod reader;
mod tile;
mod witness;
mod writer;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use hash::{EMPTY_ROOT, Hash, leaf_hash, node_hash};
pub(crate) use hash::{from_base64, perfect_root, to_base64};
pub use note::{
    KeyError, KeyKind, NOTE_BYTES_MAX, NoteError, NoteSignature, SignedNote, Signer, VerifierKey,
};
pub use proof::{ProofError, verify_consistency, verify_inclusion};
pub use proof_file::{ProofFileError, TlogProof};
pub use range::CompactRange;
pub use reader::Tiles;
pub use tile::{TILE_WIDTH, Tile};
pub use witness::{Answer, Witness, WitnessError, WitnessRefusal};
pub use writer::{TileError, TileLog};
