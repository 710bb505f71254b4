//! Verification, offline: is this the log that was signed, and if not, which event is the first that is not?
//!
//! [`verify_export`] reads an exported folder, [`verify_store`] the entries of a live store against its own tiles. Both trust nothing
//! but the public keys they are given. `verify.py`, beside this crate's sources, does the first in Python and must agree on every
//! input: what is checked and in which order is part of the format.
//!
//! 1. manifest, 2. checkpoint and cosignatures, 3. leaf hashes against the signed root, 4. entries against the leaf hashes,
//!    5. each stream's versions and `previous`, 6. every tile, 7. the older checkpoints, 8. the heads given, 9. every file's hash.
//!
//! The first of these that fails is the verdict. Of entries it names the first by its index, and whether it was altered, removed,
//! inserted or reordered: an event that is gone was removed, or altered if something that was never signed stands in its place; one
//! that comes later was pushed back by something inserted, or reordered if what stands there belongs elsewhere.
//!
//! What it does not do: judge what an event says, or vouch for events behind the checkpoint.

mod chain;
mod damage;
mod export;
mod fields;
pub mod line;
mod manifest;
mod report;
mod scan;
mod store;
mod tree;

pub use export::verify_export;
pub use fields::Fields;
pub use manifest::{
    Entries, FORMAT, FileHash, Filter, Head, MANIFEST, MANIFEST_SUM, Manifest, Positions,
};
pub use report::{Damage, DamageKind, Report, Trust, Verdict, VerifyError};
pub use store::verify_store;
