//! Every refusal of a position there is, provoked over HTTP; and what the audit trail keeps of it.

use crate::desk::{Desk, key, nifty, reliance};
use crate::node::{
    ACTOR, Answer, Node, Refused, answer, assert_refused, close_all, position_path, with,
};
use serde_json::{Value, json};
use squareoff_domain::position::{CancelState, Execution, ExecutionReport, ReplaceState, Report};
use squareoff_domain::reference::Restriction;
use squareoff_domain::refusals::RefusalEvent;
use squareoff_domain::{OrderId, PositionKey, Price, Product, Quantity, Side, Timestamp, Venue};
use squareoff_store::StoredEvent;
use squareoff_store::codec::LogEvent;
use std::collections::BTreeSet;
use uuid::Uuid;

const API_PAGE: &str = include_str!("../../../../docs/API.md");

/// The types of the docs' table of refusals of a position, which a unit test holds to the domain's enum.
fn documented() -> BTreeSet<&'static str> {
    let (_, table) = API_PAGE
        .split_once("### Of a request about a position or an order")
        .unwrap();
    let (table, _) = table.split_once("\n### ").unwrap();
    let rows = table.lines().filter_map(|row| row.strip_prefix("| `"));
    rows.map(|row| row.split_once('`').unwrap().0).collect()
}

fn modify(order: OrderId) -> String {
    format!("/v1/orders/{order}/modify")
}

fn resolve(order: OrderId) -> String {
    format!("/v1/orders/{order}/resolve")
}

/// Cancels an order, and the venue rejects the cancel, until no more are let through.
async fn cancel_in_vain(
    desk: &Desk,
    node: &Node,
    position: &PositionKey,
    order: OrderId,
) -> Answer {
    loop {
        let asked = answer(node.cancel(order, &Uuid::new_v4().to_string())).await;
        if asked.status != 202 {
            return asked;
        }
        let state = desk.position(position).await;
        let pending = state.orders[&order].cancels.iter();
        let mut pending = pending.filter(|(_, state)| **state == CancelState::Pending);
        let cl_ord_id = pending.next().unwrap().0.clone();
        let (code, text) = (99, "not now".to_owned());
        let rejected = Report::CancelRejected {
            cl_ord_id,
            code,
            text,
        };
        desk.report(position, rejected).await;
    }
}

/// Changes an order's price to and fro, and the venue takes each change, until no more are let through.
async fn change_forever(
    desk: &Desk,
    node: &Node,
    position: &PositionKey,
    order: OrderId,
) -> Answer {
    for price in ["97.05", "97.00"].into_iter().cycle() {
        let asked = answer(node.ask(&modify(order), &json!({ "limit_price": price }))).await;
        if asked.status != 202 {
            return asked;
        }
        let state = desk.position(position).await;
        let pending = state.orders[&order].replaces.iter();
        let mut pending = pending.filter(|(_, replace)| replace.state == ReplaceState::Pending);
        let replaced = ExecutionReport {
            cl_ord_id: pending.next().unwrap().0.clone(),
            exchange_order_id: "X1".parse().unwrap(),
            execution: Execution::Replaced {
                quantity: Quantity::new(5).unwrap(),
                price: price.parse().unwrap(),
            },
            cumulative: 0,
            leaves: 5,
        };
        desk.report(position, Report::Execution(replaced)).await;
    }
    unreachable!("a cycle has no end")
}

#[tokio::test]
async fn every_documented_refusal_of_a_position_is_provoked() {
    let desk = Desk::dormant().await;
    let node = Node::start(&desk).await;
    let mut provoked = BTreeSet::new();
    let mut check = |answer: &Answer, code: &'static str| {
        let status = if code == "exchange-not-connected" {
            503
        } else {
            answer.status
        };
        let mistakes = answer.mistakes(status, code, "");
        assert!(mistakes.is_empty(), "{code}: {mistakes:?} {}", answer.text);
        provoked.insert(code);
    };
    let of = |client, symbol: &str, product| key(client, Venue::Nse, symbol, product);
    let (nrml, mis, cnc) = (Product::Nrml, Product::Mis, Product::Cnc);
    let close = |position: &PositionKey| node.square_off(&close_all(position));
    let units = |position: &PositionKey, units: Value| {
        node.square_off(&with(&close_all(position), &[("quantity", units)]))
    };
    let at = |price: &str| {
        let body = close_all(&nifty());
        node.square_off(&with(
            &body,
            &[("limit_price", json!(price)), ("quantity", json!(5))],
        ))
    };
    let nothing = Value::Null;
    let reason = json!({ "reason": "the desk wants it so" });
    let of_nifty = |what: &str| format!("{}/{what}", position_path(&nifty()));

    check(&answer(close(&nifty())).await, "platform-not-active");
    node.knows(desk.activate().await).await;
    check(&answer(close(&nifty())).await, "exchange-not-connected");
    node.knows(desk.connect_first_time().await).await;

    // Of any request.
    let freeze = node.ask(&of_nifty("freeze"), &json!({ "reason": " " }));
    check(&answer(freeze).await, "reason-missing");
    check(
        &answer(close(&of("C00003", "RELIANCE", mis))).await,
        "unknown-position",
    );
    check(
        &answer(close(&of("C00001", "INFY", mis))).await,
        "unknown-instrument",
    );

    // The platform's and the market's state.
    let halt = json!({ "scope": "all", "reason": "prices look wrong" });
    node.accept("/v1/platform/halt", &halt).await;
    check(&answer(close(&nifty())).await, "new-orders-halted");
    node.accept("/v1/platform/resume", &halt).await;
    let scope = json!({ "scope": "all" });
    node.accept_as("supervisor-ravi", "/v1/platform/resume/approve", &scope)
        .await;
    let phase = |phase: &str| json!({ "venue": "NSE", "segment": "CM", "phase": phase });
    node.accept("/v1/platform/market-phase", &phase("pre-close"))
        .await;
    check(&answer(close(&nifty())).await, "market-not-open");
    node.accept("/v1/platform/market-phase", &phase("open"))
        .await;

    // The position's own state, and the listing's.
    check(
        &answer(node.ask(&of_nifty("unfreeze"), &reason)).await,
        "position-not-frozen",
    );
    node.accept(&of_nifty("freeze"), &reason).await;
    check(&answer(close(&nifty())).await, "position-frozen");
    node.accept(&of_nifty("unfreeze"), &reason).await;
    node.accept(
        &format!("{}/hand-back", position_path(&of("C00001", "M&M", cnc))),
        &nothing,
    )
    .await;
    check(
        &answer(close(&of("C00001", "M&M", cnc))).await,
        "position-handed-back",
    );
    let suspended = desk.relist("RELIANCE", |it| {
        it.restriction = Some(Restriction::Suspended)
    });
    node.knows(suspended.await).await;
    check(&answer(close(&reliance())).await, "instrument-restricted");
    node.knows(desk.relist("RELIANCE", |_| {}).await).await;

    // Quantities.
    check(
        &answer(units(&nifty(), json!(0))).await,
        "quantity-not-positive",
    );
    check(
        &answer(close(&of("C00001", "RELIANCE", cnc))).await,
        "nothing-to-close",
    );
    check(
        &answer(units(&nifty(), json!(45))).await,
        "exceeds-open-quantity",
    );
    check(
        &answer(close(&of("C00002", "NIFTY26NOVFUT", mis))).await,
        "odd-lot",
    );
    check(&answer(units(&nifty(), json!(12))).await, "not-whole-lots");
    check(
        &answer(close(&of("C00001", "FROZEN", nrml))).await,
        "freeze-below-lot",
    );
    check(
        &answer(close(&of("C00002", "NIFTY26NOVFUT", nrml))).await,
        "too-many-slices",
    );

    // Prices.
    check(&answer(at("100.03")).await, "price-off-tick");
    check(&answer(at("110.05")).await, "price-out-of-band");
    let protected = desk.relist("NIFTY26NOVFUT", |it| {
        it.protection_range = Some((Price(950_000), Price(1_050_000)));
    });
    node.knows(protected.await).await;
    check(&answer(at("106.00")).await, "price-out-of-protection");
    let old = desk.relist("NIFTY26NOVFUT", |it| it.reference_at = Timestamp(0));
    node.knows(old.await).await;
    check(&answer(close(&nifty())).await, "stale-reference");
    node.knows(desk.relist("NIFTY26NOVFUT", |_| {}).await).await;

    // Orders.
    let cancel = |order| node.cancel(order, &Uuid::new_v4().to_string());
    check(
        &answer(cancel(OrderId(Uuid::new_v4()))).await,
        "unknown-order",
    );
    check(
        &answer(node.ask(&of_nifty("cancel-all"), &nothing)).await,
        "nothing-to-cancel",
    );
    let order = node.close(&nifty(), 20).await.orders[0];
    check(
        &answer(node.ask(&of_nifty("hand-back"), &nothing)).await,
        "orders-working",
    );
    let price = |text: &str| json!({ "limit_price": text });
    check(
        &answer(node.ask(&modify(order), &price("97.05"))).await,
        "order-not-acknowledged",
    );
    desk.acknowledge(&nifty(), order).await;
    desk.fill(&nifty(), order, "E1", 10, 1_000_000).await;
    check(
        &answer(node.ask(&modify(order), &json!({}))).await,
        "nothing-to-change",
    );
    let quantity = |units: i64| json!({ "quantity": units });
    check(
        &answer(node.ask(&modify(order), &quantity(25))).await,
        "quantity-not-lower",
    );
    check(
        &answer(node.ask(&modify(order), &quantity(10))).await,
        "quantity-not-above-filled",
    );
    let delivered = json!({ "outcome": "delivered", "reason": "the exchange said so" });
    check(
        &answer(node.ask(&resolve(order), &delivered)).await,
        "order-not-in-doubt",
    );
    node.accept(&modify(order), &price("97.05")).await;
    check(
        &answer(node.ask(&modify(order), &price("97.10"))).await,
        "replace-pending",
    );
    let doubted = node.close(&nifty(), 5).await.orders[0];
    desk.in_doubt(&nifty(), doubted).await;
    check(
        &answer(node.ask(&modify(doubted), &price("97.05"))).await,
        "order-in-doubt",
    );
    node.accept(&format!("/v1/orders/{doubted}/cancel"), &nothing)
        .await;
    check(&answer(cancel(doubted)).await, "cancel-pending");
    desk.venue(&nifty(), doubted, Execution::Canceled).await;
    check(&answer(cancel(doubted)).await, "order-ended");
    let external = desk.external(&nifty(), Side::Sell, 5).await;
    check(
        &answer(node.ask(&modify(external), &price("97.05"))).await,
        "not-our-order",
    );
    let kept = node.square_off_as(ACTOR, "used", &close_all(&reliance()));
    assert_eq!(answer(kept).await.status, 202);
    check(
        &answer(node.square_off_as(ACTOR, "used", &close_all(&nifty()))).await,
        "idempotency-key-reused",
    );
    let stubborn = node.close(&nifty(), 5).await.orders[0];
    desk.acknowledge(&nifty(), stubborn).await;
    check(
        &change_forever(&desk, &node, &nifty(), stubborn).await,
        "too-many-replaces",
    );
    check(
        &cancel_in_vain(&desk, &node, &nifty(), stubborn).await,
        "too-many-cancels",
    );

    assert_eq!(provoked, documented());
}

#[tokio::test]
async fn what_is_asked_of_orders_and_positions_has_to_be_readable() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let order = node.close(&nifty(), 5).await.orders[0];
    let none = OrderId(Uuid::nil());
    let malformed = |what, path: String, body: Value, word| -> Refused {
        (what, node.ask(&path, &body), 400, "malformed-request", word)
    };
    let parameter = |what, path: &str, word| -> Refused {
        (
            what,
            node.ask(path, &json!({ "reason": "x" })),
            400,
            "invalid-parameter",
            word,
        )
    };
    let freeze = || format!("{}/freeze", position_path(&nifty()));
    let stream = nifty().stream();
    #[rustfmt::skip]
    let lines = vec![
        malformed("a price as number", modify(order), json!({"limit_price": 97.05}), "rupees as text"),
        malformed("a price that is none", modify(order), json!({"limit_price": "x"}), "`limit_price`"),
        malformed("a fraction", modify(order), json!({"quantity": 2.5}), "a whole number of units"),
        malformed("all", modify(order), json!({"quantity": "all"}), "a whole number of units"),
        malformed("an unknown field", modify(order), json!({"price": "97.05"}), "unknown field `price`"),
        ("a change of an unknown order", node.ask(&modify(none), &json!({"quantity": 5})), 404, "unknown-order", "0000"),
        ("a resolution of an unknown order", node.ask(&resolve(none), &json!({"outcome": "delivered", "reason": "x"})), 404, "unknown-order", "0000"),
        malformed("no outcome", resolve(order), json!({"reason": "x"}), "missing field `outcome`"),
        malformed("another outcome", resolve(order), json!({"outcome": "lost", "reason": "x"}), "`outcome`: unknown value `lost`, expected `delivered` or `not-delivered`"),
        ("no reason in it", node.ask(&resolve(order), &json!({"outcome": "delivered", "reason": "\t".trim()})), 422, "reason-missing", "a reason is needed"),
        malformed("a reason of two lines", freeze(), json!({"reason": "a\nb"}), "`reason`: a reason has at most 500 characters"),
        malformed("an endless reason", freeze(), json!({"reason": "x".repeat(501)}), "500 characters"),
        malformed("no reason", freeze(), json!({}), "missing field `reason`"),
        parameter("another stream", "/v1/positions/platform/freeze", "`platform` is not a position"),
        parameter("a date that is none", "/v1/positions/position-2026-02-30-C1-NSE:X-MIS/unfreeze", "not a position"),
        ("no product", node.ask("/v1/positions/position-2026-11-20-C00001-NSE:X/cancel-all", &Value::Null), 400, "invalid-parameter", "not a position"),
        ("a client that is none", node.ask("/v1/clients/c1/cancel-all", &Value::Null), 400, "invalid-parameter", "`client_code`"),
        ("an unknown client", node.ask("/v1/clients/C99999/cancel-all", &Value::Null), 404, "unknown-client", "C99999"),
        ("a client without orders", node.ask("/v1/clients/C00003/cancel-all", &Value::Null), 409, "nothing-to-cancel", "no order"),
        ("an unknown position", node.ask("/v1/positions/position-2026-11-20-C00003-NSE:X-MIS/cancel-all", &Value::Null), 404, "unknown-position", "C00003 has no MIS"),
        ("an unknown position, frozen", node.ask("/v1/positions/position-2026-11-20-C00003-NSE:X-MIS/freeze", &json!({"reason": "x"})), 404, "unknown-position", "C00003"),
        ("looking at an unknown position", node.request(reqwest::Method::GET, "/v1/positions/position-2026-11-20-C00003-NSE:X-MIS"), 404, "unknown-position", "C00003"),
        ("looking at none", node.request(reqwest::Method::GET, "/v1/positions/x"), 400, "invalid-parameter", "`x` is not a position"),
        ("looking without a token", node.anonymous(reqwest::Method::GET, &format!("/v1/positions/{stream}")), 401, "unauthenticated", "Bearer"),
    ];
    assert_refused(&desk, lines).await;
}

/// What the log keeps of refused requests, once all of `count` are written.
async fn refusals(desk: &Desk, count: usize) -> Vec<StoredEvent> {
    let written = async {
        loop {
            let log = desk.log().await;
            let refused = log.into_iter();
            let refused = refused.filter(|stored| &*stored.event_type == "RequestRefused");
            let refused: Vec<_> = refused.collect();
            if refused.len() >= count {
                return refused;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::desk::PATIENCE, written)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_refused_request_is_in_the_audit_trail_once_and_a_misread_one_never() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let too_much = with(&close_all(&nifty()), &[("quantity", json!(45))]);
    for _ in 0..3 {
        let asked = answer(node.square_off_as(ACTOR, "one", &too_much)).await;
        asked.assert_problem(409, "exceeds-open-quantity", "45");
    }
    let misread = with(&too_much, &[("quantity", json!("half"))]);
    assert_eq!(
        answer(node.square_off_as(ACTOR, "two", &misread))
            .await
            .status,
        400
    );
    let unknown = close_all(&key("C99999", Venue::Nse, "RELIANCE", Product::Mis));
    answer(node.square_off_as(ACTOR, "three", &unknown)).await;
    let approve = node.ask_as(
        "supervisor-ravi",
        "four",
        "/v1/platform/activation/approve",
        &Value::Null,
    );
    answer(approve)
        .await
        .assert_problem(409, "no-activation-pending", "active");

    let kept = refusals(&desk, 3).await;
    let kept: BTreeSet<_> = kept
        .iter()
        .map(|stored| {
            let RefusalEvent::RequestRefused(refused) = RefusalEvent::decode(stored).unwrap();
            assert_eq!(stored.correlation_id, refused.request_id.0);
            (
                stored.stream.to_string(),
                stored.actor.to_string(),
                refused.what,
                refused.code,
            )
        })
        .collect();
    let row = |stream: &str, actor: &str, what: &str, code: &str| {
        (
            stream.to_owned(),
            actor.to_owned(),
            what.to_owned(),
            code.to_owned(),
        )
    };
    #[rustfmt::skip]
    let expected = BTreeSet::from([
        row("refusals-2026-11-20-C00001", ACTOR, "square-off", "exceeds-open-quantity"),
        row("refusals-2026-11-20-C99999", ACTOR, "square-off", "unknown-client"),
        row("refusals-2026-11-20-desk", "supervisor-ravi", "approve-activation", "no-activation-pending"),
    ]);
    assert_eq!(kept, expected);

    // Refused again at another node, and then accepted: the refusal stays, once.
    let other = Node::start(&desk).await;
    let again = answer(other.square_off_as(ACTOR, "one", &too_much)).await;
    assert_eq!(again.status, 409);
    let fits = with(&too_much, &[("quantity", json!(40))]);
    assert_eq!(
        answer(node.square_off_as(ACTOR, "one", &fits)).await.status,
        202
    );
    answer(other.square_off_as(ACTOR, "five", &too_much)).await;
    assert_eq!(refusals(&desk, 4).await.len(), 4);
}
