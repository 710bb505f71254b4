//! Read with a count: a stream or `$all`, forwards or backwards, in pages. With a subscription, see [`crate::subscribe`].
//!
//! Revisions are KurrentDB's, one less than our versions. A place in `$all` is read with the event that stands there when forwards,
//! and without it when backwards; a place at which no event can stand is refused.

use crate::faults::{self, Call, Cut};
use crate::filter::Filter;
use crate::position::{place, position};
use crate::refusal::Refusal;
use crate::server::{Shared, stopping};
use crate::service::Incoming;
use crate::subscribe;
use crate::wire::{
    self, AllOption, CountOption, FilterOption, ReadContent, ReadEvent, ReadOptions, ReadReq,
    ReadResp, RecordedEvent, RevisionOption, StreamIdentifier, StreamNotFound, StreamOption,
    UuidForm,
};
use futures::future::Either;
use futures::stream::{self, Stream, StreamExt};
use squareoff_store::metadata::Metadata;
use squareoff_store::{Position, StoredEvent};
use std::sync::Arc;
use tokio::sync::mpsc;
use tonic::Status;

/// Events of one page. However large they are, the store's pages end at 16 MiB, and a reader holds three at most.
pub(crate) const PAGE_EVENTS: usize = 256;
/// Events of one page backwards, which is put together of the store's: 64 MiB if they are the largest.
const BACK_EVENTS: usize = 64;
/// Pages that wait for the network.
const PAGES_MAX: usize = 1;

/// Where answers go, page by page.
pub(crate) struct Sink {
    pages: mpsc::Sender<Result<Vec<ReadResp>, Status>>,
    incoming: Incoming,
    call: Call,
    pub(crate) ids: UuidForm,
}

/// What to read and how.
enum Asked {
    Stream { name: String, from: Option<u64> },
    All { from: From },
}

/// A place in `$all`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum From {
    Start,
    At(Position),
    End,
}

pub(crate) fn read(
    incoming: Incoming,
    request: ReadReq,
) -> Result<impl Stream<Item = Result<ReadResp, Status>> + Send + 'static, Refusal> {
    let options = request.options.unwrap_or_default();
    incoming.leader_where_required()?;
    let ids = options
        .uuid_option
        .as_ref()
        .and_then(|option| option.content);
    let subscription = matches!(options.count, Some(CountOption::Subscription(())));
    let (pages, mut paged) = mpsc::channel(PAGES_MAX);
    let shared = incoming.shared.clone();
    let sink = Sink {
        pages: pages.clone(),
        incoming,
        call: if subscription {
            Call::Subscribe
        } else {
            Call::Read
        },
        ids: ids.unwrap_or(UuidForm::Structured(())),
    };
    tokio::spawn(async move {
        let cut = tokio::select! {
            done = run(&shared, sink, options) => done.err(),
            // The client has gone.
            () = pages.closed() => return,
            () = shared.closing() => Some(stopping().into()),
        };
        if let Some(Cut::Status(status)) = cut {
            // It may have gone since.
            let _ = pages.send(Err(*status)).await;
        }
    });
    let pages = stream::poll_fn(move |context| paged.poll_recv(context));
    Ok(pages.flat_map(|page| match page {
        Ok(page) => Either::Left(stream::iter(page.into_iter().map(Ok))),
        Err(status) => Either::Right(stream::iter([Err(status)])),
    }))
}

async fn run(shared: &Arc<Shared>, sink: Sink, options: ReadOptions) -> Result<(), Cut> {
    let backwards = options.read_direction == 1;
    let compatibility = options
        .control_option
        .map_or(0, |control| control.compatibility);
    let filter = match options.filter {
        Some(FilterOption::Filter(filter)) => Some(Filter::new(filter)?),
        Some(FilterOption::NoFilter(())) | None => None,
    };
    let asked = asked(options.stream)?;
    match (options.count, asked, filter, backwards) {
        (Some(CountOption::Count(count)), Asked::Stream { name, from }, None, backwards) => {
            let found = if backwards {
                stream_backwards(shared, &sink, &name, from, count).await?
            } else {
                stream_forwards(shared, &sink, &name, from, count).await?
            };
            // Newer clients ask to be told where the stream ends.
            match found {
                Some(version) if compatibility >= 1 => {
                    sink.send(vec![ReadContent::LastStreamPosition(version - 1).into()])
                        .await
                }
                Some(_) | None => Ok(()),
            }
        }
        (Some(CountOption::Count(count)), Asked::All { from }, filter, backwards) => {
            if backwards {
                all_backwards(shared, &sink, from, filter.as_ref(), count).await
            } else {
                all_forwards(shared, &sink, from, filter.as_ref(), count).await
            }
        }
        (Some(CountOption::Subscription(())), Asked::Stream { name, from }, None, false) => {
            subscribe::to_stream(shared, &sink, &name, from).await
        }
        (Some(CountOption::Subscription(())), Asked::All { from }, filter, false) => {
            subscribe::to_all(shared, &sink, from, filter.as_ref()).await
        }
        (None | Some(_), _, _, _) => Err(bad(
            "a read needs a count; streams have no filter, and subscriptions go forwards",
        )),
    }
}

fn asked(option: Option<StreamOption>) -> Result<Asked, Cut> {
    match option {
        Some(StreamOption::Stream(options)) => {
            let name = options.stream_identifier.unwrap_or_default().stream_name;
            let name =
                String::from_utf8(name).map_err(|_| bad("the stream's name is not UTF-8"))?;
            let from = match options.revision {
                Some(RevisionOption::Revision(revision)) => Some(revision),
                Some(RevisionOption::End(())) => Some(u64::MAX),
                Some(RevisionOption::Start(())) | None => None,
            };
            Ok(Asked::Stream { name, from })
        }
        Some(StreamOption::All(options)) => {
            let from = match options.position {
                Some(AllOption::Position(at)) if at.commit == u64::MAX => From::End,
                Some(AllOption::Position(at)) => {
                    From::At(position(at).ok_or(Refusal::NoSuchPosition)?)
                }
                Some(AllOption::End(())) => From::End,
                Some(AllOption::Start(())) | None => From::Start,
            };
            Ok(Asked::All { from })
        }
        None => Err(bad("a read needs a stream, or $all")),
    }
}

/// Returns the stream's version, `None` when there is no such stream, which is told.
async fn stream_forwards(
    shared: &Shared,
    sink: &Sink,
    name: &str,
    from: Option<u64>,
    count: u64,
) -> Result<Option<u64>, Cut> {
    let version = shared
        .store
        .stream_version(name)
        .await
        .map_err(Refusal::from)?;
    if version == 0 {
        return not_found(sink, name).await;
    }
    let mut next = from.unwrap_or(0).saturating_add(1);
    let mut left = count;
    while left > 0 && next <= version {
        let page = store_page(left);
        let events = shared
            .store
            .read_stream(name, next, page)
            .await
            .map_err(Refusal::from)?;
        let Some(last) = events.last() else { break };
        next = last.version + 1;
        left -= events.len() as u64;
        sink.events(events).await?;
    }
    Ok(Some(version))
}

async fn stream_backwards(
    shared: &Shared,
    sink: &Sink,
    name: &str,
    from: Option<u64>,
    count: u64,
) -> Result<Option<u64>, Cut> {
    let version = shared
        .store
        .stream_version(name)
        .await
        .map_err(Refusal::from)?;
    if version == 0 {
        return not_found(sink, name).await;
    }
    let mut upto = from.unwrap_or(0).saturating_add(1).min(version);
    let mut left = count;
    while left > 0 && upto > 0 {
        let page = left.min(upto).min(BACK_EVENTS as u64);
        let mut next = upto - page + 1;
        let mut events = Vec::with_capacity(BACK_EVENTS);
        while next <= upto {
            let max = store_page(upto - next + 1);
            let more = shared
                .store
                .read_stream(name, next, max)
                .await
                .map_err(Refusal::from)?;
            let Some(last) = more.last() else { break };
            next = last.version + 1;
            events.extend(more);
        }
        upto -= page;
        left -= page;
        events.reverse();
        sink.events(events).await?;
    }
    Ok(Some(version))
}

async fn not_found(sink: &Sink, name: &str) -> Result<Option<u64>, Cut> {
    let not_found = StreamNotFound {
        stream_identifier: StreamIdentifier::of(name),
    };
    sink.send(vec![ReadContent::StreamNotFound(not_found).into()])
        .await?;
    Ok(None)
}

async fn all_forwards(
    shared: &Shared,
    sink: &Sink,
    from: From,
    filter: Option<&Filter>,
    count: u64,
) -> Result<(), Cut> {
    let head = shared.store.head().await.map_err(Refusal::from)?;
    let mut after = match from {
        From::Start => Position::START,
        From::At(at) if at > head => return Err(Refusal::NoSuchPosition.into()),
        // With the event that stands there.
        From::At(at) => Position::from_u64(at.as_u64().saturating_sub(1)),
        From::End => return Ok(()),
    };
    let mut left = count;
    while left > 0 {
        let max = if filter.is_some() {
            PAGE_EVENTS
        } else {
            store_page(left)
        };
        let mut events = shared
            .store
            .read_all(after, max)
            .await
            .map_err(Refusal::from)?;
        let Some(last) = events.last() else { break };
        after = last.position;
        keep(&mut events, filter)?;
        events.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        left -= events.len() as u64;
        sink.events(events).await?;
    }
    Ok(())
}

async fn all_backwards(
    shared: &Shared,
    sink: &Sink,
    from: From,
    filter: Option<&Filter>,
    count: u64,
) -> Result<(), Cut> {
    let head = shared.store.head().await.map_err(Refusal::from)?.as_u64();
    let mut upto = match from {
        From::Start => 0,
        From::At(at) if at.as_u64() > head => return Err(Refusal::NoSuchPosition.into()),
        From::At(at) => at.as_u64().saturating_sub(1),
        From::End => head,
    };
    let mut left = count;
    while left > 0 && upto > 0 {
        let mut after = upto.saturating_sub(BACK_EVENTS as u64);
        let low = after;
        let mut events = Vec::with_capacity(BACK_EVENTS);
        while after < upto {
            let max = store_page(upto - after);
            let more = shared
                .store
                .read_all(Position::from_u64(after), max)
                .await
                .map_err(Refusal::from)?;
            let Some(last) = more.last() else { break };
            after = last.position.as_u64();
            events.extend(more);
        }
        upto = low;
        keep(&mut events, filter)?;
        events.reverse();
        events.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        left -= events.len() as u64;
        sink.events(events).await?;
    }
    Ok(())
}

fn store_page(left: u64) -> usize {
    usize::try_from(left)
        .unwrap_or(PAGE_EVENTS)
        .min(PAGE_EVENTS)
}

/// Keeps what the filter lets pass.
pub(crate) fn keep(events: &mut Vec<StoredEvent>, filter: Option<&Filter>) -> Result<(), Refusal> {
    let Some(filter) = filter else { return Ok(()) };
    let mut failed = Ok(());
    events.retain(|event| {
        filter.passes(event).unwrap_or_else(|refusal| {
            failed = Err(refusal);
            false
        })
    });
    failed
}

fn bad(reason: &str) -> Cut {
    Cut::from(Refusal::Bad {
        reason: reason.to_owned(),
    })
}

impl std::convert::From<Refusal> for Cut {
    fn from(refusal: Refusal) -> Cut {
        refusal.status().into()
    }
}

impl Sink {
    pub(crate) async fn events(&self, events: Vec<StoredEvent>) -> Result<(), Cut> {
        let page = events.into_iter().map(|event| self.event(event)).collect();
        self.send(page).await
    }

    /// Sends what is on the page, if anything is.
    pub(crate) async fn send(&self, page: Vec<ReadResp>) -> Result<(), Cut> {
        if page.is_empty() {
            return Ok(());
        }
        let fault = self.incoming.shared.faults.take(self.call);
        faults::before(fault.as_ref(), &self.incoming.peer).await?;
        self.pages.send(Ok(page)).await.map_err(|_| Cut::End)
    }

    pub(crate) fn event(&self, event: StoredEvent) -> ReadResp {
        let wire::Position { commit, prepare } = place(event.position);
        let custom_metadata = Metadata::of(&event).render();
        let recorded = RecordedEvent {
            id: Some(match self.ids {
                UuidForm::Structured(()) => wire::Uuid::structured(event.id),
                UuidForm::Text(()) => wire::Uuid::text(event.id),
            }),
            stream_identifier: StreamIdentifier::of(&event.stream),
            stream_revision: event.version.saturating_sub(1),
            prepare_position: prepare,
            commit_position: commit,
            metadata: [
                ("type".to_owned(), event.event_type.to_string()),
                // In 100 nanoseconds since 1970.
                (
                    "created".to_owned(),
                    (event.recorded_at.0 / 100).to_string(),
                ),
                ("content-type".to_owned(), "application/json".to_owned()),
            ]
            .into(),
            custom_metadata,
            data: event.body,
        };
        ReadContent::Event(ReadEvent {
            event: Some(recorded),
            commit_position: Some(commit),
        })
        .into()
    }
}
