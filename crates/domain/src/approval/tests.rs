//! People and the outside on one approval, as a table; and what a request is worth.

use super::*;
use crate::amount::{NetQuantity, Price, Quantity};
use crate::id::{OrderId, RequestId};
use crate::platform::Platform;
use crate::position::{
    self, BodLoaded, Change, Context, OrderAcknowledged, Position, PositionEvent, PricePolicy,
    Request, SquareOffTerms, TimeInForce, Wanted, sample,
};

const EPOCH: u32 = 7;
const ID: ApprovalId = ApprovalId(Uuid::from_u128(7));

fn terms(quantity: Wanted, price: PricePolicy) -> SquareOffTerms {
    SquareOffTerms {
        quantity,
        price,
        time_in_force: TimeInForce::Day,
        evidence: None,
    }
}

fn asked() -> ApprovalAsked {
    ApprovalAsked {
        approval_id: ID,
        request_id: RequestId(ID.0),
        key: sample::key(),
        order: ApprovalOrder::SquareOff {
            terms: terms(Wanted::All, PricePolicy::MarketableLimit),
        },
        quantity: Quantity::new(40).unwrap(),
        price: Price(1_000_000),
        notional: 40_000_000,
        limit: 10_000_000,
        epoch: EPOCH,
        asked_by: "asha".into(),
    }
}

/// One line: who does what under which request in which epoch, and what comes of it.
fn play(approval: Approval, line: &str) -> (Approval, String) {
    let words: Vec<_> = line.split(' ').collect();
    let by = words[0].to_owned();
    let number = |text: &str| text.parse::<u128>().unwrap();
    let epoch = words
        .last()
        .and_then(|word| word.strip_prefix("in:")?.parse().ok());
    let request = |ask| ApprovalRequest {
        request_id: RequestId(Uuid::from_u128(number(words[2]))),
        by: by.clone(),
        ask,
    };
    let epoch = epoch.map_or(Some(EPOCH), |epoch| (epoch != 0).then_some(epoch));
    let events = match words[1] {
        "asks" => ask(
            &approval,
            ApprovalAsked {
                asked_by: by.clone(),
                ..asked()
            },
        ),
        "approves" => decide(&approval, request(ApprovalAsk::Approve), epoch),
        "refuses" => {
            let reason = "no".to_owned();
            decide(&approval, request(ApprovalAsk::Refuse { reason }), epoch)
        }
        "withdraws" => decide(&approval, request(ApprovalAsk::Withdraw), epoch),
        "lapses" => Ok(record(&approval, ApprovalReport::EpochInForce { epoch })),
        "orders" => {
            let request_id = ID.order_request();
            let outcome = ApprovalOutcome::Ordered { request_id };
            Ok(record(&approval, ApprovalReport::Concluded { outcome }))
        }
        "fails" => {
            let (code, detail) = ("new-orders-halted".to_owned(), "halted".to_owned());
            let outcome = ApprovalOutcome::Refused { code, detail };
            Ok(record(&approval, ApprovalReport::Concluded { outcome }))
        }
        other => panic!("{other}"),
    };
    match events {
        Err(refusal) => (approval, refusal.code().to_owned()),
        Ok(events) if events.is_empty() => (approval, "nothing".to_owned()),
        Ok(events) => {
            let approval = events.iter().fold(approval, evolve);
            let status = approval.status.as_str().to_owned();
            (approval, status)
        }
    }
}

#[test]
fn an_approval_is_answered_once_by_another_person_in_its_epoch() {
    for story in [
        "asha asks = waiting; asha asks = nothing; ravi asks = idempotency-key-reused; asha approves 1 = own-request; asha refuses 1 = own-request; ravi withdraws 1 = not-the-asker",
        "ravi approves 1 = unknown-approval; venue orders = nothing; epoch lapses in:8 = nothing",
        "asha asks = waiting; ravi approves 1 = approved; ravi approves 1 = nothing; meera approves 1 = idempotency-key-reused; meera approves 2 = approval-in-another-status; asha withdraws 3 = approval-in-another-status; venue orders = ordered; venue orders = nothing; venue fails = nothing; ravi approves 1 = nothing",
        "asha asks = waiting; ravi refuses 1 = refused; ravi refuses 1 = nothing; ravi approves 1 = idempotency-key-reused; ravi approves 2 = approval-in-another-status; venue orders = nothing; asha asks = nothing",
        "asha asks = waiting; asha withdraws 1 = withdrawn; ravi approves 2 = approval-in-another-status",
        // The epoch is over before and after that is recorded; what was approved in time is not lapsed by it.
        "asha asks = waiting; ravi approves 1 in:8 = approval-lapsed; ravi approves 1 in:0 = approval-lapsed; epoch lapses in:7 = nothing; epoch lapses in:0 = lapsed; epoch lapses in:0 = nothing; ravi approves 1 = approval-lapsed; asha withdraws 2 = approval-lapsed",
        "asha asks = waiting; ravi approves 1 = approved; epoch lapses in:8 = nothing; venue fails = not-ordered; venue fails = nothing",
        // That an order stands is a fact, whatever was said before.
        "asha asks = waiting; ravi approves 1 = approved; venue fails = not-ordered; venue orders = ordered",
    ] {
        let mut approval = Approval::default();
        for step in story.split("; ") {
            let (line, expected) = step.split_once(" = ").unwrap();
            let (next, came) = play(approval, line);
            assert_eq!(came, expected, "{line} in {story}");
            approval = next;
        }
    }
}

#[test]
fn a_stream_spells_one_id_in_one_way() {
    assert_eq!(ApprovalId::of_stream(&ID.stream()), Some(ID));
    for other in [
        "platform",
        "approval-",
        "approval-7",
        "bulk-00000000-0000-0000-0000-000000000007",
        "approval-00000000000000000000000000000007",
    ] {
        assert_eq!(ApprovalId::of_stream(other), None, "{other}");
    }
    assert_ne!(ID.order_request(), RequestId(ID.0));
}

fn context(platform: &Platform) -> Context<'_> {
    static CONTRACT: std::sync::LazyLock<crate::Contract> =
        std::sync::LazyLock::new(sample::contract);
    Context {
        platform,
        session_ready: true,
        contract: Some(&CONTRACT),
        now: sample::now(),
        reference_age_max_s: 60,
    }
}

fn open(net: i64) -> Position {
    let bod = PositionEvent::BodLoaded(BodLoaded {
        key: sample::key(),
        quantity: NetQuantity(net),
        average_price: Price(1_000_000),
        source: "test".into(),
    });
    position::evolve(Position::default(), &bod)
}

/// What the request gives, and what it is worth in rupees; the position behind it.
fn tried(position: Position, request: &Request) -> (Position, Option<u64>) {
    let platform = sample::active();
    let events = position::decide(&position, request, &context(&platform)).unwrap();
    let worth = worth(&position, &events, &sample::contract());
    let position = events.iter().fold(position, position::evolve);
    (position, worth.map(|worth| worth.notional / 10_000))
}

#[test]
fn a_square_off_is_worth_its_quantity_at_the_limit_or_the_reference_price() {
    for (quantity, price, rupees) in [
        (Wanted::All, PricePolicy::MarketableLimit, 4_000),
        (Wanted::Units(10), PricePolicy::MarketableLimit, 1_000),
        (
            Wanted::Units(10),
            PricePolicy::Limit(Price(1_050_000)),
            1_050,
        ),
        (Wanted::All, PricePolicy::Limit(Price(950_000)), 3_800),
    ] {
        let request = Request::SquareOff {
            request_id: RequestId(ID.0),
            terms: terms(quantity, price),
        };
        let (_, worth) = tried(open(40), &request);
        assert_eq!(worth, Some(rupees), "{quantity:?} {price:?}");
    }
}

#[test]
fn a_change_is_worth_all_orders_of_its_request_and_only_where_it_makes_them_worth_more() {
    let request_id = RequestId(ID.0);
    let square_off = Request::SquareOff {
        request_id,
        terms: terms(Wanted::All, PricePolicy::Limit(Price(1_000_000))),
    };
    // Two orders of 20.
    let (mut position, _) = tried(open(40), &square_off);
    let orders = [0, 1].map(|index| OrderId::of_slice(&sample::key(), request_id, index));
    for (number, order_id) in orders.into_iter().enumerate() {
        let acknowledged = PositionEvent::OrderAcknowledged(OrderAcknowledged {
            order_id,
            exchange_order_id: format!("X{number}").parse().unwrap(),
        });
        position = position::evolve(position, &acknowledged);
    }
    for (price, quantity, worth) in [
        (Some(1_010_000), None, Some(4_020)),
        (Some(990_000), None, None),
        (None, Some(10), None),
        (Some(1_100_000), Some(15), None),
        (Some(1_100_000), Some(20), Some(4_200)),
    ] {
        let change = Change {
            price: price.map(Price),
            quantity,
        };
        let request = Request::Modify {
            request_id: RequestId(Uuid::from_u128(8)),
            order: orders[0],
            change,
        };
        assert_eq!(tried(position.clone(), &request).1, worth, "{change:?}");
    }
}

#[test]
fn never_more_is_ordered_than_was_approved() {
    for (open_now, wanted, ordered) in [
        (40, Wanted::All, Wanted::All),
        (30, Wanted::All, Wanted::All),
        (80, Wanted::All, Wanted::Units(40)),
        (80, Wanted::Units(40), Wanted::Units(40)),
        (30, Wanted::Units(40), Wanted::Units(40)),
    ] {
        let order = ApprovalOrder::SquareOff {
            terms: terms(wanted, PricePolicy::MarketableLimit),
        };
        let asked = ApprovalAsked { order, ..asked() };
        let Request::SquareOff { request_id, terms } = asked.request(&open(open_now)) else {
            panic!("a square-off was asked");
        };
        assert_eq!((request_id, terms.quantity), (ID.order_request(), ordered));
    }
}
