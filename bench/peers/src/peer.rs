//! The stores that are compared, and the one client that the load drives, whichever store is behind it.

use crate::event::Event;
use crate::postgres::{Postgres, PostgresClient};
use crate::segment::{Segment, SegmentClient};
use crate::sierradb::{
    Sierradb, SierradbClient, SierradbInProcess, SierradbInProcessClient, SierradbTuning,
};
use crate::squareoff::{Squareoff, SquareoffClient};
use crate::umadb::{Umadb, UmadbClient, UmadbInProcess, UmadbInProcessClient};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// Our log, embedded.
    Squareoff,
    /// UmaDB's server.
    Umadb,
    /// UmaDB's engine without its server.
    UmadbInProcess,
    /// SierraDB's server.
    Sierradb,
    /// SierraDB's engine without its server.
    SierradbInProcess,
    /// Postgres, one transaction per append.
    Postgres,
    /// Postgres, many appends in one transaction.
    PostgresGrouped,
    /// A preallocated file with group commit: no store, the physical neighbourhood.
    Segment,
}

impl Peer {
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Of `events`, how many it can fill and replay while the others do all: its rate doesn't depend on it.
    pub fn events_in_time(self, events: usize) -> usize {
        match self {
            Peer::Sierradb | Peer::SierradbInProcess => events / 10,
            Peer::Squareoff
            | Peer::Umadb
            | Peer::UmadbInProcess
            | Peer::Postgres
            | Peer::PostgresGrouped
            | Peer::Segment => events,
        }
    }

    /// Whether it is a store that can be compared with ours.
    pub fn is_rival(name: &str) -> bool {
        ![Peer::Squareoff, Peer::Segment]
            .iter()
            .any(|own| own.name() == name)
    }
}

/// How the peers are set up. The defaults are the fastest that were found on two cores; see bench/README.md.
#[derive(Debug, Clone, Args)]
pub struct Setup {
    /// Folder with the peers' programs, umadb and sierradb
    #[arg(long, default_value = "target/peers/bin")]
    programs: PathBuf,
    /// gRPC connections that UmaDB's clients share
    #[arg(long, default_value_t = 2)]
    umadb_connections: usize,
    /// A flag of UmaDB's server; may be given more than once
    #[arg(long, allow_hyphen_values = true)]
    umadb_flag: Vec<String>,
    /// Buckets of SierraDB, each with a writer thread and a file of its own
    #[arg(long, default_value_t = 4)]
    sierradb_buckets: u16,
    /// SierraDB syncs after so many milliseconds
    #[arg(long, default_value_t = 5)]
    sierradb_sync_ms: u64,
    /// SierraDB syncs after so many events
    #[arg(long, default_value_t = 50)]
    sierradb_sync_events: usize,
    /// SierraDB syncs after so many bytes
    #[arg(long, default_value_t = 4_096)]
    sierradb_sync_bytes: usize,
    /// Connections that Postgres' clients share
    #[arg(long, default_value_t = 64)]
    postgres_connections: usize,
    /// Connections that commit groups
    #[arg(long, default_value_t = 2)]
    postgres_groups: usize,
}

/// A store that runs, with an empty log in a folder of its own.
pub enum Running {
    Squareoff(Squareoff),
    Umadb(Umadb),
    UmadbInProcess(UmadbInProcess),
    Sierradb(Sierradb),
    SierradbInProcess(SierradbInProcess),
    Postgres(Box<Postgres>),
    Segment(Segment),
}

/// One of the load's clients.
pub enum Client {
    Squareoff(SquareoffClient),
    Umadb(UmadbClient),
    UmadbInProcess(UmadbInProcessClient),
    Sierradb(Box<SierradbClient>),
    SierradbInProcess(SierradbInProcessClient),
    Postgres(PostgresClient),
    Segment(SegmentClient),
}

impl Running {
    pub async fn start(peer: Peer, folder: &Path, setup: &Setup) -> Result<Self> {
        let sierradb = SierradbTuning {
            buckets: setup.sierradb_buckets,
            sync_ms: setup.sierradb_sync_ms,
            sync_events: setup.sierradb_sync_events,
            sync_bytes: setup.sierradb_sync_bytes,
        };
        Ok(match peer {
            Peer::Squareoff => Running::Squareoff(Squareoff::start(folder)?),
            Peer::Umadb => {
                let (connections, flags) = (setup.umadb_connections, &setup.umadb_flag);
                Running::Umadb(Umadb::start(folder, &setup.programs, connections, flags).await?)
            }
            Peer::UmadbInProcess => Running::UmadbInProcess(UmadbInProcess::start(folder)?),
            Peer::Sierradb => {
                Running::Sierradb(Sierradb::start(folder, &setup.programs, sierradb).await?)
            }
            Peer::SierradbInProcess => {
                Running::SierradbInProcess(SierradbInProcess::start(folder, sierradb)?)
            }
            Peer::Postgres => {
                let running = Postgres::start(folder, setup.postgres_connections, false).await?;
                Running::Postgres(Box::new(running))
            }
            Peer::PostgresGrouped => {
                let running = Postgres::start(folder, setup.postgres_groups, true).await?;
                Running::Postgres(Box::new(running))
            }
            Peer::Segment => Running::Segment(Segment::start(folder)?),
        })
    }

    pub async fn client(&self, number: usize) -> Result<Client> {
        Ok(match self {
            Running::Squareoff(store) => Client::Squareoff(store.client()),
            Running::Umadb(store) => Client::Umadb(store.client(number)),
            Running::UmadbInProcess(store) => Client::UmadbInProcess(store.client()),
            Running::Sierradb(store) => Client::Sierradb(Box::new(store.client().await?)),
            Running::SierradbInProcess(store) => Client::SierradbInProcess(store.client()),
            Running::Postgres(store) => Client::Postgres(store.client()),
            Running::Segment(store) => Client::Segment(store.client()),
        })
    }

    /// Puts `events` into the log, a multiple of [`crate::event::FILL_BATCH`].
    pub async fn fill(&self, events: usize) -> Result<()> {
        match self {
            Running::Squareoff(store) => store.fill(events).await,
            Running::Umadb(store) => store.fill(events).await,
            Running::UmadbInProcess(store) => store.fill(events).await,
            Running::Sierradb(store) => store.fill(events).await,
            Running::SierradbInProcess(store) => store.fill(events).await,
            Running::Postgres(store) => store.fill(events).await,
            Running::Segment(_) => bail!("a segment file has no reader"),
        }
    }

    /// Reads the whole log as its users do, and counts.
    pub async fn replay(&self) -> Result<usize> {
        match self {
            Running::Squareoff(store) => store.replay().await,
            Running::Umadb(store) => store.replay().await,
            Running::UmadbInProcess(store) => store.replay(),
            Running::Sierradb(store) => store.replay().await,
            Running::SierradbInProcess(store) => store.replay().await,
            Running::Postgres(store) => store.replay().await,
            Running::Segment(_) => bail!("a segment file has no reader"),
        }
    }

    pub async fn stop(self) -> Result<()> {
        match self {
            Running::Postgres(store) => store.stop().await,
            Running::Squareoff(_)
            | Running::Umadb(_)
            | Running::UmadbInProcess(_)
            | Running::Sierradb(_)
            | Running::SierradbInProcess(_)
            | Running::Segment(_) => Ok(()),
        }
    }
}

impl Client {
    /// Appends `event` as version `version` of `stream`, which is this client's alone. Returns when it is durable.
    pub async fn append(&mut self, stream: &str, version: u64, event: Event) -> Result<()> {
        match self {
            Client::Squareoff(client) => client.append(stream, version, event).await,
            Client::Umadb(client) => client.append(stream, event).await,
            Client::UmadbInProcess(client) => client.append(stream, event).await,
            Client::Sierradb(client) => client.append(stream, version, event).await,
            Client::SierradbInProcess(client) => client.append(stream, version, event).await,
            Client::Postgres(client) => client.append(stream, version, event).await,
            Client::Segment(client) => client.append(stream, version, event).await,
        }
    }
}
