//! `squareoff rebuild`: the read models anew beside the live ones, or an auditor's copy of a moment, with the progress of it.

mod progress;

use anyhow::{Context, Result, bail};
use progress::Showing;
use squareoff_domain::Timestamp;
use squareoff_projections::{
    AsOf, AsOfReport, Database, Moment, RebuildOptions, RebuildReport, SchemaName, SwapWhen,
    drop_as_of, list_as_of, rebuild, rebuild_as_of,
};
use squareoff_store::{EventStore, Position};
use std::process::ExitCode;
use std::str::FromStr;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// `squareoff rebuild` and its arguments.
#[derive(Debug, clap::Args)]
pub struct Rebuild {
    /// Compares and leaves the live ones in place.
    #[arg(long)]
    compare_only: bool,
    /// Swaps even when the live ones differ: that is how a damaged read model is mended. With --as-of: makes a copy anew that is there.
    #[arg(long, conflicts_with = "compare_only")]
    replace: bool,
    /// Makes an auditor's copy instead: the read models as they were at this log position, or when everything recorded at or before
    /// this time was in them.
    #[arg(
        long,
        value_name = "POSITION|RFC 3339 TIME",
        requires = "schema",
        conflicts_with = "compare_only"
    )]
    as_of: Option<AsOfMoment>,
    /// Schema of the copy.
    #[arg(long, requires = "as_of")]
    schema: Option<SchemaName>,
    /// Lists the copies that are there.
    #[arg(long, conflicts_with_all = ["as_of", "compare_only", "replace"])]
    list: bool,
    /// Drops a copy.
    #[arg(long, value_name = "SCHEMA", conflicts_with_all = ["as_of", "compare_only", "replace", "list"])]
    drop: Option<SchemaName>,
}

/// [`Moment`] as a person writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AsOfMoment(Moment);

impl FromStr for AsOfMoment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(position) = text.parse::<Position>() {
            return Ok(AsOfMoment(Moment::Position(position)));
        }
        let time = OffsetDateTime::parse(text, &Rfc3339).ok();
        let nanos = time.and_then(|time| i64::try_from(time.unix_timestamp_nanos()).ok());
        nanos
            .map(|nanos| AsOfMoment(Moment::Time(Timestamp(nanos))))
            .ok_or_else(|| {
                "neither a log position nor an RFC 3339 time such as 2026-11-20T14:05:00+05:30"
                    .into()
            })
    }
}

/// Does what the arguments say and tells what came of it; the exit code is 1 when the live read models differed.
///
/// # Errors
/// When it could not be done; the live read models are as they were.
pub async fn run(store: &EventStore, url: &str, arguments: Rebuild) -> Result<ExitCode> {
    let database = Database::from_url(url).context("DATABASE_URL")?;
    if arguments.list {
        print!("{}", list(&database).await?);
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(schema) = &arguments.drop {
        if !drop_as_of(store, &database, schema).await? {
            bail!("there is no schema {schema}");
        }
        println!("schema {schema} is dropped");
        return Ok(ExitCode::SUCCESS);
    }
    let mut showing = Showing::new()?;
    if let (Some(AsOfMoment(moment)), Some(schema)) = (arguments.as_of, arguments.schema) {
        let as_of = AsOf {
            moment,
            schema,
            replace: arguments.replace,
        };
        let made = rebuild_as_of(store, &database, &as_of, |now| showing.show(now)).await;
        showing.end();
        print!("{}", describe_copy(&as_of.schema, &made?, &for_psql(url)));
        return Ok(ExitCode::SUCCESS);
    }
    let swap = match (arguments.compare_only, arguments.replace) {
        (true, _) => SwapWhen::Never,
        (false, true) => SwapWhen::Always,
        (false, false) => SwapWhen::Equal,
    };
    let options = RebuildOptions::new(swap);
    let report = rebuild(store, &database, options, |now| showing.show(now)).await;
    showing.end();
    let report = report?;
    print!("{}", describe(&report));
    let mended = arguments.replace && report.swapped;
    Ok(if report.equal() || mended {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What a rebuild did, in a few lines.
pub fn describe(report: &RebuildReport) -> String {
    let mut text = folded(
        report.gone_on_from,
        report.events,
        report.elapsed.as_secs_f64(),
        report.events_per_s(),
    );
    match &report.comparison {
        None => text.push_str("the live read models were empty: nothing to compare with\n"),
        Some(comparison) if comparison.equal() => {
            text.push_str(&format!(
                "equal to the live read models at position {} (SHA-256 {})\n",
                comparison.position, comparison.hash_live
            ));
        }
        Some(comparison) => {
            text.push_str(&format!(
                "NOT equal to the live read models at position {}:\n",
                comparison.position
            ));
            for difference in &comparison.differences {
                let rows = |what: &str, rows: &[String]| {
                    rows.iter()
                        .map(|row| format!("  {} {what}: {row}\n", difference.table))
                        .collect::<String>()
                };
                text.push_str(&rows("only live", &difference.only_live));
                text.push_str(&rows("only rebuilt", &difference.only_next));
            }
        }
    }
    text.push_str(if report.swapped {
        "swapped in\n"
    } else {
        "the live read models stay in place\n"
    });
    text
}

fn folded(gone_on_from: Position, events: u64, elapsed_s: f64, events_per_s: u64) -> String {
    let before = if gone_on_from == Position::START {
        String::new()
    } else {
        format!("gone on from position {gone_on_from}, where an earlier rebuild was stopped\n")
    };
    format!("{before}{events} events rebuilt in {elapsed_s:.2} s ({events_per_s} events/s)\n")
}

/// How a shell names the database: the private one's address says all, and another's may hold a password.
fn for_psql(url: &str) -> String {
    if url.starts_with("postgresql:///") && !url.contains("password") {
        format!("'{url}'")
    } else {
        "\"$DATABASE_URL\"".to_owned()
    }
}

fn describe_copy(schema: &SchemaName, report: &AsOfReport, database: &str) -> String {
    let folded = folded(
        report.gone_on_from,
        report.events,
        report.elapsed.as_secs_f64(),
        report.events_per_s(),
    );
    let recorded = report
        .recorded_at
        .map_or(String::new(), |at| format!(", recorded {}", rfc3339(at)));
    format!(
        "{folded}schema {schema} stands at position {}{recorded} (SHA-256 {})\n\
         query it:  psql {database} -c 'SELECT * FROM {schema}.positions LIMIT 10' (or SET search_path = {schema})\n\
         drop it:   squareoff rebuild --drop {schema}\n",
        report.position, report.hash
    )
}

async fn list(database: &Database) -> Result<String> {
    let mut text = String::new();
    for copy in list_as_of(database).await? {
        let began = copy.began_at.format(&Rfc3339)?;
        let whole = if copy.whole {
            ""
        } else {
            ", unfinished: the same command again goes on"
        };
        text.push_str(&format!(
            "{} at position {}, made {began}{whole}\n",
            copy.schema, copy.position
        ));
    }
    if text.is_empty() {
        text.push_str("there are no copies\n");
    }
    Ok(text)
}

fn rfc3339(at: Timestamp) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0))
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| at.0.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_position_or_a_time_with_its_zone() {
        let at = |nanos| Ok(AsOfMoment(Moment::Time(Timestamp(nanos))));
        for (text, moment) in [
            ("0", Ok(AsOfMoment(Moment::Position(Position::START)))),
            (
                "42",
                Ok(AsOfMoment(Moment::Position(Position::from_u64(42)))),
            ),
            ("1970-01-01T05:30:01+05:30", at(1_000_000_000)),
            ("1970-01-01T00:00:00.000000007Z", at(7)),
        ] {
            assert_eq!(text.parse(), moment, "{text}");
        }
        for bad in [
            "",
            "-1",
            "yesterday",
            "2026-11-20",
            "2026-11-20T10:00:00",
            "9999-12-31T23:59:59Z",
        ] {
            assert!(bad.parse::<AsOfMoment>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        for (url, shown) in [
            (
                "postgresql:///squareoff?host=/data/socket&user=squareoff",
                "'postgresql:///squareoff?host=/data/socket&user=squareoff'",
            ),
            ("postgresql:///squareoff?password=x", "\"$DATABASE_URL\""),
            ("postgres://desk:x@db/squareoff", "\"$DATABASE_URL\""),
        ] {
            assert_eq!(for_psql(url), shown);
        }
    }
}
