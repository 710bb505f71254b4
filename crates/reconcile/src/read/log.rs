//! The day as the log folds to it, up to one position. Every event passes by; only the day's streams are folded, by the domain's own
//! `evolve`.

mod folded;

use super::{Scope, TRADES_MAX, Texts};
use crate::sides::{Instrument, Log, Reach, Settled, Suspended, Terms, Told};
use folded::Folded;
use squareoff_domain::platform::{MarketPhase, PlatformEvent};
use squareoff_domain::position::{Position, PositionEvent};
use squareoff_domain::reference::ContractEvent;
use squareoff_domain::suspense::{self, SuspenseEvent};
use squareoff_domain::{Event, PositionKey, Segment, Timestamp, TradingDate, Venue};
use squareoff_store::codec::DecodeError;
use squareoff_store::{EventStore, Position as LogPosition, ReadError, StoredEvent, codec};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use thiserror::Error;

/// Events of one read.
const PAGE: usize = 4_096;
/// What the keys of reports begin with that the drop copy told.
const DROP_COPY: &str = "drop-copy";

#[derive(Debug, Error)]
pub enum LogError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("a reader of the log ended: {0}")]
    Reader(#[from] tokio::task::JoinError),
    #[error("the log holds nothing of {date}: is it the right date?")]
    Nothing { date: TradingDate },
    #[error(
        "the log has more than {TRADES_MAX} trades of the day: reconcile one --venue at a time"
    )]
    TooMany,
}

/// # Errors
/// [`LogError`]: the log can't be read, holds an event of a newer release, or nothing of the day.
pub async fn log(store: &EventStore, scope: Scope, until: LogPosition) -> Result<Log, LogError> {
    let mut folding = Folding::new(scope);
    let read_on = |after| {
        let store = store.clone();
        tokio::spawn(async move { store.read_all(after, PAGE).await })
    };
    // The next page is read while this one is folded.
    let mut reading = read_on(LogPosition::START);
    loop {
        let page = reading.await??;
        let Some(last) = page.last() else {
            break;
        };
        reading = read_on(last.position);
        for stored in page.iter().take_while(|stored| stored.position <= until) {
            folding.take(stored)?;
        }
        if last.position >= until {
            reading.abort();
            break;
        }
    }
    if folding.positions.is_empty() && folding.log.instruments.is_empty() {
        return Err(LogError::Nothing { date: scope.date });
    }
    Ok(folding.done())
}

/// The trading date that the platform was activated for last.
///
/// # Errors
/// [`LogError`].
pub async fn latest_date(store: &EventStore) -> Result<Option<TradingDate>, LogError> {
    let (mut version, mut date) = (1, None);
    loop {
        let page = store.read_stream("platform", version, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(date);
        };
        version = last.version + 1;
        for stored in &page {
            if let Event::Platform(PlatformEvent::PlatformActivated(activated)) =
                codec::decode(stored)?
            {
                date = Some(activated.trading_date);
            }
        }
    }
}

struct Folding {
    scope: Scope,
    texts: Texts,
    log: Log,
    positions: HashMap<Arc<str>, Folded>,
    trades: usize,
    suspense: BTreeMap<Venue, suspense::Suspense>,
    suspended: BTreeMap<(Venue, String), Suspended>,
    phases: BTreeMap<(Venue, Segment), MarketPhase>,
}

impl Folding {
    fn new(scope: Scope) -> Self {
        Folding {
            scope,
            texts: Texts::default(),
            log: Log::default(),
            positions: HashMap::new(),
            trades: 0,
            suspense: BTreeMap::new(),
            suspended: BTreeMap::new(),
            phases: BTreeMap::new(),
        }
    }

    fn take(&mut self, stored: &StoredEvent) -> Result<(), LogError> {
        self.log.position = stored.position;
        self.log.at = stored.recorded_at;
        self.log.events += 1;
        let stream = &*stored.stream;
        if stream.starts_with("position-") {
            return self.position(stored);
        }
        let of_the_day = stream == "platform"
            || stream.starts_with("suspense-")
            || stream.starts_with("contracts-");
        if !of_the_day {
            return Ok(codec::check(stored)?);
        }
        match codec::decode(stored)? {
            Event::Platform(event) => self.platform(&event),
            Event::Suspense(event) => self.suspense(stored, &event),
            Event::Contract(ContractEvent::ContractListed(listed)) => {
                let contract = listed.contract;
                if contract.trading_date == self.scope.date && self.scope.takes(contract.venue) {
                    let symbol = self.texts.shared(contract.symbol.as_str());
                    let instrument = Instrument {
                        segment: contract.segment,
                        mark: contract.reference_price,
                    };
                    let place = (contract.venue, symbol);
                    self.log.instruments.insert(place, instrument);
                }
            }
            Event::Approval(_)
            | Event::Bulk(_)
            | Event::Client(_)
            | Event::Person(_)
            | Event::Position(_)
            | Event::Refusal(_)
            | Event::Seal(_)
            | Event::Session(_) => {}
        }
        Ok(())
    }

    fn platform(&mut self, event: &PlatformEvent) {
        if let PlatformEvent::MarketPhaseChanged(told) = event
            && told.trading_date == self.scope.date
            && self.scope.takes(told.venue)
        {
            self.phases.insert((told.venue, told.segment), told.phase);
        }
    }

    fn position(&mut self, stored: &StoredEvent) -> Result<(), LogError> {
        let known = self.positions.get_mut(&stored.stream);
        let folded = match known {
            Some(folded) => folded,
            None => {
                let key = PositionKey::of_stream(&stored.stream);
                let ours =
                    |key: &PositionKey| key.date == self.scope.date && self.scope.takes(key.venue);
                let Some(key) = key.filter(ours) else {
                    return Ok(codec::check(stored)?);
                };
                let new = Folded {
                    key,
                    position: Position::default(),
                    at: stored.recorded_at,
                    place: stored.position,
                    changed: Vec::new(),
                    unbooked: BTreeMap::new(),
                    handed_back: None,
                    alarms: Vec::new(),
                };
                self.positions
                    .entry(Arc::clone(&stored.stream))
                    .or_insert(new)
            }
        };
        let Event::Position(event) = codec::decode(stored)? else {
            return Ok(());
        };
        let before = folded.position.executions.len();
        folded.apply(stored, &event);
        self.trades += folded.position.executions.len() - before;
        if self.trades > TRADES_MAX {
            return Err(LogError::TooMany);
        }
        if matches!(event, PositionEvent::TradeConfirmed(_)) {
            let venue = folded.key.venue;
            self.told_by_drop_copy(venue, stored);
        }
        Ok(())
    }

    fn told_by_drop_copy(&mut self, venue: Venue, stored: &StoredEvent) {
        let new = Reach {
            last: stored.position,
            last_at: stored.recorded_at,
            earliest: Timestamp(i64::MAX),
        };
        let reach = self.log.reach.entry(venue).or_insert(new);
        (reach.last, reach.last_at) = (stored.position, stored.recorded_at);
    }

    fn suspense(&mut self, stored: &StoredEvent, event: &SuspenseEvent) {
        let venues = Venue::ALL.iter().copied();
        let mut of_the_day = venues.filter(|venue| self.scope.takes(*venue));
        let venue =
            of_the_day.find(|venue| suspense::stream(*venue, self.scope.date) == *stored.stream);
        let Some(venue) = venue else { return };
        if let SuspenseEvent::ReportSuspended(report) = event {
            let execution = report.execution.as_ref().map(|execution| Told {
                execution: execution.execution.clone(),
                terms: Terms {
                    side: execution.side,
                    quantity: execution.quantity,
                    price: execution.price,
                },
                busted: false,
                account: execution
                    .account
                    .as_ref()
                    .map(|account| self.texts.shared(account.as_str())),
                symbol: execution
                    .symbol
                    .as_ref()
                    .map(|symbol| self.texts.shared(symbol.as_str())),
                order: None,
                at: Some(stored.recorded_at),
            });
            if report.report_key.starts_with(DROP_COPY) {
                self.told_by_drop_copy(venue, stored);
            }
            let held = Suspended {
                venue,
                report_key: report.report_key.clone(),
                reason: report.reason.clone(),
                execution,
                settled: Settled::No,
            };
            let place = (venue, report.report_key.clone());
            self.suspended.entry(place).or_insert(held);
        }
        let state = self.suspense.remove(&venue).unwrap_or_default();
        self.suspense.insert(venue, suspense::evolve(state, event));
    }

    fn done(mut self) -> Log {
        let mut streams: Vec<(Arc<str>, Folded)> = self.positions.drain().collect();
        streams.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        for (stream, folded) in streams {
            folded.give(stream, &mut self.log, &mut self.texts);
        }
        for ((venue, key), mut held) in self.suspended {
            let state = self.suspense.get(&venue);
            held.settled = match state.and_then(|state| state.held.get(&key)) {
                Some(suspense::Held {
                    settled: Some(suspense::Settled::Matched { .. }),
                    ..
                }) => Settled::Matched,
                Some(suspense::Held {
                    settled: Some(suspense::Settled::Dismissed),
                    ..
                }) => Settled::Dismissed,
                Some(_) | None => Settled::No,
            };
            if held.report_key.starts_with(DROP_COPY) {
                self.log.drop_copy.extend(held.execution.clone());
            }
            self.log.suspended.push(held);
        }
        let mut log = self.log;
        log.trades.sort_unstable();
        // A trade that was suspended and found its position later was told of once all the same.
        log.drop_copy.sort_unstable();
        log.drop_copy.dedup_by(|one, other| {
            one.execution == other.execution
                && one.terms == other.terms
                && one.account == other.account
        });
        log.is_over = !self.phases.is_empty()
            && self
                .phases
                .values()
                .all(|phase| *phase == MarketPhase::Closed);
        log
    }
}
