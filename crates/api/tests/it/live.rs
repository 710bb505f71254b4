//! Live updates over real sockets.

use crate::desk::{Desk, PATIENCE, key, nifty, reliance};
use crate::listening::{Event, Listener, WebSocket};
use crate::node::{ACTOR, Node, SECOND, answer};
use crate::readable::{Readable, text};
use serde_json::{Value, json};
use squareoff_api::live::Limits;
use squareoff_domain::{Product, Side, Venue};
use squareoff_store::Position;
use std::time::Duration;

fn only(list: &Value) -> &Value {
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 1, "{list:?}");
    &list[0]
}

#[tokio::test]
async fn an_order_and_its_position_change_live_as_the_queries_show_them() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    let (mut live, ready) = Listener::open(node, "").await;
    assert_eq!(ready.name, "ready");
    assert!(ready.retry);
    assert_eq!(
        ready.data,
        json!({
            "event": "ready",
            "position": ready.id,
            "topics": ["orders", "positions", "platform", "bulk", "approvals"],
            "client_code": null,
        })
    );
    let accepted = node.close(&nifty(), 20).await;
    let order = accepted.orders[0];
    let acknowledged = desk.acknowledge(&nifty(), order).await;
    let filled = desk.fill(&nifty(), order, "E1", 5, 1_000_500).await;

    let as_shown = async |change: &Event| {
        let at_least = format!("at_least={}", change.id);
        let mut shown = node.read(&format!("/v1/orders/{order}?{at_least}")).await;
        // The query's own position is not the order's.
        shown.as_object_mut().unwrap().remove("position");
        let listed = node
            .read(&format!(
                "/v1/positions?client_code=C00001&symbol=NIFTY26NOVFUT&{at_least}"
            ))
            .await;
        (shown, listed["positions"].clone())
    };
    let placed = live.change_at(accepted.position).await;
    assert_eq!(only(&placed.data["orders"])["order_id"], json!(order));
    let sent = live.change_at(acknowledged).await;
    assert_eq!(only(&sent.data["orders"])["status"], "new");
    // The acknowledgement shows in the order alone.
    assert_eq!(sent.data["positions"], json!(null));
    let last = live.change_at(filled).await;
    let (order, positions) = as_shown(&last).await;
    assert_eq!(*only(&last.data["orders"]), order);
    assert_eq!(last.data["positions"], positions);
    assert_eq!(last.data["position"], json!(filled.to_string()));
    assert_eq!(only(&positions)["net_quantity"], 35);
}

#[tokio::test]
async fn a_halt_is_told_as_the_platform_shows_it() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let (mut live, _) = Listener::open(&node, "?topics=platform").await;
    let halt = json!({ "scope": "NSE", "reason": "prices look wrong" });
    let halted = node.accept("/v1/platform/halt", &halt).await;
    let change = live.change().await;
    assert_eq!(json!(change.id), halted["position"]);
    assert_eq!(change.data["platform"], node.read("/v1/platform").await);
    assert_eq!(change.data["platform"]["halts"][0]["scope"], "NSE");
}

#[tokio::test]
async fn a_reader_that_comes_back_is_told_what_it_missed_and_then_goes_on() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let (mut live, ready) = Listener::open(&node, "").await;
    let begun = ready.position();
    let first = node.close(&nifty(), 20).await.position;
    live.change_at(first).await;
    drop(live);
    let second = node.close(&reliance(), 10).await.position;
    let (mut again, ready) = Listener::resume(&node, "", first).await;
    assert_eq!((ready.name.as_str(), ready.position()), ("ready", first));
    assert_eq!(again.change().await.position(), second);
    let third = node.close(&reliance(), 10).await.position;
    again.change_at(third).await;
    // As a parameter too, for a first request that goes on from a query's position; the header is the newer.
    let query = format!("?after={begun}");
    let (mut from_query, ready) = Listener::open(&node, &query).await;
    assert_eq!(ready.position(), begun);
    from_query.change_at(third).await;
    let (_, ready) = Listener::resume(&node, &query, second).await;
    assert_eq!(ready.position(), second);
}

#[tokio::test]
async fn what_names_no_position_of_the_log_is_refused_or_begins_anew() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let request = |id: &str| {
        node.request(reqwest::Method::GET, "/v1/live")
            .header("Last-Event-ID", id)
    };
    let long = "9".repeat(4_000);
    for hostile in ["-1", "abc", "1 2", "99999999999999999999", "0x10", &long] {
        let refused = answer(request(hostile)).await;
        refused.assert_problem(400, "invalid-parameter", "`Last-Event-ID`");
    }
    let head = desk.head().await;
    let beyond = Position::from_u64(head.as_u64() + 1_000_000);
    let (mut live, reset) = Listener::resume(&node, "", beyond).await;
    assert_eq!((reset.name.as_str(), reset.position()), ("reset", head));
    let next = node.close(&nifty(), 20).await.position;
    live.change_at(next).await;
    // An empty id is what a browser sends that was told none.
    let (_, ready) = Listener::open_as(&node, ACTOR, "", Some("")).await;
    assert_eq!(ready.name, "ready");
    for (query, word) in [
        ("?topics=orders,profits", "`profits` is no topic"),
        ("?topics=", "is no topic"),
        ("?client=a%20b", "`client`"),
        ("?after=x", "`after`"),
        ("?since=1", "unknown field"),
    ] {
        let refused = node.get(&format!("/v1/live{query}")).await;
        refused.assert_problem(400, "invalid-parameter", word);
    }
    let nobody = node.anonymous(reqwest::Method::GET, "/v1/live");
    answer(nobody)
        .await
        .assert_problem(401, "unauthenticated", "Bearer");
}

#[tokio::test]
async fn a_bulk_is_told_as_it_stands_with_what_was_asked_before_this_node_began() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    let (mut live, _) = Listener::open(node, "?topics=bulk").await;
    let wanted = json!({
        "filter": { "client_code": "C00001", "symbol": "RELIANCE" },
        "reason": "primary down",
    });
    let proposed = node.accept("/v1/bulk", &wanted).await;
    let bulk = format!("/v1/bulk/{}", proposed["bulk_id"].as_str().unwrap());
    let position: Position = proposed["position"].as_str().unwrap().parse().unwrap();
    let told = live.change_at(position).await;
    assert!(node.app.book.reach(position, PATIENCE).await);
    let mut shown = node.read(&bulk).await;
    // The book may have read on to events that are none of the bulk's.
    shown["position"] = json!(position.to_string());
    assert_eq!(told.data["bulk"], shown);
    assert_eq!(told.data["bulk"]["status"], "proposed");

    let other = Node::start(&desk).await;
    let (mut live, _) = Listener::open(&other, "?topics=bulk,orders").await;
    let why = json!({ "reason": "another day" });
    let rejected = node
        .accept_as(SECOND, &format!("{bulk}/reject"), &why)
        .await;
    let told = live.change().await;
    assert_eq!(json!(told.id), rejected["position"]);
    assert_eq!(told.data["bulk"]["status"], "rejected");
    assert_eq!(told.data["bulk"]["reason"], "primary down");
}

#[tokio::test]
async fn a_node_that_was_started_again_tells_what_was_missed_meanwhile() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let (mut live, _) = Listener::open(&node, "?client=C00001").await;
    let seen = node.close(&nifty(), 20).await.position;
    live.change_at(seen).await;
    drop(node);
    let missed = desk.external(&nifty(), Side::Sell, 5).await;
    let node = Node::start(&desk).await;
    let (mut live, ready) = Listener::resume(&node, "?client=C00001", seen).await;
    assert_eq!((ready.name.as_str(), ready.position()), ("ready", seen));
    let change = live.change().await;
    assert_eq!(only(&change.data["orders"])["order_id"], json!(missed));
    assert_eq!(ready.data["client_code"], "C00001");
}

/// Cut off at any moment while two writers append, a reader is told each change once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_that_is_cut_off_while_events_flow_misses_none_and_gets_none_twice() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let (_, ready) = Listener::open(&node, "?topics=orders").await;
    let writers = async {
        let one = async {
            for number in 0..40 {
                desk.external_numbered(&nifty(), Side::Sell, 1, number)
                    .await;
            }
        };
        let other = async {
            for number in 0..40 {
                desk.external_numbered(&reliance(), Side::Buy, 1, number)
                    .await;
            }
        };
        tokio::join!(one, other);
        desk.head().await
    };
    let readers = async {
        let (mut seen, mut ids) = (ready.position(), Vec::new());
        'cuts: for cut in 0.. {
            let (mut live, _) = Listener::resume(&node, "?topics=orders", seen).await;
            for _ in 0..cut % 5 + 1 {
                let change = live.change().await;
                assert!(change.position() > seen, "{change:?} after {seen}");
                seen = change.position();
                ids.push(seen);
                if ids.len() == 80 {
                    break 'cuts;
                }
            }
        }
        ids
    };
    let (head, told) = tokio::join!(writers, readers);
    let log = desk.log().await;
    let behind = log
        .iter()
        .filter(|stored| stored.position > ready.position());
    let expected: Vec<_> = behind.map(|stored| stored.position).collect();
    assert_eq!(told, expected);
    assert_eq!(told.last(), Some(&head));
}

/// One reads nothing, another beside it everything; the slow one comes back where it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_that_does_not_read_is_sent_away_and_can_come_back_and_another_misses_nothing() {
    // Beyond what the kernel holds for the slow one (4 MB) and it may fall behind; the quick one is never as much behind.
    const APPENDS: usize = 20;
    const EVENTS: usize = 300;
    let desk = Desk::open().await;
    let limits = Limits {
        queue_max: 16,
        lag_max: 2 * EVENTS,
        silence_max: PATIENCE * 10,
        ..Limits::default()
    };
    let node = Node::limited(&desk, limits).await;
    let (mut slow, begun) = Listener::narrow(&node).await;
    let (mut quick, _) = Listener::open(&node, "").await;
    for _ in 0..APPENDS {
        let last = desk.freezes(&nifty(), EVENTS, 4_000).await;
        for number in 1..=EVENTS {
            let change = quick.change().await;
            assert_eq!(change.position() == last, number == EVENTS);
        }
    }
    let (mut told, mut seen) = (0, begun.position());
    let behind = loop {
        let event = slow.next().await.unwrap();
        if event.name != "change" {
            break event;
        }
        assert!(event.position() > seen);
        (told, seen) = (told + 1, event.position());
    };
    assert_eq!((behind.name.as_str(), behind.position()), ("behind", seen));
    assert!(behind.retry && told < APPENDS * EVENTS, "{told}");
    assert_eq!(slow.next().await, None);
    let (mut back, _) = Listener::resume(&node, "", seen).await;
    while told < APPENDS * EVENTS {
        let change = back.change().await;
        assert!(change.position() > seen);
        (told, seen) = (told + 1, change.position());
    }
    assert_eq!(seen, desk.head().await);
}

#[tokio::test]
async fn a_person_has_so_many_connections_and_a_node_too() {
    let desk = Desk::open().await;
    let limits = Limits {
        readers_max: 3,
        readers_per_person_max: 2,
        ..Limits::default()
    };
    let node = Node::limited(&desk, limits).await;
    let (one, _) = Listener::open(&node, "").await;
    let (_two, _) = Listener::open(&node, "").await;
    let refused = node.get("/v1/live").await;
    refused.assert_problem(429, "too-many-live-connections", "2 live connections");
    let (_three, _) = Listener::open_as(&node, SECOND, "", None).await;
    let ask = || {
        let another = node.anonymous(reqwest::Method::GET, "/v1/live");
        answer(another.bearer_auth(node.token(SECOND)))
    };
    ask()
        .await
        .assert_problem(503, "no-live-connection-free", "3 live connections");
    // A place is given back when its connection ends.
    drop(one);
    while node.app.live.readers() > 2 {
        tokio::task::yield_now().await;
    }
    Listener::open_as(&node, SECOND, "", None).await;
}

#[tokio::test]
async fn a_reader_hears_from_the_node_when_nothing_changes_for_it() {
    let desk = Desk::open().await;
    let limits = Limits {
        heartbeat: Duration::from_millis(50),
        ..Limits::default()
    };
    let node = Node::limited(&desk, limits).await;
    let (mut live, _) = Listener::open(&node, "?client=C00002").await;
    let position = node.close(&nifty(), 20).await.position;
    loop {
        let heartbeat = live.next_or_heartbeat().await.unwrap();
        assert!(
            heartbeat.comment && heartbeat.name.is_empty(),
            "{heartbeat:?}"
        );
        if heartbeat.position() >= position {
            break;
        }
    }
}

#[tokio::test]
async fn at_the_end_of_a_node_its_readers_are_told_and_it_ends() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let listener = squareoff_api::listen("127.0.0.1:0".parse().unwrap(), None).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = squareoff_api::serve(listener, node.app.clone(), None, async {
        drop(stopped.await)
    });
    let served = tokio::spawn(served);
    let (mut live, ready) = Listener::open_at(&url, &node.token(ACTOR)).await;
    let (mut socket, first) = WebSocket::open(&url, &node.token(ACTOR), "").await;
    assert_eq!(first["event"], "ready");
    stop.send(()).unwrap();
    let closing = live.next().await.unwrap();
    assert_eq!(
        (closing.name.as_str(), closing.position(), closing.retry),
        ("closing", ready.position(), true)
    );
    assert_eq!(closing.data["retry_ms"], 2_000);
    assert_eq!(live.next().await, None);
    assert_eq!(socket.json().await["event"], "closing");
    assert_eq!(socket.closed().await, 1013);
    served.await.unwrap();
}

#[tokio::test]
async fn over_websocket_the_same_is_told() {
    let desk = Desk::open().await;
    let limits = Limits {
        heartbeat: Duration::from_millis(50),
        silence_max: PATIENCE * 10,
        ..Limits::default()
    };
    let node = Node::limited(&desk, limits).await;
    let token = node.token(ACTOR);
    let (mut socket, ready) = WebSocket::open(&node.url, &token, "?topics=orders,positions").await;
    assert_eq!(ready["topics"], json!(["orders", "positions"]));
    let begun: Position = text(&ready["position"]).parse().unwrap();
    // What it says is of no interest.
    socket.say("hello".into()).await;
    let position = node.close(&nifty(), 20).await.position;
    let changes = async |socket: &mut WebSocket| loop {
        let told = socket.json().await;
        if told["event"] == "change" && told["position"] == json!(position.to_string()) {
            return told;
        }
    };
    let told = changes(&mut socket).await;
    let (mut events, _) = Listener::resume(&node, "?topics=orders,positions", begun).await;
    assert_eq!(told, events.change_at(position).await.data);
    socket.pinged().await;
    while socket.json_or_heartbeat().await["event"] != "heartbeat" {}
    // At its own path too, and from where it was.
    let query = format!("?topics=orders,positions&after={begun}");
    let again = WebSocket::asked(&node.url, "/v1/live/ws", &query, &token, None).await;
    assert_eq!(told, changes(&mut again.unwrap()).await);
    let plain = node.get("/v1/live/ws").await;
    plain.assert_problem(400, "malformed-request", "no WebSocket");
}

#[tokio::test]
async fn a_page_of_another_origin_gets_no_websocket() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let token = node.token(ACTOR);
    let host = node.url.strip_prefix("http://").unwrap();
    let ask = async |origin: &str| {
        let asked = WebSocket::asked(&node.url, "/v1/live", "", &token, Some(origin)).await;
        asked
            .map(|_| ())
            .map_err(|(status, body)| (status, text(&body["type"]).to_owned()))
    };
    for own in [format!("http://{host}"), format!("https://{host}")] {
        assert_eq!(ask(&own).await, Ok(()));
    }
    let name = "urn:squareoff:problem:cross-origin";
    for foreign in [
        "http://evil.example",
        "null",
        "http://127.0.0.1",
        "file://",
        host,
    ] {
        assert_eq!(ask(foreign).await, Err((403, name.to_owned())), "{foreign}");
    }
    // What a browser sends with it is no proof of who asks.
    let asked = WebSocket::asked(&node.url, "/v1/live", "", "sqo.desk-asha.00", None).await;
    assert_eq!(asked.err().unwrap().0, 401);
}

#[tokio::test]
async fn a_websocket_that_answers_no_ping_is_given_up() {
    let desk = Desk::open().await;
    let limits = Limits {
        heartbeat: Duration::from_millis(50),
        silence_max: Duration::from_millis(100),
        ..Limits::default()
    };
    let node = Node::limited(&desk, limits).await;
    // It is read no further than its first message, so that nothing answers.
    let (_silent, _) = WebSocket::open(&node.url, &node.token(ACTOR), "").await;
    tokio::time::timeout(PATIENCE, node.app.live.emptied())
        .await
        .unwrap();
}

#[tokio::test]
async fn an_investor_is_told_of_the_own_client_and_of_nothing_else() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let investor = "investor-c00001";
    let (mut live, ready) = Listener::open_as(&node, investor, "", None).await;
    assert_eq!(
        ready.data["topics"],
        json!(["orders", "positions", "approvals"])
    );
    assert_eq!(ready.data["client_code"], "C00001");
    let begun = ready.position();
    let other = key("C00002", Venue::Nse, "NIFTY26NOVFUT", Product::Nrml);
    desk.freezes(&other, 3, 10).await;
    let halt = json!({ "scope": "BSE", "reason": "prices look wrong" });
    node.accept("/v1/platform/halt", &halt).await;
    let own = desk.freezes(&nifty(), 1, 10).await;
    let change = live.change().await;
    assert_eq!(change.position(), own);
    // Nor when it comes back.
    let begun = begun.to_string();
    let (mut back, _) = Listener::open_as(&node, investor, "?client=C00001", Some(&begun)).await;
    assert_eq!(back.change().await, change);
    for query in ["?client=C00002", "?topics=platform", "?topics=orders,bulk"] {
        let request = node.anonymous(reqwest::Method::GET, &format!("/v1/live{query}"));
        let refused = answer(request.bearer_auth(node.token(investor))).await;
        refused.assert_problem(403, "not-allowed", "may listen to");
    }
}
