//! Appending and reading.

use crate::log::{
    self, Log, any_event, assert_in_order, event, every_adapter, whole_log, whole_stream,
};
use squareoff_store::{
    APPEND_BYTES_MAX, APPEND_EVENTS_MAX, AppendError, Appended, BODY_BYTES_MAX, EventStore,
    NAME_BYTES_MAX, NO_PREVIOUS, Position,
};
use std::collections::BTreeSet;
use uuid::Uuid;

every_adapter! {
    an_event_is_read_as_it_was_appended
    an_append_stands_only_on_the_version_it_expects
    an_append_repeated_gets_its_first_answer
    an_event_id_names_one_event_at_a_place
    an_append_is_whole_or_nothing
    one_of_many_concurrent_appends_gets_each_version
    what_is_too_large_or_nothing_is_refused_by_name
    stream_names_are_any_text
    pages_join_to_the_whole
    many_streams_keep_their_own_versions
    each_event_carries_the_hash_of_the_one_before_it_in_its_stream
    a_log_opened_again_holds_what_it_held
    two_handles_see_each_other
}

async fn an_event_is_read_as_it_was_appended(log: Log) {
    let store = log.store();
    assert_eq!(store.head().await, Ok(Position::START));
    let new = event(1, "{\"quantity\":75}");
    let appended = store.append("s", 0, vec![new.clone()]).await.unwrap();
    let read = store.read_stream("s", 1, 10).await.unwrap();
    assert_eq!(read, store.read_all(Position::START, 10).await.unwrap());
    let [stored] = &read[..] else {
        panic!("{read:?}")
    };
    assert_eq!(
        (stored.position, stored.version, &*stored.stream),
        (appended.position, 1, "s")
    );
    assert_eq!(
        (stored.id, &*stored.event_type, stored.schema_version),
        (new.id, new.event_type, new.schema_version)
    );
    assert_eq!(
        (stored.occurred_at, &stored.actor, stored.epoch),
        (new.occurred_at, &new.actor, new.epoch)
    );
    assert_eq!(
        (stored.request_id, stored.correlation_id, &stored.body),
        (new.request_id, new.correlation_id, &new.body)
    );
    assert!(stored.recorded_at > new.occurred_at);
    assert_eq!(store.head().await, Ok(appended.position));
}

async fn an_append_stands_only_on_the_version_it_expects(log: Log) {
    let store = log.store();
    for version in 0..4 {
        assert_eq!(store.stream_version("s").await, Ok(version));
        for expected in 0..7 {
            let answer = store.append("s", expected, vec![any_event()]).await;
            if expected == version {
                assert_eq!(
                    answer.map(|appended| appended.last_version),
                    Ok(version + 1)
                );
                break;
            }
            let stream = "s".into();
            assert_eq!(
                answer,
                Err(AppendError::WrongVersion {
                    stream,
                    expected,
                    actual: version
                })
            );
        }
    }
    let far = store.append("s", u64::MAX, vec![any_event()]).await;
    assert_eq!(
        far,
        Err(AppendError::WrongVersion {
            stream: "s".into(),
            expected: u64::MAX,
            actual: 4
        })
    );
    assert_eq!(whole_log(&store).await.len(), 4);
}

async fn an_append_repeated_gets_its_first_answer(log: Log) {
    let store = log.store();
    let batch = || vec![event(10, "a"), event(20, "b"), event(30, "c")];
    store.append("s", 0, vec![event(1, "first")]).await.unwrap();
    let first = store.append("s", 1, batch()).await.unwrap();
    assert_eq!(
        (first.first_version, first.last_version, first.repeated),
        (2, 4, false)
    );
    let again = Appended {
        repeated: true,
        ..first
    };
    assert_eq!(store.append("s", 1, batch()).await, Ok(again));
    store.append("s", 4, vec![event(2, "later")]).await.unwrap();
    // The stream has grown; another process and another time of asking change nothing.
    let later = batch().into_iter().map(|event| squareoff_store::NewEvent {
        occurred_at: squareoff_domain::Timestamp(9),
        ..event
    });
    assert_eq!(log.store().append("s", 1, later.collect()).await, Ok(again));
    assert_eq!(whole_log(&store).await.len(), 5);
}

async fn an_event_id_names_one_event_at_a_place(log: Log) {
    let store = log.store();
    store
        .append("s", 0, vec![event(10, "a"), event(20, "b")])
        .await
        .unwrap();
    store.append("s", 2, vec![event(30, "c")]).await.unwrap();
    let there = whole_stream(&store, "s").await;
    let reused = |id, version| AppendError::EventIdReused {
        id: Uuid::from_u128(id),
        stream: "s".into(),
        version,
        position: there[usize::try_from(version).unwrap() - 1].position,
    };
    let wrong = |expected| AppendError::WrongVersion {
        stream: "s".into(),
        expected,
        actual: 3,
    };
    let other_type = squareoff_store::NewEvent {
        event_type: "OrderRejected",
        ..event(10, "a")
    };
    let other_schema = squareoff_store::NewEvent {
        schema_version: 2,
        ..event(10, "a")
    };
    for (expected, events, error) in [
        (0, vec![event(10, "changed"), event(20, "b")], reused(10, 1)),
        (0, vec![event(10, "a"), event(20, "changed")], reused(20, 2)),
        (0, vec![any_event(), event(20, "changed")], reused(20, 2)),
        (0, vec![other_type], reused(10, 1)),
        (0, vec![other_schema], reused(10, 1)),
        (0, vec![event(10, "a"), any_event()], wrong(0)),
        (2, vec![event(30, "c"), any_event()], wrong(2)),
        (1, vec![event(10, "a")], wrong(1)),
        (4, vec![event(10, "a")], wrong(4)),
    ] {
        assert_eq!(
            store.append("s", expected, events.clone()).await,
            Err(error),
            "{expected} {events:?}"
        );
    }
    assert_eq!(whole_log(&store).await.len(), 3);
    // Where nothing stands that could be its repeat, an id is only a name.
    store.append("s", 3, vec![event(10, "a")]).await.unwrap();
    store
        .append("other", 0, vec![event(10, "a")])
        .await
        .unwrap();
    assert_eq!(whole_log(&store).await.len(), 5);
}

async fn an_append_is_whole_or_nothing(log: Log) {
    let store = log.store();
    store.append("taken", 0, vec![event(5, "")]).await.unwrap();
    // One of many has an id that stands there already; its neighbours in the same group commit stand.
    let mut spoiled: Vec<_> = (0..100).map(|_| any_event()).collect();
    spoiled[0] = event(5, "other");
    let (before, spoiled, after) = tokio::join!(
        store.append("before", 0, vec![any_event(), any_event()]),
        store.append("taken", 0, spoiled),
        store.append("after", 0, vec![any_event()]),
    );
    assert!(
        matches!(spoiled, Err(AppendError::EventIdReused { .. })),
        "{spoiled:?}"
    );
    assert!(before.is_ok() && after.is_ok());
    assert_eq!(whole_stream(&store, "taken").await.len(), 1);
    let all = whole_log(&store).await;
    assert_eq!(all.len(), 4);
    assert_in_order(&all);
}

async fn one_of_many_concurrent_appends_gets_each_version(log: Log) {
    const EACH: usize = 5;
    let writers = log.many(64);
    let store = log.store();
    let writer = |store: EventStore| async move {
        let mut got = Vec::new();
        let mut version = 0;
        while got.len() < EACH {
            match store.append("contended", version, vec![any_event()]).await {
                Ok(appended) => {
                    got.push(appended.last_version);
                    version = appended.last_version;
                }
                Err(AppendError::WrongVersion { actual, .. }) => version = actual,
                Err(other) => panic!("{other}"),
            }
        }
        got
    };
    let tasks: Vec<_> = (0..writers)
        .map(|_| tokio::spawn(writer(store.clone())))
        .collect();
    let mut versions = Vec::new();
    for task in tasks {
        versions.extend(task.await.unwrap());
    }
    let distinct: BTreeSet<_> = versions.iter().copied().collect();
    assert_eq!(
        (versions.len(), distinct.len()),
        (writers * EACH, writers * EACH)
    );
    assert_eq!(
        (distinct.first(), distinct.last()),
        (Some(&1), Some(&((writers * EACH) as u64)))
    );
    assert_in_order(&whole_log(&store).await);
}

async fn what_is_too_large_or_nothing_is_refused_by_name(log: Log) {
    let store = log.store();
    let sized = |bytes| event(bytes as u128, &log::sized(bytes));
    let many = |number: usize| (0..number).map(|_| any_event()).collect::<Vec<_>>();
    let long = "n".repeat(NAME_BYTES_MAX + 1);
    let talkative = squareoff_store::NewEvent {
        actor: long.as_str().into(),
        ..any_event()
    };
    let quarters = |number: u128| {
        (0..number)
            .map(|id| event(id * 8, &log::sized(APPEND_BYTES_MAX / 4)))
            .collect::<Vec<_>>()
    };
    for (stream, events, message) in [
        (
            "s",
            vec![sized(BODY_BYTES_MAX + 1)],
            "event body in bytes: 1048577 is more than the limit of 1048576",
        ),
        (
            "s",
            many(APPEND_EVENTS_MAX + 1),
            "append in events: 1025 is more than the limit of 1024",
        ),
        (
            "s",
            quarters(5),
            "append in bytes: 5242880 is more than the limit of 4194304",
        ),
        (
            &long,
            many(1),
            "stream name in bytes: 513 is more than the limit of 512",
        ),
        (
            "s",
            vec![talkative],
            "actor in bytes: 513 is more than the limit of 512",
        ),
        ("s", vec![], "an append needs at least one event"),
        ("", many(1), "a stream needs a name"),
        (
            "$settings",
            many(1),
            "a stream's name can't begin with `$`: $settings",
        ),
        (
            "s",
            vec![event(6, "a"), event(6, "a")],
            "event id 00000000-0000-0000-0000-000000000006 stands twice in one append",
        ),
    ] {
        let error = store.append(stream, 0, events).await.unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    assert_eq!(store.head().await, Ok(Position::START));
    store
        .append("body", 0, vec![sized(BODY_BYTES_MAX)])
        .await
        .unwrap();
    store
        .append("events", 0, many(APPEND_EVENTS_MAX))
        .await
        .unwrap();
    store.append("bytes", 0, quarters(4)).await.unwrap();
    store.append(&long[1..], 0, many(1)).await.unwrap();
    // A read ends early at its limit of bytes, and goes on where it ended.
    store
        .append(
            "bytes",
            4,
            (100..104)
                .map(|id| event(id * 8, &log::sized(BODY_BYTES_MAX)))
                .collect(),
        )
        .await
        .unwrap();
    let mut more = whole_stream(&store, "bytes").await;
    more.extend(whole_stream(&store, "body").await);
    assert_eq!(more.len(), 9);
    assert!(more.iter().all(|event| event.body.len() == BODY_BYTES_MAX));
}

async fn stream_names_are_any_text(log: Log) {
    let store = log.store();
    let names = [
        "position-2026-11-20-C00042-NSE:M&M-CNC",
        "स्थिति",
        "ордер",
        "🦀",
        " ",
        "a",
        "A",
        "a ",
        "a\u{0}b",
        "'; drop table events; --",
        "%",
        "é",
        "e\u{301}",
    ];
    for name in names {
        store.append(name, 0, vec![any_event()]).await.unwrap();
    }
    for name in names {
        let events = whole_stream(&store, name).await;
        assert_eq!(
            events
                .iter()
                .map(|event| &*event.stream)
                .collect::<Vec<_>>(),
            [name]
        );
    }
}

async fn pages_join_to_the_whole(log: Log) {
    let store = log.store();
    for version in 0..10 {
        store
            .append("a", version * 2, vec![any_event(), any_event()])
            .await
            .unwrap();
        store.append("b", version, vec![any_event()]).await.unwrap();
    }
    let all = store.read_all(Position::START, 1_000).await.unwrap();
    assert_eq!(all.len(), 30);
    assert_in_order(&all);
    for page in [1, 2, 3, 7, 29, 30, 31, usize::MAX] {
        let mut joined: Vec<squareoff_store::StoredEvent> = Vec::new();
        loop {
            let after = joined
                .last()
                .map_or(Position::START, |event| event.position);
            let next = store.read_all(after, page).await.unwrap();
            assert!(next.len() <= page);
            if next.is_empty() {
                break;
            }
            joined.extend(next);
        }
        assert_eq!(joined, all);
    }
    let of_a: Vec<_> = all
        .iter()
        .filter(|event| &*event.stream == "a")
        .cloned()
        .collect();
    assert_eq!(store.read_stream("a", 0, 100).await.unwrap(), of_a);
    assert_eq!(store.read_stream("a", 6, 3).await.unwrap(), of_a[5..8]);
    for (stream, from, max) in [
        ("a", 21, 10),
        ("a", u64::MAX, 10),
        ("a", 1, 0),
        ("nobody", 1, 10),
    ] {
        assert_eq!(store.read_stream(stream, from, max).await, Ok(vec![]));
    }
    assert_eq!(
        store.read_all(Position::from_u64(u64::MAX), 10).await,
        Ok(vec![])
    );
}

async fn many_streams_keep_their_own_versions(log: Log) {
    const WRITERS: usize = 128;
    let store = log.store();
    let streams = log.many(streams());
    let tasks: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in (writer..streams).step_by(WRITERS) {
                    let stream = format!("stream-{number}");
                    for version in 0..3 {
                        store
                            .append(&stream, version, vec![any_event()])
                            .await
                            .unwrap();
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let all = whole_log(&store).await;
    assert_eq!(all.len(), streams * 3);
    assert_in_order(&all);
}

/// Streams of [`many_streams_keep_their_own_versions`]: a thousand in every run, 100,000 when the environment asks for them.
fn streams() -> usize {
    std::env::var("STORE_TEST_STREAMS").map_or(1_000, |streams| streams.parse().unwrap())
}

async fn each_event_carries_the_hash_of_the_one_before_it_in_its_stream(log: Log) {
    let handles = [log.store(), log.store()];
    for version in 0..6 {
        for (stream, handle) in ["a", "b"].iter().zip(&handles) {
            handle
                .append(stream, version * 2, vec![any_event(), any_event()])
                .await
                .unwrap();
        }
    }
    // The other handle has not seen them, and takes the streams up where they end.
    for (stream, handle) in ["b", "a"].iter().zip(&handles) {
        handle.append(stream, 12, vec![any_event()]).await.unwrap();
    }
    let entries = handles[0].read_entries(Position::START, 100).await.unwrap();
    let events = whole_log(&handles[0]).await;
    let mut hashes = std::collections::HashMap::new();
    for (entry, event) in entries.iter().zip(&events) {
        assert_eq!(entry.event().as_ref(), Ok(event));
        let before = hashes.insert(event.stream.clone(), entry.leaf_hash());
        assert_eq!(event.previous, before.unwrap_or(NO_PREVIOUS), "{event:?}");
    }
    assert_eq!((entries.len(), events.len()), (26, 26));
}

async fn a_log_opened_again_holds_what_it_held(log: Log) {
    let mut held = Vec::new();
    for version in 0..5 {
        let store = log.store();
        assert_eq!(whole_log(&store).await, held);
        store
            .append("s", version, vec![event(u128::from(version) * 4, "x")])
            .await
            .unwrap();
        held = whole_log(&store).await;
    }
    let again = log
        .store()
        .append("s", 2, vec![event(8, "x")])
        .await
        .unwrap();
    assert_eq!((again.repeated, again.position), (true, held[2].position));
}

async fn two_handles_see_each_other(log: Log) {
    let (one, two) = (log.store(), log.store());
    for round in 0..20 {
        let version = round * 2;
        one.append("s", version, vec![any_event()]).await.unwrap();
        // What the other handle remembers of the stream is old now, and it must notice.
        let late = two.append("s", version, vec![any_event()]).await;
        assert!(
            matches!(late, Err(AppendError::WrongVersion { actual, .. }) if actual == version + 1),
            "{late:?}"
        );
        two.append("s", version + 1, vec![any_event()])
            .await
            .unwrap();
    }
    assert_eq!(whole_log(&one).await, whole_log(&two).await);
    assert_in_order(&whole_log(&one).await);
}
