//! Who waits for something to happen on which stream. One follower of the log wakes all of them, so that a worker with hundreds of
//! positions on their way does not read each again and again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

#[derive(Default)]
pub struct Changes(Mutex<HashMap<Arc<str>, Waiting>>);

struct Waiting {
    watches: usize,
    notify: Arc<Notify>,
}

/// As long as it lives, its stream is watched.
pub struct Watch {
    changes: Arc<Changes>,
    stream: Arc<str>,
    notify: Arc<Notify>,
}

impl Changes {
    pub fn watch(self: &Arc<Self>, stream: Arc<str>) -> Watch {
        let mut waiting = self.lock();
        let entry = waiting
            .entry(Arc::clone(&stream))
            .or_insert_with(|| Waiting {
                watches: 0,
                notify: Arc::default(),
            });
        entry.watches += 1;
        Watch {
            changes: Arc::clone(self),
            notify: Arc::clone(&entry.notify),
            stream,
        }
    }

    pub fn tell<'a>(&self, streams: impl Iterator<Item = &'a Arc<str>>) {
        let waiting = self.lock();
        if waiting.is_empty() {
            return;
        }
        for stream in streams {
            if let Some(waiting) = waiting.get(stream) {
                waiting.notify.notify_waiters();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Ends at the next change behind this call, so that a look between the call and the wait misses nothing.
    pub fn heard(&self) -> Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut waiting = self.changes.lock();
        if let Some(entry) = waiting.get_mut(&self.stream) {
            entry.watches -= 1;
            if entry.watches == 0 {
                waiting.remove(&self.stream);
            }
        }
    }
}
