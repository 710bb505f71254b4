//! Counts, quantities and rupees of each side, by venue and segment, by client and by instrument: the first thing that an officer
//! looks at. What was taken back counts nothing, and what one side's record begins behind is in no sum, so that sums differ where there
//! is something to find.

use crate::compare::venue_of;
use crate::sides::{ReadModel, Sides, Source, Told};
use squareoff_domain::{ExecutionKey, PositionKey, Segment, Side, Venue};
use squareoff_projections::day::DayTrade;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Live trades added up. The value is in 1/10,000 rupee.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    pub trades: u64,
    pub bought: u64,
    pub sold: u64,
    pub value: i128,
}

/// Each side that has trades, in the order of [`Source`].
pub type Sums = BTreeMap<Source, Sum>;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// `None`: no contract of the log names the segment.
    pub segments: BTreeMap<(Venue, Option<Segment>), Sums>,
    pub clients: BTreeMap<Arc<str>, Sums>,
    pub instruments: BTreeMap<(Venue, Arc<str>), Sums>,
}

/// Whether all sides of `there` add up to the same. A side that has nothing of the group counts with nothing.
pub fn agree(sums: &Sums, there: &[Source]) -> bool {
    let of = |source: &Source| sums.get(source).copied().unwrap_or_default();
    there.windows(2).all(|pair| of(&pair[0]) == of(&pair[1]))
}

/// A side that does not say whose trade it is, or in what.
const UNKNOWN: &str = "?";

impl Sum {
    #[must_use]
    pub fn plus(self, other: Sum) -> Sum {
        Sum {
            trades: self.trades + other.trades,
            bought: self.bought.saturating_add(other.bought),
            sold: self.sold.saturating_add(other.sold),
            value: self.value + other.value,
        }
    }

    fn add(&mut self, side: Side, units: u64, price: i64) {
        self.trades += 1;
        let sum = match side {
            Side::Buy => &mut self.bought,
            Side::Sell => &mut self.sold,
        };
        *sum = sum.saturating_add(units);
        self.value += i128::from(units) * i128::from(price);
    }
}

pub(crate) fn totals(sides: &Sides, unreached: &BTreeSet<ExecutionKey>) -> Totals {
    let log = &sides.log;
    // One sum for each client in each instrument first: there are far fewer of these than trades.
    let mut pairs: HashMap<(Source, Venue, &str, &str), Sum> = HashMap::new();
    let mut add = |source, told| {
        let told: &Told = told;
        let counts = !told.busted && !unreached.contains(&told.execution);
        let venue = venue_of(&told.execution).filter(|_| counts);
        let Some(venue) = venue else { return };
        let symbol = told.symbol.as_deref().unwrap_or(UNKNOWN);
        let account = told.account.as_deref().unwrap_or(UNKNOWN);
        let terms = told.terms;
        let sum = pairs.entry((source, venue, account, symbol)).or_default();
        sum.add(terms.side, terms.quantity.units(), terms.price.0);
    };
    for booked in &log.trades {
        add(Source::Log, &booked.told);
    }
    for told in &log.drop_copy {
        add(Source::DropCopy, told);
    }
    for told in sides.ledger.iter().flat_map(|ledger| &ledger.trades) {
        add(Source::Ledger, told);
    }
    for told in sides.trades_file.iter().flatten() {
        add(Source::TradesFile, told);
    }
    if let Some(ReadModel::At(day)) = &sides.read_model {
        // A row names its position by its stream, which is one of the log's or a break.
        let positions = log.positions.iter().map(|held| (&*held.stream, &held.key));
        let positions: HashMap<&str, &PositionKey> = positions.collect();
        let unreached: HashSet<&str> = unreached.iter().map(ExecutionKey::as_str).collect();
        let counts = |row: &&DayTrade| {
            row.live_quantity > 0 && !unreached.contains(row.execution_key.as_str())
        };
        for row in day.trades.iter().filter(counts) {
            let key = positions.get(row.stream.as_str());
            if let (Some(key), Ok(side)) = (key, row.side.parse::<Side>()) {
                let (account, symbol) = (key.client.as_str(), key.symbol.as_str());
                let pair = (Source::ReadModel, key.venue, account, symbol);
                let units = row.live_quantity.unsigned_abs();
                pairs.entry(pair).or_default().add(side, units, row.price);
            }
        }
    }
    let mut totals = Totals::default();
    for ((source, venue, account, symbol), sum) in pairs {
        let place = (venue, Arc::from(symbol));
        let segment = log.instruments.get(&place).map(|known| known.segment);
        let segments = totals.segments.entry((venue, segment)).or_default();
        let clients = totals.clients.entry(account.into()).or_default();
        let instruments = totals.instruments.entry(place).or_default();
        for sums in [segments, clients, instruments] {
            let total = sums.entry(source).or_default();
            *total = total.plus(sum);
        }
    }
    totals
}
