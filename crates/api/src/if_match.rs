//! `ETag` and `If-Match`: what was seen of a position, an order, the platform, a bulk, an approval or somebody who may log in, and a change
//! asked for on the condition that it is still so.
//!
//! A tag is the version of the resource's stream. It still matches while what was seen is the same, whatever else came into the stream.

use crate::auth::Actor;
use crate::extract::IdempotencyKey;
use crate::problem::Problem;
use crate::server::App;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode, header};
use squareoff_domain::RequestId;
use squareoff_domain::approval::Approval;
use squareoff_domain::bulk::Bulk;
use squareoff_domain::platform::Platform;
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

/// Who asks, under which key, and what they saw: what the requests to the platform, to bulks, approvals and people have alike.
pub struct Asking {
    pub actor: Actor,
    key: IdempotencyKey,
    pub seen: IfMatch,
}

impl Asking {
    pub fn request_id(&self) -> RequestId {
        self.key.request_id(&self.actor.0)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asking {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Asking {
            actor: Actor::from_request_parts(parts, state).await?,
            key: IdempotencyKey::from_request_parts(parts, state).await?,
            seen: IfMatch::from_request_parts(parts, state).await?,
        })
    }
}

/// As the document tells of it.
impl IntoParams for Asking {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = IdempotencyKey::into_params(&place);
        parameters.extend(IfMatch::into_params(&place));
        parameters
    }
}

/// What the caller saw: the stream's state as it was at that version.
pub async fn seen<A: Aggregate>(app: &App, stream: &str, version: u64) -> Result<A, Problem> {
    let (mut state, mut from) = (A::default(), 1);
    while from <= version {
        let page = app.store.read_stream(stream, from, PAGE).await?;
        let Some(last) = page.last() else {
            // Nobody can have seen what is still to come: it is like nothing that there is.
            return Ok(A::default());
        };
        from = last.version + 1;
        for stored in page.iter().filter(|stored| stored.version <= version) {
            let event = LogEvent::decode(stored).map_err(Problem::bug)?;
            state = state.evolve(&event);
        }
    }
    Ok(state)
}

/// Whether the platform is as it was seen. What is told of the markets and of books is no decision of anybody's, and comes all the time.
pub fn is_platform_as_seen(seen: &Platform, now: &Platform) -> bool {
    let decided = |platform: &Platform| Platform {
        markets: Default::default(),
        books: Default::default(),
        requests: Default::default(),
        ..platform.clone()
    };
    decided(seen) == decided(now)
}

/// Whether the bulk stands where it was seen. How far its worker has come is not what people decide on.
pub fn is_bulk_as_seen(seen: &Bulk, now: &Bulk) -> bool {
    let stands = |bulk: &Bulk| (bulk.status, bulk.approved_by.clone(), bulk.counts.listed);
    stands(seen) == stands(now)
}

/// Whether the approval stands where it was seen.
pub fn is_approval_as_seen(seen: &Approval, now: &Approval) -> bool {
    (seen.status, &seen.approved_by) == (now.status, &now.approved_by)
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
