//! Why a bulk does not do what was asked: one flat list, in order of precedence. The first that applies is the answer.

use super::state::BulkStatus;
use thiserror::Error;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BulkRefusal {
    /// The id came before with another request, or from another person.
    #[error("this request id was used before for another request")]
    RequestIdReused,
    /// Anything but a proposal, on a stream that has none.
    #[error("there is no such bulk")]
    UnknownBulk,
    /// A second proposal under the id of a bulk.
    #[error("this bulk was proposed already")]
    AlreadyProposed,
    /// A proposal that no position falls under.
    #[error("no position falls under the filter")]
    NothingToSquareOff,
    /// A proposal of more items than one bulk takes.
    #[error("{items} positions are more than the {limit} of one bulk")]
    TooManyItems { items: u32, limit: u32 },
    /// The bulk is at another point of its life: approved already, rejected, aborted, completed.
    #[error("the bulk is {}", status.as_str())]
    WrongStatus { status: BulkStatus },
    /// The list is the proposer's.
    #[error("only {proposed_by}, who proposed the bulk, lists its items")]
    NotTheProposer { proposed_by: String },
    /// No items, or more than fit one event.
    #[error("{items} items at once; there may be 1 to {limit}")]
    WrongItemCount { items: usize, limit: usize },
    /// Items that do not follow the last listed one, or go beyond the number proposed.
    #[error("the list goes on at item {expected} of {items}")]
    ListedOutOfTurn { expected: u32, items: u32 },
    /// Items not in ascending order of phase and key, or of another trading date.
    #[error("item {index} is out of order or of another day")]
    ItemOutOfOrder { index: u32 },
    /// Approval of a list that is not there in full.
    #[error("{listed} of {items} items are listed")]
    ListIncomplete { listed: u32, items: u32 },
    /// Nobody approves their own bulk.
    #[error("{by} has proposed this: another person has to approve")]
    OwnRequest { by: String },
}

impl BulkRefusal {
    /// A stable name for programs: the last part of the problem type's URI.
    pub const fn code(&self) -> &'static str {
        match self {
            BulkRefusal::RequestIdReused => "idempotency-key-reused",
            BulkRefusal::UnknownBulk => "unknown-bulk",
            BulkRefusal::AlreadyProposed => "bulk-already-proposed",
            BulkRefusal::NothingToSquareOff => "nothing-to-square-off",
            BulkRefusal::TooManyItems { .. } => "too-many-items",
            BulkRefusal::WrongStatus { .. } => "bulk-in-another-status",
            BulkRefusal::NotTheProposer { .. } => "not-the-proposer",
            BulkRefusal::WrongItemCount { .. } => "wrong-item-count",
            BulkRefusal::ListedOutOfTurn { .. } => "listed-out-of-turn",
            BulkRefusal::ItemOutOfOrder { .. } => "item-out-of-order",
            BulkRefusal::ListIncomplete { .. } => "list-incomplete",
            BulkRefusal::OwnRequest { .. } => "own-request",
        }
    }
}
