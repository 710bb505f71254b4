//! A bulk's orders when the contract file is told anew: the policy's price is the one of the moment, not of the first try.

use crate::bulk_work::{Plan, Worker};
use crate::desk::{Desk, reliance};
use crate::venue::{Answer, Venue};
use squareoff_api::bulk::Book;
use squareoff_domain::Price;
use squareoff_domain::bulk::BulkPhase;
use squareoff_domain::position::{Execution, PositionEvent};
use std::time::Duration;

/// The market has gone away from a buyer: a marketable limit is 107.00 now, and was 103.00.
const NEW_REFERENCE: Price = Price(1_040_000);
const NEW_VERSION: &str = "2026-11-20/later";

async fn tell_contracts_anew(desk: &Desk) {
    desk.relist("RELIANCE", |contract| {
        contract.reference_price = NEW_REFERENCE;
        contract.version = NEW_VERSION.into();
    })
    .await;
}

/// The price of each order that was placed, and of each change.
async fn prices(desk: &Desk) -> (Vec<Price>, Vec<(Price, String)>) {
    let (mut placed, mut changed) = (vec![], vec![]);
    for event in desk.history(&reliance()).await {
        match event {
            PositionEvent::OrderPlaced(event) => placed.push(event.price),
            PositionEvent::ReplaceRequested(event) => {
                changed.push((event.price, event.reference_version));
            }
            _ => {}
        }
    }
    (placed, changed)
}

#[tokio::test]
async fn an_order_that_rests_is_priced_anew_when_the_contract_file_is() {
    let desk = Desk::open().await;
    let _venue = Venue::open(&desk, &[("RELIANCE", Answer::Rest)]);
    let plan = Plan::approved(&desk, vec![(reliance(), BulkPhase::Mis)]).await;
    let book = Book::follow(desk.store.clone(), Duration::ZERO);
    let _worker = Worker::start(&desk);
    plan.until(&book, |summary| summary.asked == 1).await;
    tell_contracts_anew(&desk).await;
    assert_eq!(plan.completed(&book).await.counts.closed, 1);
    let (placed, changed) = prices(&desk).await;
    assert_eq!(placed, [Price(1_030_000)]);
    assert_eq!(changed, [(Price(1_070_000), NEW_VERSION.to_owned())]);
    assert_eq!(desk.position(&reliance()).await.net.0, 0);
}

#[tokio::test]
async fn an_order_refused_at_a_price_of_yesterday_is_asked_for_again_at_todays() {
    let desk = Desk::open().await;
    let venue = Venue::open(&desk, &[("RELIANCE", Answer::Hold)]);
    let plan = Plan::approved(&desk, vec![(reliance(), BulkPhase::Mis)]).await;
    let book = Book::follow(desk.store.clone(), Duration::ZERO);
    let _worker = Worker::start(&desk);
    plan.until(&book, |summary| summary.asked == 1).await;
    tell_contracts_anew(&desk).await;
    venue.answer("RELIANCE", Answer::Fill);
    let orders = desk.position(&reliance()).await.orders;
    let (order, _) = orders.iter().next().unwrap();
    let rejected = Execution::Rejected {
        code: 99,
        text: "outside the price band".into(),
    };
    desk.venue(&reliance(), *order, rejected).await;
    assert_eq!(plan.completed(&book).await.counts.closed, 1);
    let (placed, changed) = prices(&desk).await;
    assert_eq!(placed, [Price(1_030_000), Price(1_070_000)]);
    assert_eq!(changed, []);
}
