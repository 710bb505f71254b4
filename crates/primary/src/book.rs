//! The broker's book at the beginning of a day, and the folder of CSV files that holds it.
//!
//! Made by [`generate`](crate::generate) or [`read`](crate::read), recorded by [`import`](crate::import()).
//!
//! 1. What is written and read again is equal, versions included.
//! 2. A folder appears with all three files or not at all, and one that is there is replaced only when the caller says so.

use crate::format::{
    CASH_SERIES, CLIENT_COLUMNS, CLIENTS_FILE, CONTRACT_COLUMNS, CONTRACTS_FILE, ORDERS_FILE,
    POSITION_COLUMNS, POSITIONS_FILE, SEGMENT_SEPARATOR, TRADE_FOR_TRADE_SERIES, TRADES_FILE,
    instant_text, kind_text, option_text, version,
};
use squareoff_domain::reference::Restriction;
use squareoff_domain::{Client, Contract, NetQuantity, PositionKey, Price, Segment, TradingDate};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use thiserror::Error;
use zeroize::Zeroize;

/// A broker's contracts, clients and positions on one trading day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Book {
    pub trading_date: TradingDate,
    pub contracts: Vec<ContractLine>,
    pub clients: Vec<ClientLine>,
    pub positions: Vec<PositionLine>,
    pub versions: Versions,
}

/// Which bytes the book came from: `<date>/<16 hex digits>` per file, of the clients without their identities. Every contract carries the
/// first too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Versions {
    pub contracts: String,
    pub clients: String,
    pub positions: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractLine {
    pub contract: Contract,
    /// Who says so: `sample` for generated figures.
    pub source: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientLine {
    pub client: Client,
    pub identity: Identity,
}

/// Who a client is, in the clear. Never logged, in the event log only encrypted, overwritten when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    pub name: String,
    pub pan: String,
    pub email: String,
    pub phone: String,
    /// `YYYY-MM-DD`, of a company the date it was founded; absent where the file does not say.
    pub date_of_birth: Option<String>,
}

impl Drop for Identity {
    fn drop(&mut self) {
        for text in [
            &mut self.name,
            &mut self.pan,
            &mut self.email,
            &mut self.phone,
        ] {
            text.zeroize();
        }
        self.date_of_birth.zeroize();
    }
}

/// Withheld, so that no log line and no test failure shows it.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(withheld)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionLine {
    pub key: PositionKey,
    pub net_quantity: NetQuantity,
    pub average_price: Price,
}

/// What [`Book::write`] does with a folder that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    Keep,
    /// Replaced, if it holds nothing but a book.
    Replace,
}

#[derive(Debug, Error)]
pub enum WriteError {
    #[error("{} is already there", .0.display())]
    Exists(PathBuf),
    #[error("{} holds something else than a book and is not replaced", .0.display())]
    NotABook(PathBuf),
    #[error("the book could not be written to {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl Book {
    /// A book of these lines, with the versions that its files will have. Positions of another date are the caller's mistake.
    pub fn of_lines(
        trading_date: TradingDate,
        mut contracts: Vec<ContractLine>,
        clients: Vec<ClientLine>,
        positions: Vec<PositionLine>,
    ) -> Book {
        let versions = Versions {
            contracts: version(trading_date, &contracts_csv(&contracts)),
            clients: clients_version(trading_date, &clients),
            positions: version(trading_date, &positions_csv(&positions)),
        };
        for line in &mut contracts {
            line.contract.version.clone_from(&versions.contracts);
        }
        Book {
            trading_date,
            contracts,
            clients,
            positions,
            versions,
        }
    }

    /// Name and bytes of each file.
    pub fn files(&self) -> [(&'static str, Vec<u8>); 3] {
        [
            (CONTRACTS_FILE, contracts_csv(&self.contracts)),
            (CLIENTS_FILE, clients_csv(&self.clients)),
            (POSITIONS_FILE, positions_csv(&self.positions)),
        ]
    }

    /// Writes the folder `dir`, durably: under another name first, renamed when it is whole. Its parents are made. A replaced
    /// folder is set aside first, so a crash between the two renames leaves none under this name, and the old one beside it.
    /// The folder can be entered by its owner alone: it holds identities.
    ///
    /// # Errors
    /// [`WriteError`]; `dir` is then as it was.
    pub fn write(&self, dir: &Path, existing: Existing) -> Result<(), WriteError> {
        let io = |source| WriteError::Io {
            path: dir.to_owned(),
            source,
        };
        let taken = dir.symlink_metadata().is_ok();
        if taken && existing == Existing::Keep {
            return Err(WriteError::Exists(dir.to_owned()));
        }
        if taken && !holds_only_a_book(dir).map_err(io)? {
            return Err(WriteError::NotABook(dir.to_owned()));
        }
        let parent = match dir.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(io)?;
        let new = beside(parent).map_err(io)?;
        for (name, bytes) in self.files() {
            let mut file = File::create(new.path().join(name)).map_err(io)?;
            file.write_all(&bytes).map_err(io)?;
            file.sync_all().map_err(io)?;
        }
        File::open(new.path())
            .and_then(|folder| folder.sync_all())
            .map_err(io)?;
        if taken {
            // Removed, with what is in it, when it goes out of scope.
            let aside = beside(parent).map_err(io)?;
            let old = aside.path().join("old");
            fs::rename(dir, &old).map_err(io)?;
            if let Err(error) = fs::rename(new.path(), dir) {
                if fs::rename(&old, dir).is_err() {
                    // The old book could not go back: it must not go away either.
                    let _ = aside.keep();
                }
                return Err(io(error));
            }
        } else {
            fs::rename(new.path(), dir).map_err(io)?;
        }
        // Renamed: there is nothing left to remove.
        let _ = new.keep();
        File::open(parent)
            .and_then(|folder| folder.sync_all())
            .map_err(io)
    }
}

fn beside(parent: &Path) -> io::Result<tempfile::TempDir> {
    tempfile::Builder::new()
        .prefix(".book-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(parent)
}

fn holds_only_a_book(dir: &Path) -> io::Result<bool> {
    let is_ours = |name: &std::ffi::OsStr| {
        [
            CONTRACTS_FILE,
            CLIENTS_FILE,
            POSITIONS_FILE,
            ORDERS_FILE,
            TRADES_FILE,
        ]
        .iter()
        .any(|file| name == *file)
    };
    if !dir.symlink_metadata()?.is_dir() {
        return Ok(false);
    }
    for entry in fs::read_dir(dir)? {
        if !is_ours(&entry?.file_name()) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn contracts_csv(lines: &[ContractLine]) -> Vec<u8> {
    let row = |line: &ContractLine| {
        let contract = &line.contract;
        vec![
            contract.trading_date.to_string(),
            contract.venue.to_string(),
            contract.segment.to_string(),
            contract.symbol.to_string(),
            series_or_expiry(contract),
            kind_text(contract.kind).to_owned(),
            contract
                .strike
                .map_or(String::new(), |strike| strike.to_string()),
            contract
                .option_type
                .map_or(String::new(), |option| option_text(option).to_owned()),
            contract.lot.to_string(),
            contract.tick.to_string(),
            contract.freeze.to_string(),
            contract.band_low.to_string(),
            contract.band_high.to_string(),
            contract.reference_price.to_string(),
            instant_text(contract.reference_at),
            line.source.clone(),
            contract.price_protection.to_string(),
            contract
                .protection_range
                .map_or(String::new(), |(low, _)| low.to_string()),
            contract
                .protection_range
                .map_or(String::new(), |(_, high)| high.to_string()),
            match contract.restriction {
                Some(Restriction::Suspended) => "suspended".to_owned(),
                Some(Restriction::TradeForTrade) | None => String::new(),
            },
        ]
    };
    csv(CONTRACT_COLUMNS, lines.iter().map(row))
}

fn series_or_expiry(contract: &Contract) -> String {
    match (contract.expiry, contract.restriction) {
        (Some(expiry), _) => expiry.to_string(),
        (None, Some(Restriction::TradeForTrade)) => TRADE_FOR_TRADE_SERIES.to_owned(),
        (None, Some(Restriction::Suspended) | None) => CASH_SERIES.to_owned(),
    }
}

fn clients_csv(lines: &[ClientLine]) -> Vec<u8> {
    let row = |ClientLine { client, identity }: &ClientLine| {
        vec![
            client.client.to_string(),
            identity.name.clone(),
            client.category.clone(),
            client.branch.clone(),
            segments_text(&client.segments),
            identity.pan.clone(),
            identity.email.clone(),
            identity.phone.clone(),
            identity.date_of_birth.clone().unwrap_or_default(),
        ]
    };
    csv(CLIENT_COLUMNS, lines.iter().map(row))
}

/// The version of the client file, made of what is no identity: it stands in the log, and a digest of identities could be searched for
/// one of them.
pub(crate) fn clients_version(trading_date: TradingDate, lines: &[ClientLine]) -> String {
    let row = |ClientLine { client, .. }: &ClientLine| {
        vec![
            client.client.to_string(),
            client.category.clone(),
            client.branch.clone(),
            segments_text(&client.segments),
        ]
    };
    let columns = ["client_code", "category", "branch", "segments"];
    version(trading_date, &csv(&columns, lines.iter().map(row)))
}

fn positions_csv(lines: &[PositionLine]) -> Vec<u8> {
    let row = |line: &PositionLine| {
        vec![
            line.key.date.to_string(),
            line.key.client.to_string(),
            line.key.venue.to_string(),
            line.key.symbol.to_string(),
            line.key.product.to_string(),
            line.net_quantity.to_string(),
            line.average_price.to_string(),
        ]
    };
    csv(POSITION_COLUMNS, lines.iter().map(row))
}

fn segments_text(segments: &[Segment]) -> String {
    let texts: Vec<_> = segments.iter().map(|segment| segment.as_str()).collect();
    texts.join(&SEGMENT_SEPARATOR.to_string())
}

pub(crate) fn csv(columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record(columns)
        .expect("memory takes every write");
    for row in rows {
        writer
            .write_record(row)
            .expect("every row has the header's columns");
    }
    writer.into_inner().expect("memory takes every write")
}
