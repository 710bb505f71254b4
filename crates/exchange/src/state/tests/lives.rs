//! The lives an order can live, as in FIX's order state changes (groups A to K): what brokers ask and market control does,
//! line by line, and what the last line leads to.

use super::*;
use crate::carried::CarriedOrder;
use crate::command::{Answer, Command};

const A: &str = "new A QUIET buy 15 1000000";
/// Fills 5 of A: the executions are facts 3 (of A) and 4 (of B).
const HIT: &str = "new B QUIET sell 5 1000000";
const ARM: &str = r#"{"freeze_next":true}"#;
const CLOSE: &str = r#"{"phase":{"segment":"CM","to":"closed"}}"#;

const LIVES: &[(&str, &[&str], &str)] = &[
    // Replacements (C, D).
    (
        "the price is replaced, under a new id",
        &[A, "replace R A QUIET buy 15 999500"],
        "repl A by R 15@99.95 cum 0 leaves 15",
    ),
    (
        "a replacement that crosses fills at once",
        &[
            "new S QUIET sell 10 1000500",
            A,
            "replace R A QUIET buy 15 1000500",
        ],
        "repl A by R 15@100.05 cum 0 leaves 15; fill S 10@100.05 cum 10 leaves 0; fill R 10@100.05 cum 10 leaves 5",
    ),
    (
        "a replacement that crosses the liquidity fills too",
        &["new A MADE buy 5 950000", "replace R A MADE buy 5 1010000"],
        "repl A by R 5@101 cum 0 leaves 5; fill R 5@100.05 cum 5 leaves 0",
    ),
    (
        "a new price costs the place in the queue",
        &[
            "new Z QUIET buy 5 999500",
            "new A QUIET buy 5 1000000",
            "replace R A QUIET buy 5 999500",
            "new S QUIET sell 5 999500",
        ],
        "ack S; fill Z 5@99.95 cum 5 leaves 0; fill S 5@99.95 cum 5 leaves 0",
    ),
    (
        "a smaller quantity keeps the place",
        &[
            A,
            "new Z QUIET buy 5 1000000",
            "replace R A QUIET buy 5 1000000",
            "new S QUIET sell 5 1000000",
        ],
        "ack S; fill R 5@100 cum 5 leaves 0; fill S 5@100 cum 5 leaves 0",
    ),
    (
        "a larger quantity is allowed and costs the place",
        &[
            A,
            "new Z QUIET buy 5 1000000",
            "replace R A QUIET buy 20 1000000",
            "new S QUIET sell 5 1000000",
        ],
        "ack S; fill Z 5@100 cum 5 leaves 0; fill S 5@100 cum 5 leaves 0",
    ),
    (
        "the quantity is the total, what has filled included",
        &[A, HIT, "replace R A QUIET buy 10 1000000"],
        "repl A by R 10@100 cum 5 leaves 5",
    ),
    (
        "replaced to what has filled, it is done",
        &[A, HIT, "replace R A QUIET buy 5 1000000"],
        "repl A by R 5@100 cum 5 leaves 0",
    ),
    (
        "replaced below what has filled, it ends at what has",
        &[
            "new A QUIET buy 50 1000000",
            "new B QUIET sell 10 1000000",
            "replace R A QUIET buy 5 1000000",
        ],
        "repl A by R 10@100 cum 10 leaves 0",
    ),
    (
        "what is done can't be replaced",
        &[
            "new A QUIET buy 5 1000000",
            HIT,
            "replace R A QUIET buy 10 1000000",
        ],
        "replrej R of A 0",
    ),
    (
        "an unknown order can't be replaced",
        &["replace R A QUIET buy 5 1000000"],
        "replrej R of A 1",
    ),
    (
        "a replacement with a used id",
        &[A, "replace A A QUIET buy 5 1000000"],
        "replrej A of A 6",
    ),
    (
        "an order with the id of a replacement",
        &[
            A,
            "replace R A QUIET buy 5 1000000",
            "new R QUIET buy 5 1000000",
        ],
        "rej R 6",
    ),
    (
        "a cancel with the id of a replacement",
        &[A, "replace R A QUIET buy 5 1000000", "cancel R A"],
        "cxlrej R of R 6",
    ),
    (
        "not a lot",
        &[A, "replace R A QUIET buy 7 1000000"],
        "replrej R of A 99",
    ),
    (
        "above the freeze quantity",
        &[A, "replace R A QUIET buy 1005 1000000"],
        "replrej R of A 99",
    ),
    (
        "off the tick",
        &[A, "replace R A QUIET buy 15 1000001"],
        "replrej R of A 99",
    ),
    (
        "outside the band",
        &[A, "replace R A QUIET buy 15 1100500"],
        "replrej R of A 99",
    ),
    (
        "nothing asked for",
        &[A, "replace R A QUIET buy 0 1000000"],
        "replrej R of A 99",
    ),
    (
        "to another side",
        &[A, "replace R A QUIET sell 15 1000000"],
        "replrej R of A 99",
    ),
    (
        "to another symbol",
        &[A, "replace R A MADE buy 15 1000000"],
        "replrej R of A 99",
    ),
    (
        "to a market order",
        &[A, "replace R A QUIET buy 15 1000000 market"],
        "replrej R of A 99",
    ),
    (
        "an order answers to its newest id",
        &[
            A,
            "replace R A QUIET buy 10 1000000",
            "replace Q R QUIET buy 5 1000000",
            "cancel X Q",
        ],
        "can Q by X",
    ),
    (
        "and to its first",
        &[
            A,
            "replace R A QUIET buy 10 1000000",
            "replace Q R QUIET buy 5 1000000",
            "cancel X A",
        ],
        "can Q by X",
    ),
    (
        "a refused replacement's id is nobody's",
        &[A, "replace R A QUIET buy 7 1000000", "cancel X R"],
        "cxlrej X of R 1",
    ),
    // Busts and corrections (J).
    (
        "a partly filled order gets a busted quantity back, a filled one stays done",
        &[A, HIT, r#"{"bust":{"exec_id":"NSE-3"}}"#],
        "bust A of 3 cum 0 leaves 15; bust B of 4 cum 0 leaves 0",
    ),
    (
        "and it can fill again",
        &[
            A,
            HIT,
            r#"{"bust":{"exec_id":"NSE-4"}}"#,
            "new C QUIET sell 15 1000000",
        ],
        "ack C; fill A 15@100 cum 15 leaves 0; fill C 15@100 cum 15 leaves 0",
    ),
    (
        "a canceled order stays so when its trade is busted",
        &[A, HIT, "cancel X A", r#"{"bust":{"exec_id":"NSE-3"}}"#],
        "bust A of 3 cum 0 leaves 0; bust B of 4 cum 0 leaves 0",
    ),
    (
        "a trade with the liquidity has one side",
        &[
            "new A MADE buy 5 1010000",
            r#"{"bust":{"exec_id":"NSE-2"}}"#,
        ],
        "bust A of 2 cum 0 leaves 0",
    ),
    (
        "a correction of quantity and price, on both sides",
        &[
            "new A QUIET buy 15 1000000",
            "new B QUIET sell 10 1000000",
            r#"{"correct":{"exec_id":"NSE-3","quantity":5,"price":"99.95"}}"#,
        ],
        "correct A of 3 5@99.95 cum 5 leaves 10; correct B of 4 5@99.95 cum 5 leaves 0",
    ),
    (
        "a bust after a correction takes away what is left",
        &[
            "new A QUIET buy 15 1000000",
            "new B QUIET sell 10 1000000",
            r#"{"correct":{"exec_id":"NSE-3","quantity":5,"price":"99.95"}}"#,
            r#"{"bust":{"exec_id":"NSE-4"}}"#,
        ],
        "bust B of 4 cum 0 leaves 0; bust A of 3 cum 0 leaves 15",
    ),
    (
        "a bust after a replacement names the newest id",
        &[
            A,
            HIT,
            "replace R A QUIET buy 10 999500",
            r#"{"bust":{"exec_id":"NSE-3"}}"#,
        ],
        "bust R of 3 cum 0 leaves 10; bust B of 4 cum 0 leaves 0",
    ),
    // Freeze to control.
    (
        "the next order is frozen",
        &[ARM, "new A MADE buy 5 1010000"],
        "frozen A",
    ),
    ("the one after it is not", &[ARM, A, HIT], "ack B"),
    (
        "a frozen order does not trade, released it does",
        &[
            ARM,
            "new A QUIET buy 5 1000000",
            HIT,
            r#"{"release":{"order_id":"NSE-O2","accept":true}}"#,
        ],
        "ack A; fill B 5@100 cum 5 leaves 0; fill A 5@100 cum 5 leaves 0",
    ),
    (
        "a frozen IOC order that finds nothing when it is released",
        &[
            ARM,
            "new A QUIET buy 5 1000000 ioc",
            r#"{"release":{"order_id":"NSE-O2","accept":true}}"#,
        ],
        "ack A; can A by exchange",
    ),
    (
        "a frozen order refused",
        &[
            ARM,
            A,
            r#"{"release":{"order_id":"NSE-O2","accept":false}}"#,
        ],
        "rej A 99",
    ),
    (
        "a frozen order canceled",
        &[ARM, A, "cancel X A"],
        "can A by X",
    ),
    (
        "a frozen order can't be replaced",
        &[ARM, A, "replace R A QUIET buy 5 1000000"],
        "replrej R of A 99",
    ),
    (
        "a frozen order expires",
        &[ARM, A, CLOSE],
        "CM Closed; exp A cum 0",
    ),
    (
        "a wish for one symbol leaves others alone",
        &[
            r#"{"freeze_next":"QUIET"}"#,
            "new A FUTURE buy 5 1000000",
            "new B QUIET buy 5 1000000",
        ],
        "frozen B",
    ),
    (
        "a wish for several orders, taken back",
        &[
            r#"{"freeze_next":{"symbol":"QUIET","orders":3}}"#,
            A,
            r#"{"freeze_next":false}"#,
            HIT,
        ],
        "ack B",
    ),
    // Phases, expiry, what nobody asked for (E, K).
    (
        "closing expires the segment's orders, in their order",
        &[
            A,
            "new F FUTURE buy 5 1000000",
            HIT,
            "new C QUIET sell 5 1000500",
            CLOSE,
        ],
        "CM Closed; exp A cum 5; exp C cum 0",
    ),
    ("a closed segment takes no order", &[CLOSE, A], "rej A 2"),
    (
        "another segment does",
        &[CLOSE, "new F FUTURE buy 5 1000000"],
        "ack F",
    ),
    (
        "what expired can't be canceled",
        &[A, CLOSE, "cancel X A"],
        "cxlrej X of A 0",
    ),
    (
        "a segment opens again",
        &[
            CLOSE,
            r#"{"phase":{"segment":"CM","to":"open","venue":"NSE"}}"#,
            A,
        ],
        "ack A",
    ),
    (
        "no order in pre-open",
        &[r#"{"phase":{"segment":"CM","to":"pre_open"}}"#, A],
        "rej A 2",
    ),
    (
        "no order in pre-close",
        &[r#"{"phase":{"segment":"CM","to":"pre_close"}}"#, A],
        "rej A 2",
    ),
    (
        "a cancel in pre-open",
        &[
            A,
            r#"{"phase":{"segment":"CM","to":"pre_open"}}"#,
            "cancel X A",
        ],
        "can A by X",
    ),
    (
        "a cancel in a halt",
        &[
            A,
            r#"{"phase":{"segment":"CM","to":"halted"}}"#,
            "cancel X A",
        ],
        "can A by X",
    ),
    (
        "no replacement in a halt",
        &[
            A,
            r#"{"phase":{"segment":"CM","to":"halted"}}"#,
            "replace R A QUIET buy 5 1000000",
        ],
        "replrej R of A 99",
    ),
    (
        "an order expired by hand",
        &[A, HIT, r#"{"expire":{"order_id":"NSE-O1"}}"#],
        "exp A cum 5",
    ),
    (
        "an order canceled by the exchange",
        &[A, r#"{"cancel":{"order_id":"NSE-O1"}}"#],
        "can A by exchange",
    ),
];

#[test]
fn every_life_goes_as_its_line_says() {
    for (name, lines, expected) in LIVES {
        let mut exchange = exchange();
        let mut facts = Vec::new();
        for (line, seq) in lines.iter().zip(1..) {
            facts = told(&mut exchange, seq, line).unwrap_or_else(|why| panic!("{name}: {why}"));
        }
        let shown: Vec<String> = facts.iter().map(shown).collect();
        assert_eq!(shown.join("; "), *expected, "{name}");
        assert!(facts.last().unwrap().completes, "{name}");
    }
}

#[test]
fn a_command_that_cannot_be_is_refused_by_a_sentence_and_changes_nothing() {
    let before = [A, HIT];
    for (lines, command, says) in [
        (
            &before[..],
            r#"{"bust":{"exec_id":"NSE-1"}}"#,
            "exec_id: \"NSE-1\" is not an execution of today",
        ),
        (
            &before,
            r#"{"bust":{"exec_id":"BSE-3"}}"#,
            "exec_id: \"BSE-3\" is not an execution of today",
        ),
        (
            &before,
            r#"{"bust":{"exec_id":"3"}}"#,
            "is not an execution of today",
        ),
        (
            &[A, HIT, r#"{"bust":{"exec_id":"NSE-4"}}"#],
            r#"{"bust":{"exec_id":"NSE-3"}}"#,
            "NSE-3 is busted already",
        ),
        (
            &before,
            r#"{"correct":{"exec_id":"NSE-3","quantity":0,"price":"100"}}"#,
            "quantity: 0 is not above zero",
        ),
        (
            &before,
            r#"{"correct":{"exec_id":"NSE-3","quantity":10,"price":"100"}}"#,
            "more would have filled than was ordered",
        ),
        (
            &before,
            r#"{"correct":{"exec_id":"NSE-3","quantity":5,"price":"1.00001"}}"#,
            "price: \"1.00001\" is not a rupee amount",
        ),
        (
            &before,
            r#"{"correct":{"exec_id":"NSE-3","quantity":5,"price":"-1"}}"#,
            "price: -1 is not above zero",
        ),
        (
            &before,
            r#"{"release":{"order_id":"NSE-O1","accept":true}}"#,
            "order_id: NSE-O1 is not frozen",
        ),
        (
            &[ARM, A, r#"{"phase":{"segment":"CM","to":"halted"}}"#],
            r#"{"release":{"order_id":"NSE-O2","accept":true}}"#,
            "phase: CM is halted",
        ),
        (
            &before,
            r#"{"expire":{"order_id":"NSE-O2"}}"#,
            "order_id: NSE-O2 is done already",
        ),
        (
            &before,
            r#"{"cancel":{"order_id":"NSE-O99"}}"#,
            "order_id: \"NSE-O99\" is not an order of today",
        ),
        (
            &before,
            r#"{"cancel":{"order_id":"BSE-O1"}}"#,
            "is not an order of today",
        ),
        (
            &before,
            r#"{"phase":{"segment":"COM","to":"open"}}"#,
            "segment: \"COM\" is not at any venue",
        ),
        (
            &before,
            r#"{"phase":{"segment":"CM","to":"open","venue":"BSE"}}"#,
            "segment: \"CM\" is not at BSE",
        ),
        (
            &before,
            r#"{"freeze_next":{"orders":0}}"#,
            "orders: 0 is not from 1 to 10000",
        ),
        (
            &before,
            r#"{"freeze_next":{"orders":10001}}"#,
            "orders: 10001 is not from",
        ),
    ] {
        let mut exchange = exchange();
        for (line, seq) in lines.iter().zip(1..) {
            told(&mut exchange, seq, line).unwrap();
        }
        let hash = exchange.state_hash();
        let refused = told(&mut exchange, 9, command).unwrap_err();
        assert!(refused.contains(says), "{refused}");
        assert_eq!(exchange.state_hash(), hash, "{command}");
    }
}

fn carried(cl_ord_id: &str, side: Side, cum_units: i64) -> CarriedOrder {
    CarriedOrder {
        session: SESSION.to_owned(),
        venue: "NSE".to_owned(),
        client_code: "C1".to_owned(),
        symbol: "QUIET".to_owned(),
        side,
        quantity_units: 15,
        cum_units,
        price: Price(1_000_000),
        cl_ord_id: cl_ord_id.to_owned(),
        exchange_order_id: format!("11000000-{cl_ord_id}"),
    }
}

#[test]
fn a_carried_order_lives_like_any_other_and_comes_in_once() {
    let mut exchange = exchange();
    let carry = Command::Carry(vec![
        carried("EXT1", Side::Buy, 5),
        carried("EXT2", Side::Buy, 15),
        carried("EXT3", Side::Buy, 0),
    ]);
    let (facts, answer) = exchange.control(&carry, Timestamp(0)).unwrap();
    facts.iter().for_each(|fact| exchange.evolve(fact));
    let shown_all = |facts: &[Fact]| facts.iter().map(shown).collect::<Vec<_>>().join("; ");
    assert_eq!(answer, Answer::Done);
    assert_eq!(
        shown_all(&facts),
        "carry EXT1 cum 5 leaves 10; carry EXT2 cum 15 leaves 0; carry EXT3 cum 0 leaves 15"
    );
    assert_eq!(facts[0].order_id(), "11000000-EXT1");
    assert_eq!(exchange.control(&carry, Timestamp(0)).unwrap().0, []);
    for (line, expected) in [
        (
            "new S QUIET sell 5 1000000",
            "ack S; fill EXT1 5@100 cum 10 leaves 5; fill S 5@100 cum 5 leaves 0",
        ),
        ("cancel X EXT1", "can EXT1 by X"),
        ("new EXT2 QUIET buy 5 1000000", "rej EXT2 6"),
        (
            "replace R EXT3 QUIET buy 5 1000000",
            "repl EXT3 by R 5@100 cum 0 leaves 5",
        ),
        (
            r#"{"cancel":{"order_id":"11000000-EXT3"}}"#,
            "can R by exchange",
        ),
    ] {
        let seq = exchange.last_ordinal();
        let facts = told(&mut exchange, seq, line).unwrap();
        assert_eq!(shown_all(&facts), expected);
    }
}

#[test]
fn a_number_that_two_venues_gave_names_no_order() {
    let mut exchange = exchange();
    let twin = CarriedOrder {
        session: "BSE:SQUAREOFF".to_owned(),
        venue: "BSE".to_owned(),
        ..carried("EXT1", Side::Buy, 0)
    };
    let carry = Command::Carry(vec![carried("EXT1", Side::Buy, 0), twin]);
    let (facts, _) = exchange.control(&carry, Timestamp(0)).unwrap();
    facts.iter().for_each(|fact| exchange.evolve(fact));
    let cancel = r#"{"cancel":{"order_id":"11000000-EXT1"}}"#;
    let refused = told(&mut exchange, 1, cancel).unwrap_err();
    assert!(refused.contains("an order of several venues"), "{refused}");
}

#[test]
fn hours_do_not_undo_what_was_done_by_hand_since() {
    let mut exchange = exchange();
    let mut at = |command: &Command, now: i64| {
        let (facts, _) = exchange.control(command, Timestamp(now)).unwrap();
        facts.iter().for_each(|fact| exchange.evolve(fact));
        facts.iter().map(shown).collect::<Vec<_>>().join("; ")
    };
    let scheduled = |to, due| Command::Scheduled {
        segment: "FO".to_owned(),
        to,
        due: Timestamp(due),
    };
    let halt: Command =
        serde_json::from_str(r#"{"phase":{"segment":"FO","to":"halted"}}"#).unwrap();
    assert_eq!(at(&scheduled(Phase::Open, 100), 101), "FO Open");
    assert_eq!(at(&scheduled(Phase::Open, 100), 102), "", "told already");
    assert_eq!(at(&halt, 103), "FO Halted");
    assert_eq!(
        at(&scheduled(Phase::Open, 100), 104),
        "",
        "after a restart, say"
    );
    assert_eq!(at(&scheduled(Phase::Closed, 200), 200), "FO Closed");
    assert_eq!(exchange.phase("NSE", "FO"), Phase::Closed);
    assert_eq!(exchange.phase("NSE", "CM"), Phase::Open);
}

#[test]
fn lists_show_what_works_and_what_was_traded() {
    let mut exchange = exchange();
    let lines = [
        ARM,
        "new F QUIET buy 5 950000",
        A,
        HIT,
        r#"{"bust":{"exec_id":"NSE-5"}}"#,
    ];
    for (line, seq) in lines.into_iter().zip(1..) {
        told(&mut exchange, seq, line).unwrap();
    }
    let list = |command| exchange.control(&command, Timestamp(0)).unwrap();
    let (facts, Answer::Orders { total, rows }) = list(Command::Orders(true)) else {
        panic!("not orders")
    };
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.cl_ord_id.as_str(), row.leaves, row.frozen))
        .collect();
    assert_eq!(
        (facts, total, seen),
        (vec![], 2, vec![("F", 5, true), ("A", 15, false)])
    );
    let (_, Answer::Trades { total, rows }) = list(Command::Trades(true)) else {
        panic!("not trades")
    };
    let seen: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.exec_id.as_str(),
                row.quantity,
                row.busted,
                row.counterpart_exec_id.as_deref(),
            )
        })
        .collect();
    assert_eq!(total, 2);
    assert_eq!(
        seen,
        [
            ("NSE-5", 5, true, Some("NSE-6")),
            ("NSE-6", 5, true, Some("NSE-5"))
        ]
    );
}
