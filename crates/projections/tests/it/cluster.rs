//! The private server: started, stopped, killed, orphaned, and refused.

use crate::story::PATIENCE;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, Executor, PgConnection};
use squareoff_projections::cluster::{Cluster, ClusterConfig, ClusterError, check_durable};
use squareoff_projections::testing::TestDatabase;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
    folder
}

fn config(folder: &Path) -> ClusterConfig {
    ClusterConfig {
        data_dir: folder.join("postgres"),
        bin_dir: None,
        log_file: folder.join("postgres.log"),
        niceness: 0,
    }
}

fn kill(pid: u32) {
    kill_process(
        Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();
}

/// Asks again and again, but not for ever.
async fn until(holds: impl AsyncFn() -> bool) {
    let asking = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking)
        .await
        .expect("it comes true");
}

async fn count(cluster: &Cluster) -> i64 {
    let mut connection = PgConnection::connect_with(&cluster.connect_options("desk"))
        .await
        .unwrap();
    sqlx::query_scalar("SELECT count(*) FROM kept")
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn what_is_committed_outlives_stop_kill_and_a_supervisor_that_died() {
    let folder = folder();
    let mut cluster = Cluster::start(config(folder.path())).await.unwrap();
    cluster.create_database_if_missing("desk").await.unwrap();
    cluster.create_database_if_missing("desk").await.unwrap();
    let mut connection = PgConnection::connect(&cluster.url("desk")).await.unwrap();
    connection
        .execute("CREATE TABLE kept AS SELECT generate_series(1, 5) AS number")
        .await
        .unwrap();
    let running = sqlx::query_scalar::<_, String>("SHOW data_checksums")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(running, "on");
    cluster.stop().await;

    cluster = Cluster::start(config(folder.path())).await.unwrap();
    assert_eq!(count(&cluster).await, 5);
    // A killed server's workers hold its shared memory for a moment: many rounds, so that one of them meets it.
    for _ in 0..5 {
        kill(cluster.pid().unwrap());
        assert!(
            tokio::time::timeout(PATIENCE, cluster.wait_exit())
                .await
                .unwrap()
                .is_some()
        );
        assert_eq!((cluster.pid(), cluster.wait_exit().await), (None, None));
        cluster.restart().await.unwrap();
        assert_eq!(count(&cluster).await, 5);
    }
}

#[tokio::test]
async fn a_server_that_outlived_its_supervisor_is_stopped_and_replaced() {
    let folder = folder();
    let cluster = Cluster::start(config(folder.path())).await.unwrap();
    cluster.create_database_if_missing("desk").await.unwrap();
    let before = cluster.pid().unwrap();
    cluster.stop().await;
    // As a killed supervisor leaves it: a server whose parent is gone and whose folder nobody has locked.
    let mut orphan = tokio::process::Command::from(orphan_command(folder.path()))
        .spawn()
        .unwrap();
    let pid_file = folder.path().join("postgres/cluster/postmaster.pid");
    until(async || fs::read_to_string(&pid_file).is_ok_and(|text| text.contains("ready"))).await;
    let reaped = tokio::spawn(async move { orphan.wait().await });
    let cluster = Cluster::start(config(folder.path())).await.unwrap();
    assert!(reaped.await.unwrap().is_ok(), "the orphan was stopped");
    assert_ne!(cluster.pid().unwrap(), before);
}

/// The server by hand, as the supervisor would start it.
fn orphan_command(folder: &Path) -> std::process::Command {
    let binaries = squareoff_projections::cluster::find_binaries(None).unwrap();
    let data = folder.join("postgres/cluster").canonicalize().unwrap();
    let socket = folder.join("postgres/socket");
    let socket = format!("unix_socket_directories={}", socket.display());
    let mut command = std::process::Command::new(binaries.folder.join("postgres"));
    command
        .current_dir("/")
        .arg("-D")
        .arg(&data)
        .args(["-c", "listen_addresses=", "-c", &socket]);
    let owner = fs::metadata(&data).unwrap();
    if rustix::process::geteuid().is_root() {
        use std::os::unix::fs::MetadataExt;
        use std::os::unix::process::CommandExt;
        command.uid(owner.uid()).gid(owner.gid());
    }
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    command
}

#[tokio::test]
async fn a_folder_has_one_supervisor() {
    let folder = folder();
    let _cluster = Cluster::start(config(folder.path())).await.unwrap();
    let error = Cluster::start(config(folder.path())).await.unwrap_err();
    assert!(matches!(error, ClusterError::Taken { .. }), "{error}");
}

#[tokio::test]
async fn a_data_folder_of_another_version_is_refused_naming_both() {
    let folder = folder();
    let data = folder.path().join("postgres/cluster");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("PG_VERSION"), "9\n").unwrap();
    let error = Cluster::start(config(folder.path())).await.unwrap_err();
    let major = squareoff_projections::cluster::find_binaries(None)
        .unwrap()
        .major;
    let text = error.to_string();
    assert!(
        text.contains("PostgreSQL 9,") && text.contains(&format!("PostgreSQL {major};")),
        "{text}"
    );

    fs::remove_file(data.join("PG_VERSION")).unwrap();
    let error = Cluster::start(config(folder.path())).await.unwrap_err();
    assert!(matches!(error, ClusterError::NotAData { .. }), "{error}");
}

#[tokio::test]
async fn an_unfinished_data_folder_is_made_anew() {
    let folder = folder();
    let unfinished = folder.path().join("postgres/cluster.new");
    fs::create_dir_all(&unfinished).unwrap();
    fs::write(unfinished.join("half"), "made").unwrap();
    let cluster = Cluster::start(config(folder.path())).await.unwrap();
    assert!(cluster.pid().is_some() && !unfinished.exists());
}

#[tokio::test]
async fn missing_programs_are_named_with_what_to_install() {
    let folder = folder();
    let config = ClusterConfig {
        bin_dir: Some(folder.path().to_owned()),
        ..config(folder.path())
    };
    let text = Cluster::start(config).await.unwrap_err().to_string();
    assert!(text.contains("apt-get install postgresql"), "{text}");
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_still_works() {
    let folder = folder();
    let deep = folder.path().join("d".repeat(60)).join("e, f".repeat(10));
    fs::create_dir_all(&deep).unwrap();
    let cluster = Cluster::start(config(&deep)).await.unwrap();
    assert!(
        cluster.url("desk").contains("/tmp/squareoff-pg-"),
        "{}",
        cluster.url("desk")
    );
    cluster.create_database_if_missing("desk").await.unwrap();
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let folder = folder();
    Cluster::start(config(folder.path()))
        .await
        .unwrap()
        .stop()
        .await;
    fs::remove_file(folder.path().join("postgres/cluster/global/pg_control")).unwrap();
    let error = Cluster::start(config(folder.path())).await.unwrap_err();
    assert!(
        matches!(&error, ClusterError::NotStarted { reason, .. } if reason.contains("pg_control")),
        "{error}"
    );
}

#[tokio::test]
async fn a_database_that_is_not_durable_is_refused() {
    for setting in ["fsync", "full_page_writes"] {
        let test = TestDatabase::start().await.unwrap();
        let mut connection = PgConnection::connect(&test.url()).await.unwrap();
        check_durable(&mut connection).await.unwrap();
        // A stand-in for a server somebody runs unsafely; ours takes no such setting from a file.
        let port = "6000";
        let stop = UnsafeServer::start(port, setting).await;
        let mut connection = PgConnection::connect(&stop.url(port)).await.unwrap();
        let error = check_durable(&mut connection).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the database runs with {setting} = off: a crash could lose or tear what was committed; switch it on"
            )
        );
    }
}

/// A server with a setting switched off.
struct UnsafeServer {
    folder: TempDir,
    server: std::process::Child,
}

impl UnsafeServer {
    async fn start(port: &str, off: &str) -> Self {
        let folder = folder();
        Cluster::start(config(folder.path()))
            .await
            .unwrap()
            .stop()
            .await;
        let mut command = orphan_command(folder.path());
        command.args(["-p", port, "-c", &format!("{off}=off")]);
        let server = command.spawn().unwrap();
        let unsafe_server = UnsafeServer { folder, server };
        let url = unsafe_server.url(port);
        until(async || PgConnection::connect(&url).await.is_ok()).await;
        unsafe_server
    }

    fn url(&self, port: &str) -> String {
        format!(
            "postgresql:///postgres?host={}&port={port}&user=squareoff",
            self.folder.path().join("postgres/socket").display()
        )
    }
}

impl Drop for UnsafeServer {
    fn drop(&mut self) {
        kill_process(Pid::from_child(&self.server), Signal::INT).unwrap();
        self.server.wait().unwrap();
    }
}

#[tokio::test]
async fn where_the_servers_user_cannot_go_the_cluster_lives_elsewhere_and_says_so() {
    let folder = folder();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let cluster = Cluster::start(config(folder.path())).await.unwrap();
    let as_root = rustix::process::geteuid().is_root();
    assert_eq!(cluster.note().is_some(), as_root, "{:?}", cluster.note());
    cluster.create_database_if_missing("desk").await.unwrap();
    cluster.stop().await;
    if !as_root {
        return;
    }
    let pointer = folder.path().join("postgres/cluster-is-at");
    let home = fs::read_to_string(&pointer).unwrap().trim().to_owned();
    // Emptied by hand and begun anew: the old cluster is not taken for the new folder's.
    fs::remove_file(&pointer).unwrap();
    let cluster = Cluster::start(config(folder.path())).await.unwrap();
    let options = cluster.connect_options("desk");
    assert!(PgConnection::connect_with(&options).await.is_err());
    cluster.stop().await;
    fs::remove_dir_all(&home).unwrap();
    fs::remove_dir_all(format!("{home}.old1")).unwrap();
}
