//! Trades as such: what a drop copy tells of them, and that one of them is not known here. Fields are written in
//! ascending tag order, those of a trade's side in the order of the standard.

use crate::codec::Message;
use crate::encode::Body;
use crate::message::kind::{DkReason, ExecType, Side, TradeReportTransType};
use crate::message::read::Malformed;
use crate::tag;
use crate::value::{LocalMktDate, PriceE4, Timestamp};

/// TradeCaptureReport (35=AE): one trade of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradeCaptureReport {
    pub trade_report_id: String,
    /// Whether this is a new trade or takes back or corrects an earlier report.
    pub trans_type: TradeReportTransType,
    /// TradeReportRefID (572): the report that this one takes back or corrects.
    pub trade_report_ref_id: Option<String>,
    /// Trade, TradeCorrect or TradeCancel.
    pub exec_type: Option<ExecType>,
    /// ExecID (17): the same as in the order session's ExecutionReport.
    pub exec_id: Option<String>,
    /// SecondaryExecID (527): the venue's trade number.
    pub secondary_exec_id: Option<String>,
    /// PreviouslyReported (570): whether the counterparties knew the trade already.
    pub previously_reported: bool,
    pub symbol: String,
    pub security_exchange: Option<String>,
    pub last_qty: i64,
    pub last_px: PriceE4,
    pub trade_date: LocalMktDate,
    pub transact_time: Timestamp,
    pub sides: Vec<TradeSide>,
}

/// One side of a trade: ours, or both when both orders are ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradeSide {
    pub side: Side,
    /// OrderID (37): the exchange order number.
    pub order_id: String,
    pub cl_ord_id: Option<String>,
    pub account: Option<String>,
}

impl TradeCaptureReport {
    pub(crate) fn read(message: &Message) -> Result<TradeCaptureReport, Malformed> {
        let mut sides = Vec::new();
        for side in message.group(tag::NO_SIDES, tag::SIDE)? {
            sides.push(TradeSide {
                side: side.required(tag::SIDE)?,
                order_id: side.required(tag::ORDER_ID)?,
                cl_ord_id: side.optional(tag::CL_ORD_ID)?,
                account: side.optional(tag::ACCOUNT)?,
            });
        }
        if sides.is_empty() {
            message.required::<u64>(tag::NO_SIDES)?;
        }
        Ok(TradeCaptureReport {
            trade_report_id: message.required(tag::TRADE_REPORT_ID)?,
            trans_type: message
                .optional(tag::TRADE_REPORT_TRANS_TYPE)?
                .unwrap_or(TradeReportTransType::New),
            trade_report_ref_id: message.optional(tag::TRADE_REPORT_REF_ID)?,
            exec_type: message.optional(tag::EXEC_TYPE)?,
            exec_id: message.optional(tag::EXEC_ID)?,
            secondary_exec_id: message.optional(tag::SECONDARY_EXEC_ID)?,
            previously_reported: message.required(tag::PREVIOUSLY_REPORTED)?,
            symbol: message.required(tag::SYMBOL)?,
            security_exchange: message.optional(tag::SECURITY_EXCHANGE)?,
            last_qty: message.required(tag::LAST_QTY)?,
            last_px: message.required(tag::LAST_PX)?,
            trade_date: message.required(tag::TRADE_DATE)?,
            transact_time: message.required(tag::TRANSACT_TIME)?,
            sides,
        })
    }

    pub(crate) fn write(&self, body: &mut Body) {
        body.maybe(tag::EXEC_ID, self.exec_id.as_deref());
        body.price(tag::LAST_PX, self.last_px);
        body.number(tag::LAST_QTY, self.last_qty);
        body.text(tag::SYMBOL, &self.symbol);
        body.time(tag::TRANSACT_TIME, self.transact_time);
        body.date(tag::TRADE_DATE, self.trade_date);
        if let Some(exec_type) = self.exec_type {
            body.code(tag::EXEC_TYPE, exec_type.code());
        }
        body.maybe(tag::SECURITY_EXCHANGE, self.security_exchange.as_deref());
        body.code(tag::TRADE_REPORT_TRANS_TYPE, self.trans_type.code());
        body.maybe(tag::SECONDARY_EXEC_ID, self.secondary_exec_id.as_deref());
        body.count(tag::NO_SIDES, self.sides.len() as u64);
        for side in &self.sides {
            body.code(tag::SIDE, side.side.code());
            body.text(tag::ORDER_ID, &side.order_id);
            body.maybe(tag::CL_ORD_ID, side.cl_ord_id.as_deref());
            body.maybe(tag::ACCOUNT, side.account.as_deref());
        }
        body.flag(tag::PREVIOUSLY_REPORTED, self.previously_reported);
        body.text(tag::TRADE_REPORT_ID, &self.trade_report_id);
        body.maybe(
            tag::TRADE_REPORT_REF_ID,
            self.trade_report_ref_id.as_deref(),
        );
    }
}

/// DontKnowTrade (35=Q): an execution was reported to us that fits no order of ours, or not as it was placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DontKnowTrade {
    /// OrderID (37) and ExecID (17) of the report that is doubted.
    pub order_id: String,
    pub exec_id: String,
    pub reason: DkReason,
    pub symbol: String,
    pub security_exchange: Option<String>,
    pub side: Side,
    pub order_qty: Option<i64>,
    pub last_qty: Option<i64>,
    pub last_px: Option<PriceE4>,
    pub text: Option<String>,
}

impl DontKnowTrade {
    pub(crate) fn read(message: &Message) -> Result<DontKnowTrade, Malformed> {
        Ok(DontKnowTrade {
            order_id: message.required(tag::ORDER_ID)?,
            exec_id: message.required(tag::EXEC_ID)?,
            reason: message.required(tag::DK_REASON)?,
            symbol: message.required(tag::SYMBOL)?,
            security_exchange: message.optional(tag::SECURITY_EXCHANGE)?,
            side: message.required(tag::SIDE)?,
            order_qty: message.optional(tag::ORDER_QTY)?,
            last_qty: message.optional(tag::LAST_QTY)?,
            last_px: message.optional(tag::LAST_PX)?,
            text: message.optional(tag::TEXT)?,
        })
    }

    pub(crate) fn write(&self, body: &mut Body) {
        body.text(tag::EXEC_ID, &self.exec_id);
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
        body.code(tag::SIDE, self.side.code());
        body.text(tag::SYMBOL, &self.symbol);
        body.maybe(tag::TEXT, self.text.as_deref());
        body.code(tag::DK_REASON, self.reason.code());
        body.maybe(tag::SECURITY_EXCHANGE, self.security_exchange.as_deref());
    }
}
