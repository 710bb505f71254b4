//! The one thread that decides: takes what sessions received, applies it, makes it durable, then lets it be told.
//!
//! 1. Whatever waits is one batch: one write and one fdatasync for all sessions together.
//! 2. A session's batch is answered only after its facts are durable, so its inbound number moves only then.
//! 3. When the ledger can't be written the engine stops for good: memory is ahead of the disk and must not speak.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use squareoff_fix::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::command::{self, Command, Refused};
use crate::contracts::Contracts;
use crate::fact::Fact;
use crate::feed::{Feed, Index};
use crate::ledger::{Ledger, LedgerError};
use crate::phase::Phase;
use crate::request::{Inbound, StatusReport};
use crate::state::{Decision, Exchange};

/// Batches and commands that may wait: more than sessions and control connections exist, each has one under way.
const QUEUE_BATCHES_MAX: usize = 64;
/// Requests applied before a commit: about 10 ms of matching, so the disk is never idle long and no one waits long.
const REQUESTS_PER_COMMIT_MAX: usize = 8_192;

/// What an exchange is made of.
#[derive(Clone, Debug)]
pub struct Rules {
    pub seed: u64,
    /// Instruments (venue, symbol) without seeded liquidity.
    pub quiet: HashSet<(String, String)>,
    /// `YYYY-MM-DD`.
    pub trade_date: String,
}

#[derive(Debug, thiserror::Error)]
#[error("the exchange's engine has stopped")]
pub struct Stopped;

/// A status report and the ordinal it must come after on the wire, so that it never overtakes what it tells of.
pub type Answer = (u64, StatusReport);

enum Work {
    /// What a session received.
    Session {
        requests: Vec<Inbound>,
        done: oneshot::Sender<Vec<Answer>>,
    },
    Control {
        command: Command,
        done: oneshot::Sender<Result<command::Answer, Refused>>,
    },
    Phases {
        venue: String,
        done: oneshot::Sender<Phases>,
    },
}

/// An answer that may be given once the facts before it are durable.
enum Waiting {
    Session(oneshot::Sender<Vec<Answer>>, Vec<Answer>),
    Control(
        oneshot::Sender<Result<command::Answer, Refused>>,
        Result<command::Answer, Refused>,
    ),
    Phases(oneshot::Sender<Phases>, Phases),
}

/// The phases of a venue's segments on a trading day.
pub struct Phases {
    /// The ordinal that they must come after on the wire.
    pub after: u64,
    pub trade_date: String,
    pub of_segments: Vec<(String, Phase)>,
}

/// Hands batches to the engine. The engine stops when the last clone is gone.
#[derive(Clone, Debug)]
pub struct Engine {
    queue: mpsc::Sender<Work>,
    feed: Arc<Feed>,
    recorded: Arc<Recorded>,
}

/// The highest sequence number the ledger held at the start, by session and generation.
pub(crate) type Recorded = HashMap<(String, u64), u64>;

/// What became of the engine thread; resolves when it has ended.
pub type End = oneshot::Receiver<Result<(), LedgerError>>;

impl Engine {
    /// Opens the ledger of a data folder, rebuilds the exchange from it and starts the thread.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn start(
        dir: &Path,
        contracts: Contracts,
        rules: &Rules,
    ) -> Result<(Self, End), LedgerError> {
        let (exchange, ledger, feed) = rebuild(dir, contracts, rules)?;
        let feed = Arc::new(feed);
        let recorded = Arc::new(exchange.recorded());
        let (queue, work) = mpsc::channel(QUEUE_BATCHES_MAX);
        let (ended, end) = oneshot::channel();
        let engine = Self {
            queue,
            feed: Arc::clone(&feed),
            recorded,
        };
        let spawned = std::thread::Builder::new()
            .name("exchange-engine".to_owned())
            .spawn(move || {
                let result = run(exchange, ledger, &feed, work);
                // Nobody listening means the program is going down anyway.
                let _ = ended.send(result);
            });
        spawned.map_err(|source| LedgerError::Io {
            path: dir.to_owned(),
            source,
        })?;
        Ok((engine, end))
    }

    #[must_use]
    pub fn feed(&self) -> Arc<Feed> {
        Arc::clone(&self.feed)
    }

    /// The highest sequence number of a session's generation that the ledger held at the start.
    #[must_use]
    pub fn recorded(&self, session: &str, generation: u64) -> Option<u64> {
        self.recorded
            .get(&(session.to_owned(), generation))
            .copied()
    }

    /// Applies a session's batch; answers when its facts are durable, with the reports that are not facts.
    ///
    /// # Errors
    /// When the engine has stopped: then nothing of the batch counts as received.
    pub async fn submit(&self, requests: Vec<Inbound>) -> Result<Vec<Answer>, Stopped> {
        let (done, answers) = oneshot::channel();
        self.queue
            .send(Work::Session { requests, done })
            .await
            .map_err(|_| Stopped)?;
        answers.await.map_err(|_| Stopped)
    }

    /// Does what market control says; answers when it is durable, or why it can't be.
    ///
    /// # Errors
    /// When the engine has stopped: then it may have been done or not.
    pub async fn control(
        &self,
        command: Command,
    ) -> Result<Result<command::Answer, Refused>, Stopped> {
        let (done, answer) = oneshot::channel();
        self.queue
            .send(Work::Control { command, done })
            .await
            .map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// The phases of a venue's segments, none of which is only in memory.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn phases(&self, venue: &str) -> Result<Phases, Stopped> {
        let (done, answer) = oneshot::channel();
        let venue = venue.to_owned();
        self.queue
            .send(Work::Phases { venue, done })
            .await
            .map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}

fn rebuild(
    dir: &Path,
    contracts: Contracts,
    rules: &Rules,
) -> Result<(Exchange, Ledger, Feed), LedgerError> {
    let mut exchange = Exchange::new(contracts, rules.seed, &rules.quiet, &rules.trade_date);
    let mut index = Index::default();
    let ledger = Ledger::open(dir, |at, fact| {
        index.note(&fact, at);
        exchange.evolve(&fact);
    })?;
    let feed = Feed::new(ledger.path().to_owned(), index, exchange.last_ordinal());
    Ok((exchange, ledger, feed))
}

fn run(
    mut exchange: Exchange,
    mut ledger: Ledger,
    feed: &Feed,
    mut queue: mpsc::Receiver<Work>,
) -> Result<(), LedgerError> {
    while let Some(first) = queue.blocking_recv() {
        let now = to_millisecond(Timestamp::now());
        let (mut facts, mut answered, mut count) = (Vec::new(), Vec::new(), 0);
        let mut next = Some(first);
        while let Some(work) = next {
            count += 1;
            answered.push(match work {
                Work::Session { requests, done } => {
                    count += requests.len();
                    Waiting::Session(done, apply(&mut exchange, &requests, now, &mut facts))
                }
                Work::Control { command, done } => {
                    Waiting::Control(done, direct(&mut exchange, &command, now, &mut facts))
                }
                Work::Phases { venue, done } => {
                    let phases = Phases {
                        after: exchange.last_ordinal(),
                        trade_date: exchange.trade_date().to_owned(),
                        of_segments: exchange.phases(&venue),
                    };
                    Waiting::Phases(done, phases)
                }
            });
            next = if count < REQUESTS_PER_COMMIT_MAX {
                queue.try_recv().ok()
            } else {
                None
            };
        }
        if !facts.is_empty() {
            let starts = ledger.append(&facts)?;
            feed.publish(facts, &starts);
        }
        for waiting in answered {
            // Whoever has gone needs no answer: a session's messages will be delivered again and recognised.
            match waiting {
                Waiting::Session(done, answers) => drop(done.send(answers)),
                Waiting::Control(done, answer) => drop(done.send(answer)),
                Waiting::Phases(done, phases) => drop(done.send(phases)),
            }
        }
    }
    Ok(())
}

fn apply(
    exchange: &mut Exchange,
    requests: &[Inbound],
    now: Timestamp,
    facts: &mut Vec<Fact>,
) -> Vec<Answer> {
    let mut answers = Vec::new();
    for inbound in requests {
        match exchange.decide(inbound, now) {
            Decision::Redelivered => {
                let seq = inbound.cause.msg_seq_num;
                tracing::info!(session = %inbound.cause.session, fix.msg_seq_num = seq, "message delivered again");
            }
            Decision::Facts(decided) => {
                decided.iter().for_each(|fact| exchange.evolve(fact));
                facts.extend(decided);
            }
            Decision::Reports(reports) => {
                let after = exchange.last_ordinal();
                answers.extend(reports.into_iter().map(|report| (after, report)));
            }
        }
    }
    answers
}

fn direct(
    exchange: &mut Exchange,
    command: &Command,
    now: Timestamp,
    facts: &mut Vec<Fact>,
) -> Result<command::Answer, Refused> {
    let (decided, answer) = exchange.control(command, now)?;
    decided.iter().for_each(|fact| exchange.evolve(fact));
    facts.extend(decided);
    Ok(answer)
}

/// The wire and the ledger carry milliseconds; a fact in memory must equal the same fact read back.
fn to_millisecond(time: Timestamp) -> Timestamp {
    Timestamp(time.0 - time.0.rem_euclid(1_000_000))
}

#[cfg(test)]
mod tests;
