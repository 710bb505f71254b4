//! A venue without client order ids, to hold the port against: numbered packets out, numbered messages in, recovery by download. It is
//! no real venue's protocol; NSE's NNF has the same shape.
//!
//! Lines of ASCII. From us: `LOGON <comp id> <last message>`, `<packet> NEW <client> <symbol> <BUY|SELL> <units> <price>`,
//! `<packet> CANCEL <order number>`, `<packet> MODIFY <order number> <units> <price>`, `LOGOUT`. From the venue, each with a number:
//! `<n> ACCEPTED <packet> <order number>`, `<n> REJECTED <packet> <text>`, `<n> TRADE <order number> <trade number> <units> <price> <filled>
//! <left>`, `<n> CANCELED <order number>`; and `DOWNLOADED` when all that came before the log-on has been told.
//!
//! 1. A packet's number is its number in the journal: used once, and durable before the packet is sent.
//! 2. A log-on ends the connection before it, what of that was not read is lost. So what has no answer when the download is through
//!    was never received; until then it is in doubt.
//! 3. The number of the last message is kept after the log has it, and the download begins behind it.
//! 4. A cancel or a change waits for its order's number.

use crate::dispatch::dispatched;
use crate::inbound::doubt_unanswered;
use crate::index::{Index, Named};
use crate::record::{Fact, RecordError, Recorder};
use squareoff_domain::position::{
    CancelRequested, CancelState, Execution, ExecutionReport, OrderPlaced, ReplaceRequested,
    ReplaceState, Report,
};
use squareoff_domain::session::SessionReport;
use squareoff_domain::{ClOrdId, ExecutionKey, OrderId, Price, Quantity, Side, Venue};
use squareoff_fix::message::RawMessage;
use squareoff_fix::{
    AppMessage, DriverError, Journal, JournalError, Kind, OutboundMessage, Record, Timestamp,
};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};

/// Packets of one write.
const BATCH: usize = 64;
/// Pause before the next dial.
const PAUSE: Duration = Duration::from_millis(50);

pub fn new_order(placed: &OrderPlaced) -> AppMessage {
    let (key, side) = (&placed.key, side(placed.side));
    let (units, price) = (placed.quantity.units(), placed.price.0);
    message(
        "NEW",
        format!("{} {} {side} {units} {price}", key.client, key.symbol),
    )
}

pub fn replace(requested: &ReplaceRequested) -> AppMessage {
    let units = requested.quantity.units();
    message("MODIFY", format!("{units} {}", requested.price.0))
}

pub fn cancel(_: &CancelRequested) -> AppMessage {
    message("CANCEL", String::new())
}

fn message(kind: &str, body: String) -> AppMessage {
    let (kind, body) = (kind.to_owned(), body.into());
    AppMessage::Other(RawMessage { kind, body })
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

pub struct Engine {
    pub venue: Venue,
    pub comp_id: String,
    pub recorder: Recorder,
    pub index: Arc<Mutex<Index>>,
    pub fence: u64,
    pub journal: Journal,
    pub queue: mpsc::Receiver<OutboundMessage>,
    pub up: watch::Sender<bool>,
    pub fenced: watch::Sender<Option<String>>,
    /// What was sent and not answered, by the packet.
    pub open: BTreeMap<u64, ClOrdId>,
    /// Orders whose number came in this life; older ones are in the index.
    pub numbers: HashMap<String, ClOrdId>,
    /// Cancels and changes that wait for their order's number.
    pub parked: Vec<OutboundMessage>,
}

/// Why a connection ended.
enum End {
    /// Another one may be made.
    Why(String),
    Error(DriverError),
}

impl From<std::io::Error> for End {
    fn from(error: std::io::Error) -> End {
        End::Why(format!("the connection broke: {error}"))
    }
}

impl From<RecordError> for End {
    fn from(error: RecordError) -> End {
        End::Why(format!("not recorded: {error}"))
    }
}

impl From<JournalError> for End {
    fn from(error: JournalError) -> End {
        End::Error(error.into())
    }
}

/// What of the journal has no answer in the log.
///
/// # Errors
/// [`RecordError`] when the log could not be read.
pub async fn unanswered(
    recorder: &Recorder,
    index: &Mutex<Index>,
    journal: &Journal,
) -> Result<BTreeMap<u64, ClOrdId>, RecordError> {
    let mut open = BTreeMap::new();
    for record in journal.iter().filter_map(Result::ok) {
        let found = lock(index).find_text(&record.id);
        let Some(named) = found else { continue };
        let position = recorder.position(&named.order).await?;
        let Some(order) = position.orders.get(&named.order.order_id) else {
            continue;
        };
        let id = &named.cl_ord_id;
        let is_open = match named.is_new_order() {
            true => order.exchange_order_id.is_none() && order.ended.is_empty(),
            false => {
                let replace = order.replaces.get(id).map(|replace| &replace.state);
                order.cancels.get(id) == Some(&CancelState::Pending)
                    || replace == Some(&ReplaceState::Pending)
            }
        };
        if is_open {
            open.insert(record.seq, named.cl_ord_id);
        }
    }
    Ok(open)
}

fn lock(index: &Mutex<Index>) -> MutexGuard<'_, Index> {
    index.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// # Errors
    /// [`DriverError`] when the journal failed.
    pub async fn run(
        &mut self,
        address: &str,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), DriverError> {
        while !*stop.borrow() {
            if let Ok(stream) = TcpStream::connect(address).await {
                let ended = self.connection(stream, &mut stop).await;
                self.up.send_replace(false);
                let reason = match ended {
                    Ok(()) => "logged out as asked".to_owned(),
                    Err(End::Why(reason)) => reason,
                    Err(End::Error(error)) => return Err(error),
                };
                let fence = self.fence;
                self.tell(SessionReport::Down { fence, reason }).await;
            }
            tokio::select! {
                () = crate::stopped(&mut stop) => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
        Ok(())
    }

    /// Whether the log took it.
    async fn tell(&self, report: SessionReport) -> bool {
        let told = self.recorder.session(report).await;
        if let Err(RecordError::Fenced(_)) = told {
            self.fenced.send_replace(Some(self.recorder.session_name()));
        }
        told.is_ok()
    }

    async fn connection(
        &mut self,
        stream: TcpStream,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), End> {
        stream.set_nodelay(true)?;
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        let last = self.journal.next_inbound() - 1;
        let logon = format!("LOGON {} {last}\n", self.comp_id);
        writer.write_all(logon.as_bytes()).await?;
        let reason = format!(
            "sent without an answer before message {last} (fence {})",
            self.fence
        );
        doubt_unanswered(&self.recorder, &self.index, &reason).await?;
        while let Some(line) = next(&mut lines).await? {
            self.received(&line).await?;
        }
        self.what_never_came().await?;
        let fence = self.fence;
        if !self.tell(SessionReport::Ready { fence }).await {
            return Err(End::Why(
                "the session could not be recorded as ready".into(),
            ));
        }
        self.up.send_replace(true);
        let mut taken = Vec::new();
        loop {
            tokio::select! {
                biased;
                () = crate::stopped(stop) => {
                    self.up.send_replace(false);
                    writer.write_all(b"LOGOUT\n").await?;
                    return Ok(());
                }
                line = next(&mut lines) => match line? {
                    Some(line) => {
                        self.received(&line).await?;
                        taken.append(&mut self.parked);
                    }
                    None => return Err(End::Why("a download that nobody asked for".into())),
                },
                n = self.queue.recv_many(&mut taken, BATCH) => if n == 0 {
                    return Err(End::Why("nothing more is sent".into()));
                }
            }
            self.send(&mut taken, &mut writer).await?;
        }
    }

    /// Journal, then the socket, then the log.
    async fn send(
        &mut self,
        taken: &mut Vec<OutboundMessage>,
        writer: &mut OwnedWriteHalf,
    ) -> Result<(), End> {
        let mut records = Vec::new();
        for message in taken.drain(..) {
            let seq = self.journal.last_seq() + 1 + records.len() as u64;
            match self.packet(seq, &message) {
                Some(packet) => records.push(Record {
                    seq,
                    kind: Kind::App,
                    id: message.id().to_owned(),
                    position: message.position(),
                    sending_time: Timestamp::now(),
                    bytes: packet.into(),
                }),
                None => self.parked.push(message),
            }
        }
        self.journal.append(&records)?;
        for record in &records {
            if let Ok(id) = record.id.parse() {
                self.open.insert(record.seq, id);
            }
            writer.write_all(&record.bytes).await?;
        }
        let sent = records
            .iter()
            .map(|record| (record.id.as_str(), record.seq));
        Ok(dispatched(&self.recorder, &self.index, sent).await?)
    }

    /// `None`: it is about an order whose number is not known yet.
    fn packet(&self, seq: u64, message: &OutboundMessage) -> Option<Vec<u8>> {
        let body = String::from_utf8_lossy(message.body());
        let of = match message.kind() {
            "NEW" => String::new(),
            _ => format!(" {}", self.number(message.id())?),
        };
        let line = format!("{seq} {}{of} {body}", message.kind());
        Some(format!("{}\n", line.trim_end()).into())
    }

    fn number(&self, id: &str) -> Option<String> {
        let index = lock(&self.index);
        let order = index.find_text(id)?.order;
        let mut numbers = self.numbers.iter();
        let new = numbers.find(|(_, of)| **of == order.cl_ord_id);
        let known = || index.number_of(order.order_id);
        new.map(|(number, _)| number.clone()).or_else(known)
    }

    /// Records a message of the venue, and that it was received.
    async fn received(&mut self, line: &str) -> Result<(), End> {
        let words: Vec<_> = line.split(' ').collect();
        let (number, fact) = self.read(&words).map_err(|what| {
            End::Why(format!("a message that can't be read: {what} in {line:?}"))
        })?;
        if number >= self.journal.next_inbound() {
            self.recorder.record([fact]).await?;
            self.journal.record_inbound(number + 1)?;
        }
        Ok(())
    }

    fn read(&mut self, words: &[&str]) -> Result<(u64, Fact), String> {
        let (number, fact) = match words {
            [number, "ACCEPTED", packet, order] => {
                let named = self.answered(packet)?;
                let id = named.order.cl_ord_id.clone();
                self.numbers.insert((*order).to_owned(), id);
                (number, execution(named, order, Execution::New, 0, 0)?)
            }
            [number, "REJECTED", packet, text @ ..] => {
                let named = self.answered(packet)?;
                let (code, text) = (0, text.join(" "));
                let fact = match named.is_new_order() {
                    true => execution(named, "NONE", Execution::Rejected { code, text }, 0, 0)?,
                    false => {
                        let cl_ord_id = named.cl_ord_id;
                        (
                            named.order,
                            Report::CancelRejected {
                                cl_ord_id,
                                code,
                                text,
                            },
                        )
                    }
                };
                (number, fact)
            }
            [number, "TRADE", order, trade, units, price, filled, left] => {
                let named = self.of_number(order)?;
                let key = ExecutionKey::new(self.venue, named.order.key.date, trade);
                let fill = Execution::Fill {
                    key: key.map_err(|error| error.to_string())?,
                    quantity: Quantity::new(whole(units)?).map_err(|error| error.to_string())?,
                    price: Price(whole(price)?),
                };
                (
                    number,
                    execution(named, order, fill, whole(filled)?, whole(left)?)?,
                )
            }
            [number, "CANCELED", order] => {
                let named = self.of_number(order)?;
                let of = named.order.order_id;
                self.settle(of);
                (number, execution(named, order, Execution::Canceled, 0, 0)?)
            }
            _ => return Err("no kind of message".into()),
        };
        Ok((whole(number)?, fact))
    }

    /// The message of ours that a packet was.
    fn answered(&mut self, packet: &str) -> Result<Named, String> {
        let packet: u64 = whole(packet)?;
        self.open.remove(&packet);
        let records = self.journal.records(packet, packet);
        let records = records.map_err(|error| error.to_string())?;
        let record = records.first().ok_or("no packet of ours")?;
        let named = lock(&self.index).find_text(&record.id);
        named.ok_or_else(|| "no message that the log knows".to_owned())
    }

    fn of_number(&self, number: &str) -> Result<Named, String> {
        let index = lock(&self.index);
        let known = self
            .numbers
            .get(number)
            .cloned()
            .or_else(|| index.of_number(number));
        let named = known.and_then(|id| index.find(&id));
        named.ok_or_else(|| "no order of ours".to_owned())
    }

    /// What was asked about an order that has ended is answered.
    fn settle(&mut self, order: OrderId) {
        let index = lock(&self.index);
        let of = |id: &ClOrdId| index.find(id).map(|named| named.order.order_id);
        self.open.retain(|_, id| of(id) != Some(order));
    }

    /// The download is through: what it did not show, the venue never had.
    async fn what_never_came(&mut self) -> Result<(), End> {
        let mut facts = Vec::new();
        for cl_ord_id in std::mem::take(&mut self.open).into_values() {
            let named = lock(&self.index).find(&cl_ord_id);
            facts.extend(named.map(|named| (named.order, Report::NotDelivered { cl_ord_id })));
        }
        Ok(self.recorder.record(facts).await?)
    }
}

/// `None`: the download is through.
async fn next(lines: &mut Lines<BufReader<OwnedReadHalf>>) -> Result<Option<String>, End> {
    let line = lines.next_line().await?;
    let line = line.ok_or_else(|| End::Why("the venue closed the connection".into()))?;
    Ok((line != "DOWNLOADED").then_some(line))
}

fn execution(
    named: Named,
    order: &str,
    execution: Execution,
    cumulative: u64,
    leaves: u64,
) -> Result<Fact, String> {
    let report = ExecutionReport {
        cl_ord_id: named.order.cl_ord_id.clone(),
        exchange_order_id: order.parse().map_err(|error| format!("{error}"))?,
        execution,
        cumulative,
        leaves,
    };
    Ok((named.order, Report::Execution(report)))
}

fn whole<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{text:?}: {error}"))
}
