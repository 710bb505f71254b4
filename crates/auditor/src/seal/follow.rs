//! Following the log and signing: read what is new, and when it is due make it durable, sign it, tell it.

use super::asking::Asking;
use super::begin::{Begun, Head};
use super::{ACTOR, Board, Contradiction, EVENTS_MAX, INTERVAL, Seal, SealError, SealSettings};
use crate::tlog::{Checkpoint, Hash, Signer, TileLog};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use squareoff_domain::sealing::{self, CheckpointSealed, STREAM, Sealed};
use squareoff_store::{Caller, Entry, EventStore, Position, Streams};
use std::convert::Infallible;
use std::pin::Pin;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How often the log is looked at: short beside [`INTERVAL`], and one small read.
const POLL: Duration = Duration::from_millis(50);
/// A read that brings as many is followed by another at once. Behind one that brings fewer the log's end is mostly near, and what comes
/// there while others append is waited for: read one by one, events cost many times as much.
const MANY: usize = 256;

/// Seals until `shutdown` ends, the last time then.
///
/// # Errors
/// [`SealError`].
pub(super) async fn seal(
    store: &EventStore,
    settings: &SealSettings,
    signer: &Signer,
    board: &Board,
    mut shutdown: Pin<&mut impl Future<Output = ()>>,
) -> Result<(), SealError> {
    let seal = Seal { settings, signer };
    let streams = Streams::<Sealed>::new(store.clone());
    let begun = seal.begin(store, &streams).await?;
    let asking = Asking::start(settings, board);
    let mut following = Following::new(&seal, store, streams, board, asking, begun).await?;
    loop {
        let read = following.read().await?;
        if following.is_due() {
            following.sign().await?;
        } else if read < MANY {
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = shutdown.as_mut() => break,
            }
        }
    }
    // What came until now is not left without a signature.
    let end = store.head().await?;
    while following.after < end && following.read().await? > 0 {
        if following.is_due() {
            following.sign().await?;
        }
    }
    if following.waiting_since.is_some() {
        following.sign().await?;
    }
    tracing::info!(size = following.tiles.size(), "the sealer has finished");
    Ok(())
}

struct Following<'a> {
    seal: &'a Seal<'a>,
    store: &'a EventStore,
    streams: Streams<Sealed>,
    board: &'a Board,
    asking: Asking,
    tiles: TileLog,
    positions: super::positions::PositionsLog,
    /// Where the last sealed event stands, and what it is.
    sealed: Option<SealedLast>,
    /// Everything up to here has been read.
    after: Position,
    pending: Vec<(Position, Hash)>,
    /// Since when an event waits that is not a checkpoint's own.
    waiting_since: Option<Instant>,
    /// A checkpoint that the log does not tell of yet.
    untold: Option<CheckpointSealed>,
}

/// The end of what is sealed: read again before each signature.
#[derive(Clone, Copy)]
struct SealedLast {
    before: Position,
    position: Position,
    leaf: Hash,
}

impl<'a> Following<'a> {
    async fn new(
        seal: &'a Seal<'a>,
        store: &'a EventStore,
        streams: Streams<Sealed>,
        board: &'a Board,
        asking: Asking,
        begun: Begun,
    ) -> Result<Self, SealError> {
        let sealed = match &begun.checkpoint {
            Some(head) if head.checkpoint.size > 0 => {
                let entries = store.read_entries(begun.before_last, 1).await?;
                entries.first().map(|entry| SealedLast {
                    before: begun.before_last,
                    position: entry.position,
                    leaf: entry.leaf_hash(),
                })
            }
            Some(_) | None => None,
        };
        let mut following = Following {
            seal,
            store,
            streams,
            board,
            asking,
            tiles: begun.tiles,
            positions: begun.positions,
            sealed,
            after: begun.last,
            pending: vec![],
            waiting_since: None,
            untold: None,
        };
        board.alarm("log", None);
        if let Some(head) = begun.checkpoint {
            following.untold = Some(told(&head));
            following.publish(&head);
            following.tell().await;
        }
        Ok(following)
    }

    /// Takes what is new, as much as one checkpoint may hold; how many events that was.
    async fn read(&mut self) -> Result<usize, SealError> {
        let room = (EVENTS_MAX - self.pending.len()).max(1);
        let entries = self.store.read_entries(self.after, room).await?;
        for entry in &entries {
            let leaf = entry.leaf_hash();
            if !is_checkpoint(entry)? {
                self.waiting_since.get_or_insert_with(Instant::now);
            }
            self.pending.push((entry.position, leaf));
            self.after = entry.position;
        }
        if self.untold.is_some() {
            self.tell().await;
        }
        Ok(entries.len())
    }

    /// An event may have been there a [`POLL`] before it was read, and the next look is another away.
    fn is_due(&self) -> bool {
        self.pending.len() >= EVENTS_MAX
            || self
                .waiting_since
                .is_some_and(|since| since.elapsed() + 2 * POLL >= INTERVAL)
    }

    /// Signs what is pending: durable first, told last.
    async fn sign(&mut self) -> Result<(), SealError> {
        self.check_last().await?;
        for (_, leaf) in &self.pending {
            self.tiles.append(*leaf);
        }
        self.positions
            .append(self.pending.iter().map(|(position, _)| *position))?;
        self.tiles.write_tiles()?;
        let checkpoint = Checkpoint {
            origin: self.seal.settings.origin.clone(),
            size: self.tiles.size(),
            root: self.tiles.root(),
        };
        let note = checkpoint.sign(self.seal.signer).to_string();
        self.tiles.commit(&note)?;
        let head = Head { checkpoint, note };
        let before = match self.pending[..] {
            [.., (before, _), _] => before,
            [_] | [] => self
                .sealed
                .map_or(Position::START, |sealed| sealed.position),
        };
        if let Some((position, leaf)) = self.pending.last().copied() {
            self.sealed = Some(SealedLast {
                before,
                position,
                leaf,
            });
        }
        self.pending.clear();
        self.waiting_since = None;
        self.untold = Some(told(&head));
        self.publish(&head);
        self.tell().await;
        Ok(())
    }

    /// The last sealed event must still stand where it stood: else the log was cut, or another one was put in its place.
    async fn check_last(&self) -> Result<(), SealError> {
        let Some(last) = self.sealed else {
            return Ok(());
        };
        let index = self.tiles.size() - 1;
        let found = self.store.read_entries(last.before, 1).await?;
        match found.first() {
            Some(entry) if entry.position == last.position && entry.leaf_hash() == last.leaf => {
                Ok(())
            }
            Some(_) => Err(Contradiction::Altered {
                position: last.position,
                index,
            }
            .into()),
            None => Err(Contradiction::Shorter {
                last: last.before,
                found: index,
                sealed: self.tiles.size(),
                missing: format!("position {}", last.position),
            }
            .into()),
        }
    }

    fn publish(&self, head: &Head) {
        let position = self.sealed.map_or(0, |sealed| sealed.position.as_u64());
        self.board.update(|status| {
            status.size = head.checkpoint.size;
            status.position = position;
            status.sealed_at = super::now_s();
        });
        self.asking.ask(head);
    }

    /// Appends the checkpoint's event. A log that takes none now is told with the next look at it.
    async fn tell(&mut self) {
        let Some(checkpoint) = self.untold.clone() else {
            return;
        };
        let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, checkpoint.note.as_bytes());
        let caller = Caller {
            actor: ACTOR.into(),
            request_id: id,
            correlation_id: id,
            epoch: 0,
            now: super::now(),
        };
        let told = self
            .streams
            .transact(STREAM, &caller, |sealed| {
                Ok::<_, Infallible>((sealing::record(sealed, checkpoint.clone()), ()))
            })
            .await;
        match told {
            Ok(_) => self.untold = None,
            Err(error) => tracing::warn!(%error, "the log was not told of its checkpoint yet"),
        }
    }
}

fn told(head: &Head) -> CheckpointSealed {
    CheckpointSealed {
        size: head.checkpoint.size,
        root: STANDARD.encode(head.checkpoint.root),
        note: head.note.clone(),
    }
}

fn is_checkpoint(entry: &Entry) -> Result<bool, Contradiction> {
    match entry.event() {
        Ok(event) => Ok(&*event.stream == STREAM),
        Err(error) => Err(Contradiction::Unreadable {
            position: entry.position,
            reason: error.to_string(),
        }),
    }
}
