//! Bulk square-offs worked off over a real log, with a stand-in for the venue: each item once, in the order of its risk.

use crate::desk::{Desk, PATIENCE, date, key, nifty};
use crate::venue::{Answer, Venue as FakeVenue};
use squareoff_api::Settings;
use squareoff_api::bulk::{Book, Summary, WorkerError, run};
use squareoff_api::server::now;
use squareoff_domain::bulk::{
    self, Bulk, BulkAsk, BulkEvent, BulkFilter, BulkId, BulkItem, BulkOutcome, BulkPhase,
    BulkPrice, BulkProposal, BulkRequest, BulkStatus, BulkStep, BulkTerms, item_request_id,
};
use squareoff_domain::platform::{HaltScope, PlatformAsk};
use squareoff_domain::position::{
    ExternalOrderObserved, Position, PositionEvent, Report, TimeInForce,
};
use squareoff_domain::{
    Event, NetQuantity, OrderId, PositionKey, Price, Product, Quantity, RequestId, Side, Venue,
};
use squareoff_store::{Caller, EventStore, StoredEvent, Streams, codec};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Fast enough that no test waits for it.
const RATE: u32 = 1_000_000;
/// The folder of the log, for the test that runs a worker as a process of its own.
const FOLDER: &str = "SQUAREOFF_TEST_BULK_FOLDER";

pub struct Worker(JoinHandle<Result<(), WorkerError>>);

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Worker {
    pub fn start(desk: &Desk) -> Self {
        let store = EventStore::open(&desk.folder().join("log")).unwrap();
        Worker(tokio::spawn(run(
            store,
            settings(RATE),
            std::future::pending(),
        )))
    }
}

fn settings(venue_message_rate: u32) -> Settings {
    Settings {
        venue_message_rate,
        // What a bulk asks was approved with it, whatever it is worth.
        approval_notional: Some(1),
        ..crate::node::settings()
    }
}

/// A position and the phase it is to be closed in.
pub type Line = (PositionKey, BulkPhase);

pub struct Plan {
    pub id: BulkId,
    bulks: Streams<Bulk>,
}

impl Plan {
    async fn propose(desk: &Desk, lines: Vec<Line>) -> Self {
        let listed = lines.len();
        Self::cut_off(desk, lines, listed).await
    }

    /// Proposed, and so many of its items listed: whoever proposed it ended in the middle.
    pub async fn cut_off(desk: &Desk, mut lines: Vec<Line>, listed: usize) -> Self {
        lines.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
        let plan = Plan {
            id: BulkId(Uuid::new_v4()),
            bulks: Streams::new(desk.store.clone()),
        };
        let proposal = BulkProposal {
            bulk_id: plan.id,
            filter: BulkFilter::default(),
            terms: BulkTerms {
                price: BulkPrice::MarketableLimit,
                time_in_force: TimeInForce::Day,
                cancel_external: true,
            },
            as_of: 1,
            trading_date: date(),
            items: u32::try_from(lines.len()).unwrap(),
            orders_to_cancel: 0,
            slices: 1,
            notional: 1,
            messages: 1,
            estimated_seconds: 1,
            message_rate_per_s: RATE,
            reason: "primary down".into(),
        };
        plan.ask("desk-asha", BulkAsk::Propose(Box::new(proposal)))
            .await;
        let items: Vec<_> = lines
            .into_iter()
            .take(listed)
            .map(|(key, phase)| BulkItem {
                key,
                phase,
                net: NetQuantity(1),
                notional: 1,
                working: 0,
            })
            .collect();
        for (chunk, items) in items.chunks(bulk::ITEMS_PER_EVENT_MAX).enumerate() {
            let first = u32::try_from(chunk * bulk::ITEMS_PER_EVENT_MAX).unwrap();
            let items = items.to_vec();
            plan.ask("desk-asha", BulkAsk::ListItems { first, items })
                .await;
        }
        plan
    }

    pub async fn approved(desk: &Desk, lines: Vec<Line>) -> Self {
        let plan = Self::propose(desk, lines).await;
        plan.ask("supervisor-ravi", BulkAsk::Approve).await;
        plan
    }

    async fn ask(&self, by: &str, ask: BulkAsk) {
        let request = BulkRequest {
            request_id: RequestId(Uuid::new_v4()),
            by: by.into(),
            ask,
        };
        let caller = Caller {
            actor: by.into(),
            request_id: request.request_id.0,
            correlation_id: self.id.0,
            epoch: 1,
            now: now(),
        };
        let decide =
            |bulk: &Bulk| Ok::<_, bulk::BulkRefusal>((bulk::decide(bulk, request.clone())?, ()));
        self.bulks
            .transact(&self.id.stream(), &caller, decide)
            .await
            .unwrap();
    }

    async fn pause(&self) {
        let reason = "the desk looks".into();
        self.ask("desk-asha", BulkAsk::Pause { reason }).await;
    }

    pub async fn until(&self, book: &Book, there: impl Fn(&Summary) -> bool) -> Summary {
        let mut changed = book.changed();
        let there = async {
            loop {
                changed.mark_unchanged();
                if let Some(summary) = book.summary(self.id).filter(&there) {
                    return summary;
                }
                changed.changed().await.unwrap();
            }
        };
        let waited = tokio::time::timeout(PATIENCE, there).await;
        waited.unwrap_or_else(|_| panic!("{:?}", book.summary(self.id)))
    }

    pub async fn completed(&self, book: &Book) -> Summary {
        self.until(book, |summary| summary.status == BulkStatus::Completed)
            .await
    }

    async fn outcomes(&self, desk: &Desk) -> BTreeMap<u32, BulkOutcome> {
        let mut outcomes = BTreeMap::new();
        for event in events(desk).await.into_iter().map(|(_, event)| event) {
            if let Event::Bulk(BulkEvent::BulkItemsSettled(settled)) = event {
                for (index, outcome) in settled.outcomes {
                    assert_eq!(outcomes.insert(index, outcome), None, "settled twice");
                }
            }
        }
        outcomes
    }
}

async fn events(desk: &Desk) -> Vec<(StoredEvent, Event)> {
    let log = desk.log().await;
    log.into_iter()
        .map(|stored| {
            let event = codec::decode(&stored).unwrap();
            (stored, event)
        })
        .collect()
}

/// The streams on which the bulk's requests were accepted, in the log's order.
async fn accepted(desk: &Desk, plan: &Plan) -> Vec<String> {
    let of_plan = |(stored, event): &(StoredEvent, Event)| {
        let accepted = matches!(event, Event::Position(PositionEvent::SquareOffAccepted(_)));
        accepted && stored.correlation_id == plan.id.0
    };
    let events = events(desk).await;
    events
        .iter()
        .filter(|event| of_plan(event))
        .map(|(stored, _)| stored.stream.to_string())
        .collect()
}

/// A book of many small positions beside the desk's own.
async fn many(desk: &Desk, count: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for number in 0..count {
        let client = format!("B{number:05}");
        let symbol = ["RELIANCE", "M&M"][number % 2];
        let key = key(&client, Venue::Nse, symbol, Product::Mis);
        let bod = Report::Bod {
            key: key.clone(),
            quantity: NetQuantity(if number % 3 == 0 { -10 } else { 10 }),
            average_price: Price(995_000),
            source: "sample".into(),
        };
        desk.report(&key, bod).await;
        lines.push((key, BulkPhase::Mis));
    }
    lines
}

async fn position(desk: &Desk, key: &PositionKey) -> Position {
    let positions = Streams::<Position>::new(desk.store.clone());
    (*positions.load(&key.stream()).await.unwrap().state).clone()
}

async fn assert_closed_once(desk: &Desk, plan: &Plan, lines: &[Line]) {
    let mut closed = accepted(desk, plan).await;
    closed.sort();
    let mut wanted: Vec<_> = lines.iter().map(|(key, _)| key.stream()).collect();
    wanted.sort();
    assert_eq!(closed, wanted, "each item is accepted exactly once");
    for (key, _) in lines {
        assert_eq!(position(desk, key).await.net.0, 0, "{}", key.stream());
    }
}

#[tokio::test]
async fn items_are_closed_in_the_order_of_their_risk_and_each_outcome_is_told() {
    let desk = Desk::open().await;
    let venue = FakeVenue::open(
        &desk,
        &[("FROZEN", Answer::Fill), ("RELIANCE", Answer::Reject)],
    );
    venue.answer("M&M", Answer::LoseFirst);
    let odd = key("C00002", Venue::Nse, "NIFTY26NOVFUT", Product::Mis);
    let lines = vec![
        (
            key("C00001", Venue::Nse, "M&M", Product::Cnc),
            BulkPhase::Cnc,
        ),
        (
            key("C00001", Venue::Nse, "RELIANCE", Product::Mis),
            BulkPhase::Mis,
        ),
        (odd.clone(), BulkPhase::Mis),
        (nifty(), BulkPhase::Futures),
        (
            key("C00001", Venue::Nse, "FROZEN", Product::Nrml),
            BulkPhase::Nrml,
        ),
        (
            key("C00001", Venue::Nse, "RELIANCE", Product::Cnc),
            BulkPhase::Cnc,
        ),
    ];
    let plan = Plan::approved(&desk, lines).await;
    let book = Book::follow(desk.store.clone(), Duration::ZERO);
    let _worker = Worker::start(&desk);
    let summary = plan.completed(&book).await;
    let counts = summary.counts;
    assert_eq!(
        (
            counts.closed,
            counts.nothing_to_do,
            counts.refused,
            counts.failed,
            counts.skipped
        ),
        (2, 1, 1, 2, 0)
    );
    // The rejected, the lost one at its second attempt, and the ones that were filled.
    assert_eq!(summary.asked, 4);
    let units = |units| Quantity::new(units).unwrap();
    let failed = |left, reason: &str| BulkOutcome::Failed {
        left: units(left),
        reason: reason.into(),
    };
    // In the order of phase and key: RELIANCE and the odd lot (MIS), futures, NRML, then M&M and the empty RELIANCE (CNC).
    let outcomes: Vec<_> = plan.outcomes(&desk).await.into_values().collect();
    assert_eq!(
        outcomes,
        [
            failed(100, "an order of it is rejected"),
            failed(2, "what is left is an odd lot, which no order can close"),
            BulkOutcome::Closed {
                quantity: units(40)
            },
            BulkOutcome::Refused {
                code: "freeze-below-lot".into()
            },
            BulkOutcome::Closed {
                quantity: units(10)
            },
            BulkOutcome::NothingToDo,
        ]
    );
    assert_eq!(desk.placed(&odd).await, [5]);
    let order = accepted(&desk, &plan).await;
    let place = |stream: &str| {
        order
            .iter()
            .position(|accepted| accepted == stream)
            .unwrap()
    };
    assert!(place(&odd.stream()) < place(&nifty().stream()));
    assert!(
        place(&nifty().stream()) < order.len() - 2,
        "futures go before delivery: {order:?}"
    );
    let phases = events(&desk)
        .await
        .into_iter()
        .filter_map(|(_, event)| match event {
            Event::Bulk(BulkEvent::BulkPhaseEntered(entered)) => Some(entered.phase),
            _ => None,
        });
    assert_eq!(
        phases.collect::<Vec<_>>(),
        [
            BulkPhase::CancelWorking,
            BulkPhase::Mis,
            BulkPhase::Futures,
            BulkPhase::Nrml,
            BulkPhase::Cnc
        ]
    );
}

#[tokio::test]
async fn every_working_order_ours_and_external_is_cancelled_before_anything_is_closed() {
    let desk = Desk::open().await;
    let venue = FakeVenue::open(&desk, &[("NIFTY26NOVFUT", Answer::Rest)]);
    let external = ExternalOrderObserved {
        order_id: OrderId(Uuid::new_v4()),
        cl_ord_id: "PRIMARY1".parse().unwrap(),
        exchange_order_id: "X9".parse().unwrap(),
        key: nifty(),
        side: Side::Sell,
        quantity: Quantity::new(15).unwrap(),
        cumulative: Quantity::ZERO,
        price: Price(1_010_000),
        source: "primary".into(),
    };
    let order = external.clone();
    desk.report(
        &nifty(),
        Report::ExternalOrder {
            order,
            ended: false,
        },
    )
    .await;
    // Ours: a bulk that stays in the book, then aborted.
    let before = Plan::approved(&desk, vec![(nifty(), BulkPhase::Futures)]).await;
    let book = Book::follow(desk.store.clone(), Duration::ZERO);
    let worker = Worker::start(&desk);
    before.until(&book, |summary| summary.asked == 1).await;
    let reason = "wrong price".into();
    before.ask("desk-asha", BulkAsk::Abort { reason }).await;
    venue.answer("NIFTY26NOVFUT", Answer::Fill);
    let plan = Plan::approved(&desk, vec![(nifty(), BulkPhase::Futures)]).await;
    assert_eq!(plan.completed(&book).await.counts.closed, 1);
    drop(worker);
    let history = desk.history(&nifty()).await;
    let first = |wanted: fn(&PositionEvent) -> bool| history.iter().rposition(wanted).unwrap();
    let cancelled = first(|event| matches!(event, PositionEvent::OrderCanceled(_)));
    let closed = first(|event| matches!(event, PositionEvent::SquareOffAccepted(_)));
    assert!(cancelled < closed, "{history:#?}");
    let ended: BTreeSet<_> = history
        .iter()
        .filter_map(|event| match event {
            PositionEvent::OrderCanceled(canceled) => Some(canceled.order_id),
            _ => None,
        })
        .collect();
    assert!(
        ended.contains(&external.order_id) && ended.len() >= 2,
        "{ended:?}"
    );
    assert_eq!(position(&desk, &nifty()).await.net.0, 0);
    // The aborted one told what became of its item.
    let left = before.until(&book, |summary| summary.left() == 0).await;
    assert_eq!((left.status, left.counts.failed), (BulkStatus::Aborted, 1));
}

#[tokio::test]
async fn two_workers_at_once_close_each_item_once() {
    let desk = Desk::open().await;
    let _venue = FakeVenue::open(&desk, &[]);
    let lines = many(&desk, 120).await;
    let plan = Plan::approved(&desk, lines.clone()).await;
    let book = Book::follow(desk.store.clone(), Duration::ZERO);
    let _workers = [Worker::start(&desk), Worker::start(&desk)];
    let counts = plan.completed(&book).await.counts;
    assert_eq!((counts.closed, counts.cancelled), (120, 120));
    assert_closed_once(&desk, &plan, &lines).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_killed_in_the_middle_twice_closes_each_item_once() {
    let desk = Desk::open().await;
    let _venue = FakeVenue::open(&desk, &[]);
    let lines = many(&desk, 240).await;
    let plan = Plan::approved(&desk, lines.clone()).await;
    let book = Book::follow(desk.store.clone(), Duration::ZERO);
    for asked in [40, 120] {
        let mut worker = worker_process(&desk);
        plan.until(&book, |summary| summary.asked >= asked).await;
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
    let mut worker = worker_process(&desk);
    assert_eq!(plan.completed(&book).await.counts.closed, 240);
    worker.kill().unwrap();
    worker.wait().unwrap();
    assert_closed_once(&desk, &plan, &lines).await;
    assert_eq!(plan.outcomes(&desk).await.len(), 240);
}

/// This test binary as a worker on the desk's log.
fn worker_process(desk: &Desk) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "bulk_work::a_worker_of_its_own", "--nocapture"])
        .env(FOLDER, desk.folder())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Does nothing by itself: it is the worker that another test starts and kills.
#[tokio::test]
async fn a_worker_of_its_own() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let store = EventStore::open(&std::path::Path::new(&folder).join("log")).unwrap();
    // Slow enough to be killed in the middle.
    run(store, settings(400), std::future::pending())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_pause_stops_new_items_and_an_abort_skips_the_rest() {
    let desk = Desk::open().await;
    let _venue = FakeVenue::open(&desk, &[("RELIANCE", Answer::Rest)]);
    let mut lines = many(&desk, 20).await;
    // Later phases, so that the resting ones come first.
    for (key, phase) in &mut lines {
        if key.symbol.as_str() == "M&M" {
            *phase = BulkPhase::Cnc;
        }
    }
    let plan = Plan::approved(&desk, lines).await;
    let book = Book::follow(desk.store.clone(), Duration::ZERO);
    let worker = Worker::start(&desk);
    plan.until(&book, |summary| summary.asked == 10).await;
    plan.pause().await;
    let paused = plan
        .until(&book, |summary| summary.status == BulkStatus::Paused)
        .await;
    assert_eq!((paused.asked, paused.pace()), (10, None));
    drop(worker);
    let worker = Worker::start(&desk);
    // What works ends while the bulk is paused, and is told.
    for key in (0..20).step_by(2).map(|number| {
        key(
            &format!("B{number:05}"),
            Venue::Nse,
            "RELIANCE",
            Product::Mis,
        )
    }) {
        let orders = position(&desk, &key).await.orders;
        let (order, state) = orders.iter().next().unwrap();
        desk.fill(
            &key,
            *order,
            &format!("late-{}", key.client),
            state.quantity.units(),
            1_000_000,
        )
        .await;
    }
    let settled = plan
        .until(&book, |summary| summary.counts.settled() == 10)
        .await;
    assert_eq!((settled.status, settled.asked), (BulkStatus::Paused, 10));
    let reason = "the primary is back".into();
    plan.ask("supervisor-ravi", BulkAsk::Abort { reason }).await;
    let over = plan.until(&book, |summary| summary.left() == 0).await;
    assert_eq!(
        (over.counts.closed, over.counts.skipped, over.asked),
        (10, 10, 10)
    );
    assert!(over.ended_at.is_some() && !over.is_under_way());
    drop(worker);
}

#[tokio::test]
async fn items_wait_for_a_venue_that_is_not_connected_and_for_a_market_that_is_not_open() {
    let desk = Desk::open().await;
    let _venue = FakeVenue::open(&desk, &[]);
    desk.disconnect().await;
    let lines = many(&desk, 4).await;
    let plan = Plan::approved(&desk, lines.clone()).await;
    let book = Book::follow(desk.store.clone(), Duration::ZERO);
    let _worker = Worker::start(&desk);
    let entered = |summary: &Summary| summary.phase == Some(BulkPhase::Mis);
    plan.until(&book, entered).await;
    assert_eq!(accepted(&desk, &plan).await, [""; 0]);
    desk.connect().await;
    assert_eq!(plan.completed(&book).await.counts.closed, 4);
    assert_closed_once(&desk, &plan, &lines).await;
}

#[tokio::test]
async fn a_cancel_all_cancels_what_worked_when_it_was_ordered_and_nothing_placed_since() {
    let desk = Desk::open().await;
    let venue = FakeVenue::open(&desk, &[("RELIANCE", Answer::Rest), ("M&M", Answer::Rest)]);
    let lines = many(&desk, 6).await;
    let plan = Plan::approved(&desk, lines.clone()).await;
    let book = Book::follow(desk.store.clone(), Duration::ZERO);
    let worker = Worker::start(&desk);
    plan.until(&book, |summary| summary.asked == 6).await;
    drop(worker);
    let kill_id = RequestId(Uuid::new_v4());
    let scope = HaltScope::Venue(Venue::Nse);
    let reason = "runaway".to_owned();
    desk.platform_as(
        "desk-asha",
        kill_id,
        PlatformAsk::RequestCancelAll { scope, reason },
    )
    .await;
    let approve = PlatformAsk::ApproveCancelAll { kill_id };
    desk.platform_as("supervisor-ravi", RequestId(Uuid::new_v4()), approve)
        .await;
    // What is placed behind the order to cancel must live, also when a worker is started again.
    venue.answer("NIFTY26NOVFUT", Answer::Rest);
    let later = Plan::approved(&desk, vec![(nifty(), BulkPhase::Futures)]).await;
    let request = item_request_id(later.id, &nifty(), BulkStep::SquareOff { attempt: 1 });
    for _ in 0..2 {
        let _worker = Worker::start(&desk);
        plan.until(&book, |summary| summary.left() == 0).await;
        later.until(&book, |summary| summary.asked == 1).await;
    }
    for (key, _) in &lines {
        let cancels = desk.history(key).await.into_iter();
        let cancels = cancels.filter(|event| matches!(event, PositionEvent::CancelRequested(_)));
        assert_eq!(cancels.count(), 1, "{}", key.stream());
    }
    let position = position(&desk, &nifty()).await;
    assert_eq!(position.working().units(), 40, "{request} still works");
}
