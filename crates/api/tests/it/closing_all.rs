//! Several positions of one client closed by one request, or all of them, or only looked at.

use crate::desk::{Desk, key, nifty, reliance};
use crate::identity::{PAN, recorded};
use crate::node::{ACTOR, Answer, Node, SECOND, answer, limited, settings, with};
use serde_json::{Value, json};
use squareoff_domain::{PositionKey, Product, Venue};
use uuid::Uuid;

const PATH: &str = "/v1/clients/C00001/square-offs";

async fn ask(node: &Node, by: &str, key: &str, body: &Value) -> Answer {
    answer(node.ask_as(by, key, PATH, body)).await
}

async fn ask_anew(node: &Node, body: &Value) -> Answer {
    ask(node, ACTOR, &Uuid::new_v4().to_string(), body).await
}

/// What became of each: the stream and the outcome, with the quantities of its orders.
fn outcomes(answer: &Answer) -> Vec<(String, String, Vec<u64>)> {
    let outcomes = answer.body["square_offs"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let one = |outcome: &Value| {
        let orders = outcome["orders"].as_array().unwrap();
        let quantities = orders.iter().map(|it| it["quantity"].as_u64().unwrap());
        let is_accepted =
            outcome["outcome"] == "accepted" || outcome["outcome"] == "waiting-for-approval";
        assert_eq!(outcome["detail"].is_null(), is_accepted, "{outcome}");
        (
            text(&outcome["stream"]),
            text(&outcome["outcome"]),
            quantities.collect(),
        )
    };
    outcomes.iter().map(one).collect()
}

fn order_ids(answer: &Answer) -> Vec<Value> {
    let outcomes = answer.body["square_offs"].as_array().unwrap();
    let orders = outcomes
        .iter()
        .flat_map(|it| it["orders"].as_array().unwrap());
    orders.map(|order| order["order_id"].clone()).collect()
}

fn of(position: &PositionKey, outcome: &str, orders: &[u64]) -> (String, String, Vec<u64>) {
    (position.stream(), outcome.to_owned(), orders.to_vec())
}

fn named(position: &PositionKey, quantity: Value) -> Value {
    json!({ "venue": position.venue, "symbol": position.symbol, "product": position.product, "quantity": quantity })
}

/// Everything of C00001 that has something open, in the order of the streams.
fn everything() -> Vec<(String, String, Vec<u64>)> {
    let of_client = |venue, symbol, product| key("C00001", venue, symbol, product);
    let mut all = vec![
        of(
            &of_client(Venue::Bse, "TCS", Product::Cnc),
            "exchange-not-connected",
            &[],
        ),
        of(
            &of_client(Venue::Nse, "FROZEN", Product::Nrml),
            "freeze-below-lot",
            &[],
        ),
        of(
            &of_client(Venue::Nse, "M&M", Product::Cnc),
            "accepted",
            &[10],
        ),
        of(&nifty(), "accepted", &[20, 20]),
        of(&reliance(), "accepted", &[100]),
    ];
    all.sort();
    all
}

#[tokio::test]
async fn everything_that_is_open_is_closed_and_what_is_refused_of_one_stops_no_other() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let before = desk.head().await;
    let dry = ask_anew(&node, &json!({ "dry_run": true })).await;
    assert_eq!(dry.status, 200, "{}", dry.text);
    assert_eq!(outcomes(&dry), everything());
    assert_eq!(
        (&dry.body["position"], &dry.body["dry_run"]),
        (&Value::Null, &json!(true))
    );
    assert!(order_ids(&dry).iter().all(Value::is_null));
    assert_eq!(
        desk.head().await,
        before,
        "a dry run leaves nothing in the log"
    );

    let first = ask(&node, ACTOR, "one", &json!({})).await;
    assert_eq!(first.status, 202, "{}", first.text);
    assert_eq!(outcomes(&first), everything());
    assert_eq!(desk.placed(&nifty()).await, [20, 20]);
    assert_eq!(desk.placed(&reliance()).await, [100]);
    // Lost and sent again, here and at another node: the same orders and no more.
    let there = Node::start(&desk).await;
    for node in [&node, &there] {
        let again = ask(node, ACTOR, "one", &json!({})).await;
        assert!(again.is_repetition(), "{}", again.text);
        assert_eq!(order_ids(&again), order_ids(&first));
    }
    assert_eq!(desk.placed(&nifty()).await, [20, 20]);
    // All of it works now: under another key there is nothing left but what was refused.
    let another = ask_anew(&node, &json!({})).await;
    assert_eq!(another.status, 200, "{}", another.text);
    let refused = everything()
        .into_iter()
        .filter(|(_, outcome, _)| outcome != "accepted");
    assert_eq!(outcomes(&another), Vec::from_iter(refused));
}

#[tokio::test]
async fn what_is_named_is_closed_as_it_says_and_in_its_order() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let strange = key("C00001", Venue::Nse, "NOWHERE", Product::Cnc);
    let flat = key("C00001", Venue::Nse, "RELIANCE", Product::Cnc);
    let priced = {
        let mut body = named(&nifty(), json!(25));
        body["limit_price"] = json!("99.00");
        body
    };
    let body = json!({
        "square_offs": [named(&reliance(), json!(7)), priced, named(&strange, json!("all")), named(&flat, json!("all")), named(&nifty_of_another_product(), json!(1))],
        "evidence": "call 118",
    });
    let closed = ask(&node, ACTOR, "named", &body).await;
    assert_eq!(closed.status, 202, "{}", closed.text);
    let expected = [
        of(&reliance(), "accepted", &[7]),
        of(&nifty(), "accepted", &[20, 5]),
        of(&strange, "unknown-instrument", &[]),
        of(&flat, "nothing-to-close", &[]),
        of(&nifty_of_another_product(), "unknown-position", &[]),
    ];
    assert_eq!(outcomes(&closed), expected);
    assert_eq!(
        closed.body["square_offs"][1]["orders"][0]["limit_price"],
        "99.00"
    );
    assert_eq!(closed.body["square_offs"][1]["orders"][0]["side"], "SELL");
    // The key was for seven.
    let other = json!({ "square_offs": [named(&reliance(), json!(8))] });
    let reused = ask(&node, ACTOR, "named", &other).await;
    assert_eq!(reused.status, 200, "{}", reused.text);
    assert_eq!(
        outcomes(&reused),
        [of(&reliance(), "idempotency-key-reused", &[])]
    );
    assert_eq!(desk.placed(&reliance()).await, [7]);
}

fn nifty_of_another_product() -> PositionKey {
    key("C00001", Venue::Nse, "NIFTY26NOVFUT", Product::Mis)
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_whole_and_orders_nothing() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let many: Vec<_> = (0..101)
        .map(|number| {
            named(
                &key("C00001", Venue::Nse, &format!("S{number}"), Product::Cnc),
                json!(1),
            )
        })
        .collect();
    for (body, part) in [
        (json!({ "square_offs": [] }), "1 to 100"),
        (json!({ "square_offs": many }), "1 to 100"),
        (
            json!({ "square_offs": [named(&nifty(), json!(1.5))] }),
            "whole number",
        ),
        (json!({ "square_offs": [{ "venue": "NSE" }] }), "symbol"),
        (json!({ "evidence": "a\nb" }), "evidence"),
        (json!({ "everything": true }), "everything"),
    ] {
        let refused = ask_anew(&node, &body).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        assert!(refused.text.contains(part), "{part}: {}", refused.text);
    }
    let twice = json!({ "square_offs": [named(&nifty(), json!(5)), named(&reliance(), json!(5)), named(&nifty(), json!("all"))] });
    let refused = ask_anew(&node, &twice).await;
    refused.assert_problem(422, "position-named-twice", "NSE:NIFTY26NOVFUT NRML");
    assert!(desk.placed(&nifty()).await.is_empty());
    for (path, code) in [
        ("/v1/clients/C00003/square-offs", "nothing-to-close"),
        ("/v1/clients/C77777/square-offs", "unknown-client"),
    ] {
        let refused = answer(node.ask(path, &json!({}))).await;
        assert_eq!(refused.problem(), code, "{}", refused.text);
    }
}

#[tokio::test]
async fn who_may_not_act_for_the_client_closes_nothing() {
    let desk = Desk::open().await;
    recorded(&desk).await;
    let strict = squareoff_api::Settings {
        caller_verification: true,
        ..settings()
    };
    let node = Node::with(&desk, strict).await;
    let unverified = ask_anew(&node, &json!({})).await;
    unverified.assert_problem(409, "caller-not-verified", "verifications");
    let stranger = ask(&node, "investor-c00002", "two", &json!({})).await;
    stranger.assert_problem(404, "unknown-client", "C00001");
    assert!(desk.placed(&nifty()).await.is_empty());
    // Whoever only looks needs no caller; the client themself never does.
    let dry = ask_anew(&node, &json!({ "dry_run": true })).await;
    assert_eq!(dry.status, 200, "{}", dry.text);
    let own = ask(&node, "investor-c00001", "own", &json!({})).await;
    assert_eq!(own.status, 202, "{}", own.text);
    assert_eq!(outcomes(&own), everything());
}

/// Nor does a key that was good once let anything new through.
#[tokio::test]
async fn who_is_verified_no_more_hears_the_first_answer_and_closes_nothing_new() {
    let desk = Desk::open().await;
    recorded(&desk).await;
    let strict = squareoff_api::Settings {
        caller_verification: true,
        ..settings()
    };
    let node = Node::with(&desk, strict).await;
    let path = "/v1/clients/C00001/verifications";
    let told = json!({ "call_reference": "118", "pan": PAN, "date_of_birth": "1984-02-29" });
    let verify = async |told: &Value| answer(node.ask(path, told)).await;
    assert_eq!(verify(&told).await.status, 200);
    let of_nifty = json!({ "square_offs": [named(&nifty(), json!(5))] });
    let first = ask(&node, ACTOR, "named", &of_nifty).await;
    assert_eq!(first.status, 202, "{}", first.text);
    let all = ask(&node, ACTOR, "all", &json!({})).await;
    assert_eq!(all.status, 202, "{}", all.text);
    let wrong = with(&told, &[("date_of_birth", json!("1984-02-28"))]);
    verify(&wrong)
        .await
        .assert_problem(422, "caller-mismatch", "2 attempts");

    let again = ask(&node, ACTOR, "named", &of_nifty).await;
    assert!(again.is_repetition(), "{}", again.text);
    assert_eq!(order_ids(&again), order_ids(&first));
    let again = ask(&node, ACTOR, "all", &json!({})).await;
    assert!(again.is_repetition(), "{}", again.text);
    assert_eq!(order_ids(&again), order_ids(&all));
    let placed = async || (desk.placed(&nifty()).await, desk.placed(&reliance()).await);
    let before = placed().await;
    let both = json!({ "square_offs": [named(&nifty(), json!(5)), named(&reliance(), json!(7))] });
    for (key, body) in [
        ("named", &both),
        ("another", &of_nifty),
        ("another", &json!({})),
    ] {
        let refused = ask(&node, ACTOR, key, body).await;
        refused.assert_problem(409, "caller-not-verified", "verifications");
    }
    assert_eq!(placed().await, before);
}

#[tokio::test]
async fn what_is_worth_more_than_one_person_may_place_waits_and_the_rest_does_not() {
    let desk = Desk::open().await;
    let node = Node::with(&desk, limited()).await;
    let expected = |dry: bool| {
        let waits = |(stream, outcome, orders): (String, String, Vec<u64>)| {
            let above = orders.iter().sum::<u64>() > 20;
            let orders = if above && !dry { vec![] } else { orders };
            (
                stream,
                if above {
                    "waiting-for-approval".to_owned()
                } else {
                    outcome
                },
                orders,
            )
        };
        Vec::from_iter(everything().into_iter().map(waits))
    };
    let dry = ask_anew(&node, &json!({ "dry_run": true })).await;
    assert_eq!(outcomes(&dry), expected(true));
    let asked = ask(&node, ACTOR, "one", &json!({})).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    assert_eq!(outcomes(&asked), expected(false));
    assert!(desk.placed(&nifty()).await.is_empty());
    let again = ask(&node, ACTOR, "one", &json!({})).await;
    assert!(again.is_repetition(), "{}", again.text);
    let of_nifty = |answer: &Answer| {
        let outcomes = answer.body["square_offs"].as_array().unwrap().clone();
        let found = outcomes
            .into_iter()
            .find(|it| it["stream"] == nifty().stream());
        found.unwrap()["approval"]["approval_id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(of_nifty(&again), of_nifty(&asked));
    node.knows(desk.head().await).await;
    let approve = format!("/v1/approvals/{}/approve", of_nifty(&asked));
    node.accept_as(SECOND, &approve, &Value::Null).await;
    assert_eq!(desk.placed(&nifty()).await, [20, 20]);
}

/// Two at once under one key, at two nodes: each position is ordered once.
#[tokio::test]
async fn one_key_at_two_nodes_at_once_orders_each_position_once() {
    let desk = Desk::open().await;
    let (here, there) = (Node::start(&desk).await, Node::start(&desk).await);
    let body = json!({});
    let (one, two) = tokio::join!(
        ask(&here, ACTOR, "one", &body),
        ask(&there, ACTOR, "one", &body)
    );
    assert_eq!(
        (one.status, two.status),
        (202, 202),
        "{} {}",
        one.text,
        two.text
    );
    assert_eq!(order_ids(&one), order_ids(&two));
    assert_eq!(desk.placed(&nifty()).await, [20, 20]);
    assert_eq!(desk.placed(&reliance()).await, [100]);
}
