//! What a broker's request leads to: the checks, the matching, the facts. Changes nothing (see `state`).

use squareoff_fix::Timestamp;

use super::facts::{Facts, Owner};
use super::{Exchange, Order, resting};
use crate::contracts::Instrument;
use crate::fact::{Cause, Ended, Fact, Happening, OrderImage, REASON_DUPLICATE};
use crate::phase::Phase;
use crate::request::{Cancel, Inbound, NewOrder, Query, Replace, Request, StatusReport};
use crate::rules::{self, Refusal};

/// CxlRejReason(102), FIX 4.4.
const TOO_LATE: u32 = 0;
const UNKNOWN_ORDER: u32 = 1;

/// What a request leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The ledger has it; its reports are on their way or were sent.
    Redelivered,
    /// To be applied in order and made durable together; never empty.
    Facts(Vec<Fact>),
    /// Answers that change nothing and are not kept.
    Reports(Vec<StatusReport>),
}

impl Exchange {
    /// What a request leads to now. Two calls without an `evolve` between them give the same answer.
    #[must_use]
    pub fn decide(&self, inbound: &Inbound, now: Timestamp) -> Decision {
        let facts = Facts::new(self, inbound.cause.clone(), now);
        Decision::Facts(match &inbound.request {
            Request::Query(query) => {
                return Decision::Reports(self.answer(&inbound.cause.session, query));
            }
            Request::New(NewOrder { cl_ord_id, .. })
            | Request::Cancel(Cancel { cl_ord_id, .. })
            | Request::Replace(Replace { cl_ord_id, .. })
                if self.has_recorded(&inbound.cause, cl_ord_id) =>
            {
                return Decision::Redelivered;
            }
            Request::New(order) => self.place(facts, inbound, order),
            Request::Cancel(cancel) => self.cancel(facts, inbound, cancel),
            Request::Replace(replace) => self.replace(facts, inbound, replace),
        })
    }

    fn place(&self, mut facts: Facts<'_>, inbound: &Inbound, new: &NewOrder) -> Vec<Fact> {
        let owner = owner(inbound);
        let asked = OrderImage {
            cl_ord_id: new.cl_ord_id.clone(),
            original_cl_ord_id: new.cl_ord_id.clone(),
            account: new.account.clone(),
            symbol: new.symbol.clone(),
            side: new.side,
            time_in_force: new.time_in_force,
            quantity_units: new.quantity_units,
            price: new.price,
            ..OrderImage::none()
        };
        let instrument = match self.check(inbound, new) {
            Ok(instrument) => instrument,
            Err(Refusal { reason, text }) => {
                facts.tell(owner, asked, Happening::Rejected { reason, text });
                return facts.whole();
            }
        };
        let order = facts.next_ordinal();
        let image = OrderImage {
            order,
            priority: order,
            leaves_units: new.quantity_units,
            ..asked
        };
        if self.is_freeze_due(&image.symbol) {
            let frozen = OrderImage {
                frozen: true,
                ..image
            };
            facts.tell(owner, frozen, Happening::Suspended);
        } else {
            facts.tell(owner, image.clone(), Happening::Accepted);
            facts.enter(owner, instrument, image);
        }
        facts.whole()
    }

    fn check(&self, inbound: &Inbound, new: &NewOrder) -> Result<usize, Refusal> {
        self.check_unused(&inbound.cause, &new.cl_ord_id)?;
        if let Some(text) = &new.unsupported {
            return Err(unsupported(text));
        }
        let Some(at) = self.contracts.find(&inbound.venue, &new.symbol) else {
            let text = format!("symbol: {} does not list {}", inbound.venue, new.symbol);
            return Err(Refusal::new(rules::UNKNOWN_SYMBOL, text));
        };
        let instrument = &self.contracts.all()[at];
        self.check_open(instrument)?;
        rules::check(instrument, new.quantity_units, new.price)?;
        Ok(at)
    }

    fn cancel(&self, mut facts: Facts<'_>, inbound: &Inbound, cancel: &Cancel) -> Vec<Fact> {
        let request = cancel.cl_ord_id.clone();
        let order = self.order_of(&inbound.cause.session, &cancel.orig_cl_ord_id);
        let found = self
            .check_unused(&inbound.cause, &request)
            .and_then(|()| known(order, &cancel.orig_cl_ord_id));
        match found {
            Ok(order) => {
                let image = order.image.clone().done(Ended::Canceled);
                let request = Some(request);
                facts.tell(owner(inbound), image, Happening::Canceled { request });
            }
            Err(Refusal { reason, text }) => {
                let image =
                    order.map_or_else(|| cancel.unknown_order(), |order| order.image.clone());
                let refused = Happening::CancelRejected {
                    request,
                    reason,
                    text,
                    of_replace: false,
                };
                facts.tell(owner(inbound), image, refused);
            }
        }
        facts.whole()
    }

    fn replace(&self, mut facts: Facts<'_>, inbound: &Inbound, replace: &Replace) -> Vec<Fact> {
        let owner = owner(inbound);
        let order = self.order_of(&inbound.cause.session, &replace.orig_cl_ord_id);
        let (instrument, before) = match self.check_replace(inbound, replace, order) {
            Ok(found) => found,
            Err(Refusal { reason, text }) => {
                let image =
                    order.map_or_else(|| replace.unknown_order(), |order| order.image.clone());
                let refused = Happening::CancelRejected {
                    request: replace.cl_ord_id.clone(),
                    reason,
                    text,
                    of_replace: true,
                };
                facts.tell(owner, image, refused);
                return facts.whole();
            }
        };
        let replaced = Happening::Replaced {
            previous: before.cl_ord_id.clone(),
        };
        // Less than what has filled can't be had any more: the order ends at what has (FIX order state D12).
        let quantity_units = replace.quantity_units.max(before.cum_units);
        let leaves_units = quantity_units - before.cum_units;
        let place = resting(&before).replaced(replace.price, leaves_units, facts.next_ordinal());
        let image = OrderImage {
            cl_ord_id: replace.cl_ord_id.clone(),
            quantity_units,
            leaves_units,
            price: replace.price,
            priority: place.priority,
            ..before.clone()
        };
        facts.tell(owner, image.clone(), replaced);
        if image.priority != before.priority && leaves_units > 0 {
            facts.enter(owner, instrument, image);
        }
        facts.whole()
    }

    fn check_replace(
        &self,
        inbound: &Inbound,
        replace: &Replace,
        order: Option<&Order>,
    ) -> Result<(usize, OrderImage), Refusal> {
        self.check_unused(&inbound.cause, &replace.cl_ord_id)?;
        let order = known(order, &replace.orig_cl_ord_id)?;
        let image = &order.image;
        let other = |text: String| Refusal::new(rules::OTHER, text);
        if replace.symbol != image.symbol || replace.side != image.side {
            return Err(other("order: symbol and side can't be replaced".to_owned()));
        }
        if image.frozen {
            return Err(other(
                "freeze: the order waits for market control".to_owned(),
            ));
        }
        if let Some(text) = &replace.unsupported {
            return Err(other(unsupported(text).text));
        }
        let Some(at) = order.instrument else {
            return Err(other(format!(
                "symbol: {} is no longer listed",
                image.symbol
            )));
        };
        let instrument = &self.contracts.all()[at];
        // CxlRejReason has no code for a phase, a tick or a lot: the text names the rule.
        self.check_open(instrument)
            .and_then(|()| rules::check(instrument, replace.quantity_units, replace.price))
            .map_err(|refusal| other(refusal.text))?;
        Ok((at, image.clone()))
    }

    fn check_unused(&self, cause: &Cause, cl_ord_id: &str) -> Result<(), Refusal> {
        let session = self.sessions.get(&cause.session);
        if session.is_some_and(|session| session.used.contains_key(cl_ord_id)) {
            let text = format!("duplicate: ClOrdID {cl_ord_id} was used today");
            return Err(Refusal::new(REASON_DUPLICATE, text));
        }
        Ok(())
    }

    pub(super) fn check_open(&self, instrument: &Instrument) -> Result<(), Refusal> {
        let phase = self.phase(&instrument.venue, &instrument.segment);
        match phase {
            Phase::Open => Ok(()),
            Phase::PreOpen | Phase::PreClose | Phase::Closed | Phase::Halted => {
                let text = format!("phase: {} is {}", instrument.segment, phase.word());
                Err(Refusal::new(rules::EXCHANGE_CLOSED, text))
            }
        }
    }

    fn is_freeze_due(&self, symbol: &str) -> bool {
        // Nearly always there is no wish, and this is every order's way.
        !self.freezes.is_empty()
            && (self.freezes.contains_key(&None)
                || self.freezes.contains_key(&Some(symbol.to_owned())))
    }

    fn answer(&self, session: &str, query: &Query) -> Vec<StatusReport> {
        match query {
            Query::Order(asked) => vec![StatusReport::one(
                asked,
                self.order_of(session, &asked.cl_ord_id)
                    .map(|order| &order.image),
            )],
            Query::AllWorking {
                request_id,
                account,
            } => {
                let of_session = self
                    .orders
                    .values()
                    .filter(|order| order.session == session);
                let mut working: Vec<&OrderImage> = of_session
                    .map(|order| &order.image)
                    .filter(|image| {
                        image.leaves_units > 0
                            && account
                                .as_ref()
                                .is_none_or(|account| *account == image.account)
                    })
                    .collect();
                working.sort_by_key(|image| image.order);
                StatusReport::all(request_id, &working)
            }
        }
    }

    fn has_recorded(&self, cause: &Cause, cl_ord_id: &str) -> bool {
        let session = self.sessions.get(&cause.session);
        session.is_some_and(|session| session.has_recorded(cause, cl_ord_id))
    }

    fn order_of(&self, session: &str, cl_ord_id: &str) -> Option<&Order> {
        let number = self
            .sessions
            .get(session)?
            .used
            .get(cl_ord_id)
            .copied()
            .flatten()?;
        self.orders.get(&number)
    }
}

fn owner(inbound: &Inbound) -> Owner<'_> {
    Owner {
        venue: &inbound.venue,
        session: &inbound.cause.session,
    }
}

fn unsupported(text: &str) -> Refusal {
    Refusal::new(rules::UNSUPPORTED, format!("unsupported: {text}"))
}

/// The order that a cancel or a replacement is about, if it can still be changed.
fn known<'a>(order: Option<&'a Order>, asked: &str) -> Result<&'a Order, Refusal> {
    let Some(order) = order else {
        let text = format!("order: {asked} is not known here");
        return Err(Refusal::new(UNKNOWN_ORDER, text));
    };
    if order.image.leaves_units == 0 {
        let text = "order: is done already".to_owned();
        return Err(Refusal::new(TOO_LATE, text));
    }
    Ok(order)
}
