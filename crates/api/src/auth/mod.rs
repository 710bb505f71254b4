//! Who is asking: [`authenticate`] is the one place that says so, once per request: by a log-in, or by a development token where sample
//! log-ins are allowed.

mod development;
pub mod logged_in;

pub use development::{DevelopmentKey, KeyError};
pub use logged_in::{Asks, At, Own};

use crate::problem::Problem;
use crate::server::App;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use squareoff_domain::{ClientCode, Role};
use std::sync::Arc;

/// Whoever asks, as the platform knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// Stands in every event that comes of the request.
    pub name: Arc<str>,
    pub role: Role,
    /// Whose positions and orders there are for an investor; of nobody else.
    pub client: Option<ClientCode>,
}

/// The name of whoever asks.
#[derive(Debug, Clone)]
pub struct Actor(pub Arc<str>);

/// # Errors
/// `unauthenticated`, and why; of a cookie also that the request comes from another site's page.
#[allow(
    clippy::unused_async,
    reason = "tokens that are looked up wait for the log"
)]
pub async fn authenticate(app: &App, parts: &Parts, asks: Asks) -> Result<Who, Problem> {
    if let Some(log_in) = logged_in::of(app, parts, asks)? {
        return Ok(Who {
            name: log_in.operator.as_str().into(),
            role: log_in.role,
            client: log_in.client,
        });
    }
    if !parts.headers.contains_key(header::AUTHORIZATION) {
        return Err(unauthenticated(
            "log in, or send `Authorization: Bearer <token>`",
        ));
    }
    let actor = bearer(parts)
        .filter(|_| app.sample_log_ins)
        .and_then(|token| app.key.actor(token))
        .ok_or_else(|| unauthenticated("the bearer token is not valid"))?;
    development::who(&actor).map_err(|error| unauthenticated(error.to_string()))
}

/// The token of `Authorization: Bearer <token>`.
fn bearer(parts: &Parts) -> Option<&str> {
    let header = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

fn unauthenticated(detail: impl Into<String>) -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "Who is asking is not known",
        detail,
    )
}

/// As the guard found them; a handler that no guard stands before answers nobody.
impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let who = parts.extensions.get::<Who>().cloned();
        who.ok_or_else(|| Problem::bug("a route has no guard"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Actor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let who = Who::from_request_parts(parts, state).await?;
        Ok(who.actor())
    }
}

impl Who {
    pub fn actor(&self) -> Actor {
        Actor(self.name.clone())
    }
}
