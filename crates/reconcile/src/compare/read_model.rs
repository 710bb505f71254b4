//! Postgres must show what the log folds to: row by row, nothing more and nothing less.

use super::{Comparison, difference, words, worth};
use crate::breaks::{Break, Kind};
use crate::sides::{Booked, Held, Order, ReadModel, Source, Terms};
use squareoff_domain::{Money, Price, Quantity, Side};
use squareoff_projections::day::{Day, DayOrder, DayPosition, DayTrade};
use squareoff_projections::trades::{CORRECTION, UNBOOKED};
use std::collections::HashMap;

/// What a row is about.
enum Of<'a> {
    Nothing,
    Position(&'a Held),
    Order(&'a Order),
    Trade(&'a Booked),
}

impl<'a> Comparison<'a> {
    pub(super) fn read_model(&mut self) {
        match &self.sides.read_model {
            None => {}
            Some(ReadModel::At(day)) => {
                self.positions_shown(day);
                self.orders_shown(day);
                self.trades_shown(day);
            }
            Some(ReadModel::Behind { position, waited_s }) => {
                let kind = Kind::ReadModelBehind;
                let mut found = self.of_instrument(kind, Money::default(), None, None);
                let log = self.sides.log.position;
                found.says.push((Source::Log, format!("position {log}")));
                let says = format!("position {position} after {waited_s} s of waiting");
                found.says.push((Source::ReadModel, says));
                (found.cause, found.next) = words::read_model(kind);
                self.breaks.push(found);
            }
        }
    }

    fn positions_shown(&mut self, day: &Day) {
        let rows = day.positions.iter();
        let mut shown: HashMap<&str, &DayPosition> =
            rows.map(|row| (row.stream.as_str(), row)).collect();
        for held in &self.sides.log.positions {
            let row = shown.remove(&*held.stream);
            let mark = self.mark(held);
            let expected = Shown::of(held);
            let found = row.map(Shown::row);
            if found != Some(expected) {
                let net = found.map_or(0, |found| found.net);
                let working = found.map_or(0, |found| found.working);
                let money = worth(i128::from(expected.net) - i128::from(net), mark).plus(worth(
                    i128::from(expected.working) - i128::from(working),
                    mark,
                ));
                let text = found.map(|found| found.text());
                self.differs(
                    Of::Position(held),
                    "position",
                    money,
                    Some(expected.text()),
                    text,
                );
            }
        }
        let mut more: Vec<_> = shown.into_values().collect();
        more.sort_unstable_by(|one, other| one.stream.cmp(&other.stream));
        for row in more {
            let text = format!("{}: {}", row.stream, Shown::row(row).text());
            self.differs(Of::Nothing, "position", Money::default(), None, Some(text));
        }
    }

    fn orders_shown(&mut self, day: &Day) {
        let rows = day.orders.iter();
        let mut shown: HashMap<_, &DayOrder> = rows.map(|row| (row.order_id, row)).collect();
        for order in &self.sides.log.orders {
            let row = shown.remove(&order.order_id.0);
            let same = row.is_some_and(|row| {
                (
                    row.side.as_str(),
                    row.quantity,
                    row.price,
                    row.status.as_str(),
                ) == (
                    order.side.as_str(),
                    units(order.quantity),
                    order.price.0,
                    order.status,
                ) && (row.cumulative_quantity, row.leaves_quantity)
                    == (units(order.filled), units(order.leaves))
                    && self.stream_of(order.position) == Some(row.stream.as_str())
            });
            if same {
                continue;
            }
            let leaves = row.map_or(0, |row| row.leaves_quantity);
            let filled = row.map_or(0, |row| row.cumulative_quantity);
            let apart = |ours: Quantity, theirs: i64| {
                worth(i128::from(ours.units()) - i128::from(theirs), order.price)
            };
            let money = apart(order.leaves, leaves).plus(apart(order.filled, filled));
            let log = format!(
                "{} {} at {}, {} filled, {} open, {}",
                order.side, order.quantity, order.price, order.filled, order.leaves, order.status
            );
            self.differs(
                Of::Order(order),
                "order",
                money,
                Some(log),
                row.map(order_text),
            );
        }
        let mut more: Vec<_> = shown.into_values().collect();
        more.sort_unstable_by_key(|row| row.order_id);
        for row in more {
            let money = worth(i128::from(row.quantity), Price(row.price));
            let text = format!("{} of {}: {}", row.order_id, row.stream, order_text(row));
            self.differs(Of::Nothing, "order", money, None, Some(text));
        }
    }

    fn trades_shown(&mut self, day: &Day) {
        // A correction that the drop copy told first has a row beside that of the trade in which it counts.
        let rows = day.trades.iter().filter(|row| row.status != CORRECTION);
        let mut shown: HashMap<(&str, &str), &DayTrade> = rows
            .map(|row| ((row.execution_key.as_str(), row.stream.as_str()), row))
            .collect();
        for booked in &self.sides.log.trades {
            let Some(stream) = self.stream_of(booked.position) else {
                continue;
            };
            let told = &booked.told;
            let row = shown.remove(&(told.execution.as_str(), stream));
            let live = if told.busted {
                0
            } else {
                units(told.terms.quantity)
            };
            let terms = row.and_then(terms);
            let same = row.is_some_and(|row| {
                terms == Some(told.terms)
                    && row.live_quantity == live
                    && row.status == booked.status.as_str()
                    && row.order_id == booked.order_id.map(|order| order.0)
            });
            if same {
                continue;
            }
            let money = match terms {
                None => told.terms.value(),
                Some(theirs) => difference(told.terms, theirs),
            };
            let log = format!("{}, {}", told.terms, booked.status.as_str());
            self.differs(
                Of::Trade(booked),
                "trade",
                money,
                Some(log),
                row.map(trade_text),
            );
        }
        for (execution, position) in &self.sides.log.unbooked {
            let Some(stream) = self.stream_of(*position) else {
                continue;
            };
            let row = shown.remove(&(execution.as_str(), stream));
            if row.is_none_or(|row| row.status != UNBOOKED || row.live_quantity != 0) {
                let held = self.sides.log.positions.get(*position);
                let of = held.map_or(Of::Nothing, Of::Position);
                let log = format!("{execution}, told by the drop copy alone");
                self.differs(
                    of,
                    "trade",
                    Money::default(),
                    Some(log),
                    row.map(trade_text),
                );
            }
        }
        let mut more: Vec<_> = shown.into_values().collect();
        more.sort_unstable_by(|one, other| {
            (&one.execution_key, &one.stream).cmp(&(&other.execution_key, &other.stream))
        });
        for row in more {
            let money = worth(i128::from(row.quantity), Price(row.price));
            let (key, stream) = (&row.execution_key, &row.stream);
            let text = format!("{key} on {stream}: {}", trade_text(row));
            self.differs(Of::Nothing, "trade", money, None, Some(text));
        }
    }

    fn differs(
        &mut self,
        of: Of,
        what: &str,
        money: Money,
        log: Option<String>,
        shown: Option<String>,
    ) {
        let kind = Kind::ReadModelDiffers;
        let held = match &of {
            Of::Nothing => None,
            Of::Position(held) => Some(*held),
            Of::Order(order) => self.sides.log.positions.get(order.position),
            Of::Trade(booked) => self.sides.log.positions.get(booked.position),
        };
        let mut found: Break = match held {
            Some(held) => self.of_position(kind, money, held),
            None => self.of_instrument(kind, money, None, None),
        };
        match of {
            Of::Nothing | Of::Position(_) => {}
            Of::Order(order) => found.order = Some(std::sync::Arc::clone(&order.cl_ord_id)),
            Of::Trade(booked) => {
                found.execution = Some(booked.told.execution.as_str().to_owned());
                found.order.clone_from(&booked.told.order);
            }
        }
        let or_nothing = |text: Option<String>| match text {
            Some(text) => format!("{what}: {text}"),
            None => format!("no such {what}"),
        };
        found.says.push((Source::Log, or_nothing(log)));
        found.says.push((Source::ReadModel, or_nothing(shown)));
        (found.cause, found.next) = words::read_model(kind);
        self.breaks.push(found);
    }

    fn stream_of(&self, position: usize) -> Option<&'a str> {
        let held = self.sides.log.positions.get(position)?;
        Some(&held.stream)
    }
}

/// What a position's row shows that is held against the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown {
    bod: i64,
    net: i64,
    working: i64,
    frozen: bool,
    handed_back: Option<i64>,
}

impl Shown {
    fn of(held: &Held) -> Shown {
        Shown {
            bod: held.bod.0,
            net: held.net.0,
            working: units(held.working),
            frozen: held.frozen,
            handed_back: held.handed_back.map(|handed| i64::from(handed.epoch)),
        }
    }

    fn row(row: &DayPosition) -> Shown {
        Shown {
            bod: row.bod_quantity,
            net: row.net_quantity,
            working: row.working_quantity,
            frozen: row.frozen,
            handed_back: row.handed_back_epoch,
        }
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} from {} at the beginning of the day, {} working",
            self.net, self.bod, self.working
        );
        if self.frozen {
            text.push_str(", frozen");
        }
        if let Some(epoch) = self.handed_back {
            text.push_str(&format!(", handed back in epoch {epoch}"));
        }
        text
    }
}

fn terms(row: &DayTrade) -> Option<Terms> {
    let side: Side = row.side.parse().ok()?;
    let quantity = Quantity::new(u64::try_from(row.quantity).ok()?).ok()?;
    let price = Price(row.price);
    Some(Terms {
        side,
        quantity,
        price,
    })
}

fn trade_text(row: &DayTrade) -> String {
    let price = Price(row.price);
    let (side, quantity, status) = (&row.side, row.quantity, &row.status);
    format!("{side} {quantity} at {price}, {status}")
}

fn order_text(row: &DayOrder) -> String {
    format!(
        "{} {} at {}, {} filled, {} open, {}",
        row.side,
        row.quantity,
        Price(row.price),
        row.cumulative_quantity,
        row.leaves_quantity,
        row.status
    )
}

/// As the read models store it.
fn units(quantity: Quantity) -> i64 {
    i64::try_from(quantity.units()).unwrap_or(i64::MAX)
}
