//! What follows when the venue, asked how an order stands, answers (ExecutionReport with ExecType I): compared with what the log says
//! of the order. Pure; called by `inbound`.
//!
//! 1. A fill is never made of it: where what has filled differs, a person has to look, and the drop copy says which trade it is.
//! 2. What the answer proves is taken as the report that was lost would have been: that the order is there, that a replace was
//!    accepted, that the order ended with nothing more filled.
//! 3. What the venue does not know was not delivered, unless it had told of it before.

use crate::index::{Named, Role};
use squareoff_domain::position::{Execution, ExecutionReport, Order, ReplaceState, Report};
use squareoff_domain::{ClOrdId, ExchangeOrderId, Price, Quantity};
use squareoff_fix::message::{self as fix, OrdStatus};

/// OrdRejReason (FIX tag 103): the venue does not know the order.
const REASON_UNKNOWN: u64 = 5;
/// OrderID (37) where there is no order.
const NO_ORDER: &str = "NONE";

/// Whether the answer says that there is no such order.
pub fn is_unknown(answer: &fix::ExecutionReport) -> bool {
    answer.order_id == NO_ORDER
        || (answer.ord_status == OrdStatus::Rejected
            && answer.ord_rej_reason == Some(REASON_UNKNOWN))
}

/// What the answer about the order that `named` names says anew.
pub fn told(answer: &fix::ExecutionReport, named: &Named, order: &Order) -> Vec<Report> {
    let id = order.cl_ord_id.clone();
    if is_unknown(answer) {
        return unknown(id, order);
    }
    let filled = order.filled().units();
    if u64::try_from(answer.cum_qty) != Ok(filled) {
        let reason = format!(
            "order {id}: the venue says that {} have filled, the log {filled}",
            answer.cum_qty
        );
        return differs(id, reason);
    }
    let works = !order.leaves().is_zero();
    let is = |execution| vec![execution_of(answer, named, execution, filled)];
    match answer.ord_status {
        // An answer that is still to come brings its own report.
        OrdStatus::PendingNew => vec![],
        OrdStatus::New
        | OrdStatus::PartiallyFilled
        | OrdStatus::Suspended
        | OrdStatus::Replaced
        | OrdStatus::PendingCancel
        | OrdStatus::PendingReplace
        | OrdStatus::Stopped
        | OrdStatus::Calculated
        | OrdStatus::AcceptedForBidding
            if !works =>
        {
            let reason = format!(
                "order {id}: the venue works {} of it, in the log it is {}",
                answer.leaves_qty,
                order.status().as_str()
            );
            differs(id, reason)
        }
        OrdStatus::Suspended if !order.held && !order.acknowledged => is(Execution::Frozen {
            text: answer.text.clone().unwrap_or_default(),
        }),
        OrdStatus::Suspended => vec![],
        OrdStatus::New
        | OrdStatus::PartiallyFilled
        | OrdStatus::Replaced
        | OrdStatus::PendingCancel
        | OrdStatus::PendingReplace
        | OrdStatus::Stopped
        | OrdStatus::Calculated
        | OrdStatus::AcceptedForBidding => working(answer, named, order),
        OrdStatus::Canceled if works => is(Execution::Canceled),
        OrdStatus::Expired | OrdStatus::DoneForDay if works => is(Execution::Expired),
        OrdStatus::Rejected if works => is(Execution::Rejected {
            code: i64::try_from(answer.ord_rej_reason.unwrap_or_default()).unwrap_or_default(),
            text: answer.text.clone().unwrap_or_default(),
        }),
        OrdStatus::Filled if works => {
            let reason = format!(
                "order {id}: filled for the venue at {filled}, in the log it is {}",
                order.status().as_str()
            );
            differs(id, reason)
        }
        OrdStatus::Canceled
        | OrdStatus::Expired
        | OrdStatus::DoneForDay
        | OrdStatus::Rejected
        | OrdStatus::Filled => vec![],
    }
}

fn unknown(id: ClOrdId, order: &Order) -> Vec<Report> {
    let filled = order.filled();
    let works = !order.leaves().is_zero();
    if !order.acknowledged && !order.held && filled.is_zero() {
        let lost = Report::NotDelivered { cl_ord_id: id };
        return if works { vec![lost] } else { vec![] };
    }
    // It ended, and nothing of it filled: that the venue forgot it changes nothing.
    if !works && filled.is_zero() {
        return vec![];
    }
    let reason = format!(
        "order {id}: the venue does not know it any more, which had told of it; in the log it is {} with {filled} filled",
        order.status().as_str()
    );
    let mut reports = differs(id.clone(), reason.clone());
    if works {
        reports.push(Report::InDoubt {
            cl_ord_id: id,
            reason,
        });
    }
    reports
}

/// The venue works it, and as much has filled as here.
fn working(answer: &fix::ExecutionReport, named: &Named, order: &Order) -> Vec<Report> {
    let replace = order.replaces.get(&named.cl_ord_id);
    let is_answer = replace.is_some_and(|replace| replace.state == ReplaceState::Pending);
    let stands = (
        answer
            .order_qty
            .and_then(quantity)
            .unwrap_or(order.quantity),
        answer.price.map_or(order.price, |price| Price(price.0)),
    );
    let filled = order.filled().units();
    if is_answer {
        let (quantity, price) = stands;
        let replaced = Execution::Replaced { quantity, price };
        return vec![execution_of(answer, named, replaced, filled)];
    }
    if stands != (order.quantity, order.price) {
        let id = order.cl_ord_id.clone();
        let reason = format!(
            "order {id}: the venue has {} at {}, the log {} at {}",
            stands.0, stands.1, order.quantity, order.price
        );
        return differs(id, reason);
    }
    if order.acknowledged && !order.in_doubt {
        return vec![];
    }
    vec![execution_of(answer, named, Execution::New, filled)]
}

fn differs(cl_ord_id: ClOrdId, reason: String) -> Vec<Report> {
    vec![Report::Differs { cl_ord_id, reason }]
}

fn execution_of(
    answer: &fix::ExecutionReport,
    named: &Named,
    execution: Execution,
    filled: u64,
) -> Report {
    let of_replace = matches!(execution, Execution::Replaced { .. });
    let given: Option<ExchangeOrderId> = answer.order_id.parse().ok();
    let cl_ord_id = match named.role {
        Role::Replace | Role::Order if of_replace => named.cl_ord_id.clone(),
        Role::Order | Role::Replace | Role::Cancel => named.order.cl_ord_id.clone(),
    };
    Report::Execution(ExecutionReport {
        cl_ord_id,
        exchange_order_id: given.unwrap_or_else(|| NO_ORDER.parse().expect("printable ASCII")),
        execution,
        cumulative: filled,
        leaves: u64::try_from(answer.leaves_qty).unwrap_or_default(),
    })
}

fn quantity(units: i64) -> Option<Quantity> {
    Quantity::new(u64::try_from(units).ok()?).ok()
}
