//! One file per resource; a route's handler holds nothing but its job.

pub mod clients;
pub mod events;
pub mod health;
pub mod orders;
pub mod square_offs;
pub mod trades;

use crate::problem::Problem;
use crate::server::App;
use axum::http::StatusCode;
use squareoff_domain::{Price, Timestamp};
use squareoff_projections::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use squareoff_store::Position;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The longest that a query waits for the read model to reach `at_least`.
const AT_LEAST_WAIT: Duration = Duration::from_secs(5);

/// Waits until the read model shows everything up to `at_least`, when that is asked for.
async fn wait_for(app: &App, at_least: Option<&str>) -> Result<(), Problem> {
    let Some(text) = at_least else { return Ok(()) };
    let position: Position = text.parse().map_err(|error| Problem::invalid_parameter(format!("`at_least`: {error}")))?;
    match app.watcher.wait_for(position, AT_LEAST_WAIT).await {
        Ok(_) => Ok(()),
        Err(not_yet) => {
            let (status, title) = (StatusCode::SERVICE_UNAVAILABLE, "The read model has not seen that yet");
            Err(Problem::new(status, "read-model-behind", title, not_yet.to_string()))
        }
    }
}

/// RFC 3339 in UTC, to the nanosecond.
fn rfc3339(timestamp: Timestamp) -> String {
    let instant = OffsetDateTime::from_unix_timestamp_nanos(i128::from(timestamp.0)).expect("an i64 of nanoseconds is between 1677 and 2262");
    instant.format(&Rfc3339).expect("RFC 3339 writes every year between 0 and 9999")
}

/// Rupees, as text.
fn rupees(ten_thousandths: i64) -> String {
    Price(ten_thousandths).to_string()
}

/// The read database failed a query: to the caller that is an outage, whatever it was.
fn outage(error: sqlx::Error) -> Problem {
    tracing::warn!(%error, "the read database failed a query");
    Problem::read_model_unavailable("queries fail until the read database is back; orders still go")
}

/// Where a page begins: a log position that an earlier page gave.
fn cursor(before: Option<&str>) -> Result<Option<i64>, Problem> {
    let parse = |text: &str| text.parse::<Position>().map_err(|error| Problem::invalid_parameter(format!("`before`: {error}")));
    Ok(before.map(parse).transpose()?.map(|position| i64::try_from(position.as_u64()).unwrap_or(i64::MAX)))
}

fn page_rows(limit: Option<i64>) -> Result<Option<i64>, Problem> {
    match limit {
        Some(rows) if !(1..=PAGE_ROWS_MAX).contains(&rows) => {
            Err(Problem::invalid_parameter(format!("`limit` is 1 to {PAGE_ROWS_MAX}, not {rows}")))
        }
        _ => Ok(limit),
    }
}

/// The cursor behind a full page.
fn next<T>(rows: &[T], limit: Option<i64>, position: impl Fn(&T) -> i64) -> Option<String> {
    let full = i64::try_from(rows.len()).unwrap_or(i64::MAX) >= limit.unwrap_or(PAGE_ROWS_DEFAULT);
    rows.last().filter(|_| full).map(|row| position(row).to_string())
}
