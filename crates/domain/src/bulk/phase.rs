//! In which order a bulk works: what can hurt most comes first.

use crate::amount::NetQuantity;
use crate::id::{PositionKey, Product};
use crate::reference::Contract;
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
    let option = contract.option_type.is_some();
    if contract.expiry.is_some_and(|expiry| expiry <= key.date) {
        return BulkPhase::ExpiringToday;
    }
    if option && net.0 < 0 {
        return BulkPhase::ShortOptions;
    }
    if key.product == Product::Mis {
        return BulkPhase::Mis;
    }
    if option {
        return BulkPhase::LongOptions;
    }
    if contract.expiry.is_some() {
        return BulkPhase::Futures;
    }
    match key.product {
        Product::Mis => BulkPhase::Mis,
        Product::Nrml => BulkPhase::Nrml,
        Product::Cnc => BulkPhase::Cnc,
    }
}
