//! Cancelling many orders with one message. Fields are written in ascending tag order.

use crate::codec::Message;
use crate::encode::Body;
use crate::message::kind::{MassCancelRequestType, MassCancelResponse, Side};
use crate::message::read::Malformed;
use crate::tag;
use crate::value::Timestamp;

/// OrderMassCancelRequest (35=q): cancel everything that is in the scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderMassCancelRequest {
    pub cl_ord_id: String,
    pub scope: MassCancelRequestType,
    /// TradingSessionID (336): the segment, for that scope.
    pub trading_session_id: Option<String>,
    /// Symbol (55), for the scope of one security.
    pub symbol: Option<String>,
    pub security_exchange: Option<String>,
    /// Side (54); absent means both.
    pub side: Option<Side>,
    pub transact_time: Timestamp,
    pub text: Option<String>,
}

impl OrderMassCancelRequest {
    pub(crate) fn read(message: &Message) -> Result<OrderMassCancelRequest, Malformed> {
        Ok(OrderMassCancelRequest {
            cl_ord_id: message.required(tag::CL_ORD_ID)?,
            scope: message.required(tag::MASS_CANCEL_REQUEST_TYPE)?,
            trading_session_id: message.optional(tag::TRADING_SESSION_ID)?,
            symbol: message.optional(tag::SYMBOL)?,
            security_exchange: message.optional(tag::SECURITY_EXCHANGE)?,
            side: message.optional(tag::SIDE)?,
            transact_time: message.required(tag::TRANSACT_TIME)?,
            text: message.optional(tag::TEXT)?,
        })
    }

    pub(crate) fn write(&self, body: &mut Body) {
        body.text(tag::CL_ORD_ID, &self.cl_ord_id);
        if let Some(side) = self.side {
            body.code(tag::SIDE, side.code());
        }
        body.maybe(tag::SYMBOL, self.symbol.as_deref());
        body.maybe(tag::TEXT, self.text.as_deref());
        body.time(tag::TRANSACT_TIME, self.transact_time);
        body.maybe(tag::SECURITY_EXCHANGE, self.security_exchange.as_deref());
        body.maybe(tag::TRADING_SESSION_ID, self.trading_session_id.as_deref());
        body.code(tag::MASS_CANCEL_REQUEST_TYPE, self.scope.code());
    }
}

/// OrderMassCancelReport (35=r): accepted or not; the orders' ends are ExecutionReports of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderMassCancelReport {
    pub cl_ord_id: Option<String>,
    /// OrderID (37): the exchange's number of the request.
    pub order_id: String,
    pub scope: MassCancelRequestType,
    /// What is being cancelled, or that nothing is.
    pub response: MassCancelResponse,
    /// MassCancelRejectReason (532) when nothing is: 0 not supported, 1 to 6 unknown scope, 99 other.
    pub reason: Option<u64>,
    /// TotalAffectedOrders (533).
    pub total_affected_orders: Option<u64>,
    /// NoAffectedOrders (534), when the exchange names them.
    pub affected: Vec<AffectedOrder>,
    pub trading_session_id: Option<String>,
    pub symbol: Option<String>,
    pub side: Option<Side>,
    pub transact_time: Option<Timestamp>,
    pub text: Option<String>,
}

/// One order that a mass cancel reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AffectedOrder {
    /// OrigClOrdID (41): the order's newest id.
    pub orig_cl_ord_id: String,
    /// AffectedOrderID (535): the exchange order number.
    pub order_id: Option<String>,
}

impl OrderMassCancelReport {
    pub(crate) fn read(message: &Message) -> Result<OrderMassCancelReport, Malformed> {
        let mut affected = Vec::new();
        for entry in message.group(tag::NO_AFFECTED_ORDERS, tag::ORIG_CL_ORD_ID)? {
            affected.push(AffectedOrder {
                orig_cl_ord_id: entry.required(tag::ORIG_CL_ORD_ID)?,
                order_id: entry.optional(tag::AFFECTED_ORDER_ID)?,
            });
        }
        Ok(OrderMassCancelReport {
            cl_ord_id: message.optional(tag::CL_ORD_ID)?,
            order_id: message.required(tag::ORDER_ID)?,
            scope: message.required(tag::MASS_CANCEL_REQUEST_TYPE)?,
            response: message.required(tag::MASS_CANCEL_RESPONSE)?,
            reason: message.optional(tag::MASS_CANCEL_REJECT_REASON)?,
            total_affected_orders: message.optional(tag::TOTAL_AFFECTED_ORDERS)?,
            affected,
            trading_session_id: message.optional(tag::TRADING_SESSION_ID)?,
            symbol: message.optional(tag::SYMBOL)?,
            side: message.optional(tag::SIDE)?,
            transact_time: message.optional(tag::TRANSACT_TIME)?,
            text: message.optional(tag::TEXT)?,
        })
    }

    pub(crate) fn write(&self, body: &mut Body) {
        body.maybe(tag::CL_ORD_ID, self.cl_ord_id.as_deref());
        body.text(tag::ORDER_ID, &self.order_id);
        if let Some(side) = self.side {
            body.code(tag::SIDE, side.code());
        }
        body.maybe(tag::SYMBOL, self.symbol.as_deref());
        body.maybe(tag::TEXT, self.text.as_deref());
        if let Some(time) = self.transact_time {
            body.time(tag::TRANSACT_TIME, time);
        }
        body.maybe(tag::TRADING_SESSION_ID, self.trading_session_id.as_deref());
        body.code(tag::MASS_CANCEL_REQUEST_TYPE, self.scope.code());
        body.code(tag::MASS_CANCEL_RESPONSE, self.response.code());
        if let Some(reason) = self.reason {
            body.count(tag::MASS_CANCEL_REJECT_REASON, reason);
        }
        if let Some(total) = self.total_affected_orders {
            body.count(tag::TOTAL_AFFECTED_ORDERS, total);
        }
        if !self.affected.is_empty() {
            body.count(tag::NO_AFFECTED_ORDERS, self.affected.len() as u64);
        }
        for order in &self.affected {
            body.text(tag::ORIG_CL_ORD_ID, &order.orig_cl_ord_id);
            body.maybe(tag::AFFECTED_ORDER_ID, order.order_id.as_deref());
        }
    }
}
