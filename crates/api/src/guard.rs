//! What every request passes before its handler: who asks, and whether they may. Handlers find [`Who`] in the request.
//!
//! 1. A route without a row in [`crate::rights`] is nobody's.
//! 2. Who asks is said once, by [`authenticate`].
//! 3. What was refused to somebody who wanted to change something goes into the audit trail.

use crate::auth::{Asks, Who, authenticate};
use crate::extract::IdempotencyKey;
use crate::problem::Problem;
use crate::refusals::Asked;
use crate::rights::{self, Action, Needs};
use crate::server::App;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use squareoff_domain::RequestId;
use uuid::Uuid;

/// A layer of the routes, so that the path is known as the router has it.
///
/// # Errors
/// `method-not-allowed`, `unauthenticated`, `too-many-requests`, `not-allowed`.
pub async fn guard(
    State(app): State<App>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let path = path.as_ref().map_or("", MatchedPath::as_str);
    let row = rights::row(request.method(), path);
    let action = match row {
        Some((_, _, Needs::Nothing)) => return Ok(next.run(request).await),
        Some((_, _, Needs::Right(action))) => Some(*action),
        None if rights::has_path(path) => return Err(method_not_allowed()),
        None => None,
    };
    let (mut parts, body) = request.into_parts();
    let who = authenticate(&app, &parts, Asks::Now).await?;
    app.limits.person(&who.name)?;
    let allowed = match action {
        Some(action) => check(&who, action),
        None => Err(refused(
            "no right is given for this route, so nobody may use it".to_owned(),
        )),
    };
    if let Err(problem) = allowed {
        return keep(&app, &who, action, &mut parts, problem).await;
    }
    parts.extensions.insert(who);
    Ok(next.run(Request::from_parts(parts, body)).await)
}

/// # Errors
/// `not-allowed`, which names the action and whom it takes.
fn check(who: &Who, action: Action) -> Result<(), Problem> {
    if who.may(action) {
        return Ok(());
    }
    let roles: Vec<_> = action.roles().iter().map(|role| role.as_str()).collect();
    let takes = match roles.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => "nobody".to_owned(),
    };
    let (name, role) = (&who.name, who.role);
    Err(refused(format!(
        "`{action}` takes the role {takes}; {name} has the role {role}"
    )))
}

pub(crate) fn refused(detail: String) -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "not-allowed",
        "The role does not allow this",
        detail,
    )
}

fn method_not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "The resource has no such method",
        "see the Allow header",
    )
}

/// Who looks where they may not leaves no event; who wanted to change something does.
async fn keep(
    app: &App,
    who: &Who,
    action: Option<Action>,
    parts: &mut Parts,
    problem: Problem,
) -> Result<Response, Problem> {
    let what = action.map_or("unknown", Action::as_str);
    if parts.method == Method::GET || parts.method == Method::HEAD {
        return Err(problem);
    }
    let key = IdempotencyKey::from_request_parts(parts, app).await;
    let request_id = key.map_or_else(
        |_| RequestId(Uuid::now_v7()),
        |key| key.request_id(&who.name),
    );
    let asked = Asked::of_desk(what, request_id);
    app.keep(&who.actor(), &asked, Err(problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::DevelopmentKey;
    use crate::bulk::SessionClose;
    use crate::server::Settings;
    use axum::Router;
    use axum::body::Body;
    use axum::http::header;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use squareoff_projections::Database;
    use squareoff_store::EventStore;
    use tower::ServiceExt;

    const PATH: &str = "/v1/forgotten";

    async fn status(router: Router, token: &str) -> StatusCode {
        let request = axum::http::Request::get(PATH)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::empty())
            .unwrap();
        router.oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn a_route_that_nobody_gave_a_row_is_nobodys_and_without_the_guard_it_answers_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let store = EventStore::open(&folder.path().join("log")).unwrap();
        let nowhere = Database::from_url("postgres://nobody@127.0.0.1:1/nothing").unwrap();
        let key = DevelopmentKey::load_or_create(&folder.path().join("key")).unwrap();
        let settings = Settings {
            reference_age_max_s: 1,
            venue_message_rate: 1,
            caller_verification: true,
            approval_notional: None,
            caller_verification_minutes: 1,
            session_close: SessionClose::default(),
        };
        let mut app = App::start(store, nowhere.pool(1), key.clone(), settings);
        app.sample_log_ins = true;
        let open = Router::new().route(PATH, get(async |who: Who| who.name.to_string()));
        let guarded = open
            .clone()
            .route_layer(from_fn_with_state(app.clone(), guard));
        for name in [
            "desk-asha",
            "supervisor-ravi",
            "investor-c00001",
            "auditor-meera",
            "admin-kiran",
            "machine-feed",
        ] {
            let token = key.token(name).unwrap();
            assert_eq!(status(guarded.clone(), &token).await, StatusCode::FORBIDDEN);
            assert_eq!(
                status(open.clone(), &token).await,
                StatusCode::INTERNAL_SERVER_ERROR
            );
        }
        assert_eq!(
            status(guarded, "sqo.desk-asha.00").await,
            StatusCode::UNAUTHORIZED
        );
    }
}
