//! What a journal holds beside the present generation: told to an application that has to know all it ever handed over.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::folder::{at, open_file};
use super::format;
use super::{Journal, JournalError, Kind, WALK_RECORDS};

/// The application messages that a journal was ever given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Their ids, oldest first.
    pub ids: Vec<String>,
    /// Whether every generation was there. What one that is missing held, nobody can tell.
    pub complete: bool,
}

impl Journal {
    /// Every application message, those of older generations included. Reads all files once. Blocks.
    ///
    /// # Errors
    /// `Io`; `Damaged` when an older generation is unreadable.
    pub fn history(&self) -> Result<History, JournalError> {
        let mut history = History::default();
        let mut found = BTreeSet::new();
        for (generation, path) in self.older()? {
            found.insert(generation);
            read_ids(&path, &mut history.ids)?;
        }
        for record in self.iter() {
            let record = record?;
            if record.kind == Kind::App {
                history.ids.push(record.id);
            }
        }
        history.complete = (1..self.generation()).all(|generation| found.contains(&generation));
        Ok(history)
    }

    /// The files of older generations, oldest first.
    fn older(&self) -> Result<Vec<(u64, PathBuf)>, JournalError> {
        let mut older = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(at(&self.folder))? {
            let path = entry.map_err(at(&self.folder))?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let named = name.and_then(|name| name.strip_prefix("outbound-")?.strip_suffix(".log"));
            let generation = named.and_then(|named| named.split('-').next()?.parse().ok());
            if let Some(generation) = generation {
                older.push((generation, path));
            }
        }
        older.sort();
        Ok(older)
    }
}

fn read_ids(path: &std::path::Path, ids: &mut Vec<String>) -> Result<(), JournalError> {
    use std::os::unix::fs::FileExt;
    let file = open_file(path)?;
    let scan = format::scan(&file, path)?;
    let pieces = scan
        .starts
        .chunks(usize::try_from(WALK_RECORDS).unwrap_or(usize::MAX));
    let mut begins = pieces.map(|piece| piece[0]).peekable();
    while let Some(start) = begins.next() {
        let end = begins.peek().copied().unwrap_or(scan.end);
        let mut bytes = vec![0; (end - start) as usize];
        file.read_exact_at(&mut bytes, start).map_err(at(path))?;
        let records = format::take_all(bytes.into()).ok_or_else(|| JournalError::Damaged {
            file: path.to_owned(),
            what: "a record in the middle is unreadable",
        })?;
        let ours = records
            .into_iter()
            .filter(|record| record.kind == Kind::App);
        ids.extend(ours.map(|record| record.id));
    }
    Ok(())
}
