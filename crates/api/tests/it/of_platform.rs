//! The platform's life and its kill switch over HTTP: who asks, who approves, and what is handed back.

use crate::desk::{DATE, Desk, nifty, reliance};
use crate::node::{ACTOR, Node, Refused, answer, assert_refused, close_all, position_path, with};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use squareoff_domain::Side;
use squareoff_domain::position::Execution;

const NOTHING: Value = Value::Null;
const RAVI: &str = "supervisor-ravi";
const LEELA: &str = "supervisor-leela";

fn reason() -> Value {
    json!({ "reason": "the desk wants it so" })
}

fn activation() -> Value {
    json!({
        "trading_date": DATE,
        "reason": "the primary is down",
        "outage_began_at": "2026-11-20T09:47:00+05:30",
    })
}

#[tokio::test]
async fn the_platform_lives_its_whole_life_with_two_people() {
    let desk = Desk::dormant().await;
    let node = Node::start(&desk).await;
    let state = || node.read("/v1/platform");
    let asked = node.accept("/v1/platform/activation", &activation()).await;
    assert_eq!(asked["event"], "ActivationRequested");
    assert_eq!(asked["data"]["by"], ACTOR);
    assert_eq!(asked["stream"], "platform");
    let shown = state().await;
    assert_eq!(shown["platform"], "requested");
    assert_eq!(shown["activation"]["requested_by"], ACTOR);
    assert_eq!(
        shown["activation"]["outage_began_at"],
        "2026-11-20T04:17:00Z"
    );
    let own = answer(node.ask("/v1/platform/activation/approve", &NOTHING)).await;
    own.assert_problem(
        403,
        "not-allowed",
        "`approve-platform` takes the role supervisor",
    );
    node.accept_as(RAVI, "/v1/platform/activation/approve", &NOTHING)
        .await;
    node.accept("/v1/platform/activation/load", &NOTHING).await;
    assert_eq!(state().await["platform"], "loading");
    let active = node
        .accept("/v1/platform/activation/activate", &NOTHING)
        .await;
    assert_eq!(active["data"]["approved_by"], RAVI);
    let shown = state().await;
    assert_eq!(
        (&shown["platform"], &shown["epoch"], &shown["activation"]),
        (&json!("active"), &json!(1), &NOTHING)
    );

    // Without a word of the market nothing is placed; the desk tells what the exchange does not.
    desk.connect_first_time().await;
    node.knows(desk.head().await).await;
    let closed = answer(node.square_off(&close_all(&nifty()))).await;
    closed.assert_problem(409, "market-not-open", "nobody has said");
    let open = json!({ "venue": "NSE", "segment": "CM", "phase": "open" });
    let told = node.accept("/v1/platform/market-phase", &open).await;
    assert_eq!(told["data"]["source"], "desk");
    assert_eq!(state().await["markets"][0]["open"], true);
    let order = node.close(&nifty(), 20).await.orders[0];
    let doubted = node.close(&nifty(), 10).await.orders[0];
    let external = desk.external(&reliance(), Side::Buy, 5).await;

    node.accept("/v1/platform/hand-back", &reason()).await;
    let refused = answer(node.square_off(&close_all(&nifty()))).await;
    refused.assert_problem(409, "platform-not-active", "not active");
    let early = answer(node.ask("/v1/platform/hand-back/complete", &NOTHING)).await;
    early.assert_problem(409, "platform-not-draining", "handback-requested");
    node.accept_as(RAVI, "/v1/platform/hand-back/approve", &NOTHING)
        .await;
    desk.in_doubt(&nifty(), doubted).await;
    let complete = || node.ask_as(ACTOR, "done", "/v1/platform/hand-back/complete", &NOTHING);
    let word = "2 orders on 1 positions may still fill, 1 of them in doubt; the first is on position-2026-11-20-C00001-NSE:NIFTY26NOVFUT-NRML";
    answer(complete())
        .await
        .assert_problem(409, "orders-working", word);
    desk.fill(&nifty(), order, "E1", 20, 1_000_000).await;
    desk.venue(&nifty(), doubted, Execution::Canceled).await;

    let done = answer(complete()).await;
    assert_eq!(done.status, 202, "{}", done.text);
    let package = &done.body["data"]["package"];
    assert_eq!(
        (
            &package["positions"],
            &package["orders"],
            &package["executions"]
        ),
        (&json!(8), &json!(2), &json!(1))
    );
    // As docs/API.md says that it is made.
    let lines = [
        ("C00001-NSE:FROZEN-NRML", 10),
        ("C00001-NSE:M&M-CNC", 10),
        ("C00001-NSE:NIFTY26NOVFUT-NRML", 20),
        ("C00001-NSE:RELIANCE-MIS", -100),
        ("C00001-NSE:RELIANCE-CNC", 0),
        ("C00001-BSE:TCS-CNC", 10),
        ("C00002-NSE:NIFTY26NOVFUT-MIS", 7),
        ("C00002-NSE:NIFTY26NOVFUT-NRML", 4_005),
    ];
    let lines: String = lines
        .iter()
        .map(|(position, net)| format!("position-{DATE}-{position} {net}\n"))
        .collect();
    let digest = Sha256::digest(lines.as_bytes());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(package["net_digest"], digest);
    assert_eq!(state().await["platform"], "handed-back");
    let position = node.read(&position_path(&nifty())).await;
    assert_eq!(position["handed_back_epoch"], 1);

    // Whatever came since, the same request gets the same package.
    desk.report(&reliance(), ended(&desk, external).await).await;
    let again = answer(complete()).await;
    assert!(
        again.is_repetition() && again.text == done.text,
        "{}",
        again.text
    );
    node.accept("/v1/platform/activation", &activation()).await;
}

#[tokio::test]
async fn a_day_whose_book_nobody_loaded_is_activated_only_with_a_reason() {
    let desk = Desk::dormant().await;
    let node = Node::start(&desk).await;
    let unknown_day = with(&activation(), &[("trading_date", json!("2026-11-19"))]);
    node.accept("/v1/platform/activation", &unknown_day).await;
    node.accept_as(RAVI, "/v1/platform/activation/approve", &NOTHING)
        .await;
    let activate = |body: &Value| node.ask("/v1/platform/activation/activate", body);
    let word = "the book of 2026-11-19 is not loaded";
    for nothing in [NOTHING, json!({})] {
        let refused = answer(activate(&nothing)).await;
        refused.assert_problem(409, "book-not-loaded", word);
    }
    let no_reason = answer(activate(&json!({ "without_book": " " }))).await;
    no_reason.assert_problem(422, "reason-missing", "a reason");
    let misspelt = answer(activate(&json!({ "without": "book" }))).await;
    misspelt.assert_problem(400, "malformed-request", "unknown field `without`");
    assert_eq!(node.read("/v1/platform").await["platform"], "approved");
    let why = json!({ "without_book": "the primary's files are gone" });
    let active = node.accept("/v1/platform/activation/activate", &why).await;
    assert_eq!(active["data"]["without_book"], why["without_book"]);
    assert_eq!(node.read("/v1/platform").await["platform"], "active");
}

async fn ended(
    desk: &Desk,
    order: squareoff_domain::OrderId,
) -> squareoff_domain::position::Report {
    use squareoff_domain::position::{ExternalOrderObserved, Report};
    let order_id = order;
    let order = desk.position(&reliance()).await.orders[&order].clone();
    Report::ExternalOrder {
        order: ExternalOrderObserved {
            order_id,
            cl_ord_id: order.cl_ord_id,
            exchange_order_id: order.exchange_order_id.unwrap(),
            key: reliance(),
            side: order.side,
            quantity: order.quantity,
            cumulative: order.cumulative,
            price: order.price,
            source: "primary".into(),
        },
        ended: true,
    }
}

#[tokio::test]
async fn a_halt_takes_one_person_and_stops_its_scope_and_a_resume_takes_two() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let halt = json!({ "scope": "NSE/CM", "reason": "prices look wrong" });
    let first = answer(node.ask_as(ACTOR, "h1", "/v1/platform/halt", &halt)).await;
    assert_eq!(first.status, 202, "{}", first.text);
    // Decided with at once, by this node.
    let refused = answer(node.square_off(&close_all(&nifty()))).await;
    refused.assert_problem(409, "new-orders-halted", "prices look wrong");
    let again = answer(node.ask_as(ACTOR, "h1", "/v1/platform/halt", &halt)).await;
    assert!(again.is_repetition() && again.text == first.text);
    let other = json!({ "scope": "NSE", "reason": "prices look wrong" });
    let other = answer(node.ask_as(ACTOR, "h1", "/v1/platform/halt", &other)).await;
    other.assert_problem(422, "idempotency-key-reused", "used before");

    let scope = json!({ "scope": "NSE/CM" });
    node.accept("/v1/platform/resume", &halt).await;
    let shown = node.read("/v1/platform").await;
    assert_eq!(shown["halts"][0]["scope"], "NSE/CM");
    assert_eq!(shown["resumes"][0]["requested_by"], ACTOR);
    node.accept("/v1/platform/resume/reject", &halt).await;
    node.accept("/v1/platform/resume", &halt).await;
    node.accept_as(RAVI, "/v1/platform/resume/approve", &scope)
        .await;
    node.close(&nifty(), 5).await;
}

#[tokio::test]
async fn a_request_of_an_activation_long_past_changes_nothing() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let halt = json!({ "scope": "NSE/CM", "reason": "prices look wrong" });
    let ask = || node.ask_as(ACTOR, "h1", "/v1/platform/halt", &halt);
    assert_eq!(answer(ask()).await.status, 202);
    let elsewhere = answer(node.square_off_as(ACTOR, "h1", &close_all(&reliance()))).await;
    elsewhere.assert_problem(422, "idempotency-key-reused", "used before");
    node.accept("/v1/platform/resume", &halt).await;
    let scope = json!({ "scope": "NSE/CM" });
    node.accept_as(RAVI, "/v1/platform/resume/approve", &scope)
        .await;
    node.accept("/v1/platform/stand-down", &reason()).await;
    node.accept("/v1/platform/activation", &activation()).await;
    // By now the state has forgotten the halt, and only the log knows it.
    answer(ask())
        .await
        .assert_problem(422, "idempotency-key-reused", "used before");
    assert_eq!(node.read("/v1/platform").await["halts"], json!([]));
}

#[tokio::test]
async fn a_cancel_all_waits_for_another_person() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let body = json!({ "scope": "all", "reason": "runaway" });
    let asked = node
        .accept_as(LEELA, "/v1/platform/cancel-all", &body)
        .await;
    let kill_id = asked["request_id"].as_str().unwrap();
    let shown = node.read("/v1/platform").await;
    assert_eq!(shown["cancel_alls"][0]["kill_id"], json!(kill_id));
    let path = |what: &str| format!("/v1/platform/cancel-all/{kill_id}/{what}");
    let own = answer(node.ask_as(LEELA, "own", &path("approve"), &NOTHING)).await;
    own.assert_problem(409, "own-request", LEELA);
    let ordered = node.accept_as(RAVI, &path("approve"), &NOTHING).await;
    assert_eq!(ordered["event"], "CancelAllOrdered");
    assert_eq!(ordered["data"]["approved_by"], RAVI);
    let over = answer(node.ask(&path("reject"), &reason())).await;
    over.assert_problem(404, "unknown-cancel-all", kill_id);
}

#[tokio::test]
async fn a_disconnect_needs_the_halt_and_another_person_and_a_reconnect_neither() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let body = json!({ "venue": "NSE", "reason": "runaway" });
    let path = |what: &str| format!("/v1/platform/{what}");
    let early = answer(node.ask(&path("disconnect"), &body)).await;
    early.assert_problem(409, "halt-first", "NSE");
    let halt = json!({ "scope": "NSE", "reason": "runaway" });
    node.accept(&path("halt"), &halt).await;
    node.accept_as(LEELA, &path("disconnect"), &body).await;
    let again = answer(node.ask(&path("disconnect"), &body)).await;
    again.assert_problem(409, "disconnect-pending", LEELA);
    let shown = node.read("/v1/platform").await;
    assert_eq!(shown["disconnect_requests"][0]["scope"], "NSE");
    let venue = json!({ "venue": "NSE" });
    let own = answer(node.ask_as(LEELA, "own", &path("disconnect/approve"), &venue)).await;
    own.assert_problem(409, "own-request", LEELA);
    let done = node
        .accept_as(RAVI, &path("disconnect/approve"), &venue)
        .await;
    assert_eq!(done["event"], "VenueDisconnected");
    assert_eq!(done["data"]["approved_by"], RAVI);
    let again = answer(node.ask(&path("disconnect"), &body)).await;
    again.assert_problem(409, "already-disconnected", "NSE");
    let shown = node.read("/v1/platform").await;
    assert_eq!(shown["disconnects"][0]["scope"], "NSE");
    let back = node.accept(&path("reconnect"), &body).await;
    assert_eq!(back["event"], "VenueReconnected");
    let shown = node.read("/v1/platform").await;
    assert_eq!(shown["disconnects"], json!([]));
    assert_eq!(shown["halts"][0]["scope"], "NSE");
}

#[tokio::test]
async fn a_phase_told_again_is_no_news_and_a_repetition_never_turns_it_back() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let phase = |phase: &str| json!({ "venue": "NSE", "segment": "CM", "phase": phase });
    let tell = |key: &'static str, body| {
        answer(node.ask_as(ACTOR, key, "/v1/platform/market-phase", &body))
    };
    let known = tell("p0", phase("open")).await;
    assert_eq!((known.status, &known.body["event"]), (202, &NOTHING));
    let closed = tell("p1", phase("closed")).await;
    assert_eq!(closed.body["data"]["phase"], "closed");
    tell("p2", phase("open")).await;
    let again = tell("p1", phase("closed")).await;
    assert!(
        again.is_repetition() && again.text == closed.text,
        "{}",
        again.text
    );
    assert_eq!(
        node.read("/v1/platform").await["markets"][0]["phase"],
        "open"
    );
    let other = tell("p1", phase("halted")).await;
    other.assert_problem(422, "idempotency-key-reused", "used before");
}

#[tokio::test]
async fn what_cannot_be_asked_of_the_platform_is_refused_by_name() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let line = |what, path: &str, body: Value, status, code, word| -> Refused {
        let by = match path.ends_with("/approve") {
            true => RAVI,
            false => ACTOR,
        };
        let key = uuid::Uuid::new_v4().to_string();
        (
            what,
            node.ask_as(by, &key, &format!("/v1/platform/{path}"), &body),
            status,
            code,
            word,
        )
    };
    let malformed = |what, path: &str, body: Value, word| {
        line(what, path, body, 400, "malformed-request", word)
    };
    let changed = |field: &str, value: Value| crate::node::with(&activation(), &[(field, value)]);
    let scope = |scope: &str| json!({ "scope": scope, "reason": "x" });
    #[rustfmt::skip]
    let lines = vec![
        line("active already", "activation", activation(), 409, "platform-already-active", "epoch 1"),
        line("nothing to approve", "activation/approve", NOTHING, 409, "no-activation-pending", "active"),
        line("nothing to reject", "activation/reject", reason(), 409, "no-activation-pending", "active"),
        line("nothing to load", "activation/load", NOTHING, 409, "activation-not-approved", "active"),
        line("nothing to activate", "activation/activate", NOTHING, 409, "activation-not-approved", "active"),
        line("no hand-back to approve", "hand-back/approve", NOTHING, 409, "no-handback-pending", "active"),
        line("no hand-back to reject", "hand-back/reject", reason(), 409, "no-handback-pending", "active"),
        line("no hand-back to complete", "hand-back/complete", NOTHING, 409, "platform-not-draining", "active"),
        line("a resume of what is not halted", "resume", scope("NSE"), 409, "not-halted", "NSE"),
        line("no resume to approve", "resume/approve", json!({"scope": "all"}), 409, "no-resume-pending", "all"),
        line("no resume to reject", "resume/reject", scope("all"), 409, "no-resume-pending", "all"),
        line("no cancel-all to approve", "cancel-all/00000000-0000-0000-0000-000000000007/approve", NOTHING, 404, "unknown-cancel-all", "0007"),
        line("a kill id that is none", "cancel-all/7/approve", NOTHING, 400, "invalid-parameter", "`kill_id`"),
        line("a disconnect without a halt", "disconnect", json!({"venue": "NSE", "reason": "x"}), 409, "halt-first", "NSE"),
        line("no disconnect to approve", "disconnect/approve", json!({"venue": "NSE"}), 409, "no-disconnect-pending", "NSE"),
        line("no disconnect to reject", "disconnect/reject", json!({"venue": "NSE", "reason": "x"}), 409, "no-disconnect-pending", "NSE"),
        line("a reconnect of what is connected", "reconnect", json!({"venue": "NSE", "reason": "x"}), 409, "not-disconnected", "NSE"),
        line("no reason", "stand-down", json!({"reason": ""}), 422, "reason-missing", "a reason"),
        line("no reason to halt", "halt", json!({"scope": "all", "reason": "  "}), 422, "reason-missing", "a reason"),
        malformed("no scope", "halt", reason(), "missing field `scope`"),
        malformed("another scope", "halt", scope("everything"), "`scope`: `everything` is not a scope"),
        malformed("a segment of nowhere", "halt", scope("NSE/XX"), "`NSE/XX` is not a scope"),
        line("an outage to come", "activation", changed("outage_began_at", json!("2200-01-01T00:00:00Z")), 422, "in-the-future", "in the future"),
        line("a day to come", "activation", changed("trading_date", json!("2200-01-01")), 422, "in-the-future", "`trading_date` is in the future"),
        malformed("a time without an offset", "activation", changed("outage_began_at", json!("2026-11-20T09:47:00")), "`outage_began_at`"),
        malformed("a date that is none", "activation", changed("trading_date", json!("2026-02-30")), "`trading_date`"),
        malformed("a phase that is none", "market-phase", json!({"venue": "NSE", "segment": "CM", "phase": "shut"}), "`phase`: unknown value `shut`"),
        malformed("a segment that is none", "market-phase", json!({"venue": "NSE", "segment": "XX", "phase": "open"}), "`segment`"),
        ("without a token", node.anonymous(Method::GET, "/v1/platform"), 401, "unauthenticated", "Bearer"),
        ("a halt without a key", node.request(Method::POST, "/v1/platform/halt").json(&scope("all")), 400, "idempotency-key-missing", "UUID"),
        ("no such part", node.request(Method::GET, "/v1/platform/weather"), 404, "no-such-resource", "names no resource"),
    ];
    assert_refused(&desk, lines).await;

    let halted = scope("all");
    node.accept("/v1/platform/halt", &halted).await;
    node.accept("/v1/platform/resume", &halted).await;
    for _ in 0..16 {
        node.accept("/v1/platform/cancel-all", &halted).await;
    }
    let stood_down = Node::start(&Desk::dormant().await).await;
    #[rustfmt::skip]
    let lines = vec![
        line("halted already", "halt", halted.clone(), 409, "already-halted", "all"),
        line("a resume waits already", "resume", halted.clone(), 409, "resume-pending", ACTOR),
        line("too many cancel-alls", "cancel-all", halted, 409, "too-many-cancel-alls", "16"),
        ("standing down what is dormant", stood_down.ask("/v1/platform/stand-down", &reason()), 409, "platform-not-active", "dormant"),
        ("handing back what is dormant", stood_down.ask("/v1/platform/hand-back", &reason()), 409, "platform-not-active", "dormant"),
        ("a phase of no day", stood_down.ask("/v1/platform/market-phase", &json!({"venue": "NSE", "segment": "CM", "phase": "open"})), 400, "malformed-request", "`trading_date` is missing"),
    ];
    assert_refused(&desk, lines).await;
    stood_down
        .accept("/v1/platform/activation", &activation())
        .await;
    let twice = answer(stood_down.ask("/v1/platform/activation", &activation())).await;
    twice.assert_problem(409, "activation-pending", ACTOR);
}
