//! Messages to clients, by phone and e-mail. The set of ways is closed, and configuration picks one.

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// To one client, over whatever is registered of them.
pub struct Message {
    pub phone: Option<SecretString>,
    pub email: Option<SecretString>,
    pub text: SecretString,
}

#[derive(Debug, Clone)]
pub enum Notifier {
    /// For development: a file that shows what would be sent.
    Outbox(Outbox),
}

/// `messages.jsonl` in a folder, its owner's alone; the newest last.
#[derive(Debug, Clone)]
pub struct Outbox {
    file: PathBuf,
    turn: Arc<Mutex<()>>,
}

#[derive(Serialize)]
struct Line<'a> {
    at: &'a str,
    phone: Option<&'a str>,
    email: Option<&'a str>,
    text: &'a str,
}

impl Notifier {
    /// Waits for the disk or the network: not on the runtime's threads.
    ///
    /// # Errors
    /// Nothing was sent.
    pub fn send(&self, message: &Message, at: &str) -> io::Result<()> {
        match self {
            Notifier::Outbox(outbox) => outbox.put(message, at),
        }
    }
}

impl Outbox {
    /// # Errors
    /// When the folder can't be made.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        Ok(Outbox {
            file: folder.join("messages.jsonl"),
            turn: Arc::default(),
        })
    }

    fn put(&self, message: &Message, at: &str) -> io::Result<()> {
        let exposed =
            |text: &Option<SecretString>| text.as_ref().map(|text| text.expose_secret().to_owned());
        let (phone, email) = (exposed(&message.phone), exposed(&message.email));
        let mut line = serde_json::to_string(&Line {
            at,
            phone: phone.as_deref(),
            email: email.as_deref(),
            text: message.text.expose_secret(),
        })?;
        line.push('\n');
        let _turn = self.turn.lock().expect("nothing panics while writing");
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&self.file)?;
        file.write_all(line.as_bytes())
    }
}
