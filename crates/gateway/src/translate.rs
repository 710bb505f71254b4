//! Between our events and FIX 4.4: what goes out, and what comes in. Pure; what cannot be read as a fact about one of our orders is
//! handed back whole, for the suspense stream: never dropped, never guessed.

use crate::days;
use crate::index::{Known, Named, Role};
use crate::recovery::Doubtful;
use squareoff_domain::platform::{MarketPhase, PlatformReport};
use squareoff_domain::position::{
    CancelRequested, Execution, ExecutionReport, OrderPlaced, ReplaceRequested, Report, TimeInForce,
};
use squareoff_domain::suspense::SuspendedExecution;
use squareoff_domain::{
    ClOrdId, ExchangeOrderId, ExecutionKey, Price, Quantity, Side, Timestamp, TradingDate, Venue,
};
use squareoff_fix::message::{self as fix, AppMessage, ExecType, OrdType, TradSesStatus};
use squareoff_fix::{PriceE4, Timestamp as FixTimestamp};

/// OrdRejReason and CxlRejReason "other" (FIX tags 103, 102), for refusals that carry none.
const REASON_OTHER: i64 = 99;
/// OrdRejReason "duplicate order" (FIX tag 103).
const REASON_DUPLICATE: u64 = 6;
/// Symbol (55) of a question that is about no order.
const NO_SYMBOL: &str = "NONE";
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
        time_in_force: Some(time_in_force(placed.time_in_force)),
        transact_time: FixTimestamp(decided_at.0),
        text: None,
    })
}

/// OrderCancelReplaceRequest (35=G).
pub fn replace(requested: &ReplaceRequested, decided_at: Timestamp) -> AppMessage {
    AppMessage::OrderCancelReplaceRequest(fix::OrderCancelReplaceRequest {
        cl_ord_id: requested.cl_ord_id.to_string(),
        orig_cl_ord_id: requested.original_cl_ord_id.to_string(),
        order_id: order_id(requested.exchange_order_id.as_ref()),
        account: Some(requested.key.client.to_string()),
        symbol: requested.key.symbol.to_string(),
        security_exchange: Some(requested.key.venue.to_string()),
        side: side(requested.side),
        order_qty: units(requested.quantity),
        ord_type: OrdType::Limit,
        price: Some(PriceE4(requested.price.0)),
        time_in_force: Some(time_in_force(requested.time_in_force)),
        transact_time: FixTimestamp(decided_at.0),
    })
}

/// OrderCancelRequest (35=F).
pub fn cancel(requested: &CancelRequested, decided_at: Timestamp) -> AppMessage {
    AppMessage::OrderCancelRequest(fix::OrderCancelRequest {
        cl_ord_id: requested.cl_ord_id.to_string(),
        orig_cl_ord_id: requested.original_cl_ord_id.to_string(),
        order_id: order_id(requested.exchange_order_id.as_ref()),
        account: Some(requested.key.client.to_string()),
        symbol: requested.key.symbol.to_string(),
        security_exchange: Some(requested.key.venue.to_string()),
        side: side(requested.side),
        order_qty: units(requested.quantity),
        transact_time: FixTimestamp(decided_at.0),
    })
}

/// OrderMassStatusRequest (35=AF) for all that the venue works for us.
pub fn mass_status(question: String) -> AppMessage {
    AppMessage::OrderMassStatusRequest(fix::OrderMassStatusRequest {
        mass_status_req_id: question,
        mass_status_req_type: fix::OrderMassStatusRequest::ALL_ORDERS,
        account: None,
        symbol: None,
    })
}

/// OrderStatusRequest (35=H) about an order that was never sent.
pub fn status_of_none(question: String) -> AppMessage {
    AppMessage::OrderStatusRequest(fix::OrderStatusRequest {
        ord_status_req_id: None,
        cl_ord_id: question,
        order_id: None,
        account: None,
        symbol: NO_SYMBOL.to_owned(),
        security_exchange: None,
        side: fix::Side::Buy,
    })
}

/// OrderStatusRequest (35=H).
pub fn status_of(asked: &Doubtful, question: String) -> AppMessage {
    let key = &asked.order.key;
    AppMessage::OrderStatusRequest(fix::OrderStatusRequest {
        ord_status_req_id: Some(question),
        cl_ord_id: asked.cl_ord_id.to_string(),
        order_id: order_id(asked.exchange_order_id.as_ref()),
        account: Some(key.client.to_string()),
        symbol: key.symbol.to_string(),
        security_exchange: Some(key.venue.to_string()),
        side: side(asked.order.side),
    })
}

/// What an ExecutionReport (35=8) about the order `named` says.
///
/// # Errors
/// Why it can't be taken as a fact about the order: it says what we have no name for, holds an impossible value, or contradicts the
/// order.
pub fn execution(
    report: &fix::ExecutionReport,
    named: Named,
    venue: Venue,
) -> Result<Option<Report>, String> {
    let Named {
        cl_ord_id,
        role,
        order,
    } = named;
    let execution = match report.exec_type {
        ExecType::New => Execution::New,
        ExecType::Suspended => Execution::Frozen {
            text: text(report.text.as_deref()),
        },
        ExecType::Trade => {
            let (key, quantity, price) = trade(report, &order, venue)?;
            Execution::Fill {
                key,
                quantity,
                price,
            }
        }
        ExecType::TradeCancel => Execution::Busted {
            execution: corrected(report, &order, venue)?,
        },
        ExecType::TradeCorrect => {
            let (correction, quantity, price) = trade(report, &order, venue)?;
            let at = report.transact_time;
            let at = at.ok_or("a correction without TransactTime (60)")?;
            Execution::Corrected {
                execution: corrected(report, &order, venue)?,
                correction,
                quantity,
                price,
                at: Timestamp(at.0),
            }
        }
        ExecType::Replaced => {
            let of_ours = report.cl_ord_id.as_deref() == Some(cl_ord_id.as_str());
            if !of_ours || role == Role::Cancel || cl_ord_id == order.cl_ord_id {
                return Err("it tells of a replacement that was not asked for".into());
            }
            replaced(report)?
        }
        ExecType::Canceled => Execution::Canceled,
        // Of two messages with one ClOrdID the venue refuses the second: the first is the order, and lives.
        ExecType::Rejected if report.ord_rej_reason == Some(REASON_DUPLICATE) => {
            return Err("the venue refuses it as a duplicate of itself".into());
        }
        ExecType::Rejected => {
            let code = reason(report.ord_rej_reason);
            let text = text(report.text.as_deref());
            if role != Role::Order {
                // It names the cancel or the replace, so it is that which was refused.
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
        ExecType::Restated => {
            return Err("the venue changed an order that nobody asked it to change".into());
        }
        ExecType::Stopped | ExecType::Calculated => {
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

/// Identity, quantity and price of a trade, or of the correction of one.
fn trade(
    report: &fix::ExecutionReport,
    order: &Known,
    venue: Venue,
) -> Result<(ExecutionKey, Quantity, Price), String> {
    if report.side != side(order.side) {
        return Err(format!("a trade on the other side, {:?}", report.side));
    }
    if report.symbol != order.key.symbol.as_str() {
        return Err(format!("a trade in another symbol, {:?}", report.symbol));
    }
    let last_qty = report.last_qty.ok_or("a trade without LastQty (32)")?;
    let quantity = quantity(last_qty, "LastQty (32)")?;
    if quantity.is_zero() {
        return Err("a trade of zero units".into());
    }
    let price = report.last_px.ok_or("a trade without LastPx (31)")?;
    let date = trade_date(report, order)?;
    let key = ExecutionKey::new(venue, date, &report.exec_id)
        .map_err(|error| format!("ExecID (17): {error}"))?;
    Ok((key, quantity, Price(price.0)))
}

/// The execution that a bust or a correction is about.
fn corrected(
    report: &fix::ExecutionReport,
    order: &Known,
    venue: Venue,
) -> Result<ExecutionKey, String> {
    let of = report.exec_ref_id.as_deref();
    let of = of.ok_or("it takes back or corrects a trade without ExecRefID (19)")?;
    ExecutionKey::new(venue, trade_date(report, order)?, of)
        .map_err(|error| format!("ExecRefID (19): {error}"))
}

/// ExecIDs are unique on one trading day: the report's own, else that of the position.
fn trade_date(report: &fix::ExecutionReport, order: &Known) -> Result<TradingDate, String> {
    report
        .trade_date
        .map_or(Ok(order.key.date), days::of_market)
}

fn replaced(report: &fix::ExecutionReport) -> Result<Execution, String> {
    let total = report
        .order_qty
        .ok_or("a replacement without OrderQty (38)")?;
    let price = report.price.ok_or("a replacement without Price (44)")?;
    Ok(Execution::Replaced {
        quantity: quantity(total, "OrderQty (38)")?,
        price: Price(price.0),
    })
}

/// The trade that a report tells of, as far as it can be read without an order; `None`: it is of none.
pub fn suspended(
    report: &fix::ExecutionReport,
    venue: Venue,
    date: TradingDate,
) -> Option<SuspendedExecution> {
    if report.exec_type != ExecType::Trade {
        return None;
    }
    let date = match report.trade_date {
        Some(date) => days::of_market(date).ok()?,
        None => date,
    };
    Some(SuspendedExecution {
        execution: ExecutionKey::new(venue, date, &report.exec_id).ok()?,
        account: report.account.as_deref().and_then(|text| text.parse().ok()),
        symbol: report.symbol.parse().ok(),
        side: our_side(report.side),
        quantity: quantity(report.last_qty?, "LastQty (32)").ok()?,
        price: Price(report.last_px?.0),
    })
}

/// What an OrderCancelReject (35=9) says; its ClOrdID is the cancel's or the replace's.
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

/// A cancel that the venue refused because too many messages came.
pub fn throttled(cl_ord_id: ClOrdId, said: Option<&str>) -> Report {
    let text = text(said);
    Report::CancelThrottled { cl_ord_id, text }
}

/// Whether the venue refused a message because too many came: BusinessRejectReason (380) 8, the throttle limit exceeded.
pub fn is_for_rate(reject: &fix::BusinessMessageReject) -> bool {
    reject.reason == fix::BusinessRejectReason::ThrottleLimitExceeded
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

fn time_in_force(time_in_force: TimeInForce) -> fix::TimeInForce {
    match time_in_force {
        TimeInForce::Day => fix::TimeInForce::Day,
        TimeInForce::ImmediateOrCancel => fix::TimeInForce::ImmediateOrCancel,
    }
}

fn order_id(of_venue: Option<&ExchangeOrderId>) -> Option<String> {
    of_venue.map(ToString::to_string)
}

fn side(side: Side) -> fix::Side {
    match side {
        Side::Buy => fix::Side::Buy,
        Side::Sell => fix::Side::Sell,
    }
}

pub fn our_side(side: fix::Side) -> Side {
    match side {
        fix::Side::Buy => Side::Buy,
        fix::Side::Sell => Side::Sell,
    }
}

fn units(quantity: Quantity) -> i64 {
    i64::try_from(quantity.units()).expect("a quantity is at most 10^12")
}

/// # Errors
/// Why `field` holds no quantity.
pub fn quantity(number: i64, field: &str) -> Result<Quantity, String> {
    Quantity::new(count(number, field)?).map_err(|error| format!("{field}: {error}"))
}

fn count(number: i64, field: &str) -> Result<u64, String> {
    u64::try_from(number).map_err(|_| format!("{field} is {number}, less than zero"))
}
