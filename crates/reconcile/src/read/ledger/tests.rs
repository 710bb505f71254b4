//! The ledger's lines as a simulated exchange writes them, and what else a file can hold.

use super::*;
use std::io::Write;

/// A line: the fields that matter, with `more` over them.
fn line(ordinal: u64, fact: &str, more: &str) -> String {
    let mut line = serde_json::json!({
        "ordinal": ordinal, "fact": fact, "exec_id": format!("NSE-{ordinal}"), "venue": "NSE", "session": "NSE:SQUAREOFF",
        "generation": 1, "msg_seq_num": 2, "completes": true, "trade_date": "2026-11-20", "transact_time": "20261120-09:15:01.250",
        "order": 1, "order_id": "NSE-O1", "cl_ord_id": "01A", "account": "C1", "symbol": "INFY", "side": "sell",
        "time_in_force": "day", "quantity_units": 10, "price_e4": 100, "leaves_units": 0, "cum_units": 0, "notional_e4": 0,
    });
    let more: serde_json::Value = serde_json::from_str(&format!("{{{more}}}")).unwrap();
    for (field, value) in more.as_object().unwrap() {
        line[field] = value.clone();
    }
    line.to_string()
}

fn read(text: &str) -> Result<Ledger, LedgerError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let date = "2026-11-20".parse().unwrap();
    ledger(file.path(), Scope { date, venue: None })
}

fn executed(ordinal: u64) -> String {
    line(ordinal, "executed", r#""last_units":4,"last_price_e4":250"#)
}

#[test]
fn trades_stand_as_last_corrected_and_busts_take_them_back() {
    let text = [
        line(1, "order_accepted", r#""leaves_units":10"#),
        executed(2),
        executed(3),
        executed(4),
        line(
            5,
            "trade_busted",
            r#""execution":2,"was_units":4,"was_price_e4":250"#,
        ),
        line(
            6,
            "trade_corrected",
            r#""execution":3,"was_units":4,"was_price_e4":250,"last_units":3,"last_price_e4":240,"leaves_units":7"#,
        ),
        String::new(),
    ];
    let ledger = read(&text.join("\n")).unwrap();
    let shown: Vec<_> = ledger
        .trades
        .iter()
        .map(|told| format!("{} {} {}", told.execution, told.terms, told.busted))
        .collect();
    assert_eq!(
        shown,
        [
            "NSE|2026-11-20|NSE-2 SELL 4 at 0.025 true",
            "NSE|2026-11-20|NSE-3 SELL 3 at 0.024 false",
            "NSE|2026-11-20|NSE-4 SELL 4 at 0.025 false",
        ]
    );
    assert_eq!(ledger.orders[0].leaves.units(), 7);
    assert_eq!((ledger.lines, ledger.orders.len()), (6, 1));
}

#[test]
fn a_torn_end_and_facts_of_a_message_that_was_never_whole_are_left_out() {
    let whole = executed(1);
    let half = line(
        2,
        "executed",
        r#""last_units":4,"last_price_e4":250,"completes":false"#,
    );
    for torn in [
        String::new(),
        half.clone() + "\n",
        half[..40].to_owned(),
        half.clone(),
        "{}\n".to_owned(),
    ] {
        let ledger = read(&format!("{whole}\n{torn}")).unwrap();
        assert_eq!((ledger.trades.len(), ledger.lines), (1, 1), "{torn}");
    }
}

/// What stands in the file -> what is said of it.
#[test]
fn damage_is_said_with_its_line() {
    let bad = |more| format!("{}\n{}\n", line(1, "executed", more), executed(2));
    for (text, said) in [
        (
            format!("{}\nnot a fact\n{}\n", executed(1), executed(2)),
            "line 2: expected",
        ),
        (
            format!("{}\n{}\n{}\n", executed(2), executed(1), executed(3)),
            "line 2: ordinal 1 where 3 was due",
        ),
        (
            bad(r#""last_units":4"#),
            "line 1: missing field last_price_e4",
        ),
        (
            bad(r#""last_units":-4,"last_price_e4":1"#),
            "line 1: last_units is no quantity",
        ),
        (
            bad(r#""last_units":4,"last_price_e4":1,"side":"up""#),
            "line 1: side `up` is neither buy nor sell",
        ),
        (
            bad(r#""last_units":4,"last_price_e4":1,"transact_time":"noon""#),
            "line 1: transact_time `noon` is no time",
        ),
        (
            format!("{}\n", "x".repeat(70_000)),
            "line 1: is longer than 65536 bytes",
        ),
    ] {
        let error = read(&text).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn lines_that_are_missing_are_told_and_the_rest_is_read() {
    let text = [executed(2), executed(3), executed(7), String::new()];
    let ledger = read(&text.join("\n")).unwrap();
    assert_eq!(
        (ledger.trades.len(), ledger.gaps),
        (3, vec![(1, 1), (4, 6)])
    );
}

#[test]
fn an_unknown_kind_is_counted_and_one_about_a_trade_is_kept() {
    let text = [
        line(1, "auction_called", ""),
        line(2, "auction_called", ""),
        line(3, "trade_split", r#""last_units":4,"last_price_e4":250"#),
        String::new(),
    ];
    let ledger = read(&text.join("\n")).unwrap();
    assert_eq!(
        ledger.passed_over,
        [("auction_called".to_owned(), 2)].into()
    );
    assert_eq!(ledger.unknown.len(), 1);
    assert_eq!(
        (
            ledger.unknown[0].kind.as_str(),
            ledger.unknown[0].line,
            ledger.unknown[0].value
        ),
        ("trade_split", 3, Money(1_000))
    );
}

#[test]
fn another_day_is_not_counted_and_a_duplicate_is() {
    let text = [
        line(
            1,
            "executed",
            r#""last_units":4,"last_price_e4":250,"trade_date":"2026-11-19""#,
        ),
        line(
            2,
            "order_rejected",
            r#""order":0,"duplicate_cl_ord_id":true"#,
        ),
        String::new(),
    ];
    let ledger = read(&text.join("\n")).unwrap();
    assert_eq!(
        (
            ledger.trades.len(),
            ledger.orders.len(),
            ledger.sent_twice.len()
        ),
        (0, 0, 1)
    );
    assert_eq!(ledger.sent_twice[0].value, Money(1_000));
    assert_eq!(ledger.venues, [Venue::Nse].into());
}

#[test]
fn what_the_exchange_does_to_order_in_a_fault_is_read_as_it_stands() {
    let refer = r#""execution":2,"was_units":4,"was_price_e4":250"#;
    let text = [
        line(1, "order_accepted", r#""leaves_units":10"#),
        executed(2),
        line(3, "trade_dropped", refer),
        line(4, "report_repeated", r#""execution":2"#),
        line(5, "acknowledged_late", r#""leaves_units":10"#),
        line(
            6,
            "order_accepted",
            r#""order":6,"cl_ord_id":"01B","leaves_units":10"#,
        ),
        line(
            7,
            "order_vanished",
            r#""order":6,"cl_ord_id":"01B","leaves_units":10"#,
        ),
        line(8, "set", r#""venue":"exchange","order":0"#),
        line(
            12,
            "tail_lost",
            r#""venue":"exchange","order":0,"lost_from":9"#,
        ),
        line(13, "throttled", r#""order":0"#),
        String::new(),
    ];
    let ledger = read(&text.join("\n")).unwrap();
    let trades: Vec<_> = ledger.trades.iter().map(|told| told.busted).collect();
    let leaves: Vec<_> = ledger
        .orders
        .iter()
        .map(|order| order.leaves.units())
        .collect();
    assert_eq!((trades, leaves), (vec![true], vec![0, 0]));
    assert_eq!((ledger.lost, ledger.gaps), (vec![(9, 11)], vec![]));
    assert!(ledger.unknown.is_empty() && ledger.passed_over.is_empty());
}
