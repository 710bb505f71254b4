//! What people do with an identity: see it, put it under another key, forget it. Each is an event with a name and a reason.
//!
//! The event is the moment it is done. An erasure or a rotation marks its slots before and settles them behind it; [`Vault::settle`] reads the
//! log for what a crash left marked, so that a client is erased or not, and never half.

use crate::IdentityError;
use crate::keys::{Locked, Rewrapped, Slot, SlotState};
use crate::master::MasterKeySource;
use crate::plain::PlainIdentity;
use crate::recording::seconds;
use crate::vault::{Vault, key, open, seal};
use squareoff_domain::client::{
    self, Answer, ClientAsk, ClientRefusal, ClientRequest, ClientState, IdentityField,
    client_stream,
};
use squareoff_domain::{ClientCode, RequestId, Timestamp};
use squareoff_store::{Caller, EventStore, Position, Streams};
use std::collections::BTreeSet;
use std::path::Path;

/// An identity that somebody was shown, and where the log says so.
#[derive(Debug)]
pub struct Revealed {
    pub identity: PlainIdentity,
    pub request_id: RequestId,
    /// Of the event; `None` of a request that was made before, whose event stands where it did.
    pub position: Option<Position>,
}

impl Vault {
    /// The identity in the clear, behind a durable event that says who saw it and why. The same request again shows the fields that the
    /// event of the first names, and appends nothing.
    ///
    /// # Errors
    /// [`IdentityError::Refused`], and whatever keeps the identity from being opened: nothing is recorded then.
    pub async fn reveal(
        &self,
        streams: &Streams<ClientState>,
        client: &ClientCode,
        reason: &str,
        caller: &Caller,
    ) -> Result<Revealed, IdentityError> {
        let request = request(client, reason, caller, ClientAsk::Reveal);
        let stream = client_stream(client);
        let before = streams.load(&stream).await?;
        client::decide(&before.state, request.clone()).map_err(IdentityError::Refused)?;
        let identity = match &before.state.identity {
            Some(identity) => self.plain(client, identity)?,
            // Behind its repetition too there is nothing left to show.
            None => {
                let client = client.clone();
                return Err(IdentityError::Refused(match before.state.erased {
                    Some(_) => ClientRefusal::Erased { client },
                    None => ClientRefusal::IdentityNotRecorded { client },
                }));
            }
        };
        let decide = |state: &ClientState| {
            let events = client::decide(state, request.clone()).map_err(IdentityError::Refused)?;
            let first = state.requests.get(&request.request_id);
            Ok::<_, IdentityError>((events, first.map(|first| first.answer.clone())))
        };
        let committed = streams.transact(&stream, caller, decide).await?;
        let identity = match committed.value {
            Some(Answer::Revealed { fields }) => identity.only(&fields),
            Some(Answer::Verified { .. } | Answer::NotVerified { .. }) | None => identity,
        };
        Ok(Revealed {
            identity,
            request_id: request.request_id,
            position: committed.position.filter(|_| committed.appended > 0),
        })
    }

    /// Destroys the client's keys behind a tombstone in the log. Needs no master key. Once more on an erased client finishes what is left.
    ///
    /// # Errors
    /// [`IdentityError::Refused`]; or the log or the disk: the same again goes on.
    pub async fn erase(
        &self,
        streams: &Streams<ClientState>,
        client: &ClientCode,
        reason: &str,
        caller: &Caller,
    ) -> Result<Erased, IdentityError> {
        let request = request(client, reason, caller, ClientAsk::Erase);
        let locked = self.keys.lock().await?;
        let stream = client_stream(client);
        let before = streams.load(&stream).await?;
        client::decide(&before.state, request.clone()).map_err(IdentityError::Refused)?;
        let slots = if self.keys.exists() {
            locked.slots()?
        } else {
            vec![]
        };
        let slots: Vec<_> = slots
            .into_iter()
            .filter(|slot| slot.client == *client)
            .map(|slot| Slot {
                state: SlotState::Erasing,
                ..slot
            })
            .collect();
        locked.update(&slots)?;
        let decide = |state: &ClientState| {
            let events = client::decide(state, request.clone()).map_err(IdentityError::Refused)?;
            Ok::<_, IdentityError>((events, ()))
        };
        let committed = streams.transact(&stream, caller, decide).await?;
        locked.destroy(&|slot| slot.client == *client)?;
        Ok(Erased {
            keys: slots.len(),
            before: committed.appended == 0,
            position: committed.position.unwrap_or(Position::START),
        })
    }

    /// Puts the identity under a new data key and destroys the one before.
    ///
    /// # Errors
    /// [`IdentityError`]; the same again goes on.
    pub async fn rotate_key(
        &self,
        streams: &Streams<ClientState>,
        client: &ClientCode,
        reason: &str,
        caller: &Caller,
    ) -> Result<(), IdentityError> {
        let locked = self.keys.lock().await?;
        self.settle_locked(&locked, streams).await?;
        let unlocked = locked.unlock(&self.master)?;
        let stream = client_stream(client);
        let before = streams.load(&stream).await?;
        if let Err(refusal) = client::decide(
            &before.state,
            request(client, reason, caller, ClientAsk::Reveal),
        ) {
            return Err(IdentityError::Refused(refusal));
        }
        let now_s = seconds(caller.now);
        let (mut fresh, fresh_key) = unlocked.make_slot(SlotState::Fresh, client, now_s);
        let decide = |state: &ClientState| {
            let refused = || ClientRefusal::IdentityNotRecorded {
                client: client.clone(),
            };
            let identity = state
                .identity
                .as_ref()
                .ok_or_else(|| IdentityError::Refused(refused()))?;
            let old = key(&unlocked, client, identity.key_id)?;
            let plain = open(client, identity, &old)?;
            let sealed = seal(client, fresh.key_id, &fresh_key, &plain);
            let index = plain
                .get(IdentityField::Pan)
                .map(|pan| unlocked.pan_index(pan));
            let request = request(client, reason, caller, ClientAsk::RotateKey { sealed });
            let events = client::decide(state, request).map_err(IdentityError::Refused)?;
            Ok::<_, IdentityError>((events, (identity.key_id, index)))
        };
        locked.add(std::slice::from_ref(&fresh))?;
        let committed = streams.transact(&stream, caller, decide).await?;
        let (old, index) = committed.value;
        (fresh.state, fresh.pan_index) = (SlotState::Live, index);
        locked.update(std::slice::from_ref(&fresh))?;
        locked.back_up(now_s)?;
        locked.destroy(&|slot| slot.key_id == old)
    }

    /// Wraps every data key by another master key.
    ///
    /// # Errors
    /// [`IdentityError`]; the same again goes on, and until it has gone on the store opens under exactly one of the two.
    pub async fn rotate_master(
        &self,
        streams: &Streams<ClientState>,
        to: &MasterKeySource,
        now: Timestamp,
    ) -> Result<Rewrapped, IdentityError> {
        let locked = self.keys.lock().await?;
        self.settle_locked(&locked, streams).await?;
        locked.rewrap(&self.master, to, seconds(now))
    }

    /// Puts a backup in the place of the key store, without the keys of clients that were erased since. How many keys it has, and how many
    /// were left out.
    ///
    /// # Errors
    /// The backup does not open under the master key, or the log cannot be read: nothing is changed then.
    pub async fn restore(
        &self,
        streams: &Streams<ClientState>,
        backup: &Path,
    ) -> Result<(usize, usize), IdentityError> {
        let locked = self.keys.lock().await?;
        let found = locked.read_backup(backup, &self.master)?;
        let (mut kept, mut left_out) = (Vec::new(), 0);
        for slot in found.slots() {
            let loaded = streams.load(&client_stream(&slot.client)).await?;
            if loaded.state.erased.is_some() {
                left_out += 1;
            } else {
                kept.push(slot.clone());
            }
        }
        locked.restore(&found, &kept)?;
        Ok((kept.len(), left_out))
    }

    /// Makes a backup now.
    ///
    /// # Errors
    /// A failure of the disk, or no key store.
    pub async fn back_up(&self, now: Timestamp) -> Result<std::path::PathBuf, IdentityError> {
        self.keys.lock().await?.back_up(seconds(now))
    }

    /// Finishes what a crash cut short, and removes backups that are too old.
    ///
    /// # Errors
    /// The log or the disk.
    pub async fn settle(
        &self,
        streams: &Streams<ClientState>,
        now: Timestamp,
    ) -> Result<(), IdentityError> {
        let locked = self.keys.lock().await?;
        locked.prune(seconds(now))?;
        self.settle_locked(&locked, streams).await
    }

    /// Each client with a marked slot gets what the log says: a tombstone destroys its keys, a rotation that is in the log the old key, one
    /// that is not the new key, and an erasure that never came to the log is taken back.
    pub(crate) async fn settle_locked(
        &self,
        locked: &Locked<'_>,
        streams: &Streams<ClientState>,
    ) -> Result<(), IdentityError> {
        if !self.keys.exists() {
            return Ok(());
        }
        let slots = locked.slots()?;
        let marked = slots.iter().filter(|slot| slot.state != SlotState::Live);
        let clients: BTreeSet<_> = marked.map(|slot| &slot.client).collect();
        for client in clients {
            let state = streams.load(&client_stream(client)).await?.state;
            let known = state.identity.as_ref().map(|identity| identity.key_id);
            let of_client = || slots.iter().filter(|slot| slot.client == *client);
            let (mut live, mut dead) = (Vec::new(), Vec::new());
            for slot in of_client() {
                // A key that the log names nowhere stays only where it is the one that was there.
                let stays = state.erased.is_none()
                    && (known == Some(slot.key_id)
                        || (known.is_none() && slot.state != SlotState::Fresh));
                if stays {
                    live.push(Slot {
                        state: SlotState::Live,
                        ..slot.clone()
                    });
                } else {
                    dead.push(slot.key_id);
                }
            }
            // An index that a rotation had not written yet is the one of the key before: the PAN is the same.
            let index = of_client().find_map(|slot| slot.pan_index);
            for slot in &mut live {
                slot.pan_index = slot.pan_index.or(index);
            }
            locked.update(&live)?;
            locked.destroy(&|slot| dead.contains(&slot.key_id))?;
        }
        Ok(())
    }
}

/// What an erasure came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    /// Keys destroyed now.
    pub keys: usize,
    /// The client was erased before.
    pub before: bool,
    /// Of the client's last event.
    pub position: Position,
}

fn request(client: &ClientCode, reason: &str, caller: &Caller, ask: ClientAsk) -> ClientRequest {
    ClientRequest {
        request_id: RequestId(caller.request_id),
        by: caller.actor.to_string(),
        client: client.clone(),
        reason: reason.to_owned(),
        ask,
    }
}

/// The streams of clients over a log.
pub fn client_streams(store: &EventStore) -> Streams<ClientState> {
    Streams::new(store.clone())
}
