//! The invariants by their numbers, over generated histories of requests and reports in any order and number.

use super::*;
use crate::id::Side;
use proptest::prelude::*;

/// One step of a history. Orders are named by number, so that a history makes sense whatever was accepted before.
#[derive(Debug, Clone)]
enum Step {
    Close {
        request: u8,
        units: Option<u64>,
    },
    Cancel {
        request: u8,
        order: Option<u32>,
    },
    Sent(u32),
    Ack(u32),
    /// An execution of the venue: its id decides which order and how much, as at a real venue.
    Fill(u8),
    Canceled(u32),
    Rejected(u32),
    Expired(u32),
    CancelRejected(u32),
    Lost(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let order = 1_u32..6;
    prop_oneof![
        4 => (any::<u8>(), proptest::option::of((0_u64..14).prop_map(|lots| lots * 5))).prop_map(|(request, units)| Step::Close { request, units }),
        2 => (any::<u8>(), proptest::option::of(1_u32..6)).prop_map(|(request, order)| Step::Cancel { request, order }),
        1 => order.clone().prop_map(Step::Sent),
        1 => order.clone().prop_map(Step::Ack),
        5 => any::<u8>().prop_map(Step::Fill),
        1 => order.clone().prop_map(Step::Canceled),
        1 => order.clone().prop_map(Step::Rejected),
        1 => order.clone().prop_map(Step::Expired),
        1 => order.clone().prop_map(Step::CancelRejected),
        1 => order.prop_map(Step::Lost),
    ]
}

/// The request a step asks, with the orders it names looked up.
fn request(position: &Position, step: &Step) -> Option<Request> {
    match step {
        Step::Close { request, units } => {
            let terms = terms(units.map_or(Wanted::All, Wanted::Units));
            Some(Request::SquareOff {
                request_id: request_id(u128::from(*request)),
                terms,
            })
        }
        Step::Cancel { request, order } => {
            let order = match order {
                Some(number) => Some(numbered(position, *number)?.0),
                None => None,
            };
            Some(Request::Cancel {
                request_id: request_id(1000 + u128::from(*request)),
                order,
            })
        }
        _ => None,
    }
}

/// The report a step tells; `None` for a request, or when there is no such order yet. Fills never exceed the order when `honest`.
fn report(position: &Position, step: &Step, honest: bool) -> Option<Report> {
    match step {
        Step::Close { .. } | Step::Cancel { .. } => None,
        Step::Sent(number) => {
            let cl_ord_id = numbered(position, *number)?.1.cl_ord_id.clone();
            Some(Report::Dispatched {
                cl_ord_id,
                session: "NSE-SQUAREOFF".into(),
                sequence: 2,
            })
        }
        Step::Ack(number) => says(position, *number, Execution::New),
        Step::Fill(id) => {
            let number = u32::from(*id % 5) + 1;
            let units = u64::from(*id / 5 % 4) * 5 + 5;
            let order = numbered(position, number)?.1;
            let room = order.quantity.minus(order.cumulative).units();
            let again = position
                .executions
                .contains_key(&execution_key(&format!("E{id}")));
            // An honest venue never fills an order that it said has ended, nor beyond its quantity.
            if honest && !again && (units > room || !order.ended.is_empty()) {
                return None;
            }
            fill(position, number, units, &format!("E{id}"))
        }
        Step::Canceled(number) => says(position, *number, Execution::Canceled),
        Step::Rejected(number) => says(
            position,
            *number,
            Execution::Rejected {
                code: 99,
                text: "no".into(),
            },
        ),
        Step::Expired(number) => says(position, *number, Execution::Expired),
        Step::CancelRejected(number) => {
            let cl_ord_id = numbered(position, *number)?
                .1
                .cancels
                .keys()
                .last()?
                .clone();
            Some(Report::CancelRejected {
                cl_ord_id,
                code: 0,
                text: String::new(),
            })
        }
        Step::Lost(number) => Some(Report::NotDelivered {
            cl_ord_id: numbered(position, *number)?.1.cl_ord_id.clone(),
        }),
    }
}

fn ask(position: &Position, request: &Request) -> Result<Vec<PositionEvent>, Refusal> {
    let (platform, contract) = (sample::active(), sample::contract());
    decide(
        position,
        request,
        &Context {
            platform: &platform,
            session_ready: true,
            contract: Some(&contract),
            now: sample::now(),
            reference_age_max_s: 3_600,
        },
    )
}

fn fold(position: Position, events: &[PositionEvent]) -> Position {
    events.iter().fold(position, evolve)
}

fn opened(units: i64) -> Position {
    fold(
        Position::default(),
        &record(&Position::default(), &bod(units)),
    )
}

/// What may still fill on the closing side, and on the other.
fn may_fill(position: &Position) -> (u64, u64) {
    let on = |side: Option<Side>| -> u64 {
        position
            .orders
            .values()
            .filter(|order| Some(order.side) == side)
            .map(|order| order.leaves().units())
            .sum()
    };
    let all: u64 = position
        .orders
        .values()
        .map(|order| order.leaves().units())
        .sum();
    let closing = on(position.closing_side());
    (closing, all - closing)
}

/// Runs a history, calling `check` with each state, the step and what came of it.
fn run(
    units: i64,
    steps: &[Step],
    honest: bool,
    mut check: impl FnMut(&Position, &Step, &[PositionEvent], &Position) -> Result<(), TestCaseError>,
) -> Result<Position, TestCaseError> {
    let mut position = opened(units);
    for step in steps {
        let events = match (request(&position, step), report(&position, step, honest)) {
            (Some(request), _) => ask(&position, &request).unwrap_or_default(),
            (None, Some(report)) => record(&position, &report),
            (None, None) => continue,
        };
        let after = fold(position.clone(), &events);
        check(&position, step, &events, &after)?;
        position = after;
    }
    Ok(position)
}

fn histories() -> impl Strategy<Value = (i64, Vec<Step>)> {
    (
        (-12_i64..=12).prop_map(|lots| lots * 5),
        proptest::collection::vec(step(), 0..40),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn invariant_1_no_accepted_request_makes_more_fillable_than_is_open((units, steps) in histories()) {
        run(units, &steps, false, |before, step, events, after| {
            if matches!(step, Step::Close { .. }) && !events.is_empty() {
                let (closing, other) = may_fill(after);
                prop_assert!(closing <= after.net.open().units(), "{before:?} {step:?}");
                // Whatever an over-fill left behind on the other side, a request adds nothing to it.
                prop_assert_eq!(other, may_fill(before).1);
            }
            Ok(())
        })?;
    }

    #[test]
    fn invariant_2_our_fills_never_add_risk_at_an_honest_venue((units, steps) in histories()) {
        run(units, &steps, true, |before, step, _, after| {
            if matches!(step, Step::Fill(_)) {
                prop_assert!(after.net.open() <= before.net.open());
                prop_assert!(after.net.0.signum() * before.net.0.signum() >= 0);
            }
            let (closing, other) = may_fill(after);
            prop_assert!(closing <= after.net.open().units() && other == 0);
            Ok(())
        })?;
    }

    #[test]
    fn invariant_3_cumulative_is_the_sum_of_the_executions((units, steps) in histories()) {
        let end = run(units, &steps, false, |_, _, _, _| Ok(()))?;
        for (id, order) in &end.orders {
            let sum: u64 = end.executions.values().filter(|booked| booked.order == Some(*id)).map(|booked| booked.quantity.units()).sum();
            prop_assert_eq!(order.cumulative.units(), sum);
        }
    }

    #[test]
    fn invariant_4_net_is_bod_and_executions((units, steps) in histories()) {
        let end = run(units, &steps, false, |_, _, _, _| Ok(()))?;
        let signed = |booked: &Booked| i64::try_from(booked.quantity.units()).unwrap() * booked.side.sign();
        prop_assert_eq!(end.net.0, units + end.executions.values().map(signed).sum::<i64>());
    }

    #[test]
    fn invariant_5_a_repeated_report_gives_no_event_and_a_repeated_request_its_first_answer((units, steps) in histories()) {
        run(units, &steps, false, |before, step, events, after| {
            if let Some(request) = request(before, step) {
                if !events.is_empty() {
                    prop_assert_eq!(ask(after, &request), Ok(vec![]));
                }
            } else if let Some(report) = report(before, step, false) {
                prop_assert_eq!(record(after, &report), vec![]);
            }
            Ok(())
        })?;
    }

    #[test]
    fn invariant_6_the_order_and_number_of_reports_change_nothing(
        (units, steps) in histories(),
        shuffle in proptest::collection::vec(any::<proptest::sample::Index>(), 60),
    ) {
        let mut position = opened(units);
        let mut reports = Vec::new();
        for step in &steps {
            if let Some(request) = request(&position, step) {
                position = fold(position.clone(), &ask(&position, &request).unwrap_or_default());
            }
        }
        reports.extend(steps.iter().filter_map(|step| report(&position, step, false)));
        // An execution that contradicts another of the same key is decided by which came first: leave only one of them.
        let told = |reports: &[Report]| {
            let end = reports.iter().fold(position.clone(), |position, report| {
                let events = record(&position, report);
                fold(position, &events)
            });
            let orders: Vec<_> = end.orders.values().map(|order| (order.cumulative, order.ended.clone(), order.leaves())).collect();
            let trades: Vec<_> = end.executions.keys().map(|key| (key.clone(), end.trade(key).map(|trade| (trade.quantity, trade.price, trade.status)))).collect();
            (end.net, trades, orders)
        };
        let in_order = told(&reports);
        let mut shuffled = reports.clone();
        for pair in shuffle.chunks(2) {
            if let ([a, b], false) = (pair, shuffled.is_empty()) {
                let (a, b) = (a.index(shuffled.len()), b.index(shuffled.len()));
                shuffled.swap(a, b);
            }
        }
        let duplicated: Vec<_> = shuffled.iter().chain(reports.iter()).cloned().collect();
        prop_assert_eq!(told(&duplicated), in_order);
    }

    #[test]
    fn invariant_10_a_history_no_one_thought_of_folds_without_panic(events in proptest::collection::vec((0_u64..u64::MAX, any::<bool>()), 0..20)) {
        // Executions of orders never placed, quantities up to the largest, in any number.
        let end = events.iter().enumerate().fold(Position::default(), |position, (index, (units, buy))| {
            evolve(position, &PositionEvent::Executed(Executed {
                order_id: OrderId(Uuid::nil()),
                execution: execution_key(&index.to_string()),
                exchange_order_id: "X".parse().unwrap(),
                side: if *buy { Side::Buy } else { Side::Sell },
                quantity: Quantity::new(units % (Quantity::MAX.units() + 1)).unwrap(),
                price: Price(i64::MIN),
                venue_cumulative: u64::MAX,
                venue_leaves: 0,
                late: true,
            }))
        });
        prop_assert_eq!(end.executions.len(), events.len());
    }

    #[test]
    fn invariant_7_slices_add_up_and_obey_lot_and_freeze(lots in 1_u64..800) {
        let position = opened(i64::try_from(lots * 5).unwrap());
        let request = Request::SquareOff { request_id: request_id(1), terms: terms(Wanted::All) };
        let events = ask(&position, &request).unwrap();
        let slices: Vec<u64> = events.iter().filter_map(|event| match event {
            PositionEvent::OrderPlaced(placed) => Some(placed.quantity.units()),
            _ => None,
        }).collect();
        prop_assert_eq!(slices.iter().sum::<u64>(), lots * 5);
        prop_assert!(slices.iter().all(|units| *units > 0 && *units <= 20 && units % 5 == 0));
        prop_assert_eq!(u64::try_from(slices.len()).unwrap(), (lots * 5).div_ceil(20));
    }
}
