//! `ETag` and `If-Match`: what was seen of a position or an order, and a change asked for on the condition that it is still so.
//!
//! A tag is the version of the position's stream. It still matches while what was seen is the same, whatever else came into the stream.

use crate::problem::Problem;
use crate::server::App;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode, header};
use squareoff_domain::position::{Position, Request};
use squareoff_store::{Aggregate, codec::LogEvent};
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

/// Events of one read.
const PAGE: usize = 1_000;

/// The header of an answer that shows a resource.
pub fn etag(version: impl std::fmt::Display) -> [(HeaderName, String); 1] {
    [(header::ETAG, format!("\"{version}\""))]
}

/// The version that the caller saw; `None` when the change is asked for whatever it is about has become.
#[derive(Debug, Clone, Copy)]
pub struct IfMatch(pub Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut headers = parts.headers.get_all(header::IF_MATCH).iter();
        let Some(value) = headers.next() else {
            return Ok(IfMatch(None));
        };
        // An empty header says nothing.
        if value.is_empty() || value == "*" {
            return Ok(IfMatch(None));
        }
        let text = value.to_str().unwrap_or_default();
        let tag = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        let digits = |tag: &&str| !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_digit());
        let version = tag.filter(digits).and_then(|tag| tag.parse().ok());
        let alone = headers.next().is_none();
        version.filter(|_| alone).map_or_else(
            || {
                let expected = "`If-Match`: send the `ETag` that the resource had, or `*`";
                Err(Problem::invalid_parameter(expected))
            },
            |version| Ok(IfMatch(Some(version))),
        )
    }
}

impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let tag = ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::String))
            .pattern(Some(r#"^(\*|"[0-9]{1,18}")$"#))
            .examples(["\"9\""]);
        let parameter = ParameterBuilder::new()
            .name("If-Match")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some("The `ETag` that was seen: the change is refused when what it is about has changed since"))
            .schema(Some(tag.build()))
            .build();
        vec![parameter]
    }
}

/// What the caller saw: the position as it was at that version.
pub async fn seen(app: &App, stream: &str, version: u64) -> Result<Position, Problem> {
    let (mut position, mut from) = (Position::default(), 1);
    while from <= version {
        let page = app.store.read_stream(stream, from, PAGE).await?;
        let Some(last) = page.last() else {
            // Nobody can have seen what is still to come: it is like nothing that there is.
            return Ok(Position::default());
        };
        from = last.version + 1;
        for stored in page.iter().filter(|stored| stored.version <= version) {
            let event = LogEvent::decode(stored).map_err(Problem::bug)?;
            position = Aggregate::evolve(position, &event);
        }
    }
    Ok(position)
}

/// Whether what the request is about is as it was seen.
pub fn is_as_seen(seen: &Position, now: &Position, request: &Request) -> bool {
    match request {
        Request::Cancel {
            order: Some(order), ..
        }
        | Request::Modify { order, .. }
        | Request::ResolveInDoubt { order, .. } => seen.orders.get(order) == now.orders.get(order),
        Request::SquareOff { .. }
        | Request::Cancel { order: None, .. }
        | Request::Freeze { .. }
        | Request::Unfreeze { .. }
        | Request::HandBack { .. } => seen == now,
    }
}

pub fn changed(stream: &str, version: u64) -> Problem {
    Problem::new(
        StatusCode::PRECONDITION_FAILED,
        "resource-changed",
        "The resource has changed",
        format!("{stream} is not as it was at version {version}"),
    )
}
