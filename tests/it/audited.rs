//! Tamper evidence over the real processes: a log that is sealed while its sealer is killed, taken away and proved by both verifiers, and
//! then altered by hand in its own file.

use squareoff_auditor::seal::Status;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
const KILLS: u32 = 6;
/// Where the hand comes in.
const ALTERED: u64 = 12;

fn squareoff(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squareoff"));
    command
        .args(arguments)
        .env_remove("DATABASE_URL")
        .env("SQUAREOFF_DATA", data)
        .env("SQUAREOFF_SAMPLE_CLIENTS", "40")
        .env("SQUAREOFF_SAMPLE_POSITIONS", "160")
        .env("SQUAREOFF_LOG", "error")
        .current_dir(data);
    command
}

fn output(data: &Path, arguments: &[&str]) -> Output {
    squareoff(data, arguments).output().unwrap()
}

/// Exit code and what was printed.
fn said(output: &Output) -> (Option<i32>, String) {
    let text = [output.stdout.clone(), output.stderr.clone()].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

fn succeeds(data: &Path, arguments: &[&str]) -> String {
    let (code, text) = said(&output(data, arguments));
    assert_eq!(code, Some(0), "{arguments:?}: {text}");
    text
}

fn sealer(data: &Path) -> Child {
    let mut command = squareoff(data, &["seal", "--exit-with-parent"]);
    command.stdin(Stdio::piped()).spawn().unwrap()
}

fn stop(mut sealer: Child) {
    drop(sealer.stdin.take());
    assert!(sealer.wait().unwrap().success());
}

fn until(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(
            begun.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn python(arguments: &[&str]) -> Output {
    Command::new("python3").args(arguments).output().unwrap()
}

#[test]
fn a_log_is_sealed_taken_away_and_proved_and_what_a_hand_alters_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let status = || Status::read(&data.join("audit")).unwrap_or_default();
    succeeds(data, &["book", "sample"]);
    // Killed while the book comes in, and while nothing does.
    let mut import = squareoff(data, &["book", "import"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    for round in 0..KILLS {
        let mut sealer = sealer(data);
        let before = status().size;
        if round % 2 == 0 {
            std::thread::sleep(Duration::from_millis(u64::from(round) * 40));
        } else {
            let ended = import.try_wait().unwrap().is_some();
            until("it seals on", || status().size > before || ended);
        }
        sealer.kill().unwrap();
        sealer.wait().unwrap();
    }
    assert!(import.wait().unwrap().success());
    let last = sealer(data);
    until("all is sealed", || {
        let (code, text) = said(&output(data, &["audit", "verify"]));
        let sealed =
            text.contains(" 1 events not sealed yet") || text.contains(" 0 events not sealed yet");
        code == Some(0) && sealed
    });
    // What was killed may have sealed all of it, and then nothing above waits for the last one.
    until("the sealer is well", || {
        output(data, &["health", "seal"]).status.success()
    });
    stop(last);

    let key = std::fs::read_to_string(data.join("audit/key.pub")).unwrap();
    let key = key.trim_end();
    let verify = |name: &str| {
        let folder = data.join(name);
        let folder = folder.to_str().unwrap();
        let ours = said(&output(data, &["audit", "verify", folder, "--key", key]));
        let script = data.join("whole/verify.py");
        let theirs = said(&python(&[script.to_str().unwrap(), folder, key]));
        assert_eq!(ours.0, theirs.0, "{} but {}", ours.1, theirs.1);
        (ours.0, ours.1, theirs.1)
    };
    succeeds(data, &["audit", "export", "--out", "whole"]);
    std::fs::copy(data.join("audit/checkpoint"), data.join("older")).unwrap();
    assert_eq!(verify("whole").0, Some(0));
    succeeds(
        data,
        &["audit", "export", "--out", "client", "--client", "C00001"],
    );
    assert_eq!(verify("client").0, Some(0));
    let (code, text) = said(&output(
        data,
        &["audit", "verify", "whole", "--older", "older", "--key", key],
    ));
    assert_eq!(code, Some(0), "{text}");

    // By hand, past everything that the program refuses.
    let file = data.join("log/events.db");
    let by_hand = |script: &str| {
        let script = format!(
            "import sqlite3, sys
log = sqlite3.connect(sys.argv[1])
for (name,) in log.execute('select name from sqlite_master where type = \"trigger\"').fetchall():
    log.execute('drop trigger ' + name)
{script}
log.commit()"
        );
        let (code, text) = said(&python(&["-c", &script, file.to_str().unwrap()]));
        assert_eq!(code, Some(0), "{text}");
    };
    by_hand(&format!(
        "entry = log.execute('select entry from events where position = {ALTERED}').fetchone()[0]
entry = entry[:-3] + bytes([entry[-3] ^ 1]) + entry[-2:]
log.execute('update events set entry = ? where position = {ALTERED}', (entry,))"
    ));
    let (code, text) = said(&output(data, &["audit", "verify"]));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&format!("log position {ALTERED}")), "{text}");
    succeeds(data, &["audit", "export", "--out", "altered"]);
    let (code, ours, theirs) = verify("altered");
    assert_eq!(code, Some(1));
    let named = format!("altered at {}", ALTERED - 1);
    assert!(
        ours.contains(&named) && theirs.contains(&named),
        "{ours} but {theirs}"
    );

    let sealed = std::fs::read(data.join("audit/checkpoint")).unwrap();
    let last = sealer(data);
    until("the alarm", || {
        said(&output(data, &["health", "seal"]))
            .1
            .contains("alarm of log")
    });
    let (_, text) = said(&output(data, &["health", "seal"]));
    assert!(
        text.contains(&format!("the event at position {ALTERED} ")),
        "{text}"
    );
    stop(last);
    assert_eq!(
        std::fs::read(data.join("audit/checkpoint")).unwrap(),
        sealed
    );

    // An entry that can't be read any more is taken away as it is, and an event that is gone is named as that.
    by_hand(
        "entry = log.execute('select entry from events where position = 7').fetchone()[0]
log.execute('update events set entry = ? where position = 7', (bytes([9]) + entry[1:],))",
    );
    succeeds(data, &["audit", "export", "--out", "unreadable"]);
    let (code, ours, theirs) = verify("unreadable");
    assert_eq!(code, Some(1));
    assert!(ours.contains("altered at 6") && theirs.contains("altered at 6"));
    by_hand(
        "log.execute('delete from events where position = 5')
log.execute('update events set position = 1 - position where position > 5')
log.execute('update events set position = - position where position < 0')",
    );
    let (code, text) = said(&output(data, &["audit", "verify"]));
    assert!(code == Some(1) && text.contains("removed at 4"), "{text}");
    succeeds(data, &["audit", "export", "--out", "shorter"]);
    let (code, ours, theirs) = verify("shorter");
    assert_eq!(code, Some(1));
    assert!(
        ours.contains("removed at 4") && theirs.contains("removed at 4"),
        "{ours} but {theirs}"
    );
    // Without the folder of the seal the log is held to what it tells of itself.
    std::fs::remove_file(data.join("audit/checkpoint")).unwrap();
    let (code, text) = said(&output(data, &["audit", "verify"]));
    assert!(code == Some(1) && text.contains("removed at 4"), "{text}");
    let nowhere = data.join("nowhere");
    let mut missing = squareoff(data, &["replay"]);
    let (code, text) = said(&missing.env("SQUAREOFF_DATA", &nowhere).output().unwrap());
    let sentence = "there is no data folder";
    assert!(code == Some(1) && text.contains(sentence), "{text}");
    assert!(!nowhere.exists());
}
