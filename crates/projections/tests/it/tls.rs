//! A server of one's own, reached over the network: asked over TLS, and only who shows the right certificate.

use crate::story::PATIENCE;
use sqlx::{Connection, PgConnection};
use squareoff_projections::Database;
use squareoff_projections::cluster::find_binaries;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A server that takes connections over TLS alone, as `localhost`, and lets in who comes over it.
struct Server {
    folder: TempDir,
    port: u16,
    process: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Postgres refuses to run as root.
fn as_its_user(program: &Path) -> Command {
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid=postgres",
            "--regid=postgres",
            "--clear-groups",
            "--",
        ]);
        command.arg(program);
        command
    } else {
        Command::new(program)
    };
    command
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// A certificate for `localhost` that signs itself, and its key.
fn certificate(folder: &Path, name: &str) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(folder.join(format!("{name}.pem")), made.cert.pem()).unwrap();
    fs::write(
        folder.join(format!("{name}.key")),
        made.signing_key.serialize_pem(),
    )
    .unwrap();
}

impl Server {
    async fn start() -> Server {
        let binaries = find_binaries(None).unwrap().folder;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        certificate(folder.path(), "server");
        certificate(folder.path(), "stranger");
        fs::set_permissions(at("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(at("hba.conf"), "hostssl all all 127.0.0.1/32 trust\n").unwrap();
        if rustix::process::geteuid().is_root() {
            let mut own = Command::new("chown");
            own.arg("-R").arg("postgres").arg(folder.path());
            assert!(own.status().unwrap().success());
        }
        let made = as_its_user(&binaries.join("initdb"))
            .args([
                "--no-sync",
                "--auth=trust",
                "--username=squareoff",
                "--pgdata",
            ])
            .arg(at("cluster"))
            .status();
        assert!(made.unwrap().success());
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut command = as_its_user(&binaries.join("postgres"));
        command
            .arg("-D")
            .arg(at("cluster"))
            .arg("-p")
            .arg(port.to_string());
        for (setting, value) in [
            ("listen_addresses", "127.0.0.1".to_owned()),
            (
                "unix_socket_directories",
                folder.path().display().to_string(),
            ),
            ("hba_file", at("hba.conf").display().to_string()),
            ("ssl", "on".to_owned()),
            ("ssl_cert_file", at("server.pem").display().to_string()),
            ("ssl_key_file", at("server.key").display().to_string()),
        ] {
            command.arg("-c").arg(format!("{setting}={value}"));
        }
        command.stderr(fs::File::create(at("log")).unwrap());
        let process = command.spawn().unwrap();
        let server = Server {
            folder,
            port,
            process,
        };
        let up = async {
            while PgConnection::connect(&server.url("localhost", "require", "server"))
                .await
                .is_err()
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, up).await.is_err() {
            panic!(
                "{}",
                fs::read_to_string(server.folder.path().join("log")).unwrap()
            );
        }
        server
    }

    fn url(&self, host: &str, mode: &str, trusted: &str) -> String {
        let trusted = self.folder.path().join(format!("{trusted}.pem"));
        format!(
            "postgresql://squareoff@{host}:{}/postgres?sslmode={mode}&sslrootcert={}",
            self.port,
            trusted.display()
        )
    }
}

#[tokio::test]
async fn a_server_across_the_network_is_asked_over_tls_and_known_by_its_certificate() {
    let server = Server::start().await;
    let ask = async |host, mode, trusted| {
        let database = Database::from_url(&server.url(host, mode, trusted)).unwrap();
        database.migrate().await.map_err(|error| error.to_string())
    };
    ask("localhost", "verify-full", "server").await.unwrap();
    let database = Database::from_url(&server.url("localhost", "verify-full", "server")).unwrap();
    let over_tls =
        sqlx::query_scalar::<_, bool>("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    assert!(over_tls.fetch_one(&database.pool(1)).await.unwrap());
    for (host, mode, trusted, why) in [
        ("localhost", "verify-full", "stranger", "certificate"),
        ("localhost", "verify-ca", "stranger", "certificate"),
        ("127.0.0.1", "verify-full", "server", "certificate"),
        ("localhost", "disable", "server", "no encryption"),
    ] {
        let refused = ask(host, mode, trusted).await.unwrap_err();
        assert!(refused.contains(why), "{host} {mode} {trusted}: {refused}");
    }
}
