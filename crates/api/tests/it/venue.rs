//! A small stand-in for gateway and exchange: it follows the log and answers each order as the test says, through the domain.

use crate::desk::Desk;
use squareoff_api::server::now;
use squareoff_domain::position::{
    Execution, ExecutionReport, Position, PositionEvent, Report, record,
};
use squareoff_domain::{ClOrdId, Event, ExecutionKey, PositionKey, Price, Quantity};
use squareoff_store::codec;
use squareoff_store::{Caller, Delivery, EventStore, Position as LogPosition, Streams};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// What the venue does with an order of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Fill,
    /// Acknowledges and leaves it in the book; cancels or changes it when asked.
    Rest,
    Reject,
    /// Says nothing.
    Hold,
    /// The message is lost; the next one arrives.
    LoseFirst,
}

pub struct Venue {
    task: JoinHandle<()>,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
}

impl Drop for Venue {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Venue {
    /// Fills everything but what `answers` says by symbol.
    pub fn open(desk: &Desk, answers: &[(&str, Answer)]) -> Self {
        let answers = answers
            .iter()
            .map(|(symbol, answer)| ((*symbol).to_owned(), *answer));
        let answers = Arc::new(Mutex::new(answers.collect()));
        let task = tokio::spawn(run(desk.store.clone(), Arc::clone(&answers)));
        Venue { task, answers }
    }

    pub fn answer(&self, symbol: &str, answer: Answer) {
        self.answers
            .lock()
            .unwrap()
            .insert(symbol.to_owned(), answer);
    }
}

async fn run(store: EventStore, answers: Arc<Mutex<HashMap<String, Answer>>>) {
    let positions = Streams::<Position>::new(store.clone());
    let mut subscription = store.subscribe(LogPosition::START);
    loop {
        let Ok(Delivery::Events(events)) = subscription.next(1_000).await else {
            continue;
        };
        for stored in events {
            let Some(key) = PositionKey::of_stream(&stored.stream) else {
                continue;
            };
            let Ok(Event::Position(event)) = codec::decode(&stored) else {
                continue;
            };
            for report in reports(&key, &event, &answers) {
                tell(&positions, &key, &report).await;
            }
        }
    }
}

fn reports(
    key: &PositionKey,
    event: &PositionEvent,
    answers: &Mutex<HashMap<String, Answer>>,
) -> Vec<Report> {
    match event {
        PositionEvent::OrderPlaced(placed) => {
            let mut answers = answers.lock().unwrap();
            let symbol = key.symbol.as_str();
            let answer = answers.get(symbol).copied().unwrap_or(Answer::Fill);
            let said = |execution| report(&placed.cl_ord_id, execution);
            match answer {
                Answer::Fill => vec![
                    said(Execution::New),
                    said(fill(key, placed.quantity, &placed.cl_ord_id)),
                ],
                Answer::Rest => vec![said(Execution::New)],
                Answer::Hold => vec![],
                Answer::Reject => vec![said(Execution::Rejected {
                    code: 99,
                    text: "not today".into(),
                })],
                Answer::LoseFirst => {
                    answers.remove(symbol);
                    let cl_ord_id = placed.cl_ord_id.clone();
                    vec![Report::NotDelivered { cl_ord_id }]
                }
            }
        }
        PositionEvent::CancelRequested(cancel) => {
            vec![report(&cancel.original_cl_ord_id, Execution::Canceled)]
        }
        // Whoever asks for a better price gets it, and is filled at it.
        PositionEvent::ReplaceRequested(replace) => {
            let (quantity, price) = (replace.quantity, replace.price);
            vec![
                report(&replace.cl_ord_id, Execution::Replaced { quantity, price }),
                report(&replace.cl_ord_id, fill(key, quantity, &replace.cl_ord_id)),
            ]
        }
        _ => vec![],
    }
}

fn fill(key: &PositionKey, quantity: Quantity, cl_ord_id: &ClOrdId) -> Execution {
    Execution::Fill {
        key: ExecutionKey::new(key.venue, key.date, &format!("E{cl_ord_id}")).unwrap(),
        quantity,
        price: Price(1_000_000),
    }
}

fn report(cl_ord_id: &ClOrdId, execution: Execution) -> Report {
    Report::Execution(ExecutionReport {
        cl_ord_id: cl_ord_id.clone(),
        exchange_order_id: "X1".parse().unwrap(),
        execution,
        cumulative: 0,
        leaves: 0,
    })
}

async fn tell(positions: &Streams<Position>, key: &PositionKey, report: &Report) {
    let caller = Caller {
        actor: "venue".into(),
        request_id: Uuid::new_v4(),
        correlation_id: Uuid::new_v4(),
        epoch: 1,
        now: now(),
    };
    let told = |position: &Position| Ok::<_, Infallible>((record(position, report), ()));
    positions
        .transact(&key.stream(), &caller, told)
        .await
        .unwrap();
}
