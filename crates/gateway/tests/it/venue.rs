//! A venue that speaks FIX over TCP and says what a test tells it to. It processes an order once, whatever comes again.

use crate::desk::COMP_ID;
use crate::rig::until;
use squareoff_fix::message::{
    CxlRejResponseTo, ExecType, ExecutionReport, NewOrderSingle, OrdStatus, OrderCancelReject,
    OrderCancelReplaceRequest, OrderCancelRequest,
};
use squareoff_fix::{
    AppMessage, Application, Endpoint, Inbound, Journal, JournalError, NotRecorded,
    OutboundMessage, PriceE4, Record, Registry, Resend, Role, SentRecord, SessionConfig,
    SessionState, Timestamp, accept_loop,
};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

pub const NAME: &str = "NSE";

/// What a venue does with an order by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Manner {
    #[default]
    Silent,
    /// Acknowledges and fills in two trades; every cancel comes too late.
    Fills,
    /// Acknowledges and fills half. A replace is accepted and then filled, a cancel cancels, while anything is left.
    HalfFills,
}

/// What a venue knows; outlives its process.
#[derive(Debug, Default)]
pub struct Book {
    pub manner: Manner,
    /// Orders, replaces and cancels in the order they were processed, each once.
    pub processed: Vec<Inbound>,
    /// When, by the clock of this machine.
    pub processed_at: Vec<Timestamp>,
    ids: HashSet<String>,
    /// ClOrdIDs that came as new messages a second time.
    pub duplicates: Vec<String>,
    /// Everything else that came.
    pub others: Vec<Inbound>,
    pub states: Vec<SessionState>,
    pub filled: HashMap<String, i64>,
    /// The order that an id of its chain stands for.
    chains: HashMap<String, NewOrderSingle>,
    canceled: HashSet<String>,
    executions: u64,
    /// All that was ever said, in its order.
    said: Vec<AppMessage>,
    /// What of it is in the journal.
    pub sent: Vec<SentRecord>,
}

impl Book {
    pub fn orders(&self) -> Vec<NewOrderSingle> {
        let order = |inbound: &Inbound| match &inbound.message {
            AppMessage::NewOrderSingle(order) => Some(order.clone()),
            _ => None,
        };
        self.processed.iter().filter_map(order).collect()
    }

    pub fn cancels(&self) -> Vec<OrderCancelRequest> {
        let cancel = |inbound: &Inbound| match &inbound.message {
            AppMessage::OrderCancelRequest(cancel) => Some(cancel.clone()),
            _ => None,
        };
        self.processed.iter().filter_map(cancel).collect()
    }

    pub fn replaces(&self) -> Vec<OrderCancelReplaceRequest> {
        let replace = |inbound: &Inbound| match &inbound.message {
            AppMessage::OrderCancelReplaceRequest(replace) => Some(replace.clone()),
            _ => None,
        };
        self.processed.iter().filter_map(replace).collect()
    }

    /// MsgTypes (35) in the order they were processed.
    pub fn kinds(&self) -> Vec<String> {
        let kind = |inbound: &Inbound| inbound.message.kind().to_owned();
        self.processed.iter().map(kind).collect()
    }

    pub fn executions(&self) -> u64 {
        self.executions
    }

    /// Processes a message; whether it is new.
    fn take(&mut self, inbound: &Inbound) -> bool {
        let id = match &inbound.message {
            AppMessage::NewOrderSingle(order) => &order.cl_ord_id,
            AppMessage::OrderCancelRequest(cancel) => &cancel.cl_ord_id,
            AppMessage::OrderCancelReplaceRequest(replace) => &replace.cl_ord_id,
            _ => {
                self.others.push(inbound.clone());
                return false;
            }
        };
        if !self.ids.insert(id.clone()) {
            if !inbound.poss_dup {
                self.duplicates.push(id.clone());
            }
            return false;
        }
        self.processed.push(inbound.clone());
        self.processed_at.push(Timestamp::now());
        true
    }

    fn answer(&mut self, message: &AppMessage) {
        match (self.manner, message) {
            (Manner::Fills, AppMessage::NewOrderSingle(order)) => {
                let half = order.order_qty / 2;
                let reports = [
                    acknowledged(order),
                    self.fill(order, half),
                    self.fill(order, order.order_qty - half),
                ];
                self.said.extend(reports.map(execution));
            }
            (Manner::Fills, AppMessage::OrderCancelRequest(cancel)) => {
                let reject = cancel_reject(cancel, 0, "too late");
                self.said.push(AppMessage::OrderCancelReject(reject));
            }
            (Manner::HalfFills, AppMessage::NewOrderSingle(order)) => {
                self.chains.insert(order.cl_ord_id.clone(), order.clone());
                let reports = [acknowledged(order), self.fill(order, order.order_qty / 2)];
                self.said.extend(reports.map(execution));
            }
            (Manner::HalfFills, AppMessage::OrderCancelReplaceRequest(replace)) => {
                let order = self.chains[&replace.orig_cl_ord_id].clone();
                self.chains.insert(replace.cl_ord_id.clone(), order.clone());
                let filled = self.filled[&order.cl_ord_id];
                if self.left(&order) == 0 {
                    let reject = replace_reject(replace, 0, "too late");
                    return self.said.push(AppMessage::OrderCancelReject(reject));
                }
                self.said.push(execution(replaced(&order, replace, filled)));
                let fill = self.fill(&order, replace.order_qty - filled);
                self.said.push(execution(fill));
            }
            (Manner::HalfFills, AppMessage::OrderCancelRequest(cancel)) => {
                let Some(order) = self.chains.get(&cancel.orig_cl_ord_id).cloned() else {
                    let reject = cancel_reject(cancel, 1, "unknown order");
                    return self.said.push(AppMessage::OrderCancelReject(reject));
                };
                if self.left(&order) == 0 {
                    let reject = cancel_reject(cancel, 0, "too late");
                    return self.said.push(AppMessage::OrderCancelReject(reject));
                }
                self.said.push(execution(canceled(&order, cancel)));
                self.canceled.insert(order.cl_ord_id);
            }
            _ => {}
        }
    }

    /// What of an order may still fill.
    fn left(&self, order: &NewOrderSingle) -> i64 {
        if self.canceled.contains(&order.cl_ord_id) {
            return 0;
        }
        order.order_qty - self.filled[&order.cl_ord_id]
    }

    /// A trade of so many units, with the next ExecID.
    pub fn fill(&mut self, order: &NewOrderSingle, units: i64) -> ExecutionReport {
        self.executions += 1;
        let exec_id = format!("E{}", self.executions);
        self.fill_as(order, units, &exec_id)
    }

    pub fn fill_as(&mut self, order: &NewOrderSingle, units: i64, id: &str) -> ExecutionReport {
        let filled = self.filled.entry(order.cl_ord_id.clone()).or_default();
        *filled += units;
        ExecutionReport {
            ord_status: match *filled >= order.order_qty {
                true => OrdStatus::Filled,
                false => OrdStatus::PartiallyFilled,
            },
            last_qty: Some(units),
            last_px: order.price,
            cum_qty: *filled,
            leaves_qty: (order.order_qty - *filled).max(0),
            ..report(order, ExecType::Trade, id)
        }
    }
}

/// A report about an order; its OrderID is `X-` and the ClOrdID.
pub fn report(order: &NewOrderSingle, exec_type: ExecType, exec_id: &str) -> ExecutionReport {
    ExecutionReport {
        order_id: format!("X-{}", order.cl_ord_id),
        cl_ord_id: Some(order.cl_ord_id.clone()),
        orig_cl_ord_id: None,
        exec_id: exec_id.into(),
        exec_ref_id: None,
        secondary_exec_id: None,
        exec_type,
        ord_status: OrdStatus::New,
        ord_rej_reason: None,
        account: order.account.clone(),
        symbol: order.symbol.clone(),
        security_exchange: order.security_exchange.clone(),
        side: order.side,
        order_qty: Some(order.order_qty),
        ord_type: Some(order.ord_type),
        price: order.price,
        time_in_force: order.time_in_force,
        last_qty: None,
        last_px: None,
        leaves_qty: order.order_qty,
        cum_qty: 0,
        avg_px: PriceE4(0),
        transact_time: Some(order.transact_time),
        trade_date: None,
        text: None,
        mass_status_req_id: None,
        ord_status_req_id: None,
        copy: None,
        tot_num_reports: None,
        last_rpt_requested: None,
    }
}

pub fn acknowledged(order: &NewOrderSingle) -> ExecutionReport {
    report(order, ExecType::New, &format!("A-{}", order.cl_ord_id))
}

/// The order is canceled, as the answer to a cancel.
pub fn canceled(order: &NewOrderSingle, cancel: &OrderCancelRequest) -> ExecutionReport {
    ExecutionReport {
        cl_ord_id: Some(cancel.cl_ord_id.clone()),
        orig_cl_ord_id: Some(cancel.orig_cl_ord_id.clone()),
        ord_status: OrdStatus::Canceled,
        leaves_qty: 0,
        ..report(
            order,
            ExecType::Canceled,
            &format!("C-{}", cancel.cl_ord_id),
        )
    }
}

/// The order is replaced, of which so much has filled.
pub fn replaced(
    order: &NewOrderSingle,
    replace: &OrderCancelReplaceRequest,
    filled: i64,
) -> ExecutionReport {
    ExecutionReport {
        cl_ord_id: Some(replace.cl_ord_id.clone()),
        orig_cl_ord_id: Some(replace.orig_cl_ord_id.clone()),
        order_qty: Some(replace.order_qty),
        price: replace.price,
        cum_qty: filled,
        leaves_qty: (replace.order_qty - filled).max(0),
        ..report(
            order,
            ExecType::Replaced,
            &format!("G-{}", replace.cl_ord_id),
        )
    }
}

pub fn replace_reject(
    replace: &OrderCancelReplaceRequest,
    reason: u64,
    text: &str,
) -> OrderCancelReject {
    OrderCancelReject {
        order_id: format!("X-{}", replace.orig_cl_ord_id),
        cl_ord_id: replace.cl_ord_id.clone(),
        orig_cl_ord_id: replace.orig_cl_ord_id.clone(),
        ord_status: OrdStatus::New,
        response_to: CxlRejResponseTo::CancelReplace,
        reason: Some(reason),
        account: None,
        transact_time: None,
        text: Some(text.into()),
    }
}

pub fn cancel_reject(cancel: &OrderCancelRequest, reason: u64, text: &str) -> OrderCancelReject {
    OrderCancelReject {
        order_id: format!("X-{}", cancel.orig_cl_ord_id),
        cl_ord_id: cancel.cl_ord_id.clone(),
        orig_cl_ord_id: cancel.orig_cl_ord_id.clone(),
        ord_status: OrdStatus::New,
        response_to: CxlRejResponseTo::Cancel,
        reason: Some(reason),
        account: None,
        transact_time: None,
        text: Some(text.into()),
    }
}

struct App {
    book: Arc<Mutex<Book>>,
    more: Arc<Notify>,
}

impl Application for App {
    async fn receive(&mut self, batch: Vec<Inbound>) -> Result<(), NotRecorded> {
        let mut book = self.book.lock().unwrap();
        for inbound in batch {
            if book.take(&inbound) {
                book.answer(&inbound.message);
                self.more.notify_one();
            }
        }
        Ok(())
    }

    async fn resend(&mut self, records: Vec<Record>) -> Result<Vec<Resend>, NotRecorded> {
        Ok(vec![Resend::Again; records.len()])
    }

    async fn sent(&mut self, batch: &[SentRecord]) -> Result<(), NotRecorded> {
        self.book.lock().unwrap().sent.extend_from_slice(batch);
        Ok(())
    }

    async fn state(&mut self, state: SessionState) -> Result<(), NotRecorded> {
        self.book.lock().unwrap().states.push(state);
        Ok(())
    }
}

pub fn execution(report: ExecutionReport) -> AppMessage {
    AppMessage::ExecutionReport(Box::new(report))
}

/// One process of a venue.
pub struct Venue {
    pub address: SocketAddr,
    folder: PathBuf,
    book: Arc<Mutex<Book>>,
    more: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Venue {
    pub async fn start(folder: &Path, book: &Arc<Mutex<Book>>) -> Venue {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let more = Arc::new(Notify::new());
        let app = App {
            book: Arc::clone(book),
            more: Arc::clone(&more),
        };
        let (queue, outbound) = mpsc::channel(1_024);
        let config = SessionConfig::new(Role::Acceptor, NAME, COMP_ID);
        let journal = open_journal(folder, NAME, COMP_ID).await;
        // What was said and had not reached the journal when the process before this one died.
        let (said, more_said) = (Arc::clone(book), Arc::clone(&more));
        let mut position = journal.last_position();
        let forward = async move {
            loop {
                let next = said.lock().unwrap().said.get(position as usize).cloned();
                let Some(message) = next else {
                    more_said.notified().await;
                    continue;
                };
                position += 1;
                let message = OutboundMessage::new("", position, &message).unwrap();
                queue.send(message).await.unwrap();
            }
        };
        let mut registry = Registry::new();
        registry.add(Endpoint::new(
            config,
            journal,
            outbound,
            app,
            Timestamp::now,
        ));
        // One task, so that a kill ends all of it.
        let task = tokio::spawn(async move {
            let (_stop, stopping) = watch::channel(false);
            tokio::select! {
                () = forward => {}
                ended = accept_loop(listener, registry, stopping) => ended.unwrap(),
            }
        });
        Venue {
            address,
            folder: folder.into(),
            book: Arc::clone(book),
            more,
            task,
        }
    }

    /// Ends without a word, and starts on the same journal and book.
    pub async fn restart(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
        *self = Venue::start(&self.folder, &self.book).await;
    }

    /// It will not know what it has received when it starts again.
    pub fn forget_inbound_number(&self) {
        std::fs::remove_file(self.folder.join("inbound.num")).unwrap();
    }

    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    pub fn say(&self, message: AppMessage) {
        self.book().said.push(message);
        self.more.notify_one();
    }

    pub fn report(&self, report: ExecutionReport) {
        self.say(execution(report));
    }

    pub fn acknowledge(&self, order: &NewOrderSingle) {
        self.report(acknowledged(order));
    }

    pub fn fill(&self, order: &NewOrderSingle, units: i64) {
        let report = self.book().fill(order, units);
        self.report(report);
    }

    /// All orders, when so many have been processed.
    pub async fn until_orders(&self, count: usize) -> Vec<NewOrderSingle> {
        until("the venue has the orders", async || {
            self.book().orders().len() >= count
        })
        .await;
        let orders = self.book().orders();
        assert_eq!(orders.len(), count, "{orders:#?}");
        orders
    }

    /// The last order, when so many have been processed.
    pub async fn until_order(&self, count: usize) -> NewOrderSingle {
        self.until_orders(count).await.pop().unwrap()
    }

    pub async fn until_cancel(&self, count: usize) -> OrderCancelRequest {
        until("the venue has the cancels", async || {
            self.book().cancels().len() >= count
        })
        .await;
        let mut cancels = self.book().cancels();
        assert_eq!(cancels.len(), count, "{cancels:#?}");
        cancels.pop().unwrap()
    }
}

impl Venue {
    pub async fn until_replace(&self, count: usize) -> OrderCancelReplaceRequest {
        until("the venue has the replaces", async || {
            self.book().replaces().len() >= count
        })
        .await;
        let mut replaces = self.book().replaces();
        assert_eq!(replaces.len(), count, "{replaces:#?}");
        replaces.pop().unwrap()
    }
}

/// A killed end's last batch may still be on its way to the disk, and holds the journal until it is there.
pub async fn open_journal(folder: &Path, sender: &str, target: &str) -> Journal {
    loop {
        match Journal::open(folder, sender, target, Timestamp::now()) {
            Err(JournalError::InUse { .. }) => tokio::task::yield_now().await,
            opened => return opened.unwrap(),
        }
    }
}
