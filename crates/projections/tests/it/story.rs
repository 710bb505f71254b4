//! Histories of the desk, made through the domain's own functions, appended to a log in a temporary folder.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use squareoff_domain::client::{ClientEvent, ClientRegistered};
use squareoff_domain::platform::{Phase, Platform, PlatformEvent};
use squareoff_domain::position::{
    Context, Execution, ExecutionReport, Position, PositionEvent, PricePolicy, Report, Request,
    SquareOffTerms, TimeInForce, Wanted, decide, evolve, record,
};
use squareoff_domain::reference::InstrumentKind;
use squareoff_domain::{
    Client, Contract, Event, ExecutionKey, NetQuantity, OrderId, PositionKey, Price, Product,
    Quantity, RequestId, Segment, Timestamp, TradingDate, Venue,
};
use squareoff_projections::testing::TestDatabase;
use squareoff_projections::{Database, RunError, checkpoint, run};
use squareoff_store::{EventStore, NewEvent, Position as LogPosition, codec};
use std::collections::BTreeMap;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Guard against hanging; nothing waits for it on purpose.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub fn date() -> TradingDate {
    "2026-11-20".parse().unwrap()
}

pub fn key(client: u32, symbol: &str) -> PositionKey {
    PositionKey {
        date: date(),
        client: format!("C{client:05}").parse().unwrap(),
        venue: Venue::Nse,
        symbol: symbol.parse().unwrap(),
        product: Product::Mis,
    }
}

pub fn contract(key: &PositionKey) -> Contract {
    Contract {
        trading_date: key.date,
        venue: key.venue,
        segment: Segment::Cash,
        symbol: key.symbol.clone(),
        kind: InstrumentKind::Equity,
        expiry: None,
        strike: None,
        option_type: None,
        lot: Quantity::new(1).unwrap(),
        tick: Price(500),
        freeze: Quantity::new(100).unwrap(),
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

/// A log, what it holds folded, and a seeded hand that writes on.
pub struct Desk {
    pub store: EventStore,
    folder: TempDir,
    positions: BTreeMap<PositionKey, (Position, u64)>,
    pub random: ChaCha8Rng,
    /// Nanoseconds; every event is a millisecond and a bit after the one before.
    clock: i64,
    executions: u64,
    /// Whose doing the next events are, and for which request.
    pub actor: &'static str,
    pub request: Uuid,
}

impl Desk {
    pub fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Desk {
            store: EventStore::open(folder.path()).unwrap(),
            folder,
            positions: BTreeMap::new(),
            random: ChaCha8Rng::seed_from_u64(seed),
            clock: 1_795_000_000_000_000_123,
            executions: 0,
            actor: "test",
            request: Uuid::nil(),
        }
    }

    /// The log's folder, for another process.
    pub fn path(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Appends an event whose schema is of a release to come.
    pub async fn newer_event(&mut self) -> LogPosition {
        let newer = NewEvent {
            id: Uuid::from_u128(self.random.random()),
            event_type: "BodLoaded",
            schema_version: 9,
            occurred_at: Timestamp(self.clock),
            actor: "test".into(),
            request_id: Uuid::nil(),
            correlation_id: Uuid::nil(),
            trace_id: None,
            epoch: 1,
            body: b"{}".to_vec(),
        };
        let stream = key(9_999, "RELIANCE").stream();
        let appended = self.store.append(&stream, 0, vec![newer]).await.unwrap();
        appended.position
    }

    pub async fn append(&mut self, stream: &str, version: u64, events: Vec<Event>) -> LogPosition {
        let new = events.iter().map(|event| self.envelope(event)).collect();
        self.store
            .append(stream, version, new)
            .await
            .unwrap()
            .position
    }

    fn envelope(&mut self, event: &Event) -> NewEvent {
        self.clock += 1_000_777;
        let encoded = codec::encode(event);
        NewEvent {
            id: Uuid::from_u128(self.random.random()),
            event_type: encoded.event_type,
            schema_version: encoded.schema_version,
            occurred_at: Timestamp(self.clock),
            actor: self.actor.into(),
            request_id: self.request,
            correlation_id: self.request,
            trace_id: None,
            epoch: 1,
            body: encoded.body,
        }
    }

    pub async fn register(&mut self, client: Client) -> LogPosition {
        let stream = squareoff_domain::client::client_stream(&client.client);
        let version = self
            .store
            .read_stream(&stream, 1, 1_000)
            .await
            .unwrap()
            .len();
        let event = Event::Client(ClientEvent::ClientRegistered(ClientRegistered { client }));
        self.append(&stream, u64::try_from(version).unwrap(), vec![event])
            .await
    }

    pub async fn activate(&mut self) -> LogPosition {
        let event = squareoff_domain::platform::PlatformActivated {
            without_book: None,
            epoch: 1,
            trading_date: date(),
            reason: "primary down".into(),
            requested_by: None,
            approved_by: None,
            activated_by: None,
            request_id: None,
        };
        let event = Event::Platform(PlatformEvent::PlatformActivated(event));
        self.append("platform", 0, vec![event]).await
    }

    /// Appends what a report or a request leads to. `None` when it leads to nothing.
    async fn commit(
        &mut self,
        key: &PositionKey,
        events: Vec<PositionEvent>,
    ) -> Option<LogPosition> {
        let (position, version) = self.positions.remove(key).unwrap_or_default();
        let folded = events.iter().fold(position, evolve);
        let grown = version + u64::try_from(events.len()).unwrap();
        self.positions.insert(key.clone(), (folded, grown));
        if events.is_empty() {
            return None;
        }
        let events = events.into_iter().map(Event::Position).collect();
        Some(self.append(&key.stream(), version, events).await)
    }

    pub async fn report(&mut self, key: &PositionKey, report: &Report) -> Option<LogPosition> {
        let events = record(&self.position(key), report);
        self.commit(key, events).await
    }

    pub fn position(&self, key: &PositionKey) -> Position {
        self.positions
            .get(key)
            .map(|(position, _)| position.clone())
            .unwrap_or_default()
    }

    pub async fn bod(&mut self, key: &PositionKey, units: i64) -> Option<LogPosition> {
        let report = Report::Bod {
            key: key.clone(),
            quantity: NetQuantity(units),
            average_price: Price(990_000),
            source: "sample".into(),
        };
        self.report(key, &report).await
    }

    /// Asks; `None` when refused or repeated.
    pub async fn ask(&mut self, key: &PositionKey, request: Request) -> Option<LogPosition> {
        let open = squareoff_domain::platform::Market {
            trading_date: date(),
            phase: squareoff_domain::platform::MarketPhase::Open,
            source: "test".into(),
        };
        let platform = Platform {
            phase: Phase::Active,
            epoch: 1,
            trading_date: Some(date()),
            markets: [((key.venue, Segment::Cash), open)].into(),
            ..Platform::default()
        };
        let contract = contract(key);
        let context = Context {
            platform: &platform,
            session_ready: true,
            contract: Some(&contract),
            now: Timestamp(0),
            reference_age_max_s: 60,
        };
        let events = decide(&self.position(key), &request, &context).unwrap_or_default();
        self.commit(key, events).await
    }

    pub async fn square_off(&mut self, key: &PositionKey, wanted: Wanted) -> Option<LogPosition> {
        let random = Uuid::from_u128(self.random.random());
        let request_id = RequestId(if self.request.is_nil() {
            random
        } else {
            self.request
        });
        let terms = SquareOffTerms {
            quantity: wanted,
            price: PricePolicy::MarketableLimit,
            time_in_force: TimeInForce::Day,
            evidence: None,
        };
        self.ask(key, Request::SquareOff { request_id, terms })
            .await
    }

    /// What the venue says of one order.
    pub async fn venue(
        &mut self,
        key: &PositionKey,
        order: OrderId,
        execution: Execution,
    ) -> Option<LogPosition> {
        let report = Report::Execution(ExecutionReport {
            cl_ord_id: self.position(key).orders[&order].cl_ord_id.clone(),
            exchange_order_id: format!("X{}", order.0.as_u128() % 100_000).parse().unwrap(),
            execution,
            cumulative: 0,
            leaves: 0,
        });
        self.report(key, &report).await
    }

    pub async fn fill(
        &mut self,
        key: &PositionKey,
        order: OrderId,
        units: u64,
        price: i64,
    ) -> Option<LogPosition> {
        self.executions += 1;
        let execution = Execution::Fill {
            key: ExecutionKey::new(Venue::Nse, date(), &format!("E{}", self.executions)).unwrap(),
            quantity: Quantity::new(units).unwrap(),
            price: Price(price),
        };
        self.venue(key, order, execution).await
    }

    /// The orders of a position, oldest first.
    pub fn orders(&self, key: &PositionKey) -> Vec<OrderId> {
        let position = self.position(key);
        let mut orders: Vec<_> = position
            .orders
            .iter()
            .map(|(id, order)| (order.number, *id))
            .collect();
        orders.sort_unstable();
        orders.into_iter().map(|(_, id)| id).collect()
    }

    /// Something that may happen on a desk, on one of a few positions.
    pub async fn something(&mut self) {
        let symbols = ["RELIANCE", "BAJAJ-AUTO", "M&M"];
        let client = self.random.random_range(1..=4);
        let key = key(client, symbols[self.random.random_range(0..symbols.len())]);
        let orders = self.orders(&key);
        let order = orders
            .get(self.random.random_range(0..orders.len().max(1)))
            .copied();
        match (self.random.random_range(0..12_u8), order) {
            (0, _) | (1..=8, None) => {
                // Seldom another line than before: a position with contradicting ones is frozen, and little happens on it.
                let units = match self.random.random_range(0..60_u8) {
                    0 => self.random.random_range(-400..400),
                    _ => {
                        i64::from(client)
                            * if key.symbol.as_str() == "M&M" {
                                150
                            } else {
                                -170
                            }
                    }
                };
                self.bod(&key, units).await;
                let units = self.random.random_range(1..150);
                self.square_off(&key, Wanted::Units(units)).await;
            }
            (1 | 2, Some(_)) => {
                let units = self.random.random_range(1..150);
                self.square_off(&key, Wanted::Units(units)).await;
            }
            (3, Some(order)) => {
                self.venue(&key, order, Execution::New).await;
            }
            (4..=6, Some(order)) => {
                let (units, price) = (
                    self.random.random_range(1..60),
                    self.random.random_range(950_000..1_050_000),
                );
                self.fill(&key, order, units, price).await;
            }
            (7, Some(order)) => {
                let text = "RMS:\tblocked\\N \u{20b9} 'x'\n".to_owned();
                self.venue(&key, order, Execution::Rejected { code: 99, text })
                    .await;
            }
            (8, Some(order)) => {
                let end = if self.random.random() {
                    Execution::Canceled
                } else {
                    Execution::Expired
                };
                self.venue(&key, order, end).await;
            }
            (9, _) => {
                let request_id = RequestId(Uuid::from_u128(self.random.random()));
                self.ask(
                    &key,
                    Request::Cancel {
                        request_id,
                        order: None,
                    },
                )
                .await;
            }
            (10, _) => {
                let segments = [Segment::Cash, Segment::Derivatives, Segment::Commodity];
                let segments = segments[..self.random.random_range(0..=3)].to_vec();
                let category = if self.random.random() {
                    "retail"
                } else {
                    "hni"
                }
                .to_owned();
                self.register(Client {
                    client: key.client,
                    category,
                    branch: "Pune, Camp".into(),
                    segments,
                })
                .await;
            }
            (_, _) => {
                self.square_off(&key, Wanted::All).await;
            }
        }
    }

    pub async fn many_things(&mut self, number: usize) -> LogPosition {
        for _ in 0..number {
            self.something().await;
        }
        self.store.head().await.unwrap()
    }
}

/// A runner in the background.
pub struct Projecting {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), RunError>>,
}

impl Projecting {
    pub fn start(store: &EventStore, database: &Database) -> Self {
        let (stop, stopped) = oneshot::channel();
        let stopped = async move { drop(stopped.await) };
        let task = tokio::spawn(run(store.clone(), database.clone(), stopped));
        Projecting { stop, task }
    }

    pub async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }

    /// Dies wherever it is.
    pub async fn abort(self) {
        self.task.abort();
        assert!(self.task.await.is_err());
    }

    /// Waits for it to give up.
    pub async fn gives_up(self) -> RunError {
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .unwrap()
            .unwrap()
            .unwrap_err()
    }
}

pub async fn reach(database: &Database, position: LogPosition) {
    let pool = database.pool(1);
    let reached = async {
        while checkpoint(&pool).await.unwrap_or(LogPosition::START) < position {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached)
        .await
        .expect("the projection reaches the position");
    pool.close().await;
}

pub async fn start() -> (TestDatabase, Database) {
    let test = TestDatabase::start().await.unwrap();
    let database = test.database();
    (test, database)
}
