//! Records the identities that a client master told of. What the log has already is compared in the clear, in memory, and not recorded again:
//! neither the log nor the key store has a hash of anything.

use crate::IdentityError;
use crate::cipher::Key;
use crate::keys::{Locked, Slot, SlotState, Unlocked};
use crate::plain::PlainIdentity;
use crate::vault::{Vault, open, seal};
use futures::{StreamExt, TryStreamExt, stream};
use squareoff_domain::client::{
    self, ClientReport, ClientState, IdentityField, SealedIdentity, client_stream,
};
use squareoff_domain::{ClientCode, KeyId, Timestamp};
use squareoff_store::{Caller, EventStore, Streams};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::{Uuid, uuid};

/// Streams that are read or appended to at once: as many as the import of the book has.
const IN_FLIGHT_MAX: usize = 512;
/// Under which the ids of our requests are made. Any fixed UUID will do; this one is for ever.
const REQUESTS: Uuid = uuid!("0f9a3f9e-8f0b-4d65-9a44-51d8f2f6f3c7");

/// The identity columns of one line of the client master.
#[derive(Debug, Clone)]
pub struct Line {
    pub client: ClientCode,
    pub identity: PlainIdentity,
}

/// Whose file it is, and who imports it when.
#[derive(Debug, Clone)]
pub struct RecordedBy {
    pub actor: Arc<str>,
    pub epoch: u32,
    pub now: Timestamp,
    /// The version of the file, which is made of no identity column.
    pub source: String,
}

/// What became of the lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Told for the first time, or otherwise than before.
    pub recorded: usize,
    pub unchanged: usize,
    /// Of clients that were erased: nothing of them is recorded again.
    pub erased: usize,
    /// Recorded anew because the key of what was recorded before is gone; counted in `recorded` too.
    pub anew: usize,
}

enum Outcome {
    Recorded { anew: bool, key_id: KeyId },
    Unchanged { key_id: KeyId },
    Erased,
}

impl Vault {
    /// Records what is new in the lines. The same lines again record nothing. Keys are durable before anything sealed under them is appended,
    /// and a backup of them is made at the end.
    ///
    /// # Errors
    /// [`IdentityError`]; what was recorded before stands, and the same again goes on.
    pub async fn record(
        &self,
        store: &EventStore,
        lines: &[Line],
        by: &RecordedBy,
    ) -> Result<Recorded, IdentityError> {
        let streams = Streams::<ClientState>::new(store.clone());
        let locked = self.keys.lock().await?;
        locked.make_if_missing(&self.master)?;
        self.settle_locked(&locked, &streams).await?;
        let unlocked = locked.unlock(&self.master)?;
        let states = load(&streams, lines).await?;
        let keys = Keys::of(&unlocked, &locked, lines, &states, seconds(by.now))?;
        let outcomes: Vec<_> = stream::iter(lines)
            .map(|line| record_line(&streams, &keys, line, by))
            .buffered(IN_FLIGHT_MAX)
            .try_collect()
            .await?;
        let mut report = Recorded::default();
        let mut moved = Vec::new();
        for (line, outcome) in lines.iter().zip(&outcomes) {
            match outcome {
                Outcome::Recorded { anew, key_id } => {
                    report.recorded += 1;
                    report.anew += usize::from(*anew);
                    moved.extend(keys.with_index(&unlocked, line, *key_id));
                }
                Outcome::Unchanged { key_id } => {
                    report.unchanged += 1;
                    moved.extend(keys.with_index(&unlocked, line, *key_id));
                }
                Outcome::Erased => report.erased += 1,
            }
        }
        locked.update(&moved)?;
        // A store of an older copy may have the key of somebody who was erased since.
        let gone = |slot: &Slot| {
            let state = states.get(&slot.client);
            state.is_some_and(|state| state.erased.is_some())
        };
        if unlocked.slots().any(gone) {
            locked.destroy(&gone)?;
        }
        if keys.made > 0 {
            locked.back_up(seconds(by.now))?;
        } else {
            locked.prune(seconds(by.now))?;
        }
        if report.anew > 0 {
            tracing::warn!(
                clients = report.anew,
                "identities were recorded anew: the keys of what was recorded before are not in the key store"
            );
        }
        Ok(report)
    }
}

/// Seconds since 1970.
pub(crate) fn seconds(now: Timestamp) -> u64 {
    u64::try_from(now.0 / 1_000_000_000).unwrap_or_default()
}

async fn load(
    streams: &Streams<ClientState>,
    lines: &[Line],
) -> Result<HashMap<ClientCode, Arc<ClientState>>, IdentityError> {
    stream::iter(lines)
        .map(async |line| {
            let loaded = streams.load(&client_stream(&line.client)).await?;
            Ok((line.client.clone(), loaded.state))
        })
        .buffer_unordered(IN_FLIGHT_MAX)
        .try_collect()
        .await
}

/// The keys of the clients at hand.
struct Keys {
    by_client: HashMap<ClientCode, Vec<(Slot, Key)>>,
    made: usize,
}

impl Keys {
    /// Opens what is there, and makes what is missing, durably.
    fn of(
        unlocked: &Unlocked,
        locked: &Locked<'_>,
        lines: &[Line],
        states: &HashMap<ClientCode, Arc<ClientState>>,
        now_s: u64,
    ) -> Result<Keys, IdentityError> {
        let mut by_client: HashMap<ClientCode, Vec<(Slot, Key)>> = HashMap::new();
        for slot in unlocked.slots() {
            if let Some(key) = unlocked.unwrap(slot) {
                let keys = by_client.entry(slot.client.clone()).or_default();
                keys.push((slot.clone(), key));
            }
        }
        let mut made = Vec::new();
        for line in lines {
            let erased = states
                .get(&line.client)
                .is_some_and(|state| state.erased.is_some());
            if erased || line.identity.is_empty() || by_client.contains_key(&line.client) {
                continue;
            }
            let (mut slot, key) = unlocked.make_slot(SlotState::Live, &line.client, now_s);
            slot.pan_index = index_of(unlocked, line);
            made.push(slot.clone());
            by_client.insert(line.client.clone(), vec![(slot, key)]);
        }
        locked.add(&made)?;
        Ok(Keys {
            by_client,
            made: made.len(),
        })
    }

    fn slots_of(&self, client: &ClientCode) -> impl Iterator<Item = &Slot> {
        let keys = self.by_client.get(client).into_iter().flatten();
        keys.map(|(slot, _)| slot)
    }

    /// The key of what is recorded, or else the newest one.
    fn of_client(
        &self,
        client: &ClientCode,
        identity: Option<&SealedIdentity>,
    ) -> Option<&(Slot, Key)> {
        let keys = self.by_client.get(client)?;
        let wanted = identity.map(|identity| identity.key_id);
        let found = keys.iter().find(|(slot, _)| Some(slot.key_id) == wanted);
        found.or_else(|| keys.last())
    }

    /// The slot with the blind index of the line's PAN, where it has another.
    fn with_index(&self, unlocked: &Unlocked, line: &Line, key_id: KeyId) -> Option<Slot> {
        let pan_index = index_of(unlocked, line)?;
        let mut slots = self.slots_of(&line.client);
        let slot = slots.find(|slot| slot.key_id == key_id)?;
        (slot.pan_index != Some(pan_index)).then(|| Slot {
            pan_index: Some(pan_index),
            ..slot.clone()
        })
    }
}

fn index_of(unlocked: &Unlocked, line: &Line) -> Option<[u8; 32]> {
    let pan = line.identity.get(IdentityField::Pan)?;
    Some(unlocked.pan_index(pan))
}

async fn record_line(
    streams: &Streams<ClientState>,
    keys: &Keys,
    line: &Line,
    by: &RecordedBy,
) -> Result<Outcome, IdentityError> {
    let stream = client_stream(&line.client);
    let version = streams.load(&stream).await?.version;
    let caller = Caller {
        actor: by.actor.clone(),
        // Of the stream's version and of nothing that is told: an id made of the fields would be a hash of them.
        request_id: Uuid::new_v5(&REQUESTS, format!("{stream} {version}").as_bytes()),
        correlation_id: Uuid::new_v5(&REQUESTS, by.source.as_bytes()),
        epoch: by.epoch,
        now: by.now,
    };
    let decide = |state: &ClientState| {
        let identity = state.identity.as_ref();
        let Some((slot, key)) = keys.of_client(&line.client, identity) else {
            return Ok::<_, IdentityError>((vec![], Outcome::Erased));
        };
        if state.erased.is_some() {
            return Ok((vec![], Outcome::Erased));
        }
        let key_id = slot.key_id;
        let known = match identity {
            Some(identity) if identity.key_id == key_id => Some(open(&line.client, identity, key)?),
            Some(_) | None => None,
        };
        let anew = identity.is_some() && known.is_none();
        let all = match &known {
            Some(known) => line.identity.over(known),
            None => line.identity.clone(),
        };
        if known
            .as_ref()
            .is_some_and(|known| known.says_the_same(&all))
        {
            return Ok((vec![], Outcome::Unchanged { key_id }));
        }
        let report = ClientReport::Identity {
            client: line.client.clone(),
            sealed: seal(&line.client, key_id, key, &all),
            source: by.source.clone(),
        };
        let events = client::record(state, report);
        Ok((events, Outcome::Recorded { anew, key_id }))
    };
    if line.identity.is_empty() {
        return Ok(Outcome::Unchanged {
            key_id: KeyId(Uuid::nil()),
        });
    }
    let committed = streams.transact(&stream, &caller, decide).await?;
    Ok(committed.value)
}
