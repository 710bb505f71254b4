//! Reads the beginning-of-day folder, strictly: what is wrong with it is said all at once, by file, line and column.
//!
//! 1. A folder with one mistake gives no book.
//! 2. A position is a fact of the primary: an odd lot, a flat line, a product that does not fit or a segment the client may not trade is read
//!    as it stands. What can't be *understood* (an unknown client or contract, a line told twice) is a mistake of the file.
//! 3. Identities never appear in a message.

pub(crate) mod mistakes;
pub(crate) mod row;
mod rows;

use crate::book::{Book, PositionLine, Versions, clients_version};
use crate::format::{
    CLIENT_COLUMNS, CLIENT_COLUMNS_OPTIONAL, CLIENTS_FILE, CONTRACT_COLUMNS,
    CONTRACT_COLUMNS_OPTIONAL, CONTRACTS_FILE, POSITION_COLUMNS, POSITIONS_FILE, version,
};
use mistakes::Mistakes;
use row::Row;
use rows::Known;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use zeroize::Zeroizing;

pub use mistakes::{BodError, MISTAKES_SHOWN_MAX, Mistake};

/// About four million positions: more than any broker has, little enough to be held in memory.
pub const FILE_BYTES_MAX: u64 = 256 << 20;
/// What mistakes call a file of positions that is no part of a book.
const CLOSING_POSITIONS: &str = "the closing positions";

/// The book that the folder `dir` holds, with the versions of its files.
///
/// # Errors
/// [`BodError`], which lists the mistakes.
pub fn read(dir: &Path) -> Result<Book, BodError> {
    let mut mistakes = Mistakes::default();
    let contracts_bytes = bytes(dir, CONTRACTS_FILE, &mut mistakes);
    // Identities in the clear, overwritten when they are read.
    let clients_bytes = bytes(dir, CLIENTS_FILE, &mut mistakes).map(Zeroizing::new);
    let positions_bytes = bytes(dir, POSITIONS_FILE, &mut mistakes);

    let mut known = Known::default();
    let mut contracts = Vec::new();
    known.contracts_complete = each_row(
        CONTRACTS_FILE,
        (CONTRACT_COLUMNS, CONTRACT_COLUMNS_OPTIONAL),
        &contracts_bytes,
        &mut mistakes,
        |row| {
            contracts.extend(rows::contract(row, &mut known));
        },
    );
    if known.contracts_complete && known.date.is_none() {
        mistakes.of_file(CONTRACTS_FILE, "has no contracts".to_owned());
    }
    let mut clients = Vec::new();
    known.clients_complete = each_row(
        CLIENTS_FILE,
        (CLIENT_COLUMNS, CLIENT_COLUMNS_OPTIONAL),
        &clients_bytes,
        &mut mistakes,
        |row| {
            clients.extend(rows::client(row, &mut known));
        },
    );
    let mut positions = Vec::new();
    each_row(
        POSITIONS_FILE,
        (POSITION_COLUMNS, 0),
        &positions_bytes,
        &mut mistakes,
        |row| {
            positions.extend(rows::position(row, &mut known));
        },
    );

    let (Some(trading_date), true) = (known.date, mistakes.is_empty()) else {
        return Err(mistakes.into());
    };
    let versions = Versions {
        contracts: version(trading_date, &contracts_bytes.unwrap_or_default()),
        clients: clients_version(trading_date, &clients),
        positions: version(trading_date, &positions_bytes.unwrap_or_default()),
    };
    for line in &mut contracts {
        line.contract.version.clone_from(&versions.contracts);
    }
    Ok(Book {
        trading_date,
        contracts,
        clients,
        positions,
        versions,
    })
}

/// The lines of one file of positions, all of one trading date, without the other files of a book beside it: the positions that the
/// broker's own books end the day with.
///
/// # Errors
/// [`BodError`], which lists the mistakes; a file without a position is one.
pub fn read_positions(path: &Path) -> Result<Vec<PositionLine>, BodError> {
    let (mut mistakes, mut known) = (Mistakes::default(), Known::default());
    let bytes = bytes_of(path, CLOSING_POSITIONS, &mut mistakes);
    let mut positions = Vec::new();
    each_row(
        CLOSING_POSITIONS,
        (POSITION_COLUMNS, 0),
        &bytes,
        &mut mistakes,
        |row| positions.extend(rows::position(row, &mut known)),
    );
    if mistakes.is_empty() && positions.is_empty() {
        mistakes.of_file(CLOSING_POSITIONS, "has no positions".to_owned());
    }
    if mistakes.is_empty() {
        Ok(positions)
    } else {
        Err(mistakes.into())
    }
}

pub(crate) fn bytes(dir: &Path, file: &'static str, mistakes: &mut Mistakes) -> Option<Vec<u8>> {
    bytes_of(&dir.join(file), file, mistakes)
}

/// The bytes of a file that mistakes call `file`.
pub(crate) fn bytes_of(
    path: &Path,
    file: &'static str,
    mistakes: &mut Mistakes,
) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Ok(length) if length as u64 > FILE_BYTES_MAX => {
            mistakes.of_file(file, format!("is larger than {FILE_BYTES_MAX} bytes"));
            None
        }
        Ok(_) => Some(bytes),
        Err(error) => {
            mistakes.of_file(file, format!("could not be read: {error}"));
            None
        }
    }
}

/// Hands every row to `each`; false when not all of the file could be understood as rows. The last `optional` columns may be missing
/// in the whole file.
pub(crate) fn each_row(
    file: &'static str,
    (columns, optional): (&'static [&'static str], usize),
    bytes: &Option<impl AsRef<[u8]>>,
    mistakes: &mut Mistakes,
    mut each: impl FnMut(&mut Row),
) -> bool {
    let Some(bytes) = bytes else { return false };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(bytes.as_ref());
    let mut complete = true;
    let mut record = csv::StringRecord::new();
    let mut header_read = false;
    let mut width = columns.len();
    loop {
        let line = reader.position().line();
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            // In memory, only text that is not UTF-8 is left to go wrong, and the reader goes on behind it.
            Err(_) => {
                mistakes.of_line(file, line, "is not UTF-8 text".to_owned());
                complete = false;
                continue;
            }
        }
        let line = record.position().map_or(line, csv::Position::line);
        if !header_read {
            header_read = true;
            width = record.len();
            let begins = record.iter().eq(columns.iter().copied().take(width));
            if !begins || !(columns.len() - optional..=columns.len()).contains(&width) {
                let why = format!("must be the header {}", columns.join(","));
                mistakes.of_line(file, line, why);
                return false;
            }
            continue;
        }
        if record.len() != width {
            let why = format!("has {} columns, not {width}", record.len());
            mistakes.of_line(file, line, why);
            complete = false;
            continue;
        }
        each(&mut Row {
            file,
            line,
            columns,
            record: &record,
            mistakes,
        });
    }
    if !header_read {
        mistakes.of_line(file, 1, format!("must be the header {}", columns.join(",")));
    }
    complete && header_read
}
