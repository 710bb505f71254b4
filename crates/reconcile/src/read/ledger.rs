//! The exchange's ledger: one JSON object a line. Read here by the format alone, so that a ledger of a later exchange can be compared
//! too, and the reader owes nothing to the code that wrote it.
//!
//! 1. A line that is no fact, with another behind it, is damage and is said aloud; only the end may be torn. Lines that are missing, as
//!    the ordinals tell, are kept for a break: what is left can still be compared.
//! 2. Facts behind the last line that completes a message were never whole, and don't count: the exchange drops them itself.
//! 3. Facts that the exchange itself says it lost in a crash are no missing lines.
//! 4. A kind of fact that is not known is counted; where it carries a trade's quantity or price it is kept for a break.

use super::{Scope, TRADES_MAX, Texts};
use crate::sides::{Ledger, SentTwice, Terms, Told, UnknownFact, VenueOrder};
use serde::Deserialize;
use squareoff_domain::{ExecutionKey, Money, Price, Quantity, Side, Timestamp, TradingDate, Venue};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use thiserror::Error;
use time::PrimitiveDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

/// The longest line that is read: a fact is under 1 KiB.
const LINE_BYTES_MAX: usize = 64 << 10;
/// As the exchange writes a time: UTC, to the millisecond.
const WRITTEN: &[FormatItem] =
    format_description!("[year][month][day]-[hour]:[minute]:[second].[subsecond digits:3]");

#[derive(Debug, Error)]
pub enum LedgerError {
    #[error("the ledger {} cannot be read: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the ledger {}, line {line}: {why}", path.display())]
    Damaged {
        path: PathBuf,
        line: u64,
        why: String,
    },
    #[error("the ledger {} has more than {TRADES_MAX} trades of the day: reconcile one --venue at a time", path.display())]
    TooMany { path: PathBuf },
}

/// The fields that a comparison needs; what else a line says is not looked at.
#[derive(Debug, Deserialize)]
struct Line<'a> {
    ordinal: u64,
    #[serde(borrow)]
    fact: std::borrow::Cow<'a, str>,
    #[serde(default, borrow)]
    exec_id: std::borrow::Cow<'a, str>,
    /// Of a fact of the whole exchange it is none of the venues.
    #[serde(borrow)]
    venue: std::borrow::Cow<'a, str>,
    trade_date: TradingDate,
    #[serde(borrow)]
    transact_time: std::borrow::Cow<'a, str>,
    #[serde(default)]
    order: u64,
    #[serde(default, borrow)]
    cl_ord_id: std::borrow::Cow<'a, str>,
    #[serde(default, borrow)]
    original_cl_ord_id: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, borrow)]
    account: std::borrow::Cow<'a, str>,
    #[serde(default, borrow)]
    symbol: std::borrow::Cow<'a, str>,
    #[serde(default, borrow)]
    side: std::borrow::Cow<'a, str>,
    #[serde(default)]
    quantity_units: i64,
    #[serde(default)]
    price_e4: i64,
    #[serde(default)]
    leaves_units: i64,
    #[serde(default)]
    last_units: Option<i64>,
    #[serde(default)]
    last_price_e4: Option<i64>,
    /// The ordinal of the execution that a bust or a correction is about.
    #[serde(default)]
    execution: Option<u64>,
    #[serde(default)]
    was_units: Option<i64>,
    #[serde(default)]
    was_price_e4: Option<i64>,
    #[serde(default)]
    duplicate_cl_ord_id: bool,
}

/// Whether a line is whole, and in its place.
#[derive(Debug, Deserialize)]
struct Head {
    ordinal: u64,
    #[serde(default)]
    completes: bool,
    /// The first of the facts that a crash lost, which end before this line.
    #[serde(default)]
    lost_from: Option<u64>,
}

/// The day's part of the ledger at `path`. May be read while the exchange writes.
///
/// # Errors
/// [`LedgerError`], in one sentence.
pub fn ledger(path: &Path, scope: Scope) -> Result<Ledger, LedgerError> {
    let io = |source| LedgerError::Io {
        path: path.to_owned(),
        source,
    };
    let mut reader = BufReader::with_capacity(1 << 18, File::open(path).map_err(io)?);
    let mut reading = Reading {
        scope,
        texts: Texts::default(),
        ledger: Ledger::default(),
        trades: HashMap::new(),
        orders: HashMap::new(),
    };
    // The lines of the message at hand, until its last one.
    let mut message: Vec<(u64, String)> = Vec::new();
    let (mut number, mut due) = (0, 1);
    let mut text = String::new();
    loop {
        text.clear();
        let damaged = |why: String| LedgerError::Damaged {
            path: path.to_owned(),
            line: number + 1,
            why,
        };
        let read = read_line(&mut reader, &mut text).map_err(io)?;
        let torn = !text.ends_with('\n');
        if read > LINE_BYTES_MAX {
            return Err(damaged(format!("is longer than {LINE_BYTES_MAX} bytes")));
        }
        if torn {
            break;
        }
        let parsed = serde_json::from_str::<Head>(&text).map_err(|error| error.to_string());
        let parsed = parsed.and_then(|line| match line.ordinal {
            found if found >= due => Ok(line),
            found => Err(format!("ordinal {found} where {due} was due")),
        });
        let head = match parsed {
            Ok(head) => head,
            Err(_) if reader.fill_buf().map_err(io)?.is_empty() => break,
            Err(why) => return Err(damaged(why)),
        };
        number += 1;
        if head.ordinal > due {
            let gap = (due, head.ordinal - 1);
            if head.lost_from == Some(due) {
                reading.ledger.lost.push(gap);
            } else {
                reading.ledger.gaps.push(gap);
            }
        }
        due = head.ordinal + 1;
        message.push((number, std::mem::take(&mut text)));
        if head.completes {
            for (number, text) in message.drain(..) {
                reading
                    .line(number, &text)
                    .map_err(|why| LedgerError::Damaged {
                        path: path.to_owned(),
                        line: number,
                        why,
                    })?;
            }
            if reading.trades.len() > TRADES_MAX {
                let path = path.to_owned();
                return Err(LedgerError::TooMany { path });
            }
            reading.ledger.lines = number;
        }
    }
    Ok(reading.done())
}

/// Up to the end of the line or a byte more than the longest; answers how many.
fn read_line(reader: &mut impl BufRead, text: &mut String) -> std::io::Result<usize> {
    use std::io::Read;
    let mut limited = reader.take(LINE_BYTES_MAX as u64 + 1);
    limited.read_line(text)
}

struct Reading {
    scope: Scope,
    texts: Texts,
    ledger: Ledger,
    /// By the ordinal of the execution.
    trades: HashMap<u64, Told>,
    /// By the venue's number of the order.
    orders: HashMap<u64, VenueOrder>,
}

impl Reading {
    /// # Errors
    /// What is wrong with the line.
    fn line(&mut self, number: u64, text: &str) -> Result<(), String> {
        let line: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let Ok(venue) = line.venue.parse::<Venue>() else {
            return self.of_no_venue(&line);
        };
        if !self.scope.takes(venue) {
            return Ok(());
        }
        self.ledger.venues.insert(venue);
        if line.trade_date != self.scope.date {
            return Ok(());
        }
        let at = instant(&line.transact_time)?;
        self.ledger.first_at = Some(self.ledger.first_at.unwrap_or(at).min(at));
        self.ledger.last_at = self.ledger.last_at.max(Some(at));
        match &*line.fact {
            "executed" => {
                let told = self.told(&line, venue, at)?;
                self.trades.insert(line.ordinal, told);
                self.order(&line, venue, at)?;
            }
            // Of a dropped trade nobody was told yet; the exchange does not have it all the same.
            "trade_busted" | "trade_dropped" | "trade_corrected" => {
                let busted = line.fact != "trade_corrected";
                let execution = line.execution.ok_or("missing field execution")?;
                let terms = terms(
                    &line,
                    if busted {
                        line.was_units
                    } else {
                        line.last_units
                    },
                    if busted {
                        line.was_price_e4
                    } else {
                        line.last_price_e4
                    },
                )?;
                let unknown = format!("execution {execution} is none of this ledger");
                // One of an earlier day is of that day's reconciliation.
                if let Some(told) = self.trades.get_mut(&execution) {
                    told.busted |= busted;
                    told.terms = terms;
                    told.at = Some(at);
                } else if execution >= line.ordinal {
                    return Err(unknown);
                }
                self.order(&line, venue, at)?;
            }
            "order_accepted" | "order_carried" | "order_suspended" | "order_rejected"
            | "canceled" | "replaced" | "cancel_rejected" | "replace_rejected" | "expired"
            | "phase_changed" | "freeze_armed" | "throttled" | "set" => {
                if line.duplicate_cl_ord_id {
                    self.sent_twice(&line, venue);
                }
                self.order(&line, venue, at)?;
            }
            "order_vanished" => {
                let gone = Line {
                    leaves_units: 0,
                    ..line
                };
                self.order(&gone, venue, at)?;
            }
            // Told late or once more: they say how the order stood before.
            "acknowledged_late" | "report_repeated" | "tail_lost" => {}
            kind => {
                let units = line.last_units.or(line.was_units);
                let price = line.last_price_e4.or(line.was_price_e4);
                if units.is_none() && price.is_none() && line.execution.is_none() {
                    self.pass_over(kind);
                } else {
                    let units = i128::from(units.unwrap_or(0).max(0));
                    let price = i128::from(price.unwrap_or(line.price_e4).max(0));
                    self.ledger.unknown.push(UnknownFact {
                        venue,
                        line: number,
                        kind: kind.to_owned(),
                        account: line.account.clone().into_owned(),
                        symbol: line.symbol.clone().into_owned(),
                        value: Money::saturating(units.saturating_mul(price)),
                    });
                }
                self.order(&line, venue, at)?;
            }
        }
        Ok(())
    }

    /// A fact of the whole exchange: never one about a trade.
    fn of_no_venue(&mut self, line: &Line) -> Result<(), String> {
        if line.last_units.is_some() || line.execution.is_some() || line.order != 0 {
            return Err(format!("venue `{}` is none that trades", line.venue));
        }
        if !matches!(&*line.fact, "set" | "tail_lost") {
            self.pass_over(&line.fact);
        }
        Ok(())
    }

    fn pass_over(&mut self, kind: &str) {
        *self.ledger.passed_over.entry(kind.to_owned()).or_default() += 1;
    }

    fn told(&mut self, line: &Line, venue: Venue, at: Timestamp) -> Result<Told, String> {
        let key = ExecutionKey::new(venue, line.trade_date, &line.exec_id);
        let placed = line.original_cl_ord_id.as_ref().unwrap_or(&line.cl_ord_id);
        Ok(Told {
            execution: key.map_err(|error| error.to_string())?,
            terms: terms(line, line.last_units, line.last_price_e4)?,
            busted: false,
            account: Some(self.texts.shared(&line.account)),
            symbol: Some(self.texts.shared(&line.symbol)),
            order: Some(self.texts.shared(placed)),
            at: Some(at),
        })
    }

    /// The order as the line leaves it. A line about no order, or about a request that came to nothing, has no number of one.
    fn order(&mut self, line: &Line, venue: Venue, at: Timestamp) -> Result<(), String> {
        if line.order == 0 {
            return Ok(());
        }
        let placed = line.original_cl_ord_id.as_ref().unwrap_or(&line.cl_ord_id);
        let order = VenueOrder {
            venue,
            cl_ord_id: self.texts.shared(placed),
            account: self.texts.shared(&line.account),
            symbol: self.texts.shared(&line.symbol),
            side: side(&line.side)?,
            price: Price(line.price_e4),
            leaves: quantity("leaves_units", line.leaves_units)?,
            at,
        };
        self.orders.insert(line.order, order);
        Ok(())
    }

    fn sent_twice(&mut self, line: &Line, venue: Venue) {
        let units = i128::from(line.quantity_units.max(0));
        let value = units.saturating_mul(i128::from(line.price_e4.max(0)));
        self.ledger.sent_twice.push(SentTwice {
            venue,
            cl_ord_id: line.cl_ord_id.clone().into_owned(),
            account: self.texts.shared(&line.account),
            symbol: self.texts.shared(&line.symbol),
            value: Money::saturating(value),
        });
    }

    fn done(self) -> Ledger {
        let mut ledger = self.ledger;
        ledger.trades = self.trades.into_values().collect();
        ledger.trades.sort_unstable();
        ledger.orders = self.orders.into_values().collect();
        ledger.orders.sort_unstable();
        ledger
    }
}

fn terms(line: &Line, units: Option<i64>, price: Option<i64>) -> Result<Terms, String> {
    let units = units.ok_or("missing field last_units or was_units")?;
    let price = price.ok_or("missing field last_price_e4 or was_price_e4")?;
    Ok(Terms {
        side: side(&line.side)?,
        quantity: quantity("last_units", units)?,
        price: Price(price),
    })
}

fn side(text: &str) -> Result<Side, String> {
    match text {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        other => Err(format!("side `{other}` is neither buy nor sell")),
    }
}

fn quantity(field: &str, units: i64) -> Result<Quantity, String> {
    let units = u64::try_from(units).ok();
    units
        .and_then(|units| Quantity::new(units).ok())
        .ok_or_else(|| format!("{field} is no quantity"))
}

fn instant(text: &str) -> Result<Timestamp, String> {
    let read = PrimitiveDateTime::parse(text, WRITTEN).ok();
    let nanos = read.map(|at| at.assume_utc().unix_timestamp_nanos());
    nanos
        .and_then(|nanos| i64::try_from(nanos).ok())
        .map(Timestamp)
        .ok_or_else(|| format!("transact_time `{text}` is no time"))
}

#[cfg(test)]
mod tests;
