//! The clients that are generated from docs/openapi.json, on a platform of real processes: a tour in TypeScript, a desk's day in Python.

use crate::commands::{said, secret_in, squareoff};
use crate::up::Up;
use squareoff::demo::free_port;
use squareoff_api::DevelopmentKey;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Guard against hanging; nothing waits for it on purpose.
const PATIENCE: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(50);

/// The folder of the generated clients, made now or before.
fn clients() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    run(Command::new(sources().join("generate.sh")).arg(&folder));
    folder
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{said}\n{errors}");
    said
}

#[tokio::test]
async fn a_desk_day_runs_on_the_generated_clients() {
    let clients = clients();
    let folder = tempfile::tempdir().unwrap();
    let address = free_port().unwrap();
    let settings = [
        ("SQUAREOFF_SAMPLE_CLIENTS", "8"),
        ("SQUAREOFF_SAMPLE_POSITIONS", "40"),
        ("SQUAREOFF_SAMPLE_ORDERS", "2"),
        // Nobody calls.
        ("SQUAREOFF_CALLER_VERIFICATION", "off"),
    ];
    let up = Up::start(folder.path(), &address, &settings);
    let url = format!("http://{address}");
    active(&url, folder.path()).await;
    let key = DevelopmentKey::load_or_create(&folder.path().join("development.key")).unwrap();
    let asha = key.token("desk-asha").unwrap();

    let mut tour = Command::new("node");
    tour.arg(clients.join("tour.js")).args([&url, &asha]);
    let tour = tokio::task::spawn_blocking(move || run(&mut tour));
    assert_eq!(tour.await.unwrap(), "the tour is over\n");
    let mut day = Command::new(clients.join("venv/bin/python"));
    day.arg(sources().join("desk_day.py"));
    day.args([&url, &administrator(folder.path())]);
    day.env("PYTHONPATH", &clients);
    let day = tokio::task::spawn_blocking(move || run(&mut day));
    assert_eq!(day.await.unwrap(), "the day is over\n");
    up.stop();
}

/// Enrols the first one, who enrols everybody else; gives the first secret.
fn administrator(folder: &Path) -> String {
    let enrol = "operator enrol admin-kiran --name Kiran --role administrator --reason first";
    let enrolled = squareoff(folder, &Vec::from_iter(enrol.split(' ')), &[]);
    secret_in(&said(&enrolled))
}

/// Waits until square-offs are taken and every venue is connected.
async fn active(url: &str, folder: &Path) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let begun = Instant::now();
    loop {
        let asked = http.get(format!("{url}/readyz")).send().await;
        if let Ok(answer) = asked
            && let Ok(ready) = answer.json::<serde_json::Value>().await
        {
            let sessions = ready["sessions"].as_object();
            let connected = sessions.is_some_and(|sessions| {
                sessions.len() == 2 && sessions.values().all(|session| session == "ready")
            });
            if ready["ready"] == true && ready["platform"] == "active" && connected {
                return;
            }
        }
        let said = || std::fs::read_to_string(folder.join("up.out")).unwrap_or_default();
        assert!(begun.elapsed() < PATIENCE, "{}", said());
        tokio::time::sleep(POLL).await;
    }
}
