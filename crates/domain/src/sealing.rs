//! The heads of the log's Merkle tree, as its own sealer signed them: the log tells of itself that it was sealed. Nothing is decided by it.
//!
//! The event is a leaf of the tree like every other, so that the next checkpoint covers it.

use serde::{Deserialize, Serialize};

/// `audit-checkpoints`: one log, one tree, one stream of its checkpoints.
pub const STREAM: &str = "audit-checkpoints";

/// The log was sealed: the head of its tree was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointSealed {
    /// How many events of the log it covers, from the first: those with the leaf indexes 0 to one less than this.
    pub size: u64,
    /// Root hash of the tree of that size (RFC 6962, SHA-256), in base64.
    pub root: String,
    /// The signed note itself (C2SP tlog-checkpoint), as the sealer wrote it, without a witness's signature.
    pub note: String,
}

/// Every event of the log's checkpoints, `audit-checkpoints`. The variant's name is the event's type in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealEvent {
    CheckpointSealed(CheckpointSealed),
}

/// The newest checkpoint that was told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sealed(pub Option<CheckpointSealed>);

/// A checkpoint that covers no more than the newest gives no event.
pub fn record(sealed: &Sealed, checkpoint: CheckpointSealed) -> Vec<SealEvent> {
    match &sealed.0 {
        Some(newest) if newest.size >= checkpoint.size => vec![],
        Some(_) | None => vec![SealEvent::CheckpointSealed(checkpoint)],
    }
}

#[must_use]
pub fn evolve(_: Sealed, event: &SealEvent) -> Sealed {
    match event {
        SealEvent::CheckpointSealed(checkpoint) => Sealed(Some(checkpoint.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(size: u64) -> CheckpointSealed {
        CheckpointSealed {
            size,
            root: "cm9vdA==".into(),
            note: "note".into(),
        }
    }

    #[test]
    fn a_checkpoint_is_told_once_and_only_when_it_covers_more() {
        let told =
            |sealed: &Sealed, size| record(sealed, of(size)).iter().fold(sealed.clone(), evolve);
        let three = told(&Sealed::default(), 3);
        assert_eq!(three, Sealed(Some(of(3))));
        for size in [0, 2, 3] {
            assert_eq!(record(&three, of(size)), vec![]);
        }
        assert_eq!(told(&three, 4), Sealed(Some(of(4))));
    }
}
