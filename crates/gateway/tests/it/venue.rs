//! A venue that speaks FIX over TCP and says what a test tells it to. It processes an order once, whatever comes again.

use crate::desk::COMP_ID;
use crate::rig::until;
use squareoff_fix::message::{
    BusinessMessageReject, BusinessRejectReason, CxlRejResponseTo, ExecType, ExecutionReport,
    Logon, NewOrderSingle, OrdStatus, OrderCancelReject, OrderCancelReplaceRequest,
    OrderCancelRequest, OrderMassStatusRequest, OrderStatusRequest,
};
use squareoff_fix::{
    AppMessage, Application, Endpoint, Inbound, Journal, JournalError, NotRecorded,
    OutboundMessage, Record, Registry, Resend, Role, SentRecord, SessionConfig, SessionState,
    Timestamp, accept_loop,
};
use std::collections::{BTreeMap, HashMap, HashSet};
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

/// How a venue answers when it is asked how orders stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Candour {
    /// As it last said of them itself; of what it has and said nothing of, that it is pending.
    #[default]
    Truth,
    Silence,
    /// It does not answer such questions, and says so.
    Refusal,
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
    /// What it was asked of how orders stand.
    pub questions: Vec<AppMessage>,
    /// Everything else that came.
    pub others: Vec<Inbound>,
    pub states: Vec<SessionState>,
    /// What was agreed on at each log-on.
    pub terms: Vec<Logon>,
    pub filled: HashMap<String, i64>,
    /// The order that an id of its chain stands for.
    chains: HashMap<String, NewOrderSingle>,
    canceled: HashSet<String>,
    /// What it says when it is asked how orders stand.
    pub candour: Candour,
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
            AppMessage::OrderStatusRequest(_) | AppMessage::OrderMassStatusRequest(_) => {
                self.questions.push(inbound.message.clone());
                return true;
            }
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
            (_, AppMessage::OrderMassStatusRequest(asked)) => self.list(asked),
            (_, AppMessage::OrderStatusRequest(asked)) => self.status(asked),
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

    fn list(&mut self, asked: &OrderMassStatusRequest) {
        let id = &asked.mass_status_req_id;
        match self.candour {
            Candour::Truth => {}
            Candour::Silence => return,
            Candour::Refusal => return self.refuse("AF", id),
        }
        let images = self.images();
        let working: Vec<_> = images
            .values()
            .filter(|image| image.leaves_qty > 0)
            .collect();
        let total = working.len() as u64;
        let answer = |number: u64, image: &ExecutionReport| ExecutionReport {
            mass_status_req_id: Some(id.clone()),
            tot_num_reports: Some(total),
            last_rpt_requested: Some(number >= total),
            ..image.clone()
        };
        let mut answers: Vec<_> = (1..)
            .zip(&working)
            .map(|(n, image)| answer(n, image))
            .collect();
        if answers.is_empty() {
            answers.push(answer(0, &nothing("NONE")));
        }
        self.said.extend(answers.into_iter().map(execution));
    }

    fn status(&mut self, asked: &OrderStatusRequest) {
        let question = asked.ord_status_req_id.clone();
        match self.candour {
            Candour::Truth => {}
            Candour::Silence => return,
            Candour::Refusal => return self.refuse("H", &question.unwrap()),
        }
        let found = self.images().remove(&asked.cl_ord_id);
        let pending = || {
            let mut orders = self.orders().into_iter();
            let order = orders.find(|order| order.cl_ord_id == asked.cl_ord_id)?;
            Some(ExecutionReport {
                ord_status: OrdStatus::PendingNew,
                ..report(&order, ExecType::OrderStatus, "0")
            })
        };
        let image = found.or_else(pending);
        self.said.push(execution(ExecutionReport {
            ord_status_req_id: question,
            ..image.unwrap_or_else(|| nothing(&asked.cl_ord_id))
        }));
    }

    fn refuse(&mut self, kind: &str, id: &str) {
        let reject = BusinessMessageReject {
            ref_seq_num: None,
            ref_kind: kind.into(),
            ref_id: Some(id.into()),
            reason: BusinessRejectReason::UnsupportedMessageType,
            text: Some("not here".into()),
        };
        self.said.push(AppMessage::BusinessMessageReject(reject));
    }

    /// How each order stands by what was said of it, under the id that it was placed with.
    fn images(&self) -> BTreeMap<String, ExecutionReport> {
        let mut images: BTreeMap<String, ExecutionReport> = BTreeMap::new();
        for message in &self.said {
            let AppMessage::ExecutionReport(report) = message else {
                continue;
            };
            if report.exec_type == ExecType::OrderStatus {
                continue;
            }
            // Ours have the order's first id in the OrderID, whatever they are called by.
            let id = report.order_id.trim_start_matches("X-").to_owned();
            let by_cancel = report.exec_type == ExecType::Canceled;
            let (ord_status, leaves_qty) = match report.exec_type {
                ExecType::Rejected => (OrdStatus::Rejected, 0),
                ExecType::Expired => (OrdStatus::Expired, 0),
                ExecType::Suspended => (OrdStatus::Suspended, report.leaves_qty),
                _ => (report.ord_status, report.leaves_qty),
            };
            let before = images.get(&id).and_then(|image| image.cl_ord_id.clone());
            let image = ExecutionReport {
                exec_type: ExecType::OrderStatus,
                exec_id: "0".into(),
                cl_ord_id: match before {
                    Some(before) if by_cancel => Some(before),
                    _ => report.cl_ord_id.clone(),
                },
                orig_cl_ord_id: None,
                last_qty: None,
                last_px: None,
                ord_status,
                leaves_qty,
                ..(**report).clone()
            };
            images.insert(id, image);
        }
        images
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
    let order_id = format!("X-{}", order.cl_ord_id);
    ExecutionReport {
        exec_type,
        ..ExecutionReport::accepted(order, order_id, exec_id.into())
    }
}

/// How an order stands that the venue does not know.
fn nothing(cl_ord_id: &str) -> ExecutionReport {
    ExecutionReport {
        cl_ord_id: Some(cl_ord_id.into()),
        ord_rej_reason: Some(5),
        ..ExecutionReport::none()
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

    async fn agreed(&mut self, terms: &Logon) -> Result<(), NotRecorded> {
        self.book.lock().unwrap().terms.push(terms.clone());
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
        Venue::start_for(COMP_ID, folder, book).await
    }

    /// For another session than the usual one.
    pub async fn start_for(comp_id: &str, folder: &Path, book: &Arc<Mutex<Book>>) -> Venue {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let more = Arc::new(Notify::new());
        let app = App {
            book: Arc::clone(book),
            more: Arc::clone(&more),
        };
        let (queue, outbound) = mpsc::channel(1_024);
        let config = SessionConfig {
            cancel_on_disconnect: true,
            ..SessionConfig::new(Role::Acceptor, NAME, comp_id)
        };
        let journal = open_journal(folder, NAME, comp_id).await;
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
