//! The platform's own stream, from the command line: what the machine itself may do when there is nobody to ask through the API.

use crate::book;
use crate::folder::Folder;
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use squareoff_api::date_in_india;
use squareoff_api::extract::{Scope, Time};
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
    /// Accept square-offs for the book's trading date, or for another, on one person's word: when there is nobody to ask. The day's book has to
    /// be imported.
    Activate {
        #[arg(long)]
        reason: String,
        /// Why it has to be although the day's book is not imported; it is recorded.
        #[arg(long, value_name = "REASON")]
        without_book: Option<String>,
        #[arg(long, value_name = "YYYY-MM-DD")]
        date: Option<TradingDate>,
    },
    /// Ask another person to activate the platform.
    RequestActivation {
        #[arg(long, value_name = "YYYY-MM-DD")]
        date: TradingDate,
        /// Since when the primary has been down, such as 2026-11-20T09:40:00+05:30.
        #[arg(long, value_name = "TIME")]
        outage_began_at: Time,
        #[arg(long)]
        reason: String,
    },
    /// Approve the activation that another person asked for.
    ApproveActivation,
    /// Take back or turn down an activation that is not over yet.
    RejectActivation(Why),
    /// Say that the positions of an approved activation are being loaded.
    StartLoading,
    /// Accept square-offs: an approved activation's positions are loaded.
    FinishActivation(WithoutBook),
    /// Ask another person to hand the day back to the primary. The hand-back is completed through the API, which looks at every position.
    RequestHandBack(Why),
    /// Approve the hand-back that another person asked for.
    ApproveHandBack,
    /// Take back or turn down a hand-back.
    RejectHandBack(Why),
    /// Accept no more square-offs; what is on its way still comes in.
    StandDown(Why),
    /// The kill switch: no new orders in the scope, cancels go on.
    Halt(Scoped),
    /// Ask to take a halt of this very scope back.
    Resume(Scoped),
    /// Approve what another person asked to resume.
    ApproveResume {
        /// As it was halted.
        #[arg(long, default_value = "all")]
        scope: Scope,
    },
    /// Take back or turn down what was asked to resume: the halt stays.
    RejectResume(Scoped),
    /// Ask to cancel every order of ours in the scope; the state that is printed names its kill_id.
    CancelAll(Scoped),
    /// Approve a cancel-all that another person asked for.
    ApproveCancelAll {
        #[arg(long)]
        kill_id: Uuid,
    },
    /// Take back or turn down a cancel-all.
    RejectCancelAll {
        #[arg(long)]
        kill_id: Uuid,
        #[arg(long)]
        reason: String,
    },
    /// Ask to disconnect from a venue whose new orders are halted: every session logs out and stays away.
    Disconnect(OfVenue),
    /// Approve what another person asked to disconnect.
    ApproveDisconnect {
        #[arg(long)]
        venue: Venue,
    },
    /// Take back or turn down what was asked to disconnect: the sessions stay.
    RejectDisconnect(OfVenue),
    /// Let the sessions to a venue log on again; the halt stays.
    Reconnect(OfVenue),
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

#[derive(clap::Args)]
struct WithoutBook {
    /// Why it has to be although the day's book is not imported; it is recorded.
    #[arg(long, value_name = "REASON")]
    without_book: Option<String>,
}

#[derive(clap::Args)]
struct Why {
    #[arg(long)]
    reason: String,
}

#[derive(clap::Args)]
struct Scoped {
    /// all, a venue (NSE) or a venue's segment (NSE/FO).
    #[arg(long, default_value = "all")]
    scope: Scope,
    #[arg(long)]
    reason: String,
}

#[derive(clap::Args)]
struct OfVenue {
    #[arg(long)]
    venue: Venue,
    #[arg(long)]
    reason: String,
}

/// Does what was commanded, and prints the state that it left.
///
/// # Errors
/// The refusal, or an outage of the log.
pub async fn run(store: &EventStore, folder: &Folder, arguments: Arguments) -> Result<()> {
    let Arguments { actor, command } = arguments;
    if let Some(wanted) = wanted(store, folder, &actor, command).await? {
        ask(store, &actor, wanted).await?;
    }
    println!("{}", describe(&state(store).await?));
    Ok(())
}

/// What is to be asked of the platform; what is only told of a market is told here.
async fn wanted(
    store: &EventStore,
    folder: &Folder,
    actor: &str,
    command: Command,
) -> Result<Option<PlatformAsk>> {
    Ok(Some(match command {
        Command::Activate {
            reason,
            without_book,
            date,
        } => {
            let of_book = || anyhow::Ok(book::read(&folder.book())?.trading_date);
            let trading_date = date.map_or_else(of_book, Ok);
            PlatformAsk::ActivateAlone {
                trading_date: trading_date
                    .context("without --date the book says the trading date")?,
                reason,
                without_book,
            }
        }
        Command::RequestActivation {
            date,
            outage_began_at,
            reason,
        } => {
            // As the API has it: in the gateway's eyes a later day ends what works of today.
            let outage_began_at = outage_began_at.0;
            if outage_began_at > now() || date > date_in_india(now()) {
                bail!("an activation is of a day and an outage that have begun");
            }
            PlatformAsk::RequestActivation {
                trading_date: date,
                reason,
                outage_began_at,
            }
        }
        Command::ApproveActivation => PlatformAsk::ApproveActivation,
        Command::RejectActivation(Why { reason }) => PlatformAsk::RejectActivation { reason },
        Command::StartLoading => PlatformAsk::StartLoading,
        Command::FinishActivation(WithoutBook { without_book }) => {
            PlatformAsk::Activate { without_book }
        }
        Command::RequestHandBack(Why { reason }) => PlatformAsk::RequestHandback { reason },
        Command::ApproveHandBack => PlatformAsk::ApproveHandback,
        Command::RejectHandBack(Why { reason }) => PlatformAsk::RejectHandback { reason },
        Command::StandDown(Why { reason }) => PlatformAsk::StandDown { reason },
        Command::Halt(Scoped { scope, reason }) => PlatformAsk::Halt {
            scope: scope.0,
            reason,
        },
        Command::Resume(Scoped { scope, reason }) => PlatformAsk::RequestResume {
            scope: scope.0,
            reason,
        },
        Command::ApproveResume { scope } => PlatformAsk::ApproveResume { scope: scope.0 },
        Command::RejectResume(Scoped { scope, reason }) => PlatformAsk::RejectResume {
            scope: scope.0,
            reason,
        },
        Command::CancelAll(Scoped { scope, reason }) => PlatformAsk::RequestCancelAll {
            scope: scope.0,
            reason,
        },
        Command::ApproveCancelAll { kill_id } => PlatformAsk::ApproveCancelAll {
            kill_id: RequestId(kill_id),
        },
        Command::RejectCancelAll { kill_id, reason } => PlatformAsk::RejectCancelAll {
            kill_id: RequestId(kill_id),
            reason,
        },
        Command::Disconnect(OfVenue { venue, reason }) => {
            PlatformAsk::RequestDisconnect { venue, reason }
        }
        Command::ApproveDisconnect { venue } => PlatformAsk::ApproveDisconnect { venue },
        Command::RejectDisconnect(OfVenue { venue, reason }) => {
            PlatformAsk::RejectDisconnect { venue, reason }
        }
        Command::Reconnect(OfVenue { venue, reason }) => PlatformAsk::Reconnect { venue, reason },
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
            tell(store, actor, report).await?;
            return Ok(None);
        }
        Command::Status => return Ok(None),
    }))
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
            without_book: None,
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

/// The envelope of what `actor` asks now.
pub(crate) async fn caller(store: &EventStore, actor: &str, request_id: Uuid) -> Result<Caller> {
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
    let cancel_alls = platform.cancel_alls.iter();
    let cancel_alls: Vec<_> = cancel_alls
        .map(|(id, wish)| serde_json::json!({ "kill_id": id.0, "scope": wish.scope.to_string(), "requested_by": wish.by }))
        .collect();
    let wishes = platform.disconnect_wishes.iter();
    let disconnect_requests: Vec<_> = wishes
        .map(|(venue, wish)| serde_json::json!({ "venue": venue, "requested_by": wish.by }))
        .collect();
    let activation = platform.activation.as_ref();
    let activation = activation.map(|of| {
        serde_json::json!({ "trading_date": of.trading_date, "requested_by": of.requested_by, "approved_by": of.approved_by })
    });
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
        "activation": activation,
        "handback_requested_by": platform.handback_requested_by,
        "cancel_alls": cancel_alls,
        "disconnect_requests": disconnect_requests,
        "halts": halts,
        "resumes": resumes,
        "disconnects": platform.disconnects.keys().collect::<Vec<_>>(),
        "markets": markets,
    })
    .to_string()
}
