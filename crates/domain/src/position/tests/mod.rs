// A test names the variants it is about; a new one must not break every table.
#![allow(clippy::wildcard_enum_match_arm)]

mod derived;
mod history;
mod model;
mod properties;
mod reports;
mod scenarios;
mod step;

use super::*;
use crate::amount::{NetQuantity, Price, Quantity};
use crate::id::{ExecutionKey, OrderId, RequestId, Venue};
use history::{Went, World};
use step::Step;
use uuid::Uuid;

pub(super) fn request_id(number: u128) -> RequestId {
    RequestId(Uuid::from_u128(number))
}

pub(super) fn bod(units: i64) -> Report {
    Report::Bod {
        key: sample::key(),
        quantity: NetQuantity(units),
        average_price: Price(990_000),
        source: "sample".into(),
    }
}

pub(super) fn terms(quantity: Wanted) -> SquareOffTerms {
    SquareOffTerms {
        quantity,
        price: PricePolicy::MarketableLimit,
        time_in_force: TimeInForce::Day,
        evidence: None,
    }
}

pub(super) fn execution_key(id: &str) -> ExecutionKey {
    ExecutionKey::new(Venue::Nse, sample::date(), id).unwrap()
}

pub(super) fn numbered(position: &Position, number: u32) -> Option<(OrderId, &Order)> {
    position
        .orders
        .iter()
        .find(|(_, order)| order.number == number)
        .map(|(id, order)| (*id, order))
}
