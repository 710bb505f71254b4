//! What decisions need to know of a position, and what can be derived from it.

use super::event::{Change, Outcome, SquareOffTerms};
use super::order::Order;
use super::orders::Orders;
use crate::amount::{NetQuantity, Price, Quantity};
use crate::id::{ClOrdId, ExecutionKey, OrderId, PositionKey, RequestId, Side};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    /// `None` until the BOD line is loaded, or a fact of the primary names it.
    pub key: Option<PositionKey>,
    pub bod: NetQuantity,
    pub bod_average_price: Price,
    /// A BOD line was loaded; without one the position was opened today.
    pub bod_loaded: bool,
    /// N: BOD and every live execution, ours and others'.
    pub net: NetQuantity,
    pub orders: Orders,
    pub executions: BTreeMap<ExecutionKey, Booked>,
    /// Executions and corrections that the venue took back, whether they came yet or not.
    pub busted: BTreeSet<ExecutionKey>,
    /// By what they correct: a chain, in which the latest holds where a venue corrects one thing twice.
    pub corrections: BTreeMap<ExecutionKey, BTreeMap<ExecutionKey, Corrected>>,
    /// What the drop copy said, whether the execution came yet or not.
    pub confirmations: BTreeMap<ExecutionKey, BTreeSet<Confirmation>>,
    pub requests: BTreeMap<RequestId, Asked>,
    /// Facts that contradicted what was known, each once, so that a repetition says nothing new.
    pub contradictions: BTreeSet<String>,
    /// Why nothing may be placed until a person unfreezes the position.
    pub frozen: Option<String>,
    /// The epoch in which the primary got the position back.
    pub handed_back: Option<u32>,
    /// Orders are numbered as they are placed or observed: the highest is the newest.
    pub placed: u32,
}

/// What a person asked before, kept to know a repetition and to answer it alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    SquareOff {
        terms: SquareOffTerms,
        orders: Vec<OrderId>,
    },
    /// `None` asks for every order.
    Cancel {
        order: Option<OrderId>,
    },
    Modify {
        order: OrderId,
        change: Change,
    },
    ResolveInDoubt {
        order: OrderId,
        outcome: Outcome,
    },
    Freeze,
    Unfreeze,
    HandBack {
        epoch: u32,
    },
}

/// An execution as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    /// `None` for a trade of the primary's.
    pub order: Option<OrderId>,
    pub side: Side,
    pub quantity: Quantity,
    pub price: Price,
    /// The n-th execution of the position, from 1: profit is realized in this order.
    pub number: u32,
}

/// What a correction says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Corrected {
    /// When the venue made it.
    pub at: Timestamp,
    /// How many corrections of the same execution came before it that the venue made in the same instant: of those the last to come holds.
    /// A session tells them in the order in which they were made, and an ExecID says nothing of it.
    pub number: usize,
    pub quantity: Quantity,
    pub price: Price,
}

/// What the drop copy said of an execution; of a quantity of zero: that the venue took it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Confirmation {
    pub side: Side,
    pub quantity: Quantity,
    pub price: Price,
}

/// How sure a trade is. Derived, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TradeStatus {
    /// Told by the order session alone.
    Provisional,
    /// The drop copy says the same.
    Confirmed,
    /// The venue changed it, and the drop copy has not said so yet.
    Corrected,
    /// The drop copy says something else: a break, for a person to look into.
    Contradicted,
    /// The venue took it back.
    Busted,
}

impl TradeStatus {
    pub const ALL: &'static [TradeStatus] = &[
        TradeStatus::Provisional,
        TradeStatus::Confirmed,
        TradeStatus::Corrected,
        TradeStatus::Contradicted,
        TradeStatus::Busted,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            TradeStatus::Provisional => "provisional",
            TradeStatus::Confirmed => "confirmed",
            TradeStatus::Corrected => "corrected",
            TradeStatus::Contradicted => "contradicted",
            TradeStatus::Busted => "busted",
        }
    }
}

/// An execution as it stands: corrected, confirmed, or void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    pub order: Option<OrderId>,
    pub side: Side,
    /// As last corrected; what it was when it is busted.
    pub quantity: Quantity,
    pub price: Price,
    pub status: TradeStatus,
    pub number: u32,
}

impl Trade {
    /// What the trade counts: nothing once busted.
    pub const fn live_quantity(&self) -> Quantity {
        match self.status {
            TradeStatus::Busted => Quantity::ZERO,
            TradeStatus::Provisional
            | TradeStatus::Confirmed
            | TradeStatus::Corrected
            | TradeStatus::Contradicted => self.quantity,
        }
    }
}

impl Position {
    /// The side that closes what is open; `None` when flat.
    pub const fn closing_side(&self) -> Option<Side> {
        match self.net.0 {
            0 => None,
            1.. => Some(Side::Sell),
            _ => Some(Side::Buy),
        }
    }

    /// The most that orders on the closing side may still fill, ours and external. Our orders never stand on the other side but after
    /// an over-fill, and are counted then too.
    pub fn working(&self) -> Quantity {
        let closing = self.closing_side();
        let counts = |order: &&Order| order.is_ours() || Some(order.side) == closing;
        self.orders.values().filter(counts).map(Order::leaves).sum()
    }

    /// What may still be asked for: open and not yet on its way.
    pub fn closable(&self) -> Quantity {
        self.net.open().minus(self.working())
    }

    /// The order that a message with this ClOrdID is about: its own, or that of one of its cancels or replaces.
    pub fn order_of(&self, cl_ord_id: &ClOrdId) -> Option<(OrderId, &Order)> {
        self.orders
            .iter()
            .find(|(_, order)| order.goes_by(cl_ord_id))
            .map(|(id, order)| (*id, order))
    }

    /// An execution as it stands now.
    pub fn trade(&self, key: &ExecutionKey) -> Option<Trade> {
        let booked = self.executions.get(key)?;
        Some(self.stands(key, booked))
    }

    fn stands(&self, key: &ExecutionKey, booked: &Booked) -> Trade {
        let mut trade = Trade {
            order: booked.order,
            side: booked.side,
            quantity: booked.quantity,
            price: booked.price,
            status: TradeStatus::Provisional,
            number: booked.number,
        };
        let mut confirmed = self.confirmations.get(key);
        let mut link = key;
        // A chain longer than there are corrections is a circle.
        for _ in 0..=self.corrections.len() {
            let corrections = self.corrections.get(link);
            let taken_back = |key: &ExecutionKey| self.busted.contains(key);
            if taken_back(link)
                || corrections.is_some_and(|corrections| corrections.keys().any(taken_back))
            {
                trade.status = TradeStatus::Busted;
            }
            let Some((correction, to)) = self.latest_correction(link) else {
                break;
            };
            (trade.quantity, trade.price) = (to.quantity, to.price);
            if trade.status != TradeStatus::Busted {
                trade.status = TradeStatus::Corrected;
            }
            confirmed = self.confirmations.get(correction).or(confirmed);
            link = correction;
        }
        if trade.status == TradeStatus::Busted {
            return trade;
        }
        let Some(confirmed) = confirmed else {
            return trade;
        };
        if self.copy_voids(key) {
            trade.status = TradeStatus::Contradicted;
            return trade;
        }
        let (side, quantity, price) = (trade.side, trade.quantity, trade.price);
        let booked = Confirmation {
            side: booked.side,
            quantity: booked.quantity,
            price: booked.price,
        };
        if confirmed.contains(&Confirmation {
            side,
            quantity,
            price,
        }) {
            trade.status = TradeStatus::Confirmed;
        } else if trade.status == TradeStatus::Provisional || !confirmed.contains(&booked) {
            // Before it tells the correction, the drop copy may still stand at what was corrected.
            trade.status = TradeStatus::Contradicted;
        }
        trade
    }

    /// Whether the drop copy said that the venue took this execution back.
    fn copy_voids(&self, key: &ExecutionKey) -> bool {
        let said = self.confirmations.get(key);
        said.is_some_and(|said| said.iter().any(|said| said.quantity.is_zero()))
    }

    /// Whether order session and drop copy disagree about a trade: in what it was, or whether it was taken back.
    pub fn is_break(&self, key: &ExecutionKey) -> bool {
        match self.trade(key).map(|trade| trade.status) {
            None => self.unbooked().any(|(unbooked, _)| unbooked == key),
            Some(TradeStatus::Contradicted) => true,
            Some(TradeStatus::Busted) => {
                self.confirmations.contains_key(key) && !self.copy_voids(key)
            }
            Some(TradeStatus::Provisional | TradeStatus::Confirmed | TradeStatus::Corrected) => {
                false
            }
        }
    }

    /// Every execution as it stands, in the order of booking.
    pub fn trades(&self) -> Vec<(&ExecutionKey, Trade)> {
        let mut trades: Vec<_> = self
            .executions
            .iter()
            .map(|(key, booked)| (key, self.stands(key, booked)))
            .collect();
        trades.sort_by_key(|(_, trade)| trade.number);
        trades
    }

    /// Whether this ExecID was that of a correction.
    pub fn is_correction(&self, key: &ExecutionKey) -> bool {
        let mut corrections = self.corrections.values();
        corrections.any(|corrections| corrections.contains_key(key))
    }

    /// Trades of the drop copy that no execution here answers to.
    pub fn unbooked(&self) -> impl Iterator<Item = (&ExecutionKey, &BTreeSet<Confirmation>)> {
        self.confirmations
            .iter()
            .filter(|(key, _)| !self.executions.contains_key(*key) && !self.is_correction(key))
    }

    /// The correction of this execution, or of this correction, that holds.
    fn latest_correction(&self, of: &ExecutionKey) -> Option<(&ExecutionKey, &Corrected)> {
        let corrections = self.corrections.get(of)?;
        corrections.iter().max_by_key(|(_, to)| (to.at, to.number))
    }

    /// What the drop copy says of an execution: of its last correction, or else of the execution itself; `None` while it says nothing.
    pub fn confirmations_of(&self, key: &ExecutionKey) -> Option<&BTreeSet<Confirmation>> {
        let (mut confirmed, mut link) = (self.confirmations.get(key), key);
        // A chain longer than there are corrections is a circle.
        for _ in 0..=self.corrections.len() {
            let Some((correction, _)) = self.latest_correction(link) else {
                break;
            };
            confirmed = self.confirmations.get(correction).or(confirmed);
            link = correction;
        }
        confirmed
    }
}
