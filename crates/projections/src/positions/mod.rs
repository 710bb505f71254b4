//! Positions: one row per client, instrument, product and trading day, as the domain's fold leaves them.

use crate::copy::CopyRows;
use crate::fold::Folded;
use crate::query::{Reflecting, reflecting};
use crate::units::{date, units, whole};
use crate::write::column;
use sqlx::{PgConnection, PgPool};
use time::{Date, OffsetDateTime};

/// A row of `positions`. Quantities in units, prices in 1/10,000 rupee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionRow {
    /// The position's stream, its identity.
    pub stream: String,
    pub trading_date: Date,
    pub client_code: String,
    pub venue: String,
    pub symbol: String,
    pub product: String,
    pub bod_quantity: i64,
    pub bod_average_price: i64,
    /// Signed: positive is long.
    pub net_quantity: i64,
    /// The most that orders on their way may still fill.
    pub working_quantity: i64,
    /// What may still be asked for.
    pub closable_quantity: i64,
    /// Version of the stream, and log position and time of the event, that the row reflects.
    pub version: i64,
    pub updated_position: i64,
    pub updated_at: OffsetDateTime,
}

pub(crate) fn row(stream: &str, folded: &Folded) -> PositionRow {
    let (key, position) = (&folded.key, &folded.position);
    PositionRow {
        stream: stream.to_owned(),
        trading_date: date(key.date),
        client_code: key.client.as_str().to_owned(),
        venue: key.venue.as_str().to_owned(),
        symbol: key.symbol.as_str().to_owned(),
        product: key.product.as_str().to_owned(),
        bod_quantity: position.bod.0,
        bod_average_price: position.bod_average_price.0,
        net_quantity: position.net.0,
        working_quantity: units(position.working()),
        closable_quantity: units(position.closable()),
        version: whole(folded.version),
        updated_position: folded.updated_position,
        updated_at: folded.updated_at,
    }
}

pub(crate) async fn upsert(
    connection: &mut PgConnection,
    rows: &[PositionRow],
) -> Result<(), sqlx::Error> {
    sqlx::query_file!(
        "src/positions/upsert.sql",
        &column(rows, |row| &*row.stream) as &[&str],
        &column(rows, |row| row.trading_date),
        &column(rows, |row| &*row.client_code) as &[&str],
        &column(rows, |row| &*row.venue) as &[&str],
        &column(rows, |row| &*row.symbol) as &[&str],
        &column(rows, |row| &*row.product) as &[&str],
        &column(rows, |row| row.bod_quantity),
        &column(rows, |row| row.bod_average_price),
        &column(rows, |row| row.net_quantity),
        &column(rows, |row| row.working_quantity),
        &column(rows, |row| row.closable_quantity),
        &column(rows, |row| row.version),
        &column(rows, |row| row.updated_position),
        &column(rows, |row| row.updated_at),
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) const COPY: &str = "COPY positions (stream, trading_date, client_code, venue, symbol, product, bod_quantity, \
     bod_average_price, net_quantity, working_quantity, closable_quantity, version, updated_position, updated_at) \
     FROM STDIN (FORMAT binary)";

pub(crate) fn copy(row: &PositionRow, rows: &mut CopyRows) {
    rows.row(14);
    rows.text(&row.stream);
    rows.date(row.trading_date);
    rows.text(&row.client_code);
    rows.text(&row.venue);
    rows.text(&row.symbol);
    rows.text(&row.product);
    rows.big(row.bod_quantity);
    rows.big(row.bod_average_price);
    rows.big(row.net_quantity);
    rows.big(row.working_quantity);
    rows.big(row.closable_quantity);
    rows.big(row.version);
    rows.big(row.updated_position);
    rows.instant(row.updated_at);
}

/// A client's positions of one trading day, by venue, symbol and product; of the latest day that any position is of when `None`.
///
/// # Errors
/// When Postgres is away.
pub async fn positions_of_client(
    pool: &PgPool,
    client_code: &str,
    trading_date: Option<Date>,
) -> Result<Reflecting<Vec<PositionRow>>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_file_as!(
        PositionRow,
        "src/positions/of_client.sql",
        client_code,
        trading_date
    )
    .fetch_all(connection))
}

/// How many positions are not flat; of one trading day, or of all.
///
/// # Errors
/// When Postgres is away.
pub async fn positions_open(
    pool: &PgPool,
    trading_date: Option<Date>,
) -> Result<Reflecting<i64>, sqlx::Error> {
    reflecting!(pool, |connection| sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!"
               FROM positions
               WHERE net_quantity <> 0 AND ($1::date IS NULL OR trading_date = $1)"#,
        trading_date,
    )
    .fetch_one(connection))
}
