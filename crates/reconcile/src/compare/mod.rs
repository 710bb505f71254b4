//! The comparison: every side in, breaks and totals out. Pure, and the same for any order of the lines.

mod executions;
mod open;
mod orders;
mod positions;
mod read_model;
#[cfg(test)]
mod tests;
mod words;

use crate::breaks::{Break, Kind};
use crate::sides::{Held, Moment, Sides, Source, Terms};
use crate::totals::{Totals, totals};
use squareoff_domain::{ExecutionKey, Money, Price, Quantity, Timestamp, Venue};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Most money first.
    pub breaks: Vec<Break>,
    /// Differences so young that they may settle by themselves: counted, not listed.
    pub on_its_way: u64,
    /// Trades that the primary told of, from before a side's own record begins.
    pub before_reach: u64,
    /// Venues that the log has trades of and nobody outside speaks of.
    pub unwitnessed: BTreeSet<Venue>,
    pub totals: Totals,
    pub positions: Positions,
    pub orders: u64,
}

/// The day's positions, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Positions {
    pub count: u64,
    /// Not flat.
    pub open: u64,
    /// What the open ones are worth at their marks, in 1/10,000 rupee.
    pub open_value: Money,
    /// Of the positions that no contract gives a mark for, how many are open.
    pub open_unvalued: u64,
}

/// Holds every side that is there against the log.
pub fn compare(sides: &Sides, moment: Moment) -> Compared {
    let mut comparison = Comparison {
        sides,
        moment,
        breaks: Vec::new(),
        on_its_way: 0,
        before_reach: 0,
        unreached: BTreeSet::new(),
        net: positions::net(&sides.log),
    };
    comparison.executions();
    comparison.suspense();
    comparison.alarms();
    comparison.orders();
    comparison.positions();
    comparison.read_model();
    let mut breaks = comparison.breaks;
    breaks.sort_by(|one, other| {
        let rank = |it: &Break| (it.kind, it.venue, it.execution.clone(), it.order.clone());
        other
            .money
            .cmp(&one.money)
            .then_with(|| rank(one).cmp(&rank(other)))
            .then_with(|| one.stream.cmp(&other.stream))
            .then_with(|| one.says.cmp(&other.says))
    });
    Compared {
        breaks,
        on_its_way: comparison.on_its_way,
        before_reach: comparison.before_reach,
        unwitnessed: unwitnessed(sides),
        totals: totals(sides, &comparison.unreached),
        positions: positions::count(&sides.log, &comparison.net),
        orders: sides.log.orders.len() as u64,
    }
}

/// The venues that a side speaks for: those it says anything of. So a file of one exchange says nothing of another's trades.
pub fn speaks_for(sides: &Sides, source: Source) -> BTreeSet<Venue> {
    match source {
        Source::Log | Source::ReadModel => Venue::ALL.iter().copied().collect(),
        Source::DropCopy => sides.log.reach.keys().copied().collect(),
        Source::Ledger => sides
            .ledger
            .as_ref()
            .map_or_else(BTreeSet::new, |ledger| ledger.venues.clone()),
        Source::TradesFile => {
            let rows = sides.trades_file.iter().flatten();
            rows.filter_map(|told| venue_of(&told.execution)).collect()
        }
        Source::PositionsFile => {
            let rows = sides.positions_file.iter().flatten();
            rows.map(|closing| closing.key.venue).collect()
        }
    }
}

fn unwitnessed(sides: &Sides) -> BTreeSet<Venue> {
    let mut traded: BTreeSet<Venue> = sides
        .log
        .trades
        .iter()
        .filter_map(|booked| venue_of(&booked.told.execution))
        .collect();
    for source in [Source::DropCopy, Source::Ledger, Source::TradesFile] {
        for venue in speaks_for(sides, source) {
            traded.remove(&venue);
        }
    }
    traded
}

/// The venue that an execution's key begins with.
pub(crate) fn venue_of(key: &ExecutionKey) -> Option<Venue> {
    let (venue, _) = key.as_str().split_once('|')?;
    venue.parse().ok()
}

struct Comparison<'a> {
    sides: &'a Sides,
    moment: Moment,
    breaks: Vec<Break>,
    on_its_way: u64,
    before_reach: u64,
    /// The trades that these are.
    unreached: BTreeSet<ExecutionKey>,
    /// Net quantity of each position: its beginning of the day and its live trades, added up here and not taken from the fold.
    net: Vec<i128>,
}

impl Comparison<'_> {
    /// Whether what happened then may still be on its way to another side; `None` is as old as can be.
    fn is_young(&self, at: Option<Timestamp>) -> bool {
        at.is_some_and(|at| at > self.moment.settled_before)
    }

    /// A break about a position of the log, with nothing said yet.
    fn of_position(&self, kind: Kind, money: Money, held: &Held) -> Break {
        let symbol: Arc<str> = held.key.symbol.as_str().into();
        Break {
            client: Some(held.key.client.as_str().into()),
            product: Some(held.key.product),
            stream: Some(Arc::clone(&held.stream)),
            ..self.of_instrument(kind, money, Some(held.key.venue), Some(symbol))
        }
    }

    fn of_instrument(
        &self,
        kind: Kind,
        money: Money,
        venue: Option<Venue>,
        symbol: Option<Arc<str>>,
    ) -> Break {
        let instruments = &self.sides.log.instruments;
        let place = venue.zip(symbol.clone());
        let instrument = place.and_then(|place| instruments.get(&place));
        Break {
            kind,
            money,
            venue,
            segment: instrument.map(|instrument| instrument.segment),
            client: None,
            symbol,
            product: None,
            execution: None,
            order: None,
            stream: None,
            says: Vec::new(),
            cause: String::new(),
            next: String::new(),
        }
    }

    /// What an open quantity of the position's instrument is valued at; nothing where no contract says.
    fn mark(&self, held: &Held) -> Price {
        mark(&self.sides.log.instruments, held).unwrap_or_default()
    }
}

fn mark(
    instruments: &BTreeMap<(Venue, Arc<str>), crate::sides::Instrument>,
    held: &Held,
) -> Option<Price> {
    let place = (held.key.venue, held.key.symbol.as_str().into());
    instruments.get(&place).map(|instrument| instrument.mark)
}

/// Units at a price, whichever way they go.
fn worth(units: i128, price: Price) -> Money {
    let units = i128::try_from(units.unsigned_abs()).unwrap_or(i128::MAX);
    Money::saturating(units.saturating_mul(i128::from(price.0.max(0))))
}

fn value(quantity: Quantity, price: Price) -> Money {
    Money(Money::of(quantity, price).0.max(0))
}

/// By how much two contents of one trade differ: the quantity that one has more at the higher price, and what both have at the
/// difference of the prices.
fn difference(one: Terms, other: Terms) -> Money {
    if one.side != other.side {
        return one.value().plus(other.value());
    }
    let more = one
        .quantity
        .minus(other.quantity)
        .plus(other.quantity.minus(one.quantity));
    let both = one.quantity.min(other.quantity);
    let apart = Price(one.price.0.saturating_sub(other.price.0).saturating_abs());
    Money::of(more, one.price.max(other.price)).plus(Money::of(both, apart))
}
