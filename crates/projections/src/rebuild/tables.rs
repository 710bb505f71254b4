//! The read models' tables as the catalog knows them, so that a migration that adds one needs no second list here.

use sqlx::PgConnection;

/// A table of the connection's schema, without those that only a rebuild uses.
#[derive(Debug)]
pub(super) struct Table {
    pub name: String,
    /// Columns of the primary key, quoted where they need it.
    pub key: Vec<String>,
    /// A row may be written again, with a higher `updated_position`; otherwise rows are only added.
    pub rows_change: bool,
}

/// In the order of their names. A table that has lost its primary key is missing.
pub(super) async fn tables(connection: &mut PgConnection) -> Result<Vec<Table>, sqlx::Error> {
    sqlx::query_file_as!(Table, "src/rebuild/tables.sql")
        .fetch_all(connection)
        .await
}

impl Table {
    /// Deletes what a later batch of the same filling wrote again. Where a row is named by the log position of its first event, it has an
    /// older self only if a later event changed it: the trades, the largest table, are then looked through once, and no key is hashed.
    pub(super) fn keep_newest(&self) -> String {
        let Table { name, key, .. } = self;
        let of = |row: &str| {
            let columns: Vec<_> = key.iter().map(|column| format!("{row}.{column}")).collect();
            columns.join(", ")
        };
        let (again, several) = match key.as_slice() {
            // A keyword, which the server quotes.
            [key] if key.trim_matches('"') == "position" => {
                (format!("WHERE updated_position > {key}"), "")
            }
            _ => (String::new(), "HAVING count(*) > 1"),
        };
        format!(
            "DELETE FROM {name} AS row USING \
             (SELECT {key}, max(updated_position) AS updated_position FROM {name} {again} GROUP BY {key} {several}) AS newest \
             WHERE ({row}) = ({newest}) AND row.updated_position < newest.updated_position",
            key = key.join(", "),
            row = of("row"),
            newest = of("newest"),
        )
    }
}
