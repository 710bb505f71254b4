//! Between our events and FIX 4.4: what goes out, and what comes in. Pure; what cannot be read as a fact about one of our orders is
//! handed back whole, for the suspense stream: never dropped, never guessed.

use crate::days;
use crate::index::Known;
use squareoff_domain::platform::{MarketPhase, PlatformReport};
use squareoff_domain::position::{
    CancelRequested, Execution, ExecutionReport, OrderPlaced, Report, TimeInForce,
};
use squareoff_domain::{
    ClOrdId, ExchangeOrderId, ExecutionKey, Price, Quantity, Side, Timestamp, Venue,
};
use squareoff_fix::message::{self as fix, AppMessage, ExecType, OrdType, TradSesStatus};
use squareoff_fix::{PriceE4, Timestamp as FixTimestamp};

/// OrdRejReason and CxlRejReason "other" (FIX tags 103, 102), for refusals that carry none.
const REASON_OTHER: i64 = 99;
/// OrdRejReason "duplicate order" (FIX tag 103).
const REASON_DUPLICATE: u64 = 6;
/// Bytes kept of a refusal's Text (58): a sentence for people, and an event is for ever.
const TEXT_BYTES_MAX: usize = 1_024;

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

/// What an ExecutionReport (35=8) that names `cl_ord_id` says about the order `known`.
///
/// # Errors
/// Why it can't be taken as a fact about the order: it says what we have no name for yet, holds an impossible value, or contradicts
/// the order.
pub fn execution(
    report: &fix::ExecutionReport,
    cl_ord_id: ClOrdId,
    known: &Known,
    venue: Venue,
) -> Result<Option<Report>, String> {
    let execution = match report.exec_type {
        ExecType::New => Execution::New,
        ExecType::Trade => fill(report, known, venue)?,
        ExecType::Canceled => Execution::Canceled,
        // Of two messages with one ClOrdID the venue refuses the second: the first is the order, and lives.
        ExecType::Rejected if report.ord_rej_reason == Some(REASON_DUPLICATE) => {
            return Err("the venue refuses it as a duplicate of itself".into());
        }
        ExecType::Rejected => {
            let code = reason(report.ord_rej_reason);
            let text = text(report.text.as_deref());
            if cl_ord_id != known.cl_ord_id {
                // It names the cancel, so it is the cancel that was refused.
                return Ok(Some(Report::CancelRejected {
                    cl_ord_id,
                    code,
                    text,
                }));
            }
            Execution::Rejected { code, text }
        }
        ExecType::Expired | ExecType::DoneForDay => Execution::Expired,
        // They promise an answer that comes as a report of its own, or repeat what is known: no fact is in them.
        ExecType::PendingNew
        | ExecType::PendingCancel
        | ExecType::PendingReplace
        | ExecType::OrderStatus => return Ok(None),
        ExecType::Replaced
        | ExecType::Stopped
        | ExecType::Suspended
        | ExecType::Calculated
        | ExecType::Restated
        | ExecType::TradeCorrect
        | ExecType::TradeCancel => {
            return Err(format!("ExecType {:?} is not understood", report.exec_type));
        }
    };
    let exchange_order_id: ExchangeOrderId = report
        .order_id
        .parse()
        .map_err(|error| format!("OrderID (37): {error}"))?;
    Ok(Some(Report::Execution(ExecutionReport {
        cl_ord_id,
        exchange_order_id,
        execution,
        cumulative: count(report.cum_qty, "CumQty (14)")?,
        leaves: count(report.leaves_qty, "LeavesQty (151)")?,
    })))
}

fn fill(report: &fix::ExecutionReport, known: &Known, venue: Venue) -> Result<Execution, String> {
    if report.side != side(known.side) {
        return Err(format!("a trade on the other side, {:?}", report.side));
    }
    if report.symbol != known.key.symbol.as_str() {
        return Err(format!("a trade in another symbol, {:?}", report.symbol));
    }
    let last_qty = report.last_qty.ok_or("a trade without LastQty (32)")?;
    let quantity = Quantity::new(count(last_qty, "LastQty (32)")?)
        .map_err(|error| format!("LastQty (32): {error}"))?;
    if quantity.is_zero() {
        return Err("a trade of zero units".into());
    }
    let price = report.last_px.ok_or("a trade without LastPx (31)")?;
    let key = ExecutionKey::new(venue, known.key.date, &report.exec_id)
        .map_err(|error| format!("ExecID (17): {error}"))?;
    Ok(Execution::Fill {
        key,
        quantity,
        price: Price(price.0),
    })
}

/// What an OrderCancelReject (35=9) says; its ClOrdID is the cancel's.
pub fn cancel_rejected(reject: &fix::OrderCancelReject, cl_ord_id: ClOrdId) -> Report {
    Report::CancelRejected {
        cl_ord_id,
        code: reason(reject.reason),
        text: text(reject.text.as_deref()),
    }
}

/// A message of ours that the peer refused before it reached its order book (35=3 or 35=j). `of_order`: it was a NewOrderSingle.
pub fn refused(cl_ord_id: ClOrdId, of_order: bool, said: Option<&str>) -> Report {
    let (code, text) = (REASON_OTHER, text(said));
    if !of_order {
        return Report::CancelRejected {
            cl_ord_id,
            code,
            text,
        };
    }
    Report::Execution(ExecutionReport {
        cl_ord_id,
        exchange_order_id: "NONE".parse().expect("printable ASCII"),
        execution: Execution::Rejected { code, text },
        cumulative: 0,
        leaves: 0,
    })
}

/// What a TradingSessionStatus (35=h) says of a segment, on the day that it names, else on that of its sending.
///
/// # Errors
/// Why it tells no phase of a segment that we know.
pub fn market_phase(
    status: &fix::TradingSessionStatus,
    sending_time: FixTimestamp,
    venue: Venue,
    source: String,
) -> Result<PlatformReport, String> {
    let segment = status
        .trading_session_id
        .parse()
        .map_err(|error| format!("TradingSessionID (336): {error}"))?;
    let phase = match status.status {
        TradSesStatus::PreOpen => MarketPhase::PreOpen,
        TradSesStatus::Open => MarketPhase::Open,
        TradSesStatus::PreClose => MarketPhase::PreClose,
        TradSesStatus::Closed => MarketPhase::Closed,
        TradSesStatus::Halted => MarketPhase::Halted,
        TradSesStatus::Unknown | TradSesStatus::RequestRejected => {
            return Err(format!("TradSesStatus {:?} is no phase", status.status));
        }
    };
    let trading_date = match status.trade_date {
        Some(date) => days::of_market(date)?,
        None => days::in_india(sending_time),
    };
    Ok(PlatformReport::MarketPhase {
        venue,
        segment,
        trading_date,
        phase,
        source,
    })
}

fn reason(code: Option<u64>) -> i64 {
    code.and_then(|code| i64::try_from(code).ok())
        .unwrap_or(REASON_OTHER)
}

fn text(said: Option<&str>) -> String {
    let said = said.unwrap_or_default();
    said[..said.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
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
