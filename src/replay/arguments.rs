//! What can be asked of `squareoff replay`, and how.

use super::filter::{Filter, Streams};
use super::near;
use super::order::OrderFilter;
use super::stand::At;
use super::zone::{Edge, Moment, Zone};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use squareoff_domain::{ClientCode, Symbol, TradingDate, Venue};
use squareoff_projections::audit::AuditKind;
use std::fmt::Display;
use std::str::FromStr;
use uuid::Uuid;

const EXAMPLES: &str = "\
Examples:
  squareoff replay                                         what there is
  squareoff replay platform                                who switched what, and why
  squareoff replay position-2026-11-20-C00001              every position of a client on a day
  squareoff replay position-2026-11-20-C00001-NSE:RELIANCE-MIS --table
  squareoff replay position-2026-11-20-C00001-NSE:RELIANCE-MIS --at '2026-11-20 14:05'
  squareoff replay position-2026-11-20-C00001-NSE:RELIANCE-MIS --at-version 3
  squareoff replay --client C00001 --from '2026-11-20 14:00' --to '2026-11-20 14:30'
  squareoff replay --kind refusal --date 2026-11-20        what was asked in vain
  squareoff replay --type OrderRejected --type CancelRejected --follow
  squareoff replay --order 01ABCDEFGHIJKLMNON00 --json | jq .words

Times are shown and read in IST; --utc or --zone choose another clock. A time may also have its own zone: 2026-11-20T08:35:00Z.";

/// `squareoff replay` and its arguments.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Replay {
    /// A stream's name, or the beginning of the names of several. Without any argument: what streams there are.
    #[arg(value_name = "STREAM")]
    pub stream: Option<String>,
    /// The state that the stream came to, instead of its events.
    #[arg(long, conflicts_with_all = ["table", "follow", "filters"], requires = "stream", help_heading = "What to print")]
    pub state: bool,
    /// The state at this version of the stream.
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(u64).range(1..),
          conflicts_with_all = ["at", "table", "follow", "filters"], requires = "stream", help_heading = "What to print")]
    pub at_version: Option<u64>,
    /// The state at a position of the log or at a time: behind the last event recorded by then. A day alone means its end.
    #[arg(long, value_name = "POSITION|TIME", conflicts_with_all = ["table", "follow", "filters"], requires = "stream",
          help_heading = "What to print")]
    pub at: Option<Moment>,
    /// A position's day as a table: time, who, event, quantity, price, net, working, closable, reason.
    #[arg(long, conflicts_with_all = ["json"], requires = "stream", help_heading = "What to print")]
    pub table: bool,
    /// One JSON object a line: the envelope, the stored body, words, reason and what the event changed.
    #[arg(long, help_heading = "What to print")]
    pub json: bool,
    /// Goes on with each event as it is appended, until Ctrl-C.
    #[arg(long, short, help_heading = "What to print")]
    pub follow: bool,
    /// Every event of the log.
    #[arg(long, conflicts_with = "stream", help_heading = "What to print")]
    pub all: bool,
    #[command(flatten)]
    pub filters: Filters,
    /// The clock to show and read times by: IST, UTC or an offset such as +04:00.
    #[arg(long, default_value = "IST", help_heading = "How to print")]
    pub zone: Zone,
    /// The same as --zone UTC.
    #[arg(long, conflicts_with = "zone", help_heading = "How to print")]
    pub utc: bool,
    /// Columns to fit the text into; default the terminal's, and whole lines where there is none.
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(32..), help_heading = "How to print")]
    pub width: Option<u16>,
}

/// Which events: all that is said must be so.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(id = "filters", multiple = true)]
pub struct Filters {
    /// About this client.
    #[arg(long, value_parser = capital::<ClientCode>, help_heading = "Which events")]
    pub client: Option<ClientCode>,
    /// Of this trading date; where a stream has none, of this day in India.
    #[arg(long, value_name = "YYYY-MM-DD", help_heading = "Which events")]
    pub date: Option<TradingDate>,
    /// At this venue.
    #[arg(long, value_parser = capital::<Venue>, help_heading = "Which events")]
    pub venue: Option<Venue>,
    /// In this instrument.
    #[arg(long, value_parser = capital::<Symbol>, help_heading = "Which events")]
    pub symbol: Option<Symbol>,
    /// Of this type, as docs/EVENTS.md lists them; may be said several times.
    #[arg(long = "type", value_name = "TYPE", value_parser = near::event_type, help_heading = "Which events")]
    pub types: Vec<&'static str>,
    /// By this person or process.
    #[arg(long, help_heading = "Which events")]
    pub actor: Option<String>,
    /// Of this request, or part of it: also what the exchange told of its orders, or of a bulk's items.
    #[arg(long, value_name = "UUID", help_heading = "Which events")]
    pub request: Option<Uuid>,
    /// About this order: its id, a ClOrdID of it, or the exchange's number.
    #[arg(long, value_name = "ID", help_heading = "Which events")]
    pub order: Option<OrderFilter>,
    /// What somebody asked, what was told, or what was refused.
    #[arg(long, value_parser = kinds(), help_heading = "Which events")]
    pub kind: Option<AuditKind>,
    /// From this position of the log, or recorded at or behind this time.
    #[arg(long, value_name = "POSITION|TIME", help_heading = "Which events")]
    pub from: Option<Moment>,
    /// Up to this position, or recorded at or before this time; a day alone means its end.
    #[arg(long, value_name = "POSITION|TIME", help_heading = "Which events")]
    pub to: Option<Moment>,
}

impl Replay {
    /// Nothing in particular was asked for.
    pub fn is_bare(&self) -> bool {
        let Filters {
            client,
            date,
            venue,
            symbol,
            types,
            actor,
            request,
            order,
            kind,
            from,
            to,
        } = &self.filters;
        let filtered = client.is_some()
            || date.is_some()
            || venue.is_some()
            || symbol.is_some()
            || !types.is_empty()
            || actor.is_some()
            || request.is_some()
            || order.is_some()
            || kind.is_some()
            || from.is_some()
            || to.is_some();
        self.stream.is_none() && !filtered && !self.all && !self.json && !self.follow
    }

    pub fn zone(&self) -> Zone {
        if self.utc { Zone::UTC } else { self.zone }
    }

    /// Which state, if one is asked for.
    pub fn state(&self) -> Option<At> {
        match (self.at_version, self.at) {
            (Some(version), _) => Some(At::Version(version)),
            (None, Some(moment)) => Some(At::Instant(moment.at(self.zone(), Edge::Last))),
            (None, None) => self.state.then_some(At::Now),
        }
    }

    pub fn filter(&self, streams: Streams) -> Filter {
        let (zone, filters) = (self.zone(), self.filters.clone());
        Filter {
            streams,
            client: filters.client,
            date: filters.date,
            venue: filters.venue,
            symbol: filters.symbol,
            types: filters.types,
            actor: filters.actor,
            request: filters.request,
            order: filters.order,
            kind: filters.kind,
            from: filters.from.map(|moment| moment.at(zone, Edge::First)),
            to: filters.to.map(|moment| moment.at(zone, Edge::Last)),
        }
    }
}

/// Small letters are meant as capital ones.
fn capital<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.to_uppercase()
        .parse()
        .map_err(|error: T::Err| error.to_string())
}

fn kinds() -> impl TypedValueParser<Value = AuditKind> {
    let names = AuditKind::ALL.iter().map(|kind| kind.as_str());
    PossibleValuesParser::new(names).map(|name| {
        let kind = AuditKind::ALL.iter().find(|kind| kind.as_str() == name);
        *kind.expect("the parser takes no other name")
    })
}
