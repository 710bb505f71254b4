//! Who a client is, over HTTP: masked, found by PAN, revealed behind a recorded reason, erased.

use crate::desk::Desk;
use crate::node::{ACTOR, Node, answer, assert_refused};
use crate::readable::Readable;
use reqwest::Method;
use serde_json::{Value, json};
use squareoff_domain::Timestamp;
use squareoff_domain::client::IdentityField;
use squareoff_identity::{
    KeyStore, Line, MasterKeySource, PlainIdentity, RecordedBy, Vault, client_streams,
};
use squareoff_store::{Caller, Position, Streams};
use std::path::Path;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

pub const PAN: &str = "AAAPZ0042Z";
const REVEAL: &str = "/v1/clients/C00001/identity/reveal";

fn vault(folder: &Path) -> Vault {
    let keys = folder.join("keys");
    let store = KeyStore::open(&keys, &keys.join("backup")).unwrap();
    Vault::new(
        store,
        MasterKeySource::FileMadeOnce(keys.join("master.key")),
    )
}

/// C00001 and C00002 are one person; of C00003 nothing is recorded.
pub async fn recorded(desk: &Desk) -> Vault {
    let vault = vault(desk.folder());
    let line = |client: &str| {
        let mut identity = PlainIdentity::default();
        identity.set(IdentityField::Name, "Asha Namuna");
        identity.set(IdentityField::Pan, PAN);
        identity.set(IdentityField::DateOfBirth, "1984-02-29");
        identity.set(IdentityField::Email, "asha@example.com");
        identity.set(IdentityField::Phone, "+91 00000 00042");
        Line {
            client: client.parse().unwrap(),
            identity,
        }
    };
    record(desk, &vault, &[line("C00001"), line("C00002")]).await;
    vault
}

async fn record(desk: &Desk, vault: &Vault, lines: &[Line]) {
    let by = RecordedBy {
        actor: "operator".into(),
        epoch: 1,
        now: Timestamp(1_795_000_000_000_000_000),
        source: "2026-11-20/test".into(),
    };
    vault.record(&desk.store, lines, &by).await.unwrap();
}

/// Of the client the book knew a name and a PAN, and no date of birth.
pub async fn recorded_in_part(desk: &Desk, vault: &Vault, client: &str) {
    let mut identity = PlainIdentity::default();
    identity.set(IdentityField::Name, "Asha Namuna");
    identity.set(IdentityField::Pan, PAN);
    let client = client.parse().unwrap();
    record(desk, vault, &[Line { client, identity }]).await;
}

pub async fn erase(desk: &Desk, vault: &Vault, client: &str) {
    let caller = Caller {
        actor: "privacy-officer".into(),
        request_id: Uuid::now_v7(),
        correlation_id: Uuid::nil(),
        epoch: 1,
        now: Timestamp(1_795_000_000_000_000_000),
    };
    let streams = client_streams(&desk.store);
    let client = client.parse().unwrap();
    vault
        .erase(&streams, &client, "asked by letter", &caller)
        .await
        .unwrap();
}

/// A node that has the keys.
async fn keyed(desk: &Desk) -> (Readable, Vault) {
    let vault = recorded(desk).await;
    let readable = Readable::start(desk).await;
    readable.caught_up(desk).await;
    (readable, vault)
}

async fn found(node: &Node, pan: &str) -> Vec<String> {
    let request = node.request(Method::POST, "/v1/clients/search");
    let answer = answer(request.json(&json!({ "pan": pan }))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(!answer.text.contains(PAN));
    let clients = answer.body["clients"].as_array().unwrap();
    clients
        .iter()
        .map(|client| client["client_code"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn an_identity_is_masked_found_revealed_and_forgotten() {
    let desk = Desk::open().await;
    let (readable, vault) = keyed(&desk).await;
    let node = &readable.node;
    let shown = node.read("/v1/clients/C00001").await;
    let masked = json!({
        "state": "recorded",
        "masked": { "name": "A*** N***", "pan": "AA******2Z", "date_of_birth": "****-**-**", "email": "a***@***", "phone": "********42" },
    });
    assert_eq!(shown["identity"], masked);
    assert_eq!(
        node.read("/v1/clients/C00003").await["identity"],
        json!({ "state": "none" })
    );
    assert_eq!(found(node, PAN).await, ["C00001", "C00002"]);
    assert_eq!(found(node, " aaapz0042z ").await, ["C00001", "C00002"]);
    assert_eq!(found(node, "AAAPZ0043Z").await, Vec::<String>::new());

    let body = json!({ "reason": "the client cannot log in" });
    let revealed = answer(node.ask(REVEAL, &body)).await;
    assert_eq!(revealed.status, 200, "{}", revealed.text);
    assert_eq!(revealed.header("cache-control"), Some("no-store"));
    let clear = json!({ "name": "Asha Namuna", "pan": PAN, "date_of_birth": "1984-02-29", "email": "asha@example.com", "phone": "+91 00000 00042" });
    assert_eq!(revealed.body["identity"], clear);
    let told = desk.store.read_all(Position::START, 10_000).await.unwrap();
    let told = told
        .iter()
        .find(|event| event.position.to_string() == revealed.body["position"])
        .unwrap();
    assert_eq!(
        (&*told.event_type, &*told.actor),
        ("ClientIdentityRevealed", ACTOR)
    );
    assert_eq!(
        Value::from(told.request_id.to_string()),
        revealed.body["request_id"]
    );

    erase(&desk, &vault, "C00001").await;
    readable.caught_up(&desk).await;
    let shown = node.read("/v1/clients/C00001").await;
    assert_eq!(shown["identity"], json!({ "state": "erased" }));
    assert_eq!(found(node, PAN).await, ["C00002"]);
    let again = answer(node.ask(REVEAL, &body)).await;
    again.assert_problem(410, "client-erased", "C00001");
    // What was traded stays.
    let positions = node.read("/v1/clients/C00001/positions").await;
    assert!(!positions["positions"].as_array().unwrap().is_empty());
    // The acts are in the audit trail, each with who and why; the lines of the file are not.
    let trail = node.read("/v1/audit?client_code=C00001").await.to_string();
    for word in [
        "ClientIdentityRevealed",
        "the client cannot log in",
        "ClientErased",
        "privacy-officer",
        "asked by letter",
    ] {
        assert!(trail.contains(word), "{word} is not in {trail}");
    }
    assert!(
        !trail.contains("ClientIdentityRecorded") && !trail.contains("Namuna"),
        "{trail}"
    );
}

#[tokio::test]
async fn what_cannot_be_revealed_or_searched_is_refused_without_echoing_it() {
    let desk = Desk::open().await;
    let vault = recorded(&desk).await;
    erase(&desk, &vault, "C00002").await;
    let node = Node::start(&desk).await;
    let search = |body: Value| node.request(Method::POST, "/v1/clients/search").json(&body);
    let reveal = |client: &str, body: Value| {
        let path = format!("/v1/clients/{client}/identity/reveal");
        node.ask(&path, &body)
    };
    let why = || json!({ "reason": "called" });
    assert_refused(
        &desk,
        vec![
            (
                "no reason",
                reveal("C00001", json!({ "reason": " " })),
                422,
                "reason-missing",
                "a reason",
            ),
            (
                "no body",
                reveal("C00001", json!({})),
                400,
                "malformed-request",
                "reason",
            ),
            (
                "a PAN in the reason",
                reveal("C00001", json!({ "reason": format!("saw {PAN}") })),
                422,
                "reason-holds-pan",
                "for ever",
            ),
            (
                "erased",
                reveal("C00002", why()),
                410,
                "client-erased",
                "C00002",
            ),
            (
                "nothing recorded",
                reveal("C00003", why()),
                404,
                "identity-not-recorded",
                "C00003",
            ),
            (
                "nobody",
                reveal("C99999", why()),
                404,
                "unknown-client",
                "C99999",
            ),
            (
                "no code",
                reveal("c1", why()),
                400,
                "invalid-parameter",
                "client_code",
            ),
            (
                "no PAN",
                search(json!({ "pan": "AAAPZ004Z" })),
                400,
                "malformed-request",
                "five letters",
            ),
            (
                "a number",
                search(json!({ "pan": 42 })),
                400,
                "malformed-request",
                "not a text",
            ),
            (
                "no field",
                search(json!({})),
                400,
                "malformed-request",
                "pan",
            ),
        ],
    )
    .await;
    for echoed in [
        json!({ "pan": "AAAXZ0042Z" }),
        json!({ "pan": 8_675_309 }),
        json!({ "pan": [PAN] }),
    ] {
        let text = answer(search(echoed.clone())).await.text;
        for secret in ["AAAXZ0042Z", "8675309", PAN] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    // The code that is the word of another path is a code all the same.
    let anonymous = node.anonymous(Method::POST, REVEAL).json(&why());
    answer(anonymous)
        .await
        .assert_problem(401, "unauthenticated", "token");
}

#[tokio::test]
async fn without_the_keys_identities_stay_sealed_and_everything_else_goes_on() {
    let desk = Desk::open().await;
    let (readable, _) = keyed(&desk).await;
    let node = &readable.node;
    std::fs::remove_file(desk.folder().join("keys/master.key")).unwrap();
    let shown = node.read("/v1/clients/C00001").await;
    assert_eq!(shown["identity"], json!({ "state": "sealed" }));
    let body = json!({ "reason": "called" });
    let revealed = answer(node.ask(REVEAL, &body)).await;
    revealed.assert_problem(503, "identity-keys-unavailable", "the API's log");
    let search = node.request(Method::POST, "/v1/clients/search");
    let search = answer(search.json(&json!({ "pan": PAN }))).await;
    search.assert_problem(503, "identity-keys-unavailable", "the API's log");
    assert!(!search.text.contains("master.key"), "{}", search.text);
}

/// What the development outbox holds, when it holds so many messages.
async fn outbox(desk: &Desk, messages: usize) -> Vec<Value> {
    let file = desk.folder().join("outbox/messages.jsonl");
    loop {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let whole = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let whole: Vec<Value> = whole.collect();
        if whole.len() >= messages {
            return whole;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_client_comes_in_by_pan_or_client_code_and_a_code_that_is_sent() {
    let desk = Desk::open().await;
    recorded(&desk).await;
    let node = Node::start(&desk).await;
    let send = |client: &str| {
        let request = node.anonymous(Method::POST, "/v1/auth/code");
        answer(request.json(&json!({ "client": client })))
    };
    // Neither who is nobody nor who can't be reached is told from the rest.
    for client in ["C99999", "C00003", "BBBPZ0042Z", "nonsense"] {
        let sent = send(client).await;
        assert_eq!(sent.status, 202, "{}", sent.text);
        assert!(sent.body["challenge"].is_string() && sent.body.as_object().unwrap().len() == 2);
    }
    let sent = send(PAN).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    let messages = outbox(&desk, 1).await;
    assert_eq!(messages.len(), 1, "to those alone who are there");
    assert_eq!(messages[0]["phone"], "+91 00000 00042");
    assert_eq!(messages[0]["email"], "asha@example.com");
    let text = messages[0]["text"].as_str().unwrap();
    assert!(text.contains("as C00001"), "{text}");
    let code = &text[..8];
    let log_in = |code: &str| {
        let body = json!({ "challenge": sent.body["challenge"], "code": code, "mode": "token" });
        answer(
            node.anonymous(Method::POST, "/v1/auth/code/login")
                .json(&body),
        )
    };
    let wrong = if code == "00000000" {
        "00000001"
    } else {
        "00000000"
    };
    log_in(wrong)
        .await
        .assert_problem(401, "log-in-refused", "not right");
    let logged_in = log_in(code).await;
    assert_eq!(logged_in.status, 200, "{}", logged_in.text);
    assert_eq!(logged_in.body["client_code"], "C00001");
    let token = logged_in.body["access_token"].as_str().unwrap();
    let me = answer(
        node.anonymous(Method::GET, "/v1/auth/me")
            .bearer_auth(token),
    )
    .await;
    assert_eq!(
        (&me.body["role"], &me.body["operator"]),
        (&json!("investor"), &json!("investor-c00001"))
    );
    log_in(code)
        .await
        .assert_problem(401, "log-in-refused", "not right");
    // The look at the phone number is in the client's history, the code nowhere.
    let stored = desk
        .store
        .read_stream("client-C00001", 1, 100)
        .await
        .unwrap();
    assert!(
        stored
            .iter()
            .any(|stored| &*stored.event_type == "ClientIdentityRevealed")
    );
    let says = |stored: &squareoff_store::StoredEvent| {
        stored.body.windows(8).any(|bytes| bytes == code.as_bytes())
    };
    assert!(!desk.log().await.iter().any(says));
    let sent = send("C00001").await;
    let messages = outbox(&desk, 2).await;
    let body = json!({
        "challenge": sent.body["challenge"],
        "code": &messages[1]["text"].as_str().unwrap()[..8],
        "mode": "cookie",
    });
    let request = node.anonymous(Method::POST, "/v1/auth/code/login");
    let logged_in = answer(request.json(&body)).await;
    assert_eq!(logged_in.status, 200, "{}", logged_in.text);
    assert_eq!(logged_in.body["client_code"], "C00001");
}

#[tokio::test]
async fn clients_are_found_by_name_and_phone_until_they_are_erased() {
    let desk = Desk::open().await;
    let (readable, vault) = keyed(&desk).await;
    let node = &readable.node;
    let found = async |body: Value| {
        let request = node.request(Method::POST, "/v1/clients/search").json(&body);
        let answer = answer(request).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(!answer.text.contains("Namuna") && !answer.text.contains("00042"));
        assert_eq!(answer.body["more"], false);
        let clients = answer.body["clients"].as_array().unwrap().iter();
        let codes = clients.map(|it| it["client_code"].as_str().unwrap().to_owned());
        codes.collect::<Vec<_>>()
    };
    let both = ["C00001", "C00002"];
    for body in [
        json!({ "name": "asha" }),
        json!({ "name": "NAMUNA, Ash" }),
        json!({ "phone": "0000000042" }),
        json!({ "phone": "0091 00000-00042" }),
    ] {
        assert_eq!(found(body.clone()).await, both, "{body}");
    }
    for body in [
        json!({ "name": "amuna" }),
        json!({ "name": "asha rao" }),
        json!({ "phone": "0000000043" }),
    ] {
        assert_eq!(found(body.clone()).await, [""; 0], "{body}");
    }
    let search = |body: Value| node.request(Method::POST, "/v1/clients/search").json(&body);
    for (body, word) in [
        (json!({ "name": "as n" }), "`name`"),
        (json!({ "phone": "00042" }), "`phone`"),
        (json!({ "name": 7 }), "`name` is not a text"),
        (json!({ "name": "asha", "phone": "0000000042" }), "one of"),
        (json!({ "name": null }), "`name` is not a text"),
    ] {
        let refused = answer(search(body)).await;
        refused.assert_problem(400, "malformed-request", word);
        assert!(!refused.text.contains("00042") && !refused.text.contains("asha"));
    }
    // Under another key it is found as before, and once erased by nothing.
    erase(&desk, &vault, "C00001").await;
    node.knows(desk.head().await).await;
    assert_eq!(found(json!({ "name": "asha" })).await, ["C00002"]);
    assert_eq!(found(json!({ "phone": "0000000042" })).await, ["C00002"]);
}

#[tokio::test]
async fn a_look_asked_again_shows_the_same_and_is_no_second_one() {
    let desk = Desk::open().await;
    let vault = recorded(&desk).await;
    let nodes = [Node::start(&desk).await, Node::start(&desk).await];
    let why = |reason: &str| json!({ "reason": reason });
    let reveal = |node: &Node, key: &str, reason: &str| {
        answer(node.ask_as(ACTOR, key, REVEAL, &why(reason)))
    };
    let first = reveal(&nodes[0], "one", "called").await;
    assert!(
        first.status == 200 && !first.is_repetition(),
        "{}",
        first.text
    );
    // Somebody else's look comes between.
    assert_eq!(reveal(&nodes[0], "two", "called").await.status, 200);
    let head = desk.head().await;
    for node in &nodes {
        node.knows(head).await;
        let again = reveal(node, "one", "called").await;
        assert_eq!((again.status, &again.text), (200, &first.text));
        assert!(again.is_repetition());
        assert_eq!(again.header("cache-control"), Some("no-store"));
    }
    assert_eq!(desk.head().await, head);
    let node = &nodes[1];
    let other = "/v1/clients/C00002/identity/reveal";
    let missing = node.request(Method::POST, REVEAL).json(&why("called"));
    let told = json!({ "call_reference": "called", "pan": PAN, "date_of_birth": "1984-02-29" });
    let verify = "/v1/clients/C00001/verifications";
    let reused = |what, request| (what, request, 422, "idempotency-key-reused", "used before");
    #[rustfmt::skip]
    let lines = vec![
        reused("another reason", node.ask_as(ACTOR, "one", REVEAL, &why("asked"))),
        reused("another client", node.ask_as(ACTOR, "one", other, &why("called"))),
        reused("a verification", node.ask_as(ACTOR, "one", verify, &told)),
        ("no key", missing, 400, "idempotency-key-missing", "Idempotency-Key"),
    ];
    assert_refused(&desk, lines).await;
    let asks = (0..8).map(|number| reveal(&nodes[number % 2], "three", "called"));
    let answers = futures::future::join_all(asks).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.text), (200, &answers[0].text));
    }
    let looks = async || {
        let log = desk.log().await;
        let looks = log
            .iter()
            .filter(|stored| &*stored.event_type == "ClientIdentityRevealed");
        looks.count()
    };
    assert_eq!(looks().await, 3);
    // What was erased is not shown once more.
    erase(&desk, &vault, "C00001").await;
    let gone = reveal(node, "one", "called").await;
    gone.assert_problem(410, "client-erased", "C00001");
    assert_eq!(looks().await, 3);
}

/// Under its key a look would otherwise be taken again and again, for ever, and nobody would know.
#[tokio::test]
async fn a_look_of_some_minutes_ago_is_not_shown_again() {
    let (desk, elsewhere) = (Desk::open().await, Desk::open().await);
    let vault = recorded(&desk).await;
    recorded(&elsewhere).await;
    let why = json!({ "reason": "called" });
    let reveal = async |desk: &Desk| {
        let node = Node::start(desk).await;
        answer(node.ask_as(ACTOR, "one", REVEAL, &why)).await
    };
    // Actor and key name the same request everywhere.
    let named = reveal(&elsewhere).await;
    let request_id = named.body["request_id"].as_str().unwrap();
    let request_id = request_id.parse().unwrap();
    let now = OffsetDateTime::now_utc() - Duration::minutes(6);
    let by = Caller {
        actor: ACTOR.into(),
        request_id,
        correlation_id: request_id,
        epoch: 1,
        now: Timestamp(i64::try_from(now.unix_timestamp_nanos()).unwrap()),
    };
    let client = "C00001".parse().unwrap();
    let streams = Streams::new(desk.store.clone());
    let first = vault.reveal(&streams, &client, "called", &by).await;
    first.unwrap();
    let late = reveal(&desk).await;
    late.assert_problem(409, "reveal-over", "more than 5 minutes ago");
    assert!(!late.text.contains(PAN), "{}", late.text);
}
