//! Random appends and reads, compared with a log that a child could write: the specification.

use crate::log::{Log, event, json, whole_log, whole_stream};
use proptest::prelude::*;
use squareoff_store::{AppendError, Delivery, Position};
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Step {
    /// To one of a few streams, at the head or beside it, ids and bodies from small sets so that they meet again.
    Append {
        stream: u8,
        beside: i8,
        first_id: u8,
        events: u8,
        body: u8,
    },
    /// The n-th append so far once more.
    Repeat(prop::sample::Index),
    Reopen,
    /// Appends go through the other of two handles from here.
    Switch,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let append = (
        0_u8..3,
        prop_oneof![6 => Just(0_i8), 1 => Just(-1_i8), 1 => Just(1_i8)],
        0_u8..40,
        1_u8..4,
        0_u8..2,
    )
        .prop_map(|(stream, beside, first_id, events, body)| Step::Append {
            stream,
            beside,
            first_id,
            events,
            body,
        });
    let step = prop_oneof![
        10 => append,
        3 => any::<prop::sample::Index>().prop_map(Step::Repeat),
        1 => Just(Step::Reopen),
        2 => Just(Step::Switch),
    ];
    prop::collection::vec(step, 1..40)
}

type Asked = (String, u64, Vec<(u128, String)>);

/// (stream, version, id, body) in the log's order.
#[derive(Default)]
struct Model(Vec<(String, u64, u128, String)>);

impl Model {
    fn version(&self, stream: &str) -> u64 {
        self.0.iter().filter(|event| event.0 == stream).count() as u64
    }

    fn append(
        &mut self,
        (stream, expected, events): &Asked,
    ) -> Result<(u64, usize, bool), &'static str> {
        let place = |index: usize| {
            (
                stream.clone(),
                expected + 1 + index as u64,
                events[index].0,
                events[index].1.clone(),
            )
        };
        let wanted: Vec<_> = (0..events.len()).map(place).collect();
        if wanted.iter().all(|event| self.0.contains(event)) {
            let last = self
                .0
                .iter()
                .position(|event| Some(event) == wanted.last())
                .unwrap();
            return Ok((expected + 1, last + 1, true));
        }
        let otherwise = |ours: &(String, u64, u128, String)| {
            let same_id = |event: &&(String, u64, u128, String)| {
                (&event.0, event.1, event.2) == (&ours.0, ours.1, ours.2)
            };
            self.0
                .iter()
                .find(same_id)
                .is_some_and(|event| event.3 != ours.3)
        };
        if wanted.iter().any(otherwise) {
            return Err("reused");
        }
        if self.version(stream) != *expected {
            return Err("wrong version");
        }
        self.0.extend(wanted);
        Ok((expected + 1, self.0.len(), false))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_is_the_models(steps in steps()) {
        runtime().block_on(async { run(Log::embedded(), steps).await })?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_over_the_protocol_is_the_models(steps in steps()) {
        runtime().block_on(async { run(Log::kurrent().await, steps).await })?;
    }
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

async fn run(log: Log, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut handles = [log.store(), log.store()];
    let mut model = Model::default();
    let mut asked: Vec<Asked> = Vec::new();
    // Positions may have gaps: of the model's n-th event, as it was told.
    let mut told = BTreeMap::new();
    for step in steps {
        let next = match step {
            Step::Reopen => {
                handles[0] = log.store();
                continue;
            }
            Step::Switch => {
                handles.swap(0, 1);
                continue;
            }
            Step::Repeat(_) if asked.is_empty() => continue,
            Step::Repeat(index) => index.get(&asked).clone(),
            Step::Append {
                stream,
                beside,
                first_id,
                events,
                body,
            } => {
                let stream = format!("s{stream}");
                let expected = model.version(&stream).saturating_add_signed(beside.into());
                let event = |index| {
                    (
                        u128::from(first_id + index) * 4,
                        json(&format!("body {body}")),
                    )
                };
                (stream, expected, (0..events).map(event).collect())
            }
        };
        let events = next.2.iter().map(|(id, body)| event(*id, body)).collect();
        let expected = model.append(&next);
        let answer = match handles[0].append(&next.0, next.1, events).await {
            Ok(done) => {
                let place = expected.map_or(0, |(_, place, _)| place);
                prop_assert_eq!(*told.entry(place).or_insert(done.position), done.position);
                Ok((done.first_version, place, done.repeated))
            }
            Err(AppendError::EventIdReused { .. }) => Err("reused"),
            Err(AppendError::WrongVersion { actual, .. }) => {
                prop_assert_eq!(actual, model.version(&next.0));
                Err("wrong version")
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        };
        prop_assert_eq!(answer, expected, "{:?}", next);
        asked.push(next);
    }
    let all = whole_log(&handles[1]).await;
    let seen: Vec<_> = all
        .iter()
        .map(|event| {
            (
                event.stream.to_string(),
                event.version,
                event.id.as_u128(),
                String::from_utf8(event.body.clone()).unwrap(),
            )
        })
        .collect();
    prop_assert_eq!(&seen, &model.0);
    for (place, position) in told {
        prop_assert_eq!(all[place - 1].position, position);
    }
    for stream in ["s0", "s1", "s2"] {
        let of_stream: Vec<_> = all
            .iter()
            .filter(|event| &*event.stream == stream)
            .cloned()
            .collect();
        prop_assert_eq!(whole_stream(&handles[0], stream).await, of_stream);
    }
    let before = all[..all.len() / 2].last();
    let middle = before.map_or(Position::START, |event| event.position);
    let mut subscription = handles[0].subscribe(middle);
    let delivery = subscription.next(1_000).await.unwrap();
    let rest = all[all.len() / 2..].to_vec();
    prop_assert_eq!(
        delivery,
        if rest.is_empty() {
            Delivery::CaughtUp(middle)
        } else {
            Delivery::Events(rest)
        }
    );
    Ok(())
}
