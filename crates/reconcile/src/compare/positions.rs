//! Positions: beginning of the day plus executions must be what everybody ends the day with.

use super::{Comparison, Positions, mark, words, worth};
use crate::breaks::Kind;
use crate::sides::{Closing, Held, Log, Source};
use squareoff_domain::{Money, PositionKey, Product};
use std::collections::BTreeMap;

/// Net of each position from its parts, in the order of [`Log::positions`].
pub(super) fn net(log: &Log) -> Vec<i128> {
    let mut net: Vec<i128> = log
        .positions
        .iter()
        .map(|held| i128::from(held.bod.0))
        .collect();
    for booked in log.trades.iter().filter(|booked| !booked.told.busted) {
        let terms = booked.told.terms;
        if let Some(net) = net.get_mut(booked.position) {
            *net += i128::from(terms.quantity.units()) * i128::from(terms.side.sign());
        }
    }
    net
}

pub(super) fn count(log: &Log, net: &[i128]) -> Positions {
    let mut positions = Positions::default();
    for (held, net) in log.positions.iter().zip(net) {
        positions.count += 1;
        if *net == 0 {
            continue;
        }
        positions.open += 1;
        match mark(&log.instruments, held) {
            Some(mark) => {
                positions.open_value = positions.open_value.plus(worth(*net, mark));
            }
            None => positions.open_unvalued += 1,
        }
    }
    positions
}

impl Comparison<'_> {
    pub(super) fn positions(&mut self) {
        let sides = self.sides;
        for (held, net) in sides.log.positions.iter().zip(self.net.clone()) {
            self.handed_back(held, net);
            let intraday = held.key.product == Product::Mis;
            if self.moment.is_over && intraday && net != 0 && held.handed_back.is_none() {
                let kind = Kind::PositionNotFlat;
                let mut found = self.of_position(kind, worth(net, self.mark(held)), held);
                let frozen = if held.frozen { ", frozen" } else { "" };
                found
                    .says
                    .push((Source::Log, format!("{net} open{frozen}")));
                (found.cause, found.next) = words::not_flat(held);
                self.breaks.push(found);
            }
        }
        if let Some(closing) = &sides.positions_file {
            self.closing(closing);
        }
    }

    fn handed_back(&mut self, held: &Held, net: i128) {
        let Some(handed) = held.handed_back else {
            return;
        };
        let apart = net - i128::from(handed.net.0);
        if apart == 0 && handed.executions == handed.executions_now {
            return;
        }
        let kind = Kind::HandedBackDiffers;
        let mut found = self.of_position(kind, worth(apart, self.mark(held)), held);
        let says = format!(
            "{net} made of {} executions now; handed back in epoch {} as {} made of {}",
            handed.executions_now, handed.epoch, handed.net, handed.executions
        );
        found.says.push((Source::Log, says));
        (found.cause, found.next) = words::handed_back();
        self.breaks.push(found);
    }

    fn closing(&mut self, closing: &[Closing]) {
        let log = &self.sides.log;
        let mut theirs: BTreeMap<&PositionKey, &Closing> = BTreeMap::new();
        for line in closing {
            theirs.insert(&line.key, line);
        }
        let mut apart = Vec::new();
        for (held, net) in log.positions.iter().zip(&self.net) {
            let line = theirs.remove(&held.key);
            let said = line.map_or(0, |line| i128::from(line.net.0));
            if *net != said {
                apart.push((Some(held), *net, line, said));
            }
        }
        for line in theirs.into_values().filter(|line| line.net.0 != 0) {
            apart.push((None, 0, Some(line), i128::from(line.net.0)));
        }
        for (held, net, line, said) in apart {
            let kind = Kind::PositionDiffers;
            let average = line.map(|line| line.average_price).unwrap_or_default();
            let price = match held {
                Some(held) => mark(&log.instruments, held).unwrap_or(average),
                None => average,
            };
            let money: Money = worth(net - said, price);
            let mut found = match (held, line) {
                (Some(held), _) => self.of_position(kind, money, held),
                (None, Some(line)) => {
                    let symbol = Some(line.key.symbol.as_str().into());
                    let mut found = self.of_instrument(kind, money, Some(line.key.venue), symbol);
                    found.client = Some(line.key.client.as_str().into());
                    found.product = Some(line.key.product);
                    found
                }
                (None, None) => continue,
            };
            let log_says = match held {
                Some(held) => format!(
                    "{net}: {} at the beginning of the day and {} by executions",
                    held.bod,
                    net - i128::from(held.bod.0)
                ),
                None => "nothing".to_owned(),
            };
            found.says.push((Source::Log, log_says));
            let theirs = line.map_or_else(|| "nothing".to_owned(), |line| line.net.to_string());
            found.says.push((Source::PositionsFile, theirs));
            (found.cause, found.next) = words::closing(held.is_some(), line.is_some());
            self.breaks.push(found);
        }
    }
}
