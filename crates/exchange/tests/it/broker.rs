//! A broker: `fix`'s initiator with a journal of its own, driven by lines of text and showing lines of text.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use squareoff_fix::message::{
    CxlRejResponseTo, ExecType, ExecutionReport, MassCancelRequestType, NewOrderSingle, OrdType,
    OrderCancelReplaceRequest, OrderCancelRequest, OrderMassCancelRequest, OrderMassStatusRequest,
    OrderStatusRequest, Side, TimeInForce, TradingSessionStatus,
};
use squareoff_fix::{
    AppMessage, Application, Endpoint, Inbound, Journal, NotRecorded, OutboundMessage, PriceE4,
    Record, Resend, Reset, Role, SentRecord, SessionConfig, SessionState, Timestamp, connect_loop,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Only a guard against hanging.
const PATIENCE: Duration = Duration::from_secs(120);

pub async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("waited too long for {what}"))
}

struct Inbox {
    messages: mpsc::UnboundedSender<Inbound>,
    phases: mpsc::UnboundedSender<TradingSessionStatus>,
}

impl Application for Inbox {
    async fn receive(&mut self, batch: Vec<Inbound>) -> Result<(), NotRecorded> {
        for inbound in batch {
            match inbound.message {
                AppMessage::TradingSessionStatus(phase) => drop(self.phases.send(phase)),
                _ => drop(self.messages.send(inbound)),
            }
        }
        Ok(())
    }

    async fn resend(&mut self, records: Vec<Record>) -> Result<Vec<Resend>, NotRecorded> {
        Ok(vec![Resend::Again; records.len()])
    }

    async fn sent(&mut self, _batch: &[SentRecord]) -> Result<(), NotRecorded> {
        Ok(())
    }

    async fn state(&mut self, _state: SessionState) -> Result<(), NotRecorded> {
        Ok(())
    }
}

pub struct Broker {
    outbound: mpsc::Sender<OutboundMessage>,
    inbox: mpsc::UnboundedReceiver<Inbound>,
    phases: mpsc::UnboundedReceiver<TradingSessionStatus>,
    shutdown: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Broker {
    /// Dials (again and again) as SQUAREOFF to one venue's session, with the journal in `dir`.
    pub fn dial(dir: &Path, venue: &str, address: SocketAddr) -> Self {
        Self::dial_with("SQUAREOFF", Reset::Never, dir, venue, address)
    }

    pub fn dial_with(
        name: &str,
        reset: Reset,
        dir: &Path,
        venue: &str,
        address: SocketAddr,
    ) -> Self {
        let journal = Journal::open(
            dir.join(format!("{name}-{venue}")),
            name,
            venue,
            Timestamp::now(),
        )
        .unwrap();
        let (outbound, queue) = mpsc::channel(1_024);
        let (messages, inbox) = mpsc::unbounded_channel();
        let (phases, phases_told) = mpsc::unbounded_channel();
        let (shutdown, stopping) = watch::channel(false);
        let mut config = SessionConfig::new(Role::Initiator, name, venue);
        config.reset = reset;
        let mut endpoint = Endpoint::new(
            config,
            journal,
            queue,
            Inbox { messages, phases },
            Timestamp::now,
        );
        let running = tokio::spawn(async move {
            connect_loop(&address.to_string(), &mut endpoint, stopping)
                .await
                .unwrap();
        });
        Self {
            outbound,
            inbox,
            phases: phases_told,
            shutdown,
            running,
        }
    }

    pub async fn hang_up(self) {
        self.shutdown.send_replace(true);
        patiently("the broker to log out", self.running)
            .await
            .unwrap();
    }

    pub async fn send(&self, message: &AppMessage) {
        self.outbound
            .send(OutboundMessage::new("", 0, message).unwrap())
            .await
            .unwrap();
    }

    /// Sends a line, see [`message`].
    pub async fn say(&self, line: &str) {
        self.send(&message(line)).await;
    }

    pub async fn receive(&mut self) -> Inbound {
        patiently("a message from the exchange", self.inbox.recv())
            .await
            .unwrap()
    }

    /// The next phases told, which stand apart from the other messages: `FO Open`.
    pub async fn hear_phases(&mut self, count: usize) -> Vec<String> {
        let mut heard = Vec::new();
        for _ in 0..count {
            let told = patiently("a phase", self.phases.recv()).await.unwrap();
            heard.push(format!("{} {:?}", told.trading_session_id, told.status));
        }
        heard
    }

    /// What has come already.
    pub fn received(&mut self) -> Option<Inbound> {
        self.inbox.try_recv().ok()
    }

    /// The next messages as lines, see [`shown`].
    pub async fn hear(&mut self, count: usize) -> Vec<String> {
        let mut heard = Vec::new();
        for _ in 0..count {
            heard.push(shown(&self.receive().await.message));
        }
        heard
    }

    /// Everything that came by the time the exchange answers a question of ours: answers come in order.
    pub async fn hear_all(&mut self) -> Vec<AppMessage> {
        self.say("status of END").await;
        let mut heard = Vec::new();
        loop {
            let message = self.receive().await.message;
            if shown(&message) == "none END" {
                return heard;
            }
            heard.push(message);
        }
    }
}

/// Reads `ID cancel all [of SYMBOL|at SEGMENT|type|buys]`, `ID working in SYMBOL`, `ID buy|sell UNITS SYMBOL PRICE [ioc|market|fok]`, `ID replace OF buy|sell UNITS SYMBOL PRICE`, `ID cancel OF`, `status of ID` or `ID working`.
pub fn message(line: &str) -> AppMessage {
    let words: Vec<&str> = line.split(' ').collect();
    let transact_time = Timestamp::now();
    match words[..] {
        ["status", "of", id] => AppMessage::OrderStatusRequest(OrderStatusRequest {
            ord_status_req_id: Some("Q".to_owned()),
            cl_ord_id: id.to_owned(),
            order_id: None,
            account: None,
            symbol: "QUIET".to_owned(),
            security_exchange: None,
            side: Side::Buy,
        }),
        [id, "working"] => AppMessage::OrderMassStatusRequest(OrderMassStatusRequest {
            mass_status_req_id: id.to_owned(),
            mass_status_req_type: OrderMassStatusRequest::ALL_ORDERS,
            account: None,
            symbol: None,
        }),
        [id, "working", "in", symbol] => {
            AppMessage::OrderMassStatusRequest(OrderMassStatusRequest {
                mass_status_req_id: id.to_owned(),
                mass_status_req_type: OrderMassStatusRequest::SECURITY,
                account: None,
                symbol: Some(symbol.to_owned()),
            })
        }
        [id, "cancel", "all", ref rest @ ..] => {
            AppMessage::OrderMassCancelRequest(OrderMassCancelRequest {
                cl_ord_id: id.to_owned(),
                scope: match rest {
                    ["of", _] => MassCancelRequestType::Security,
                    ["at", _] => MassCancelRequestType::TradingSession,
                    ["type"] => MassCancelRequestType::SecurityType,
                    _ => MassCancelRequestType::AllOrders,
                },
                trading_session_id: (rest.first() == Some(&"at")).then(|| rest[1].to_owned()),
                symbol: (rest.first() == Some(&"of")).then(|| rest[1].to_owned()),
                security_exchange: None,
                side: match rest {
                    ["buys"] => Some(Side::Buy),
                    _ => None,
                },
                transact_time,
                text: None,
            })
        }
        [id, "cancel", of] => AppMessage::OrderCancelRequest(OrderCancelRequest {
            cl_ord_id: id.to_owned(),
            orig_cl_ord_id: of.to_owned(),
            order_id: None,
            account: Some("C1".to_owned()),
            symbol: "QUIET".to_owned(),
            security_exchange: None,
            side: Side::Buy,
            order_qty: 5,
            transact_time,
        }),
        [id, "replace", of, side, units, symbol, price] => {
            AppMessage::OrderCancelReplaceRequest(OrderCancelReplaceRequest {
                cl_ord_id: id.to_owned(),
                orig_cl_ord_id: of.to_owned(),
                order_id: None,
                account: Some("C1".to_owned()),
                symbol: symbol.to_owned(),
                security_exchange: None,
                side: if side == "buy" { Side::Buy } else { Side::Sell },
                order_qty: units.parse().unwrap(),
                ord_type: OrdType::Limit,
                price: PriceE4::parse(price.as_bytes()),
                time_in_force: None,
                transact_time,
            })
        }
        [id, side, units, symbol, price, ..] => {
            let kind = words.get(5).copied().unwrap_or_default();
            AppMessage::NewOrderSingle(NewOrderSingle {
                cl_ord_id: id.to_owned(),
                account: Some("C1".to_owned()),
                symbol: symbol.to_owned(),
                security_exchange: None,
                side: if side == "buy" { Side::Buy } else { Side::Sell },
                order_qty: units.parse().unwrap(),
                ord_type: if kind == "market" {
                    OrdType::Market
                } else {
                    OrdType::Limit
                },
                price: PriceE4::parse(price.as_bytes()),
                time_in_force: match kind {
                    "ioc" => Some(TimeInForce::ImmediateOrCancel),
                    "fok" => Some(TimeInForce::FillOrKill),
                    _ => None,
                },
                transact_time,
                text: None,
            })
        }
        _ => panic!("{line}"),
    }
}

/// What a message of the exchange says, in a few words.
pub fn shown(message: &AppMessage) -> String {
    match message {
        AppMessage::ExecutionReport(report) => shown_report(report),
        AppMessage::OrderCancelReject(reject) => {
            let kind = match reject.response_to {
                CxlRejResponseTo::Cancel => "cxlrej",
                CxlRejResponseTo::CancelReplace => "replrej",
            };
            format!(
                "{kind} {} of {} {}",
                reject.cl_ord_id,
                reject.orig_cl_ord_id,
                reject.reason.unwrap()
            )
        }
        AppMessage::OrderMassCancelReport(report) => format!(
            "all {} {:?} {}",
            report.cl_ord_id.as_deref().unwrap(),
            report.response,
            report.total_affected_orders.unwrap()
        ),
        AppMessage::BusinessMessageReject(reject) => {
            format!("refused {} {:?}", reject.ref_kind, reject.reason)
        }
        other => panic!("{other:?}"),
    }
}

fn shown_report(report: &ExecutionReport) -> String {
    let id = report.cl_ord_id.as_deref().unwrap();
    let ExecutionReport {
        cum_qty,
        leaves_qty,
        ..
    } = report;
    let standing = format!("cum {cum_qty} leaves {leaves_qty}");
    match report.exec_type {
        ExecType::New => format!("ack {id}"),
        ExecType::Rejected => format!("rej {id} {}", report.ord_rej_reason.unwrap()),
        ExecType::Trade => format!(
            "fill {id} {}@{} {standing}",
            report.last_qty.unwrap(),
            report.last_px.unwrap()
        ),
        ExecType::Canceled => format!(
            "can {} by {id}",
            report.orig_cl_ord_id.as_deref().unwrap_or("itself")
        ),
        ExecType::Replaced => format!(
            "repl {} by {id} {}@{} {standing}",
            report.orig_cl_ord_id.as_deref().unwrap(),
            report.order_qty.unwrap(),
            report.price.unwrap()
        ),
        ExecType::Suspended => format!("frozen {id} {:?}", report.ord_status),
        ExecType::Expired => format!("exp {id} {standing}"),
        ExecType::TradeCancel => {
            format!(
                "bust {id} of {} {standing}",
                report.exec_ref_id.as_deref().unwrap()
            )
        }
        ExecType::TradeCorrect => format!(
            "correct {id} of {} {}@{} {standing}",
            report.exec_ref_id.as_deref().unwrap(),
            report.last_qty.unwrap(),
            report.last_px.unwrap()
        ),
        ExecType::OrderStatus if report.order_id == "NONE" => format!("none {id}"),
        ExecType::OrderStatus => {
            let last = if report.last_rpt_requested == Some(true) {
                " last"
            } else {
                ""
            };
            format!("stands {id} {:?} {standing}{last}", report.ord_status)
        }
        other => panic!("{other:?}"),
    }
}
