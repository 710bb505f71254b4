//! Investors come in: by client code or PAN, and a one-time code that is sent to the registered phone and e-mail.
//!
//! Whether there is such a client, or one with a phone, is said by nobody: the answer goes out before anybody looks.

use super::log_in::{Mode, Shown, access, end_before, granted_to, not_stored, secret};
use super::rfc3339;
use crate::auth::At;
use crate::auth::logged_in::check_origin;
use crate::extract::Json;
use crate::notify::{Message, Notifier};
use crate::problem::Problem;
use crate::server::App;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use squareoff_access::{Access, AccessError, SENT_CODE_LIFETIME, Visit};
use squareoff_domain::ClientCode;
use squareoff_domain::client::{IdentityField, client_stream, is_pan};
use squareoff_identity::{IdentityError, Vault};
use squareoff_store::Caller;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// Who looks at a phone number, and why, in the log.
const OURSELVES: &str = "access";
const REASON: &str = "a code to log in with was sent to the registered phone and e-mail";

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(send))
        .routes(routes!(log_in))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = SendCode)]
#[serde(deny_unknown_fields)]
struct Send {
    /// Client code or PAN.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    client: SecretString,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = CodeSent)]
struct Sent {
    /// Comes back with the code.
    challenge: String,
    /// Seconds.
    expires_in: u64,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = LogInByCode)]
#[serde(deny_unknown_fields)]
struct LogIn {
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    challenge: SecretString,
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    code: SecretString,
    #[serde(default)]
    mode: Mode,
}

/// Sends a one-time code to the registered phone and e-mail of a client.
///
/// The answer is the same whether or not there is such a client.
#[utoipa::path(
    post,
    path = "/v1/auth/code",
    operation_id = "sendCode",
    tag = "Log-in",
    request_body = Send,
    responses((status = 202, description = "If there is such a client, a code is on its way", body = Sent)),
    extensions(("x-problems" = json!(["cross-origin", "log-in-locked", "log-in-busy", "log-in-unavailable", "event-log-unavailable", "overloaded", "busy", "outcome-unknown"]))),
    security(()),
)]
async fn send(
    State(app): State<App>,
    At(visit): At,
    headers: HeaderMap,
    Json(body): Json<Send>,
) -> Result<Response, Problem> {
    check_origin(&headers)?;
    let sender = Sender {
        access: access(&app)?.clone(),
        vault: app.vault.clone().ok_or_else(Problem::log_in_unavailable)?,
        notifier: app
            .notifier
            .clone()
            .ok_or_else(Problem::log_in_unavailable)?,
        app: app.clone(),
        visit,
    };
    let subject = body.client.expose_secret();
    let challenge = sender.access.begin_sent_code(subject, &sender.visit);
    let challenge = challenge.await?;
    let answer = not_stored(&Sent {
        challenge: challenge.id.expose_secret().to_owned(),
        expires_in: SENT_CODE_LIFETIME.as_secs(),
    });
    // The place in the queue is held until the message is out, so a storm has a bound.
    tokio::spawn(async move {
        if let Err(error) = sender.send(&challenge.id, &body.client).await {
            tracing::warn!(%error, "a code to log in with was not sent");
        }
        drop(challenge.place);
    });
    Ok((StatusCode::ACCEPTED, answer).into_response())
}

/// Lets an investor in by the code that was sent.
#[utoipa::path(
    post,
    path = "/v1/auth/code/login",
    operation_id = "logInByCode",
    tag = "Log-in",
    request_body = LogIn,
    responses((status = 200, description = "They are in", body = Shown)),
    extensions(("x-problems" = json!(["cross-origin", "log-in-refused", "log-in-locked", "log-in-busy", "log-in-unavailable", "event-log-unavailable", "overloaded", "busy", "outcome-unknown"]))),
    security(()),
)]
async fn log_in(
    State(app): State<App>,
    At(visit): At,
    headers: HeaderMap,
    Json(body): Json<LogIn>,
) -> Result<Response, Problem> {
    check_origin(&headers)?;
    let challenge = body.challenge.expose_secret();
    let access = access(&app)?;
    let granted = access.log_in_with_sent_code(challenge, &body.code, body.mode.into(), &visit);
    let granted = granted.await?;
    end_before(access, &granted, &headers, &visit).await;
    Ok(granted_to(&granted))
}

struct Sender {
    access: Access,
    vault: Vault,
    notifier: Notifier,
    app: App,
    visit: Visit,
}

#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Load(#[from] squareoff_store::LoadError),
    #[error("the message could not be sent: {0}")]
    Notify(#[from] std::io::Error),
    #[error("a look into the key store panicked")]
    Panicked,
}

impl Sender {
    /// Sends a code, if there is such a client who can be reached and was sent none a moment ago.
    async fn send(
        &self,
        challenge: &SecretString,
        subject: &SecretString,
    ) -> Result<(), SendError> {
        let Some(client) = self.client_of(subject).await? else {
            return Ok(());
        };
        let state = self.app.clients.load(&client_stream(&client)).await?.state;
        if state.client.is_none() || state.identity.is_none() {
            return Ok(());
        }
        let code = self.access.code_to_send(challenge, &client, &self.visit);
        let Some(code) = code.await? else {
            return Ok(());
        };
        let id = Uuid::now_v7();
        let caller = Caller {
            actor: OURSELVES.into(),
            request_id: id,
            correlation_id: id,
            epoch: self.visit.epoch,
            now: self.visit.now,
        };
        let revealed = self
            .vault
            .reveal(&self.app.clients, &client, REASON, &caller);
        let identity = revealed.await?.identity;
        let field = |field| identity.get(field).map(SecretString::from);
        let message = Message {
            phone: field(IdentityField::Phone),
            email: field(IdentityField::Email),
            text: SecretString::from(format!(
                "{} is your code to log in to Squareoff as {client}. It ends in 5 minutes. Nobody of your broker asks you for it.",
                code.expose_secret()
            )),
        };
        let (notifier, at) = (self.notifier.clone(), rfc3339(self.visit.now));
        let sent = tokio::task::spawn_blocking(move || notifier.send(&message, &at));
        Ok(sent.await.map_err(|_| SendError::Panicked)??)
    }

    /// Of a PAN that is several clients' the first by code: the others come in by theirs.
    async fn client_of(&self, subject: &SecretString) -> Result<Option<ClientCode>, SendError> {
        let capitals = subject.expose_secret().trim().to_ascii_uppercase();
        if !is_pan(&capitals) {
            return Ok(capitals.parse().ok());
        }
        let pan = Arc::new(SecretString::from(capitals));
        let (vault, wanted) = (self.vault.clone(), Arc::clone(&pan));
        let found = tokio::task::spawn_blocking(move || vault.find(&wanted));
        let mut found = found.await.map_err(|_| SendError::Panicked)??;
        found.sort();
        for client in found {
            let state = self.app.clients.load(&client_stream(&client)).await?.state;
            let (vault, wanted, named) = (self.vault.clone(), Arc::clone(&pan), client.clone());
            let has = tokio::task::spawn_blocking(move || vault.has_pan(&named, &state, &wanted));
            if has.await.map_err(|_| SendError::Panicked)?? {
                return Ok(Some(client));
            }
        }
        Ok(None)
    }
}
