//! Reading a request: each mistake becomes a problem that names what is wrong.

use crate::problem::Problem;
use axum::body::Bytes;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Deserializer, Unexpected, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use squareoff_domain::platform::HaltScope;
use squareoff_domain::{Price, Quantity, Refusal, RequestId, Segment, Timestamp, Venue};
use std::error::Error;
use std::fmt;
use std::str::FromStr;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
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

/// A body that may be missing: nothing, `null` and an object without fields are `None`.
pub struct OptionalJson<T>(pub Option<T>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let body = whole(Request::from_parts(parts.clone(), body), state).await?;
        if says_nothing(&body) {
            return Ok(OptionalJson(None));
        }
        let Json(value) =
            Json::from_request(Request::from_parts(parts, body.into()), state).await?;
        Ok(OptionalJson(Some(value)))
    }
}

/// Of a request that takes no body: nothing, or an object or `null` that says nothing. What such a body asks for would not be done.
pub struct NoBody;

impl<S: Send + Sync> FromRequest<S> for NoBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if says_nothing(&whole(request, state).await?) {
            return Ok(NoBody);
        }
        Err(Problem::malformed("this request takes no body"))
    }
}

/// The whole body, if it is within [`BODY_BYTES_MAX`].
pub(crate) async fn whole<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    let whole = Bytes::from_request(request, state).await;
    whole.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => broken_off(),
    })
}

fn says_nothing(body: &[u8]) -> bool {
    let nothing = |value: &Value| {
        value.is_null() || value.as_object().is_some_and(|fields| fields.is_empty())
    };
    body.trim_ascii().is_empty() || serde_json::from_slice(body).is_ok_and(|value| nothing(&value))
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
            _ if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => too_large(),
            _ => broken_off(),
        }
    }
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body-too-large",
        "The body is too large",
        format!("a body may have at most {BODY_BYTES_MAX} bytes"),
    )
}

fn broken_off() -> Problem {
    Problem::malformed("the body broke off before its end")
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

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        OptionalIdempotencyKey::from_request_parts(parts, state)
            .await?
            .needed()
    }
}

impl OptionalIdempotencyKey {
    /// # Errors
    /// `idempotency-key-missing`.
    pub fn needed(self) -> Result<IdempotencyKey, Problem> {
        let expected = "send an Idempotency-Key header, a new UUID for each new request";
        self.0
            .ok_or_else(|| unkeyed("idempotency-key-missing", expected.into()))
    }
}

fn unkeyed(code: &'static str, detail: String) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        code,
        "The idempotency key is missing or unusable",
        detail,
    )
}

/// One that is there has to be usable, whether or not it is needed.
impl<S: Send + Sync> FromRequestParts<S> for OptionalIdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut headers = parts.headers.get_all("idempotency-key").iter();
        let Some(header) = headers.next() else {
            return Ok(OptionalIdempotencyKey(None));
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
        key.map(|key| OptionalIdempotencyKey(Some(IdempotencyKey(key.to_owned()))))
            .ok_or_else(|| unkeyed("idempotency-key-invalid", expected()))
    }
}

/// As the document tells of it.
impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![idempotency_key(Required::True)]
    }
}

/// Of a request that needs the key only for a part of what can be asked.
pub struct OptionalIdempotencyKey(Option<IdempotencyKey>);

impl IntoParams for OptionalIdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![idempotency_key(Required::False)]
    }
}

fn idempotency_key(required: Required) -> Parameter {
    let key = ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .pattern(Some(format!("^[!-~]{{1,{KEY_BYTES_MAX}}}$")))
        .examples(["0b0f7c7e-2f1f-4b59-9a53-5f1f6a2d9c11"]);
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(required)
        .description(Some(
            "A new UUID for each new request; with who asks it names the request for ever",
        ))
        .schema(Some(key.build()))
        .build()
}

/// The longest reason, in characters: some sentences, in any script.
const REASON_CHARS_MAX: usize = 500;

/// Why a person asks for something, in their words.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Reason(pub String);

impl TryFrom<String> for Reason {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.chars().count() > REASON_CHARS_MAX || text.chars().any(char::is_control) {
            let max = REASON_CHARS_MAX;
            return Err(format!(
                "a reason has at most {max} characters and none that control"
            ));
        }
        Ok(Reason(text))
    }
}

impl Reason {
    /// # Errors
    /// `reason-missing` when there is nothing in it.
    pub fn given(self) -> Result<String, Problem> {
        if self.0.trim().is_empty() {
            Err(Refusal::ReasonMissing.into())
        } else {
            Ok(self.0)
        }
    }
}

/// What a kill switch is about: `all`, `NSE`, `NSE/FO`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub struct Scope(pub HaltScope);

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let scope =
            match text.split_once('/') {
                None if text == "all" => Some(HaltScope::All),
                None => text.parse().ok().map(HaltScope::Venue),
                Some((venue, segment)) => venue.parse().ok().zip(segment.parse().ok()).map(
                    |(venue, segment): (Venue, Segment)| HaltScope::Segment { venue, segment },
                ),
            };
        scope.map(Scope).ok_or_else(|| {
            format!("`{text}` is not a scope: all, a venue (NSE), or a venue's segment (NSE/FO)")
        })
    }
}

impl TryFrom<String> for Scope {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// An instant, RFC 3339 with any offset.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub struct Time(pub Timestamp);

/// # Errors
/// What it should have been.
pub fn instant(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| format!("`{text}` is not a time of the form 2026-11-20T09:47:00+05:30"))
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let nanoseconds = i64::try_from(instant(text)?.unix_timestamp_nanos());
        nanoseconds
            .map(|nanoseconds| Time(Timestamp(nanoseconds)))
            .map_err(|_| format!("`{text}` is not a time between 1678 and 2261"))
    }
}

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Rupees as text; absent or null is none.
///
/// # Errors
/// What else it is.
pub fn limit_price<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Price>, D::Error> {
    struct Expected;

    impl Visitor<'_> for Expected {
        type Value = Option<Price>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("rupees as text, such as \"1402.50\"")
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            text.parse().map(Some).map_err(E::custom)
        }
    }

    deserializer.deserialize_any(Expected)
}

/// Of a number that is written with a fraction, as some programs write every number: 20.0 is 20. Less than zero is zero, as above.
pub fn whole_units(number: f64) -> Option<u64> {
    let whole = number.fract() == 0.0 && number <= Quantity::MAX.units() as f64;
    // Below 2^53, where every whole number is exact.
    whole.then_some(number.max(0.0) as u64)
}

/// A whole number of units; absent or null is none. Less than zero is refused as zero is: by the rule, in its place.
///
/// # Errors
/// What else it is.
pub fn units<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    struct Expected;

    impl Visitor<'_> for Expected {
        type Value = Option<u64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a whole number of units up to {}", Quantity::MAX)
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_u64<E: de::Error>(self, units: u64) -> Result<Self::Value, E> {
            Ok(Some(units))
        }

        fn visit_i64<E: de::Error>(self, units: i64) -> Result<Self::Value, E> {
            Ok(Some(u64::try_from(units).unwrap_or(0)))
        }

        fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
            let units = whole_units(number);
            units
                .map(Some)
                .ok_or_else(|| E::invalid_type(Unexpected::Float(number), &self))
        }
    }

    deserializer.deserialize_any(Expected)
}
