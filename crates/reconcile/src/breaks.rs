//! What a difference is: its kind, its money, and in words what probably caused it and what to do next.

use crate::sides::Source;
use squareoff_domain::{Money, Product, Segment, Venue};
use std::fmt;
use std::sync::Arc;

/// One thing that two sides do not agree on, or that the log itself leaves open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    pub kind: Kind,
    /// In 1/10,000 rupee, never below zero: what the sides differ by, or all that is at risk.
    pub money: Money,
    pub venue: Option<Venue>,
    pub segment: Option<Segment>,
    pub client: Option<Arc<str>>,
    pub symbol: Option<Arc<str>>,
    pub product: Option<Product>,
    /// `<venue>|<trade date>|<ExecID>`.
    pub execution: Option<String>,
    /// ClOrdID.
    pub order: Option<Arc<str>>,
    /// The position's stream in the log, for `squareoff replay`.
    pub stream: Option<Arc<str>>,
    /// What each side that is there says of it, in the order of the sources.
    pub says: Vec<(Source, String)>,
    pub cause: String,
    pub next: String,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $code:literal $title:literal,)+) => {
        /// Every way in which sides can differ. The order is that of two breaks of the same money.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[$doc])* $name,)+
        }

        impl Kind {
            pub const ALL: &'static [Kind] = &[$(Kind::$name),+];

            /// Its name for programs; never changes.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Kind::$name => $code,)+
                }
            }

            /// Its name for people.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Kind::$name => $title,)+
                }
            }
        }
    };
}

kinds! {
    /// Somebody outside has a trade that no position of the log has.
    MissingInLog "missing-in-log" "trade missing in the log",
    /// The log has a trade that the venue's own record has not.
    MissingAtVenue "missing-at-venue" "trade missing at the venue",
    /// The drop copy told of later trades, not of this one.
    MissingInDropCopy "missing-in-drop-copy" "trade missing in the drop copy",
    /// The day is over, and the drop copy stopped before it came to this trade or its correction.
    Unconfirmed "unconfirmed-at-end-of-day" "trade unconfirmed at the end of the day",
    SideDiffers "side-differs" "buy here, sell there",
    ClientDiffers "client-differs" "trade of another client",
    InstrumentDiffers "instrument-differs" "trade in another instrument",
    QuantityDiffers "quantity-differs" "quantity differs",
    PriceDiffers "price-differs" "price differs",
    OrderDiffers "order-differs" "trade of another order",
    BustedOnOneSide "busted-on-one-side" "trade busted on one side only",
    /// One execution id names two trades, or is told with two contents.
    DuplicateExecution "duplicate-execution-id" "execution id used twice",
    /// The venue was sent one ClOrdID twice.
    SentTwice "order-sent-twice" "order sent twice",
    SuspenseNotSettled "suspense-not-settled" "report in suspense, not settled",
    OrderWorkingAtVenue "order-working-at-venue" "order works at the venue, ended here",
    OrderEndedAtVenue "order-ended-at-venue" "order ended at the venue, works here",
    OrderUnknownHere "order-unknown-here" "order at the venue that the log does not know",
    OrderMissingAtVenue "order-missing-at-venue" "order that the venue does not have",
    OrderLeavesDiffer "order-leaves-differ" "order with another open quantity at the venue",
    OrderInDoubt "order-in-doubt" "order in doubt",
    OrderWorkingAtClose "order-working-at-close" "order still working at the end of the day",
    Overfill "over-fill" "more filled than was ordered",
    /// Our own order turned a position around.
    BeyondFlat "beyond-flat" "closed beyond flat",
    /// The log holds a fact that contradicts what it knew.
    Contradiction "contradiction" "contradiction that nobody has looked into",
    PositionDiffers "position-differs" "closing quantity differs",
    PositionNotFlat "position-not-flat" "intraday position not flat",
    HandedBackDiffers "handed-back-differs" "handed back with another quantity",
    ReadModelBehind "read-model-behind" "Postgres is behind the log",
    ReadModelDiffers "read-model-differs" "Postgres shows something else",
    /// The ledger counts its lines, and some are not there.
    LedgerGap "ledger-gap" "lines of the ledger are missing",
    /// A line of the ledger is about a trade in a way that this release does not know.
    UnknownTradeFact "unknown-trade-fact" "line of the ledger that is not understood",
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.title())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_kinds_share_a_name() {
        let codes: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.code()).collect();
        let titles: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.title()).collect();
        assert_eq!(
            (codes.len(), titles.len()),
            (Kind::ALL.len(), Kind::ALL.len())
        );
    }
}
