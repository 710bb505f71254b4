use super::*;
use squareoff_domain::platform::{
    HandbackApproved, HandbackCompleted, HandbackPackage, HandbackRequested, MarketPhase,
    MarketPhaseChanged, NewOrdersHalted, NewOrdersResumed, PlatformActivated, PlatformStoodDown,
};
use squareoff_domain::position::{Change, TimeInForce};
use squareoff_domain::reference::{ContractListed, InstrumentKind};
use squareoff_domain::session::{SessionDown, SessionReady};
use squareoff_domain::{Contract, Price, Product, RequestId, Segment, Side, Timestamp};
use squareoff_fix::message::Dialect;
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
        trace_id: None,
        epoch,
        previous: squareoff_store::NO_PREVIOUS,
        body: vec![],
    }
}

const SESSION: &str = "session-NSE-BROKER";

fn plan() -> Plan {
    Plan::new(
        Venue::Nse,
        Protocol::Fix(Dialect::Fix44),
        Lanes::new(vec!["NSE-BROKER".into()]),
    )
}

/// An event of the position that this order is on.
fn of(n: u128, line: u64) -> StoredEvent {
    StoredEvent {
        stream: key_of(n).stream().into(),
        ..at(line, 1)
    }
}

fn date() -> TradingDate {
    "2026-11-20".parse().unwrap()
}

/// Orders from this one on are of three clients; those before it share one position.
const FIRST_OF_MANY: u128 = 100;

fn key_of(n: u128) -> PositionKey {
    match n {
        FIRST_OF_MANY.. => PositionKey {
            client: format!("C{}", n % 3).parse().unwrap(),
            ..key()
        },
        _ => key(),
    }
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

fn told(plan: &mut Plan, event: PlatformEvent) {
    plan.platform_changed(&event);
}

fn activated(plan: &mut Plan, trading_date: &str) {
    let activated = PlatformActivated {
        without_book: None,
        epoch: plan.platform.epoch + 1,
        trading_date: trading_date.parse().unwrap(),
        reason: String::new(),
        requested_by: None,
        approved_by: None,
        activated_by: None,
        request_id: None,
    };
    told(plan, PlatformEvent::PlatformActivated(activated));
}

fn market(plan: &mut Plan, segment: Segment, phase: MarketPhase) {
    let changed = MarketPhaseChanged {
        venue: Venue::Nse,
        segment,
        trading_date: date(),
        phase,
        source: String::new(),
    };
    told(plan, PlatformEvent::MarketPhaseChanged(changed));
}

fn halted(plan: &mut Plan, scope: HaltScope) {
    let (request_id, by) = (RequestId(Uuid::nil()), String::new());
    let halted = NewOrdersHalted {
        request_id,
        scope,
        reason: String::new(),
        by,
    };
    told(plan, PlatformEvent::NewOrdersHalted(halted));
}

fn scope(word: &str) -> HaltScope {
    let venue = Venue::Nse;
    match word {
        "all" => HaltScope::All,
        "BSE" => HaltScope::Venue(Venue::Bse),
        segment => HaltScope::Segment {
            venue,
            segment: segment.parse().unwrap(),
        },
    }
}

fn session(plan: &mut Plan, line: u64, ready: bool) {
    let (venue, fence, reason) = (Venue::Nse, 1, String::new());
    let event = match ready {
        true => SessionEvent::SessionReady(SessionReady { venue, fence }),
        false => SessionEvent::SessionDown(SessionDown {
            venue,
            fence,
            reason,
        }),
    };
    plan.session_changed(&SESSION.into(), Position::from_u64(line), &event);
}

fn placed(plan: &mut Plan, line: u64, n: u128) {
    let placed = OrderPlaced {
        order_id: order_id(n),
        request_id: RequestId(Uuid::nil()),
        cl_ord_id: id(n),
        key: key_of(n),
        side: Side::Sell,
        quantity: Quantity::new(5).unwrap(),
        price: Price(500),
        time_in_force: TimeInForce::Day,
        slice: 1,
        slices: 1,
    };
    let stored = of(n, line);
    let (quantity, filled) = (placed.quantity, Quantity::ZERO);
    plan.working
        .placed(&stored.stream, &key_of(n), order_id(n), quantity, filled);
    plan.placed(&stored, &placed);
}

fn cancelled(plan: &mut Plan, line: u64, n: u128) {
    let requested = CancelRequested {
        order_id: order_id(n),
        asked: None,
        cl_ord_id: id(n).cancel(1),
        original_cl_ord_id: id(n),
        key: key_of(n),
        side: Side::Sell,
        quantity: Quantity::new(5).unwrap(),
        exchange_order_id: None,
    };
    plan.cancel_requested(&of(n, line), &requested);
}

fn changed(plan: &mut Plan, line: u64, n: u128) {
    let requested = ReplaceRequested {
        order_id: order_id(n),
        request_id: RequestId(Uuid::nil()),
        change: Change {
            price: Some(Price(450)),
            quantity: None,
        },
        cl_ord_id: id(n).replace(1),
        original_cl_ord_id: id(n),
        exchange_order_id: None,
        key: key_of(n),
        side: Side::Sell,
        quantity: Quantity::new(5).unwrap(),
        price: Price(450),
        time_in_force: TimeInForce::Day,
        reference_version: String::new(),
    };
    plan.replace_requested(&of(n, line), &requested);
}

/// A line of the log: `+n` places order n, `-n` asks to cancel it, `~n` to change it, `queued n` to cancel it behind a change. `sent`,
/// `full`, `end`, `doubt n` is what the log tells of an order; `on`, `next` (the next day's), `off`, `hand`, `drain`, `handed` the
/// platform; `halt`, `resume` the kill switch; `close` a market; `ready`, `down` the session; `live` the log's end, `lost` the same
/// without a journal. The instrument is in the segment FO once it is `listed`.
fn tell(plan: &mut Plan, line: u64, word: &str) {
    let (verb, of) = word.split_once(' ').unwrap_or((word, ""));
    let number = |text: &str| text.trim().parse::<u128>().unwrap();
    let order = || order_id(number(of));
    let (request_id, reason, by) = (RequestId(Uuid::nil()), String::new(), String::new());
    let epoch = plan.platform.epoch;
    match verb {
        "listed" => plan.working.listed(&ContractListed {
            contract: contract(),
        }),
        "sent" => plan.was_sent(order()),
        "went" => {
            let (n, lane) = of.split_once(' ').unwrap();
            let n = number(n);
            let session = format!("NSE-S{lane}");
            plan.lanes
                .dispatched(order_id(n), &key_of(n).client, &session);
            plan.was_sent(order_id(n));
        }
        "void" => {
            let n = number(of);
            plan.waiting.remove_change(order_id(n), &id(n).replace(1));
        }
        "full" => plan.executed(order(), Quantity::new(5).unwrap()),
        "half" => plan.executed(order(), Quantity::new(2).unwrap()),
        "end" => plan.ended(order()),
        "doubt" => plan.in_doubt(order()),
        "queued" => plan.cancel_queued(order()),
        "on" => activated(plan, "2026-11-20"),
        "next" => activated(plan, "2026-11-23"),
        "halt" => halted(plan, scope(of)),
        "close" => market(plan, of.parse().unwrap(), MarketPhase::Closed),
        "preclose" => market(plan, of.parse().unwrap(), MarketPhase::PreClose),
        "ready" => session(plan, line, true),
        "down" => session(plan, line, false),
        "live" => plan.go_live(&HashSet::from([SESSION.to_owned()]), "fence 1"),
        "lost" => plan.go_live(&HashSet::new(), "fence 1"),
        "resume" => {
            let (requested_by, approved_by) = (by.clone(), by);
            let resumed = NewOrdersResumed {
                request_id,
                scope: scope(of),
                reason,
                requested_by,
                approved_by,
            };
            told(plan, PlatformEvent::NewOrdersResumed(resumed));
        }
        "hand" => {
            let requested = HandbackRequested {
                request_id,
                epoch,
                reason,
                by,
            };
            told(plan, PlatformEvent::HandbackRequested(requested));
        }
        "drain" => {
            let approved = HandbackApproved {
                request_id,
                epoch,
                by,
            };
            told(plan, PlatformEvent::HandbackApproved(approved));
        }
        "handed" => {
            let package = HandbackPackage {
                positions: 0,
                orders: 0,
                executions: 0,
                net_digest: String::new(),
                last_position: 0,
            };
            let completed = HandbackCompleted {
                request_id,
                epoch,
                package,
                by,
            };
            told(plan, PlatformEvent::HandbackCompleted(completed));
        }
        "off" => {
            let stood_down = PlatformStoodDown {
                epoch,
                reason,
                by: None,
                request_id: None,
            };
            told(plan, PlatformEvent::PlatformStoodDown(stood_down));
        }
        order => match order.split_at(1) {
            ("+", n) => placed(plan, line, number(n)),
            ("-", n) => cancelled(plan, line, number(n)),
            ("~", n) => changed(plan, line, number(n)),
            _ => panic!("{word}"),
        },
    }
}

fn contract() -> Contract {
    Contract {
        trading_date: date(),
        venue: Venue::Nse,
        segment: Segment::Derivatives,
        symbol: key().symbol,
        kind: InstrumentKind::IndexFuture,
        expiry: None,
        strike: None,
        option_type: None,
        lot: Quantity::new(5).unwrap(),
        tick: Price(5),
        freeze: Quantity::new(500).unwrap(),
        band_low: Price(100),
        band_high: Price(1_000),
        reference_price: Price(500),
        reference_at: Timestamp(0),
        price_protection: Price(50),
        protection_range: None,
        restriction: None,
        version: String::new(),
    }
}

/// `+1`, `-1`, `~1`: the order, its cancel, its replace.
fn named(word: &str) -> ClOrdId {
    let (sign, n) = word.split_at(1);
    let id = id(n.parse().unwrap());
    match sign {
        "+" => id,
        "-" => id.cancel(1),
        _ => id.replace(1),
    }
}

fn ids(words: &str) -> Vec<ClOrdId> {
    words.split_whitespace().map(named).collect()
}

/// Each line: the log; what goes, in its order; what is told of what does not.
const LINES: &[(&str, &str, &str)] = &[
    ("on, +1, +2, live, +3", "+1 +2 +3", ""),
    // Overtaken, before the log's end is read and after.
    ("on, +1, +2, -1, live", "+2", "+1"),
    ("on, live, +1, +2, -1", "+2", "+1"),
    ("on, +1, -1, live, -1", "", "+1"),
    ("on, live, +1, -1, -1", "", "+1"),
    // Known as sent: its cancel goes, it does not, and is not taken for dropped.
    ("on, +1, -1, sent 1, live", "-1", ""),
    ("on, +1, sent 1, -1, live", "-1", ""),
    // Known as ended, by whatever.
    ("on, +1, -1, end 1, live", "", ""),
    ("on, +1, end 1, +2, live", "+2", ""),
    ("on, live, +1, end 1", "", ""),
    // An activation that is over.
    ("on, +1, off, live", "", "+1"),
    ("on, +1, off, on, live", "", "+1"),
    ("on, live, +1, off", "", "+1"),
    ("on, live, off, +1", "", "+1"),
    ("on, live, off, +1, -1", "", "+1"),
    ("on, +1, sent 1, off, -1, live", "-1", ""),
    ("on, live, off, -1", "-1", ""),
    // What was accepted before a hand-back is sent until that is done.
    ("on, +1, hand, live, +2", "+1 +2", ""),
    ("on, live, hand, drain, +1", "+1", ""),
    ("on, live, +1, hand, drain, handed", "", "+1"),
    // Cancels go first, whatever waits on the position.
    ("on, live, +1, sent 1, +2, -1", "-1 +2", ""),
    // Replaces go in the log's order, and not without their order.
    ("on, +1, ~1, +2, live", "+1 ~1 +2", ""),
    ("on, +1, sent 1, ~1, live", "~1", ""),
    ("on, +1, ~1, end 1, live", "", ""),
    ("on, +1, sent 1, ~1, full 1, live", "", ""),
    ("on, +1, sent 1, ~1, half 1, live", "~1", ""),
    ("on, +1, -1, ~1, live", "", "+1"),
    ("on, live, +1, -1, ~1", "", "+1"),
    // A cancel that waits for a replace's answer does not wait for one that was never sent.
    ("on, +1, sent 1, ~1, queued 1, live", "", "~1"),
    ("on, +1, sent 1, live, ~1, queued 1", "", "~1"),
    ("on, +1, sent 1, live, ~1, queued 1, -1", "-1", "~1"),
    ("on, live, +1, ~1, queued 1", "", "+1"),
    // Nor does one that is asked for all the same: it goes before all else.
    ("on, +1, sent 1, live, ~1, -1", "-1", "~1"),
    ("on, +1, sent 1, ~1, -1, live", "-1", "~1"),
    ("on, +1, ~1, queued 1, live", "", "+1"),
    ("on, +1, sent 1, live, ~1, off", "", "~1"),
    ("on, +1, sent 1, off, ~1, live", "", "~1"),
    // The kill switch: new orders and replaces stop, cancels go. It holds for what waited under it, though it is taken back.
    ("listed, on, +1, halt all, live", "", "+1"),
    ("listed, on, live, +1, halt FO", "", "+1"),
    ("listed, on, live, halt FO, +1", "", "+1"),
    ("listed, on, live, halt CM, +1, halt BSE", "+1", ""),
    ("on, live, +1, halt CM", "", "+1"),
    ("listed, on, live, halt FO, resume FO, +1", "+1", ""),
    ("listed, on, +1, halt FO, resume FO, +2, live", "+2", "+1"),
    ("listed, on, halt FO, +1, resume FO, live", "", "+1"),
    ("listed, on, +1, sent 1, halt FO, -1, live", "-1", ""),
    ("listed, on, +1, sent 1, live, ~1, halt FO", "", "~1"),
    (
        "listed, on, +1, sent 1, halt FO, ~1, resume FO, live",
        "",
        "~1",
    ),
    // The market has closed: nothing new goes.
    ("listed, on, live, +1, close FO", "", "+1"),
    ("listed, on, +1, close FO, live", "", "+1"),
    ("listed, on, live, close FO, +1", "", "+1"),
    ("listed, on, live, close CM, +1, preclose FO", "+1", ""),
    ("listed, on, +1, sent 1, -1, close FO, live", "-1", ""),
    // A doubt, told before or for want of a journal: not sent again, but cancelled.
    ("on, +1, doubt 1, -1, live", "-1", ""),
    ("on, ready, +1, -1, +2, down, +3, lost", "-1 +3", "+1 +2"),
    ("on, +1, lost", "+1", ""),
    ("on, ready, +1, sent 1, ~1, down, lost", "~1", ""),
    ("on, ready, +1, down, off, lost", "", "+1"),
    ("on, ready, +1, down, live", "+1", ""),
];

#[test]
fn what_goes_and_what_is_dropped() {
    for (log, goes, dropped) in LINES {
        let mut plan = plan();
        for (line, word) in (1..).zip(log.split(", ")) {
            tell(&mut plan, line, word);
        }
        let waiting = std::iter::from_fn(|| plan.waiting.pop(0));
        let waiting = waiting.map(|message| message.id().parse::<ClOrdId>().unwrap());
        assert_eq!(Vec::from_iter(waiting), ids(goes), "{log}");
        let told = Vec::from_iter(plan.told.into_iter().map(|told| told.cl_ord_id));
        assert_eq!(told, ids(dropped), "{log}");
    }
}

#[test]
fn what_becomes_of_an_order_is_told_as_it_is() {
    for (log, tells) in [
        ("on, +1, off, live", "DroppedUnsent"),
        ("on, +1, sent 1, ~1, queued 1, live", "NotDelivered"),
        ("on, ready, +1, down, lost", "InDoubt"),
    ] {
        let mut plan = plan();
        for (line, word) in (1..).zip(log.split(", ")) {
            tell(&mut plan, line, word);
        }
        let report = format!("{:?}", plan.told[0].report);
        assert!(report.starts_with(tells), "{log}: {report}");
    }
}

/// Each line: the log, and whether the position is to be told that its market has closed.
#[test]
fn positions_learn_that_their_market_has_closed() {
    for (log, over) in [
        ("listed, on, +1, sent 1, close FO, live", true),
        ("listed, on, +1, sent 1, live, close FO", true),
        ("listed, on, +1, sent 1, live, preclose FO", false),
        ("listed, on, +1, sent 1, live, close CM", false),
        ("on, +1, sent 1, live, close FO", false),
        // Another day has begun, whatever is known of the markets.
        ("on, +1, sent 1, next, live", true),
        ("on, +1, sent 1, live, off, next", true),
        // Nothing of it may still fill.
        ("listed, on, +1, sent 1, full 1, close FO, live", false),
        ("listed, on, +1, sent 1, end 1, close FO, live", false),
        ("listed, on, +1, sent 1, half 1, close FO, live", true),
    ] {
        let mut plan = plan();
        for (line, word) in (1..).zip(log.split(", ")) {
            tell(&mut plan, line, word);
        }
        assert_eq!(!plan.over.is_empty(), over, "{log}");
    }
}

mod crash;
