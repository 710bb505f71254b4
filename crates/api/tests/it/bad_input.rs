//! Every mistake has its own problem type and status, and appends nothing.

use crate::desk::{Desk, key, nifty, reliance};
use crate::node::{ACTOR, Node, Refused, assert_refused, close_all, with};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use squareoff_domain::{OrderId, Product, Venue};
use uuid::Uuid;

#[tokio::test]
async fn what_cannot_be_squared_off_is_refused_by_name() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let line = |what, changes: &[(&str, Value)], status, code, word| -> Refused {
        let body = with(&close_all(&nifty()), changes);
        (what, node.square_off(&body), status, code, word)
    };
    let of = |what, client, symbol: &str, product, status, code, word| -> Refused {
        let body = close_all(&key(client, Venue::Nse, symbol, product));
        (what, node.square_off(&body), status, code, word)
    };
    let (nrml, mis, cnc) = (Product::Nrml, Product::Mis, Product::Cnc);
    #[rustfmt::skip]
    let lines = vec![
        of("unknown client", "C99999", "RELIANCE", mis, 404, "unknown-client", "C99999"),
        of("unknown instrument", "C00001", "INFY", mis, 404, "unknown-instrument", "NSE:INFY has no contract on 2026-11-20"),
        line("instrument of another venue", &[("venue", json!("MCX"))], 404, "unknown-instrument", "MCX"),
        of("unknown position", "C00003", "RELIANCE", mis, 404, "unknown-position", "C00003 has no MIS position in NSE:RELIANCE"),
        of("position of another product", "C00001", "M&M", mis, 404, "unknown-position", "MIS"),
        of("flat", "C00001", "RELIANCE", cnc, 409, "nothing-to-close", "0 open"),
        line("more than is open", &[("quantity", json!(45))], 409, "exceeds-open-quantity", "45 is more than the 40"),
        line("above any quantity", &[("quantity", json!(1_000_000_000_001_u64))], 409, "exceeds-open-quantity", "1000000000001"),
        line("the largest u64", &[("quantity", json!(u64::MAX))], 409, "exceeds-open-quantity", "18446744073709551615"),
        line("zero", &[("quantity", json!(0))], 422, "quantity-not-positive", "more than zero"),
        line("less than zero", &[("quantity", json!(-5))], 422, "quantity-not-positive", "more than zero"),
        line("the smallest i64", &[("quantity", json!(i64::MIN))], 422, "quantity-not-positive", "more than zero"),
        line("half a lot", &[("quantity", json!(12))], 422, "not-whole-lots", "12 is not a whole number of lots of 5"),
        of("all of an odd lot", "C00002", "NIFTY26NOVFUT", mis, 409, "odd-lot", "of it 5 can be closed"),
        of("a freeze below a lot", "C00001", "FROZEN", nrml, 409, "freeze-below-lot", "freeze quantity 4"),
        of("too many slices", "C00002", "NIFTY26NOVFUT", nrml, 422, "too-many-slices", "201 orders"),
        line("off tick", &[("limit_price", json!("100.03"))], 422, "price-off-tick", "100.03 is not a multiple of the tick 0.05"),
        line("above the band", &[("limit_price", json!("110.05"))], 422, "price-out-of-band", "outside the band 90.00 to 110.00"),
        line("below the band", &[("limit_price", json!("89.95"))], 422, "price-out-of-band", "89.95"),
        line("a price of nothing", &[("limit_price", json!("0"))], 422, "price-out-of-band", "0.00"),
        line("a price below nothing", &[("limit_price", json!("-100"))], 422, "price-out-of-band", "-100.00"),
        ("exchange not connected", node.square_off(&close_all(&key("C00001", Venue::Bse, "TCS", cnc))), 503, "exchange-not-connected", "the session with the BSE is not ready"),
    ];
    assert_refused(&desk, lines).await;
}

#[tokio::test]
async fn a_field_that_cannot_be_read_is_named_with_the_reason() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let line = |what, changes: &[(&str, Value)], word| -> Refused {
        let body = with(&close_all(&nifty()), changes);
        (what, node.square_off(&body), 400, "malformed-request", word)
    };
    let units = "a whole number of units up to 1000000000000, or \"all\"";
    #[rustfmt::skip]
    let lines = vec![
        line("a fraction", &[("quantity", json!(7.5))], "`quantity`: invalid type: floating point `7.5`, expected a whole number"),
        line("another word", &[("quantity", json!("half"))], units),
        line("a number as text", &[("quantity", json!("40"))], units),
        line("no number", &[("quantity", json!([40]))], units),
        line("true", &[("quantity", json!(true))], units),
        line("no quantity", &[("quantity", Value::Null)], "missing field `quantity`"),
        line("no client", &[("client_code", Value::Null)], "missing field `client_code`"),
        line("a client in small letters", &[("client_code", json!("c00001"))], "`client_code`: `c00001` is not a client code: 1 to 12 capital letters and digits"),
        line("a client that breaks the stream's name", &[("client_code", json!("C1-NSE"))], "`client_code`"),
        line("a control character", &[("client_code", json!("C0\u{0}1"))], "`client_code`"),
        line("a client as number", &[("client_code", json!(1))], "`client_code`: invalid type: integer `1`"),
        line("no such venue", &[("venue", json!("NYSE"))], "`venue`: unknown value `NYSE`, expected one of `NSE`, `BSE`, `MCX`"),
        line("no symbol", &[("symbol", json!(""))], "`symbol`"),
        line("no such product", &[("product", json!("BO"))], "`product`: unknown value `BO`"),
        line("no such time in force", &[("time_in_force", json!("GTC"))], "`time_in_force`: unknown value `GTC`, expected `DAY` or `IOC`"),
        line("a price that is none", &[("limit_price", json!("ten"))], "`limit_price`: `ten` is not a decimal number of rupees"),
        line("a price too fine", &[("limit_price", json!("100.00001"))], "at most four decimals"),
        line("a price beyond all numbers", &[("limit_price", json!("99999999999999999999"))], "`limit_price`"),
        line("a price as number", &[("limit_price", json!(100.05))], "expected rupees as text, such as \"1402.50\""),
        line("an unknown field", &[("quantiy", json!(5))], "unknown field `quantiy`, expected one of"),
        line("evidence of two lines", &[("evidence", json!("call\n42"))], "`evidence`"),
        line("endless evidence", &[("evidence", json!("x".repeat(201)))], "at most 200 characters"),
    ];
    assert_refused(&desk, lines).await;
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let whole = close_all(&nifty()).to_string();
    let raw = |what, body: Vec<u8>, status, code, word| -> Refused {
        let request = node.square_off(&Value::Null).body(body);
        (what, request, status, code, word)
    };
    let malformed = |what, body: &str, word| {
        raw(
            what,
            body.as_bytes().to_vec(),
            400,
            "malformed-request",
            word,
        )
    };
    let of_type = |what, content_type: Option<&'static str>, body: &str| -> Refused {
        let request = node.request(Method::POST, "/v1/square-offs");
        let request = request.header("Idempotency-Key", "k").body(body.to_owned());
        let request = match content_type {
            Some(content_type) => request.header(CONTENT_TYPE, content_type),
            None => request,
        };
        (what, request, 415, "not-json", "application/json")
    };
    let padded = |bytes: usize| format!("{whole}{}", " ".repeat(bytes - whole.len())).into_bytes();
    let huge = "1".repeat(20);
    #[rustfmt::skip]
    let lines = vec![
        malformed("nothing", "", "the body is not JSON: EOF"),
        malformed("no JSON", "quantity=5", "the body is not JSON: expected value at line 1"),
        malformed("cut off", &whole[..whole.len() - 1], "the body is not JSON: EOF"),
        malformed("two objects", &format!("{whole}{whole}"), "trailing characters"),
        malformed("an array", "[]", "not a JSON object"),
        malformed("the fields in their order without their names", &json!(["C00001", "NSE", "NIFTY26NOVFUT", "NRML", "all", null, null, null]).to_string(), "not a JSON object"),
        malformed("a text", "\"all\"", "not a JSON object"),
        malformed("null", "null", "not a JSON object"),
        malformed("a trailing comma", "{\"quantity\":5,}", "the body is not JSON"),
        malformed("nested beyond reason", &"[".repeat(60_000), "the body is not JSON"),
        malformed("a field twice", &whole.replacen('{', "{\"quantity\":5,", 1), "duplicate field `quantity`"),
        malformed("a quantity beyond all numbers", &whole.replace("\"all\"", &huge.repeat(2)), "expected a whole number of units up to 1000000000000"),
        malformed("a quantity of twenty digits", &whole.replace("\"all\"", "99999999999999999999"), "`quantity`"),
        raw("no UTF-8", b"{\"client_code\":\"\xff\"}".to_vec(), 400, "malformed-request", "not JSON"),
        raw("one byte too many", padded(64 * 1024 + 1), 413, "body-too-large", "65536 bytes"),
        raw("megabytes", padded(3 << 20), 413, "body-too-large", "65536 bytes"),
        of_type("no content type", None, &whole),
        of_type("a form", Some("application/x-www-form-urlencoded"), "quantity=5"),
        of_type("text", Some("text/plain"), &whole),
    ];
    assert_refused(&desk, lines).await;
    let largest = node.square_off(&Value::Null).body(padded(64 * 1024));
    assert_eq!(crate::node::answer(largest).await.status, 202);
}

#[tokio::test]
async fn an_idempotency_key_is_required_and_has_to_be_usable() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let body = close_all(&nifty());
    let order = OrderId(Uuid::new_v4());
    let without = |path: &str| node.request(Method::POST, path).json(&body);
    let invalid = |what, keys: &[&[u8]]| -> Refused {
        let mut request = without("/v1/square-offs");
        for key in keys {
            request = request.header("Idempotency-Key", HeaderValue::from_bytes(key).unwrap());
        }
        (
            what,
            request,
            400,
            "idempotency-key-invalid",
            "1 to 128 visible ASCII",
        )
    };
    let cancel = format!("/v1/orders/{order}/cancel");
    #[rustfmt::skip]
    let lines = vec![
        ("no key", without("/v1/square-offs"), 400, "idempotency-key-missing", "a new UUID"),
        ("no key of a cancel", without(&cancel), 400, "idempotency-key-missing", "a new UUID"),
        invalid("an empty key", &[b""]),
        invalid("a space", &[b"a b"]),
        invalid("no ASCII", &["k\u{e9}y".as_bytes()]),
        invalid("a key too long", &[&[b'k'; 129]]),
        invalid("two keys", &[b"one", b"two"]),
    ];
    assert_refused(&desk, lines).await;
    let longest = node.square_off_as(ACTOR, &"k".repeat(128), &body);
    assert_eq!(crate::node::answer(longest).await.status, 202);
}

#[tokio::test]
async fn nobody_acts_or_reads_without_a_token_made_with_the_key() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let token = node.token(ACTOR);
    let order = Uuid::new_v4();
    let post = |path: &str| {
        let request = node.anonymous(Method::POST, path);
        request
            .header("Idempotency-Key", "k")
            .json(&close_all(&nifty()))
    };
    let get = |path: &str| node.anonymous(Method::GET, path);
    let absent = |what, request: RequestBuilder| -> Refused {
        (
            what,
            request,
            401,
            "unauthenticated",
            "Authorization: Bearer",
        )
    };
    let forged = |what, header: &str| -> Refused {
        let request = post("/v1/square-offs").header(AUTHORIZATION, header);
        (what, request, 401, "unauthenticated", "not valid")
    };
    #[rustfmt::skip]
    let lines = vec![
        absent("a square-off", post("/v1/square-offs")),
        absent("a cancel", post(&format!("/v1/orders/{order}/cancel"))),
        absent("a client", get("/v1/clients/C00001")),
        absent("positions", get("/v1/clients/C00001/positions")),
        absent("orders", get("/v1/orders")),
        absent("an order", get(&format!("/v1/orders/{order}"))),
        absent("trades", get("/v1/trades")),
        absent("events", get("/v1/events")),
        absent("a stream", get("/v1/streams/platform")),
        forged("nothing", ""),
        forged("no token", "Bearer"),
        forged("another scheme", "Basic ZGVzazphc2hh"),
        forged("another actor", &format!("Bearer {}", token.replace(ACTOR, "supervisor-ravi"))),
        forged("cut short", &format!("Bearer {}", &token[..token.len() - 2])),
        forged("one digit changed", &format!("Bearer {}{}", &token[..token.len() - 1], if token.ends_with('0') { '1' } else { '0' })),
        forged("no signature", &format!("Bearer sqo.{ACTOR}.")),
        forged("two tokens", &format!("Bearer {token} {token}")),
    ];
    assert_refused(&desk, lines).await;
}

#[tokio::test]
async fn a_path_a_method_or_a_parameter_that_is_not_there_is_named() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let get = |path: &str| node.request(Method::GET, path);
    let nowhere = |path: &'static str| -> Refused {
        (path, get(path), 404, "no-such-resource", "no resource")
    };
    let method = |method, path: &'static str| -> Refused {
        (
            path,
            node.request(method, path),
            405,
            "method-not-allowed",
            "Allow",
        )
    };
    let bad =
        |path: &'static str, word| -> Refused { (path, get(path), 400, "invalid-parameter", word) };
    let cancel = |path: &'static str, status, code, word| -> Refused {
        let request = node.request(Method::POST, path);
        (
            path,
            request.header("Idempotency-Key", "k"),
            status,
            code,
            word,
        )
    };
    #[rustfmt::skip]
    let lines = vec![
        nowhere("/"),
        nowhere("/v1"),
        nowhere("/v2/orders"),
        nowhere("/v1/orders/"),
        nowhere("/v1/clients/C00001/positions/x"),
        nowhere("/v1/clients/../../healthz/x"),
        method(Method::TRACE, "/v1/square-offs"),
        method(Method::TRACE, "/healthz"),
        method(Method::GET, "/v1/square-offs"),
        method(Method::PUT, "/v1/square-offs"),
        method(Method::POST, "/v1/orders"),
        method(Method::DELETE, "/v1/events"),
        method(Method::DELETE, "/v1/streams/platform"),
        method(Method::PATCH, "/v1/streams/platform"),
        method(Method::POST, "/healthz"),
        bad("/v1/clients/c1", "`client_code`: `c1` is not a client code"),
        bad("/v1/clients/C%000001", "`client_code`"),
        bad("/v1/clients/%FF", "UTF-8"),
        bad("/v1/clients/C%0A1/positions", "`client_code`"),
        bad("/v1/clients/C00001?at_least=x", "`at_least`: `x` is not a log position"),
        bad("/v1/clients/C00001/positions?at_least=-1", "`at_least`"),
        bad("/v1/orders/1", "`order_id`: `1` is not an order id: a UUID"),
        bad("/v1/orders/%FF", "UTF-8"),
        bad("/v1/orders?limit=0", "`limit` is a whole number from 1 to 500, not `0`"),
        bad("/v1/orders?limit=501", "not `501`"),
        bad("/v1/orders?limit=-1", "not `-1`"),
        bad("/v1/orders?limit=ten", "not `ten`"),
        bad("/v1/orders?limit=99999999999999999999", "from 1 to 500"),
        bad("/v1/orders?before=x", "`before`: `x` is not a log position"),
        bad("/v1/orders?before=9223372036854775808", "`before`"),
        bad("/v1/orders?at_least=", "`at_least`"),
        bad("/v1/orders?at_least=18446744073709551616&limit=1", "`at_least`"),
        bad("/v1/orders?status=open", "`status` is one of placed, sent, new"),
        bad("/v1/orders?status=%00", "`status`"),
        bad("/v1/orders?client_code=%00", "`client_code`"),
        bad("/v1/orders?client_code=%FF", "`client_code`"),
        bad("/v1/orders?venue=LSE", "`venue`: `LSE` is not a venue: NSE, BSE or MCX"),
        bad("/v1/orders?symbol=a%20b", "`symbol`"),
        bad("/v1/orders?symbol=M&M", "unknown field `M`"),
        bad("/v1/orders?client=C00001", "unknown field `client`, expected one of `client_code`"),
        bad("/v1/orders?limit=1&limit=2", "duplicate field `limit`"),
        bad("/v1/trades?limit=501", "from 1 to 500"),
        bad("/v1/trades?order_id=7", "`order_id`"),
        bad("/v1/trades?symbol=%00", "`symbol`"),
        bad("/v1/trades?before=", "`before`"),
        bad("/v1/events?from=x", "`from`: `x` is not a log position"),
        bad("/v1/events?limit=1001", "`limit` is a whole number from 1 to 1000"),
        bad("/v1/events?since=1", "unknown field `since`"),
        bad("/v1/streams/platform?from_version=0", "`from_version` is a whole number from 1"),
        bad("/v1/streams/platform?from_version=9223372036854775808", "`from_version`"),
        bad("/v1/streams/%C3%28", "UTF-8"),
        bad("/v1/audit/proofs/x", "`position`: `x` is not a log position"),
        ("the proof of no event", get("/v1/audit/proofs/0"), 404, "unknown-event", "position 0"),
        ("the proof of an event to come", get("/v1/audit/proofs/999999"), 404, "unknown-event", "position 999999"),
        ("the proof of an event that is not sealed", get("/v1/audit/proofs/1"), 409, "not-sealed-yet", "not under a checkpoint yet"),
        ("an unknown stream", get("/v1/streams/nothing"), 404, "unknown-stream", "`nothing`"),
        ("an unknown stream of control characters", get("/v1/streams/%00%1F"), 404, "unknown-stream", "no event"),
        cancel("/v1/orders/7/cancel", 400, "invalid-parameter", "`order_id`"),
        ("a cancel of a part", node.request(Method::POST, "/v1/orders/00000000-0000-0000-0000-000000000000/cancel").header("Idempotency-Key", "k").json(&json!({ "quantity": 5 })), 400, "malformed-request", "this request takes no body"),
        cancel("/v1/orders/00000000-0000-0000-0000-000000000000/cancel", 404, "unknown-order", "00000000-0000-0000-0000-000000000000"),
    ];
    assert_refused(&desk, lines).await;
}

#[tokio::test]
async fn nothing_is_placed_before_activation_after_standing_down_or_without_the_exchange() {
    let desk = Desk::dormant().await;
    let node = Node::start(&desk).await;
    let refused = |code, status, word| {
        let body = close_all(&reliance());
        let line: Refused = (code, node.square_off(&body), status, code, word);
        assert_refused(&desk, vec![line])
    };
    refused("platform-not-active", 409, "not active").await;
    node.knows(desk.activate().await).await;
    refused("exchange-not-connected", 503, "not ready").await;
    desk.connect_first_time().await;
    node.knows(desk.disconnect().await).await;
    refused("exchange-not-connected", 503, "not ready").await;
    node.knows(desk.connect().await).await;
    node.close(&nifty(), 5).await;
    node.knows(desk.stand_down().await).await;
    refused("platform-not-active", 409, "not active").await;
}
