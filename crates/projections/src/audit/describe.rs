//! An event in words, one line: for the audit trail, the incident's story and whoever replays the log. Pure; prices in rupees.
//!
//! Client, instrument, time and actor are not repeated: they stand beside it.

use squareoff_domain::bulk::{BulkEvent, BulkFilter, BulkOutcome};
use squareoff_domain::platform::{HaltScope, PlatformEvent};
use squareoff_domain::position::{
    CanceledBy, ExpiredBy, Outcome, PositionEvent, PricePolicy, RequestedCancel, Scope,
    SquareOffAccepted, TimeInForce, Wanted,
};
use squareoff_domain::reference::{ClientEvent, ContractEvent};
use squareoff_domain::refusals::RefusalEvent;
use squareoff_domain::session::SessionEvent;
use squareoff_domain::suspense::SuspenseEvent;
use squareoff_domain::{Event, Price, Side};

/// The event in words.
pub fn describe(event: &Event) -> String {
    match event {
        Event::Bulk(event) => bulk(event),
        Event::Client(ClientEvent::ClientRegistered(registered)) => {
            let client = &registered.client;
            format!(
                "client {} ({}, branch {}) was loaded",
                client.client, client.category, client.branch
            )
        }
        Event::Contract(ContractEvent::ContractListed(listed)) => {
            let contract = &listed.contract;
            format!(
                "{}:{} was listed with reference price {}",
                contract.venue, contract.symbol, contract.reference_price
            )
        }
        Event::Platform(event) => platform(event),
        Event::Position(event) => position(event),
        Event::Refusal(RefusalEvent::RequestRefused(refused)) => {
            format!("{} was refused: {}", refused.what, refused.detail)
        }
        Event::Session(event) => session(event),
        Event::Suspense(event) => suspense(event),
    }
}

fn position(event: &PositionEvent) -> String {
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

/// Where a word about the kill switch is true.
fn within(scope: HaltScope) -> String {
    match scope {
        HaltScope::All => "everywhere".to_owned(),
        HaltScope::Venue(_) | HaltScope::Segment { .. } => format!("in {scope}"),
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

fn platform(event: &PlatformEvent) -> String {
    match event {
        PlatformEvent::ActivationRequested(event) => {
            format!(
                "asked to activate the platform for {}: {}",
                event.trading_date, event.reason
            )
        }
        PlatformEvent::ActivationApproved(_) => "approved the activation".to_owned(),
        PlatformEvent::ActivationRejected(event) => {
            format!("rejected the activation: {}", event.reason)
        }
        PlatformEvent::LoadingStarted(_) => "began to load the day's positions".to_owned(),
        PlatformEvent::PlatformActivated(event) => {
            format!(
                "activated the platform for {}, epoch {}: {}",
                event.trading_date, event.epoch, event.reason
            )
        }
        PlatformEvent::PlatformStoodDown(event) => {
            format!(
                "stood the platform down, epoch {}: {}",
                event.epoch, event.reason
            )
        }
        PlatformEvent::HandbackRequested(event) => {
            format!(
                "asked to hand the positions back, epoch {}: {}",
                event.epoch, event.reason
            )
        }
        PlatformEvent::HandbackRejected(event) => {
            format!("rejected the hand-back: {}", event.reason)
        }
        PlatformEvent::HandbackApproved(_) => {
            "approved the hand-back; nothing new begins".to_owned()
        }
        PlatformEvent::HandbackCompleted(event) => {
            let package = &event.package;
            format!(
                "handed back {} positions, {} orders and {} executions, net digest {}",
                package.positions, package.orders, package.executions, package.net_digest
            )
        }
        PlatformEvent::NewOrdersHalted(event) => {
            format!(
                "halted new orders {}: {}",
                within(event.scope),
                event.reason
            )
        }
        PlatformEvent::ResumeRequested(event) => {
            format!(
                "asked to resume orders {}: {}",
                within(event.scope),
                event.reason
            )
        }
        PlatformEvent::ResumeRejected(event) => {
            format!(
                "rejected resuming orders {}: {}",
                within(event.scope),
                event.reason
            )
        }
        PlatformEvent::NewOrdersResumed(event) => format!(
            "approved what {} had asked: orders {} go on",
            event.requested_by,
            within(event.scope)
        ),
        PlatformEvent::CancelAllRequested(event) => {
            format!(
                "asked to cancel every order {}: {}",
                within(event.scope),
                event.reason
            )
        }
        PlatformEvent::CancelAllOrdered(event) => format!(
            "approved what {} had asked: every order {} is cancelled",
            event.requested_by,
            within(event.scope)
        ),
        PlatformEvent::CancelAllRejected(event) => {
            format!("rejected cancelling every order: {}", event.reason)
        }
        PlatformEvent::MarketPhaseChanged(event) => format!(
            "{}/{} is {} on {} ({})",
            event.venue, event.segment, event.phase, event.trading_date, event.source
        ),
    }
}

fn bulk(event: &BulkEvent) -> String {
    match event {
        BulkEvent::BulkProposed(event) => format!(
            "proposed to square off {} positions ({}), {} rupees, {} messages in {} s: {}",
            event.items,
            filter(&event.filter),
            Price(i64::try_from(event.notional).unwrap_or(i64::MAX)),
            event.messages,
            event.estimated_seconds,
            event.reason
        ),
        BulkEvent::BulkItemsListed(event) => {
            format!(
                "listed {} positions from number {}",
                event.items.len(),
                event.first
            )
        }
        BulkEvent::BulkApproved(_) => "approved the bulk".to_owned(),
        BulkEvent::BulkRejected(event) => format!("rejected the bulk: {}", event.reason),
        BulkEvent::BulkPaused(event) => format!("paused the bulk: {}", event.reason),
        BulkEvent::BulkResumed(_) => "resumed the bulk".to_owned(),
        BulkEvent::BulkAborted(event) => format!("aborted the bulk: {}", event.reason),
        BulkEvent::BulkPhaseEntered(event) => {
            format!("the bulk goes on to {}", event.phase.as_str())
        }
        BulkEvent::BulkCancelsDone(event) => {
            format!("no order works any more on {} positions", event.items.len())
        }
        BulkEvent::BulkItemsSettled(event) => {
            let closed = |outcome: &BulkOutcome| match outcome {
                BulkOutcome::Closed { .. } | BulkOutcome::NothingToDo => true,
                BulkOutcome::Refused { .. } | BulkOutcome::Failed { .. } | BulkOutcome::Skipped => {
                    false
                }
            };
            let (all, flat) = (event.outcomes.len(), event.outcomes.iter());
            let flat = flat.filter(|(_, outcome)| closed(outcome)).count();
            format!("settled {all} positions, {flat} of them flat")
        }
        BulkEvent::BulkCompleted(event) => format!(
            "the bulk is complete: {} closed, {} had nothing to do, {} refused, {} failed",
            event.closed, event.nothing_to_do, event.refused, event.failed
        ),
    }
}

/// `client C00001, FO, expiring 2026-11-26`; `all` without any part.
fn filter(filter: &BulkFilter) -> String {
    let parts = [
        filter
            .client
            .as_ref()
            .map(|client| format!("client {client}")),
        filter.venue.map(|venue| venue.to_string()),
        filter.symbol.as_ref().map(|symbol| symbol.to_string()),
        filter.product.map(|product| product.to_string()),
        filter.segment.map(|segment| segment.to_string()),
        filter.expiry.map(|expiry| format!("expiring {expiry}")),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        "all".to_owned()
    } else {
        parts.join(", ")
    }
}

fn session(event: &SessionEvent) -> String {
    match event {
        SessionEvent::SessionClaimed(event) => {
            format!(
                "a gateway took the session with {} over, fence {}",
                event.venue, event.fence
            )
        }
        SessionEvent::SessionReady(event) => format!("the session with {} is ready", event.venue),
        SessionEvent::SessionDown(event) => {
            format!("the session with {} is down: {}", event.venue, event.reason)
        }
    }
}

fn suspense(event: &SuspenseEvent) -> String {
    match event {
        SuspenseEvent::ReportSuspended(report) => {
            format!(
                "a report of {} fits nothing: {}",
                report.venue, report.reason
            )
        }
        SuspenseEvent::SuspenseMatched(matched) => format!(
            "report {} belongs to {}: {}",
            matched.report_key,
            matched.position.stream(),
            matched.reason
        ),
        SuspenseEvent::SuspenseDismissed(dismissed) => format!(
            "report {} is no trade of ours: {}",
            dismissed.report_key, dismissed.reason
        ),
        SuspenseEvent::SuspenseContradicted(told) => format!(
            "the primary has report {} in {} ({}); what was settled stands",
            told.report_key,
            told.position.stream(),
            told.source
        ),
    }
}
