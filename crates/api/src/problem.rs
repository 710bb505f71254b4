//! Every answer that is not a success: RFC 9457 problem details with a stable `type`, one per thing a caller can do differently.
//!
//! Three kinds are kept apart: a *refusal* (4xx: the request can't be), an *outage* (503 with Retry-After: the same request may
//! succeed later), a *bug* (500, logged once here).

pub mod known;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use squareoff_domain::Refusal;
use squareoff_domain::approval::ApprovalRefusal;
use squareoff_domain::client::ClientRefusal;
use squareoff_domain::platform::PlatformRefusal;
use squareoff_domain::suspense::SuspenseRefusal;
use squareoff_identity::IdentityError;
use squareoff_store::{AppendError, ReadError};

/// Prefix of every problem type; the last part is the stable name.
pub const TYPE_PREFIX: &str = "urn:squareoff:problem:";

/// Seconds after which an outage is worth another try.
const RETRY_AFTER_S: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub status: StatusCode,
    /// Stable name for programs, kebab-case.
    pub code: &'static str,
    /// What it is, the same for every occurrence.
    pub title: &'static str,
    /// This occurrence, for a person.
    pub detail: String,
    /// Seconds after which another try is worth it, where that is known.
    pub retry_after_s: Option<u32>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
}

impl Problem {
    pub fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Problem {
            status,
            code,
            title,
            detail: detail.into(),
            retry_after_s: None,
        }
    }

    /// The key store or the master key is out of reach.
    pub fn identity_unavailable() -> Self {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "identity-keys-unavailable",
            "The keys of the identity are out of reach",
            "the API's log says what is missing; everything but identities goes on",
        )
    }

    pub fn malformed(detail: impl Into<String>) -> Self {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "malformed-request",
            "The request cannot be read",
            detail,
        )
    }

    pub fn invalid_parameter(detail: impl Into<String>) -> Self {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid-parameter",
            "A parameter has no such value",
            detail,
        )
    }

    pub fn not_found(code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::NOT_FOUND, code, title, detail)
    }

    pub fn read_model_unavailable(detail: impl Into<String>) -> Self {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "read-model-unavailable",
            "The read database does not answer",
            detail,
        )
    }

    /// A mistake of ours: `detail` goes to the log, not to the caller.
    pub fn bug(detail: impl std::fmt::Display) -> Self {
        tracing::error!(error = %detail, "a request failed by our own mistake");
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal-error",
            "The server made a mistake",
            "it is logged; a retry with the same key is safe",
        )
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, title) = match &refusal {
            Refusal::RequestIdReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The idempotency key was used for another request",
            ),
            Refusal::ReasonMissing => (StatusCode::UNPROCESSABLE_ENTITY, "A reason is needed"),
            Refusal::PlatformNotActive => (StatusCode::CONFLICT, "The platform is not active"),
            Refusal::UnknownPosition => (StatusCode::NOT_FOUND, "There is no such position"),
            Refusal::UnknownInstrument => (StatusCode::NOT_FOUND, "There is no such instrument"),
            Refusal::Halted { .. } => (StatusCode::CONFLICT, "New orders are halted"),
            Refusal::MarketNotOpen { .. } => (StatusCode::CONFLICT, "The market is not open"),
            Refusal::SessionNotReady => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The exchange is not connected",
            ),
            Refusal::HandedBack => (StatusCode::CONFLICT, "The position was handed back"),
            Refusal::Frozen { .. } => (StatusCode::CONFLICT, "The position is frozen"),
            Refusal::InstrumentRestricted { .. } => (
                StatusCode::CONFLICT,
                "The instrument cannot be squared off here",
            ),
            Refusal::QuantityNotPositive => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The quantity is not more than zero",
            ),
            Refusal::NothingToClose { .. } => (StatusCode::CONFLICT, "Nothing is left to close"),
            Refusal::ExceedsOpenQuantity { .. } => (
                StatusCode::CONFLICT,
                "The quantity is more than can still be closed",
            ),
            Refusal::OddLot { .. } => (StatusCode::CONFLICT, "What is left to close is an odd lot"),
            Refusal::NotWholeLots { .. } => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The quantity is not in whole lots",
            ),
            Refusal::FreezeBelowLot { .. } => {
                (StatusCode::CONFLICT, "The venue freezes even one lot")
            }
            Refusal::TooManySlices { .. } => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The quantity needs too many orders",
            ),
            Refusal::UnknownOrder => (StatusCode::NOT_FOUND, "There is no such order"),
            Refusal::NotOurOrder => (StatusCode::CONFLICT, "The order is the primary platform's"),
            Refusal::OrderEnded { .. } => (StatusCode::CONFLICT, "The order has ended"),
            Refusal::NotInDoubt => (StatusCode::CONFLICT, "The order is not in doubt"),
            Refusal::OrderInDoubt => (StatusCode::CONFLICT, "The order is in doubt"),
            Refusal::CancelPending => (StatusCode::CONFLICT, "A cancel is already on its way"),
            Refusal::ReplacePending => (StatusCode::CONFLICT, "A change is already on its way"),
            Refusal::NotAcknowledged => (
                StatusCode::CONFLICT,
                "The exchange has not acknowledged the order",
            ),
            Refusal::TooManyCancels { .. } => {
                (StatusCode::CONFLICT, "The order was cancelled too often")
            }
            Refusal::TooManyReplaces { .. } => {
                (StatusCode::CONFLICT, "The order was changed too often")
            }
            Refusal::NothingToChange => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The change leaves everything as it is",
            ),
            Refusal::QuantityNotLower { .. } => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The quantity can only go down",
            ),
            Refusal::QuantityNotAboveFilled { .. } => {
                (StatusCode::CONFLICT, "That much has filled already")
            }
            Refusal::NothingToCancel => (StatusCode::CONFLICT, "No order is working"),
            Refusal::StaleReference { .. } => {
                (StatusCode::CONFLICT, "The reference price is too old")
            }
            Refusal::PriceOffTick { .. } => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The price is not on a tick",
            ),
            Refusal::PriceOutOfBand { .. } => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The price is outside the band",
            ),
            Refusal::PriceOutOfProtection { .. } => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The price is outside the limit price protection",
            ),
            Refusal::NotFrozen => (StatusCode::CONFLICT, "The position is not frozen"),
            Refusal::OrdersWorking { .. } => (StatusCode::CONFLICT, "Orders may still fill"),
        };
        Problem::new(status, refusal.code(), title, refusal.to_string())
    }
}

impl From<PlatformRefusal> for Problem {
    fn from(refusal: PlatformRefusal) -> Self {
        let (status, title) = match &refusal {
            PlatformRefusal::RequestIdReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The idempotency key was used for another request",
            ),
            PlatformRefusal::AlreadyActive { .. } => {
                (StatusCode::CONFLICT, "The platform is already active")
            }
            PlatformRefusal::ActivationPending { .. } => (
                StatusCode::CONFLICT,
                "An activation waits for approval already",
            ),
            PlatformRefusal::NoActivationPending { .. } => {
                (StatusCode::CONFLICT, "No activation waits for approval")
            }
            PlatformRefusal::NotApproved { .. } => {
                (StatusCode::CONFLICT, "No activation is approved")
            }
            PlatformRefusal::BookNotLoaded { .. } => {
                (StatusCode::CONFLICT, "The day's book is not loaded")
            }
            PlatformRefusal::NotActive { .. } => {
                (StatusCode::CONFLICT, "The platform is not active")
            }
            PlatformRefusal::NoHandbackPending { .. } => {
                (StatusCode::CONFLICT, "No hand-back waits for approval")
            }
            PlatformRefusal::NotDraining { .. } => {
                (StatusCode::CONFLICT, "The platform is not draining")
            }
            PlatformRefusal::AlreadyHalted { .. } => {
                (StatusCode::CONFLICT, "New orders are halted already")
            }
            PlatformRefusal::NotHalted { .. } => {
                (StatusCode::CONFLICT, "New orders are not halted")
            }
            PlatformRefusal::ResumePending { .. } => {
                (StatusCode::CONFLICT, "A resume waits for approval already")
            }
            PlatformRefusal::NoResumePending { .. } => {
                (StatusCode::CONFLICT, "No resume waits for approval")
            }
            PlatformRefusal::TooManyCancelAlls { .. } => (
                StatusCode::CONFLICT,
                "Too many cancel-alls wait for approval",
            ),
            PlatformRefusal::UnknownCancelAll { .. } => {
                (StatusCode::NOT_FOUND, "No such cancel-all waits")
            }
            PlatformRefusal::HaltFirst { .. } => (
                StatusCode::CONFLICT,
                "The venue is to be halted before it is disconnected",
            ),
            PlatformRefusal::AlreadyDisconnected { .. } => {
                (StatusCode::CONFLICT, "The venue is disconnected already")
            }
            PlatformRefusal::DisconnectPending { .. } => (
                StatusCode::CONFLICT,
                "A disconnect waits for approval already",
            ),
            PlatformRefusal::NoDisconnectPending { .. } => {
                (StatusCode::CONFLICT, "No disconnect waits for approval")
            }
            PlatformRefusal::NotDisconnected { .. } => {
                (StatusCode::CONFLICT, "The venue is not disconnected")
            }
            PlatformRefusal::OwnRequest { .. } => {
                (StatusCode::CONFLICT, "Another person has to approve")
            }
        };
        Problem::new(status, refusal.code(), title, refusal.to_string())
    }
}

impl From<ClientRefusal> for Problem {
    fn from(refusal: ClientRefusal) -> Self {
        let (status, title) = match &refusal {
            ClientRefusal::RequestIdReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The idempotency key was used for another request",
            ),
            ClientRefusal::ReasonMissing => return Refusal::ReasonMissing.into(),
            ClientRefusal::ReasonHoldsPan => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The reason holds personal data",
            ),
            ClientRefusal::UnknownClient { .. } => {
                (StatusCode::NOT_FOUND, "There is no such client")
            }
            ClientRefusal::Erased { .. } => (StatusCode::GONE, "The client was erased"),
            ClientRefusal::IdentityNotRecorded { .. } => {
                (StatusCode::NOT_FOUND, "No identity is recorded")
            }
            ClientRefusal::IdentityIncomplete { .. } => (
                StatusCode::CONFLICT,
                "Of the identity something is not recorded",
            ),
            ClientRefusal::TooManyVerifications { .. } => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many callers were not verified",
            ),
            ClientRefusal::CallerNotVerified { .. } => {
                (StatusCode::CONFLICT, "The caller is not verified")
            }
        };
        Problem::new(status, refusal.code(), title, refusal.to_string())
    }
}

/// Of an identity: a refusal is the domain's, and where the keys are out of reach the caller may try again when they are not.
impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Refused(refusal) => refusal.into(),
            IdentityError::Log(error) => crate::decide::problem(error, |never| match never {}),
            error @ (IdentityError::MasterKeyMissing { .. }
            | IdentityError::MasterKeyMalformed { .. }
            | IdentityError::WrongMasterKey { .. }
            | IdentityError::NoKeyStore { .. }
            | IdentityError::OtherFormat { .. }
            | IdentityError::Damaged { .. }
            | IdentityError::Busy { .. }
            | IdentityError::Io { .. }
            | IdentityError::KeyMissing { .. }
            | IdentityError::Unopened { .. }) => {
                // Paths and keys are the operator's business: the caller learns only that it cannot be done now.
                tracing::error!(%error, "an identity could not be opened");
                Problem::identity_unavailable()
            }
        }
    }
}

impl From<SuspenseRefusal> for Problem {
    fn from(refusal: SuspenseRefusal) -> Self {
        let (status, title) = match &refusal {
            SuspenseRefusal::RequestIdReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The idempotency key was used for another request",
            ),
            SuspenseRefusal::UnknownReport => (StatusCode::NOT_FOUND, "There is no such report"),
            SuspenseRefusal::AlreadyMatched { .. } => {
                (StatusCode::CONFLICT, "The report is matched already")
            }
            SuspenseRefusal::MatchBegun { .. } => (
                StatusCode::CONFLICT,
                "A match of the report has begun elsewhere",
            ),
            SuspenseRefusal::AlreadyDismissed => {
                (StatusCode::CONFLICT, "The report is dismissed already")
            }
            SuspenseRefusal::NoExecution => (StatusCode::CONFLICT, "The report is of no execution"),
            SuspenseRefusal::OtherInstrument => (
                StatusCode::CONFLICT,
                "The execution is in another instrument",
            ),
        };
        Problem::new(status, refusal.code(), title, refusal.to_string())
    }
}

impl From<ApprovalRefusal> for Problem {
    fn from(refusal: ApprovalRefusal) -> Self {
        let (status, title) = match &refusal {
            ApprovalRefusal::RequestIdReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The idempotency key was used for another request",
            ),
            ApprovalRefusal::UnknownApproval => {
                (StatusCode::NOT_FOUND, "There is no such approval")
            }
            ApprovalRefusal::Lapsed => (StatusCode::CONFLICT, "The approval has lapsed"),
            ApprovalRefusal::WrongStatus { .. } => (
                StatusCode::CONFLICT,
                "The approval is at another point of its life",
            ),
            ApprovalRefusal::OwnRequest { .. } => {
                (StatusCode::CONFLICT, "Another person has to approve")
            }
            ApprovalRefusal::NotTheAsker { .. } => {
                (StatusCode::CONFLICT, "Another person asked for this")
            }
        };
        Problem::new(status, refusal.code(), title, refusal.to_string())
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        let outage = |code, title| {
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                code,
                title,
                error.to_string(),
            )
        };
        match &error {
            AppendError::EventIdReused { .. } => Refusal::RequestIdReused.into(),
            AppendError::Overloaded => {
                outage("overloaded", "More requests than the event log takes")
            }
            AppendError::ReadOnly { .. }
            | AppendError::Unavailable { .. }
            | AppendError::Closed => {
                outage("event-log-unavailable", "The event log cannot be used now")
            }
            AppendError::Unknown { .. } => outage(
                "outcome-unknown",
                "The outcome is unknown: ask again with the same key",
            ),
            AppendError::WrongVersion { .. } => {
                outage("busy", "Others are changing the same position")
            }
            AppendError::TooLarge { .. }
            | AppendError::Empty
            | AppendError::EventIdTwice { .. }
            | AppendError::StreamReserved { .. }
            | AppendError::StreamUnnamed => Problem::bug(&error),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "event-log-unavailable",
            "The event log cannot be used now",
            error.to_string(),
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            r#type: format!("{TYPE_PREFIX}{}", self.code),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        // An event is sealed within a second or so: that conflict ends by itself. Rates are of at least one request a second.
        let passes = self.status == StatusCode::SERVICE_UNAVAILABLE
            || matches!(self.code, "not-sealed-yet" | "too-many-requests");
        if let Some(seconds) = self.retry_after_s.or(passes.then_some(RETRY_AFTER_S)) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

mod access;
#[cfg(test)]
mod catalogue;

#[cfg(test)]
mod tests {
    use super::*;
    use squareoff_store::Position;
    use uuid::Uuid;

    #[test]
    fn what_the_log_says_is_told_apart_by_what_a_caller_can_do() {
        let reason = || "disk".to_owned();
        let stream = || "platform".to_owned();
        let (id, position) = (Uuid::nil(), Position::START);
        let reused = AppendError::EventIdReused {
            id,
            stream: stream(),
            version: 1,
            position,
        };
        let wrong = AppendError::WrongVersion {
            stream: stream(),
            expected: 1,
            actual: 2,
        };
        let large = AppendError::TooLarge {
            what: "append in events",
            actual: 2,
            limit: 1,
        };
        for (error, status, code) in [
            (reused, 422, "idempotency-key-reused"),
            (wrong, 503, "busy"),
            (AppendError::Overloaded, 503, "overloaded"),
            (
                AppendError::ReadOnly { reason: reason() },
                503,
                "event-log-unavailable",
            ),
            (AppendError::Closed, 503, "event-log-unavailable"),
            (
                AppendError::Unknown { reason: reason() },
                503,
                "outcome-unknown",
            ),
            (large, 500, "internal-error"),
            (AppendError::Empty, 500, "internal-error"),
            (AppendError::StreamUnnamed, 500, "internal-error"),
            (AppendError::EventIdTwice { id }, 500, "internal-error"),
        ] {
            let problem = Problem::from(error.clone());
            assert_eq!(
                (problem.status.as_u16(), problem.code),
                (status, code),
                "{error}"
            );
            let response = problem.into_response();
            let retry = response.headers().contains_key(header::RETRY_AFTER);
            assert_eq!(retry, status == 503, "{error}");
        }
        let unread = Problem::from(ReadError::Io { reason: reason() });
        assert_eq!(
            (unread.status.as_u16(), unread.code),
            (503, "event-log-unavailable")
        );
    }

    #[test]
    fn a_mistake_of_ours_keeps_its_words_to_the_log() {
        let problem = Problem::bug("stream position-2026-11-20-C00001 holds garbage");
        assert!(!problem.detail.contains("C00001"), "{}", problem.detail);
    }
}
