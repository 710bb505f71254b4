//! A desk on one trading day: its log in a temporary folder, and what the primary, the exchange and the platform told it.

use squareoff_api::server::now;
use squareoff_domain::client::{self, ClientReport, ClientState};
use squareoff_domain::platform::{
    self, BookLoaded, MarketPhase, Platform, PlatformAsk, PlatformReport, PlatformRequest,
};
use squareoff_domain::position::{
    Execution, ExecutionReport, ExternalOrderObserved, Position, PositionEvent, PositionFrozen,
    Report, record,
};
use squareoff_domain::reference::{self, ContractList, InstrumentKind};
use squareoff_domain::session::{self, Session, SessionReport, Share};
use squareoff_domain::suspense::{
    self, ReportSuspended, SuspendedExecution, Suspense, SuspenseReport,
};
use squareoff_domain::{
    Client, Contract, ExchangeOrderId, ExecutionKey, NetQuantity, OrderId, PositionKey, Price,
    Product, Quantity, RequestId, Segment, Side, TradingDate, Venue,
};
use squareoff_store::codec::LogEvent;
use squareoff_store::{
    Aggregate, Caller, EventStore, Position as LogPosition, StoredEvent, Streams,
};
use std::convert::Infallible;
use std::path::Path;
use tempfile::TempDir;
use uuid::Uuid;

/// Guard against hanging; nothing waits for it on purpose.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

pub const DATE: &str = "2026-11-20";

/// Venue, symbol, units in a lot, freeze quantity. Tick 0.05, reference 100.00, band 90.00 to 110.00, protection 3.00.
const CONTRACTS: &[(Venue, &str, u64, u64)] = &[
    (Venue::Nse, "NIFTY26NOVFUT", 5, 22),
    (Venue::Nse, "RELIANCE", 1, 100_000),
    (Venue::Nse, "M&M", 1, 100_000),
    // The venue would freeze even one lot.
    (Venue::Nse, "FROZEN", 5, 4),
    (Venue::Bse, "TCS", 1, 100_000),
];

/// Whose, where, what, net quantity at the beginning of the day. C00003 has nothing.
const BOOK: &[(&str, Venue, &str, Product, i64)] = &[
    ("C00001", Venue::Nse, "NIFTY26NOVFUT", Product::Nrml, 40),
    ("C00001", Venue::Nse, "RELIANCE", Product::Mis, -100),
    ("C00001", Venue::Nse, "RELIANCE", Product::Cnc, 0),
    ("C00001", Venue::Nse, "M&M", Product::Cnc, 10),
    ("C00001", Venue::Nse, "FROZEN", Product::Nrml, 10),
    ("C00001", Venue::Bse, "TCS", Product::Cnc, 10),
    // One slice more than a request may place.
    ("C00002", Venue::Nse, "NIFTY26NOVFUT", Product::Nrml, 4_005),
    // No whole number of lots.
    ("C00002", Venue::Nse, "NIFTY26NOVFUT", Product::Mis, 7),
];

fn units(count: usize) -> u64 {
    count.try_into().unwrap()
}

pub fn date() -> TradingDate {
    DATE.parse().unwrap()
}

pub fn key(client: &str, venue: Venue, symbol: &str, product: Product) -> PositionKey {
    PositionKey {
        date: date(),
        client: client.parse().unwrap(),
        venue,
        symbol: symbol.parse().unwrap(),
        product,
    }
}

/// The position that most tests close: 40 long in lots of 5, sliced into orders of 20.
pub fn nifty() -> PositionKey {
    key("C00001", Venue::Nse, "NIFTY26NOVFUT", Product::Nrml)
}

/// 100 short.
pub fn reliance() -> PositionKey {
    key("C00001", Venue::Nse, "RELIANCE", Product::Mis)
}

pub struct Desk {
    pub store: EventStore,
    folder: TempDir,
}

impl Desk {
    /// The book is loaded; the platform was never activated.
    pub async fn dormant() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = EventStore::open(&folder.path().join("log")).unwrap();
        let desk = Desk { store, folder };
        for venue in [Venue::Nse, Venue::Bse] {
            let stream = reference::contracts_stream(date(), venue);
            let listed = CONTRACTS.iter().filter(|line| line.0 == venue);
            let contracts: Vec<_> = listed.map(contract).collect();
            desk.tell(&stream, |list: &ContractList| {
                list.record(contracts.clone())
            })
            .await;
        }
        for code in ["C00001", "C00002", "C00003"] {
            let client = Client {
                client: code.parse().unwrap(),
                category: "retail".into(),
                branch: "Pune".into(),
                segments: vec![Segment::Cash, Segment::Derivatives],
            };
            let stream = client::client_stream(&client.client);
            desk.tell(&stream, |state: &ClientState| {
                client::record(state, ClientReport::Registered(client.clone()))
            })
            .await;
        }
        for (client, venue, symbol, product, net) in BOOK {
            let key = key(client, *venue, symbol, *product);
            let bod = Report::Bod {
                key: key.clone(),
                quantity: NetQuantity(*net),
                average_price: Price(995_000),
                source: "sample".into(),
            };
            desk.report(&key, bod).await;
        }
        let book = PlatformReport::Book(BookLoaded {
            trading_date: date(),
            contracts: units(CONTRACTS.len()),
            clients: 3,
            positions: units(BOOK.len()),
            source: "sample".into(),
        });
        desk.tell(platform::STREAM, |platform: &Platform| {
            platform::record(platform, book.clone())
        })
        .await;
        desk
    }

    /// Active, and connected to the NSE. The BSE's session is claimed and not ready.
    pub async fn open() -> Self {
        let desk = Self::dormant().await;
        desk.activate().await;
        desk.session(Venue::Bse, SessionReport::Claim { share: Share::ONLY })
            .await;
        desk.connect_first_time().await;
        desk
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub async fn activate(&self) -> LogPosition {
        let activate = PlatformAsk::ActivateAlone {
            trading_date: date(),
            reason: "primary down".into(),
            without_book: None,
        };
        self.platform(activate).await;
        self.market(MarketPhase::Open).await
    }

    /// The phase of every segment of every venue.
    pub async fn market(&self, phase: MarketPhase) -> LogPosition {
        let mut position = LogPosition::START;
        for (venue, segment) in Venue::ALL
            .iter()
            .flat_map(|venue| Segment::ALL.iter().map(|segment| (*venue, *segment)))
        {
            let report = PlatformReport::MarketPhase {
                venue,
                segment,
                trading_date: date(),
                phase,
                source: "test".into(),
            };
            position = self
                .tell(platform::STREAM, |platform: &Platform| {
                    platform::record(platform, report.clone())
                })
                .await;
        }
        position
    }

    pub async fn stand_down(&self) -> LogPosition {
        let reason = "primary back".into();
        self.platform(PlatformAsk::StandDown { reason }).await
    }

    async fn platform(&self, ask: PlatformAsk) -> LogPosition {
        self.platform_as("desk", RequestId(Uuid::new_v4()), ask)
            .await
    }

    /// What a person asks of the platform, and gets.
    pub async fn platform_as(
        &self,
        by: &str,
        request_id: RequestId,
        ask: PlatformAsk,
    ) -> LogPosition {
        let by = by.into();
        let request = PlatformRequest {
            request_id,
            by,
            ask,
        };
        self.tell(platform::STREAM, |platform: &Platform| {
            platform::decide(platform, request.clone()).unwrap()
        })
        .await
    }

    pub async fn connect_first_time(&self) -> LogPosition {
        self.session(Venue::Nse, SessionReport::Claim { share: Share::ONLY })
            .await;
        self.connect().await
    }

    pub async fn connect(&self) -> LogPosition {
        self.session(Venue::Nse, SessionReport::Ready { fence: 1 })
            .await
    }

    /// What a gateway says again and again while its session is ready.
    pub async fn keep(&self) -> LogPosition {
        self.session(Venue::Nse, SessionReport::Keep { fence: 1 })
            .await
    }

    pub async fn disconnect(&self) -> LogPosition {
        let reason = "connection lost".into();
        self.session(Venue::Nse, SessionReport::Down { fence: 1, reason })
            .await
    }

    async fn session(&self, venue: Venue, report: SessionReport) -> LogPosition {
        self.tell(&session::stream(venue, "SQUAREOFF"), |state: &Session| {
            session::record(state, venue, report.clone()).unwrap()
        })
        .await
    }

    pub async fn report(&self, key: &PositionKey, report: Report) -> LogPosition {
        self.tell(&key.stream(), |position: &Position| {
            record(position, &report)
        })
        .await
    }

    /// What the venue says of one order.
    pub async fn venue(
        &self,
        key: &PositionKey,
        order: OrderId,
        execution: Execution,
    ) -> LogPosition {
        let position = Streams::<Position>::new(self.store.clone());
        let position = position.load(&key.stream()).await.unwrap();
        let report = ExecutionReport {
            cl_ord_id: position.state.orders[&order].cl_ord_id.clone(),
            exchange_order_id: "X1".parse().unwrap(),
            execution,
            cumulative: 0,
            leaves: 0,
        };
        self.report(key, Report::Execution(report)).await
    }

    /// The position as the log holds it.
    pub async fn position(&self, key: &PositionKey) -> Position {
        let positions = Streams::<Position>::new(self.store.clone());
        let loaded = positions.load(&key.stream()).await.unwrap();
        (*loaded.state).clone()
    }

    /// The venue has the order.
    pub async fn acknowledge(&self, key: &PositionKey, order: OrderId) -> LogPosition {
        self.venue(key, order, Execution::New).await
    }

    /// The primary had an order of `units` at the venue before it went down.
    pub async fn external(&self, key: &PositionKey, side: Side, units: u64) -> OrderId {
        self.external_numbered(key, side, units, 12_345).await
    }

    /// One of several, by the last digits of its number.
    pub async fn external_numbered(
        &self,
        key: &PositionKey,
        side: Side,
        units: u64,
        number: u32,
    ) -> OrderId {
        let number: ExchangeOrderId = format!("11000000{number:08}").parse().unwrap();
        let order_id = OrderId::of_external(key, &number);
        let order = ExternalOrderObserved {
            order_id,
            cl_ord_id: "OMS7781".parse().unwrap(),
            exchange_order_id: number,
            key: key.clone(),
            side,
            quantity: Quantity::new(units).unwrap(),
            cumulative: Quantity::ZERO,
            price: Price(1_000_000),
            source: "primary".into(),
        };
        let ended = false;
        self.report(key, Report::ExternalOrder { order, ended })
            .await;
        order_id
    }

    /// So many events of one position in one append, each of which shows `bytes` of a reason.
    pub async fn freezes(&self, key: &PositionKey, events: usize, bytes: usize) -> LogPosition {
        let frozen = PositionEvent::PositionFrozen(PositionFrozen {
            request_id: None,
            reason: "x".repeat(bytes),
        });
        let frozen = vec![frozen; events];
        self.tell(&key.stream(), |_: &Position| frozen.clone())
            .await
    }

    pub async fn in_doubt(&self, key: &PositionKey, order: OrderId) -> LogPosition {
        let cl_ord_id = self.position(key).await.orders[&order].cl_ord_id.clone();
        let reason = "the connection broke".into();
        self.report(key, Report::InDoubt { cl_ord_id, reason })
            .await
    }

    /// The contract of the NSE as it was listed, changed.
    pub async fn relist(&self, symbol: &str, change: impl FnOnce(&mut Contract)) -> LogPosition {
        let listed = CONTRACTS.iter().find(|line| line.1 == symbol);
        let mut relisted = contract(listed.unwrap());
        change(&mut relisted);
        let stream = reference::contracts_stream(date(), relisted.venue);
        self.tell(&stream, |list: &ContractList| {
            list.record(vec![relisted.clone()])
        })
        .await
    }

    /// A report that fits nothing; with an execution of `units` in `symbol` when there is one.
    pub async fn suspend(&self, report_key: &str, execution: Option<(&str, u64)>) {
        let execution = execution.map(|(symbol, units)| SuspendedExecution {
            execution: ExecutionKey::new(Venue::Nse, date(), report_key).unwrap(),
            account: None,
            symbol: Some(symbol.parse().unwrap()),
            side: Side::Sell,
            quantity: Quantity::new(units).unwrap(),
            price: Price(1_000_000),
        });
        let report = SuspenseReport::Suspended(ReportSuspended {
            venue: Venue::Nse,
            report_key: report_key.to_owned(),
            reason: "no such order".into(),
            message: "35=8|".into(),
            execution,
        });
        let stream = suspense::stream(Venue::Nse, date());
        self.tell(&stream, |held: &Suspense| {
            suspense::record(held, report.clone())
        })
        .await;
    }

    /// `price` in 1/10,000 rupee.
    pub async fn fill(
        &self,
        key: &PositionKey,
        order: OrderId,
        execution: &str,
        units: u64,
        price: i64,
    ) -> LogPosition {
        let execution = Execution::Fill {
            key: ExecutionKey::new(key.venue, key.date, execution).unwrap(),
            quantity: Quantity::new(units).unwrap(),
            price: Price(price),
        };
        self.venue(key, order, execution).await
    }

    pub async fn tell<A: Aggregate>(
        &self,
        stream: &str,
        mut tell: impl FnMut(&A) -> Vec<A::Event>,
    ) -> LogPosition {
        let caller = Caller {
            actor: "outside".into(),
            request_id: Uuid::new_v4(),
            correlation_id: Uuid::new_v4(),
            epoch: 1,
            now: now(),
        };
        let streams = Streams::<A>::new(self.store.clone());
        let told = streams.transact(stream, &caller, |state| {
            Ok::<_, Infallible>((tell(state), ()))
        });
        told.await.unwrap().position.unwrap()
    }

    pub async fn head(&self) -> LogPosition {
        self.store.head().await.unwrap()
    }

    /// The whole log.
    pub async fn log(&self) -> Vec<StoredEvent> {
        let mut log: Vec<StoredEvent> = Vec::new();
        loop {
            let after = log.last().map_or(LogPosition::START, |last| last.position);
            let page = self.store.read_all(after, 1_000).await.unwrap();
            if page.is_empty() {
                return log;
            }
            log.extend(page);
        }
    }

    /// How many events there are, without those that say what was refused: they come a moment after the answer.
    pub async fn events_but_refusals(&self) -> usize {
        let log = self.log().await;
        let but_refusals = log.iter().filter(|it| &*it.event_type != "RequestRefused");
        but_refusals.count()
    }

    /// The events of one position.
    pub async fn history(&self, key: &PositionKey) -> Vec<PositionEvent> {
        let stream = key.stream();
        let log = self.log().await;
        let events = log.iter().filter(|stored| *stored.stream == stream);
        events
            .map(|stored| PositionEvent::decode(stored).unwrap())
            .collect()
    }

    /// The quantities of the orders placed on one position, in order.
    pub async fn placed(&self, key: &PositionKey) -> Vec<u64> {
        let quantity = |event: &PositionEvent| match event {
            PositionEvent::OrderPlaced(placed) => Some(placed.quantity.units()),
            _ => None,
        };
        self.history(key)
            .await
            .iter()
            .filter_map(quantity)
            .collect()
    }
}

fn contract((venue, symbol, lot, freeze): &(Venue, &str, u64, u64)) -> Contract {
    Contract {
        trading_date: date(),
        venue: *venue,
        segment: Segment::Cash,
        symbol: symbol.parse().unwrap(),
        kind: InstrumentKind::Equity,
        expiry: None,
        strike: None,
        option_type: None,
        lot: Quantity::new(*lot).unwrap(),
        tick: Price(500),
        freeze: Quantity::new(*freeze).unwrap(),
        band_low: Price(900_000),
        band_high: Price(1_100_000),
        reference_price: Price(1_000_000),
        reference_at: now(),
        price_protection: Price(30_000),
        protection_range: None,
        restriction: None,
        version: "2026-11-20/sample".into(),
    }
}
