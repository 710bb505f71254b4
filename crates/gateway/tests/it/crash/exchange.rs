//! The simulated exchange in a runtime of its own, so that it can be killed like a process; and its disk, which can be set back.

use squareoff_exchange::config::{Config, Options};
use squareoff_exchange::contracts::COLUMNS;
use squareoff_exchange::fact::{Fact, Happening};
use squareoff_exchange::ledger::{self, LedgerError};
use squareoff_exchange::server::{Server, ServerError};
use squareoff_fix::{Journal, JournalError};
use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::desk::COMP_ID;
use crate::venue::open_journal;

pub const SYMBOL: &str = "ALPHA";
pub const RIVAL: &str = "RIVAL";
/// Another session of our firm, which this platform does not know.
const SECOND: &str = "TERMINAL@BROKER";
pub const TERMINAL: &str = "TERMINAL";

pub struct Exchange {
    dir: TempDir,
    options: Options,
    process: Option<Runtime>,
}

/// ExecID, ClOrdID of the order as it was placed, units and price of a trade.
pub type Execution = (String, String, i64, i64);

/// What an exchange did for us, as its own ledger says.
pub struct Ledger {
    pub facts: Vec<Fact>,
    pub duplicates: u64,
    /// Units filled by the ClOrdID an order was placed with, after busts and corrections.
    pub filled: BTreeMap<String, i64>,
}

impl Exchange {
    /// Its contract is the desk's; nobody makes a market in it.
    pub fn new() -> Exchange {
        Exchange::with(Options::default())
    }

    /// The same, started with options.
    pub fn with(options: Options) -> Exchange {
        let dir = tempfile::tempdir().unwrap();
        let row = format!(
            "2026-11-20,NSE,FO,{SYMBOL},,,,,5,0.05,10000,90.00,110.00,100.00,2026-11-19T15:30:00+05:30,sample,3.00"
        );
        let text = format!("{}\n{row}\n", COLUMNS.join(","));
        std::fs::write(dir.path().join("contracts.csv"), text).unwrap();
        let process = None;
        Exchange {
            dir,
            options,
            process,
        }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn config(&self) -> Config {
        Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            data: self.data(),
            contracts: self.dir.path().join("contracts.csv"),
            sessions: [COMP_ID, RIVAL, SECOND]
                .map(|broker| format!("NSE:{broker}").parse().unwrap())
                .to_vec(),
            drop_copies: None,
            seed: 7,
            quiet: HashSet::from([("NSE".to_owned(), SYMBOL.to_owned())]),
            trade_date: "2026-11-20".parse().unwrap(),
            hours: Vec::new(),
        }
    }

    /// Starts on what is on its disk.
    pub async fn start(&mut self) -> SocketAddr {
        assert!(self.process.is_none());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (started, address) = oneshot::channel();
        let (config, options) = (self.config(), self.options.clone());
        runtime.spawn(async move {
            let server = loop {
                match Server::start_with(config.clone(), options.clone()).await {
                    // A killed one's threads hold its files until their last write is done.
                    Err(
                        ServerError::Ledger(LedgerError::Locked { .. })
                        | ServerError::Journal(JournalError::InUse { .. }),
                    ) => tokio::task::yield_now().await,
                    started => break started.unwrap(),
                }
            };
            started.send(server.address()).unwrap();
            std::future::pending::<()>().await;
            drop(server);
        });
        self.process = Some(runtime);
        address.await.unwrap()
    }

    /// Market control: gives the answer.
    pub fn control(&self, command: &str) -> String {
        let mut socket = UnixStream::connect(self.data().join("control")).unwrap();
        socket.write_all(format!("{command}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(socket).read_line(&mut answer).unwrap();
        answer
    }

    /// As kill -9 would.
    pub fn kill(&mut self) {
        self.process.take().unwrap().shutdown_background();
    }

    /// A copy of its disk as it is.
    pub fn copy_disk(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&self.data(), copy.path());
        copy
    }

    /// Its disk is what it was when the copy was made; it is not running. Gives how many facts of ours that took.
    pub async fn set_back_to(&self, copy: &TempDir) -> usize {
        assert!(self.process.is_none());
        // When they can be opened, nothing of the killed one writes any more.
        drop(self.open_ledger().await);
        for broker in [COMP_ID, RIVAL, TERMINAL] {
            drop(open_journal(&self.journal(broker), "NSE", broker).await);
        }
        let had = self.ledger().facts.len();
        std::fs::remove_dir_all(self.data()).unwrap();
        copy_folder(copy.path(), &self.data());
        had - self.ledger().facts.len()
    }

    fn journal(&self, broker: &str) -> PathBuf {
        self.data().join("fix").join(format!("NSE-{broker}"))
    }

    async fn open_ledger(&self) -> ledger::Ledger {
        loop {
            match ledger::Ledger::open(&self.data(), |_, _| {}) {
                Err(LedgerError::Locked { .. }) => tokio::task::yield_now().await,
                opened => return opened.unwrap(),
            }
        }
    }

    /// What it has told us, by our session's journal.
    pub async fn told(&self) -> Journal {
        open_journal(&self.journal(COMP_ID), "NSE", COMP_ID).await
    }

    pub fn ledger(&self) -> Ledger {
        read_ledger(&self.data())
    }
}

pub fn read_ledger(data: &Path) -> Ledger {
    let path = data.join(ledger::FILE_NAME);
    let facts = ledger::read(&path).unwrap().map(Result::unwrap);
    let ours = format!("NSE:{COMP_ID}");
    let summary = ledger::summary(&path).unwrap();
    Ledger {
        facts: facts.filter(|fact| fact.session == ours).collect(),
        duplicates: summary.duplicate_cl_ord_ids,
        filled: summary.cum_units,
    }
}

impl Ledger {
    /// Each trade, sorted.
    pub fn executions(&self) -> Vec<Execution> {
        let execution = |fact: &Fact| match fact.happening {
            Happening::Executed {
                last_units,
                last_price,
                ..
            } => {
                let order = fact.order.original_cl_ord_id.clone();
                Some((fact.exec_id(), order, last_units, last_price.0))
            }
            _ => None,
        };
        let mut executions: Vec<_> = self.facts.iter().filter_map(execution).collect();
        executions.sort();
        executions
    }

    /// How often a message with this ClOrdID was acted on.
    pub fn acted_on(&self, cl_ord_id: &str) -> usize {
        let acts = |fact: &&Fact| match &fact.happening {
            Happening::Accepted | Happening::Replaced { .. } => fact.order.cl_ord_id == cl_ord_id,
            Happening::Canceled { request } => request.as_deref() == Some(cl_ord_id),
            _ => false,
        };
        self.facts.iter().filter(acts).count()
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy_folder(&entry.path(), &target);
        } else if kind.is_file() {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
