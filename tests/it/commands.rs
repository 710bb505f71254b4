//! The command line as an operator meets it: mistakes are one clear sentence and a non-zero exit.

use squareoff::demo::free_port;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

pub fn squareoff(data: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_squareoff"))
        .args(arguments)
        .env_remove("DATABASE_URL")
        .env("SQUAREOFF_DATA", data)
        .envs(environment.iter().copied())
        .current_dir(data)
        .output()
        .unwrap()
}

/// The sentence of a command that must fail.
pub fn refused(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{text}");
    let sentence = text.lines().find(|line| line.starts_with("squareoff: "));
    sentence
        .unwrap_or_else(|| panic!("no sentence in {text}"))
        .to_owned()
}

pub fn said(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_taken_port_is_named_with_the_setting_that_moves_it() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (setting, who) in [
        ("SQUAREOFF_API_LISTEN", "the API"),
        ("SQUAREOFF_EXCHANGE_ADDRESS", "the exchange"),
    ] {
        let free = free_port().unwrap();
        let other = if setting == "SQUAREOFF_API_LISTEN" {
            "SQUAREOFF_EXCHANGE_ADDRESS"
        } else {
            "SQUAREOFF_API_LISTEN"
        };
        let sentence = refused(&squareoff(
            folder.path(),
            &["up"],
            &[(setting, &address), (other, &free)],
        ));
        let expected = format!(
            "squareoff: port {} of {who} is taken by another process: stop it, or set {setting} to another address",
            taken.local_addr().unwrap().port()
        );
        assert_eq!(sentence, expected);
    }
}

#[test]
fn a_data_folder_of_another_release_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("format"), "9").unwrap();
    let sentence = refused(&squareoff(folder.path(), &["up"], &[]));
    assert!(
        sentence.contains("has format 9, this release knows format 1"),
        "{sentence}"
    );
}

#[test]
fn missing_postgres_programs_are_said_and_how_to_get_them() {
    let folder = tempfile::tempdir().unwrap();
    let free = || free_port().unwrap();
    let empty = tempfile::tempdir().unwrap();
    let environment = [
        ("SQUAREOFF_PG_BIN", empty.path().to_str().unwrap()),
        ("SQUAREOFF_API_LISTEN", &free()),
        ("SQUAREOFF_EXCHANGE_ADDRESS", &free()),
    ];
    let sentence = refused(&squareoff(folder.path(), &["up"], &environment));
    assert!(
        sentence.contains("initdb") && sentence.contains(empty.path().to_str().unwrap()),
        "{sentence}"
    );
}

#[test]
fn a_mistaken_configuration_is_reported_whole() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("squareoff.toml"),
        "heartbeat_s = 0\nlisten = \"x\"\n",
    )
    .unwrap();
    let output = squareoff(
        folder.path(),
        &["platform", "status"],
        &[("SQUAREOFF_API_LISTEN", "nowhere")],
    );
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        refused(&output).ends_with("the configuration has 3 mistakes:"),
        "{text}"
    );
    for part in [
        "heartbeat_s in squareoff.toml",
        "listen in squareoff.toml",
        "SQUAREOFF_API_LISTEN `nowhere`",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}

#[test]
fn the_set_up_of_a_data_folder_step_by_step() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        squareoff(
            folder.path(),
            arguments,
            &[
                ("SQUAREOFF_TRADING_DATE", "2026-11-20"),
                ("SQUAREOFF_SAMPLE_POSITIONS", "40"),
            ],
        )
    };
    assert_eq!(
        said(&run(&["platform", "status"])),
        "{\"activation\":null,\"cancel_alls\":[],\"disconnect_requests\":[],\"disconnects\":[],\"epoch\":0,\"halts\":[],\"handback_requested_by\":null,\"markets\":{},\"platform\":\"dormant\",\"resumes\":[],\"trading_date\":null}\n"
    );
    assert!(
        refused(&run(&["platform", "activate", "--reason", "drill"]))
            .contains("without --date the book says the trading date")
    );
    said(&run(&["book", "sample"]));
    assert!(refused(&run(&["book", "sample"])).contains("already there"));
    assert!(said(&run(&["book", "import"])).contains("0 known already"));
    assert!(said(&run(&["book", "import"])).contains(": 0 events recorded"));
    assert_eq!(
        said(&run(&["platform", "activate", "--reason", "drill"])),
        "{\"activation\":null,\"cancel_alls\":[],\"disconnect_requests\":[],\"disconnects\":[],\"epoch\":1,\"halts\":[],\"handback_requested_by\":null,\"markets\":{},\"platform\":\"active\",\"resumes\":[],\"trading_date\":\"2026-11-20\"}\n"
    );
    assert!(
        refused(&run(&["platform", "activate", "--reason", "drill"]))
            .contains("already active (epoch 1)")
    );
    said(&run(&["platform", "stand-down", "--reason", "drill over"]));
    let log = said(&run(&["replay", "platform", "--json"]));
    let types: Vec<_> = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["type"].clone())
        .collect();
    assert_eq!(
        types,
        ["BookLoaded", "PlatformActivated", "PlatformStoodDown"]
    );
    let position = serde_json::from_str::<serde_json::Value>(log.lines().last().unwrap()).unwrap()
        ["position"]
        .as_str()
        .unwrap()
        .to_owned();
    let last = said(&run(&["replay", "platform", "--from", &position, "--json"]));
    assert_eq!(last, log.lines().last().unwrap().to_owned() + "\n");
    assert!(refused(&run(&["replay", "platfrom"])).ends_with("is platform meant?"));
    let told = said(&run(&["replay", "platform"]));
    assert!(
        told.contains("activated the platform for 2026-11-20, epoch 1: drill"),
        "{told}"
    );
    assert!(
        !told.contains('\u{1b}'),
        "colours are for terminals: {told}"
    );
    assert!(said(&run(&["replay"])).contains("squareoff replay platform"));
    let whole = said(&run(&["replay", "--all", "--json"]));
    assert_eq!(
        whole
            .lines()
            .filter(|line| line.contains("\"BodLoaded\""))
            .count(),
        40
    );
    assert!(
        !whole.contains("@example.com") && !whole.contains("+91 "),
        "no identity enters the log"
    );
    assert!(refused(&run(&["rebuild"])).contains("there is no read database: set DATABASE_URL"));
    assert!(refused(&run(&["health", "gateway"])).contains("no gateway runs"));
    assert!(refused(&run(&["health", "bulk"])).contains("no bulk worker runs"));
    let token = said(&run(&["token", "desk-asha"]));
    assert!(token.starts_with("sqo.desk-asha.") && token == said(&run(&["token", "desk-asha"])));
    assert!(refused(&run(&["token", "Desk Asha"])).contains("cannot be an actor"));
    assert!(refused(&run(&["token", "asha"])).contains("has no role: an actor is desk-"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_of_a_newer_release_ends_every_reader_with_one_sentence() {
    let test = squareoff_projections::testing::TestDatabase::start()
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = test.url();
    let run = |arguments: &[&str]| squareoff(folder.path(), arguments, &[("DATABASE_URL", &url)]);
    said(&run(&["platform", "status"]));
    let newer = squareoff_store::NewEvent {
        id: uuid::Uuid::from_u128(1),
        event_type: "BodLoaded",
        schema_version: 9,
        occurred_at: squareoff_domain::Timestamp(0),
        actor: "test".into(),
        request_id: uuid::Uuid::nil(),
        correlation_id: uuid::Uuid::nil(),
        trace_id: None,
        epoch: 1,
        body: b"{}".to_vec(),
    };
    let store = squareoff_store::EventStore::open(&folder.path().join("log")).unwrap();
    let stream = "position-2026-11-20-C00001-NSE:RELIANCE-MIS";
    store.append(stream, 0, vec![newer]).await.unwrap();

    for arguments in [
        &["rebuild"] as &[&str],
        &["rebuild", "--as-of", "1", "--schema", "audit"],
        &[
            "rebuild",
            "--as-of",
            "2100-01-01T00:00:00Z",
            "--schema",
            "later",
        ],
        &["projections"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let sentence = refused(&output);
        let expected = "the log holds BodLoaded v9 at position 1; this release knows v";
        assert!(sentence.contains(expected), "{arguments:?}: {sentence}");
    }
    // Before it there is nothing in the way; and what was made is listed, kept from a second command, and dropped.
    let copy = ["rebuild", "--as-of", "0", "--schema", "before"];
    let made = said(&run(&copy));
    assert!(
        made.contains("schema before stands at position 0"),
        "{made}"
    );
    assert!(
        refused(&run(&copy)).ends_with("schema before is there already: --replace makes it anew")
    );
    let listed = said(&run(&["rebuild", "--list"]));
    assert!(listed.contains("before at position 0, made "), "{listed}");
    assert!(
        listed.contains("unfinished"),
        "those that were stopped: {listed}"
    );
    for copy in ["before", "audit", "later"] {
        said(&run(&["rebuild", "--drop", copy]));
    }
    assert_eq!(said(&run(&["rebuild", "--list"])), "there are no copies\n");
    let reserved = run(&["rebuild", "--as-of", "0", "--schema", "read_live"]);
    assert_eq!(reserved.status.code(), Some(2));
}

/// Whatever the event is about: what it changes is unknown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_reader_of_the_log_goes_past_an_event_that_it_does_not_know() {
    for (stream, event_type, schema_version, named) in [
        (
            "position-2026-11-20-C00001-NSE:RELIANCE-MIS",
            "OrderPlaced",
            2,
            "OrderPlaced v2 at position 1; this release knows v1",
        ),
        (
            "platform",
            "PlatformHalved",
            1,
            "PlatformHalved at position 1, which this release does not know here",
        ),
        (
            "profits",
            "ProfitTaken",
            1,
            "ProfitTaken at position 1, which this release does not know here",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        said(&squareoff(folder.path(), &["platform", "status"], &[]));
        let unknown = squareoff_store::NewEvent {
            id: uuid::Uuid::from_u128(1),
            event_type,
            schema_version,
            occurred_at: squareoff_domain::Timestamp(0),
            actor: "test".into(),
            request_id: uuid::Uuid::nil(),
            correlation_id: uuid::Uuid::nil(),
            trace_id: None,
            epoch: 1,
            body: b"{}".to_vec(),
        };
        let store = squareoff_store::EventStore::open(&folder.path().join("log")).unwrap();
        store.append(stream, 0, vec![unknown]).await.unwrap();
        for reader in [
            &["replay"] as &[&str],
            &["replay", "--all"],
            &["replay", stream],
            &["replay", stream, "--state"],
            &["gateway"],
            &["bulk"],
        ] {
            let sentence = refused(&squareoff(folder.path(), reader, &[]));
            assert!(
                sentence.contains(&format!("the log holds {named}")),
                "{reader:?}: {sentence}"
            );
        }
    }
}

#[test]
fn a_log_is_checked_backed_up_and_restored() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| squareoff(folder.path(), arguments, &[]);
    let sentence = refused(&run(&["store", "check"]));
    assert!(sentence.contains("there is no event log"), "{sentence}");
    said(&run(&["book", "sample"]));
    said(&run(&["book", "import"]));
    let sound = said(&run(&["store", "check"]));
    assert!(sound.starts_with("the log is sound: "), "{sound}");

    let backed_up = said(&run(&["store", "backup", "backup"]));
    assert!(backed_up.contains("SHA-256"), "{backed_up}");
    let sentence = refused(&run(&["store", "backup", "backup"]));
    assert!(sentence.contains("holds something already"), "{sentence}");
    let data = folder.path().to_str().unwrap();
    let sentence = refused(&run(&["store", "restore", "backup", data]));
    assert!(
        sentence.contains("holds an event log already"),
        "{sentence}"
    );
    said(&run(&["store", "restore", "backup", "other"]));
    assert_eq!(said(&run(&["store", "check", "other"])), sound);

    let file = folder.path().join("other/log/events.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let word = b"ContractListed";
    let at = bytes.windows(word.len()).position(|here| here == word);
    bytes[at.unwrap()] = b'X';
    std::fs::write(&file, bytes).unwrap();
    let altered = run(&["store", "check", "other"]);
    let found = String::from_utf8_lossy(&altered.stdout);
    assert!(!altered.status.success(), "{found}");
    assert!(
        found.contains("the log holds XontractListed at position "),
        "{found}"
    );
    assert!(found.contains("the log is not sound: "), "{found}");
}

#[test]
fn the_kill_switch_takes_one_person_and_its_release_two() {
    let folder = tempfile::tempdir().unwrap();
    let platform = |words: &[&str]| {
        let words = [&["platform"], words].concat();
        squareoff(folder.path(), &words, &[])
    };
    let state = |output: &Output| -> serde_json::Value {
        serde_json::from_str(said(output).trim()).unwrap()
    };
    let unknown_day = platform(&[
        "market",
        "--venue",
        "NSE",
        "--segment",
        "CM",
        "--phase",
        "open",
    ]);
    assert!(refused(&unknown_day).contains("say the trading date with --date"));
    let date = "2026-11-20";
    let activate = ["activate", "--reason", "drill", "--date", date];
    assert!(refused(&platform(&activate)).contains("the book of 2026-11-20 is not loaded"));
    let anyhow = [&activate[..], &["--without-book", "only the markets"]].concat();
    said(&platform(&anyhow));
    let open = platform(&[
        "market",
        "--venue",
        "NSE",
        "--segment",
        "CM",
        "--phase",
        "open",
    ]);
    assert_eq!(state(&open)["markets"]["NSE/CM"], "open");
    let halted = state(&platform(&[
        "halt", "--scope", "NSE/CM", "--reason", "drill",
    ]));
    assert_eq!(halted["halts"][0]["scope"], "NSE/CM");
    assert_eq!(halted["halts"][0]["by"], "operator");
    let again = refused(&platform(&[
        "halt", "--scope", "NSE/CM", "--reason", "drill",
    ]));
    assert!(again.contains("already halted for NSE/CM"), "{again}");
    said(&platform(&[
        "resume", "--scope", "NSE/CM", "--reason", "over",
    ]));
    // A disconnect wants the whole venue halted first, and another person; a reconnect neither.
    let disconnect = ["disconnect", "--venue", "NSE", "--reason", "drill"];
    let early = refused(&platform(&disconnect));
    assert!(early.contains("halt them first"), "{early}");
    platform(&["halt", "--scope", "NSE", "--reason", "drill"]);
    said(&platform(&disconnect));
    let approve = ["approve-disconnect", "--venue", "NSE"];
    let own = refused(&platform(&approve));
    assert!(own.contains("another person has to approve"), "{own}");
    let by_ravi = [
        "--as",
        "supervisor-ravi",
        "approve-disconnect",
        "--venue",
        "NSE",
    ];
    let away = state(&platform(&by_ravi));
    assert_eq!(away["disconnects"], serde_json::json!(["NSE"]));
    let back = platform(&["reconnect", "--venue", "NSE", "--reason", "over"]);
    assert_eq!(state(&back)["disconnects"], serde_json::json!([]));
    platform(&["resume", "--scope", "NSE", "--reason", "over"]);
    platform(&[
        "--as",
        "supervisor-ravi",
        "approve-resume",
        "--scope",
        "NSE",
    ]);
    let own = refused(&platform(&["approve-resume", "--scope", "NSE/CM"]));
    assert!(own.contains("another person has to approve"), "{own}");
    let resumed = platform(&[
        "--as",
        "supervisor-ravi",
        "approve-resume",
        "--scope",
        "NSE/CM",
    ]);
    assert_eq!(state(&resumed)["halts"], serde_json::json!([]));
    let shut = platform(&[
        "market",
        "--venue",
        "NSE",
        "--segment",
        "CM",
        "--phase",
        "shut",
    ]);
    assert!(!shut.status.success());
}

#[test]
fn whatever_two_people_agree_on_can_be_turned_down_from_the_command_line_too() {
    let folder = tempfile::tempdir().unwrap();
    let platform = |words: &str| {
        let words = format!("platform {words}");
        squareoff(folder.path(), &Vec::from_iter(words.split(' ')), &[])
    };
    let state = |output: &Output| -> serde_json::Value {
        serde_json::from_str(said(output).trim()).unwrap()
    };
    let asked = "request-activation --date 2026-11-20 --outage-began-at 2026-11-20T09:40:00+05:30 --reason drill";
    let tomorrow = asked.replace("date 2026", "date 2999");
    assert!(refused(&platform(&tomorrow)).contains("have begun"));
    let wish = state(&platform(asked));
    assert_eq!(wish["activation"]["requested_by"], "operator");
    assert!(refused(&platform("approve-activation")).contains("another person has to approve"));
    platform("reject-activation --reason no");
    platform(asked);
    platform("--as supervisor-ravi approve-activation");
    platform("start-loading");
    assert!(
        refused(&platform("finish-activation")).contains("the book of 2026-11-20 is not loaded")
    );
    let active = state(&platform("finish-activation --without-book drill"));
    assert_eq!(
        (&active["platform"], &active["epoch"]),
        (&"active".into(), &1.into())
    );

    platform("halt --scope NSE --reason drill");
    platform("resume --scope NSE --reason over");
    let kept = state(&platform("reject-resume --scope NSE --reason no"));
    assert_eq!(
        (kept["halts"].as_array().unwrap().len(), &kept["resumes"]),
        (1, &serde_json::json!([]))
    );
    let wish = state(&platform("disconnect --venue NSE --reason drill"));
    assert_eq!(wish["disconnect_requests"][0]["venue"], "NSE");
    let kept = state(&platform("reject-disconnect --venue NSE --reason no"));
    assert_eq!(kept["disconnect_requests"], serde_json::json!([]));
    assert!(
        refused(&platform(
            "--as supervisor-ravi approve-disconnect --venue NSE"
        ))
        .contains("nobody")
    );

    let kill_id = |state: &serde_json::Value| {
        state["cancel_alls"][0]["kill_id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let first = kill_id(&state(&platform("cancel-all --scope NSE --reason drill")));
    platform(&format!("reject-cancel-all --kill-id {first} --reason no"));
    let second = kill_id(&state(&platform("cancel-all --scope NSE --reason drill")));
    let own = refused(&platform(&format!("approve-cancel-all --kill-id {second}")));
    assert!(own.contains("another person has to approve"), "{own}");
    let done = state(&platform(&format!(
        "--as supervisor-ravi approve-cancel-all --kill-id {second}"
    )));
    assert_eq!(done["cancel_alls"], serde_json::json!([]));

    let wish = state(&platform("request-hand-back --reason done"));
    assert_eq!(wish["handback_requested_by"], "operator");
    let active = state(&platform("reject-hand-back --reason no"));
    assert_eq!(active["platform"], "active");
    platform("request-hand-back --reason done");
    let draining = state(&platform("--as supervisor-ravi approve-hand-back"));
    assert_eq!(draining["platform"], "draining");
}

/// The secret stands alone on its line, indented.
pub fn secret_in(said: &str) -> String {
    let mut lines = said.lines().filter_map(|line| line.strip_prefix("  "));
    let secret = lines
        .next()
        .unwrap_or_else(|| panic!("no secret in {said}"));
    assert_eq!(secret.len(), 43, "{secret}");
    secret.to_owned()
}

#[test]
fn the_first_administrator_is_enrolled_by_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let operator = |arguments: &[&str]| {
        let arguments = [&["operator"], arguments].concat();
        squareoff(folder.path(), &arguments, &[])
    };
    let enrol = [
        "enrol",
        "admin-kiran",
        "--name",
        "Kiran",
        "--role",
        "administrator",
        "--reason",
        "first",
    ];
    let enrolled = said(&operator(&enrol));
    assert!(
        enrolled.starts_with("admin-kiran is enrolled as administrator\n"),
        "{enrolled}"
    );
    let first = secret_in(&enrolled);
    let sentence = refused(&operator(&enrol));
    assert_eq!(sentence, "squareoff: admin-kiran is enrolled already");
    let listed: serde_json::Value = serde_json::from_str(&said(&operator(&["list"]))).unwrap();
    assert_eq!(listed["operator"], "admin-kiran");
    assert_eq!(
        (&listed["role"], &listed["ready"]),
        (&"administrator".into(), &false.into())
    );
    let reset = said(&operator(&["reset", "admin-kiran", "--reason", "lost it"]));
    assert_ne!(secret_in(&reset), first);
    said(&operator(&["disable", "admin-kiran", "--reason", "left"]));
    let sentence = refused(&operator(&["reset", "admin-kiran", "--reason", "lost it"]));
    assert_eq!(sentence, "squareoff: admin-kiran is disabled");
    let told = said(&squareoff(
        folder.path(),
        &["replay", "operator-admin-kiran"],
        &[],
    ));
    assert!(told.contains("disabled admin-kiran: left"), "{told}");
    assert!(!told.contains(&first));
    let program = [
        "enrol",
        "machine-recon",
        "--name",
        "Reconciliation",
        "--role",
        "machine",
        "--reason",
        "nightly",
    ];
    secret_in(&said(&operator(&program)));
}
