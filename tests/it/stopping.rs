//! The API as a service manager stops it: by SIGTERM, with a request under way.

use crate::commands::{said, squareoff};
use rustix::process::{Pid, Signal, kill_process};
use squareoff::demo::free_port;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Guard against hanging.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
/// A read database that is not there: no order needs it.
const NOWHERE: (&str, &str) = ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing");

/// Killed when the test ends badly.
struct Api(Child);

impl Drop for Api {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Api {
    fn start(folder: &Path, address: &str) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_squareoff"))
            .arg("api")
            .envs([NOWHERE])
            .env("SQUAREOFF_DATA", folder)
            .env("SQUAREOFF_API_LISTEN", address)
            .env("SQUAREOFF_SAMPLE_LOG_INS", "yes")
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("api.out")).unwrap())
            .spawn()
            .unwrap();
        Api(child)
    }
}

fn until<T>(what: &str, mut is: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(is) = is() {
            return is;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(POLL);
    }
}

/// What comes over a connection of its own until its end.
fn asked(address: &str, request: &str) -> Option<String> {
    let mut connection = TcpStream::connect(address).ok()?;
    connection.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[test]
fn sigterm_lets_the_api_answer_what_is_under_way_and_end_well() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let address = free_port().unwrap();
    let token = said(&squareoff(folder, &["token", "desk-asha"], &[]));
    let mut api = Api::start(folder, &address);
    let ready = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    until("the API has read the log", || {
        let answer = asked(&address, ready)?;
        answer
            .contains(r#""event_log":{"ready":true"#)
            .then_some(())
    });
    let body = r#"{"scope":"all","reason":"drill"}"#;
    let head = format!(
        "POST /v1/platform/halt HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nIdempotency-Key: one\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        token.trim(),
        body.len()
    );
    let mut connection = TcpStream::connect(&address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection.write_all(head.as_bytes()).unwrap();
    // Sent when the body is wanted: the request is under way.
    let mut wanted = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    connection.read_exact(&mut wanted).unwrap();
    assert!(wanted.starts_with(b"HTTP/1.1 100"));
    let pid = Pid::from_raw(i32::try_from(api.0.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    until("nobody else is let in", || {
        TcpStream::connect(&address).err()
    });
    assert!(api.0.try_wait().unwrap().is_none(), "it did not wait");
    connection.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let ended = until("the API ends", || api.0.try_wait().unwrap());
    let output = std::fs::read_to_string(folder.join("api.out")).unwrap();
    assert_eq!(ended.code(), Some(0), "{output}");
    let log = said(&squareoff(folder, &["replay", "platform", "--json"], &[]));
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("desk-asha") && log.contains("drill"), "{log}");
}
