//! Of requests: 1, 2, 7, 8, 9 and 11.

use super::*;
use crate::reference::Contract;
use crate::{ClOrdId, Side};
use std::collections::BTreeMap;

/// What the venue would do that keeps to what it said: it fills what is there, and nothing that has ended.
fn honest(world: &World, step: &Step) -> bool {
    let order = |number: u8| world.order(number).map(|(_, order)| order);
    let untouched = |number: u8| {
        order(number)
            .is_some_and(|order| !order.acknowledged && !order.held && order.cumulative.is_zero())
    };
    match *step {
        Step::Fill { id, twist } => {
            let fits = world.order_of(id).is_some_and(|(_, order)| {
                let told = world.report(step).and_then(filled);
                order.is_ours() && told.is_some_and(|(_, quantity)| quantity <= order.leaves())
            });
            let again = world
                .report(step)
                .and_then(filled)
                .is_some_and(|(key, _)| world.position.executions.contains_key(&key));
            !twist && (fits || again)
        }
        Step::Rejected(number) | Step::Lost(number) | Step::Dropped(number) => untouched(number),
        Step::Ack(number) | Step::Held(number) => {
            order(number).is_some_and(|order| order.ended.is_empty())
        }
        // What is said of a replace is what was asked.
        Step::Replaced { .. } => false,
        Step::Resolve { delivered, .. } => delivered,
        // Facts from elsewhere and corrections may break exposure; what is promised then is said by property 1 b.
        Step::PrimaryTrade(_)
        | Step::External { .. }
        | Step::Bod(_)
        | Step::Correct { .. }
        | Step::Bust { .. } => false,
        _ => true,
    }
}

fn filled(report: Report) -> Option<(ExecutionKey, Quantity)> {
    match report {
        Report::Execution(ExecutionReport {
            execution: Execution::Fill { key, quantity, .. },
            ..
        }) => Some((key, quantity)),
        _ => None,
    }
}

/// The venue confirms every cancel that is on its way, and refuses the replaces that cancels wait for.
fn quiet(world: &mut World) {
    for round in 0.. {
        assert!(round < 1_000, "cancels without end: {:#?}", world.position);
        let mut reports = Vec::new();
        for order in world.position.orders.values() {
            let pending = order.replaces.iter().find(|(_, replace)| {
                order.replace_pending() && replace.state == ReplaceState::Pending
            });
            if let Some((id, _)) = pending {
                reports.push(Report::CancelRejected {
                    cl_ord_id: id.clone(),
                    code: 0,
                    text: String::new(),
                });
            } else if order.cancel_pending() {
                reports.push(Report::Execution(ExecutionReport {
                    cl_ord_id: order.cl_ord_id.clone(),
                    exchange_order_id: "X".parse().unwrap(),
                    execution: Execution::Canceled,
                    cumulative: 0,
                    leaves: 0,
                }));
            }
        }
        if reports.is_empty() {
            return;
        }
        let events = record_all(&world.position, &reports);
        world.position = events
            .iter()
            .fold(std::mem::take(&mut world.position), evolve);
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn invariant_1_no_accepted_request_makes_more_fillable_than_is_open((lots, steps) in histories()) {
        run(lots, &steps, |before, went, after| {
            let Went::Asked(request, Ok(events)) = went else {
                return Ok(());
            };
            let (was, is) = (may_fill(&before.position), may_fill(&after.position));
            if matches!(request, Request::SquareOff { .. }) && !events.is_empty() {
                prop_assert!(is.0 <= after.position.net.open().units());
                // Whatever an over-fill left behind on the other side, a request adds nothing to it.
                prop_assert_eq!(is.1, was.1);
            } else {
                prop_assert!(is.0 <= was.0 && is.1 <= was.1);
            }
            Ok(())
        })?;
    }

    #[test]
    fn invariant_1_after_a_breach_by_a_fact_and_its_cancels_all_fits_again((lots, steps) in histories()) {
        let mut world = ran(lots, &steps);
        quiet(&mut world);
        let (closing, other) = may_fill(&world.position);
        // The primary's orders are a person's to cancel: where they alone are too much, none of ours is left beside them.
        let ours: u64 = world.position.orders.values().filter(|order| order.is_ours()).map(|order| order.leaves().units()).sum();
        prop_assert_eq!(other, 0);
        prop_assert!(closing <= world.position.net.open().units() || ours == 0);
    }

    #[test]
    fn invariant_2_our_fills_never_add_risk_at_an_honest_venue((lots, steps) in histories()) {
        let mut world = opened(lots);
        for step in &steps {
            if !honest(&world, step) {
                continue;
            }
            let before = world.position.net;
            let went = world.go(step);
            let after = world.position.net;
            if matches!(went, Went::Told(_, _)) {
                prop_assert!(after.open() <= before.open());
                prop_assert!(after.0.signum() * before.0.signum() >= 0);
            }
            let (closing, other) = may_fill(&world.position);
            prop_assert!(closing <= after.open().units() && other == 0);
        }
        prop_assert_eq!(&world.position.frozen.clone().filter(|reason| reason != "found out"), &None);
    }

    #[test]
    fn invariant_7_slices_add_up_and_obey_lot_and_freeze(lots in 0_u64..3_000, odd in 0_u64..4, lot in 1_u64..60, freeze in 0_u64..2_000, wanted in proptest::option::of(0_u64..100_000)) {
        let units = |units| Quantity::new(units).unwrap();
        let contract = Contract { lot: units(lot), freeze: units(freeze), ..sample::contract() };
        let mut world = World { contract, now: sample::now(), ..World::new(sample::key(), sample::contract()) };
        let bod = Report::Bod {
            key: sample::key(),
            quantity: NetQuantity(i64::try_from(lots * lot + odd % lot).unwrap()),
            average_price: Price(1),
            source: String::new(),
        };
        world.position = record(&world.position, &bod).iter().fold(Position::default(), evolve);
        let open = world.position.net.open().units();
        let asked = wanted.unwrap_or(open);
        let went = world.go(&Step::Close { request: 1, units: wanted, price: None, ioc: false });
        let placed: Vec<_> = went.events().iter().filter_map(|event| match event {
            PositionEvent::OrderPlaced(placed) => Some(placed),
            _ => None,
        }).collect();
        let slices: Vec<u64> = placed.iter().map(|placed| placed.quantity.units()).collect();
        let largest = freeze / lot * lot;
        if let [PositionEvent::SquareOffAccepted(accepted), ..] = went.events() {
            prop_assert_eq!(accepted.quantity.units(), asked);
            prop_assert_eq!(accepted.slices as usize, slices.len());
            prop_assert_eq!(slices.iter().sum::<u64>(), asked);
            prop_assert!(slices.iter().all(|units| *units > 0 && *units <= largest && units % lot == 0));
            prop_assert_eq!(slices.len() as u64, asked.div_ceil(largest));
            let numbers: Vec<_> = placed.iter().map(|placed| placed.slice).collect();
            prop_assert_eq!(numbers, (1..=accepted.slices).collect::<Vec<_>>());
            prop_assert!(placed.iter().all(|placed| placed.slices == accepted.slices));
            prop_assert!(slices.len() as u64 <= u64::from(MAX_SLICES));
        } else {
            // Refused only for a reason that the numbers give.
            let fits = asked > 0 && asked <= open && asked.is_multiple_of(lot);
            prop_assert!(!fits || largest == 0 || asked.div_ceil(largest) > u64::from(MAX_SLICES), "{:?}", went);
        }
    }

    #[test]
    fn invariant_8_prices_obey_tick_and_band_of_the_version_that_is_recorded(
        (lots, steps) in histories(),
        tick in prop::sample::select(vec![25_i64, 100, 500, 1_000, 5_000]),
        (low, high) in (700_000_i64..1_000_000, 1_000_000_i64..1_300_000),
        protection in 0_i64..400_000,
        range in proptest::option::of((600_000_i64..1_100_000, 900_000_i64..1_400_000)),
    ) {
        let mut world = opened(lots);
        world.contract = Contract {
            tick: Price(tick),
            band_low: Price(low),
            band_high: Price(high),
            price_protection: Price(protection),
            protection_range: range.map(|(low, high)| (Price(low), Price(high))),
            version: format!("tick {tick}"),
            ..sample::contract()
        };
        let obeys = |price: Price| {
            price.0 % tick == 0
                && (low..=high).contains(&price.0)
                && range.is_none_or(|(low, high)| (low..=high).contains(&price.0))
        };
        for step in &steps {
            let at = world.now.0 - world.contract.reference_at.0;
            let went = world.go(step);
            for event in went.events() {
                match event {
                    PositionEvent::OrderPlaced(placed) => prop_assert!(obeys(placed.price), "{placed:?}"),
                    PositionEvent::ReplaceRequested(replace) => {
                        prop_assert!(obeys(replace.price), "{replace:?}");
                        prop_assert_eq!(&replace.reference_version, &world.contract.version);
                    }
                    PositionEvent::SquareOffAccepted(accepted) => {
                        prop_assert_eq!(&accepted.reference_version, &world.contract.version);
                        prop_assert!(accepted.terms.price != PricePolicy::MarketableLimit || at <= 60_000_000_000);
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn invariant_9_a_cl_ord_id_is_never_used_twice_and_names_one_order((lots, steps) in histories()) {
        let mut minted: BTreeMap<ClOrdId, OrderId> = BTreeMap::new();
        let end = run(lots, &steps, |_, went, _| {
            for event in went.events() {
                let (id, order) = match event {
                    PositionEvent::OrderPlaced(event) => (&event.cl_ord_id, event.order_id),
                    PositionEvent::CancelRequested(event) => (&event.cl_ord_id, event.order_id),
                    PositionEvent::ReplaceRequested(event) => (&event.cl_ord_id, event.order_id),
                    _ => continue,
                };
                prop_assert_eq!(minted.insert(id.clone(), order), None);
            }
            Ok(())
        })?;
        for (id, order) in &minted {
            prop_assert_eq!(end.position.order_of(id).map(|(order, _)| order), Some(*order));
        }
    }

    #[test]
    fn invariant_9_one_cancel_or_replace_of_an_order_is_in_flight((lots, steps) in histories()) {
        let in_flight = |order: &Order| {
            let cancels = order.cancels.values().filter(|state| **state == CancelState::Pending);
            let replaces = order.replaces.values().filter(|replace| replace.state == ReplaceState::Pending);
            cancels.count() + replaces.count()
        };
        let end = ran(lots, &steps);
        for order in end.position.orders.values() {
            prop_assert!(in_flight(order) <= 1, "{order:?}");
        }
    }

    #[test]
    fn invariant_11_outside_of_active_open_and_ready_nothing_is_placed_or_changed_and_cancels_pass((lots, steps) in histories()) {
        run(lots, &steps, |before, went, _| {
            let Went::Asked(request, answer) = went else {
                return Ok(());
            };
            let places = answer.iter().flatten().any(|event| matches!(event, PositionEvent::OrderPlaced(_) | PositionEvent::ReplaceRequested(_)));
            prop_assert!(!places || (before.is_open() && before.position.frozen.is_none()));
            // Whatever is outside, the answer to a cancel, a freeze and a found doubt is that of the best of times.
            let mut best = before.clone();
            (best.platform, best.session_ready) = (sample::active(), true);
            best.platform.epoch = before.platform.epoch;
            if matches!(request, Request::Cancel { .. } | Request::Freeze { .. } | Request::Unfreeze { .. } | Request::ResolveInDoubt { .. }) {
                prop_assert_eq!(answer, &best.ask(request));
            }
            Ok(())
        })?;
    }
}

/// The sides of what is placed; kept beside the properties because shrinking needs none.
#[test]
fn invariant_2_an_order_of_ours_stands_on_the_closing_side() {
    for (lots, side) in [(4, Side::Sell), (-4, Side::Buy)] {
        let mut world = opened(lots);
        let went = world.go(&Step::Close {
            request: 1,
            units: None,
            price: None,
            ioc: false,
        });
        assert!(went.events().iter().all(|event| match event {
            PositionEvent::OrderPlaced(placed) => placed.side == side,
            _ => true,
        }));
    }
}
