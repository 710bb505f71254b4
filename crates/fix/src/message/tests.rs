use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::codec::Message;
use crate::encode::frame_for_tests;
use crate::value::{LocalMktDate, PriceE4, Timestamp};

fn read(fields: &str) -> Result<AppMessage, Malformed> {
    let message = Message::decode(frame_for_tests(fields).into()).expect("a whole message");
    AppMessage::read(&message)
}

fn through_the_wire(message: &AppMessage) -> AppMessage {
    let body = message.write().expect("printable values");
    let body = String::from_utf8(body.to_vec()).expect("printable values");
    read(&format!("35={}|34=2|{body}", message.kind())).expect("our own message")
}

#[test]
fn a_message_that_lacks_or_garbles_a_field_is_malformed_with_the_tag() {
    const ORDER: &str = "35=D|34=2|11=a|38=100|40=2|44=3.865|54=1|55=X|60=20260430-09:15:00|";
    assert!(read(ORDER).is_ok());
    for (from, to, reason, tag) in [
        ("11=a|", "", RejectReason::RequiredTagMissing, "11"),
        ("38=100|", "", RejectReason::RequiredTagMissing, "38"),
        ("38=100|", "38=+100|", RejectReason::Format, "38"),
        ("38=100|", "38=100.5|", RejectReason::Format, "38"),
        ("38=100|", "38=|", RejectReason::NoValue, "38"),
        ("40=2|", "40=w|", RejectReason::ValueOutOfRange, "40"),
        ("44=3.865|", "44=3.86501|", RejectReason::Format, "44"),
        ("54=1|", "54=12|", RejectReason::ValueOutOfRange, "54"),
        (
            "60=20260430-09:15:00|",
            "60=yesterday|",
            RejectReason::Format,
            "60",
        ),
    ] {
        let malformed = read(&ORDER.replace(from, to)).expect_err(to);
        assert_eq!(malformed.reason, reason, "{from} -> {to}");
        assert_eq!(malformed.tag.as_deref(), Some(tag));
    }
}

#[test]
fn a_report_or_phase_with_a_code_that_fix_does_not_know_is_malformed_with_the_tag() {
    const REPORT: &str = "35=8|34=2|37=1|17=e|150=F|39=1|55=X|54=1|75=20261120|151=2|14=1|6=10|";
    const REJECT: &str = "35=9|34=2|37=1|11=b|41=a|39=0|434=2|102=1|";
    const PHASE: &str = "35=h|34=2|336=FO|340=2|";
    const REPLACE: &str = "35=G|34=2|11=b|41=a|38=5|40=2|44=1|54=1|55=X|60=20260430-09:15:00|";
    for (message, from, to, reason, tag) in [
        (
            REPORT,
            "150=F",
            "150=Z",
            RejectReason::ValueOutOfRange,
            "150",
        ),
        (
            REPORT,
            "150=F",
            "150=FF",
            RejectReason::ValueOutOfRange,
            "150",
        ),
        (REPORT, "39=1", "39=F", RejectReason::ValueOutOfRange, "39"),
        (
            REPORT,
            "75=20261120",
            "75=20261320",
            RejectReason::Format,
            "75",
        ),
        (
            REJECT,
            "434=2",
            "434=3",
            RejectReason::ValueOutOfRange,
            "434",
        ),
        (
            REJECT,
            "434=2|",
            "",
            RejectReason::RequiredTagMissing,
            "434",
        ),
        (
            PHASE,
            "340=2",
            "340=7",
            RejectReason::ValueOutOfRange,
            "340",
        ),
        (
            PHASE,
            "336=FO|",
            "",
            RejectReason::RequiredTagMissing,
            "336",
        ),
        (REPLACE, "41=a|", "", RejectReason::RequiredTagMissing, "41"),
        (REPLACE, "38=5", "38=5.5", RejectReason::Format, "38"),
    ] {
        assert!(read(message).is_ok(), "{message}");
        let malformed = read(&message.replace(from, to)).expect_err(to);
        assert_eq!(
            (malformed.reason, malformed.tag.as_deref()),
            (reason, Some(tag))
        );
        assert!(
            malformed.to_string().ends_with(&format!("(tag {tag})")),
            "{malformed}"
        );
    }
}

#[test]
fn a_group_whose_entries_are_not_as_many_as_stated_is_malformed() {
    const TRADE: &str = "35=AE|34=2|571=t|570=N|55=X|32=5|31=1|75=20261120|60=20261120-09:15:00|552=2|54=1|37=a|54=2|37=b|";
    let Ok(AppMessage::TradeCaptureReport(trade)) = read(TRADE) else {
        panic!("a trade with both sides");
    };
    let orders: Vec<_> = trade.sides.iter().map(|side| &side.order_id).collect();
    assert_eq!(orders, ["a", "b"]);
    for (from, to, reason, tag) in [
        ("552=2", "552=1", RejectReason::GroupCount, "552"),
        ("552=2", "552=3", RejectReason::GroupCount, "552"),
        (
            "552=2|54=1|37=a",
            "552=2|37=a|54=1",
            RejectReason::GroupOrder,
            "37",
        ),
        ("552=2", "552=two", RejectReason::Format, "552"),
        ("37=b|", "", RejectReason::RequiredTagMissing, "37"),
        (
            "552=2|54=1|37=a|54=2|37=b|",
            "",
            RejectReason::RequiredTagMissing,
            "552",
        ),
    ] {
        let malformed = read(&TRADE.replace(from, to)).expect_err(to);
        let found = (malformed.reason, malformed.tag.as_deref());
        assert_eq!(found, (reason, Some(tag)), "{from} -> {to}");
    }
}

#[test]
fn an_unknown_type_is_kept_by_its_fields() {
    let Ok(AppMessage::Other(raw)) = read("35=d|34=2|320=a|323=1|") else {
        panic!("a security definition has no type of ours");
    };
    assert_eq!(raw.kind, "d");
    assert_eq!(raw.body, Bytes::from("320=a\x01323=1\x01"));
}

#[test]
fn an_average_price_is_rounded_not_refused() {
    let report = read("35=8|34=2|37=1|17=e|150=F|39=1|55=X|54=1|151=2|14=1|6=10.33333333|");
    let Ok(AppMessage::ExecutionReport(report)) = report else {
        panic!("{report:?}");
    };
    assert_eq!(report.avg_px, PriceE4(103_333));
}

#[test]
fn a_message_that_can_not_be_written_is_refused_before_it_is_queued() {
    let request = AppMessage::OrderMassStatusRequest(OrderMassStatusRequest {
        mass_status_req_id: "a\x01b".into(),
        mass_status_req_type: OrderMassStatusRequest::ALL_ORDERS,
        account: None,
        symbol: None,
    });
    assert_eq!(
        OutboundMessage::new("", 0, &request),
        Err(EncodeError::Value { tag: 584 })
    );
}

/// A report as FIX 4.2 has it, read and written again.
#[test]
fn a_report_of_either_dialect_means_the_same() {
    const REPORT: &str = "35=8|34=2|6=1|11=c|14=1|17=e|31=1|32=1|37=1|38=3|54=1|55=X|";
    use crate::message::ExecType::*;
    for (fix42, fix44, exec_type) in [
        ("20=0|39=0|150=0|151=3|", "39=0|150=0|151=3|", New),
        ("20=0|39=1|150=1|151=2|", "39=1|150=F|151=2|", Trade),
        ("20=0|39=2|150=2|151=0|", "39=2|150=F|151=0|", Trade),
        ("20=1|39=0|150=0|151=3|", "39=0|150=H|151=3|", TradeCancel),
        ("20=2|39=1|150=1|151=2|", "39=1|150=G|151=2|", TradeCorrect),
        ("20=3|39=2|150=2|151=0|", "39=2|150=I|151=0|", OrderStatus),
        ("20=0|39=4|150=4|151=0|", "39=4|150=4|151=0|", Canceled),
        ("20=0|39=5|150=5|151=3|", "39=5|150=5|151=3|", Replaced),
    ] {
        for (version, dialect, fields) in [
            ("FIX.4.2", Dialect::Fix42, fix42),
            ("FIX.4.4", Dialect::Fix44, fix44),
        ] {
            let wire = crate::encode::frame_of_version(version, &format!("{REPORT}{fields}"));
            let message = Message::decode(wire.into()).expect("a whole message");
            let read = AppMessage::read(&message).expect(fields);
            let AppMessage::ExecutionReport(report) = &read else {
                panic!("{read:?}");
            };
            assert_eq!(report.exec_type, exec_type, "{version} {fields}");
            let body = read.write_in(dialect).expect("printable values");
            let body = String::from_utf8(body.to_vec()).expect("printable values");
            let mut written: Vec<_> = body.split_terminator('\x01').collect();
            let wanted = format!("{REPORT}{fields}").replace("35=8|34=2|", "");
            let mut wanted: Vec<_> = wanted.split_terminator('|').collect();
            written.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(written, wanted, "{version}");
        }
    }
    for (fields, reason, tag) in [
        ("39=0|150=0|151=3|", RejectReason::RequiredTagMissing, "20"),
        (
            "20=4|39=0|150=0|151=3|",
            RejectReason::ValueOutOfRange,
            "20",
        ),
        (
            "20=0|39=1|150=F|151=3|",
            RejectReason::ValueOutOfRange,
            "150",
        ),
    ] {
        let wire = crate::encode::frame_of_version("FIX.4.2", &format!("{REPORT}{fields}"));
        let message = Message::decode(wire.into()).expect("a whole message");
        let malformed = AppMessage::read(&message).expect_err(fields);
        let found = (malformed.reason, malformed.tag.as_deref());
        assert_eq!(found, (reason, Some(tag)), "{fields}");
    }
}

#[test]
fn an_order_says_how_it_is_handled_in_4_2_and_what_4_2_does_not_have_is_refused() {
    let order =
        read("35=D|34=2|11=a|38=100|40=1|54=1|55=X|60=20260430-09:15:00|").expect("an order");
    let body = |dialect| {
        let body = order.write_in(dialect).expect("printable values");
        String::from_utf8(body.to_vec())
            .expect("printable values")
            .replace('\x01', "|")
    };
    assert!(body(Dialect::Fix42).contains("|21=1|"));
    assert!(!body(Dialect::Fix44).contains("|21="));
    let mass = read("35=AF|34=2|584=a|585=7|").expect("a request");
    let refused = OutboundMessage::new_in(Dialect::Fix42, "", 0, &mass).expect_err("not in 4.2");
    assert_eq!(refused.to_string(), "FIX.4.2 has no message of type AF");
}

/// What we write passes the dictionary of the dialect it is written in.
fn passes(message: &AppMessage, dialect: Dialect) -> Result<(), Malformed> {
    let body = message.write_in(dialect).expect("printable values");
    let body = String::from_utf8(body.to_vec()).expect("printable values");
    let head = "34=2|49=A|52=20261120-09:15:00|56=B|".replace('|', "\x01");
    let fields = format!("35={}\x01{head}{body}", message.kind());
    let wire = crate::encode::frame_of_version(dialect.begin_string(), &fields);
    let whole = Message::decode(wire.into()).expect("a whole message");
    let dictionary = crate::Dictionary::of(dialect.begin_string().as_bytes()).expect("known");
    dictionary.check(&whole, crate::UserDefined::Refused)
}

prop_compose! {
    fn time()(millis in 0_i64..4_000_000_000_000) -> Timestamp { Timestamp(millis * 1_000_000) }
}

fn text() -> impl Strategy<Value = String> {
    "[!-z][ -z]{0,15}"
}

fn maybe() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(text())
}

prop_compose! {
    fn order()(
        cl_ord_id in text(), account in maybe(), symbol in text(), security_exchange in maybe(),
        side in select(Side::ALL), order_qty: i64, ord_type in select(OrdType::ALL), price: Option<i64>,
        time_in_force in proptest::option::of(select(TimeInForce::ALL)), transact_time in time(), text in maybe(),
    ) -> AppMessage {
        AppMessage::NewOrderSingle(NewOrderSingle {
            cl_ord_id, account, symbol, security_exchange, side, order_qty, ord_type,
            price: price.map(PriceE4), time_in_force, transact_time, text,
        })
    }
}

prop_compose! {
    fn cancel()(
        cl_ord_id in text(), orig_cl_ord_id in text(), order_id in maybe(), account in maybe(), symbol in text(),
        security_exchange in maybe(), side in select(Side::ALL), order_qty: i64, transact_time in time(), status: bool,
    ) -> AppMessage {
        if status {
            return AppMessage::OrderStatusRequest(OrderStatusRequest {
                ord_status_req_id: Some(orig_cl_ord_id), cl_ord_id, order_id, account, symbol, security_exchange, side,
            });
        }
        AppMessage::OrderCancelRequest(OrderCancelRequest {
            cl_ord_id, orig_cl_ord_id, order_id, account, symbol, security_exchange, side, order_qty, transact_time,
        })
    }
}

prop_compose! {
    fn replace()(
        ids in proptest::array::uniform3(text()), maybes in proptest::array::uniform3(maybe()),
        side in select(Side::ALL), order_qty: i64, ord_type in select(OrdType::ALL), price: Option<i64>,
        time_in_force in proptest::option::of(select(TimeInForce::ALL)), transact_time in time(),
        status in select(TradSesStatus::ALL), phase: bool,
        trade_date in proptest::option::of((0_u16..9999, 1_u8..13, 1_u8..29)),
    ) -> AppMessage {
        let [cl_ord_id, orig_cl_ord_id, symbol] = ids;
        let [order_id, account, security_exchange] = maybes;
        if phase {
            return AppMessage::TradingSessionStatus(TradingSessionStatus {
                trading_session_id: symbol, status, text: account,
                trade_date: trade_date.and_then(|(year, month, day)| LocalMktDate::new(year, month, day)),
            });
        }
        AppMessage::OrderCancelReplaceRequest(OrderCancelReplaceRequest {
            cl_ord_id, orig_cl_ord_id, order_id, account, symbol, security_exchange, side, order_qty, ord_type,
            price: price.map(PriceE4), time_in_force, transact_time,
        })
    }
}

prop_compose! {
    fn report()(
        texts in proptest::array::uniform4(text()), maybes in proptest::array::uniform10(maybe()),
        exec_type in select(ExecType::ALL), ord_status in select(OrdStatus::ALL), side in select(Side::ALL),
        numbers: [i64; 5], some: [Option<u32>; 4], flags: [Option<bool>; 2],
        ord_type in proptest::option::of(select(OrdType::ALL)),
        time_in_force in proptest::option::of(select(TimeInForce::ALL)),
        transact_time in proptest::option::of(time()),
        trade_date in proptest::option::of((0_u16..9999, 1_u8..13, 1_u8..29)),
    ) -> AppMessage {
        let [order_id, exec_id, symbol, _] = texts;
        let [cl_ord_id, orig_cl_ord_id, exec_ref_id, secondary_exec_id, account, security_exchange, text, mass, status, _] = maybes;
        AppMessage::ExecutionReport(Box::new(ExecutionReport {
            order_id, cl_ord_id, orig_cl_ord_id, exec_id, exec_ref_id, secondary_exec_id, exec_type, ord_status,
            ord_rej_reason: some[0].map(u64::from), account, symbol, security_exchange, side,
            order_qty: some[1].map(i64::from), ord_type, price: some[2].map(|p| PriceE4(p.into())), time_in_force,
            last_qty: some[3].map(i64::from), last_px: some[3].map(|p| PriceE4(-i64::from(p))),
            leaves_qty: numbers[0], cum_qty: numbers[1], avg_px: PriceE4(numbers[2]), transact_time, text,
            trade_date: trade_date.and_then(|(year, month, day)| LocalMktDate::new(year, month, day)),
            mass_status_req_id: mass, ord_status_req_id: status, copy: flags[0],
            tot_num_reports: some[0].map(u64::from), last_rpt_requested: flags[1],
        }))
    }
}

prop_compose! {
    fn refusal()(
        ids in proptest::array::uniform3(text()), maybes in proptest::array::uniform2(maybe()), seq: Option<u32>,
        ord_status in select(OrdStatus::ALL), response_to in select(CxlRejResponseTo::ALL),
        business in select(BusinessRejectReason::ALL), transact_time in proptest::option::of(time()), which in 0..3,
    ) -> AppMessage {
        let [order_id, cl_ord_id, orig_cl_ord_id] = ids;
        let [account, text] = maybes;
        let seq = seq.map(u64::from);
        match which {
            0 => AppMessage::OrderCancelReject(OrderCancelReject {
                order_id, cl_ord_id, orig_cl_ord_id, ord_status, response_to, reason: seq, account, transact_time, text,
            }),
            1 => AppMessage::BusinessMessageReject(BusinessMessageReject {
                ref_seq_num: seq, ref_kind: order_id, ref_id: account, reason: business, text,
            }),
            _ => AppMessage::OrderMassStatusRequest(OrderMassStatusRequest {
                mass_status_req_id: order_id, mass_status_req_type: 7, account, symbol: text,
            }),
        }
    }
}

prop_compose! {
    fn mass_cancel()(
        ids in proptest::array::uniform2(text()), maybes in proptest::array::uniform4(maybe()),
        scope in select(MassCancelRequestType::ALL), response in select(MassCancelResponse::ALL),
        side in proptest::option::of(select(Side::ALL)), transact_time in time(), numbers: [Option<u32>; 2],
        affected in proptest::collection::vec((text(), maybe()), 0..4), report: bool,
    ) -> AppMessage {
        let [cl_ord_id, order_id] = ids;
        let [trading_session_id, symbol, security_exchange, text] = maybes;
        if !report {
            return AppMessage::OrderMassCancelRequest(OrderMassCancelRequest {
                cl_ord_id, scope, trading_session_id, symbol, security_exchange, side, transact_time, text,
            });
        }
        let affected = affected.into_iter().map(|(orig_cl_ord_id, order_id)| AffectedOrder { orig_cl_ord_id, order_id });
        AppMessage::OrderMassCancelReport(Box::new(OrderMassCancelReport {
            cl_ord_id: security_exchange, order_id, scope, response, reason: numbers[0].map(u64::from),
            total_affected_orders: numbers[1].map(u64::from), affected: affected.collect(), trading_session_id, symbol,
            side, transact_time: Some(transact_time), text,
        }))
    }
}

prop_compose! {
    fn trade()(
        ids in proptest::array::uniform3(text()), maybes in proptest::array::uniform5(maybe()),
        sides in proptest::collection::vec((select(Side::ALL), text(), maybe(), maybe()), 1..3),
        trans_type in select(TradeReportTransType::ALL), reason in select(DkReason::ALL), side in select(Side::ALL),
        exec_type in proptest::option::of(select(ExecType::ALL)), previously_reported: bool, last_qty: i64, last_px: i64,
        trade_date in (0_u16..9999, 1_u8..13, 1_u8..29), transact_time in time(), doubt: bool,
    ) -> AppMessage {
        let [trade_report_id, symbol, order_id] = ids;
        let [trade_report_ref_id, exec_id, secondary_exec_id, security_exchange, text] = maybes;
        let (year, month, day) = trade_date;
        if doubt {
            return AppMessage::DontKnowTrade(DontKnowTrade {
                order_id, exec_id: trade_report_id, reason, symbol, security_exchange, side, order_qty: None,
                last_qty: Some(last_qty), last_px: Some(PriceE4(last_px)), text,
            });
        }
        let sides = sides.into_iter();
        let sides = sides.map(|(side, order_id, cl_ord_id, account)| TradeSide { side, order_id, cl_ord_id, account });
        AppMessage::TradeCaptureReport(Box::new(TradeCaptureReport {
            trade_report_id, trans_type, trade_report_ref_id, exec_type, exec_id, secondary_exec_id,
            previously_reported, symbol, security_exchange, last_qty, last_px: PriceE4(last_px),
            trade_date: LocalMktDate::new(year, month, day).expect("a day of every month"),
            transact_time, sides: sides.collect(),
        }))
    }
}

proptest! {
    #[test]
    fn a_message_reads_back_as_it_was_written(
        message in prop_oneof![order(), cancel(), replace(), report(), refusal(), mass_cancel(), trade()],
    ) {
        prop_assert_eq!(through_the_wire(&message), message);
    }

    #[test]
    fn an_order_or_report_of_ours_passes_the_dictionary(
        message in prop_oneof![order(), cancel(), report(), mass_cancel(), trade()],
    ) {
        // Venues have codes of their own for reasons, and 4.2 knows fewer sides of things.
        let own = |malformed: &Malformed| malformed.reason == RejectReason::ValueOutOfRange;
        for dialect in [Dialect::Fix44, Dialect::Fix42] {
            if dialect.has(message.kind()) {
                let answer = passes(&message, dialect);
                prop_assert!(answer.is_ok() || answer.as_ref().is_err_and(own), "{:?}", answer);
            }
        }
    }
}
