//! The exchange put together: opens everything, accepts sessions, stops in order.
//!
//! Called by the binary and by tests. What can be wrong at start is found before the first connection is accepted.

use std::collections::{BTreeSet, HashSet};
use std::future::ready;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use squareoff_fix::driver::tls::{TlsError, acceptor};
use squareoff_fix::message::Dialect;
use squareoff_fix::{
    DriverError, Endpoint, Journal, JournalError, Kind, Registry, Role, SessionConfig, Timestamp,
    accept_loop_with,
};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::carried::{self, CarriedError};
use crate::command::{Command, Refused};
use crate::config::{Config, Options, Rules, SessionName};
use crate::contracts::{Contracts, ContractsError};
use crate::control::{self, Desk};
use crate::engine::{End, Engine, Stopped};
use crate::hours;
use crate::ledger::{self, LedgerError};
use crate::line::{Connection, Lines};
use crate::pump::{ANSWERS_MAX, OUTBOUND_MAX, Pump, Stream};
use crate::session::BrokerSession;
use crate::socket;

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
    #[error("drop copy {session}: no session is of firm {firm}")]
    NothingToCopy { session: String, firm: String },
    #[error("cancel on disconnect: {session} is no session")]
    NothingToCancel { session: String },
    #[error("control: {address} is not on this machine alone")]
    ControlExposed { address: SocketAddr },
    #[error("cannot listen on {address}: {source}")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("FIX 4.2: no session is of venue {venue}")]
    NothingSpeaks { venue: String },
    #[error(transparent)]
    Tls(#[from] TlsError),
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
    /// Market control and the clock.
    helpers: JoinSet<()>,
    /// The control socket, and the file that holds HTTP's address.
    doors: Vec<PathBuf>,
    engine: Engine,
    end: End,
}

impl Server {
    /// # Errors
    /// The first thing that keeps it from running; nothing is left behind but files.
    pub async fn start(config: Config) -> Result<Self, ServerError> {
        Self::start_with(config, Options::default()).await
    }

    /// # Errors
    /// As [`Server::start`].
    pub async fn start_with(config: Config, options: Options) -> Result<Self, ServerError> {
        let contracts = Contracts::load(&config.contracts)?;
        let drop_copies = drop_copies(&config);
        check(&config, &options, &drop_copies, &contracts)?;
        let carried = carried::load(
            &config.contracts.with_file_name(carried::FILE_NAME),
            config.trade_date.as_str(),
            &config.sessions,
            &contracts,
        )?;
        let tls = options.tls.as_ref();
        let tls = tls.map(|tls| acceptor(&tls.own, tls.client_ca.as_deref()));
        let tls = tls.transpose()?;
        let address = config.listen;
        let listen = |source| ServerError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let firm = |name: &SessionName| (name.label(), name.firm_label());
        let rules = Rules {
            seed: config.seed,
            quiet: config.quiet,
            trade_date: config.trade_date.as_str().to_owned(),
            firms: config.sessions.iter().map(firm).collect(),
            cancel_on_disconnect: options.cancel_on_disconnect,
            messages_per_second: options.messages_per_second,
        };
        if options.lose_tail > 0 {
            ledger::lose_tail(&config.data, options.lose_tail)?;
            tracing::warn!(
                ledger.lines = options.lose_tail,
                "lost the ledger's tail, as asked"
            );
        }
        let (engine, end) = Engine::start(&config.data, contracts, &rules)?;
        if !carried.is_empty() {
            tracing::info!(orders = carried.len(), "the order file has orders of today");
            let carry = Command::Carry(carried);
            engine.control(carry).await?.map_err(ServerError::Refused)?;
        }
        let mut helpers = JoinSet::new();
        let hours = Arc::new(config.hours);
        if !hours.is_empty() {
            // Before the first session: no order may slip in while the segment is due to be closed.
            let looked = hours::look(&hours, &config.trade_date, &engine);
            looked.await?.map_err(ServerError::Refused)?;
            let hours = Arc::clone(&hours);
            helpers.spawn(hours::keep(
                hours,
                config.trade_date.clone(),
                engine.clone(),
            ));
        }
        for name in &config.sessions {
            // The end of the life before this one dropped every session.
            let dropped = Command::SessionDropped {
                session: name.label(),
                agreed: false,
            };
            engine
                .control(dropped)
                .await?
                .map_err(ServerError::Refused)?;
        }
        let names = drop_copies.iter().chain(&config.sessions);
        let lines = Lines::new(names);
        let at = options.control;
        let listening = control::listen(&config.data, at).await;
        let listening = listening.map_err(|source| ServerError::Listen {
            address: at,
            source,
        });
        let (control_listener, control) = listening?;
        let desk = Desk {
            engine: engine.clone(),
            lines: lines.clone(),
            hours,
            date: config.trade_date,
        };
        let mut doors = vec![control];
        match socket::listen(&config.data) {
            Ok((listener, path)) => {
                helpers.spawn(socket::serve(listener, desk.clone()));
                doors.push(path);
            }
            Err(error) => {
                // A long folder name makes a path that is no socket's address. HTTP serves the same.
                tracing::warn!(%error, folder = %config.data.display(), "there is no control socket");
            }
        }
        helpers.spawn(control::serve(control_listener, desk));
        let is_42 = |name: &SessionName| options.fix42.contains(&name.venue);
        let dialect = |name: &SessionName| match is_42(name) {
            true => Dialect::Fix42,
            false => Dialect::Fix44,
        };
        let has_lost_tail = options.lose_tail > 0;
        let (mut registry, mut pumps) = (Registry::new(), JoinSet::new());
        for name in drop_copies {
            let sessions = sessions_of(&config.sessions, &name);
            let stream = Stream::Copies(sessions.into_iter().map(SessionName::label).collect());
            let dialect = dialect(&name);
            let (endpoint, pump) = open(
                &config.data,
                name,
                dialect,
                stream,
                &engine,
                &lines,
                has_lost_tail,
            )?;
            registry.add(endpoint);
            pumps.spawn(pump.run());
        }
        for name in config.sessions {
            let dialect = dialect(&name);
            let (endpoint, pump) = open(
                &config.data,
                name,
                dialect,
                Stream::Orders,
                &engine,
                &lines,
                has_lost_tail,
            )?;
            registry.add(endpoint);
            pumps.spawn(pump.run());
        }
        let (shutdown, stopping) = watch::channel(false);
        let accepting = match tls {
            None => {
                let open = move |stream| ready(Ok(Connection::new(stream, lines.clone())));
                tokio::spawn(accept_loop_with(listener, registry, open, stopping))
            }
            Some(tls) => {
                let open = move |stream| {
                    let (handshake, lines) = (tls.accept(stream), lines.clone());
                    async move { Ok(Connection::new(handshake.await?, lines)) }
                };
                tokio::spawn(accept_loop_with(listener, registry, open, stopping))
            }
        };
        tracing::info!(%address, trade_date = rules.trade_date, "accepting FIX sessions");
        Ok(Self {
            address,
            shutdown,
            accepting,
            pumps,
            helpers,
            doors,
            engine,
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
        for path in &self.doors {
            // Left behind it does no harm: the next start makes it anew.
            let _ = std::fs::remove_file(path);
        }
        self.engine.stop().await;
        self.end.await.map_err(|_| ServerError::Died)??;
        Ok(accepted?)
    }
}

/// The drop-copy sessions: those of the settings, or one for each firm at each venue.
fn drop_copies(config: &Config) -> Vec<SessionName> {
    let mut seen = HashSet::new();
    config.drop_copies.clone().unwrap_or_else(|| {
        let firsts = config.sessions.iter();
        let firsts = firsts.filter(|name| seen.insert(name.firm_label()));
        firsts.map(SessionName::drop_copy).collect()
    })
}

/// The order sessions whose executions a drop copy is told.
fn sessions_of<'a>(sessions: &'a [SessionName], copy: &SessionName) -> Vec<&'a SessionName> {
    let firm = copy.firm_label();
    let of_firm = sessions.iter().filter(|name| name.firm_label() == firm);
    of_firm.collect()
}

fn check(
    config: &Config,
    options: &Options,
    drop_copies: &[SessionName],
    contracts: &Contracts,
) -> Result<(), ServerError> {
    let mut seen = HashSet::new();
    for name in config.sessions.iter().chain(drop_copies) {
        let session = name.label();
        if !contracts.has_venue(&name.venue) {
            return Err(ServerError::NoInstruments {
                session,
                venue: name.venue.clone(),
                path: config.contracts.clone(),
            });
        }
        if !seen.insert(session.clone()) {
            return Err(ServerError::SessionTwice { session });
        }
    }
    let address = options.control;
    if !address.ip().is_loopback() {
        return Err(ServerError::ControlExposed { address });
    }
    let spoken = |venue: &&String| config.sessions.iter().any(|name| name.venue == **venue);
    if let Some(venue) = options.fix42.iter().find(|venue| !spoken(venue)) {
        let venue = venue.clone();
        return Err(ServerError::NothingSpeaks { venue });
    }
    let labels: BTreeSet<String> = config.sessions.iter().map(SessionName::label).collect();
    if let Some(session) = options.cancel_on_disconnect.difference(&labels).next() {
        let session = session.clone();
        return Err(ServerError::NothingToCancel { session });
    }
    for copy in drop_copies {
        if sessions_of(&config.sessions, copy).is_empty() {
            return Err(ServerError::NothingToCopy {
                session: copy.label(),
                firm: copy.firm_label(),
            });
        }
    }
    Ok(())
}

fn open(
    data: &Path,
    name: SessionName,
    dialect: Dialect,
    stream: Stream,
    engine: &Engine,
    lines: &Lines,
    has_lost_tail: bool,
) -> Result<(Endpoint<BrokerSession>, Pump), ServerError> {
    let label = name.label();
    let line = lines.of(&label).expect("every session has a line");
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
    // What the ledger lost was never received: it is asked for again.
    let reached = reached.unwrap_or(0);
    if has_lost_tail && stream == Stream::Orders && reached + 1 < journal.next_inbound() {
        journal.record_inbound(reached + 1)?;
    }
    let told = match &stream {
        Stream::Orders => Some(journal.last_position()),
        Stream::Copies(_) => copied(&journal)?,
    };
    let (outbound, taken) = mpsc::channel(OUTBOUND_MAX);
    let (replies, answers) = mpsc::channel(ANSWERS_MAX);
    let pump = Pump {
        label: name.label(),
        dialect,
        venue: name.venue.clone(),
        stream: stream.clone(),
        feed: engine.feed(),
        position: told.unwrap_or(engine.before_today()),
        before_today: engine.before_today(),
        replies: answers,
        outbound,
        held: line.held(),
    };
    let mut session =
        SessionConfig::new(Role::Acceptor, &name.ours, &name.theirs).speaking(dialect);
    session.cancel_on_disconnect = stream == Stream::Orders;
    let generation = journal.generation();
    let application = BrokerSession::new(
        name,
        stream,
        engine.clone(),
        generation,
        told.is_some(),
        replies,
    );
    let endpoint = Endpoint::new(session, journal, taken, application, Timestamp::now);
    Ok((endpoint, pump))
}

/// How far a drop copy was told since its numbers began: the journal's highest position may be of an earlier generation.
fn copied(journal: &Journal) -> Result<Option<u64>, JournalError> {
    let mut last = None;
    for record in journal.iter() {
        let record = record?;
        if record.kind == Kind::App && record.position > 0 {
            last = Some(record.position);
        }
    }
    Ok(last)
}
