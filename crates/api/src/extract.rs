//! Reading a request: each mistake becomes a problem that names what is wrong.

use crate::problem::Problem;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use squareoff_domain::RequestId;
use std::error::Error;
use uuid::Uuid;

/// Largest body of a request, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Longest Idempotency-Key, in bytes.
const KEY_BYTES_MAX: usize = 128;
/// Namespace of the request ids made from idempotency keys. Never change it: a retry would be another request.
const REQUESTS: Uuid = Uuid::from_u128(0x5b6e_5a0e_6f1c_4b0e_9d57_1d6a_3c1f_0a11);

/// A body that is one JSON object.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let axum::Json(whole) = axum::Json::<Box<RawValue>>::from_request(request, state).await?;
        // An array would be read as the fields in their order, names and all their safety left out.
        if !whole.get().starts_with('{') {
            return Err(Problem::malformed("the body is not a JSON object"));
        }
        let axum::Json(value) = axum::Json::from_bytes(whole.get().as_bytes())?;
        Ok(Json(value))
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        match &rejection {
            JsonRejection::JsonDataError(error) => Problem::malformed(reason(error)),
            JsonRejection::JsonSyntaxError(error) => {
                Problem::malformed(format!("the body is not JSON: {}", innermost(error)))
            }
            JsonRejection::MissingJsonContentType(_) => Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not-json",
                "The body is not JSON",
                "send `Content-Type: application/json`",
            ),
            _ if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body-too-large",
                "The body is too large",
                format!("a body may have at most {BODY_BYTES_MAX} bytes"),
            ),
            _ => Problem::malformed("the body broke off before its end"),
        }
    }
}

/// What was wrong with a value, beginning with its field: the library's own words without its frame around them.
fn reason(error: &dyn Error) -> String {
    let text = innermost(error);
    // The place in the body says nothing that the field's name does not.
    let text = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(text, _)| text);
    let is_field = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    match text.split_once(": ") {
        Some((_, rest)) if rest.starts_with("unknown field") => rest.to_owned(),
        Some((field, rest)) if is_field(field) => {
            format!(
                "`{field}`: {}",
                rest.replacen("unknown variant", "unknown value", 1)
            )
        }
        _ => text.to_owned(),
    }
}

fn innermost(error: &dyn Error) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

/// Query parameters.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub struct Query<T>(pub T);

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Problem::invalid_parameter(reason(&rejection))
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
        RequestId(Uuid::new_v5(
            &REQUESTS,
            format!("{actor}\n{}", self.0).as_bytes(),
        ))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let refuse = |code, detail: String| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                code,
                "The idempotency key is missing or unusable",
                detail,
            )
        };
        let mut headers = parts.headers.get_all("idempotency-key").iter();
        let Some(header) = headers.next() else {
            return Err(refuse(
                "idempotency-key-missing",
                "send an Idempotency-Key header, a new UUID for each new request".into(),
            ));
        };
        let usable = |key: &&str| {
            (1..=KEY_BYTES_MAX).contains(&key.len())
                && key.bytes().all(|byte| byte.is_ascii_graphic())
        };
        // Of two keys nobody can say which one a retry will repeat.
        let alone = headers.next().is_none();
        let key = header.to_str().ok().filter(usable).filter(|_| alone);
        let expected = || {
            format!("send one Idempotency-Key, of 1 to {KEY_BYTES_MAX} visible ASCII characters")
        };
        key.map(|key| IdempotencyKey(key.to_owned()))
            .ok_or_else(|| refuse("idempotency-key-invalid", expected()))
    }
}
