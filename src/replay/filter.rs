//! Which events are asked for. Cheap things first: most events of a log are passed over by their stream's name, without decoding them.

use super::order::OrderFilter;
use super::stream::{Kind, Name};
use super::zone::{Instant, Zone};
use squareoff_domain::approval::ApprovalEvent;
use squareoff_domain::bulk::BulkEvent;
use squareoff_domain::platform::{HaltScope, PlatformEvent};
use squareoff_domain::refusals::RefusalEvent;
use squareoff_domain::suspense::SuspenseEvent;
use squareoff_domain::{ClientCode, Event, PositionKey, Symbol, TradingDate, Venue};
use squareoff_projections::audit::{AuditKind, kind_of};
use squareoff_store::StoredEvent;
use squareoff_store::codec::{self, DecodeError};
use uuid::Uuid;

/// What of the streams' names is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Streams {
    #[default]
    All,
    Exactly(String),
    BeginningWith(String),
}

/// All that is set must match.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub streams: Streams,
    pub client: Option<ClientCode>,
    /// The trading date of the stream; where a stream has none, the day of the event in India.
    pub date: Option<TradingDate>,
    pub venue: Option<Venue>,
    pub symbol: Option<Symbol>,
    /// Any of them; empty means all.
    pub types: Vec<&'static str>,
    pub actor: Option<String>,
    /// A request, or what it is a part of.
    pub request: Option<Uuid>,
    pub order: Option<OrderFilter>,
    pub kind: Option<AuditKind>,
    /// By position, or by the time the log recorded it; both ends belong to it.
    pub from: Option<Instant>,
    pub to: Option<Instant>,
}

/// What an event is about, where its stream is about more.
#[derive(Default)]
struct Subject<'a> {
    client: Option<&'a str>,
    venue: Option<&'a str>,
    symbol: Option<&'a str>,
}

impl Filter {
    /// Whether the event is asked for. Learns from it, where an order is asked for by one of its other names.
    ///
    /// # Errors
    /// [`DecodeError`] when the event had to be read and could not be.
    pub fn admits(&mut self, stored: &StoredEvent) -> Result<bool, DecodeError> {
        let stream = match &self.streams {
            Streams::All => true,
            Streams::Exactly(stream) => *stored.stream == **stream,
            Streams::BeginningWith(prefix) => stored.stream.starts_with(prefix.as_str()),
        };
        let actor = self
            .actor
            .as_deref()
            .is_none_or(|actor| actor == &*stored.actor);
        let typed = self.types.is_empty() || self.types.contains(&&*stored.event_type);
        if !stream || !actor || !typed || !self.is_within(stored) {
            return Ok(false);
        }
        let name = Name::of(&stored.stream);
        if !self.is_of_date(stored, &name) {
            return Ok(false);
        }
        let mut decoded = None;
        if !self.is_about(stored, &name, &mut decoded)? {
            return Ok(false);
        }
        if self
            .request
            .is_some_and(|request| !is_of_request(stored, request))
        {
            return Ok(false);
        }
        if let Some(order) = &mut self.order
            && !order.admits(stored)?
        {
            return Ok(false);
        }
        match self.kind {
            None => Ok(true),
            Some(kind) => Ok(kind_of(read(stored, &mut decoded)?) == kind),
        }
    }

    /// Whether no event behind this one can be asked for any more.
    pub fn ends_before(&self, stored: &StoredEvent) -> bool {
        matches!(self.to, Some(Instant::Position(to)) if stored.position.as_u64() > to)
    }

    fn is_within(&self, stored: &StoredEvent) -> bool {
        let from = match self.from {
            None => true,
            Some(Instant::Position(from)) => stored.position.as_u64() >= from,
            Some(Instant::Time(from)) => stored.recorded_at >= from,
        };
        let to = match self.to {
            None => true,
            Some(Instant::Position(to)) => stored.position.as_u64() <= to,
            Some(Instant::Time(to)) => stored.recorded_at <= to,
        };
        from && to
    }

    fn is_of_date(&self, stored: &StoredEvent, name: &Name) -> bool {
        let Some(date) = self.date else { return true };
        let date = date.to_string();
        match name.date {
            Some(of_stream) => of_stream == date,
            None => Zone::IST.day(stored.occurred_at) == date,
        }
    }

    /// Client, venue and symbol, by the stream's name or, where that leaves it open, by what the event names.
    fn is_about(
        &self,
        stored: &StoredEvent,
        name: &Name,
        decoded: &mut Option<Event>,
    ) -> Result<bool, DecodeError> {
        if self.client.is_none() && self.venue.is_none() && self.symbol.is_none() {
            return Ok(true);
        }
        let of_stream = Subject {
            client: name.client,
            venue: name.venue,
            symbol: name.symbol,
        };
        if self.fits(&of_stream) {
            return Ok(true);
        }
        // What a name says, an event of the stream doesn't say otherwise.
        let client = self.client.as_ref().map(ClientCode::as_str);
        let venue = self.venue.map(Venue::as_str);
        let other_client =
            name.client.is_some() && client.is_some_and(|client| name.client != Some(client));
        let other_venue =
            name.venue.is_some() && venue.is_some_and(|venue| name.venue != Some(venue));
        let more_inside = match name.kind {
            Kind::Approval | Kind::Bulk | Kind::Suspense | Kind::Platform | Kind::Refusals => true,
            Kind::Contracts => self.client.is_none(),
            Kind::Position
            | Kind::Session
            | Kind::Client
            | Kind::Operator
            | Kind::Checkpoints
            | Kind::Other => false,
        };
        if other_client || other_venue || !more_inside {
            return Ok(false);
        }
        let event = read(stored, decoded)?;
        Ok(self.names(event, &of_stream))
    }

    fn fits(&self, subject: &Subject) -> bool {
        let client = self.client.as_ref().map(ClientCode::as_str);
        let symbol = self.symbol.as_ref().map(Symbol::as_str);
        let fits = |wanted: Option<&str>, found: Option<&str>| wanted.is_none() || wanted == found;
        fits(client, subject.client)
            && fits(self.venue.map(Venue::as_str), subject.venue)
            && fits(symbol, subject.symbol)
    }

    fn names(&self, event: &Event, stream: &Subject) -> bool {
        let of_key = |key: &PositionKey| {
            self.fits(&Subject {
                client: Some(key.client.as_str()),
                venue: Some(key.venue.as_str()),
                symbol: Some(key.symbol.as_str()),
            })
        };
        match event {
            Event::Approval(ApprovalEvent::ApprovalAsked(asked)) => of_key(&asked.key),
            Event::Bulk(BulkEvent::BulkProposed(proposed)) => self.fits(&Subject {
                client: proposed.filter.client.as_ref().map(ClientCode::as_str),
                venue: proposed.filter.venue.map(Venue::as_str),
                symbol: proposed.filter.symbol.as_ref().map(Symbol::as_str),
            }),
            Event::Bulk(BulkEvent::BulkItemsListed(listed)) => {
                listed.items.iter().any(|item| of_key(&item.key))
            }
            Event::Contract(squareoff_domain::reference::ContractEvent::ContractListed(listed)) => {
                self.fits(&Subject {
                    client: None,
                    venue: Some(listed.contract.venue.as_str()),
                    symbol: Some(listed.contract.symbol.as_str()),
                })
            }
            Event::Platform(event) => self.fits(&Subject {
                venue: venue_of(event).map(Venue::as_str),
                ..Subject::default()
            }),
            Event::Refusal(RefusalEvent::RequestRefused(refused)) => {
                refused.position.as_ref().is_some_and(of_key)
            }
            Event::Suspense(event) => match event {
                SuspenseEvent::ReportSuspended(report) => self.fits(&Subject {
                    venue: Some(report.venue.as_str()),
                    symbol: report
                        .execution
                        .as_ref()
                        .and_then(|told| told.symbol.as_ref())
                        .map(Symbol::as_str),
                    // A venue's account is named as the client is.
                    client: report
                        .execution
                        .as_ref()
                        .and_then(|told| told.account.as_ref())
                        .map(|account| account.as_str()),
                }),
                SuspenseEvent::SuspenseMatchBegun(begun) => of_key(&begun.position),
                SuspenseEvent::SuspenseMatched(matched) => of_key(&matched.position),
                SuspenseEvent::SuspenseContradicted(told) => of_key(&told.position),
                SuspenseEvent::SuspenseDismissed(_) => self.fits(stream),
            },
            Event::Approval(
                ApprovalEvent::ApprovalGiven(_)
                | ApprovalEvent::ApprovalRefused(_)
                | ApprovalEvent::ApprovalWithdrawn(_)
                | ApprovalEvent::ApprovalLapsed(_)
                | ApprovalEvent::ApprovalConcluded(_),
            )
            | Event::Bulk(
                BulkEvent::BulkApproved(_)
                | BulkEvent::BulkRejected(_)
                | BulkEvent::BulkPaused(_)
                | BulkEvent::BulkResumed(_)
                | BulkEvent::BulkAborted(_)
                | BulkEvent::BulkPhaseEntered(_)
                | BulkEvent::BulkCancelsDone(_)
                | BulkEvent::BulkItemsSettled(_)
                | BulkEvent::BulkCompleted(_),
            )
            | Event::Client(_)
            | Event::Person(_)
            | Event::Position(_)
            | Event::Seal(_)
            | Event::Session(_) => false,
        }
    }
}

fn venue_of(event: &PlatformEvent) -> Option<Venue> {
    let of_scope = |scope: HaltScope| match scope {
        HaltScope::All => None,
        HaltScope::Venue(venue) | HaltScope::Segment { venue, .. } => Some(venue),
    };
    match event {
        PlatformEvent::MarketPhaseChanged(event) => Some(event.venue),
        PlatformEvent::NewOrdersHalted(event) => of_scope(event.scope),
        PlatformEvent::ResumeRequested(event) => of_scope(event.scope),
        PlatformEvent::ResumeRejected(event) => of_scope(event.scope),
        PlatformEvent::NewOrdersResumed(event) => of_scope(event.scope),
        PlatformEvent::CancelAllRequested(event) => of_scope(event.scope),
        PlatformEvent::CancelAllOrdered(event) => of_scope(event.scope),
        PlatformEvent::DisconnectRequested(event) => Some(event.venue),
        PlatformEvent::DisconnectRejected(event) => Some(event.venue),
        PlatformEvent::VenueDisconnected(event) => Some(event.venue),
        PlatformEvent::VenueReconnected(event) => Some(event.venue),
        PlatformEvent::ActivationRequested(_)
        | PlatformEvent::ActivationApproved(_)
        | PlatformEvent::ActivationRejected(_)
        | PlatformEvent::LoadingStarted(_)
        | PlatformEvent::BookLoaded(_)
        | PlatformEvent::PlatformActivated(_)
        | PlatformEvent::PlatformStoodDown(_)
        | PlatformEvent::HandbackRequested(_)
        | PlatformEvent::HandbackRejected(_)
        | PlatformEvent::HandbackApproved(_)
        | PlatformEvent::HandbackCompleted(_)
        | PlatformEvent::CancelAllRejected(_) => None,
    }
}

/// A refusal is appended under an id of its own, and named as a part of the request that was refused.
fn is_of_request(stored: &StoredEvent, request: Uuid) -> bool {
    stored.request_id == request || stored.correlation_id == request
}

fn read<'a>(
    stored: &StoredEvent,
    decoded: &'a mut Option<Event>,
) -> Result<&'a Event, DecodeError> {
    match decoded {
        Some(event) => Ok(event),
        None => Ok(decoded.insert(codec::decode(stored)?)),
    }
}
