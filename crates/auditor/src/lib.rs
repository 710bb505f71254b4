//! Tamper evidence: what an auditor needs to trust the log's history without trusting those who keep it.
//!
//! [`tlog`] is the transparency log: an RFC 6962 Merkle tree over the exact bytes of the events, kept as C2SP tiles, with signed
//! checkpoints, proofs and a witness. It knows nothing of events: to it, an entry is bytes.
//!
//! [`verify`] checks an exported folder or a live store offline, with nothing but public keys.
//! [`seal`] follows the log and signs, [`witness`] is the second key's process, [`proofs`] proves single events, and [`export`] writes the folder
//! that an auditor takes away.
//!
//! What it does not do: it appends nothing to the log but what the sealer says of its own work.

pub mod export;
pub mod proofs;
pub mod seal;
pub mod tlog;
pub mod verify;
pub mod witness;
