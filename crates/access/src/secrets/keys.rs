//! The keys that access tokens are signed with.

use super::SecretsError;
use super::log_ins::nanoseconds;
use super::sealing::{Sealer, signing_place};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use squareoff_domain::Timestamp;
use std::time::Duration;

/// An Ed25519 key. Never printed.
#[derive(Clone)]
pub struct StoredKey {
    pub kid: String,
    pub seed: [u8; 32],
    pub made_at: Timestamp,
}

impl StoredKey {
    /// The one that signs.
    pub(crate) fn newest(
        connection: &Connection,
        sealer: &Sealer,
    ) -> Result<Option<StoredKey>, SecretsError> {
        let found = connection
            .prepare_cached(
                "select kid, seed, made_at from signing_keys
                 where retired_at is null order by made_at desc, kid limit 1",
            )?
            .query_row([], read)
            .optional()?;
        found.map(|found| found.open(sealer)).transpose()
    }

    /// What a token may still be signed with, and until when.
    pub(crate) fn trusted(
        connection: &Connection,
        sealer: &Sealer,
        kid: &str,
        now: Timestamp,
    ) -> Result<Option<(StoredKey, Timestamp)>, SecretsError> {
        let found = connection
            .prepare_cached(
                "select kid, seed, made_at, distrusted_at from signing_keys
                 where kid = ?1 and (distrusted_at is null or distrusted_at > ?2)",
            )?
            .query_row(params![kid, now.0], |row| {
                let distrusted_at = row.get::<_, Option<i64>>(3)?.unwrap_or(i64::MAX);
                Ok((read(row)?, Timestamp(distrusted_at)))
            })
            .optional()?;
        found
            .map(|(found, distrusted_at)| Ok((found.open(sealer)?, distrusted_at)))
            .transpose()
    }

    /// Those that others check tokens with, the newest first.
    pub(crate) fn all_trusted(
        connection: &Connection,
        sealer: &Sealer,
        now: Timestamp,
    ) -> Result<Vec<StoredKey>, SecretsError> {
        let mut statement = connection.prepare_cached(
            "select kid, seed, made_at from signing_keys
             where distrusted_at is null or distrusted_at > ?1 order by made_at desc, kid",
        )?;
        let rows = statement.query_map([now.0], read)?;
        rows.map(|found| found?.open(sealer)).collect()
    }

    /// `key` signs from now on; what the others signed counts for `grace` longer.
    pub(crate) fn replace(
        transaction: &Transaction<'_>,
        sealer: &Sealer,
        key: &StoredKey,
        grace: Duration,
        now: Timestamp,
    ) -> Result<(), SecretsError> {
        let until = now.0.saturating_add(nanoseconds(grace));
        transaction.execute(
            "update signing_keys set retired_at = coalesce(retired_at, ?1),
                 distrusted_at = min(coalesce(distrusted_at, ?2), ?2)",
            params![now.0, until],
        )?;
        transaction.execute(
            "insert into signing_keys (kid, seed, made_at) values (?1, ?2, ?3)",
            params![
                key.kid,
                sealer.seal(&signing_place(&key.kid), &key.seed),
                key.made_at.0
            ],
        )?;
        transaction.execute(
            "delete from signing_keys where distrusted_at <= ?1",
            [now.0],
        )?;
        Ok(())
    }
}

/// As it stands in the file.
struct Sealed {
    kid: String,
    seed: Vec<u8>,
    made_at: Timestamp,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Sealed> {
    Ok(Sealed {
        kid: row.get(0)?,
        seed: row.get(1)?,
        made_at: Timestamp(row.get(2)?),
    })
}

impl Sealed {
    fn open(self, sealer: &Sealer) -> Result<StoredKey, SecretsError> {
        let place = signing_place(&self.kid);
        let opened = sealer.open(&place, &self.seed)?;
        let seed = opened
            .as_slice()
            .try_into()
            .map_err(|_| SecretsError::Altered { place })?;
        Ok(StoredKey {
            kid: self.kid,
            seed,
            made_at: self.made_at,
        })
    }
}
