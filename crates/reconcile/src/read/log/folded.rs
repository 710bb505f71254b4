//! One position's stream on its way through the fold, and what it gives to the day.

use crate::compare::venue_of;
use crate::read::Texts;
use crate::sides::{Alarm, Alarmed, Booked, HandedBack, Held, Log, Order, Origin, Terms, Told};
use squareoff_domain::position::{self, Position, PositionEvent, TradeStatus};
use squareoff_domain::{ExecutionKey, NetQuantity, PositionKey, Timestamp};
use squareoff_store::{Position as LogPosition, StoredEvent};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A position's stream on its way through the fold.
pub(super) struct Folded {
    pub key: PositionKey,
    pub position: Position,
    /// When its last event was recorded, and where.
    pub at: Timestamp,
    pub place: LogPosition,
    /// Of each execution, by its number from 1: when it was made or changed, and where that stands in the log.
    pub changed: Vec<(Timestamp, LogPosition)>,
    /// Executions that only the drop copy told of, and when.
    pub unbooked: BTreeMap<ExecutionKey, Timestamp>,
    pub handed_back: Option<(u32, NetQuantity, u32)>,
    pub alarms: Vec<(Alarmed, String)>,
}

impl Folded {
    pub fn apply(&mut self, stored: &StoredEvent, event: &PositionEvent) {
        let before = self.position.net;
        self.position = position::evolve(std::mem::take(&mut self.position), event);
        self.turned(before, event);
        (self.at, self.place) = (stored.recorded_at, stored.position);
        let now = (stored.recorded_at, stored.position);
        match event {
            PositionEvent::Executed(executed) => {
                self.unbooked.remove(&executed.execution);
                self.touch(&executed.execution, now);
            }
            PositionEvent::PrimaryTradeApplied(trade) => {
                self.unbooked.remove(&trade.execution);
                self.touch(&trade.execution, (trade.traded_at, stored.position));
            }
            PositionEvent::ExecutionBusted(busted) => self.touch(&busted.execution, now),
            PositionEvent::ExecutionCorrected(corrected) => self.touch(&corrected.execution, now),
            PositionEvent::TradeConfirmed(told) => {
                if !self.position.executions.contains_key(&told.execution) {
                    self.unbooked
                        .insert(told.execution.clone(), stored.recorded_at);
                }
            }
            PositionEvent::PositionHandedBack(handed) => {
                self.handed_back = Some((handed.epoch, handed.net, handed.executions));
            }
            PositionEvent::PositionUnfrozen(_) => {
                // A person looked into it. What was filled too much is real all the same.
                self.alarms.retain(|(what, _)| match what {
                    Alarmed::Overfill { .. } | Alarmed::BeyondFlat { .. } => true,
                    Alarmed::Conflict { .. } | Alarmed::Contradiction => false,
                });
            }
            PositionEvent::ExecutionConflicted(told) => {
                let text = format!(
                    "told again as {} at {} for execution {}",
                    told.quantity, told.price, told.execution
                );
                let what = Alarmed::Conflict {
                    execution: told.execution.clone(),
                    quantity: told.quantity,
                    price: told.price,
                };
                self.alarms.push((what, text));
            }
            PositionEvent::OverfillDetected(told) => {
                let order = self.position.orders.get(&told.order_id);
                let text = format!("filled {} more than the order's quantity", told.excess);
                let what = Alarmed::Overfill {
                    order: order.map(|order| order.cl_ord_id.as_str().into()),
                    excess: told.excess,
                    price: order.map(|order| order.price).unwrap_or_default(),
                };
                self.alarms.push((what, text));
            }
            PositionEvent::BodContradicted(told) => {
                let text = format!(
                    "a second line of the beginning of the day says {} at {}",
                    told.quantity, told.average_price
                );
                self.alarms.push((Alarmed::Contradiction, text));
            }
            PositionEvent::ReportContradicted(told) => {
                let text = format!("the venue said: {}", told.report);
                self.alarms.push((Alarmed::Contradiction, text));
            }
            PositionEvent::UnknownOrderReported(told) => {
                let text = format!("about an unknown order {}: {}", told.cl_ord_id, told.report);
                self.alarms.push((Alarmed::Contradiction, text));
            }
            PositionEvent::BodLoaded(_)
            | PositionEvent::ExternalOrderObserved(_)
            | PositionEvent::ExternalOrderUpdated(_)
            | PositionEvent::SquareOffAccepted(_)
            | PositionEvent::OrderPlaced(_)
            | PositionEvent::OrderDispatched(_)
            | PositionEvent::OrderAcknowledged(_)
            | PositionEvent::OrderFrozen(_)
            | PositionEvent::OrderRejected(_)
            | PositionEvent::CancelRequested(_)
            | PositionEvent::CancelQueued(_)
            | PositionEvent::CancelRejected(_)
            | PositionEvent::CancelNotDelivered(_)
            | PositionEvent::ReplaceRequested(_)
            | PositionEvent::OrderReplaced(_)
            | PositionEvent::ReplaceRejected(_)
            | PositionEvent::ReplaceNotDelivered(_)
            | PositionEvent::OrderCanceled(_)
            | PositionEvent::OrderExpired(_)
            | PositionEvent::OrderNotDelivered(_)
            | PositionEvent::OrderInDoubt(_)
            | PositionEvent::InDoubtResolved(_)
            | PositionEvent::ExposureBreached(_)
            | PositionEvent::PositionFrozen(_) => {}
        }
    }

    /// A fill of our own order must never turn a position around.
    fn turned(&mut self, before: NetQuantity, event: &PositionEvent) {
        let PositionEvent::Executed(executed) = event else {
            return;
        };
        let after = self.position.net;
        let order = self.position.orders.get(&executed.order_id);
        let ours = order.is_some_and(position::Order::is_ours);
        if ours && before.0.signum() * after.0.signum() < 0 {
            let what = Alarmed::BeyondFlat {
                execution: executed.execution.clone(),
                excess: after.open(),
                price: executed.price,
            };
            let text = format!("{before} before the fill, {after} behind it");
            self.alarms.push((what, text));
        }
    }

    /// An execution changed now; by the id of a correction, whichever of the position's it was.
    fn touch(&mut self, execution: &ExecutionKey, now: (Timestamp, LogPosition)) {
        let executions = &self.position.executions;
        self.changed.resize(executions.len(), now);
        match executions.get(execution) {
            Some(booked) => {
                let place = usize::try_from(booked.number).unwrap_or(usize::MAX) - 1;
                if let Some(changed) = self.changed.get_mut(place) {
                    *changed = now;
                }
            }
            None => self.changed.fill(now),
        }
    }

    pub fn give(self, stream: Arc<str>, log: &mut Log, texts: &mut Texts) {
        let place = log.positions.len();
        let account = texts.shared(self.key.client.as_str());
        let symbol = texts.shared(self.key.symbol.as_str());
        let mut ids = HashMap::new();
        for (order_id, order) in &self.position.orders {
            let cl_ord_id: Arc<str> = order.cl_ord_id.as_str().into();
            ids.insert(*order_id, Arc::clone(&cl_ord_id));
            log.orders.push(Order {
                order_id: *order_id,
                position: place,
                cl_ord_id,
                side: order.side,
                quantity: order.quantity,
                price: order.price,
                filled: order.filled(),
                leaves: order.leaves(),
                status: order.status().as_str(),
                ours: order.is_ours(),
                dispatched: order.dispatched || order.acknowledged,
                in_doubt: order.in_doubt,
                at: self.at,
            });
        }
        let said = |key: &ExecutionKey, terms, at: Timestamp| Told {
            execution: key.clone(),
            terms,
            busted: false,
            account: Some(Arc::clone(&account)),
            symbol: Some(Arc::clone(&symbol)),
            order: None,
            at: Some(at),
        };
        let mut live = 0_usize;
        for (key, trade) in self.position.trades() {
            live += usize::from(!trade.live_quantity().is_zero());
            let terms = Terms {
                side: trade.side,
                quantity: trade.quantity,
                price: trade.price,
            };
            let number = usize::try_from(trade.number).unwrap_or(usize::MAX);
            let changed = number.checked_sub(1).and_then(|at| self.changed.get(at));
            let (at, position) = changed.copied().unwrap_or((self.at, self.place));
            if let Some(confirmed) = self.position.confirmations_of(key) {
                let as_terms = |said: &position::Confirmation| Terms {
                    side: said.side,
                    quantity: said.quantity,
                    price: said.price,
                };
                // Of several sayings the one that agrees, or else the greatest; none of a quantity, that the venue took it back.
                let void = confirmed.iter().any(|said| said.quantity.is_zero());
                let agrees = confirmed.iter().map(as_terms).find(|said| *said == terms);
                let theirs = agrees.or_else(|| confirmed.iter().map(as_terms).next_back());
                log.drop_copy.extend(theirs.map(|theirs| Told {
                    busted: void,
                    ..said(key, if void { terms } else { theirs }, at)
                }));
                if let Some(reach) = venue_of(key).and_then(|venue| log.reach.get_mut(&venue)) {
                    reach.earliest = reach.earliest.min(at);
                }
            }
            log.trades.push(Booked {
                told: Told {
                    busted: trade.status == TradeStatus::Busted,
                    order: trade.order.and_then(|order| ids.get(&order).cloned()),
                    ..said(key, terms, at)
                },
                position: place,
                order_id: trade.order,
                status: trade.status,
                origin: match trade.order {
                    Some(_) => Origin::Order,
                    None => Origin::Primary,
                },
                at: position,
            });
        }
        for (key, confirmed) in self.position.unbooked() {
            let at = self.unbooked.get(key).copied().unwrap_or(self.at);
            log.unbooked.push((key.clone(), place));
            if let Some(theirs) = confirmed.iter().next_back() {
                let terms = Terms {
                    side: theirs.side,
                    quantity: theirs.quantity,
                    price: theirs.price,
                };
                log.drop_copy.push(Told {
                    busted: confirmed.iter().any(|said| said.quantity.is_zero()),
                    ..said(key, terms, at)
                });
            }
            if let Some(reach) = log.reach.get_mut(&self.key.venue) {
                reach.earliest = reach.earliest.min(at);
            }
        }
        let alarms = self.alarms.into_iter().map(|(what, text)| Alarm {
            position: place,
            what,
            text,
        });
        log.alarms.extend(alarms);
        let executions_now = u32::try_from(live).unwrap_or(u32::MAX);
        log.positions.push(Held {
            bod: self.position.bod,
            net: self.position.net,
            working: self.position.working(),
            frozen: self.position.frozen.is_some(),
            handed_back: self.handed_back.map(|(epoch, net, executions)| HandedBack {
                epoch,
                net,
                executions,
                executions_now,
            }),
            key: self.key,
            stream,
        });
    }
}
