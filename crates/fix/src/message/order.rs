//! What is asked of an exchange: orders, cancels, replacements, status. Fields are written in ascending tag order.

use crate::codec::Message;
use crate::encode::Body;
use crate::message::dialect::Dialect;
use crate::message::kind::{OrdType, Side, TimeInForce};
use crate::message::read::Malformed;
use crate::tag;
use crate::value::{PriceE4, Timestamp};

/// NewOrderSingle (35=D).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrderSingle {
    pub cl_ord_id: String,
    /// Account (1): the client code.
    pub account: Option<String>,
    pub symbol: String,
    /// SecurityExchange (207): the venue.
    pub security_exchange: Option<String>,
    pub side: Side,
    /// OrderQty (38) in units.
    pub order_qty: i64,
    pub ord_type: OrdType,
    /// Price (44), for limit orders.
    pub price: Option<PriceE4>,
    /// TimeInForce (59); `None` is absent, which means Day.
    pub time_in_force: Option<TimeInForce>,
    pub transact_time: Timestamp,
    pub text: Option<String>,
}

impl NewOrderSingle {
    pub(crate) fn read(message: &Message) -> Result<NewOrderSingle, Malformed> {
        Ok(NewOrderSingle {
            cl_ord_id: message.required(tag::CL_ORD_ID)?,
            account: message.optional(tag::ACCOUNT)?,
            symbol: message.required(tag::SYMBOL)?,
            security_exchange: message.optional(tag::SECURITY_EXCHANGE)?,
            side: message.required(tag::SIDE)?,
            order_qty: message.required(tag::ORDER_QTY)?,
            ord_type: message.required(tag::ORD_TYPE)?,
            price: message.optional(tag::PRICE)?,
            time_in_force: message.optional(tag::TIME_IN_FORCE)?,
            transact_time: message.required(tag::TRANSACT_TIME)?,
            text: message.optional(tag::TEXT)?,
        })
    }

    pub(crate) fn write(&self, body: &mut Body, dialect: Dialect) {
        body.maybe(tag::ACCOUNT, self.account.as_deref());
        body.text(tag::CL_ORD_ID, &self.cl_ord_id);
        dialect.write_handl_inst(body);
        body.number(tag::ORDER_QTY, self.order_qty);
        body.code(tag::ORD_TYPE, self.ord_type.code());
        if let Some(price) = self.price {
            body.price(tag::PRICE, price);
        }
        body.code(tag::SIDE, self.side.code());
        body.text(tag::SYMBOL, &self.symbol);
        body.maybe(tag::TEXT, self.text.as_deref());
        if let Some(time_in_force) = self.time_in_force {
            body.code(tag::TIME_IN_FORCE, time_in_force.code());
        }
        body.time(tag::TRANSACT_TIME, self.transact_time);
        body.maybe(tag::SECURITY_EXCHANGE, self.security_exchange.as_deref());
    }
}

/// OrderCancelRequest (35=F).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderCancelRequest {
    pub cl_ord_id: String,
    pub orig_cl_ord_id: String,
    /// OrderID (37): the exchange order number, when known.
    pub order_id: Option<String>,
    pub account: Option<String>,
    pub symbol: String,
    pub security_exchange: Option<String>,
    pub side: Side,
    /// OrderQty (38) of the original order, in units.
    pub order_qty: i64,
    pub transact_time: Timestamp,
}

impl OrderCancelRequest {
    pub(crate) fn read(message: &Message) -> Result<OrderCancelRequest, Malformed> {
        Ok(OrderCancelRequest {
            cl_ord_id: message.required(tag::CL_ORD_ID)?,
            orig_cl_ord_id: message.required(tag::ORIG_CL_ORD_ID)?,
            order_id: message.optional(tag::ORDER_ID)?,
            account: message.optional(tag::ACCOUNT)?,
            symbol: message.required(tag::SYMBOL)?,
            security_exchange: message.optional(tag::SECURITY_EXCHANGE)?,
            side: message.required(tag::SIDE)?,
            order_qty: message.required(tag::ORDER_QTY)?,
            transact_time: message.required(tag::TRANSACT_TIME)?,
        })
    }

    pub(crate) fn write(&self, body: &mut Body) {
        body.maybe(tag::ACCOUNT, self.account.as_deref());
        body.text(tag::CL_ORD_ID, &self.cl_ord_id);
        body.maybe(tag::ORDER_ID, self.order_id.as_deref());
        body.number(tag::ORDER_QTY, self.order_qty);
        body.text(tag::ORIG_CL_ORD_ID, &self.orig_cl_ord_id);
        body.code(tag::SIDE, self.side.code());
        body.text(tag::SYMBOL, &self.symbol);
        body.time(tag::TRANSACT_TIME, self.transact_time);
        body.maybe(tag::SECURITY_EXCHANGE, self.security_exchange.as_deref());
    }
}

/// OrderCancelReplaceRequest (35=G): what the order is to be from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderCancelReplaceRequest {
    pub cl_ord_id: String,
    /// OrigClOrdID (41): the newest id of the order that the exchange accepted.
    pub orig_cl_ord_id: String,
    /// OrderID (37): the exchange order number, when known.
    pub order_id: Option<String>,
    pub account: Option<String>,
    pub symbol: String,
    pub security_exchange: Option<String>,
    pub side: Side,
    /// OrderQty (38) in units: the *total* from now on, what has filled already included.
    pub order_qty: i64,
    pub ord_type: OrdType,
    /// Price (44), for limit orders.
    pub price: Option<PriceE4>,
    /// TimeInForce (59); `None` is absent, which means Day.
    pub time_in_force: Option<TimeInForce>,
    pub transact_time: Timestamp,
}

impl OrderCancelReplaceRequest {
    pub(crate) fn read(message: &Message) -> Result<OrderCancelReplaceRequest, Malformed> {
        Ok(OrderCancelReplaceRequest {
            cl_ord_id: message.required(tag::CL_ORD_ID)?,
            orig_cl_ord_id: message.required(tag::ORIG_CL_ORD_ID)?,
            order_id: message.optional(tag::ORDER_ID)?,
            account: message.optional(tag::ACCOUNT)?,
            symbol: message.required(tag::SYMBOL)?,
            security_exchange: message.optional(tag::SECURITY_EXCHANGE)?,
            side: message.required(tag::SIDE)?,
            order_qty: message.required(tag::ORDER_QTY)?,
            ord_type: message.required(tag::ORD_TYPE)?,
            price: message.optional(tag::PRICE)?,
            time_in_force: message.optional(tag::TIME_IN_FORCE)?,
            transact_time: message.required(tag::TRANSACT_TIME)?,
        })
    }

    pub(crate) fn write(&self, body: &mut Body, dialect: Dialect) {
        body.maybe(tag::ACCOUNT, self.account.as_deref());
        body.text(tag::CL_ORD_ID, &self.cl_ord_id);
        dialect.write_handl_inst(body);
        body.maybe(tag::ORDER_ID, self.order_id.as_deref());
        body.number(tag::ORDER_QTY, self.order_qty);
        body.code(tag::ORD_TYPE, self.ord_type.code());
        body.text(tag::ORIG_CL_ORD_ID, &self.orig_cl_ord_id);
        if let Some(price) = self.price {
            body.price(tag::PRICE, price);
        }
        body.code(tag::SIDE, self.side.code());
        body.text(tag::SYMBOL, &self.symbol);
        if let Some(time_in_force) = self.time_in_force {
            body.code(tag::TIME_IN_FORCE, time_in_force.code());
        }
        body.time(tag::TRANSACT_TIME, self.transact_time);
        body.maybe(tag::SECURITY_EXCHANGE, self.security_exchange.as_deref());
    }
}

/// OrderStatusRequest (35=H).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderStatusRequest {
    pub ord_status_req_id: Option<String>,
    pub cl_ord_id: String,
    pub order_id: Option<String>,
    pub account: Option<String>,
    pub symbol: String,
    pub security_exchange: Option<String>,
    pub side: Side,
}

impl OrderStatusRequest {
    pub(crate) fn read(message: &Message) -> Result<OrderStatusRequest, Malformed> {
        Ok(OrderStatusRequest {
            ord_status_req_id: message.optional(tag::ORD_STATUS_REQ_ID)?,
            cl_ord_id: message.required(tag::CL_ORD_ID)?,
            order_id: message.optional(tag::ORDER_ID)?,
            account: message.optional(tag::ACCOUNT)?,
            symbol: message.required(tag::SYMBOL)?,
            security_exchange: message.optional(tag::SECURITY_EXCHANGE)?,
            side: message.required(tag::SIDE)?,
        })
    }

    pub(crate) fn write(&self, body: &mut Body, dialect: Dialect) {
        body.maybe(tag::ACCOUNT, self.account.as_deref());
        body.text(tag::CL_ORD_ID, &self.cl_ord_id);
        body.maybe(tag::ORDER_ID, self.order_id.as_deref());
        body.code(tag::SIDE, self.side.code());
        body.text(tag::SYMBOL, &self.symbol);
        body.maybe(tag::SECURITY_EXCHANGE, self.security_exchange.as_deref());
        if dialect == Dialect::Fix44 {
            body.maybe(tag::ORD_STATUS_REQ_ID, self.ord_status_req_id.as_deref());
        }
    }
}

/// OrderMassStatusRequest (35=AF).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderMassStatusRequest {
    pub mass_status_req_id: String,
    /// MassStatusReqType (585); 7 is all orders, 1 those in one security.
    pub mass_status_req_type: u64,
    pub account: Option<String>,
    /// Symbol (55), for the orders in one security.
    pub symbol: Option<String>,
}

impl OrderMassStatusRequest {
    /// MassStatusReqType of a request for every order.
    pub const ALL_ORDERS: u64 = 7;
    /// MassStatusReqType of a request for the orders in one security.
    pub const SECURITY: u64 = 1;

    pub(crate) fn read(message: &Message) -> Result<OrderMassStatusRequest, Malformed> {
        Ok(OrderMassStatusRequest {
            mass_status_req_id: message.required(tag::MASS_STATUS_REQ_ID)?,
            mass_status_req_type: message.required(tag::MASS_STATUS_REQ_TYPE)?,
            account: message.optional(tag::ACCOUNT)?,
            symbol: message.optional(tag::SYMBOL)?,
        })
    }

    pub(crate) fn write(&self, body: &mut Body) {
        body.maybe(tag::ACCOUNT, self.account.as_deref());
        body.maybe(tag::SYMBOL, self.symbol.as_deref());
        body.text(tag::MASS_STATUS_REQ_ID, &self.mass_status_req_id);
        body.count(tag::MASS_STATUS_REQ_TYPE, self.mass_status_req_type);
    }
}
