//! Who a client is: masked beside the client, found by PAN, name or phone, and in the clear only behind a recorded reason.
//!
//! What is looked for comes in a body and never in a path or query, which proxies and logs keep.

use super::parameter;
use crate::auth::Actor;
use crate::decide::{check_knowing, events_of, is_of_another, marked, unread};
use crate::document::values;
use crate::extract::{IdempotencyKey, Json, Path, Reason};
use crate::problem::Problem;
use crate::refusals::Asked;
use crate::server::{App, now};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use squareoff_domain::client::{ClientRefusal, IdentityField, client_stream, is_pan};
use squareoff_domain::{ClientCode, RequestId};
use squareoff_identity::{NAME_LETTERS_MIN, PHONE_DIGITS, Shown, Sought, Vault};
use squareoff_store::{Caller, StoredEvent};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Semaphore;
use uuid::Uuid;

/// `recorded`, `sealed` (the keys are out of reach), `erased` or `none`; the fields are there when they are recorded.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Identity {
    #[schema(value_type = values::IdentityState)]
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = values::IdentityFields, required = false)]
    masked: Option<Fields>,
}

/// By their names: `name`, `pan`, `date_of_birth`, `email`, `phone`.
type Fields = BTreeMap<&'static str, String>;

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = ClientSearch, min_properties = 1, max_properties = 1)]
#[serde(deny_unknown_fields)]
pub struct Search {
    #[serde(default, deserialize_with = "some_pan")]
    #[schema(value_type = values::PanText, required = false)]
    pan: Option<SecretString>,
    /// Words of the name, each by its beginning, in any order.
    #[serde(default, deserialize_with = "some_name")]
    #[schema(value_type = values::NameText, required = false)]
    name: Option<SecretString>,
    #[serde(default, deserialize_with = "some_phone")]
    #[schema(value_type = values::PhoneText, required = false)]
    phone: Option<SecretString>,
}

/// Whoever lost the answer asks again at once; a look later than that is another one, with a reason and an event of its own.
const SHOWN_AGAIN_NS: i64 = 5 * 60 * 1_000_000_000;
/// Clients of one answer.
const FOUND_MAX: usize = 50;
/// Searches by name or phone of this process at a time.
static SEARCHES: Semaphore = Semaphore::const_new(1);

fn some_pan<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    secret("pan", from).map(Some)
}

fn some_name<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    secret("name", from).map(Some)
}

fn some_phone<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    secret("phone", from).map(Some)
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

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ClientsFound)]
struct Found {
    clients: Vec<FoundClient>,
    /// There are more than are shown: say more of the name.
    more: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ClientFound)]
struct FoundClient {
    #[schema(value_type = values::ClientCode)]
    client_code: String,
    category: String,
    branch: String,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = IdentityReveal)]
#[serde(deny_unknown_fields)]
pub struct Reveal {
    #[schema(value_type = values::ReasonText)]
    reason: Reason,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = IdentityRevealed)]
struct Revealed {
    #[schema(value_type = values::ClientCode)]
    client_code: String,
    /// In the clear.
    #[schema(value_type = values::IdentityFields)]
    identity: Fields,
    request_id: Uuid,
    /// Of the event that says who saw it.
    #[schema(value_type = values::LogPosition)]
    position: String,
}

const fn word(field: IdentityField) -> &'static str {
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
                    .map(|(field, text)| (word(field), text))
                    .collect(),
            ),
        },
    })
}

/// The clients with this PAN, exactly; with a name of these words, each by its beginning; or with this phone, by its last ten digits.
///
/// None for what nobody has, or what was erased. It comes in a body, because paths are logged. The answer is never cached.
#[utoipa::path(
    post,
    path = "/v1/clients/search",
    operation_id = "searchClients",
    tag = "Clients",
    request_body = Search,
    responses((status = 200, description = "The clients, if any", body = Found)),
    extensions(("x-problems" = json!(["identity-keys-unavailable", "event-log-unavailable", "event-log-behind"]))),
)]
pub async fn search(
    State(app): State<App>,
    _: Actor,
    Json(body): Json<Search>,
) -> Result<Response, Problem> {
    let sought = sought(body)?;
    let vault = vault(&app)?;
    let mut candidates = candidates(&app, &vault, &sought).await?;
    let more = candidates.len() > FOUND_MAX;
    candidates.truncate(FOUND_MAX);
    let mut clients = Vec::new();
    for code in candidates {
        let loaded = app.clients.load(&client_stream(&code)).await;
        let state = loaded.map_err(unread)?.state;
        let has = {
            let (vault, sought, state) = (vault.clone(), sought.clone(), Arc::clone(&state));
            let look = move || match &sought {
                By::Pan(pan) => vault.has_pan(&code, &state, pan),
                By::Text(sought) => vault.is_sought(&code, &state, sought),
            };
            off_the_runtime(look).await??
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
    Ok(not_stored(&Found { clients, more }))
}

/// What clients are looked for by, once it is known to be something.
#[derive(Clone)]
enum By {
    Pan(Arc<SecretString>),
    Text(Sought),
}

/// # Errors
/// `malformed-request`, without what was sent.
fn sought(body: Search) -> Result<By, Problem> {
    match (body.pan, body.name, body.phone) {
        (Some(pan), None, None) => {
            check_pan(&pan)?;
            Ok(By::Pan(Arc::new(pan)))
        }
        (None, Some(name), None) => Sought::name(&name).map(By::Text).ok_or_else(|| {
            Problem::malformed(format!(
                "`name` has no word of {NAME_LETTERS_MIN} letters or more"
            ))
        }),
        (None, None, Some(phone)) => Sought::phone(&phone).map(By::Text).ok_or_else(|| {
            Problem::malformed(format!("`phone` has fewer than {PHONE_DIGITS} digits"))
        }),
        _ => Err(Problem::malformed(
            "say one of `pan`, `name` and `phone`, and no other",
        )),
    }
}

/// Who it may be, one more than are shown where there are more.
async fn candidates(app: &App, vault: &Vault, sought: &By) -> Result<Vec<ClientCode>, Problem> {
    let (vault, sought) = (vault.clone(), sought.clone());
    match sought {
        By::Pan(pan) => Ok(off_the_runtime(move || vault.find(&pan)).await??),
        By::Text(sought) => {
            check_knowing(app)?;
            // One after another: each opens every client's identity.
            let turn = SEARCHES.acquire().await;
            let _turn = turn.map_err(|_| Problem::bug("nobody closes the searches"))?;
            let identities = app.directory.sealed();
            let look = move || vault.look(&identities, &sought, FOUND_MAX + 1);
            Ok(off_the_runtime(look).await??)
        }
    }
}

/// The identity in the clear, behind a recorded reason.
///
/// Each look is an event of its own, durable before the answer leaves; the same again under its key shows the same fields and is none. The
/// answer is never cached.
#[utoipa::path(
    post,
    path = "/v1/clients/{client_code}/identity/reveal",
    operation_id = "revealIdentity",
    tag = "Clients",
    params(("client_code" = values::ClientCode, Path, description = "The client"), IdempotencyKey),
    request_body = Reveal,
    responses((status = 200, description = "Who the client is", body = Revealed)),
    extensions(("x-problems" = json!([
        "reason-missing", "reason-holds-pan", "unknown-client", "identity-not-recorded", "client-erased",
        "reveal-over", "event-log-behind", "identity-keys-unavailable"
    ]))),
)]
pub async fn reveal(
    State(app): State<App>,
    actor: Actor,
    key: IdempotencyKey,
    Path(client_code): Path<String>,
    Json(body): Json<Reveal>,
) -> Result<Response, Problem> {
    let code: ClientCode = parameter("client_code", &client_code)?;
    check_knowing(&app)?;
    let request_id = key.request_id(&actor.0);
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
        let stream = client_stream(&code);
        if is_of_another(&app, request_id, &stream) {
            return Err(ClientRefusal::RequestIdReused.into());
        }
        let vault = vault(&app)?;
        let revealed = vault.reveal(&app.clients, &code, &reason, &caller).await?;
        app.directory.accepted(request_id, &stream);
        let position = match revealed.position {
            Some(position) => position,
            None => {
                let first = first_event(&app, &stream, request_id).await?;
                if caller.now.0.saturating_sub(first.occurred_at.0) > SHOWN_AGAIN_NS {
                    return Err(reveal_over());
                }
                first.position
            }
        };
        let fields = revealed.identity.iter();
        let shown = not_stored(&Revealed {
            client_code: code.to_string(),
            identity: fields
                .map(|(field, text)| (word(field), text.to_owned()))
                .collect(),
            request_id: request_id.0,
            position: position.to_string(),
        });
        Ok(marked(shown, revealed.position.is_none()))
    };
    app.keep(&actor, &asked, answer.await)
}

fn reveal_over() -> Problem {
    let minutes = SHOWN_AGAIN_NS / 60_000_000_000;
    Problem::new(
        StatusCode::CONFLICT,
        "reveal-over",
        "This look is over",
        format!(
            "the look under this key was more than {minutes} minutes ago: look anew under a new key, with the reason for that"
        ),
    )
}

/// The event of a request about a client that was made before.
pub(super) async fn first_event(
    app: &App,
    stream: &str,
    request_id: RequestId,
) -> Result<StoredEvent, Problem> {
    let first = events_of(app, stream, request_id).await?.pop();
    first.ok_or_else(|| Problem::bug(format!("{stream} knows {request_id} but lacks it")))
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
