//! Who the clients are is nowhere in the clear: a whole run with planted identities, then every byte that it left is searched for them.

use crate::commands::{refused, said, squareoff};
use crate::up::Up;
use serde_json::{Value, json};
use squareoff::demo::free_port;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Guard against hanging; nothing waits for it on purpose.
const PATIENCE: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(20);
/// As much as there is to say, the queries of the read database too.
const DEBUG: [(&str, &str); 1] = [("SQUAREOFF_LOG", "debug")];

/// Client code, name, PAN, e-mail, phone, date of birth: no one else's, and no part of anything that may be shown.
const PLANTED: &[[&str; 6]] = &[
    [
        "C00001",
        "Xiquelina Vosterbury",
        "QWXPK7319L",
        "xiquelina.v@zanzibarmail.example",
        "+91 73190 46281",
        "1937-08-13",
    ],
    [
        "C00002",
        "Ballinderry Quaxworth",
        "ZRTPB5482M",
        "bq5482@ulanbatormail.example",
        "+91 54829 17364",
        "1941-03-27",
    ],
    [
        "C00003",
        "Thrumbald Ockenwray",
        "LKJPT9027N",
        "ockenwray@lesothomail.example",
        "+91 90271 83645",
        "1933-11-19",
    ],
];
/// A branch that may be read everywhere: the search finds what is there.
const CONTROL: &str = "CTRL-BRANCH-8812";

/// A data folder that the server's user reaches, with a sample book in which the first clients are the planted ones.
fn planted(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    let small = [
        ("SQUAREOFF_SAMPLE_CLIENTS", "12"),
        ("SQUAREOFF_SAMPLE_POSITIONS", "30"),
        ("SQUAREOFF_SAMPLE_ORDERS", "2"),
    ];
    said(&squareoff(folder, &["book", "sample"], &small));
    let file = folder.join("book/clients.csv");
    let text = fs::read_to_string(&file).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (line, [code, name, pan, email, phone, born]) in lines[1..].iter_mut().zip(PLANTED) {
        assert!(line.starts_with(code), "{line}");
        *line = format!("{code},{name},retail,{CONTROL},CM|FO,{pan},{email},{phone},{born}");
    }
    fs::write(&file, lines.join("\n") + "\n").unwrap();
}

/// Every text that must not be found, as people and programs may write it.
fn secrets() -> Vec<String> {
    let mut secrets = Vec::new();
    for [_, name, pan, email, phone, born] in PLANTED {
        let (first, last) = name.split_once(' ').unwrap();
        let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
        for text in [
            first,
            last,
            pan,
            email,
            phone,
            born,
            digits.as_str(),
            &digits[2..],
        ] {
            secrets.push(text.to_owned());
        }
        secrets.push(pan.to_ascii_lowercase());
        secrets.push(pan.bytes().map(|byte| format!("{byte:02x}")).collect());
    }
    secrets
}

/// The secrets that some bytes hold.
fn found_in<'a>(bytes: &[u8], secrets: &'a [String]) -> Vec<&'a str> {
    let holds = |needle: &str| memchr::memmem::find(bytes, needle.as_bytes()).is_some();
    secrets
        .iter()
        .map(String::as_str)
        .filter(|secret| holds(secret))
        .collect()
}

/// Every file below the folder, save for the broker's own book.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() && !path.ends_with("book") {
            found.extend(files(&path));
        } else if kind.is_file() {
            found.push(path);
        }
    }
    found
}

fn files_with(folder: &Path, secrets: &[String]) -> Vec<PathBuf> {
    let holds = |path: &PathBuf| !found_in(&fs::read(path).unwrap(), secrets).is_empty();
    files(folder).into_iter().filter(holds).collect()
}

#[tokio::test]
async fn no_planted_identity_is_in_the_log_the_database_the_logs_or_what_the_api_says() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    planted(folder);
    let address = free_port().unwrap();
    let up = Up::start(folder, &address, &DEBUG);
    let (secrets, control) = (secrets(), [CONTROL.to_owned()]);
    let token = || {
        said(&squareoff(folder, &["token", "desk-asha"], &[]))
            .trim()
            .to_owned()
    };
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .unwrap();
    let begun = Instant::now();
    let ready = format!("http://{address}/readyz");
    while !http
        .get(&ready)
        .send()
        .await
        .is_ok_and(|answer| answer.status() == 200)
    {
        let output = || fs::read_to_string(folder.join("up.out")).unwrap();
        assert!(begun.elapsed() < PATIENCE, "{}", output());
        tokio::time::sleep(POLL).await;
    }
    let token = token();
    let url = |path: &str| format!("http://{address}{path}");
    let get = async |path: &str| {
        let answer = http
            .get(url(path))
            .bearer_auth(&token)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    };
    let post = async |path: &str, body: Value| {
        let request = http.post(url(path)).bearer_auth(&token).json(&body);
        let request = request.header("Idempotency-Key", Uuid::new_v4().to_string());
        request.send().await.unwrap().text().await.unwrap()
    };
    let caught_up = async || {
        let state: Value = serde_json::from_str(&get("/readyz").await).unwrap();
        state["event_log"]["position"].as_str().unwrap().to_owned()
    };

    // What people do with identities, all of it.
    let [code, name, pan, ..] = PLANTED[0];
    let found = post("/v1/clients/search", json!({ "pan": pan })).await;
    assert!(found.contains(code) && found.contains(CONTROL), "{found}");
    let phone = PLANTED[0][4];
    for by in [json!({ "name": name }), json!({ "phone": phone })] {
        let found = post("/v1/clients/search", by).await;
        assert!(found.contains(code) && !found.contains(name), "{found}");
    }
    let none = post("/v1/clients/search", json!({ "pan": "LKJXT9027N" })).await;
    let refused_reason = json!({ "reason": format!("is it {pan}?") });
    let reveal = "/v1/clients/C00001/identity/reveal";
    let refused_reason = post(reveal, refused_reason).await;
    let revealed = post(reveal, json!({ "reason": "the client called" })).await;
    // The other control: this answer, and none but this, has it in the clear.
    assert_eq!(
        found_in(revealed.as_bytes(), &[pan.to_owned(), name.to_owned()]).len(),
        2,
        "{revealed}"
    );
    let erased = said(&squareoff(
        folder,
        &["client", "erase", "C00003", "--reason", "asked by letter"],
        &[],
    ));
    assert!(erased.contains("1 key destroyed"), "{erased}");
    said(&squareoff(
        folder,
        &["client", "rotate-key", "C00002", "--reason", "yearly"],
        &[],
    ));
    let head = caught_up().await;
    let mut said_by_us = vec![found, none, refused_reason];
    for path in [
        &format!("/v1/clients/C00001?at_least={head}"),
        "/v1/clients/C00003",
        "/v1/clients/C00001/positions",
        "/v1/events?limit=1000",
        "/v1/streams/client-C00001",
        "/v1/streams/client-C00003",
        "/v1/audit",
        "/v1/positions",
    ] {
        said_by_us.push(get(path).await);
    }
    let client = get(&format!("/v1/clients/C00003?at_least={head}")).await;
    assert!(
        client.contains("\"erased\"") && client.contains(CONTROL),
        "{client}"
    );
    for arguments in [
        &["replay", "--all", "--json"][..],
        &["replay", "client-C00003"],
        &["client", "show", "C00001"],
        &["client", "show", "C00003"],
        &["settings"],
    ] {
        let output = squareoff(folder, arguments, &[("SQUAREOFF_LOG", "debug")]);
        said_by_us.push(said(&output));
        said_by_us.push(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    for text in &said_by_us {
        assert_eq!(
            found_in(text.as_bytes(), &secrets),
            Vec::<&str>::new(),
            "{text}"
        );
    }
    // While the log has its write-ahead file beside it, and after everything was stopped and the database wrote all it had.
    let live = files_with(&folder.join("log"), &secrets);
    assert_eq!(live, Vec::<PathBuf>::new());
    up.stop();
    assert_eq!(files_with(folder, &secrets), Vec::<PathBuf>::new());

    // It could have failed: what may be seen is found in the log and in the database, and a planted secret in the file it is put in.
    let with_control = files_with(folder, &control);
    for part in ["log", "postgres"] {
        let there = with_control
            .iter()
            .any(|path| path.starts_with(folder.join(part)));
        assert!(there, "{CONTROL} is not in {part}: {with_control:?}");
    }
    let logs = files(&folder.join("logs"));
    assert!(
        logs.iter().any(|path| fs::read_to_string(path)
            .unwrap()
            .contains("/v1/clients/search")),
        "the requests are logged"
    );
    let canary = folder.join("logs/canary.log");
    fs::write(&canary, format!("found {pan}")).unwrap();
    assert_eq!(files_with(folder, &secrets), [canary]);
    assert!(!files_with(&folder.join("keys"), &["C00001".to_owned()]).is_empty());
    assert_eq!(
        files_with(&folder.join("keys"), &["C00003".to_owned()]),
        Vec::<PathBuf>::new()
    );
}

fn identity(folder: &Path, client: &str) -> Value {
    let shown: Value =
        serde_json::from_str(&said(&squareoff(folder, &["client", "show", client], &[]))).unwrap();
    shown["identity"].clone()
}

/// The moment of the kill moves over the whole run of the command.
#[test]
fn killed_in_the_middle_of_an_erasure_a_client_is_erased_or_not_and_the_next_one_finishes() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    planted(folder);
    said(&squareoff(folder, &["book", "import"], &[]));
    let arguments = |client: &str| {
        ["client", "erase", client, "--reason", "asked by letter"].map(str::to_owned)
    };
    let begun = Instant::now();
    let first = arguments("C00012");
    said(&squareoff(
        folder,
        &first.each_ref().map(String::as_str),
        &[],
    ));
    let whole = begun.elapsed();
    let mut erased = 0;
    for step in 1..=8_u32 {
        let client = format!("C{step:05}");
        let mut child = Command::new(env!("CARGO_BIN_EXE_squareoff"))
            .args(arguments(&client))
            .env_remove("DATABASE_URL")
            .env("SQUAREOFF_DATA", folder)
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole * step / 8);
        child.kill().unwrap();
        child.wait().unwrap();
        let shown = identity(folder, &client);
        let reveal = ["client", "show", &client, "--reveal", "--reason", "called"];
        let revealed = squareoff(folder, &reveal, &[]);
        match shown["state"].as_str().unwrap() {
            "recorded" => assert!(said(&revealed).contains("\"pan\"")),
            "erased" => {
                erased += 1;
                assert!(refused(&revealed).contains("was erased"));
            }
            other => panic!("{client} is half erased: {other}"),
        }
        let again = arguments(&client);
        said(&squareoff(
            folder,
            &again.each_ref().map(String::as_str),
            &[],
        ));
        assert_eq!(identity(folder, &client)["state"], "erased");
        assert_eq!(
            files_with(&folder.join("keys"), &[client]),
            Vec::<PathBuf>::new()
        );
    }
    println!("{erased} of 8 were erased when they were killed");
    // Who was left alone is who they were.
    assert_eq!(identity(folder, "C00009")["state"], "recorded");
}

#[test]
fn the_care_of_identities_step_by_step_from_the_command_line() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    planted(folder);
    let run = |arguments: &[&str], environment: &[(&str, &str)]| {
        squareoff(folder, arguments, environment)
    };
    let first = said(&run(&["book", "import"], &[]));
    assert!(
        first.contains("12 identities encrypted and recorded, 0 known already, 0 of erased"),
        "{first}"
    );
    let again = said(&run(&["book", "import"], &[]));
    assert!(
        again.contains("0 identities encrypted and recorded, 12 known already"),
        "{again}"
    );

    assert_eq!(identity(folder, "C00001")["masked"]["pan"], "QW******9L");
    let sentence = refused(&run(
        &["client", "show", "C00001", "--reveal", "--reason", " "],
        &[],
    ));
    assert_eq!(sentence, "squareoff: a reason is needed");
    let found = Command::new("sh")
        .args([
            "-c",
            "printf qwxpk7319l | \"$0\" client find",
            env!("CARGO_BIN_EXE_squareoff"),
        ])
        .env("SQUAREOFF_DATA", folder)
        .env_remove("DATABASE_URL")
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(said(&found).contains("C00001"));

    // A master key that is set elsewhere is not the one, until the store is wrapped by it.
    let next = folder.join("next.key");
    let next = next.to_str().unwrap();
    let wrong = [("SQUAREOFF_MASTER_KEY_FILE", next)];
    assert!(refused(&run(&["book", "import"], &wrong)).contains("there is no master key at"));
    let rotated = said(&run(
        &[
            "client",
            "rotate-master-key",
            "--make",
            "--new-key-file",
            next,
        ],
        &[],
    ));
    assert!(rotated.contains("12 keys are wrapped by"), "{rotated}");
    let again = said(&run(
        &["client", "rotate-master-key", "--new-key-file", next],
        &[],
    ));
    assert!(
        again.contains("wrapped by") && again.contains("already"),
        "{again}"
    );
    assert_eq!(identity(folder, "C00001")["state"], "sealed");
    let sentence = refused(&run(
        &["client", "show", "C00001", "--reveal", "--reason", "called"],
        &[],
    ));
    assert!(
        sentence.contains("set the one it was wrapped by"),
        "{sentence}"
    );
    let revealed = said(&run(
        &["client", "show", "C00001", "--reveal", "--reason", "called"],
        &wrong,
    ));
    assert!(revealed.contains("Xiquelina Vosterbury"), "{revealed}");
    let key = fs::read_to_string(next).unwrap();
    let by_text = [("SQUAREOFF_MASTER_KEY", key.trim())];
    assert!(said(&run(&["client", "show", "C00001"], &by_text)).contains("QW******9L"));

    let backup = said(&run(&["client", "back-up-keys"], &[]));
    said(&run(
        &["client", "erase", "C00002", "--reason", "asked by letter"],
        &[],
    ));
    assert!(
        said(&run(
            &["client", "erase", "C00002", "--reason", "once more"],
            &[]
        ))
        .contains("already")
    );
    assert_eq!(identity(folder, "C00002")["by"], "operator");
    fs::remove_file(folder.join("keys/client.keys")).unwrap();
    let restored = said(&run(&["client", "restore-keys", backup.trim()], &wrong));
    assert!(restored.starts_with("11 keys are restored"), "{restored}");
    let imported = said(&run(&["book", "import"], &wrong));
    assert!(
        imported.contains("11 known already, 1 of erased clients left out"),
        "{imported}"
    );
}
