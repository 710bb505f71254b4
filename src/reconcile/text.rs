//! The report that a person reads: the verdict, who was compared and how far, what each side adds up to, and every break with its money,
//! its likely cause and what to do next.

use super::rupees::{grouped, rupees};
use super::view::{self, Side, sum_of};
use super::{json::money, shown};
use crate::replay::paper::{Ink, Paper};
use squareoff_reconcile::totals::{Sums, agree};
use squareoff_reconcile::{Break, Reconciliation, Source, Verdict};
use unicode_width::UnicodeWidthStr;

/// Breaks that are told one by one: nobody reads more, and a file of the wrong day has a million. The CSV and the JSON have all.
const BREAKS_TOLD_MAX: usize = 1_000;
/// Clients and instruments that are listed because their sums differ.
const GROUPS_TOLD_MAX: usize = 20;

/// One sentence.
pub fn verdict(done: &Reconciliation) -> String {
    let venue = done.scope.venue;
    let venue = venue.map_or_else(String::new, |venue| format!(" at {venue}"));
    let day = format!("{}{venue}", done.scope.date);
    match done.verdict() {
        Verdict::Equal => format!("{day} is equal: {}", compared(done)),
        Verdict::Breaks => {
            let breaks = counted(done.compared.breaks.len() as u64, "break");
            let money = rupees(money(done));
            format!("{day} has {breaks} of {money} rupees")
        }
        Verdict::Incomplete(_) => {
            format!("{day} has no break, but not everything could be compared")
        }
    }
}

/// `the log, the drop copy and Postgres agree`.
fn compared(done: &Reconciliation) -> String {
    let there = Source::ALL.iter().filter(|source| done.is_there(**source));
    let names: Vec<_> = there.map(|source| source.name()).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => {
            format!("{} and {last} agree", rest.join(", "))
        }
        Some(_) | None => names.concat(),
    }
}

pub fn report(done: &Reconciliation, paper: &Paper) -> String {
    let mut out = Out {
        paper,
        text: String::new(),
    };
    out.heading(&format!("Reconciliation of {}", verdict(done)));
    let over = if done.moment.is_over {
        "the day is over"
    } else {
        "the day goes on"
    };
    out.line(0, &[format!("made at {}, {over}", shown(done.made_at))]);
    for gap in done.gaps() {
        out.paragraph(0, "not compared: ", &gap);
    }
    out.blank();
    out.heading("Compared");
    for side in view::sides(done) {
        out.side(&side);
    }
    out.blank();
    totals(done, &mut out);
    counts(done, &mut out);
    out.blank();
    breaks(done, &mut out);
    out.text
}

fn totals(done: &Reconciliation, out: &mut Out) {
    let totals = &done.compared.totals;
    if totals.segments.is_empty() {
        out.line(0, &["No side has a trade.".to_owned()]);
        return;
    }
    out.heading("Trades by venue and segment");
    let mut rows = vec![row(COLUMNS)];
    for ((venue, segment), sums) in &totals.segments {
        let there = view::with_trades(done, Some(*venue));
        let segment = segment.map_or("segment unknown", |segment| segment.as_str());
        let differs = if agree(sums, &there) {
            ""
        } else {
            ", sides differ"
        };
        rows.push(row([
            &format!("{venue} {segment}{differs}"),
            "",
            "",
            "",
            "",
        ]));
        rows.extend(there.iter().map(|source| sums_row(*source, sums)));
    }
    out.table(&rows);
    out.blank();
    let all = view::with_trades(done, None);
    let clients = totals.clients.iter();
    let differ: Vec<_> = clients
        .filter(|(_, sums)| !agree(sums, &all))
        .map(|(client, sums)| (client.to_string(), all.clone(), sums))
        .collect();
    groups("Clients", totals.clients.len(), &differ, out);
    let instruments = totals.instruments.iter().map(|((venue, symbol), sums)| {
        let there = view::with_trades(done, Some(*venue));
        (format!("{symbol} at {venue}"), there, sums)
    });
    let differ: Vec<_> = instruments
        .filter(|(_, there, sums)| !agree(sums, there))
        .collect();
    groups("Instruments", totals.instruments.len(), &differ, out);
}

fn groups(what: &str, count: usize, differ: &[(String, Vec<Source>, &Sums)], out: &mut Out) {
    let count_text = grouped(count as i128);
    if differ.is_empty() {
        out.line(
            0,
            &[format!(
                "{what}: {count_text} traded, and every side has the same sums of each."
            )],
        );
        return;
    }
    let text = format!(
        "{what}: {count_text} traded, {} with sums that differ:",
        grouped(differ.len() as i128)
    );
    out.line(0, &[text]);
    let mut rows = vec![row(COLUMNS)];
    for (name, there, sums) in differ.iter().take(GROUPS_TOLD_MAX) {
        rows.push(row([name, "", "", "", ""]));
        rows.extend(there.iter().map(|source| sums_row(*source, sums)));
    }
    out.table(&rows);
    if let Some(more) = differ.len().checked_sub(GROUPS_TOLD_MAX + 1) {
        out.line(
            2,
            &[format!("and {} more; --json has all of them", more + 1)],
        );
    }
}

fn counts(done: &Reconciliation, out: &mut Out) {
    let compared = &done.compared;
    let positions = compared.positions;
    let mut text = format!(
        "{} and {} in the log; ",
        counted(compared.orders, "order"),
        counted(positions.count, "position")
    );
    if positions.open == 0 {
        text.push_str("nothing is open.");
    } else {
        text.push_str(&format!(
            "{} open, worth {} rupees at reference prices",
            counted(positions.open, "position"),
            rupees(positions.open_value.0.into())
        ));
        if positions.open_unvalued > 0 {
            text.push_str(&format!(" ({} without a price)", positions.open_unvalued));
        }
        text.push('.');
    }
    out.paragraph(0, "", &text);
    if compared.on_its_way > 0 {
        let text = format!(
            "{} differences are of the last moments or wait for the drop copy: they may settle by themselves, and are no breaks yet.",
            grouped(compared.on_its_way.into())
        );
        out.paragraph(0, "", &text);
    }
    if compared.before_reach > 0 {
        let text = format!(
            "{} comparisons were left out: trades of the primary's, made before the other side's record begins. They are in no sum.",
            grouped(compared.before_reach.into())
        );
        out.paragraph(0, "", &text);
    }
}

fn breaks(done: &Reconciliation, out: &mut Out) {
    let breaks = &done.compared.breaks;
    if breaks.is_empty() {
        out.heading("No breaks");
        return;
    }
    out.heading("Breaks, most money first");
    for (place, found) in breaks.iter().take(BREAKS_TOLD_MAX).enumerate() {
        out.one(place + 1, found);
    }
    if breaks.len() > BREAKS_TOLD_MAX {
        let rest = &breaks[BREAKS_TOLD_MAX..];
        let money: i128 = rest.iter().map(|found| i128::from(found.money.0)).sum();
        let text = format!(
            "And {} more breaks of {} rupees: --csv and --json have all of them.",
            grouped(rest.len() as i128),
            rupees(money)
        );
        out.paragraph(0, "", &text);
    }
}

type Row = [String; 5];

const COLUMNS: [&str; 5] = [
    "",
    "trades",
    "units bought",
    "units sold",
    "value in rupees",
];

/// `1 order`, `12,000 orders`.
fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(count.into()))
}

fn row(cells: [&str; 5]) -> Row {
    cells.map(str::to_owned)
}

fn sums_row(source: Source, sums: &Sums) -> Row {
    let sum = sum_of(sums, source);
    [
        format!("  {source}"),
        grouped(sum.trades.into()),
        grouped(sum.bought.into()),
        grouped(sum.sold.into()),
        rupees(sum.value),
    ]
}

struct Out<'a> {
    paper: &'a Paper,
    text: String,
}

impl Out<'_> {
    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn heading(&mut self, text: &str) {
        let parts = [(Ink::Heading, text.to_owned())];
        self.text.push_str(&self.paper.line(0, &parts));
        self.blank();
    }

    fn line(&mut self, indent: usize, parts: &[String]) {
        let parts: Vec<_> = parts
            .iter()
            .map(|part| (Ink::Plain, part.clone()))
            .collect();
        self.text.push_str(&" ".repeat(indent));
        self.text
            .push_str(self.paper.line(indent, &parts).trim_start());
        self.blank();
    }

    fn paragraph(&mut self, indent: usize, label: &str, text: &str) {
        let parts = [text.to_owned()];
        self.text
            .push_str(&self.paper.paragraph(indent, label, &parts));
    }

    fn side(&mut self, side: &Side) {
        let mut parts = Vec::new();
        if side.there || side.position.is_some() {
            if side.source == Source::PositionsFile {
                parts.push("read".to_owned());
            } else {
                parts.push(counted(side.sum.trades, "trade"));
            }
            match (side.position, side.as_of) {
                (Some(position), Some(at)) => {
                    parts.push(format!("as of position {position}, {}", shown(at)));
                }
                (Some(position), None) => parts.push(format!("as of position {position}")),
                (None, Some(at)) => parts.push(format!("as of {}", shown(at))),
                (None, None) => {}
            }
        }
        if !side.note.is_empty() {
            parts.push(side.note.clone());
        }
        let label = format!("{:<23}", side.source.name());
        self.paragraph(2, &label, &parts.join("; "));
    }

    /// Numbers to the right, as wide as they need; where the paper is too narrow, each row as running text.
    fn table(&mut self, rows: &[Row]) {
        let mut widths = [0; 5];
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.width().max(*width);
            }
        }
        let whole = 2 + widths.iter().sum::<usize>() + 2 * (widths.len() - 1);
        for row in rows {
            if whole > self.paper.room(0) {
                let cells: Vec<_> = row.iter().map(|cell| cell.trim().to_owned()).collect();
                self.line(2, &cells);
                continue;
            }
            let mut line = format!("  {:<width$}", row[0], width = widths[0]);
            for (cell, width) in row.iter().zip(widths).skip(1) {
                line.push_str(&format!("  {cell:>width$}"));
            }
            self.text.push_str(line.trim_end());
            self.blank();
        }
    }

    fn one(&mut self, number: usize, found: &Break) {
        let title = format!(
            "{number}. {}: {} rupees",
            found.kind,
            rupees(found.money.0.into())
        );
        self.heading(&title);
        let mut about = Vec::new();
        match (&found.client, &found.symbol) {
            (Some(client), Some(symbol)) => about.push(format!("client {client} in {symbol}")),
            (Some(client), None) => about.push(format!("client {client}")),
            (None, Some(symbol)) => about.push(symbol.to_string()),
            (None, None) => {}
        }
        if let Some(venue) = found.venue {
            let segment = found
                .segment
                .map_or_else(String::new, |segment| format!(" {segment}"));
            let product = found
                .product
                .map_or_else(String::new, |product| format!(", {product}"));
            about.push(format!("at {venue}{segment}{product}"));
        }
        if let Some(execution) = &found.execution {
            let id = execution
                .rsplit_once('|')
                .map_or(execution.as_str(), |(_, id)| id);
            about.push(format!("execution {id}"));
        }
        if let Some(order) = &found.order {
            about.push(format!("order {order}"));
        }
        self.line(3, &about);
        for (source, text) in &found.says {
            self.paragraph(3, &format!("{:<23}", source.name()), text);
        }
        self.paragraph(3, "likely  ", &found.cause);
        self.paragraph(3, "next    ", &found.next);
        if let Some(stream) = &found.stream {
            self.paragraph(3, "look    ", &format!("squareoff replay {stream}"));
        }
    }
}

#[cfg(test)]
mod tests;
