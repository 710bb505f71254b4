//! The adapter for KurrentDB through each fault of its server, and a cluster whose leader changes: the contract holds as without.

use crate::log::{Log, Plan, Served, any_event, assert_in_order, whole_log};
use crate::{asking, contract, subscribe, transact};
use futures::stream::{self, StreamExt};
use squareoff_serve::{Call, Fault};
use squareoff_store::{AppendError, Delivery, EventStore, Position, StoredEvent};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Acquire};
use std::time::Duration;

/// A guard against hanging, far above anything a run takes.
const GUARD: Duration = Duration::from_secs(120);

/// Tests that run beside each other: much of their time is waiting for what hangs.
const AT_ONCE: usize = 12;

/// The whole contract, each of its tests on a server of its own on which this goes wrong.
async fn through(plan: Plan) {
    let suites = [
        contract::TESTS,
        subscribe::TESTS,
        transact::TESTS,
        asking::TESTS,
    ];
    let running = stream::iter(suites.into_iter().flatten())
        .map(|(name, test)| async move {
            let (log, happened) = Log::faulty(plan).await;
            let tested = tokio::spawn(test(log));
            (name, tokio::time::timeout(GUARD, tested).await, happened)
        })
        .buffer_unordered(AT_ONCE);
    let results: Vec<_> = running.collect().await;
    assert!(results.len() > 20);
    // A short test may end before the last of them; some test must have met each.
    for nth in 0..results[0].2.len() {
        let met = |(_, _, happened): &(_, _, Vec<Arc<AtomicBool>>)| happened[nth].load(Acquire);
        assert!(results.iter().any(met), "fault {nth} never happened");
    }
    for (name, tested, _) in results {
        match tested {
            Ok(Ok(())) => {}
            Ok(Err(panicked)) => panic!("{name}: {panicked}"),
            Err(_) => panic!("{name}: it hangs"),
        }
    }
}

macro_rules! the_contract_holds_through {
    ($($name:ident: $address:ident => [$($call:ident $pass:literal $fault:expr),+ $(,)?])+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            use Fault::*;
            through(|$address| vec![$((Call::$call, $pass, $fault)),+]).await;
        })+
    };
}

the_contract_holds_through! {
    calls_that_hang: _address => [
        BatchAppend 1 Hang,
        BatchAppend 2 HangAfterCommit,
        Read 2 Hang,
        Subscribe 0 Hang,
    ]
    aborts_after_the_commit: _address => [
        BatchAppend 0 AbortAfterCommit,
        BatchAppend 0 AbortAfterCommit,
        BatchAppend 4 AbortAfterCommit,
    ]
    streams_that_end_cleanly: _address => [
        BatchAppend 1 EndStream,
        Read 0 EndStream,
        Read 2 EndStream,
        Read 5 EndStream,
        Subscribe 1 EndStream,
        Subscribe 2 EndStream,
    ]
    nodes_that_do_not_lead: address => [
        BatchAppend 0 NotLeader(address),
        BatchAppend 3 NotLeader(address),
        Read 1 NotLeader(address),
        Read 3 NotLeader(address),
        Subscribe 0 NotLeader(address),
    ]
    slow_acknowledgements: _address => [
        BatchAppend 0 SlowAnswer(Duration::from_millis(100)),
        BatchAppend 2 SlowAnswer(Duration::from_millis(2_500)),
        BatchAppend 2 SlowAnswer(Duration::from_millis(100)),
    ]
    connections_that_are_reset: _address => [
        BatchAppend 0 Reset,
        BatchAppend 2 ResetAfterCommit,
        Read 1 Reset,
        Read 4 Reset,
        Subscribe 0 Reset,
        Subscribe 1 Reset,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_is_answered_through_every_fault_in_turn() {
    let faults: Plan = |address| {
        let every = [
            Fault::AbortAfterCommit,
            Fault::Reset,
            Fault::NotLeader(address),
            Fault::ResetAfterCommit,
            Fault::HangAfterCommit,
            Fault::EndStream,
        ];
        let mut plan: Vec<_> = every
            .into_iter()
            .map(|fault| (Call::BatchAppend, 5, fault))
            .collect();
        plan.extend(
            [Fault::EndStream, Fault::Reset, Fault::NotLeader(address)]
                .map(|fault| (Call::Read, 9, fault)),
        );
        plan
    };
    let (log, happened) = Log::faulty(faults).await;
    write_and_see(&log, |_| {}).await;
    let all = happened.iter().all(|happened| happened.load(Acquire));
    assert!(all, "not every fault happened");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_changes_loses_and_repeats_nothing() {
    let log = Log::cluster().await;
    let Served::Cluster(cluster) = &log.served else {
        unreachable!("it was started")
    };
    write_and_see(&log, |round| cluster.lead(round / 4 % 3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_goes_away_is_followed() {
    let mut log = Log::cluster().await;
    let store = log.store();
    store.append("s", 0, vec![any_event()]).await.unwrap();
    let Served::Cluster(cluster) = &mut log.served else {
        unreachable!("it was started")
    };
    for leader in [1, 2] {
        cluster.lead(leader);
        cluster.stop(leader - 1).await;
        let version = leader as u64;
        store.append("s", version, vec![any_event()]).await.unwrap();
    }
    assert_eq!(whole_log(&store).await.len(), 3);
}

const WRITERS: usize = 8;
const EACH: u64 = 10;

/// Eight writers, each on a stream of its own and all on one, beside a subscriber, while `disturb` is called again and again.
async fn write_and_see(log: &Log, disturb: impl Fn(usize)) {
    let store = log.store();
    let mut subscription = store.subscribe(Position::START);
    let seeing = tokio::spawn(async move {
        let mut seen: Vec<StoredEvent> = Vec::new();
        while seen.len() < WRITERS * EACH as usize * 2 {
            if let Delivery::Events(events) = subscription.next(50).await.unwrap() {
                seen.extend(events);
            }
        }
        seen
    });
    let mut writers: Vec<_> = (0..WRITERS)
        .map(|number| tokio::spawn(write(store.clone(), format!("own-{number}"))))
        .collect();
    writers.extend((0..WRITERS).map(|_| tokio::spawn(write(store.clone(), "shared".to_owned()))));
    let mut round = 0;
    while writers.iter().any(|writer| !writer.is_finished()) {
        round += 1;
        disturb(round);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let all = whole_log(&store).await;
    assert_in_order(&all);
    let mut counts = BTreeMap::new();
    for event in &all {
        *counts.entry(event.stream.clone()).or_insert(0) += 1;
    }
    assert_eq!(counts.remove("shared"), Some(WRITERS as u64 * EACH));
    assert!(
        counts.len() == WRITERS && counts.values().all(|count| *count == EACH),
        "{counts:?}"
    );
    let seen = tokio::time::timeout(GUARD, seeing).await.expect("it hangs");
    assert_eq!(seen.unwrap(), all);
}

async fn write(store: EventStore, stream: String) {
    let (mut version, mut appended) = (0, 0);
    while appended < EACH {
        match store.append(&stream, version, vec![any_event()]).await {
            Ok(done) => (version, appended) = (done.last_version, appended + 1),
            Err(AppendError::WrongVersion { actual, .. }) => version = actual,
            Err(other) => panic!("{other}"),
        }
    }
}
