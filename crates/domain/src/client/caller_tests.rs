use super::*;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// Each request is one of its own.
fn another_id() -> RequestId {
    static MADE: AtomicU64 = AtomicU64::new(1);
    RequestId(Uuid::from_u128(MADE.fetch_add(1, Ordering::Relaxed).into()))
}

const ASHA: &str = "desk-asha";
const LEELA: &str = "desk-leela";
const MINUTE: i64 = 60 * 1_000_000_000;

fn code() -> ClientCode {
    "C00042".parse().unwrap()
}

fn at(minute: i64) -> Timestamp {
    Timestamp(1_795_000_000_000_000_000 + minute * MINUTE)
}

fn with_fields(fields: &[IdentityField]) -> ClientState {
    let client = Client {
        client: code(),
        category: "retail".into(),
        branch: "MUM-01".into(),
        segments: vec![],
    };
    let sealed = |field: &IdentityField| SealedField {
        field: *field,
        sealed: String::new(),
    };
    ClientState {
        client: Some(client),
        identity: Some(SealedIdentity {
            key_id: KeyId(Uuid::nil()),
            fields: fields.iter().map(sealed).collect(),
        }),
        ..ClientState::default()
    }
}

fn known() -> ClientState {
    with_fields(&[IdentityField::Pan, IdentityField::DateOfBirth])
}

fn ask(by: &str, minute: i64, matched: bool) -> ClientRequest {
    ClientRequest {
        request_id: another_id(),
        by: by.into(),
        client: code(),
        reason: "2026-11-20/118".into(),
        ask: ClientAsk::VerifyCaller {
            matched,
            now: at(minute),
            valid_until: at(minute + 15),
        },
    }
}

/// The state after a call, or why nothing was compared.
fn call(
    state: ClientState,
    by: &str,
    minute: i64,
    matched: bool,
) -> Result<ClientState, &'static str> {
    let events = decide(&state, ask(by, minute, matched)).map_err(|it| it.code())?;
    assert_eq!(events.len(), 1);
    Ok(events.iter().fold(state, evolve))
}

fn may(state: &ClientState, by: &str, minute: i64) -> Result<(), &'static str> {
    check_verified(state, &code(), by, at(minute)).map_err(|refusal| refusal.code())
}

#[test]
fn a_verification_holds_for_its_operator_and_for_its_minutes() {
    let state = known();
    assert_eq!(may(&state, ASHA, 0), Err("caller-not-verified"));
    let state = call(state, ASHA, 0, true).unwrap();
    assert_eq!(may(&state, ASHA, 0), Ok(()));
    assert_eq!(may(&state, ASHA, 14), Ok(()));
    assert_eq!(may(&state, ASHA, 15), Err("caller-not-verified"));
    assert_eq!(may(&state, LEELA, 0), Err("caller-not-verified"));
    let state = call(state, ASHA, 20, true).unwrap();
    assert_eq!(may(&state, ASHA, 34), Ok(()));
}

#[test]
fn a_caller_who_fails_takes_back_what_was_verified_before() {
    let state = call(known(), ASHA, 0, true).unwrap();
    let state = call(state, LEELA, 0, true).unwrap();
    let state = call(state, ASHA, 1, false).unwrap();
    assert_eq!(may(&state, ASHA, 1), Err("caller-not-verified"));
    assert_eq!(may(&state, LEELA, 1), Ok(()));
}

#[test]
fn after_three_failures_nothing_is_compared_until_they_are_old() {
    let mut state = known();
    for minute in 0..3 {
        assert_eq!(state.attempts_left(ASHA, at(minute)), 3 - minute as usize);
        state = call(state, ASHA, minute, false).unwrap();
    }
    for matched in [true, false] {
        let refused = call(state.clone(), ASHA, 3, matched);
        assert_eq!(refused.unwrap_err(), "too-many-verifications");
    }
    // Another operator may, and the first again when a failure is half an hour old.
    assert!(call(state.clone(), LEELA, 3, true).is_ok());
    assert_eq!(
        call(state.clone(), ASHA, 29, true).unwrap_err(),
        "too-many-verifications"
    );
    let state = call(state, ASHA, 30, true).unwrap();
    assert_eq!(state.attempts_left(ASHA, at(30)), 3);
    // Not even a history of many failures keeps more than count.
    let failed = CallerVerificationFailed {
        client: code(),
        call_reference: String::new(),
        at: at(31),
        by: ASHA.into(),
        request_id: RequestId(Uuid::nil()),
    };
    let failed = ClientEvent::CallerVerificationFailed(failed);
    let state = (0..9).fold(state, |state, _| evolve(state, &failed));
    assert_eq!(state.verifications[ASHA].failed_at.len(), FAILURES_MAX);
}

#[test]
fn who_cannot_be_verified_is_refused_by_name_and_so_is_acting_for_them() {
    let nobody = ClientState::default();
    let bare = ClientState {
        identity: None,
        ..known()
    };
    let gone = ClientState {
        erased: Some(Erasure {
            by: "privacy-officer".into(),
            reason: "asked".into(),
        }),
        identity: None,
        ..known()
    };
    for (state, code) in [
        (nobody, "unknown-client"),
        (bare, "identity-not-recorded"),
        (gone, "client-erased"),
        (with_fields(&[IdentityField::Pan]), "identity-incomplete"),
        (
            with_fields(&[IdentityField::DateOfBirth]),
            "identity-incomplete",
        ),
    ] {
        assert_eq!(may(&state, ASHA, 0), Err(code));
        assert_eq!(call(state, ASHA, 0, true).unwrap_err(), code);
    }
}

#[test]
fn an_erasure_ends_every_verification() {
    let state = call(known(), ASHA, 0, true).unwrap();
    let erase = ClientRequest {
        reason: "asked to be forgotten".into(),
        ask: ClientAsk::Erase,
        ..ask(ASHA, 0, true)
    };
    let state = decide(&state, erase).unwrap().iter().fold(state, evolve);
    assert_eq!(may(&state, ASHA, 0), Err("client-erased"));
}

#[test]
fn a_call_is_not_named_by_a_pan() {
    let named = ClientRequest {
        reason: "call of AAAPZ0042Z".into(),
        ..ask(ASHA, 0, true)
    };
    assert_eq!(decide(&known(), named), Err(ClientRefusal::ReasonHoldsPan));
}

/// What was told a second time under the same id is not looked at: the outcome it would have now makes no difference.
#[test]
fn a_verification_asked_again_has_its_first_outcome_and_fails_no_second_time() {
    let (failing, right) = (ask(ASHA, 0, false), ask(ASHA, 1, true));
    let after = |state: ClientState, request: &ClientRequest| {
        let events = decide(&state, request.clone()).unwrap();
        events.iter().fold(state, evolve)
    };
    let state = after(after(known(), &failing), &right);
    let answer = |request: &ClientRequest| state.requests[&request.request_id].answer.clone();
    assert_eq!(answer(&failing), Answer::NotVerified { attempts_left: 2 });
    let valid_until = at(16);
    assert_eq!(answer(&right), Answer::Verified { valid_until });
    for (first, matched, minute) in [
        (&failing, true, 2),
        (&failing, false, 2),
        (&right, false, 40),
    ] {
        let again = ClientRequest {
            request_id: first.request_id,
            ..ask(ASHA, minute, matched)
        };
        assert_eq!(decide(&state, again), Ok(vec![]));
    }
    let call = ClientRequest {
        reason: "2026-11-20/119".into(),
        ..right.clone()
    };
    let by = ClientRequest {
        by: LEELA.into(),
        ..right.clone()
    };
    let look = ClientRequest {
        ask: ClientAsk::Reveal,
        ..right
    };
    for other in [call, by, look] {
        let refused = decide(&state, other).unwrap_err();
        assert_eq!(refused, ClientRefusal::RequestIdReused);
    }
}
