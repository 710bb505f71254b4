//! The people's side: positions, square-offs and cancels, straight into the log.

use crate::rig::{PATIENCE, until};
use crate::story;
use squareoff_domain::platform::{
    self, HaltScope, MarketPhase, Platform, PlatformAsk, PlatformReport, PlatformRequest,
};
use squareoff_domain::position::{
    self, Change, Context, Execution, ExecutionReport, ExpiredBy, Order, OrderExpired, OrderStatus,
    Outcome, Position, PositionEvent, PricePolicy, Report, Request, SquareOffTerms, TimeInForce,
    Wanted,
};
use squareoff_domain::reference::{self, ContractList, InstrumentKind};
use squareoff_domain::session::{self, SessionEvent, SessionReport, Share};
use squareoff_domain::suspense::{ReportSuspended, SuspenseEvent};
use squareoff_domain::{
    ClOrdId, Contract, NetQuantity, OrderId, PositionKey, Price, Product, Quantity, Refusal,
    RequestId, Segment, Timestamp, TradingDate, Venue,
};
use squareoff_store::codec::LogEvent;
use squareoff_store::{Caller, Committed, EventStore, StoredEvent, Streams, TransactError};
use std::convert::Infallible;
use uuid::Uuid;

pub const COMP_ID: &str = "BROKER";
pub const LOT: u64 = 5;
/// An order is at most this much, so a larger square-off is sliced.
pub const SLICE: u64 = 10_000;

pub struct Desk {
    pub store: EventStore,
    positions: Streams<Position>,
    platform: Streams<Platform>,
}

fn key(client: &str, symbol: &str) -> PositionKey {
    PositionKey {
        date: "2026-11-20".parse().unwrap(),
        client: client.parse().unwrap(),
        venue: Venue::Nse,
        symbol: symbol.parse().unwrap(),
        product: Product::Nrml,
    }
}

/// Tick 0.05, reference 100.00, protection 3.00: a sale at the market has the limit 97.00, a purchase 103.00.
fn contract(key: &PositionKey) -> Contract {
    Contract {
        trading_date: key.date,
        venue: key.venue,
        segment: Segment::Derivatives,
        symbol: key.symbol.clone(),
        kind: InstrumentKind::IndexFuture,
        expiry: None,
        strike: None,
        option_type: None,
        lot: Quantity::new(LOT).unwrap(),
        tick: Price(500),
        freeze: Quantity::new(SLICE).unwrap(),
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

pub fn caller(request_id: Uuid, epoch: u32) -> Caller {
    Caller {
        actor: "desk-1".into(),
        request_id,
        correlation_id: request_id,
        epoch,
        now: Timestamp(1_795_000_000_123_000_000),
    }
}

impl Desk {
    pub fn new(store: &EventStore) -> Desk {
        Desk {
            store: store.clone(),
            positions: Streams::new(store.clone()),
            platform: Streams::new(store.clone()),
        }
    }

    pub async fn activate(&self) {
        let trading_date = key("C", "S").date;
        self.activate_day(trading_date, "primary down").await;
        for venue in [Venue::Bse, Venue::Nse] {
            self.market(venue, MarketPhase::Open).await;
        }
    }

    /// Loads the contract of a position's instrument, a derivative.
    pub async fn list(&self, key: &PositionKey) {
        let contracts: Streams<ContractList> = Streams::new(self.store.clone());
        let stream = reference::contracts_stream(key.date, key.venue);
        let record = |list: &ContractList| Ok::<_, ()>((list.record(vec![contract(key)]), ()));
        let caller = caller(Uuid::new_v4(), 0);
        let listed = contracts.transact(&stream, &caller, record);
        listed.await.unwrap();
    }

    /// The kill switch for all new orders.
    pub async fn halt(&self) {
        let (scope, reason) = (HaltScope::All, "halt".into());
        self.ask_platform(PlatformAsk::Halt { scope, reason }).await;
    }

    /// Two people disconnect NSE, where new orders are halted.
    pub async fn disconnect(&self) {
        let (venue, reason) = (Venue::Nse, "runaway".into());
        let wanted = PlatformAsk::RequestDisconnect { venue, reason };
        self.ask_platform(wanted).await;
        self.ask_platform_as("desk-2", PlatformAsk::ApproveDisconnect { venue })
            .await;
    }

    pub async fn reconnect(&self) {
        let (venue, reason) = (Venue::Nse, "found".into());
        self.ask_platform(PlatformAsk::Reconnect { venue, reason })
            .await;
    }

    /// Activates the next trading day.
    pub async fn next_day(&self) {
        self.stand_down().await;
        let trading_date = "2026-11-23".parse().unwrap();
        self.activate_day(trading_date, "primary still down").await;
    }

    async fn activate_day(&self, trading_date: TradingDate, reason: &str) {
        self.ask_platform(PlatformAsk::ActivateAlone {
            trading_date,
            reason: reason.into(),
            without_book: Some("the tests tell each position".into()),
        })
        .await;
    }

    /// Somebody else than the gateway tells of a venue's derivatives.
    pub async fn market(&self, venue: Venue, phase: MarketPhase) {
        let report = PlatformReport::MarketPhase {
            venue,
            segment: Segment::Derivatives,
            trading_date: key("C", "S").date,
            phase,
            source: "test".into(),
        };
        let caller = caller(Uuid::new_v4(), 0);
        let record = |state: &Platform| Ok::<_, ()>((platform::record(state, report.clone()), ()));
        let told = self.platform.transact(platform::STREAM, &caller, record);
        told.await.unwrap();
    }

    pub async fn stand_down(&self) {
        let reason = "primary back".into();
        self.ask_platform(PlatformAsk::StandDown { reason }).await;
    }

    async fn ask_platform(&self, ask: PlatformAsk) {
        self.ask_platform_as("desk-1", ask).await;
    }

    async fn ask_platform_as(&self, by: &str, ask: PlatformAsk) {
        let caller = Caller {
            actor: by.into(),
            ..caller(Uuid::new_v4(), 0)
        };
        let request = PlatformRequest {
            request_id: squareoff_domain::RequestId(caller.request_id),
            by: by.to_owned(),
            ask,
        };
        let decide =
            |state: &Platform| platform::decide(state, request.clone()).map(|events| (events, ()));
        let asked = self.platform.transact(platform::STREAM, &caller, decide);
        asked.await.unwrap();
    }

    /// A position of the morning.
    pub async fn open(&self, client: &str, symbol: &str, net: i64) -> PositionKey {
        let key = key(client, symbol);
        self.open_as(&key, net).await;
        key
    }

    pub async fn open_as(&self, key: &PositionKey, net: i64) {
        let report = Report::Bod {
            key: key.clone(),
            quantity: NetQuantity(net),
            average_price: Price(990_000),
            source: "2026-11-20/bod".into(),
        };
        self.tell(key, report).await;
    }

    /// A fact from outside, recorded by somebody else than the gateway.
    pub async fn tell(&self, key: &PositionKey, report: Report) {
        let record = |state: &Position| Ok::<_, Infallible>((position::record(state, &report), ()));
        let caller = caller(Uuid::new_v4(), 1);
        let stream = key.stream();
        let recorded = self.positions.transact(&stream, &caller, record);
        recorded.await.unwrap();
    }

    /// A fill of an order that comes to the log some other way than over the session.
    pub async fn tell_filled(&self, key: &PositionKey, order: &ClOrdId, as_: &str, units: u64) {
        let report = ExecutionReport {
            cl_ord_id: order.clone(),
            exchange_order_id: format!("X-{order}").parse().unwrap(),
            execution: Execution::Fill {
                key: as_.parse().unwrap(),
                quantity: Quantity::new(units).unwrap(),
                price: Price(970_000),
            },
            cumulative: units,
            leaves: 0,
        };
        self.tell(key, Report::Execution(report)).await;
    }

    /// As if every order of a position had expired, in one append.
    pub async fn end_all(&self, key: &PositionKey) {
        let position = self.position(key).await;
        let expired = |order_id: &OrderId| {
            let (order_id, by) = (*order_id, ExpiredBy::Venue);
            PositionEvent::OrderExpired(OrderExpired { order_id, by })
        };
        let events = || Vec::from_iter(position.orders.keys().map(expired));
        let decide = |_: &Position| Ok::<_, Infallible>((events(), ()));
        let (stream, caller) = (key.stream(), caller(Uuid::new_v4(), 1));
        let sent = self.positions.transact(&stream, &caller, decide);
        sent.await.unwrap();
    }

    /// Closes some units at the market; the orders it was sliced into.
    pub async fn square_off(&self, key: &PositionKey, units: u64) -> Vec<ClOrdId> {
        self.square_off_as(key, units, TimeInForce::Day).await
    }

    pub async fn square_off_as(
        &self,
        key: &PositionKey,
        units: u64,
        time_in_force: TimeInForce,
    ) -> Vec<ClOrdId> {
        let request_id = RequestId(Uuid::new_v4());
        let terms = SquareOffTerms {
            quantity: Wanted::Units(units),
            price: PricePolicy::MarketableLimit,
            time_in_force,
            evidence: None,
        };
        self.decide(key, Request::SquareOff { request_id, terms })
            .await;
        let position = self.position(key).await;
        let slices = (0..).map_while(|index| {
            let order = position
                .orders
                .get(&OrderId::of_slice(key, request_id, index))?;
            Some(order.cl_ord_id.clone())
        });
        slices.collect()
    }

    /// Closes some units with one order.
    pub async fn order(&self, key: &PositionKey, units: u64) -> ClOrdId {
        let orders = self.square_off(key, units).await;
        assert_eq!(orders.len(), 1);
        orders.into_iter().next().unwrap()
    }

    /// Asks to cancel an order; the ClOrdID of the cancel.
    pub async fn cancel(&self, key: &PositionKey, order: &ClOrdId) -> ClOrdId {
        let request_id = RequestId(Uuid::new_v4());
        let (order_id, _) = find(&self.position(key).await, order);
        let order_id = Some(order_id);
        self.decide(
            key,
            Request::Cancel {
                request_id,
                order: order_id,
            },
        )
        .await;
        let (_, order) = find(&self.position(key).await, order);
        order.cancels.keys().last().unwrap().clone()
    }

    /// The same for an order that may have been filled by now.
    pub async fn try_cancel(&self, key: &PositionKey, order: &ClOrdId) {
        let request = Request::Cancel {
            request_id: RequestId(Uuid::new_v4()),
            order: Some(find(&self.position(key).await, order).0),
        };
        let asked = self.ask(key, request).await;
        assert!(matches!(
            asked,
            Ok(_)
                | Err(TransactError::Refused(
                    Refusal::OrderEnded { .. }
                        | Refusal::CancelPending
                        | Refusal::TooManyCancels { .. }
                ))
        ));
    }

    /// Asks for another price, or a lower quantity; the ClOrdID of the replace.
    pub async fn modify(&self, key: &PositionKey, order: &ClOrdId, change: Change) -> ClOrdId {
        let request_id = RequestId(Uuid::new_v4());
        let (order_id, _) = find(&self.position(key).await, order);
        let request = Request::Modify {
            request_id,
            order: order_id,
            change,
        };
        self.decide(key, request).await;
        let (_, order) = find(&self.position(key).await, order);
        order.replaces.keys().last().unwrap().clone()
    }

    /// The same for an order that may be in no state to be changed by now.
    pub async fn try_modify(&self, key: &PositionKey, order: &ClOrdId, change: Change) {
        let request = Request::Modify {
            request_id: RequestId(Uuid::new_v4()),
            order: find(&self.position(key).await, order).0,
            change,
        };
        let asked = self.ask(key, request).await;
        assert!(matches!(asked, Ok(_) | Err(TransactError::Refused(_))));
    }

    /// A person found out whether the venue has the order.
    pub async fn resolve(&self, key: &PositionKey, order: &ClOrdId, outcome: Outcome) {
        let request = Request::ResolveInDoubt {
            request_id: RequestId(Uuid::new_v4()),
            order: find(&self.position(key).await, order).0,
            outcome,
            reason: "asked on the phone".into(),
        };
        self.decide(key, request).await;
    }

    pub async fn order_status(&self, key: &PositionKey, order: &ClOrdId) -> OrderStatus {
        find(&self.position(key).await, order).1.status()
    }

    pub async fn cancel_all(&self, key: &PositionKey) {
        let request_id = RequestId(Uuid::new_v4());
        let request = Request::Cancel {
            request_id,
            order: None,
        };
        self.decide(key, request).await;
    }

    async fn decide(&self, key: &PositionKey, request: Request) {
        self.ask(key, request).await.unwrap();
    }

    async fn ask(
        &self,
        key: &PositionKey,
        request: Request,
    ) -> Result<Committed<()>, TransactError<Refusal>> {
        let platform = self.platform.load(platform::STREAM).await.unwrap().state;
        let contract = contract(key);
        let context = Context {
            platform: &platform,
            session_ready: true,
            contract: Some(&contract),
            now: Timestamp(0),
            reference_age_max_s: 60,
        };
        let decide = |state: &Position| {
            position::decide(state, &request, &context).map(|events| (events, ()))
        };
        let caller = caller(Uuid::new_v4(), platform.epoch);
        let stream = key.stream();
        self.positions.transact(&stream, &caller, decide).await
    }

    pub async fn position(&self, key: &PositionKey) -> Position {
        let loaded = self.positions.load(&key.stream()).await.unwrap();
        Position::clone(&loaded.state)
    }

    pub async fn until(
        &self,
        key: &PositionKey,
        what: &str,
        is: impl Fn(&Position) -> bool,
    ) -> Position {
        let mut last = self.position(key).await;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !is(&last) {
            assert!(
                tokio::time::Instant::now() < deadline,
                "never: {what}\n{:#?}",
                self.story(key).await
            );
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            last = self.position(key).await;
        }
        last
    }

    /// Waits for the order to be as `is` says, by its ClOrdID.
    pub async fn until_order(
        &self,
        key: &PositionKey,
        cl_ord_id: &ClOrdId,
        what: &str,
        is: impl Fn(&Order) -> bool,
    ) {
        self.until(key, what, |position| is(&find(position, cl_ord_id).1))
            .await;
    }

    /// What happened to a position, a line an event.
    pub async fn story(&self, key: &PositionKey) -> Vec<String> {
        story::tell(&self.stream(&key.stream()).await)
    }

    pub async fn stream(&self, stream: &str) -> Vec<StoredEvent> {
        self.store.read_stream(stream, 1, 10_000).await.unwrap()
    }

    /// Everything that is held, in the log's order.
    pub async fn held(&self) -> Vec<ReportSuspended> {
        let mut held = Vec::new();
        for stored in self.log().await {
            if stored.stream.starts_with("suspense-") {
                match SuspenseEvent::decode(&stored).unwrap() {
                    SuspenseEvent::ReportSuspended(report) => held.push(report),
                    other => panic!("nobody settles anything here: {other:?}"),
                }
            }
        }
        held
    }

    pub async fn until_held(&self, count: usize) -> Vec<ReportSuspended> {
        until("reports are held", async || {
            self.held().await.len() >= count
        })
        .await;
        let held = self.held().await;
        assert_eq!(held.len(), count, "{held:#?}");
        held
    }

    pub async fn log(&self) -> Vec<StoredEvent> {
        let mut log = Vec::new();
        let mut after = squareoff_store::Position::START;
        loop {
            let events = self.store.read_all(after, 10_000).await.unwrap();
            let Some(last) = events.last() else { break };
            after = last.position;
            log.extend(events);
        }
        log
    }

    /// The session's own stream: `claimed 1`, `ready 1`, `down 1: why`.
    pub async fn session(&self) -> Vec<String> {
        let stream = session::stream(Venue::Nse, COMP_ID);
        let events = self.stream(&stream).await;
        let line = |stored: &StoredEvent| match SessionEvent::decode(stored).unwrap() {
            SessionEvent::SessionClaimed(claimed) => format!("claimed {}", claimed.fence),
            SessionEvent::SessionReady(ready) => format!("ready {}", ready.fence),
            SessionEvent::SessionDown(down) => format!("down {}: {}", down.fence, down.reason),
            // How often depends on how long a test takes.
            SessionEvent::SessionKept(_) => String::new(),
        };
        let lines = events.iter().map(line);
        lines.filter(|line| !line.is_empty()).collect()
    }

    pub async fn until_session(&self, last: &str) {
        until(last, async || {
            self.session()
                .await
                .last()
                .is_some_and(|line| line.starts_with(last))
        })
        .await;
    }

    /// As another gateway would, elsewhere.
    pub async fn claim_session(&self) {
        let sessions: Streams<session::Session> = Streams::new(self.store.clone());
        let share = Share::ONLY;
        let record = |state: &session::Session| {
            let claimed = session::record(state, Venue::Nse, SessionReport::Claim { share });
            claimed.map(|events| (events, ()))
        };
        let stream = session::stream(Venue::Nse, COMP_ID);
        let caller = caller(Uuid::new_v4(), 0);
        let claimed = sessions.transact(&stream, &caller, record);
        claimed.await.unwrap();
    }
}

pub fn find(position: &Position, cl_ord_id: &ClOrdId) -> (OrderId, Order) {
    let (id, order) = position.order_of(cl_ord_id).expect("an order of ours");
    (id, order.clone())
}
