//! What the gateway does with the venue's answers before its session is ready: compares them with the log, asks about what they leave
//! open, and says that the session is ready when nothing is.

use crate::inbound::Inbounds;
use crate::index::{Known, Named, Role};
use crate::reconcile;
use crate::record::{Fact, RecordError};
use crate::recovery::{Answer, Doubtful};
use squareoff_domain::position::{Position, Report};
use squareoff_domain::session::SessionReport;
use squareoff_fix::Inbound;
use squareoff_fix::message::ExecutionReport;
use std::collections::HashSet;
use std::sync::Arc;

impl Inbounds {
    /// Takes in how an order stands.
    ///
    /// # Errors
    /// [`RecordError`] when the log did not take what follows from it.
    pub async fn stands(
        &self,
        inbound: &Inbound,
        report: &ExecutionReport,
    ) -> Result<(), RecordError> {
        let answer = self.recovery().answer(report);
        match answer {
            Answer::Stale => Ok(()),
            Answer::Order(asked) => self.compare(report, Some(*asked)).await,
            Answer::Mass { is_last } => {
                let names = report.cl_ord_id.as_deref();
                let found = names.and_then(|id| self.index().find_text(id));
                match found {
                    Some(named) => {
                        self.recovery().listed(named.order.order_id);
                        self.compare(report, None).await?;
                    }
                    // One report without an order says that there is none.
                    None if reconcile::is_unknown(report) => {}
                    None => {
                        let reason = "the venue works an order that the log knows nothing of";
                        let held = self.hold(inbound, None, reason.into());
                        self.recorder.hold(vec![held]).await?;
                    }
                }
                if is_last {
                    self.ask_each().await
                } else {
                    Ok(())
                }
            }
        }
    }

    /// The venue would not say how things stand.
    ///
    /// # Errors
    /// [`RecordError`] when the log did not take what follows from it.
    pub async fn not_answered(
        &self,
        question: &str,
        text: Option<String>,
    ) -> Result<(), RecordError> {
        let answer = self.recovery().refused(question);
        let said = text.unwrap_or_default();
        match answer {
            Answer::Stale => Ok(()),
            Answer::Mass { .. } => {
                tracing::error!(venue = %self.venue, %said, "the venue gives no list of the orders that it works; each is asked about");
                self.ask_each().await
            }
            Answer::Order(asked) => {
                let order = asked.order;
                let cl_ord_id = order.cl_ord_id.clone();
                let reason = format!("the venue does not say how the order stands: {said}");
                let doubt = Report::InDoubt { cl_ord_id, reason };
                self.recorder.record([(order, doubt)]).await
            }
        }
    }

    /// Compares an answer with the log, about the order that was asked or else that it names.
    async fn compare(
        &self,
        report: &ExecutionReport,
        asked: Option<Doubtful>,
    ) -> Result<(), RecordError> {
        let names = report.cl_ord_id.as_deref();
        let found = names.and_then(|id| self.index().find_text(id));
        let of_asked = asked.as_ref().map(|asked| Named {
            cl_ord_id: asked.order.cl_ord_id.clone(),
            role: Role::Order,
            order: Arc::clone(&asked.order),
        });
        let Some(named) = found.or(of_asked) else {
            return Ok(());
        };
        let position = self.recorder.position(&named.order).await?;
        let Some(order) = position.orders.get(&named.order.order_id) else {
            return Ok(());
        };
        let told = reconcile::told(report, &named, order);
        let differs = |report: &Report| matches!(report, Report::Differs { .. });
        if told.iter().any(differs) {
            let known = Arc::clone(&named.order);
            match asked {
                None => {
                    self.recovery().differs(known);
                    return Ok(());
                }
                Some(asked) if asked.stood != *order => {
                    if let Some(doubtful) = doubtful_of(&position, known, false) {
                        self.recovery().ask_again(doubtful);
                    }
                    return Ok(());
                }
                Some(_) => {}
            }
        }
        for report in &told {
            if let Report::Differs { reason, .. } = report {
                tracing::error!(venue = %self.venue, order.id = %named.order.order_id, %reason, "venue and log differ; the position is frozen");
            }
        }
        let facts = told.into_iter().map(|report| {
            let order = Arc::clone(&named.order);
            (order, report)
        });
        self.recorder.record(facts.collect::<Vec<Fact>>()).await
    }

    /// The list of working orders is complete: what the log thinks alive and is not on it is asked about, and where numbers or a journal
    /// were lost also what the venue told of last.
    async fn ask_each(&self) -> Result<(), RecordError> {
        let is_renumbered = self.recovery().is_renumbered;
        let (open, told_last) = {
            let index = self.index();
            (index.open.orders(), index.open.told_last())
        };
        let session = self.recorder.session_name();
        // A venue may know of an order only on the session that it came over: asked on another, it would deny one that lives.
        let is_asked = |order: &Known| {
            let is_ours = self.index().went_over(order.order_id, &session);
            is_ours.unwrap_or(self.is_sole) && !self.recovery().is_listed(order.order_id)
        };
        let differing = self.recovery().differing();
        let last = if is_renumbered { told_last } else { vec![] };
        let last = last.into_iter().filter(|order| is_asked(order));
        let alive = open
            .into_iter()
            .filter(|order| order.is_ours && is_asked(order));
        let mut seen = HashSet::new();
        let mut doubtful = Vec::new();
        let asked = differing
            .into_iter()
            .chain(last)
            .map(|order| (order, false));
        let asked: Vec<_> = asked.chain(alive.map(|order| (order, true))).collect();
        for (order, only_alive) in asked {
            if !seen.insert(order.order_id) {
                continue;
            }
            let position = self.recorder.position(&order).await?;
            doubtful.extend(doubtful_of(&position, order, only_alive));
        }
        self.recovery().ask_each(doubtful);
        Ok(())
    }

    /// # Errors
    /// [`RecordError`] when the log did not take it, or another gateway has the session.
    pub async fn ready_when_reconciled(&self) -> Result<(), RecordError> {
        if *self.up.borrow() || !self.recovery().is_done() {
            return Ok(());
        }
        let fence = self.fence;
        self.tell(SessionReport::Ready { fence }).await?;
        self.recovery().is_renumbered = false;
        self.up.send_replace(true);
        Ok(())
    }
}

/// What is asked about an order that went out: by the ids that the venue knows it by.
fn doubtful_of(position: &Position, known: Arc<Known>, only_alive: bool) -> Option<Doubtful> {
    let order = position.orders.get(&known.order_id)?;
    let went_out = order.dispatched || order.acknowledged || order.in_doubt;
    let is_asked = went_out && !(only_alive && order.leaves().is_zero());
    is_asked.then(|| Doubtful {
        cl_ord_id: order.current_cl_ord_id().clone(),
        stood: order.clone(),
        exchange_order_id: order.exchange_order_id.clone(),
        order: known,
    })
}
