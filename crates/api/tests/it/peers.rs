//! Programs that others wrote, at versions that stand in `tests/peers/`, installed into the build folder once for each set of versions.
//! Without a registry in reach and nothing installed, what needs them fails and says so.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// The interpreter that has what `requirements.txt` lists.
pub async fn python() -> PathBuf {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/requirements.txt");
    let mut hasher = DefaultHasher::new();
    fs::read(&requirements).unwrap().hash(&mut hasher);
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("api-peers");
    let folder = cache.join(format!("python-{:016x}", hasher.finish()));
    let done = folder.join("installed");
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    // One process at a time.
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock));
    let lock = lock.await.unwrap().unwrap();
    if !done.exists() {
        run(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(folder.join("venv")))
        .await;
        let mut install = Command::new(folder.join("venv/bin/pip"));
        install.args([
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "-r",
        ]);
        run(install.arg(&requirements)).await;
        fs::write(&done, "").unwrap();
    }
    drop(lock);
    folder.join("venv/bin/python")
}

/// Runs to the end and returns what was printed.
pub async fn run(command: &mut Command) -> String {
    let said = command.kill_on_drop(true).output().await.unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let error = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{command:?}: {text}{error}");
    text
}
