//! Invariant 12: concurrent square-offs of one position, through the real append loop, accept exactly what is closable.
//!
//! Every append is on disk before it is answered, so a round costs milliseconds: 240 rounds of twelve requests through two handles, and
//! forty rounds against another process, where the rules alone (invariants 1 to 11) are proved over ten thousand histories each.

use crate::log::{Log, whole_stream};
use squareoff_domain::platform::{Market, MarketPhase, Phase, Platform};
use squareoff_domain::position::{
    Context, Position, PositionEvent, PricePolicy, Refusal, Report, Request, SquareOffTerms,
    TimeInForce, Wanted, decide, record,
};
use squareoff_domain::reference::{Contract, InstrumentKind};
use squareoff_domain::{
    NetQuantity, PositionKey, Price, Product, Quantity, RequestId, Segment, Timestamp, Venue,
};
use squareoff_store::{Caller, EventStore, Streams, TransactError, codec};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use uuid::Uuid;

const ROUNDS: u64 = 240;
/// Requests of each round and handle.
const REQUESTS: u64 = 6;
/// Rounds against another process.
const ROUNDS_OF_TWO: u64 = 40;
const LOT: u64 = 5;
/// The folder of the log that the child works on.
const FOLDER: &str = "STORE_TEST_INVARIANT_12";

/// What one request came to.
type Answer = Result<u64, Refusal>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariant_12_concurrent_square_offs_accept_exactly_what_is_closable() {
    let log = Log::embedded();
    let desks = [Streams::new(log.store()), Streams::new(log.store())];
    for round in 0..ROUNDS {
        let lots = open(&desks[0], round).await;
        let asked: Vec<_> = desks
            .iter()
            .enumerate()
            .flat_map(|(desk, streams)| ask_all(streams, round, desk as u64))
            .collect();
        let mut answers = Vec::new();
        for task in asked {
            answers.push(task.await.unwrap());
        }
        settle(&desks[0], round, lots, &answers).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariant_12_holds_between_two_processes() {
    let log = Log::embedded();
    let streams = Streams::new(log.store());
    let mut opened = Vec::new();
    for round in 0..ROUNDS_OF_TWO {
        opened.push(open(&streams, round).await);
    }
    let mut child = child(log.folder.path());
    let mut ours = Vec::new();
    for round in 0..ROUNDS_OF_TWO {
        for task in ask_all(&streams, round, 0) {
            ours.push((round, task.await.unwrap()));
        }
    }
    assert!(child.wait().unwrap().success());
    for (round, lots) in (0..ROUNDS_OF_TWO).zip(opened) {
        // What the child was answered stands in the log too: both sides' orders are counted there.
        let ours = ours.iter().filter(|(of, _)| *of == round);
        let answers: Vec<_> = ours.map(|(_, answer)| answer.clone()).collect();
        settle(&streams, round, lots, &answers).await;
    }
}

/// The other process: does nothing unless it is told a folder.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_squares_off_as_it_is_told() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let streams = Streams::new(EventStore::open(Path::new(&folder)).unwrap());
    // From the other end, so that the two meet in the middle whoever is faster.
    for round in (0..ROUNDS_OF_TWO).rev() {
        for task in ask_all(&streams, round, 1) {
            task.await.unwrap().ok();
        }
    }
}

fn child(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "invariants::a_child_squares_off_as_it_is_told"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// A position of one to ten lots, long or short; gives how many units are open.
async fn open(streams: &Streams<Position>, round: u64) -> u64 {
    let lots = round % 10 + 1;
    let sign = if round.is_multiple_of(2) { 1 } else { -1 };
    let bod = Report::Bod {
        key: key(round),
        quantity: NetQuantity(sign * i64::try_from(lots * LOT).unwrap()),
        average_price: Price(1_000_000),
        source: "BOD".into(),
    };
    let caller = caller(request_id(round, 9, 0));
    let told = |position: &Position| Ok::<_, Refusal>((record(position, &bod), ()));
    let stream = key(round).stream();
    streams.transact(&stream, &caller, told).await.unwrap();
    lots * LOT
}

/// Everybody at once: some want all, some a part.
fn ask_all(
    streams: &Streams<Position>,
    round: u64,
    desk: u64,
) -> Vec<tokio::task::JoinHandle<Answer>> {
    (0..REQUESTS)
        .map(|number| {
            let streams = streams.clone();
            tokio::spawn(async move {
                let lots = (round + desk + number) % 5;
                let wanted = match lots {
                    0 => Wanted::All,
                    lots => Wanted::Units(lots * LOT),
                };
                ask(&streams, round, request_id(round, desk, number), wanted).await
            })
        })
        .collect()
}

/// The units that were accepted.
async fn ask(
    streams: &Streams<Position>,
    round: u64,
    request_id: RequestId,
    quantity: Wanted,
) -> Answer {
    let (platform, contract) = (platform(), contract());
    let context = Context {
        platform: &platform,
        session_ready: true,
        contract: Some(&contract),
        now: Timestamp(0),
        reference_age_max_s: 60,
    };
    let request = Request::SquareOff {
        request_id,
        terms: SquareOffTerms {
            quantity,
            price: PricePolicy::MarketableLimit,
            time_in_force: TimeInForce::Day,
            evidence: None,
        },
    };
    let decided = |position: &Position| {
        let events = decide(position, &request, &context)?;
        let units = placed(&events);
        Ok((events, units))
    };
    let (stream, caller) = (key(round).stream(), caller(request_id));
    loop {
        match streams.transact(&stream, &caller, decided).await {
            Ok(committed) => return Ok(committed.value),
            Err(TransactError::Refused(refusal)) => return Err(refusal),
            // The stream changed under it too often: a client of the API asks again.
            Err(TransactError::Contended { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

/// What was accepted fits what was open, who was refused could not have been served, and the rest is exactly what is left.
async fn settle(streams: &Streams<Position>, round: u64, open: u64, answers: &[Answer]) {
    let accepted = in_log(streams, round).await;
    let ours: u64 = answers.iter().flatten().sum();
    assert!(ours <= accepted && accepted <= open, "{round}: {answers:?}");
    for refusal in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        match refusal {
            Refusal::NothingToClose { .. } => assert_eq!(accepted, open),
            Refusal::ExceedsOpenQuantity { requested, .. } => {
                assert!(*requested > open - accepted, "{refusal}");
            }
            other => panic!("{round}: {other}"),
        }
    }
    let rest = ask(streams, round, request_id(round, 8, 0), Wanted::All).await;
    match rest {
        Ok(units) => assert_eq!(accepted + units, open),
        Err(refusal) => assert!(accepted == open, "{round}: {refusal}"),
    }
    assert_eq!(in_log(streams, round).await, open);
}

/// The units of all orders that the log holds for the round's position.
async fn in_log(streams: &Streams<Position>, round: u64) -> u64 {
    let stored = whole_stream(streams.store(), &key(round).stream()).await;
    let event = |stored| match codec::decode(stored).unwrap() {
        squareoff_domain::Event::Position(event) => event,
        other => panic!("{other:?}"),
    };
    placed(&stored.iter().map(event).collect::<Vec<_>>())
}

fn placed(events: &[PositionEvent]) -> u64 {
    let units = |event: &PositionEvent| match event {
        PositionEvent::OrderPlaced(placed) => placed.quantity.units(),
        _ => 0,
    };
    events.iter().map(units).sum()
}

fn request_id(round: u64, desk: u64, number: u64) -> RequestId {
    RequestId(Uuid::from_u64_pair(round, desk * 1_000 + number + 1))
}

fn caller(request_id: RequestId) -> Caller {
    Caller {
        actor: "desk-1".into(),
        request_id: request_id.0,
        correlation_id: request_id.0,
        epoch: 1,
        now: Timestamp(0),
    }
}

fn key(round: u64) -> PositionKey {
    PositionKey {
        date: contract().trading_date,
        client: format!("C{round:05}").parse().unwrap(),
        venue: Venue::Nse,
        symbol: contract().symbol,
        product: Product::Nrml,
    }
}

fn platform() -> Platform {
    let Contract {
        trading_date,
        venue,
        segment,
        ..
    } = contract();
    let market = Market {
        trading_date,
        phase: MarketPhase::Open,
        source: "test".into(),
    };
    Platform {
        phase: Phase::Active,
        epoch: 1,
        trading_date: Some(trading_date),
        markets: [((venue, segment), market)].into(),
        ..Platform::default()
    }
}

fn contract() -> Contract {
    let units = |units| Quantity::new(units).unwrap();
    Contract {
        trading_date: "2026-11-20".parse().unwrap(),
        venue: Venue::Nse,
        segment: Segment::Derivatives,
        symbol: "NIFTY26NOVFUT".parse().unwrap(),
        kind: InstrumentKind::IndexFuture,
        expiry: None,
        strike: None,
        option_type: None,
        lot: units(LOT),
        tick: Price(500),
        freeze: units(4 * LOT),
        band_low: Price(900_000),
        band_high: Price(1_100_000),
        reference_price: Price(1_000_000),
        reference_at: Timestamp(0),
        price_protection: Price(30_000),
        protection_range: None,
        restriction: None,
        version: "2026-11-20/sample".into(),
    }
}
