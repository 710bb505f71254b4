//! Are the live and the rebuilt read models the same, row by row? By SHA-256 over every row of every table in the order of its
//! key, in the server's own COPY text; where they differ, the table and its first differing rows are named.
//!
//! Nothing is left out: two folds of the same events have no reason to differ in anything.

use crate::database::{LIVE, NEXT};
use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::{Executor, PgConnection};
use squareoff_store::Position;

/// Differing rows that are named per table and side.
const NAMED_ROWS_MAX: i64 = 3;

/// Each table in the order of its key, the first column.
const TABLES: &[(&str, &str)] = &[
    ("checkpoint", "COPY (TABLE checkpoint) TO STDOUT"),
    (
        "clients",
        "COPY (TABLE clients ORDER BY client_code) TO STDOUT",
    ),
    ("orders", "COPY (TABLE orders ORDER BY order_id) TO STDOUT"),
    (
        "positions",
        "COPY (TABLE positions ORDER BY stream) TO STDOUT",
    ),
    ("trades", "COPY (TABLE trades ORDER BY position) TO STDOUT"),
];

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
    pub table: &'static str,
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
        let (hash_live, live) = self.hashes(LIVE).await?;
        let (hash_next, next) = self.hashes(NEXT).await?;
        let mut differences = vec![];
        for (index, (table, _)) in TABLES.iter().enumerate() {
            if live[index] != next[index] {
                let only_live = self.only_in((LIVE, NEXT), table).await?;
                let only_next = self.only_in((NEXT, LIVE), table).await?;
                differences.push(Difference {
                    table,
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

    /// The hash of all tables, and of each.
    async fn hashes(
        &mut self,
        schema: &'static str,
    ) -> Result<(String, Vec<[u8; 32]>), sqlx::Error> {
        let set = match schema {
            NEXT => "SET LOCAL search_path = read_next",
            _ => "SET LOCAL search_path = read_live",
        };
        self.connection.execute(set).await?;
        let mut each = Vec::with_capacity(TABLES.len());
        let mut all = Sha256::new();
        for (_, copy) in TABLES {
            let mut hash = Sha256::new();
            let mut bytes = self.connection.copy_out_raw(copy).await?;
            while let Some(chunk) = bytes.try_next().await? {
                hash.update(&chunk);
            }
            let hash: [u8; 32] = hash.finalize().into();
            all.update(hash);
            each.push(hash);
        }
        Ok((hex(&all.finalize()), each))
    }

    async fn only_in(
        &mut self,
        (here, there): (&str, &str),
        table: &str,
    ) -> Result<Vec<String>, sqlx::Error> {
        // The names are this module's own constants.
        let rows = format!(
            "SELECT only_here::text FROM (TABLE {here}.{table} EXCEPT TABLE {there}.{table} ORDER BY 1 LIMIT {NAMED_ROWS_MAX}) AS only_here"
        );
        sqlx::query_scalar(sqlx::AssertSqlSafe(rows))
            .fetch_all(&mut self.connection)
            .await
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
