//! What of the log still has to go to the wire. Called by `outbound` with every event, in the log's order; pure but for its warnings.
//!
//! What a journal holds has gone (see `lanes`); everything else has not, wherever in the log it stands.
//! Until the log has been read to its end nothing is decided: an order that waits may turn out to have been sent, to have ended, or
//! to have been cancelled. Cancels always go; an order or a replace goes while
//! 1. the activation of the platform that it was decided in holds, until the hand-back is done;
//! 2. no kill switch has covered it since it was decided;
//! 3. its market has not closed for the day;
//! 4. no cancel waits behind it.

use crate::lanes::Lanes;
use crate::queue::{Item, Queue, What};
use crate::turns::Class;
use crate::venue::Protocol;
use crate::working::Working;
use squareoff_domain::bulk::BulkId;
use squareoff_domain::platform::{self, HaltScope, Platform, PlatformEvent};
use squareoff_domain::position::{
    CancelRequested, ExternalOrderObserved, OrderPlaced, ReplaceRequested, Report,
};
use squareoff_domain::session::SessionEvent;
use squareoff_domain::{ClOrdId, OrderId, PositionKey, Quantity, Symbol, TradingDate, Venue};
use squareoff_store::{Position, StoredEvent};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What the log says is to be done.
pub struct Plan {
    venue: Venue,
    protocol: Protocol,
    pub lanes: Lanes,
    pub waiting: Queue,
    /// What became of messages that will not be sent, not yet reported.
    pub told: Vec<Told>,
    /// Positions whose market has closed, not yet told so.
    pub over: Vec<Arc<str>>,
    pub working: Working,
    /// All orders that were ever dropped: their cancels have nowhere to go.
    gone: HashSet<OrderId>,
    /// Messages that waited when a kill switch covered them, before the log was read to its end.
    halted: HashSet<ClOrdId>,
    /// Orders whose cancel waits for the answer to a replace, before the log was read to its end.
    cancel_queued: HashSet<OrderId>,
    platform: Platform,
    /// Every session of the venue that the log tells of, by its stream.
    sessions: HashMap<Arc<str>, Before>,
    /// The log has been read to its end once.
    pub live: bool,
}

/// A report about the message with this ClOrdID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub cl_ord_id: ClOrdId,
    pub report: Report,
}

/// What the log tells of a session before the life of this gateway.
#[derive(Debug, Default)]
struct Before {
    ready: bool,
    /// Where the last life in which messages could be sent came to its end.
    sent_until: Option<Position>,
}

impl Plan {
    pub fn new(venue: Venue, protocol: Protocol, lanes: Lanes) -> Plan {
        Plan {
            venue,
            protocol,
            waiting: Queue::new(lanes.len(), protocol.dialect()),
            lanes,
            told: Vec::new(),
            over: Vec::new(),
            working: Working::default(),
            gone: HashSet::new(),
            halted: HashSet::new(),
            cancel_queued: HashSet::new(),
            platform: Platform::default(),
            sessions: HashMap::new(),
            live: false,
        }
    }

    pub fn placed(&mut self, stored: &StoredEvent, placed: &OrderPlaced) {
        let (order_id, id) = (placed.order_id, &placed.cl_ord_id);
        if self.lanes.has_gone(order_id, id, &placed.key.client) {
            return;
        }
        // The worker of a bulk acts in the bulk's name.
        let class = match BulkId::of_stream(&stored.actor) {
            Some(_) => Class::Bulk,
            None => Class::Interactive,
        };
        let item = self.item(stored, &placed.key, order_id, id, What::Order, class);
        if self.live && !self.may_go(&item) {
            return self.drop_order(order_id, Some(item.cl_ord_id));
        }
        self.remember_halt(&item);
        let message = self.protocol.new_order(placed, stored.occurred_at);
        self.waiting.push(stored.position, item, &message);
    }

    pub fn replace_requested(&mut self, stored: &StoredEvent, requested: &ReplaceRequested) {
        let (order_id, id) = (requested.order_id, &requested.cl_ord_id);
        let client = &requested.key.client;
        if self.lanes.has_gone(order_id, id, client) || self.gone.contains(&order_id) {
            return;
        }
        let class = Class::Modify;
        let item = self.item(stored, &requested.key, order_id, id, What::Replace, class);
        if self.live && !self.may_go(&item) {
            return self.undelivered(item.cl_ord_id);
        }
        self.remember_halt(&item);
        let message = self.protocol.replace(requested, stored.occurred_at);
        self.waiting.push(stored.position, item, &message);
    }

    pub fn cancel_requested(&mut self, stored: &StoredEvent, requested: &CancelRequested) {
        let (order_id, id) = (requested.order_id, &requested.cl_ord_id);
        if self.lanes.has_gone(order_id, id, &requested.key.client) {
            return;
        }
        self.cancel_queued.remove(&order_id);
        if self.gone.contains(&order_id) {
            return;
        }
        if self.live && self.waiting.has_order(order_id) {
            let order = self.waiting.remove(order_id);
            return self.drop_order(order_id, order);
        }
        if self.live {
            // A cancel goes before all else: a replace that it would overtake does not go at all.
            self.drop_replace(order_id);
        }
        let class = Class::Cancel;
        let item = self.item(stored, &requested.key, order_id, id, What::Cancel, class);
        let message = self.protocol.cancel(requested, stored.occurred_at);
        self.waiting.push(stored.position, item, &message);
    }

    /// A cancel waits for the answer to a replace. One that was not sent yet gives way to it.
    pub fn cancel_queued(&mut self, order_id: OrderId) {
        if !self.live {
            self.cancel_queued.insert(order_id);
        } else if self.waiting.has_order(order_id) {
            let order = self.waiting.remove(order_id);
            self.drop_order(order_id, order);
        } else {
            self.drop_replace(order_id);
        }
    }

    /// The log knows an order as sent. When it still waits here, the journal was lost.
    pub fn was_sent(&mut self, order_id: OrderId) {
        if let Some(order) = self.waiting.remove_order(order_id) {
            tracing::error!(cl_ord_id = %order, "the log knows an order as sent that the journal does not; it is not sent again");
        }
    }

    /// Nobody knows whether the order was sent: it is not sent for a second time.
    pub fn in_doubt(&mut self, order_id: OrderId) {
        self.waiting.remove_order(order_id);
    }

    pub fn executed(&mut self, order_id: OrderId, quantity: Quantity) {
        self.was_sent(order_id);
        if self.working.filled(order_id, quantity) {
            self.waiting.remove(order_id);
        }
    }

    /// The log knows the end of an order: neither it nor its cancels and replaces have to go.
    pub fn ended(&mut self, order_id: OrderId) {
        self.working.ended(order_id);
        if let Some(order) = self.waiting.remove(order_id) {
            tracing::warn!(cl_ord_id = %order, "an order had ended in the log while it still waited here; it is not sent");
        }
    }

    pub fn external(&mut self, stream: &Arc<str>, observed: &ExternalOrderObserved) {
        let (quantity, filled) = (observed.quantity, observed.cumulative);
        let key = &observed.key;
        self.working
            .placed(stream, key, observed.order_id, quantity, filled);
        if self.live && self.is_closed(key.date, &key.symbol) {
            self.end_closed();
        }
    }

    pub fn platform_changed(&mut self, event: &PlatformEvent) {
        self.platform = platform::evolve(std::mem::take(&mut self.platform), event);
        if self.live {
            self.drop_what_may_not_go();
            self.end_closed();
        } else if let PlatformEvent::NewOrdersHalted(halted) = event {
            // A halt that is taken back before the log's end still stops what waited under it.
            let covered = self.waiting.items().map(|(_, item)| item);
            let covered = covered.filter(|item| self.covers(halted.scope, &item.key.symbol));
            let covered: Vec<_> = covered.map(|item| item.cl_ord_id.clone()).collect();
            self.halted.extend(covered);
        }
    }

    pub fn session_changed(&mut self, stream: &Arc<str>, at: Position, event: &SessionEvent) {
        let session = self.sessions.entry(Arc::clone(stream)).or_default();
        if session.ready {
            session.sent_until = Some(at);
        }
        session.ready = matches!(
            event,
            SessionEvent::SessionReady(_) | SessionEvent::SessionKept(_)
        );
    }

    /// Whether the session of this stream is ready, as far as the log has been read.
    pub fn is_ready(&self, stream: &str) -> bool {
        self.sessions
            .get(stream)
            .is_some_and(|session| session.ready)
    }

    /// The log has been read to its end: only now it is known which orders that wait still have to go. `told` names the streams of
    /// sessions whose journals tell all that they were ever given, `life` this one in reasons.
    pub fn go_live(&mut self, told: &HashSet<String>, life: &str) {
        if std::mem::replace(&mut self.live, true) {
            return;
        }
        self.lanes.caught_up();
        self.doubt_what_may_have_been_sent(told, life);
        for order_id in self.waiting.overtaken() {
            match self.waiting.has_order(order_id) {
                true => {
                    let order = self.waiting.remove(order_id);
                    self.drop_order(order_id, order);
                }
                false => self.drop_replace(order_id),
            }
        }
        for order_id in std::mem::take(&mut self.cancel_queued) {
            self.cancel_queued(order_id);
        }
        self.drop_what_may_not_go();
        self.halted.clear();
        self.end_closed();
    }

    /// A session was ready behind these orders, and the journal that would tell whether they went out is not there. Over which of the
    /// venue's sessions they would have gone then is not known: they were perhaps more or fewer.
    fn doubt_what_may_have_been_sent(&mut self, told: &HashSet<String>, life: &str) {
        let lost = self
            .sessions
            .iter()
            .filter(|(stream, _)| !told.contains(&***stream) && self.lanes.may_have_sent(stream));
        let Some(until) = lost.filter_map(|(_, session)| session.sent_until).max() else {
            return;
        };
        let doubtful = self.waiting.items().take_while(|(at, _)| *at < until);
        let doubtful = doubtful.filter(|(_, item)| item.what == What::Order);
        let doubtful: Vec<_> = doubtful.map(|(_, item)| item.order_id).collect();
        for order_id in doubtful {
            let Some(cl_ord_id) = self.waiting.remove_order(order_id) else {
                continue;
            };
            let reason =
                format!("the gateway's journal is lost: nobody knows whether it was sent ({life})");
            let report = Report::InDoubt {
                cl_ord_id: cl_ord_id.clone(),
                reason,
            };
            self.told.push(Told { cl_ord_id, report });
        }
    }

    /// The primary is back, the kill switch is on, or it is another day: what was not sent by then must not go behind anybody's back.
    fn drop_what_may_not_go(&mut self) {
        let items = self.waiting.items().map(|(_, item)| item);
        let refused = items.filter(|item| item.what != What::Cancel && !self.may_go(item));
        let refused: Vec<_> = refused.cloned().collect();
        for item in refused {
            match item.what {
                What::Order => {
                    let order = self.waiting.remove(item.order_id);
                    self.drop_order(item.order_id, order);
                }
                What::Replace if !self.gone.contains(&item.order_id) => {
                    self.waiting.remove_change(item.order_id, &item.cl_ord_id);
                    self.undelivered(item.cl_ord_id);
                }
                What::Replace | What::Cancel => {}
            }
        }
    }

    /// Whether people have disconnected us from the venue.
    pub fn is_disconnected(&self) -> bool {
        self.platform.disconnects.contains_key(&self.venue)
    }

    fn may_go(&self, item: &Item) -> bool {
        let mut halts = self.platform.halts.keys();
        self.platform.epoch_in_force() == Some(item.epoch)
            && !halts.any(|scope| self.covers(*scope, &item.key.symbol))
            && !self.halted.contains(&item.cl_ord_id)
            && !self.is_closed(item.key.date, &item.key.symbol)
    }

    /// Whether a kill switch is about this symbol; one that no contract file told of is stopped by any switch of its venue.
    fn covers(&self, scope: HaltScope, symbol: &Symbol) -> bool {
        match (self.working.segment(symbol), scope) {
            (Some(segment), _) => scope.covers(self.venue, segment),
            (None, HaltScope::All) => true,
            (None, HaltScope::Venue(venue) | HaltScope::Segment { venue, .. }) => {
                venue == self.venue
            }
        }
    }

    fn remember_halt(&mut self, item: &Item) {
        let mut halts = self.platform.halts.keys();
        if !self.live && halts.any(|scope| self.covers(*scope, &item.key.symbol)) {
            self.halted.insert(item.cl_ord_id.clone());
        }
    }

    fn is_closed(&self, date: TradingDate, symbol: &Symbol) -> bool {
        self.working
            .is_closed(&self.platform, self.venue, date, symbol)
    }

    fn end_closed(&mut self) {
        let closed = self.working.take_closed(&self.platform, self.venue);
        self.over.extend(closed);
    }

    fn drop_order(&mut self, order_id: OrderId, order: Option<ClOrdId>) {
        self.gone.insert(order_id);
        self.told.extend(order.map(|cl_ord_id| {
            let report = Report::DroppedUnsent {
                cl_ord_id: cl_ord_id.clone(),
            };
            Told { cl_ord_id, report }
        }));
    }

    fn drop_replace(&mut self, order_id: OrderId) {
        if let Some(replace) = self.waiting.remove_replace(order_id) {
            self.undelivered(replace);
        }
    }

    /// A replace never leaves: the order stays as it is.
    fn undelivered(&mut self, cl_ord_id: ClOrdId) {
        let report = Report::NotDelivered {
            cl_ord_id: cl_ord_id.clone(),
        };
        self.told.push(Told { cl_ord_id, report });
    }

    fn item(
        &self,
        stored: &StoredEvent,
        key: &PositionKey,
        order_id: OrderId,
        cl_ord_id: &ClOrdId,
        what: What,
        class: Class,
    ) -> Item {
        Item {
            order_id,
            cl_ord_id: cl_ord_id.clone(),
            what,
            class,
            lane: self.lanes.of_order(order_id, &key.client),
            epoch: stored.epoch,
            stream: Arc::clone(&stored.stream),
            key: key.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
