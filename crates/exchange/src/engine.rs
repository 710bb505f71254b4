//! The one thread that decides: takes what sessions received, applies it, makes it durable, then lets it be told.
//!
//! 1. Whatever waits is one batch: one write and one fdatasync for all sessions together.
//! 2. A session's batch is answered only after its facts are durable, so its inbound number moves only then.
//! 3. When the ledger can't be written the engine stops for good: memory is ahead of the disk and must not speak.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use squareoff_fix::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::command::{self, Command, Refused};
use crate::config::Rules;
use crate::contracts::Contracts;
use crate::fact::Fact;
use crate::feed::{Feed, Index};
use crate::ledger::{Ledger, LedgerError};
use crate::market::Market;
use crate::phase::Phase;
use crate::request::{Inbound, StatusReport};
use crate::state::{Decision, Exchange};

/// Batches and commands that may wait: more than sessions and control connections exist, each has one under way.
const QUEUE_BATCHES_MAX: usize = 64;
const MILLISECOND_NS: i64 = 1_000_000;
/// Requests applied before a commit: about 10 ms of matching, so the disk is never idle long and no one waits long.
const REQUESTS_PER_COMMIT_MAX: usize = 8_192;

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
    Stop,
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

/// Hands batches to the engine. The engine stops when it is told to, or when the last clone is gone.
#[derive(Clone, Debug)]
pub struct Engine {
    queue: mpsc::Sender<Work>,
    feed: Arc<Feed>,
    recorded: Arc<Recorded>,
    before_today: u64,
    market: Arc<Market>,
    clock: Clock,
}

/// The exchange's clock: the machine's, and so far ahead of it.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    ahead_ms: Arc<AtomicI64>,
}

impl Clock {
    /// To the millisecond: the wire and the ledger carry no more, and a fact in memory must equal the same fact read back.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let ahead_ms = self.ahead_ms.load(Ordering::Relaxed);
        let time = Timestamp::now().plus(ahead_ms * MILLISECOND_NS);
        Timestamp(time.0 - time.0.rem_euclid(MILLISECOND_NS))
    }

    fn follow(&self, exchange: &Exchange) {
        self.ahead_ms
            .store(exchange.clock_ahead_ms(), Ordering::Relaxed);
    }
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
        let before_today = exchange.before_today();
        let market = Arc::new(Market::new(&exchange));
        let clock = Clock::default();
        clock.follow(&exchange);
        let (queue, work) = mpsc::channel(QUEUE_BATCHES_MAX);
        let (ended, end) = oneshot::channel();
        let engine = Self {
            queue,
            feed: Arc::clone(&feed),
            recorded,
            before_today,
            market: Arc::clone(&market),
            clock: clock.clone(),
        };
        let spawned = std::thread::Builder::new()
            .name("exchange-engine".to_owned())
            .spawn(move || {
                let result = run(
                    exchange,
                    ledger,
                    &Told {
                        feed,
                        market,
                        clock,
                    },
                    work,
                );
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

    /// Lets the engine finish what it has and end, whoever still has a clone.
    pub async fn stop(&self) {
        // One that has stopped already has nothing to do.
        let _ = self.queue.send(Work::Stop).await;
        self.market.close();
    }

    #[must_use]
    pub fn market(&self) -> &Market {
        &self.market
    }

    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The highest sequence number of a session's generation that the ledger held at the start.
    #[must_use]
    pub fn recorded(&self, session: &str, generation: u64) -> Option<u64> {
        self.recorded
            .get(&(session.to_owned(), generation))
            .copied()
    }

    /// The ordinal behind which the facts of this trading day begin.
    #[must_use]
    pub fn before_today(&self) -> u64 {
        self.before_today
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
    let mut exchange = Exchange::new(contracts, rules.clone());
    let mut index = Index::default();
    let ledger = Ledger::open(dir, |at, fact| {
        index.note(&fact, at);
        exchange.evolve(&fact);
    })?;
    let feed = Feed::new(ledger.path().to_owned(), index, exchange.last_ordinal());
    Ok((exchange, ledger, feed))
}

/// Who learns what the engine does.
struct Told {
    feed: Arc<Feed>,
    market: Arc<Market>,
    clock: Clock,
}

fn run(
    mut exchange: Exchange,
    mut ledger: Ledger,
    told: &Told,
    mut queue: mpsc::Receiver<Work>,
) -> Result<(), LedgerError> {
    let mut is_last = false;
    while !is_last && let Some(first) = queue.blocking_recv() {
        let now = told.clock.now();
        let (mut facts, mut answered, mut count) = (Vec::new(), Vec::new(), 0);
        let mut next = Some(first);
        while let Some(work) = next {
            count += 1;
            let waiting = match work {
                Work::Stop => {
                    is_last = true;
                    break;
                }
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
            };
            answered.push(waiting);
            next = if count < REQUESTS_PER_COMMIT_MAX {
                queue.try_recv().ok()
            } else {
                None
            };
        }
        if !facts.is_empty() {
            let starts = ledger.append(&facts)?;
            told.market.publish(&exchange, &facts);
            told.clock.follow(&exchange);
            told.feed.publish(facts, &starts);
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

#[cfg(test)]
mod tests;
