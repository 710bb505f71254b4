//! Why a request can't be: one flat list, in order of precedence. The first that applies is the answer.

use super::order::OrderStatus;
use crate::amount::{Price, Quantity};
use thiserror::Error;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    // Of any request.
    #[error("this request id was used before for another request")]
    RequestIdReused,
    #[error("a reason is needed")]
    ReasonMissing,
    // Of a request that places or changes an order.
    #[error("the platform is not active")]
    PlatformNotActive,
    #[error("there is no such position today")]
    UnknownPosition,
    #[error("there is no contract for this instrument on the position's trading date")]
    UnknownInstrument,
    #[error("new orders are halted: {reason}")]
    Halted { reason: String },
    #[error("the market is not open: {phase}")]
    MarketNotOpen { phase: &'static str },
    #[error("the exchange session is not ready")]
    SessionNotReady,
    #[error("the position was handed back to the primary platform")]
    HandedBack,
    #[error("the position is frozen: {reason}")]
    Frozen { reason: String },
    #[error("the instrument cannot be squared off here: {reason}")]
    InstrumentRestricted { reason: &'static str },
    // Of a quantity to close.
    #[error("the quantity must be more than zero")]
    QuantityNotPositive,
    #[error("nothing is left to close: {open} open, {working} already on its way")]
    NothingToClose { open: Quantity, working: Quantity },
    #[error("{requested} is more than the {closable} that can still be closed")]
    ExceedsOpenQuantity { requested: u64, closable: Quantity },
    #[error("{closable} is an odd lot: of it {whole} can be closed in lots of {lot}")]
    OddLot {
        closable: Quantity,
        lot: Quantity,
        whole: Quantity,
    },
    #[error("{requested} is not a whole number of lots of {lot}")]
    NotWholeLots { requested: u64, lot: Quantity },
    #[error("the freeze quantity {freeze} is less than one lot of {lot}")]
    FreezeBelowLot { freeze: Quantity, lot: Quantity },
    #[error("the quantity needs {slices} orders, more than the {limit} that one request may place")]
    TooManySlices { slices: u64, limit: u32 },
    // Of an order that is named.
    #[error("the position has no such order")]
    UnknownOrder,
    #[error("the order is the primary platform's: it can be cancelled here, not changed")]
    NotOurOrder,
    #[error("the order is already {}", status.as_str())]
    OrderEnded { status: OrderStatus },
    #[error("the order is not in doubt")]
    NotInDoubt,
    #[error("it is not known whether the exchange has the order")]
    OrderInDoubt,
    #[error("a cancel of this order is already on its way")]
    CancelPending,
    #[error("a change of this order is already on its way")]
    ReplacePending,
    #[error("the exchange has not acknowledged the order yet")]
    NotAcknowledged,
    #[error("this order was cancelled {limit} times without success")]
    TooManyCancels { limit: u32 },
    #[error("this order was changed {limit} times already")]
    TooManyReplaces { limit: u32 },
    #[error("the change leaves price and quantity as they are")]
    NothingToChange,
    #[error("the quantity can only go down: {requested} is more than {quantity}")]
    QuantityNotLower { requested: u64, quantity: Quantity },
    #[error("{requested} is not more than the {filled} that have filled already")]
    QuantityNotAboveFilled { requested: u64, filled: Quantity },
    #[error("no order is working")]
    NothingToCancel,
    // Of a price.
    #[error("the reference price is {age_s} s old, more than the {limit_s} s that are allowed")]
    StaleReference { age_s: u64, limit_s: u64 },
    #[error("the price {price} is not a multiple of the tick {tick}")]
    PriceOffTick { price: Price, tick: Price },
    #[error("the price {price} is outside the band {low} to {high}")]
    PriceOutOfBand {
        price: Price,
        low: Price,
        high: Price,
    },
    #[error("the price {price} is outside the limit price protection {low} to {high}")]
    PriceOutOfProtection {
        price: Price,
        low: Price,
        high: Price,
    },
    // Of the position as a whole.
    #[error("the position is not frozen")]
    NotFrozen,
    #[error("{orders} {} may still fill", if *orders == 1 { "order" } else { "orders" })]
    OrdersWorking { orders: u32 },
}

impl Refusal {
    /// A stable name for programs: the last part of the problem type's URI.
    pub const fn code(&self) -> &'static str {
        match self {
            Refusal::RequestIdReused => "idempotency-key-reused",
            Refusal::ReasonMissing => "reason-missing",
            Refusal::PlatformNotActive => "platform-not-active",
            Refusal::UnknownPosition => "unknown-position",
            Refusal::UnknownInstrument => "unknown-instrument",
            Refusal::Halted { .. } => "new-orders-halted",
            Refusal::MarketNotOpen { .. } => "market-not-open",
            Refusal::SessionNotReady => "exchange-not-connected",
            Refusal::HandedBack => "position-handed-back",
            Refusal::Frozen { .. } => "position-frozen",
            Refusal::InstrumentRestricted { .. } => "instrument-restricted",
            Refusal::QuantityNotPositive => "quantity-not-positive",
            Refusal::NothingToClose { .. } => "nothing-to-close",
            Refusal::ExceedsOpenQuantity { .. } => "exceeds-open-quantity",
            Refusal::OddLot { .. } => "odd-lot",
            Refusal::NotWholeLots { .. } => "not-whole-lots",
            Refusal::FreezeBelowLot { .. } => "freeze-below-lot",
            Refusal::TooManySlices { .. } => "too-many-slices",
            Refusal::UnknownOrder => "unknown-order",
            Refusal::NotOurOrder => "not-our-order",
            Refusal::OrderEnded { .. } => "order-ended",
            Refusal::NotInDoubt => "order-not-in-doubt",
            Refusal::OrderInDoubt => "order-in-doubt",
            Refusal::CancelPending => "cancel-pending",
            Refusal::ReplacePending => "replace-pending",
            Refusal::NotAcknowledged => "order-not-acknowledged",
            Refusal::TooManyCancels { .. } => "too-many-cancels",
            Refusal::TooManyReplaces { .. } => "too-many-replaces",
            Refusal::NothingToChange => "nothing-to-change",
            Refusal::QuantityNotLower { .. } => "quantity-not-lower",
            Refusal::QuantityNotAboveFilled { .. } => "quantity-not-above-filled",
            Refusal::NothingToCancel => "nothing-to-cancel",
            Refusal::StaleReference { .. } => "stale-reference",
            Refusal::PriceOffTick { .. } => "price-off-tick",
            Refusal::PriceOutOfBand { .. } => "price-out-of-band",
            Refusal::PriceOutOfProtection { .. } => "price-out-of-protection",
            Refusal::NotFrozen => "position-not-frozen",
            Refusal::OrdersWorking { .. } => "orders-working",
        }
    }
}
