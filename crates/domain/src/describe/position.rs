//! What became of a position, in words.

use crate::Side;
use crate::position::{
    CanceledBy, ExpiredBy, Outcome, PositionEvent, PricePolicy, RequestedCancel, Scope,
    SquareOffAccepted, TimeInForce, Wanted,
};

pub(super) fn position(event: &PositionEvent) -> String {
    match event {
        PositionEvent::BodLoaded(loaded) => format!(
            "opened the day with {} at {} ({})",
            loaded.quantity, loaded.average_price, loaded.source
        ),
        PositionEvent::BodContradicted(told) => format!(
            "a second file says {} at {} ({}); the first stands",
            told.quantity, told.average_price, told.source
        ),
        PositionEvent::PrimaryTradeApplied(trade) => format!(
            "the primary traded: {} {} at {}, {}",
            verb(trade.side),
            trade.quantity,
            trade.price,
            trade.execution
        ),
        PositionEvent::ExternalOrderObserved(order) => format!(
            "an order of the primary works: {} {} at {}, {} filled",
            verb(order.side),
            order.quantity,
            order.price,
            order.cumulative
        ),
        PositionEvent::ExternalOrderUpdated(order) => {
            format!("the primary's order has {} filled", order.cumulative)
        }
        PositionEvent::SquareOffAccepted(accepted) => square_off(accepted),
        PositionEvent::OrderPlaced(order) => format!(
            "placed order {} of {}: {} {} at {}",
            order.slice,
            order.slices,
            verb(order.side),
            order.quantity,
            order.price
        ),
        PositionEvent::OrderDispatched(sent) => {
            format!("sent as message {} of {}", sent.sequence, sent.session)
        }
        PositionEvent::OrderAcknowledged(told) => {
            format!("the exchange took the order as {}", told.exchange_order_id)
        }
        PositionEvent::OrderFrozen(told) => {
            let why = match told.text.as_str() {
                "" => String::new(),
                text => format!(": {text}"),
            };
            format!("the exchange holds the order for its control{why}")
        }
        PositionEvent::OrderRejected(told) => {
            format!(
                "the exchange rejected the order: {} ({})",
                told.text, told.code
            )
        }
        PositionEvent::Executed(told) => {
            let late = if told.late {
                ", after the order had ended"
            } else {
                ""
            };
            format!(
                "{} {} at {}, {}{late}",
                done(told.side),
                told.quantity,
                told.price,
                told.execution
            )
        }
        PositionEvent::ExecutionConflicted(told) => format!(
            "{} came again with {} at {}; what was booked stands",
            told.execution, told.quantity, told.price
        ),
        PositionEvent::ExecutionBusted(told) => {
            format!("the exchange took {} back", told.execution)
        }
        PositionEvent::ExecutionCorrected(told) => format!(
            "the exchange corrected {} to {} at {}",
            told.execution, told.quantity, told.price
        ),
        PositionEvent::TradeConfirmed(told) => format!(
            "the drop copy says {} {} at {}, {}",
            done(told.side),
            told.quantity,
            told.price,
            told.execution
        ),
        PositionEvent::OverfillDetected(told) => {
            format!("the exchange filled {} more than was ordered", told.excess)
        }
        PositionEvent::CancelRequested(cancel) => {
            format!("{} to cancel the order", who(cancel.asked))
        }
        PositionEvent::CancelQueued(cancel) => format!(
            "{} to cancel the order as soon as its change is answered",
            who(cancel.asked)
        ),
        PositionEvent::CancelRejected(told) => {
            format!(
                "the exchange rejected the cancel: {} ({})",
                told.text, told.code
            )
        }
        PositionEvent::CancelNotDelivered(_) => "the cancel never reached the exchange".to_owned(),
        PositionEvent::ReplaceRequested(change) => format!(
            "asked to change the order to {} at {}",
            change.quantity, change.price
        ),
        PositionEvent::OrderReplaced(told) => format!(
            "the exchange changed the order to {} at {}",
            told.quantity, told.price
        ),
        PositionEvent::ReplaceRejected(told) => {
            format!(
                "the exchange rejected the change: {} ({})",
                told.text, told.code
            )
        }
        PositionEvent::ReplaceNotDelivered(_) => "the change never reached the exchange".to_owned(),
        PositionEvent::OrderCanceled(told) => match told.by {
            CanceledBy::Venue => "the exchange cancelled the order",
            CanceledBy::GatewayUnsent => "the order was dropped before it was sent",
            CanceledBy::Primary => "the primary says that its order has ended",
        }
        .to_owned(),
        PositionEvent::OrderExpired(told) => match told.by {
            ExpiredBy::Venue => "the order expired",
            ExpiredBy::SessionEnd => "the order expired with its market's close",
        }
        .to_owned(),
        PositionEvent::OrderNotDelivered(_) => "the order never reached the exchange".to_owned(),
        PositionEvent::OrderInDoubt(told) => {
            format!(
                "whether the exchange has the order is in doubt: {}",
                told.reason
            )
        }
        PositionEvent::InDoubtResolved(told) => {
            let outcome = match told.outcome {
                Outcome::Delivered => "the exchange has the order",
                Outcome::NotDelivered => "the order never reached the exchange",
            };
            format!("the doubt is over, {outcome}: {}", told.reason)
        }
        PositionEvent::ExposureBreached(told) => format!(
            "{} more works than is open; our newest orders are cancelled",
            told.excess
        ),
        PositionEvent::PositionFrozen(frozen) => {
            format!("the position was frozen: {}", frozen.reason)
        }
        PositionEvent::PositionUnfrozen(unfrozen) => {
            format!("the position was unfrozen: {}", unfrozen.reason)
        }
        PositionEvent::PositionHandedBack(handed) => format!(
            "handed back to the primary with {} after {} executions, epoch {}",
            handed.net, handed.executions, handed.epoch
        ),
        PositionEvent::ReportContradicted(_) => {
            "a report contradicts what the exchange said of the order before".to_owned()
        }
        PositionEvent::UnknownOrderReported(told) => {
            format!("a report names the unknown order {}", told.cl_ord_id)
        }
    }
}

fn square_off(accepted: &SquareOffAccepted) -> String {
    let asked = match accepted.terms.quantity {
        Wanted::All => "all".to_owned(),
        Wanted::Units(units) => units.to_string(),
    };
    let price = match accepted.terms.price {
        PricePolicy::MarketableLimit => "at a marketable limit".to_owned(),
        PricePolicy::Limit(price) => format!("at {price} or better"),
    };
    let time_in_force = match accepted.terms.time_in_force {
        TimeInForce::Day => "",
        TimeInForce::ImmediateOrCancel => ", immediate or cancel",
    };
    let evidence = match &accepted.terms.evidence {
        Some(evidence) => format!(", on {evidence}"),
        None => String::new(),
    };
    format!(
        "asked to square off {asked}: {} {} {price}{time_in_force} in {}{evidence}",
        verb(accepted.side),
        accepted.quantity,
        counted(accepted.slices, "order")
    )
}

/// "1 order", "2 orders".
fn counted(count: impl Into<u64>, thing: &str) -> String {
    match count.into() {
        1 => format!("1 {thing}"),
        count => format!("{count} {thing}s"),
    }
}

const fn verb(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

const fn done(side: Side) -> &'static str {
    match side {
        Side::Buy => "bought",
        Side::Sell => "sold",
    }
}

const fn who(asked: RequestedCancel) -> &'static str {
    match asked {
        Some((_, Scope::ThisOrder)) => "asked",
        Some((_, Scope::EveryOrder)) => "asked, with every order of the position,",
        None => "a rule wants",
    }
}
