//! The broker's book: the generated sample, and the import at the beginning of the day.

use crate::config::Config;
use crate::folder::Folder;
use crate::platform::{now, state};
use anyhow::{Context, Result};
use squareoff_domain::client::IdentityField;
use squareoff_domain::{Timestamp, TradingDate};
use squareoff_identity::{Line, PlainIdentity, Recorded, RecordedBy, Vault};
use squareoff_primary::bod;
use squareoff_primary::book::{Book, ClientLine, Existing};
use squareoff_primary::drop_copy::{self, DropCopyReport};
use squareoff_primary::import::{self, ImportReport, ImportedBy};
use squareoff_primary::intraday::{self, Intraday, IntradayReport};
use squareoff_primary::sample::{self, SampleBook};
use squareoff_store::EventStore;
use std::path::Path;
use time::OffsetDateTime;
use time::macros::offset;

/// The book in the data folder; a sample one is generated when there is none.
///
/// # Errors
/// Every mistake in the files.
pub fn ensure(config: &Config, folder: &Folder, say: impl Fn(&str)) -> Result<Book> {
    let path = folder.book();
    if !path.exists() {
        let book = generate(config)?;
        say(&format!(
            "writing a sample book of {} positions for {} to {}",
            book.positions.len(),
            book.trading_date,
            path.display()
        ));
        write_sample(config, &book, &path, Existing::Keep)?;
    }
    Ok(bod::read(&path)?)
}

/// Writes a sample book, and what a sample primary had done before it went down.
///
/// # Errors
/// When the folder can't be written.
pub fn write_sample(config: &Config, book: &Book, path: &Path, existing: Existing) -> Result<()> {
    book.write(path, existing)?;
    let orders = usize::try_from(config.sample_orders)?;
    let intraday = sample::intraday(book, config.sample_seed, orders, orders);
    intraday.write(path).with_context(|| {
        format!(
            "the primary's orders could not be written to {}",
            path.display()
        )
    })
}

/// A sample book as the configuration wants it.
///
/// # Errors
/// When the configured numbers give none.
pub fn generate(config: &Config) -> Result<Book> {
    let sample = SampleBook {
        seed: config.sample_seed,
        clients: config.sample_clients,
        positions: config.sample_positions,
        trading_date: match config.trading_date {
            Some(date) => date,
            None => today_in_india(now())?,
        },
    };
    sample::generate(&sample).context("the sample book cannot be generated")
}

/// Records a book in the log; what the log knows already is passed over.
///
/// # Errors
/// When the log does not take it; the same import again goes on.
pub async fn import(store: &EventStore, book: &Book, actor: &str) -> Result<ImportReport> {
    let by = ImportedBy {
        actor: actor.into(),
        epoch: state(store).await?.epoch,
        now: now(),
    };
    Ok(import::import(store, book, &by).await?)
}

/// Records who the clients of the book are, encrypted; what the log knows already is passed over.
///
/// # Errors
/// The key store, the master key or the log; the same again goes on.
pub async fn record_identities(
    vault: &Vault,
    store: &EventStore,
    book: &Book,
    actor: &str,
) -> Result<Recorded> {
    let by = RecordedBy {
        actor: actor.into(),
        epoch: state(store).await?.epoch,
        now: now(),
        source: book.versions.clients.clone(),
    };
    let lines: Vec<_> = book.clients.iter().map(identity_line).collect();
    Ok(vault.record(store, &lines, &by).await?)
}

fn identity_line(line: &ClientLine) -> Line {
    let told = &line.identity;
    let mut identity = PlainIdentity::default();
    identity.set(IdentityField::Name, told.name.as_str());
    identity.set(IdentityField::Pan, told.pan.as_str());
    identity.set(IdentityField::Email, told.email.as_str());
    identity.set(IdentityField::Phone, told.phone.as_str());
    if let Some(date) = &told.date_of_birth {
        identity.set(IdentityField::DateOfBirth, date.as_str());
    }
    Line {
        client: line.client.client.clone(),
        identity,
    }
}

/// What the primary did on the day: recorded like the book, from the same folder.
///
/// # Errors
/// Every mistake in the files; or the log does not take it, and the same import again goes on.
pub async fn import_intraday(
    store: &EventStore,
    book: &Book,
    path: &Path,
    actor: &str,
) -> Result<IntradayReport> {
    let by = ImportedBy {
        actor: actor.into(),
        epoch: state(store).await?.epoch,
        now: now(),
    };
    let intraday = Intraday::read(path, book)?;
    Ok(intraday::import(store, &intraday, &by).await?)
}

/// A venue's own list of trades.
///
/// # Errors
/// Every mistake in the file; or the log does not take it, and the same import again goes on.
pub async fn import_drop_copy(
    store: &EventStore,
    path: &Path,
    actor: &str,
) -> Result<DropCopyReport> {
    let by = ImportedBy {
        actor: actor.into(),
        epoch: state(store).await?.epoch,
        now: now(),
    };
    let listed = drop_copy::read(path)?;
    Ok(drop_copy::import(store, &listed, &by).await?)
}

/// # Errors
/// See [`bod::read`]: every mistake of the files at once.
pub fn read(path: &Path) -> Result<Book> {
    Ok(bod::read(path)?)
}

pub fn today_in_india(now: Timestamp) -> Result<TradingDate> {
    let instant =
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(now.0))?.to_offset(offset!(+5:30));
    Ok(TradingDate::new(
        u16::try_from(instant.year())?,
        instant.month().into(),
        instant.day(),
    )?)
}
