//! What a session has sent, and up to where it has received: the durable half of a session.
//!
//! One folder per session, held by one process through a file lock. Called by `driver`, and by the
//! application at start to learn what had been handed to the wire.
//!
//! 1. Sequence numbers are 1, 2, 3, ... without a hole in a generation; a record is never changed.
//! 2. A batch is durable (one write, one fdatasync) when `Batch::write` returns. Session-level messages too:
//!    they are few, and a number that went out and is forgotten with the power could never be used again,
//!    the peer would refuse the session for good.
//! 3. The inbound number may be older than the truth after a power loss, never newer: what is asked for
//!    again is a duplicate, what is skipped would be lost.
//! 4. Nothing is deleted: a reset starts a new generation beside the old file, a torn tail is kept aside.
//! 5. After a failed write the journal refuses everything until it is opened again.
//! 6. Records mostly overwrite zeros that are durable already: a sync of a file that grows waits for the file
//!    system's own journal as well, one of a file that does not waits for the data alone.
//!
//! Files: `outbound.log` (this generation), `outbound-<generation>-<nanos>.log` (older ones),
//! `outbound-<generation>-<nanos>.torn` (tails cut off), `inbound.num`, `lock`.

mod folder;
mod format;
mod history;
mod inbound;
mod print;

pub use print::print;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::value::Timestamp;
use folder::{CURRENT, NEXT, at, create, finish_reset, hold, open_file, set_aside, sync_folder};
use format::Head;
pub use history::History;
use inbound::InboundNumber;

/// The longest CompID; venues give out some ten characters.
const COMP_ID_BYTES_MAX: usize = 256;
/// Zeros written ahead at least: room for some hundred messages, so that a quiet session's file stays small.
const ROOM_BYTES_MIN: u64 = 64 * 1024;
/// Zeros written ahead at most, as many as the file has records otherwise. They are synced with the batch that they
/// follow, which so takes a few milliseconds once in ten thousand messages.
const ROOM_BYTES_MAX: u64 = 4 * 1024 * 1024;
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
/// Records read at a time when walking through the journal.
const WALK_RECORDS: u64 = 512;

/// Whether a record belongs to the application or to the session itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    App,
    Admin,
}

/// One message that was handed to the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// MsgSeqNum.
    pub seq: u64,
    pub kind: Kind,
    /// The application's name for it (a ClOrdID); empty for session-level messages.
    pub id: String,
    /// Its position in the application's log; 0 for none.
    pub position: u64,
    pub sending_time: Timestamp,
    /// The message as it went out the first time.
    pub bytes: Bytes,
}

/// Why a journal can't be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("journal {folder} is in use by another process")]
    InUse { folder: PathBuf },
    #[error("journal {folder} belongs to session {found}, not {wanted}")]
    OtherSession {
        folder: PathBuf,
        found: String,
        wanted: String,
    },
    #[error("journal {file} is damaged: {what}")]
    Damaged { file: PathBuf, what: &'static str },
    #[error("journal {folder} refuses to go on after a failed write; open it again")]
    Failed { folder: PathBuf },
    #[error("journal record {seq} is too long to be read back")]
    TooLong { seq: u64 },
    #[error("the CompIDs {sender} and {target} are empty or too long")]
    CompIds { sender: String, target: String },
    #[error("journal record {seq} does not follow {last}")]
    OutOfOrder { seq: u64, last: u64 },
    #[error("journal {file}: {source}")]
    Io { file: PathBuf, source: io::Error },
}

/// The journal of one session.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    /// Of `file`, for its errors.
    path: Arc<Path>,
    file: Arc<File>,
    head: Head,
    /// Where each record of this generation starts; record `seq` is at index `seq - 1`.
    starts: Vec<u64>,
    end: u64,
    /// The file's length: zeros from `end` on.
    size: u64,
    last_position: u64,
    has_app: bool,
    /// The last batch's buffers, to be used again.
    spare: (Vec<u8>, Vec<u64>),
    inbound: InboundNumber,
    /// A batch was handed out and has not come back: it may or may not be in the file.
    in_doubt: bool,
    lock: Arc<File>,
}

/// A batch ready to be written, on any thread.
#[derive(Debug)]
pub struct Batch {
    file: Arc<File>,
    /// Held while the batch may still be written, even when the journal is dropped meanwhile: whoever opens
    /// it next must not find records appearing.
    _lock: Arc<File>,
    path: Arc<Path>,
    at: u64,
    bytes: Vec<u8>,
    /// How many zeros are to be written behind it, where the file grows; then, how many were.
    room: u64,
    starts: Vec<u64>,
    /// The highest position of its application messages; `None` without any.
    last_position: Option<u64>,
}

/// Proof that a batch was written.
#[derive(Debug)]
pub struct Written(Batch);

impl Batch {
    /// Writes the batch with one write and one fdatasync. Blocks.
    ///
    /// # Errors
    /// [`JournalError::Io`]: the batch must be taken as not sent and the journal as unusable.
    pub fn write(mut self) -> Result<Written, JournalError> {
        let written = self.file.write_all_at(&self.bytes, self.at);
        let synced = written.and_then(|()| {
            self.room = self.write_room();
            self.file.sync_data()
        });
        match synced {
            Ok(()) => Ok(Written(self)),
            Err(source) => Err(JournalError::Io {
                file: self.path.to_path_buf(),
                source,
            }),
        }
    }

    /// How many of the zeros could be written: a disk that is nearly full may still have room for the records.
    fn write_room(&self) -> u64 {
        let mut done = 0;
        while done < self.room {
            let n = (self.room - done).min(ZEROS.len() as u64) as usize;
            if self
                .file
                .write_all_at(&ZEROS[..n], self.end() + done)
                .is_err()
            {
                break;
            }
            done += n as u64;
        }
        done
    }

    /// Where the next batch goes.
    fn end(&self) -> u64 {
        self.at + self.bytes.len() as u64
    }
}

impl Journal {
    /// Opens or creates the journal of session `sender` -> `target` in `folder`, and holds it until dropped.
    ///
    /// # Errors
    /// `CompIds`, `InUse`, `OtherSession`, `Damaged` (records that were durable are unreadable), `Io`.
    pub fn open(
        folder: impl Into<PathBuf>,
        sender: &str,
        target: &str,
        now: Timestamp,
    ) -> Result<Journal, JournalError> {
        let folder = folder.into();
        if [sender, target]
            .iter()
            .any(|id| !(1..=COMP_ID_BYTES_MAX).contains(&id.len()))
        {
            return Err(JournalError::CompIds {
                sender: sender.to_owned(),
                target: target.to_owned(),
            });
        }
        std::fs::create_dir_all(&folder).map_err(at(&folder))?;
        let lock = hold(&folder)?;
        let path = folder.join(CURRENT);
        finish_reset(&folder)?;
        if !path.exists() {
            let head = Head {
                generation: 1,
                created: now,
                base_position: 0,
                sender: sender.to_owned(),
                target: target.to_owned(),
            };
            create(&folder, &head)?;
            std::fs::rename(folder.join(NEXT), &path).map_err(at(&path))?;
            sync_folder(&folder)?;
        }
        let file = open_file(&path)?;
        let scan = format::scan(&file, &path)?;
        if (scan.head.sender.as_str(), scan.head.target.as_str()) != (sender, target) {
            return Err(JournalError::OtherSession {
                folder,
                found: format!("{} -> {}", scan.head.sender, scan.head.target),
                wanted: format!("{sender} -> {target}"),
            });
        }
        if scan.torn_bytes > 0 {
            set_aside(&folder, &file, &scan, now)?;
        }
        let inbound = InboundNumber::open(&folder.join("inbound.num"), scan.head.generation)?;
        Ok(Journal {
            folder,
            path: path.into(),
            file: Arc::new(file),
            head: scan.head,
            starts: scan.starts,
            end: scan.end,
            size: if scan.torn_bytes > 0 {
                scan.end
            } else {
                scan.size
            },
            last_position: scan.last_position,
            has_app: scan.has_app,
            spare: Default::default(),
            inbound,
            in_doubt: false,
            lock: Arc::new(lock),
        })
    }

    /// The generation: 1 at creation, one more with each reset of sequence numbers.
    pub fn generation(&self) -> u64 {
        self.head.generation
    }

    /// When this generation was created.
    pub fn created(&self) -> Timestamp {
        self.head.created
    }

    /// Our SenderCompID.
    pub fn sender(&self) -> &str {
        &self.head.sender
    }

    /// The peer's CompID.
    pub fn target(&self) -> &str {
        &self.head.target
    }

    /// The sequence number of the last record of this generation; 0 for none.
    pub fn last_seq(&self) -> u64 {
        self.starts.len() as u64
    }

    /// Whether this generation holds an application message.
    pub fn has_app(&self) -> bool {
        self.has_app
    }

    /// The highest application position ever journaled, older generations included; 0 for none.
    pub fn last_position(&self) -> u64 {
        self.last_position
    }

    /// The inbound sequence number expected next: everything below has been recorded by the application.
    pub fn next_inbound(&self) -> u64 {
        self.inbound.next()
    }

    /// Remembers the inbound number expected next. Not synced: losing it means redelivery. An application
    /// that keeps the number itself, beside what it recorded, sets it here before the session starts.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn record_inbound(&mut self, next: u64) -> Result<(), JournalError> {
        self.inbound.set(next)
    }

    /// Appends a batch: prepare, write, complete in one. Blocks.
    ///
    /// # Errors
    /// As [`Journal::prepare`] and [`Batch::write`].
    pub fn append(&mut self, records: &[Record]) -> Result<(), JournalError> {
        let written = self.prepare(records)?.write()?;
        self.complete(written);
        Ok(())
    }

    /// Encodes a batch for writing elsewhere. Until [`Journal::complete`] gets it back, the journal refuses
    /// further batches; when it never comes back, the journal has to be opened again.
    ///
    /// # Errors
    /// `Failed` after an earlier failure; `OutOfOrder` when `records` do not continue the numbers; `TooLong`.
    pub fn prepare(&mut self, records: &[Record]) -> Result<Batch, JournalError> {
        if self.in_doubt {
            return Err(JournalError::Failed {
                folder: self.folder.clone(),
            });
        }
        let (bytes, starts) = std::mem::take(&mut self.spare);
        let mut batch = Batch {
            file: Arc::clone(&self.file),
            _lock: Arc::clone(&self.lock),
            path: Arc::clone(&self.path),
            at: self.end,
            bytes,
            room: 0,
            starts,
            last_position: None,
        };
        batch.bytes.clear();
        batch.starts.clear();
        for record in records {
            let last = self.last_seq() + batch.starts.len() as u64;
            if record.seq != last + 1 {
                return Err(JournalError::OutOfOrder {
                    seq: record.seq,
                    last,
                });
            }
            if !format::fits(record) {
                return Err(JournalError::TooLong { seq: record.seq });
            }
            batch.starts.push(self.end + batch.bytes.len() as u64);
            format::put(&mut batch.bytes, record);
            if record.kind == Kind::App {
                batch.last_position = batch.last_position.max(Some(record.position));
            }
        }
        if batch.end() > self.size {
            batch.room = batch.end().clamp(ROOM_BYTES_MIN, ROOM_BYTES_MAX);
        }
        self.in_doubt = true;
        Ok(batch)
    }

    /// Takes a written batch into the index.
    pub fn complete(&mut self, Written(batch): Written) {
        self.end = batch.end();
        self.size = self.size.max(self.end + batch.room);
        self.starts.extend_from_slice(&batch.starts);
        self.last_position = self.last_position.max(batch.last_position.unwrap_or(0));
        self.has_app |= batch.last_position.is_some();
        self.in_doubt = false;
        self.spare = (batch.bytes, batch.starts);
    }

    /// The records from `from` through `to` that exist, in order, with one read.
    ///
    /// # Errors
    /// `Io`; `Damaged` when a record that was written is no longer readable.
    pub fn records(&self, from: u64, to: u64) -> Result<Vec<Record>, JournalError> {
        let (from, to) = (from.max(1), to.min(self.last_seq()));
        if from > to {
            return Ok(Vec::new());
        }
        let start = self.starts[from as usize - 1];
        let end = self.starts.get(to as usize).copied().unwrap_or(self.end);
        let path = self.folder.join(CURRENT);
        let mut bytes = vec![0; (end - start) as usize];
        self.file
            .read_exact_at(&mut bytes, start)
            .map_err(at(&path))?;
        format::take_all(bytes.into()).ok_or(JournalError::Damaged {
            file: path,
            what: "a record in the middle is unreadable",
        })
    }

    /// All records of this generation in order, read piece by piece.
    pub fn iter(&self) -> impl Iterator<Item = Result<Record, JournalError>> + '_ {
        (0..=self.last_seq() / WALK_RECORDS).flat_map(move |piece| {
            let from = piece * WALK_RECORDS + 1;
            match self.records(from, from + WALK_RECORDS - 1) {
                Ok(records) => records.into_iter().map(Ok).collect::<Vec<_>>(),
                Err(error) => vec![Err(error)],
            }
        })
    }

    /// Starts a new generation: both sequence numbers are 1 again, the old file stays under another name.
    /// Durable when it returns. Blocks.
    ///
    /// # Errors
    /// `Failed` after an earlier failure, `Io`. A crash in between is finished by the next `open`.
    pub fn reset(&mut self, now: Timestamp) -> Result<(), JournalError> {
        if self.in_doubt {
            return Err(JournalError::Failed {
                folder: self.folder.clone(),
            });
        }
        self.in_doubt = true;
        let head = Head {
            generation: self.head.generation + 1,
            created: now,
            base_position: self.last_position,
            ..self.head.clone()
        };
        create(&self.folder, &head)?;
        self.give_back_room();
        let path = self.folder.join(CURRENT);
        let old = format!("outbound-{:06}-{}.log", self.head.generation, now.0);
        std::fs::rename(&path, self.folder.join(old)).map_err(at(&path))?;
        finish_reset(&self.folder)?;
        self.file = Arc::new(open_file(&path)?);
        self.inbound.restart(head.generation)?;
        self.end = format::head_size(&head);
        self.size = self.end;
        self.head = head;
        self.starts.clear();
        self.has_app = false;
        self.in_doubt = false;
        Ok(())
    }

    /// Cuts off the zeros behind the last record of a file that takes no more for now. When that is forgotten with the
    /// power, they are there again and mean the same.
    fn give_back_room(&self) {
        if self.size > self.end
            && let Err(error) = self.file.set_len(self.end)
        {
            tracing::warn!(journal.folder = %self.folder.display(), %error, "could not cut the room off a journal");
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // A batch in doubt may be written still.
        if !self.in_doubt {
            self.give_back_room();
        }
    }
}

#[cfg(test)]
mod tests;
