//! Catch-up subscriptions.

use crate::log::{Log, any_event, assert_in_order, every_adapter, whole_log};
use squareoff_store::{AppendError, Delivery, EventStore, Position, StoredEvent, Subscription};
use std::time::Duration;

/// A guard against hanging, far above anything a run takes.
const GUARD: Duration = Duration::from_secs(60);

every_adapter! {
    from_any_place_a_subscriber_gets_the_rest
    caught_up_is_said_once_each_time
    appends_of_this_and_other_handles_wake_a_subscriber
    a_subscription_taken_up_again_misses_nothing
    a_dropped_wait_loses_nothing
    a_paced_subscriber_gets_together_what_comes_in_its_pace
    subscribers_beside_writers_see_one_order
}

async fn next(subscription: &mut Subscription, max: usize) -> Delivery {
    tokio::time::timeout(GUARD, subscription.next(max))
        .await
        .expect("it hangs")
        .unwrap()
}

async fn take(subscription: &mut Subscription, number: usize) -> Vec<StoredEvent> {
    let mut events = Vec::new();
    while events.len() < number {
        if let Delivery::Events(more) = next(subscription, 7).await {
            events.extend(more);
        }
    }
    events
}

async fn append_some(store: &EventStore, stream: &str, number: u64) {
    let mut version = store.read_stream(stream, 1, 10_000).await.unwrap().len() as u64;
    for _ in 0..number {
        version = store
            .append(stream, version, vec![any_event()])
            .await
            .unwrap()
            .last_version;
    }
}

async fn from_any_place_a_subscriber_gets_the_rest(log: Log) {
    let store = log.store();
    append_some(&store, "a", 10).await;
    append_some(&store, "b", 10).await;
    let all = whole_log(&store).await;
    for taken in 0..=all.len() {
        let after = taken
            .checked_sub(1)
            .map_or(Position::START, |last| all[last].position);
        let mut subscription = store.subscribe(after);
        assert_eq!(
            take(&mut subscription, all.len() - taken).await,
            all[taken..]
        );
        assert_eq!(
            next(&mut subscription, 7).await,
            Delivery::CaughtUp(all[19].position)
        );
    }
}

async fn caught_up_is_said_once_each_time(log: Log) {
    let store = log.store();
    let mut subscription = store.subscribe(Position::START);
    assert_eq!(
        next(&mut subscription, 10).await,
        Delivery::CaughtUp(Position::START)
    );
    for round in 0..5 {
        append_some(&store, "s", 3).await;
        let mut got = 0;
        while got < 3 {
            match next(&mut subscription, 2).await {
                Delivery::Events(events) => got += events.len(),
                Delivery::CaughtUp(_) => panic!("behind in round {round}"),
            }
        }
        assert_eq!(
            next(&mut subscription, 2).await,
            Delivery::CaughtUp(subscription.position())
        );
    }
}

async fn appends_of_this_and_other_handles_wake_a_subscriber(log: Log) {
    let (ours, others) = (log.store(), log.store());
    for pace in [Duration::ZERO, Duration::from_millis(20)] {
        let head = ours.head().await.unwrap();
        let mut subscription = ours.subscribe(head).paced(pace);
        let caught_up = next(&mut subscription, 10).await;
        assert_eq!(caught_up, Delivery::CaughtUp(head));
        for writer in [&ours, &others, &ours, &others, &others] {
            let waiting = tokio::spawn(async move {
                let events = take(&mut subscription, 1).await;
                (subscription, events)
            });
            append_some(writer, "s", 1).await;
            let (back, events) = waiting.await.unwrap();
            subscription = back;
            assert_eq!(events, *whole_log(&ours).await.last_chunk::<1>().unwrap());
            let caught_up = next(&mut subscription, 10).await;
            assert_eq!(caught_up, Delivery::CaughtUp(events[0].position));
        }
    }
}

async fn a_subscription_taken_up_again_misses_nothing(log: Log) {
    append_some(&log.store(), "s", 50).await;
    let mut seen = Vec::new();
    let mut after = Position::START;
    while seen.len() < 50 {
        // Another handle each time: only the position is carried over, as a checkpoint would.
        let Delivery::Events(events) = next(&mut log.store().subscribe(after), 9).await else {
            panic!("the log has more")
        };
        after = events.last().unwrap().position;
        seen.extend(events);
    }
    assert_eq!(seen, whole_log(&log.store()).await);
}

async fn a_dropped_wait_loses_nothing(log: Log) {
    let store = log.store();
    append_some(&store, "s", 200).await;
    let mut subscription = store.subscribe(Position::START);
    let mut seen = Vec::new();
    let mut patience = Duration::from_micros(1);
    while seen.len() < 200 {
        match tokio::time::timeout(patience, subscription.next(5)).await {
            Ok(Ok(Delivery::Events(events))) => {
                seen.extend(events);
                patience = Duration::from_micros(1);
            }
            Ok(other) => panic!("{other:?}"),
            Err(_) => patience *= 2,
        }
    }
    assert_eq!(seen, whole_log(&store).await);
}

async fn a_paced_subscriber_gets_together_what_comes_in_its_pace(log: Log) {
    const PACE: Duration = Duration::from_secs(1);
    let store = log.store();
    let mut subscription = store.subscribe(Position::START).paced(PACE);
    append_some(&store, "s", 1).await;
    assert_eq!(take(&mut subscription, 1).await.len(), 1);
    // Who is not at the end is not held up.
    let caught_up = Delivery::CaughtUp(subscription.position());
    assert_eq!(next(&mut subscription, 10).await, caught_up);
    let begun = std::time::Instant::now();
    let waiting = tokio::spawn(async move {
        loop {
            if let Delivery::Events(events) = next(&mut subscription, 10).await {
                return events;
            }
        }
    });
    append_some(&store, "s", 2).await;
    let in_time = begun.elapsed() < PACE / 2;
    let events = waiting.await.unwrap();
    // A machine that stood still for so long may have given the first alone.
    assert!(events.len() == 2 || !in_time, "{events:?}");
}

async fn subscribers_beside_writers_see_one_order(log: Log) {
    const WRITERS: usize = 8;
    let each = log.many(50);
    let handles = [log.store(), log.store()];
    let readers: Vec<_> = (0..4)
        .map(|number| {
            let mut subscription = handles[number % 2].subscribe(Position::START);
            tokio::spawn(async move { take(&mut subscription, WRITERS * each).await })
        })
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let store = handles[number % 2].clone();
            tokio::spawn(async move {
                let (mut version, mut appended) = (0, 0);
                while appended < each {
                    match store.append("s", version, vec![any_event()]).await {
                        Ok(done) => (version, appended) = (done.last_version, appended + 1),
                        Err(AppendError::WrongVersion { actual, .. }) => version = actual,
                        Err(other) => panic!("{other}"),
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let all = whole_log(&handles[0]).await;
    assert_in_order(&all);
    for reader in readers {
        assert_eq!(reader.await.unwrap(), all);
    }
}
