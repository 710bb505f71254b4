//! Reference data as the day's files gave it: contracts with lot, tick, freeze and band. The broker's clients are in [`client`](crate::client).
//!
//! All of it is dated. A contract carries the version of the file it came from, and every order event records that version, so that
//! years later it can be shown which lot, tick and band a price was checked against.

use crate::amount::{Price, Quantity};
use crate::id::{Segment, Side, Symbol, Venue};
use crate::time::{Timestamp, TradingDate};
use serde::{Deserialize, Serialize};

/// What is traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstrumentKind {
    Equity,
    IndexFuture,
    StockFuture,
    IndexOption,
    StockOption,
}

/// Call or put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OptionType {
    #[serde(rename = "CE")]
    Call,
    #[serde(rename = "PE")]
    Put,
}

/// Why an instrument is not to be squared off on the platform, by its listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restriction {
    /// Each trade is settled by delivery: it can't be netted.
    TradeForTrade,
    /// The venue suspended it.
    Suspended,
}

/// One line of the day's contract file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    pub trading_date: TradingDate,
    pub venue: Venue,
    pub segment: Segment,
    pub symbol: Symbol,
    pub kind: InstrumentKind,
    /// Last trading day of a derivative.
    pub expiry: Option<TradingDate>,
    pub strike: Option<Price>,
    pub option_type: Option<OptionType>,
    /// Units in a lot.
    pub lot: Quantity,
    pub tick: Price,
    /// The largest quantity of one order, in units, that the venue takes without freezing it.
    pub freeze: Quantity,
    /// Lowest and highest price of the day's band.
    pub band_low: Price,
    pub band_high: Price,
    /// The price that marketable limits are protected around, and when it was current.
    pub reference_price: Price,
    pub reference_at: Timestamp,
    /// How far from the reference price an order may go (limit price protection), in 1/10,000 rupee.
    pub price_protection: Price,
    /// Lowest and highest price that the venue's limit price protection (LPP) lets an order have, where the segment has one.
    #[serde(default)]
    pub protection_range: Option<(Price, Price)>,
    #[serde(default)]
    pub restriction: Option<Restriction>,
    /// The version of the file: its date and a digest of its bytes.
    pub version: String,
}

impl Contract {
    /// The largest slice the venue takes: whole lots within the freeze quantity.
    pub const fn largest_slice(&self) -> Quantity {
        self.freeze.whole_lots(self.lot)
    }

    /// The marketable limit for `side`: the protection away from the reference, inside the band, on a tick.
    pub fn marketable_limit(&self, side: Side) -> Price {
        let distance = self.price_protection.0.saturating_mul(side.sign());
        let price = Price(self.reference_price.0.saturating_add(distance));
        let (low, high) = self.allowed();
        let price = price.clamp(low, high.max(low));
        // A tick away from the touch fills more surely; at the edge of the band the tick inside it is taken.
        let (away, inside) = match side {
            Side::Buy => (price.ceil_to(self.tick), price.floor_to(self.tick)),
            Side::Sell => (price.floor_to(self.tick), price.ceil_to(self.tick)),
        };
        if (low..=high).contains(&away) {
            away
        } else {
            inside
        }
    }

    /// Lowest and highest price of an order: the band, and the limit price protection within it.
    fn allowed(&self) -> (Price, Price) {
        let (low, high) = self
            .protection_range
            .unwrap_or((self.band_low, self.band_high));
        (low.max(self.band_low), high.min(self.band_high))
    }

    /// Why no order may be placed, by the listing itself; `None` when nothing stands against it.
    pub fn restricted(&self) -> Option<&'static str> {
        match self.restriction {
            Some(Restriction::TradeForTrade) => Some("it is settled trade for trade"),
            Some(Restriction::Suspended) => Some("it is suspended"),
            None if self.expiry.is_some_and(|expiry| expiry < self.trading_date) => {
                Some("it has expired")
            }
            None => None,
        }
    }

    pub fn in_band(&self, price: Price) -> bool {
        (self.band_low..=self.band_high).contains(&price)
    }
}

/// A line of the day's contract file was loaded: new, or changed since it was loaded before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractListed {
    pub contract: Contract,
}

/// Every event of the contracts of a venue and day, `contracts-<date>-<venue>`. The variant's name is the event's type in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContractEvent {
    ContractListed(ContractListed),
}

/// `contracts-<date>-<venue>`.
pub fn contracts_stream(date: TradingDate, venue: Venue) -> String {
    format!("contracts-{date}-{venue}")
}

/// The contracts of one venue and day, by symbol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContractList(pub std::collections::BTreeMap<Symbol, Contract>);

impl ContractList {
    /// The lines that are new or differ from what was loaded before.
    pub fn record(&self, contracts: Vec<Contract>) -> Vec<ContractEvent> {
        let new = |contract: &Contract| self.0.get(&contract.symbol) != Some(contract);
        let listed = |contract| ContractEvent::ContractListed(ContractListed { contract });
        contracts.into_iter().filter(new).map(listed).collect()
    }

    #[must_use]
    pub fn evolve(mut self, event: &ContractEvent) -> Self {
        match event {
            ContractEvent::ContractListed(ContractListed { contract }) => {
                self.0.insert(contract.symbol.clone(), contract.clone());
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::sample;

    #[test]
    fn a_marketable_limit_is_a_tick_inside_the_band() {
        // (reference, protection, low, high, tick) -> (buy, sell), all in 1/10,000 rupee
        for (reference, protection, low, high, tick, buy, sell) in [
            (
                1_000_000, 50_000, 900_000, 1_100_000, 500, 1_050_000, 950_000,
            ),
            (
                1_000_250, 50_000, 900_000, 1_100_000, 500, 1_050_500, 950_000,
            ),
            (
                1_000_000, 500_000, 900_200, 1_100_300, 500, 1_100_000, 900_500,
            ),
            (50_000, 60_000, 500, 200_000, 500, 110_000, 500),
        ] {
            let contract = Contract {
                reference_price: Price(reference),
                price_protection: Price(protection),
                band_low: Price(low),
                band_high: Price(high),
                tick: Price(tick),
                ..sample::contract()
            };
            assert_eq!(
                contract.marketable_limit(Side::Buy),
                Price(buy),
                "{contract:?}"
            );
            assert_eq!(
                contract.marketable_limit(Side::Sell),
                Price(sell),
                "{contract:?}"
            );
        }
    }

    #[test]
    fn a_marketable_limit_stays_inside_the_limit_price_protection() {
        let contract = Contract {
            reference_price: Price(1_000_000),
            price_protection: Price(50_000),
            protection_range: Some((Price(970_000), Price(1_030_200))),
            ..sample::contract()
        };
        assert_eq!(contract.marketable_limit(Side::Buy), Price(1_030_000));
        assert_eq!(contract.marketable_limit(Side::Sell), Price(970_000));
    }

    #[test]
    fn a_master_loaded_twice_says_nothing_new() {
        let contract = sample::contract();
        let events = ContractList::default().record(vec![contract.clone()]);
        let list = events
            .iter()
            .fold(ContractList::default(), ContractList::evolve);
        assert_eq!(list.record(vec![contract.clone()]), vec![]);
        let other_lot = Contract {
            lot: Quantity::new(1).unwrap(),
            ..contract
        };
        assert_eq!(list.record(vec![other_lot]).len(), 1);
    }
}
