//! What the log itself, or the ledger, leaves open: reports in suspense, contradictions, lines that nobody understands.

use super::executions::{OUTSIDE, spelled};
use super::{Comparison, speaks_for, value, words};
use crate::breaks::Kind;
use crate::sides::{Alarmed, Settled, Source, Told};
use squareoff_domain::Money;
use std::collections::{BTreeMap, BTreeSet};

impl Comparison<'_> {
    pub(super) fn suspense(&mut self) {
        let sides = self.sides;
        let open: Vec<_> = sides
            .log
            .suspended
            .iter()
            .filter(|held| held.settled == Settled::No)
            .collect();
        if open.is_empty() {
            return;
        }
        let wanted: BTreeSet<_> = open
            .iter()
            .filter_map(|held| held.execution.as_ref())
            .map(|told| &told.execution)
            .collect();
        let booked: BTreeMap<_, _> = sides
            .log
            .trades
            .iter()
            .map(|booked| (&booked.told.execution, booked))
            .filter(|(key, _)| wanted.contains(key))
            .collect();
        let outside = |source| {
            let told: &[Told] = match source {
                Source::DropCopy => &sides.log.drop_copy,
                Source::Ledger => sides.ledger.as_ref().map_or(&[], |ledger| &ledger.trades),
                _ => sides.trades_file.as_deref().unwrap_or(&[]),
            };
            told.iter()
                .filter(|told| wanted.contains(&told.execution))
                .map(|told| (&told.execution, told))
                .collect::<BTreeMap<_, _>>()
        };
        let outside = OUTSIDE.map(outside);
        let speaks = OUTSIDE.map(|source| speaks_for(sides, source));
        for held in open {
            let told = held.execution.as_ref();
            let since = told.and_then(|told| booked.get(&told.execution));
            let money = match (told, since) {
                (Some(told), None) => told.terms.value(),
                (Some(_), Some(_)) | (None, _) => Money::default(),
            };
            let symbol = told.and_then(|told| told.symbol.clone());
            let kind = Kind::SuspenseNotSettled;
            let mut found = self.of_instrument(kind, money, Some(held.venue), symbol);
            found.client = told.and_then(|told| told.account.clone());
            found.execution = told.map(|told| told.execution.as_str().to_owned());
            found.order = told.and_then(|told| told.order.clone());
            let log = match (told, since) {
                (Some(told), None) => format!("in suspense: {}", told.terms),
                (Some(told), Some(_)) => format!("in suspense and booked: {}", told.terms),
                (None, _) => "in suspense, about no trade".to_owned(),
            };
            found.says.push((Source::Log, log));
            for (place, source) in OUTSIDE.into_iter().enumerate() {
                if let Some(told) = told.filter(|_| speaks[place].contains(&held.venue)) {
                    let theirs = outside[place].get(&told.execution).copied();
                    let theirs: Vec<&Told> = theirs.into_iter().collect();
                    found.says.push((source, spelled(&theirs, Some(told))));
                }
            }
            (found.cause, found.next) = words::suspended(held, since.is_some());
            self.breaks.push(found);
        }
    }

    /// What the log itself could not bring together.
    pub(super) fn alarms(&mut self) {
        let sides = self.sides;
        for alarm in &sides.log.alarms {
            let Some(held) = sides.log.positions.get(alarm.position) else {
                continue;
            };
            let (kind, money) = match &alarm.what {
                Alarmed::Conflict {
                    quantity, price, ..
                } => (Kind::DuplicateExecution, value(*quantity, *price)),
                Alarmed::Overfill { excess, price, .. } => (Kind::Overfill, value(*excess, *price)),
                Alarmed::BeyondFlat { excess, price, .. } => {
                    (Kind::BeyondFlat, value(*excess, *price))
                }
                Alarmed::Contradiction => (Kind::Contradiction, Money::default()),
            };
            let mut found = self.of_position(kind, money, held);
            match &alarm.what {
                Alarmed::Conflict { execution, .. } | Alarmed::BeyondFlat { execution, .. } => {
                    found.execution = Some(execution.as_str().to_owned());
                }
                Alarmed::Overfill { order, .. } => found.order.clone_from(order),
                Alarmed::Contradiction => {}
            }
            found.says.push((Source::Log, alarm.text.clone()));
            (found.cause, found.next) = words::alarmed(&alarm.what);
            self.breaks.push(found);
        }
        for (first, last) in sides.ledger.iter().flat_map(|ledger| &ledger.gaps) {
            let kind = Kind::LedgerGap;
            let mut found = self.of_instrument(kind, Money::default(), None, None);
            let says = format!("facts {first} to {last} are not there");
            found.says.push((Source::Ledger, says));
            (found.cause, found.next) = words::ledger_gap();
            self.breaks.push(found);
        }
        for fact in sides.ledger.iter().flat_map(|ledger| &ledger.unknown) {
            let symbol = Some(fact.symbol.as_str().into());
            let kind = Kind::UnknownTradeFact;
            let mut found = self.of_instrument(kind, fact.value, Some(fact.venue), symbol);
            found.client = Some(fact.account.as_str().into());
            let says = format!("line {}: `{}`", fact.line, fact.kind);
            found.says.push((Source::Ledger, says));
            (found.cause, found.next) = words::unknown_fact(&fact.kind);
            self.breaks.push(found);
        }
    }
}
