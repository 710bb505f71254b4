//! Lists of orders and trades: newest first, page by page, with their filters.

use crate::desk::{DATE, Desk, key, nifty, reliance};
use crate::node::Node;
use crate::readable::{Readable, assert_time, list, text};
use serde_json::{Value, json};
use squareoff_domain::position::{Execution, PositionEvent};
use squareoff_domain::{Product, Venue};
use squareoff_store::codec::LogEvent;
use std::collections::BTreeSet;
use uuid::Uuid;

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
