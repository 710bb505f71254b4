//! Commit and restart over a real folder; and that the feed gives the same from memory and from the file.

use super::*;
use crate::book::Side;
use crate::contracts::Instrument;
use crate::fact::{Cause, TimeInForce};
use crate::feed::CHUNK_MAX;
use crate::price::Price;
use crate::request::{NewOrder, Query, Request};

fn contracts() -> Contracts {
    let mut contracts = Contracts::default();
    let instrument = Instrument {
        venue: "NSE".to_owned(),
        segment: "CM".to_owned(),
        symbol: "RELIANCE".to_owned(),
        lot_units: 1,
        tick: Price(500),
        freeze_units: 10_000,
        band_low: Price(9_000_000),
        band_high: Price(11_000_000),
        reference: Price(10_000_000),
    };
    contracts.insert(instrument).unwrap();
    contracts
}

fn rules() -> Rules {
    Rules {
        seed: 3,
        trade_date: "2026-11-20".to_owned(),
        ..Rules::default()
    }
}

fn start(dir: &Path) -> (Engine, End) {
    Engine::start(dir, contracts(), &rules()).unwrap()
}

fn order(msg_seq_num: u64) -> Inbound {
    // Every third order crosses the liquidity, the others rest.
    let price = if msg_seq_num.is_multiple_of(3) {
        10_500_000
    } else {
        9_500_000
    };
    let request = Request::New(NewOrder {
        cl_ord_id: format!("A{msg_seq_num}"),
        account: "C1".to_owned(),
        symbol: "RELIANCE".to_owned(),
        side: Side::Buy,
        time_in_force: TimeInForce::Day,
        quantity_units: 100,
        price: Price(price),
        unsupported: None,
    });
    let cause = Cause {
        session: "NSE:SQUAREOFF".to_owned(),
        generation: 1,
        msg_seq_num,
    };
    Inbound {
        venue: "NSE".to_owned(),
        cause,
        request,
    }
}

/// Stops the thread the way the end of the process does, and waits until the folder is free.
async fn stop(engine: Engine, end: End) {
    drop(engine);
    end.await.unwrap().unwrap();
}

fn all(feed: &Feed) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    loop {
        let chunk = feed.after(facts.len() as u64).unwrap();
        assert!(chunk.len() < CHUNK_MAX + 16);
        if chunk.is_empty() {
            return facts;
        }
        facts.extend(chunk.iter().map(|fact| Fact::clone(fact)));
    }
}

#[tokio::test]
async fn the_feed_gives_the_same_live_and_after_a_restart_beyond_what_memory_holds() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, end) = start(dir.path());
    for batch in 0..10_u64 {
        let requests = (1..=1_500).map(|at| order(batch * 1_500 + at)).collect();
        assert_eq!(engine.submit(requests).await.unwrap(), []);
    }
    let feed = engine.feed();
    let live = all(&feed);
    assert!(
        live.len() > 16_384 + 1_024,
        "older facts must have left memory: {}",
        live.len()
    );
    assert!(
        live.iter()
            .map(|fact| fact.ordinal)
            .eq(1..=live.len() as u64)
    );
    stop(engine, end).await;
    let (engine, end) = start(dir.path());
    assert_eq!(all(&engine.feed()), live, "from the file after a restart");
    let last = live.len() as u64;
    assert_eq!(engine.feed().after(last - 1).unwrap().len(), 1);
    assert_eq!(engine.feed().after(last).unwrap().len(), 0);
    stop(engine, end).await;
}

#[tokio::test]
async fn a_restart_rebuilds_the_state_and_recognises_what_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, end) = start(dir.path());
    engine.submit((1..=50).map(order).collect()).await.unwrap();
    stop(engine, end).await;
    let (rebuilt, ledger, _) = rebuild(dir.path(), contracts(), &rules()).unwrap();
    let mut live = Exchange::new(contracts(), rules());
    let facts = crate::ledger::read(ledger.path())
        .unwrap()
        .map(Result::unwrap)
        .collect::<Vec<_>>();
    let mut decided = Vec::new();
    let now = facts[0].transact_time;
    apply(
        &mut live,
        &(1..=50).map(order).collect::<Vec<_>>(),
        now,
        &mut decided,
    );
    assert_eq!(rebuilt.state_hash(), live.state_hash());
    drop(ledger);
    let (engine, end) = start(dir.path());
    engine.submit((40..=60).map(order).collect()).await.unwrap();
    let summary = crate::ledger::summary(&dir.path().join(crate::ledger::FILE_NAME)).unwrap();
    assert_eq!(
        (summary.orders_accepted, summary.duplicate_cl_ord_ids),
        (60, 0)
    );
    stop(engine, end).await;
}

#[tokio::test]
async fn a_question_is_answered_with_the_ordinal_it_must_come_after() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, end) = start(dir.path());
    let mut question = order(2);
    question.request = Request::Query(Query::AllWorking {
        request_id: "M".to_owned(),
        account: None,
        symbol: None,
    });
    let answers = engine.submit(vec![order(1), question]).await.unwrap();
    assert_eq!(answers.len(), 1);
    assert_eq!(
        (answers[0].0, answers[0].1.order.cl_ord_id.as_str()),
        (1, "A1")
    );
    stop(engine, end).await;
}
