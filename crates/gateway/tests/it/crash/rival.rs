//! Another broker at the exchange, who takes the other side of our orders.

use super::exchange::SYMBOL;
use squareoff_fix::message::{ExecType, NewOrderSingle, OrdType, Side};
use squareoff_fix::{
    AppMessage, Application, Endpoint, Inbound, Journal, NotRecorded, OutboundMessage, PriceE4,
    Record, Resend, Reset, Role, SentRecord, SessionConfig, SessionState, Timestamp, connect_loop,
};
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Far more than an answer takes while the exchange runs.
const ANSWER: Duration = Duration::from_secs(5);
const TRIES_MAX: usize = 6;

pub struct Rival {
    _journal: TempDir,
    outbound: mpsc::Sender<OutboundMessage>,
    accepted: watch::Receiver<usize>,
    orders: usize,
    task: JoinHandle<()>,
}

struct Ear(watch::Sender<usize>);

impl Application for Ear {
    async fn receive(&mut self, batch: Vec<Inbound>) -> Result<(), NotRecorded> {
        let accepted = batch.iter().filter(|inbound| {
            matches!(&inbound.message, AppMessage::ExecutionReport(report) if report.exec_type == ExecType::New)
        });
        let accepted = accepted.count();
        self.0.send_modify(|count| *count += accepted);
        Ok(())
    }

    async fn resend(&mut self, records: Vec<Record>) -> Result<Vec<Resend>, NotRecorded> {
        Ok(vec![Resend::GapFill; records.len()])
    }

    async fn sent(&mut self, _: &[SentRecord]) -> Result<(), NotRecorded> {
        Ok(())
    }

    async fn state(&mut self, _: SessionState) -> Result<(), NotRecorded> {
        Ok(())
    }
}

impl Rival {
    pub fn dial(address: SocketAddr, name: &str) -> Rival {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), name, "NSE", Timestamp::now()).unwrap();
        let (outbound, queue) = mpsc::channel(16);
        let (told, accepted) = watch::channel(0);
        let mut config = SessionConfig::new(Role::Initiator, name, "NSE");
        // An exchange that has forgotten some of its day is none of its worries.
        config.reset = Reset::Always;
        let mut endpoint = Endpoint::new(config, journal, queue, Ear(told), Timestamp::now);
        let task = tokio::spawn(async move {
            let (_stop, stopping) = watch::channel(false);
            let address = address.to_string();
            connect_loop(&address, &mut endpoint, stopping)
                .await
                .unwrap();
        });
        Rival {
            _journal: folder,
            outbound,
            accepted,
            orders: 0,
            task,
        }
    }

    /// Bids so many units at 97.00, where the desk's sales at the market are; the exchange has it.
    pub async fn bid(&mut self, units: i64) {
        self.order(Side::Buy, units).await;
    }

    /// An order or its answer is lost when the exchange is killed with it, because both sides' numbers start anew: then another goes.
    pub async fn order(&mut self, side: Side, units: i64) {
        let mut told = self.accepted.clone();
        told.mark_unchanged();
        for _ in 0..TRIES_MAX {
            self.send(side, units).await;
            if tokio::time::timeout(ANSWER, told.changed()).await.is_ok() {
                return;
            }
        }
        panic!("never: the rival's order is accepted");
    }

    async fn send(&mut self, side: Side, units: i64) {
        self.orders += 1;
        let order = NewOrderSingle {
            // Of its firm's ids no other session has one that begins so.
            cl_ord_id: format!("R{}", self.orders),
            account: Some("R1".into()),
            symbol: SYMBOL.into(),
            security_exchange: None,
            side,
            order_qty: units,
            ord_type: OrdType::Limit,
            price: Some(PriceE4(970_000)),
            time_in_force: None,
            transact_time: Timestamp::now(),
            text: None,
        };
        let message = OutboundMessage::new("", 0, &AppMessage::NewOrderSingle(order)).unwrap();
        self.outbound.send(message).await.unwrap();
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        self.task.abort();
    }
}
