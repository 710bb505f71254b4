//! What goes through the codec thousands of times a second takes no memory of its own.

use allocation_counter::measure;
use bytes::BytesMut;
use squareoff_fix::encode::{Header, frame_to};
use squareoff_fix::message::{
    AppMessage, Body, Dialect, ExecType, ExecutionReport, OrdStatus, OrdType, Side, TimeInForce,
};
use squareoff_fix::{
    Decoder, Dictionary, Frame, LocalMktDate, PriceE4, Role, Timestamp, UserDefined, tag,
};

use crate::ends::order;
use crate::support::config;

const NOW: Timestamp = Timestamp(1_777_540_500_250_000_000);

fn header(kind: &'static [u8], seq: u64) -> Header<'static> {
    Header {
        kind,
        seq,
        sending_time: NOW,
        poss_dup: false,
        more: &[],
    }
}

fn fill() -> AppMessage {
    AppMessage::ExecutionReport(Box::new(ExecutionReport {
        order_id: "NSE-O12".into(),
        cl_ord_id: Some("AB0123456789ABCDEF01".into()),
        orig_cl_ord_id: None,
        exec_id: "NSE-13".into(),
        exec_ref_id: None,
        secondary_exec_id: Some("T13".into()),
        exec_type: ExecType::Trade,
        ord_status: OrdStatus::PartiallyFilled,
        ord_rej_reason: None,
        account: Some("CL0001".into()),
        symbol: "NIFTY26DECFUT".into(),
        security_exchange: Some("NSE".into()),
        side: Side::Sell,
        order_qty: Some(650),
        ord_type: Some(OrdType::Limit),
        price: Some(PriceE4(245_000_500)),
        time_in_force: Some(TimeInForce::Day),
        last_qty: Some(65),
        last_px: Some(PriceE4(245_001_000)),
        leaves_qty: 585,
        cum_qty: 65,
        avg_px: PriceE4(245_001_000),
        transact_time: Some(NOW),
        trade_date: LocalMktDate::new(2026, 4, 30),
        text: None,
        mass_status_req_id: None,
        ord_status_req_id: None,
        copy: None,
        tot_num_reports: None,
        last_rpt_requested: None,
    }))
}

#[test]
fn an_order_is_written_into_the_memory_of_the_one_before() {
    let identity = config(Role::Initiator).identity;
    let order = order("AB0123456789ABCDEF01");
    let mut body = Body::new();
    let mut buffer = BytesMut::with_capacity(1024);
    let mut write = |seq| {
        body.clear();
        buffer.clear();
        order.write_to(&mut body, Dialect::Fix44).unwrap();
        let fields = body.written().unwrap();
        frame_to(&mut buffer, &identity, &header(b"D", seq), fields);
        buffer.len()
    };
    write(1);
    let mut written = 0;
    let taken = measure(|| written = write(2));
    assert!(written > 100, "{written} bytes");
    assert_eq!(taken.count_total, 0);
}

#[test]
fn a_report_is_found_checked_and_read_where_it_lies() {
    let identity = config(Role::Acceptor).identity;
    let mut body = Body::new();
    fill().write_to(&mut body, Dialect::Fix44).unwrap();
    let mut wire = BytesMut::new();
    let fields = body.written().unwrap();
    frame_to(&mut wire, &identity, &header(b"8", 7), fields);
    let dictionary = Dictionary::of(b"FIX.4.4").unwrap();
    let mut decoder = Decoder::default();
    let mut read = || {
        // As the driver does before it reads from the socket.
        decoder.buffer.reserve(4096);
        decoder.buffer.extend_from_slice(&wire);
        let Some(Frame::Message(message)) = decoder.next() else {
            panic!("a whole message came");
        };
        dictionary.check(&message, UserDefined::Refused).unwrap();
        let last_px = message.get(tag::LAST_PX).and_then(PriceE4::parse);
        let last_qty = message.get(tag::LAST_QTY).map(<[u8]>::len);
        decoder.done_with(message);
        (last_px, last_qty)
    };
    let first = read();
    let mut again = None;
    let taken = measure(|| again = Some(read()));
    assert_eq!(first, (Some(PriceE4(245_001_000)), Some(2)));
    assert_eq!(again, Some(first));
    assert_eq!(taken.count_total, 0);
}
