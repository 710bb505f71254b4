//! Coming in, going on, going away: for browsers by a cookie, for programs by tokens.

use super::rfc3339;
use crate::auth::logged_in::{COOKIE, check_origin, cookie};
use crate::auth::{At, Own, Who, logged_in};
use crate::extract::{Json, NoBody};
use crate::problem::Problem;
use crate::server::{App, now};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use squareoff_access::{Access, Carried, Credentials, Factor, Granted, Jwk, LogIn, beside_cookie};
use squareoff_domain::people::LogInKind;

pub fn router() -> Router<App> {
    Router::new()
        .route("/login", post(log_in))
        .route("/refresh", post(refresh))
        .route("/logout", post(log_out))
        .route("/me", get(me))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogInBody {
    account: String,
    #[serde(deserialize_with = "secret")]
    password: SecretString,
    #[serde(default, deserialize_with = "optional_secret")]
    code: Option<SecretString>,
    #[serde(default, deserialize_with = "optional_secret")]
    recovery_code: Option<SecretString>,
    #[serde(default)]
    mode: Mode,
}

#[derive(Deserialize, Default, Clone, Copy)]
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefreshBody {
    #[serde(deserialize_with = "secret")]
    refresh_token: SecretString,
}

/// A log-in, as its own person sees it.
#[derive(Serialize)]
struct Shown {
    operator: String,
    role: &'static str,
    client_code: Option<String>,
    session_id: String,
    begun_at: String,
    /// Whatever is done.
    ends_at: String,
    /// To be sent as `X-CSRF-Token` with whatever changes something; of a cookie alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    csrf_token: Option<String>,
    #[serde(flatten)]
    tokens: Option<Tokens>,
}

#[derive(Serialize)]
struct Tokens {
    access_token: String,
    token_type: &'static str,
    /// Seconds.
    expires_in: i64,
    refresh_token: String,
}

#[derive(Serialize)]
struct Me {
    operator: String,
    role: &'static str,
    client_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<MySession>,
}

#[derive(Serialize)]
struct MySession {
    session_id: String,
    begun_at: String,
    ends_at: String,
    recovery_codes_left: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    csrf_token: Option<String>,
}

#[derive(Serialize)]
struct Keys {
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

async fn log_in(
    State(app): State<App>,
    At(visit): At,
    headers: HeaderMap,
    Json(body): Json<LogInBody>,
) -> Result<Response, Problem> {
    check_origin(&headers)?;
    let factor = match (body.code, body.recovery_code) {
        (Some(code), None) => Factor::Code(code),
        (None, Some(code)) => Factor::RecoveryCode(code),
        (None, None) => Factor::None,
        (Some(_), Some(_)) => {
            return Err(Problem::malformed("`code` or `recovery_code`, not both"));
        }
    };
    let kind = body.mode.into();
    let credentials = Credentials {
        account: body.account,
        password: body.password,
        factor,
    };
    let granted = access(&app)?.log_in(credentials, kind, &visit).await?;
    Ok(granted_to(&granted))
}

/// A refresh token counts once: of an answer that was lost nobody knows, so log in again.
async fn refresh(
    State(app): State<App>,
    At(visit): At,
    Json(body): Json<RefreshBody>,
) -> Result<Response, Problem> {
    let token = body.refresh_token.expose_secret();
    let granted = access(&app)?.refresh(token, &visit).await?;
    Ok(granted_to(&granted))
}

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
    }
    Ok(response)
}

/// Whoever asks, by whatever.
async fn me(
    State(app): State<App>,
    who: Who,
    parts: axum::http::request::Parts,
) -> Result<Response, Problem> {
    let session = match logged_in::of(&app, &parts)? {
        None => None,
        Some(log_in) => {
            let left = access(&app)?.recovery_codes_left(&log_in.operator)?;
            let cookie = cookie(&parts.headers).filter(|_| log_in.kind == LogInKind::Cookie);
            Some(MySession {
                session_id: log_in.id.to_string(),
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
pub async fn public_keys(State(app): State<App>) -> Result<axum::Json<impl Serialize>, Problem> {
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
    let (csrf_token, tokens) = match &granted.carried {
        Carried::Cookie { beside, .. } => (Some(beside.expose_secret().to_owned()), None),
        Carried::Tokens {
            access,
            access_s,
            refresh,
        } => {
            let tokens = Tokens {
                access_token: access.expose_secret().to_owned(),
                token_type: "Bearer",
                expires_in: *access_s,
                refresh_token: refresh.expose_secret().to_owned(),
            };
            (None, Some(tokens))
        }
    };
    let mut response = not_stored(&Shown {
        operator: operator.to_string(),
        role: role.as_str(),
        client_code: client.as_ref().map(ToString::to_string),
        session_id: id.to_string(),
        begun_at: rfc3339(*begun_at),
        ends_at: rfc3339(*ends_at),
        csrf_token,
        tokens,
    });
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
