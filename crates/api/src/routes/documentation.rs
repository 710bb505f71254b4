//! `/v1/openapi.json`, `/docs` and `/problems`: what the API is, for programs and for people. Open to all: they say nothing of clients.

use crate::document::{finish, page};
use crate::server::App;
use axum::Extension;
use axum::body::Bytes;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use std::sync::Arc;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(openapi))
        .routes(routes!(docs))
        .routes(routes!(problems))
        .routes(routes!(style))
}

/// Made once, when the router is.
#[derive(Clone)]
pub struct Pages(Arc<Made>);

struct Made {
    openapi: Bytes,
    docs: Bytes,
    problems: Bytes,
}

impl Pages {
    pub fn of(described: OpenApi) -> Self {
        let document = finish(described);
        Pages(Arc::new(Made {
            openapi: document.to_string().into(),
            docs: page::docs(&document).into(),
            problems: page::problems().into(),
        }))
    }
}

/// Nothing of a page comes from elsewhere, and nothing in it runs.
const PAGE: [(HeaderName, &str); 3] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// This description: OpenAPI 3.1.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    operation_id = "openapi",
    tag = "Documentation",
    responses((status = 200, description = "The document", body = Object, content_type = "application/json")),
    security(()),
)]
async fn openapi(Extension(pages): Extension<Pages>) -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, pages.0.openapi.clone())
}

/// This description, as a page.
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "docs",
    tag = "Documentation",
    responses((status = 200, description = "The page", body = String, content_type = "text/html")),
    security(()),
)]
async fn docs(Extension(pages): Extension<Pages>) -> impl IntoResponse {
    (PAGE, pages.0.docs.clone())
}

/// Every type of problem, as a page; the last part of a `type` is its anchor.
#[utoipa::path(
    get,
    path = "/problems",
    operation_id = "problems",
    tag = "Documentation",
    responses((status = 200, description = "The page", body = String, content_type = "text/html")),
    security(()),
)]
async fn problems(Extension(pages): Extension<Pages>) -> impl IntoResponse {
    (PAGE, pages.0.problems.clone())
}

/// How the pages look.
#[utoipa::path(
    get,
    path = "/docs/style.css",
    operation_id = "style",
    tag = "Documentation",
    responses((status = 200, description = "The style sheet", body = String, content_type = "text/css")),
    security(()),
)]
async fn style() -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];
    (kind, include_str!("../document/style.css"))
}
