//! What an exchange tells: executions and refusals. Fields are written in ascending tag order.

use crate::codec::Message;
use crate::encode::Body;
use crate::message::dialect::Dialect;
use crate::message::kind::{
    BusinessRejectReason, CxlRejResponseTo, ExecType, OrdStatus, OrdType, Side, TimeInForce,
};
use crate::message::order::NewOrderSingle;
use crate::message::read::{Malformed, RejectReason};
use crate::tag;
use crate::value::{LocalMktDate, PriceE4, Timestamp, parse_average};

/// ExecutionReport (35=8). Quantities in units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionReport {
    /// OrderID (37): the exchange order number, "NONE" when there is no order.
    pub order_id: String,
    pub cl_ord_id: Option<String>,
    pub orig_cl_ord_id: Option<String>,
    /// ExecID (17), unique per trading day.
    pub exec_id: String,
    /// ExecRefID (19): the execution that a bust or correction is about.
    pub exec_ref_id: Option<String>,
    /// SecondaryExecID (527): the venue's trade number.
    pub secondary_exec_id: Option<String>,
    pub exec_type: ExecType,
    pub ord_status: OrdStatus,
    /// OrdRejReason (103).
    pub ord_rej_reason: Option<u64>,
    pub account: Option<String>,
    pub symbol: String,
    pub security_exchange: Option<String>,
    pub side: Side,
    /// OrderQty (38); absent in some venues' reports for unknown orders.
    pub order_qty: Option<i64>,
    pub ord_type: Option<OrdType>,
    pub price: Option<PriceE4>,
    pub time_in_force: Option<TimeInForce>,
    pub last_qty: Option<i64>,
    pub last_px: Option<PriceE4>,
    pub leaves_qty: i64,
    pub cum_qty: i64,
    /// AvgPx (6), rounded to 1/10,000: information, never used for money.
    pub avg_px: PriceE4,
    pub transact_time: Option<Timestamp>,
    /// TradeDate (75): the trading day that the report belongs to; absent means today.
    pub trade_date: Option<LocalMktDate>,
    pub text: Option<String>,
    /// MassStatusReqID (584) when this answers a mass status request.
    pub mass_status_req_id: Option<String>,
    /// OrdStatusReqID (790) when this answers a status request.
    pub ord_status_req_id: Option<String>,
    /// CopyMsgIndicator (797): a drop copy.
    pub copy: Option<bool>,
    /// TotNumReports (911) of a mass status answer.
    pub tot_num_reports: Option<u64>,
    /// LastRptRequested (912): the last report of a mass status answer.
    pub last_rpt_requested: Option<bool>,
}

impl ExecutionReport {
    /// How no order stands (FIX 4.4, OrderID "NONE"): what a report is made of by saying what it has.
    pub fn none() -> ExecutionReport {
        let none = || "NONE".to_owned();
        ExecutionReport {
            order_id: none(),
            cl_ord_id: None,
            orig_cl_ord_id: None,
            exec_id: "0".to_owned(),
            exec_ref_id: None,
            secondary_exec_id: None,
            exec_type: ExecType::OrderStatus,
            ord_status: OrdStatus::Rejected,
            ord_rej_reason: None,
            account: None,
            symbol: none(),
            security_exchange: None,
            side: Side::Buy,
            order_qty: None,
            ord_type: None,
            price: None,
            time_in_force: None,
            last_qty: None,
            last_px: None,
            leaves_qty: 0,
            cum_qty: 0,
            avg_px: PriceE4(0),
            transact_time: None,
            trade_date: None,
            text: None,
            mass_status_req_id: None,
            ord_status_req_id: None,
            copy: None,
            tot_num_reports: None,
            last_rpt_requested: None,
        }
    }

    /// The acknowledgement of an order as it was placed, with the venue's numbers of order and report.
    pub fn accepted(order: &NewOrderSingle, order_id: String, exec_id: String) -> ExecutionReport {
        ExecutionReport {
            order_id,
            cl_ord_id: Some(order.cl_ord_id.clone()),
            exec_id,
            exec_type: ExecType::New,
            ord_status: OrdStatus::New,
            account: order.account.clone(),
            symbol: order.symbol.clone(),
            security_exchange: order.security_exchange.clone(),
            side: order.side,
            order_qty: Some(order.order_qty),
            ord_type: Some(order.ord_type),
            price: order.price,
            time_in_force: order.time_in_force,
            leaves_qty: order.order_qty,
            transact_time: Some(order.transact_time),
            ..ExecutionReport::none()
        }
    }

    pub(crate) fn read(message: &Message) -> Result<ExecutionReport, Malformed> {
        let dialect = Dialect::of(message.get(tag::BEGIN_STRING).unwrap_or_default());
        let average = message
            .get(tag::AVG_PX)
            .ok_or_else(|| Malformed::tag(RejectReason::RequiredTagMissing, tag::AVG_PX))?;
        Ok(ExecutionReport {
            order_id: message.required(tag::ORDER_ID)?,
            cl_ord_id: message.optional(tag::CL_ORD_ID)?,
            orig_cl_ord_id: message.optional(tag::ORIG_CL_ORD_ID)?,
            exec_id: message.required(tag::EXEC_ID)?,
            exec_ref_id: message.optional(tag::EXEC_REF_ID)?,
            secondary_exec_id: message.optional(tag::SECONDARY_EXEC_ID)?,
            exec_type: dialect.read_exec_type(message)?,
            ord_status: message.required(tag::ORD_STATUS)?,
            ord_rej_reason: message.optional(tag::ORD_REJ_REASON)?,
            account: message.optional(tag::ACCOUNT)?,
            symbol: message.required(tag::SYMBOL)?,
            security_exchange: message.optional(tag::SECURITY_EXCHANGE)?,
            side: message.required(tag::SIDE)?,
            order_qty: message.optional(tag::ORDER_QTY)?,
            ord_type: message.optional(tag::ORD_TYPE)?,
            price: message.optional(tag::PRICE)?,
            time_in_force: message.optional(tag::TIME_IN_FORCE)?,
            last_qty: message.optional(tag::LAST_QTY)?,
            last_px: message.optional(tag::LAST_PX)?,
            leaves_qty: message.required(tag::LEAVES_QTY)?,
            cum_qty: message.required(tag::CUM_QTY)?,
            avg_px: parse_average(average)
                .ok_or_else(|| Malformed::tag(RejectReason::Format, tag::AVG_PX))?,
            transact_time: message.optional(tag::TRANSACT_TIME)?,
            trade_date: message.optional(tag::TRADE_DATE)?,
            text: message.optional(tag::TEXT)?,
            mass_status_req_id: message.optional(tag::MASS_STATUS_REQ_ID)?,
            ord_status_req_id: message.optional(tag::ORD_STATUS_REQ_ID)?,
            copy: message.optional(tag::COPY_MSG_INDICATOR)?,
            tot_num_reports: message.optional(tag::TOT_NUM_REPORTS)?,
            last_rpt_requested: message.optional(tag::LAST_RPT_REQUESTED)?,
        })
    }

    pub(crate) fn write(&self, body: &mut Body, dialect: Dialect) {
        body.maybe(tag::ACCOUNT, self.account.as_deref());
        body.price(tag::AVG_PX, self.avg_px);
        body.maybe(tag::CL_ORD_ID, self.cl_ord_id.as_deref());
        body.number(tag::CUM_QTY, self.cum_qty);
        body.text(tag::EXEC_ID, &self.exec_id);
        body.maybe(tag::EXEC_REF_ID, self.exec_ref_id.as_deref());
        dialect.write_exec_trans_type(body, self.exec_type);
        if let Some(price) = self.last_px {
            body.price(tag::LAST_PX, price);
        }
        if let Some(quantity) = self.last_qty {
            body.number(tag::LAST_QTY, quantity);
        }
        body.text(tag::ORDER_ID, &self.order_id);
        if let Some(quantity) = self.order_qty {
            body.number(tag::ORDER_QTY, quantity);
        }
        body.code(tag::ORD_STATUS, self.ord_status.code());
        if let Some(kind) = self.ord_type {
            body.code(tag::ORD_TYPE, kind.code());
        }
        body.maybe(tag::ORIG_CL_ORD_ID, self.orig_cl_ord_id.as_deref());
        if let Some(price) = self.price {
            body.price(tag::PRICE, price);
        }
        body.code(tag::SIDE, self.side.code());
        body.text(tag::SYMBOL, &self.symbol);
        body.maybe(tag::TEXT, self.text.as_deref());
        if let Some(time_in_force) = self.time_in_force {
            body.code(tag::TIME_IN_FORCE, time_in_force.code());
        }
        if let Some(time) = self.transact_time {
            body.time(tag::TRANSACT_TIME, time);
        }
        if let Some(date) = self.trade_date {
            body.date(tag::TRADE_DATE, date);
        }
        if let Some(reason) = self.ord_rej_reason {
            body.count(tag::ORD_REJ_REASON, reason);
        }
        let exec_type = dialect.exec_type_code(self.exec_type, self.leaves_qty, self.ord_status);
        body.code(tag::EXEC_TYPE, exec_type);
        body.number(tag::LEAVES_QTY, self.leaves_qty);
        body.maybe(tag::SECURITY_EXCHANGE, self.security_exchange.as_deref());
        if dialect == Dialect::Fix42 {
            return;
        }
        body.maybe(tag::SECONDARY_EXEC_ID, self.secondary_exec_id.as_deref());
        body.maybe(tag::MASS_STATUS_REQ_ID, self.mass_status_req_id.as_deref());
        body.maybe(tag::ORD_STATUS_REQ_ID, self.ord_status_req_id.as_deref());
        if let Some(copy) = self.copy {
            body.flag(tag::COPY_MSG_INDICATOR, copy);
        }
        if let Some(total) = self.tot_num_reports {
            body.count(tag::TOT_NUM_REPORTS, total);
        }
        if let Some(last) = self.last_rpt_requested {
            body.flag(tag::LAST_RPT_REQUESTED, last);
        }
    }
}

/// OrderCancelReject (35=9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderCancelReject {
    /// OrderID (37); "NONE" for an unknown order.
    pub order_id: String,
    pub cl_ord_id: String,
    pub orig_cl_ord_id: String,
    pub ord_status: OrdStatus,
    pub response_to: CxlRejResponseTo,
    /// CxlRejReason (102): 0 too late, 1 unknown order, 3 already pending, 6 duplicate ClOrdID, 99 other.
    pub reason: Option<u64>,
    pub account: Option<String>,
    pub transact_time: Option<Timestamp>,
    pub text: Option<String>,
}

impl OrderCancelReject {
    pub(crate) fn read(message: &Message) -> Result<OrderCancelReject, Malformed> {
        Ok(OrderCancelReject {
            order_id: message.required(tag::ORDER_ID)?,
            cl_ord_id: message.required(tag::CL_ORD_ID)?,
            orig_cl_ord_id: message.required(tag::ORIG_CL_ORD_ID)?,
            ord_status: message.required(tag::ORD_STATUS)?,
            response_to: message.required(tag::CXL_REJ_RESPONSE_TO)?,
            reason: message.optional(tag::CXL_REJ_REASON)?,
            account: message.optional(tag::ACCOUNT)?,
            transact_time: message.optional(tag::TRANSACT_TIME)?,
            text: message.optional(tag::TEXT)?,
        })
    }

    pub(crate) fn write(&self, body: &mut Body) {
        body.maybe(tag::ACCOUNT, self.account.as_deref());
        body.text(tag::CL_ORD_ID, &self.cl_ord_id);
        body.text(tag::ORDER_ID, &self.order_id);
        body.code(tag::ORD_STATUS, self.ord_status.code());
        body.text(tag::ORIG_CL_ORD_ID, &self.orig_cl_ord_id);
        body.maybe(tag::TEXT, self.text.as_deref());
        if let Some(time) = self.transact_time {
            body.time(tag::TRANSACT_TIME, time);
        }
        if let Some(reason) = self.reason {
            body.count(tag::CXL_REJ_REASON, reason);
        }
        body.code(tag::CXL_REJ_RESPONSE_TO, self.response_to.code());
    }
}

/// BusinessMessageReject (35=j): understood, but this application does not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusinessMessageReject {
    pub ref_seq_num: Option<u64>,
    pub ref_kind: String,
    /// BusinessRejectRefID (379): the id of the refused message, a ClOrdID for instance.
    pub ref_id: Option<String>,
    pub reason: BusinessRejectReason,
    pub text: Option<String>,
}

impl BusinessMessageReject {
    /// The answer to a message type that the application does not support.
    pub fn unsupported(seq: u64, kind: &str) -> BusinessMessageReject {
        BusinessMessageReject {
            ref_seq_num: Some(seq),
            ref_kind: kind.to_owned(),
            ref_id: None,
            reason: BusinessRejectReason::UnsupportedMessageType,
            text: Some("Unsupported Message Type".to_owned()),
        }
    }

    pub(crate) fn read(message: &Message) -> Result<BusinessMessageReject, Malformed> {
        Ok(BusinessMessageReject {
            ref_seq_num: message.optional(tag::REF_SEQ_NUM)?,
            ref_kind: message.required(tag::REF_MSG_TYPE)?,
            ref_id: message.optional(tag::BUSINESS_REJECT_REF_ID)?,
            reason: message.required(tag::BUSINESS_REJECT_REASON)?,
            text: message.optional(tag::TEXT)?,
        })
    }

    pub(crate) fn write(&self, body: &mut Body) {
        if let Some(seq) = self.ref_seq_num {
            body.count(tag::REF_SEQ_NUM, seq);
        }
        body.maybe(tag::TEXT, self.text.as_deref());
        body.text(tag::REF_MSG_TYPE, &self.ref_kind);
        body.maybe(tag::BUSINESS_REJECT_REF_ID, self.ref_id.as_deref());
        body.code(tag::BUSINESS_REJECT_REASON, self.reason.code());
    }
}
