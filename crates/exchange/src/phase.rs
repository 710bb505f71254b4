//! What a market segment lets happen at this time of the day.
//!
//! Kept per venue and segment; open unless the ledger says otherwise, so that the exchange can be used at any hour.
//! 1. New and replaced orders only while open. 2. A cancel is always allowed. 3. Closing ends every DAY order.

use serde::{Deserialize, Serialize};
use squareoff_fix::message::TradSesStatus;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    PreOpen,
    Open,
    PreClose,
    Closed,
    Halted,
}

impl Phase {
    /// For people: `FO is closed`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::PreOpen => "in pre-open",
            Self::Open => "open",
            Self::PreClose => "in pre-close",
            Self::Closed => "closed",
            Self::Halted => "halted",
        }
    }

    /// TradSesStatus(340).
    #[must_use]
    pub fn status(self) -> TradSesStatus {
        match self {
            Self::PreOpen => TradSesStatus::PreOpen,
            Self::Open => TradSesStatus::Open,
            Self::PreClose => TradSesStatus::PreClose,
            Self::Closed => TradSesStatus::Closed,
            Self::Halted => TradSesStatus::Halted,
        }
    }
}
