//! The event log fails: each way has its own name, of what failed nothing is done, and the same key gets it done behind the outage.

use crate::by_hand;
use crate::desk::{Desk, nifty};
use crate::node::{ACTOR, Answer, Node, answer, close_all};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use squareoff_domain::Timestamp;
use squareoff_store::{AppendError, NewEvent, Position};
use uuid::Uuid;

/// More than wait for one commit together with those that wait for the next one.
const MORE_THAN_WAIT: usize = 3 * 4_096;

fn event(event_type: &'static str, body: &[u8]) -> NewEvent {
    NewEvent {
        id: Uuid::new_v4(),
        event_type,
        schema_version: 1,
        occurred_at: Timestamp(0),
        actor: "test".into(),
        request_id: Uuid::nil(),
        correlation_id: Uuid::nil(),
        trace_id: None,
        epoch: 1,
        body: body.to_vec(),
    }
}

async fn square_off(node: &Node, key: &str) -> Answer {
    answer(node.square_off_as(ACTOR, key, &close_all(&nifty()))).await
}

/// The outage is over: a node that opens the log now does what was asked under `key`, once.
async fn assert_done_by_the_next_node(desk: &Desk, key: &str) {
    assert!(desk.placed(&nifty()).await.is_empty());
    let next = Node::start(desk).await;
    square_off(&next, key).await.accepted();
    assert_eq!(desk.placed(&nifty()).await, [20, 20]);
    assert!(square_off(&next, key).await.is_repetition());
}

#[tokio::test]
async fn a_log_that_could_not_be_written_takes_nothing_until_it_is_opened_again_and_is_still_read()
{
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let hand = by_hand::log(&desk);
    let full = "create trigger full before insert on events begin select raise(fail, 'the disk is full'); end";
    hand.execute_batch(full).unwrap();
    let refused = square_off(&node, "one").await;
    refused.assert_problem(503, "event-log-unavailable", "the disk is full");
    // There is room again; but what a log that failed half way holds is not known to whoever wrote it.
    hand.execute_batch("drop trigger full").unwrap();
    let refused = square_off(&node, "two").await;
    refused.assert_problem(503, "event-log-unavailable", "takes no appends");
    let part = node.read_ready().await["event_log"].clone();
    assert_eq!(part["ready"], false, "{part}");
    assert!(!node.read("/v1/events").await["events"].is_null());
    assert_done_by_the_next_node(&desk, "one").await;
}

#[tokio::test]
async fn a_commit_that_failed_leaves_the_outcome_unknown_and_the_same_key_tells_it() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let hand = by_hand::log(&desk);
    // A foreign key that is checked at the commit, and every event breaks it.
    let broken = "create table there (id integer primary key);
        create table here (id integer references there deferrable initially deferred);
        create trigger breaks after insert on events begin insert into here values (1); end";
    hand.execute_batch(broken).unwrap();
    let unknown = square_off(&node, "one").await;
    unknown.assert_problem(503, "outcome-unknown", "unknown whether");
    let mended = "drop trigger breaks; drop table here; drop table there";
    hand.execute_batch(mended).unwrap();
    assert_done_by_the_next_node(&desk, "one").await;
}

#[tokio::test]
async fn more_than_the_log_queues_is_refused_and_done_under_the_same_key_when_there_is_room() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let before = desk.head().await;
    let hand = by_hand::log(&desk);
    hand.execute_batch("begin immediate").unwrap();
    // Nothing comes of them: there is no stream that has a seventh version.
    let waiting = (0..MORE_THAN_WAIT).map(|number| {
        let (store, stream) = (node.app.store.clone(), format!("waiting-{number}"));
        async move {
            store
                .append(&stream, 7, vec![event("PositionFrozen", b"{}")])
                .await
        }
    });
    let mut waiting = FuturesUnordered::from_iter(waiting);
    let first = waiting.next().await.unwrap();
    assert_eq!(first, Err(AppendError::Overloaded));
    let refused = square_off(&node, "one").await;
    refused.assert_problem(503, "overloaded", "overloaded");
    hand.execute_batch("rollback").unwrap();
    while let Some(answer) = waiting.next().await {
        assert!(answer.is_err(), "{answer:?}");
    }
    assert_eq!(desk.head().await, before);
    square_off(&node, "one").await.accepted();
    assert_eq!(desk.placed(&nifty()).await, [20, 20]);
}

/// The stream's end is told one event ahead of its events, as it is to whoever loses each race to others.
#[tokio::test]
async fn who_is_always_too_late_is_told_so_and_nothing_of_it_is_done() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let hand = by_hand::log(&desk);
    hand.execute_batch("drop trigger ends_only_move_on")
        .unwrap();
    let end = |step: i64| {
        let moved = "update ends set version = version + ?2 where stream = (select id from streams where name = ?1)";
        assert_eq!(hand.execute(moved, (nifty().stream(), step)).unwrap(), 1);
    };
    end(1);
    let refused = square_off(&node, "one").await;
    refused.assert_problem(503, "busy", "changed 100 times");
    end(-1);
    assert_done_by_the_next_node(&desk, "one").await;
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_an_outage_for_whoever_reads_it_and_for_nobody_else() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let last = desk.head().await;
    // No layout that there ever was.
    by_hand::alter(&desk, last, |entry| entry[0] = 9);
    let before = Position::from_u64(last.as_u64() - 1);
    let refused = node.get(&format!("/v1/events?from={before}")).await;
    refused.assert_problem(503, "event-log-unavailable", &format!("event {last}"));
    let others = node.read("/v1/events?limit=3").await;
    assert_eq!(others["events"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn an_event_that_makes_no_sense_is_our_mistake_and_its_words_are_not_repeated() {
    let desk = Desk::open().await;
    let node = Node::start(&desk).await;
    let order = node.close(&nifty(), 5).await.orders[0];
    node.knows(desk.head().await).await;
    let stream = nifty().stream();
    let version = desk.store.stream_version(&stream).await.unwrap();
    let garbage = event("PositionFrozen", br#"{"seven":"herons"}"#);
    desk.store
        .append(&stream, version, vec![garbage])
        .await
        .unwrap();
    let before = desk.head().await;
    for key in ["c1", "c1"] {
        let refused = answer(node.cancel(order, key)).await;
        refused.assert_problem(500, "internal-error", "it is logged");
        let says = |words: &str| refused.text.contains(words);
        assert!(!says("herons") && !says("C00001"), "{}", refused.text);
    }
    assert_eq!(desk.head().await, before);
}
