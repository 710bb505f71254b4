//! One file per resource; a route's handler holds nothing but its job.

pub mod approvals;
pub mod audit;
pub mod bulk;
pub mod client_square_offs;
pub mod clients;
pub mod documentation;
pub mod enrolment;
pub mod events;
pub mod health;
pub mod identity;
pub mod incidents;
pub mod live;
pub mod log_in;
pub mod operators;
pub mod orders;
pub mod platform;
pub mod position_list;
pub mod positions;
pub mod proofs;
mod rows;
pub mod sent_code;
pub mod sessions;
pub mod square_offs;
pub mod suspense;
pub mod trades;
pub mod verifications;

use crate::problem::Problem;
use crate::server::App;
use axum::http::StatusCode;
use squareoff_domain::{Price, Timestamp, TradingDate};
use squareoff_projections::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use squareoff_store::{NAME_BYTES_MAX, Position};
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

/// The longest that a query waits for the read model to reach `at_least`.
const AT_LEAST_WAIT: Duration = Duration::from_secs(5);

/// Waits until the read model shows everything up to `at_least`, when that is asked for.
async fn wait_for(app: &App, at_least: Option<&str>) -> Result<(), Problem> {
    let Some(text) = at_least else { return Ok(()) };
    let position: Position = parameter("at_least", text)?;
    match app.watcher.wait_for(position, AT_LEAST_WAIT).await {
        Ok(_) => Ok(()),
        Err(not_yet) => {
            let (status, title) = (
                StatusCode::SERVICE_UNAVAILABLE,
                "The read model has not seen that yet",
            );
            Err(Problem::new(
                status,
                "read-model-behind",
                title,
                not_yet.to_string(),
            ))
        }
    }
}

/// RFC 3339 in UTC, to the nanosecond.
pub(crate) fn rfc3339(timestamp: Timestamp) -> String {
    let instant = OffsetDateTime::from_unix_timestamp_nanos(i128::from(timestamp.0))
        .expect("an i64 of nanoseconds is between 1677 and 2262");
    instant
        .format(&Rfc3339)
        .expect("RFC 3339 writes every year between 0 and 9999")
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

/// A parameter that has to be a `T`; the problem names it.
fn parameter<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, Problem> {
    text.parse()
        .map_err(|error| Problem::invalid_parameter(format!("`{name}`: {error}")))
}

fn order_id(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| {
        let expected = format!("`order_id`: `{text}` is not an order id: a UUID");
        Problem::invalid_parameter(expected)
    })
}

/// A filter that has to be the text of a `T`: what can't be one would find nothing, and say nothing of the slip of the hand.
fn filter<T: FromStr<Err: Display>>(
    name: &str,
    text: Option<String>,
) -> Result<Option<String>, Problem> {
    text.map(|text| parameter::<T>(name, &text).map(|_| text))
        .transpose()
}

/// A filter that has to be one of a few words.
fn one_of(name: &str, text: String, known: &[&str]) -> Result<String, Problem> {
    if known.contains(&text.as_str()) {
        return Ok(text);
    }
    let known = known.join(", ");
    Err(Problem::invalid_parameter(format!(
        "`{name}` is one of {known}, not `{text}`"
    )))
}

/// `true` or `false`; absent is false.
fn flag(name: &str, text: Option<String>) -> Result<bool, Problem> {
    let text = text.map(|text| one_of(name, text, &["true", "false"]));
    Ok(text.transpose()?.is_some_and(|text| text == "true"))
}

/// A filter that is compared as it is.
fn word(name: &str, text: Option<String>) -> Result<Option<String>, Problem> {
    let max = NAME_BYTES_MAX;
    match text {
        Some(text)
            if !(1..=max).contains(&text.chars().count()) || text.chars().any(char::is_control) =>
        {
            let expected = format!("`{name}` has 1 to {max} characters and none that control");
            Err(Problem::invalid_parameter(expected))
        }
        text => Ok(text),
    }
}

fn uuid(name: &str, text: Option<&str>) -> Result<Option<Uuid>, Problem> {
    let parse = |text: &str| {
        let expected = || Problem::invalid_parameter(format!("`{name}`: `{text}` is not a UUID"));
        text.parse().map_err(|_| expected())
    };
    text.map(parse).transpose()
}

fn instant(name: &str, text: Option<&str>) -> Result<Option<OffsetDateTime>, Problem> {
    let parse = |text| {
        crate::extract::instant(text)
            .map_err(|error| Problem::invalid_parameter(format!("`{name}`: {error}")))
    };
    text.map(parse).transpose()
}

fn day(name: &str, text: Option<&str>) -> Result<Option<Date>, Problem> {
    text.map(|text| parameter(name, text).map(trading_day))
        .transpose()
}

/// A trading date as the read database has it.
fn trading_day(date: TradingDate) -> Date {
    let month = time::Month::try_from(date.month()).expect("a trading date's month is one");
    Date::from_calendar_date(i32::from(date.year()), month, date.day())
        .expect("a trading date is in the calendar")
}

/// Where a page begins: a log position that an earlier page gave.
fn cursor(before: Option<&str>) -> Result<Option<i64>, Problem> {
    let position = before
        .map(|text| parameter::<Position>("before", text))
        .transpose()?;
    Ok(position.map(|position| i64::try_from(position.as_u64()).unwrap_or(i64::MAX)))
}

/// Whether a list of what came one after another is oldest first, and where its page begins: `before` in the one order, `after` in the other.
fn by_age(
    field: &'static str,
    sort: Option<String>,
    (before, after): (Option<&str>, Option<&str>),
) -> Result<(bool, Option<i64>), Problem> {
    let newest = format!("-{field}");
    let sort = sort.map(|sort| one_of("sort", sort, &[&newest, field]));
    let oldest_first = sort.transpose()?.is_some_and(|sort| sort == field);
    let (name, wrong) = if oldest_first {
        ("after", before)
    } else {
        ("before", after)
    };
    if wrong.is_some() {
        return Err(other_order(format!(
            "a list in this order is paged by `{name}`"
        )));
    }
    let text = if oldest_first { after } else { before };
    let position = text.map(|text| parameter::<Position>(name, text));
    let number = |position: Position| i64::try_from(position.as_u64()).unwrap_or(i64::MAX);
    Ok((oldest_first, position.transpose()?.map(number)))
}

/// A page that is asked for in another order than the one before it.
fn other_order(detail: impl Into<String>) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "cursor-of-another-order",
        "The page before was in another order",
        detail,
    )
}

/// A whole number, 1 to `max`.
fn whole(name: &str, text: Option<&str>, default: i64, max: i64) -> Result<i64, Problem> {
    let Some(text) = text else {
        return Ok(default);
    };
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| {
        let expected = format!("`{name}` is a whole number from 1 to {max}, not `{text}`");
        Problem::invalid_parameter(expected)
    })
}

/// How many rows a page of a read model may have.
fn page_rows(limit: Option<&str>) -> Result<i64, Problem> {
    whole("limit", limit, PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX)
}

/// The cursor behind a full page.
fn next<T>(rows: &[T], limit: i64, position: impl Fn(&T) -> i64) -> Option<String> {
    let full = i64::try_from(rows.len()).unwrap_or(i64::MAX) >= limit;
    rows.last()
        .filter(|_| full)
        .map(|row| position(row).to_string())
}
