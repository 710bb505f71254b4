//! What market control's commands lead to. Changes nothing (see `state`).
//!
//! 1. A command becomes facts or is refused whole, by a sentence. 2. A trade between two orders is busted or corrected
//!    on both sides. 3. An order that was filled stays done when a trade of it is busted; one that still works gets
//!    the quantity back at its place in the book.

use squareoff_fix::Timestamp;

use super::facts::{Facts, Owner, worth};
use super::script::{check_rates, told};
use super::{Exchange, Execution, Order};
use crate::carried::CarriedOrder;
use crate::command::{
    Answer, Command, Correction, FREEZES_MAX, FreezeNext, FreezeSome, OrderRow, PhaseChange,
    ROWS_MAX, Refused, Release, TradeRow,
};
use crate::fact::{Cause, Ended, Fact, HOUSE, Happening, OrderImage, TimeInForce, exec_id};
use crate::phase::Phase;
use crate::price::Price;
use crate::rules;
use crate::setting::Setting;

/// What a command leads to: facts to be applied in order and made durable together (none, when there is nothing to do),
/// and the answer that may be given then.
pub type Controlled = (Vec<Fact>, Answer);

impl Exchange {
    /// What a command leads to now.
    ///
    /// # Errors
    /// Why it can't be; then nothing happens.
    pub fn control(&self, command: &Command, now: Timestamp) -> Result<Controlled, Refused> {
        let facts = Facts::new(self, Cause::house(), now);
        let facts = match command {
            Command::Phase(change) => self.change_phase(facts, change)?,
            Command::Bust(name) => self.bust(facts, &name.exec_id)?,
            Command::Correct(correction) => self.correct(facts, correction)?,
            Command::FreezeNext(wish) => arm(facts, wish)?,
            Command::Release(release) => self.release(facts, release)?,
            Command::Expire(name) => {
                self.end(facts, &name.order_id, Ended::Expired, Happening::Expired)?
            }
            Command::Cancel(name) => {
                let canceled = Happening::Canceled { request: None };
                self.end(facts, &name.order_id, Ended::Canceled, canceled)?
            }
            Command::Fill(asked) => self.fill(facts, asked)?,
            Command::LateFill(asked) => self.late_fill(facts, asked)?,
            Command::OverFill(asked) => self.over_fill(facts, asked)?,
            Command::Repeat(asked) => self.repeat(facts, asked)?,
            Command::Fault(wish) => self.wish(facts, wish)?,
            Command::NoFaults(_) => told(facts, Setting::NoFaults),
            Command::Seeded(rates) => {
                check_rates(rates.values())?;
                told(facts, Setting::Seeded(rates.clone()))
            }
            Command::Throttle(wish) => self.throttle(facts, wish)?,
            Command::CancelOnDisconnect(wish) => {
                self.check_session(&wish.session)?;
                let (session, on) = (wish.session.clone(), wish.on);
                told(facts, Setting::CancelOnDisconnect { session, on })
            }
            Command::Clock(moved) => {
                let ahead_ms = moved.ahead_ms(now, self.clock_ahead_ms)?;
                told(facts, Setting::Clock { ahead_ms })
            }
            Command::Outage(asked) => self.outage(facts, asked)?,
            Command::Disaster(asked) => self.disaster(facts, asked)?,
            Command::BustDropped(_) => self.bust_dropped(facts)?,
            Command::SessionDropped { session, agreed } => {
                self.session_dropped(facts, session, *agreed)
            }
            // These disturb a line, which the exchange does not know of.
            Command::Disconnect(_) | Command::Hold(_) | Command::Replay(_) => Vec::new(),
            Command::State(_) => return Ok((Vec::new(), Answer::State(Box::new(self.show(now))))),
            Command::Orders(_) => return Ok((Vec::new(), self.list_orders())),
            Command::Trades(_) => return Ok((Vec::new(), self.list_trades())),
            Command::Scheduled { segment, to, due } => {
                self.keep_hours(facts, segment, *to, *due, now)?
            }
            Command::Carry(orders) => self.carry(facts, orders),
        };
        Ok((facts, Answer::Done))
    }

    fn change_phase(&self, facts: Facts<'_>, change: &PhaseChange) -> Result<Vec<Fact>, Refused> {
        let PhaseChange { segment, to, venue } = change;
        let venues = self.venues_of(segment, venue.as_deref())?;
        Ok(self.enter_phase(facts, &venues, segment, *to))
    }

    fn keep_hours(
        &self,
        facts: Facts<'_>,
        segment: &str,
        to: Phase,
        due: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Fact>, Refused> {
        let mut venues = self.venues_of(segment, None)?;
        venues.retain(|venue| {
            let turns = self.phases.get(*venue);
            let turn = turns.and_then(|turns| turns.get(segment));
            // A clock that was set back has phases behind it that are not due yet.
            turn.is_none_or(|turn| turn.since < due || turn.since > now)
        });
        Ok(self.enter_phase(facts, &venues, segment, to))
    }

    fn enter_phase(
        &self,
        mut facts: Facts<'_>,
        venues: &[&str],
        segment: &str,
        to: Phase,
    ) -> Vec<Fact> {
        for venue in venues {
            let segment = segment.to_owned();
            facts.tell_all(venue, Happening::PhaseChanged { segment, to });
        }
        if to == Phase::Closed {
            let is_over = |order: &Order| {
                let at = order.instrument.map(|at| &self.contracts.all()[at]);
                venues.contains(&order.venue.as_str()) && at.is_some_and(|at| at.segment == segment)
            };
            for order in self.working(is_over) {
                let image = order.image.clone().done(Ended::Expired);
                facts.tell(order.owner(), image, Happening::Expired);
            }
        }
        facts.whole()
    }

    /// The venues, or the one of them that is asked for, which have a segment.
    pub(super) fn venues_of(
        &self,
        segment: &str,
        asked: Option<&str>,
    ) -> Result<Vec<&str>, Refused> {
        let mut venues = self.contracts.venues_with(segment);
        venues.retain(|venue| asked.is_none_or(|asked| asked == *venue));
        if venues.is_empty() {
            let at = asked.unwrap_or("any venue");
            let text = format!("segment: {segment:?} is not at {at}");
            return Err(Refused::unknown(text));
        }
        Ok(venues)
    }

    fn bust(&self, mut facts: Facts<'_>, named: &str) -> Result<Vec<Fact>, Refused> {
        for (ordinal, execution) in self.trade(named)? {
            let order = self.owner_of(execution)?;
            let image = match execution.dropped {
                false => revised(&order.image, execution, 0, Price(0))?,
                true => order.image.clone(),
            };
            let busted = Happening::Busted {
                execution: ordinal,
                was_units: execution.units,
                was_price: execution.price,
            };
            facts.tell(order.owner(), image, busted);
        }
        Ok(facts.whole())
    }

    fn correct(&self, mut facts: Facts<'_>, to: &Correction) -> Result<Vec<Fact>, Refused> {
        let price =
            Price::parse(&to.price).map_err(|error| Refused::invalid(format!("price: {error}")))?;
        if price <= Price(0) {
            return Err(Refused::invalid(format!(
                "price: {price} is not above zero"
            )));
        }
        if to.quantity <= 0 {
            let text = format!("quantity: {} is not above zero", to.quantity);
            return Err(Refused::invalid(text));
        }
        for (ordinal, execution) in self.trade(&to.exec_id)? {
            if execution.dropped {
                let text = format!("exec_id: {} was lost and can only be busted", to.exec_id);
                return Err(Refused::conflict(text));
            }
            let order = self.owner_of(execution)?;
            let image = revised(&order.image, execution, to.quantity, price)?;
            let corrected = Happening::Corrected {
                execution: ordinal,
                was_units: execution.units,
                was_price: execution.price,
                last_units: to.quantity,
                last_price: price,
            };
            facts.tell(order.owner(), image, corrected);
        }
        Ok(facts.whole())
    }

    /// The sides of the trade that an execution belongs to, the named one first.
    fn trade(&self, named: &str) -> Result<Vec<(u64, &Execution)>, Refused> {
        let (ordinal, execution) = self.execution(named)?;
        if execution.busted {
            return Err(Refused::conflict(format!(
                "exec_id: {named} is busted already"
            )));
        }
        let other = execution
            .counterpart
            .and_then(|other| Some((other, self.executions.get(&other)?)));
        Ok([Some((ordinal, execution)), other]
            .into_iter()
            .flatten()
            .collect())
    }

    pub(super) fn execution(&self, named: &str) -> Result<(u64, &Execution), Refused> {
        let unknown =
            || Refused::unknown(format!("exec_id: {named:?} is not an execution of today"));
        let ordinal = named.rsplit_once('-').map(|(_, ordinal)| ordinal);
        let ordinal: u64 = ordinal
            .and_then(|text| text.parse().ok())
            .ok_or_else(unknown)?;
        let execution = self.executions.get(&ordinal).ok_or_else(unknown)?;
        if exec_id(&self.owner_of(execution)?.venue, ordinal) != named {
            return Err(unknown());
        }
        Ok((ordinal, execution))
    }

    pub(super) fn owner_of(&self, execution: &Execution) -> Result<&Order, Refused> {
        let order = self.orders.get(&execution.order);
        order.ok_or_else(|| Refused::unknown("exec_id: its order is not of today".to_owned()))
    }

    fn release(&self, mut facts: Facts<'_>, release: &Release) -> Result<Vec<Fact>, Refused> {
        let order = self.named(&release.order_id)?;
        if !order.image.frozen {
            let text = format!("order_id: {} is not frozen", release.order_id);
            return Err(Refused::conflict(text));
        }
        if !release.accept {
            let rejected = Happening::Rejected {
                reason: rules::OTHER,
                text: "freeze: refused by market control".to_owned(),
            };
            facts.tell(
                order.owner(),
                order.image.clone().done(Ended::Rejected),
                rejected,
            );
            return Ok(facts.whole());
        }
        self.check_open(self.listed(order)?)
            .map_err(|refusal| Refused::conflict(refusal.text))?;
        let image = OrderImage {
            frozen: false,
            priority: facts.next_ordinal(),
            ..order.image.clone()
        };
        facts.tell(order.owner(), image.clone(), Happening::Accepted);
        if let Some(at) = order.instrument {
            facts.enter(order.owner(), at, image);
        }
        Ok(facts.whole())
    }

    fn end(
        &self,
        mut facts: Facts<'_>,
        order_id: &str,
        ended: Ended,
        happening: Happening,
    ) -> Result<Vec<Fact>, Refused> {
        let order = self.named(order_id)?;
        if order.image.leaves_units == 0 {
            return Err(Refused::conflict(format!(
                "order_id: {order_id} is done already"
            )));
        }
        facts.tell(order.owner(), order.image.clone().done(ended), happening);
        Ok(facts.whole())
    }

    pub(super) fn named(&self, order_id: &str) -> Result<&Order, Refused> {
        let given = self.given.range((order_id.to_owned(), String::new())..);
        let given: Vec<u64> = given
            .take_while(|((of, _), _)| of == order_id)
            .map(|(_, number)| *number)
            .collect();
        let number = match given[..] {
            [] => order_id
                .rsplit_once("-O")
                .and_then(|(_, number)| number.parse().ok()),
            [number] => Some(number),
            [..] => {
                let text = format!("order_id: {order_id:?} is an order of several venues");
                return Err(Refused::conflict(text));
            }
        };
        number
            .and_then(|number| self.orders.get(&number))
            .filter(|order| order.image.order_id(&order.venue) == order_id)
            .ok_or_else(|| {
                Refused::unknown(format!("order_id: {order_id:?} is not an order of today"))
            })
    }

    fn carry(&self, mut facts: Facts<'_>, orders: &[CarriedOrder]) -> Vec<Fact> {
        for carried in orders {
            if self.has_used(&carried.session, &carried.cl_ord_id) {
                continue;
            }
            let order = facts.next_ordinal();
            let image = OrderImage {
                order,
                given_order_id: Some(carried.exchange_order_id.clone()),
                cl_ord_id: carried.cl_ord_id.clone(),
                original_cl_ord_id: carried.cl_ord_id.clone(),
                account: carried.client_code.clone(),
                symbol: carried.symbol.clone(),
                side: carried.side,
                time_in_force: TimeInForce::Day,
                quantity_units: carried.quantity_units,
                price: carried.price,
                leaves_units: carried.quantity_units - carried.cum_units,
                cum_units: carried.cum_units,
                // What its fills were worth is the primary's to know; its limit is the worst it can have been.
                notional: worth(carried.cum_units, carried.price),
                priority: order,
                frozen: false,
                ended: None,
            };
            let owner = Owner {
                venue: &carried.venue,
                session: &carried.session,
            };
            facts.tell(owner, image, Happening::Carried);
        }
        facts.whole()
    }

    fn list_orders(&self) -> Answer {
        let working = self.working(|_| true);
        let total = working.len();
        let rows = working[total.saturating_sub(ROWS_MAX)..].iter();
        let row = |order: &&Order| OrderRow {
            order_id: order.image.order_id(&order.venue),
            session: order.session.clone(),
            cl_ord_id: order.image.cl_ord_id.clone(),
            account: order.image.account.clone(),
            symbol: order.image.symbol.clone(),
            side: order.image.side,
            quantity: order.image.quantity_units,
            cumulative: order.image.cum_units,
            leaves: order.image.leaves_units,
            price: order.image.price.to_string(),
            frozen: order.image.frozen,
        };
        Answer::Orders {
            total,
            rows: rows.map(row).collect(),
        }
    }

    fn list_trades(&self) -> Answer {
        let total = self.executions.len();
        let newest = self.executions.iter().skip(total.saturating_sub(ROWS_MAX));
        let rows = newest.filter_map(|(ordinal, execution)| {
            let order = self.orders.get(&execution.order)?;
            let named = |ordinal| exec_id(&order.venue, ordinal);
            Some(TradeRow {
                exec_id: named(*ordinal),
                order_id: order.image.order_id(&order.venue),
                session: order.session.clone(),
                cl_ord_id: order.image.cl_ord_id.clone(),
                symbol: order.image.symbol.clone(),
                side: order.image.side,
                quantity: execution.units,
                price: execution.price.to_string(),
                busted: execution.busted,
                dropped: execution.dropped,
                fault: execution.fault,
                counterpart_exec_id: execution.counterpart.map(named),
            })
        });
        Answer::Trades {
            total,
            rows: rows.collect(),
        }
    }
}

fn arm(mut facts: Facts<'_>, wish: &FreezeNext) -> Result<Vec<Fact>, Refused> {
    let (symbol, orders) = match wish.clone() {
        FreezeNext::Any(armed) => (None, u32::from(armed)),
        FreezeNext::Symbol(symbol) => (Some(symbol), 1),
        FreezeNext::Some(FreezeSome { symbol, orders }) => (symbol, orders),
    };
    if orders > FREEZES_MAX || (orders == 0 && *wish != FreezeNext::Any(false)) {
        let text = format!("orders: {orders} is not from 1 to {FREEZES_MAX}");
        return Err(Refused::invalid(text));
    }
    facts.tell_all(HOUSE, Happening::FreezeArmed { symbol, orders });
    Ok(facts.whole())
}

/// The order after one of its executions became `units` at `price`. One that is done stays done.
pub(super) fn revised(
    image: &OrderImage,
    was: &Execution,
    units: i64,
    price: Price,
) -> Result<OrderImage, Refused> {
    let cum_units = image
        .cum_units
        .checked_sub(was.units)
        .and_then(|cum| cum.checked_add(units))
        // An order that was over-filled may stay so, but not get worse.
        .filter(|cum| *cum <= image.quantity_units.max(image.cum_units));
    let Some(cum_units) = cum_units else {
        let text = format!(
            "quantity: {} of order {} can't become {units}: more would have filled than was ordered",
            was.units, image.cl_ord_id
        );
        return Err(Refused::conflict(text));
    };
    let leaves_units = match image.leaves_units {
        0 => 0,
        _ => (image.quantity_units - cum_units).max(0),
    };
    let notional = image
        .notional
        .saturating_sub(worth(was.units, was.price))
        .saturating_add(worth(units, price));
    Ok(OrderImage {
        cum_units,
        leaves_units,
        notional,
        ..image.clone()
    })
}
