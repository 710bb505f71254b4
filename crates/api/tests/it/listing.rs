//! Lists of orders and trades: newest first, page by page, with their filters.

use crate::desk::{DATE, Desk, key, nifty, reliance};
use crate::node::{Node, answer, close_all, limited};
use crate::people::Somebody;
use crate::readable::{Readable, assert_time, list, text};
use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};
use squareoff_domain::position::{Execution, PositionEvent};
use squareoff_domain::{Product, Role, Venue};
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

/// The streams of all pages of positions, and what is done between two of them.
async fn positions(
    node: &Node,
    sort: &str,
    mut between: impl AsyncFnMut(usize),
) -> Vec<(String, Value)> {
    let field = match sort.trim_start_matches('-') {
        "notional" => "net_quantity",
        field => field,
    };
    let (mut rows, mut after) = (Vec::new(), String::new());
    for number in 0.. {
        let path = format!("/v1/positions?limit=2&sort={sort}{after}");
        let page = node.read(&path).await;
        for row in list(&page, "positions") {
            rows.push((text(&row["stream"]).to_owned(), row[field].clone()));
        }
        match page.get("next") {
            Some(next) => after = format!("&after={}", text(next).replace('&', "%26")),
            None => break,
        }
        between(number).await;
    }
    rows
}

#[tokio::test]
async fn positions_are_listed_in_every_order_there_is_page_by_page_over_ties() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    for field in [
        "client_code",
        "symbol",
        "closable_quantity",
        "notional",
        "unrealized_profit",
    ] {
        let up = positions(node, field, async |_| {}).await;
        let mut down = positions(node, &format!("-{field}"), async |_| {}).await;
        assert_eq!(up.len(), 8);
        let streams: BTreeSet<_> = up.iter().map(|(stream, _)| stream.clone()).collect();
        assert_eq!(streams.len(), 8, "{field}: each once");
        down.reverse();
        assert_eq!(up, down, "{field}");
        let numbers = up.iter().map(|(stream, value)| {
            let number = match value {
                Value::Number(number) => number.as_i64().unwrap().abs(),
                _ => 0,
            };
            let number = if field == "unrealized_profit" {
                // Rupees, as text.
                let rupees: f64 = value.as_str().map_or(0.0, |text| text.parse().unwrap());
                rupees as i64
            } else {
                number
            };
            (number, stream.clone())
        });
        let numbers: Vec<_> = numbers.collect();
        if field != "symbol" {
            let mut sorted = numbers.clone();
            sorted.sort();
            assert_eq!(numbers, sorted, "{field}");
        } else {
            let symbols: Vec<_> = up.iter().map(|(_, symbol)| text(symbol)).collect();
            assert!(symbols.is_sorted(), "{symbols:?}");
        }
    }
    // Three are 10 and closable: a tie over two pages.
    let ten = positions(node, "closable_quantity", async |_| {}).await;
    assert_eq!(ten.iter().filter(|row| row.1 == json!(10)).count(), 3);
    for (query, word) in [
        ("sort=average_price", "`sort` is one of"),
        ("sort=--notional", "`sort` is one of"),
        (
            "sort=notional&after=position-2026-11-20-C00001-NSE:RELIANCE-MIS",
            "another order",
        ),
        (
            "after=5~position-2026-11-20-C00001-NSE:RELIANCE-MIS",
            "another order",
        ),
        ("sort=notional&after=x~position-2026-11-20", "`after`"),
    ] {
        let wrong = node.get(&format!("/v1/positions?{query}")).await;
        let (status, code) = match word {
            "another order" => (422, "cursor-of-another-order"),
            _ => (400, "invalid-parameter"),
        };
        wrong.assert_problem(status, code, word);
    }
}

#[tokio::test]
async fn rows_that_come_between_two_pages_neither_hide_nor_double_what_was_there() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    let before: BTreeSet<_> = positions(node, "-closable_quantity", async |_| {})
        .await
        .into_iter()
        .map(|row| row.0)
        .collect();
    // New positions with the figure of others, ahead of the cursor, at it, and behind it.
    let seen = positions(node, "-closable_quantity", async |number| {
        for (client, units) in [("C00003", 10), ("C00004", 4_005), ("C00005", 1)] {
            let code = format!("{client}{number}");
            let key = key(&code, Venue::Nse, "RELIANCE", Product::Mis);
            let bod = squareoff_domain::position::Report::Bod {
                key: key.clone(),
                quantity: squareoff_domain::NetQuantity(units),
                average_price: squareoff_domain::Price(1_000_000),
                source: "test".into(),
            };
            desk.report(&key, bod).await;
        }
        readable.caught_up(&desk).await;
    })
    .await;
    let streams: BTreeSet<_> = seen.iter().map(|row| row.0.clone()).collect();
    assert_eq!(streams.len(), seen.len(), "none twice");
    assert!(streams.is_superset(&before), "none missing");
    let quantities: Vec<_> = seen.iter().map(|row| row.1.as_i64().unwrap()).collect();
    assert!(quantities.is_sorted_by(|a, b| a >= b), "{quantities:?}");
}

#[tokio::test]
async fn orders_and_trades_are_listed_oldest_first_too_while_more_come() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    for number in 0..4 {
        let order = node.close(&nifty(), 5).await.orders[0];
        desk.fill(&nifty(), order, &format!("E{number}"), 5, 1_000_000)
            .await;
    }
    readable.caught_up(&desk).await;
    for (name, field, id) in [
        ("orders", "placed_at", "order_id"),
        ("trades", "executed_at", "execution_key"),
    ] {
        let newest = pages(node, &format!("/v1/{name}?sort=-{field}&"), name, 3).await;
        let (mut rows, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/{name}?limit=3&sort={field}{after}");
            let page = node.read(&path).await;
            rows.extend(list(&page, name).iter().cloned());
            let Some(next) = page.get("next") else { break };
            after = format!("&after={}", text(next));
            // It is read to its end, whatever came meanwhile.
            let order = node.close(&reliance(), 1).await.orders[0];
            let execution = format!("L{name}{}", rows.len());
            desk.fill(&reliance(), order, &execution, 1, 1_000_000)
                .await;
            readable.caught_up(&desk).await;
        }
        let ids = |rows: &[Value]| -> Vec<Value> { rows.iter().map(|it| it[id].clone()).collect() };
        let mut oldest = ids(&newest);
        oldest.reverse();
        assert_eq!(ids(&rows)[..oldest.len()], oldest, "{name}");
        assert_eq!(
            ids(&rows).len(),
            ids(&rows)
                .iter()
                .map(Value::to_string)
                .collect::<BTreeSet<_>>()
                .len()
        );
        for (query, word) in [
            (format!("sort={field}&before=9"), "`after`"),
            (format!("sort=-{field}&after=9"), "`before`"),
            ("after=9".to_owned(), "`before`"),
            ("sort=quantity".to_owned(), "`sort` is one of"),
        ] {
            let wrong = node.get(&format!("/v1/{name}?{query}")).await;
            let (status, code) = match word {
                "`after`" | "`before`" => (422, "cursor-of-another-order"),
                _ => (400, "invalid-parameter"),
            };
            wrong.assert_problem(status, code, word);
        }
    }
}

/// Each is in CSV what it is in JSON, row by row, and what a field holds in itself stands beside it.
#[tokio::test]
async fn every_list_of_rows_is_one_in_csv_too() {
    let desk = Desk::open().await;
    let readable = Readable::under(&desk, limited()).await;
    let node = &readable.node;
    for (report, execution) in [("NSE-9001", Some(("RELIANCE", 5))), ("NSE-9002", None)] {
        desk.suspend(report, execution).await;
    }
    for _ in 0..2 {
        let waits = answer(node.square_off(&close_all(&reliance()))).await;
        assert_eq!(waits.body["status"], "waiting-for-approval");
    }
    readable.caught_up(&desk).await;
    let filter = json!({ "filter": { "client_code": "C00001" }, "reason": "-1+primary" });
    let bulk = node.accept("/v1/bulk", &filter).await;
    node.accept("/v1/bulk", &filter).await;
    let person =
        json!({ "operator": "desk-leela", "name": "=Leela", "role": "desk", "reason": "joined" });
    let enrolled = node.ask_as("admin-kiran", "one", "/v1/operators", &person);
    assert_eq!(answer(enrolled).await.status, 201);
    let mut kiran = Somebody::ready(node, "admin-meera", Role::Administrator).await;
    let (access, _) = kiran.tokens(node).await;
    readable.caught_up(&desk).await;
    let items = format!("/v1/bulk/{}/items", text(&bulk["bulk_id"]));
    for (path, name, by_page) in [
        ("/v1/approvals", "approvals", true),
        ("/v1/suspense", "suspense", true),
        ("/v1/bulk", "bulks", true),
        (&items, "items", true),
        ("/v1/incidents", "incidents", true),
        ("/v1/operators", "operators", false),
        ("/v1/sessions", "sessions", false),
    ] {
        let get = async |path: &str, accept: &str| {
            let request = node.anonymous(Method::GET, path).header(ACCEPT, accept);
            let by = match by_page {
                true => node.token("supervisor-ravi"),
                false => access.clone(),
            };
            let answer = answer(request.bearer_auth(by)).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
            answer
        };
        let json = get(path, "application/json").await.body;
        let rows = list(&json, name);
        assert!(!rows.is_empty(), "{path}");
        let csv = get(path, "text/csv").await;
        assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
        assert_eq!(csv.header("cache-control"), Some("no-store"));
        assert_eq!(csv.header("x-log-position").is_some(), by_page, "{path}");
        let mut lines = csv::Reader::from_reader(csv.text.as_bytes());
        let heading = lines.headers().unwrap().clone();
        let lines: Vec<_> = lines.records().map(Result::unwrap).collect();
        assert_eq!(lines.len(), rows.len(), "{path}");
        for (line, row) in lines.iter().zip(rows) {
            for (field, value) in heading.iter().zip(line) {
                let held = row.get(field).or_else(|| row["progress"].get(field));
                let held = held.unwrap_or_else(|| panic!("{path} has no {field}"));
                let shown = match held {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let value = value.strip_prefix('\'').unwrap_or(value);
                // How fast it goes changes from one look to the next.
                assert!(
                    value == shown || field.starts_with("estimated_"),
                    "{path} {field}: {value}, not {shown}"
                );
            }
            let nested = row
                .get("progress")
                .map_or(0, |held| held.as_object().unwrap().len() - 1);
            assert_eq!(
                heading.len(),
                row.as_object().unwrap().len() + nested,
                "{path}"
            );
        }
        if !by_page || rows.len() < 2 {
            continue;
        }
        // A page goes on where its link leads, and the pages are the list.
        let (mut next, mut found) = (Some(format!("{path}?limit=1")), 0);
        while let Some(page) = next {
            let page = get(&page, "text/csv").await;
            found += page.text.lines().count().saturating_sub(1);
            let link = page.header("link").map(|link| {
                let (path, _) = link.strip_prefix('<').unwrap().split_once('>').unwrap();
                path.to_owned()
            });
            next = link;
        }
        assert_eq!(found, rows.len(), "{path}");
    }
}
