use super::*;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// Each request is one of its own.
fn another_id() -> RequestId {
    static MADE: AtomicU64 = AtomicU64::new(1);
    RequestId(Uuid::from_u128(MADE.fetch_add(1, Ordering::Relaxed).into()))
}

fn code() -> ClientCode {
    "C00042".parse().unwrap()
}

fn key(number: u128) -> KeyId {
    KeyId(Uuid::from_u128(number))
}

fn sealed(key_id: KeyId, text: &str) -> SealedIdentity {
    let field = IdentityField::Pan;
    let sealed = text.to_owned();
    SealedIdentity {
        key_id,
        fields: vec![SealedField { field, sealed }],
    }
}

fn registered() -> ClientReport {
    ClientReport::Registered(Client {
        client: code(),
        category: "retail".into(),
        branch: "MUM-01".into(),
        segments: vec![],
    })
}

fn identity(key_id: KeyId, text: &str) -> ClientReport {
    ClientReport::Identity {
        client: code(),
        sealed: sealed(key_id, text),
        source: "2026-11-20/0011".into(),
    }
}

fn asks(ask: ClientAsk, reason: &str) -> ClientRequest {
    ClientRequest {
        request_id: another_id(),
        by: "desk-asha".into(),
        client: code(),
        reason: reason.into(),
        ask,
    }
}

/// State after the reports, then after what was asked.
struct Told(ClientState);

impl Told {
    fn tell(self, report: ClientReport) -> Self {
        Told(record(&self.0, report).iter().fold(self.0, evolve))
    }

    fn ask(&self, ask: ClientAsk) -> Result<Vec<&'static str>, &'static str> {
        let name = |event: &ClientEvent| match event {
            ClientEvent::ClientRegistered(_) => "registered",
            ClientEvent::ClientIdentityRecorded(_) => "recorded",
            ClientEvent::ClientKeyRotated(_) => "rotated",
            ClientEvent::ClientIdentityRevealed(_) => "revealed",
            ClientEvent::ClientErased(_) => "erased",
            ClientEvent::CallerVerified(_) => "verified",
            ClientEvent::CallerVerificationFailed(_) => "failed",
        };
        match decide(&self.0, asks(ask, "the client called")) {
            Ok(events) => Ok(events.iter().map(name).collect()),
            Err(refusal) => Err(refusal.code()),
        }
    }

    fn erase(self) -> Self {
        let events = decide(&self.0, asks(ClientAsk::Erase, "asked to be forgotten")).unwrap();
        Told(events.iter().fold(self.0, evolve))
    }
}

#[test]
fn what_may_be_asked_of_a_client_at_each_stage() {
    let rotate = || ClientAsk::RotateKey {
        sealed: sealed(key(2), "xyz"),
    };
    let nobody = Told(ClientState::default());
    let bare = Told(ClientState::default()).tell(registered());
    let known = Told(ClientState::default())
        .tell(registered())
        .tell(identity(key(1), "abc"));
    let gone = Told(known.0.clone()).erase();
    for (told, reveal, turn, erase) in [
        (
            &nobody,
            Err("unknown-client"),
            Err("unknown-client"),
            Err("unknown-client"),
        ),
        (
            &bare,
            Err("identity-not-recorded"),
            Err("identity-not-recorded"),
            Ok(vec!["erased"]),
        ),
        (
            &known,
            Ok(vec!["revealed"]),
            Ok(vec!["rotated"]),
            Ok(vec!["erased"]),
        ),
        (
            &gone,
            Err("client-erased"),
            Err("client-erased"),
            Ok(vec![]),
        ),
    ] {
        assert_eq!(told.ask(ClientAsk::Reveal), reveal, "{:?}", told.0);
        assert_eq!(told.ask(rotate()), turn, "{:?}", told.0);
        assert_eq!(told.ask(ClientAsk::Erase), erase, "{:?}", told.0);
    }
}

#[test]
fn an_identity_told_after_the_erasure_is_not_recorded_and_the_master_goes_on() {
    let gone = Told(ClientState::default())
        .tell(registered())
        .tell(identity(key(1), "abc"))
        .erase();
    assert_eq!(record(&gone.0, identity(key(2), "def")), vec![]);
    assert_eq!(gone.0.identity, None);
    assert_eq!(gone.0.erased.as_ref().unwrap().by, "desk-asha");
    assert!(gone.0.client.is_some());
    // Not even a history that says so brings it back.
    let forced = ClientEvent::ClientIdentityRecorded(ClientIdentityRecorded {
        client: code(),
        key_id: key(2),
        fields: vec![],
        source: String::new(),
    });
    assert_eq!(evolve(gone.0, &forced).identity, None);
}

#[test]
fn a_line_told_twice_says_nothing_new() {
    let known = Told(ClientState::default())
        .tell(registered())
        .tell(identity(key(1), "abc"));
    assert_eq!(record(&known.0, registered()), vec![]);
    assert_eq!(record(&known.0, identity(key(1), "abc")), vec![]);
    assert_eq!(record(&known.0, identity(key(1), "abd")).len(), 1);
}

#[test]
fn a_reason_is_needed_and_holds_no_pan() {
    let known = Told(ClientState::default()).tell(registered());
    for (reason, code) in [
        ("", "reason-missing"),
        (" \t", "reason-missing"),
        ("called about AAAPZ0001Z", "reason-holds-pan"),
        ("pan:aaapz0001z", "reason-holds-pan"),
    ] {
        let refusal = decide(&known.0, asks(ClientAsk::Erase, reason)).unwrap_err();
        assert_eq!(refusal.code(), code, "{reason}");
        assert!(!refusal.to_string().to_uppercase().contains("AAAPZ"));
    }
    assert!(decide(&known.0, asks(ClientAsk::Erase, "ticket AAAPZ0001")).is_ok());
}

#[test]
fn each_field_has_its_form() {
    use IdentityField::{DateOfBirth, Email, Name, Pan, Phone};
    for (field, text, good) in [
        (Name, "Asha Namuna", true),
        (Name, "अदिति", true),
        (Name, "", false),
        (Name, " Asha", false),
        (Name, "A\u{7}", false),
        (Pan, "AAAPZ0001Z", true),
        (Pan, "AAAEZ0001Z", true),
        (Pan, "AAAXZ0001Z", false),
        (Pan, "aaapz0001z", false),
        (Pan, "AAAPZ00O1Z", false),
        (Pan, "AAAPZ0001ZZ", false),
        (Pan, "", false),
        (DateOfBirth, "1984-02-29", true),
        (DateOfBirth, "1983-02-29", false),
        (DateOfBirth, "29/02/1984", false),
        (DateOfBirth, "1899-12-31", false),
        (Email, "a@example.com", true),
        (Email, "a@b@c", false),
        (Email, "@example.com", false),
        (Phone, "+91 00000 00001", true),
        (Phone, "00000", false),
        (Phone, "+91-00000-00001", false),
    ] {
        let mistake = field.mistake(text);
        assert_eq!(mistake.is_none(), good, "{field} {text}: {mistake:?}");
    }
}
