//! What each read model says of a short history.

use crate::story::{Desk, Projecting, contract, date, key, reach, start};
use sqlx::PgPool;
use squareoff_domain::bulk::*;
use squareoff_domain::platform::*;
use squareoff_domain::position::{
    Change, Execution, ExternalOrderObserved, Report, Request, TimeInForce, Wanted,
};
use squareoff_domain::reference::{ContractEvent, ContractListed};
use squareoff_domain::refusals::{RefusalEvent, RequestRefused};
use squareoff_domain::session::{SessionEvent, SessionReady};
use squareoff_domain::suspense::*;
use squareoff_domain::{
    Event, ExecutionKey, NetQuantity, OrderId, PositionKey, Price, Quantity, RequestId, Segment,
    Side, Timestamp, Venue,
};
use squareoff_projections::audit::{AuditFilter, ExecutionFilter, audit, audit_event, executions};
use squareoff_projections::bulks::{
    BulkItemFilter, BulkListFilter, bulk, bulk_items, bulk_progress, bulks,
};
use squareoff_projections::contracts::{ContractFilter, contract as listed, contracts};
use squareoff_projections::incidents::{IncidentFilter, incident, incidents};
use squareoff_projections::orders::{OrderFilter, order, orders};
use squareoff_projections::platform::platform;
use squareoff_projections::positions::{
    PositionCursor, PositionFilter, position, positions, positions_matching, positions_of_client,
};
use squareoff_projections::suspense::{SuspenseFilter, suspended, suspense};
use squareoff_projections::testing::TestDatabase;
use squareoff_projections::trades::{TradeFilter, trade, trades};
use uuid::Uuid;

/// The log projected to its end.
async fn shown(desk: &Desk) -> (TestDatabase, PgPool) {
    let (test, database) = start().await;
    let projecting = Projecting::start(&desk.store, &database);
    reach(&database, desk.store.head().await.unwrap()).await;
    projecting.stop().await;
    (test, database.pool(2))
}

fn units(units: u64) -> Quantity {
    Quantity::new(units).unwrap()
}

fn request(number: u128) -> RequestId {
    RequestId(Uuid::from_u128(number))
}

fn execution(id: &str) -> ExecutionKey {
    ExecutionKey::new(Venue::Nse, date(), id).unwrap()
}

fn day() -> time::Date {
    time::macros::date!(2026 - 11 - 20)
}

async fn list_contract(desk: &mut Desk, key: &PositionKey, version: u64) {
    let contract = contract(key);
    let event = Event::Contract(ContractEvent::ContractListed(ContractListed { contract }));
    desk.append("contracts-2026-11-20-NSE", version, vec![event])
        .await;
}

async fn external(desk: &mut Desk, key: &PositionKey, quantity: u64) -> OrderId {
    let number = "X77".parse().unwrap();
    let order_id = OrderId::of_external(key, &number);
    let order = ExternalOrderObserved {
        order_id,
        cl_ord_id: "PRIMARY1".parse().unwrap(),
        exchange_order_id: number,
        key: key.clone(),
        side: Side::Sell,
        quantity: units(quantity),
        cumulative: Quantity::ZERO,
        price: Price(1_010_000),
        source: "feed".into(),
    };
    let report = Report::ExternalOrder {
        order,
        ended: false,
    };
    desk.report(key, &report).await;
    order_id
}

async fn drop_copy(desk: &mut Desk, key: &PositionKey, id: &str, quantity: u64, price: i64) {
    let report = Report::DropCopy {
        execution: execution(id),
        side: Side::Sell,
        quantity: units(quantity),
        price: Price(price),
        source: "drop".into(),
    };
    desk.report(key, &report).await;
}

#[tokio::test]
async fn an_open_position_without_a_contract_shows_no_unrealized_profit() {
    let mut desk = Desk::new(36);
    let key = key(3, "UNLISTED");
    desk.bod(&key, -100).await;
    let (_test, pool) = shown(&desk).await;
    let by_stream = position(&pool, &key.stream()).await.unwrap().value;
    let of_client = positions_of_client(&pool, key.client.as_str(), None)
        .await
        .unwrap();
    let listed = positions(&pool, &PositionFilter::default()).await.unwrap();
    let rows = of_client.value.into_iter().chain(listed.value);
    let rows = Vec::from_iter(by_stream.into_iter().chain(rows));
    assert_eq!(rows.len(), 3, "each of the three queries");
    for row in rows {
        assert_eq!((row.net_quantity, row.mark), (-100, None));
        assert_eq!(row.unrealized_profit, None);
    }
}

#[tokio::test]
async fn a_position_shows_profit_external_orders_breaks_and_why_it_is_frozen() {
    let mut desk = Desk::new(31);
    let key = key(1, "RELIANCE");
    list_contract(&mut desk, &key, 0).await;
    // 100 at 99.00; 40 sold at 101.00; marked at 100.00.
    desk.bod(&key, 100).await;
    desk.square_off(&key, Wanted::Units(50)).await;
    let ours = desk.orders(&key)[0];
    desk.fill(&key, ours, 40, 1_010_000).await;
    external(&mut desk, &key, 20).await;
    drop_copy(&mut desk, &key, "E1", 40, 1_020_000).await;
    drop_copy(&mut desk, &key, "E99", 5, 1_000_000).await;
    desk.ask(
        &key,
        Request::Freeze {
            request_id: request(9),
            reason: "looks odd".into(),
        },
    )
    .await;
    let flat = crate::story::key(2, "TCS");
    desk.bod(&flat, 0).await;
    let (_test, pool) = shown(&desk).await;

    let row = position(&pool, &key.stream()).await.unwrap().value.unwrap();
    assert_eq!((row.net_quantity, row.average_price), (60, Some(990_000)));
    assert_eq!(row.realized_profit, 40 * 20_000);
    assert_eq!(
        (row.mark, row.unrealized_profit),
        (Some(1_000_000), Some(60 * 10_000))
    );
    assert_eq!(
        (row.bought_quantity, row.sold_quantity, row.trades),
        (0, 40, 1)
    );
    assert_eq!(
        (row.working_quantity, row.external_working_quantity),
        (30, 20)
    );
    assert_eq!((row.working_orders, row.external_working_orders), (2, 1));
    assert_eq!(row.closable_quantity, 30);
    assert_eq!((row.unbooked_trades, row.contradicted_trades), (1, 1));
    assert_eq!(row.frozen_reason.as_deref(), Some("looks odd"));
    assert_eq!(
        (row.segment.as_deref(), row.kind.as_deref()),
        (Some("CM"), Some("equity"))
    );
    assert_eq!(row.handed_back_epoch, None);

    let unlisted = position(&pool, &flat.stream())
        .await
        .unwrap()
        .value
        .unwrap();
    assert_eq!(
        (unlisted.segment, unlisted.mark, unlisted.average_price),
        (None, None, None)
    );
    assert_eq!(unlisted.unrealized_profit, Some(0));
    let any = PositionFilter::default();
    for (filter, rows) in [
        (any.clone(), 2),
        (
            PositionFilter {
                open: true,
                ..any.clone()
            },
            1,
        ),
        (
            PositionFilter {
                working: true,
                ..any.clone()
            },
            1,
        ),
        (
            PositionFilter {
                frozen: true,
                ..any.clone()
            },
            1,
        ),
        (
            PositionFilter {
                breaks: true,
                ..any.clone()
            },
            1,
        ),
        (
            PositionFilter {
                segment: Some("FO".into()),
                ..any.clone()
            },
            0,
        ),
        (
            PositionFilter {
                expiry: Some(day()),
                ..any.clone()
            },
            0,
        ),
        (
            PositionFilter {
                product: Some("CNC".into()),
                ..any.clone()
            },
            0,
        ),
        (
            PositionFilter {
                after: Some(PositionCursor {
                    number: None,
                    stream: key.stream(),
                    symbol: key.symbol.to_string(),
                }),
                ..any.clone()
            },
            1,
        ),
        (
            PositionFilter {
                limit: Some(1),
                ..any.clone()
            },
            1,
        ),
    ] {
        let found = positions(&pool, &filter).await.unwrap().value;
        assert_eq!(found.len(), rows, "{filter:?}");
    }
}

#[tokio::test]
async fn the_positions_of_a_bulk_come_with_what_planning_needs() {
    let mut desk = Desk::new(32);
    let (first, second, unlisted) = (key(1, "RELIANCE"), key(2, "TCS"), key(3, "INFY"));
    list_contract(&mut desk, &first, 0).await;
    list_contract(&mut desk, &second, 1).await;
    for key in [&first, &second, &unlisted] {
        desk.bod(key, 100).await;
    }
    desk.square_off(&first, Wanted::Units(30)).await;
    external(&mut desk, &first, 20).await;
    desk.bod(&key(4, "RELIANCE"), 0).await;
    let (_test, pool) = shown(&desk).await;

    let all = BulkFilter::default();
    let found = positions_matching(&pool, date(), &all).await.unwrap().value;
    assert_eq!(found.without_contract, [unlisted]);
    let [one, other] = found.positions.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(
        (&one.key, one.net, one.closable),
        (&first, NetQuantity(100), units(50))
    );
    assert_eq!((one.working_ours, one.working_external), (1, 1));
    assert_eq!((one.frozen, one.handed_back), (false, false));
    assert_eq!(*one.contract, contract(&first));
    assert_eq!((&other.key, other.closable), (&second, units(100)));
    for (filter, matching, without) in [
        (
            BulkFilter {
                client: Some(first.client.clone()),
                ..all.clone()
            },
            1,
            0,
        ),
        (
            BulkFilter {
                symbol: Some(second.symbol.clone()),
                ..all.clone()
            },
            1,
            0,
        ),
        (
            BulkFilter {
                segment: Some(Segment::Derivatives),
                ..all.clone()
            },
            0,
            1,
        ),
        (
            BulkFilter {
                venue: Some(Venue::Bse),
                ..all.clone()
            },
            0,
            0,
        ),
        (
            BulkFilter {
                expiry: Some(date()),
                ..all.clone()
            },
            0,
            1,
        ),
    ] {
        let found = positions_matching(&pool, date(), &filter)
            .await
            .unwrap()
            .value;
        let counts = (found.positions.len(), found.without_contract.len());
        assert_eq!(counts, (matching, without), "{filter:?}");
    }
    let listing = listed(&pool, day(), "NSE", "TCS")
        .await
        .unwrap()
        .value
        .unwrap();
    assert_eq!(listing.contract(), Some(contract(&second)));
    let filter = ContractFilter {
        trading_date: day(),
        venue: None,
        segment: None,
        expiry: None,
        after: Some(("NSE".into(), "RELIANCE".into())),
        limit: None,
    };
    let rest = contracts(&pool, &filter).await.unwrap().value;
    assert_eq!(rest.len(), 1);
}

#[tokio::test]
async fn an_order_shows_whose_it_is_what_was_replaced_and_whether_it_works() {
    let mut desk = Desk::new(33);
    let key = key(1, "RELIANCE");
    desk.bod(&key, 100).await;
    desk.square_off(&key, Wanted::Units(60)).await;
    let ours = desk.orders(&key)[0];
    desk.venue(&key, ours, Execution::New).await;
    let theirs = external(&mut desk, &key, 20).await;
    let change = Change {
        price: Some(Price(1_000_000)),
        quantity: Some(40),
    };
    let modify = Request::Modify {
        request_id: request(5),
        order: ours,
        change,
    };
    desk.ask(&key, modify).await.expect("a change is accepted");
    let replace = desk.position(&key).orders[&ours]
        .replaces
        .keys()
        .next()
        .unwrap()
        .clone();
    let replaced = Report::Execution(squareoff_domain::position::ExecutionReport {
        cl_ord_id: replace.clone(),
        exchange_order_id: "X1".parse().unwrap(),
        execution: Execution::Replaced {
            quantity: units(40),
            price: Price(1_000_000),
        },
        cumulative: 0,
        leaves: 40,
    });
    desk.report(&key, &replaced).await;
    let (_test, pool) = shown(&desk).await;

    let row = order(&pool, ours.0).await.unwrap().value.unwrap();
    assert_eq!((&*row.origin, &*row.status), ("ours", "new"));
    assert_eq!((row.quantity, row.price), (40, 1_000_000));
    assert_eq!((row.placed_quantity, row.replaces), (60, 1));
    assert_eq!(row.current_cl_ord_id, replace.as_str());
    assert_ne!(row.current_cl_ord_id, row.cl_ord_id);
    let other = order(&pool, theirs.0).await.unwrap().value.unwrap();
    assert_eq!((&*other.origin, other.request_id), ("external", None));
    let any = OrderFilter::default();
    for (filter, rows) in [
        (
            OrderFilter {
                working: true,
                ..any.clone()
            },
            2,
        ),
        (
            OrderFilter {
                origin: Some("external".into()),
                ..any.clone()
            },
            1,
        ),
        (
            OrderFilter {
                request_id: row.request_id,
                ..any.clone()
            },
            1,
        ),
        (
            OrderFilter {
                trading_date: Some(day()),
                ..any.clone()
            },
            2,
        ),
        (
            OrderFilter {
                product: Some("CNC".into()),
                ..any.clone()
            },
            0,
        ),
    ] {
        assert_eq!(
            orders(&pool, &filter).await.unwrap().value.len(),
            rows,
            "{filter:?}"
        );
    }
}

#[tokio::test]
async fn a_trade_shows_how_sure_it_is_and_every_report_of_it_stays() {
    let mut desk = Desk::new(34);
    let key = key(1, "RELIANCE");
    desk.bod(&key, 100).await;
    desk.square_off(&key, Wanted::All).await;
    let ours = desk.orders(&key)[0];
    for _ in 1..=5 {
        desk.fill(&key, ours, 10, 1_000_000).await;
    }
    drop_copy(&mut desk, &key, "E2", 10, 1_000_000).await;
    drop_copy(&mut desk, &key, "E3", 11, 1_000_000).await;
    let corrected = Execution::Corrected {
        execution: execution("E4"),
        correction: execution("C4"),
        quantity: units(8),
        price: Price(1_010_000),
        at: Timestamp(1),
    };
    desk.venue(&key, ours, corrected).await;
    let busted = Execution::Busted {
        execution: execution("E5"),
    };
    desk.venue(&key, ours, busted).await;
    drop_copy(&mut desk, &key, "E6", 3, 1_000_000).await;
    let (_test, pool) = shown(&desk).await;

    let rows = trades(&pool, &TradeFilter::default()).await.unwrap().value;
    let seen: Vec<_> = rows
        .iter()
        .rev()
        .map(|row| {
            let id = row.execution_key.rsplit('|').next().unwrap();
            (id, &*row.status, row.live_quantity, row.is_break)
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("E1", "provisional", 10, false),
            ("E2", "confirmed", 10, false),
            ("E3", "contradicted", 10, true),
            ("E4", "corrected", 8, false),
            ("E5", "busted", 0, false),
            ("E6", "unbooked", 0, true),
        ]
    );
    let four = &rows[2];
    assert_eq!((four.quantity, four.price), (8, 1_010_000));
    assert_eq!((four.told_quantity, four.told_price), (10, 1_000_000));
    assert_eq!(rows[3].drop_copy_quantity, Some(11));
    assert_eq!((&*rows[0].origin, rows[0].order_id), ("drop-copy", None));
    let again = trade(&pool, four.position).await.unwrap().value;
    assert_eq!(again.as_ref(), Some(four));
    let breaks = TradeFilter {
        breaks: true,
        ..TradeFilter::default()
    };
    assert_eq!(trades(&pool, &breaks).await.unwrap().value.len(), 2);
    let row = order(&pool, ours.0).await.unwrap().value.unwrap();
    let average = (30 * 1_000_000 + 8 * 1_010_000) / 38;
    assert_eq!(
        (row.cumulative_quantity, row.average_price),
        (38, Some(average))
    );

    let reports = executions(&pool, &ExecutionFilter::default())
        .await
        .unwrap()
        .value;
    assert_eq!(reports.len(), 10);
    let of_one = ExecutionFilter {
        execution_key: Some(execution("E4").as_str().into()),
        ..ExecutionFilter::default()
    };
    let of_one = executions(&pool, &of_one).await.unwrap().value;
    let kinds: Vec<_> = of_one.iter().map(|row| row.event_type.as_str()).collect();
    assert_eq!(kinds, ["ExecutionCorrected", "Executed"]);
    assert_eq!(
        (of_one[0].side.as_deref(), of_one[0].quantity),
        (None, Some(8))
    );
}

fn proposal(bulk_id: BulkId, items: u32) -> BulkEvent {
    BulkEvent::BulkProposed(BulkProposed {
        bulk_id,
        request_id: request(1),
        filter: BulkFilter {
            segment: Some(Segment::Cash),
            ..BulkFilter::default()
        },
        terms: BulkTerms {
            price: BulkPrice::MarketableLimit,
            time_in_force: TimeInForce::Day,
            cancel_external: true,
        },
        as_of: 1,
        trading_date: date(),
        items,
        orders_to_cancel: 1,
        slices: 4,
        notional: 5,
        messages: 5,
        estimated_seconds: 40,
        message_rate_per_s: 10,
        reason: "primary down".into(),
        proposed_by: "desk-asha".into(),
    })
}

fn item(key: &PositionKey, phase: BulkPhase, working: u32) -> BulkItem {
    BulkItem {
        key: key.clone(),
        phase,
        net: NetQuantity(100),
        notional: 100,
        working,
    }
}

#[tokio::test]
async fn a_bulk_shows_its_counts_its_items_and_when_it_may_end() {
    let mut desk = Desk::new(35);
    let keys: Vec<_> = (1..=4).map(|client| key(client, "RELIANCE")).collect();
    for key in &keys {
        desk.bod(key, 100).await;
    }
    desk.square_off(&keys[2], Wanted::Units(40)).await;
    let ours = desk.orders(&keys[2])[0];
    desk.fill(&keys[2], ours, 10, 1_000_000).await;
    let bulk_id = BulkId(Uuid::from_u128(8));
    let mut items: Vec<_> = keys
        .iter()
        .map(|key| item(key, BulkPhase::Mis, 0))
        .collect();
    items[3].phase = BulkPhase::Cnc;
    items[1].working = 1;
    let events = vec![
        proposal(bulk_id, 4),
        BulkEvent::BulkItemsListed(BulkItemsListed { first: 0, items }),
        BulkEvent::BulkApproved(BulkApproved {
            request_id: request(2),
            by: "supervisor-ravi".into(),
        }),
        BulkEvent::BulkPhaseEntered(BulkPhaseEntered {
            phase: BulkPhase::Mis,
        }),
        BulkEvent::BulkCancelsDone(BulkCancelsDone { items: vec![1] }),
        BulkEvent::BulkItemsSettled(BulkItemsSettled {
            outcomes: vec![
                (
                    0,
                    BulkOutcome::Closed {
                        quantity: units(100),
                    },
                ),
                (
                    1,
                    BulkOutcome::Refused {
                        code: "position-frozen".into(),
                    },
                ),
            ],
        }),
    ];
    let events = events.into_iter().map(Event::Bulk).collect();
    desk.append(&bulk_id.stream(), 0, events).await;
    let (_test, pool) = shown(&desk).await;

    let row = bulk(&pool, bulk_id.0).await.unwrap().value.unwrap();
    assert_eq!(
        (row.status.as_str(), row.phase.as_deref()),
        ("running", Some("mis"))
    );
    assert_eq!(
        (row.proposed_by.as_str(), row.approved_by.as_deref()),
        ("desk-asha", Some("supervisor-ravi"))
    );
    assert_eq!(
        (row.listed, row.closed, row.refused, row.cancelled),
        (4, 1, 1, 1)
    );
    assert_eq!(
        (row.closed_quantity, row.filter_segment.as_deref()),
        (100, Some("CM"))
    );
    // Half of the items are left, so half of the 40 seconds.
    assert_eq!(
        row.estimated_end_at,
        Some(row.updated_at + time::Duration::seconds(20))
    );
    let list = bulks(&pool, &BulkListFilter::default())
        .await
        .unwrap()
        .value;
    assert_eq!(list, [row]);

    let found = bulk_items(&pool, bulk_id.0, &BulkItemFilter::default())
        .await
        .unwrap()
        .value;
    let seen: Vec<_> = found
        .iter()
        .map(|item| (item.item, item.state.as_str(), item.net_quantity_now))
        .collect();
    assert_eq!(
        seen,
        [
            (0, "closed", Some(100)),
            (1, "refused", Some(100)),
            (2, "sent", Some(90)),
            (3, "planned", Some(100)),
        ]
    );
    assert_eq!(found[1].outcome_reason.as_deref(), Some("position-frozen"));
    let sent = BulkItemFilter {
        state: Some("sent".into()),
        after: Some(0),
        ..BulkItemFilter::default()
    };
    assert_eq!(
        bulk_items(&pool, bulk_id.0, &sent)
            .await
            .unwrap()
            .value
            .len(),
        1
    );
    let phases = bulk_progress(&pool, bulk_id.0).await.unwrap().value.phases;
    let seen: Vec<_> = phases
        .iter()
        .map(|phase| {
            (
                phase.phase.as_str(),
                phase.items,
                phase.closed,
                phase.sent,
                phase.planned,
            )
        })
        .collect();
    assert_eq!(seen, [("mis", 3, 1, 1, 0), ("cnc", 1, 0, 0, 1)]);
    assert_eq!((phases[0].quantity, phases[0].quantity_closed), (300, 110));
}

/// Version, actor and event of the platform's stream.
async fn tell(desk: &mut Desk, version: u64, actor: &'static str, event: PlatformEvent) {
    desk.actor = actor;
    desk.append("platform", version, vec![Event::Platform(event)])
        .await;
    desk.actor = "test";
}

#[tokio::test]
async fn an_incident_is_told_from_the_outage_to_the_hand_back() {
    let mut desk = Desk::new(36);
    let key = key(1, "RELIANCE");
    let (asha, ravi) = ("desk-asha", "supervisor-ravi");
    let by = |actor: &str| actor.to_owned();
    let began = Timestamp(1_794_999_000_000_000_000);
    let asked = ActivationRequested {
        request_id: request(1),
        trading_date: date(),
        reason: "primary down".into(),
        outage_began_at: began,
        by: by(asha),
    };
    tell(
        &mut desk,
        0,
        asha,
        PlatformEvent::ActivationRequested(asked),
    )
    .await;
    let approved = ActivationApproved {
        request_id: request(2),
        by: by(ravi),
    };
    tell(
        &mut desk,
        1,
        ravi,
        PlatformEvent::ActivationApproved(approved),
    )
    .await;
    let activated = PlatformActivated {
        without_book: None,
        epoch: 1,
        trading_date: date(),
        reason: "primary down".into(),
        requested_by: Some(by(asha)),
        approved_by: Some(by(ravi)),
        activated_by: Some(by(asha)),
        request_id: Some(request(3)),
    };
    tell(
        &mut desk,
        2,
        asha,
        PlatformEvent::PlatformActivated(activated),
    )
    .await;
    let ready = SessionEvent::SessionReady(SessionReady {
        venue: Venue::Nse,
        fence: 1,
    });
    desk.append("session-NSE-A", 0, vec![Event::Session(ready)])
        .await;
    desk.bod(&key, 150).await;
    desk.request = Uuid::from_u128(8);
    desk.square_off(&key, Wanted::All).await;
    desk.request = Uuid::nil();
    let ours = desk.orders(&key)[0];
    desk.fill(&key, ours, 40, 1_000_000).await;
    let refused = RequestRefused {
        what: "square-off".into(),
        request_id: request(4),
        position: Some(key.clone()),
        code: "nothing-to-close".into(),
        detail: "nothing is left to close".into(),
    };
    let refused = Event::Refusal(RefusalEvent::RequestRefused(refused));
    desk.append("refusals-2026-11-20-C00001", 0, vec![refused])
        .await;
    let halted = NewOrdersHalted {
        request_id: request(5),
        scope: HaltScope::All,
        reason: "price spike".into(),
        by: by(asha),
    };
    tell(&mut desk, 3, asha, PlatformEvent::NewOrdersHalted(halted)).await;
    let market = MarketPhaseChanged {
        venue: Venue::Nse,
        segment: Segment::Cash,
        trading_date: date(),
        phase: MarketPhase::Open,
        source: "session".into(),
    };
    tell(
        &mut desk,
        4,
        "gateway",
        PlatformEvent::MarketPhaseChanged(market),
    )
    .await;
    let handed = HandbackCompleted {
        request_id: request(6),
        epoch: 1,
        package: HandbackPackage {
            positions: 1,
            orders: 2,
            executions: 1,
            net_digest: "abcd".into(),
            last_position: 9,
        },
        by: by(asha),
    };
    tell(&mut desk, 5, asha, PlatformEvent::HandbackCompleted(handed)).await;
    // Not of the incident any more.
    let down = SessionEvent::SessionReady(SessionReady {
        venue: Venue::Nse,
        fence: 2,
    });
    desk.append("session-NSE-A", 1, vec![Event::Session(down)])
        .await;
    let (_test, pool) = shown(&desk).await;

    let found = incident(&pool, day()).await.unwrap().value.unwrap();
    let [one] = found.incidents.as_slice() else {
        panic!("{found:?}")
    };
    let row = &one.row;
    let nanos = i128::from(began.0);
    assert_eq!(row.outage_began_at.unwrap().unix_timestamp_nanos(), nanos);
    assert_eq!(
        (row.requested_by.as_deref(), row.approved_by.as_deref()),
        (Some(asha), Some(ravi))
    );
    assert_eq!(
        (row.epoch, row.activated_by.as_deref()),
        (Some(1), Some(asha))
    );
    assert_eq!(
        (row.ended.as_deref(), row.handed_back_net_digest.as_deref()),
        (Some("handed-back"), Some("abcd"))
    );
    assert!(row.requested_at < row.approved_at && row.approved_at < row.activated_at);
    assert!(row.activated_at < row.ended_at);
    let counts = one.counts;
    assert_eq!(
        (counts.square_offs, counts.orders, counts.executions),
        (1, 2, 1)
    );
    assert_eq!(
        (counts.quantity, counts.value, counts.clients),
        (40, 40_000_000, 1)
    );
    assert_eq!(
        (counts.refused, counts.bulks, counts.external_orders),
        (1, 0, 0)
    );
    let story: Vec<_> = found
        .timeline
        .iter()
        .map(|entry| (entry.kind.as_str(), entry.actor.as_str()))
        .collect();
    assert_eq!(
        story,
        [
            ("platform", asha),
            ("platform", ravi),
            ("platform", asha),
            ("session", "test"),
            ("first-order", "test"),
            ("last-order", "test"),
            ("platform", asha),
            ("market", "gateway"),
            ("platform", asha),
        ]
    );
    assert_eq!(
        found.timeline[6].detail,
        "halted new orders everywhere: price spike"
    );
    let other_day = time::macros::date!(2026 - 11 - 21);
    assert_eq!(incident(&pool, other_day).await.unwrap().value, None);
    let list = incidents(&pool, &IncidentFilter::default())
        .await
        .unwrap()
        .value;
    assert_eq!(list.len(), 1);

    let now = platform(&pool).await.unwrap().value;
    let state = now.state.unwrap();
    assert_eq!(
        (state.phase.as_str(), state.epoch, state.phase_by.as_str()),
        ("handed-back", 1, asha)
    );
    let [halt] = now.halts.as_slice() else {
        panic!("{:?}", now.halts)
    };
    assert_eq!(
        (halt.scope.as_str(), halt.halted, halt.halted_by.as_str()),
        ("all", true, asha)
    );
    assert_eq!(
        (now.markets.len(), now.markets[0].phase.as_str()),
        (1, "open")
    );
}

#[tokio::test]
async fn the_audit_trail_is_searched_by_person_client_order_request_time_and_type() {
    let mut desk = Desk::new(37);
    let (one, two) = (key(1, "RELIANCE"), key(2, "RELIANCE"));
    desk.bod(&one, 100).await;
    desk.bod(&two, 100).await;
    (desk.actor, desk.request) = ("desk-asha", Uuid::from_u128(71));
    desk.square_off(&one, Wanted::All).await;
    (desk.actor, desk.request) = ("supervisor-ravi", Uuid::from_u128(72));
    desk.square_off(&two, Wanted::All).await;
    let ours = desk.orders(&one)[0];
    // The gateway's facts go back to the request that placed the order.
    (desk.actor, desk.request) = ("gateway:NSE-A", Uuid::from_u128(71));
    desk.venue(&one, ours, Execution::Expired).await;
    (desk.actor, desk.request) = ("desk-asha", Uuid::from_u128(73));
    let refused = RequestRefused {
        what: "cancel".into(),
        request_id: request(73),
        position: Some(one.clone()),
        code: "order-not-working".into(),
        detail: "the order does not work any more".into(),
    };
    let refused = Event::Refusal(RefusalEvent::RequestRefused(refused));
    desk.append("refusals-2026-11-20-C00001", 0, vec![refused])
        .await;
    let (_test, pool) = shown(&desk).await;

    let any = AuditFilter::default();
    let text = |text: &str| Some(text.to_owned());
    let recorded = |position: i64| {
        let pool = pool.clone();
        async move {
            audit_event(&pool, position)
                .await
                .unwrap()
                .value
                .unwrap()
                .recorded_at
        }
    };
    let head = i64::try_from(desk.store.head().await.unwrap().as_u64()).unwrap();
    let (first, last) = (recorded(3).await, recorded(head).await);
    for (filter, found) in [
        (any.clone(), "refused asked asked"),
        (
            AuditFilter {
                facts: true,
                ..any.clone()
            },
            "refused the asked asked",
        ),
        (
            AuditFilter {
                actor: text("desk-asha"),
                ..any.clone()
            },
            "refused asked",
        ),
        (
            AuditFilter {
                actor: text("gateway:NSE-A"),
                ..any.clone()
            },
            "",
        ),
        (
            AuditFilter {
                actor: text("gateway:NSE-A"),
                facts: true,
                ..any.clone()
            },
            "the",
        ),
        (
            AuditFilter {
                client_code: text("C00002"),
                ..any.clone()
            },
            "asked",
        ),
        (
            AuditFilter {
                order_id: Some(ours.0),
                facts: true,
                ..any.clone()
            },
            "the asked",
        ),
        (
            AuditFilter {
                request_id: Some(Uuid::from_u128(71)),
                facts: true,
                ..any.clone()
            },
            "the asked",
        ),
        (
            AuditFilter {
                request_id: Some(Uuid::from_u128(73)),
                ..any.clone()
            },
            "refused",
        ),
        (
            AuditFilter {
                event_type: text("OrderExpired"),
                facts: true,
                ..any.clone()
            },
            "the",
        ),
        (
            AuditFilter {
                kind: text("refusal"),
                ..any.clone()
            },
            "refused",
        ),
        (
            AuditFilter {
                kind: text("fact"),
                ..any.clone()
            },
            "the",
        ),
        (
            AuditFilter {
                stream: text(&two.stream()),
                facts: true,
                ..any.clone()
            },
            "asked",
        ),
        (
            AuditFilter {
                to: Some(first),
                facts: true,
                ..any.clone()
            },
            "",
        ),
        (
            AuditFilter {
                from: Some(last),
                ..any.clone()
            },
            "refused",
        ),
        (
            AuditFilter {
                before: Some(5),
                ..any.clone()
            },
            "asked",
        ),
        (
            AuditFilter {
                limit: Some(2),
                ..any.clone()
            },
            "refused asked",
        ),
    ] {
        let rows = audit(&pool, &filter).await.unwrap().value;
        let words: Vec<_> = rows
            .iter()
            .map(|row| {
                if row.kind == "refusal" {
                    "refused"
                } else {
                    row.summary.split(' ').next().unwrap()
                }
            })
            .collect();
        assert_eq!(words.join(" "), found, "{filter:?}");
    }
    let refusal = audit_event(&pool, head).await.unwrap().value.unwrap();
    assert_eq!(
        refusal.summary,
        "cancel was refused: the order does not work any more"
    );
    assert_eq!(
        (refusal.client_code.as_deref(), refusal.kind.as_str()),
        (Some("C00001"), "refusal")
    );
}

#[tokio::test]
async fn a_suspended_report_shows_what_became_of_it() {
    let mut desk = Desk::new(38);
    let key = key(1, "RELIANCE");
    let suspend = |report_key: &str, execution: Option<ExecutionKey>| {
        let execution = execution.map(|execution| SuspendedExecution {
            execution,
            account: Some("ACC1".parse().unwrap()),
            symbol: Some(key.symbol.clone()),
            side: Side::Sell,
            quantity: units(10),
            price: Price(1_000_000),
        });
        Event::Suspense(SuspenseEvent::ReportSuspended(ReportSuspended {
            venue: Venue::Nse,
            report_key: report_key.into(),
            reason: "unknown order".into(),
            message: "35=8|".into(),
            execution,
        }))
    };
    let matched = Event::Suspense(SuspenseEvent::SuspenseMatched(SuspenseMatched {
        report_key: "R1".into(),
        position: key.clone(),
        by: "desk-asha".into(),
        reason: "the client's".into(),
        request_id: Some(request(1)),
    }));
    let begun = Event::Suspense(SuspenseEvent::SuspenseMatchBegun(SuspenseMatchBegun {
        report_key: "R4".into(),
        position: key.clone(),
        by: "desk-asha".into(),
        reason: "the client's".into(),
        request_id: Some(request(3)),
    }));
    let dismissed = Event::Suspense(SuspenseEvent::SuspenseDismissed(SuspenseDismissed {
        report_key: "R2".into(),
        by: "supervisor-ravi".into(),
        reason: "another broker's".into(),
        request_id: request(2),
    }));
    let contradicted = Event::Suspense(SuspenseEvent::SuspenseContradicted(SuspenseContradicted {
        report_key: "R2".into(),
        position: key.clone(),
        source: "feed".into(),
    }));
    let events = vec![
        suspend("R1", Some(execution("E1"))),
        suspend("R2", None),
        suspend("R3", None),
        suspend("R4", Some(execution("E4"))),
        matched,
        begun,
        dismissed,
        contradicted,
    ];
    desk.append("suspense-NSE-2026-11-20", 0, events).await;
    let (_test, pool) = shown(&desk).await;

    let rows = suspense(&pool, &SuspenseFilter::default())
        .await
        .unwrap()
        .value;
    let states: Vec<_> = rows
        .iter()
        .map(|row| (row.report_key.as_str(), row.state.as_str()))
        .collect();
    assert_eq!(
        states,
        [
            ("R4", "open"),
            ("R3", "open"),
            ("R2", "dismissed"),
            ("R1", "matched")
        ]
    );
    // A match that was begun and not concluded is still to be settled, and says where.
    assert_eq!(rows[0].matched_stream, Some(key.stream()));
    assert_eq!(
        (&rows[0].settled_by, &rows[1].matched_stream),
        (&None, &None)
    );
    let first = suspended(&pool, 1).await.unwrap().value.unwrap();
    assert_eq!(first.matched_stream, Some(key.stream()));
    assert_eq!(
        (first.settled_by.as_deref(), first.quantity),
        (Some("desk-asha"), Some(10))
    );
    assert_eq!(rows[2].contradicted_stream, Some(key.stream()));
    let open = SuspenseFilter {
        state: Some("open".into()),
        ..SuspenseFilter::default()
    };
    assert_eq!(suspense(&pool, &open).await.unwrap().value.len(), 2);
}
