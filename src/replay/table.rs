//! A position's day as a table: a line for each event, with what was open behind it.
//!
//! Widths are settled by the first page of events, so that the table can go on while the day does. What an event says is in the last
//! column, broken within it; where the terminal leaves no room for that, it stands on lines of its own below.

use super::paper::{Ink, Paper, broken, printable};
use super::told::Told;
use squareoff_domain::position::PositionEvent;
use squareoff_domain::{Event, Price, Quantity};
use unicode_width::UnicodeWidthStr;

/// The narrowest last column that can be read.
const REASON_MIN: usize = 24;
const HEADS: [&str; COLUMNS] = [
    "time", "who", "event", "quantity", "price", "net", "working", "closable", "reason",
];
const COLUMNS: usize = 9;
/// Columns whose numbers stand under each other.
const RIGHT: std::ops::Range<usize> = 3..8;
const REASON: usize = COLUMNS - 1;

/// One event; the cells in the order of [`HEADS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    cells: [String; COLUMNS],
    ink: Ink,
    /// The day of the event, which is told above the first line of it.
    day: String,
}

impl Line {
    pub fn of(told: &Told, paper: &Paper) -> Line {
        let (quantity, price) = if let Event::Position(event) = told.event {
            terms(event)
        } else {
            (None, None)
        };
        let shown = |value: Option<String>| value.unwrap_or_default();
        let standing = told.effect.standing;
        let cells = [
            paper.zone.time_of_day(told.stored.occurred_at),
            told.stored.actor.to_string(),
            told.stored.event_type.to_string(),
            shown(quantity.map(|quantity| quantity.to_string())),
            shown(price.map(|price| price.to_string())),
            shown(standing.map(|standing| standing.net.to_string())),
            shown(standing.map(|standing| standing.working.to_string())),
            shown(standing.map(|standing| standing.closable.to_string())),
            told.words(),
        ];
        let ink = match told.kind {
            squareoff_projections::audit::AuditKind::Ask => Ink::Ask,
            squareoff_projections::audit::AuditKind::Fact => Ink::Plain,
            squareoff_projections::audit::AuditKind::Refusal => Ink::Refusal,
        };
        Line {
            cells: cells.map(|cell| printable(&cell)),
            ink,
            day: format!("{} {}", paper.zone.day(told.stored.occurred_at), paper.zone),
        }
    }
}

/// Quantity and price that an event is about. Unsigned: its words and its effect say which way.
fn terms(event: &PositionEvent) -> (Option<Quantity>, Option<Price>) {
    match event {
        PositionEvent::BodLoaded(event) => (Some(event.quantity.open()), Some(event.average_price)),
        PositionEvent::BodContradicted(event) => {
            (Some(event.quantity.open()), Some(event.average_price))
        }
        PositionEvent::PrimaryTradeApplied(event) => (Some(event.quantity), Some(event.price)),
        PositionEvent::ExternalOrderObserved(event) => (Some(event.quantity), Some(event.price)),
        PositionEvent::ExternalOrderUpdated(event) => (Some(event.cumulative), None),
        PositionEvent::SquareOffAccepted(event) => (Some(event.quantity), None),
        PositionEvent::OrderPlaced(event) => (Some(event.quantity), Some(event.price)),
        PositionEvent::Executed(event) => (Some(event.quantity), Some(event.price)),
        PositionEvent::ExecutionConflicted(event) => (Some(event.quantity), Some(event.price)),
        PositionEvent::ExecutionCorrected(event) => (Some(event.quantity), Some(event.price)),
        PositionEvent::TradeConfirmed(event) => (Some(event.quantity), Some(event.price)),
        PositionEvent::OverfillDetected(event) => (Some(event.excess), None),
        PositionEvent::CancelRequested(event) => (Some(event.quantity), None),
        PositionEvent::ReplaceRequested(event) => (Some(event.quantity), Some(event.price)),
        PositionEvent::OrderReplaced(event) => (Some(event.quantity), Some(event.price)),
        PositionEvent::ExposureBreached(event) => (Some(event.excess), None),
        PositionEvent::PositionHandedBack(event) => (Some(event.net.open()), None),
        PositionEvent::OrderDispatched(_)
        | PositionEvent::OrderAcknowledged(_)
        | PositionEvent::OrderFrozen(_)
        | PositionEvent::OrderRejected(_)
        | PositionEvent::ExecutionBusted(_)
        | PositionEvent::CancelQueued(_)
        | PositionEvent::CancelRejected(_)
        | PositionEvent::CancelNotDelivered(_)
        | PositionEvent::ReplaceRejected(_)
        | PositionEvent::ReplaceNotDelivered(_)
        | PositionEvent::OrderCanceled(_)
        | PositionEvent::OrderExpired(_)
        | PositionEvent::OrderNotDelivered(_)
        | PositionEvent::OrderInDoubt(_)
        | PositionEvent::InDoubtResolved(_)
        | PositionEvent::PositionFrozen(_)
        | PositionEvent::PositionUnfrozen(_)
        | PositionEvent::ReportContradicted(_)
        | PositionEvent::UnknownOrderReported(_) => (None, None),
    }
}

/// The table as far as it is printed.
#[derive(Debug)]
pub struct Table {
    paper: Paper,
    widths: Option<[usize; COLUMNS]>,
    day: String,
}

impl Table {
    pub fn new(paper: Paper) -> Table {
        Table {
            paper,
            widths: None,
            day: String::new(),
        }
    }

    /// The lines' text; with the first ones the name of the stream and the heads of the columns come, too.
    pub fn lines(&mut self, stream: &str, lines: &[Line]) -> String {
        let mut text = String::new();
        let widths = match self.widths {
            Some(widths) => widths,
            None => {
                let widths = widths(lines);
                self.widths = Some(widths);
                text.push_str(&self.paper.line(2, &[(Ink::Heading, stream.to_owned())]));
                text.push('\n');
                text.push_str(&self.row(&HEADS.map(str::to_owned), &widths, Ink::Faint));
                widths
            }
        };
        for line in lines {
            if self.day != line.day {
                self.day.clone_from(&line.day);
                text.push_str(&self.paper.line(0, &[(Ink::Faint, line.day.clone())]));
                text.push('\n');
            }
            text.push_str(&self.row(&line.cells, &widths, line.ink));
        }
        text
    }

    fn row(&self, cells: &[String; COLUMNS], widths: &[usize; COLUMNS], ink: Ink) -> String {
        let used: usize = widths[..REASON].iter().map(|width| width + 2).sum();
        let beside = self.paper.room(0).saturating_sub(used) >= REASON_MIN;
        let mut parts: Vec<(Ink, String)> = Vec::new();
        for (place, cell) in cells[..REASON].iter().enumerate() {
            let blank = " ".repeat(widths[place].saturating_sub(cell.width()));
            let padded = if RIGHT.contains(&place) {
                format!("{blank}{cell}")
            } else {
                format!("{cell}{blank}")
            };
            parts.push((if place == 2 { ink } else { Ink::Plain }, padded));
        }
        let reason = &cells[REASON];
        if !beside {
            let mut text = self.narrow(cells, &parts);
            if ink != Ink::Faint {
                text.push_str(&self.paper.paragraph(4, "", std::slice::from_ref(reason)));
            }
            return text;
        }
        let mut text = String::new();
        let reasons = broken(std::slice::from_ref(reason), self.paper.room(used));
        for place in 0..reasons.len().max(1) {
            let mut line = String::new();
            if place == 0 {
                for (ink, part) in &parts {
                    line.push_str(&self.paper.ink(*ink, part));
                    line.push_str("  ");
                }
            } else {
                line.push_str(&" ".repeat(used));
            }
            line.push_str(reasons.get(place).map_or("", String::as_str));
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// Without room for the last column, or for the others either: then each number has its name in front of it, and there are no heads.
    fn narrow(&self, cells: &[String; COLUMNS], parts: &[(Ink, String)]) -> String {
        let fits = parts
            .iter()
            .map(|(_, part)| part.width() + 2)
            .sum::<usize>()
            <= self.paper.room(0) + 2;
        if fits {
            let inked: Vec<_> = parts
                .iter()
                .map(|(ink, part)| self.paper.ink(*ink, part))
                .collect();
            return format!("{}\n", inked.join("  ").trim_end());
        }
        if cells == &HEADS.map(str::to_owned) {
            return String::new();
        }
        let named = |(place, (ink, part)): (usize, &(Ink, String))| match part.trim() {
            said if RIGHT.contains(&place) && !said.is_empty() => {
                (*ink, format!("{} {said}", HEADS[place]))
            }
            said => (*ink, said.to_owned()),
        };
        let named: Vec<_> = parts.iter().enumerate().map(named).collect();
        format!("{}\n", self.paper.line(4, &named))
    }
}

fn widths(lines: &[Line]) -> [usize; COLUMNS] {
    let mut widths = HEADS.map(UnicodeWidthStr::width);
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(&line.cells) {
            *width = (*width).max(cell.width());
        }
    }
    widths
}
