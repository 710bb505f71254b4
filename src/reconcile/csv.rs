//! The breaks as CSV for a spreadsheet: a row each, most money first. No cell can be taken for a formula.

use super::rupees::plain;
use anyhow::Result;
use squareoff_reconcile::{Break, Reconciliation, Source};

const COLUMNS: [&str; 19] = [
    "number",
    "kind",
    "money_rupees",
    "venue",
    "segment",
    "client_code",
    "symbol",
    "product",
    "execution_key",
    "cl_ord_id",
    "stream",
    "log",
    "drop_copy",
    "ledger",
    "trades_file",
    "postgres",
    "positions_file",
    "cause",
    "next",
];

pub fn breaks(done: &Reconciliation) -> Result<String> {
    let mut rows = ::csv::Writer::from_writer(Vec::new());
    rows.write_record(COLUMNS)?;
    for (place, found) in done.compared.breaks.iter().enumerate() {
        rows.write_record(row(place + 1, found).iter().map(|cell| guarded(cell)))?;
    }
    Ok(String::from_utf8(rows.into_inner()?)?)
}

fn row(number: usize, found: &Break) -> [String; COLUMNS.len()] {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let says = |source| {
        let said = found.says.iter().find(|(who, _)| *who == source);
        said.map_or_else(String::new, |(_, text)| text.clone())
    };
    [
        number.to_string(),
        found.kind.code().to_owned(),
        plain(found.money.0.into()),
        text(found.venue.map(|venue| venue.as_str())),
        text(found.segment.map(|segment| segment.as_str())),
        text(found.client.as_deref()),
        text(found.symbol.as_deref()),
        text(found.product.map(|product| product.as_str())),
        text(found.execution.as_deref()),
        text(found.order.as_deref()),
        text(found.stream.as_deref()),
        says(Source::Log),
        says(Source::DropCopy),
        says(Source::Ledger),
        says(Source::TradesFile),
        says(Source::ReadModel),
        says(Source::PositionsFile),
        found.cause.clone(),
        found.next.clone(),
    ]
}

/// What a spreadsheet would take for a formula is marked as text, as they all understand it.
fn guarded(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_can_be_taken_for_a_formula() {
        for evil in ["=1+1", "+1", "-75", "@SUM(A1)", "\t=1", "\r=1", "\n=1"] {
            assert_eq!(guarded(evil), format!("'{evil}"));
        }
        for good in ["", "75", "BAJAJ-AUTO", "SELL 75 at 1.00", "a=b"] {
            assert_eq!(guarded(good), good);
        }
    }
}
