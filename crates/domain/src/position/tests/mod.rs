// A test names the variants it is about; a new one must not break every table.
#![allow(clippy::wildcard_enum_match_arm)]

mod properties;
mod scenarios;

use super::*;
use crate::amount::{NetQuantity, Price, Quantity};
use crate::id::{ExecutionKey, OrderId, RequestId, Venue};
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

/// What the venue says of the n-th order of a position.
pub(super) fn says(position: &Position, number: u32, execution: Execution) -> Option<Report> {
    let (_, order) = numbered(position, number)?;
    Some(Report::Execution(ExecutionReport {
        cl_ord_id: order.cl_ord_id.clone(),
        exchange_order_id: format!("X{number}").parse().unwrap(),
        execution,
        cumulative: 0,
        leaves: 0,
    }))
}

pub(super) fn fill(position: &Position, number: u32, units: u64, id: &str) -> Option<Report> {
    let (key, quantity) = (execution_key(id), Quantity::new(units).unwrap());
    says(
        position,
        number,
        Execution::Fill {
            key,
            quantity,
            price: Price(1_000_000),
        },
    )
}

pub(super) fn numbered(position: &Position, number: u32) -> Option<(OrderId, &Order)> {
    position
        .orders
        .iter()
        .find(|(_, order)| order.number == number)
        .map(|(id, order)| (*id, order))
}
