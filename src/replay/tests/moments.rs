//! The state at any version, position and time is the naive fold of what had been recorded by then.

use super::story::{Day, STREAM};
use crate::replay::sheet::State;
use crate::replay::stand::{At, Stand};
use crate::replay::zone::{Instant, Zone};
use proptest::prelude::*;
use squareoff_domain::Timestamp;
use squareoff_store::{EventStore, StoredEvent, codec};
use std::sync::OnceLock;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A log is opened once for all cases.
fn log() -> &'static (Runtime, TempDir, EventStore, Vec<StoredEvent>) {
    static LOG: OnceLock<(Runtime, TempDir, EventStore, Vec<StoredEvent>)> = OnceLock::new();
    LOG.get_or_init(|| {
        let runtime = Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = EventStore::open(folder.path()).unwrap();
        let events = runtime.block_on(async {
            Day::whole().append_to(&store).await;
            store
                .read_all(squareoff_store::Position::START, 1_000)
                .await
                .unwrap()
        });
        (runtime, folder, store, events)
    })
}

fn folded<'a>(events: impl Iterator<Item = &'a StoredEvent>) -> Option<State> {
    events.fold(None, |state, stored| {
        let event = codec::decode(stored).unwrap();
        let before = state.unwrap_or_else(|| State::before(&event));
        Some(before.evolve(&event).unwrap())
    })
}

fn stand(stream: &str, at: At) -> Option<Stand> {
    let (runtime, _, store, _) = log();
    runtime
        .block_on(Stand::read(store, stream, at, Zone::IST))
        .ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn a_state_is_the_fold_of_what_had_been_recorded(pick in any::<prop::sample::Index>(), shift in -2_i64..3) {
        let (_, _, _, events) = log();
        let chosen = pick.get(events);
        let of_stream = || events.iter().filter(|stored| stored.stream == chosen.stream);
        let stream = &*chosen.stream;

        let by_version = of_stream().take_while(|stored| stored.version <= chosen.version);
        let at = stand(stream, At::Version(chosen.version)).unwrap();
        prop_assert_eq!(Some(at.state), folded(by_version));

        let position = chosen.position.as_u64().saturating_add_signed(shift);
        let by_position = of_stream().filter(|stored| stored.position.as_u64() <= position);
        let at = stand(stream, At::Instant(Instant::Position(position)));
        prop_assert_eq!(at.map(|stand| stand.state), folded(by_position));

        let time = Timestamp(chosen.recorded_at.0 + shift);
        let last = of_stream().rfind(|stored| stored.recorded_at <= time).map_or(0, |stored| stored.version);
        let by_time = of_stream().filter(|stored| stored.version <= last);
        let at = stand(stream, At::Instant(Instant::Time(time)));
        prop_assert_eq!(at.map(|stand| stand.state), folded(by_time));

        let now = stand(stream, At::Now).unwrap();
        prop_assert_eq!(now.version, u64::try_from(of_stream().count()).unwrap());
        prop_assert_eq!(Some(now.state), folded(of_stream()));
    }
}

#[test]
fn what_was_open_before_and_behind_an_execution() {
    let net = |version| {
        let stand = stand(STREAM, At::Version(version)).unwrap();
        stand.json()["state"]["net"].clone()
    };
    let events = &log().3;
    let filled = events
        .iter()
        .find(|stored| &*stored.event_type == "Executed")
        .unwrap()
        .version;
    assert_eq!((net(filled - 1), net(filled)), (500.into(), 450.into()));
}
