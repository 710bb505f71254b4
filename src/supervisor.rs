//! Keeps a child process running: starts it again when it ends, with a pause that grows, and gives up when it ends too often.

use crate::config::{ACCESS_KEY_VARIABLE, DATABASE_URL_VARIABLE, MASTER_KEY_VARIABLE};
use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, getpriority_process, kill_process, setpriority_process};
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// Pause before the first restart, doubled with each that follows closely.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// A child that ended this often within [`RESTARTS_WITHIN`] will not do better the next time.
const RESTARTS_MAX: usize = 20;
const RESTARTS_WITHIN: Duration = Duration::from_secs(60);
/// For so long a child may finish what it has begun before it is killed.
const STOP_TIME_LIMIT: Duration = Duration::from_secs(10);
/// A log is put aside at a start when it is larger; one old one is kept.
const LOG_BYTES_MAX: u64 = 64 << 20;
/// Lines of a child's log that are shown when it is given up.
const LINES_SHOWN: usize = 12;

/// What to run.
#[derive(Debug, Clone)]
pub struct Program {
    /// As people know it: `gateway`.
    pub name: &'static str,
    pub file: PathBuf,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    /// So much nicer than this process, nice(2): it gives way when the processors are full.
    pub niceness: i32,
    /// Where it prints to.
    pub log: PathBuf,
}

/// A program that is kept running.
pub struct Supervised {
    pub name: &'static str,
    pid: watch::Receiver<Option<u32>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<()>>,
}

impl Supervised {
    /// Starts the program.
    ///
    /// # Errors
    /// When it cannot even be started once.
    pub fn start(program: Program) -> Result<Self> {
        put_aside(&program.log);
        let running = spawn(&program)?;
        let (pid, is_pid) = watch::channel(running.child.id());
        let (stop, stopped) = oneshot::channel();
        let name = program.name;
        let task = tokio::spawn(keep(program, running, pid, stopped));
        Ok(Supervised {
            name,
            pid: is_pid,
            stop,
            task,
        })
    }

    /// The process that runs now.
    pub fn pid(&self) -> Option<u32> {
        *self.pid.borrow()
    }

    /// Ends only when the program can't be kept running, saying why.
    pub async fn given_up(&mut self) -> anyhow::Error {
        match (&mut self.task).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) | Err(_) => anyhow::anyhow!("{} is no longer supervised", self.name),
        }
    }

    /// Asks the program to end, waits (bounded), and kills it if it has to.
    pub async fn stop(self) {
        // A task that has given up has no process any more.
        if self.stop.send(()).is_ok() {
            self.task.await.ok();
        }
    }
}

async fn keep(
    program: Program,
    mut running: Running,
    pid: watch::Sender<Option<u32>>,
    mut stop: oneshot::Receiver<()>,
) -> Result<()> {
    let mut ends: Vec<Instant> = Vec::new();
    loop {
        let ended = tokio::select! {
            ended = running.child.wait() => ended,
            _ = &mut stop => return end(&program, running).await,
        };
        pid.send_replace(None);
        ends.push(Instant::now());
        ends.retain(|at| at.elapsed() < RESTARTS_WITHIN);
        let how = ended.map_or_else(|error| error.to_string(), describe);
        if ends.len() > RESTARTS_MAX {
            anyhow::bail!(
                "{} ended {} times within {} seconds, the last time with {how}; it last said:\n{}",
                program.name,
                ends.len(),
                RESTARTS_WITHIN.as_secs(),
                last_lines(&program.log)
            );
        }
        tracing::warn!(role = program.name, %how, "a role ended and is started again");
        let pause = PAUSE_MAX.min(
            PAUSE_MIN * 2_u32.saturating_pow(u32::try_from(ends.len() - 1).unwrap_or(u32::MAX)),
        );
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = &mut stop => return Ok(()),
        }
        running = spawn(&program)?;
        pid.send_replace(running.child.id());
    }
}

async fn end(program: &Program, mut running: Running) -> Result<()> {
    let child = &mut running.child;
    signal(child, Signal::TERM);
    if tokio::time::timeout(STOP_TIME_LIMIT, child.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            role = program.name,
            "a role did not end in time and is killed"
        );
        child
            .kill()
            .await
            .with_context(|| format!("{} cannot be killed", program.name))?;
    }
    Ok(())
}

/// A running program, and the other end of its standard input: held open by us, its end tells the program that we are gone.
struct Running {
    child: Child,
    _stdin: Option<ChildStdin>,
}

fn spawn(program: &Program) -> Result<Running> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&program.log);
    let log = log.with_context(|| format!("cannot write {}", program.log.display()))?;
    let mut child = Command::new(&program.file)
        .args(&program.arguments)
        .env_remove(MASTER_KEY_VARIABLE)
        .env_remove(ACCESS_KEY_VARIABLE)
        .env_remove(DATABASE_URL_VARIABLE)
        .envs(program.environment.iter().cloned())
        .stdin(Stdio::piped())
        .stdout(log.try_clone().context("cannot share a log file")?)
        .stderr(log)
        // A Ctrl-C in the terminal is for us; we stop the children in order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| {
            format!(
                "{} cannot be started ({})",
                program.name,
                program.file.display()
            )
        })?;
    // Before it has threads of its own, which begin with what it has.
    if let (Some(pid), 1..) = (pid_of(&child), program.niceness)
        && let Err(error) = getpriority_process(None)
            .and_then(|ours| setpriority_process(Some(pid), ours + program.niceness))
    {
        tracing::warn!(role = program.name, %error, "a role's priority cannot be set");
    }
    // Taken out, because waiting for the child would close it.
    let stdin = child.stdin.take();
    Ok(Running {
        child,
        _stdin: stdin,
    })
}

fn signal(child: &Child, signal: Signal) {
    if let Some(Err(error)) = pid_of(child).map(|pid| kill_process(pid, signal)) {
        tracing::debug!(%error, "a role had ended before it was asked to");
    }
}

fn pid_of(child: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(child.id()?).ok()?)
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown status".to_owned(),
    }
}

fn put_aside(log: &Path) {
    if fs::metadata(log).is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX) {
        fs::rename(log, log.with_extension("log.old")).ok();
    }
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES_SHOWN)..]
        .iter()
        .map(|line| format!("  {line}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(folder: &Path, script: &str) -> Program {
        Program {
            name: "script",
            file: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            environment: vec![],
            niceness: 0,
            log: folder.join("script.log"),
        }
    }

    #[tokio::test]
    async fn a_program_that_is_killed_runs_again_and_stops_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let mut supervised = Supervised::start(program(folder.path(), "cat")).unwrap();
        let first = supervised.pid().unwrap();
        kill_process(
            Pid::from_raw(i32::try_from(first).unwrap()).unwrap(),
            Signal::KILL,
        )
        .unwrap();
        supervised
            .pid
            .wait_for(|pid| pid.is_some_and(|pid| pid != first))
            .await
            .unwrap();
        let second = supervised.pid().unwrap();
        supervised.stop().await;
        assert!(!Path::new(&format!("/proc/{second}")).exists());
    }

    #[tokio::test]
    async fn a_program_runs_as_nice_as_it_was_told_to_be_after_a_restart_too() {
        let folder = tempfile::tempdir().unwrap();
        let program = Program {
            niceness: 7,
            // A child, so that it shows that it is inherited.
            ..program(folder.path(), "sleep 0.1; nice; exit 1")
        };
        let log = program.log.clone();
        let supervised = Supervised::start(program).unwrap();
        let said = async {
            loop {
                let said = fs::read_to_string(&log).unwrap();
                let lines: Vec<_> = said.lines().collect();
                if let [first, second, ..] = lines[..] {
                    return [first.to_owned(), second.to_owned()];
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let said = tokio::time::timeout(Duration::from_secs(20), said).await;
        let wanted = (getpriority_process(None).unwrap() + 7).min(19).to_string();
        assert_eq!(said.unwrap(), [&*wanted, &*wanted]);
        supervised.stop().await;
    }

    #[tokio::test]
    async fn a_program_that_ends_again_and_again_is_given_up_with_its_last_words() {
        tokio::time::pause();
        let folder = tempfile::tempdir().unwrap();
        let mut supervised =
            Supervised::start(program(folder.path(), "echo no such port; exit 3")).unwrap();
        let message = supervised.given_up().await.to_string();
        assert!(
            message.contains("exit code 3") && message.contains("no such port"),
            "{message}"
        );
    }
}
