//! Who may do what: every route with every role, what is somebody else's, and the second person.

use crate::desk::{Desk, key, nifty};
use crate::node::{ACTOR, Answer, Node, answer, close_all, limited, position_path, with};
use crate::readable::{Readable, list};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use squareoff_api::rights::{Needs, ROUTES};
use squareoff_domain::{PositionKey, Product, Role, Venue};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const ASHA: &str = "investor-c00001";
const RAVI: &str = "supervisor-ravi";
const NOTHING: Value = Value::Null;

const fn actor(role: Role) -> &'static str {
    match role {
        Role::Desk => ACTOR,
        Role::Supervisor => RAVI,
        Role::Investor => ASHA,
        Role::Auditor => "auditor-meera",
        Role::Administrator => "admin-kiran",
        Role::Machine => "machine-reconcile",
    }
}

/// C00002's, of whom C00001 must learn nothing.
fn others() -> PositionKey {
    key("C00002", Venue::Nse, "NIFTY26NOVFUT", Product::Nrml)
}

/// The path with something that does not exist in each place.
fn filled(path: &str) -> String {
    if path == "/v1/live" {
        // What it may listen to it would be told for ever.
        return format!("{path}?after=nowhere");
    }
    let nobody = Uuid::nil().to_string();
    let stream = "position-2026-11-20-C99999-NSE:RELIANCE-CNC";
    [
        ("{client_code}", "C99999"),
        ("{stream}", stream),
        ("{order_id}", &nobody),
        ("{approval_id}", &nobody),
        ("{bulk_id}", &nobody),
        ("{kill_id}", &nobody),
        ("{position}", "999999999"),
        ("{trading_date}", "2026-11-20"),
        ("{session_id}", &nobody),
        ("{operator}", "desk-nobody"),
    ]
    .iter()
    .fold(path.to_owned(), |path, (place, with)| {
        path.replace(place, with)
    })
}

fn asked(node: &Node, by: &str, method: &Method, path: &str) -> RequestBuilder {
    let request = node.anonymous(method.clone(), path);
    request.bearer_auth(node.token(by))
}

async fn seen(node: &Node, by: &str, path: &str) -> Answer {
    answer(asked(node, by, &Method::GET, path)).await
}

async fn ask(node: &Node, by: &str, path: &str, body: &Value) -> Answer {
    answer(node.ask_as(by, &Uuid::new_v4().to_string(), path, body)).await
}

/// Method and path of every route, as the router itself has them.
fn routes_of(router: &axum::Router) -> BTreeSet<(String, String)> {
    let text = format!("{router:?}");
    // Behind it stands what answers where there is no route.
    let (text, _) = text.split_once("fallback_router: ").unwrap();
    let (mut methods, mut paths) = (BTreeMap::new(), BTreeMap::new());
    for part in text.split("RouteId(").skip(1) {
        let (id, rest) = part.split_once("): ").unwrap();
        if let Some(path) = rest.strip_prefix('"') {
            paths.insert(id, path.split_once('"').unwrap().0);
        } else {
            let allowed = rest.split_once("allow_header: Bytes(b\"").unwrap().1;
            methods.insert(id, allowed.split_once('"').unwrap().0);
        }
    }
    let of_path = |(id, path): (&&str, &&str)| {
        let methods = methods[*id].split(',').filter(|method| *method != "HEAD");
        let route = |method: &str| (method.to_owned(), (*path).to_owned());
        methods.map(route).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

#[tokio::test]
async fn every_route_has_a_row_and_every_row_a_route() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let routes = routes_of(&squareoff_api::router(node.app.clone()));
    let row = |(method, path, _): &(Method, &str, Needs)| (method.to_string(), (*path).to_owned());
    let rows: BTreeSet<_> = ROUTES.iter().map(row).collect();
    assert_eq!(rows.len(), ROUTES.len(), "a route has two rows");
    assert!(rows.len() > 50);
    assert_eq!(routes, rows);
}

#[tokio::test]
async fn every_role_gets_on_every_route_what_the_table_says() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    let before = desk.events_but_refusals().await;
    let mut wrong = Vec::new();
    for (method, path, needs) in ROUTES {
        let path = filled(path);
        let anonymous = answer(node.anonymous(method.clone(), &path)).await;
        let action = match needs {
            Needs::Nothing => {
                let refused = matches!(anonymous.status, 401 | 403 | 404 | 405 | 500);
                assert!(!refused, "{path}: {}", anonymous.text);
                continue;
            }
            Needs::Right(action) => action,
        };
        anonymous.assert_problem(401, "unauthenticated", "Bearer");
        for role in Role::ALL {
            // Without body and key, so that what is allowed changes nothing.
            let answer = answer(asked(node, actor(*role), method, &path)).await;
            let allowed = action.roles().contains(role);
            let mistakes = if allowed {
                let refused = matches!(answer.status, 401 | 403 | 405 | 500);
                Vec::from_iter(refused.then(|| "refused".to_owned()))
            } else {
                answer.mistakes(403, "not-allowed", &format!("`{action}`"))
            };
            if !mistakes.is_empty() {
                let (status, text) = (answer.status, &answer.text);
                wrong.push(format!(
                    "{role} {method} {path}: {mistakes:?} in {status} {text}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert_eq!(desk.events_but_refusals().await, before);
}

#[tokio::test]
async fn a_route_or_method_that_is_not_in_the_table_is_nobodys() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    for role in Role::ALL {
        let other = answer(asked(&node, actor(*role), &Method::DELETE, "/v1/orders")).await;
        other.assert_problem(405, "method-not-allowed", "Allow");
    }
    let unheard = answer(asked(&node, RAVI, &Method::GET, "/v1/nothing")).await;
    unheard.assert_problem(404, "no-such-resource", "no resource");
    // A HEAD tells what a GET would.
    let audit = |by: &str| asked(&node, by, &Method::HEAD, "/v1/platform");
    assert_eq!(answer(audit(ACTOR)).await.status, 200);
    assert_eq!(answer(audit(ASHA)).await.status, 403);
}

#[tokio::test]
async fn what_was_refused_by_role_is_in_the_audit_trail_once() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    let halt = json!({ "scope": "all", "reason": "mine" });
    for _ in 0..2 {
        let refused = answer(node.ask_as(ASHA, "one", "/v1/platform/halt", &halt)).await;
        refused.assert_problem(
            403,
            "not-allowed",
            "the role desk or supervisor; investor-c00001",
        );
    }
    // Behind it in the queue: once this one is there, so is all before.
    let last = ask(node, "auditor-meera", "/v1/platform/halt", &halt).await;
    last.assert_problem(403, "not-allowed", "has the role auditor");
    let refused = async || {
        readable.caught_up(&desk).await;
        let page = seen(node, "auditor-meera", "/v1/audit?kind=refusal").await;
        let rows = page.body["audit"].as_array().unwrap().clone();
        rows.iter()
            .map(|row| row["actor"].clone())
            .collect::<Vec<_>>()
    };
    let both = async {
        while refused().await.len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::desk::PATIENCE, both)
        .await
        .unwrap();
    assert_eq!(refused().await, ["auditor-meera", ASHA]);
}

#[tokio::test]
async fn an_investor_sees_and_closes_what_is_their_own() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    node.close(&others(), 20).await;
    let body = with(&close_all(&nifty()), &[("quantity", json!(20))]);
    let asked = answer(node.square_off_as(ASHA, "mine", &body)).await;
    let order = asked.accepted().orders[0];
    desk.acknowledge(&nifty(), order).await;
    readable.caught_up(&desk).await;

    let order_path = format!("/v1/orders/{order}");
    let own = seen(node, ASHA, &order_path).await;
    assert_eq!(
        (own.status, &own.body["client_code"]),
        (200, &json!("C00001"))
    );
    let position = seen(node, ASHA, &position_path(&nifty())).await;
    assert_eq!(position.body["working_quantity"], 20);
    let client = seen(node, ASHA, "/v1/clients/C00001").await;
    assert_eq!(client.body["client_code"], "C00001");
    let positions = seen(node, ASHA, "/v1/clients/C00001/positions").await;
    assert!(!list(&positions.body, "positions").is_empty());
    // Each list is of the own client, whether it was asked for or not.
    for (path, name) in [("orders", "orders"), ("positions", "positions")] {
        for query in ["", "?client_code=C00001"] {
            let page = seen(node, ASHA, &format!("/v1/{path}{query}")).await;
            let rows = list(&page.body, name);
            assert!(!rows.is_empty(), "{path}{query}");
            let own = |row: &Value| row["client_code"] == "C00001";
            assert!(rows.iter().all(own), "{path}{query}: {}", page.text);
        }
        let all = node.read(&format!("/v1/{path}")).await;
        let other = |row: &Value| row["client_code"] == "C00002";
        assert!(list(&all, name).iter().any(other), "{path}");
    }
    let modify = json!({ "limit_price": "99.00" });
    let modified = ask(node, ASHA, &format!("{order_path}/modify"), &modify).await;
    assert_eq!(modified.status, 202, "{}", modified.text);
    let cancelled = ask(node, ASHA, &format!("{order_path}/cancel"), &NOTHING).await;
    assert_eq!(cancelled.status, 202, "{}", cancelled.text);
    let none = ask(node, ASHA, "/v1/clients/C00001/cancel-all", &NOTHING).await;
    none.assert_problem(409, "nothing-to-cancel", "no order");
}

/// Routes that an investor may ask and that name something which is of no client: of them there is nothing that is somebody else's.
/// `/v1/sessions/{session_id}` is of a person: `sessions_are_listed_and_ended_on_whichever_node` asks for another's.
const OF_NO_CLIENT: &[&str] = &["/v1/sessions/{session_id}"];

/// Two questions, the one about what is somebody else's, the other about what does not exist.
struct Pair {
    what: &'static str,
    /// Method and path, as they are asked for the one.
    asked: (Method, String),
    other: (RequestBuilder, String),
    nobody: (RequestBuilder, String),
}

/// Whether the path is of this route.
fn fits(route: &str, path: &str) -> bool {
    let (route, path): (Vec<_>, Vec<_>) = (route.split('/').collect(), path.split('/').collect());
    let fits = |(part, asked): (&&str, &&str)| part.starts_with('{') || part == asked;
    route.len() == path.len() && route.iter().zip(&path).all(fits)
}

/// Status and body, without what was named and without how far the read models were.
async fn told((request, named): (RequestBuilder, String)) -> (u16, String) {
    let mut answer = answer(request).await;
    let body = answer.body.as_object_mut().unwrap();
    body.remove("position");
    let text = answer.body.to_string();
    let text = text.replace(&format!("position {named}"), "position X");
    // A log position of few digits could be any other number too.
    let long = named.len() > 5;
    (
        answer.status,
        if long {
            text.replace(&named, "X")
        } else {
            text
        },
    )
}

#[tokio::test]
async fn what_is_somebody_elses_answers_as_what_does_not_exist() {
    let desk = Desk::open().await;
    let readable = Readable::under(&desk, limited()).await;
    let node = &readable.node;
    let waits = with(&close_all(&others()), &[("quantity", json!(100))]);
    let waits = answer(node.square_off(&waits)).await;
    let approval = waits.body["approval"]["approval_id"].as_str().unwrap();
    let order = node.close(&others(), 20).await.orders[0];
    desk.acknowledge(&others(), order).await;
    desk.fill(&others(), order, "E1", 5, 1_000_000).await;
    let sealed = seen(node, ACTOR, &format!("/v1/streams/{}", others().stream())).await;
    let event = sealed.body["events"][0]["position"]
        .as_str()
        .unwrap()
        .to_owned();
    readable.caught_up(&desk).await;

    let get = |path: String| asked(node, ASHA, &Method::GET, &path);
    let post =
        |path: String, body: Value| node.ask_as(ASHA, &Uuid::new_v4().to_string(), &path, &body);
    let unheard = Uuid::from_u128(0x0a5a_0000_0000_4000_8000_0000_0000_0001).to_string();
    let order = order.to_string();
    let stranger = PositionKey {
        client: "C99999".parse().unwrap(),
        ..others()
    };
    let mut pairs = Vec::new();
    let mut pair = |what, other: &str, nobody: &str, ask: &dyn Fn(&str) -> RequestBuilder| {
        let request = ask(other).build().unwrap();
        pairs.push(Pair {
            what,
            asked: (request.method().clone(), request.url().path().to_owned()),
            other: (ask(other), other.to_owned()),
            nobody: (ask(nobody), nobody.to_owned()),
        });
    };
    let orders = |id: &str, rest: &str| format!("/v1/orders/{id}{rest}");
    pair("order", &order, &unheard, &|id| get(orders(id, "")));
    pair("cancel", &order, &unheard, &|id| {
        post(orders(id, "/cancel"), NOTHING)
    });
    let modify = json!({ "limit_price": "99.00" });
    pair("modify", &order, &unheard, &|id| {
        post(orders(id, "/modify"), modify.clone())
    });
    let clients = |code: &str, rest: &str| format!("/v1/clients/{code}{rest}");
    pair("client", "C00002", "C99999", &|code| get(clients(code, "")));
    pair("client's positions", "C00002", "C99999", &|code| {
        get(clients(code, "/positions"))
    });
    pair("client's cancel-all", "C00002", "C99999", &|code| {
        post(clients(code, "/cancel-all"), NOTHING)
    });
    let position = |code: &str| PositionKey {
        client: code.parse().unwrap(),
        ..others()
    };
    pair("position", "C00002", "C99999", &|code| {
        get(position_path(&position(code)))
    });
    pair("position's cancel-all", "C00002", "C99999", &|code| {
        post(
            format!("{}/cancel-all", position_path(&position(code))),
            NOTHING,
        )
    });
    pair("square-off of everything", "C00002", "C99999", &|code| {
        post(format!("/v1/clients/{code}/square-offs"), json!({}))
    });
    pair("square-off", "C00002", "C99999", &|code| {
        post("/v1/square-offs".to_owned(), close_all(&position(code)))
    });
    for (name, what) in [
        ("orders", "orders of"),
        ("positions", "positions of"),
        ("trades", "trades of"),
    ] {
        pair(what, "C00002", "C99999", &|code| {
            get(format!("/v1/{name}?client_code={code}"))
        });
    }
    pair("trades of an order", &order, &unheard, &|id| {
        get(format!("/v1/trades?order_id={id}"))
    });
    pair(
        "positions behind",
        &others().stream(),
        &stranger.stream(),
        &|stream| get(format!("/v1/positions?client_code=C00002&after={stream}")),
    );
    pair("proof", &event, "999999", &|position| {
        get(format!("/v1/audit/proofs/{position}"))
    });

    let approvals = |id: &str, rest: &str| format!("/v1/approvals/{id}{rest}");
    pair("approval", approval, &unheard, &|id| get(approvals(id, "")));
    pair("withdrawal", approval, &unheard, &|id| {
        post(approvals(id, "/withdraw"), NOTHING)
    });

    // A route that names something, and that nobody thought of here.
    let unasked = |(method, path, needs): &&(Method, &str, Needs)| {
        let of_investor =
            matches!(needs, Needs::Right(action) if action.roles().contains(&Role::Investor));
        let is_asked = |pair: &Pair| pair.asked.0 == *method && fits(path, &pair.asked.1);
        of_investor
            && path.contains('{')
            && !OF_NO_CLIENT.contains(path)
            && !pairs.iter().any(is_asked)
    };
    let unasked: Vec<_> = ROUTES.iter().filter(unasked).map(|row| row.1).collect();
    assert_eq!(unasked, [""; 0], "of these nobody asks for somebody else's");

    let before = desk.events_but_refusals().await;
    let mut wrong = Vec::new();
    for Pair {
        what,
        other,
        nobody,
        ..
    } in pairs
    {
        let (one, two) = (told(other).await, told(nobody).await);
        if one != two || one.0 == 202 {
            wrong.push(format!("{what}: {one:?}, not {two:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert_eq!(desk.events_but_refusals().await, before);
    assert_eq!(desk.placed(&others()).await, [20]);
    // The desk is told of each.
    assert_eq!(seen(node, ACTOR, &orders(&order, "")).await.status, 200);
    let trades = node.read(&format!("/v1/trades?order_id={order}")).await;
    assert_eq!(list(&trades, "trades").len(), 1);
}

#[tokio::test]
async fn nobody_approves_their_own_and_only_a_supervisor_approves() {
    let desk = Desk::dormant().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    let activation = json!({
        "trading_date": crate::desk::DATE,
        "reason": "the primary is down",
        "outage_began_at": "2026-11-20T09:47:00+05:30",
    });
    let approve = "/v1/platform/activation/approve";
    node.accept_as(RAVI, "/v1/platform/activation", &activation)
        .await;
    ask(node, RAVI, approve, &NOTHING)
        .await
        .assert_problem(409, "own-request", "another person");
    for by in [
        ACTOR,
        ASHA,
        "auditor-meera",
        "admin-kiran",
        "machine-reconcile",
    ] {
        ask(node, by, approve, &NOTHING).await.assert_problem(
            403,
            "not-allowed",
            "`approve-platform` takes the role supervisor",
        );
    }
    node.accept_as("supervisor-leela", approve, &NOTHING).await;
    node.accept("/v1/platform/activation/load", &NOTHING).await;
    node.accept("/v1/platform/activation/activate", &NOTHING)
        .await;
    readable.caught_up(&desk).await;

    let bulk = json!({ "filter": { "client_code": "C00001" }, "reason": "primary down" });
    let proposed = node.accept_as(RAVI, "/v1/bulk", &bulk).await;
    let path = format!("/v1/bulk/{}/approve", proposed["bulk_id"].as_str().unwrap());
    ask(node, RAVI, &path, &NOTHING)
        .await
        .assert_problem(409, "own-request", "another person");
    ask(node, ACTOR, &path, &NOTHING).await.assert_problem(
        403,
        "not-allowed",
        "`approve-bulk` takes the role supervisor",
    );
    node.accept_as("supervisor-leela", &path, &NOTHING).await;

    node.accept_as(
        RAVI,
        "/v1/platform/halt",
        &json!({ "scope": "all", "reason": "runaway" }),
    )
    .await;
    let resume = json!({ "scope": "all", "reason": "all is well" });
    node.accept_as(RAVI, "/v1/platform/resume", &resume).await;
    ask(
        node,
        RAVI,
        "/v1/platform/resume/approve",
        &json!({ "scope": "all" }),
    )
    .await
    .assert_problem(409, "own-request", "another person");
}
