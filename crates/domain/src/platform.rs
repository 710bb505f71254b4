//! The platform's own stream: dormant until it is activated, and each activation is a new epoch.
//!
//! Every order passes this gate. An epoch never comes back, so an id minted in an old one cannot collide with a new one.

use crate::time::TradingDate;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub const STREAM: &str = "platform";

/// The platform may accept square-offs for `trading_date`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformActivated {
    pub epoch: u32,
    pub trading_date: TradingDate,
    pub reason: String,
}

/// The platform is dormant again; what is on its way at the exchange still comes in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformStoodDown {
    pub epoch: u32,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlatformEvent {
    PlatformActivated(PlatformActivated),
    PlatformStoodDown(PlatformStoodDown),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    #[default]
    Dormant,
    Active,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Platform {
    pub phase: Phase,
    /// Zero until the first activation.
    pub epoch: u32,
    pub trading_date: Option<TradingDate>,
}

/// What a person may ask of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlatformRequest {
    Activate {
        trading_date: TradingDate,
        reason: String,
    },
    StandDown {
        reason: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlatformRefusal {
    #[error("the platform is already active (epoch {epoch})")]
    AlreadyActive { epoch: u32 },
    #[error("the platform is not active")]
    NotActive,
}

/// # Errors
/// [`PlatformRefusal::AlreadyActive`], [`PlatformRefusal::NotActive`].
pub fn decide(
    platform: &Platform,
    request: PlatformRequest,
) -> Result<Vec<PlatformEvent>, PlatformRefusal> {
    let epoch = platform.epoch;
    match (request, platform.phase) {
        (PlatformRequest::Activate { .. }, Phase::Active) => {
            Err(PlatformRefusal::AlreadyActive { epoch })
        }
        (
            PlatformRequest::Activate {
                trading_date,
                reason,
            },
            Phase::Dormant,
        ) => Ok(vec![PlatformEvent::PlatformActivated(PlatformActivated {
            epoch: epoch.saturating_add(1),
            trading_date,
            reason,
        })]),
        (PlatformRequest::StandDown { .. }, Phase::Dormant) => Err(PlatformRefusal::NotActive),
        (PlatformRequest::StandDown { reason }, Phase::Active) => {
            Ok(vec![PlatformEvent::PlatformStoodDown(PlatformStoodDown {
                epoch,
                reason,
            })])
        }
    }
}

#[must_use]
pub fn evolve(platform: Platform, event: &PlatformEvent) -> Platform {
    match event {
        PlatformEvent::PlatformActivated(activated) => Platform {
            phase: Phase::Active,
            epoch: activated.epoch,
            trading_date: Some(activated.trading_date),
        },
        PlatformEvent::PlatformStoodDown(_) => Platform {
            phase: Phase::Dormant,
            ..platform
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_activation_is_a_new_epoch_and_nothing_happens_twice() {
        let date = "2026-11-20".parse().unwrap();
        let activate = || PlatformRequest::Activate {
            trading_date: date,
            reason: "primary down".into(),
        };
        let stand_down = || PlatformRequest::StandDown {
            reason: "primary back".into(),
        };
        let mut platform = Platform::default();
        assert_eq!(
            decide(&platform, stand_down()),
            Err(PlatformRefusal::NotActive)
        );
        for epoch in 1..=3 {
            platform = decide(&platform, activate())
                .unwrap()
                .iter()
                .fold(platform, evolve);
            assert_eq!((platform.phase, platform.epoch), (Phase::Active, epoch));
            assert_eq!(
                decide(&platform, activate()),
                Err(PlatformRefusal::AlreadyActive { epoch })
            );
            platform = decide(&platform, stand_down())
                .unwrap()
                .iter()
                .fold(platform, evolve);
            assert_eq!(platform.phase, Phase::Dormant);
        }
    }
}
