//! Are two sets of read models the same, row by row? By SHA-256 over every row of every table in the order of its key, in the server's
//! own COPY text; where they differ, the table and its first differing rows are named.
//!
//! Nothing is left out: two folds of the same events have no reason to differ in anything.

use super::tables::{Table, tables};
use crate::database::{LIVE, NEXT};
use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use squareoff_store::Position;

/// Differing rows that are named per table and side.
const NAMED_ROWS_MAX: i64 = 3;

/// Both read models at one log position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    pub position: Position,
    /// SHA-256 in hexadecimal.
    pub hash_live: String,
    pub hash_next: String,
    /// Empty when the hashes are equal.
    pub differences: Vec<Difference>,
}

impl Comparison {
    pub fn equal(&self) -> bool {
        self.hash_live == self.hash_next
    }
}

/// A table that differs, and the first rows that only one side has, as Postgres writes a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub table: String,
    pub only_live: Vec<String>,
    pub only_next: Vec<String>,
}

/// One view of both schemas, however long the comparison takes.
pub(super) struct Snapshot {
    connection: PgConnection,
}

impl Snapshot {
    pub(super) async fn take(mut connection: PgConnection) -> Result<Self, sqlx::Error> {
        connection
            .execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        // The first statement takes the snapshot.
        connection.execute("SELECT FROM checkpoint").await?;
        Ok(Snapshot { connection })
    }

    pub(super) async fn compare(&mut self, position: Position) -> Result<Comparison, sqlx::Error> {
        let tables = tables(&mut self.connection).await?;
        let (hash_live, live) = hashes(&mut self.connection, LIVE, &tables).await?;
        let (hash_next, next) = hashes(&mut self.connection, NEXT, &tables).await?;
        let mut differences = vec![];
        for (index, Table { name, .. }) in tables.iter().enumerate() {
            if live[index] != next[index] {
                let only_live = self.only_in((LIVE, NEXT), name).await?;
                let only_next = self.only_in((NEXT, LIVE), name).await?;
                differences.push(Difference {
                    table: name.clone(),
                    only_live,
                    only_next,
                });
            }
        }
        self.connection.execute("ROLLBACK").await?;
        Ok(Comparison {
            position,
            hash_live,
            hash_next,
            differences,
        })
    }

    async fn only_in(
        &mut self,
        (here, there): (&str, &str),
        table: &str,
    ) -> Result<Vec<String>, sqlx::Error> {
        // The names are our own, of the schemas and the migrations.
        let rows = format!(
            "SELECT only_here::text FROM (TABLE {here}.{table} EXCEPT TABLE {there}.{table} ORDER BY 1 LIMIT {NAMED_ROWS_MAX}) AS only_here"
        );
        sqlx::query_scalar(AssertSqlSafe(rows))
            .fetch_all(&mut self.connection)
            .await
    }
}

/// The hash of all tables of the connection's own schema.
pub(super) async fn hash_of(
    connection: &mut PgConnection,
    schema: &str,
) -> Result<String, sqlx::Error> {
    let tables = tables(&mut *connection).await?;
    Ok(hashes(connection, schema, &tables).await?.0)
}

/// The hash of all tables, and of each.
async fn hashes(
    connection: &mut PgConnection,
    schema: &str,
    tables: &[Table],
) -> Result<(String, Vec<[u8; 32]>), sqlx::Error> {
    let mut each = Vec::with_capacity(tables.len());
    let mut all = Sha256::new();
    for Table { name, key, .. } in tables {
        let key = key.join(", ");
        let rows = format!("COPY (TABLE \"{schema}\".{name} ORDER BY {key}) TO STDOUT");
        let mut hash = Sha256::new();
        let mut bytes = connection.copy_out_raw(&rows).await?;
        while let Some(chunk) = bytes.try_next().await? {
            hash.update(&chunk);
        }
        drop(bytes);
        let hash: [u8; 32] = hash.finalize().into();
        all.update(hash);
        each.push(hash);
    }
    Ok((hex(&all.finalize()), each))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
