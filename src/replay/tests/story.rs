//! A small day in the log: an activation by two people, a position that is squared off, filled, cancelled and confirmed, what was
//! refused, and what fits nothing. Made through the domain's own functions where it has them; the same on every run.

use squareoff_domain::platform::{Market, MarketPhase, Phase, Platform};
use squareoff_domain::position::{
    Context, Execution, ExecutionReport, Position, PricePolicy, Report, Request, SquareOffTerms,
    TimeInForce, Wanted, decide, evolve, record,
};
use squareoff_domain::reference::InstrumentKind;
use squareoff_domain::{
    Contract, Event, ExecutionKey, NetQuantity, PositionKey, Price, Quantity, RequestId, Segment,
    Side, Timestamp, Venue,
};
use squareoff_store::{EventStore, NewEvent, Position as LogPosition, StoredEvent, codec};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use uuid::Uuid;

pub const STREAM: &str = "position-2026-11-20-C00042-NSE:NIFTY26NOVFUT-NRML";
/// 2026-11-20 14:05:07.123 IST.
const START_NS: i64 = 1_795_163_707_123_000_000;
/// Between two events.
const STEP_NS: i64 = 1_250_000_000;

pub fn key() -> PositionKey {
    PositionKey::of_stream(STREAM).unwrap()
}

pub fn samples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("crates/domain/tests/stored_events")
}

pub struct Day {
    pub events: Vec<StoredEvent>,
    versions: BTreeMap<String, u64>,
    position: Position,
    requests: u128,
}

impl Day {
    pub fn empty() -> Day {
        Day {
            events: vec![],
            versions: BTreeMap::new(),
            position: Position::default(),
            requests: 0,
        }
    }

    pub fn whole() -> Day {
        let mut day = Day::empty();
        let (asha, vikram, nse, desk) = ("asha.rao", "vikram.iyer", "gateway-NSE", "operator");
        day.sample(desk, "client-C00042", "ClientRegistered.v1");
        day.sample(desk, "contracts-2026-11-20-BSE", "ContractListed.v1.equity");
        day.told(
            desk,
            &Report::Bod {
                key: key(),
                quantity: NetQuantity(500),
                average_price: Price(240_000_000),
                source: "2026-11-20/9c1e5a7b20d4".into(),
            },
        );
        day.sample(asha, "platform", "ActivationRequested.v1");
        day.sample(vikram, "platform", "ActivationApproved.v1");
        day.sample(asha, "platform", "PlatformActivated.v2");
        day.sample(nse, "session-NSE-SQUAREOFF", "SessionClaimed.v1");
        day.sample(nse, "session-NSE-SQUAREOFF", "SessionReady.v1");
        day.sample(nse, "platform", "MarketPhaseChanged.v1");
        day.asked(asha, |request_id| Request::SquareOff {
            request_id,
            terms: terms(Wanted::Units(100)),
        });
        let id = day.cl_ord_id();
        day.told(
            nse,
            &Report::Dispatched {
                cl_ord_id: id,
                session: "NSE-SQUAREOFF".into(),
                sequence: 7,
            },
        );
        day.venue(nse, Execution::New);
        day.fill(nse, "E1", 50);
        day.refused(asha);
        day.asked(vikram, |request_id| Request::Cancel {
            request_id,
            order: None,
        });
        day.venue(nse, Execution::Canceled);
        day.told(
            nse,
            &Report::DropCopy {
                execution: execution("E1"),
                side: Side::Sell,
                quantity: Quantity::new(50).unwrap(),
                price: Price(243_500_000),
                source: "NSE-DROPCOPY".into(),
            },
        );
        day.sample(nse, "suspense-NSE-2026-11-20", "ReportSuspended.v1");
        day.sample(asha, "suspense-NSE-2026-11-20", "SuspenseMatched.v1");
        day.venue(
            nse,
            Execution::Busted {
                execution: execution("E1"),
            },
        );
        day.sample(
            asha,
            "bulk-6e0c1c52-7f0e-4b8a-9d55-0a3f6b1e2c77",
            "BulkProposed.v1",
        );
        day.sample(asha, "platform", "NewOrdersHalted.v1");
        day
    }

    fn request(&mut self) -> Uuid {
        self.requests += 1;
        Uuid::from_u128(0x5f3c_2a10_0000_4000_8000_0000_0000_0000 + self.requests)
    }

    pub fn append(
        &mut self,
        actor: &str,
        stream: &str,
        event_type: &str,
        (schema, body): (u16, Vec<u8>),
        [request, part_of]: [Uuid; 2],
    ) {
        let version = self.versions.entry(stream.to_owned()).or_default();
        *version += 1;
        let index = self.events.len();
        let at = START_NS + STEP_NS * i64::try_from(index).unwrap();
        let position = u64::try_from(index).unwrap() + 1;
        self.events.push(StoredEvent {
            position: LogPosition::from_u64(position),
            stream: stream.into(),
            version: *version,
            recorded_at: Timestamp(at + 3_000_000),
            id: Uuid::from_u128(position.into()),
            event_type: event_type.into(),
            schema_version: schema,
            occurred_at: Timestamp(at),
            actor: actor.into(),
            request_id: request,
            correlation_id: part_of,
            trace_id: None,
            epoch: 3,
            previous: squareoff_store::NO_PREVIOUS,
            body,
        });
    }

    /// One of the stored events that every release can read.
    pub fn sample(&mut self, actor: &str, stream: &str, file: &str) {
        let body = fs::read(samples().join(format!("{file}.json"))).unwrap();
        let (event_type, version) = file.split_once(".v").unwrap();
        let schema = version.split('.').next().unwrap().parse().unwrap();
        let request = self.request();
        self.append(
            actor,
            stream,
            event_type,
            (schema, body),
            [request, request],
        );
    }

    fn of_position(
        &mut self,
        actor: &str,
        request: Uuid,
        part_of: Uuid,
        events: Vec<squareoff_domain::position::PositionEvent>,
    ) {
        for event in events {
            self.position = evolve(std::mem::take(&mut self.position), &event);
            let encoded = codec::encode(&Event::Position(event));
            self.append(
                actor,
                STREAM,
                encoded.event_type,
                (encoded.schema_version, encoded.body),
                [request, part_of],
            );
        }
    }

    fn asked(&mut self, actor: &str, ask: impl Fn(RequestId) -> Request) {
        let request = self.request();
        let contract = contract();
        let market = Market {
            trading_date: key().date,
            phase: MarketPhase::Open,
            source: "NSE-SQUAREOFF".into(),
        };
        let platform = Platform {
            phase: Phase::Active,
            epoch: 3,
            trading_date: Some(key().date),
            markets: [((Venue::Nse, Segment::Derivatives), market)].into(),
            ..Platform::default()
        };
        let context = Context {
            platform: &platform,
            session_ready: true,
            contract: Some(&contract),
            now: Timestamp(START_NS),
            reference_age_max_s: 60,
        };
        let events = decide(&self.position, &ask(RequestId(request)), &context).unwrap();
        assert!(!events.is_empty());
        self.of_position(actor, request, request, events);
    }

    fn told(&mut self, actor: &str, report: &Report) {
        let part_of = self.placed_by().unwrap_or_else(Uuid::nil);
        let request = self.request();
        let events = record(&self.position, report);
        assert!(!events.is_empty(), "{report:?}");
        self.of_position(actor, request, part_of, events);
    }

    fn placed_by(&self) -> Option<Uuid> {
        let placed = |stored: &&StoredEvent| &*stored.event_type == "OrderPlaced";
        self.events
            .iter()
            .rfind(placed)
            .map(|stored| stored.request_id)
    }

    fn cl_ord_id(&self) -> squareoff_domain::ClOrdId {
        self.position
            .orders
            .values()
            .next()
            .unwrap()
            .cl_ord_id
            .clone()
    }

    fn venue(&mut self, actor: &str, execution: Execution) {
        let report = Report::Execution(ExecutionReport {
            cl_ord_id: self.cl_ord_id(),
            exchange_order_id: "1100000012345678".parse().unwrap(),
            execution,
            cumulative: 50,
            leaves: 50,
        });
        self.told(actor, &report);
    }

    fn fill(&mut self, actor: &str, id: &str, units: u64) {
        self.venue(
            actor,
            Execution::Fill {
                key: execution(id),
                quantity: Quantity::new(units).unwrap(),
                price: Price(243_500_000),
            },
        );
    }

    /// A refusal has an id of its own and names the request that was refused.
    fn refused(&mut self, actor: &str) {
        let body = fs::read(samples().join("RequestRefused.v1.json")).unwrap();
        let (own, request) = (self.request(), self.request());
        self.append(
            actor,
            "refusals-2026-11-20-C00042",
            "RequestRefused",
            (1, body),
            [own, request],
        );
    }

    pub async fn append_to(&self, store: &EventStore) {
        for stored in &self.events {
            store
                .append(&stored.stream, stored.version - 1, vec![new(stored)])
                .await
                .unwrap();
        }
    }
}

pub fn new(stored: &StoredEvent) -> NewEvent {
    let known = codec::EVENT_TYPES
        .iter()
        .find(|(name, _)| *name == &*stored.event_type);
    NewEvent {
        id: stored.id,
        event_type: known.unwrap().0,
        schema_version: stored.schema_version,
        occurred_at: stored.occurred_at,
        actor: stored.actor.clone(),
        request_id: stored.request_id,
        correlation_id: stored.correlation_id,
        trace_id: None,
        epoch: stored.epoch,
        body: stored.body.clone(),
    }
}

fn execution(id: &str) -> ExecutionKey {
    ExecutionKey::new(Venue::Nse, key().date, id).unwrap()
}

fn terms(quantity: Wanted) -> SquareOffTerms {
    SquareOffTerms {
        quantity,
        price: PricePolicy::Limit(Price(243_500_000)),
        time_in_force: TimeInForce::Day,
        evidence: Some("call 7712".into()),
    }
}

fn contract() -> Contract {
    Contract {
        trading_date: key().date,
        venue: Venue::Nse,
        segment: Segment::Derivatives,
        symbol: key().symbol,
        kind: InstrumentKind::IndexFuture,
        expiry: None,
        strike: None,
        option_type: None,
        lot: Quantity::new(50).unwrap(),
        tick: Price(500),
        freeze: Quantity::new(1_800).unwrap(),
        band_low: Price(220_000_000),
        band_high: Price(260_000_000),
        reference_price: Price(243_500_000),
        reference_at: Timestamp(START_NS),
        price_protection: Price(1_000_000),
        protection_range: None,
        restriction: None,
        version: "2026-11-20/9c1e5a7b20d4".into(),
    }
}
