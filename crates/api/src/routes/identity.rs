//! Who a client is: masked beside the client, found by PAN, and in the clear only behind a recorded reason.
//!
//! A PAN comes in a body and never in a path or query, which proxies and logs keep.

use super::parameter;
use crate::auth::Actor;
use crate::decide::{check_knowing, unread};
use crate::extract::{Json, Path, Reason};
use crate::problem::Problem;
use crate::refusals::Asked;
use crate::server::{App, now};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use squareoff_domain::client::{IdentityField, client_stream, is_pan};
use squareoff_domain::{ClientCode, RequestId};
use squareoff_identity::{Shown, Vault};
use squareoff_store::Caller;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// `recorded`, `sealed` (the keys are out of reach), `erased` or `none`; the fields are there when they are recorded.
#[derive(Serialize)]
pub struct Identity {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    masked: Option<Fields>,
}

/// By their names: `name`, `pan`, `date_of_birth`, `email`, `phone`.
type Fields = BTreeMap<&'static str, String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    #[serde(deserialize_with = "secret_pan")]
    pan: SecretString,
}

pub(super) fn secret_pan<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<SecretString, D::Error> {
    secret("pan", deserializer)
}

/// Nothing of what was sent is in the message when it is no text.
pub(super) fn secret<'de, D: Deserializer<'de>>(
    name: &str,
    deserializer: D,
) -> Result<SecretString, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => Ok(SecretString::from(text)),
        _ => Err(serde::de::Error::custom(format!("`{name}` is not a text"))),
    }
}

/// # Errors
/// `malformed-request`, without what was sent.
pub(super) fn check_pan(pan: &SecretString) -> Result<(), Problem> {
    use secrecy::ExposeSecret;
    if is_pan(&pan.expose_secret().trim().to_ascii_uppercase()) {
        return Ok(());
    }
    Err(Problem::malformed(
        "`pan` is not five letters, four digits and a letter, the fourth a type of holder",
    ))
}

#[derive(Serialize)]
struct Found {
    clients: Vec<FoundClient>,
}

#[derive(Serialize)]
struct FoundClient {
    client_code: String,
    category: String,
    branch: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reveal {
    reason: Reason,
}

#[derive(Serialize)]
struct Revealed {
    client_code: String,
    /// In the clear.
    identity: Fields,
    request_id: Uuid,
    /// Of the event that says who saw it.
    position: String,
}

const fn key(field: IdentityField) -> &'static str {
    match field {
        IdentityField::Name => "name",
        IdentityField::Pan => "pan",
        IdentityField::DateOfBirth => "date_of_birth",
        IdentityField::Email => "email",
        IdentityField::Phone => "phone",
    }
}

/// The client's identity as everybody may see it.
pub async fn of_client(app: &App, code: &ClientCode) -> Result<Identity, Problem> {
    let loaded = app.clients.load(&client_stream(code)).await;
    let state = loaded.map_err(unread)?.state;
    let state_only = |state| Identity {
        state,
        masked: None,
    };
    let Some(vault) = app.vault.clone() else {
        let state = match (&state.erased, &state.identity) {
            (Some(_), _) => "erased",
            (None, Some(_)) => "sealed",
            (None, None) => "none",
        };
        return Ok(state_only(state));
    };
    let code = code.clone();
    let shown = off_the_runtime(move || vault.show(&code, &state)).await?;
    Ok(match shown {
        Shown::None => state_only("none"),
        Shown::Erased => state_only("erased"),
        Shown::Sealed { why, .. } => {
            tracing::warn!(%why, "an identity stays sealed");
            state_only("sealed")
        }
        Shown::Masked(fields) => Identity {
            state: "recorded",
            masked: Some(
                fields
                    .into_iter()
                    .map(|(field, text)| (key(field), text))
                    .collect(),
            ),
        },
    })
}

/// The clients with this PAN, exactly; none for a PAN that nobody has, or that was erased.
pub async fn search(
    State(app): State<App>,
    _: Actor,
    Json(body): Json<Search>,
) -> Result<Response, Problem> {
    check_pan(&body.pan)?;
    let vault = vault(&app)?;
    let pan = Arc::new(body.pan);
    let candidates = {
        let (vault, pan) = (vault.clone(), Arc::clone(&pan));
        off_the_runtime(move || vault.find(&pan)).await??
    };
    let mut clients = Vec::new();
    for code in candidates {
        let loaded = app.clients.load(&client_stream(&code)).await;
        let state = loaded.map_err(unread)?.state;
        let has = {
            let (vault, pan, state) = (vault.clone(), Arc::clone(&pan), Arc::clone(&state));
            off_the_runtime(move || vault.has_pan(&code, &state, &pan)).await??
        };
        // From the log, like the identity: found as soon as it is recorded, and while the read database is away.
        clients.extend(
            state
                .client
                .as_ref()
                .filter(|_| has)
                .map(|client| FoundClient {
                    client_code: client.client.to_string(),
                    category: client.category.clone(),
                    branch: client.branch.clone(),
                }),
        );
    }
    Ok(not_stored(&Found { clients }))
}

/// Each look is an event of its own, so there is no key that would let a second one go unrecorded.
pub async fn reveal(
    State(app): State<App>,
    actor: Actor,
    Path(client_code): Path<String>,
    Json(body): Json<Reveal>,
) -> Result<Response, Problem> {
    let code: ClientCode = parameter("client_code", &client_code)?;
    check_knowing(&app)?;
    let request_id = RequestId(Uuid::now_v7());
    let asked = Asked {
        client: Some(&code),
        ..Asked::of_desk("reveal-identity", request_id)
    };
    let caller = Caller {
        actor: actor.0.clone(),
        request_id: request_id.0,
        correlation_id: request_id.0,
        epoch: app.directory.platform().epoch,
        now: now(),
    };
    let answer = async {
        let reason = body.reason.given()?;
        let vault = vault(&app)?;
        let revealed = vault.reveal(&app.clients, &code, &reason, &caller).await?;
        let fields = revealed.identity.iter();
        Ok(not_stored(&Revealed {
            client_code: code.to_string(),
            identity: fields
                .map(|(field, text)| (key(field), text.to_owned()))
                .collect(),
            request_id: request_id.0,
            position: revealed.position.to_string(),
        }))
    };
    app.keep(&actor, &asked, answer.await)
}

pub(super) fn vault(app: &App) -> Result<Vault, Problem> {
    app.vault.clone().ok_or_else(Problem::identity_unavailable)
}

/// No cache on the way keeps it.
pub(super) fn not_stored(body: &impl Serialize) -> Response {
    let mut response = axum::Json(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Reading the key store waits for the disk.
pub(super) async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Problem::bug("reading the key store panicked"))
}
