//! One connection's way through the changes.

use super::change::Change;
use super::hub::{Caught, Seat, Shown};
use super::topics::Topics;
use squareoff_store::Position;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::{Instant, Sleep, sleep};

/// Where a reader begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the next change.
    Now,
    /// With the first change behind this position.
    Behind(Position),
    /// It named a position that the log does not have.
    Unknown,
}

/// What a reader is told next. All but a change end, begin or keep up the connection; each names the position up to which the reader has
/// been shown everything.
#[derive(Debug)]
pub enum Told {
    /// Changes behind this position follow.
    Ready(Position),
    /// What it missed can't be told any more: changes behind this position follow, everything else is to be loaded afresh.
    Reset(Position),
    /// With these parts of it.
    Change(Arc<Change>, Topics),
    Heartbeat(Position),
    /// It did not keep up. This is the end; it may come back with the position.
    Behind(Position),
    /// The server goes. This is the end.
    Closing(Position),
    /// It may listen no more. This is the end.
    Expelled(Position),
}

#[derive(Debug)]
pub struct Reader {
    seat: Seat,
    /// Everything that it may see has been told up to here.
    after: Position,
    source: Source,
    /// How far behind the log it may be.
    allowance: Option<usize>,
    heartbeat: Pin<Box<Sleep>>,
}

#[derive(Debug)]
enum Source {
    Begin(Start),
    /// What comes next is looked for in the window.
    Window,
    /// What was found in the window, up to a position.
    Found(VecDeque<Shown>, Position),
    Queue(mpsc::Receiver<Shown>),
    End,
}

impl Reader {
    /// `now` is the position published when the seat was given.
    pub(super) fn new(seat: Seat, start: Start, now: Position) -> Self {
        let heartbeat = Box::pin(sleep(seat.hub.limits.heartbeat));
        Reader {
            seat,
            after: match start {
                Start::Behind(position) => position,
                Start::Now | Start::Unknown => now,
            },
            source: Source::Begin(start),
            allowance: None,
            heartbeat,
        }
    }

    /// Up to where everything has been told.
    pub fn position(&self) -> Position {
        self.after
    }

    /// What comes next; `None` behind the end. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            if self.seat.is_expelled() && !matches!(self.source, Source::End) {
                self.source = Source::End;
                return Some(Told::Expelled(self.after));
            }
            match &mut self.source {
                Source::Begin(start) => {
                    let start = *start;
                    return Some(self.begin(start));
                }
                Source::Window => {
                    if let Some(told) = self.look() {
                        return Some(told);
                    }
                    // The window is looked through in parts, between which others have their turn.
                    tokio::task::yield_now().await;
                }
                Source::Found(changes, up_to) => match changes.pop_front() {
                    Some(shown) => return Some(self.shown(shown)),
                    None => {
                        self.after = self.after.max(*up_to);
                        self.source = Source::Window;
                    }
                },
                Source::Queue(queue) => {
                    tokio::select! {
                        biased;
                        shown = queue.recv() => match shown {
                            // It may have begun ahead of what was published.
                            Some((change, _)) if change.position <= self.after => {}
                            Some(shown) => return Some(self.shown(shown)),
                            None => self.source = Source::Window,
                        },
                        () = self.heartbeat.as_mut() => {
                            let next = Instant::now() + self.seat.hub.limits.heartbeat;
                            self.heartbeat.as_mut().reset(next);
                            // What was published up to here is in the queue or has been told.
                            let published = self.seat.hub.position();
                            match queue.try_recv() {
                                Ok((change, _)) if change.position <= self.after => {}
                                Ok(shown) => return Some(self.shown(shown)),
                                Err(TryRecvError::Disconnected) => self.source = Source::Window,
                                Err(TryRecvError::Empty) => {
                                    self.after = self.after.max(published);
                                    return Some(Told::Heartbeat(self.after));
                                }
                            }
                        }
                    }
                }
                Source::End => return None,
            }
        }
    }

    fn begin(&mut self, start: Start) -> Told {
        self.source = Source::Window;
        let from = self.after;
        match start {
            Start::Now => Told::Ready(from),
            // Whether the window still has what it missed is the first that it is told.
            Start::Behind(_) => self.look().unwrap_or(Told::Ready(from)),
            Start::Unknown => Told::Reset(from),
        }
    }

    fn shown(&mut self, (change, shown): Shown) -> Told {
        self.after = change.position;
        Told::Change(change, shown)
    }

    /// Looks into the window; something to tell when there is an end, or a new beginning.
    fn look(&mut self) -> Option<Told> {
        let first = self.allowance.is_none();
        let hub = &self.seat.hub;
        match hub.catch_up(&self.seat, self.after, &mut self.allowance) {
            Caught::Changes(changes, up_to) => {
                self.source = Source::Found(changes.into(), up_to);
                None
            }
            Caught::Listening(queue) => {
                self.source = Source::Queue(queue);
                None
            }
            Caught::OutOfWindow(position) if first => {
                self.after = position;
                Some(Told::Reset(position))
            }
            Caught::OutOfWindow(_) | Caught::TooSlow => {
                self.source = Source::End;
                Some(Told::Behind(self.after))
            }
            Caught::Expelled => {
                self.source = Source::End;
                Some(Told::Expelled(self.after))
            }
            Caught::Closing => {
                self.source = Source::End;
                Some(Told::Closing(self.after))
            }
        }
    }
}
