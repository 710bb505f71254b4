//! Indexes and keys are taken off before the rows come and built afterwards: sorting once is far cheaper than a million insertions.
//!
//! What they are is asked of the catalog, so that a migration that adds one needs no second list here.

use sqlx::{AssertSqlSafe, Executor, PgConnection};

/// The statements that build again what was taken off, with their tables.
pub(super) struct SetAside(Vec<(String, String)>);

/// Takes off every index and key of the read models' tables in the connection's schema.
pub(super) async fn set_aside(connection: &mut PgConnection) -> Result<SetAside, sqlx::Error> {
    let found = sqlx::query_file!("src/rebuild/indexes.sql")
        .fetch_all(&mut *connection)
        .await?;
    let mut build = Vec::with_capacity(found.len());
    for index in found {
        // Both statements were put together, and their names quoted, by the server itself.
        connection.execute(AssertSqlSafe(index.take_off)).await?;
        build.push((index.table, index.build));
    }
    Ok(SetAside(build))
}

impl SetAside {
    /// Builds what was taken off these tables.
    pub(super) async fn build(
        &self,
        connection: &mut PgConnection,
        tables: &[&str],
    ) -> Result<(), sqlx::Error> {
        for (table, statement) in &self.0 {
            if tables.contains(&table.as_str()) {
                connection.execute(AssertSqlSafe(statement.clone())).await?;
            }
        }
        Ok(())
    }
}
