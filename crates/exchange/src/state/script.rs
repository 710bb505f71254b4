//! What market control's faults lead to: fills out of nothing, reports told again, orders and trades that are lost. Changes
//! nothing (see `state`).

use super::facts::Facts;
use super::{Exchange, Order};
use crate::book::{Against, Fill};
use crate::command::{
    Disaster, FaultWish, Filling, Outage, Refused, Repeat, TIMES_MAX, ThrottleWish,
};
use crate::contracts::Instrument;
use crate::fact::{Ended, Fact, HOUSE, Happening};
use crate::fault::Fault;
use crate::phase::Phase;
use crate::price::Price;
use crate::setting::{RATE_ONE, Setting};

impl Exchange {
    /// A fill of a working order, as if the liquidity had moved.
    pub(super) fn fill(&self, facts: Facts<'_>, asked: &Filling) -> Result<Vec<Fact>, Refused> {
        let order = self.named(&asked.order_id)?;
        let image = &order.image;
        if !image.rests() {
            let text = format!("order_id: {} does not work", asked.order_id);
            return Err(Refused::conflict(text));
        }
        if asked.quantity > image.leaves_units {
            let text = format!(
                "quantity: {} is more than the {} left of {}",
                asked.quantity, image.leaves_units, asked.order_id
            );
            return Err(Refused::conflict(text));
        }
        self.fill_anyway(facts, order, asked, None)
    }

    /// A fill of an order that ended before it was filled.
    pub(super) fn late_fill(
        &self,
        facts: Facts<'_>,
        asked: &Filling,
    ) -> Result<Vec<Fact>, Refused> {
        let order = self.named(&asked.order_id)?;
        let image = &order.image;
        let room_units = image.quantity_units - image.cum_units;
        let is_canceled = matches!(image.ended, Some(Ended::Canceled | Ended::Expired));
        if image.leaves_units > 0 || !is_canceled || asked.quantity > room_units {
            let text = format!(
                "order_id: {} did not end with as much unfilled",
                asked.order_id
            );
            return Err(Refused::conflict(text));
        }
        self.fill_anyway(facts, order, asked, Some(Fault::FillAfterCancel))
    }

    /// A fill of more than is left of an order.
    pub(super) fn over_fill(
        &self,
        facts: Facts<'_>,
        asked: &Filling,
    ) -> Result<Vec<Fact>, Refused> {
        let order = self.named(&asked.order_id)?;
        let image = &order.image;
        let room_units = image.quantity_units - image.cum_units;
        if image.frozen || asked.quantity <= room_units {
            let text = format!(
                "quantity: {} is not more than {} asks for",
                asked.quantity, asked.order_id
            );
            return Err(Refused::conflict(text));
        }
        self.fill_anyway(facts, order, asked, Some(Fault::OverFill))
    }

    fn fill_anyway(
        &self,
        mut facts: Facts<'_>,
        order: &Order,
        asked: &Filling,
        fault: Option<Fault>,
    ) -> Result<Vec<Fact>, Refused> {
        let instrument = self.listed(order)?;
        let price = match &asked.price {
            None => order.image.price,
            Some(text) => {
                Price::parse(text).map_err(|error| Refused::invalid(format!("price: {error}")))?
            }
        };
        check(instrument, asked.quantity, price)?;
        let fill = Fill {
            against: Against::Liquidity,
            price,
            units: asked.quantity,
        };
        facts.fill(order.owner(), order.image.clone(), fill);
        if let Some(fault) = fault {
            facts.mark(fault);
        }
        Ok(facts.whole())
    }

    pub(super) fn listed(&self, order: &Order) -> Result<&Instrument, Refused> {
        let instrument = order.instrument.map(|at| &self.contracts.all()[at]);
        instrument.ok_or_else(|| {
            let text = format!("symbol: {} is no longer listed", order.image.symbol);
            Refused::conflict(text)
        })
    }

    /// An execution's report goes out once more, as it was.
    pub(super) fn repeat(
        &self,
        mut facts: Facts<'_>,
        asked: &Repeat,
    ) -> Result<Vec<Fact>, Refused> {
        let (execution, of) = self.execution(&asked.exec_id)?;
        let order = self.owner_of(of)?;
        let repeated = Happening::Repeated {
            execution,
            to_copy: asked.to_copy,
        };
        facts.tell(order.owner(), order.image.clone(), repeated);
        Ok(facts.whole())
    }

    /// A session's connection is gone.
    pub(super) fn session_dropped(
        &self,
        mut facts: Facts<'_>,
        session: &str,
        agreed: bool,
    ) -> Vec<Fact> {
        if !agreed && !self.cancels_on_disconnect(session) {
            return Vec::new();
        }
        for order in self.working(|order| order.session == session) {
            let image = order.image.clone().done(Ended::Canceled);
            facts.tell(order.owner(), image, Happening::Canceled { request: None });
        }
        facts.whole()
    }

    /// A segment fails: it halts, and its orders are gone without a word.
    pub(super) fn outage(
        &self,
        mut facts: Facts<'_>,
        asked: &Outage,
    ) -> Result<Vec<Fact>, Refused> {
        let Outage { segment, venue } = asked;
        let venues = self.venues_of(segment, venue.as_deref())?;
        for venue in &venues {
            let (segment, to) = (segment.clone(), Phase::Halted);
            facts.tell_all(venue, Happening::PhaseChanged { segment, to });
        }
        let is_lost = |order: &Order| {
            venues.contains(&order.venue.as_str())
                && self.listed(order).is_ok_and(|of| of.segment == *segment)
        };
        for order in self.working(is_lost) {
            let image = order.image.clone().done(Ended::Canceled);
            facts.tell(order.owner(), image, Happening::Vanished);
        }
        Ok(facts.whole())
    }

    /// The newest trades of a venue are not known at the disaster-recovery site.
    pub(super) fn disaster(
        &self,
        mut facts: Facts<'_>,
        asked: &Disaster,
    ) -> Result<Vec<Fact>, Refused> {
        if self.contracts.segments(&asked.venue).is_empty() {
            let text = format!("venue: {:?} is not here", asked.venue);
            return Err(Refused::unknown(text));
        }
        let mut left = asked.trades;
        let mut lost = Vec::new();
        for (ordinal, execution) in self.executions.iter().rev() {
            let is_here = self.owner_of(execution)?.venue == asked.venue;
            if left == 0 {
                break;
            }
            if !is_here || execution.busted || execution.dropped {
                continue;
            }
            // The two sides of a trade are one trade: the earlier execution completes it.
            let is_whole = execution.counterpart.is_none_or(|other| other > *ordinal);
            left -= usize::from(is_whole);
            lost.push((*ordinal, execution));
        }
        if left > 0 {
            let had = asked.trades - left;
            let text = format!("trades: {} has {had} of today that stand", asked.venue);
            return Err(Refused::conflict(text));
        }
        let mut images = std::collections::BTreeMap::new();
        for (ordinal, execution) in lost {
            let order = self.owner_of(execution)?;
            // Several of one order's: each begins from where the one before it ended.
            let image = images.remove(&execution.order);
            let image = image.unwrap_or_else(|| order.image.clone());
            let image = super::control::revised(&image, execution, 0, Price(0))?;
            let dropped = Happening::Dropped {
                execution: ordinal,
                was_units: execution.units,
                was_price: execution.price,
            };
            facts.tell(order.owner(), image.clone(), dropped);
            images.insert(execution.order, image);
        }
        Ok(facts.whole())
    }

    /// The trades that a switch lost are taken back officially.
    pub(super) fn bust_dropped(&self, mut facts: Facts<'_>) -> Result<Vec<Fact>, Refused> {
        for (ordinal, execution) in &self.executions {
            if execution.dropped {
                let order = self.owner_of(execution)?;
                let busted = Happening::Busted {
                    execution: *ordinal,
                    was_units: execution.units,
                    was_price: execution.price,
                };
                facts.tell(order.owner(), order.image.clone(), busted);
            }
        }
        let facts = facts.whole();
        if facts.is_empty() {
            return Err(Refused::conflict("trades: none was lost".to_owned()));
        }
        Ok(facts)
    }

    pub(super) fn wish(&self, facts: Facts<'_>, wish: &FaultWish) -> Result<Vec<Fact>, Refused> {
        let FaultWish {
            kind,
            symbol,
            times,
        } = wish.clone();
        if times == 0 || times > TIMES_MAX {
            let text = format!("times: {times} is not from 1 to {TIMES_MAX}");
            return Err(Refused::invalid(text));
        }
        let is_listed =
            |symbol: &String| self.contracts.all().iter().any(|of| of.symbol == *symbol);
        if let Some(symbol) = symbol.as_ref().filter(|symbol| !is_listed(symbol)) {
            return Err(Refused::unknown(format!(
                "symbol: {symbol:?} is not listed"
            )));
        }
        Ok(told(
            facts,
            Setting::Fault {
                fault: kind,
                symbol,
                times,
            },
        ))
    }

    pub(super) fn throttle(
        &self,
        facts: Facts<'_>,
        wish: &ThrottleWish,
    ) -> Result<Vec<Fact>, Refused> {
        if wish.messages_per_second == Some(0) {
            let text = "messages_per_second: 0 would refuse everything; null is any number";
            return Err(Refused::invalid(text.to_owned()));
        }
        if let Some(session) = &wish.session {
            self.check_session(session)?;
        }
        Ok(told(
            facts,
            Setting::Throttle {
                session: wish.session.clone(),
                messages_per_second: wish.messages_per_second,
            },
        ))
    }

    pub(super) fn check_session(&self, session: &str) -> Result<(), Refused> {
        if self.rules.firms.contains_key(session) {
            return Ok(());
        }
        let text = format!("session: {session:?} takes no orders here");
        Err(Refused::unknown(text))
    }

    /// What works, in the order of entry: the map has none of its own, and the same facts must come of the same ledger.
    pub(super) fn working(&self, is_meant: impl Fn(&Order) -> bool) -> Vec<&Order> {
        let mut working: Vec<&Order> = self.orders.values().collect();
        working.retain(|order| order.image.leaves_units > 0 && is_meant(order));
        working.sort_by_key(|order| order.image.order);
        working
    }
}

/// A setting as facts.
pub(super) fn told(mut facts: Facts<'_>, setting: Setting) -> Vec<Fact> {
    facts.tell_all(HOUSE, Happening::Set(setting));
    facts.whole()
}

/// Whether rates can be drawn by.
pub(super) fn check_rates<'a>(rates: impl Iterator<Item = &'a u32>) -> Result<(), Refused> {
    for rate in rates {
        if *rate > RATE_ONE {
            let text = format!("seeded: {rate} is not from 0 to {RATE_ONE}");
            return Err(Refused::invalid(text));
        }
    }
    Ok(())
}

fn check(instrument: &Instrument, units: i64, price: Price) -> Result<(), Refused> {
    let (lot, tick) = (instrument.lot_units, instrument.tick);
    if units <= 0 || units % lot != 0 {
        let text = format!("quantity: {units} is not a multiple of the lot {lot}");
        return Err(Refused::invalid(text));
    }
    if price <= Price(0) || price.0 % tick.0 != 0 {
        let text = format!("price: {price} is not a multiple of the tick {tick}");
        return Err(Refused::invalid(text));
    }
    Ok(())
}
