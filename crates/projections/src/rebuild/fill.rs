//! From the log to rows in the tables, segment by segment: what a segment changed is copied and committed with its checkpoint, so that
//! a rebuild that is killed loses no more than the segments under way.
//!
//! Three things at a time, each bounded: reading with decoding, folding, and copying the segment before. A row that changes in several
//! segments is copied in each of them; the older ones are cleared away before the keys are built (`steps.rs`).
//!
//! Of the last segment the audit trail and the trades, half of the work, are copied beside the other tables and committed before them:
//! the server works on one table per connection. What a rebuild that was killed left beyond the checkpoint is taken out
//! ([`take_out_ahead`]).

use super::RebuildError;
use super::progress::{Progress, Stage, Tell};
use crate::fold::{Encoded, Fold, FoldError, Rows, Touched, decode};
use crate::units;
use sqlx::{Connection, PgConnection};
use squareoff_domain::Event;
use squareoff_store::{EventStore, Position, StoredEvent};
use tokio::sync::{mpsc, watch};

/// Events of a segment: less than half a second of work, and few rows that the next segment changes again.
pub const SEGMENT_EVENTS: usize = 131_072;
/// A larger wish is cut to this, for the sake of memory: about a kilobyte per event while a segment is on its way.
pub const SEGMENT_EVENTS_MAX: usize = 262_144;
/// Events of one read: half a millisecond of decoding. Larger ones are slower: the allocator gives their memory back to the system,
/// which then clears it for the next.
const CHUNK_EVENTS: usize = 512;
/// Chunks read and decoded ahead of the fold, about a megabyte each: as many as are read while the fold writes down a segment's rows.
const CHUNKS_AHEAD_MAX: usize = 64;
/// Segments folded ahead of the copying.
const SEGMENTS_AHEAD_MAX: usize = 1;

type Chunk = Result<Vec<(StoredEvent, Event)>, FoldError>;

struct Segment {
    rows: Rows<Encoded>,
    from: Position,
    to: Position,
}

/// What a filling came to.
pub(super) struct FilledUp {
    pub events: u64,
    pub to: Position,
    pub connections: [PgConnection; 2],
}

/// Fills the tables from the first position to the second. Folding does not wait for `connections`, so the tables may be laid out
/// meanwhile.
pub(super) async fn fill(
    store: &EventStore,
    fold: &mut Fold,
    connections: impl Future<Output = Result<[PgConnection; 2], RebuildError>> + Send + 'static,
    (from, target): (Position, Position),
    segment_events: usize,
    tell: &mut Tell<'_>,
) -> Result<FilledUp, RebuildError> {
    let (segments, to_copy) = mpsc::channel(SEGMENTS_AHEAD_MAX);
    let (emptied, spare) = mpsc::channel(SEGMENTS_AHEAD_MAX + 1);
    let (kept_sender, kept) = watch::channel(from);
    let copier = tokio::spawn(copy_segments(
        connections,
        target,
        to_copy,
        emptied,
        kept_sender,
    ));
    let mut filling = Filling {
        fold,
        from,
        to: from,
        events: 0,
        segments,
        spare,
    };
    let folded = filling.fold_all(store, target, segment_events, |done| {
        tell(Progress::events(
            Stage::Folding,
            done,
            target,
            *kept.borrow(),
        ))
    });
    let folded = folded.await;
    let Filling {
        events,
        to,
        segments,
        ..
    } = filling;
    // Whatever happened, what was folded is kept.
    drop(segments);
    if folded.is_ok() {
        tell(Progress::events(
            Stage::Copying,
            *kept.borrow(),
            target,
            *kept.borrow(),
        ));
    }
    let copied = copier.await.expect("copying does not panic");
    folded?;
    Ok(FilledUp {
        events,
        to,
        connections: copied?,
    })
}

struct Filling<'f> {
    fold: &'f mut Fold,
    /// Where the segment at hand begins, and how far it is.
    from: Position,
    to: Position,
    events: u64,
    segments: mpsc::Sender<Segment>,
    /// The memory of rows that were copied.
    spare: mpsc::Receiver<Rows<Encoded>>,
}

impl Filling<'_> {
    async fn fold_all(
        &mut self,
        store: &EventStore,
        target: Position,
        segment_events: usize,
        mut told: impl FnMut(Position),
    ) -> Result<(), RebuildError> {
        let (sender, mut chunks) = mpsc::channel(CHUNKS_AHEAD_MAX);
        let chunk_events = CHUNK_EVENTS.min(segment_events);
        let places = (self.from, target);
        tokio::spawn(read_ahead(store.clone(), places, chunk_events, sender));
        let (mut touched, mut in_segment) = (Touched::begin(Rows::default()), 0);
        told(self.from);
        while let Some(chunk) = chunks.recv().await {
            let chunk = chunk?;
            let Some(last) = chunk.last().map(|(stored, _)| stored.position) else {
                break;
            };
            in_segment += chunk.len();
            self.events += units::count(chunk.len());
            self.fold.take_in(store, &chunk, &mut touched).await?;
            self.to = last;
            if in_segment >= segment_events {
                in_segment = 0;
                let next = Touched::begin(self.spare.try_recv().unwrap_or_default());
                if !self.hand_on(std::mem::replace(&mut touched, next)).await {
                    // The copier has its reason.
                    return Ok(());
                }
            }
            told(last);
        }
        if in_segment > 0 {
            self.hand_on(touched).await;
        }
        Ok(())
    }

    /// Gives the segment's rows to the copier; false when that has ended.
    async fn hand_on(&mut self, touched: Touched<Encoded>) -> bool {
        let segment = Segment {
            rows: self.fold.rows(touched),
            from: self.from,
            to: self.to,
        };
        self.from = self.to;
        self.segments.send(segment).await.is_ok()
    }
}

/// Ends early when nobody takes the chunks any more.
async fn read_ahead(
    store: EventStore,
    (mut after, target): (Position, Position),
    chunk_events: usize,
    chunks: mpsc::Sender<Chunk>,
) {
    while after < target {
        let chunk = match store.read_all(after, chunk_events).await {
            Err(error) => Err(error.into()),
            Ok(mut events) => {
                events.retain(|event| event.position <= target);
                let Some(last) = events.last() else { return };
                after = last.position;
                // Half a millisecond, for which it is not worth going to another thread and coming back.
                decode(events)
            }
        };
        let failed = chunk.is_err();
        if chunks.send(chunk).await.is_err() || failed {
            return;
        }
    }
}

async fn copy_segments(
    connections: impl Future<Output = Result<[PgConnection; 2], RebuildError>>,
    target: Position,
    mut segments: mpsc::Receiver<Segment>,
    emptied: mpsc::Sender<Rows<Encoded>>,
    kept: watch::Sender<Position>,
) -> Result<[PgConnection; 2], RebuildError> {
    let [mut one, mut two] = connections.await?;
    while let Some(mut segment) = segments.recv().await {
        let mut transaction = one.begin().await?;
        let rows = &mut segment.rows;
        if segment.to == target {
            // Nobody folds any more: the processor that did is free for a second connection.
            rows.copy_over_two(&mut transaction, &mut two).await?;
        } else {
            rows.copy_into(&mut transaction).await?;
        }
        let moved = sqlx::query!(
            "UPDATE checkpoint SET position = $2 WHERE position = $1",
            units::position(segment.from),
            units::position(segment.to),
        )
        .execute(&mut *transaction)
        .await?;
        if moved.rows_affected() != 1 {
            return Err(RebuildError::Disturbed);
        }
        sqlx::query!(
            "UPDATE rebuild SET segment_ends = array_append(segment_ends, $1)",
            units::position(segment.to)
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        kept.send_replace(segment.to);
        // Where there are enough to spare, or nobody folds any more, they are let go of.
        let _ = emptied.try_send(segment.rows);
    }
    Ok([one, two])
}

/// Before a filling is gone on with: what was copied ahead of the checkpoint is copied again.
pub(super) async fn take_out_ahead(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM audit WHERE position > (SELECT position FROM checkpoint)")
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM trades WHERE updated_position > (SELECT position FROM checkpoint)")
        .execute(connection)
        .await?;
    Ok(())
}
