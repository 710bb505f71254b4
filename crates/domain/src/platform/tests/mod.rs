// A test names the variants it is about; a new one must not break every table.
#![allow(clippy::wildcard_enum_match_arm)]

mod properties;
mod scenarios;

use super::*;
use crate::id::RequestId;
use uuid::Uuid;

pub(super) fn request_id(number: u128) -> RequestId {
    RequestId(Uuid::from_u128(number))
}

pub(super) fn package() -> HandbackPackage {
    HandbackPackage {
        positions: 3,
        orders: 2,
        executions: 5,
        net_digest: "ab12".into(),
        last_position: 99,
    }
}
