//! The facts of one message or command, numbered as they are told; and the matching of an order that enters a book.

use squareoff_fix::Timestamp;

use super::{Exchange, Order};
use crate::book::Against;
use crate::fact::{Cause, Ended, Fact, HOUSE, Happening, OrderImage, TimeInForce};
use crate::price::Price;

/// Whose order it is.
#[derive(Clone, Copy)]
pub(super) struct Owner<'a> {
    pub venue: &'a str,
    pub session: &'a str,
}

impl Order {
    pub(super) fn owner(&self) -> Owner<'_> {
        Owner {
            venue: &self.venue,
            session: &self.session,
        }
    }
}

pub(super) struct Facts<'a> {
    exchange: &'a Exchange,
    cause: Cause,
    now: Timestamp,
    facts: Vec<Fact>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(exchange: &'a Exchange, cause: Cause, now: Timestamp) -> Self {
        Self {
            exchange,
            cause,
            now,
            facts: Vec::new(),
        }
    }

    /// The ordinal of the fact told next.
    pub(super) fn next_ordinal(&self) -> u64 {
        self.exchange.next_ordinal + self.facts.len() as u64
    }

    pub(super) fn tell(&mut self, owner: Owner<'_>, order: OrderImage, happening: Happening) {
        self.facts.push(Fact {
            ordinal: self.next_ordinal(),
            venue: owner.venue.to_owned(),
            session: owner.session.to_owned(),
            cause: self.cause.clone(),
            completes: false,
            trade_date: self.exchange.trade_date.clone(),
            transact_time: self.now,
            order,
            happening,
        });
    }

    /// A fact about no order.
    pub(super) fn tell_all(&mut self, venue: &str, happening: Happening) {
        let owner = Owner {
            venue,
            session: HOUSE,
        };
        self.tell(owner, OrderImage::none(), happening);
    }

    /// Matches an order, just told of, against the book as it stands: the fills, then the end of what an IOC leaves.
    pub(super) fn enter(&mut self, owner: Owner<'_>, instrument: usize, mut image: OrderImage) {
        let exchange = self.exchange;
        let round = exchange.rounds[instrument];
        let maker = exchange.makers[instrument].iter();
        let quotes = maker.flat_map(|maker| maker.quotes(round, image.side, image.price));
        let fills =
            exchange.books[instrument].fills(image.side, image.price, image.leaves_units, quotes);
        for fill in fills {
            let executed = |against| Happening::Executed {
                last_units: fill.units,
                last_price: fill.price,
                against,
            };
            let mut against = None;
            if let Against::Order(number) = fill.against
                && let Some(resting) = exchange.orders.get(&number)
            {
                against = Some(number);
                let hit = filled(resting.image.clone(), fill.units, fill.price);
                self.tell(resting.owner(), hit, executed(Some(image.order)));
            }
            image = filled(image, fill.units, fill.price);
            self.tell(owner, image.clone(), executed(against));
        }
        if image.leaves_units > 0 && image.time_in_force == TimeInForce::ImmediateOrCancel {
            let canceled = Happening::Canceled { request: None };
            self.tell(owner, image.done(Ended::Canceled), canceled);
        }
    }

    /// All of them, the last one marked.
    pub(super) fn whole(mut self) -> Vec<Fact> {
        if let Some(last) = self.facts.last_mut() {
            last.completes = true;
        }
        self.facts
    }
}

fn filled(image: OrderImage, units: i64, price: Price) -> OrderImage {
    OrderImage {
        leaves_units: image.leaves_units - units,
        cum_units: image.cum_units + units,
        notional: image.notional.saturating_add(worth(units, price)),
        ..image
    }
}

/// A price is far below 2^40 and a quantity below 2^20; past i64 the average price is all that would suffer.
pub(super) fn worth(units: i64, price: Price) -> i64 {
    price.0.saturating_mul(units)
}
