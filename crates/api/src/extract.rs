//! Reading a request: each mistake becomes a problem that names what is wrong.

use crate::problem::Problem;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use squareoff_domain::RequestId;
use uuid::Uuid;

/// Largest body of a request, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Longest Idempotency-Key, in bytes.
const KEY_BYTES_MAX: usize = 128;
/// Namespace of the request ids made from idempotency keys. Never change it: a retry would be another request.
const REQUESTS: Uuid = Uuid::from_u128(0x5b6e_5a0e_6f1c_4b0e_9d57_1d6a_3c1f_0a11);

/// A JSON body.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub struct Json<T>(pub T);

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let detail = rejection.body_text();
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body-too-large",
                "The body is too large",
                format!("a body may have at most {BODY_BYTES_MAX} bytes"),
            ),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not-json",
                "The body is not JSON",
                "send `Content-Type: application/json`",
            ),
            _ => Problem::malformed(detail),
        }
    }
}

/// Query parameters.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub struct Query<T>(pub T);

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Problem::invalid_parameter(rejection.body_text())
    }
}

/// Parts of the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub struct Path<T>(pub T);

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Problem::invalid_parameter(rejection.body_text())
    }
}

/// The Idempotency-Key header: with the actor it names a request for ever.
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The same actor and key always name the same request; another actor's same key is another request.
    pub fn request_id(&self, actor: &str) -> RequestId {
        RequestId(Uuid::new_v5(&REQUESTS, format!("{actor}\n{}", self.0).as_bytes()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let refuse = |code, detail: String| Problem::new(StatusCode::BAD_REQUEST, code, "The idempotency key is missing or unusable", detail);
        let Some(header) = parts.headers.get("idempotency-key") else {
            return Err(refuse("idempotency-key-missing", "send an Idempotency-Key header, a new UUID for each new request".into()));
        };
        let key = header.to_str().ok().filter(|key| (1..=KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()));
        let expected = || format!("an Idempotency-Key is 1 to {KEY_BYTES_MAX} visible ASCII characters");
        key.map(|key| IdempotencyKey(key.to_owned())).ok_or_else(|| refuse("idempotency-key-invalid", expected()))
    }
}

