//! Waiting for the read models to reflect a position ("read your own write").
//!
//! One connection listens for all: thousands of waiters cost a channel each and no query. While Postgres is away, or a
//! notification is lost with its connection, the checkpoint is asked for instead.

use crate::query::checkpoint;
use crate::write::CHANNEL;
use futures::FutureExt;
use sqlx::postgres::{PgListener, PgPool};
use squareoff_store::Position;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A lost notification delays its waiters by at most this.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// Pause before the listener connects again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(200);

/// The read models were not there in time; they are at `position`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the read models reflect the log up to {position}, not yet up to {wanted}")]
pub struct NotYet {
    pub wanted: Position,
    pub position: Position,
}

/// Knows how far the live read models are. Cheap to clone; the task behind it ends with the last clone.
#[derive(Debug, Clone)]
pub struct Watcher {
    position: watch::Receiver<Position>,
    _task: Arc<Task>,
}

#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Watcher {
    /// Listens on one connection of `pool`, for as long as a clone lives. Needs a Tokio runtime.
    pub fn start(pool: PgPool) -> Self {
        let (sender, position) = watch::channel(Position::START);
        let task = tokio::spawn(async move {
            loop {
                if let Err(error) = listen(&pool, &sender).await {
                    tracing::debug!(%error, "not listening for read positions");
                    ask(&pool, &sender).await;
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                }
            }
        });
        Watcher {
            position,
            _task: Arc::new(Task(task)),
        }
    }

    /// The last position that was heard of.
    pub fn position(&self) -> Position {
        *self.position.borrow()
    }

    /// Waits until the read models reflect `wanted`, and gives the position they are at; queries asked then see at least that.
    ///
    /// # Errors
    /// [`NotYet`] after `timeout`.
    pub async fn wait_for(&self, wanted: Position, timeout: Duration) -> Result<Position, NotYet> {
        let mut position = self.position.clone();
        let reached = async {
            position
                .wait_for(|position| *position >= wanted)
                .await
                .map(|position| *position)
                .ok()
        };
        let reached = tokio::time::timeout(timeout, reached).await.ok().flatten();
        reached.ok_or_else(|| NotYet {
            wanted,
            position: self.position(),
        })
    }
}

/// Until the connection fails.
async fn listen(pool: &PgPool, sender: &watch::Sender<Position>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    // What was committed before the listener listened.
    ask(pool, sender).await;
    loop {
        match tokio::time::timeout(POLL_INTERVAL, listener.recv()).await {
            Ok(heard) => {
                let heard = heard?;
                let mut position: Option<Position> = heard.payload().parse().ok();
                // A waiter cares for the newest only.
                while let Some(Ok(Some(later))) = listener.try_recv().now_or_never() {
                    position = position.max(later.payload().parse().ok());
                }
                raise(sender, position);
            }
            Err(_) => ask(pool, sender).await,
        }
    }
}

async fn ask(pool: &PgPool, sender: &watch::Sender<Position>) {
    if let Ok(position) = checkpoint(pool).await {
        raise(sender, Some(position));
    }
}

/// The checkpoint never goes back; a late answer must not pretend it does.
fn raise(sender: &watch::Sender<Position>, position: Option<Position>) {
    if let Some(position) = position {
        sender.send_if_modified(|known| {
            let higher = position > *known;
            *known = position.max(*known);
            higher
        });
    }
}
