//! The exchange put together: opens everything, accepts sessions, stops in order.
//!
//! Called by the binary and by tests. What can be wrong at start is found before the first connection is accepted.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use squareoff_fix::{
    DriverError, Endpoint, Journal, JournalError, Registry, Role, SessionConfig, Timestamp,
    accept_loop,
};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::carried::{self, CarriedError};
use crate::command::{Command, Refused};
use crate::config::{Config, SessionName};
use crate::contracts::{Contracts, ContractsError};
use crate::control;
use crate::engine::{End, Engine, Rules, Stopped};
use crate::hours;
use crate::ledger::LedgerError;
use crate::session::{ANSWERS_MAX, BrokerSession, OUTBOUND_MAX, pump};

/// Folder of the FIX journals inside the data folder.
const JOURNALS: &str = "fix";

#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error(transparent)]
    Contracts(#[from] ContractsError),
    #[error("session {session}: contract file {} lists nothing for venue {venue}", path.display())]
    NoInstruments {
        session: String,
        venue: String,
        path: PathBuf,
    },
    #[error("session {session} is given twice")]
    SessionTwice { session: String },
    #[error("cannot listen on {address}: {source}")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error(transparent)]
    Carried(#[from] CarriedError),
    #[error(transparent)]
    Refused(Refused),
    #[error(transparent)]
    Stopped(#[from] Stopped),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Driver(#[from] DriverError),
    #[error("a task of the exchange died")]
    Died,
}

/// A running exchange. Dropping it without [`Server::stop`] leaves what is durable, as a crash would.
pub struct Server {
    address: SocketAddr,
    shutdown: watch::Sender<bool>,
    accepting: JoinHandle<Result<(), DriverError>>,
    pumps: JoinSet<Result<(), LedgerError>>,
    /// The control socket and the clock.
    helpers: JoinSet<()>,
    control: Option<PathBuf>,
    end: End,
}

impl Server {
    /// # Errors
    /// The first thing that keeps it from running; nothing is left behind but files.
    pub async fn start(config: Config) -> Result<Self, ServerError> {
        let contracts = Contracts::load(&config.contracts)?;
        check(&config, &contracts)?;
        let carried = carried::load(
            &config.contracts.with_file_name(carried::FILE_NAME),
            config.trade_date.as_str(),
            &config.sessions,
            &contracts,
        )?;
        let address = config.listen;
        let listen = |source| ServerError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let trade_date = config.trade_date.as_str().to_owned();
        let rules = Rules {
            seed: config.seed,
            quiet: config.quiet,
            trade_date,
        };
        let (engine, end) = Engine::start(&config.data, contracts, &rules)?;
        if !carried.is_empty() {
            tracing::info!(orders = carried.len(), "the order file has orders of today");
            let carry = Command::Carry(carried);
            engine.control(carry).await?.map_err(ServerError::Refused)?;
        }
        let mut helpers = JoinSet::new();
        if !config.hours.is_empty() {
            // Before the first session: no order may slip in while the segment is due to be closed.
            let looked = hours::look(&config.hours, &config.trade_date, &engine);
            looked.await?.map_err(ServerError::Refused)?;
            helpers.spawn(hours::keep(config.hours, config.trade_date, engine.clone()));
        }
        let control = match control::listen(&config.data) {
            Ok((listener, path)) => {
                helpers.spawn(control::serve(listener, engine.clone()));
                Some(path)
            }
            Err(error) => {
                // A long folder name makes a path that is no socket's address. Brokers can be served all the same.
                tracing::warn!(%error, folder = %config.data.display(), "there is no control socket");
                None
            }
        };
        let (mut registry, mut pumps) = (Registry::new(), JoinSet::new());
        for name in config.sessions {
            registry.add(open(&config.data, name, &engine, &mut pumps)?);
        }
        let (shutdown, stopping) = watch::channel(false);
        let accepting = tokio::spawn(accept_loop(listener, registry, stopping));
        tracing::info!(%address, trade_date = rules.trade_date, "accepting FIX sessions");
        Ok(Self {
            address,
            shutdown,
            accepting,
            pumps,
            helpers,
            control,
            end,
        })
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resolves when the exchange can't go on by itself.
    pub async fn failed(&mut self) -> ServerError {
        loop {
            tokio::select! {
                accepted = &mut self.accepting => return match accepted {
                    Ok(Err(error)) => error.into(),
                    Ok(Ok(())) | Err(_) => ServerError::Died,
                },
                ended = &mut self.end => return match ended {
                    Ok(Err(error)) => error.into(),
                    Ok(Ok(())) | Err(_) => ServerError::Died,
                },
                Some(pumped) = self.pumps.join_next() => match pumped {
                    // Its session is gone; whatever took that away is reported by the accept loop.
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return error.into(),
                    Err(_) => return ServerError::Died,
                },
            }
        }
    }

    /// Logs every session out, lets the engine finish what it has, and frees port and folder. Not called after
    /// [`Server::failed`] has resolved.
    ///
    /// # Errors
    /// When a journal or the ledger failed on the way.
    pub async fn stop(mut self) -> Result<(), ServerError> {
        self.shutdown.send_replace(true);
        let accepted = self.accepting.await.map_err(|_| ServerError::Died)?;
        self.pumps.shutdown().await;
        self.helpers.shutdown().await;
        if let Some(path) = &self.control {
            // Left behind it does no harm: the next start makes it anew.
            let _ = std::fs::remove_file(path);
        }
        // Sessions and helpers held the engine; without them it ends.
        self.end.await.map_err(|_| ServerError::Died)??;
        Ok(accepted?)
    }
}

fn check(config: &Config, contracts: &Contracts) -> Result<(), ServerError> {
    for (at, name) in config.sessions.iter().enumerate() {
        let session = name.label();
        if !contracts.has_venue(&name.venue) {
            return Err(ServerError::NoInstruments {
                session,
                venue: name.venue.clone(),
                path: config.contracts.clone(),
            });
        }
        if config.sessions[..at]
            .iter()
            .any(|earlier| earlier.label() == session)
        {
            return Err(ServerError::SessionTwice { session });
        }
    }
    Ok(())
}

fn open(
    data: &Path,
    name: SessionName,
    engine: &Engine,
    pumps: &mut JoinSet<Result<(), LedgerError>>,
) -> Result<Endpoint<BrokerSession>, ServerError> {
    let folder = data
        .join(JOURNALS)
        .join(format!("{}-{}", name.ours, name.theirs));
    let mut journal = Journal::open(folder, &name.ours, &name.theirs, Timestamp::now())?;
    // A kill between the ledger's commit and the inbound number leaves the number behind the truth. To ask again for what was
    // acted on would tell the broker that it never arrived. A journal without records was lost: its numbers start anew.
    let reached = engine.recorded(&name.label(), journal.generation());
    if let Some(reached) =
        reached.filter(|reached| journal.last_seq() > 0 && *reached >= journal.next_inbound())
    {
        journal.record_inbound(reached + 1)?;
    }
    let (outbound, taken) = mpsc::channel(OUTBOUND_MAX);
    let (replies, answers) = mpsc::channel(ANSWERS_MAX);
    pumps.spawn(pump(
        name.clone(),
        engine.feed(),
        journal.last_position(),
        answers,
        outbound,
    ));
    let session = SessionConfig::new(Role::Acceptor, &name.ours, &name.theirs);
    let generation = journal.generation();
    let application = BrokerSession::new(name, engine.clone(), generation, replies);
    Ok(Endpoint::new(
        session,
        journal,
        taken,
        application,
        Timestamp::now,
    ))
}
