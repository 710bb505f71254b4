//! The exchange's own durable record: `ledger.jsonl`, append-only, one fact a line, in ordinal order.
//!
//! The engine thread appends; feeds and checkers read. It is the oracle of the whole project's "nothing lost, nothing
//! twice", so it depends on nothing that is being checked.
//!
//! 1. A batch is one write and one fdatasync, and no report of it leaves before.
//! 2. A message's facts are in it whole or not at all: what follows the last line marked `completes` is cut on open.
//! 3. Only the end can be torn. A line that can't be read with another line after it is damage, and is said aloud.
//! 4. One process at a time: the lock is held as long as the ledger is open.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::book::Side;
use crate::fact::{Cause, Fact, HOUSE, Happening, Line, OrderImage};

pub const FILE_NAME: &str = "ledger.jsonl";
const LOCK_NAME: &str = "exchange.lock";

#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("data folder {} is in use by another exchange", path.display())]
    Locked { path: PathBuf },
    #[error("ledger {}, line {line}: {why}", path.display())]
    Damaged {
        path: PathBuf,
        line: u64,
        why: String,
    },
    #[error("ledger {}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
}

/// The open ledger: the only writer.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: File,
    len_bytes: u64,
    next_ordinal: u64,
    buffer: Vec<u8>,
    _lock: File,
}

impl Ledger {
    /// Opens or makes the ledger of a data folder, cuts a torn end, and gives `replay` every whole fact in order with
    /// the byte its line begins at.
    ///
    /// # Errors
    /// When the folder is in use, can't be used, or the file is damaged before its end.
    pub fn open(dir: &Path, mut replay: impl FnMut(u64, Fact)) -> Result<Self, LedgerError> {
        let path = dir.join(FILE_NAME);
        let io = |source| LedgerError::Io {
            path: path.clone(),
            source,
        };
        std::fs::create_dir_all(dir).map_err(io)?;
        let lock = File::create(dir.join(LOCK_NAME)).map_err(io)?;
        lock.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => LedgerError::Locked {
                path: dir.to_owned(),
            },
            std::fs::TryLockError::Error(source) => io(source),
        })?;
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(&path)
            .map_err(io)?;
        // The file's name must survive a power cut as well as its content.
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(io)?;
        let mut reader = Reader::new(&path, 0)?;
        let (mut len_bytes, mut next_ordinal) = (0, 1);
        while let Some(group) = reader.message()? {
            for (at, fact) in group {
                next_ordinal = fact.ordinal + 1;
                replay(at, fact);
            }
            len_bytes = reader.at;
        }
        let found = file.metadata().map_err(io)?.len();
        if found > len_bytes {
            tracing::warn!(
                ledger.bytes_cut = found - len_bytes,
                "cut the ledger's torn end"
            );
            file.set_len(len_bytes)
                .and_then(|()| file.sync_data())
                .map_err(io)?;
        }
        file.seek(SeekFrom::End(0)).map_err(io)?;
        Ok(Self {
            path,
            file,
            len_bytes,
            next_ordinal,
            buffer: Vec::new(),
            _lock: lock,
        })
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    #[must_use]
    pub fn next_ordinal(&self) -> u64 {
        self.next_ordinal
    }

    /// Writes a batch and makes it durable; answers the byte each line begins at. After an error the ledger's end is
    /// unknown: stop, and open again.
    ///
    /// # Errors
    /// When the system can't write or sync.
    pub fn append(&mut self, facts: &[Fact]) -> Result<Vec<u64>, LedgerError> {
        self.buffer.clear();
        let mut starts = Vec::with_capacity(facts.len());
        for fact in facts {
            debug_assert_eq!(
                fact.ordinal, self.next_ordinal,
                "facts come in order, without holes"
            );
            self.next_ordinal = fact.ordinal + 1;
            starts.push(self.len_bytes + self.buffer.len() as u64);
            serde_json::to_writer(&mut self.buffer, &Line::from(fact))
                .expect("writing to memory can't fail");
            self.buffer.push(b'\n');
        }
        let io = |source| LedgerError::Io {
            path: self.path.clone(),
            source,
        };
        self.file
            .write_all(&self.buffer)
            .and_then(|()| self.file.sync_data())
            .map_err(io)?;
        self.len_bytes += self.buffer.len() as u64;
        Ok(starts)
    }
}

/// Reads facts from a byte at which a message's first line begins.
#[derive(Debug)]
pub(crate) struct Reader {
    path: PathBuf,
    lines: BufReader<File>,
    /// Where the next unread message begins.
    at: u64,
    line: u64,
    /// The ordinal the next line must have; unknown before the first.
    due: Option<u64>,
    text: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(path: &Path, at: u64) -> Result<Self, LedgerError> {
        let io = |source| LedgerError::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(io)?;
        file.seek(SeekFrom::Start(at)).map_err(io)?;
        Ok(Self {
            path: path.to_owned(),
            lines: BufReader::with_capacity(1 << 16, file),
            at,
            line: 0,
            due: (at == 0).then_some(1),
            text: Vec::new(),
        })
    }

    /// The facts of the next message, each with the byte its line begins at; `None` at the (perhaps torn) end.
    pub(crate) fn message(&mut self) -> Result<Option<Vec<(u64, Fact)>>, LedgerError> {
        let (mut at, mut facts) = (self.at, Vec::new());
        loop {
            self.text.clear();
            let read = self
                .lines
                .read_until(b'\n', &mut self.text)
                .map_err(|source| self.io(source))?;
            self.line += 1;
            if self.text.last() != Some(&b'\n') {
                return Ok(None);
            }
            let due = self.due;
            let parsed = serde_json::from_slice::<Line>(&self.text)
                .map_err(|error| error.to_string())
                .and_then(Fact::try_from);
            let parsed = parsed.and_then(|fact| {
                let next = match fact.happening {
                    Happening::TailLost { from } => from,
                    _ => fact.ordinal,
                };
                match due {
                    Some(due) if due != next => {
                        Err(format!("ordinal {} where {due} was due", fact.ordinal))
                    }
                    Some(_) | None => Ok(fact),
                }
            });
            let fact = match parsed {
                Ok(fact) => fact,
                Err(_) if self.at_end()? => return Ok(None),
                Err(why) => {
                    return Err(LedgerError::Damaged {
                        path: self.path.clone(),
                        line: self.line,
                        why,
                    });
                }
            };
            let completes = fact.completes;
            self.due = Some(fact.ordinal + 1);
            facts.push((at, fact));
            at += read as u64;
            if completes {
                self.at = at;
                return Ok(Some(facts));
            }
        }
    }

    fn at_end(&mut self) -> Result<bool, LedgerError> {
        let rest = self.lines.fill_buf().map(<[u8]>::is_empty);
        rest.map_err(|source| self.io(source))
    }

    fn io(&self, source: std::io::Error) -> LedgerError {
        LedgerError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

/// Cuts the last lines off a ledger, with what is left of a message that is not whole then, and says so in a line of its own,
/// so that no ordinal is given out twice. A ledger that has no such lines is left as it is.
///
/// # Errors
/// When the folder is in use, the file can't be read or cut, or is damaged before its end.
pub fn lose_tail(dir: &Path, lines: u64) -> Result<(), LedgerError> {
    let mut whole = Vec::new();
    let mut last = None;
    let ledger = Ledger::open(dir, |at, fact| {
        whole.push((at, fact.ordinal, fact.completes));
        last = Some(fact);
    })?;
    let Some(last) = last.filter(|_| lines > 0) else {
        return Ok(());
    };
    let mut keeps = whole
        .len()
        .saturating_sub(usize::try_from(lines).unwrap_or(usize::MAX));
    while keeps > 0 && !whole[keeps - 1].2 {
        keeps -= 1;
    }
    let from = keeps.checked_sub(1).map_or(1, |at| whole[at].1 + 1);
    let lost = Fact {
        ordinal: last.ordinal + 1,
        venue: HOUSE.to_owned(),
        session: HOUSE.to_owned(),
        cause: Cause::house(),
        completes: true,
        order: OrderImage::none(),
        happening: Happening::TailLost { from },
        fault: None,
        ..last
    };
    let mut line = serde_json::to_vec(&Line::from(&lost)).expect("writing to memory can't fail");
    line.push(b'\n');
    let mut file = &ledger.file;
    let cut = file.set_len(whole[keeps].0);
    let written = cut.and_then(|()| file.write_all(&line));
    written
        .and_then(|()| file.sync_data())
        .map_err(|source| LedgerError::Io {
            path: ledger.path.clone(),
            source,
        })
}

/// Every whole fact of a ledger file, in order; a torn end is not an error. May be read while the exchange runs.
///
/// # Errors
/// When the file can't be opened; each item can be damage or a failed read.
pub fn read(path: &Path) -> Result<impl Iterator<Item = Result<Fact, LedgerError>>, LedgerError> {
    let mut reader = Reader::new(path, 0)?;
    let messages = std::iter::from_fn(move || reader.message().transpose());
    Ok(messages.flat_map(|message| match message {
        Ok(facts) => facts.into_iter().map(|(_, fact)| Ok(fact)).collect(),
        Err(error) => vec![Err(error)],
    }))
}

/// What a checker compares with: everything the exchange says it did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub facts: u64,
    pub orders_accepted: u64,
    pub orders_rejected: u64,
    pub cancels: u64,
    /// Of requests to replace, too.
    pub cancels_rejected: u64,
    pub replacements: u64,
    pub expiries: u64,
    pub busts: u64,
    /// Fresh messages that reused a ClOrdID of the day: must be 0, or something was sent twice.
    pub duplicate_cl_ord_ids: u64,
    pub executions: u64,
    /// Messages that were one too many in their second, and not looked at.
    pub throttled: u64,
    /// Executed units by account, symbol and side; after busts and corrections.
    pub executed_units: BTreeMap<(String, String, Side), i64>,
    /// The same by the ClOrdID that the order was placed with (cumulative over days: ClOrdIDs are not reused by our gateway).
    pub cum_units: BTreeMap<String, i64>,
}

/// Reads the file once and adds up.
///
/// # Errors
/// As [`read`].
pub fn summary(path: &Path) -> Result<Summary, LedgerError> {
    let mut summary = Summary::default();
    for fact in read(path)? {
        summary.add(&fact?);
    }
    Ok(summary)
}

impl Summary {
    pub fn add(&mut self, fact: &Fact) {
        self.facts += 1;
        self.duplicate_cl_ord_ids += u64::from(fact.is_duplicate_cl_ord_id());
        match &fact.happening {
            Happening::Accepted if !fact.is_release() => self.orders_accepted += 1,
            Happening::Suspended | Happening::AcknowledgedLate => self.orders_accepted += 1,
            Happening::Rejected { .. } => self.orders_rejected += 1,
            Happening::Canceled { .. } => self.cancels += 1,
            Happening::CancelRejected { .. } => self.cancels_rejected += 1,
            Happening::Replaced { .. } => self.replacements += 1,
            Happening::Expired => self.expiries += 1,
            Happening::Busted { was_units, .. } => {
                self.busts += 1;
                self.count(fact, -was_units);
            }
            Happening::Corrected {
                was_units,
                last_units,
                ..
            } => self.count(fact, last_units - was_units),
            Happening::Executed { last_units, .. } => {
                self.executions += 1;
                self.count(fact, *last_units);
            }
            Happening::Throttled { .. } => self.throttled += 1,
            Happening::Accepted
            | Happening::Carried
            | Happening::PhaseChanged { .. }
            | Happening::FreezeArmed { .. }
            | Happening::Repeated { .. }
            | Happening::Vanished
            | Happening::Dropped { .. }
            | Happening::MassCanceled { .. }
            | Happening::Set(_)
            | Happening::TailLost { .. } => {}
        }
    }

    fn count(&mut self, fact: &Fact, units: i64) {
        let OrderImage {
            account,
            symbol,
            side,
            original_cl_ord_id,
            ..
        } = fact.order.clone();
        *self
            .executed_units
            .entry((account, symbol, side))
            .or_default() += units;
        *self.cum_units.entry(original_cl_ord_id).or_default() += units;
    }
}

#[cfg(test)]
mod tests;
