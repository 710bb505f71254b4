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

/// Tables whose rows hold the log position of their first event, where it is not their key.
const FIRST_POSITIONS: &[(&str, &str)] = &[("orders", "placed_position")];

impl Table {
    /// Deletes what a later segment of the same filling wrote again. A row that holds the position of its first event has an older self
    /// only if the event that last changed it came in another segment: of the largest tables few keys are hashed then.
    pub(super) fn keep_newest(&self) -> String {
        let Table { name, key, .. } = self;
        let of = |row: &str| {
            let columns: Vec<_> = key.iter().map(|column| format!("{row}.{column}")).collect();
            columns.join(", ")
        };
        let (again, several) = match self.first_position() {
            Some(position) => {
                let segment = |position: &str| {
                    format!("width_bucket({position} - 1, (SELECT segment_ends FROM rebuild))")
                };
                let (first, last) = (segment(position), segment("updated_position"));
                (
                    format!("WHERE updated_position > {position} AND {first} < {last}"),
                    "",
                )
            }
            None => (String::new(), "HAVING count(*) > 1"),
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

    /// The column of the log position of a row's first event.
    fn first_position(&self) -> Option<&str> {
        let named = FIRST_POSITIONS
            .iter()
            .find(|(table, _)| *table == self.name);
        let key = || match self.key.as_slice() {
            // A keyword, which the server quotes.
            [key] if key.trim_matches('"') == "position" => Some(key.as_str()),
            _ => None,
        };
        named.map(|(_, column)| *column).or_else(key)
    }
}
