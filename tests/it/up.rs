//! `squareoff up` with a folder and ports of its own.

use rustix::process::{Pid, Signal, kill_process};
use squareoff::demo::free_port;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A role or all of them, killed when the test ends badly.
pub struct Up(pub Child);

impl Up {
    /// Starts it, with these settings besides; what it says goes to `up.out` in the folder.
    pub fn start(folder: &Path, address: &str, settings: &[(&str, &str)]) -> Up {
        let output = fs::File::create(folder.join("up.out")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_squareoff"))
            .arg("up")
            .env_remove("DATABASE_URL")
            .env("SQUAREOFF_DATA", folder)
            .env("SQUAREOFF_API_LISTEN", address)
            .env("SQUAREOFF_EXCHANGE_ADDRESS", free_port().unwrap())
            .env("SQUAREOFF_WITNESS_LISTEN", free_port().unwrap())
            .envs(settings.iter().copied())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Up(child)
    }

    pub fn stop(mut self) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
