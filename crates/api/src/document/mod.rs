//! The API's description, made from its own code: each handler's attribute says what it takes and gives, `finish` adds what all of
//! them have in common. Served as OpenAPI 3.1 and as pages (`routes::documentation`), kept at docs/openapi.json.
//!
//! 1. What is served is described: a route is registered with its description or not at all (`server::routes`).
//! 2. A handler names the problems of its own; those that come of its arguments (no token, no key, a body that can't be read) are
//!    added here, each under its status.

mod common;
pub mod page;
pub mod values;

use crate::server;
use serde_json::Value;
use utoipa::openapi::OpenApi;

/// The description of every route, as it is kept and served.
pub fn document() -> Value {
    finish(server::routes().into_openapi())
}

/// What the handlers say, with what is common to them.
pub fn finish(described: OpenApi) -> Value {
    common::complete(described)
}
