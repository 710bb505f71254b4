//! Why a request can't be: one flat list, in order of precedence. The first that applies is the answer.

use super::state::OrderStatus;
use crate::amount::{Price, Quantity};
use thiserror::Error;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("this request id was used before for another request")]
    RequestIdReused,
    #[error("the platform is not active")]
    PlatformNotActive,
    #[error("the exchange session is not ready")]
    SessionNotReady,
    #[error("there is no such position today")]
    UnknownPosition,
    #[error("there is no contract for this instrument on the position's trading date")]
    UnknownInstrument,
    #[error("the quantity must be more than zero")]
    QuantityNotPositive,
    #[error("nothing is left to close: {open} open, {working} already on its way")]
    NothingToClose { open: Quantity, working: Quantity },
    #[error("{requested} is more than the {closable} that can still be closed")]
    ExceedsOpenQuantity { requested: u64, closable: Quantity },
    #[error("{requested} is not a whole number of lots of {lot}")]
    NotWholeLots { requested: u64, lot: Quantity },
    #[error("the freeze quantity {freeze} is less than one lot of {lot}")]
    FreezeBelowLot { freeze: Quantity, lot: Quantity },
    #[error("the quantity needs {slices} orders, more than the {limit} that one request may place")]
    TooManySlices { slices: u64, limit: u32 },
    #[error("the price {price} is not a multiple of the tick {tick}")]
    PriceOffTick { price: Price, tick: Price },
    #[error("the price {price} is outside the band {low} to {high}")]
    PriceOutOfBand {
        price: Price,
        low: Price,
        high: Price,
    },
    #[error("the position has no such order")]
    UnknownOrder,
    #[error("the order is already {}", status.as_str())]
    OrderEnded { status: OrderStatus },
    #[error("a cancel of this order is already on its way")]
    CancelPending,
    #[error("this order was cancelled {limit} times without success")]
    TooManyCancels { limit: u32 },
    #[error("no order is working")]
    NothingToCancel,
}

impl Refusal {
    /// A stable name for programs: the last part of the problem type's URI.
    pub const fn code(&self) -> &'static str {
        match self {
            Refusal::RequestIdReused => "idempotency-key-reused",
            Refusal::PlatformNotActive => "platform-not-active",
            Refusal::SessionNotReady => "exchange-not-connected",
            Refusal::UnknownPosition => "unknown-position",
            Refusal::UnknownInstrument => "unknown-instrument",
            Refusal::QuantityNotPositive => "quantity-not-positive",
            Refusal::NothingToClose { .. } => "nothing-to-close",
            Refusal::ExceedsOpenQuantity { .. } => "exceeds-open-quantity",
            Refusal::NotWholeLots { .. } => "not-whole-lots",
            Refusal::FreezeBelowLot { .. } => "freeze-below-lot",
            Refusal::TooManySlices { .. } => "too-many-slices",
            Refusal::PriceOffTick { .. } => "price-off-tick",
            Refusal::PriceOutOfBand { .. } => "price-out-of-band",
            Refusal::UnknownOrder => "unknown-order",
            Refusal::OrderEnded { .. } => "order-ended",
            Refusal::CancelPending => "cancel-pending",
            Refusal::TooManyCancels { .. } => "too-many-cancels",
            Refusal::NothingToCancel => "nothing-to-cancel",
        }
    }
}
