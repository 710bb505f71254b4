//! What each side says of the day, as plain values: the comparison's only input.

use squareoff_domain::position::TradeStatus;
use squareoff_domain::{
    ExecutionKey, Money, NetQuantity, OrderId, PositionKey, Price, Quantity, Segment, Side,
    Timestamp, Venue,
};
use squareoff_projections::day::Day;
use squareoff_store::Position as LogPosition;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    Log,
    DropCopy,
    Ledger,
    TradesFile,
    ReadModel,
    PositionsFile,
}

impl Source {
    pub const ALL: &'static [Source] = &[
        Source::Log,
        Source::DropCopy,
        Source::Ledger,
        Source::TradesFile,
        Source::ReadModel,
        Source::PositionsFile,
    ];

    /// Its name for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Source::Log => "log",
            Source::DropCopy => "drop-copy",
            Source::Ledger => "ledger",
            Source::TradesFile => "trades-file",
            Source::ReadModel => "read-model",
            Source::PositionsFile => "positions-file",
        }
    }

    /// Its name in a sentence.
    pub const fn name(self) -> &'static str {
        match self {
            Source::Log => "the log",
            Source::DropCopy => "the drop copy",
            Source::Ledger => "the exchange's ledger",
            Source::TradesFile => "the trade file",
            Source::ReadModel => "Postgres",
            Source::PositionsFile => "the position file",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Side, quantity and price of a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Terms {
    pub side: Side,
    pub quantity: Quantity,
    pub price: Price,
}

impl Terms {
    pub fn value(&self) -> Money {
        Money::of(self.quantity, self.price)
    }
}

impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} at {}", self.side, self.quantity, self.price)
    }
}

/// One trade as one side has it. Texts that repeat over a day are shared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told {
    pub execution: ExecutionKey,
    pub terms: Terms,
    /// Taken back; the terms are what it was.
    pub busted: bool,
    /// The client's code, or whatever the side has for an account. `None`: it does not say.
    pub account: Option<Arc<str>>,
    pub symbol: Option<Arc<str>>,
    /// ClOrdID that the order was placed with, as far as the side knows one.
    pub order: Option<Arc<str>>,
    /// When the side learnt or changed it last; `None` where it has no time.
    pub at: Option<Timestamp>,
}

/// Where a trade of the log comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A fill of an order of ours, or of the primary's that we observe.
    Order,
    /// The primary told it; the order session never did.
    Primary,
}

/// A trade that is booked on a position of the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Booked {
    /// As it stands, with the client and the instrument of its position.
    pub told: Told,
    /// Its position's place in [`Log::positions`].
    pub position: usize,
    pub order_id: Option<OrderId>,
    pub status: TradeStatus,
    pub origin: Origin,
    /// Place in the log of the event that changed it last.
    pub at: LogPosition,
}

/// A position as the log folds to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub key: PositionKey,
    pub stream: Arc<str>,
    pub bod: NetQuantity,
    pub net: NetQuantity,
    /// The most that orders on it may still fill.
    pub working: Quantity,
    pub frozen: bool,
    pub handed_back: Option<HandedBack>,
}

/// What the hand-back of a position counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandedBack {
    pub epoch: u32,
    pub net: NetQuantity,
    pub executions: u32,
    /// How many live executions the log has now.
    pub executions_now: u32,
}

/// An order of the log, ours or the primary's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub order_id: OrderId,
    /// Its position's place in [`Log::positions`].
    pub position: usize,
    pub cl_ord_id: Arc<str>,
    pub side: Side,
    pub quantity: Quantity,
    pub price: Price,
    pub filled: Quantity,
    pub leaves: Quantity,
    /// As [`squareoff_domain::position::OrderStatus::as_str`].
    pub status: &'static str,
    pub ours: bool,
    /// Handed to the venue, as far as is known.
    pub dispatched: bool,
    pub in_doubt: bool,
    /// When an event changed it last.
    pub at: Timestamp,
}

/// A report that fitted no order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspended {
    pub venue: Venue,
    pub report_key: String,
    pub reason: String,
    /// `None` for a report of something else than a trade.
    pub execution: Option<Told>,
    pub settled: Settled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    No,
    Matched,
    Dismissed,
}

/// Something that the log took in and could not bring together with what it knew.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alarm {
    pub position: usize,
    pub what: Alarmed,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarmed {
    /// The venue told one execution id twice, with other contents.
    Conflict {
        execution: ExecutionKey,
        quantity: Quantity,
        price: Price,
    },
    /// It filled more than the order's quantity.
    Overfill {
        order: Option<Arc<str>>,
        excess: Quantity,
        price: Price,
    },
    /// A fill of our own order turned the position around.
    BeyondFlat {
        execution: ExecutionKey,
        excess: Quantity,
        price: Price,
    },
    Contradiction,
}

/// What is known of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instrument {
    pub segment: Segment,
    /// The contract's reference price, which an open quantity is valued at.
    pub mark: Price,
}

/// How far the drop copy of a venue reaches into the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// Place in the log of the last thing it told, and when that was recorded.
    pub last: LogPosition,
    pub last_at: Timestamp,
    /// Time of the earliest trade that it told of.
    pub earliest: Timestamp,
}

/// The day in the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    pub position: LogPosition,
    /// When the last event was recorded.
    pub at: Timestamp,
    pub events: u64,
    pub positions: Vec<Held>,
    pub trades: Vec<Booked>,
    pub orders: Vec<Order>,
    pub suspended: Vec<Suspended>,
    pub alarms: Vec<Alarm>,
    pub instruments: BTreeMap<(Venue, Arc<str>), Instrument>,
    /// The drop copy's view, which the log keeps: what it said of each trade.
    pub drop_copy: Vec<Told>,
    /// Trades that the drop copy told a position of and no execution there answers to, with the position's place.
    pub unbooked: Vec<(ExecutionKey, usize)>,
    /// The venues whose drop copy said anything of the day.
    pub reach: BTreeMap<Venue, Reach>,
    /// Every segment that was traded is closed, or the platform is done with the day.
    pub is_over: bool,
}

/// An order as the venue's own record has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VenueOrder {
    pub venue: Venue,
    /// ClOrdID that it was placed with.
    pub cl_ord_id: Arc<str>,
    pub account: Arc<str>,
    pub symbol: Arc<str>,
    pub side: Side,
    pub price: Price,
    pub leaves: Quantity,
    pub at: Timestamp,
}

/// A ClOrdID that the venue was sent a second time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SentTwice {
    pub venue: Venue,
    pub cl_ord_id: String,
    pub account: Arc<str>,
    pub symbol: Arc<str>,
    pub value: Money,
}

/// A line that says something of a trade in a way that this release does not know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnknownFact {
    pub venue: Venue,
    pub line: u64,
    pub kind: String,
    pub account: String,
    pub symbol: String,
    pub value: Money,
}

/// The exchange's own ledger of the day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    pub lines: u64,
    /// The venues that it is a ledger of.
    pub venues: BTreeSet<Venue>,
    /// Time of the first and the last fact of the day.
    pub first_at: Option<Timestamp>,
    pub last_at: Option<Timestamp>,
    pub trades: Vec<Told>,
    pub orders: Vec<VenueOrder>,
    pub sent_twice: Vec<SentTwice>,
    pub unknown: Vec<UnknownFact>,
    /// Lines that were there once: the first and the last ordinal of each gap.
    pub gaps: Vec<(u64, u64)>,
    /// The same of those that the exchange itself says a crash lost.
    pub lost: Vec<(u64, u64)>,
    /// Kinds of lines that this release does not know and that are about no trade, with their number.
    pub passed_over: BTreeMap<String, u64>,
}

/// A position as the broker's own books end the day with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    pub key: PositionKey,
    pub net: NetQuantity,
    pub average_price: Price,
}

/// The read models, or how far behind they stayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadModel {
    /// In one snapshot, at the log's own position.
    At(Day),
    /// They did not reach the log's position in time.
    Behind {
        position: LogPosition,
        waited_s: u64,
    },
}

/// Every side that is there. `None` is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sides {
    pub log: Log,
    pub ledger: Option<Ledger>,
    pub trades_file: Option<Vec<Told>>,
    pub positions_file: Option<Vec<Closing>>,
    pub read_model: Option<ReadModel>,
}

/// What counts as a difference already, and what may still be on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The day is over: whatever is not there now will not come by itself.
    pub is_over: bool,
    /// What happened behind this instant may still be on its way to the other sides.
    pub settled_before: Timestamp,
}

impl Moment {
    /// Nothing is on its way any more.
    pub const END_OF_DAY: Moment = Moment {
        is_over: true,
        settled_before: Timestamp(i64::MAX),
    };
}
