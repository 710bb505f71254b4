//! Plays scripts against an acceptor and says how far it keeps to them.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use squareoff_fix::driver::Clock;
use squareoff_fix::{Decoder, Frame};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::acceptor::Settings;
use super::compare::{Closeness, compare};
use super::script::{Action, Step, filled, parse, value};

/// How long a message or the end of a connection is waited for: longer than any heartbeat of a script, twice over.
const PATIENCE: Duration = Duration::from_secs(60);

/// A script's outcome: what differed first, if anything did.
#[derive(Debug)]
pub struct Outcome {
    pub name: String,
    pub relaxed: Result<(), String>,
    pub strict: Result<(), String>,
}

/// The scripts of a folder in order, or the one of a file.
///
/// # Errors
/// What can't be read, or is no script, in words.
pub fn scripts(path: &Path) -> Result<Vec<(String, Vec<Step>)>, String> {
    let named = |error: io::Error| format!("{}: {error}", path.display());
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(named)?;
        let all: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|e| e.path())).collect();
        files = all.map_err(named)?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "def"));
        files.sort();
    }
    if files.is_empty() {
        return Err(format!("{}: there is no script (*.def)", path.display()));
    }
    let mut scripts = Vec::new();
    for file in files {
        let name = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let steps = parse(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        scripts.push((name, steps));
    }
    Ok(scripts)
}

/// Who the acceptor of these scripts has to be: what most expected messages name as their sender.
pub fn identity(scripts: &[(String, Vec<Step>)], default: &Settings) -> Settings {
    let mut votes: BTreeMap<[String; 3], usize> = BTreeMap::new();
    for step in scripts.iter().flat_map(|(_, steps)| steps) {
        let (message, weight, [sender, target]) = match &step.action {
            Action::Expect(message) => (message, 100, ["49", "56"]),
            // Where nothing is expected back: the peer of most messages sent.
            Action::Send(message) => (message, 1, ["56", "49"]),
            Action::Connect | Action::Disconnect | Action::ExpectDisconnect => continue,
        };
        let named = ["8", sender, target].map(|tag| value(message, tag));
        if let [Some(begin_string), Some(sender), Some(target)] = named {
            let named = [begin_string, sender, target];
            let named = named.map(|text| String::from_utf8_lossy(text).into_owned());
            *votes.entry(named).or_default() += weight;
        }
    }
    let most = votes.into_iter().max_by_key(|(_, votes)| *votes);
    let mut told = scripts.iter().flat_map(|(_, steps)| steps);
    let told = told.find_map(|step| match &step.action {
        Action::Expect(message) => value(message, "1137"),
        _ => None,
    });
    let told = told.map(|version| String::from_utf8_lossy(version).into_owned());
    match most {
        None => default.clone(),
        Some(([begin_string, sender, target], _)) => Settings {
            begin_string,
            sender,
            target,
            default_appl_ver_id: told.unwrap_or_else(|| default.default_appl_ver_id.clone()),
            ..default.clone()
        },
    }
}

/// Plays one script; `dial` makes each of its connections.
pub async fn play<S, D, F>(name: &str, steps: &[Step], mut dial: D, clock: Clock) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin,
    D: FnMut() -> F,
    F: Future<Output = io::Result<S>>,
{
    let mut connections: BTreeMap<u8, Connection<S>> = BTreeMap::new();
    let mut strict = Ok(());
    for step in steps {
        let done = act(step, &mut connections, &mut dial, clock, &mut strict).await;
        if let Err(why) = done {
            let why = format!("line {}: {why}", step.line);
            return Outcome {
                name: name.to_owned(),
                relaxed: Err(why.clone()),
                strict: Err(why),
            };
        }
    }
    Outcome {
        name: name.to_owned(),
        relaxed: Ok(()),
        strict,
    }
}

struct Connection<S> {
    stream: S,
    decoder: Decoder,
}

async fn act<S, D, F>(
    step: &Step,
    connections: &mut BTreeMap<u8, Connection<S>>,
    dial: &mut D,
    clock: Clock,
    strict: &mut Result<(), String>,
) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin,
    D: FnMut() -> F,
    F: Future<Output = io::Result<S>>,
{
    if step.action == Action::Connect {
        let stream = dial()
            .await
            .map_err(|error| format!("could not connect: {error}"))?;
        let decoder = Decoder::default();
        connections.insert(step.connection, Connection { stream, decoder });
        return Ok(());
    }
    let Some(connection) = connections.get_mut(&step.connection) else {
        return Err("the connection is not there".to_owned());
    };
    match &step.action {
        Action::Connect => {}
        Action::Disconnect => {
            connections.remove(&step.connection);
        }
        Action::Send(message) => {
            let bytes = filled(message, clock());
            let sent = connection.stream.write_all(&bytes).await;
            sent.map_err(|error| format!("could not send: {error}"))?;
        }
        Action::Expect(message) => {
            let expected = filled(message, clock());
            let Some(found) = connection.next().await? else {
                return Err(format!(
                    "the connection ended instead of {}",
                    shown(&expected)
                ));
            };
            let differs = |why| {
                format!(
                    "{why}; expected {}, found {}",
                    shown(&expected),
                    shown(&found)
                )
            };
            compare(&expected, &found, Closeness::Relaxed).map_err(differs)?;
            if strict.is_ok() {
                *strict = compare(&expected, &found, Closeness::Strict)
                    .map_err(|why| format!("line {}: {}", step.line, differs(why)));
            }
        }
        Action::ExpectDisconnect => {
            if let Some(found) = connection.next().await? {
                return Err(format!("expected the end, found {}", shown(&found)));
            }
            connections.remove(&step.connection);
        }
    }
    Ok(())
}

impl<S: AsyncRead + Unpin> Connection<S> {
    /// The next message; `None` when the connection ended.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        loop {
            match self.decoder.next() {
                Some(Frame::Message(message)) => return Ok(Some(message.bytes().to_vec())),
                Some(Frame::Garbled(garbled)) => {
                    return Err(format!("what came is garbled: {garbled}"));
                }
                None => {}
            }
            let read = self.stream.read_buf(&mut self.decoder.buffer);
            match timeout(PATIENCE, read).await {
                Ok(Ok(0)) | Ok(Err(_)) => return Ok(None),
                Ok(Ok(_)) => {}
                Err(_) => return Err(format!("nothing came for {} s", PATIENCE.as_secs())),
            }
        }
    }
}

fn shown(message: &[u8]) -> String {
    String::from_utf8_lossy(message).replace('\x01', "|")
}
