//! From the log's first event to full tables with their indexes: three things at a time, each bounded.
//!
//! One task reads and decodes ahead, this one folds, and the server takes the trades in as they come; positions, orders and
//! clients, which change until the end, are copied when everything is folded, while the trades are indexed on the first connection.

use super::indexes::set_aside;
use super::{Progress, RebuildError, Rebuilt, Stage};
use crate::copy::{CopyRows, Copying, copy};
use crate::fold::{FoldError, decode};
use crate::{clients, orders, positions, trades, units};
use sqlx::Executor;
use squareoff_domain::Event;
use squareoff_store::{EventStore, Position, StoredEvent};
use tokio::sync::mpsc;

/// Events of one read: some milliseconds of decoding.
const CHUNK_EVENTS: usize = 8_192;
/// Chunks decoded ahead of the fold, about ten megabytes each.
const CHUNKS_AHEAD_MAX: usize = 3;

type Chunk = Result<Vec<(StoredEvent, Event)>, FoldError>;

/// Fills the tables with the log up to `target`. Gives the number of events.
pub(super) async fn fill(
    store: &EventStore,
    rebuilt: &mut Rebuilt,
    target: Position,
    progress: &mut (impl FnMut(Progress) + Send),
) -> Result<u64, RebuildError> {
    let set_aside = set_aside(&mut rebuilt.connection).await?;
    let mut events = 0;
    let (sender, mut chunks) = mpsc::channel(CHUNKS_AHEAD_MAX);
    let reader = tokio::spawn(read_ahead(store.clone(), target, sender));
    let mut copying = Copying::begin(&mut rebuilt.connection, trades::COPY).await?;
    while let Some(chunk) = chunks.recv().await {
        let chunk = chunk?;
        events += units::count(chunk.len());
        let trades = rebuilt.fold.trades(chunk)?;
        copying
            .rows(trades.iter(), |row, rows: &mut CopyRows| {
                trades::copy(row, rows)
            })
            .await?;
        progress(Progress {
            stage: Stage::Folding,
            position: rebuilt.fold.last(),
            target,
            events,
        });
    }
    copying.finish().await?;
    reader.await.expect("reading ahead does not panic");
    rebuilt.position = target;

    let tell = |stage| Progress {
        stage,
        position: target,
        target,
        events,
    };
    progress(tell(Stage::Copying));
    let Rebuilt {
        connection,
        beside,
        fold,
        ..
    } = rebuilt;
    let index_trades = async {
        set_aside.build(connection, &["trades"]).await?;
        connection.execute("ANALYZE trades").await
    };
    let copy_the_rest = async {
        copy(beside, clients::COPY, fold.all_clients(), |row, rows| {
            clients::copy(row, rows)
        })
        .await?;
        copy(
            beside,
            positions::COPY,
            fold.all_positions(),
            positions::copy,
        )
        .await?;
        copy(beside, orders::COPY, fold.all_orders(), orders::copy).await?;
        progress(tell(Stage::Indexing));
        set_aside
            .build(beside, &["clients", "positions", "orders"])
            .await?;
        beside.execute("ANALYZE clients, positions, orders").await
    };
    tokio::try_join!(index_trades, copy_the_rest)?;
    sqlx::query!(
        "UPDATE checkpoint SET position = $1",
        units::position(target)
    )
    .execute(connection)
    .await?;
    Ok(events)
}

/// Ends early when nobody takes the chunks any more.
async fn read_ahead(store: EventStore, target: Position, chunks: mpsc::Sender<Chunk>) {
    let mut after = Position::START;
    while after < target {
        let chunk = read_chunk(&store, after, target).await;
        let last = match &chunk {
            Ok(events) => events.last().map(|(stored, _)| stored.position),
            Err(_) => None,
        };
        if chunk.as_ref().is_ok_and(Vec::is_empty) || chunks.send(chunk).await.is_err() {
            return;
        }
        let Some(last) = last else { return };
        after = last;
    }
}

async fn read_chunk(store: &EventStore, after: Position, target: Position) -> Chunk {
    let mut events = store.read_all(after, CHUNK_EVENTS).await?;
    events.retain(|event| event.position <= target);
    tokio::task::spawn_blocking(|| decode(events))
        .await
        .expect("decoding does not panic")
}
