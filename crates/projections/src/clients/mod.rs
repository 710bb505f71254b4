//! The clients of the broker as the client master last named them. Identity is not here: it is in the log alone, encrypted.

use crate::copy::{CopyBytes, CopyRow};
use crate::query::{Reflecting, reflecting};
use crate::units::position;
use crate::write::column;
use sqlx::{PgConnection, PgPool};
use squareoff_domain::client::ClientRegistered;
use squareoff_store::StoredEvent;

/// A row of `clients`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRow {
    pub client_code: String,
    /// The broker's category: `retail`, `hni`, `corporate`.
    pub category: String,
    pub branch: String,
    /// Segments the client may trade in, as `CM`, `FO`, `CD`, `COM`.
    pub segments: Vec<String>,
    /// Version of the client's stream, and log position, that the row reflects.
    pub version: i64,
    pub updated_position: i64,
}

pub(crate) fn row(stored: &StoredEvent, registered: ClientRegistered) -> ClientRow {
    let client = registered.client;
    ClientRow {
        client_code: client.client.into(),
        category: client.category,
        branch: client.branch,
        segments: client
            .segments
            .iter()
            .map(|segment| segment.as_str().to_owned())
            .collect(),
        version: crate::units::whole(stored.version),
        updated_position: position(stored.position),
    }
}

pub(crate) async fn upsert(
    connection: &mut PgConnection,
    rows: &[ClientRow],
) -> Result<(), sqlx::Error> {
    sqlx::query_file!(
        "src/clients/upsert.sql",
        &column(rows, |row| &*row.client_code) as &[&str],
        &column(rows, |row| &*row.category) as &[&str],
        &column(rows, |row| &*row.branch) as &[&str],
        &column(rows, |row| row.segments.join(",")),
        &column(rows, |row| row.version),
        &column(rows, |row| row.updated_position),
    )
    .execute(connection)
    .await?;
    Ok(())
}

impl CopyRow for ClientRow {
    const COPY: &'static str = "COPY clients (client_code, category, branch, segments, version, updated_position) FROM STDIN (FORMAT binary)";

    fn copy(&self, rows: &mut CopyBytes) {
        rows.row(6);
        rows.text(&self.client_code);
        rows.text(&self.category);
        rows.text(&self.branch);
        rows.texts(&self.segments);
        rows.big(self.version);
        rows.big(self.updated_position);
    }
}

/// The client of this code.
///
/// # Errors
/// When Postgres is away.
pub async fn client(
    pool: &PgPool,
    client_code: &str,
) -> Result<Reflecting<Option<ClientRow>>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_as!(
        ClientRow,
        "SELECT client_code, category, branch, segments, version, updated_position
             FROM clients
             WHERE client_code = $1",
        client_code,
    )
    .fetch_optional(connection))
}
