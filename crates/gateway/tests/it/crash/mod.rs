//! The crash matrix: the gateway dies at each moment between two of its durable steps, while an order, a cancel, a replace or a fill is
//! on its way, and the exchange stays up, dies with it, or comes back without the last of what it did.
//!
//! Whatever the cell, in the end
//! 1. the executions in the log, those below the gateway's inbound number, and those in the exchange's ledger are the same;
//! 2. the exchange got no ClOrdID twice, and acted once on what was asked;
//! 3. the order stands at both ends as it would have without the crash.
//!
//! An exchange that lost its tail (its disk is what it was before the step) knows nothing of what it had done and perhaps told. What the
//! log had not heard of never was, and is asked for again. What the log did hear of stays in it, and is a break: the position is frozen
//! with the reason, before the session is ready. Nothing of it is sent again, because the exchange had answered.

pub mod exchange;
pub mod life;
mod rival;

use crate::replaces::CHEAPER;
use crate::rig::until;
use exchange::{Execution, SYMBOL};
use futures::StreamExt;
use life::{Life, Remains};
use squareoff_domain::position::{Ended, Order, Position, ReplaceState};
use squareoff_domain::{ClOrdId, PositionKey};
use squareoff_fix::faults::Point;
use std::time::Instant;

/// Cells under way at once: most of a cell is waiting, for a disk or for a dial.
const AT_ONCE: usize = 8;
const UNITS: u64 = 50;
const PART: u64 = 20;

const POINTS: [Point; 6] = [
    Point::BeforeJournal,
    Point::AfterJournal,
    Point::AfterSocketWrite,
    Point::BeforeAppend,
    Point::AfterAppend,
    Point::BeforeInboundAdvance,
];

/// What is on its way when the gateway dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    New,
    Cancel,
    Replace,
    Fill,
    PartialFill,
}

const WHATS: [What; 5] = [
    What::New,
    What::Cancel,
    What::Replace,
    What::Fill,
    What::PartialFill,
];

/// What becomes of the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exchange {
    Up,
    /// Killed with the gateway, and back when the gateway has been for a while.
    Down,
    /// Killed with the gateway, and back as it was before the step that was on its way.
    TailLost,
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    point: Point,
    what: What,
    exchange: Exchange,
}

/// What the cells came to.
#[derive(Debug, Default)]
struct Figure {
    cells: usize,
    /// Gateways that came to their point, and died there.
    kills: usize,
    /// Exchanges that had done something, and forgot it.
    tails_lost: usize,
    executions: usize,
    duplicates: u64,
    /// In the ledger and not in the log.
    lost_fills: usize,
    /// In the log, and not in a ledger that lost its tail: each is a break.
    unknown_fills: usize,
    breaks: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_killed_anywhere_sends_nothing_twice_and_loses_no_fill() {
    let began = Instant::now();
    let mut cells = Vec::new();
    for exchange in [Exchange::Up, Exchange::Down, Exchange::TailLost] {
        for what in WHATS {
            cells.extend(POINTS.map(|point| Cell {
                point,
                what,
                exchange,
            }));
        }
    }
    let mut survived =
        futures::stream::iter(cells.into_iter().map(survive)).buffer_unordered(AT_ONCE);
    let mut figure = Figure::default();
    while let Some(cell) = survived.next().await {
        figure.cells += 1;
        figure.kills += cell.kills;
        figure.tails_lost += cell.tails_lost;
        figure.executions += cell.executions;
        figure.duplicates += cell.duplicates;
        figure.lost_fills += cell.lost_fills;
        figure.unknown_fills += cell.unknown_fills;
        figure.breaks += cell.breaks;
    }
    let Figure {
        cells,
        kills,
        tails_lost,
        executions,
        duplicates,
        lost_fills,
        unknown_fills,
        breaks,
    } = figure;
    println!(
        "crash matrix: {cells} cells, {kills} kills at their points, {tails_lost} tails lost, {executions} executions, {duplicates} duplicate orders, {lost_fills} lost fills, {breaks} breaks reported ({unknown_fills} of fills that the exchange had forgotten), {:.0} s",
        began.elapsed().as_secs_f64()
    );
    assert_eq!((cells, kills, duplicates, lost_fills), (90, 90, 0, 0));
    // Whatever a gateway had begun to take in, the exchange had done; of what was being sent some had arrived.
    assert!(tails_lost >= WHATS.len() * 3, "{tails_lost}");
    // What the exchange forgot after the log had heard of it: five things on their way, at two points.
    assert_eq!((breaks, unknown_fills), (10, 4));
}

async fn survive(cell: Cell) -> Figure {
    let mut life = Life::new().await;
    let key = life.desk.open("C1", SYMBOL, 100).await;
    let asked = prepare(&mut life, cell, &key).await;
    let disk = life.exchange.copy_disk();
    life.faults.arm(cell.point);
    let id = act(&mut life, cell, &key, asked).await;
    // Or it panics: a fault that does not happen proves nothing.
    life.until_dead().await;
    let mut tails_lost = 0;
    if cell.exchange != Exchange::Up {
        life.exchange.kill();
        life.line.lead_to(None);
    }
    if cell.exchange == Exchange::TailLost {
        tails_lost = usize::from(life.exchange.set_back_to(&disk).await > 0);
    }
    let dials = life.line.dials();
    life.start_gateway();
    if cell.exchange != Exchange::Up {
        until("the gateway dials in vain", async || {
            life.line.dials() > dials
        })
        .await;
        life.start_exchange().await;
    }
    life.desk.until_session("ready 2").await;
    if cell.is_forgotten() {
        // The position was frozen before the session became ready.
        let position = life.desk.position(&key).await;
        let reason = position.frozen.unwrap_or_default();
        let names = reason.starts_with(&format!("order {id}: the venue "));
        assert!(names, "{cell:?}: {reason:?}");
    } else {
        let settled = |position: &Position| cell.stands(order(position, &id));
        life.desk
            .until(&key, &format!("{cell:?} settles"), settled)
            .await;
    }
    Figure {
        kills: 1,
        tails_lost,
        ..count(&life.end().await, cell, &key, &id).await
    }
}

/// Everything before the moment of the crash. Gives the order that it will be about, where it is there already.
async fn prepare(life: &mut Life, cell: Cell, key: &PositionKey) -> Option<ClOrdId> {
    let units = match cell.what {
        What::Fill => UNITS,
        What::PartialFill => PART,
        What::New | What::Cancel | What::Replace => 0,
    };
    let dies_sending = matches!(
        cell.point,
        Point::BeforeJournal | Point::AfterJournal | Point::AfterSocketWrite
    );
    let fills = units > 0;
    if fills && dies_sending {
        life.rival.bid(i64::try_from(units).unwrap()).await;
    }
    if cell.what == What::New || (fills && dies_sending) {
        return None;
    }
    let id = life.desk.order(key, UNITS).await;
    life.desk
        .until_order(key, &id, "acknowledged", |order| order.acknowledged)
        .await;
    life.until_quiet().await;
    Some(id)
}

async fn act(life: &mut Life, cell: Cell, key: &PositionKey, asked: Option<ClOrdId>) -> ClOrdId {
    let Some(id) = asked else {
        return life.desk.order(key, UNITS).await;
    };
    match cell.what {
        What::Cancel => drop(life.desk.cancel(key, &id).await),
        What::Replace => drop(life.desk.modify(key, &id, CHEAPER).await),
        What::Fill => life.rival.bid(i64::try_from(UNITS).unwrap()).await,
        What::PartialFill => life.rival.bid(i64::try_from(PART).unwrap()).await,
        What::New => unreachable!("a new order is not there yet"),
    }
    id
}

fn order<'a>(position: &'a Position, id: &ClOrdId) -> &'a Order {
    position.order_of(id).unwrap().1
}

impl Cell {
    /// The log knows what the exchange has forgotten.
    fn is_forgotten(self) -> bool {
        let in_log = matches!(self.point, Point::AfterAppend | Point::BeforeInboundAdvance);
        self.exchange == Exchange::TailLost && in_log
    }

    /// The rival's bid is in the tail that was lost, and the log has not heard of the trade: there was none.
    fn never_was(self) -> bool {
        let fills = matches!(self.what, What::Fill | What::PartialFill);
        self.exchange == Exchange::TailLost && fills && self.point == Point::BeforeAppend
    }

    /// Whether the order is what it would be had nothing happened.
    fn stands(self, order: &Order) -> bool {
        let filled = order.cumulative.units();
        if self.never_was() {
            return order.acknowledged && filled == 0;
        }
        order.dispatched
            && order.acknowledged
            && match self.what {
                What::New => true,
                What::Cancel => order.ended.contains(&Ended::Canceled),
                What::Replace => order
                    .replaces
                    .values()
                    .all(|replace| matches!(replace.state, ReplaceState::Accepted { .. })),
                What::Fill => filled == UNITS,
                What::PartialFill => filled == PART,
            }
    }
}

/// Compares the three witnesses.
async fn count(remains: &Remains, cell: Cell, key: &PositionKey, id: &ClOrdId) -> Figure {
    let Remains { desk, exchange, .. } = remains;
    let ledger = exchange.ledger();
    let position = desk.position(key).await;
    let mut in_log: Vec<_> = position
        .executions
        .iter()
        .map(|(key, booked)| {
            let exec_id = key.as_str().rsplit('|').next().unwrap().to_owned();
            let order = position.orders[&booked.order.unwrap()]
                .cl_ord_id
                .to_string();
            let units = i64::try_from(booked.quantity.units()).unwrap();
            (exec_id, order, units, booked.price.0)
        })
        .collect();
    in_log.sort();
    let in_ledger = ledger.executions();
    let told = exchange.told().await;
    let taken_in: Vec<_> = told
        .iter()
        .map(Result::unwrap)
        .filter(|record| record.seq < remains.next_inbound)
        .map(|record| record.id)
        .collect();
    let missing = |of: &[Execution], from: &[Execution]| {
        let missing = from.iter().filter(|trade| !of.contains(trade));
        missing.count()
    };
    let figure = Figure {
        cells: 1,
        executions: in_ledger.len(),
        duplicates: ledger.duplicates,
        lost_fills: missing(&in_log, &in_ledger),
        unknown_fills: missing(&in_ledger, &in_log),
        breaks: usize::from(position.frozen.is_some()),
        ..Figure::default()
    };
    let sold = in_log.iter().map(|trade| trade.2).sum::<i64>();
    assert_eq!(position.net.0, 100 - sold);
    assert!(desk.held().await.is_empty(), "{cell:?}");
    let order = order(&position, id);
    let changes = order.cancels.keys().chain(order.replaces.keys());
    let asked: Vec<_> = changes.chain([id]).map(ClOrdId::as_str).collect();
    if cell.is_forgotten() {
        assert!(in_ledger.is_empty(), "{cell:?}: {in_ledger:?}");
        assert!(asked.iter().all(|id| ledger.acted_on(id) <= 1), "{cell:?}");
        return figure;
    }
    for (exec_id, ..) in &in_ledger {
        assert!(taken_in.contains(exec_id), "{cell:?}: {exec_id} is not in");
    }
    assert_eq!(in_log, in_ledger, "{cell:?}");
    for id in asked {
        assert_eq!(ledger.acted_on(id), 1, "{cell:?}: {id}");
    }
    assert_eq!(position.frozen, None, "{cell:?}");
    figure
}

/// The gateway lives on and has taken everything in: its numbers are ahead of those of an exchange that lost its tail, so that both
/// start anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_that_forgot_what_it_told_is_taken_back_and_the_difference_is_reported() {
    let mut life = Life::new().await;
    let disk = life.exchange.copy_disk();
    let filled = life.desk.open("C1", SYMBOL, 100).await;
    let id = life.desk.order(&filled, UNITS).await;
    life.rival.bid(i64::try_from(UNITS).unwrap()).await;
    life.desk
        .until(&filled, "the fill", |position| position.net.0 == 50)
        .await;
    let working = life.desk.open("C2", SYMBOL, 100).await;
    let other = life.desk.order(&working, UNITS).await;
    life.desk
        .until_order(&working, &other, "acknowledged", |order| order.acknowledged)
        .await;
    life.until_quiet().await;
    life.exchange.kill();
    life.line.lead_to(None);
    life.exchange.set_back_to(&disk).await;
    life.start_exchange().await;
    until("the session is ready again", async || {
        let lines = life.desk.session().await;
        lines.len() > 3 && lines.last().unwrap() == "ready 1"
    })
    .await;
    let reason = |id, status, filled| {
        format!(
            "order {id}: the venue does not know it any more, which had told of it; in the log it is {status} with {filled} filled"
        )
    };
    let position = life.desk.position(&filled).await;
    assert_eq!(position.frozen, Some(reason(&id, "filled", 50)));
    assert_eq!(position.net.0, 50);
    let position = life.desk.position(&working).await;
    assert_eq!(position.frozen, Some(reason(&other, "new", 0)));
    assert!(order(&position, &other).in_doubt);
    // Business goes on.
    let new = life.desk.open("C3", SYMBOL, 100).await;
    let third = life.desk.order(&new, UNITS).await;
    life.desk
        .until_order(&new, &third, "acknowledged", |order| order.acknowledged)
        .await;
    let remains = life.end().await;
    let ledger = remains.exchange.ledger();
    assert_eq!((ledger.acted_on(third.as_str()), ledger.duplicates), (1, 0));
    assert_eq!(
        ledger.acted_on(id.as_str()) + ledger.acted_on(other.as_str()),
        0
    );
}
