//! What filled, and what the venue, the drop copy or another copy of the same report said of it since.

use crate::amount::{Price, Quantity};
use crate::id::{ExchangeOrderId, ExecutionKey, OrderId, Side};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// An order filled, in whole or in part (ExecType F). It is booked as provisional until the drop copy confirms it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executed {
    pub order_id: OrderId,
    pub execution: ExecutionKey,
    pub exchange_order_id: ExchangeOrderId,
    pub side: Side,
    pub quantity: Quantity,
    pub price: Price,
    /// CumQty (FIX tag 14) as the venue said it.
    pub venue_cumulative: u64,
    /// LeavesQty (FIX tag 151) as the venue said it.
    pub venue_leaves: u64,
    /// The order had already ended here when the fill came.
    pub late: bool,
}

/// The same execution key again with another quantity, price or order. What was booked stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionConflicted {
    pub order_id: OrderId,
    pub execution: ExecutionKey,
    pub quantity: Quantity,
    pub price: Price,
}

/// The venue took an execution back (ExecType H). The key may be that of a correction: the trade behind it is void all the same.
/// May come before its execution, which then counts nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionBusted {
    pub order_id: OrderId,
    /// ExecRefID (FIX tag 19).
    pub execution: ExecutionKey,
}

/// The venue changed quantity or price of an execution (ExecType G). A second correction names the first, or the execution again: venues
/// differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionCorrected {
    pub order_id: OrderId,
    /// ExecRefID (FIX tag 19): the execution, or the correction before this one.
    pub execution: ExecutionKey,
    /// The correction's own ExecID (FIX tag 17).
    pub correction: ExecutionKey,
    pub quantity: Quantity,
    pub price: Price,
    /// When the venue made it: of two corrections of one thing the later holds.
    pub at: Timestamp,
}

/// The drop copy told of a trade. Whether it agrees with what is booked is derived ([`crate::position::Trade::status`]), so either may come first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeConfirmed {
    pub execution: ExecutionKey,
    pub side: Side,
    pub quantity: Quantity,
    pub price: Price,
    pub source: String,
}

/// The venue filled more than the order's quantity. The fill is booked, because it is real.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverfillDetected {
    pub order_id: OrderId,
    /// By how much the cumulative quantity is above the order's, in units.
    pub excess: Quantity,
}
