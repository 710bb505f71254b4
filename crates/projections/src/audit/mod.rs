//! The audit trail: who did what, in the order of the log. Added to, never changed.
//!
//! What people asked is told apart from what exchange and gateway told, so that "who did what" need not wade through facts. What every
//! order and every line of the book has alike is left to other tables and the log ([`is_kept`]): it would be nearly all of the rows, and
//! none of it says who did what. So the reports of executions are the trades as first told, and the rows here with an execution key.

mod kind;
mod query;

pub use kind::{AuditKind, kind_of};
pub use query::{
    AuditFilter, AuditRow, ExecutionFilter, ExecutionRow, audit, audit_event, executions,
};

use crate::approvals::FoldedApproval;
use crate::cell::table_row;
use crate::fold::FoldedPosition;
use crate::units::{instant, position as log_position, units};
use kind::{is_kept, is_timeline};
use squareoff_domain::approval::{ApprovalEvent, ApprovalOrder};
use squareoff_domain::position::PositionEvent;
use squareoff_domain::{Event, ExecutionKey, PositionKey, Price, Quantity, Side, describe};
use squareoff_store::StoredEvent;
use std::sync::Arc;
use time::OffsetDateTime;
use uuid::Uuid;

table_row! {
    /// A row of `audit` on its way in; see [`AuditRow`].
    pub(crate) struct Entry in "audit" {
        pub position: i64,
        pub kind: &'static str,
        pub event_type: Arc<str>,
        pub timeline: bool,
        pub occurred_at: OffsetDateTime,
        pub recorded_at: OffsetDateTime,
        pub actor: Arc<str>,
        pub stream: Arc<str>,
        pub client_code: Option<String>,
        pub order_id: Option<Uuid>,
        pub request_id: Option<Uuid>,
        pub correlation_id: Option<Uuid>,
        pub execution_key: Option<String>,
        pub side: Option<&'static str>,
        pub quantity: Option<i64>,
        pub price: Option<i64>,
        pub summary: String,
    }
}

/// What the audit trail says of an event, if anything; `position` and `approval` are its stream folded with it, where that is one of theirs.
pub(crate) fn entry(
    stored: &StoredEvent,
    event: &Event,
    position: Option<&FoldedPosition>,
    approval: Option<&FoldedApproval>,
) -> Option<Entry> {
    let execution = execution_of(event);
    let in_trades = || {
        let (folded, execution) = position.zip(execution)?;
        Some(folded.is_first_told(execution.key))
    };
    if !is_kept(event) || in_trades() == Some(true) {
        return None;
    }
    let kind = kind_of(event);
    let position = position.map(|folded| &folded.key);
    let asked = Some(stored.request_id).filter(|id| kind != AuditKind::Fact && !id.is_nil());
    Some(Entry {
        position: log_position(stored.position),
        kind: kind.as_str(),
        event_type: stored.event_type.clone(),
        timeline: is_timeline(event),
        occurred_at: instant(stored.occurred_at),
        recorded_at: instant(stored.recorded_at),
        actor: stored.actor.clone(),
        stream: stored.stream.clone(),
        client_code: client_of(event, position, approval).map(str::to_owned),
        order_id: match event {
            Event::Position(event) => event.order_id().map(|order| order.0),
            Event::Approval(event) => approved_order(event),
            Event::Bulk(_)
            | Event::Client(_)
            | Event::Contract(_)
            | Event::Person(_)
            | Event::Platform(_)
            | Event::Refusal(_)
            | Event::Seal(_)
            | Event::Session(_)
            | Event::Suspense(_) => None,
        },
        request_id: asked,
        correlation_id: Some(stored.correlation_id).filter(|id| !id.is_nil()),
        execution_key: execution.map(|told| told.key.as_str().to_owned()),
        side: execution.and_then(|told| told.side).map(Side::as_str),
        quantity: execution.and_then(|told| told.quantity).map(units),
        price: execution.and_then(|told| told.price).map(|price| price.0),
        summary: describe(event),
    })
}

/// The order that an approval is to change.
fn approved_order(event: &ApprovalEvent) -> Option<Uuid> {
    let ApprovalEvent::ApprovalAsked(asked) = event else {
        return None;
    };
    match asked.order {
        ApprovalOrder::Modify { order_id, .. } => Some(order_id.0),
        ApprovalOrder::SquareOff { .. } => None,
    }
}

fn client_of<'a>(
    event: &'a Event,
    position: Option<&'a PositionKey>,
    approval: Option<&'a FoldedApproval>,
) -> Option<&'a str> {
    use squareoff_domain::refusals::RefusalEvent::RequestRefused;
    use squareoff_domain::suspense::SuspenseEvent;
    match event {
        Event::Approval(_) => approval?.client(),
        Event::Position(_) => position.map(|key| key.client.as_str()),
        Event::Client(event) => Some(event.client().as_str()),
        Event::Refusal(RequestRefused(refused)) => Some(refused.position.as_ref()?.client.as_str()),
        Event::Suspense(SuspenseEvent::SuspenseMatchBegun(begun)) => {
            Some(begun.position.client.as_str())
        }
        Event::Suspense(SuspenseEvent::SuspenseMatched(matched)) => {
            Some(matched.position.client.as_str())
        }
        Event::Suspense(
            SuspenseEvent::ReportSuspended(_)
            | SuspenseEvent::SuspenseDismissed(_)
            | SuspenseEvent::SuspenseContradicted(_),
        )
        | Event::Bulk(_)
        | Event::Contract(_)
        | Event::Person(_)
        | Event::Platform(_)
        | Event::Seal(_)
        | Event::Session(_) => None,
    }
}

/// What a report of an execution said.
#[derive(Clone, Copy)]
struct Reported<'a> {
    key: &'a ExecutionKey,
    side: Option<Side>,
    quantity: Option<Quantity>,
    price: Option<Price>,
}

fn execution_of(event: &Event) -> Option<Reported<'_>> {
    let Event::Position(event) = event else {
        return None;
    };
    let told = |key, side, quantity, price| {
        Some(Reported {
            key,
            side,
            quantity: Some(quantity),
            price: Some(price),
        })
    };
    match event {
        PositionEvent::Executed(event) => told(
            &event.execution,
            Some(event.side),
            event.quantity,
            event.price,
        ),
        PositionEvent::PrimaryTradeApplied(event) => told(
            &event.execution,
            Some(event.side),
            event.quantity,
            event.price,
        ),
        PositionEvent::TradeConfirmed(event) => told(
            &event.execution,
            Some(event.side),
            event.quantity,
            event.price,
        ),
        PositionEvent::ExecutionConflicted(event) => {
            told(&event.execution, None, event.quantity, event.price)
        }
        PositionEvent::ExecutionCorrected(event) => {
            told(&event.execution, None, event.quantity, event.price)
        }
        PositionEvent::ExecutionBusted(event) => Some(Reported {
            key: &event.execution,
            side: None,
            quantity: None,
            price: None,
        }),
        PositionEvent::BodLoaded(_)
        | PositionEvent::BodContradicted(_)
        | PositionEvent::ExternalOrderObserved(_)
        | PositionEvent::ExternalOrderUpdated(_)
        | PositionEvent::SquareOffAccepted(_)
        | PositionEvent::OrderPlaced(_)
        | PositionEvent::OrderDispatched(_)
        | PositionEvent::OrderAcknowledged(_)
        | PositionEvent::OrderFrozen(_)
        | PositionEvent::OrderRejected(_)
        | PositionEvent::OverfillDetected(_)
        | PositionEvent::CancelRequested(_)
        | PositionEvent::CancelQueued(_)
        | PositionEvent::CancelRejected(_)
        | PositionEvent::CancelNotDelivered(_)
        | PositionEvent::ReplaceRequested(_)
        | PositionEvent::OrderReplaced(_)
        | PositionEvent::ReplaceRejected(_)
        | PositionEvent::ReplaceNotDelivered(_)
        | PositionEvent::OrderCanceled(_)
        | PositionEvent::OrderExpired(_)
        | PositionEvent::OrderNotDelivered(_)
        | PositionEvent::OrderInDoubt(_)
        | PositionEvent::InDoubtResolved(_)
        | PositionEvent::ExposureBreached(_)
        | PositionEvent::PositionFrozen(_)
        | PositionEvent::PositionUnfrozen(_)
        | PositionEvent::PositionHandedBack(_)
        | PositionEvent::ReportContradicted(_)
        | PositionEvent::UnknownOrderReported(_) => None,
    }
}
