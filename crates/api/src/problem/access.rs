//! Why somebody is not let in, as an answer.

use super::Problem;
use axum::http::StatusCode;
use squareoff_access::AccessError;
use squareoff_domain::people::PersonRefusal;

/// Seconds behind which a full queue of log-ins is worth another try: it is worked off in some ten.
const BUSY_RETRY_AFTER_S: u32 = 2;

impl Problem {
    /// This process lets nobody in.
    pub fn log_in_unavailable() -> Self {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "log-in-unavailable",
            "Nobody can log in now",
            "the API's log says what is missing; whoever is logged in already may go on",
        )
    }
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        let detail = error.to_string();
        let of = |status, code, title| Problem::new(status, code, title, detail);
        match error {
            AccessError::Busy(_) => Problem {
                retry_after_s: Some(BUSY_RETRY_AFTER_S),
                ..of(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "log-in-busy",
                    "Too many log in at once",
                )
            },
            AccessError::Locked { wait_s } => Problem {
                retry_after_s: Some(wait_s),
                ..of(
                    StatusCode::TOO_MANY_REQUESTS,
                    "log-in-locked",
                    "Too many attempts failed",
                )
            },
            AccessError::Refused => of(
                StatusCode::UNAUTHORIZED,
                "log-in-refused",
                "The log-in is refused",
            ),
            AccessError::PasswordWrong => of(
                StatusCode::UNPROCESSABLE_ENTITY,
                "password-wrong",
                "The password is not right",
            ),
            AccessError::CodeWrong => of(
                StatusCode::UNPROCESSABLE_ENTITY,
                "code-wrong",
                "The code is not right",
            ),
            AccessError::Password(_) => of(
                StatusCode::UNPROCESSABLE_ENTITY,
                "password-unfit",
                "This cannot be a password",
            ),
            AccessError::NoSuchLogIn => of(
                StatusCode::NOT_FOUND,
                "unknown-session",
                "There is no such session",
            ),
            AccessError::Person(refusal) => refusal.into(),
            AccessError::FirstSecretGone => of(
                StatusCode::CONFLICT,
                "first-secret-gone",
                "What was handed over is of no use any more",
            ),
            AccessError::Changed { stream, version } => crate::if_match::changed(&stream, version),
            AccessError::Secrets(error) => {
                // Paths are the operator's business.
                tracing::error!(%error, "the secrets file failed");
                Problem::log_in_unavailable()
            }
            AccessError::Load(error) => crate::decide::unread(error),
            AccessError::Append(error) => error.into(),
            AccessError::Contended { .. } => of(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "Others are changing the same position",
            ),
        }
    }
}

impl From<PersonRefusal> for Problem {
    fn from(refusal: PersonRefusal) -> Self {
        let (status, title) = match &refusal {
            PersonRefusal::RequestIdReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The idempotency key was used for another request",
            ),
            PersonRefusal::ReasonMissing => {
                (StatusCode::UNPROCESSABLE_ENTITY, "A reason is needed")
            }
            PersonRefusal::HoldsPan => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The reason holds personal data",
            ),
            PersonRefusal::NotAName => (StatusCode::UNPROCESSABLE_ENTITY, "This cannot be a name"),
            PersonRefusal::OwnRights => (StatusCode::CONFLICT, "Nobody changes their own rights"),
            PersonRefusal::AlreadyEnrolled { .. } => {
                (StatusCode::CONFLICT, "Somebody has this name already")
            }
            PersonRefusal::UnknownOperator { .. } => {
                (StatusCode::NOT_FOUND, "Nobody is enrolled under this name")
            }
            PersonRefusal::ClientMismatch => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "Name, role and client code do not fit together",
            ),
            PersonRefusal::Disabled { .. } => (StatusCode::CONFLICT, "The account is disabled"),
            PersonRefusal::NotDisabled { .. } => {
                (StatusCode::CONFLICT, "The account is not disabled")
            }
            PersonRefusal::SameRole { .. } => (StatusCode::CONFLICT, "The role is the same"),
        };
        Problem::new(status, refusal.code(), title, refusal.to_string())
    }
}
