//! One connection: bytes in, session, journal, application, bytes out.
//!
//! Called by [`Endpoint::run`]. The loop waits for whatever comes first, feeds the session, and then settles
//! everything the session put out before waiting again.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::watch;
use tokio::time::Sleep;

use super::faults::{self, Point};
use super::{
    Application, DriverError, Endpoint, OUTBOUND_BATCH_MAX, RESEND_BATCH_MAX, SentRecord,
    SessionState, Why, stopped,
};
use crate::codec::{Decoder, Frame};
use crate::journal::{Batch, Kind, Record, Written};
use crate::session::{Inbound, Numbers, Output, Reason, Replay};
use crate::value::Timestamp;

/// Bytes taken from the socket at a time: some hundred messages, one batch for the application.
const READ_BYTES: usize = 128 * 1024;
/// With this much waiting for the socket nothing more is taken from the queue or the journal.
const WAITING_BYTES_HIGH: usize = 1024 * 1024;
/// With this much waiting, all of it answers to the peer, the peer is not reading.
const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Resend requests waiting to be answered; a sane peer has one open.
const RESENDS_MAX: usize = 16;
/// How long the last bytes, a Logout mostly, may take to leave.
const FLUSH_TIME_LIMIT: Duration = Duration::from_secs(1);
/// How long the peer may take to close after us; closing at once would cut off bytes it has not read.
const CLOSE_TIME_LIMIT: Duration = Duration::from_millis(250);

/// What ends a connection: an ordinary end, or one for good.
enum End {
    Why(Why),
    Error(DriverError),
}

impl<T: Into<Why>> From<T> for End {
    fn from(why: T) -> End {
        End::Why(why.into())
    }
}

pub(super) struct Link<'a, A, S> {
    endpoint: &'a mut Endpoint<A>,
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    decoder: Decoder,
    /// Bytes on their way to the socket; every one of them journaled.
    waiting: BytesMut,
    sends: Vec<Record>,
    deliveries: Vec<Inbound>,
    resends: VecDeque<(u64, u64)>,
    was_logged_on: bool,
    stopping: bool,
}

/// What the loop woke up for.
enum Event {
    Stop,
    Wrote(std::io::Result<usize>),
    Read(std::io::Result<usize>),
    Taken(usize),
    Resend,
    /// For the session.
    Time,
    /// For the application.
    Due,
}

impl<'a, A: Application, S: AsyncRead + AsyncWrite + Send> Link<'a, A, S> {
    pub fn new(endpoint: &'a mut Endpoint<A>, stream: S, already: BytesMut) -> Link<'a, A, S> {
        let (reader, writer) = tokio::io::split(stream);
        Link {
            endpoint,
            reader,
            writer,
            decoder: Decoder::with(already),
            waiting: BytesMut::new(),
            sends: Vec::new(),
            deliveries: Vec::new(),
            resends: VecDeque::new(),
            was_logged_on: false,
            stopping: false,
        }
    }

    pub fn was_logged_on(&self) -> bool {
        self.was_logged_on
    }

    pub async fn run(&mut self, shutdown: &mut watch::Receiver<bool>) -> Result<Why, DriverError> {
        let why = match self.live(shutdown).await {
            Err(End::Error(error)) => return Err(error),
            Err(End::Why(why)) => why,
            Ok(never) => match never {},
        };
        self.close().await;
        Ok(why)
    }

    async fn live(
        &mut self,
        shutdown: &mut watch::Receiver<bool>,
    ) -> Result<std::convert::Infallible, End> {
        self.tell_sent().await?;
        let numbers = Numbers {
            next_out: self.endpoint.journal.last_seq() + 1,
            next_in: self.endpoint.journal.next_inbound(),
            fresh: !self.endpoint.journal.has_app() && self.endpoint.journal.next_inbound() == 1,
            since: self.endpoint.journal.created(),
        };
        let now = self.now();
        self.endpoint.session.connected(numbers, now);
        self.decode();
        self.settle().await?;
        loop {
            let event = self.wait(shutdown).await;
            let now = self.now();
            match event {
                Event::Stop => {
                    self.stopping = true;
                    self.endpoint.session.log_out("shutting down", now);
                }
                Event::Wrote(Ok(n)) => self.waiting.advance(n),
                Event::Read(Ok(0)) => return Err(Why::PeerClosed.into()),
                Event::Read(Ok(_)) => self.decode(),
                Event::Wrote(Err(error)) | Event::Read(Err(error)) => {
                    return Err(Why::Io(error.to_string()).into());
                }
                Event::Taken(0) => self.endpoint.queue_closed = true,
                Event::Taken(_) => {}
                Event::Resend => self.resend().await?,
                Event::Time => self.endpoint.session.tick(now),
                Event::Due => self.endpoint.app.due().await?,
            }
            self.settle().await?;
            // Only now: a connection that ends while settling must not have used up messages of the queue.
            self.send_taken();
            self.settle().await?;
        }
    }

    async fn wait(&mut self, shutdown: &mut watch::Receiver<bool>) -> Event {
        let takes = self.takes() && !self.endpoint.queue_closed && self.endpoint.taken.is_empty();
        let Endpoint {
            session,
            outbound,
            taken,
            clock,
            app,
            ..
        } = &mut *self.endpoint;
        let due = app.due_at().map(tokio::time::sleep_until);
        let room = self.waiting.len() < WAITING_BYTES_HIGH;
        let sleep = session.deadline().map(|deadline| {
            let nanos = u64::try_from(deadline.since(clock())).unwrap_or(0);
            // Rounded up to a millisecond, the timer's grain, so that it does not wake just before.
            tokio::time::sleep(Duration::from_nanos(nanos) + Duration::from_millis(1))
        });
        self.decoder.buffer.reserve(READ_BYTES);
        // In this order: what can leave leaves, what has come is heard before anyone is called silent, and
        // the queue is emptied after every event anyway, so that a talkative peer can't keep us from sending.
        tokio::select! {
            biased;
            () = stopped(shutdown), if !self.stopping => Event::Stop,
            wrote = self.writer.write(&self.waiting), if !self.waiting.is_empty() => Event::Wrote(wrote),
            () = std::future::ready(()), if !self.resends.is_empty() && room => Event::Resend,
            read = self.reader.read_buf(&mut self.decoder.buffer) => Event::Read(read),
            n = outbound.recv_many(taken, OUTBOUND_BATCH_MAX), if takes => Event::Taken(n),
            () = over(due) => Event::Due,
            () = over(sleep) => Event::Time,
        }
    }

    /// Whether messages are taken from the queue.
    fn takes(&self) -> bool {
        self.endpoint.session.is_logged_on()
            && !self.stopping
            && self.resends.is_empty()
            && self.waiting.len() < WAITING_BYTES_HIGH
    }

    fn now(&self) -> Timestamp {
        (self.endpoint.clock)()
    }

    /// Every whole frame that has arrived goes through the session.
    fn decode(&mut self) {
        let now = self.now();
        while let Some(frame) = self.decoder.next() {
            match frame {
                Frame::Message(message) => {
                    self.endpoint.session.received(&message, now);
                    self.decoder.done_with(message);
                }
                Frame::Garbled(garbled) => self.endpoint.session.garbled(garbled),
            }
        }
    }

    /// Numbers what was taken from the queue, and what else is there.
    fn send_taken(&mut self) {
        if !self.takes() {
            return;
        }
        let now = self.now();
        let Endpoint {
            session,
            outbound,
            taken,
            ..
        } = &mut *self.endpoint;
        while taken.len() < OUTBOUND_BATCH_MAX {
            let Ok(message) = outbound.try_recv() else {
                break;
            };
            taken.push(message);
        }
        taken.retain(|message| !session.send_app(message, now));
    }

    /// Does all that the session wants, in its order.
    async fn settle(&mut self) -> Result<(), End> {
        while let Some(output) = self.endpoint.session.next_output() {
            match output {
                Output::Send(record) => self.sends.push(record),
                Output::Deliver(inbound) => self.deliveries.push(inbound),
                Output::ResendRequested { from, to } => {
                    if self.resends.len() >= RESENDS_MAX {
                        let text = "too many resend requests".to_owned();
                        return Err(Reason::Protocol(text).into());
                    }
                    self.resends.push_back((from, to));
                }
                Output::ResetJournal => {
                    self.flush().await?;
                    self.resends.clear();
                    let now = self.now();
                    self.endpoint.journal.reset(now).map_err(failed)?;
                    let generation = self.endpoint.journal.generation();
                    self.state(SessionState::NumbersReset { generation })
                        .await?;
                }
                Output::LoggedOn(terms) => {
                    self.was_logged_on = true;
                    self.flush().await?;
                    let target = &self.endpoint.session.config().identity.target;
                    tracing::info!(fix.target = %target, "logged on");
                    self.endpoint.app.agreed(&terms).await?;
                    self.state(SessionState::LoggedOn).await?;
                }
                Output::Disconnect(reason) => {
                    self.flush().await?;
                    return Err(reason.into());
                }
            }
        }
        self.flush().await
    }

    async fn state(&mut self, state: SessionState) -> Result<(), End> {
        Ok(self.endpoint.app.state(state).await?)
    }

    async fn flush(&mut self) -> Result<(), End> {
        self.journal_and_write().await?;
        self.deliver().await
    }

    /// Journal first, then the socket, then the application.
    async fn journal_and_write(&mut self) -> Result<(), End> {
        if self.sends.is_empty() {
            return Ok(());
        }
        let mut sends = std::mem::take(&mut self.sends);
        let has_app = sends.iter().any(|record| record.kind == Kind::App);
        reached(Point::BeforeJournal, has_app).await;
        let batch = self.endpoint.journal.prepare(&sends).map_err(failed)?;
        let written = write_blocking(batch).await?;
        self.endpoint.journal.complete(written);
        reached(Point::AfterJournal, has_app).await;
        for record in &sends {
            self.waiting.extend_from_slice(&record.bytes);
        }
        if self.waiting.len() > WAITING_BYTES_MAX {
            return Err(Why::NotReading.into());
        }
        let wrote = self.write_what_fits().await;
        reached(Point::AfterSocketWrite, has_app).await;
        let sent = sends.drain(..).filter(|record| record.kind == Kind::App);
        self.endpoint.untold.extend(sent.map(|record| SentRecord {
            id: record.id,
            position: record.position,
            seq: record.seq,
            sending_time: record.sending_time,
        }));
        self.sends = sends;
        self.tell_sent().await?;
        wrote.map_err(|error| Why::Io(error.to_string()).into())
    }

    /// Hands the socket what it takes without waiting; the loop does the rest.
    async fn write_what_fits(&mut self) -> std::io::Result<()> {
        let (writer, waiting) = (&mut self.writer, &self.waiting);
        let wrote = poll_fn(|context| {
            Poll::Ready(match Pin::new(&mut *writer).poll_write(context, waiting) {
                Poll::Ready(wrote) => wrote,
                Poll::Pending => Ok(0),
            })
        })
        .await?;
        self.waiting.advance(wrote);
        Ok(())
    }

    async fn tell_sent(&mut self) -> Result<(), End> {
        if !self.endpoint.untold.is_empty() {
            self.endpoint.app.sent(&self.endpoint.untold).await?;
            self.endpoint.untold.clear();
        }
        Ok(())
    }

    /// Gives the application what came, and moves the persisted inbound number behind what it recorded.
    async fn deliver(&mut self) -> Result<(), End> {
        if let Some(last) = self.deliveries.last().map(|inbound| inbound.seq) {
            let batch = std::mem::take(&mut self.deliveries);
            faults::at(Point::BeforeReceive).await;
            self.endpoint.app.receive(batch).await?;
            self.endpoint.session.recorded_through(last);
            faults::at(Point::BeforeInboundAdvance).await;
        }
        let next = self.endpoint.session.inbound_to_record();
        self.endpoint.journal.record_inbound(next).map_err(failed)
    }

    /// Answers a piece of the oldest resend request.
    async fn resend(&mut self) -> Result<(), End> {
        let Some((from, to)) = self.resends.pop_front() else {
            return Ok(());
        };
        let upto = to.min(from + RESEND_BATCH_MAX - 1);
        let records = self.endpoint.journal.records(from, upto).map_err(failed)?;
        let ours: Vec<_> = self.endpoint.session.undecided(&records).cloned().collect();
        let decisions = match ours.is_empty() {
            true => Vec::new(),
            false => self.endpoint.app.resend(ours).await?,
        };
        let replay = Replay {
            from,
            to: upto,
            records: &records,
            decisions: &decisions,
        };
        let now = self.now();
        for frame in self.endpoint.session.replay(&replay, now) {
            self.waiting.extend_from_slice(&frame);
        }
        if upto < to {
            self.resends.push_front((upto + 1, to));
        }
        Ok(())
    }

    /// The last bytes out, then an orderly close.
    async fn close(&mut self) {
        let flushed = async {
            self.writer.write_all(&self.waiting).await?;
            self.writer.shutdown().await
        };
        if !matches!(
            tokio::time::timeout(FLUSH_TIME_LIMIT, flushed).await,
            Ok(Ok(()))
        ) {
            return;
        }
        // What still arrives is not acted on; it was not recorded and will come again.
        let mut rest = [0; 4096];
        let drained = async { while matches!(self.reader.read(&mut rest).await, Ok(1..)) {} };
        let _ = tokio::time::timeout(CLOSE_TIME_LIMIT, drained).await;
    }
}

/// None never is.
async fn over(sleep: Option<Sleep>) {
    match sleep {
        Some(sleep) => sleep.await,
        None => std::future::pending().await,
    }
}

/// Only messages of the application are worth a crash: a session's own are made again at the next log-on.
async fn reached(point: Point, has_app: bool) {
    if has_app {
        faults::at(point).await;
    }
}

/// Waiting for the disk takes a twentieth of a millisecond or a second, and other sessions share this thread: they are
/// taken over by another one meanwhile. This one waits itself, because being woken by yet another thread takes
/// about as long as the disk.
async fn write_blocking(batch: Batch) -> Result<Written, End> {
    let written = match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(|| batch.write()),
        // There is no other thread to take them over.
        _ => tokio::task::spawn_blocking(|| batch.write())
            .await
            .map_err(|_| End::Error(DriverError::Writer))?,
    };
    written.map_err(failed)
}

fn failed(error: crate::journal::JournalError) -> End {
    tracing::error!(%error, "the journal failed; the session stops");
    End::Error(error.into())
}
