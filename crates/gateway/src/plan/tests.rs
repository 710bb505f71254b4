use super::*;
use squareoff_domain::platform::{PlatformActivated, PlatformStoodDown};
use squareoff_domain::position::TimeInForce;
use squareoff_domain::{
    PositionKey, Price, Product, Quantity, RequestId, Side, Timestamp, TradingDate, Venue,
};
use squareoff_store::Position;
use uuid::Uuid;

fn at(position: u64, epoch: u32) -> StoredEvent {
    StoredEvent {
        position: Position::from_u64(position),
        stream: "position".into(),
        version: 1,
        recorded_at: Timestamp(0),
        id: Uuid::nil(),
        event_type: "".into(),
        schema_version: 1,
        occurred_at: Timestamp(0),
        actor: "".into(),
        request_id: Uuid::nil(),
        correlation_id: Uuid::nil(),
        epoch,
        body: vec![],
    }
}

fn date() -> TradingDate {
    "2026-11-20".parse().unwrap()
}

fn key() -> PositionKey {
    PositionKey {
        date: date(),
        client: "C1".parse().unwrap(),
        venue: Venue::Nse,
        symbol: "ALPHA".parse().unwrap(),
        product: Product::Nrml,
    }
}

fn order_id(n: u128) -> OrderId {
    OrderId(Uuid::from_u128(n))
}

fn id(n: u128) -> ClOrdId {
    ClOrdId::mint(1, order_id(n))
}

/// A line of the log: `+n` places order n, `-n` asks to cancel it, `on`/`off` is the platform, `live` the log's end, `sent n` and
/// `end n` what the log tells of an order.
fn tell(plan: &mut Plan, line: u64, word: &str) {
    let number = |text: &str| text.trim().parse::<u128>().unwrap();
    if let Some(n) = word.strip_prefix('+').map(number) {
        let placed = OrderPlaced {
            order_id: order_id(n),
            request_id: RequestId(Uuid::nil()),
            cl_ord_id: id(n),
            key: key(),
            side: Side::Sell,
            quantity: Quantity::new(5).unwrap(),
            price: Price(500),
            time_in_force: TimeInForce::Day,
            slice: 1,
            slices: 1,
        };
        plan.placed(&at(line, 1), &placed);
    } else if let Some(n) = word.strip_prefix('-').map(number) {
        let requested = CancelRequested {
            order_id: order_id(n),
            asked: None,
            cl_ord_id: id(n).cancel(1),
            original_cl_ord_id: id(n),
            key: key(),
            side: Side::Sell,
            quantity: Quantity::new(5).unwrap(),
            exchange_order_id: None,
        };
        plan.cancel_requested(&at(line, 1), &requested);
    } else if let Some(n) = word.strip_prefix("sent").map(number) {
        plan.was_sent(order_id(n));
    } else if let Some(n) = word.strip_prefix("end").map(number) {
        plan.ended(order_id(n));
    } else if word == "live" {
        plan.go_live(false, "");
    } else if word == "on" {
        plan.platform_changed(&PlatformEvent::PlatformActivated(PlatformActivated {
            epoch: plan.platform.epoch + 1,
            trading_date: date(),
            reason: String::new(),
            requested_by: None,
            approved_by: None,
            activated_by: None,
            request_id: None,
        }));
    } else {
        let epoch = plan.platform.epoch;
        let reason = String::new();
        plan.platform_changed(&PlatformEvent::PlatformStoodDown(PlatformStoodDown {
            epoch,
            reason,
            by: None,
            request_id: None,
        }));
    }
}

#[test]
fn what_goes_and_what_is_dropped() {
    for (log, goes, dropped) in [
        ("on, +1, +2, live, +3", "+1 +2 +3", ""),
        // Overtaken, before the log's end is read and after.
        ("on, +1, +2, -1, live", "+2", "1"),
        ("on, live, +1, +2, -1", "+2", "1"),
        ("on, +1, -1, live, -1", "", "1"),
        ("on, live, +1, -1, -1", "", "1"),
        // Known as sent: its cancel goes, it does not, and is not taken for dropped.
        ("on, +1, -1, sent 1, live", "-1", ""),
        ("on, +1, sent 1, -1, live", "-1", ""),
        // Known as ended.
        ("on, +1, -1, end 1, live", "", ""),
        ("on, +1, end 1, +2, live", "+2", ""),
        // An activation that is over.
        ("on, +1, off, live", "", "1"),
        ("on, +1, off, on, live", "", "1"),
        ("on, live, +1, off", "", "1"),
        ("on, live, off, +1", "", "1"),
        ("on, live, off, +1, -1", "", "1"),
        ("on, +1, sent 1, off, -1, live", "-1", ""),
        ("on, live, off, -1", "-1", ""),
    ] {
        let mut plan = Plan::new(Venue::Nse);
        for (line, word) in (1..).zip(log.split(", ")) {
            tell(&mut plan, line, word);
        }
        let waiting = std::iter::from_fn(|| plan.waiting.pop());
        let waiting = Vec::from_iter(waiting.map(|message| message.id().to_owned()));
        let expected = goes.split_whitespace().map(|word| {
            let (sign, n) = word.split_at(1);
            let id = id(n.parse().unwrap());
            let id = if sign == "+" { id } else { id.cancel(1) };
            id.to_string()
        });
        assert_eq!(waiting, Vec::from_iter(expected), "{log}");
        let expected = dropped.split_whitespace().map(|n| id(n.parse().unwrap()));
        let told = Vec::from_iter(plan.told.into_iter().map(|told| told.cl_ord_id));
        assert_eq!(told, Vec::from_iter(expected), "{log}");
    }
}
