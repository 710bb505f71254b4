//! The read models over HTTP, projected live from the log.

use crate::desk::{DATE, Desk, PATIENCE, key, nifty, reliance};
use crate::node::{Node, answer};
use serde_json::{Value, json};
use squareoff_domain::position::{Execution, PositionEvent};
use squareoff_domain::{OrderId, Product, Venue};
use squareoff_projections::testing::TestDatabase;
use squareoff_store::codec::LogEvent;
use squareoff_store::{EventStore, Position};
use std::collections::BTreeSet;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// A node, its read database, and the projection between them.
pub struct Readable {
    pub node: Node,
    pub test: TestDatabase,
    projecting: JoinHandle<()>,
}

impl Drop for Readable {
    fn drop(&mut self) {
        self.projecting.abort();
    }
}

impl Readable {
    pub async fn start(desk: &Desk) -> Self {
        let test = TestDatabase::start().await.unwrap();
        let database = test.database();
        let node = Node::reading(desk, &database).await;
        let store = EventStore::open(&desk.folder().join("log")).unwrap();
        let running = squareoff_projections::run(store, database, std::future::pending());
        let projecting = tokio::spawn(async { running.await.unwrap() });
        let readable = Readable {
            node,
            test,
            projecting,
        };
        readable.caught_up(desk).await;
        readable
    }

    /// Waits until the read models reflect all of the log; the position they are at.
    pub async fn caught_up(&self, desk: &Desk) -> Position {
        let head = desk.head().await;
        let watcher = &self.node.app.watcher;
        watcher.wait_for(head, PATIENCE).await.unwrap()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn list<'a>(body: &'a Value, name: &str) -> &'a [Value] {
    body[name].as_array().unwrap()
}

#[track_caller]
fn assert_time(value: &Value) {
    OffsetDateTime::parse(text(value), &Rfc3339).unwrap();
}

#[tokio::test]
async fn a_client_and_its_positions_are_shown_long_and_short() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    let client = node.read("/v1/clients/C00001").await;
    let head = desk.head().await.to_string();
    let expected = json!({ "client_code": "C00001", "category": "retail", "branch": "Pune", "segments": ["CM", "FO"], "position": head });
    assert_eq!(client, expected);

    let [first, second] = node.close(&nifty(), "all").await.orders[..] else {
        panic!("two slices")
    };
    desk.fill(&nifty(), first, "E1", 15, 995_000).await;
    desk.venue(&nifty(), second, Execution::Canceled).await;
    node.close(&reliance(), 60).await;
    readable.caught_up(&desk).await;
    let body = node.read("/v1/clients/C00001/positions").await;
    assert_eq!(body["client_code"], "C00001");
    assert_eq!(body["position"], json!(desk.head().await.to_string()));
    let shown: Vec<_> = list(&body, "positions")
        .iter()
        .map(|row| {
            assert_time(&row["updated_at"]);
            assert_eq!(
                (text(&row["trading_date"]), text(&row["bod_average_price"])),
                (DATE, "99.50")
            );
            let quantity = |name: &str| row[name].as_i64().unwrap();
            let name = format!(
                "{}:{} {}",
                text(&row["venue"]),
                text(&row["symbol"]),
                text(&row["product"])
            );
            (
                name,
                quantity("bod_quantity"),
                quantity("net_quantity"),
                quantity("working_quantity"),
                quantity("closable_quantity"),
            )
        })
        .collect();
    let row =
        |name: &str, bod, net, working, closable| (name.to_owned(), bod, net, working, closable);
    let expected = [
        row("BSE:TCS CNC", 10, 10, 0, 10),
        row("NSE:FROZEN NRML", 10, 10, 0, 10),
        row("NSE:M&M CNC", 10, 10, 0, 10),
        row("NSE:NIFTY26NOVFUT NRML", 40, 25, 5, 20),
        row("NSE:RELIANCE CNC", 0, 0, 0, 0),
        row("NSE:RELIANCE MIS", -100, -100, 60, 40),
    ];
    assert_eq!(shown, expected);
    let nifty_row = &list(&body, "positions")[3];
    assert_eq!(text(&nifty_row["stream"]), nifty().stream());

    let nothing = node.read("/v1/clients/C00003/positions").await;
    assert_eq!(nothing["positions"], json!([]));
    for path in ["/v1/clients/C99999", "/v1/clients/C99999/positions"] {
        node.get(path)
            .await
            .assert_problem(404, "unknown-client", "C99999");
    }
}

#[tokio::test]
async fn one_order_is_shown_through_its_life() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    let accepted = node.close(&nifty(), "all").await;
    let [first, second] = accepted.orders[..] else {
        panic!("two slices")
    };
    let show = async |order: OrderId| {
        readable.caught_up(&desk).await;
        node.read(&format!("/v1/orders/{order}")).await
    };
    let placed = show(first).await;
    assert_time(&placed["placed_at"]);
    assert_time(&placed["updated_at"]);
    let expected = json!({
        "order_id": first, "stream": nifty().stream(), "client_code": "C00001", "venue": "NSE", "symbol": "NIFTY26NOVFUT",
        "product": "NRML", "side": "SELL", "quantity": 20, "limit_price": "97.00", "time_in_force": "DAY", "slice": 1, "slices": 2,
        "status": "placed", "cumulative_quantity": 0, "leaves_quantity": 20, "average_price": null, "exchange_order_id": null,
        "position": desk.head().await.to_string(),
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&placed[field], value, "{field}");
    }
    let status = |order: &Value| {
        let quantity = |name: &str| order[name].as_i64().unwrap();
        (
            text(&order["status"]).to_owned(),
            quantity("cumulative_quantity"),
            quantity("leaves_quantity"),
        )
    };
    desk.venue(&nifty(), first, Execution::New).await;
    let new = show(first).await;
    assert_eq!(
        (status(&new), &new["exchange_order_id"]),
        (("new".into(), 0, 20), &json!("X1"))
    );
    desk.fill(&nifty(), first, "E1", 5, 995_000).await;
    desk.fill(&nifty(), first, "E2", 10, 995_025).await;
    let part = show(first).await;
    assert_eq!(status(&part), ("partially-filled".into(), 15, 5));
    // The mean of 5 at 99.50 and 10 at 99.5025, cut to 1/10,000 rupee.
    assert!(
        ["99.5016", "99.5017"].contains(&text(&part["average_price"])),
        "{part}"
    );
    assert_eq!(answer(node.cancel(first, "c1")).await.status, 202);
    assert_eq!(status(&show(first).await), ("pending-cancel".into(), 15, 5));
    desk.venue(&nifty(), first, Execution::Canceled).await;
    assert_eq!(status(&show(first).await), ("canceled".into(), 15, 0));
    let text_ = "RMS: margin".to_owned();
    desk.venue(
        &nifty(),
        second,
        Execution::Rejected {
            code: 3,
            text: text_,
        },
    )
    .await;
    let rejected = show(second).await;
    assert_eq!(status(&rejected), ("rejected".into(), 0, 0));
    assert_eq!(
        (&rejected["reject_code"], &rejected["reject_text"]),
        (&json!(3), &json!("RMS: margin"))
    );

    let nobody = Uuid::new_v4();
    let unknown = node.get(&format!("/v1/orders/{nobody}")).await;
    unknown.assert_problem(404, "unknown-order", &nobody.to_string());
}

/// All pages of a list put together.
async fn pages(node: &Node, path: &str, name: &str, limit: usize) -> Vec<Value> {
    let (mut rows, mut before) = (Vec::new(), String::new());
    loop {
        let page = node.read(&format!("{path}limit={limit}{before}")).await;
        let found = list(&page, name);
        assert!(found.len() <= limit);
        rows.extend(found.iter().cloned());
        match page.get("next") {
            Some(next) => before = format!("&before={}", text(next)),
            None => return rows,
        }
    }
}

#[tokio::test]
async fn orders_are_listed_newest_first_page_by_page_without_gap_or_repetition() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    let big = key("C00002", Venue::Nse, "NIFTY26NOVFUT", Product::Nrml);
    let mm = key("C00001", Venue::Nse, "M&M", Product::Cnc);
    node.close(&big, 500).await;
    let first = node.close(&nifty(), "all").await.orders[0];
    node.close(&big, 500).await;
    node.close(&mm, "all").await;
    node.close(&reliance(), 10).await;
    desk.fill(&nifty(), first, "E1", 20, 1_000_000).await;
    readable.caught_up(&desk).await;

    let log = desk.log().await;
    let placed = log
        .iter()
        .rev()
        .filter(|stored| &*stored.event_type == "OrderPlaced");
    let placed: Vec<_> = placed
        .map(|stored| match PositionEvent::decode(stored).unwrap() {
            PositionEvent::OrderPlaced(placed) => json!(placed.order_id),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(placed.len(), 54);
    let ids = |rows: &[Value]| {
        rows.iter()
            .map(|row| row["order_id"].clone())
            .collect::<Vec<_>>()
    };
    for limit in [1, 7, 54, 500] {
        assert_eq!(
            ids(&pages(node, "/v1/orders?", "orders", limit).await),
            placed,
            "in pages of {limit}"
        );
    }
    let all = pages(node, "/v1/orders?", "orders", 500).await;
    #[rustfmt::skip]
    let filters: &[(&str, &[(&str, &str)])] = &[
        ("client_code=C00002", &[("client_code", "C00002")]),
        ("status=filled", &[("status", "filled")]),
        ("status=placed&client_code=C00001", &[("status", "placed"), ("client_code", "C00001")]),
        ("symbol=M%26M", &[("symbol", "M&M")]),
        ("venue=NSE&symbol=RELIANCE", &[("symbol", "RELIANCE")]),
        ("venue=BSE", &[("venue", "BSE")]),
        ("client_code=C99999", &[("client_code", "C99999")]),
    ];
    for (query, wanted) in filters {
        let matching = |row: &&Value| wanted.iter().all(|(field, value)| row[*field] == *value);
        let expected: Vec<_> = all.iter().filter(matching).cloned().collect();
        let found = pages(node, &format!("/v1/orders?{query}&"), "orders", 4).await;
        assert_eq!(ids(&found), ids(&expected), "{query}");
    }
    // Each filter above that should find something did.
    let found: BTreeSet<_> = all.iter().map(|row| text(&row["symbol"])).collect();
    assert_eq!(found.len(), 3);
    for status in [
        "sent",
        "new",
        "partially-filled",
        "pending-cancel",
        "canceled",
        "expired",
        "rejected",
        "not-delivered",
    ] {
        let none = node.read(&format!("/v1/orders?status={status}")).await;
        assert_eq!(none["orders"], json!([]), "{status}");
    }
    // An order placed between two pages shifts nothing.
    let page = node.read("/v1/orders?limit=10").await;
    let accepted = node.close(&reliance(), 10).await;
    let rest = format!(
        "/v1/orders?limit=500&before={}&at_least={}",
        text(&page["next"]),
        accepted.position
    );
    let rest = node.read(&rest).await;
    let together: Vec<_> = [list(&page, "orders"), list(&rest, "orders")].concat();
    assert_eq!(ids(&together), placed);
}

#[tokio::test]
async fn trades_are_listed_newest_first_with_their_filters() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    let orders = node.close(&nifty(), "all").await.orders;
    let bought = node.close(&reliance(), "all").await.orders[0];
    for (number, order) in [0, 1, 0, 1, 0].into_iter().enumerate() {
        desk.fill(
            &nifty(),
            orders[order],
            &format!("E{number}"),
            2,
            995_000 + 500 * number as i64,
        )
        .await;
    }
    // The same execution again is the same trade.
    desk.fill(&reliance(), bought, "E9", 30, 1_012_500).await;
    desk.fill(&reliance(), bought, "E9", 30, 1_012_500).await;
    desk.venue(&reliance(), bought, Execution::Canceled).await;
    desk.fill(&reliance(), bought, "E10", 1, 1_012_500).await;
    readable.caught_up(&desk).await;

    let all = pages(node, "/v1/trades?", "trades", 500).await;
    let keys: Vec<_> = all.iter().map(|row| text(&row["execution_key"])).collect();
    let expected = ["E10", "E9", "E4", "E3", "E2", "E1", "E0"].map(|id| format!("NSE|{DATE}|{id}"));
    assert_eq!(keys, expected);
    for limit in [1, 3, 7] {
        assert_eq!(
            pages(node, "/v1/trades?", "trades", limit).await,
            all,
            "in pages of {limit}"
        );
    }
    let newest = &all[1];
    assert_time(&newest["executed_at"]);
    let expected = json!({
        "order_id": bought, "stream": reliance().stream(), "client_code": "C00001", "venue": "NSE", "symbol": "RELIANCE",
        "side": "BUY", "quantity": 30, "price": "101.25", "late": false,
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&newest[field], value, "{field}");
    }
    assert_eq!(all[0]["late"], json!(true));
    let count =
        async |query: &str| list(&node.read(&format!("/v1/trades?{query}")).await, "trades").len();
    assert_eq!(count(&format!("order_id={}", orders[0])).await, 3);
    assert_eq!(count("symbol=RELIANCE&venue=NSE").await, 2);
    assert_eq!(count("client_code=C00002").await, 0);
    assert_eq!(count(&format!("order_id={}", Uuid::new_v4())).await, 0);
}

#[tokio::test]
async fn who_names_the_position_of_a_write_reads_it() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    let position_of = |body: &Value| text(&body["position"]).parse::<Position>().unwrap();
    for closed in 1..=20 {
        let accepted = node.close(&reliance(), 1).await;
        let at_least = accepted.position;
        let order = node
            .read(&format!(
                "/v1/orders/{}?at_least={at_least}",
                accepted.orders[0]
            ))
            .await;
        assert!(position_of(&order) >= at_least);
        let body = node
            .read(&format!("/v1/clients/C00001/positions?at_least={at_least}"))
            .await;
        assert!(position_of(&body) >= at_least);
        let stream = reliance().stream();
        let row = list(&body, "positions")
            .iter()
            .find(|row| text(&row["stream"]) == stream)
            .unwrap();
        assert_eq!(
            (&row["net_quantity"], &row["working_quantity"]),
            (&json!(closed - 101), &json!(1))
        );
        desk.fill(
            &reliance(),
            accepted.orders[0],
            &format!("E{closed}"),
            1,
            1_000_000,
        )
        .await;
        let at_least = desk.head().await;
        let trades = node
            .read(&format!("/v1/trades?limit=1&at_least={at_least}"))
            .await;
        assert_eq!(trades["trades"][0]["order_id"], json!(accepted.orders[0]));
        assert_eq!(position_of(&trades), at_least);
    }
}
