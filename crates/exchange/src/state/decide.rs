//! What a request leads to: the checks, the matching, the facts. Changes nothing (see `state`).

use squareoff_fix::Timestamp;

use super::{Exchange, Order};
use crate::book::Against;
use crate::fact::{Cause, Fact, Happening, OrderImage, REASON_DUPLICATE, TimeInForce};
use crate::price::Price;
use crate::request::{Cancel, Inbound, NewOrder, Query, Request, StatusReport};
use crate::rules::{self, Refusal};

/// CxlRejReason(102), FIX 4.4.
const TOO_LATE_TO_CANCEL: u32 = 0;
const CANCEL_OF_UNKNOWN_ORDER: u32 = 1;

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
        let mut facts = match &inbound.request {
            Request::Query(query) => {
                return Decision::Reports(self.answer(&inbound.cause.session, query));
            }
            Request::New(NewOrder { cl_ord_id, .. })
            | Request::Cancel(Cancel { cl_ord_id, .. })
                if self.has_recorded(&inbound.cause, cl_ord_id) =>
            {
                return Decision::Redelivered;
            }
            Request::New(order) => self.place(inbound, order, now),
            Request::Cancel(cancel) => self.cancel(inbound, cancel, now),
        };
        if let Some(last) = facts.last_mut() {
            last.completes = true;
        }
        Decision::Facts(facts)
    }

    fn place(&self, inbound: &Inbound, new: &NewOrder, now: Timestamp) -> Vec<Fact> {
        let asked = OrderImage {
            order: 0,
            cl_ord_id: new.cl_ord_id.clone(),
            account: new.account.clone(),
            symbol: new.symbol.clone(),
            side: new.side,
            time_in_force: new.time_in_force,
            quantity_units: new.quantity_units,
            price: new.price,
            leaves_units: 0,
            cum_units: 0,
            notional: 0,
        };
        let mut facts = Facts {
            exchange: self,
            inbound,
            now,
            facts: Vec::new(),
        };
        let instrument = match self.check(inbound, new) {
            Ok(instrument) => instrument,
            Err(Refusal { reason, text }) => {
                facts.tell(
                    &inbound.cause.session,
                    asked,
                    Happening::Rejected { reason, text },
                );
                return facts.facts;
            }
        };
        let mut image = OrderImage {
            order: self.next_ordinal,
            leaves_units: new.quantity_units,
            ..asked
        };
        facts.tell(&inbound.cause.session, image.clone(), Happening::Accepted);
        let quotes = self.makers[instrument]
            .iter()
            .flat_map(|maker| maker.quotes(self.rounds[instrument], new.side, new.price));
        for fill in self.books[instrument].fills(new.side, new.price, new.quantity_units, quotes) {
            let executed = |against| Happening::Executed {
                last_units: fill.units,
                last_price: fill.price,
                against,
            };
            let mut against = None;
            if let Against::Order(number) = fill.against
                && let Some(resting) = self.orders.get(&number)
            {
                against = Some(number);
                let image = filled(resting.image.clone(), fill.units, fill.price);
                facts.tell(&resting.session, image, executed(Some(self.next_ordinal)));
            }
            image = filled(image, fill.units, fill.price);
            facts.tell(&inbound.cause.session, image.clone(), executed(against));
        }
        if image.leaves_units > 0 && new.time_in_force == TimeInForce::ImmediateOrCancel {
            let image = OrderImage {
                leaves_units: 0,
                ..image
            };
            facts.tell(
                &inbound.cause.session,
                image,
                Happening::Canceled { request: None },
            );
        }
        facts.facts
    }

    fn check(&self, inbound: &Inbound, new: &NewOrder) -> Result<usize, Refusal> {
        if self.is_used(&inbound.cause, &new.cl_ord_id) {
            return Err(Refusal::new(
                REASON_DUPLICATE,
                format!("duplicate: ClOrdID {} was used today", new.cl_ord_id),
            ));
        }
        if let Some(text) = &new.unsupported {
            return Err(Refusal::new(
                rules::UNSUPPORTED,
                format!("unsupported: {text}"),
            ));
        }
        let Some(instrument) = self.contracts.find(&inbound.venue, &new.symbol) else {
            let text = format!("symbol: {} does not list {}", inbound.venue, new.symbol);
            return Err(Refusal::new(rules::UNKNOWN_SYMBOL, text));
        };
        rules::check(
            &self.contracts.all()[instrument],
            new.quantity_units,
            new.price,
        )?;
        Ok(instrument)
    }

    fn cancel(&self, inbound: &Inbound, cancel: &Cancel, now: Timestamp) -> Vec<Fact> {
        let session = &inbound.cause.session;
        let request = cancel.cl_ord_id.clone();
        let order = self.order_of(session, &cancel.orig_cl_ord_id);
        let refusal = if self.is_used(&inbound.cause, &request) {
            Some((
                REASON_DUPLICATE,
                format!("duplicate: ClOrdID {request} was used today"),
            ))
        } else {
            match order {
                None => Some((
                    CANCEL_OF_UNKNOWN_ORDER,
                    format!("order: {} is not known here", cancel.orig_cl_ord_id),
                )),
                Some(order) if order.image.leaves_units == 0 => {
                    Some((TOO_LATE_TO_CANCEL, "order: is done already".to_owned()))
                }
                Some(_) => None,
            }
        };
        let image = order.map_or_else(|| cancel.unknown_order(), |order| order.image.clone());
        let mut facts = Facts {
            exchange: self,
            inbound,
            now,
            facts: Vec::new(),
        };
        match refusal {
            Some((reason, text)) => facts.tell(
                session,
                image,
                Happening::CancelRejected {
                    request,
                    reason,
                    text,
                },
            ),
            None => {
                let image = OrderImage {
                    leaves_units: 0,
                    ..image
                };
                facts.tell(
                    session,
                    image,
                    Happening::Canceled {
                        request: Some(request),
                    },
                );
            }
        }
        facts.facts
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

    fn is_used(&self, cause: &Cause, cl_ord_id: &str) -> bool {
        self.sessions
            .get(&cause.session)
            .is_some_and(|session| session.used.contains_key(cl_ord_id))
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

fn filled(image: OrderImage, units: i64, price: Price) -> OrderImage {
    OrderImage {
        leaves_units: image.leaves_units - units,
        cum_units: image.cum_units + units,
        // A price is far below 2^40 and a quantity below 2^20; past i64 the average price is all that would suffer.
        notional: image.notional.saturating_add(price.0.saturating_mul(units)),
        ..image
    }
}

/// The facts of one message, numbered as they are told.
struct Facts<'a> {
    exchange: &'a Exchange,
    inbound: &'a Inbound,
    now: Timestamp,
    facts: Vec<Fact>,
}

impl Facts<'_> {
    fn tell(&mut self, session: &str, order: OrderImage, happening: Happening) {
        self.facts.push(Fact {
            ordinal: self.exchange.next_ordinal + self.facts.len() as u64,
            venue: self.inbound.venue.clone(),
            session: session.to_owned(),
            cause: self.inbound.cause.clone(),
            completes: false,
            trade_date: self.exchange.trade_date.clone(),
            transact_time: self.now,
            order,
            happening,
        });
    }
}
