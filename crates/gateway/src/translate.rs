//! Between our events and FIX 4.4: what goes out, and what comes in. Pure; what cannot be read as a fact about one of our orders is
//! handed back whole, for the suspense stream: never dropped, never guessed.

use squareoff_domain::position::{CancelRequested, Execution, ExecutionReport, OrderPlaced, Report, TimeInForce};
use squareoff_domain::{ClOrdId, ExchangeOrderId, ExecutionKey, Price, Quantity, Side, Timestamp, TradingDate, Venue};
use squareoff_fix::message::{self as fix, AppMessage, ExecType, OrdType};
use squareoff_fix::{PriceE4, Timestamp as FixTimestamp};

/// OrdRejReason and CxlRejReason "other" (FIX tags 103, 102), for refusals that carry none.
const REASON_OTHER: i64 = 99;

/// NewOrderSingle (35=D). TransactTime (60) is when the order was decided, the same on every repetition.
pub fn new_order(placed: &OrderPlaced, decided_at: Timestamp) -> AppMessage {
    AppMessage::NewOrderSingle(fix::NewOrderSingle {
        cl_ord_id: placed.cl_ord_id.to_string(),
        account: Some(placed.key.client.to_string()),
        symbol: placed.key.symbol.to_string(),
        security_exchange: Some(placed.key.venue.to_string()),
        side: side(placed.side),
        order_qty: units(placed.quantity),
        ord_type: OrdType::Limit,
        price: Some(PriceE4(placed.price.0)),
        time_in_force: Some(match placed.time_in_force {
            TimeInForce::Day => fix::TimeInForce::Day,
            TimeInForce::ImmediateOrCancel => fix::TimeInForce::ImmediateOrCancel,
        }),
        transact_time: FixTimestamp(decided_at.0),
        text: None,
    })
}

/// OrderCancelRequest (35=F).
pub fn cancel(requested: &CancelRequested, decided_at: Timestamp) -> AppMessage {
    AppMessage::OrderCancelRequest(fix::OrderCancelRequest {
        cl_ord_id: requested.cl_ord_id.to_string(),
        orig_cl_ord_id: requested.original_cl_ord_id.to_string(),
        order_id: None,
        account: Some(requested.key.client.to_string()),
        symbol: requested.key.symbol.to_string(),
        security_exchange: Some(requested.key.venue.to_string()),
        side: side(requested.side),
        order_qty: units(requested.quantity),
        transact_time: FixTimestamp(decided_at.0),
    })
}

/// What an ExecutionReport (35=8) about the order `cl_ord_id` says.
///
/// # Errors
/// Why it can't be taken as a fact about the order: it says what we have no name for yet, or holds an impossible value.
pub fn execution(report: &fix::ExecutionReport, cl_ord_id: ClOrdId, venue: Venue, date: TradingDate) -> Result<Option<Report>, String> {
    let execution = match report.exec_type {
        ExecType::New => Execution::New,
        ExecType::Trade => fill(report, venue, date)?,
        ExecType::Canceled => Execution::Canceled,
        ExecType::Rejected => {
            let code = report.ord_rej_reason.and_then(|code| i64::try_from(code).ok()).unwrap_or(REASON_OTHER);
            Execution::Rejected { code, text: report.text.clone().unwrap_or_default() }
        }
        ExecType::Expired | ExecType::DoneForDay => Execution::Expired,
        // They promise an answer that comes as a report of its own, or repeat what is known: no fact is in them.
        ExecType::PendingNew | ExecType::PendingCancel | ExecType::PendingReplace | ExecType::OrderStatus => return Ok(None),
        ExecType::Replaced
        | ExecType::Stopped
        | ExecType::Suspended
        | ExecType::Calculated
        | ExecType::Restated
        | ExecType::TradeCorrect
        | ExecType::TradeCancel => return Err(format!("ExecType {:?} is not understood", report.exec_type)),
    };
    let exchange_order_id: ExchangeOrderId = report.order_id.parse().map_err(|error| format!("OrderID (37): {error}"))?;
    Ok(Some(Report::Execution(ExecutionReport {
        cl_ord_id,
        exchange_order_id,
        execution,
        cumulative: count(report.cum_qty, "CumQty (14)")?,
        leaves: count(report.leaves_qty, "LeavesQty (151)")?,
    })))
}

fn fill(report: &fix::ExecutionReport, venue: Venue, date: TradingDate) -> Result<Execution, String> {
    let last_qty = report.last_qty.ok_or("a trade without LastQty (32)")?;
    let quantity = Quantity::new(count(last_qty, "LastQty (32)")?).map_err(|error| format!("LastQty (32): {error}"))?;
    if quantity.is_zero() {
        return Err("a trade of zero units".into());
    }
    let price = report.last_px.ok_or("a trade without LastPx (31)")?;
    let key = ExecutionKey::new(venue, date, &report.exec_id).map_err(|error| format!("ExecID (17): {error}"))?;
    Ok(Execution::Fill { key, quantity, price: Price(price.0) })
}

/// What an OrderCancelReject (35=9) says; its ClOrdID is the cancel's.
pub fn cancel_rejected(reject: &fix::OrderCancelReject, cl_ord_id: ClOrdId) -> Report {
    let code = reject.reason.and_then(|code| i64::try_from(code).ok()).unwrap_or(REASON_OTHER);
    Report::CancelRejected { cl_ord_id, code, text: reject.text.clone().unwrap_or_default() }
}

/// A message of ours that the peer refused before it reached its order book (35=3 or 35=j). `of_order`: it was a NewOrderSingle.
pub fn refused(cl_ord_id: ClOrdId, of_order: bool, text: String) -> Report {
    if of_order {
        let execution = Execution::Rejected { code: REASON_OTHER, text };
        let exchange_order_id = "NONE".parse().expect("printable ASCII");
        Report::Execution(ExecutionReport { cl_ord_id, exchange_order_id, execution, cumulative: 0, leaves: 0 })
    } else {
        Report::CancelRejected { cl_ord_id, code: REASON_OTHER, text }
    }
}

fn side(side: Side) -> fix::Side {
    match side {
        Side::Buy => fix::Side::Buy,
        Side::Sell => fix::Side::Sell,
    }
}

fn units(quantity: Quantity) -> i64 {
    i64::try_from(quantity.units()).expect("a quantity is at most 10^12")
}

fn count(number: i64, field: &str) -> Result<u64, String> {
    u64::try_from(number).map_err(|_| format!("{field} is {number}, less than zero"))
}
