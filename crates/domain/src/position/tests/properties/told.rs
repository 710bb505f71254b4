//! Of reports: 3, 4, 5, 6 and 10.

use super::super::model::{Known, Model};
use super::*;
use crate::Side;
use crate::id::ExecutionKey;
use std::collections::BTreeMap;

/// A history and what the naive model makes of it. Resolutions by a person are left out: the model knows reports.
fn modelled(lots: i64, steps: &[Step]) -> (World, Model) {
    let (mut world, mut model) = (
        World::new(sample::key(), sample::contract()),
        Model::default(),
    );
    world.now = sample::now();
    if lots != 0 {
        model.learn(&world.go(&Step::Bod(lots)));
    }
    let known = |step: &&Step| !matches!(step, Step::Resolve { .. });
    for step in steps.iter().filter(known) {
        model.learn(&world.go(step));
    }
    (world, model)
}

fn orders(position: &Position) -> BTreeMap<OrderId, Known> {
    let known = |order: &Order| Known {
        cumulative: order.cumulative,
        leaves: order.leaves(),
        quantity: order.quantity,
        price: order.price,
    };
    let orders = position.orders.iter();
    orders.map(|(id, order)| (*id, known(order))).collect()
}

/// What must be the same however the reports came.
#[derive(Debug, PartialEq)]
struct Outcome {
    net: NetQuantity,
    orders: BTreeMap<OrderId, (Known, std::collections::BTreeSet<Ended>)>,
    trades: Vec<(
        ExecutionKey,
        Option<OrderId>,
        Side,
        Quantity,
        Price,
        TradeStatus,
    )>,
    unbooked: Vec<ExecutionKey>,
}

fn outcome(position: &Position, reports: &[Report]) -> Outcome {
    let events = record_all(position, reports);
    let end = events.iter().fold(position.clone(), evolve);
    let known = orders(&end);
    let ended = |id: &OrderId| end.orders[id].ended.clone();
    let mut trades: Vec<_> = end
        .trades()
        .into_iter()
        .map(|(key, trade)| {
            let Trade {
                order,
                side,
                quantity,
                price,
                status,
                number: _,
            } = trade;
            (key.clone(), order, side, quantity, price, status)
        })
        .collect();
    trades.sort();
    Outcome {
        net: end.net,
        orders: known
            .into_iter()
            .map(|(id, known)| (id, (known, ended(&id))))
            .collect(),
        trades,
        unbooked: end.unbooked().map(|(key, _)| key.clone()).collect(),
    }
}

/// The reports of `steps`, all made from one state, without what lets the first comer decide: two contents under one id, a second BOD
/// line, the first sight of an order, two corrections in one instant, and the end of the session, which ends only what works when it is
/// told.
fn unordered(world: &World, steps: &[Step]) -> Vec<Report> {
    let mut contents: BTreeMap<String, Report> = BTreeMap::new();
    let mut corrected = BTreeMap::new();
    let mut reports = Vec::new();
    for step in steps {
        let decides = match step {
            Step::Fill { twist, .. } => *twist,
            Step::External { .. } => {
                !matches!(world.report(step), Some(Report::ExternalOrder { order, .. }) if world.position.orders.contains_key(&order.order_id))
            }
            Step::Bod(_) | Step::SessionEnded | Step::Again(_) => true,
            _ => false,
        };
        let Some(report) = world.report(step).filter(|_| !decides) else {
            continue;
        };
        if let Report::Execution(told) = &report
            && let Execution::Corrected {
                execution,
                correction,
                at,
                ..
            } = &told.execution
        {
            let instant = (execution.clone(), *at);
            if corrected.entry(instant).or_insert(correction.clone()) != correction {
                continue;
            }
        }
        let id = match &report {
            Report::Execution(told) => match &told.execution {
                Execution::Corrected { correction, .. } => format!("correction {correction}"),
                Execution::Replaced { .. } => format!("replaced {}", told.cl_ord_id),
                _ => String::new(),
            },
            _ => String::new(),
        };
        if id.is_empty() || *contents.entry(id).or_insert_with(|| report.clone()) == report {
            reports.push(report);
        }
    }
    reports
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn invariant_3_cumulative_leaves_and_terms_of_each_order_are_what_the_reports_add_up_to((lots, steps) in histories()) {
        let (world, model) = modelled(lots, &steps);
        prop_assert_eq!(orders(&world.position), model.orders());
    }

    #[test]
    fn invariant_3_what_is_filled_beyond_an_order_is_told((lots, steps) in histories()) {
        run(lots, &steps, |before, went, after| {
            for (id, order) in &after.position.orders {
                let was = before.position.orders.get(id).map_or(order.cumulative, |order| order.cumulative);
                let excess = order.cumulative.minus(order.quantity);
                let told = went.events().iter().any(|event| matches!(event, PositionEvent::OverfillDetected(told) if told.order_id == *id && told.excess == excess));
                prop_assert_eq!(told, order.cumulative > was && !excess.is_zero());
            }
            Ok(())
        })?;
    }

    #[test]
    fn invariant_4_net_is_bod_and_live_executions((lots, steps) in histories()) {
        let (world, model) = modelled(lots, &steps);
        prop_assert_eq!(world.position.net.0, model.net());
        let live: BTreeMap<_, _> = world.position.trades().into_iter()
            .filter(|(_, trade)| !trade.live_quantity().is_zero())
            .map(|(key, trade)| (key.clone(), (trade.quantity, trade.price)))
            .collect();
        prop_assert_eq!(live, model.trades());
    }

    #[test]
    fn invariant_5_a_repeated_report_gives_no_event((lots, steps) in histories()) {
        let end = run(lots, &steps, |_, went, after| {
            if let Went::Told(report, _) = went {
                prop_assert_eq!(record(&after.position, report), vec![]);
            }
            Ok(())
        })?;
        // Nor does one of long ago, but those that speak of the moment: doubt and its end, and the session's end.
        for report in &end.told {
            let events = record(&end.position, report);
            let of_now = matches!(report, Report::InDoubt { .. } | Report::SessionEnded);
            let doubt_ends = matches!(events[..], [PositionEvent::InDoubtResolved(_)]);
            prop_assert!(events.is_empty() || of_now || doubt_ends, "{report:?} again: {events:?}");
        }
    }

    #[test]
    fn invariant_5_a_request_id_repeated_gets_its_first_answer_and_serves_nothing_else((lots, steps) in histories()) {
        let end = ran(lots, &steps);
        for request in &end.accepted {
            let answer = end.ask(request);
            let other_epoch = matches!(request, Request::HandBack { .. }) && answer == Err(Refusal::RequestIdReused);
            prop_assert!(answer == Ok(vec![]) || other_epoch, "{request:?}: {answer:?}");
            let request_id = request.request_id();
            let other = match request {
                Request::SquareOff { terms, .. } => Request::SquareOff {
                    request_id,
                    terms: SquareOffTerms { evidence: Some("another".to_owned()), ..terms.clone() },
                },
                Request::Cancel { .. } | Request::Modify { .. } | Request::ResolveInDoubt { .. } | Request::Freeze { .. } | Request::Unfreeze { .. } | Request::HandBack { .. } => {
                    Request::SquareOff { request_id, terms: terms(Wanted::All) }
                }
            };
            prop_assert_eq!(end.ask(&other), Err(Refusal::RequestIdReused));
        }
    }

    #[test]
    fn invariant_6_the_order_and_number_of_reports_change_nothing(
        (lots, before) in histories(),
        steps in steps(),
        shuffle in proptest::collection::vec(any::<u16>(), 2 * STEPS_MAX),
    ) {
        let world = ran(lots, &before);
        let reports = unordered(&world, &steps);
        let mut shuffled: Vec<_> = reports.iter().chain(&reports).cloned().zip(shuffle).collect();
        shuffled.sort_by_key(|(_, key)| *key);
        let shuffled: Vec<_> = shuffled.into_iter().map(|(report, _)| report).collect();
        prop_assert_eq!(outcome(&world.position, &shuffled), outcome(&world.position, &reports));
    }

    #[test]
    fn invariant_10_a_history_no_one_thought_of_folds_and_is_decided_on(
        (lots, steps) in histories(),
        order in proptest::collection::vec(any::<u16>(), 2 * STEPS_MAX),
        after in steps(),
    ) {
        // Real events, each perhaps twice, in an order that no one could have made, on a position that never began.
        let mut world = opened(lots);
        let mut events: Vec<_> = steps.iter().flat_map(|step| world.go(step).events().to_vec()).collect();
        events.extend(events.clone());
        let mut shuffled: Vec<_> = events.into_iter().zip(order).collect();
        shuffled.sort_by_key(|(_, key)| *key);
        world.position = shuffled.iter().fold(Position::default(), |position, (event, _)| evolve(position, event));
        for step in &after {
            world.go(step);
        }
        let _ = (world.position.closable(), world.position.profit(Some(Price(i64::MAX))));
    }

    #[test]
    fn invariant_10_a_decision_is_the_same_whenever_it_is_made((lots, steps) in histories()) {
        run(lots, &steps, |before, went, after| {
            match went {
                Went::Asked(request, answer) => {
                    prop_assert_eq!(answer, &before.ask(request));
                    if answer.is_err() {
                        prop_assert_eq!(&before.position, &after.position);
                    }
                }
                Went::Told(report, events) => prop_assert_eq!(events, &record(&before.position, report)),
                Went::Nothing => prop_assert_eq!(&before.position, &after.position),
            }
            Ok(())
        })?;
    }

    #[test]
    fn invariant_10_quantities_and_prices_up_to_the_largest_fold_without_panic(events in proptest::collection::vec((0_u64..u64::MAX, any::<bool>(), any::<bool>()), 0..20)) {
        let end = events.iter().enumerate().fold(opened(12).position, |position, (index, (units, buy, corrects))| {
            let quantity = Quantity::new(units % (Quantity::MAX.units() + 1)).unwrap();
            let (order_id, execution) = (OrderId(Uuid::nil()), execution_key(&index.to_string()));
            evolve(position, &if *corrects {
                PositionEvent::ExecutionCorrected(ExecutionCorrected {
                    order_id,
                    execution,
                    // Of the next one: a chain, and with the last of them a circle.
                    correction: execution_key(&((index + 1) % events.len()).to_string()),
                    quantity,
                    price: Price(i64::MAX),
                    at: crate::Timestamp(i64::MIN),
                })
            } else {
                PositionEvent::Executed(Executed {
                    order_id,
                    execution,
                    exchange_order_id: "X".parse().unwrap(),
                    side: if *buy { Side::Buy } else { Side::Sell },
                    quantity,
                    price: Price(i64::MIN),
                    venue_cumulative: u64::MAX,
                    venue_leaves: 0,
                    late: true,
                })
            })
        });
        let _ = end.profit(Some(Price(i64::MIN)));
        prop_assert_eq!(end.executions.len(), events.iter().filter(|(_, _, corrects)| !corrects).count());
    }
}
