//! The read models over HTTP, projected live from the log.

use crate::desk::{DATE, Desk, nifty, reliance};
use crate::node::answer;
use crate::readable::{Readable, assert_time, list, text};
use serde_json::{Value, json};
use squareoff_domain::OrderId;
use squareoff_domain::position::Execution;
use squareoff_store::Position;
use uuid::Uuid;

#[tokio::test]
async fn a_client_and_its_positions_are_shown_long_and_short() {
    let desk = Desk::open().await;
    let readable = Readable::start(&desk).await;
    let node = &readable.node;
    let client = node.read("/v1/clients/C00001").await;
    let head = desk.head().await.to_string();
    let expected = json!({ "client_code": "C00001", "category": "retail", "branch": "Pune", "segments": ["CM", "FO"], "identity": { "state": "none" }, "position": head });
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
