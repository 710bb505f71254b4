//! The API in a process of its own, on a day that is open: contracts, clients, positions, operators that are logged in as programs are.

use crate::desk::{POSITIONS, fill, key};
use anyhow::{Context, Result, bail};
use secrecy::{ExposeSecret, SecretString};
use squareoff_access::password::Hashing;
use squareoff_access::{
    Access, Carried, Credentials, Factor, FirstSecret, KeySource, NewPerson, Secrets, Visit,
    totp_code,
};
use squareoff_api::bulk::SessionClose;
use squareoff_api::server::now;
use squareoff_api::{App, DevelopmentKey, Settings};
use squareoff_domain::client::{self, CallerVerified, ClientEvent, ClientReport, ClientState};
use squareoff_domain::people::{LogInKind, Role};
use squareoff_domain::platform::{
    self, BookLoaded, MarketPhase, Platform, PlatformAsk, PlatformReport, PlatformRequest,
};
use squareoff_domain::reference::{self, ContractList, InstrumentKind};
use squareoff_domain::session::{self, Session, SessionReport, Share};
use squareoff_domain::{
    Client, Contract, Price, Quantity, RequestId, Segment, Timestamp, TradingDate, Venue,
};
use squareoff_projections::Database;
use squareoff_store::{Aggregate, Caller, EventStore, Streams};
use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;
use uuid::Uuid;

/// Clients of the log's positions.
pub const CLIENTS: usize = POSITIONS / 4;
/// Each may ask a hundred times a second.
pub const OPERATORS: usize = 128;
const PASSWORD: &str = "three quiet herons";
/// Between two words of the gateway.
const KEEP: Duration = Duration::from_secs(2);
const HOUR_NS: i64 = 3_600_000_000_000;

/// Serves a new log in a folder, until standard input ends. Prints the address, then each operator's access token. `args`: the folder.
pub fn run(args: &[String]) -> Result<()> {
    let [folder] = args else {
        bail!("requests-serve is started by `requests`")
    };
    tokio::runtime::Runtime::new()?.block_on(async {
        let folder = Path::new(folder);
        let store = EventStore::open(&folder.join("log"))?;
        fill(&store, 0).await?;
        open_day(&store).await?;
        let key = KeySource::FileMadeOnce(folder.join("access.key"));
        let access = Access::new(
            Secrets::open(&folder.join("access"), &key)?,
            Hashing::start(),
            store.clone(),
        );
        let mut tokens = vec![];
        for number in 0..OPERATORS {
            tokens.push(token_of(&access, &operator(number)).await?);
        }
        // Nothing here is asked of the read models.
        let reads = Database::from_url("postgres://nobody@127.0.0.1:1/nothing")?.pool(1);
        let settings = Settings {
            reference_age_max_s: 86_400,
            venue_message_rate: 100,
            caller_verification: true,
            approval_notional: Some(500_000_000_000),
            caller_verification_minutes: 15,
            session_close: SessionClose::default(),
        };
        tokio::spawn(keep_session(store.clone()));
        let key = DevelopmentKey::load_or_create(&folder.join("development.key"))?;
        let app = App::start(store, reads, key, settings).with_access(access, false);
        app.live.begun().await;
        let listener = squareoff_api::listen("127.0.0.1:0".parse()?, None).await?;
        println!("{}", listener.local_addr()?);
        tokens.iter().for_each(|token| println!("{token}"));
        let ended = tokio::task::spawn_blocking(|| {
            let _ = std::io::stdin().lines().count();
        });
        squareoff_api::serve(listener, app, None, async { drop(ended.await) }).await;
        Ok(())
    })
}

pub fn operator(number: usize) -> String {
    format!("desk-{number:03}")
}

/// Who speaks for the client: the same operator each time.
pub fn operator_of(client: usize) -> usize {
    client % OPERATORS
}

/// All that the API wants to know before it takes a square-off.
async fn open_day(store: &EventStore) -> Result<()> {
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
async fn keep_session(store: EventStore) -> Result<()> {
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

fn caller(actor: &str) -> Caller {
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

/// Enrolled and logged in, with one access token.
async fn token_of(access: &Access, operator: &str) -> Result<String> {
    let person = NewPerson {
        operator: operator.parse()?,
        name: "Somebody of the desk".into(),
        role: Role::Desk,
        client: None,
        reason: "bench".into(),
    };
    let FirstSecret::Invitation { secret, .. } = access.enrol(person, &caller("bench")).await?
    else {
        bail!("an operator of the desk is invited")
    };
    let visit = || Visit {
        address: "127.0.0.1".into(),
        epoch: 1,
        now: now(),
    };
    let secret = secret.expose_secret();
    let password = || SecretString::from(PASSWORD);
    let app = access
        .begin_enrolment(operator, secret, password(), &visit())
        .await?;
    let code = totp_code(&seed_of(app.uri.expose_secret())?, now()).into();
    let codes = access
        .confirm_enrolment(operator, secret, &code, &visit())
        .await?;
    let credentials = Credentials {
        account: operator.to_owned(),
        password: password(),
        factor: Factor::RecoveryCode(codes.into_iter().next().context("a recovery code")?),
    };
    let granted = access
        .log_in(credentials, LogInKind::Token, &visit())
        .await?;
    match granted.carried {
        Carried::Tokens { access, .. } => Ok(access.expose_secret().to_owned()),
        Carried::Cookie { .. } => bail!("a program is given tokens"),
    }
}

/// What the authenticator app reads out of the picture: Base32, RFC 4648.
fn seed_of(uri: &str) -> Result<Vec<u8>> {
    let secret = uri
        .split("secret=")
        .nth(1)
        .and_then(|rest| rest.split('&').next());
    let (mut bits, mut held, mut seed) = (0_u32, 0, vec![]);
    for letter in secret.context("a secret")?.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'2'..=b'7' => letter - b'2' + 26,
            _ => bail!("no Base32"),
        };
        bits = (bits << 5) | u32::from(value);
        held += 5;
        if held >= 8 {
            held -= 8;
            seed.push(u8::try_from((bits >> held) & 0xff)?);
        }
    }
    Ok(seed)
}
