//! The faults that the exchange can be told to make, each recorded in the ledger with the fact that shows it.
//!
//! Two ways lead to one: market control asks for the next so many (a wish), or gives it a rate, and the seed draws. Both are
//! settled in `state` while it decides, so the same seed and the same inputs make the same faults. What disturbs a line and
//! not the exchange (a cut, a hold, a replay) is in `line`.

use serde::{Deserialize, Serialize};

use crate::contracts::Instrument;
use crate::rules::{self, Refusal};

/// One that strikes an order, a cancel or an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Half of what the liquidity would fill of an order is filled; the rest rests.
    PartialFill,
    /// The acknowledgement comes behind the first fill.
    FillBeforeAck,
    /// One lot more than was ordered is filled.
    OverFill,
    /// An order is filled in the instant in which its cancel or replacement comes, which is too late then.
    FillBeatsCancel,
    /// Half of an order is filled before its cancel takes the rest.
    FillBeforeCancel,
    /// A lot of an order is filled after its cancel.
    FillAfterCancel,
    /// An execution is told twice, with one ExecID.
    DuplicateReport,
    /// An execution is told to the drop copy and not to the order's session.
    WithholdReport,
    /// An execution is told to the order's session and not to the drop copy.
    WithholdCopy,
    RejectUnknownSymbol,
    RejectClosed,
    RejectFreeze,
    RejectLot,
    RejectBand,
    RejectTick,
    /// As a price outside of the limit price protection.
    RejectPriceProtection,
    /// As a security that is not to be squared off within the day.
    RejectTradeForTrade,
}

impl Fault {
    /// Those that refuse an order that is right.
    pub const REFUSALS: [Self; 8] = [
        Self::RejectUnknownSymbol,
        Self::RejectClosed,
        Self::RejectFreeze,
        Self::RejectLot,
        Self::RejectBand,
        Self::RejectTick,
        Self::RejectPriceProtection,
        Self::RejectTradeForTrade,
    ];

    /// The refusal as the rule itself would give it; `None` where the fault is no refusal.
    #[must_use]
    pub fn refusal(self, of: &Instrument) -> Option<Refusal> {
        let symbol = &of.symbol;
        let (reason, text) = match self {
            Self::RejectUnknownSymbol => {
                let text = format!("symbol: {} does not list {symbol}", of.venue);
                (rules::UNKNOWN_SYMBOL, text)
            }
            Self::RejectClosed => (
                rules::EXCHANGE_CLOSED,
                format!("phase: {} is closed", of.segment),
            ),
            Self::RejectFreeze => {
                let text = format!("freeze: exceeds the freeze quantity of {symbol}");
                (rules::EXCEEDS_LIMIT, text)
            }
            Self::RejectLot => {
                let text = format!("lot: not a multiple of the lot of {symbol}");
                (rules::INCORRECT_QUANTITY, text)
            }
            Self::RejectBand => (
                rules::OTHER,
                format!("band: outside of the band of {symbol}"),
            ),
            Self::RejectTick => (
                rules::OTHER,
                format!("tick: not a multiple of the tick of {symbol}"),
            ),
            Self::RejectPriceProtection => {
                let text = format!("price protection: outside of the protected range of {symbol}");
                (rules::OTHER, text)
            }
            Self::RejectTradeForTrade => {
                let text = format!("trade for trade: {symbol} is settled gross");
                (rules::OTHER, text)
            }
            Self::PartialFill
            | Self::FillBeforeAck
            | Self::OverFill
            | Self::FillBeatsCancel
            | Self::FillBeforeCancel
            | Self::FillAfterCancel
            | Self::DuplicateReport
            | Self::WithholdReport
            | Self::WithholdCopy => return None,
        };
        Some(Refusal::new(reason, text))
    }
}
