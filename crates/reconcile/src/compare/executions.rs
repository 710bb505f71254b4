//! Trade by trade: one pass over all sides in the order of the execution ids.

use super::{Comparison, difference, speaks_for, venue_of, words};
use crate::breaks::{Break, Kind};
use crate::sides::{Booked, Origin, Settled, Source, Suspended, Told};
use squareoff_domain::position::TradeStatus;
use squareoff_domain::{ClOrdId, ExecutionKey, Money, Venue};
use std::collections::{BTreeMap, BTreeSet};

/// The sides outside the log that have trades.
pub(super) const OUTSIDE: [Source; 3] = [Source::DropCopy, Source::Ledger, Source::TradesFile];

/// How one side's word of a trade stands to the log's.
enum Stands {
    Equal,
    OnItsWay,
    /// From before the side's record begins.
    BeforeReach,
    Apart(Kind, Money),
}

/// Everything that is said of one execution id.
struct Said<'a> {
    key: &'a ExecutionKey,
    venue: Option<Venue>,
    log: Vec<&'a Booked>,
    outside: [Vec<&'a Told>; 3],
}

impl Comparison<'_> {
    pub(super) fn executions(&mut self) {
        let sides = self.sides;
        let ledger = sides.ledger.as_ref();
        let mut log: Vec<&Booked> = sides.log.trades.iter().collect();
        log.sort_unstable_by(|one, other| one.told.cmp(&other.told).then(one.at.cmp(&other.at)));
        let outside = [
            sorted(&sides.log.drop_copy),
            ledger.map_or_else(Vec::new, |ledger| sorted(&ledger.trades)),
            sides.trades_file.as_deref().map_or_else(Vec::new, sorted),
        ];
        let speaks = OUTSIDE.map(|source| speaks_for(sides, source));
        let suspended = by_execution(&sides.log.suspended);
        let mut log = log.into_iter().peekable();
        let mut outside = outside.map(|told| told.into_iter().peekable());
        loop {
            let firsts = outside
                .iter_mut()
                .map(|told| told.peek().map(|told| &told.execution));
            let least = firsts
                .chain([log.peek().map(|booked| &booked.told.execution)])
                .flatten()
                .min();
            let Some(key) = least else { return };
            let mut of_key = Vec::new();
            while let Some(booked) = log.next_if(|booked| booked.told.execution == *key) {
                of_key.push(booked);
            }
            let outside = std::array::from_fn(|place| {
                let mut of_key = Vec::new();
                while let Some(told) = outside[place].next_if(|told| told.execution == *key) {
                    of_key.push(told);
                }
                of_key
            });
            let said = Said {
                key,
                venue: venue_of(key),
                log: of_key,
                outside,
            };
            self.execution(&said, &speaks, suspended.get(key).copied());
        }
    }

    fn execution(
        &mut self,
        said: &Said,
        speaks: &[BTreeSet<Venue>; 3],
        suspended: Option<&Suspended>,
    ) {
        self.used_twice(said, speaks);
        // What waits in suspense is a break of its own, with everybody's word of it.
        if said.log.is_empty() && suspended.is_some_and(|held| held.settled == Settled::No) {
            return;
        }
        let mut apart: BTreeMap<Kind, (Money, Vec<Source>)> = BTreeMap::new();
        for (place, source) in OUTSIDE.into_iter().enumerate() {
            if !said
                .venue
                .is_some_and(|venue| speaks[place].contains(&venue))
            {
                continue;
            }
            let (booked, told) = (said.log.first(), said.outside[place].first());
            match self.stands(source, booked.copied(), told.copied()) {
                Stands::Equal => {}
                Stands::OnItsWay => self.on_its_way += 1,
                Stands::BeforeReach => {
                    self.before_reach += 1;
                    self.unreached.insert(said.key.clone());
                }
                Stands::Apart(kind, money) => {
                    let found = apart.entry(kind).or_default();
                    found.0 = found.0.max(money);
                    found.1.push(source);
                }
            }
        }
        for (kind, (money, sources)) in apart {
            let mut found = self.of_execution(kind, money, said, speaks);
            let known = suspended.map(|held| held.settled);
            found.cause = words::cause_of_trade(kind, &sources, said.log.first().copied(), known);
            found.next = words::next_of_trade(kind, &sources);
            if let Some(late) = self.ledger_ends_before(said, kind, &sources) {
                found.cause = late;
            }
            self.breaks.push(found);
        }
    }

    fn stands(&self, source: Source, booked: Option<&Booked>, told: Option<&Told>) -> Stands {
        let apart = |kind, money, at: &[Option<squareoff_domain::Timestamp>]| {
            if at.iter().any(|at| self.is_young(*at)) {
                Stands::OnItsWay
            } else {
                Stands::Apart(kind, money)
            }
        };
        match (booked, told) {
            (None, None) => Stands::Equal,
            (None, Some(told)) => {
                let money = if told.busted {
                    Money::default()
                } else {
                    told.terms.value()
                };
                apart(Kind::MissingInLog, money, &[told.at])
            }
            (Some(booked), None) => match self.missing(source, booked) {
                Stands::Apart(kind, money) => apart(kind, money, &[booked.told.at]),
                stands => stands,
            },
            (Some(booked), Some(told)) => {
                let ours = &booked.told;
                let at = [ours.at, told.at];
                let value = ours.terms.value().max(told.terms.value());
                if source == Source::DropCopy && ours.busted && !told.busted && !self.moment.is_over
                {
                    // It told of the trade; that it was taken back may come.
                    return Stands::OnItsWay;
                }
                if ours.busted || told.busted {
                    let live = if ours.busted { told } else { ours };
                    return if ours.busted == told.busted {
                        Stands::Equal
                    } else {
                        apart(Kind::BustedOnOneSide, live.terms.value(), &at)
                    };
                }
                let differ = |one: &Option<std::sync::Arc<str>>, other: &Option<_>| {
                    one.is_some() && other.is_some() && one != other
                };
                let (one, other) = (ours.terms, told.terms);
                let corrected = source == Source::DropCopy
                    && booked.status == TradeStatus::Corrected
                    && one != other;
                if corrected {
                    return if self.moment.is_over {
                        apart(Kind::Unconfirmed, difference(one, other), &at)
                    } else {
                        Stands::OnItsWay
                    };
                }
                if one.side != other.side {
                    apart(Kind::SideDiffers, difference(one, other), &at)
                } else if differ(&ours.account, &told.account) {
                    apart(Kind::ClientDiffers, value, &at)
                } else if differ(&ours.symbol, &told.symbol) {
                    apart(Kind::InstrumentDiffers, value, &at)
                } else if one.quantity != other.quantity {
                    apart(Kind::QuantityDiffers, difference(one, other), &at)
                } else if one.price != other.price {
                    apart(Kind::PriceDiffers, difference(one, other), &at)
                } else if other_order(booked, told) {
                    apart(Kind::OrderDiffers, Money::default(), &at)
                } else {
                    Stands::Equal
                }
            }
        }
    }

    /// The log has it, the side has not.
    fn missing(&self, source: Source, booked: &Booked) -> Stands {
        let value = booked.told.terms.value();
        if booked.told.busted {
            // Only the ledger keeps what was taken back.
            return match source {
                Source::Ledger => Stands::Apart(Kind::MissingAtVenue, Money::default()),
                _ => Stands::Equal,
            };
        }
        let venue = venue_of(&booked.told.execution);
        let reach = venue.and_then(|venue| self.sides.log.reach.get(&venue));
        let begins = match source {
            Source::DropCopy => reach.map(|reach| reach.earliest),
            Source::Ledger => self
                .sides
                .ledger
                .as_ref()
                .and_then(|ledger| ledger.first_at),
            _ => None,
        };
        if booked.origin == Origin::Primary && booked.told.at < begins {
            return Stands::BeforeReach;
        }
        if source != Source::DropCopy {
            return Stands::Apart(Kind::MissingAtVenue, value);
        }
        if reach.is_some_and(|reach| booked.at < reach.last) {
            Stands::Apart(Kind::MissingInDropCopy, value)
        } else if self.moment.is_over {
            Stands::Apart(Kind::Unconfirmed, value)
        } else {
            Stands::OnItsWay
        }
    }

    fn used_twice(&mut self, said: &Said, speaks: &[BTreeSet<Venue>; 3]) {
        let values = |told: &mut dyn Iterator<Item = &Told>| {
            let values = told.map(|told| told.terms.value());
            // The first is the trade; what lies behind it is too much.
            values.skip(1).fold(Money::default(), Money::plus)
        };
        let mut twice = Vec::new();
        if said.log.len() > 1 {
            let told = &mut said.log.iter().map(|booked| &booked.told);
            twice.push((Source::Log, values(told)));
        }
        for (place, source) in OUTSIDE.into_iter().enumerate() {
            if said.outside[place].len() > 1 {
                let told = &mut said.outside[place].iter().copied();
                twice.push((source, values(told)));
            }
        }
        for (source, money) in twice {
            let mut found = self.of_execution(Kind::DuplicateExecution, money, said, speaks);
            (found.cause, found.next) = words::used_twice(source);
            self.breaks.push(found);
        }
    }

    fn of_execution(
        &self,
        kind: Kind,
        money: Money,
        said: &Said,
        speaks: &[BTreeSet<Venue>; 3],
    ) -> Break {
        let booked = said.log.first();
        let outside = said.outside.iter().flatten().next();
        let told = booked.map(|booked| &booked.told).or(outside.copied());
        let symbol = told.and_then(|told| told.symbol.clone());
        let mut found =
            match booked.and_then(|booked| self.sides.log.positions.get(booked.position)) {
                Some(held) => self.of_position(kind, money, held),
                None => Break {
                    client: told.and_then(|told| told.account.clone()),
                    ..self.of_instrument(kind, money, said.venue, symbol)
                },
            };
        found.execution = Some(said.key.as_str().to_owned());
        found.order = told.and_then(|told| told.order.clone());
        let log: Vec<_> = said.log.iter().map(|booked| &booked.told).collect();
        found.says.push((Source::Log, spelled(&log, told)));
        for (place, source) in OUTSIDE.into_iter().enumerate() {
            if said
                .venue
                .is_some_and(|venue| speaks[place].contains(&venue))
            {
                found
                    .says
                    .push((source, spelled(&said.outside[place], told)));
            }
        }
        found
    }

    /// A trade younger than a ledger's last line is perhaps only missing in this copy of it.
    fn ledger_ends_before(&self, said: &Said, kind: Kind, sources: &[Source]) -> Option<String> {
        let alone = kind == Kind::MissingAtVenue && sources == [Source::Ledger];
        let booked = said.log.first().filter(|_| alone)?;
        let last = self.sides.ledger.as_ref()?.last_at?;
        booked
            .told
            .at
            .filter(|at| *at > last)
            .map(|_| words::LEDGER_ENDS_BEFORE.to_owned())
    }
}

fn sorted(told: &[Told]) -> Vec<&Told> {
    let mut told: Vec<_> = told.iter().collect();
    // Lines of one execution id come beside each other, in an order that does not hang on the file's.
    told.sort_unstable();
    told
}

fn by_execution(suspended: &[Suspended]) -> BTreeMap<&ExecutionKey, &Suspended> {
    let mut found: BTreeMap<&ExecutionKey, &Suspended> = BTreeMap::new();
    for held in suspended {
        let Some(told) = &held.execution else {
            continue;
        };
        let known = found.entry(&told.execution).or_insert(held);
        // One report of it that nobody settled keeps the trade in suspense.
        if held.settled == Settled::No {
            *known = held;
        }
    }
    found
}

/// Whether the venue has the trade on another order than the log. Ids of one order of ours share their stem, however often it was
/// replaced; what the primary's orders go by is the primary's matter.
fn other_order(booked: &Booked, told: &Told) -> bool {
    let (Some(ours), Some(theirs)) = (&booked.told.order, &told.order) else {
        return false;
    };
    let minted = ClOrdId::stem(ours) != &**ours;
    minted && ClOrdId::stem(ours) != ClOrdId::stem(theirs)
}

/// What a side says, with what it says otherwise than `of`.
pub(super) fn spelled(told: &[&Told], of: Option<&Told>) -> String {
    if told.is_empty() {
        return "nothing".to_owned();
    }
    let each = told.iter().map(|told| {
        let mut text = told.terms.to_string();
        if told.busted {
            text.push_str(", taken back");
        }
        let differs = |one: &Option<std::sync::Arc<str>>,
                       other: Option<&Option<std::sync::Arc<str>>>| {
            let other = other.and_then(Option::as_deref);
            one.as_deref()
                .filter(|one| other != Some(*one))
                .map(str::to_owned)
        };
        if let Some(account) = differs(&told.account, of.map(|of| &of.account)) {
            text.push_str(&format!(", client {account}"));
        }
        if let Some(symbol) = differs(&told.symbol, of.map(|of| &of.symbol)) {
            text.push_str(&format!(", instrument {symbol}"));
        }
        if let Some(order) = differs(&told.order, of.map(|of| &of.order)) {
            text.push_str(&format!(", order {order}"));
        }
        text
    });
    each.collect::<Vec<_>>().join("; and ")
}
