//! One row being read: knows where it stands, so that every mistake can say so. A cell that is wrong is noted and read as `None`, so
//! that the other cells of the row are still looked at.

use super::mistakes::{Mistake, Mistakes, shortened};
use squareoff_domain::client::IdentityField;
use squareoff_domain::id::IdError;
use squareoff_domain::{ExecutionKey, NetQuantity, Price, Quantity, TradingDate, Venue};
use std::fmt::Display;
use std::str::FromStr;

pub(crate) struct Row<'a> {
    pub file: &'static str,
    pub line: u64,
    pub columns: &'static [&'static str],
    pub record: &'a csv::StringRecord,
    pub mistakes: &'a mut Mistakes,
}

impl Row<'_> {
    pub fn text(&self, column: &'static str) -> &str {
        let index = self.columns.iter().position(|name| *name == column);
        // An optional column that the file leaves out is empty.
        let index = index.expect("only columns of the file are asked for");
        self.record.get(index).unwrap_or_default()
    }

    pub fn refuse(&mut self, column: &'static str, why: impl Display) {
        let value = Some(shortened(self.text(column)));
        self.note(column, value, why);
    }

    fn note(&mut self, column: &'static str, value: Option<String>, why: impl Display) {
        self.mistakes.add(Mistake {
            file: self.file,
            line: Some(self.line),
            column: Some(column),
            value,
            why: why.to_string(),
        });
    }

    /// The cell as `read` takes it, or a mistake that says `why`.
    pub fn cell<T>(
        &mut self,
        column: &'static str,
        why: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let found = read(self.text(column));
        if found.is_none() {
            self.refuse(column, why);
        }
        found
    }

    /// A cell that no message may show.
    pub fn identity(&mut self, column: &'static str, field: IdentityField) -> Option<String> {
        let text = self.text(column);
        match field.mistake(text) {
            None => Some(text.to_owned()),
            Some(why) => {
                self.withhold(column, why);
                None
            }
        }
    }

    /// A mistake that does not show the cell.
    pub fn withhold(&mut self, column: &'static str, why: impl Display) {
        self.note(column, None, why);
    }

    pub fn id<T: FromStr<Err = IdError>>(&mut self, column: &'static str) -> Option<T> {
        match self.text(column).parse() {
            Ok(id) => Some(id),
            Err(IdError { what, expected, .. }) => {
                self.refuse(column, format!("is not a {what}: {expected}"));
                None
            }
        }
    }

    pub fn date(&mut self, column: &'static str) -> Option<TradingDate> {
        let why = "is not a date of the form YYYY-MM-DD";
        self.cell(column, why, |text| text.parse().ok())
    }

    pub fn rupees(&mut self, column: &'static str) -> Option<Price> {
        let why = "is not a decimal number of rupees with at most four decimals";
        self.cell(column, why, |text| text.parse().ok())
    }

    pub fn rupees_above_zero(&mut self, column: &'static str) -> Option<Price> {
        let price = self.rupees(column)?;
        if price.0 > 0 {
            return Some(price);
        }
        self.refuse(column, "must be above zero");
        None
    }

    /// A whole number of units, zero or more.
    pub fn units_or_none(&mut self, column: &'static str) -> Option<Quantity> {
        let why = "is not a whole number of units, at most a million million";
        self.cell(column, why, |text| {
            let units = all_digits(text).then(|| text.parse().ok()).flatten()?;
            Quantity::new(units).ok()
        })
    }

    /// A whole number of units above zero.
    pub fn units(&mut self, column: &'static str) -> Option<Quantity> {
        let why = "is not a whole number of units above zero, at most a million million";
        self.cell(column, why, |text| {
            let units = all_digits(text).then(|| text.parse().ok()).flatten()?;
            Quantity::new(units).ok().filter(|units| !units.is_zero())
        })
    }

    /// The key of an execution with this trade number.
    pub fn execution(
        &mut self,
        column: &'static str,
        venue: Venue,
        date: TradingDate,
    ) -> Option<ExecutionKey> {
        let why = "is not a trade number: printable ASCII characters without `|`, at most 60";
        self.cell(column, why, |text| {
            // The separator of an execution's key can't stand in it.
            let good = !text.is_empty() && !text.contains('|');
            good.then(|| ExecutionKey::new(venue, date, text).ok())
                .flatten()
        })
    }

    /// A signed whole number of units.
    pub fn net_units(&mut self, column: &'static str) -> Option<NetQuantity> {
        let why = "is not a whole number of units, at most a million million either way";
        self.cell(column, why, |text| {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let units: i64 = all_digits(digits).then(|| text.parse().ok()).flatten()?;
            let open = NetQuantity(units).open();
            (open <= Quantity::MAX).then_some(NetQuantity(units))
        })
    }

    /// A short printable label such as a branch or a source.
    pub fn label(&mut self, column: &'static str) -> Option<String> {
        const CHARS_MAX: usize = 32;
        let why = "is not a label: 1 to 32 printable ASCII characters";
        let good = |text: &str| {
            !text.is_empty()
                && text.len() <= CHARS_MAX
                && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        self.cell(column, why, |text| good(text).then(|| text.to_owned()))
    }
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
