//! What somebody sets up by themselves: the first password and app with the secret they were handed, and later others.

use super::log_in::{access, not_stored, secret};
use crate::auth::{At, Own};
use crate::extract::Json;
use crate::problem::Problem;
use crate::server::App;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use squareoff_access::Enrolment;

pub fn router() -> Router<App> {
    Router::new()
        .route("/enrolment", post(begin))
        .route("/enrolment/confirm", post(confirm))
        .route("/password", post(change_password))
        .route("/second-factor", post(begin_second_factor))
        .route("/second-factor/confirm", post(confirm_second_factor))
        .route("/recovery-codes", post(new_recovery_codes))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    account: String,
    /// That was handed over.
    #[serde(deserialize_with = "secret")]
    secret: SecretString,
    #[serde(deserialize_with = "secret")]
    password: SecretString,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirm {
    account: String,
    #[serde(deserialize_with = "secret")]
    secret: SecretString,
    #[serde(deserialize_with = "secret")]
    code: SecretString,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangePassword {
    #[serde(deserialize_with = "secret")]
    password: SecretString,
    #[serde(deserialize_with = "secret")]
    new_password: SecretString,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Password {
    #[serde(deserialize_with = "secret")]
    password: SecretString,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    #[serde(deserialize_with = "secret")]
    code: SecretString,
}

/// What the app is set up with.
#[derive(Serialize)]
struct ToSetUp<'a> {
    otpauth_uri: &'a str,
    /// The same as a picture.
    qr_svg: &'a str,
}

/// Shown once.
#[derive(Serialize)]
struct RecoveryCodes<'a> {
    recovery_codes: Vec<&'a str>,
}

async fn begin(
    State(app): State<App>,
    At(visit): At,
    Json(body): Json<Begin>,
) -> Result<Response, Problem> {
    let secret = body.secret.expose_secret();
    let begun = access(&app)?.begin_enrolment(&body.account, secret, body.password, &visit);
    Ok(to_set_up(&begun.await?))
}

async fn confirm(
    State(app): State<App>,
    At(visit): At,
    Json(body): Json<Confirm>,
) -> Result<Response, Problem> {
    let secret = body.secret.expose_secret();
    let confirmed = access(&app)?.confirm_enrolment(&body.account, secret, &body.code, &visit);
    Ok(recovery_codes(&confirmed.await?))
}

async fn change_password(
    State(app): State<App>,
    At(visit): At,
    Own(log_in): Own,
    Json(body): Json<ChangePassword>,
) -> Result<StatusCode, Problem> {
    let (old, new) = (body.password, body.new_password);
    access(&app)?
        .change_password(&log_in, old, new, &visit)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn begin_second_factor(
    State(app): State<App>,
    At(visit): At,
    Own(log_in): Own,
    Json(body): Json<Password>,
) -> Result<Response, Problem> {
    let begun = access(&app)?.begin_second_factor(&log_in, body.password, &visit);
    Ok(to_set_up(&begun.await?))
}

async fn confirm_second_factor(
    State(app): State<App>,
    At(visit): At,
    Own(log_in): Own,
    Json(body): Json<Code>,
) -> Result<StatusCode, Problem> {
    access(&app)?
        .confirm_second_factor(&log_in, &body.code, &visit)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn new_recovery_codes(
    State(app): State<App>,
    At(visit): At,
    Own(log_in): Own,
    Json(body): Json<Password>,
) -> Result<Response, Problem> {
    let made = access(&app)?.new_recovery_codes(&log_in, body.password, &visit);
    Ok(recovery_codes(&made.await?))
}

fn to_set_up(enrolment: &Enrolment) -> Response {
    not_stored(&ToSetUp {
        otpauth_uri: enrolment.uri.expose_secret(),
        qr_svg: enrolment.qr_svg.expose_secret(),
    })
}

fn recovery_codes(codes: &[SecretString]) -> Response {
    let codes = codes.iter().map(|code| code.expose_secret());
    not_stored(&RecoveryCodes {
        recovery_codes: codes.collect(),
    })
}
