//! Orders above the value that one person may place: they wait, and a second person answers once.

use crate::bulk_work::Worker;
use crate::desk::{DATE, Desk, PATIENCE, key, nifty, reliance};
use crate::listening::Listener;
use crate::node::{ACTOR, Answer, Node, SECOND, answer, close_all, limited, settings, with};
use crate::readable::{Readable, list, text};
use futures::future::join;
use reqwest::Method;
use serde_json::{Value, json};
use squareoff_domain::approval::{self, Approval, ApprovalAsk, ApprovalId, ApprovalRequest};
use squareoff_domain::{PositionKey, Product, RequestId, Venue};
use squareoff_store::{Delivery, Position, StoredEvent, Streams};
use uuid::Uuid;

const NOTHING: Value = Value::Null;
async fn node(desk: &Desk) -> Node {
    Node::with(desk, limited()).await
}

fn close(position: &PositionKey, quantity: Value, limit: Option<&str>) -> Value {
    let limit = limit.map_or(NOTHING, Value::from);
    let body = with(&close_all(position), &[("quantity", quantity)]);
    with(&body, &[("limit_price", limit)])
}

async fn asked(node: &Node, by: &str, body: &Value) -> Answer {
    let answer = answer(node.square_off_as(by, &Uuid::new_v4().to_string(), body)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer
}

/// The id of what waits for a second person.
async fn waiting(node: &Node, by: &str, body: &Value) -> String {
    let answer = asked(node, by, body).await;
    assert_eq!(answer.body["status"], "waiting-for-approval");
    text(&answer.body["approval"]["approval_id"]).to_owned()
}

async fn say(node: &Node, by: &str, id: &str, what: &str) -> Answer {
    say_under(node, by, id, what, &Uuid::new_v4().to_string()).await
}

async fn say_under(node: &Node, by: &str, id: &str, what: &str, key: &str) -> Answer {
    let body = match what {
        "refuse" => json!({ "reason": "too much" }),
        _ => NOTHING,
    };
    let path = format!("/v1/approvals/{id}/{what}");
    answer(node.ask_as(by, key, &path, &body)).await
}

async fn status(desk: &Desk, id: &str) -> &'static str {
    let approvals = Streams::<Approval>::new(desk.store.clone());
    let stream = format!("approval-{id}");
    approvals.load(&stream).await.unwrap().state.status.as_str()
}

/// Waits until the log has an event of this type, and gives it.
pub async fn until(desk: &Desk, event_type: &str) -> StoredEvent {
    let mut log = desk.store.subscribe(Position::START);
    let found = async {
        loop {
            let Delivery::Events(events) = log.next(1_000).await.unwrap() else {
                continue;
            };
            let mut events = events.into_iter();
            if let Some(event) = events.find(|stored| &*stored.event_type == event_type) {
                return event;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap()
}

/// A second person's word that stands in the log alone: whoever took it died.
async fn given(desk: &Desk, id: &str) {
    let id = ApprovalId(id.parse().unwrap());
    let request = ApprovalRequest {
        request_id: RequestId(Uuid::new_v4()),
        by: SECOND.into(),
        ask: ApprovalAsk::Approve,
    };
    desk.tell(&id.stream(), |approval: &Approval| {
        approval::decide(approval, request.clone(), Some(1)).unwrap()
    })
    .await;
}

#[tokio::test]
async fn what_is_worth_more_than_the_limit_waits_and_what_is_not_does_not() {
    let desk = Desk::open().await;
    let node = node(&desk).await;
    let m_and_m = key("C00001", Venue::Nse, "M&M", Product::Cnc);
    for (position, quantity, limit, waits) in [
        (nifty(), json!(15), None, false),
        (nifty(), json!(20), None, false),
        (reliance(), json!(20), Some("100.00"), false),
        (reliance(), json!(20), Some("99.95"), false),
        (reliance(), json!(20), Some("100.05"), true),
        (reliance(), json!(21), None, true),
        (reliance(), json!("all"), None, true),
        // A limit is counted at itself, whatever the reference price.
        (reliance(), json!(21), Some("95.00"), false),
        (m_and_m, json!("all"), None, false),
    ] {
        let answer = asked(&node, ACTOR, &close(&position, quantity.clone(), limit)).await;
        let orders = list(&answer.body, "order_ids").len();
        let came = (answer.body["status"] == "waiting-for-approval", orders == 0);
        assert_eq!(came, (waits, waits), "{quantity} {limit:?}");
        assert_eq!(answer.body.get("approval").is_some(), waits);
    }
    // What is refused is refused at once: nobody has to approve that.
    let body = close(&nifty(), json!(40), None);
    let refused = answer(node.square_off(&body)).await;
    refused.assert_problem(409, "exceeds-open-quantity", "5");
    assert_eq!(desk.placed(&nifty()).await, [15, 20]);
    // With the limit off nobody looks.
    let settings = squareoff_api::Settings {
        approval_notional: None,
        ..settings()
    };
    let off = Node::with(&desk, settings).await;
    let answer = asked(&off, ACTOR, &close(&reliance(), json!("all"), None)).await;
    assert_eq!(answer.body["status"], "accepted");
}

#[tokio::test]
async fn a_second_person_approves_and_the_order_is_placed_once() {
    let desk = Desk::open().await;
    let readable = Readable::under(&desk, limited()).await;
    let node = &readable.node;
    let body = with(
        &close_all(&reliance()),
        &[("evidence", json!("call 2026-11-20/118"))],
    );
    let answered = asked(node, ACTOR, &body).await;
    let id = text(&answered.body["approval"]["approval_id"]).to_owned();
    assert_eq!(answered.body["approval"]["notional"], "10000.00");
    assert_eq!(answered.body["approval"]["limit"], "2000.00");
    assert_eq!(answered.body["stream"], format!("approval-{id}"));
    let path = format!("/v1/approvals/{id}");
    assert_eq!(answered.header("location"), Some(&*path));
    assert_eq!(desk.placed(&reliance()).await, [0_u64; 0]);
    let at = text(&answered.body["position"]);
    let shown = node.read(&format!("{path}?at_least={at}")).await;
    for (field, value) in [
        ("status", json!("waiting")),
        ("what", json!("square-off")),
        ("request_id", answered.body["request_id"].clone()),
        ("position_stream", json!(reliance().stream())),
        ("quantity", json!(100)),
        ("limit_price", NOTHING),
        ("counted_price", json!("100.00")),
        ("evidence", json!("call 2026-11-20/118")),
        ("notional", json!("10000.00")),
        ("asked_by", json!(ACTOR)),
        ("answered_by", NOTHING),
        ("version", json!(1)),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }

    let approved = say(node, SECOND, &id, "approve").await;
    assert_eq!(approved.status, 202, "{}", approved.text);
    assert_eq!(approved.body["status"], "ordered");
    let orders = list(&approved.body, "order_ids").to_vec();
    assert_eq!(orders.len(), 1);
    assert_eq!(desk.placed(&reliance()).await, [100]);
    let at = text(&approved.body["position"]);
    let shown = node.read(&format!("{path}?at_least={at}")).await;
    assert_eq!(shown["status"], "ordered");
    assert_eq!(shown["answered_by"], SECOND);
    // The order is that of who asked, under one correlation with the approval.
    let order = text(&orders[0]);
    let order = node.read(&format!("/v1/orders/{order}")).await;
    assert_eq!(order["request_id"], shown["order_request_id"]);
    let trail = node.read("/v1/audit?client_code=C00001").await;
    let trail = list(&trail, "audit");
    let told: Vec<_> = trail
        .iter()
        .map(|row| (text(&row["event_type"]), text(&row["actor"])))
        .collect();
    // What came of it is a fact, and no answer to who did what.
    assert_eq!(
        told,
        [
            ("SquareOffAccepted", ACTOR),
            ("ApprovalGiven", SECOND),
            ("ApprovalAsked", ACTOR),
        ]
    );
    let correlations: Vec<_> = trail.iter().map(|row| &row["correlation_id"]).collect();
    assert!(correlations.iter().all(|it| **it == json!(id)));
    let incident = node.read(&format!("/v1/incidents/{DATE}")).await;
    let timeline = list(&incident, "timeline").iter();
    let told = timeline.filter(|entry| entry["kind"] == "approval");
    assert_eq!(told.count(), 3);
}

#[tokio::test]
async fn nobody_approves_their_own_and_whoever_asked_takes_it_back() {
    let desk = Desk::open().await;
    let node = node(&desk).await;
    let body = close_all(&reliance());
    let id = waiting(&node, SECOND, &body).await;
    let own = say(&node, SECOND, &id, "approve").await;
    own.assert_problem(409, "own-request", "supervisor-ravi has asked");
    let own = say(&node, SECOND, &id, "refuse").await;
    own.assert_problem(409, "own-request", "supervisor-ravi has asked");
    for by in [ACTOR, "investor-c00001", "auditor-meera"] {
        let refused = say(&node, by, &id, "approve").await;
        refused.assert_problem(403, "not-allowed", "approve-order");
    }
    let other = say(&node, ACTOR, &id, "withdraw").await;
    other.assert_problem(409, "not-the-asker", SECOND);
    assert_eq!(status(&desk, &id).await, "waiting");
    let taken = say(&node, SECOND, &id, "withdraw").await;
    assert_eq!(
        (taken.status, &taken.body["status"]),
        (202, &json!("withdrawn"))
    );
    let late = say(&node, "supervisor-meera", &id, "approve").await;
    late.assert_problem(409, "approval-in-another-status", "withdrawn");
    let id = waiting(&node, ACTOR, &body).await;
    let turned = say(&node, SECOND, &id, "refuse").await;
    assert_eq!(
        (turned.status, &turned.body["status"]),
        (202, &json!("refused"))
    );
    let unknown = Uuid::new_v4().to_string();
    let unknown = say(&node, SECOND, &unknown, "approve").await;
    unknown.assert_problem(404, "unknown-approval", "no such approval");
    let wrong = say(&node, SECOND, "seven", "approve").await;
    wrong.assert_problem(400, "invalid-parameter", "`approval_id`");
    assert_eq!(desk.placed(&reliance()).await, [0_u64; 0]);
}

#[tokio::test]
async fn the_position_decides_anew_when_it_is_approved() {
    let desk = Desk::open().await;
    let node = node(&desk).await;
    let id = waiting(&node, ACTOR, &close_all(&reliance())).await;
    let halt = json!({ "scope": "all", "reason": "prices look wrong" });
    node.accept("/v1/platform/halt", &halt).await;
    let refused = say(&node, SECOND, &id, "approve").await;
    refused.assert_problem(409, "new-orders-halted", "prices look wrong");
    // It goes on waiting, and is approved once the halt is over.
    assert_eq!(status(&desk, &id).await, "waiting");
    node.accept("/v1/platform/resume", &halt).await;
    let scope = json!({ "scope": "all" });
    node.accept_as(SECOND, "/v1/platform/resume/approve", &scope)
        .await;
    // Meanwhile most of it was closed: what is left is ordered, and never more than was approved.
    desk.external(&reliance(), squareoff_domain::Side::Buy, 70)
        .await;
    node.knows(desk.head().await).await;
    let approved = say(&node, SECOND, &id, "approve").await;
    assert_eq!(approved.body["status"], "ordered", "{}", approved.text);
    assert_eq!(desk.placed(&reliance()).await, [30]);
    // Of a quantity that was named nothing less will do.
    let id = waiting(&node, ACTOR, &close(&nifty(), json!(40), None)).await;
    asked(&node, ACTOR, &close(&nifty(), json!(5), None)).await;
    let refused = say(&node, SECOND, &id, "approve").await;
    refused.assert_problem(409, "exceeds-open-quantity", "40 is more than the 35");
}

#[tokio::test]
async fn two_who_approve_at_once_and_a_key_that_is_sent_again_place_one_order() {
    let desk = Desk::open().await;
    let (one, two) = (node(&desk).await, node(&desk).await);
    let body = close_all(&reliance());
    let ask = async |node: &Node| answer(node.square_off_as(ACTOR, "key", &body)).await;
    // Both nodes are asked the same at the same moment.
    let (first, again) = join(ask(&one), ask(&two)).await;
    assert_eq!((first.status, &first.body), (202, &again.body));
    let id = text(&first.body["approval"]["approval_id"]).to_owned();
    two.knows(desk.head().await).await;
    let (a, b) = join(
        say_under(&one, SECOND, &id, "approve", "a"),
        say_under(&two, "supervisor-meera", &id, "approve", "b"),
    )
    .await;
    let mut came = [(a.status, a.problem()), (b.status, b.problem())];
    came.sort_unstable();
    assert_eq!(came, [(202, ""), (409, "approval-in-another-status")]);
    assert_eq!(desk.placed(&reliance()).await, [100]);
    // Everything said again gets its first answer.
    one.knows(desk.head().await).await;
    let repeated = ask(&one).await;
    assert!(repeated.is_repetition());
    assert_eq!(repeated.body, first.body);
    let (by, key, said) = if a.status == 202 {
        (SECOND, "a", a)
    } else {
        ("supervisor-meera", "b", b)
    };
    let repeated = say_under(&two, by, &id, "approve", key).await;
    assert!(repeated.is_repetition());
    assert_eq!(repeated.body, said.body);
    let other = close(&reliance(), json!(50), None);
    let other = answer(one.square_off_as(ACTOR, "key", &other)).await;
    other.assert_problem(422, "idempotency-key-reused", "used before");
    assert_eq!(desk.placed(&reliance()).await, [100]);
}

#[tokio::test]
async fn what_was_approved_before_a_crash_is_ordered_behind_it() {
    let desk = Desk::open().await;
    let node = node(&desk).await;
    let id = waiting(&node, ACTOR, &close_all(&reliance())).await;
    given(&desk, &id).await;
    // The exchange is away when the worker comes up: it waits for it.
    desk.disconnect().await;
    let _worker = Worker::start(&desk);
    desk.connect().await;
    let concluded = until(&desk, "ApprovalConcluded").await;
    assert_eq!(*concluded.stream, *format!("approval-{id}"));
    assert_eq!(desk.placed(&reliance()).await, [100]);
    assert_eq!(status(&desk, &id).await, "ordered");
    let events = desk.log().await;
    let accepted = events
        .iter()
        .find(|it| &*it.event_type == "SquareOffAccepted");
    assert_eq!(&*accepted.unwrap().actor, ACTOR);
}

#[tokio::test]
async fn an_approval_that_the_exchange_cannot_take_now_is_none() {
    let desk = Desk::open().await;
    let node = node(&desk).await;
    let id = waiting(&node, ACTOR, &close_all(&reliance())).await;
    desk.disconnect().await;
    node.knows(desk.head().await).await;
    let away = say_under(&node, SECOND, &id, "approve", "key").await;
    away.assert_problem(503, "exchange-not-connected", "NSE");
    desk.connect().await;
    node.knows(desk.head().await).await;
    // The same request again: nothing of the first stands in the log.
    let approved = say_under(&node, SECOND, &id, "approve", "key").await;
    assert_eq!(approved.body["status"], "ordered", "{}", approved.text);
    assert!(!approved.is_repetition());
}

#[tokio::test]
async fn an_approval_lapses_with_its_epoch() {
    let desk = Desk::open().await;
    let node = node(&desk).await;
    let id = waiting(&node, ACTOR, &close_all(&reliance())).await;
    desk.stand_down().await;
    node.knows(desk.head().await).await;
    let over = say(&node, SECOND, &id, "approve").await;
    over.assert_problem(409, "approval-lapsed", "has ended");
    let _worker = Worker::start(&desk);
    until(&desk, "ApprovalLapsed").await;
    assert_eq!(status(&desk, &id).await, "lapsed");
    let over = say(&node, ACTOR, &id, "withdraw").await;
    over.assert_problem(409, "approval-lapsed", "has ended");
}

#[tokio::test]
async fn what_was_approved_and_not_ordered_in_its_epoch_is_not_ordered_in_the_next() {
    let desk = Desk::open().await;
    let node = node(&desk).await;
    let id = waiting(&node, ACTOR, &close_all(&reliance())).await;
    given(&desk, &id).await;
    desk.stand_down().await;
    desk.activate().await;
    let _worker = Worker::start(&desk);
    until(&desk, "ApprovalConcluded").await;
    assert_eq!(status(&desk, &id).await, "not-ordered");
    assert_eq!(desk.placed(&reliance()).await, [0_u64; 0]);
}

#[tokio::test]
async fn an_investor_waits_too_and_sees_what_is_their_own() {
    let desk = Desk::open().await;
    let readable = Readable::under(&desk, limited()).await;
    let node = &readable.node;
    let (asha, other) = ("investor-c00001", "investor-c00002");
    let id = waiting(node, asha, &close_all(&reliance())).await;
    let of_other = key("C00002", Venue::Nse, "NIFTY26NOVFUT", Product::Nrml);
    waiting(node, other, &close(&of_other, json!(100), None)).await;
    readable.caught_up(&desk).await;
    let path = format!("/v1/approvals/{id}");
    let seen = async |by: &str, path: &str| answer(node.request_as(by, Method::GET, path)).await;
    let own = seen(asha, "/v1/approvals?client_code=C00002").await;
    assert_eq!(list(&own.body, "approvals").len(), 0);
    let own = seen(asha, "/v1/approvals").await;
    let ids = list(&own.body, "approvals").iter();
    let ids: Vec<_> = ids.map(|row| text(&row["approval_id"])).collect();
    assert_eq!(ids, [&*id]);
    assert_eq!(seen(asha, &path).await.status, 200);
    let hidden = seen(other, &path).await;
    hidden.assert_problem(404, "unknown-approval", "no such approval");
    let hidden = say(node, other, &id, "withdraw").await;
    hidden.assert_problem(404, "unknown-approval", "no such approval");
    let taken = say(node, asha, &id, "withdraw").await;
    assert_eq!(taken.body["status"], "withdrawn", "{}", taken.text);
}

#[tokio::test]
async fn what_waits_and_its_answer_are_told_live_to_who_may_see_it() {
    let desk = Desk::open().await;
    let readable = Readable::under(&desk, limited()).await;
    let node = &readable.node;
    let topic = "?topics=approvals";
    let (mut supervisor, _) = Listener::open_as(node, SECOND, topic, None).await;
    let (mut asha, _) = Listener::open_as(node, "investor-c00001", topic, None).await;
    // Of another client: told to the supervisor alone.
    let of_other = key("C00002", Venue::Nse, "NIFTY26NOVFUT", Product::Nrml);
    let others = waiting(node, ACTOR, &close(&of_other, json!(100), None)).await;
    let told = supervisor.change().await;
    assert_eq!(told.data["approvals"][0]["approval_id"], json!(others));
    let id = waiting(node, ACTOR, &close_all(&reliance())).await;
    // A node that begins while it waits tells what became of it all the same.
    let later = Node::with(&desk, limited()).await;
    let (mut late, _) = Listener::open_as(&later, SECOND, topic, None).await;
    say(node, SECOND, &id, "approve").await;
    for expected in ["waiting", "approved", "ordered"] {
        let change = supervisor.change().await;
        assert_eq!(change.data["approvals"][0]["status"], expected);
        assert_eq!(asha.change().await, change);
        if expected != "waiting" {
            assert_eq!(late.change().await, change);
        }
        if expected == "ordered" {
            let at_least = change.position();
            let path = format!("/v1/approvals?client_code=C00001&at_least={at_least}");
            let listed = node.read(&path).await;
            assert_eq!(change.data["approvals"], listed["approvals"]);
        }
    }
    let machine = node.request_as("machine-feed", Method::GET, "/v1/live?topics=approvals");
    let refused = answer(machine).await;
    refused.assert_problem(403, "not-allowed", "may listen to");
}

#[tokio::test]
async fn a_change_that_makes_an_order_worth_more_than_the_limit_waits() {
    let desk = Desk::open().await;
    let node = node(&desk).await;
    // Twenty, in one order of the two that 40 would take.
    let body = close(&nifty(), json!(20), Some("99.00"));
    let order = asked(&node, ACTOR, &body).await.accepted().orders[0];
    desk.acknowledge(&nifty(), order).await;
    let path = format!("/v1/orders/{order}/modify");
    let change = async |price: &str| {
        let body = json!({ "limit_price": price });
        let answer = answer(node.ask(&path, &body)).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.body
    };
    let waits = change("100.05").await;
    assert_eq!(waits["status"], "waiting-for-approval");
    assert_eq!(waits["approval"]["notional"], "2001.00");
    let replaces = async || {
        let position = desk.position(&nifty()).await;
        position.orders[&order].replaces.len()
    };
    assert_eq!(replaces().await, 0);
    let id = text(&waits["approval"]["approval_id"]).to_owned();
    let approved = say(&node, SECOND, &id, "approve").await;
    assert_eq!(approved.body["status"], "ordered", "{}", approved.text);
    assert_eq!(approved.body["order_ids"], json!([order]));
    assert_eq!(replaces().await, 1);
    // Up to the limit nobody is asked.
    let other = asked(&node, ACTOR, &body).await.accepted().orders[0];
    desk.acknowledge(&nifty(), other).await;
    let path = format!("/v1/orders/{other}/modify");
    let body = json!({ "limit_price": "100.00" });
    assert_eq!(node.accept(&path, &body).await["status"], "accepted");
}

#[tokio::test]
async fn the_list_is_paged_newest_first_and_told_apart_by_state() {
    let desk = Desk::open().await;
    let readable = Readable::under(&desk, limited()).await;
    let node = &readable.node;
    let mut ids = Vec::new();
    for units in [25, 30, 35, 40] {
        ids.push(waiting(node, ACTOR, &close(&nifty(), json!(units), None)).await);
    }
    say(node, SECOND, &ids[1], "refuse").await;
    say(node, ACTOR, &ids[2], "withdraw").await;
    readable.caught_up(&desk).await;
    let found = async |query: &str| {
        let page = node.read(&format!("/v1/approvals{query}")).await;
        let rows = list(&page, "approvals").iter();
        let rows: Vec<_> = rows
            .map(|row| {
                let id = text(&row["approval_id"]);
                ids.iter().position(|known| known == id).unwrap()
            })
            .collect();
        (rows, page["next"].as_str().map(str::to_owned))
    };
    assert_eq!(found("").await, (vec![3, 2, 1, 0], None));
    assert_eq!(found("?state=waiting").await.0, [3, 0]);
    assert_eq!(found("?state=refused").await.0, [1]);
    assert_eq!(found("?asked_by=supervisor-ravi").await.0, [0_usize; 0]);
    let (rows, next) = found("?limit=3").await;
    assert_eq!(rows, [3, 2, 1]);
    let rest = found(&format!("?limit=3&before={}", next.unwrap())).await;
    assert_eq!(rest, (vec![0], None));
    let wrong = node.get("/v1/approvals?state=done").await;
    wrong.assert_problem(400, "invalid-parameter", "`state`");
}

#[tokio::test]
async fn an_answer_to_what_has_changed_since_it_was_seen_is_refused() {
    let desk = Desk::open().await;
    let readable = Readable::under(&desk, limited()).await;
    let node = &readable.node;
    let seen = async |id: &str| {
        readable.caught_up(&desk).await;
        let shown = node.get(&format!("/v1/approvals/{id}")).await;
        shown.header("etag").unwrap().to_owned()
    };
    let say = |by: &str, id: &str, what: &str, tag: &str| {
        let body = match what {
            "refuse" => json!({ "reason": "too much" }),
            _ => NOTHING,
        };
        let path = format!("/v1/approvals/{id}/{what}");
        let request = node.ask_as(by, what, &path, &body);
        answer(request.header("If-Match", tag.to_owned()))
    };
    let id = waiting(node, ACTOR, &close_all(&reliance())).await;
    let waits = seen(&id).await;
    assert_eq!(waits, "\"1\"");
    let approved = say(SECOND, &id, "approve", &waits).await;
    assert_eq!(approved.body["status"], "ordered", "{}", approved.text);
    // Its repetition is answered as before, and says nothing of what it changed itself.
    let again = say(SECOND, &id, "approve", &waits).await;
    assert!(again.is_repetition(), "{}", again.text);
    assert_eq!(again.body, approved.body);
    for (by, what) in [(SECOND, "refuse"), (ACTOR, "withdraw")] {
        let late = say(by, &id, what, &waits).await;
        late.assert_problem(412, "resource-changed", &id);
        let ordered = seen(&id).await;
        let late = say(by, &id, what, &ordered).await;
        late.assert_problem(409, "approval-in-another-status", "ordered");
    }
    let id = waiting(node, ACTOR, &close_all(&nifty())).await;
    let waits = seen(&id).await;
    let taken = say(ACTOR, &id, "withdraw", &waits).await;
    assert_eq!(taken.status, 202, "{}", taken.text);
    let late = say("supervisor-meera", &id, "approve", &waits).await;
    late.assert_problem(412, "resource-changed", &id);
    let wrong = say("supervisor-meera", &id, "approve", "one").await;
    wrong.assert_problem(400, "invalid-parameter", "`If-Match`");
    assert_eq!(desk.placed(&nifty()).await, [0_u64; 0]);
}
