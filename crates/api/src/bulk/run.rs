//! One bulk, worked off phase by phase. It holds nothing that the log does not: what it forgets in a crash it derives again.
//!
//! First every working order of the items is cancelled, then the phases are closed in their order; within a phase each venue has a lane
//! of its own. A phase is over when each of its items has ended or had its time; what still works then is followed on beside the next.

use super::gate::{Gates, LOOK, Look};
use super::item::{self, Refused, Stand, Works};
use super::pace::Pace;
use super::told::{Told, record};
use super::worker::{Shared, WorkerError};
use crate::decide::DIRECTORY_WAIT;
use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use squareoff_domain::bulk::{
    Bulk, BulkId, BulkItem, BulkOutcome, BulkPhase, BulkReport, BulkStatus, BulkStep,
    item_request_id,
};
use squareoff_domain::position::{Order, Position, PricePolicy, SquareOffTerms, Wanted};
use squareoff_domain::{Refusal, RequestId, Venue};
use squareoff_store::{AppendError, TransactError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// Positions on their way at one venue: some seconds of what a venue takes, so that a stall is seen before much is under way.
pub const IN_FLIGHT_MAX: usize = 256;
/// How long a position's cancels are waited for before the bulk goes on without them: a venue answers in milliseconds.
const CANCEL_PATIENCE: Duration = Duration::from_secs(10);
/// How long an item's orders hold up its phase. A marketable limit fills at once or rests in a book that nobody answers.
const ITEM_PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at whether an order that rests is to be priced anew: a contract file is told anew a few times a day at most.
const REPRICE_LOOK: Duration = Duration::from_secs(1);
/// Times an item is asked for when its orders were lost, expired, or were refused at a price that would be another now. Each time may cost
/// a message; then a person looks.
const ATTEMPTS_MAX: u32 = 3;
/// Tries when the log or the position is busy, and the pause between them: a minute.
const BUSY_TRIES_MAX: u32 = 600;
const BUSY_PAUSE: Duration = Duration::from_millis(100);

pub struct Run {
    shared: Arc<Shared>,
    id: BulkId,
    stream: String,
    actor: Arc<str>,
    terms: SquareOffTerms,
    cancel_external: bool,
    /// As the work began.
    bulk: Arc<Bulk>,
    gates: Gates,
}

/// Whether an item may be begun.
enum Turn {
    Go,
    /// The bulk was aborted.
    Over,
    /// The venue took nothing for too long; the refusal's code.
    Shut(&'static str),
}

/// What is done with an item, and who is told of it.
#[derive(Clone)]
enum Step {
    Cancel(mpsc::Sender<Told>),
    /// Closed, or handed on when it outlasts its phase.
    Close(mpsc::Sender<Told>, mpsc::Sender<Indexed>),
    Linger(mpsc::Sender<Told>),
}

/// What asking came to.
enum Ask {
    Asked,
    Settled(BulkOutcome),
}

/// An item, or what is left of it.
type Indexed = (u32, BulkItem);

impl Run {
    pub async fn begin(shared: Arc<Shared>, id: BulkId) -> Result<Run, WorkerError> {
        let stream = id.stream();
        let bulk = shared.bulks.load(&stream).await?.state;
        let terms = bulk.proposed.as_ref().map(|proposed| &proposed.terms);
        let time_in_force = terms.map_or(squareoff_domain::position::TimeInForce::Day, |terms| {
            terms.time_in_force
        });
        Ok(Run {
            id,
            actor: stream.as_str().into(),
            terms: SquareOffTerms {
                quantity: Wanted::All,
                price: PricePolicy::MarketableLimit,
                time_in_force,
                evidence: Some(stream.clone()),
            },
            cancel_external: terms.is_none_or(|terms| terms.cancel_external),
            stream,
            bulk,
            shared,
            gates: Gates::default(),
        })
    }

    /// Ends when every item is settled.
    ///
    /// # Errors
    /// [`WorkerError`] when the log fails; what was not told is derived again by the next run.
    pub async fn work(self: &Arc<Self>) -> Result<(), WorkerError> {
        let (told, telling) = mpsc::channel(IN_FLIGHT_MAX);
        let (lingering, lingers) = mpsc::channel(IN_FLIGHT_MAX);
        tokio::try_join!(
            self.phases(told.clone(), lingering),
            self.linger(lingers, told),
            record(
                &self.shared.bulks,
                &self.stream,
                &self.actor,
                self.id,
                telling
            ),
        )?;
        self.tell(BulkReport::Completed).await?;
        tracing::info!(bulk.id = %self.id, "every item of a bulk is settled");
        Ok(())
    }

    async fn phases(
        self: &Arc<Self>,
        told: mpsc::Sender<Told>,
        lingering: mpsc::Sender<Indexed>,
    ) -> Result<(), WorkerError> {
        if self
            .bulk
            .phase
            .is_none_or(|phase| phase <= BulkPhase::CancelWorking)
        {
            self.enter(BulkPhase::CancelWorking).await?;
            let uncancelled = |(index, _): &(u32, &BulkItem)| {
                let index = usize::try_from(*index).unwrap_or(usize::MAX);
                self.bulk.cancelled.get(index) == Some(&false)
            };
            let open = self.bulk.open_items().filter(uncancelled);
            let step = Step::Cancel(told.clone());
            self.lanes(owned(open), step).await?;
        }
        for phase in BulkPhase::ALL {
            let of_phase = self
                .bulk
                .open_items()
                .filter(|(_, item)| item.phase == *phase);
            let items = owned(of_phase);
            if items.is_empty() {
                continue;
            }
            self.enter(*phase).await?;
            let step = Step::Close(told.clone(), lingering.clone());
            self.lanes(items, step).await?;
        }
        Ok(())
    }

    /// Works items off, venue by venue side by side, at most [`IN_FLIGHT_MAX`] of each at once.
    async fn lanes(self: &Arc<Self>, items: Vec<Indexed>, step: Step) -> Result<(), WorkerError> {
        let mut lanes: BTreeMap<Venue, Vec<Indexed>> = BTreeMap::new();
        for (index, item) in items {
            let lane = lanes.entry(item.key.venue).or_default();
            lane.push((index, item));
        }
        let lanes = lanes.into_values().map(|lane| {
            let (run, step) = (Arc::clone(self), step.clone());
            let work = move |item| Arc::clone(&run).step(step.clone(), item);
            let items = stream::iter(lane).map(Ok);
            items.try_for_each_concurrent(IN_FLIGHT_MAX, work)
        });
        try_join_all(lanes).await.map(drop)
    }

    async fn step(self: Arc<Self>, step: Step, (index, item): Indexed) -> Result<(), WorkerError> {
        // Who is told has gone only when the whole run ends for a failure.
        match step {
            Step::Cancel(told) => {
                if self.cancel_working(&item).await? {
                    told.send(Told::Cancelled(index)).await.ok();
                }
            }
            Step::Close(told, lingering) => {
                match self.close(&item, Some(ITEM_PATIENCE)).await? {
                    Some(outcome) => told.send(Told::Settled(index, outcome)).await.ok(),
                    None => lingering.send((index, item)).await.ok(),
                };
            }
            Step::Linger(told) => {
                if let Some(outcome) = self.close(&item, None).await? {
                    told.send(Told::Settled(index, outcome)).await.ok();
                }
            }
        }
        Ok(())
    }

    /// Follows what outlasted its phase to its end. As many as there are items: each is a position's watch and no message.
    async fn linger(
        self: &Arc<Self>,
        lingers: mpsc::Receiver<Indexed>,
        told: mpsc::Sender<Told>,
    ) -> Result<(), WorkerError> {
        let next = async |mut lingers: mpsc::Receiver<Indexed>| {
            lingers.recv().await.map(|item| (Ok(item), lingers))
        };
        let (run, step) = (Arc::clone(self), Step::Linger(told));
        let close = move |item| Arc::clone(&run).step(step.clone(), item);
        stream::unfold(lingers, next)
            .try_for_each_concurrent(None, close)
            .await
    }

    /// Cancels what works on the item's position and waits for it; whether nothing works any more.
    async fn cancel_working(&self, item: &BulkItem) -> Result<bool, WorkerError> {
        let stream: Arc<str> = item.key.stream().into();
        let watch = self.shared.book.watch(Arc::clone(&stream));
        let request = item_request_id(self.id, &item.key, BulkStep::CancelAll);
        let wanted = |order: &Order| self.cancel_external || order.is_ours();
        let mut until = None;
        loop {
            let heard = watch.heard();
            let position = self.shared.positions.load(&stream).await?.state;
            let asked = position.requests.contains_key(&request);
            let works = item::works(&position, wanted);
            if works == Works::default() {
                return Ok(true);
            }
            if works.standing > 0 && !asked {
                match self.turn(item).await {
                    // A shut market takes cancels all the same.
                    Turn::Go | Turn::Shut(_) => {
                        self.pace(item.key.venue).take().await;
                        if self.may_begin() {
                            self.ask_cancel(&stream, item, request, wanted).await?;
                        }
                        continue;
                    }
                    Turn::Over => return Ok(false),
                }
            }
            if works.cancelling == 0 {
                return Ok(false);
            }
            let until = *until.get_or_insert_with(|| Instant::now() + CANCEL_PATIENCE);
            tokio::select! {
                () = heard => {}
                () = sleep_until(until) => return Ok(false),
            }
        }
    }

    /// Closes the item; `None` when its orders still work after `patience`.
    async fn close(
        &self,
        item: &BulkItem,
        patience: Option<Duration>,
    ) -> Result<Option<BulkOutcome>, WorkerError> {
        let stream: Arc<str> = item.key.stream().into();
        let watch = self.shared.book.watch(Arc::clone(&stream));
        let begun = Instant::now();
        let mut requests = Vec::new();
        for attempt in 1..=ATTEMPTS_MAX {
            let request = item_request_id(self.id, &item.key, BulkStep::SquareOff { attempt });
            requests.push(request);
            let mut until = None;
            let position = loop {
                let heard = watch.heard();
                let position = self.shared.positions.load(&stream).await?.state;
                match item::stand(&position, request) {
                    Stand::Ended => break position,
                    // What is being cancelled frees its quantity soon.
                    Stand::Unasked
                        if begun.elapsed() < ITEM_PATIENCE
                            && item::works(&position, |_| true).cancelling > 0 =>
                    {
                        tokio::select! {
                            () = heard => {}
                            () = sleep_until(begun + ITEM_PATIENCE) => {}
                        }
                        continue;
                    }
                    Stand::Unasked => match self.ask(&stream, item, request).await? {
                        Ask::Asked => continue,
                        Ask::Settled(_) if attempt > 1 => {
                            // What the attempts before came to says more than why there is no other.
                            requests.pop();
                            return Ok(Some(item::outcome(&position, &requests)));
                        }
                        Ask::Settled(outcome) => return Ok(Some(outcome)),
                    },
                    Stand::Working => self.reprice(&stream, item, request, &position).await?,
                }
                let until = patience
                    .map(|patience| *until.get_or_insert_with(|| Instant::now() + patience));
                if until.is_some_and(|until| Instant::now() >= until) {
                    return Ok(None);
                }
                let look = Instant::now() + REPRICE_LOOK;
                tokio::select! {
                    () = heard => {}
                    () = sleep_until(until.map_or(look, |until| until.min(look))) => {}
                }
            };
            // How an order ended is judged by a contract file at least as new.
            let known = self.shared.book.progress().position;
            self.shared.directory.reach(known, DIRECTORY_WAIT).await;
            let gathered = self.shared.gathered(&item.key);
            let again = !position.closable().is_zero()
                && item::may_try_again(&position, request, &self.terms, &gathered.context());
            if !again || attempt == ATTEMPTS_MAX {
                return Ok(Some(item::outcome(&position, &requests)));
            }
        }
        unreachable!("the last attempt returns")
    }

    async fn ask(
        &self,
        stream: &str,
        item: &BulkItem,
        request: RequestId,
    ) -> Result<Ask, WorkerError> {
        let pace = self.pace(item.key.venue);
        let mut busy = 0;
        loop {
            match self.turn(item).await {
                Turn::Go => {}
                Turn::Over => return Ok(Ask::Settled(BulkOutcome::Skipped)),
                Turn::Shut(code) => return Ok(refused(code)),
            }
            pace.take().await;
            // A pause or an abort may have come while the message waited for its turn.
            if !self.may_begin() {
                pace.charge(0);
                continue;
            }
            let gathered = self.shared.gathered(&item.key);
            let caller = gathered.caller(&self.actor, request, self.id.0);
            let decide = |position: &Position| {
                let context = gathered.context();
                Ok((
                    item::square_off(position, request, &self.terms, &context)?,
                    (),
                ))
            };
            let answer = self
                .shared
                .positions
                .transact(stream, &caller, decide)
                .await;
            // The first event says that it was accepted, the others are orders.
            let orders = answer
                .as_ref()
                .map_or(0, |committed| committed.appended.saturating_sub(1));
            pace.charge(u32::try_from(orders).unwrap_or(u32::MAX));
            match answer {
                Ok(_) => return Ok(Ask::Asked),
                Err(TransactError::Refused(refusal)) => match item::refused(&refusal) {
                    Refused::Settled(outcome) => return Ok(Ask::Settled(outcome)),
                    Refused::Passing => sleep(LOOK).await,
                },
                Err(error) => {
                    busy += 1;
                    check_busy(error)?;
                    if busy > BUSY_TRIES_MAX {
                        return Ok(refused("busy"));
                    }
                    sleep(BUSY_PAUSE).await;
                }
            }
        }
    }

    /// Prices the item's resting orders anew where the contract file was told anew since and the policy now asks for more. A paused bulk
    /// sends nothing; what can't be changed now is looked at again.
    async fn reprice(
        &self,
        stream: &str,
        item: &BulkItem,
        request: RequestId,
        position: &Position,
    ) -> Result<(), WorkerError> {
        if !self.may_begin() {
            return Ok(());
        }
        let gathered = self.shared.gathered(&item.key);
        let context = gathered.context();
        for (order, price) in item::reprices(position, request, &self.terms, &context) {
            let pace = self.pace(item.key.venue);
            pace.take().await;
            if !self.may_begin() {
                pace.charge(0);
                return Ok(());
            }
            let number = position.orders[&order].replaces.len() + 1;
            let number = u32::try_from(number).expect("bounded by REPRICES_MAX");
            let id = item_request_id(self.id, &item.key, BulkStep::Reprice { order, number });
            let caller = gathered.caller(&self.actor, id, self.id.0);
            let decide = |position: &Position| {
                let events = item::reprice(position, id, (order, price), &context);
                Ok::<_, Refusal>((events, ()))
            };
            let answer = self.shared.positions.transact(stream, &caller, decide);
            match answer.await {
                Ok(committed) => pace.charge(u32::from(committed.appended > 0)),
                Err(error) => {
                    pace.charge(0);
                    check_busy(error)?;
                }
            }
        }
        Ok(())
    }

    async fn ask_cancel(
        &self,
        stream: &str,
        item: &BulkItem,
        request: RequestId,
        wanted: impl Fn(&Order) -> bool,
    ) -> Result<(), WorkerError> {
        let gathered = self.shared.gathered(&item.key);
        let caller = gathered.caller(&self.actor, request, self.id.0);
        let decide = |position: &Position| {
            let context = gathered.context();
            let cancels = item::cancel(position, request, |_, order| wanted(order), &context);
            Ok::<_, Refusal>((cancels, ()))
        };
        match self
            .shared
            .positions
            .transact(stream, &caller, decide)
            .await
        {
            Ok(committed) => {
                let messages = u32::try_from(committed.appended).unwrap_or(u32::MAX);
                self.pace(item.key.venue).charge(messages);
                Ok(())
            }
            Err(error) => {
                check_busy(error)?;
                sleep(BUSY_PAUSE).await;
                Ok(())
            }
        }
    }

    /// Waits until an item may be begun.
    async fn turn(&self, item: &BulkItem) -> Turn {
        let mut changed = self.shared.book.changed();
        loop {
            changed.mark_unchanged();
            match self.shared.book.status(self.id) {
                BulkStatus::Running => {}
                BulkStatus::Paused => {
                    if changed.changed().await.is_err() {
                        // The worker is about to end, because the log can't be read on.
                        std::future::pending::<()>().await;
                    }
                    continue;
                }
                BulkStatus::Aborted
                | BulkStatus::Completed
                | BulkStatus::Rejected
                | BulkStatus::Proposed
                | BulkStatus::Unproposed => return Turn::Over,
            }
            let gathered = self.shared.gathered(&item.key);
            match self.gates.look(&gathered, &item.key) {
                Look::Open => return Turn::Go,
                Look::TooLong(code) => return Turn::Shut(code),
                Look::Shut => sleep(LOOK).await,
            }
        }
    }

    fn may_begin(&self) -> bool {
        self.shared.book.status(self.id) == BulkStatus::Running
    }

    fn pace(&self, venue: Venue) -> &Pace {
        self.shared
            .paces
            .get(&venue)
            .expect("every venue has its pace")
    }

    async fn enter(&self, phase: BulkPhase) -> Result<(), WorkerError> {
        self.tell(BulkReport::PhaseEntered { phase }).await
    }

    async fn tell(&self, report: BulkReport) -> Result<(), WorkerError> {
        super::told::tell(
            &self.shared.bulks,
            &self.stream,
            &self.actor,
            self.id,
            report,
        )
        .await
    }
}

fn owned<'a>(items: impl Iterator<Item = (u32, &'a BulkItem)>) -> Vec<Indexed> {
    items.map(|(index, item)| (index, item.clone())).collect()
}

fn refused(code: &str) -> Ask {
    let code = code.to_owned();
    Ask::Settled(BulkOutcome::Refused { code })
}

/// Whether the log was only busy; the same request again is safe.
///
/// # Errors
/// When it failed.
pub fn check_busy<E>(error: TransactError<E>) -> Result<(), WorkerError> {
    match error {
        TransactError::Contended { .. } | TransactError::Append(AppendError::Overloaded) => Ok(()),
        TransactError::Append(error) => Err(error.into()),
        TransactError::Load(error) => Err(error.into()),
        // What can be refused is looked at before.
        TransactError::Refused(_) => Ok(()),
    }
}
