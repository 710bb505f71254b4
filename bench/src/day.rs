//! A day that is open in the log: all that the API wants to know before it takes a square-off.

use crate::desk::{POSITIONS, key};
use anyhow::{Context, Result};
use squareoff_api::server::now;
use squareoff_domain::client::{self, CallerVerified, ClientEvent, ClientReport, ClientState};
use squareoff_domain::platform::{
    self, BookLoaded, MarketPhase, Platform, PlatformAsk, PlatformReport, PlatformRequest,
};
use squareoff_domain::reference::{self, ContractList, InstrumentKind};
use squareoff_domain::session::{self, Session, SessionReport, Share};
use squareoff_domain::{
    Client, Contract, Price, Quantity, RequestId, Segment, Timestamp, TradingDate, Venue,
};
use squareoff_store::{Aggregate, Caller, EventStore, Streams};
use std::convert::Infallible;
use std::time::Duration;
use uuid::Uuid;

/// Clients of the log's positions.
pub const CLIENTS: usize = POSITIONS / 4;
/// Each may ask a hundred times a second.
pub const OPERATORS: usize = 128;
/// Between two words of the gateway.
const KEEP: Duration = Duration::from_secs(2);
const HOUR_NS: i64 = 3_600_000_000_000;

pub fn operator(number: usize) -> String {
    format!("desk-{number:03}")
}

/// Who speaks for the client: the same operator each time.
pub fn operator_of(client: usize) -> usize {
    client % OPERATORS
}

/// Contracts, clients whose callers were verified, the book, the platform, the market, a session to the venue.
pub async fn open(store: &EventStore) -> Result<()> {
    let date = key(0)?.date;
    let contracts = (0..60)
        .map(|number| contract(date, number))
        .collect::<Result<Vec<_>>>()?;
    let stream = reference::contracts_stream(date, Venue::Nse);
    tell(store, &stream, |list: &ContractList| {
        list.record(contracts.clone())
    })
    .await?;
    for number in 0..CLIENTS {
        let client = Client {
            client: key(number * 4)?.client,
            category: "retail".into(),
            branch: "Pune".into(),
            segments: vec![Segment::Cash],
        };
        let verified = ClientEvent::CallerVerified(CallerVerified {
            client: client.client.clone(),
            call_reference: "bench".into(),
            valid_until: Timestamp(now().0 + HOUR_NS),
            by: operator(operator_of(number)),
            request_id: RequestId(Uuid::new_v4()),
        });
        let stream = client::client_stream(&client.client);
        tell(store, &stream, |state: &ClientState| {
            let mut events = client::record(state, ClientReport::Registered(client.clone()));
            events.push(verified.clone());
            events
        })
        .await?;
    }
    let book = PlatformReport::Book(BookLoaded {
        trading_date: date,
        contracts: 60,
        clients: CLIENTS as u64,
        positions: POSITIONS as u64,
        source: "bench".into(),
    });
    tell(store, platform::STREAM, |state: &Platform| {
        platform::record(state, book.clone())
    })
    .await?;
    let request = PlatformRequest {
        request_id: RequestId(Uuid::new_v4()),
        by: "bench".into(),
        ask: PlatformAsk::ActivateAlone {
            trading_date: date,
            reason: "bench".into(),
            without_book: None,
        },
    };
    tell(store, platform::STREAM, |state: &Platform| {
        platform::decide(state, request.clone()).unwrap_or_default()
    })
    .await?;
    let open = PlatformReport::MarketPhase {
        venue: Venue::Nse,
        segment: Segment::Cash,
        trading_date: date,
        phase: MarketPhase::Open,
        source: "bench".into(),
    };
    tell(store, platform::STREAM, |state: &Platform| {
        platform::record(state, open.clone())
    })
    .await?;
    tell_session(store, SessionReport::Claim { share: Share::ONLY }).await?;
    tell_session(store, SessionReport::Ready { fence: 1 }).await
}

async fn tell_session(store: &EventStore, report: SessionReport) -> Result<()> {
    let stream = session::stream(Venue::Nse, "SQUAREOFF");
    tell(store, &stream, |state: &Session| {
        session::record(state, Venue::Nse, report.clone()).unwrap_or_default()
    })
    .await
}

/// Says again and again that the session is up, as its gateway does.
pub async fn keep_session(store: EventStore) -> Result<()> {
    loop {
        tell_session(&store, SessionReport::Keep { fence: 1 }).await?;
        tokio::time::sleep(KEEP).await;
    }
}

async fn tell<A: Aggregate>(
    store: &EventStore,
    stream: &str,
    mut tell: impl FnMut(&A) -> Vec<A::Event>,
) -> Result<()> {
    let (streams, caller) = (Streams::<A>::new(store.clone()), caller("bench"));
    let told = streams.transact(stream, &caller, |state| {
        Ok::<_, Infallible>((tell(state), ()))
    });
    told.await?;
    Ok(())
}

pub fn caller(actor: &str) -> Caller {
    let id = Uuid::now_v7();
    Caller {
        actor: actor.into(),
        request_id: id,
        correlation_id: id,
        epoch: 1,
        now: now(),
    }
}

fn contract(trading_date: TradingDate, number: usize) -> Result<Contract> {
    let units = |units| Quantity::new(units).context("a few");
    Ok(Contract {
        trading_date,
        venue: Venue::Nse,
        segment: Segment::Cash,
        symbol: format!("SAMPLE{number:02}").parse()?,
        kind: InstrumentKind::Equity,
        expiry: None,
        strike: None,
        option_type: None,
        lot: units(1)?,
        tick: Price(500),
        freeze: units(100_000)?,
        band_low: Price(900_000),
        band_high: Price(1_100_000),
        reference_price: Price(1_000_000),
        reference_at: now(),
        price_protection: Price(30_000),
        protection_range: None,
        restriction: None,
        version: "bench".into(),
    })
}
