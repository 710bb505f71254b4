//! `squareoff replay`: the event log as an auditor reads it. Who did what, when and why, and what it changed; the state of any stream
//! at any moment; a position's day as a table.
//!
//! 1. What an event changed is the difference of the domain's own folds before and behind it; nothing of the rules is written here.
//! 2. Events pass by in pages and a bounded number of streams is remembered, so that a log of any length needs the same memory.
//! 3. An event that this release does not know ends the replay with its name and place: none is passed over.
//! 4. What is printed depends on the log and the arguments alone; only width and colours are the terminal's.
//!
//! It reads from whichever store is configured, needs no read model, and appends nothing.

mod arguments;
mod filter;
mod folds;
mod near;
mod order;
mod overview;
pub(crate) mod paper;
mod sheet;
mod source;
mod stand;
mod story;
mod stream;
mod table;
#[cfg(test)]
mod tests;
mod told;
mod value;
pub(crate) mod zone;

pub use arguments::{Filters, Replay};

use crate::shutdown;
use anyhow::{Result, bail};
use filter::{Filter, Streams};
use folds::Folds;
use paper::Paper;
use source::Pages;
use squareoff_store::{Delivery, EventStore, Position, StoredEvent, codec};
use stand::Stand;
use std::future::Future;
use std::io::{BufWriter, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::Duration;
use story::Story;
use stream::{Kind, Name};
use table::{Line, Table};
use told::Told;
use zone::Instant;

/// Events of one delivery while the log is followed.
const PAGE: usize = 4_096;
/// How often a reader that went away is looked for while nothing happens.
const READER_CHECK: Duration = Duration::from_millis(500);
/// Streams that a name which fits several is answered with.
const NAMED_MAX: usize = 8;

/// Prints what is asked for to standard output; with `--follow` until a signal ends it.
///
/// # Errors
/// When what is asked for is not there, the log cannot be read, or it holds an event of a newer release: what lies before it is printed.
/// A reader that goes away (`| head`) is no error.
pub async fn run(store: &EventStore, asked: Replay) -> Result<()> {
    let stdout = std::io::stdout();
    let width = if stdout.is_terminal() {
        rustix::termios::tcgetwinsize(&stdout)
            .ok()
            .map(|size| size.ws_col)
    } else {
        None
    };
    let colour = anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
    let paper = Paper {
        width: asked
            .width
            .or(width.filter(|width| *width > 0))
            .map(usize::from),
        colour,
        zone: asked.zone(),
    };
    let mut out = BufWriter::new(stdout.lock());
    let printed = if asked.follow {
        let stop = shutdown::requested(shutdown::listen(false)?);
        print(store, &asked, paper, &mut out, stop).await
    } else {
        print(store, &asked, paper, &mut out, std::future::pending()).await
    };
    let flushed = out.flush().map_err(anyhow::Error::from);
    // What went wrong with the reader is told by whichever came first.
    match printed.and(flushed) {
        Err(error) if is_closed_pipe(&error) => Ok(()),
        ended => ended,
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<std::io::Error>();
    cause.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// As [`run`], to any writer.
async fn print(
    store: &EventStore,
    asked: &Replay,
    paper: Paper,
    out: &mut impl Write,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    if asked.is_bare() {
        return Ok(out.write_all(overview::overview(store, &paper).await?.as_bytes())?);
    }
    let streams = match &asked.stream {
        None => Streams::All,
        Some(name) => named(store, name).await?,
    };
    if let (Some(at), Some(name)) = (asked.state(), &asked.stream) {
        let stream = one_stream(store, streams, name).await?;
        let stand = Stand::read(store, &stream, at, paper.zone).await?;
        let text = if asked.json {
            format!("{}\n", stand.json())
        } else {
            stand.text(&paper)
        };
        return Ok(out.write_all(text.as_bytes())?);
    }
    let (streams, kind) = match (&asked.stream, asked.table) {
        (Some(name), true) => {
            let stream = one_stream(store, streams, name).await?;
            if Name::of(&stream).kind != Kind::Position {
                bail!("only a position's day is a table: ask `squareoff replay {stream}`");
            }
            let table = Print::Table(Table::new(paper), paper);
            (Streams::Exactly(stream), table)
        }
        _ if asked.json => (streams, Print::Json),
        _ => (streams, Print::Story(Story::new(paper))),
    };
    let mut filter = asked.filter(streams);
    let meant = resolve_order(store, &mut filter).await?;
    let mut replay = Replaying {
        filter,
        folds: Folds::new(store.clone()),
        print: kind,
        printed: 0,
    };
    tokio::pin!(stop);
    let last = tokio::select! {
        () = &mut stop => return Ok(()),
        last = replay.what_is_there(store, out) => last?,
    };
    if replay.printed == 0 && !(asked.follow && meant) {
        let unknown = match near::unknown(store, &replay.filter).await? {
            None if !meant => replay
                .filter
                .order
                .as_ref()
                .map(|order| format!("no event names order {}", order.name())),
            unknown => unknown,
        };
        match (unknown, asked.follow) {
            (Some(sentence), false) => bail!(sentence),
            (Some(sentence), true) => eprintln!("nothing yet ({sentence})"),
            (None, false) => eprintln!("no event fits all that is asked for"),
            (None, true) => {}
        }
    }
    if asked.follow {
        replay.follow(store, last, out, stop).await?;
    }
    Ok(())
}

/// The one stream of that name, or else those whose names begin so; a `*` at the end says that the latter are meant.
async fn named(store: &EventStore, name: &str) -> Result<Streams> {
    if let Some(beginning) = name.strip_suffix('*') {
        return Ok(Streams::BeginningWith(beginning.to_owned()));
    }
    let is_one = !store.read_stream(name, 1, 1).await?.is_empty();
    let name = name.to_owned();
    Ok(if is_one {
        Streams::Exactly(name)
    } else {
        Streams::BeginningWith(name)
    })
}

/// The only stream that is meant.
async fn one_stream(store: &EventStore, streams: Streams, name: &str) -> Result<String> {
    let filter = match streams {
        Streams::Exactly(stream) => return Ok(stream),
        Streams::All | Streams::BeginningWith(_) => Filter {
            streams,
            ..Filter::default()
        },
    };
    let beginning = name.trim_end_matches('*');
    let (mut pages, mut found) = (Pages::behind(store.clone(), Position::START), Vec::new());
    let mut count = 0_u64;
    while let Some(page) = pages.next().await? {
        let fits =
            |stored: &&StoredEvent| stored.version == 1 && stored.stream.starts_with(beginning);
        for stored in page.iter().filter(fits) {
            count += 1;
            if found.len() < NAMED_MAX {
                found.push(stored.stream.to_string());
            }
        }
    }
    match (&found[..], count) {
        ([], _) => {
            let sentence = near::unknown(store, &filter).await?;
            bail!(sentence.unwrap_or_else(|| format!("no stream begins with {name}")))
        }
        ([stream], _) => Ok(stream.clone()),
        (some, count) => bail!(
            "{count} streams begin with {name}, say which: {}",
            some.join(", ")
        ),
    }
}

/// Finds which order is meant by a name that is not its id; false when the log has no such name.
async fn resolve_order(store: &EventStore, filter: &mut Filter) -> Result<bool> {
    let Some(order) = filter.order.as_mut().filter(|order| !order.is_known()) else {
        return Ok(true);
    };
    let mut pages = Pages::behind(store.clone(), Position::START);
    let mut named = false;
    while let Some(page) = pages.next().await? {
        for stored in &page {
            named |= order.admits(stored)?;
            if order.is_known() {
                return Ok(true);
            }
        }
    }
    Ok(named)
}

/// How events are printed.
enum Print {
    Json,
    Story(Story),
    Table(Table, Paper),
}

/// A replay under way.
struct Replaying {
    filter: Filter,
    folds: Folds,
    print: Print,
    printed: u64,
}

impl Replaying {
    /// Prints what the log holds; the position up to which it was looked at.
    async fn what_is_there(
        &mut self,
        store: &EventStore,
        out: &mut impl Write,
    ) -> Result<Position> {
        let mut pages = match (&self.filter.streams, self.filter.from) {
            (Streams::Exactly(stream), _) => Pages::of_stream(store.clone(), stream),
            (Streams::All | Streams::BeginningWith(_), Some(Instant::Position(from))) => {
                Pages::behind(store.clone(), Position::from_u64(from.saturating_sub(1)))
            }
            (Streams::All | Streams::BeginningWith(_), Some(Instant::Time(_)) | None) => {
                Pages::behind(store.clone(), Position::START)
            }
        };
        while let Some(page) = pages.next().await? {
            if !self.take(page, out).await? {
                break;
            }
        }
        Ok(pages.position())
    }

    /// Prints what is asked for of a page; false when nothing behind it can be.
    async fn take(&mut self, page: Vec<StoredEvent>, out: &mut impl Write) -> Result<bool> {
        let (mut lines, mut name, mut more) = (Vec::new(), None, true);
        for stored in &page {
            if self.filter.ends_before(stored) {
                more = false;
                break;
            }
            // Its body may mean something else to the release that wrote it: nobody should read it as if it were known.
            codec::check(stored)?;
            if !self.filter.admits(stored)? {
                self.folds.pass(stored)?;
                continue;
            }
            let event = codec::decode(stored)?;
            let effect = self.folds.effect(stored, &event).await?;
            let told = Told::of(stored, &event, effect);
            self.printed += 1;
            match &mut self.print {
                Print::Json => {
                    let mut line = told.json()?;
                    line.push(b'\n');
                    out.write_all(&line)?;
                }
                Print::Story(story) => out.write_all(story.told(&told).as_bytes())?,
                Print::Table(_, paper) => {
                    lines.push(Line::of(&told, paper));
                    name = Some(stored.stream.clone());
                }
            }
        }
        if let (Print::Table(table, _), Some(name)) = (&mut self.print, name) {
            out.write_all(table.lines(&name, &lines).as_bytes())?;
        }
        Ok(more)
    }

    /// Prints what is asked for as it is appended, until `stop` ends or the reader goes away.
    async fn follow(
        &mut self,
        store: &EventStore,
        after: Position,
        out: &mut impl Write,
        mut stop: impl Future<Output = ()> + Unpin,
    ) -> Result<()> {
        out.flush()?;
        let mut subscription = store.subscribe(after);
        let mut look = tokio::time::interval(READER_CHECK);
        loop {
            tokio::select! {
                () = &mut stop => return Ok(()),
                _ = look.tick() => {
                    if reader_is_gone(std::io::stdout()) {
                        return Ok(());
                    }
                }
                delivery = subscription.next(PAGE) => match delivery? {
                    Delivery::CaughtUp(_) => {}
                    Delivery::Events(events) => {
                        let more = self.take(events, out).await?;
                        out.flush()?;
                        if !more {
                            return Ok(());
                        }
                    }
                },
            }
        }
    }
}

/// Whether nobody will read what is written: then there is nothing to wait for.
fn reader_is_gone(out: impl AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut asked = [PollFd::new(&out, PollFlags::empty())];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    match poll(&mut asked, Some(&at_once)) {
        Ok(_) => asked[0]
            .revents()
            .intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL),
        Err(_) => false,
    }
}
