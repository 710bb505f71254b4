//! Coming in, going on, going away: for browsers by a cookie, for programs by tokens.

use super::rfc3339;
use crate::auth::logged_in::{COOKIE, check_origin, cookie};
use crate::auth::{Asks, At, Own, Who, logged_in};
use crate::document::values;
use crate::extract::{Json, NoBody};
use crate::problem::Problem;
use crate::server::{App, now};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use squareoff_access::{
    Access, Carried, Credentials, Factor, Granted, Jwk, LogIn, Visit, beside_cookie,
};
use squareoff_domain::people::LogInKind;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(log_in))
        .routes(routes!(refresh))
        .routes(routes!(log_out))
        .routes(routes!(me))
        .routes(routes!(public_keys))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = LogIn)]
#[serde(deny_unknown_fields)]
struct LogInBody {
    account: String,
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    /// Of the authenticator app; this or a recovery code, of both this one.
    #[serde(default, deserialize_with = "optional_secret")]
    #[schema(value_type = Option<String>, example = "492039")]
    code: Option<SecretString>,
    #[serde(default, deserialize_with = "optional_secret")]
    #[schema(value_type = Option<String>)]
    recovery_code: Option<SecretString>,
    #[serde(default)]
    mode: Mode,
}

/// A browser comes in by a cookie, a program by tokens.
#[derive(Deserialize, Default, Clone, Copy, utoipa::ToSchema)]
#[schema(as = LogInMode)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    #[default]
    Cookie,
    Token,
}

impl From<Mode> for LogInKind {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Cookie => LogInKind::Cookie,
            Mode::Token => LogInKind::Token,
        }
    }
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = Refresh)]
#[serde(deny_unknown_fields)]
struct RefreshBody {
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String)]
    refresh_token: SecretString,
}

/// A log-in, as its own person sees it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = LoggedIn)]
pub(super) struct Shown {
    operator: String,
    #[schema(value_type = values::RoleName)]
    role: &'static str,
    #[schema(value_type = Option<values::ClientCode>, required = true)]
    client_code: Option<String>,
    session_id: Uuid,
    #[schema(value_type = values::Instant)]
    begun_at: String,
    /// Whatever is done.
    #[schema(value_type = values::Instant)]
    ends_at: String,
    /// To be sent as `X-CSRF-Token` with whatever changes something; of a cookie alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    csrf_token: Option<String>,
    /// For `Authorization: Bearer`; this and the next three of tokens alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    token_type: Option<&'static str>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, required = false)]
    expires_in: Option<i64>,
    /// Counts once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    refresh_token: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct Me {
    operator: String,
    #[schema(value_type = values::RoleName)]
    role: &'static str,
    #[schema(value_type = Option<values::ClientCode>, required = true)]
    client_code: Option<String>,
    /// None of a development token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = MySession, required = false)]
    session: Option<MySession>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct MySession {
    session_id: Uuid,
    #[schema(value_type = values::Instant)]
    begun_at: String,
    #[schema(value_type = values::Instant)]
    ends_at: String,
    recovery_codes_left: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    csrf_token: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = PublicKeys)]
struct Keys {
    #[schema(value_type = Vec<Object>)]
    keys: Vec<Jwk>,
}

/// Nothing of what was sent is in the message when it is no text.
pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    optional_secret(deserializer)?.ok_or_else(|| serde::de::Error::custom("a secret is missing"))
}

fn optional_secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SecretString>, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => Ok(Some(SecretString::from(text))),
        serde_json::Value::Null => Ok(None),
        _ => Err(serde::de::Error::custom("a secret is not a text")),
    }
}

/// What lets people in.
///
/// # Errors
/// `log-in-unavailable`.
pub(super) fn access(app: &App) -> Result<&Access, Problem> {
    app.access.as_ref().ok_or_else(Problem::log_in_unavailable)
}

/// No cache on the way keeps it.
pub(super) fn not_stored(body: &impl Serialize) -> Response {
    let mut response = axum::Json(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Lets somebody in by account, password and second factor.
///
/// What of them is wrong is not said. A browser gets the cookie `__Host-squareoff`, a program tokens.
#[utoipa::path(
    post,
    path = "/v1/auth/login",
    operation_id = "logIn",
    tag = "Log-in",
    request_body = LogInBody,
    responses((status = 200, description = "They are in", body = Shown)),
    extensions(("x-problems" = json!(["cross-origin", "log-in-refused", "log-in-locked", "log-in-busy", "log-in-unavailable", "event-log-unavailable", "overloaded", "busy", "outcome-unknown"]))),
    security(()),
)]
async fn log_in(
    State(app): State<App>,
    At(visit): At,
    headers: HeaderMap,
    Json(body): Json<LogInBody>,
) -> Result<Response, Problem> {
    check_origin(&headers)?;
    let factor = match (body.code, body.recovery_code) {
        (Some(code), _) => Factor::Code(code),
        (None, Some(code)) => Factor::RecoveryCode(code),
        (None, None) => Factor::None,
    };
    let kind = body.mode.into();
    let credentials = Credentials {
        account: body.account,
        password: body.password,
        factor,
    };
    let access = access(&app)?;
    let granted = access.log_in(credentials, kind, &visit).await?;
    end_before(access, &granted, &headers, &visit).await;
    Ok(granted_to(&granted))
}

/// A browser that has come in forgets the cookie that it had before, whose log-in ends.
pub(super) async fn end_before(
    access: &Access,
    granted: &Granted,
    headers: &HeaderMap,
    visit: &Visit,
) {
    let Some(cookie) = cookie(headers).filter(|_| granted.log_in.kind == LogInKind::Cookie) else {
        return;
    };
    let ended = match access.of_cookie(cookie, visit.now) {
        Ok(Some(before)) => access.log_out(&before, visit).await.map(drop),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    // Whoever came in is in; the other one ends when it has been idle.
    if let Err(error) = ended {
        tracing::warn!(%error, "the log-in that a browser had before was not ended");
    }
}

/// New tokens for a refresh token, which counts once.
///
/// Of an answer that was lost nobody knows, so log in again: a refresh token that comes twice ends the log-in.
#[utoipa::path(
    post,
    path = "/v1/auth/refresh",
    operation_id = "refresh",
    tag = "Log-in",
    request_body = RefreshBody,
    responses((status = 200, description = "New tokens", body = Shown)),
    extensions(("x-problems" = json!(["log-in-refused", "log-in-locked", "log-in-unavailable", "event-log-unavailable", "overloaded", "busy", "outcome-unknown"]))),
    security(()),
)]
async fn refresh(
    State(app): State<App>,
    At(visit): At,
    Json(body): Json<RefreshBody>,
) -> Result<Response, Problem> {
    let token = body.refresh_token.expose_secret();
    let granted = access(&app)?.refresh(token, &visit).await?;
    Ok(granted_to(&granted))
}

/// Ends the log-in that asks.
#[utoipa::path(
    post,
    path = "/v1/auth/logout",
    operation_id = "logOut",
    tag = "Log-in",
    responses((status = 204, description = "It has ended")),
    extensions(("x-problems" = json!(["malformed-request", "sample-log-in", "log-in-unavailable", "event-log-unavailable", "overloaded", "busy", "outcome-unknown"]))),
)]
async fn log_out(
    State(app): State<App>,
    At(visit): At,
    Own(log_in): Own,
    _: NoBody,
) -> Result<Response, Problem> {
    access(&app)?.log_out(&log_in, &visit).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    if log_in.kind == LogInKind::Cookie {
        set_cookie(&mut response, "", "; Max-Age=0");
        // What a page of ours may have kept goes with it.
        response.headers_mut().insert(
            HeaderName::from_static("clear-site-data"),
            HeaderValue::from_static("\"cache\", \"cookies\", \"storage\""),
        );
    }
    Ok(response)
}

/// Who asks, and of a log-in what it needs to go on.
#[utoipa::path(
    get,
    path = "/v1/auth/me",
    operation_id = "me",
    tag = "Log-in",
    responses((status = 200, description = "Whoever asks", body = Me)),
    extensions(("x-problems" = json!(["log-in-unavailable"]))),
)]
async fn me(
    State(app): State<App>,
    who: Who,
    parts: axum::http::request::Parts,
) -> Result<Response, Problem> {
    let session = match logged_in::of(&app, &parts, Asks::Still)? {
        None => None,
        Some(log_in) => {
            let left = access(&app)?.recovery_codes_left(&log_in.operator)?;
            let cookie = cookie(&parts.headers).filter(|_| log_in.kind == LogInKind::Cookie);
            Some(MySession {
                session_id: log_in.id.0,
                begun_at: rfc3339(log_in.begun_at),
                ends_at: rfc3339(log_in.ends_at),
                recovery_codes_left: left,
                csrf_token: cookie.map(beside_cookie),
            })
        }
    };
    Ok(not_stored(&Me {
        operator: who.name.to_string(),
        role: who.role.as_str(),
        client_code: who.client.map(|client| client.to_string()),
        session,
    }))
}

/// What access tokens are checked with by others (RFC 7517).
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    operation_id = "publicKeys",
    tag = "Log-in",
    responses((status = 200, description = "The keys", body = Keys)),
    extensions(("x-problems" = json!(["log-in-unavailable"]))),
    security(()),
)]
async fn public_keys(State(app): State<App>) -> Result<axum::Json<Keys>, Problem> {
    let keys = access(&app)?.public_keys(now()).await?;
    Ok(axum::Json(Keys { keys }))
}

pub(super) fn granted_to(granted: &Granted) -> Response {
    let LogIn {
        id,
        operator,
        role,
        client,
        begun_at,
        ends_at,
        ..
    } = &granted.log_in;
    let mut shown = Shown {
        operator: operator.to_string(),
        role: role.as_str(),
        client_code: client.as_ref().map(ToString::to_string),
        session_id: id.0,
        begun_at: rfc3339(*begun_at),
        ends_at: rfc3339(*ends_at),
        csrf_token: None,
        access_token: None,
        token_type: None,
        expires_in: None,
        refresh_token: None,
    };
    match &granted.carried {
        Carried::Cookie { beside, .. } => {
            shown.csrf_token = Some(beside.expose_secret().to_owned());
        }
        Carried::Tokens {
            access,
            access_s,
            refresh,
        } => {
            shown.access_token = Some(access.expose_secret().to_owned());
            shown.token_type = Some("Bearer");
            shown.expires_in = Some(*access_s);
            shown.refresh_token = Some(refresh.expose_secret().to_owned());
        }
    }
    let mut response = not_stored(&shown);
    if let Carried::Cookie { cookie, .. } = &granted.carried {
        set_cookie(&mut response, cookie.expose_secret(), "");
    }
    response
}

/// Without an age of its own: the browser forgets it when it is closed, and we do with the day.
fn set_cookie(response: &mut Response, value: &str, more: &str) {
    let text = format!("{COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Strict{more}");
    let mut value = HeaderValue::from_str(&text).expect("a token has visible ASCII letters alone");
    value.set_sensitive(true);
    response.headers_mut().append(header::SET_COOKIE, value);
}
