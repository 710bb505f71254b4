//! Orders: what works, and where. Those that have ended on both sides are told by their trades.

use super::{Comparison, value, words, worth};
use crate::breaks::{Break, Kind};
use crate::sides::{Order, Source, VenueOrder};
use squareoff_domain::{Money, Venue};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

impl Comparison<'_> {
    pub(super) fn orders(&mut self) {
        let sides = self.sides;
        let log = &sides.log;
        let Some(ledger) = &sides.ledger else {
            for order in &log.orders {
                self.order(order, None, false);
            }
            return;
        };
        let venue_of = |order: &Order| log.positions.get(order.position).map(|held| held.key.venue);
        let mut theirs: HashMap<(Venue, &Arc<str>), &VenueOrder> = HashMap::new();
        for order in &ledger.orders {
            theirs.insert((order.venue, &order.cl_ord_id), order);
        }
        let mut known: BTreeSet<(Venue, &Arc<str>)> = BTreeSet::new();
        for order in &log.orders {
            let Some(venue) = venue_of(order) else {
                continue;
            };
            let place = (venue, &order.cl_ord_id);
            known.insert(place);
            let spoken = ledger.venues.contains(&venue);
            self.order(order, theirs.get(&place).copied(), spoken);
        }
        for order in &ledger.orders {
            if !known.contains(&(order.venue, &order.cl_ord_id)) {
                self.unknown_order(order);
            }
        }
        for twice in &ledger.sent_twice {
            let symbol = Some(Arc::clone(&twice.symbol));
            let mut found =
                self.of_instrument(Kind::SentTwice, twice.value, Some(twice.venue), symbol);
            found.client = Some(Arc::clone(&twice.account));
            found.order = Some(twice.cl_ord_id.as_str().into());
            let says = "refused a second message with this ClOrdID".to_owned();
            found.says.push((Source::Ledger, says));
            (found.cause, found.next) = words::order(Kind::SentTwice);
            self.breaks.push(found);
        }
    }

    /// `spoken`: the ledger speaks for the order's venue.
    fn order(&mut self, order: &Order, theirs: Option<&VenueOrder>, spoken: bool) {
        let works = !order.leaves.is_zero();
        let left = value(order.leaves, order.price);
        let young = self.is_young(Some(order.at)) || self.is_young(theirs.map(|it| it.at));
        let (kind, money) = match theirs {
            _ if order.in_doubt && works => (Kind::OrderInDoubt, left),
            Some(theirs) if !works && !theirs.leaves.is_zero() => {
                let money = value(theirs.leaves, theirs.price);
                (Kind::OrderWorkingAtVenue, money)
            }
            Some(theirs) if works && theirs.leaves.is_zero() => (Kind::OrderEndedAtVenue, left),
            Some(theirs) if works && theirs.leaves != order.leaves => {
                let apart = i128::from(order.leaves.units()) - i128::from(theirs.leaves.units());
                (Kind::OrderLeavesDiffer, worth(apart, order.price))
            }
            None if works && spoken && order.dispatched => (Kind::OrderMissingAtVenue, left),
            Some(_) | None if works && self.moment.is_over => (Kind::OrderWorkingAtClose, left),
            Some(_) | None => return,
        };
        if young && kind != Kind::OrderInDoubt {
            self.on_its_way += 1;
            return;
        }
        let mut found = self.of_order(kind, money, order);
        let status = order.status;
        let log = if works {
            format!(
                "{status}: {} {} open at {}",
                order.side, order.leaves, order.price
            )
        } else {
            format!("{status}, nothing open")
        };
        found.says.push((Source::Log, log));
        if spoken {
            let says = theirs.map_or_else(|| "nothing".to_owned(), spelled);
            found.says.push((Source::Ledger, says));
        }
        (found.cause, found.next) = words::order(kind);
        self.breaks.push(found);
    }

    fn unknown_order(&mut self, theirs: &VenueOrder) {
        if self.is_young(Some(theirs.at)) {
            self.on_its_way += 1;
            return;
        }
        let kind = Kind::OrderUnknownHere;
        let money = value(theirs.leaves, theirs.price);
        let symbol = Some(Arc::clone(&theirs.symbol));
        let mut found = self.of_instrument(kind, money, Some(theirs.venue), symbol);
        found.client = Some(Arc::clone(&theirs.account));
        found.order = Some(Arc::clone(&theirs.cl_ord_id));
        found.says.push((Source::Log, "nothing".to_owned()));
        found.says.push((Source::Ledger, spelled(theirs)));
        (found.cause, found.next) = words::order(kind);
        self.breaks.push(found);
    }

    fn of_order(&self, kind: Kind, money: Money, order: &Order) -> Break {
        let held = self.sides.log.positions.get(order.position);
        let found = match held {
            Some(held) => self.of_position(kind, money, held),
            None => self.of_instrument(kind, money, None, None),
        };
        Break {
            order: Some(Arc::clone(&order.cl_ord_id)),
            ..found
        }
    }
}

fn spelled(order: &VenueOrder) -> String {
    if order.leaves.is_zero() {
        format!("{} order, nothing open", order.side)
    } else {
        format!(
            "works: {} {} open at {}",
            order.side, order.leaves, order.price
        )
    }
}
