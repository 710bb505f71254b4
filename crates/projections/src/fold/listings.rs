//! What positions are joined with of their contracts, of the venues and days that positions were folded of lately.

use super::FoldError;
use crate::contracts::Listing;
use lru::LruCache;
use squareoff_domain::reference::{ContractEvent, contracts_stream};
use squareoff_domain::{Event, PositionKey, Symbol, TradingDate, Venue};
use squareoff_store::{EventStore, Position, READ_EVENTS_MAX, StoredEvent, codec};
use std::collections::{BTreeSet, HashMap};

/// Venues and days that are remembered: each venue's of this day and the day before. One is 10 MB at a venue of 100,000 contracts.
const DAYS_MAX: usize = 4;

type OfDay = HashMap<Symbol, Listing>;

#[derive(Debug)]
pub(super) struct Listings {
    remembered: LruCache<(TradingDate, Venue), OfDay>,
}

impl Default for Listings {
    fn default() -> Self {
        Listings {
            // Nothing is forgotten in the middle of a batch.
            remembered: LruCache::unbounded(),
        }
    }
}

impl Listings {
    /// Reads what is not remembered of the days and venues that `decoded` has positions of, up to its first event.
    pub(super) async fn load(
        &mut self,
        store: &EventStore,
        decoded: &[(StoredEvent, Event)],
    ) -> Result<(), FoldError> {
        let Some((first, _)) = decoded.first() else {
            return Ok(());
        };
        while self.remembered.len() > DAYS_MAX {
            self.remembered.pop_lru();
        }
        let mut missing = BTreeSet::new();
        for (stored, event) in decoded {
            let key = match event {
                Event::Position(_) => PositionKey::of_stream(&stored.stream),
                _ => None,
            };
            if let Some(key) = key
                && self.remembered.get(&(key.date, key.venue)).is_none()
            {
                missing.insert((key.date, key.venue));
            }
        }
        for (date, venue) in missing {
            let of_day = read(store, date, venue, first.position).await?;
            self.remembered.put((date, venue), of_day);
        }
        Ok(())
    }

    pub(super) fn apply(&mut self, event: &ContractEvent) {
        let ContractEvent::ContractListed(listed) = event;
        let contract = &listed.contract;
        let of_day = (contract.trading_date, contract.venue);
        // Of a day that nobody asked for yet it is read when somebody does.
        if let Some(of_day) = self.remembered.peek_mut(&of_day) {
            of_day.insert(contract.symbol.clone(), Listing::of(contract));
        }
    }

    pub(super) fn find(
        &self,
        date: TradingDate,
        venue: Venue,
        symbol: &Symbol,
    ) -> Option<&Listing> {
        self.remembered.peek(&(date, venue))?.get(symbol)
    }
}

/// As they were listed before `position`.
async fn read(
    store: &EventStore,
    date: TradingDate,
    venue: Venue,
    position: Position,
) -> Result<OfDay, FoldError> {
    let (stream, mut of_day, mut from) = (contracts_stream(date, venue), OfDay::new(), 1);
    loop {
        let events = store.read_stream(&stream, from, READ_EVENTS_MAX).await?;
        let Some(last) = events.last() else {
            return Ok(of_day);
        };
        from = last.version + 1;
        for stored in &events {
            if stored.position >= position {
                return Ok(of_day);
            }
            if let Event::Contract(ContractEvent::ContractListed(listed)) = codec::decode(stored)? {
                let contract = listed.contract;
                of_day.insert(contract.symbol.clone(), Listing::of(&contract));
            }
        }
    }
}
