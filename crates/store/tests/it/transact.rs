//! Load, decide, append, retry, with an aggregate small enough to see through: a number of seats.

use crate::log::{Log, every_adapter, whole_log, whole_stream};
use squareoff_domain::Timestamp;
use squareoff_store::codec::{DecodeError, Encoded, LogEvent};
use squareoff_store::{
    Aggregate, Caller, Committed, Delivery, EventStore, LoadError, Position, StoredEvent, Streams,
    TransactError,
};
use uuid::Uuid;

const SEATS: u64 = 40;

every_adapter! {
    concurrent_requests_through_two_handles_take_exactly_what_there_is
    a_request_asked_twice_gets_its_first_answer
    one_request_id_on_two_streams_is_two_requests
    a_refusal_never_stands_on_an_old_state
    what_is_recalled_is_what_this_handle_knows_or_was_told_of
    what_was_learned_of_the_log_is_the_state_that_a_read_gives
    nothing_to_do_appends_nothing_and_tells_the_version
    a_long_stream_is_folded_whole
    an_event_that_cannot_be_read_stops_the_fold
    events_carry_their_caller
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Seats {
    taken: u64,
    by: Vec<u128>,
}

#[derive(Debug, PartialEq)]
struct Taken {
    by: u128,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Full;

impl LogEvent for Taken {
    fn encode(&self) -> Encoded {
        Encoded {
            event_type: "Taken",
            schema_version: 1,
            body: self.by.to_string().into_bytes(),
        }
    }

    fn decode(stored: &StoredEvent) -> Result<Self, DecodeError> {
        let number = std::str::from_utf8(&stored.body)
            .ok()
            .and_then(|text| text.parse().ok());
        let bad = || DecodeError::Body {
            position: stored.position,
            event_type: "Taken".into(),
            reason: "no number".into(),
        };
        number.map(|by| Taken { by }).ok_or_else(bad)
    }
}

impl Aggregate for Seats {
    type Event = Taken;

    fn evolve(mut self, event: &Taken) -> Self {
        self.taken += 1;
        self.by.push(event.by);
        self
    }
}

/// A seat for `by`; whoever has one already keeps it. Gives the seat's number.
fn take(seats: &Seats, by: u128) -> Result<(Vec<Taken>, u64), Full> {
    match seats.by.iter().position(|holder| *holder == by) {
        Some(index) => Ok((vec![], index as u64 + 1)),
        None if seats.taken >= SEATS => Err(Full),
        None => Ok((vec![Taken { by }], seats.taken + 1)),
    }
}

fn caller(by: u128) -> Caller {
    Caller {
        actor: "desk-1".into(),
        request_id: Uuid::from_u128(by),
        correlation_id: Uuid::from_u128(by + 1),
        epoch: 3,
        now: Timestamp(5),
    }
}

async fn ask(
    streams: &Streams<Seats>,
    stream: &str,
    by: u128,
) -> Result<Committed<u64>, TransactError<Full>> {
    streams
        .transact(stream, &caller(by), |seats| take(seats, by))
        .await
}

fn streams(log: &Log) -> Streams<Seats> {
    Streams::new(log.store())
}

async fn concurrent_requests_through_two_handles_take_exactly_what_there_is(log: Log) {
    let handles = [streams(&log), streams(&log)];
    let tasks: Vec<_> = (0..64_u128)
        .map(|by| {
            let streams = handles[usize::try_from(by % 2).unwrap()].clone();
            tokio::spawn(async move {
                // A caller whose stream changed under it too often asks again, as the API's client would.
                loop {
                    match ask(&streams, "hall", by).await {
                        Err(TransactError::Contended { .. }) => {}
                        answer => return answer,
                    }
                }
            })
        })
        .collect();
    let (mut seats, mut refused) = (Vec::new(), 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(committed) => seats.push(committed.value),
            Err(error) => {
                assert_eq!(error, TransactError::Refused(Full));
                refused += 1;
            }
        }
    }
    seats.sort_unstable();
    assert_eq!(seats, (1..=SEATS).collect::<Vec<_>>());
    assert_eq!(refused, 64 - SEATS);
    assert_eq!(whole_log(handles[0].store()).await.len() as u64, SEATS);
}

async fn what_is_recalled_is_what_this_handle_knows_or_was_told_of(log: Log) {
    let (one, two) = (streams(&log), streams(&log));
    let recalled = |streams: &Streams<Seats>| streams.recall("hall").map(|known| known.version);
    assert_eq!(recalled(&one), None);
    ask(&one, "hall", 7).await.unwrap();
    ask(&two, "hall", 8).await.unwrap();
    assert_eq!((recalled(&one), recalled(&two)), (Some(1), Some(2)));
    let learn = |streams: &Streams<Seats>, stored: &StoredEvent| {
        streams.learn(stored, &Taken::decode(stored).unwrap());
    };
    let events = whole_stream(one.store(), "hall").await;
    for stored in &events {
        // `two` knows both already, `one` its own.
        learn(&two, stored);
        learn(&one, stored);
    }
    assert_eq!((recalled(&one), recalled(&two)), (Some(2), Some(2)));
    let states = [&one, &two].map(|streams| streams.recall("hall").unwrap());
    assert_eq!(states[0].state.by, [7, 8]);
    assert_eq!(states[0].state, states[1].state);
    assert_eq!(states[0].position, states[1].position);
    for by in [9, 10] {
        ask(&two, "hall", by).await.unwrap();
    }
    // Something is missing between: nothing is known any more, rather than something wrong.
    let events = whole_stream(one.store(), "hall").await;
    learn(&one, &events[3]);
    assert_eq!(recalled(&one), None);
    // Nor is a stream begun in its middle.
    learn(&one, &events[3]);
    assert_eq!(recalled(&one), None);
    assert_eq!(one.load("hall").await.unwrap().version, 4);
}

/// A handle that learns while it and others append, each decision of which is one that the log bears out.
async fn what_was_learned_of_the_log_is_the_state_that_a_read_gives(log: Log) {
    let (follower, other) = (streams(&log), streams(&log));
    let learned = follower.clone();
    let mut subscription = follower.store().subscribe(Position::START);
    let learning = tokio::spawn(async move {
        loop {
            if let Delivery::Events(events) = subscription.next(3).await.unwrap() {
                for stored in &events {
                    learned.learn(stored, &Taken::decode(stored).unwrap());
                }
            }
        }
    });
    for by in (0..SEATS as u128).step_by(2) {
        let (one, two) = tokio::join!(ask(&follower, "hall", by), ask(&other, "hall", by + 1));
        let mut seats = [one.unwrap().value, two.unwrap().value];
        seats.sort_unstable();
        assert_eq!(u128::from(seats[0]), by + 1);
        assert_eq!(seats[1], seats[0] + 1);
    }
    // What was appended by the other comes to be known without a read.
    let all = async {
        while follower
            .recall("hall")
            .is_none_or(|known| known.version < SEATS)
        {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    let caught_up = tokio::time::timeout(std::time::Duration::from_secs(20), all);
    caught_up.await.expect("it learns what the log holds");
    learning.abort();
    let (known, read) = (
        follower.recall("hall").unwrap(),
        streams(&log).load("hall").await.unwrap(),
    );
    assert_eq!(known.state, read.state);
    assert_eq!(
        (known.version, known.position),
        (read.version, read.position)
    );
}

async fn a_request_asked_twice_gets_its_first_answer(log: Log) {
    let (one, two) = (streams(&log), streams(&log));
    let first = ask(&one, "hall", 7).await.unwrap();
    ask(&one, "hall", 8).await.unwrap();
    for streams in [&one, &two] {
        let again = ask(streams, "hall", 7).await.unwrap();
        assert_eq!(
            (again.value, again.appended, again.version),
            (first.value, 0, 2)
        );
    }
    // At once, through handles that both remember the state before it.
    let asked = tokio::join!(
        ask(&one, "hall", 9),
        ask(&two, "hall", 9),
        ask(&one, "hall", 9)
    );
    let values = [asked.0, asked.1, asked.2].map(|answer| answer.unwrap().value);
    assert_eq!(values, [3, 3, 3]);
    assert_eq!(whole_stream(one.store(), "hall").await.len(), 3);
}

async fn one_request_id_on_two_streams_is_two_requests(log: Log) {
    let streams = streams(&log);
    let first = ask(&streams, "hall", 7).await.unwrap();
    let second = ask(&streams, "garden", 7).await.unwrap();
    assert_eq!((first.appended, second.appended), (1, 1));
    assert!(second.position > first.position);
}

async fn a_refusal_never_stands_on_an_old_state(log: Log) {
    let (one, two) = (streams(&log), streams(&log));
    ask(&one, "hall", 0).await.unwrap();
    for by in 1..u128::from(SEATS) {
        ask(&two, "hall", by).await.unwrap();
    }
    // `one` remembers a nearly empty hall, `two` then a full one.
    assert_eq!(
        ask(&one, "hall", 1_000).await,
        Err(TransactError::Refused(Full))
    );
    let room = |seats: &Seats| {
        if seats.taken == SEATS {
            Err(Full)
        } else {
            Ok((vec![], seats.taken))
        }
    };
    let other = streams(&log);
    other
        .transact("hall", &caller(2_000), |_| {
            Ok::<_, Full>((vec![Taken { by: 2_000 }], 0))
        })
        .await
        .unwrap();
    let now = two.transact("hall", &caller(3_000), room).await.unwrap();
    assert_eq!((now.value, now.version), (SEATS + 1, SEATS + 1));
}

async fn nothing_to_do_appends_nothing_and_tells_the_version(log: Log) {
    let streams = streams(&log);
    let look = |seats: &Seats| Ok::<_, Full>((vec![], seats.taken));
    let empty = streams.transact("hall", &caller(1), look).await.unwrap();
    assert_eq!(
        empty,
        Committed {
            value: 0,
            version: 0,
            position: None,
            appended: 0
        }
    );
    let taken = ask(&streams, "hall", 1).await.unwrap();
    let after = streams.transact("hall", &caller(2), look).await.unwrap();
    assert_eq!(
        after,
        Committed {
            value: 1,
            version: 1,
            position: taken.position,
            appended: 0
        }
    );
    assert_eq!(whole_log(streams.store()).await.len(), 1);
}

async fn a_long_stream_is_folded_whole(log: Log) {
    let writer = streams(&log);
    for batch in 0..5_u128 {
        let many = |_: &Seats| Ok::<_, Full>(((0..700).map(|by| Taken { by }).collect(), ()));
        writer.transact("hall", &caller(batch), many).await.unwrap();
    }
    let loaded = streams(&log).load("hall").await.unwrap();
    assert_eq!((loaded.version, loaded.state.taken), (3_500, 3_500));
    assert_eq!(loaded.state, writer.load("hall").await.unwrap().state);
}

async fn an_event_that_cannot_be_read_stops_the_fold(log: Log) {
    let store: EventStore = log.store();
    store
        .append("hall", 0, vec![crate::log::event(1, "not a number")])
        .await
        .unwrap();
    let streams = Streams::<Seats>::new(store);
    let loaded = streams.load("hall").await.unwrap_err();
    assert!(
        matches!(loaded, LoadError::Decode(DecodeError::Body { .. })),
        "{loaded}"
    );
    assert_eq!(
        ask(&streams, "hall", 7).await,
        Err(TransactError::Load(loaded))
    );
}

async fn events_carry_their_caller(log: Log) {
    let streams = streams(&log);
    let two = |_: &Seats| Ok::<_, Full>((vec![Taken { by: 1 }, Taken { by: 2 }], ()));
    let caller = caller(7);
    let committed = streams.transact("hall", &caller, two).await.unwrap();
    assert_eq!((committed.version, committed.appended), (2, 2));
    let events = whole_stream(streams.store(), "hall").await;
    for (index, event) in events.iter().enumerate() {
        assert_eq!(
            event.id,
            Uuid::new_v5(&caller.request_id, index.to_string().as_bytes())
        );
        assert_eq!(
            (event.request_id, event.correlation_id),
            (caller.request_id, caller.correlation_id)
        );
        assert_eq!(
            (&event.actor, event.epoch, event.occurred_at),
            (&caller.actor, 3, Timestamp(5))
        );
    }
    assert_eq!(
        committed.position,
        events.last().map(|event| event.position)
    );
}
