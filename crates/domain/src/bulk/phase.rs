//! In which order a bulk works: what can hurt most comes first.

use crate::amount::NetQuantity;
use crate::id::{PositionKey, Product};
use crate::reference::{Contract, InstrumentKind};
use serde::{Deserialize, Serialize};

/// The phases, in the order they are worked off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BulkPhase {
    /// First of all every working order on the items, ours and external: "flat" would be a lie while one can still fill.
    CancelWorking,
    /// After today there is no market for it.
    ExpiringToday,
    /// Unlimited loss.
    ShortOptions,
    /// Intraday: the broker closes it today in any case.
    Mis,
    Futures,
    /// The premium is paid; nothing more can be lost.
    LongOptions,
    Nrml,
    /// Delivery holdings.
    Cnc,
}

impl BulkPhase {
    /// In the order of work.
    pub const ALL: &'static [BulkPhase] = &[
        BulkPhase::CancelWorking,
        BulkPhase::ExpiringToday,
        BulkPhase::ShortOptions,
        BulkPhase::Mis,
        BulkPhase::Futures,
        BulkPhase::LongOptions,
        BulkPhase::Nrml,
        BulkPhase::Cnc,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            BulkPhase::CancelWorking => "cancel-working",
            BulkPhase::ExpiringToday => "expiring-today",
            BulkPhase::ShortOptions => "short-options",
            BulkPhase::Mis => "mis",
            BulkPhase::Futures => "futures",
            BulkPhase::LongOptions => "long-options",
            BulkPhase::Nrml => "nrml",
            BulkPhase::Cnc => "cnc",
        }
    }
}

/// The phase in which a position is closed: the first that fits. Never [`BulkPhase::CancelWorking`].
pub fn phase_of(contract: &Contract, key: &PositionKey, net: NetQuantity) -> BulkPhase {
    let (option, future) = match contract.kind {
        InstrumentKind::IndexOption | InstrumentKind::StockOption => (true, false),
        InstrumentKind::IndexFuture | InstrumentKind::StockFuture => (false, true),
        InstrumentKind::Equity => (false, false),
    };
    if contract.expiry.is_some_and(|expiry| expiry <= key.date) {
        BulkPhase::ExpiringToday
    } else if option && net.0 < 0 {
        BulkPhase::ShortOptions
    } else if key.product == Product::Mis {
        BulkPhase::Mis
    } else if future {
        BulkPhase::Futures
    } else if option {
        BulkPhase::LongOptions
    } else if key.product == Product::Nrml {
        BulkPhase::Nrml
    } else {
        BulkPhase::Cnc
    }
}
