//! The platform's own stream, from the command line: what the machine itself may do when there is nobody to ask through the API.

use crate::book;
use crate::folder::Folder;
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use squareoff_api::extract::Scope;
use squareoff_domain::platform::{
    self, MarketPhase, Platform, PlatformAsk, PlatformReport, PlatformRequest, STREAM,
};
use squareoff_domain::{RequestId, Segment, Timestamp, TradingDate, Venue};
use squareoff_store::{Caller, Committed, EventStore, Streams, TransactError};
use std::convert::Infallible;
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;

#[derive(clap::Args)]
pub struct Arguments {
    /// Who does it; what needs two people needs two names.
    #[arg(
        long = "as",
        global = true,
        value_name = "ACTOR",
        default_value = "operator"
    )]
    actor: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Accept square-offs for the book's trading date, or for another.
    Activate {
        #[arg(long)]
        reason: String,
        #[arg(long, value_name = "YYYY-MM-DD")]
        date: Option<TradingDate>,
    },
    /// Accept no more square-offs; what is on its way still comes in.
    StandDown {
        #[arg(long)]
        reason: String,
    },
    /// The kill switch: no new orders in the scope, cancels go on.
    Halt {
        /// all, a venue (NSE) or a venue's segment (NSE/FO).
        #[arg(long, default_value = "all")]
        scope: Scope,
        #[arg(long)]
        reason: String,
    },
    /// Ask to take a halt of this very scope back.
    Resume {
        /// As it was halted.
        #[arg(long, default_value = "all")]
        scope: Scope,
        #[arg(long)]
        reason: String,
    },
    /// Approve what another person asked to resume.
    ApproveResume {
        /// As it was halted.
        #[arg(long, default_value = "all")]
        scope: Scope,
    },
    /// Tell the phase of a venue's segment, where the exchange sends none.
    Market {
        #[arg(long)]
        venue: Venue,
        /// CM, FO, CD or COM.
        #[arg(long)]
        segment: Segment,
        /// pre-open, open, pre-close, closed or halted.
        #[arg(long, value_parser = phase)]
        phase: MarketPhase,
        /// Default the platform's trading date.
        #[arg(long, value_name = "YYYY-MM-DD")]
        date: Option<TradingDate>,
    },
    /// The state, as JSON.
    Status,
}

/// Does what was commanded, and prints the state that it left.
///
/// # Errors
/// The refusal, or an outage of the log.
pub async fn run(store: &EventStore, folder: &Folder, arguments: Arguments) -> Result<()> {
    let Arguments { actor, command } = arguments;
    let wanted = match command {
        Command::Activate { reason, date } => {
            let trading_date = match date {
                Some(date) => date,
                None => {
                    book::read(&folder.book())
                        .context("without --date the book says the trading date")?
                        .trading_date
                }
            };
            Some(PlatformAsk::ActivateAlone {
                trading_date,
                reason,
            })
        }
        Command::StandDown { reason } => Some(PlatformAsk::StandDown { reason }),
        Command::Halt { scope, reason } => Some(PlatformAsk::Halt {
            scope: scope.0,
            reason,
        }),
        Command::Resume { scope, reason } => Some(PlatformAsk::RequestResume {
            scope: scope.0,
            reason,
        }),
        Command::ApproveResume { scope } => Some(PlatformAsk::ApproveResume { scope: scope.0 }),
        Command::Market {
            venue,
            segment,
            phase,
            date,
        } => {
            let date = match date {
                Some(date) => Some(date),
                None => state(store).await?.trading_date,
            };
            let report = PlatformReport::MarketPhase {
                venue,
                segment,
                trading_date: date.context(
                    "the platform was never activated: say the trading date with --date",
                )?,
                phase,
                source: "desk".to_owned(),
            };
            tell(store, &actor, report).await?;
            None
        }
        Command::Status => None,
    };
    if let Some(wanted) = wanted {
        ask(store, &actor, wanted).await?;
    }
    println!("{}", describe(&state(store).await?));
    Ok(())
}

fn phase(text: &str) -> Result<MarketPhase, String> {
    let text = serde_json::Value::from(text);
    serde_json::from_value(text).map_err(|error| error.to_string())
}

/// Activates the platform for `date`, unless a person stood it down on that date: that stays. An epoch of another date is stood
/// down first. Whether the platform is active now.
///
/// # Errors
/// When the log does not take it.
pub async fn activate_for(
    store: &EventStore,
    date: TradingDate,
    actor: &str,
    reason: &str,
) -> Result<bool> {
    let now = state(store).await?;
    if now.trading_date == Some(date) {
        return Ok(now.epoch_in_force().is_some());
    }
    if now.epoch_in_force().is_some() {
        let reason = format!("another trading date begins: {date}");
        ask(store, actor, PlatformAsk::StandDown { reason }).await?;
    }
    let reason = reason.to_owned();
    let trading_date = date;
    ask(
        store,
        actor,
        PlatformAsk::ActivateAlone {
            trading_date,
            reason,
        },
    )
    .await?;
    Ok(true)
}

/// The platform as it is now.
///
/// # Errors
/// When the log cannot be read.
pub async fn state(store: &EventStore) -> Result<Platform> {
    let loaded = Streams::<Platform>::new(store.clone()).load(STREAM).await?;
    Ok((*loaded.state).clone())
}

/// Asks the platform for a change and says what came of it.
///
/// # Errors
/// The refusal, or an outage of the log.
pub async fn ask(store: &EventStore, actor: &str, ask: PlatformAsk) -> Result<Committed<()>> {
    let request_id = Uuid::now_v7();
    let caller = caller(store, actor, request_id).await?;
    let request = PlatformRequest {
        request_id: RequestId(request_id),
        by: actor.to_owned(),
        ask,
    };
    let decide = |platform: &Platform| Ok((platform::decide(platform, request.clone())?, ()));
    match Streams::<Platform>::new(store.clone())
        .transact(STREAM, &caller, decide)
        .await
    {
        Ok(committed) => Ok(committed),
        Err(TransactError::Refused(refusal)) => {
            let refusal: platform::PlatformRefusal = refusal;
            bail!("{refusal}")
        }
        Err(error) => Err(error.into()),
    }
}

/// Records what the desk tells of a market; what is known already is passed over.
async fn tell(store: &EventStore, actor: &str, report: PlatformReport) -> Result<()> {
    let caller = caller(store, actor, Uuid::now_v7()).await?;
    let record =
        |platform: &Platform| Ok::<_, Infallible>((platform::record(platform, report.clone()), ()));
    Streams::<Platform>::new(store.clone())
        .transact(STREAM, &caller, record)
        .await?;
    Ok(())
}

async fn caller(store: &EventStore, actor: &str, request_id: Uuid) -> Result<Caller> {
    Ok(Caller {
        actor: actor.into(),
        request_id,
        correlation_id: request_id,
        epoch: state(store).await?.epoch,
        now: now(),
    })
}

/// The clock of the command line.
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// The state as a line of JSON.
pub fn describe(platform: &Platform) -> String {
    let halts = platform.halts.iter();
    let halts: Vec<_> = halts
        .map(|(scope, halt)| serde_json::json!({ "scope": scope.to_string(), "reason": halt.reason, "by": halt.by }))
        .collect();
    let resumes = platform.resumes.iter();
    let resumes: Vec<_> = resumes
        .map(|(scope, wish)| serde_json::json!({ "scope": scope.to_string(), "requested_by": wish.by }))
        .collect();
    let markets = platform.markets.iter();
    let markets: serde_json::Map<_, _> = markets
        .filter(|(_, market)| Some(market.trading_date) == platform.trading_date)
        .map(|((venue, segment), market)| {
            (format!("{venue}/{segment}"), market.phase.as_str().into())
        })
        .collect();
    serde_json::json!({
        "platform": platform.phase.as_str(),
        "epoch": platform.epoch,
        "trading_date": platform.trading_date,
        "halts": halts,
        "resumes": resumes,
        "markets": markets,
    })
    .to_string()
}
