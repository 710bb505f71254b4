//! Who is on the phone: verified before the desk acts for them, for a while, by one operator, and never by guessing.

use crate::desk::{Desk, key, nifty};
use crate::identity::{PAN, erase, recorded, recorded_in_part};
use crate::node::{
    ACTOR, Answer, Node, answer, assert_refused, close_all, position_path, settings, with,
};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use squareoff_domain::{Product, Venue};
use uuid::Uuid;

const VERIFY: &str = "/v1/clients/C00001/verifications";
const LEELA: &str = "desk-leela";
const NOTHING: Value = Value::Null;

/// A node where the desk verifies callers.
async fn strict(desk: &Desk) -> Node {
    let settings = squareoff_api::Settings {
        caller_verification: true,
        ..settings()
    };
    Node::with(desk, settings).await
}

fn told() -> Value {
    json!({ "call_reference": "2026-11-20/118", "pan": PAN, "date_of_birth": "1984-02-29" })
}

fn verify(node: &Node, by: &str, client: &str, body: &Value) -> RequestBuilder {
    let path = format!("/v1/clients/{client}/verifications");
    node.ask_as(by, &Uuid::new_v4().to_string(), &path, body)
}

async fn verified(node: &Node, by: &str) -> Answer {
    let answer = answer(verify(node, by, "C00001", &told())).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer
}

fn square_off(node: &Node, by: &str, units: u64) -> RequestBuilder {
    let body = with(&close_all(&nifty()), &[("quantity", json!(units))]);
    node.square_off_as(by, &Uuid::new_v4().to_string(), &body)
}

#[tokio::test]
async fn the_desk_acts_for_a_client_only_when_the_caller_was_verified() {
    let desk = Desk::open().await;
    recorded(&desk).await;
    let node = strict(&desk).await;
    let refused = answer(square_off(&node, ACTOR, 20)).await;
    refused.assert_problem(409, "caller-not-verified", VERIFY);

    let answered = verified(&node, ACTOR).await;
    assert_eq!(answered.header("cache-control"), Some("no-store"));
    assert_eq!(answered.body["operator"], ACTOR);
    assert_eq!(answered.body["call_reference"], "2026-11-20/118");
    let log = desk.log().await;
    let event = log.last().unwrap();
    assert_eq!(
        (&*event.event_type, &*event.stream, &*event.actor),
        ("CallerVerified", "client-C00001", ACTOR)
    );
    assert_eq!(json!(event.position.to_string()), answered.body["position"]);
    assert_eq!(
        json!(event.request_id.to_string()),
        answered.body["request_id"]
    );
    let body = String::from_utf8_lossy(&event.body);
    assert!(!body.contains(PAN) && !body.contains("1984"), "{body}");

    let order = answer(square_off(&node, ACTOR, 20)).await.accepted().orders[0];
    desk.acknowledge(&nifty(), order).await;
    // For another operator, and for another client of the same person, nobody was verified.
    let other = answer(square_off(&node, LEELA, 5)).await;
    other.assert_problem(409, "caller-not-verified", "desk-leela has verified nobody");
    let body = close_all(&key("C00002", Venue::Nse, "NIFTY26NOVFUT", Product::Mis));
    let twin = answer(node.square_off(&body)).await;
    twin.assert_problem(409, "caller-not-verified", "C00002");
    // Everything that is a client's wish is asked for alike.
    let (path, client) = (format!("/v1/orders/{order}"), "/v1/clients/C00001");
    for (by, path, body) in [
        (
            LEELA,
            format!("{path}/modify"),
            json!({ "limit_price": "99.00" }),
        ),
        (LEELA, format!("{path}/cancel"), NOTHING),
        (
            LEELA,
            format!("{}/cancel-all", position_path(&nifty())),
            NOTHING,
        ),
        (LEELA, format!("{client}/cancel-all"), NOTHING),
        ("supervisor-ravi", format!("{client}/cancel-all"), NOTHING),
    ] {
        let key = Uuid::new_v4().to_string();
        let refused = answer(node.ask_as(by, &key, &path, &body)).await;
        refused.assert_problem(409, "caller-not-verified", "verifications");
    }
    let modify = json!({ "limit_price": "99.00" });
    node.accept(&format!("{path}/modify"), &modify).await;
    node.accept(&format!("{client}/cancel-all"), &NOTHING).await;
    // Whoever acts for themself, and what is no client's wish.
    let own = answer(square_off(&node, "investor-c00001", 5)).await;
    assert_eq!(own.status, 202, "{}", own.text);
    let freeze = format!("{}/freeze", position_path(&nifty()));
    node.accept_as(LEELA, &freeze, &json!({ "reason": "disputed" }))
        .await;
}

#[tokio::test]
async fn a_request_that_was_accepted_is_answered_again_when_nobody_is_verified_any_more() {
    let desk = Desk::open().await;
    recorded(&desk).await;
    let node = strict(&desk).await;
    verified(&node, ACTOR).await;
    let body = with(&close_all(&nifty()), &[("quantity", json!(20))]);
    let first = answer(node.square_off_as(ACTOR, "one", &body))
        .await
        .accepted();
    let wrong = with(&told(), &[("date_of_birth", json!("1984-02-28"))]);
    answer(verify(&node, ACTOR, "C00001", &wrong))
        .await
        .assert_problem(422, "caller-mismatch", "2 attempts");
    let again = answer(node.square_off_as(ACTOR, "one", &body)).await;
    assert!(again.is_repetition(), "{}", again.text);
    assert_eq!(again.accepted().orders, first.orders);
    let new = answer(node.square_off_as(ACTOR, "two", &body)).await;
    new.assert_problem(409, "caller-not-verified", "verifications");
}

/// The id of a request is of actor and key alone: that it was accepted once says nothing of another client.
#[tokio::test]
async fn a_key_that_was_accepted_of_one_client_lets_nobody_act_for_another() {
    let desk = Desk::open().await;
    recorded(&desk).await;
    let node = strict(&desk).await;
    verified(&node, ACTOR).await;
    let body = with(&close_all(&nifty()), &[("quantity", json!(20))]);
    let accepted = answer(node.square_off_as(ACTOR, "one", &body)).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let other = key("C00002", Venue::Nse, "NIFTY26NOVFUT", Product::Mis);
    let before = desk.events_but_refusals().await;
    for (path, body) in [
        ("/v1/clients/C00002/cancel-all".to_owned(), NOTHING),
        ("/v1/clients/C00002/square-offs".to_owned(), json!({})),
    ] {
        let refused = answer(node.ask_as(ACTOR, "one", &path, &body)).await;
        refused.assert_problem(409, "caller-not-verified", "C00002");
    }
    for (path, body) in [
        (format!("{}/cancel-all", position_path(&other)), NOTHING),
        ("/v1/square-offs".to_owned(), close_all(&other)),
    ] {
        let refused = answer(node.ask_as(ACTOR, "one", &path, &body)).await;
        assert_eq!(
            refused.problem(),
            "idempotency-key-reused",
            "{}",
            refused.text
        );
    }
    assert_eq!(desk.events_but_refusals().await, before);
}

#[tokio::test]
async fn what_another_node_verified_or_took_back_holds_here() {
    let desk = Desk::open().await;
    recorded(&desk).await;
    let (here, there) = (strict(&desk).await, strict(&desk).await);
    verified(&there, ACTOR).await;
    let accepted = answer(square_off(&here, ACTOR, 5)).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let wrong = with(&told(), &[("date_of_birth", json!("1984-02-28"))]);
    let mismatch = answer(verify(&there, ACTOR, "C00001", &wrong)).await;
    mismatch.assert_problem(422, "caller-mismatch", "2 attempts");
    here.knows(desk.head().await).await;
    let refused = answer(square_off(&here, ACTOR, 5)).await;
    refused.assert_problem(409, "caller-not-verified", "verifications");
}

#[tokio::test]
async fn who_guesses_is_recorded_learns_nothing_and_is_stopped() {
    let desk = Desk::open().await;
    recorded(&desk).await;
    let node = strict(&desk).await;
    let wrong_date = with(&told(), &[("date_of_birth", json!("1984-02-28"))]);
    let wrong_pan = with(&told(), &[("pan", json!("AAAPZ0041Z"))]);
    let first = answer(verify(&node, ACTOR, "C00001", &wrong_date)).await;
    let second = answer(verify(&node, ACTOR, "C00001", &wrong_pan)).await;
    for (said, left) in [(&first, "2 attempts"), (&second, "1 attempts")] {
        said.assert_problem(422, "caller-mismatch", left);
        assert!(
            !said.text.contains("1984") && !said.text.contains("AAAPZ"),
            "{}",
            said.text
        );
    }
    // Which of the two was wrong makes no difference to the answer.
    assert_eq!(
        first.text.replace("; 2", ""),
        second.text.replace("; 1", "")
    );
    answer(verify(&node, ACTOR, "C00001", &wrong_pan))
        .await
        .assert_problem(422, "caller-mismatch", "0 attempts");
    let stopped = answer(verify(&node, ACTOR, "C00001", &told())).await;
    stopped.assert_problem(429, "too-many-verifications", "3 times within 30 minutes");
    // Another operator still verifies.
    verified(&node, LEELA).await;
    let log = desk.log().await;
    let of_client = log.iter().filter(|event| &*event.stream == "client-C00001");
    let types: Vec<_> = of_client.map(|event| &*event.event_type).collect();
    let failed = "CallerVerificationFailed";
    assert!(
        types.ends_with(&[failed, failed, failed, "CallerVerified"]),
        "{types:?}"
    );
    for event in &log {
        let body = String::from_utf8_lossy(&event.body);
        assert!(
            !body.contains("AAAPZ") && !body.contains("1984-02"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_verified_is_refused_by_name() {
    let desk = Desk::open().await;
    let vault = recorded(&desk).await;
    erase(&desk, &vault, "C00002").await;
    let node = strict(&desk).await;
    let with_field = |field: &str, value: Value| with(&told(), &[(field, value)]);
    let asked = |client: &str, body: &Value| verify(&node, ACTOR, client, body);
    let close = |client: &str| {
        let body = with(&close_all(&nifty()), &[("client_code", json!(client))]);
        node.square_off(&body)
    };
    assert_refused(
        &desk,
        vec![
            (
                "erased",
                asked("C00002", &told()),
                410,
                "client-erased",
                "C00002",
            ),
            (
                "acting for who is erased",
                close("C00002"),
                410,
                "client-erased",
                "C00002",
            ),
            (
                "no identity",
                asked("C00003", &told()),
                404,
                "identity-not-recorded",
                "C00003",
            ),
            (
                "acting for nobody known",
                close("C00003"),
                404,
                "identity-not-recorded",
                "C00003",
            ),
            (
                "nobody",
                asked("C99999", &told()),
                404,
                "unknown-client",
                "C99999",
            ),
            (
                "no code",
                asked("c1", &told()),
                400,
                "invalid-parameter",
                "client_code",
            ),
            (
                "no PAN",
                asked("C00001", &with_field("pan", json!("AAAPZ"))),
                400,
                "malformed-request",
                "five letters",
            ),
            (
                "a number",
                asked("C00001", &with_field("pan", json!(8_675_309))),
                400,
                "malformed-request",
                "not a text",
            ),
            (
                "no date",
                asked("C00001", &with_field("date_of_birth", json!("29.2.84"))),
                400,
                "malformed-request",
                "YYYY-MM-DD",
            ),
            (
                "a null",
                asked("C00001", &with_field("date_of_birth", json!([1984]))),
                400,
                "malformed-request",
                "not a text",
            ),
            (
                "no call",
                asked("C00001", &with_field("call_reference", json!(" "))),
                400,
                "malformed-request",
                "1 to 100 bytes",
            ),
            (
                "a PAN as the call",
                asked("C00001", &with_field("call_reference", json!(PAN))),
                422,
                "reason-holds-pan",
                "for ever",
            ),
            (
                "a field too many",
                asked("C00001", &with_field("name", json!("Asha"))),
                400,
                "malformed-request",
                "name",
            ),
        ],
    )
    .await;
}

/// Who would be compared with half of what a caller tells could be anybody who knows that half.
#[tokio::test]
async fn of_whom_something_is_not_recorded_nobody_is_verified_and_nothing_is_done() {
    let desk = Desk::open().await;
    let vault = recorded(&desk).await;
    recorded_in_part(&desk, &vault, "C00003").await;
    let node = strict(&desk).await;
    let body = with(&close_all(&nifty()), &[("client_code", json!("C00003"))]);
    let cancel = Uuid::new_v4().to_string();
    assert_refused(
        &desk,
        vec![
            (
                "who calls",
                verify(&node, ACTOR, "C00003", &told()),
                409,
                "identity-incomplete",
                "no date-of-birth of C00003",
            ),
            (
                "acting for them",
                node.square_off(&body),
                409,
                "identity-incomplete",
                "C00003",
            ),
            (
                "cancelling for them",
                node.ask_as(ACTOR, &cancel, "/v1/clients/C00003/cancel-all", &NOTHING),
                409,
                "identity-incomplete",
                "C00003",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn without_the_keys_nobody_is_verified() {
    let desk = Desk::open().await;
    recorded(&desk).await;
    let node = strict(&desk).await;
    std::fs::remove_file(desk.folder().join("keys/master.key")).unwrap();
    let before = desk.events_but_refusals().await;
    let answered = answer(verify(&node, ACTOR, "C00001", &told())).await;
    answered.assert_problem(503, "identity-keys-unavailable", "the API's log");
    assert_eq!(desk.events_but_refusals().await, before);
}

fn verify_under(node: &Node, key: &str, body: &Value) -> RequestBuilder {
    node.ask_as(ACTOR, key, VERIFY, body)
}

/// A lost answer costs no attempt, and a key is no way to try another date of birth.
#[tokio::test]
async fn a_call_verified_again_under_its_key_has_its_first_outcome() {
    let desk = Desk::open().await;
    recorded(&desk).await;
    let nodes = [strict(&desk).await, strict(&desk).await];
    let wrong = with(&told(), &[("date_of_birth", json!("1984-02-28"))]);
    let first = answer(verify_under(&nodes[0], "one", &wrong)).await;
    first.assert_problem(422, "caller-mismatch", "2 attempts");
    let head = desk.head().await;
    for node in &nodes {
        for body in [&wrong, &told()] {
            let again = answer(verify_under(node, "one", body)).await;
            assert_eq!((again.status, &again.text), (422, &first.text));
            assert!(again.is_repetition() && !first.is_repetition());
        }
    }
    assert_eq!(desk.head().await, head);
    let second = answer(verify_under(&nodes[0], "two", &wrong)).await;
    second.assert_problem(422, "caller-mismatch", "1 attempts");

    let right = answer(verify_under(&nodes[1], "three", &told())).await;
    assert_eq!(right.status, 200, "{}", right.text);
    let head = desk.head().await;
    let again = answer(verify_under(&nodes[0], "three", &wrong)).await;
    assert_eq!((again.status, &again.text), (200, &right.text));
    assert!(again.is_repetition());
    // The first failure's repetition takes nothing back.
    let again = answer(verify_under(&nodes[0], "one", &wrong)).await;
    assert_eq!((again.status, &again.text), (422, &first.text));
    assert_eq!(desk.head().await, head);
    let order = answer(square_off(&nodes[1], ACTOR, 5)).await;
    assert_eq!(order.status, 202, "{}", order.text);
}

#[tokio::test]
async fn the_key_of_a_verification_is_of_one_call_and_is_needed() {
    let desk = Desk::open().await;
    recorded(&desk).await;
    let node = strict(&desk).await;
    let right = answer(verify_under(&node, "one", &told())).await;
    assert_eq!(right.status, 200, "{}", right.text);
    let call = with(&told(), &[("call_reference", json!("2026-11-20/119"))]);
    let other = "/v1/clients/C00002/verifications";
    let reveal = "/v1/clients/C00001/identity/reveal";
    let why = json!({ "reason": "2026-11-20/118" });
    let close = with(&close_all(&nifty()), &[("quantity", json!(5))]);
    let missing = node.request(reqwest::Method::POST, VERIFY).json(&told());
    let reused = |what, request| (what, request, 422, "idempotency-key-reused", "used before");
    #[rustfmt::skip]
    let lines = vec![
        reused("another call", verify_under(&node, "one", &call)),
        reused("another client", node.ask_as(ACTOR, "one", other, &told())),
        reused("a look", node.ask_as(ACTOR, "one", reveal, &why)),
        reused("a square-off", node.square_off_as(ACTOR, "one", &close)),
        ("no key", missing, 400, "idempotency-key-missing", "Idempotency-Key"),
    ];
    assert_refused(&desk, lines).await;
}

#[tokio::test]
async fn the_same_call_verified_at_once_is_one_attempt() {
    let desk = Desk::open().await;
    recorded(&desk).await;
    let nodes = [strict(&desk).await, strict(&desk).await];
    let wrong = with(&told(), &[("date_of_birth", json!("1984-02-28"))]);
    let asks = (0..8).map(|number| answer(verify_under(&nodes[number % 2], "one", &wrong)));
    let answers = futures::future::join_all(asks).await;
    for answer in &answers {
        answer.assert_problem(422, "caller-mismatch", "2 attempts");
    }
    // Right and wrong at once under one key: whichever was first is the outcome of all.
    let bodies = [&told(), &wrong];
    let asks = (0..8).map(|number| {
        let body = bodies[number / 2 % 2];
        answer(verify_under(&nodes[number % 2], "two", body))
    });
    let answers = futures::future::join_all(asks).await;
    for answer in &answers {
        assert_eq!(
            (answer.status, &answer.text),
            (answers[0].status, &answers[0].text)
        );
    }
    let stream = desk
        .store
        .read_stream("client-C00001", 1, 100)
        .await
        .unwrap();
    let calls = stream
        .iter()
        .filter(|stored| stored.event_type.starts_with("Caller"));
    assert_eq!(calls.count(), 2);
}
