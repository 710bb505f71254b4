//! The hub and its readers, without a log and without sockets.

use super::access::{self, Audience, Filter, Gate};
use super::change::{Body, Change, Part};
use super::hub::{Hub, Limits, NotNow};
use super::reader::{Reader, Start, Told};
use super::topics::Topics;
use super::wire;
use crate::auth::{DevelopmentKey, Who};
use crate::bulk::SessionClose;
use crate::server::{App, Settings};
use axum::http::{HeaderMap, header};
use futures::FutureExt;
use squareoff_domain::platform::Platform;
use squareoff_domain::{ClientCode, Role, Timestamp};
use squareoff_projections::Database;
use squareoff_store::{EventStore, Position};
use std::sync::Arc;
use std::time::Duration;

const SMALL: Limits = Limits {
    readers_max: 5,
    readers_per_person_max: 2,
    queue_max: 4,
    lag_max: 8,
    window_changes_max: 50,
    window_bytes_max: 1 << 20,
    window_begin_events: 0,
    heartbeat: Duration::from_secs(15),
    silence_max: Duration::from_secs(30),
};

fn at(number: u64) -> Position {
    Position::from_u64(number)
}

fn client(code: &str) -> ClientCode {
    code.parse().unwrap()
}

fn open_hub(limits: Limits) -> Arc<Hub> {
    let hub = Arc::new(Hub::new(limits));
    hub.begin(Position::START);
    hub.caught_up();
    hub
}

/// Something of a client's orders.
fn of_client(code: &str, position: u64) -> Option<Change> {
    let body = Body {
        position: at(position),
        recorded_at: Timestamp(0),
        client: Some(client(code)),
        parts: vec![Part::Orders(vec![])],
    };
    Change::new(&body).unwrap()
}

fn publish(hub: &Hub, code: &str, positions: impl IntoIterator<Item = u64>) {
    for position in positions {
        hub.publish(at(position), of_client(code, position));
    }
}

fn all() -> Filter {
    Filter {
        audience: Audience::All,
        topics: Topics::ALL,
    }
}

fn only(code: &str) -> Filter {
    Filter {
        audience: Audience::Client(client(code)),
        topics: Topics::ALL,
    }
}

fn gate(person: &str) -> Gate {
    let who = Who {
        name: person.into(),
        role: Role::Desk,
        client: None,
    };
    Gate::new(who, HeaderMap::new())
}

fn reader(hub: &Arc<Hub>, person: &str, filter: Filter, start: Start) -> Reader {
    let (seat, now) = hub.admit(gate(person), filter).unwrap();
    Reader::new(seat, start, now)
}

/// What there is for the reader now; words for changes and ends, with their positions.
async fn told(reader: &mut Reader) -> Vec<(&'static str, u64)> {
    // What a task may receive in one go is bounded by the runtime.
    tokio::task::yield_now().await;
    let (mut all, mut waits) = (Vec::new(), 0);
    // A look at the window yields once: that is not yet the end.
    while waits < 3 {
        let Some(next) = reader.next().now_or_never() else {
            waits += 1;
            continue;
        };
        let Some(told) = next else { break };
        waits = 0;
        all.push(match told {
            Told::Ready(position) => ("ready", position.as_u64()),
            Told::Reset(position) => ("reset", position.as_u64()),
            Told::Change(change, _) => ("change", change.position.as_u64()),
            Told::Heartbeat(position) => ("heartbeat", position.as_u64()),
            Told::Behind(position) => ("behind", position.as_u64()),
            Told::Closing(position) => ("closing", position.as_u64()),
            Told::Expelled(position) => ("expelled", position.as_u64()),
        });
    }
    all
}

fn changes(positions: impl IntoIterator<Item = u64>) -> Vec<(&'static str, u64)> {
    let positions = positions.into_iter();
    positions.map(|position| ("change", position)).collect()
}

#[tokio::test]
async fn a_slow_reader_is_told_where_to_come_back_and_costs_nobody_else_a_change() {
    let hub = open_hub(SMALL);
    let mut slow = reader(&hub, "slow", all(), Start::Now);
    let mut quick = reader(&hub, "quick", all(), Start::Now);
    let mut own = reader(&hub, "own", only("C1"), Start::Now);
    for reader in [&mut slow, &mut quick, &mut own] {
        assert_eq!(told(reader).await, [("ready", 0)]);
    }
    for position in 1..=40 {
        publish(&hub, "C1", [position]);
        assert_eq!(told(&mut quick).await, changes([position]));
        assert_eq!(told(&mut own).await, changes([position]));
    }
    // Its queue held four.
    let mut expected = changes(1..=4);
    expected.push(("behind", 4));
    assert_eq!(told(&mut slow).await, expected);
    assert!(slow.next().await.is_none());
    drop(slow);
    let mut back = reader(&hub, "slow", all(), Start::Behind(at(4)));
    let mut expected = vec![("ready", 4)];
    expected.extend(changes(5..=40));
    assert_eq!(told(&mut back).await, expected);
    publish(&hub, "C1", [41]);
    assert_eq!(told(&mut back).await, changes([41]));
}

#[tokio::test]
async fn a_burst_that_a_queue_does_not_hold_is_read_from_the_window() {
    let hub = open_hub(SMALL);
    let mut reader = reader(&hub, "asha", all(), Start::Now);
    told(&mut reader).await;
    publish(&hub, "C1", 1..=12);
    assert_eq!(told(&mut reader).await, changes(1..=12));
    publish(&hub, "C1", 13..=14);
    assert_eq!(told(&mut reader).await, changes(13..=14));
}

#[tokio::test]
async fn what_the_window_has_no_more_begins_anew() {
    let hub = open_hub(SMALL);
    publish(&hub, "C1", 1..=100);
    let mut late = reader(&hub, "asha", all(), Start::Behind(at(49)));
    assert_eq!(told(&mut late).await, [("reset", 100)]);
    let mut in_time = reader(&hub, "ravi", all(), Start::Behind(at(50)));
    let mut expected = vec![("ready", 50)];
    expected.extend(changes(51..=100));
    assert_eq!(told(&mut in_time).await, expected);
    publish(&hub, "C1", [101]);
    assert_eq!(told(&mut late).await, changes([101]));
    // One that is under way is told where it was.
    let mut under_way = reader(&hub, "mira", all(), Start::Behind(at(60)));
    let first = under_way.next().await;
    assert!(matches!(first, Some(Told::Ready(position)) if position == at(60)));
    publish(&hub, "C1", 102..=200);
    let mut expected = changes(61..=64);
    expected.push(("behind", 64));
    assert_eq!(told(&mut under_way).await, expected);
}

#[tokio::test]
async fn a_reader_that_is_ahead_of_what_is_published_is_told_nothing_twice() {
    let hub = open_hub(SMALL);
    let mut ahead = reader(&hub, "asha", all(), Start::Behind(at(2)));
    assert_eq!(told(&mut ahead).await, [("ready", 2)]);
    publish(&hub, "C1", 1..=3);
    assert_eq!(told(&mut ahead).await, changes([3]));
}

#[tokio::test]
async fn each_reader_is_shown_its_own_client_and_its_own_topics() {
    let hub = open_hub(SMALL);
    let mut one = reader(&hub, "asha", only("C1"), Start::Now);
    let mut other = reader(&hub, "asha", only("C2"), Start::Now);
    let narrow = Filter {
        topics: Topics::ORDERS,
        ..only("C2")
    };
    let mut narrow = reader(&hub, "ravi", narrow, Start::Now);
    for reader in [&mut one, &mut other, &mut narrow] {
        told(reader).await;
    }
    publish(&hub, "C1", [1]);
    publish(&hub, "C2", [2]);
    let platform = crate::routes::platform::Shown::of(&Platform::default(), 1, at(3));
    let body = Body {
        position: at(3),
        recorded_at: Timestamp(0),
        client: Some(client("C2")),
        parts: vec![Part::Orders(vec![]), Part::Platform(Box::new(platform))],
    };
    hub.publish(at(3), Change::new(&body).unwrap());
    assert_eq!(told(&mut narrow).await, changes([2, 3]));
    assert_eq!(told(&mut other).await, changes([2, 3]));
    // Of the last the platform alone.
    let Some(Told::Change(..)) = one.next().await else {
        panic!("a change of C1")
    };
    let last = one.next().await.unwrap();
    let text = String::from_utf8(wire::text(&last, &only("C1")).to_vec()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["position"], "3");
    assert!(json["platform"].is_object() && json["orders"].is_null());
    let event = String::from_utf8(wire::sse(&last, &only("C1")).to_vec()).unwrap();
    assert_eq!(event, format!("id: 3\nevent: change\ndata: {text}\n\n"));
}

#[tokio::test]
async fn places_are_limited_and_given_back() {
    let hub = open_hub(SMALL);
    let open = |person: &str| hub.admit(gate(person), all());
    let (first, _second) = (open("asha").unwrap(), open("asha").unwrap());
    assert_eq!(open("asha").unwrap_err(), NotNow::TooManyOfOne(2));
    drop(first);
    let _again = open("asha").unwrap();
    let _others = [
        open("ravi").unwrap(),
        open("ravi").unwrap(),
        open("mira").unwrap(),
    ];
    assert_eq!(open("tara").unwrap_err(), NotNow::Full(5));
    assert_eq!(hub.readers(), 5);
}

#[tokio::test]
async fn nobody_is_let_in_before_the_log_is_read_nor_after_it_can_not_be() {
    let hub = Arc::new(Hub::new(SMALL));
    let open = || hub.admit(gate("asha"), all()).map(|_| ());
    assert_eq!(open(), Err(NotNow::Reading));
    hub.begin(Position::START);
    hub.caught_up();
    assert_eq!(open(), Ok(()));
    hub.stop("an event of a newer release".into());
    let stopped = NotNow::Stopped("an event of a newer release".into());
    assert_eq!(open(), Err(stopped));
}

#[tokio::test]
async fn at_the_end_readers_are_told_what_was_published_and_that_it_is_the_end() {
    let hub = open_hub(SMALL);
    let mut listening = reader(&hub, "asha", all(), Start::Now);
    told(&mut listening).await;
    publish(&hub, "C1", 1..=3);
    let mut beginning = reader(&hub, "ravi", all(), Start::Behind(at(2)));
    hub.close();
    let mut expected = changes(1..=3);
    expected.push(("closing", 3));
    assert_eq!(told(&mut listening).await, expected);
    assert_eq!(told(&mut beginning).await, [("closing", 2)]);
    assert!(listening.next().await.is_none());
    assert_eq!(hub.admit(gate("mira"), all()).unwrap_err(), NotNow::Closing);
    drop((listening, beginning));
    hub.emptied().await;
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_moves_a_reader_on_past_what_it_is_not_shown() {
    let hub = open_hub(SMALL);
    let mut reader = reader(&hub, "asha", only("C1"), Start::Now);
    told(&mut reader).await;
    publish(&hub, "C2", 1..=7);
    let beat = reader.next().await.unwrap();
    assert!(
        matches!(beat, Told::Heartbeat(position) if position == at(7)),
        "{beat:?}"
    );
    assert_eq!(&*wire::sse(&beat, &all()), b": heartbeat\nid: 7\n\n");
    publish(&hub, "C1", [8]);
    assert_eq!(told(&mut reader).await, changes([8]));
}

#[tokio::test]
async fn the_window_is_bounded_in_bytes_too() {
    let one = of_client("C1", 1).unwrap().bytes();
    let hub = open_hub(Limits {
        window_bytes_max: 10 * one + one / 2,
        ..SMALL
    });
    publish(&hub, "C1", 1..=30);
    let mut reader = reader(&hub, "asha", all(), Start::Behind(at(19)));
    assert_eq!(told(&mut reader).await, [("reset", 30)]);
}

/// Readers come, are cut off and come back while changes are published by another thread: none is left out, none told twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn coming_back_while_changes_flow_leaves_none_out_and_tells_none_twice() {
    const LAST: u64 = 30_000;
    let hub = open_hub(Limits {
        readers_max: 100,
        readers_per_person_max: 100,
        queue_max: 16,
        lag_max: 64,
        window_changes_max: usize::MAX,
        window_bytes_max: usize::MAX,
        ..SMALL
    });
    let code = |position: u64| {
        if position.is_multiple_of(3) {
            "C1"
        } else {
            "C2"
        }
    };
    let mut reading = tokio::task::JoinSet::new();
    for number in 0..12_u64 {
        let hub = hub.clone();
        reading.spawn(async move {
            let one = number.is_multiple_of(2);
            let filter = || if one { only("C1") } else { all() };
            let step = if one { 3 } else { 1 };
            let (mut seen, mut cuts) = (0, 0);
            while seen < LAST {
                let mut reader = reader(&hub, "asha", filter(), Start::Behind(at(seen)));
                // Cut off after another number of changes each time.
                for _ in 0..(number * 37 + cuts * 11) % 500 + 1 {
                    match reader.next().await.unwrap() {
                        Told::Change(change, _) => {
                            assert_eq!(change.position.as_u64(), seen + step);
                            seen += step;
                        }
                        Told::Behind(position) => {
                            assert_eq!(position.as_u64() / step, seen / step);
                            break;
                        }
                        Told::Ready(_) | Told::Heartbeat(_) => {}
                        Told::Reset(_) | Told::Closing(_) | Told::Expelled(_) => {
                            panic!("none of them has come")
                        }
                    }
                    if seen == LAST {
                        break;
                    }
                }
                cuts += 1;
            }
        });
    }
    for position in 1..=LAST {
        publish(&hub, code(position), [position]);
        if position.is_multiple_of(100) {
            tokio::task::yield_now().await;
        }
    }
    while let Some(read) = reading.join_next().await {
        read.unwrap();
    }
    assert_eq!(hub.readers(), 0);
}

#[tokio::test]
async fn who_may_listen_no_more_is_told_nothing_more() {
    let hub = open_hub(SMALL);
    let mut reader = reader(&hub, "asha", only("C1"), Start::Now);
    let mut other = self::reader(&hub, "ravi", only("C1"), Start::Now);
    told(&mut reader).await;
    told(&mut other).await;
    publish(&hub, "C1", [1]);
    let gates = hub.gates();
    let (id, _) = gates
        .iter()
        .find(|(_, gate)| &*gate.who.name == "asha")
        .unwrap();
    hub.expel(*id);
    publish(&hub, "C1", [2]);
    // Not even what waited already.
    assert_eq!(told(&mut reader).await, [("expelled", 0)]);
    assert!(reader.next().await.is_none());
    assert_eq!(told(&mut other).await, changes([1, 2]));
}

/// A token that speaks for nobody any more ends what was opened with it, and nothing else.
#[tokio::test]
async fn whoever_listens_is_asked_again_who_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let store = EventStore::open(&folder.path().join("log")).unwrap();
    let reads = Database::from_url("postgres://nobody@127.0.0.1:1/nothing");
    let key = DevelopmentKey::load_or_create(&folder.path().join("development.key")).unwrap();
    let settings = Settings {
        reference_age_max_s: 86_400,
        venue_message_rate: 100,
        caller_verification: false,
        approval_notional: None,
        caller_verification_minutes: 15,
        session_close: SessionClose::default(),
    };
    let token = key.token("desk-asha").unwrap();
    let mut app = App::start(store, reads.unwrap().pool(1), key, settings);
    app.sample_log_ins = true;
    app.live.begun().await;
    let open = |name: &str, token: &str| {
        let mut headers = HeaderMap::new();
        let bearer = format!("Bearer {token}").parse().unwrap();
        headers.insert(header::AUTHORIZATION, bearer);
        let gate = Gate::new(gate(name).who, headers);
        app.live.open(gate, all(), Start::Now).unwrap()
    };
    let mut known = open("desk-asha", &token);
    let mut gone = open("desk-asha", &format!("{token}0"));
    let mut somebody_else = open("desk-ravi", &token);
    for reader in [&mut known, &mut gone, &mut somebody_else] {
        told(reader).await;
    }
    access::check(&app.live, &app).await;
    assert_eq!(told(&mut known).await, []);
    for reader in [&mut gone, &mut somebody_else] {
        assert_eq!(told(reader).await, [("expelled", 0)]);
    }
}

#[test]
fn an_investor_listens_to_the_own_client_alone_and_each_role_to_what_it_may_read() {
    let who = |role, client: Option<&str>| Who {
        name: "somebody".into(),
        role,
        client: client.map(|code| code.parse().unwrap()),
    };
    let investor = who(Role::Investor, Some("C00001"));
    let own = Filter {
        audience: Audience::Client(client("C00001")),
        topics: Topics::ORDERS.or(Topics::POSITIONS).or(Topics::APPROVALS),
    };
    for asked in [None, Some(client("C00001"))] {
        assert_eq!(Filter::of(&investor, asked, None).unwrap(), own);
    }
    let refused = |who: &Who, client, topics| Filter::of(who, client, topics).unwrap_err().code;
    assert_eq!(
        refused(&investor, Some(client("C00002")), None),
        "not-allowed"
    );
    for topics in [Topics::ALL, Topics::PLATFORM, Topics::BULK] {
        assert_eq!(refused(&investor, None, Some(topics)), "not-allowed");
    }
    assert_eq!(
        refused(&who(Role::Investor, None), None, None),
        "not-allowed"
    );
    for role in [Role::Desk, Role::Supervisor, Role::Auditor] {
        assert_eq!(Filter::of(&who(role, None), None, None).unwrap(), all());
    }
    let machine = who(Role::Machine, None);
    for topics in [Topics::BULK, Topics::APPROVALS] {
        assert_eq!(refused(&machine, None, Some(topics)), "not-allowed");
    }
    let administrator = who(Role::Administrator, None);
    assert_eq!(
        refused(&administrator, None, Some(Topics::ORDERS)),
        "not-allowed"
    );
    let platform = Filter::of(&administrator, None, None).unwrap();
    assert_eq!(platform.topics, Topics::PLATFORM);
}
