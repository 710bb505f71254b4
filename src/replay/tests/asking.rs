//! Questions to a real log, through the arguments as a person writes them.

use super::story::{Day, STREAM, new};
use crate::replay::paper::Paper;
use crate::replay::zone::Zone;
use crate::replay::{Replay, is_closed_pipe, print};
use clap::Parser;
use squareoff_store::EventStore;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    replay: Replay,
}

async fn day() -> (TempDir, EventStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = EventStore::open(folder.path()).unwrap();
    Day::whole().append_to(&store).await;
    (folder, store)
}

fn arguments(line: &[&str]) -> Result<Replay, String> {
    let words = std::iter::once("replay").chain(line.iter().copied());
    Command::try_parse_from(words)
        .map(|command| command.replay)
        .map_err(|error| error.to_string())
}

async fn asked(store: &EventStore, line: &[&str]) -> Result<String, String> {
    let asked = arguments(line)?;
    let paper = Paper {
        width: None,
        colour: false,
        zone: Zone::IST,
    };
    let mut out = Vec::new();
    let printed = print(store, &asked, paper, &mut out, std::future::pending()).await;
    printed.map_err(|error| format!("{error:#}"))?;
    Ok(String::from_utf8(out).unwrap())
}

/// The positions of the events that are answered.
async fn positions(store: &EventStore, line: &[&str]) -> Vec<u64> {
    let line = [line, &["--json"]].concat();
    let text = asked(store, &line).await.unwrap();
    let position = |line: &str| {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        json["position"].as_str().unwrap().parse().unwrap()
    };
    text.lines().map(position).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_filter_lets_through_what_is_asked_for() {
    let (_folder, store) = day().await;
    let events = Day::whole().events;
    let of = |fits: &dyn Fn(&squareoff_store::StoredEvent) -> bool| -> Vec<u64> {
        events
            .iter()
            .filter(|stored| fits(stored))
            .map(|stored| stored.position.as_u64())
            .collect()
    };
    let order = asked(&store, &[STREAM, "--state", "--json"]).await.unwrap();
    let order: serde_json::Value = serde_json::from_str(&order).unwrap();
    let order = &order["state"]["orders"][0];
    let (id, cl_ord_id) = (
        order["key"].as_str().unwrap(),
        order["clordid"].as_str().unwrap(),
    );
    let cancel = cl_ord_id.replace("N00", "C01");
    let request = events
        .iter()
        .find(|stored| &*stored.event_type == "SquareOffAccepted")
        .unwrap()
        .request_id;
    let request = request.to_string();
    let in_body = |text: &str| {
        let text = text.to_owned();
        move |stored: &squareoff_store::StoredEvent| {
            String::from_utf8_lossy(&stored.body).contains(&text)
        }
    };
    let of_order = {
        let holds = in_body(id);
        of(&|stored| holds(stored) || &*stored.event_type == "SquareOffAccepted")
    };
    assert!(of_order.len() > 5, "{of_order:?}");
    for (line, expected) in [
        (
            &[STREAM] as &[&str],
            of(&|stored| &*stored.stream == STREAM),
        ),
        (
            &["position-2026-11-20-C00042"],
            of(&|stored| &*stored.stream == STREAM),
        ),
        (&["position*"], of(&|stored| &*stored.stream == STREAM)),
        (&["--all"], of(&|_| true)),
        (
            &["--actor", "vikram.iyer"],
            of(&|stored| &*stored.actor == "vikram.iyer"),
        ),
        (
            &["--type", "Executed", "--type", "orderplaced"],
            of(&|stored| ["Executed", "OrderPlaced"].contains(&&*stored.event_type)),
        ),
        (&["--from", "5", "--to", "7"], vec![5, 6, 7]),
        (
            &["--kind", "refusal"],
            of(&|stored| &*stored.event_type == "RequestRefused"),
        ),
        // By streams' names, by what a bulk is about, by whose execution fits nothing, and by whose position it was matched to.
        (
            &["--client", "c00042"],
            of(&|stored| in_body("C00042")(stored) || stored.stream.contains("C00042")),
        ),
        (
            &["--symbol", "NIFTY26NOVFUT"],
            of(&|stored| {
                in_body("NIFTY26NOVFUT")(stored) || stored.stream.contains("NIFTY26NOVFUT")
            }),
        ),
        (
            &["--venue", "BSE"],
            of(&|stored| stored.stream.contains("BSE")),
        ),
        (&["--client", "C00042", "--venue", "BSE"], vec![]),
        (&["--date", "2026-11-20"], of(&|_| true)),
        (&["--date", "2026-11-19"], vec![]),
        (
            &["--request", &request],
            of(&|stored| {
                stored.request_id.to_string() == request
                    || stored.correlation_id.to_string() == request
            }),
        ),
        (&["--order", id], of_order.clone()),
        (&["--order", cl_ord_id], of_order.clone()),
        (&["--order", &cancel], of_order.clone()),
        (&["--order", "1100000012345678"], of_order.clone()),
        (
            &["--order", id, "--kind", "ask"],
            of(&|stored| {
                ["SquareOffAccepted", "OrderPlaced", "CancelRequested"]
                    .contains(&&*stored.event_type)
            }),
        ),
    ] {
        assert_eq!(positions(&store, line).await, expected, "{line:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_event_changed_does_not_depend_on_the_filter() {
    let (_folder, store) = day().await;
    let whole = asked(&store, &["--all", "--json"]).await.unwrap();
    for filter in [
        ["--type", "Executed"],
        ["--actor", "gateway-NSE"],
        ["--kind", "ask"],
        ["--from", "9"],
        ["--client", "C00042"],
    ] {
        let line = [&filter[..], &["--json"]].concat();
        for line in asked(&store, &line).await.unwrap().lines() {
            // Who asked is known of what was read; the rest is the same word for word.
            assert!(
                whole.lines().any(|of_all| of_all == line),
                "{filter:?}: {line}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_nearly_right_gets_a_sentence_that_helps() {
    let (_folder, store) = day().await;
    for (line, sentence) in [
        (
            &["platfrom"] as &[&str],
            "no event was ever appended to a stream platfrom: is platform meant?",
        ),
        (
            &["position-2026-11-20-C00042-NSE:NIFTY26NOVFUT-MIS"],
            "is position-2026-11-20-C00042-NSE:NIFTY26NOVFUT-NRML meant?",
        ),
        (
            &["--client", "C00024"],
            "the log knows no client C00024: is C00042 meant?",
        ),
        (
            &["--symbol", "NIFTY"],
            "the log knows no symbol NIFTY: is NIFTY26NOVFUT meant?",
        ),
        (
            &["--actor", "asha"],
            "nothing in the log is by asha: is asha.rao meant?",
        ),
        (
            &["--type", "OrderCancelled"],
            "no event has this type: is one of these meant: OrderCanceled",
        ),
        (&["--kind", "asks"], "[possible values: ask, fact, refusal]"),
        (
            &["--from", "14:05"],
            "a time needs its day: `2026-11-20 14:05`",
        ),
        (
            &["--date", "20-11-2026"],
            "is not a date of the form YYYY-MM-DD",
        ),
        (
            &["--order", "NOSUCHORDER"],
            "no event names order NOSUCHORDER",
        ),
        (
            &["platform", "--table"],
            "only a position's day is a table: ask `squareoff replay platform`",
        ),
        (&["--table"], "<STREAM>"),
        (
            &[STREAM, "--at-version", "99"],
            "has no version 99: its last is",
        ),
        (
            &[STREAM, "--at", "2"],
            "was not there yet: its first event has position 3",
        ),
        (&["", "--state"], "streams begin with , say which: "),
        (
            &["nothing-like-it-at-all", "--state"],
            "`squareoff replay` alone lists what there is",
        ),
        (
            &["platform", "--state", "--actor", "x"],
            "cannot be used with",
        ),
        (
            &["--zone", "Mumbai"],
            "a zone is IST, UTC, or an offset such as +04:00",
        ),
    ] {
        let refused = asked(&store, line).await.unwrap_err();
        assert!(refused.contains(sentence), "{line:?}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alone_it_says_what_can_be_asked_and_each_of_that_has_an_answer() {
    let (_folder, store) = day().await;
    let text = asked(&store, &[]).await.unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert!(rows.contains(&vec!["platform", "1", "5", "5"]), "{text}");
    assert!(rows.contains(&vec!["position", "1", "10", "10"]), "{text}");
    let mut asks = 0;
    for line in text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("squareoff replay "))
    {
        let ask = line.split("  ").next().unwrap();
        let words: Vec<&str> = ask.split(' ').collect();
        if ask.contains("--help") || ask.contains("--follow") {
            continue;
        }
        asks += 1;
        assert_ne!(asked(&store, &words).await.unwrap(), "", "{ask}");
    }
    assert!(asks >= 4, "{text}");
    let folder = tempfile::tempdir().unwrap();
    let empty = EventStore::open(folder.path()).unwrap();
    assert!(
        asked(&empty, &[])
            .await
            .unwrap()
            .starts_with("the log is empty")
    );
    assert_eq!(asked(&empty, &["--all"]).await.unwrap(), "");
}

#[test]
fn the_examples_of_the_help_are_arguments_that_are_taken() {
    use clap::CommandFactory;
    let help = Command::command().render_long_help().to_string();
    let mut examples = 0;
    for line in help
        .lines()
        .filter_map(|line| line.trim().strip_prefix("squareoff replay"))
    {
        let ask = line.split(" | ").next().unwrap();
        let ask = ask.split("      ").next().unwrap().trim();
        let words: Vec<String> = ask
            .split('\'')
            .enumerate()
            .flat_map(|(place, part)| match place % 2 {
                1 => vec![part.to_owned()],
                _ => part.split_whitespace().map(str::to_owned).collect(),
            })
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        arguments(&words).unwrap_or_else(|error| panic!("{ask}: {error}"));
        examples += 1;
    }
    assert!(examples >= 10, "{help}");
}

/// What was written so far, for a test that looks while it is being written.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<u8>>>);

impl Write for Seen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Seen {
    async fn until(&self, text: &str) {
        let seen = async {
            while !String::from_utf8_lossy(&self.0.lock().unwrap()).contains(text) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), seen)
            .await
            .expect("it is printed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followed_it_tells_what_is_appended_and_ends_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let store = EventStore::open(folder.path()).unwrap();
    let events = Day::whole().events;
    let (before, after) = events.split_at(12);
    for stored in before {
        store
            .append(&stored.stream, stored.version - 1, vec![new(stored)])
            .await
            .unwrap();
    }
    let seen = Seen::default();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let following = {
        let (reader, mut out) = (EventStore::open(folder.path()).unwrap(), seen.clone());
        let asked = arguments(&[STREAM, "--json", "--follow"]).unwrap();
        let paper = Paper {
            width: None,
            colour: false,
            zone: Zone::IST,
        };
        tokio::spawn(async move {
            print(&reader, &asked, paper, &mut out, async {
                drop(stopped.await)
            })
            .await
        })
    };
    seen.until("OrderPlaced").await;
    for stored in after {
        store
            .append(&stored.stream, stored.version - 1, vec![new(stored)])
            .await
            .unwrap();
    }
    seen.until("ExecutionBusted").await;
    stop.send(()).unwrap();
    following.await.unwrap().unwrap();
    // The same as when all of it had been there from the beginning.
    let followed = String::from_utf8(seen.0.lock().unwrap().clone()).unwrap();
    assert_eq!(followed, asked(&store, &[STREAM, "--json"]).await.unwrap());
}

/// A reader that has gone.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_goes_away_is_known_for_what_it_is() {
    let (_folder, store) = day().await;
    let paper = Paper {
        width: None,
        colour: false,
        zone: Zone::IST,
    };
    for line in [
        &[STREAM] as &[&str],
        &[STREAM, "--table"],
        &[STREAM, "--state"],
        &["--all", "--json"],
        &[],
        &["--all", "--follow"],
    ] {
        let asked = arguments(line).unwrap();
        let ended = print(&store, &asked, paper, &mut Gone, std::future::pending()).await;
        assert!(is_closed_pipe(&ended.unwrap_err()), "{line:?}");
    }
}
