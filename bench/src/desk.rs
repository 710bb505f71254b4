//! The log that read models are measured with: a day of square-offs.
//!
//! 8,000 positions, 6 events per order. A thousand orders go on abreast, so that nearly every event of a batch changes another row:
//! the dearest order for the live runner, and as many rows per event as there can be for a rebuild.

use anyhow::Result;
use squareoff_domain::position::{
    BodLoaded, Executed, OrderAcknowledged, OrderDispatched, OrderPlaced, PositionEvent,
    PricePolicy, SquareOffAccepted, SquareOffTerms, TimeInForce, Wanted,
};
use squareoff_domain::{
    ClOrdId, Event, ExecutionKey, NetQuantity, OrderId, PositionKey, Price, Product, Quantity,
    RequestId, Side, Timestamp, Venue,
};
use squareoff_store::{EventStore, NewEvent, codec};
use uuid::Uuid;

pub const POSITIONS: usize = 8_000;
/// Orders that go on abreast.
const ABREAST: usize = 1_000;

/// Writes the positions and `rounds` orders of each, one after the other. Gives the number of events.
pub async fn fill(store: &EventStore, rounds: usize) -> Result<u64> {
    let keys = (0..POSITIONS).map(key).collect::<Result<Vec<_>>>()?;
    let mut versions = vec![0; POSITIONS];
    let mut written = 0;
    for block in 0..POSITIONS.div_ceil(ABREAST) {
        let block = block * ABREAST..POSITIONS.min((block + 1) * ABREAST);
        written += step(store, &keys, &mut versions, block, |key, _| vec![bod(key)]).await?;
    }
    for round in 0..rounds {
        for block in 0..POSITIONS.div_ceil(ABREAST) {
            let block = block * ABREAST..POSITIONS.min((block + 1) * ABREAST);
            let steps: [fn(&PositionKey, Uuid) -> Vec<PositionEvent>; 5] =
                [placed, dispatched, acknowledged, first_fill, second_fill];
            for happens in steps {
                let happens = |key: &PositionKey, position: usize| {
                    happens(key, Uuid::from_u128((round * POSITIONS + position) as u128))
                };
                written += step(store, &keys, &mut versions, block.clone(), happens).await?;
            }
        }
    }
    Ok(written)
}

/// The same thing happens to each position of a block.
async fn step(
    store: &EventStore,
    keys: &[PositionKey],
    versions: &mut [u64],
    block: std::ops::Range<usize>,
    happens: impl Fn(&PositionKey, usize) -> Vec<PositionEvent>,
) -> Result<u64> {
    let mut appends = tokio::task::JoinSet::new();
    let mut written = 0;
    for position in block {
        let events: Vec<_> = happens(&keys[position], position)
            .into_iter()
            .map(envelope)
            .collect();
        let version = versions[position];
        versions[position] += events.len() as u64;
        written += events.len() as u64;
        let (store, stream) = (store.clone(), keys[position].stream());
        appends.spawn(async move { store.append(&stream, version, events).await });
    }
    while let Some(appended) = appends.join_next().await {
        appended??;
    }
    Ok(written)
}

pub fn envelope(event: PositionEvent) -> NewEvent {
    let encoded = codec::encode(&Event::Position(event));
    NewEvent {
        id: Uuid::new_v4(),
        event_type: encoded.event_type,
        schema_version: encoded.schema_version,
        occurred_at: Timestamp(1_795_000_000_000_000_000),
        actor: "bench".into(),
        request_id: Uuid::new_v4(),
        correlation_id: Uuid::nil(),
        trace_id: None,
        epoch: 1,
        body: encoded.body,
    }
}

pub fn key(position: usize) -> Result<PositionKey> {
    Ok(PositionKey {
        date: "2026-11-20".parse()?,
        client: format!("C{:05}", position / 4).parse()?,
        venue: Venue::Nse,
        symbol: format!("SAMPLE{:02}", position % 60).parse()?,
        product: if position.is_multiple_of(2) {
            Product::Mis
        } else {
            Product::Nrml
        },
    })
}

/// The order of this round on this position.
pub fn order_of(round: usize, position: usize) -> Result<OrderId> {
    Ok(order(
        &key(position)?,
        Uuid::from_u128((round * POSITIONS + position) as u128),
    ))
}

fn bod(key: &PositionKey) -> PositionEvent {
    PositionEvent::BodLoaded(BodLoaded {
        key: key.clone(),
        quantity: NetQuantity(100_000),
        average_price: Price(1_000_000),
        source: "bench".into(),
    })
}

fn order(key: &PositionKey, request: Uuid) -> OrderId {
    OrderId::of_slice(key, RequestId(request), 0)
}

fn units(units: u64) -> Quantity {
    Quantity::new(units).expect("a few hundred")
}

pub fn placed(key: &PositionKey, request: Uuid) -> Vec<PositionEvent> {
    let accepted = SquareOffAccepted {
        request_id: RequestId(request),
        terms: SquareOffTerms {
            quantity: Wanted::Units(100),
            price: PricePolicy::MarketableLimit,
            time_in_force: TimeInForce::Day,
            evidence: None,
        },
        side: Side::Sell,
        quantity: units(100),
        slices: 1,
        reference_version: "2026-11-20/bench".into(),
    };
    let placed = OrderPlaced {
        order_id: order(key, request),
        request_id: RequestId(request),
        cl_ord_id: ClOrdId::mint(1, order(key, request)),
        key: key.clone(),
        side: Side::Sell,
        quantity: units(100),
        price: Price(990_000),
        time_in_force: TimeInForce::Day,
        slice: 1,
        slices: 1,
    };
    vec![
        PositionEvent::SquareOffAccepted(accepted),
        PositionEvent::OrderPlaced(placed),
    ]
}

pub fn dispatched(key: &PositionKey, request: Uuid) -> Vec<PositionEvent> {
    vec![PositionEvent::OrderDispatched(OrderDispatched {
        order_id: order(key, request),
        session: "NSE-BENCH".into(),
        sequence: 1,
    })]
}

pub fn acknowledged(key: &PositionKey, request: Uuid) -> Vec<PositionEvent> {
    vec![PositionEvent::OrderAcknowledged(OrderAcknowledged {
        order_id: order(key, request),
        exchange_order_id: "1100000012345678"
            .parse()
            .expect("an exchange order number"),
    })]
}

pub fn first_fill(key: &PositionKey, request: Uuid) -> Vec<PositionEvent> {
    fill_of(key, request, 1)
}

pub fn second_fill(key: &PositionKey, request: Uuid) -> Vec<PositionEvent> {
    fill_of(key, request, 2)
}

fn fill_of(key: &PositionKey, request: Uuid, number: u64) -> Vec<PositionEvent> {
    let exec_id = format!("{}-{number}", request.as_u128());
    vec![PositionEvent::Executed(Executed {
        order_id: order(key, request),
        execution: ExecutionKey::new(key.venue, key.date, &exec_id).expect("an ExecID"),
        exchange_order_id: "1100000012345678"
            .parse()
            .expect("an exchange order number"),
        side: Side::Sell,
        quantity: units(50),
        price: Price(1_000_000),
        venue_cumulative: 50 * number,
        venue_leaves: 100 - 50 * number,
        late: false,
    })]
}
