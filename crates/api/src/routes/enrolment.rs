//! What somebody sets up by themselves: the first password and app with the secret they were handed, and later others.

use super::log_in::{access, not_stored, secret};
use crate::auth::{At, Own};
use crate::extract::Json;
use crate::problem::Problem;
use crate::server::App;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use squareoff_access::Enrolment;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(begin))
        .routes(routes!(confirm))
        .routes(routes!(change_password))
        .routes(routes!(begin_second_factor))
        .routes(routes!(confirm_second_factor))
        .routes(routes!(new_recovery_codes))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = BeginEnrolment)]
#[serde(deny_unknown_fields)]
struct Begin {
    account: String,
    /// That was handed over.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    secret: SecretString,
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = ConfirmEnrolment)]
#[serde(deny_unknown_fields)]
struct Confirm {
    account: String,
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    secret: SecretString,
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    code: SecretString,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangePassword {
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    new_password: SecretString,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = PasswordAgain)]
#[serde(deny_unknown_fields)]
struct Password {
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = FirstCode)]
#[serde(deny_unknown_fields)]
struct Code {
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    code: SecretString,
}

/// What the app is set up with.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SecondFactorToSetUp)]
struct ToSetUp {
    otpauth_uri: String,
    /// The same as a picture.
    qr_svg: String,
}

/// Shown once.
#[derive(Serialize, utoipa::ToSchema)]
struct RecoveryCodes {
    recovery_codes: Vec<String>,
}

/// Sets the first password with the secret that was handed over.
///
/// The answer sets up an authenticator app; the account counts when its first code is confirmed.
#[utoipa::path(
    post,
    path = "/v1/auth/enrolment",
    operation_id = "beginEnrolment",
    tag = "Log-in",
    request_body = Begin,
    responses((status = 200, description = "What to set the app up with", body = ToSetUp)),
    extensions(("x-problems" = json!(["log-in-refused", "log-in-locked", "log-in-busy", "password-unfit", "log-in-unavailable", "event-log-unavailable", "overloaded", "busy", "outcome-unknown"]))),
    security(()),
)]
async fn begin(
    State(app): State<App>,
    At(visit): At,
    Json(body): Json<Begin>,
) -> Result<Response, Problem> {
    let secret = body.secret.expose_secret();
    let begun = access(&app)?.begin_enrolment(&body.account, secret, body.password, &visit);
    Ok(to_set_up(&begun.await?))
}

/// Confirms the app with its first code; the recovery codes are shown once.
#[utoipa::path(
    post,
    path = "/v1/auth/enrolment/confirm",
    operation_id = "confirmEnrolment",
    tag = "Log-in",
    request_body = Confirm,
    responses((status = 200, description = "The account counts", body = RecoveryCodes)),
    extensions(("x-problems" = json!(["log-in-refused", "log-in-locked", "log-in-busy", "code-wrong", "log-in-unavailable", "event-log-unavailable", "overloaded", "busy", "outcome-unknown"]))),
    security(()),
)]
async fn confirm(
    State(app): State<App>,
    At(visit): At,
    Json(body): Json<Confirm>,
) -> Result<Response, Problem> {
    let secret = body.secret.expose_secret();
    let confirmed = access(&app)?.confirm_enrolment(&body.account, secret, &body.code, &visit);
    Ok(recovery_codes(&confirmed.await?))
}

/// Another password; their other log-ins end.
#[utoipa::path(
    post,
    path = "/v1/auth/password",
    operation_id = "changePassword",
    tag = "Log-in",
    request_body = ChangePassword,
    responses((status = 204, description = "It is changed")),
    extensions(("x-problems" = json!(["sample-log-in", "log-in-locked", "log-in-busy", "password-wrong", "password-unfit", "log-in-unavailable", "event-log-unavailable", "overloaded", "busy", "outcome-unknown"]))),
)]
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

/// Another app; the one before counts until the first code of the new one.
#[utoipa::path(
    post,
    path = "/v1/auth/second-factor",
    operation_id = "beginSecondFactor",
    tag = "Log-in",
    request_body = Password,
    responses((status = 200, description = "What to set the app up with", body = ToSetUp)),
    extensions(("x-problems" = json!(["sample-log-in", "log-in-locked", "log-in-busy", "password-wrong", "log-in-unavailable", "event-log-unavailable", "overloaded", "busy", "outcome-unknown"]))),
)]
async fn begin_second_factor(
    State(app): State<App>,
    At(visit): At,
    Own(log_in): Own,
    Json(body): Json<Password>,
) -> Result<Response, Problem> {
    let begun = access(&app)?.begin_second_factor(&log_in, body.password, &visit);
    Ok(to_set_up(&begun.await?))
}

/// Confirms another app with its first code.
#[utoipa::path(
    post,
    path = "/v1/auth/second-factor/confirm",
    operation_id = "confirmSecondFactor",
    tag = "Log-in",
    request_body = Code,
    responses((status = 204, description = "It counts")),
    extensions(("x-problems" = json!(["sample-log-in", "log-in-locked", "log-in-busy", "code-wrong", "log-in-unavailable", "event-log-unavailable", "overloaded", "busy", "outcome-unknown"]))),
)]
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

/// New recovery codes, shown once; those before no longer count.
#[utoipa::path(
    post,
    path = "/v1/auth/recovery-codes",
    operation_id = "newRecoveryCodes",
    tag = "Log-in",
    request_body = Password,
    responses((status = 200, description = "The codes", body = RecoveryCodes)),
    extensions(("x-problems" = json!(["sample-log-in", "log-in-locked", "log-in-busy", "password-wrong", "log-in-unavailable", "event-log-unavailable", "overloaded", "busy", "outcome-unknown"]))),
)]
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
        otpauth_uri: enrolment.uri.expose_secret().to_owned(),
        qr_svg: enrolment.qr_svg.expose_secret().to_owned(),
    })
}

fn recovery_codes(codes: &[SecretString]) -> Response {
    let codes = codes.iter().map(|code| code.expose_secret().to_owned());
    not_stored(&RecoveryCodes {
        recovery_codes: codes.collect(),
    })
}
