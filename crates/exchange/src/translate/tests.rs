//! Each fact as the report a broker reads, and each message as the request it means.

use squareoff_fix::Timestamp;

use super::*;
use crate::fact::Cause;

fn image(order: u64, cum_units: i64, leaves_units: i64) -> OrderImage {
    OrderImage {
        order,
        cl_ord_id: "A".to_owned(),
        original_cl_ord_id: "A".to_owned(),
        account: "C1".to_owned(),
        symbol: "RELIANCE".to_owned(),
        side: Side::Sell,
        time_in_force: TimeInForce::Day,
        quantity_units: 30,
        price: Price(10_000_500),
        leaves_units,
        cum_units,
        notional: cum_units * 10_000_500 + 2,
        ..OrderImage::none()
    }
}

fn told(order: OrderImage, happening: Happening) -> AppMessage {
    report(&fact(order, happening)).unwrap()
}

fn fact(order: OrderImage, happening: Happening) -> Fact {
    Fact {
        ordinal: 7,
        venue: "NSE".to_owned(),
        session: "NSE:SQUAREOFF".to_owned(),
        cause: Cause {
            session: "NSE:SQUAREOFF".to_owned(),
            generation: 1,
            msg_seq_num: 2,
        },
        completes: true,
        trade_date: "2026-11-20".to_owned(),
        transact_time: Timestamp(0),
        order,
        happening,
        fault: None,
    }
}

fn execution(order: OrderImage, happening: Happening) -> ExecutionReport {
    match told(order, happening) {
        AppMessage::ExecutionReport(report) => *report,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_execution_report_says_what_happened_and_how_the_order_stands() {
    let fill = || Happening::Executed {
        last_units: 10,
        last_price: Price(10_000_500),
        against: None,
    };
    let rejected = || Happening::Rejected {
        reason: 13,
        text: "lot: no".to_owned(),
    };
    for (order, happening, kind, status, id, cl_ord_id, orig) in [
        (
            image(3, 0, 30),
            Happening::Accepted,
            ExecType::New,
            OrdStatus::New,
            "NSE-O3",
            "A",
            None,
        ),
        (
            image(3, 10, 20),
            fill(),
            ExecType::Trade,
            OrdStatus::PartiallyFilled,
            "NSE-O3",
            "A",
            None,
        ),
        (
            image(3, 30, 0),
            fill(),
            ExecType::Trade,
            OrdStatus::Filled,
            "NSE-O3",
            "A",
            None,
        ),
        (
            image(3, 10, 0),
            Happening::Canceled { request: None },
            ExecType::Canceled,
            OrdStatus::Canceled,
            "NSE-O3",
            "A",
            None,
        ),
        (
            image(3, 10, 0),
            Happening::Canceled {
                request: Some("X".to_owned()),
            },
            ExecType::Canceled,
            OrdStatus::Canceled,
            "NSE-O3",
            "X",
            Some("A"),
        ),
        (
            image(0, 0, 0),
            rejected(),
            ExecType::Rejected,
            OrdStatus::Rejected,
            "NONE",
            "A",
            None,
        ),
    ] {
        let (cum, leaves) = (order.cum_units, order.leaves_units);
        let report = execution(order, happening);
        assert_eq!(
            (
                report.exec_type,
                report.ord_status,
                report.order_id.as_str()
            ),
            (kind, status, id)
        );
        assert_eq!(
            (
                report.cl_ord_id.as_deref(),
                report.orig_cl_ord_id.as_deref()
            ),
            (Some(cl_ord_id), orig)
        );
        assert_eq!(
            (report.cum_qty, report.leaves_qty, report.exec_id.as_str()),
            (cum, leaves, "NSE-7")
        );
    }
    let filled = execution(image(3, 30, 0), fill());
    assert_eq!(
        (filled.last_qty, filled.last_px, filled.avg_px),
        (Some(10), Some(PriceE4(10_000_500)), PriceE4(10_000_500))
    );
    let refused = execution(image(0, 0, 0), rejected());
    assert_eq!(
        (refused.ord_rej_reason, refused.text.as_deref()),
        (Some(13), Some("lot: no"))
    );
}

#[test]
fn what_goes_out_carries_the_trade_date() {
    let report = execution(image(3, 0, 30), Happening::Accepted);
    assert_eq!(report.trade_date, LocalMktDate::new(2026, 11, 20));
}

#[test]
fn what_happens_later_in_a_life_is_told_in_fixs_words() {
    let working = || image(3, 10, 20);
    let frozen = OrderImage {
        frozen: true,
        ..image(3, 0, 30)
    };
    let busted = || Happening::Busted {
        execution: 5,
        was_units: 10,
        was_price: Price(1),
    };
    let corrected = Happening::Corrected {
        execution: 5,
        was_units: 10,
        was_price: Price(1),
        last_units: 5,
        last_price: Price(10_000_000),
    };
    let replaced = || Happening::Replaced {
        previous: "O".to_owned(),
    };
    let refused = Happening::Rejected {
        reason: 99,
        text: "freeze: no".to_owned(),
    };
    let all_of_it = OrderImage {
        quantity_units: 10,
        ..image(3, 10, 0)
    };
    for (order, happening, kind, status, orig, reference) in [
        (
            working(),
            replaced(),
            ExecType::Replaced,
            OrdStatus::PartiallyFilled,
            Some("O"),
            None,
        ),
        (
            all_of_it,
            replaced(),
            ExecType::Replaced,
            OrdStatus::Filled,
            Some("O"),
            None,
        ),
        (
            frozen,
            Happening::Suspended,
            ExecType::Suspended,
            OrdStatus::Suspended,
            None,
            None,
        ),
        (
            image(3, 0, 0).done(Ended::Rejected),
            refused,
            ExecType::Rejected,
            OrdStatus::Rejected,
            None,
            None,
        ),
        (
            working().done(Ended::Expired),
            Happening::Expired,
            ExecType::Expired,
            OrdStatus::Expired,
            None,
            None,
        ),
        (
            image(3, 0, 30),
            busted(),
            ExecType::TradeCancel,
            OrdStatus::New,
            None,
            Some("NSE-5"),
        ),
        (
            image(3, 0, 0),
            busted(),
            ExecType::TradeCancel,
            OrdStatus::Canceled,
            None,
            Some("NSE-5"),
        ),
        (
            working(),
            corrected,
            ExecType::TradeCorrect,
            OrdStatus::PartiallyFilled,
            None,
            Some("NSE-5"),
        ),
    ] {
        let (quantity, cum, leaves) = (order.quantity_units, order.cum_units, order.leaves_units);
        let report = execution(order, happening);
        assert_eq!((report.exec_type, report.ord_status), (kind, status));
        assert_eq!(report.orig_cl_ord_id.as_deref(), orig, "{kind:?}");
        assert_eq!(report.exec_ref_id.as_deref(), reference, "{kind:?}");
        assert_eq!(
            (report.order_qty, report.cum_qty, report.leaves_qty),
            (Some(quantity), cum, leaves)
        );
        let is_correction = kind == ExecType::TradeCorrect;
        let last = is_correction.then_some((5, PriceE4(10_000_000)));
        assert_eq!(report.last_qty.zip(report.last_px), last);
        assert_eq!(
            (report.order_id.as_str(), report.exec_id.as_str()),
            ("NSE-O3", "NSE-7")
        );
    }
}

#[test]
fn a_phase_is_told_by_its_segment_and_what_concerns_nobody_is_not_told() {
    for (to, status) in [
        (Phase::PreOpen, b'4'),
        (Phase::Open, b'2'),
        (Phase::PreClose, b'5'),
        (Phase::Closed, b'3'),
        (Phase::Halted, b'1'),
    ] {
        let segment = "FO".to_owned();
        let said = told(OrderImage::none(), Happening::PhaseChanged { segment, to });
        let AppMessage::TradingSessionStatus(said) = said else {
            panic!("not a phase")
        };
        assert_eq!(
            (said.trading_session_id.as_str(), said.status.code()),
            ("FO", status)
        );
        assert!(said.trade_date.is_some());
    }
    let armed = Happening::FreezeArmed {
        symbol: None,
        orders: 1,
    };
    assert_eq!(report(&fact(OrderImage::none(), armed)), None);
    assert_eq!(report(&fact(image(3, 0, 30), Happening::Carried)), None);
}

#[test]
fn a_carried_order_is_told_under_the_number_it_was_given() {
    let order = OrderImage {
        given_order_id: Some("1100000001".to_owned()),
        ..image(3, 0, 30)
    };
    let canceled = Happening::Canceled { request: None };
    assert_eq!(execution(order, canceled).order_id, "1100000001");
}

#[test]
fn a_replacement_that_cannot_be_here_says_why() {
    let asked = || OrderCancelReplaceRequest {
        cl_ord_id: "R".to_owned(),
        orig_cl_ord_id: "A".to_owned(),
        order_id: None,
        account: Some("C1".to_owned()),
        symbol: "RELIANCE".to_owned(),
        security_exchange: None,
        side: FixSide::Sell,
        order_qty: 30,
        ord_type: OrdType::Limit,
        price: Some(PriceE4(10_000_500)),
        time_in_force: None,
        transact_time: Timestamp(0),
    };
    let market = OrderCancelReplaceRequest {
        ord_type: OrdType::Market,
        ..asked()
    };
    let no_price = OrderCancelReplaceRequest {
        price: None,
        ..asked()
    };
    let ioc = OrderCancelReplaceRequest {
        time_in_force: Some(FixTimeInForce::ImmediateOrCancel),
        ..asked()
    };
    for (asked, expected) in [
        (asked(), None),
        (market, Some("order type Market")),
        (no_price, Some("a limit order without a price")),
        (ioc, Some("time in force ImmediateOrCancel")),
    ] {
        let read = meaning(2, AppMessage::OrderCancelReplaceRequest(asked));
        let Meaning::Request(Request::Replace(read)) = read else {
            panic!("not a replacement")
        };
        assert_eq!(read.unsupported.as_deref(), expected);
        assert_eq!(
            (read.quantity_units, read.orig_cl_ord_id.as_str()),
            (30, "A")
        );
    }
}

#[test]
fn a_cancel_refused_says_how_the_order_stands() {
    let (cancel, replace) = (CxlRejResponseTo::Cancel, CxlRejResponseTo::CancelReplace);
    let expired = image(3, 10, 0).done(Ended::Expired);
    for (order, status, of_replace, response_to) in [
        (image(0, 0, 0), OrdStatus::Rejected, false, cancel),
        (image(3, 30, 0), OrdStatus::Filled, false, cancel),
        (image(3, 10, 0), OrdStatus::Canceled, true, replace),
        (expired, OrdStatus::Expired, true, replace),
        (image(3, 10, 20), OrdStatus::PartiallyFilled, true, replace),
    ] {
        let happening = Happening::CancelRejected {
            request: "X".to_owned(),
            reason: 0,
            text: "late".to_owned(),
            of_replace,
        };
        let AppMessage::OrderCancelReject(reject) = told(order, happening) else {
            panic!("not a cancel reject")
        };
        assert_eq!(reject.response_to, response_to);
        assert_eq!(
            (
                reject.ord_status,
                reject.cl_ord_id.as_str(),
                reject.orig_cl_ord_id.as_str()
            ),
            (status, "X", "A")
        );
        assert_eq!(reject.reason, Some(0));
    }
}

fn order() -> NewOrderSingle {
    NewOrderSingle {
        cl_ord_id: "A".to_owned(),
        account: Some("C1".to_owned()),
        symbol: "RELIANCE".to_owned(),
        security_exchange: None,
        side: FixSide::Sell,
        order_qty: 30,
        ord_type: OrdType::Limit,
        price: Some(PriceE4(10_000_500)),
        time_in_force: None,
        transact_time: Timestamp(0),
        text: None,
    }
}

#[test]
fn an_order_that_cannot_be_here_says_why() {
    for (order, expected) in [
        (order(), None),
        (
            NewOrderSingle {
                time_in_force: Some(FixTimeInForce::ImmediateOrCancel),
                ..order()
            },
            None,
        ),
        (
            NewOrderSingle {
                ord_type: OrdType::Market,
                price: None,
                ..order()
            },
            Some("order type Market"),
        ),
        (
            NewOrderSingle {
                price: None,
                ..order()
            },
            Some("a limit order without a price"),
        ),
        (
            NewOrderSingle {
                time_in_force: Some(FixTimeInForce::FillOrKill),
                ..order()
            },
            Some("time in force FillOrKill"),
        ),
    ] {
        let Meaning::Request(Request::New(read)) = meaning(2, AppMessage::NewOrderSingle(order))
        else {
            panic!("not an order")
        };
        assert_eq!(read.unsupported.as_deref(), expected);
    }
}

#[test]
fn what_the_exchange_does_not_do_is_refused_and_complaints_are_not_answered() {
    let long = "X".repeat(65);
    let mass = OrderMassStatusRequest {
        mass_status_req_id: "M".to_owned(),
        mass_status_req_type: 1,
        account: None,
        symbol: None,
    };
    let canceled = told(image(3, 0, 0), Happening::Canceled { request: None });
    for message in [
        AppMessage::NewOrderSingle(NewOrderSingle {
            cl_ord_id: long.clone(),
            ..order()
        }),
        AppMessage::NewOrderSingle(NewOrderSingle {
            symbol: long,
            ..order()
        }),
        AppMessage::OrderMassStatusRequest(mass),
        canceled,
    ] {
        let kind = message.kind().to_owned();
        let Meaning::Refuse(reject) = meaning(9, message) else {
            panic!("not refused")
        };
        assert_eq!((reject.ref_seq_num, reject.ref_kind), (Some(9), kind));
    }
    let complaint = AppMessage::BusinessMessageReject(BusinessMessageReject::unsupported(1, "8"));
    assert!(matches!(meaning(9, complaint), Meaning::Complaint(_)));
}

#[test]
fn an_unknown_order_and_an_empty_book_are_told_from_orders() {
    let asked = OrderQuery {
        request_id: Some("Q".to_owned()),
        cl_ord_id: "Z".to_owned(),
        account: String::new(),
        symbol: "RELIANCE".to_owned(),
        side: Side::Buy,
    };
    let read = |report: &StatusReport| match status_report("NSE", report) {
        AppMessage::ExecutionReport(report) => *report,
        other => panic!("{other:?}"),
    };
    let unknown = read(&StatusReport::one(&asked, None));
    assert_eq!(
        (
            unknown.exec_type,
            unknown.ord_status,
            unknown.ord_rej_reason
        ),
        (ExecType::OrderStatus, OrdStatus::Rejected, Some(5))
    );
    assert_eq!(
        (
            unknown.ord_status_req_id.as_deref(),
            unknown.order_id.as_str()
        ),
        (Some("Q"), "NONE")
    );
    let known = read(&StatusReport::one(&asked, Some(&image(3, 10, 20))));
    assert_eq!(
        (known.ord_status, known.ord_rej_reason, known.cum_qty),
        (OrdStatus::PartiallyFilled, None, 10)
    );
    let none = read(&StatusReport::all("M", &[])[0]);
    assert_eq!(
        (
            none.tot_num_reports,
            none.last_rpt_requested,
            none.ord_status
        ),
        (Some(0), Some(true), OrdStatus::Rejected)
    );
    let (first, second) = (image(3, 0, 30), image(4, 0, 30));
    let all: Vec<_> = StatusReport::all("M", &[&first, &second])
        .iter()
        .map(read)
        .collect();
    assert_eq!(
        all.iter()
            .map(|report| report.last_rpt_requested)
            .collect::<Vec<_>>(),
        [Some(false), Some(true)]
    );
    assert!(all.iter().all(|report| report.tot_num_reports == Some(2)
        && report.mass_status_req_id.as_deref() == Some("M")));
}
