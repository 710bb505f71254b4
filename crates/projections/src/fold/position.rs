//! One position's stream, folded: the domain's own state, and what the rows of its orders and trades show beside it.

use super::FoldError;
use super::streams::{Folded, next_version};
use crate::orders::{self, OrderRow};
use crate::positions::{self, StoredPosition};
use crate::trades::{self, TradeRow};
use crate::units::{instant, position as log_position, small, whole};
use foldhash::fast::RandomState;
use squareoff_domain::position::{
    self, Executed, Netting, OrderPlaced, Position, PositionEvent, TimeInForce,
};
use squareoff_domain::{
    Event, ExchangeOrderId, ExecutionKey, OrderId, PositionKey, Price, Quantity, RequestId, Side,
};
use squareoff_store::StoredEvent;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use time::OffsetDateTime;

/// A stream's state and what its rows need beside it.
#[derive(Debug)]
pub(crate) struct FoldedPosition {
    pub key: PositionKey,
    /// Of the key, shared by all rows.
    pub client: Arc<str>,
    pub symbol: Arc<str>,
    pub position: Position,
    /// Of its trades as they stand; `None` until it is asked for after they were summed anew.
    netting: Option<Netting>,
    /// Looked into several times for each event, and never in an order.
    placed: HashMap<OrderId, Placed, RandomState>,
    told: HashMap<ExecutionKey, Told, RandomState>,
    version: u64,
    updated_position: i64,
    updated_at: OffsetDateTime,
    /// The event that last changed the position's own row.
    pub shown: Changed,
    /// The row changed in the batch at hand, and its orders and trades that did.
    changed: bool,
    /// The batch at hand went on with the stream.
    pub(super) touched: bool,
    changed_orders: Vec<OrderId>,
    changed_trades: Vec<ExecutionKey>,
    /// Executions that came before their order, whose it was that was not known.
    early: Vec<(OrderId, ExecutionKey)>,
}

/// The event that last changed a row, as the row shows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Changed {
    pub version: i64,
    pub position: i64,
    pub at: OffsetDateTime,
}

/// What an order's row shows and decisions don't need.
#[derive(Debug)]
pub(crate) struct Placed {
    /// `None` for an external order.
    pub request_id: Option<RequestId>,
    pub slice: i32,
    pub slices: i32,
    pub quantity: Quantity,
    pub price: Price,
    pub time_in_force: TimeInForce,
    pub executions: Vec<ExecutionKey>,
    pub late_fills: i32,
    pub reject: Option<(i64, String)>,
    pub placed_at: OffsetDateTime,
    pub placed_position: i64,
    pub changed: Changed,
    /// Among the orders that the batch at hand changed.
    is_listed: bool,
}

/// What a trade's row shows and decisions don't need.
#[derive(Debug)]
pub(crate) struct Told {
    /// Log position of the first event that told of it: the row's identity.
    pub position: i64,
    /// As first told.
    pub side: Side,
    pub quantity: Quantity,
    pub price: Price,
    pub exchange_order_id: Option<ExchangeOrderId>,
    pub executed_at: OffsetDateTime,
    pub late: bool,
    /// When the first event was recorded and by whom, if it booked the trade. A later booking has a row in the audit trail.
    pub booked: Option<(OffsetDateTime, Arc<str>)>,
    pub changed: Changed,
    /// Among the trades that the batch at hand changed.
    is_listed: bool,
}

impl Folded for FoldedPosition {
    fn begin(next: &StoredEvent) -> Result<Self, FoldError> {
        let key = PositionKey::of_stream(&next.stream).ok_or_else(|| FoldError::NotAPosition {
            position: next.position,
            event_type: next.event_type.clone(),
            stream: next.stream.clone(),
        })?;
        Ok(FoldedPosition {
            client: key.client.as_str().into(),
            symbol: key.symbol.as_str().into(),
            key,
            position: Position::default(),
            netting: None,
            placed: HashMap::default(),
            told: HashMap::default(),
            version: 0,
            updated_position: log_position(next.position),
            updated_at: instant(next.occurred_at),
            shown: Changed {
                version: 0,
                position: 0,
                at: instant(next.occurred_at),
            },
            changed: false,
            touched: false,
            changed_orders: vec![],
            changed_trades: vec![],
            early: vec![],
        })
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn apply(&mut self, stored: &StoredEvent, event: &Event) -> Result<(), FoldError> {
        self.version = next_version(self.version, stored)?;
        let Event::Position(event) = event else {
            return Ok(());
        };
        let anew = self.summed_anew(event);
        let before = anew.then(|| self.cumulative());
        position::apply(&mut self.position, event);
        if anew {
            self.netting = None;
        } else if let (PositionEvent::Executed(executed), Some(netting)) =
            (event, &mut self.netting)
        {
            netting.add(executed.side, executed.quantity, executed.price);
        }
        self.updated_position = log_position(stored.position);
        self.updated_at = instant(stored.occurred_at);
        for (id, cumulative) in before.into_iter().flatten() {
            let order = self.position.orders.get(&id);
            if order.is_some_and(|order| order.cumulative != cumulative) {
                self.touch_order(id);
            }
        }
        if is_shown(event) {
            self.shown = self.now();
            self.changed = true;
        }
        self.note(event, stored);
        Ok(())
    }

    fn settled(&mut self) {
        self.changed = false;
        self.touched = false;
        for id in self.changed_orders.drain(..) {
            if let Some(placed) = self.placed.get_mut(&id) {
                placed.is_listed = false;
            }
        }
        for key in self.changed_trades.drain(..) {
            if let Some(told) = self.told.get_mut(&key) {
                told.is_listed = false;
            }
        }
    }
}

impl FoldedPosition {
    /// Whether the domain's fold sums every order and trade anew for the event, so that it may change orders that it does not name.
    fn summed_anew(&self, event: &PositionEvent) -> bool {
        let position = &self.position;
        if let PositionEvent::Executed(executed) = event {
            let key = &executed.execution;
            return position.executions.contains_key(key)
                || position.busted.contains(key)
                || position.corrections.contains_key(key);
        }
        matches!(
            event,
            PositionEvent::BodLoaded(_)
                | PositionEvent::PrimaryTradeApplied(_)
                | PositionEvent::ExecutionBusted(_)
                | PositionEvent::ExecutionCorrected(_)
        )
    }

    fn cumulative(&self) -> Vec<(OrderId, Quantity)> {
        let orders = self.position.orders.iter();
        orders.map(|(id, order)| (*id, order.cumulative)).collect()
    }

    /// What the rows show of an event that the state has taken in.
    fn note(&mut self, event: &PositionEvent, stored: &StoredEvent) {
        match event {
            PositionEvent::OrderPlaced(placed) => self.placed(placed),
            PositionEvent::ExternalOrderObserved(observed) => {
                let (quantity, price) = (observed.quantity, observed.price);
                let placed = self.new_order(observed.order_id, None, quantity, price);
                self.insert(observed.order_id, placed);
            }
            PositionEvent::Executed(executed) => self.executed(executed, stored),
            PositionEvent::PrimaryTradeApplied(trade) => {
                let told = Told {
                    executed_at: instant(trade.traded_at),
                    ..self.booked(stored, trade.side, trade.quantity, trade.price)
                };
                self.tell(&trade.execution, told);
            }
            PositionEvent::TradeConfirmed(told) => {
                let key = &told.execution;
                let roots = roots_of(&self.position, key);
                if roots.is_empty() && !self.told.contains_key(key) {
                    let unbooked = Told {
                        booked: None,
                        ..self.booked(stored, told.side, told.quantity, told.price)
                    };
                    self.tell(key, unbooked);
                }
                self.touch_trade(key);
                roots.iter().for_each(|root| self.touch_trade(root));
            }
            PositionEvent::ExecutionBusted(busted) => self.touch_chain(&busted.execution),
            PositionEvent::ExecutionCorrected(corrected) => {
                self.touch_chain(&corrected.execution);
                self.touch_trade(&corrected.correction);
            }
            PositionEvent::OrderRejected(rejected) => {
                if let Some(placed) = self.placed.get_mut(&rejected.order_id) {
                    placed.reject = Some((rejected.code, rejected.text.clone()));
                }
            }
            PositionEvent::BodLoaded(_)
            | PositionEvent::BodContradicted(_)
            | PositionEvent::ExternalOrderUpdated(_)
            | PositionEvent::SquareOffAccepted(_)
            | PositionEvent::OrderDispatched(_)
            | PositionEvent::OrderAcknowledged(_)
            | PositionEvent::OrderFrozen(_)
            | PositionEvent::ExecutionConflicted(_)
            | PositionEvent::OverfillDetected(_)
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
            | PositionEvent::PositionFrozen(_)
            | PositionEvent::PositionUnfrozen(_)
            | PositionEvent::PositionHandedBack(_)
            | PositionEvent::ReportContradicted(_)
            | PositionEvent::UnknownOrderReported(_) => {}
        }
        if let Some(order) = event.order_id() {
            self.touch_order(order);
        }
    }

    fn placed(&mut self, placed: &OrderPlaced) {
        let order = Placed {
            slice: small(placed.slice),
            slices: small(placed.slices),
            time_in_force: placed.time_in_force,
            ..self.new_order(
                placed.order_id,
                Some(placed.request_id),
                placed.quantity,
                placed.price,
            )
        };
        self.insert(placed.order_id, order);
    }

    fn executed(&mut self, executed: &Executed, stored: &StoredEvent) {
        let key = &executed.execution;
        let told = Told {
            exchange_order_id: Some(executed.exchange_order_id.clone()),
            late: executed.late,
            ..self.booked(stored, executed.side, executed.quantity, executed.price)
        };
        self.tell(key, told);
        if let Some(placed) = self.placed.get_mut(&executed.order_id) {
            if !placed.executions.contains(key) {
                placed.executions.push(key.clone());
            }
            placed.late_fills = placed.late_fills.saturating_add(i32::from(executed.late));
        } else {
            self.early.push((executed.order_id, key.clone()));
        }
    }

    fn new_order(
        &self,
        id: OrderId,
        request_id: Option<RequestId>,
        quantity: Quantity,
        price: Price,
    ) -> Placed {
        let before = self.placed.get(&id);
        Placed {
            request_id,
            slice: 1,
            slices: 1,
            quantity,
            price,
            time_in_force: TimeInForce::Day,
            executions: vec![],
            late_fills: 0,
            reject: None,
            placed_at: self.updated_at,
            placed_position: before.map_or(self.updated_position, |before| before.placed_position),
            changed: self.now(),
            is_listed: before.is_some_and(|before| before.is_listed),
        }
    }

    /// A trade that the event at hand is the first to tell of, and books.
    fn booked(&self, stored: &StoredEvent, side: Side, quantity: Quantity, price: Price) -> Told {
        Told {
            position: self.updated_position,
            side,
            quantity,
            price,
            exchange_order_id: None,
            executed_at: self.updated_at,
            late: false,
            booked: Some((instant(stored.recorded_at), stored.actor.clone())),
            changed: self.now(),
            is_listed: true,
        }
    }

    /// Takes in what the event at hand tells of a trade. One that was told of before keeps its identity, and who told of it.
    fn tell(&mut self, key: &ExecutionKey, told: Told) {
        match self.told.entry(key.clone()) {
            Entry::Vacant(entry) => {
                self.changed_trades.push(entry.key().clone());
                entry.insert(told);
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                if !known.is_listed {
                    self.changed_trades.push(key.clone());
                }
                *known = Told {
                    position: known.position,
                    booked: known.booked.take(),
                    ..told
                };
            }
        }
    }

    /// Whether the row of a trade says all that the event at hand, which told of the execution, says.
    pub(crate) fn is_first_told(&self, key: &ExecutionKey) -> bool {
        let told = self.told.get(key);
        told.is_some_and(|told| told.booked.is_some() && told.position == self.updated_position)
    }

    fn now(&self) -> Changed {
        Changed {
            version: whole(self.version),
            position: self.updated_position,
            at: self.updated_at,
        }
    }

    fn touch_order(&mut self, id: OrderId) {
        let now = self.now();
        if let Some(placed) = self.placed.get_mut(&id) {
            placed.changed = now;
            if !std::mem::replace(&mut placed.is_listed, true) {
                self.changed_orders.push(id);
            }
        }
    }

    fn touch_trade(&mut self, key: &ExecutionKey) {
        let now = self.now();
        if let Some(told) = self.told.get_mut(key) {
            told.changed = now;
            if !std::mem::replace(&mut told.is_listed, true) {
                self.changed_trades.push(key.clone());
            }
        }
    }

    /// An order, and with it the trades that came before it: they show whose order it is.
    fn insert(&mut self, id: OrderId, placed: Placed) {
        let before = self.placed.insert(id, placed);
        let early = self.early.extract_if(.., |(order, _)| *order == id);
        let mut of_it: Vec<_> = early.map(|(_, key)| key).collect();
        of_it.extend(before.into_iter().flat_map(|before| before.executions));
        of_it.iter().for_each(|key| self.touch_trade(key));
    }

    /// The executions that `key` is or corrects, and their orders.
    fn touch_chain(&mut self, key: &ExecutionKey) {
        for root in roots_of(&self.position, key) {
            self.touch_trade(&root);
            let booked = self.position.executions.get(&root);
            if let Some(order) = booked.and_then(|booked| booked.order) {
                self.touch_order(order);
            }
        }
    }

    /// The position's own row, if it changed.
    pub(super) fn row(&mut self, stream: &str) -> Option<StoredPosition> {
        if !self.changed {
            return None;
        }
        let netting = *self.netting.get_or_insert_with(|| self.position.netting());
        debug_assert_eq!(netting, self.position.netting());
        Some(positions::row(stream, self, &netting))
    }

    /// The rows of the orders that changed.
    pub(super) fn order_rows(&self, stream: &Arc<str>) -> impl Iterator<Item = OrderRow> {
        self.changed_orders.iter().filter_map(move |id| {
            let (order, placed) = (self.position.orders.get(id)?, self.placed.get(id)?);
            Some(orders::row(stream, self, *id, order, placed))
        })
    }

    /// The rows of the trades that changed.
    pub(super) fn trade_rows(&self, stream: &Arc<str>) -> impl Iterator<Item = TradeRow> {
        self.changed_trades
            .iter()
            .filter_map(move |key| Some(trades::row(stream, self, key, self.told.get(key)?)))
    }
}

/// Whether the position's own row shows anything of the event. Half of what happens to an order is seen in the order alone, and the
/// widest row of all need not be written again for it.
const fn is_shown(event: &PositionEvent) -> bool {
    match event {
        PositionEvent::SquareOffAccepted(_)
        | PositionEvent::OrderDispatched(_)
        | PositionEvent::OrderAcknowledged(_)
        | PositionEvent::OrderFrozen(_)
        | PositionEvent::OverfillDetected(_)
        | PositionEvent::CancelRequested(_)
        | PositionEvent::CancelQueued(_)
        | PositionEvent::CancelRejected(_)
        | PositionEvent::CancelNotDelivered(_)
        | PositionEvent::ReplaceRequested(_)
        | PositionEvent::ReplaceRejected(_)
        | PositionEvent::ReplaceNotDelivered(_)
        | PositionEvent::OrderInDoubt(_)
        | PositionEvent::ExposureBreached(_) => false,
        PositionEvent::BodLoaded(_)
        | PositionEvent::BodContradicted(_)
        | PositionEvent::PrimaryTradeApplied(_)
        | PositionEvent::ExternalOrderObserved(_)
        | PositionEvent::ExternalOrderUpdated(_)
        | PositionEvent::OrderPlaced(_)
        | PositionEvent::OrderRejected(_)
        | PositionEvent::Executed(_)
        | PositionEvent::ExecutionConflicted(_)
        | PositionEvent::ExecutionBusted(_)
        | PositionEvent::ExecutionCorrected(_)
        | PositionEvent::TradeConfirmed(_)
        | PositionEvent::OrderReplaced(_)
        | PositionEvent::OrderCanceled(_)
        | PositionEvent::OrderExpired(_)
        | PositionEvent::OrderNotDelivered(_)
        | PositionEvent::InDoubtResolved(_)
        | PositionEvent::PositionFrozen(_)
        | PositionEvent::PositionUnfrozen(_)
        | PositionEvent::PositionHandedBack(_)
        | PositionEvent::ReportContradicted(_)
        | PositionEvent::UnknownOrderReported(_) => true,
    }
}

/// The executions that `key` is or corrects, through any number of corrections: one, unless a venue corrects two things by one report;
/// none while no execution here answers to it.
fn roots_of(position: &Position, key: &ExecutionKey) -> BTreeSet<ExecutionKey> {
    let mut reached = BTreeSet::from([key]);
    let mut next = vec![key];
    while let Some(link) = next.pop() {
        for (corrected, corrections) in &position.corrections {
            if corrections.contains_key(link) && reached.insert(corrected) {
                next.push(corrected);
            }
        }
    }
    let booked = |key: &&&ExecutionKey| position.executions.contains_key(**key);
    reached
        .iter()
        .filter(booked)
        .map(|key| (*key).clone())
        .collect()
}
