//! Which positions have orders that may still fill, and which of them have seen their market close: folded from the log by `plan`.
//!
//! It may name an order that has ended, never leave one out that has not: the position itself decides what there is to expire. Of an
//! order that has ended nothing is kept.

use squareoff_domain::platform::{MarketPhase, Platform};
use squareoff_domain::reference::ContractListed;
use squareoff_domain::{OrderId, PositionKey, Quantity, Segment, Symbol, TradingDate, Venue};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

#[derive(Debug, Default)]
pub struct Working {
    /// From the day's contract files; a symbol stays in its segment.
    segments: HashMap<Symbol, Segment>,
    orders: HashMap<OrderId, Order>,
    positions: HashMap<Arc<str>, Of>,
}

#[derive(Debug)]
struct Order {
    stream: Arc<str>,
    quantity: Quantity,
    filled: Quantity,
}

/// The orders of a position that may still fill.
#[derive(Debug)]
struct Of {
    date: TradingDate,
    symbol: Symbol,
    orders: HashSet<OrderId>,
}

impl Working {
    pub fn listed(&mut self, listed: &ContractListed) {
        let contract = &listed.contract;
        self.segments
            .insert(contract.symbol.clone(), contract.segment);
    }

    pub fn segment(&self, symbol: &Symbol) -> Option<Segment> {
        self.segments.get(symbol).copied()
    }

    pub fn placed(
        &mut self,
        stream: &Arc<str>,
        key: &PositionKey,
        order_id: OrderId,
        quantity: Quantity,
        filled: Quantity,
    ) {
        let of = self
            .positions
            .entry(Arc::clone(stream))
            .or_insert_with(|| Of {
                date: key.date,
                symbol: key.symbol.clone(),
                orders: HashSet::new(),
            });
        of.orders.insert(order_id);
        let order = Order {
            stream: Arc::clone(stream),
            quantity,
            filled,
        };
        self.orders.insert(order_id, order);
    }

    /// Whether the order is full with it; it is then forgotten.
    pub fn filled(&mut self, order_id: OrderId, quantity: Quantity) -> bool {
        self.changed(order_id, |order| order.filled = order.filled.plus(quantity))
    }

    /// So much has filled in all, as the primary says.
    pub fn said(&mut self, order_id: OrderId, cumulative: Quantity) -> bool {
        self.changed(order_id, |order| {
            order.filled = order.filled.max(cumulative)
        })
    }

    pub fn replaced(&mut self, order_id: OrderId, quantity: Quantity) -> bool {
        self.changed(order_id, |order| order.quantity = quantity)
    }

    /// A trade was taken back or changed: how much has filled is no longer known here.
    pub fn unsettled(&mut self, stream: &Arc<str>, key: &PositionKey, order_id: OrderId) {
        self.placed(stream, key, order_id, Quantity::MAX, Quantity::ZERO);
    }

    pub fn ended(&mut self, order_id: OrderId) {
        let Some(order) = self.orders.remove(&order_id) else {
            return;
        };
        if let Some(of) = self.positions.get_mut(&order.stream) {
            of.orders.remove(&order_id);
            if of.orders.is_empty() {
                self.positions.remove(&order.stream);
            }
        }
    }

    /// Takes out the positions whose market has closed.
    pub fn take_closed(&mut self, platform: &Platform, venue: Venue) -> Vec<Arc<str>> {
        let closed = |of: &Of| self.is_closed(platform, venue, of.date, &of.symbol);
        let closed: Vec<_> = self
            .positions
            .iter()
            .filter(|(_, of)| closed(of))
            .map(|(stream, _)| Arc::clone(stream))
            .collect();
        for stream in &closed {
            let of = self.positions.remove(stream);
            for order_id in of.into_iter().flat_map(|of| of.orders) {
                self.orders.remove(&order_id);
            }
        }
        closed
    }

    /// Whether the market of `date` is over: the venue says that the segment closed or tells of a later day, or the platform is
    /// active for one.
    pub fn is_closed(
        &self,
        platform: &Platform,
        venue: Venue,
        date: TradingDate,
        symbol: &Symbol,
    ) -> bool {
        let market = self.segment(symbol);
        let market = market.and_then(|segment| platform.markets.get(&(venue, segment)));
        let closed = market.is_some_and(|market| {
            let is_its_day = market.trading_date == date;
            market.trading_date > date || (is_its_day && market.phase == MarketPhase::Closed)
        });
        closed || platform.trading_date.is_some_and(|today| today > date)
    }

    fn changed(&mut self, order_id: OrderId, change: impl FnOnce(&mut Order)) -> bool {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return false;
        };
        change(order);
        let full = order.filled >= order.quantity;
        if full {
            self.ended(order_id);
        }
        full
    }
}
