//! `POST /v1/clients/{client_code}/verifications`: whether somebody on the phone is the client, before the desk acts for them.
//!
//! What the caller tells comes in a body, is compared, and is kept nowhere; that it was told, by which call, and whether it was right is an
//! event. Under the same key nothing is compared again: the first outcome stands, and a lost answer costs no attempt.

use super::identity::{
    check_pan, first_event, not_stored, off_the_runtime, secret, secret_pan, vault,
};
use super::{parameter, rfc3339};
use crate::auth::Who;
use crate::decide::{check_knowing, is_of_another, marked, problem, unread};
use crate::document::values;
use crate::extract::{IdempotencyKey, Json, Path};
use crate::problem::Problem;
use crate::refusals::Asked;
use crate::server::{App, now};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use squareoff_domain::client::{
    self, Answer, ClientAsk, ClientRefusal, ClientRequest, ClientState, client_stream,
};
use squareoff_domain::{ClientCode, RequestId, Timestamp, TradingDate};
use squareoff_identity::Told;
use squareoff_store::{Caller, Position};
use uuid::Uuid;

/// The longest name of a call, in bytes.
const CALL_REFERENCE_BYTES_MAX: usize = 100;

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = CallerVerification)]
#[serde(deny_unknown_fields)]
pub struct Body {
    #[schema(value_type = values::CallReference)]
    call_reference: CallReference,
    #[serde(deserialize_with = "secret_pan")]
    #[schema(value_type = values::PanText)]
    pan: SecretString,
    #[serde(deserialize_with = "date_of_birth")]
    #[schema(value_type = values::BirthDate)]
    date_of_birth: SecretString,
}

/// The call, as the broker's telephone system names it.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct CallReference(String);

impl TryFrom<String> for CallReference {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let max = CALL_REFERENCE_BYTES_MAX;
        if text.trim().is_empty() || text.len() > max || text.chars().any(char::is_control) {
            return Err(format!(
                "the reference of a call has 1 to {max} bytes and no control characters"
            ));
        }
        Ok(CallReference(text))
    }
}

fn date_of_birth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    secret("date_of_birth", deserializer)
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = CallerVerified)]
struct Verified {
    request_id: Uuid,
    #[schema(value_type = values::ClientCode)]
    client_code: String,
    #[schema(value_type = values::CallReference)]
    call_reference: String,
    /// Who may act for the client now, and nobody else.
    #[schema(value_type = values::Name)]
    operator: String,
    #[schema(format = DateTime)]
    valid_until: String,
    #[schema(value_type = values::LogPosition)]
    position: String,
}

/// What comparing came to, now or when it was asked first.
struct Compared {
    answer: Answer,
    position: Position,
    replayed: bool,
}

/// Compares what somebody who calls tells of themself with what is recorded of the client.
///
/// Until `valid_until` this operator may act for this client. Which of the two was wrong is never said. The same call under the same key has
/// its first outcome, whatever is told then: PAN and date of birth are kept nowhere, so that they can't be compared. The answer is never
/// cached.
#[utoipa::path(
    post,
    path = "/v1/clients/{client_code}/verifications",
    operation_id = "verifyCaller",
    tag = "Clients",
    params(("client_code" = values::ClientCode, Path, description = "Whom the caller says to be"), IdempotencyKey),
    request_body = Body,
    responses((status = 200, description = "It is them", body = Verified)),
    extensions(("x-problems" = json!([
        "reason-holds-pan", "unknown-client", "client-erased", "identity-not-recorded", "identity-incomplete", "too-many-verifications", "caller-mismatch",
        "identity-keys-unavailable", "event-log-behind"
    ]))),
)]
pub async fn verify(
    State(app): State<App>,
    who: Who,
    key: IdempotencyKey,
    Path(client_code): Path<String>,
    Json(body): Json<Body>,
) -> Result<Response, Problem> {
    let code: ClientCode = parameter("client_code", &client_code)?;
    check_pan(&body.pan)?;
    let date = body.date_of_birth.expose_secret().trim();
    if date.parse::<TradingDate>().is_err() {
        return Err(Problem::malformed(
            "`date_of_birth` is not a date of the form YYYY-MM-DD, 1900 or later",
        ));
    }
    check_knowing(&app)?;
    let actor = who.actor();
    let request_id = key.request_id(&actor.0);
    let asked = Asked {
        client: Some(&code),
        ..Asked::of_desk("verify-caller", request_id)
    };
    let CallReference(call_reference) = body.call_reference;
    let told = Told {
        pan: body.pan,
        date_of_birth: body.date_of_birth,
    };
    let request = Request {
        request_id,
        by: who.name.to_string(),
        client: code.clone(),
        call_reference: call_reference.clone(),
    };
    let compared = app.keep(&actor, &asked, compare(&app, &request, told).await)?;
    let said = match compared.answer {
        Answer::Verified { valid_until } => not_stored(&Verified {
            request_id: request_id.0,
            client_code: code.to_string(),
            call_reference,
            operator: request.by,
            valid_until: rfc3339(valid_until),
            position: compared.position.to_string(),
        }),
        Answer::NotVerified { attempts_left } => mismatch(&code, attempts_left).into_response(),
        Answer::Revealed { .. } => return Err(Problem::bug("a look is no verification")),
    };
    Ok(marked(said, compared.replayed))
}

/// Which of the two it was is not said: whoever guesses would learn one by one.
fn mismatch(client: &ClientCode, attempts_left: usize) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "caller-mismatch",
        "What the caller told is not what is recorded",
        format!(
            "PAN and date of birth are not both those of {client}; {attempts_left} attempts are left"
        ),
    )
}

struct Request {
    request_id: RequestId,
    by: String,
    client: ClientCode,
    call_reference: String,
}

impl Request {
    fn of(&self, matched: bool, now: Timestamp, minutes: u32) -> ClientRequest {
        let valid_ns = i64::from(minutes) * 60 * 1_000_000_000;
        ClientRequest {
            request_id: self.request_id,
            by: self.by.clone(),
            client: self.client.clone(),
            reason: self.call_reference.clone(),
            ask: ClientAsk::VerifyCaller {
                matched,
                now,
                valid_until: Timestamp(now.0.saturating_add(valid_ns)),
            },
        }
    }
}

/// Compares what was told, and records whether it was right before anybody hears of it; or finds what it came to when it was asked first.
async fn compare(app: &App, request: &Request, told: Told) -> Result<Compared, Problem> {
    let (stream, now) = (client_stream(&request.client), now());
    if is_of_another(app, request.request_id, &stream) {
        return Err(ClientRefusal::RequestIdReused.into());
    }
    let minutes = app.settings.caller_verification_minutes;
    let loaded = app.clients.load(&stream).await.map_err(unread)?;
    // What would be refused anyhow is not compared, nor what was.
    if client::decide(&loaded.state, request.of(false, now, minutes))?.is_empty() {
        return answered(app, &stream, request.request_id, None).await;
    }
    let (vault, code) = (vault(app)?, request.client.clone());
    let matched = off_the_runtime(move || match &loaded.state.identity {
        Some(identity) => vault.is_caller(&code, identity, &told),
        None => Ok(false),
    });
    let matched = matched.await??;
    let caller = Caller {
        actor: request.by.as_str().into(),
        request_id: request.request_id.0,
        correlation_id: request.request_id.0,
        epoch: app.directory.platform().epoch,
        now,
    };
    let decide = |state: &ClientState| {
        let events = client::decide(state, request.of(matched, now, minutes))?;
        Ok::<_, ClientRefusal>((events, ()))
    };
    let committed = app.clients.transact(&stream, &caller, decide).await;
    let committed = committed.map_err(|error| problem(error, Problem::from))?;
    app.directory.accepted(request.request_id, &stream);
    let position = committed.position.filter(|_| committed.appended > 0);
    answered(app, &stream, request.request_id, position).await
}

/// The outcome as the log has it. Without its `position` it was asked before.
async fn answered(
    app: &App,
    stream: &str,
    request_id: RequestId,
    position: Option<Position>,
) -> Result<Compared, Problem> {
    let state = app.clients.load(stream).await.map_err(unread)?.state;
    let lost = || Problem::bug(format!("{stream} lacks {request_id}"));
    let answered = state.requests.get(&request_id).ok_or_else(lost)?;
    Ok(Compared {
        answer: answered.answer.clone(),
        replayed: position.is_none(),
        position: match position {
            Some(position) => position,
            None => first_event(app, stream, request_id).await?.position,
        },
    })
}
