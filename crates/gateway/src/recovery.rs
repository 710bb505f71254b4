//! What stands between a log-on and a session that is ready: the venue is asked for all that it works for us
//! (OrderMassStatusRequest), then for each order that the log thinks alive and the venue did not list (OrderStatusRequest). What the
//! answers say is `reconcile`'s matter; here is who is asked, what is awaited, and when it is asked again. Called by `inbound`.
//!
//! 1. A question goes out behind what the venue asked for again, and its answer comes behind what we missed: both are messages of the
//!    session, in its order. So whatever was on its way is known before an answer is looked at.
//! 2. An answer to a question of an earlier connection, or to one that was asked anew, counts for nothing.
//! 3. An answer may be overtaken by reports of what happened behind it. So a difference counts only when the log says the same of the
//!    order as it did when the venue was asked about it alone; otherwise it is asked again.
//! 4. FIX 4.2 has no OrderMassStatusRequest: the venue is asked about an order that is none first, so that invariant 1 holds, and then
//!    about each that the log thinks alive. What the venue works and the log knows nothing of is found out by the drop copy alone.
//! 5. A venue that is silent keeps the session from being ready: it is asked again, and an error line says so each time.

use crate::index::Known;
use crate::throttle::Throttle;
use crate::translate;
use squareoff_domain::position::Order;
use squareoff_domain::{ClOrdId, ExchangeOrderId, OrderId};
use squareoff_fix::OutboundMessage;
use squareoff_fix::message::{AppMessage, Dialect, ExecutionReport};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long a venue may be silent when it is asked: a mass status of a busy day takes seconds.
pub const ANSWER_TIME_LIMIT: Duration = Duration::from_secs(10);
/// Orders asked about at once; how fast they are asked is the throttle's matter.
const ASKED_AT_ONCE: usize = 64;
/// What the journal calls a question: no ClOrdID has a blank.
const QUESTION: &str = "question ";

/// The question that the journal's record of this id is; no event stands behind one.
pub fn question(id: &str) -> Option<&str> {
    id.strip_prefix(QUESTION)
}

/// An order to be asked about, by what the venue knows it by.
#[derive(Debug, Clone)]
pub struct Doubtful {
    pub order: Arc<Known>,
    pub cl_ord_id: ClOrdId,
    pub exchange_order_id: Option<ExchangeOrderId>,
    /// As the log has it when it is asked about.
    pub stood: Order,
}

pub struct Recovery {
    session: mpsc::Sender<OutboundMessage>,
    session_name: String,
    dialect: Dialect,
    /// Questions count like any message.
    throttle: Arc<Mutex<Throttle>>,
    /// Makes the ids of questions differ from those of other lives.
    fence: u64,
    questions: u64,
    stage: Stage,
    /// When the venue last said something, or was asked.
    heard_at: Instant,
    /// The session's numbers started anew since it was ready: reports may have been lost, or the venue's memory.
    pub is_renumbered: bool,
}

enum Stage {
    LoggedOff,
    Mass {
        question: String,
        listed: HashSet<OrderId>,
        /// Orders that stand otherwise here.
        differing: Vec<Arc<Known>>,
        reports: u64,
    },
    Each {
        waiting: VecDeque<Doubtful>,
        asked: HashMap<String, Doubtful>,
    },
    Done,
}

/// What a status report answers.
pub enum Answer {
    /// Nothing that is asked now.
    Stale,
    /// The mass status request; whether it is the last.
    Mass { is_last: bool },
    /// The question about this order.
    Order(Box<Doubtful>),
}

impl Recovery {
    pub fn new(
        session: mpsc::Sender<OutboundMessage>,
        session_name: String,
        fence: u64,
        throttle: Arc<Mutex<Throttle>>,
        dialect: Dialect,
        is_renumbered: bool,
    ) -> Recovery {
        Recovery {
            session,
            session_name,
            dialect,
            throttle,
            fence,
            questions: 0,
            stage: Stage::LoggedOff,
            heard_at: Instant::now(),
            is_renumbered,
        }
    }

    /// Asks for everything that the venue works; where the dialect can't, about an order that is not, which lists nothing.
    pub fn logged_on(&mut self) {
        let question = self.name();
        let message = match self.dialect {
            Dialect::Fix44 => translate::mass_status(question.clone()),
            Dialect::Fix42 => translate::status_of_none(question.clone()),
        };
        self.ask(&question, &message);
        self.stage = Stage::Mass {
            question,
            listed: HashSet::new(),
            differing: Vec::new(),
            reports: 0,
        };
    }

    pub fn logged_off(&mut self) {
        self.stage = Stage::LoggedOff;
    }

    /// Whether everything that was asked is answered.
    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// What this status report answers; its question is then answered.
    pub fn answer(&mut self, report: &ExecutionReport) -> Answer {
        let named = report.mass_status_req_id.as_deref();
        let answer = match &mut self.stage {
            Stage::Mass { question, .. }
                if self.dialect == Dialect::Fix42
                    && report.cl_ord_id.as_deref() == Some(question.as_str()) =>
            {
                Answer::Mass { is_last: true }
            }
            Stage::Mass {
                question, reports, ..
            } if named == Some(question.as_str()) => {
                *reports += 1;
                let all = report.tot_num_reports.is_some_and(|all| *reports >= all);
                let is_last = all || report.last_rpt_requested == Some(true);
                Answer::Mass { is_last }
            }
            Stage::Each { asked, .. } if named.is_none() => {
                // A venue may leave our id out; then the order's names it.
                let by_order = || {
                    let id = report.cl_ord_id.as_deref()?;
                    let of_it = |(_, asked): &(&String, &Doubtful)| asked.cl_ord_id.as_str() == id;
                    asked
                        .iter()
                        .find(of_it)
                        .map(|(question, _)| question.clone())
                };
                let question = report.ord_status_req_id.clone().or_else(by_order);
                match question.and_then(|question| asked.remove(&question)) {
                    Some(order) => Answer::Order(Box::new(order)),
                    None => Answer::Stale,
                }
            }
            Stage::Mass { .. } | Stage::Each { .. } | Stage::LoggedOff | Stage::Done => {
                Answer::Stale
            }
        };
        if !matches!(answer, Answer::Stale) {
            self.heard_at = Instant::now();
            self.ask_more();
        }
        answer
    }

    /// Whether this is a question that waits for its answer.
    pub fn asks(&self, id: &str) -> bool {
        match &self.stage {
            Stage::Mass { question, .. } => question == id,
            Stage::Each { asked, .. } => asked.contains_key(id),
            Stage::LoggedOff | Stage::Done => false,
        }
    }

    /// The venue refuses a question; what it was, when it is asked now.
    pub fn refused(&mut self, refused: &str) -> Answer {
        match &mut self.stage {
            Stage::Mass { question, .. } if question == refused => Answer::Mass { is_last: true },
            Stage::Each { asked, .. } => match asked.remove(refused) {
                Some(order) => {
                    self.ask_more();
                    Answer::Order(Box::new(order))
                }
                None => Answer::Stale,
            },
            Stage::Mass { .. } | Stage::LoggedOff | Stage::Done => Answer::Stale,
        }
    }

    /// The mass status lists this order.
    pub fn listed(&mut self, order_id: OrderId) {
        if let Stage::Mass { listed, .. } = &mut self.stage {
            listed.insert(order_id);
        }
    }

    pub fn is_listed(&self, order_id: OrderId) -> bool {
        match &self.stage {
            Stage::Mass { listed, .. } => listed.contains(&order_id),
            Stage::Each { .. } | Stage::LoggedOff | Stage::Done => false,
        }
    }

    /// The mass status lists this order, and not as the log has it.
    pub fn differs(&mut self, order: Arc<Known>) {
        if let Stage::Mass { differing, .. } = &mut self.stage {
            differing.push(order);
        }
    }

    pub fn differing(&self) -> Vec<Arc<Known>> {
        match &self.stage {
            Stage::Mass { differing, .. } => differing.clone(),
            Stage::Each { .. } | Stage::LoggedOff | Stage::Done => vec![],
        }
    }

    /// The answer about this order was out of date.
    pub fn ask_again(&mut self, order: Doubtful) {
        match &mut self.stage {
            Stage::Each { waiting, .. } => waiting.push_back(order),
            Stage::Done => {
                self.stage = Stage::Each {
                    waiting: VecDeque::from([order]),
                    asked: HashMap::new(),
                };
            }
            Stage::Mass { .. } | Stage::LoggedOff => return,
        }
        self.ask_more();
    }

    /// The mass status is complete: these orders are asked about one by one.
    pub fn ask_each(&mut self, orders: Vec<Doubtful>) {
        self.stage = Stage::Each {
            waiting: orders.into(),
            asked: HashMap::new(),
        };
        self.heard_at = Instant::now();
        self.ask_more();
    }

    /// Asks about the orders that wait for it, as far as it may; called again from time to time.
    pub fn ask_more(&mut self) {
        while let Stage::Each { waiting, asked } = &mut self.stage {
            if waiting.is_empty() && asked.is_empty() {
                self.stage = Stage::Done;
                return;
            }
            let has_room = !waiting.is_empty() && asked.len() < ASKED_AT_ONCE;
            let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
            if !has_room || !throttle.take(Instant::now()) {
                return;
            }
            drop(throttle);
            let Some(order) = waiting.pop_front() else {
                return;
            };
            let question = self.name();
            self.ask(&question, &translate::status_of(&order, question.clone()));
            if let Stage::Each { asked, .. } = &mut self.stage {
                asked.insert(question, order);
            }
        }
    }

    /// Called from time to time: asks again what has not been answered for so long.
    pub fn remind(&mut self, limit: Duration) {
        if self.heard_at.elapsed() < limit {
            return;
        }
        let unanswered = match &mut self.stage {
            Stage::LoggedOff | Stage::Done => return,
            Stage::Mass { .. } => 1,
            Stage::Each { waiting, asked } => {
                let unanswered = asked.len();
                let again: Vec<_> = asked.drain().map(|(_, order)| order).collect();
                again
                    .into_iter()
                    .for_each(|order| waiting.push_front(order));
                unanswered
            }
        };
        tracing::error!(session = %self.session_name, questions = unanswered, limit_s = limit.as_secs(), "the venue does not say how orders stand; the session is not ready, and it is asked again");
        match self.stage {
            Stage::Mass { .. } => self.logged_on(),
            Stage::Each { .. } => {
                self.heard_at = Instant::now();
                self.ask_more();
            }
            Stage::LoggedOff | Stage::Done => {}
        }
    }

    fn name(&mut self) -> String {
        self.questions += 1;
        format!("Q{}-{}", self.fence, self.questions)
    }

    /// Without room in the queue it is not asked, and `remind` asks again.
    fn ask(&mut self, question: &str, message: &AppMessage) {
        self.heard_at = Instant::now();
        let id = format!("{QUESTION}{question}");
        let message = OutboundMessage::new_in(self.dialect, id, 0, message)
            .expect("our ids, symbols and codes are printable ASCII and short");
        if self.session.try_send(message).is_err() {
            tracing::warn!(session = %self.session_name, "there is no room for a question to the venue; it is asked later");
        }
    }
}
