//! What is wrong with the files, collected: as many as can be read in one go, and how many there are.

use std::fmt;
use thiserror::Error;

/// Mistakes that are kept and shown; a file from the wrong day has one per line, and twenty show the pattern.
pub const MISTAKES_SHOWN_MAX: usize = 20;
/// Characters of a cell that are shown.
const VALUE_CHARS_MAX: usize = 60;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub file: &'static str,
    /// From 1, the header; `None` for the file as a whole.
    pub line: Option<u64>,
    /// `None` for the line as a whole.
    pub column: Option<&'static str>,
    /// What stands there, shortened; `None` where it is withheld or there is none.
    pub value: Option<String>,
    /// Continues the sentence: `is not ...`, `must be ...`.
    pub why: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ", column {column}:")?;
        }
        match &self.value {
            Some(value) => write!(f, " `{value}`")?,
            None if self.column.is_some() => f.write_str(" the value (withheld)")?,
            None => {}
        }
        write!(f, " {}", self.why)
    }
}

/// Why a folder is no book.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{count} {} in the files:{}", if *count == 1 { "mistake" } else { "mistakes" }, listed(.shown, *.count))]
pub struct BodError {
    /// The first of them, at most [`MISTAKES_SHOWN_MAX`], in the order of the files.
    pub shown: Vec<Mistake>,
    pub count: usize,
}

fn listed(shown: &[Mistake], count: usize) -> String {
    let lines: String = shown
        .iter()
        .map(|mistake| format!("\n  {mistake}"))
        .collect();
    match count.saturating_sub(shown.len()) {
        0 => lines,
        more => format!("{lines}\n  and {more} more"),
    }
}

#[derive(Debug, Default)]
pub(crate) struct Mistakes {
    shown: Vec<Mistake>,
    count: usize,
}

impl Mistakes {
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn add(&mut self, mistake: Mistake) {
        self.count += 1;
        if self.shown.len() < MISTAKES_SHOWN_MAX {
            self.shown.push(mistake);
        }
    }

    pub fn of_file(&mut self, file: &'static str, why: String) {
        self.add(Mistake {
            file,
            line: None,
            column: None,
            value: None,
            why,
        });
    }

    pub fn of_line(&mut self, file: &'static str, line: u64, why: String) {
        self.add(Mistake {
            file,
            line: Some(line),
            column: None,
            value: None,
            why,
        });
    }
}

impl From<Mistakes> for BodError {
    fn from(Mistakes { shown, count }: Mistakes) -> Self {
        BodError { shown, count }
    }
}

pub(super) fn shortened(value: &str) -> String {
    match value.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}
