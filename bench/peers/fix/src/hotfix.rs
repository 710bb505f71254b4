//! hotfix as the initiator, with its file store, against our acceptor. It has no acceptor.

use crate::fix::{Exchange, Run, closed_loop};
use anyhow::{Context, Result};
use hotfix::application::{InboundDecision, OutboundDecision};
use hotfix::config::{SessionConfig, ValidationConfig};
use hotfix::initiator::Initiator;
use hotfix::message::{OutboundMessage, Part, Timestamp};
use hotfix::session::Status;
use hotfix::store::FileStore;
use hotfix::{Application, Message, fix44};
use squareoff_fix::Validation;
use std::path::Path;
use tokio::sync::{mpsc, oneshot};

/// The order of the other ends.
#[derive(Clone)]
struct Order {
    cl_ord_id: String,
}

impl OutboundMessage for Order {
    fn write(&self, message: &mut Message) {
        message.set(fix44::ACCOUNT, "CL0001");
        message.set(fix44::CL_ORD_ID, self.cl_ord_id.as_str());
        message.set(fix44::ORDER_QTY, 65_u64);
        message.set(fix44::ORD_TYPE, fix44::OrdType::Limit);
        message.set(fix44::PRICE, 24_500.05);
        message.set(fix44::SIDE, fix44::Side::Sell);
        message.set(fix44::SYMBOL, "NIFTY26DECFUT");
        message.set(fix44::TRANSACT_TIME, Timestamp::utc_now());
        message.set(fix44::SECURITY_EXCHANGE, "NSE");
    }

    fn message_type(&self) -> &str {
        "D"
    }
}

struct Gateway {
    reports: mpsc::UnboundedSender<usize>,
    logged_on: Option<oneshot::Sender<()>>,
}

#[async_trait::async_trait]
impl Application for Gateway {
    type Outbound = Order;

    async fn on_outbound_message(&self, _: &Order) -> OutboundDecision {
        OutboundDecision::Send
    }

    async fn on_inbound_message(&self, _: &Message) -> InboundDecision {
        match self.reports.send(1) {
            Ok(()) => InboundDecision::Accept,
            Err(_) => InboundDecision::TerminateSession,
        }
    }

    async fn on_logout(&mut self, _: &str) {}

    async fn on_logon(&mut self) {
        let _ = self.logged_on.take().map(|tell| tell.send(()));
    }

    async fn on_state_change(&self, _: &Status, _: &Status) {}
}

pub async fn run(folder: &Path, orders: usize, window: usize) -> Result<Run> {
    let exchange = Exchange::start(folder, Validation::Basic).await?;
    let (reports, mut reported) = mpsc::unbounded_channel();
    let config = SessionConfig {
        begin_string: "FIX.4.4".to_owned(),
        sender_comp_id: "GATE".to_owned(),
        target_comp_id: "EXCH".to_owned(),
        data_dictionary_path: None,
        connection_host: exchange.address.ip().to_string(),
        connection_port: exchange.address.port(),
        tls_config: None,
        heartbeat_interval: 30,
        logon_timeout: 10,
        logout_timeout: 2,
        reconnect_interval: 1,
        reset_on_logon: false,
        schedule: None,
        validation: ValidationConfig::default(),
    };
    let store = FileStore::new(folder, "hotfix").context("hotfix's file store")?;
    let (logged_on, is_logged_on) = oneshot::channel();
    let gateway = Gateway {
        reports,
        logged_on: Some(logged_on),
    };
    let initiator = Initiator::start(config, gateway, store).await?;
    // An order that is given to it earlier is lost.
    is_logged_on.await?;
    let send = async |number: usize| {
        let cl_ord_id = format!("C{number:018}");
        initiator.send_forget(Order { cl_ord_id }).await?;
        anyhow::Ok(())
    };
    let run = closed_loop(orders, window, send, &mut reported).await?;
    initiator.clone().shutdown(false).await?;
    exchange.stop().await?;
    Ok(run)
}
