//! A bulk on paper: where it is, how many items came to which end, and each item.

use super::{Focus, List, Row, Sheet};
use crate::replay::value::Value;
use squareoff_domain::bulk::{Bulk, ItemStatus};

/// Items are listed where all of the bulk is asked for: an event touches a thousand of them at once, and its words count those.
pub fn sheet(bulk: &Bulk, focus: Focus) -> Sheet {
    let (proposed, counts) = (bulk.proposed.as_ref(), bulk.counts);
    let lists = match focus {
        Focus::All => vec![items(bulk)],
        Focus::On(_) => vec![],
    };
    Sheet {
        figures: vec![
            ("status", bulk.status.as_str().into()),
            ("phase", Value::some(bulk.phase.map(|phase| phase.as_str()))),
            (
                "proposed by",
                Value::some(proposed.map(|asked| asked.proposed_by.clone())),
            ),
            ("approved by", Value::some(bulk.approved_by.clone())),
            (
                "reason",
                Value::some(proposed.map(|asked| asked.reason.clone())),
            ),
            (
                "items proposed",
                Value::some(proposed.map(|asked| asked.items)),
            ),
            ("items listed", counts.listed.into()),
            ("free of working orders", counts.cancelled.into()),
            ("closed", counts.closed.into()),
            ("nothing to do", counts.nothing_to_do.into()),
            ("refused", counts.refused.into()),
            ("failed", counts.failed.into()),
            ("skipped", counts.skipped.into()),
        ],
        lists,
    }
}

fn items(bulk: &Bulk) -> List {
    let rows = bulk
        .items
        .iter()
        .zip(&bulk.statuses)
        .map(|((index, item), status)| Row {
            key: index.to_string(),
            label: format!("item {index}"),
            cells: vec![
                ("position", Value::Text(item.key.stream())),
                ("phase", item.phase.as_str().into()),
                ("net when listed", item.net.into()),
                ("status", word(*status).into()),
            ],
        });
    List {
        name: "items",
        of: "item",
        rows: rows.collect(),
    }
}

const fn word(status: ItemStatus) -> &'static str {
    match status {
        ItemStatus::Open => "open",
        ItemStatus::Closed => "closed",
        ItemStatus::NothingToDo => "nothing to do",
        ItemStatus::Refused => "refused",
        ItemStatus::Failed => "failed",
        ItemStatus::Skipped => "skipped",
    }
}
