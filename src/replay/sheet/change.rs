//! What an event changed: the difference of the sheets before and after it.

use super::{Figure, Row, Sheet, field};
use crate::replay::value::Value;
use crate::replay::zone::Zone;
use serde_json::{Value as Json, json};

/// One value that is another one now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whose; `None` for a figure of the whole stream.
    pub of: Option<Of>,
    pub what: &'static str,
    pub before: Value,
    pub after: Value,
}

/// A line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Of {
    /// `order`.
    pub kind: &'static str,
    pub key: String,
    /// `order 2`.
    pub label: String,
}

/// In the order of the sheet: figures, then each list's lines. A line that is new is a change of each of its values from nothing, and
/// one that is gone of each to nothing; what was nothing and says nothing still is no change.
pub fn changes(before: &Sheet, after: &Sheet) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(&mut changes, None, &before.figures, &after.figures);
    for (index, list) in after.lists.iter().enumerate() {
        let old: &[Row] = before.lists.get(index).map_or(&[], |list| &list.rows);
        let of = |row: &Row| Of {
            kind: list.of,
            key: row.key.clone(),
            label: row.label.clone(),
        };
        for (place, row) in list.rows.iter().enumerate() {
            let known = known(old, place, &row.key).map_or(&[][..], |row| &row.cells);
            if known != row.cells {
                compare(&mut changes, Some(of(row)), known, &row.cells);
            }
        }
        let gone = |row: &&Row| known(&list.rows, 0, &row.key).is_none();
        // Lists of the domain grow, but for a platform's halts and wishes.
        if old.len() > list.rows.len()
            || old
                .iter()
                .zip(&list.rows)
                .any(|(old, new)| old.key != new.key)
        {
            for row in old.iter().filter(gone) {
                compare(&mut changes, Some(of(row)), &row.cells, &[]);
            }
        }
    }
    changes
}

/// The line of this key, most often at the place where it is in the other list.
fn known<'a>(rows: &'a [Row], place: usize, key: &str) -> Option<&'a Row> {
    let same = rows.get(place).filter(|row| row.key == key);
    same.or_else(|| rows.iter().find(|row| row.key == key))
}

fn compare(changes: &mut Vec<Change>, of: Option<Of>, before: &[Figure], after: &[Figure]) {
    let names = if after.is_empty() { before } else { after };
    for (index, (what, _)) in names.iter().enumerate() {
        let value = |figures: &[Figure]| {
            figures
                .get(index)
                .map_or(Value::Nothing, |(_, value)| value.clone())
        };
        let (before, after) = (value(before), value(after));
        let said = before != after && !(before.is_blank() && after.is_blank());
        if said {
            changes.push(Change {
                of: of.clone(),
                what,
                before,
                after,
            });
        }
    }
}

impl Change {
    /// Of the documented shape: `of` is `null` or `{"kind", "key"}`.
    pub fn json(&self) -> Json {
        let of = self
            .of
            .as_ref()
            .map(|of| json!({"kind": of.kind, "key": of.key}));
        json!({"of": of, "what": field(self.what), "before": self.before.json(), "after": self.after.json()})
    }
}

/// `net 500 → 450; order 1: filled 0 → 50, leaves 100 → 50`. Each part is whole: a line is broken between them first.
pub fn in_words(changes: &[Change], zone: Zone) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut last: Option<&Of> = None;
    for (index, change) in changes.iter().enumerate() {
        let of = change.of.as_ref();
        let mut part = match of {
            Some(of) if index == 0 || last != Some(of) => format!("{}: ", of.label),
            Some(_) | None => String::new(),
        };
        last = of;
        part.push_str(change.what);
        part.push(' ');
        match (&change.before, &change.after) {
            (before, after) if before.is_blank() && of.is_some() && *before == Value::Nothing => {
                part.push_str(&after.shown(zone));
            }
            (before, after) => {
                part.push_str(&format!("{} → {}", before.shown(zone), after.shown(zone)));
            }
        }
        let next = changes.get(index + 1);
        match next {
            None => {}
            Some(next) if next.of.as_ref() == of => part.push(','),
            Some(_) => part.push(';'),
        }
        parts.push(part);
    }
    parts
}
