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
    });
    assert_eq!(
        OutboundMessage::new("", 0, &request),
        Err(EncodeError::Value { tag: 584 })
    );
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
                mass_status_req_id: order_id, mass_status_req_type: 7, account,
            }),
        }
    }
}

proptest! {
    #[test]
    fn a_message_reads_back_as_it_was_written(message in prop_oneof![order(), cancel(), replace(), report(), refusal()]) {
        prop_assert_eq!(through_the_wire(&message), message);
    }
}
