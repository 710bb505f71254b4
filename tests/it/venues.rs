//! The settings of a venue, by the processes that they are for: the gateway reaches the simulated exchange in FIX 4.2 over TLS with a
//! certificate on both sides, and what can't be is one sentence.

use crate::commands::{refused, said, squareoff};
use squareoff_fix::driver::tls::Identity;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A guard against hanging.
const PATIENCE: Duration = Duration::from_secs(120);

/// Killed when the test ends.
struct Part(Child);

impl Drop for Part {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn until<T>(what: &str, is: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = is() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A certificate for `localhost` that signs itself.
fn identity(folder: &Path, name: &str) -> Identity {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let identity = Identity {
        certificate: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}.key")),
    };
    std::fs::write(&identity.certificate, made.cert.pem()).unwrap();
    std::fs::write(&identity.key, made.signing_key.serialize_pem()).unwrap();
    identity
}

fn exchange(folder: &Path, ours: &Identity, theirs: &Identity) -> (Part, String) {
    let binary =
        PathBuf::from(env!("CARGO_BIN_EXE_squareoff")).with_file_name("squareoff-exchange");
    let port_file = folder.join("port");
    let child = Command::new(binary)
        .args(["--listen", "127.0.0.1:0", "--sessions", "NSE:BROKER"])
        .args(["--trade-date", "2026-11-20", "--fix42", "NSE"])
        .arg("--data")
        .arg(folder.join("exchange"))
        .arg("--contracts")
        .arg(folder.join("book/contracts.csv"))
        .arg("--port-file")
        .arg(&port_file)
        .arg("--tls-certificate")
        .arg(&theirs.certificate)
        .arg("--tls-key")
        .arg(&theirs.key)
        .arg("--tls-client-ca")
        .arg(&ours.certificate)
        .arg("--exit-with-parent")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let part = Part(child);
    let address = until("the exchange listens", || {
        std::fs::read_to_string(&port_file).ok()
    });
    (part, address)
}

#[test]
fn the_gateway_reaches_a_venue_as_its_table_says() {
    let folder = tempfile::tempdir().unwrap();
    let [ours, theirs] = ["ours", "theirs"].map(|name| identity(folder.path(), name));
    let run = |arguments: &[&str]| squareoff(folder.path(), arguments, &[]);
    let settings = |text: &str| std::fs::write(folder.path().join("squareoff.toml"), text).unwrap();
    settings("trading_date = \"2026-11-20\"\nsample_clients = 2\nsample_positions = 4");
    said(&run(&["book", "sample"]));
    let (_exchange, address) = exchange(folder.path(), &ours, &theirs);
    let text = |ca: &str| {
        format!(
            "venues = \"NSE\"\ncomp_id = \"BROKER\"\n[NSE]\nexchange_address = \"{address}\"\nfix_version = \"4.2\"\ntls_ca = \"{ca}\"\ntls_server_name = \"localhost\"\ntls_certificate = \"ours.pem\"\ntls_key = \"ours.key\"\nsession_hours = \"Mon-Sun 00:00-24:00\""
        )
    };
    settings(&text("missing.pem"));
    let sentence = refused(&run(&["gateway"]));
    assert!(
        sentence.contains("TLS of NSE") && sentence.contains("missing.pem"),
        "{sentence}"
    );
    // The simulated exchange that `up` would start has no certificate.
    let sentence = refused(&run(&["up"]));
    assert!(sentence.contains("tls_ca of NSE"), "{sentence}");

    settings(&text("theirs.pem"));
    let gateway = Command::new(env!("CARGO_BIN_EXE_squareoff"))
        .arg("gateway")
        .env("SQUAREOFF_DATA", folder.path())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let _gateway = Part(gateway);
    let healthy = || Some(run(&["health", "gateway"])).filter(|output| output.status.success());
    let output = until("the session is ready", healthy);
    assert_eq!(said(&output), "");
    // FIX 4.2 has no mass status: what the session asked first shows which it speaks.
    let journal = said(&run(&["fix", "journal", "gateway/NSE-BROKER"]));
    assert!(journal.contains("OrderStatusRequest (H)"), "{journal}");
}
