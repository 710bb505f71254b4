//! What a broker's request leads to: the checks, the matching, the facts. Changes nothing (see `state`).

use squareoff_fix::Timestamp;

use super::facts::{Facts, Owner, half_lots};
use super::{Exchange, Order, resting};
use crate::book::{Against, Fill};
use crate::contracts::Instrument;
use crate::fact::{Cause, Ended, Fact, Happening, MassRefusal, OrderImage, REASON_DUPLICATE};
use crate::fault::Fault;
use crate::phase::Phase;
use crate::request::{
    Cancel, Inbound, MassCancel, NewOrder, Query, Replace, Request, Scope, StatusReport,
};
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
            | Request::MassCancel(MassCancel { cl_ord_id, .. })
                if self.has_recorded(&inbound.cause, cl_ord_id) =>
            {
                return Decision::Redelivered;
            }
            Request::New(_) | Request::Cancel(_) | Request::Replace(_) | Request::MassCancel(_)
                if let Some(text) = self.too_many(&inbound.cause.session, now) =>
            {
                throttled(facts, inbound, text)
            }
            Request::New(order) => self.place(facts, inbound, order),
            Request::Cancel(cancel) => self.cancel(facts, inbound, cancel),
            Request::Replace(replace) => self.replace(facts, inbound, replace),
            Request::MassCancel(asked) => self.cancel_all(facts, inbound, asked),
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
        let contract = &self.contracts.all()[instrument];
        for fault in Fault::REFUSALS {
            if facts.strikes(fault, &contract.symbol)
                && let Some(Refusal { reason, text }) = fault.refusal(contract)
            {
                facts.tell(owner, asked, Happening::Rejected { reason, text });
                facts.mark(fault);
                return facts.whole();
            }
        }
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
            facts.place(owner, instrument, image);
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
        let order = match found {
            Ok(order) => order,
            Err(refusal) => {
                let image =
                    order.map_or_else(|| cancel.unknown_order(), |order| order.image.clone());
                let refused = refused(request, refusal, false);
                facts.tell(owner(inbound), image, refused);
                return facts.whole();
            }
        };
        if let Some(filled) = self.race(&mut facts, order) {
            let refused = refused(request, too_late(), false);
            facts.tell(owner(inbound), filled, refused);
            return facts.whole();
        }
        let mut image = order.image.clone();
        let symbol = image.symbol.clone();
        let lot_units = self.lot_units(order);
        let by_liquidity = |price, units| Fill {
            against: Against::Liquidity,
            price,
            units,
        };
        let half = half_lots(image.leaves_units, lot_units);
        if half > 0 && !image.frozen && facts.strikes(Fault::FillBeforeCancel, &symbol) {
            let fill = by_liquidity(image.price, half);
            image = facts.fill(order.owner(), image, fill);
            facts.mark(Fault::FillBeforeCancel);
        }
        let (leaves_units, was_frozen) = (image.leaves_units, image.frozen);
        let image = image.done(Ended::Canceled);
        let request = Some(request);
        facts.tell(
            order.owner(),
            image.clone(),
            Happening::Canceled { request },
        );
        if !was_frozen && facts.strikes(Fault::FillAfterCancel, &symbol) {
            let fill = by_liquidity(image.price, lot_units.min(leaves_units));
            facts.fill(order.owner(), image, fill);
            facts.mark(Fault::FillAfterCancel);
        }
        facts.whole()
    }

    fn cancel_all(&self, mut facts: Facts<'_>, inbound: &Inbound, asked: &MassCancel) -> Vec<Fact> {
        let refused = self.check_scope(inbound, asked).err();
        let segment_of = |order: &Order| {
            let at = order.instrument.map(|at| &self.contracts.all()[at]);
            at.map(|instrument| instrument.segment.as_str())
        };
        let is_meant = |order: &Order| {
            let image = &order.image;
            let is_in_scope = match &asked.scope {
                Scope::All => true,
                Scope::Symbol(symbol) => image.symbol == *symbol,
                Scope::Segment(segment) => segment_of(order) == Some(segment),
                Scope::Unsupported(_) => false,
            };
            is_in_scope
                && refused.is_none()
                && order.session == inbound.cause.session
                && asked.side.is_none_or(|side| side == image.side)
        };
        let meant = self.working(is_meant);
        let canceled = Happening::MassCanceled {
            request: asked.cl_ord_id.clone(),
            scope: asked.scope.clone(),
            affected: meant.len() as u64,
            refused,
        };
        facts.tell(owner(inbound), OrderImage::none(), canceled);
        for order in meant {
            let image = order.image.clone().done(Ended::Canceled);
            facts.tell(order.owner(), image, Happening::Canceled { request: None });
        }
        facts.whole()
    }

    fn check_scope(&self, inbound: &Inbound, asked: &MassCancel) -> Result<(), MassRefusal> {
        if self.has_used(&inbound.cause.session, &asked.cl_ord_id) {
            return Err(MassRefusal::Duplicate);
        }
        let venue = &inbound.venue;
        match &asked.scope {
            Scope::All => Ok(()),
            Scope::Symbol(symbol) => {
                let found = self.contracts.find(venue, symbol);
                found.map(|_| ()).ok_or(MassRefusal::UnknownSymbol)
            }
            Scope::Segment(segment) => {
                let is_here = self.contracts.segments(venue).contains(&segment.as_str());
                is_here.then_some(()).ok_or(MassRefusal::UnknownSegment)
            }
            Scope::Unsupported(_) => Err(MassRefusal::Unsupported),
        }
    }

    /// The order, where a fault fills it in the instant in which a request about it comes.
    fn race(&self, facts: &mut Facts<'_>, order: &Order) -> Option<OrderImage> {
        let image = order.image.clone();
        if image.frozen || !facts.strikes(Fault::FillBeatsCancel, &image.symbol) {
            return None;
        }
        let fill = Fill {
            against: Against::Liquidity,
            price: image.price,
            units: image.leaves_units,
        };
        let filled = facts.fill(order.owner(), image, fill);
        facts.mark(Fault::FillBeatsCancel);
        Some(filled)
    }

    /// The lot of what an order is in; a unit where it is no longer listed.
    fn lot_units(&self, order: &Order) -> i64 {
        let instrument = order.instrument.map(|at| &self.contracts.all()[at]);
        instrument.map_or(1, |instrument| instrument.lot_units)
    }

    fn replace(&self, mut facts: Facts<'_>, inbound: &Inbound, replace: &Replace) -> Vec<Fact> {
        let order = self.order_of(&inbound.cause.session, &replace.orig_cl_ord_id);
        let (instrument, owner, before) = match self.check_replace(inbound, replace, order) {
            Ok(found) => found,
            Err(refusal) => {
                let image =
                    order.map_or_else(|| replace.unknown_order(), |order| order.image.clone());
                let refused = refused(replace.cl_ord_id.clone(), refusal, true);
                facts.tell(self::owner(inbound), image, refused);
                return facts.whole();
            }
        };
        if let Some(filled) = order.and_then(|order| self.race(&mut facts, order)) {
            let refused = refused(replace.cl_ord_id.clone(), too_late(), true);
            facts.tell(self::owner(inbound), filled, refused);
            return facts.whole();
        }
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

    fn check_replace<'a>(
        &self,
        inbound: &Inbound,
        replace: &Replace,
        order: Option<&'a Order>,
    ) -> Result<(usize, Owner<'a>, OrderImage), Refusal> {
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
        Ok((at, order.owner(), image.clone()))
    }

    fn check_unused(&self, cause: &Cause, cl_ord_id: &str) -> Result<(), Refusal> {
        if self.has_used(&cause.session, cl_ord_id) {
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
                symbol,
            } => {
                let is = |asked: &Option<String>, found: &str| {
                    asked.as_ref().is_none_or(|asked| asked == found)
                };
                let working = self.working(|order| {
                    order.session == session
                        && is(account, &order.image.account)
                        && is(symbol, &order.image.symbol)
                });
                let images: Vec<_> = working.into_iter().map(|order| &order.image).collect();
                StatusReport::all(request_id, &images)
            }
        }
    }

    /// A low number alone proves nothing: a session whose journal was lost counts from 1 again.
    fn has_recorded(&self, cause: &Cause, cl_ord_id: &str) -> bool {
        let session = self.recorded.get(&cause.session);
        let last = session.and_then(|session| session.reached.get(&cause.generation));
        let ids = self.firms.get(self.firm_of(&cause.session));
        last.is_some_and(|last| cause.msg_seq_num <= *last)
            && ids.is_some_and(|ids| {
                ids.used.contains_key(cl_ord_id)
                    || ids.earlier.contains(cl_ord_id)
                    || ids.throttled.contains(cl_ord_id)
            })
    }

    /// Whether the session's firm used the id today.
    pub(super) fn has_used(&self, session: &str, cl_ord_id: &str) -> bool {
        let ids = self.firms.get(self.firm_of(session));
        ids.is_some_and(|ids| ids.used.contains_key(cl_ord_id))
    }

    /// An order of the session's firm.
    fn order_of(&self, session: &str, cl_ord_id: &str) -> Option<&Order> {
        let ids = self.firms.get(self.firm_of(session))?;
        let number = ids.used.get(cl_ord_id).copied().flatten()?;
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
        return Err(too_late());
    }
    Ok(order)
}

fn too_late() -> Refusal {
    Refusal::new(TOO_LATE, "order: is done already".to_owned())
}

fn refused(request: String, refusal: Refusal, of_replace: bool) -> Happening {
    let Refusal { reason, text } = refusal;
    Happening::CancelRejected {
        request,
        reason,
        text,
        of_replace,
    }
}

/// The message was not looked at. Its ClOrdID stays free, so that the same request may come again.
fn throttled(mut facts: Facts<'_>, inbound: &Inbound, text: String) -> Vec<Fact> {
    let (cl_ord_id, kind) = match &inbound.request {
        Request::New(order) => (&order.cl_ord_id, "D"),
        Request::Cancel(cancel) => (&cancel.cl_ord_id, "F"),
        Request::Replace(replace) => (&replace.cl_ord_id, "G"),
        Request::MassCancel(asked) => (&asked.cl_ord_id, "q"),
        Request::Query(_) => return Vec::new(),
    };
    let throttled = Happening::Throttled {
        request: cl_ord_id.clone(),
        kind: kind.to_owned(),
        text,
    };
    facts.tell(owner(inbound), OrderImage::none(), throttled);
    facts.whole()
}
