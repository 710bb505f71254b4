//! What the outside tells of a position, in our types. A report is a fact: it can't be refused.

use super::event::ExternalOrderObserved;
use crate::amount::{NetQuantity, Price, Quantity};
use crate::id::{ClOrdId, ExchangeOrderId, ExecutionKey, PositionKey, Side};
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A line of the primary's BOD file.
    Bod {
        key: PositionKey,
        quantity: NetQuantity,
        average_price: Price,
        source: String,
    },
    /// A trade of the day that was done on the primary.
    PrimaryTrade {
        key: PositionKey,
        execution: ExecutionKey,
        side: Side,
        quantity: Quantity,
        price: Price,
        traded_at: Timestamp,
        source: String,
    },
    /// An order that the primary placed: seen first, or seen again with more filled, or `ended` at the venue.
    ExternalOrder {
        order: ExternalOrderObserved,
        ended: bool,
    },
    /// The drop copy told of a trade.
    DropCopy {
        execution: ExecutionKey,
        side: Side,
        quantity: Quantity,
        price: Price,
        source: String,
    },
    /// The gateway journaled the message.
    Dispatched {
        cl_ord_id: ClOrdId,
        session: String,
        sequence: u64,
    },
    /// The gateway dropped the order before it was ever sent, because its cancel overtook it.
    DroppedUnsent { cl_ord_id: ClOrdId },
    /// ExecutionReport (35=8).
    Execution(ExecutionReport),
    /// OrderCancelReject (35=9); `cl_ord_id` is the cancel's or the replace's.
    CancelRejected {
        cl_ord_id: ClOrdId,
        code: i64,
        text: String,
    },
    /// The venue refused a cancel because too many messages came, before it looked at it.
    CancelThrottled { cl_ord_id: ClOrdId, text: String },
    /// The exchange proved that the message never reached it.
    NotDelivered { cl_ord_id: ClOrdId },
    /// The gateway can't tell whether the message reached the exchange.
    InDoubt { cl_ord_id: ClOrdId, reason: String },
    /// Asked how the order stands, the venue says what can't be true beside what it told before; `reason` says both.
    Differs { cl_ord_id: ClOrdId, reason: String },
    /// The position's market closed for the day: no order lives on.
    SessionEnded,
}

/// What an ExecutionReport (35=8) says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionReport {
    /// ClOrdID (11), or OrigClOrdID (41) where the report carries one; for [`Execution::Replaced`] the replace's own ClOrdID (11).
    pub cl_ord_id: ClOrdId,
    pub exchange_order_id: ExchangeOrderId,
    pub execution: Execution,
    /// CumQty (14) and LeavesQty (151).
    pub cumulative: u64,
    pub leaves: u64,
}

/// ExecType (FIX tag 150).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Execution {
    New,
    /// The venue's control holds the order (ExecType 9).
    Frozen {
        text: String,
    },
    Fill {
        key: ExecutionKey,
        quantity: Quantity,
        price: Price,
    },
    /// TradeCancel (H).
    Busted {
        execution: ExecutionKey,
    },
    /// TradeCorrect (G).
    Corrected {
        execution: ExecutionKey,
        correction: ExecutionKey,
        quantity: Quantity,
        price: Price,
        /// When the venue made it: TransactTime (60).
        at: Timestamp,
    },
    /// OrderQty (38) and Price (44) as they are now.
    Replaced {
        quantity: Quantity,
        price: Price,
    },
    Canceled,
    Rejected {
        code: i64,
        text: String,
    },
    Expired,
}

/// CxlRejReason (FIX tag 102): the venue doesn't know the order.
pub const UNKNOWN_ORDER: i64 = 1;

/// CxlRejReason (FIX tag 102): another reason, which the text says.
pub const OTHER_REASON: i64 = 99;
