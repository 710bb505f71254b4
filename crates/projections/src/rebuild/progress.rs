//! What a rebuild tells while it goes on.

use squareoff_store::Position;

/// What a rebuild is doing. A rebuild that is gone on with may begin at a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Folding the log; rows are copied meanwhile.
    Folding,
    /// Everything is folded, the last rows are being copied.
    Copying,
    Indexing,
    CatchingUp,
    Comparing,
    Swapping,
}

impl Stage {
    pub const fn as_str(self) -> &'static str {
        match self {
            Stage::Folding => "fold",
            Stage::Copying => "copy",
            Stage::Indexing => "index",
            Stage::CatchingUp => "catch-up",
            Stage::Comparing => "compare",
            Stage::Swapping => "swap",
        }
    }
}

/// For a progress bar: `done` of `total`, in events of the log while folding, copying and catching up, otherwise in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub stage: Stage,
    pub done: u64,
    pub total: u64,
    /// What a kill at this moment would not lose: the log position up to which rows are committed.
    pub kept: Position,
}

impl Progress {
    pub(super) fn events(stage: Stage, done: Position, total: Position, kept: Position) -> Self {
        Progress {
            stage,
            done: done.as_u64(),
            total: total.as_u64(),
            kept,
        }
    }

    pub(super) fn steps(stage: Stage, kept: Position, done: usize, total: usize) -> Self {
        Progress {
            stage,
            done: crate::units::count(done),
            total: crate::units::count(total),
            kept,
        }
    }
}

/// How progress is told: a few times a second, from the task that rebuilds.
pub(super) type Tell<'a> = dyn FnMut(Progress) + Send + 'a;
