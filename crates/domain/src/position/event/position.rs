//! What happened to the position as a whole: what it began with, what froze it, who has it.

use crate::amount::{NetQuantity, Price, Quantity};
use crate::id::{ClOrdId, ExecutionKey, OrderId, PositionKey, RequestId, Side};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The net quantity the primary's file gave at the beginning of the day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodLoaded {
    pub key: PositionKey,
    pub quantity: NetQuantity,
    /// Average price of the open quantity, in 1/10,000 rupee.
    pub average_price: Price,
    /// Version of the file: its date and a digest of its bytes.
    pub source: String,
}

/// A second BOD line for the same position that says something else. The first stands until a person decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodContradicted {
    pub quantity: NetQuantity,
    pub average_price: Price,
    pub source: String,
}

/// A trade of the day that was done on the primary platform, before or beside us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrimaryTradeApplied {
    pub key: PositionKey,
    pub execution: ExecutionKey,
    pub side: Side,
    pub quantity: Quantity,
    pub price: Price,
    /// When the venue made the trade.
    pub traded_at: Timestamp,
    /// Version of the file or feed that told it.
    pub source: String,
}

/// No new order may be placed on the position until a person unfreezes it; cancels go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionFrozen {
    /// Absent when a contradiction froze it.
    pub request_id: Option<RequestId>,
    pub reason: String,
}

/// A person looked into what froze the position: orders may be placed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionUnfrozen {
    pub request_id: RequestId,
    pub reason: String,
}

/// The primary has the position again: in this epoch nothing more is placed on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionHandedBack {
    pub request_id: RequestId,
    /// The activation that ended for this position.
    pub epoch: u32,
    pub net: NetQuantity,
    /// How many executions, of ours and of others, `net` was made of.
    pub executions: u32,
}

/// A fact left more working than is open; our newest orders are being cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExposureBreached {
    /// By how much what may still fill exceeds what is open, in units.
    pub excess: Quantity,
}

/// A report that can't be true beside what the exchange had said of the order. What was booked stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportContradicted {
    pub order_id: OrderId,
    /// The report, as text: what a person needs to look into it.
    pub report: String,
}

/// A report about an order this position never placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownOrderReported {
    pub cl_ord_id: ClOrdId,
    /// The report, as text: what a person needs to look into it.
    pub report: String,
}
