//! A folder with a contract file, and exchanges started in it.

use std::collections::HashSet;
use std::path::PathBuf;

use squareoff_exchange::config::Config;
use squareoff_exchange::contracts::COLUMNS;
use squareoff_exchange::ledger::{self, Summary};
use squareoff_exchange::server::Server;
use tempfile::TempDir;

/// Lot 5, tick 0.05, freeze 1,000, band 90 to 110, reference 100; QUIET has no liquidity.
const INSTRUMENTS: [(&str, &str); 3] = [("NSE", "MADE"), ("NSE", "QUIET"), ("BSE", "MADE")];

pub struct Floor {
    pub dir: TempDir,
}

impl Floor {
    pub fn new() -> Self {
        let floor = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let rows = INSTRUMENTS.map(|(venue, symbol)| {
            format!("2026-11-20,{venue},CM,{symbol},EQ,EQUITY,,,5,0.05,1000,90.00,110.00,100.00,2026-11-19T15:30:00+05:30,sample,3.00\n")
        });
        std::fs::write(
            floor.contracts(),
            format!("{}\n{}", COLUMNS.join(","), rows.concat()),
        )
        .unwrap();
        floor
    }

    pub fn contracts(&self) -> PathBuf {
        self.dir.path().join("contracts.csv")
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("exchange")
    }

    pub fn config(&self) -> Config {
        Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            data: self.data(),
            contracts: self.contracts(),
            sessions: ["NSE:SQUAREOFF", "BSE:SQUAREOFF"]
                .map(|name| name.parse().unwrap())
                .to_vec(),
            drop_copies: None,
            seed: 7,
            quiet: HashSet::from([("NSE".to_owned(), "QUIET".to_owned())]),
            trade_date: "2026-11-20".parse().unwrap(),
            hours: Vec::new(),
        }
    }

    pub async fn start(&self) -> Server {
        Server::start(self.config()).await.unwrap()
    }

    pub fn ledger(&self) -> PathBuf {
        self.data().join(ledger::FILE_NAME)
    }

    pub fn summary(&self) -> Summary {
        ledger::summary(&self.ledger()).unwrap()
    }
}
