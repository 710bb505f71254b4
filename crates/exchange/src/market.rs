//! Market data: the top of every book and every trade, as lines of JSON for whoever listens.
//!
//! The engine publishes what is durable; `control` serves it over HTTP. For marks and protection bands, never for
//! reconciliation: that is the ledger's.
//!
//! 1. A listener's first line is a snapshot, and every later line continues it: nothing is missed between them. 2. Memory is
//!    bounded: a listener that is [`QUEUE_LINES_MAX`] lines behind is let go, and begins with a snapshot when it comes again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::contracts::Instrument;
use crate::fact::{Fact, Happening, exec_id};
use crate::state::{Exchange, Top};

/// Some seconds of a busy market, about 256 KiB.
pub const QUEUE_LINES_MAX: usize = 1_024;
/// A desk, a valuation and a few tests.
pub const LISTENERS_MAX: usize = 32;

/// A line of the stream, with its line end.
pub type Text = Arc<str>;

#[derive(Debug, Default)]
pub struct Market {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    tops: Vec<(Instrument, Top)>,
    /// The ordinal of the newest fact that the tops know.
    ordinal: u64,
    listeners: Vec<Sender<Text>>,
}

impl Market {
    /// The market as it stands before the first message of this life.
    #[must_use]
    pub fn new(exchange: &Exchange) -> Self {
        let instruments = exchange.instruments().iter().enumerate();
        let tops = instruments.map(|(at, instrument)| (instrument.clone(), exchange.top(at)));
        let inner = Inner {
            tops: tops.collect(),
            ordinal: exchange.last_ordinal(),
            listeners: Vec::new(),
        };
        Self {
            inner: Mutex::new(inner),
        }
    }

    /// Tells what durable facts changed. `exchange` has taken them in.
    pub(crate) fn publish(&self, exchange: &Exchange, facts: &[Fact]) {
        let mut inner = self.lock();
        inner.ordinal = exchange.last_ordinal();
        let touched: BTreeSet<usize> = facts
            .iter()
            .filter_map(|fact| exchange.instrument_of(fact))
            .collect();
        let mut lines = Vec::new();
        if !inner.listeners.is_empty() {
            lines.extend(facts.iter().filter_map(|fact| tape(exchange, fact)));
        }
        for at in touched {
            let top = exchange.top(at);
            let ordinal = inner.ordinal;
            let (instrument, before) = &mut inner.tops[at];
            if *before != top {
                *before = top;
                let mut quote = shown(instrument, &top);
                quote["ordinal"] = ordinal.into();
                lines.push(json!({ "top": quote }));
            }
        }
        if inner.listeners.is_empty() {
            return;
        }
        for line in lines {
            let text: Text = format!("{line}\n").into();
            inner.listeners.retain(|listener| {
                let is_there = listener.try_send(Arc::clone(&text)).is_ok();
                if !is_there {
                    tracing::info!("a market data listener is gone or too slow");
                }
                is_there
            });
        }
    }

    /// Every book's top now: `{"ordinal":..,"tops":[..]}`.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        self.lock().snapshot()
    }

    /// A snapshot line and what follows it; `None` when too many listen.
    #[must_use]
    pub fn listen(&self) -> Option<(Text, Receiver<Text>)> {
        let mut inner = self.lock();
        inner.listeners.retain(|listener| !listener.is_closed());
        if inner.listeners.len() >= LISTENERS_MAX {
            return None;
        }
        let (listener, lines) = mpsc::channel(QUEUE_LINES_MAX);
        inner.listeners.push(listener);
        let first = json!({ "snapshot": inner.snapshot() });
        Some((format!("{first}\n").into(), lines))
    }

    /// Lets every listener go: nothing follows any more.
    pub(crate) fn close(&self) {
        self.lock().listeners.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("no panic happens while the lock is held")
    }
}

impl Inner {
    fn snapshot(&self) -> Value {
        let tops = self.tops.iter();
        let tops: Vec<Value> = tops
            .map(|(instrument, top)| shown(instrument, top))
            .collect();
        json!({ "ordinal": self.ordinal, "tops": tops })
    }
}

/// Prices are rupees as text; times are UTC in FIX form.
fn shown(instrument: &Instrument, top: &Top) -> Value {
    let quote = |side: Option<(crate::price::Price, i64)>| {
        side.map(|(price, units)| json!({ "price": price.to_string(), "quantity": units }))
    };
    let last = top.last.map(|last| {
        json!({ "price": last.price.to_string(), "quantity": last.units, "at": last.at.to_string() })
    });
    json!({
        "venue": instrument.venue,
        "symbol": instrument.symbol,
        "bid": quote(top.bid),
        "ask": quote(top.ask),
        "last": last,
        "reference": instrument.reference.to_string(),
        "band_low": instrument.band_low.to_string(),
        "band_high": instrument.band_high.to_string(),
    })
}

/// What the tape says of a fact: a trade, or that a trade was taken back or corrected.
fn tape(exchange: &Exchange, fact: &Fact) -> Option<Value> {
    let named = |execution: u64| exec_id(&fact.venue, execution);
    let (kind, of, units, price) = match &fact.happening {
        Happening::Executed {
            last_units,
            last_price,
            ..
        } if exchange.is_print(fact) => ("trade", fact.ordinal, *last_units, *last_price),
        Happening::Busted {
            execution,
            was_units,
            was_price,
        } => ("bust", *execution, *was_units, *was_price),
        Happening::Corrected {
            execution,
            last_units,
            last_price,
            ..
        } => ("correct", *execution, *last_units, *last_price),
        Happening::Executed { .. }
        | Happening::Accepted
        | Happening::AcknowledgedLate
        | Happening::Carried
        | Happening::Suspended
        | Happening::Rejected { .. }
        | Happening::Canceled { .. }
        | Happening::Replaced { .. }
        | Happening::CancelRejected { .. }
        | Happening::Expired
        | Happening::PhaseChanged { .. }
        | Happening::FreezeArmed { .. }
        | Happening::Repeated { .. }
        | Happening::Vanished
        | Happening::Dropped { .. }
        | Happening::Throttled { .. }
        | Happening::MassCanceled { .. }
        | Happening::Set(_)
        | Happening::TailLost { .. } => return None,
    };
    Some(json!({ kind: {
        "ordinal": fact.ordinal,
        "venue": fact.venue,
        "symbol": fact.order.symbol,
        "exec_id": named(of),
        "price": price.to_string(),
        "quantity": units,
        "at": fact.transact_time.to_string(),
    }}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Rules;
    use crate::contracts::Contracts;
    use crate::price::Price;
    use crate::request::Inbound;
    use crate::state::Decision;
    use squareoff_fix::Timestamp;

    fn exchange() -> Exchange {
        let mut contracts = Contracts::default();
        let instrument = Instrument {
            venue: "NSE".to_owned(),
            segment: "CM".to_owned(),
            symbol: "QUIET".to_owned(),
            lot_units: 1,
            tick: Price(500),
            freeze_units: 10_000,
            band_low: Price(9_000_000),
            band_high: Price(11_000_000),
            reference: Price(10_000_000),
        };
        contracts.insert(instrument).unwrap();
        let rules = Rules {
            quiet: [("NSE".to_owned(), "QUIET".to_owned())].into(),
            ..Rules::default()
        };
        Exchange::new(contracts, rules)
    }

    fn order(number: u64) -> Inbound {
        let line = crate::request::NewOrder {
            cl_ord_id: format!("A{number}"),
            account: "C1".to_owned(),
            symbol: "QUIET".to_owned(),
            side: crate::book::Side::Buy,
            time_in_force: crate::fact::TimeInForce::Day,
            quantity_units: 1,
            price: Price(9_500_000),
            unsupported: None,
        };
        Inbound {
            venue: "NSE".to_owned(),
            cause: crate::fact::Cause {
                session: "NSE:A".to_owned(),
                generation: 1,
                msg_seq_num: number,
            },
            request: crate::request::Request::New(line),
        }
    }

    #[test]
    fn a_listener_that_does_not_read_is_let_go_and_the_others_miss_nothing() {
        let mut exchange = exchange();
        let market = Market::new(&exchange);
        let (_, mut slow) = market.listen().unwrap();
        let (_, mut quick) = market.listen().unwrap();
        let messages = QUEUE_LINES_MAX as u64 + 10;
        for number in 1..=messages {
            let Decision::Facts(facts) = exchange.decide(&order(number), Timestamp(0)) else {
                panic!("not facts")
            };
            facts.iter().for_each(|fact| exchange.evolve(fact));
            market.publish(&exchange, &facts);
            let line = quick.try_recv().expect("one line for each order");
            let line: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(line["top"]["bid"]["quantity"], number);
        }
        let mut had = 0;
        while slow.try_recv().is_ok() {
            had += 1;
        }
        assert_eq!((had, slow.is_closed()), (QUEUE_LINES_MAX, true));
        let again = market.snapshot();
        assert_eq!(
            again["tops"][0]["bid"]["quantity"], messages,
            "it begins anew with a snapshot"
        );
    }

    #[test]
    fn listeners_have_a_limit() {
        let market = Market::new(&exchange());
        let listening: Vec<_> = (0..LISTENERS_MAX)
            .map(|_| market.listen().unwrap())
            .collect();
        assert!(market.listen().is_none());
        drop(listening);
        assert!(market.listen().is_some());
    }
}
