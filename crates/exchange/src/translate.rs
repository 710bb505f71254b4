//! Between FIX messages and what they mean here: requests in, reports out. Pure.
//!
//! 1. A report is made of its fact alone, so that made again after a restart it says the same, with the same ExecID.
//! 2. What the exchange doesn't do is answered with a BusinessMessageReject and enters no ledger.

use squareoff_fix::message::{
    BusinessMessageReject, BusinessRejectReason, CxlRejResponseTo, ExecType, ExecutionReport,
    MassCancelRequestType, MassCancelResponse, NewOrderSingle, OrdStatus, OrdType,
    OrderCancelReject, OrderCancelReplaceRequest, OrderMassCancelReport, OrderMassStatusRequest,
    Side as FixSide, TimeInForce as FixTimeInForce, TradingSessionStatus,
};
use squareoff_fix::{AppMessage, LocalMktDate, PriceE4};

use crate::book::Side;
use crate::fact::{Ended, Fact, Happening, MassRefusal, OrderImage, TimeInForce, exec_id};
use crate::phase::Phase;
use crate::price::Price;
use crate::request::{
    Answers, Cancel, MassCancel, NewOrder, OrderQuery, Query, Replace, Request, Scope, StatusReport,
};
use crate::rules;

/// Indian venues allow 20 characters in an id; three times that is certainly nobody's id, and would go into the ledger.
const FIELD_BYTES_MAX: usize = 64;
/// ExecID of status reports: nothing was executed (FIX 4.2 prescribes 0, FIX 4.4 asks only for a value).
const STATUS_EXEC_ID: &str = "0";

/// What is to be done with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    Request(Request),
    /// To be answered with this.
    Refuse(BusinessMessageReject),
    /// The broker refuses one of our messages: for the log, there is nobody to answer.
    Complaint(String),
}

/// Reads a message with the sequence number it came with.
#[must_use]
pub fn meaning(msg_seq_num: u64, message: AppMessage) -> Meaning {
    let kind = message.kind().to_owned();
    let refuse = |reason, id: &str, text: String| {
        let ref_id = some(id).filter(|id| id.len() <= FIELD_BYTES_MAX);
        let (ref_kind, ref_seq_num, text) = (kind.clone(), Some(msg_seq_num), Some(text));
        Meaning::Refuse(BusinessMessageReject {
            ref_seq_num,
            ref_kind,
            ref_id,
            reason,
            text,
        })
    };
    let request = match message {
        AppMessage::NewOrderSingle(order) => Request::New(new_order(order)),
        AppMessage::OrderCancelRequest(cancel) => Request::Cancel(Cancel {
            cl_ord_id: cancel.cl_ord_id,
            orig_cl_ord_id: cancel.orig_cl_ord_id,
            account: cancel.account.unwrap_or_default(),
            symbol: cancel.symbol,
            side: side(cancel.side),
        }),
        AppMessage::OrderCancelReplaceRequest(asked) => Request::Replace(replace(asked)),
        AppMessage::OrderStatusRequest(asked) => Request::Query(Query::Order(OrderQuery {
            request_id: asked.ord_status_req_id,
            cl_ord_id: asked.cl_ord_id,
            account: asked.account.unwrap_or_default(),
            symbol: asked.symbol,
            side: side(asked.side),
        })),
        AppMessage::OrderMassStatusRequest(asked) => {
            let kind = asked.mass_status_req_type;
            let symbol = match (kind, asked.symbol) {
                (OrderMassStatusRequest::ALL_ORDERS, _) => None,
                (OrderMassStatusRequest::SECURITY, Some(symbol)) => Some(symbol),
                (OrderMassStatusRequest::SECURITY, None) => {
                    let reason = BusinessRejectReason::ConditionallyRequiredFieldMissing;
                    let text = "MassStatusReqType 1 needs a Symbol".to_owned();
                    return refuse(reason, &asked.mass_status_req_id, text);
                }
                (_, _) => {
                    let text = format!("MassStatusReqType {kind} is not supported, only 1 and 7");
                    return refuse(BusinessRejectReason::Other, &asked.mass_status_req_id, text);
                }
            };
            Request::Query(Query::AllWorking {
                request_id: asked.mass_status_req_id,
                account: asked.account,
                symbol,
            })
        }
        AppMessage::OrderMassCancelRequest(asked) => {
            let missing = |field: &str| {
                let reason = BusinessRejectReason::ConditionallyRequiredFieldMissing;
                let text = format!("a mass cancel of this scope needs a {field}");
                refuse(reason, &asked.cl_ord_id, text)
            };
            let scope = match asked.scope {
                MassCancelRequestType::AllOrders => Scope::All,
                MassCancelRequestType::Security => match asked.symbol {
                    Some(symbol) => Scope::Symbol(symbol),
                    None => return missing("Symbol"),
                },
                MassCancelRequestType::TradingSession => match asked.trading_session_id {
                    Some(segment) => Scope::Segment(segment),
                    None => return missing("TradingSessionID"),
                },
                MassCancelRequestType::UnderlyingSecurity
                | MassCancelRequestType::Product
                | MassCancelRequestType::CfiCode
                | MassCancelRequestType::SecurityType => Scope::Unsupported(asked.scope.code()),
            };
            Request::MassCancel(MassCancel {
                cl_ord_id: asked.cl_ord_id,
                scope,
                side: asked.side.map(side),
            })
        }
        AppMessage::Reject(reject) => return Meaning::Complaint(format!("{reject:?}")),
        AppMessage::DontKnowTrade(doubt) => return Meaning::Complaint(format!("{doubt:?}")),
        AppMessage::BusinessMessageReject(reject) => {
            return Meaning::Complaint(format!("{reject:?}"));
        }
        AppMessage::ExecutionReport(_)
        | AppMessage::OrderCancelReject(_)
        | AppMessage::OrderMassCancelReport(_)
        | AppMessage::TradeCaptureReport(_)
        | AppMessage::TradingSessionStatus(_)
        | AppMessage::Other(_) => {
            return Meaning::Refuse(BusinessMessageReject::unsupported(msg_seq_num, &kind));
        }
    };
    match words(&request)
        .into_iter()
        .find(|word| word.len() > FIELD_BYTES_MAX)
    {
        Some(_) => refuse(
            BusinessRejectReason::Other,
            "",
            format!("an id or symbol is longer than {FIELD_BYTES_MAX} bytes"),
        ),
        None => Meaning::Request(request),
    }
}

/// The report of a fact; `None` where nobody is told.
#[must_use]
pub fn report(fact: &Fact) -> Option<AppMessage> {
    let order = &fact.order;
    let price = |price: Price| Some(PriceE4(price.0));
    let basis = ExecutionReport {
        exec_id: fact.exec_id(),
        transact_time: Some(fact.transact_time),
        trade_date: day(&fact.trade_date),
        ..standing(&fact.venue, order)
    };
    let report = match &fact.happening {
        Happening::Accepted => ExecutionReport {
            exec_type: ExecType::New,
            ..basis
        },
        Happening::Suspended => ExecutionReport {
            exec_type: ExecType::Suspended,
            ..basis
        },
        Happening::AcknowledgedLate => ExecutionReport {
            exec_type: ExecType::New,
            ..ExecutionReport {
                exec_id: basis.exec_id,
                transact_time: basis.transact_time,
                trade_date: basis.trade_date,
                ..standing(&fact.venue, &order.clone().as_entered())
            }
        },
        Happening::Carried
        | Happening::FreezeArmed { .. }
        | Happening::Repeated { .. }
        | Happening::Vanished
        | Happening::Dropped { .. }
        | Happening::Set(_)
        | Happening::TailLost { .. } => return None,
        Happening::MassCanceled {
            request,
            scope,
            affected,
            refused,
        } => {
            return Some(mass_cancel_report(
                fact, request, scope, *affected, *refused,
            ));
        }
        Happening::Throttled {
            request,
            kind,
            text,
        } => {
            return Some(AppMessage::BusinessMessageReject(BusinessMessageReject {
                ref_seq_num: Some(fact.cause.msg_seq_num),
                ref_kind: kind.clone(),
                ref_id: some(request),
                reason: BusinessRejectReason::ThrottleLimitExceeded,
                text: Some(text.clone()),
            }));
        }
        Happening::PhaseChanged { segment, to } => {
            return Some(phase(segment, *to, &fact.trade_date));
        }
        Happening::Rejected { reason, text } => ExecutionReport {
            exec_type: ExecType::Rejected,
            ord_status: OrdStatus::Rejected,
            ord_rej_reason: Some(u64::from(*reason)),
            text: Some(text.clone()),
            ..basis
        },
        Happening::Executed {
            last_units,
            last_price,
            ..
        } => ExecutionReport {
            exec_type: ExecType::Trade,
            last_qty: Some(*last_units),
            last_px: price(*last_price),
            ..basis
        },
        Happening::Busted { execution, .. } => ExecutionReport {
            exec_type: ExecType::TradeCancel,
            exec_ref_id: Some(exec_id(&fact.venue, *execution)),
            ..basis
        },
        Happening::Corrected {
            execution,
            last_units,
            last_price,
            ..
        } => ExecutionReport {
            exec_type: ExecType::TradeCorrect,
            exec_ref_id: Some(exec_id(&fact.venue, *execution)),
            last_qty: Some(*last_units),
            last_px: price(*last_price),
            ..basis
        },
        Happening::Expired => ExecutionReport {
            exec_type: ExecType::Expired,
            ..basis
        },
        Happening::Replaced { previous } => ExecutionReport {
            exec_type: ExecType::Replaced,
            orig_cl_ord_id: Some(previous.clone()),
            ..basis
        },
        Happening::Canceled { request } => ExecutionReport {
            exec_type: ExecType::Canceled,
            cl_ord_id: Some(request.as_ref().unwrap_or(&order.cl_ord_id).clone()),
            orig_cl_ord_id: request.as_ref().map(|_| order.cl_ord_id.clone()),
            ..basis
        },
        Happening::CancelRejected {
            request,
            reason,
            text,
            of_replace,
        } => {
            return Some(AppMessage::OrderCancelReject(OrderCancelReject {
                order_id: fact.order_id(),
                cl_ord_id: request.clone(),
                orig_cl_ord_id: order.cl_ord_id.clone(),
                ord_status: status(order),
                response_to: match of_replace {
                    false => CxlRejResponseTo::Cancel,
                    true => CxlRejResponseTo::CancelReplace,
                },
                reason: Some(u64::from(*reason)),
                account: some(&order.account),
                transact_time: Some(fact.transact_time),
                text: Some(text.clone()),
            }));
        }
    };
    Some(AppMessage::ExecutionReport(Box::new(report)))
}

/// OrderMassCancelReport: what a mass cancel reaches, or why nothing.
fn mass_cancel_report(
    fact: &Fact,
    request: &str,
    scope: &Scope,
    affected: u64,
    refused: Option<MassRefusal>,
) -> AppMessage {
    let mut symbol = None;
    let mut segment = None;
    let (asked, granted) = match scope {
        Scope::All => (
            MassCancelRequestType::AllOrders,
            MassCancelResponse::AllOrders,
        ),
        Scope::Symbol(name) => {
            symbol = Some(name.clone());
            (
                MassCancelRequestType::Security,
                MassCancelResponse::Security,
            )
        }
        Scope::Segment(name) => {
            segment = Some(name.clone());
            (
                MassCancelRequestType::TradingSession,
                MassCancelResponse::TradingSession,
            )
        }
        Scope::Unsupported(code) => {
            let mut known = MassCancelRequestType::ALL.iter().copied();
            let asked = known.find(|known| known.code() == *code);
            let asked = asked.unwrap_or(MassCancelRequestType::AllOrders);
            (asked, MassCancelResponse::Rejected)
        }
    };
    // MassCancelRejectReason(532), FIX 4.4.
    let (reason, text) = match refused {
        None => (None, None),
        Some(MassRefusal::Unsupported) => (Some(0), Some("scope: is not supported")),
        Some(MassRefusal::UnknownSymbol) => (Some(1), Some("symbol: is not listed")),
        Some(MassRefusal::UnknownSegment) => (Some(6), Some("segment: is not here")),
        Some(MassRefusal::Duplicate) => (Some(99), Some("duplicate: ClOrdID was used today")),
    };
    AppMessage::OrderMassCancelReport(Box::new(OrderMassCancelReport {
        cl_ord_id: Some(request.to_owned()),
        order_id: fact.exec_id(),
        scope: asked,
        response: match refused {
            None => granted,
            Some(_) => MassCancelResponse::Rejected,
        },
        reason,
        total_affected_orders: Some(affected),
        affected: Vec::new(),
        trading_session_id: segment,
        symbol,
        side: None,
        transact_time: Some(fact.transact_time),
        text: text.map(str::to_owned),
    }))
}

/// The drop copy of a fact: what its order session was told of an execution, marked as a copy; `None` where nothing was executed.
#[must_use]
pub fn copy(fact: &Fact) -> Option<AppMessage> {
    match &fact.happening {
        Happening::Executed { .. } | Happening::Busted { .. } | Happening::Corrected { .. } => {}
        Happening::Accepted
        | Happening::Carried
        | Happening::Suspended
        | Happening::Rejected { .. }
        | Happening::Canceled { .. }
        | Happening::Replaced { .. }
        | Happening::CancelRejected { .. }
        | Happening::Expired
        | Happening::PhaseChanged { .. }
        | Happening::FreezeArmed { .. }
        | Happening::AcknowledgedLate
        | Happening::Repeated { .. }
        | Happening::Vanished
        | Happening::Dropped { .. }
        | Happening::MassCanceled { .. }
        | Happening::Throttled { .. }
        | Happening::Set(_)
        | Happening::TailLost { .. } => return None,
    }
    let mut message = report(fact)?;
    if let AppMessage::ExecutionReport(report) = &mut message {
        report.copy = Some(true);
    }
    Some(message)
}

/// The phase of a segment on a trading day (`YYYY-MM-DD`), as a session is told at its log-on and at every change.
#[must_use]
pub fn phase(segment: &str, phase: Phase, trade_date: &str) -> AppMessage {
    AppMessage::TradingSessionStatus(TradingSessionStatus {
        trading_session_id: segment.to_owned(),
        status: phase.status(),
        trade_date: day(trade_date),
        text: None,
    })
}

/// The answer to a question about orders.
#[must_use]
pub fn status_report(venue: &str, report: &StatusReport) -> AppMessage {
    let known = report.order.order != 0;
    let mut message = ExecutionReport {
        ord_rej_reason: (!known).then_some(u64::from(rules::UNKNOWN_ORDER)),
        text: (!known).then(|| "order: none such is known here".to_owned()),
        ..standing(venue, &report.order)
    };
    match &report.answers {
        Answers::One { request_id } => message.ord_status_req_id.clone_from(request_id),
        Answers::All {
            request_id,
            reports_total,
            is_last,
        } => {
            message.mass_status_req_id = Some(request_id.clone());
            (message.tot_num_reports, message.last_rpt_requested) =
                (Some(*reports_total), Some(*is_last));
            if !known {
                message.text = Some("order: none is working".to_owned());
            }
        }
    }
    AppMessage::ExecutionReport(Box::new(message))
}

fn new_order(order: NewOrderSingle) -> NewOrder {
    let time_in_force = match order.time_in_force {
        None | Some(FixTimeInForce::Day) => Ok(TimeInForce::Day),
        Some(FixTimeInForce::ImmediateOrCancel) => Ok(TimeInForce::ImmediateOrCancel),
        Some(other @ (FixTimeInForce::GoodTillCancel | FixTimeInForce::FillOrKill)) => {
            Err(format!("time in force {other:?}"))
        }
    };
    let unsupported = match (order.ord_type, order.price) {
        (OrdType::Limit, Some(_)) => time_in_force.as_ref().err().cloned(),
        (OrdType::Limit, None) => Some("a limit order without a price".to_owned()),
        (OrdType::Market | OrdType::Stop | OrdType::StopLimit, _) => {
            Some(format!("order type {:?}", order.ord_type))
        }
    };
    NewOrder {
        cl_ord_id: order.cl_ord_id,
        account: order.account.unwrap_or_default(),
        symbol: order.symbol,
        side: side(order.side),
        time_in_force: time_in_force.unwrap_or(TimeInForce::Day),
        quantity_units: order.order_qty,
        price: order.price.map_or(Price(0), |price| Price(price.0)),
        unsupported,
    }
}

fn replace(asked: OrderCancelReplaceRequest) -> Replace {
    let unsupported = match (asked.ord_type, asked.price, asked.time_in_force) {
        (OrdType::Limit, Some(_), None | Some(FixTimeInForce::Day)) => None,
        (OrdType::Limit, Some(_), Some(other)) => Some(format!("time in force {other:?}")),
        (OrdType::Limit, None, _) => Some("a limit order without a price".to_owned()),
        (OrdType::Market | OrdType::Stop | OrdType::StopLimit, _, _) => {
            Some(format!("order type {:?}", asked.ord_type))
        }
    };
    Replace {
        cl_ord_id: asked.cl_ord_id,
        orig_cl_ord_id: asked.orig_cl_ord_id,
        account: asked.account.unwrap_or_default(),
        symbol: asked.symbol,
        side: side(asked.side),
        quantity_units: asked.order_qty,
        price: asked.price.map_or(Price(0), |price| Price(price.0)),
        unsupported,
    }
}

/// Everything of a request that goes into the ledger as text.
fn words(request: &Request) -> Vec<&str> {
    match request {
        Request::New(order) => vec![&order.cl_ord_id, &order.account, &order.symbol],
        Request::Cancel(cancel) => vec![
            &cancel.cl_ord_id,
            &cancel.orig_cl_ord_id,
            &cancel.account,
            &cancel.symbol,
        ],
        Request::Replace(replace) => vec![
            &replace.cl_ord_id,
            &replace.orig_cl_ord_id,
            &replace.account,
            &replace.symbol,
        ],
        Request::Query(Query::Order(asked)) => {
            vec![
                asked.request_id.as_deref().unwrap_or_default(),
                &asked.cl_ord_id,
                &asked.account,
                &asked.symbol,
            ]
        }
        Request::MassCancel(asked) => match &asked.scope {
            Scope::Symbol(name) | Scope::Segment(name) => vec![&asked.cl_ord_id, name],
            Scope::All | Scope::Unsupported(_) => vec![&asked.cl_ord_id],
        },
        Request::Query(Query::AllWorking {
            request_id,
            account,
            symbol,
        }) => [Some(request_id), account.as_ref(), symbol.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect(),
    }
}

/// A report of how an order stands, for callers to say what happened.
fn standing(venue: &str, order: &OrderImage) -> ExecutionReport {
    ExecutionReport {
        order_id: order.order_id(venue),
        cl_ord_id: Some(order.cl_ord_id.clone()),
        exec_id: STATUS_EXEC_ID.to_owned(),
        ord_status: status(order),
        account: some(&order.account),
        symbol: order.symbol.clone(),
        security_exchange: Some(venue.to_owned()),
        side: match order.side {
            Side::Buy => FixSide::Buy,
            Side::Sell => FixSide::Sell,
        },
        order_qty: Some(order.quantity_units),
        ord_type: Some(OrdType::Limit),
        price: Some(PriceE4(order.price.0)),
        time_in_force: Some(match order.time_in_force {
            TimeInForce::Day => FixTimeInForce::Day,
            TimeInForce::ImmediateOrCancel => FixTimeInForce::ImmediateOrCancel,
        }),
        leaves_qty: order.leaves_units,
        cum_qty: order.cum_units,
        avg_px: average(order),
        ..ExecutionReport::none()
    }
}

fn status(order: &OrderImage) -> OrdStatus {
    if order.order == 0 {
        return OrdStatus::Rejected;
    }
    if order.frozen {
        return OrdStatus::Suspended;
    }
    match (order.leaves_units > 0, order.cum_units) {
        (true, 0) => OrdStatus::New,
        (true, _) => OrdStatus::PartiallyFilled,
        (false, done) if done >= order.quantity_units => OrdStatus::Filled,
        (false, _) => match order.ended {
            Some(Ended::Expired) => OrdStatus::Expired,
            Some(Ended::Rejected) => OrdStatus::Rejected,
            // Without an end it was filled until a trade was busted, and stays done.
            Some(Ended::Canceled) | None => OrdStatus::Canceled,
        },
    }
}

/// Rounded to the nearest 1/10,000 rupee: AvgPx(6) is information, the notional is the truth.
fn average(order: &OrderImage) -> PriceE4 {
    let half = order.cum_units / 2;
    PriceE4(
        order
            .notional
            .saturating_add(half)
            .checked_div(order.cum_units)
            .unwrap_or(0),
    )
}

fn day(date: &str) -> Option<LocalMktDate> {
    LocalMktDate::parse(date.replace('-', "").as_bytes())
}

fn side(side: FixSide) -> Side {
    match side {
        FixSide::Buy => Side::Buy,
        FixSide::Sell => Side::Sell,
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
