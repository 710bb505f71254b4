//! What a bulk's refusal is to its caller.

use crate::problem::Problem;
use axum::http::StatusCode;
use squareoff_domain::bulk::BulkRefusal;

impl From<BulkRefusal> for Problem {
    fn from(refusal: BulkRefusal) -> Self {
        let (status, title) = match &refusal {
            BulkRefusal::RequestIdReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The idempotency key was used for another request",
            ),
            BulkRefusal::UnknownBulk => (StatusCode::NOT_FOUND, "There is no such bulk"),
            BulkRefusal::AlreadyProposed => (StatusCode::CONFLICT, "The bulk is proposed already"),
            BulkRefusal::NothingToSquareOff => {
                (StatusCode::CONFLICT, "No position falls under the filter")
            }
            BulkRefusal::TooManyItems { .. } => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "More positions than one bulk takes",
            ),
            BulkRefusal::WrongStatus { .. } => (
                StatusCode::CONFLICT,
                "The bulk is at another point of its life",
            ),
            BulkRefusal::NotTheProposer { .. } => {
                (StatusCode::CONFLICT, "Another person proposed the bulk")
            }
            BulkRefusal::ListIncomplete { .. } => {
                (StatusCode::CONFLICT, "The list of the bulk is not complete")
            }
            BulkRefusal::OwnRequest { .. } => {
                (StatusCode::CONFLICT, "Another person has to approve")
            }
            // The list is made here, in its order and in chunks that fit.
            BulkRefusal::WrongItemCount { .. }
            | BulkRefusal::ListedOutOfTurn { .. }
            | BulkRefusal::ItemOutOfOrder { .. } => return Problem::bug(refusal),
        };
        Problem::new(status, refusal.code(), title, refusal.to_string())
    }
}
