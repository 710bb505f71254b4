//! A single order above a value, which a second person has to approve before it is placed.
//!
//! The stream holds what was asked, word for word, and what became of it; the order itself is in its position's stream. Rules:
//! 1. nobody approves their own, and what was answered, withdrawn or has lapsed is answered once and for ever;
//! 2. an approval is of the epoch it was asked in, and lapses with it;
//! 3. what was approved is asked of the position under one request id ([`ApprovalId::order_request`]), by whomever and however often, so
//!    that two who finish it, or a restart, can't double it; the position's rules decide anew then;
//! 4. never more is ordered than was approved: [`ApprovalAsked::request`];
//! 5. that an order stands in its position is a fact, and is recorded whatever was said of it before.
//!
//! Deliberately not here: what the limit is, which is a setting; a bulk, whose items were approved with it.

mod event;
mod worth;

#[cfg(test)]
mod tests;

pub use event::*;
pub use worth::{Worth, worth};

use crate::id::RequestId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use thiserror::Error;
use uuid::Uuid;

/// One approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApprovalId(pub Uuid);

impl ApprovalId {
    /// `approval-<uuid>`.
    pub fn stream(self) -> String {
        format!("approval-{self}")
    }

    /// The id that an approval's stream spells; `None` for any other stream.
    pub fn of_stream(stream: &str) -> Option<ApprovalId> {
        let id = ApprovalId(Uuid::try_parse(stream.strip_prefix("approval-")?).ok()?);
        // One id has one spelling.
        (id.stream() == stream).then_some(id)
    }

    /// The request that the position is asked under once it is approved: the same for whoever asks.
    pub fn order_request(self) -> RequestId {
        RequestId(Uuid::new_v5(&self.0, b"order"))
    }
}

impl fmt::Display for ApprovalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where an approval is in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ApprovalStatus {
    #[default]
    Unasked,
    /// For a second person.
    Waiting,
    /// The order is about to be placed.
    Approved,
    Ordered,
    /// Approved, and then the position refused.
    NotOrdered,
    Refused,
    Withdrawn,
    /// Its epoch ended before anybody answered.
    Lapsed,
}

impl ApprovalStatus {
    /// Those that something that was asked can have.
    pub const ALL: &'static [ApprovalStatus] = &[
        ApprovalStatus::Waiting,
        ApprovalStatus::Approved,
        ApprovalStatus::Ordered,
        ApprovalStatus::NotOrdered,
        ApprovalStatus::Refused,
        ApprovalStatus::Withdrawn,
        ApprovalStatus::Lapsed,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            ApprovalStatus::Unasked => "unasked",
            ApprovalStatus::Waiting => "waiting",
            ApprovalStatus::Approved => "approved",
            ApprovalStatus::Ordered => "ordered",
            ApprovalStatus::NotOrdered => "not-ordered",
            ApprovalStatus::Refused => "refused",
            ApprovalStatus::Withdrawn => "withdrawn",
            ApprovalStatus::Lapsed => "lapsed",
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approval {
    pub status: ApprovalStatus,
    /// `None` until it is asked.
    pub asked: Option<Arc<ApprovalAsked>>,
    pub approved_by: Option<String>,
    /// What people answered, to know a repetition.
    pub requests: BTreeMap<RequestId, ApprovalRequest>,
}

/// A request of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRequest {
    pub request_id: RequestId,
    /// The person: the actor of the event's envelope.
    pub by: String,
    pub ask: ApprovalAsk,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApprovalAsk {
    /// By another person than who asked.
    Approve,
    Refuse {
        reason: String,
    },
    /// By who asked.
    Withdraw,
}

/// Why it can't be: in order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApprovalRefusal {
    /// The id came before with another request, or from another person.
    #[error("this request id was used before for another request")]
    RequestIdReused,
    #[error("there is no such approval")]
    UnknownApproval,
    /// Its epoch is over, whether or not that was recorded here.
    #[error("the approval has lapsed: the activation it was asked in has ended")]
    Lapsed,
    #[error("the approval is {}", status.as_str())]
    WrongStatus { status: ApprovalStatus },
    /// Nobody approves their own.
    #[error("{by} has asked for this: another person has to approve")]
    OwnRequest { by: String },
    #[error("only {asked_by}, who asked, takes this back")]
    NotTheAsker { asked_by: String },
}

impl ApprovalRefusal {
    /// A stable name for programs: the last part of the problem type's URI.
    pub const fn code(&self) -> &'static str {
        match self {
            ApprovalRefusal::RequestIdReused => "idempotency-key-reused",
            ApprovalRefusal::UnknownApproval => "unknown-approval",
            ApprovalRefusal::Lapsed => "approval-lapsed",
            ApprovalRefusal::WrongStatus { .. } => "approval-in-another-status",
            ApprovalRefusal::OwnRequest { .. } => "own-request",
            ApprovalRefusal::NotTheAsker { .. } => "not-the-asker",
        }
    }
}

/// What happens beside the people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApprovalReport {
    /// The epoch whose orders may be sent; `None` when there is none.
    EpochInForce { epoch: Option<u32> },
    /// What asking the position came to.
    Concluded { outcome: ApprovalOutcome },
}

/// Begins an approval. The same asked again by the same person gives no events: its first answer stands, whatever it would be worth now.
///
/// # Errors
/// [`ApprovalRefusal::RequestIdReused`].
pub fn ask(
    approval: &Approval,
    asked: ApprovalAsked,
) -> Result<Vec<ApprovalEvent>, ApprovalRefusal> {
    let Some(first) = &approval.asked else {
        return Ok(vec![ApprovalEvent::ApprovalAsked(asked)]);
    };
    let what = |asked: &ApprovalAsked| {
        let ApprovalAsked {
            request_id,
            key,
            order,
            asked_by,
            ..
        } = asked;
        (*request_id, key.clone(), order.clone(), asked_by.clone())
    };
    if what(first) == what(&asked) {
        Ok(vec![])
    } else {
        Err(ApprovalRefusal::RequestIdReused)
    }
}

/// # Errors
/// [`ApprovalRefusal`], in its order of precedence. A request repeated gives no events: its first answer stands.
pub fn decide(
    approval: &Approval,
    request: ApprovalRequest,
    epoch_in_force: Option<u32>,
) -> Result<Vec<ApprovalEvent>, ApprovalRefusal> {
    if let Some(first) = approval.requests.get(&request.request_id) {
        return if *first == request {
            Ok(vec![])
        } else {
            Err(ApprovalRefusal::RequestIdReused)
        };
    }
    let Some(asked) = &approval.asked else {
        return Err(ApprovalRefusal::UnknownApproval);
    };
    match approval.status {
        ApprovalStatus::Lapsed => return Err(ApprovalRefusal::Lapsed),
        ApprovalStatus::Waiting if epoch_in_force != Some(asked.epoch) => {
            return Err(ApprovalRefusal::Lapsed);
        }
        ApprovalStatus::Waiting => {}
        status @ (ApprovalStatus::Unasked
        | ApprovalStatus::Approved
        | ApprovalStatus::Ordered
        | ApprovalStatus::NotOrdered
        | ApprovalStatus::Refused
        | ApprovalStatus::Withdrawn) => return Err(ApprovalRefusal::WrongStatus { status }),
    }
    let ApprovalRequest {
        request_id,
        by,
        ask,
    } = request;
    Ok(vec![match ask {
        ApprovalAsk::Approve | ApprovalAsk::Refuse { .. } if asked.asked_by == by => {
            return Err(ApprovalRefusal::OwnRequest { by });
        }
        ApprovalAsk::Approve => ApprovalEvent::ApprovalGiven(ApprovalGiven { request_id, by }),
        ApprovalAsk::Refuse { reason } => ApprovalEvent::ApprovalRefused(ApprovalRefused {
            request_id,
            by,
            reason,
        }),
        ApprovalAsk::Withdraw if asked.asked_by != by => {
            let asked_by = asked.asked_by.clone();
            return Err(ApprovalRefusal::NotTheAsker { asked_by });
        }
        ApprovalAsk::Withdraw => {
            ApprovalEvent::ApprovalWithdrawn(ApprovalWithdrawn { request_id, by })
        }
    }])
}

/// What is known gives no event.
pub fn record(approval: &Approval, report: ApprovalReport) -> Vec<ApprovalEvent> {
    let Some(asked) = &approval.asked else {
        return vec![];
    };
    match report {
        ApprovalReport::EpochInForce { epoch } => {
            let over = approval.status == ApprovalStatus::Waiting && epoch != Some(asked.epoch);
            let epoch = asked.epoch;
            let lapsed = ApprovalEvent::ApprovalLapsed(ApprovalLapsed { epoch });
            over.then_some(lapsed).into_iter().collect()
        }
        ApprovalReport::Concluded { outcome } => {
            let new = match (approval.status, &outcome) {
                (ApprovalStatus::Approved, _)
                | (ApprovalStatus::NotOrdered, ApprovalOutcome::Ordered { .. }) => true,
                (
                    ApprovalStatus::Unasked
                    | ApprovalStatus::Waiting
                    | ApprovalStatus::Ordered
                    | ApprovalStatus::NotOrdered
                    | ApprovalStatus::Refused
                    | ApprovalStatus::Withdrawn
                    | ApprovalStatus::Lapsed,
                    ApprovalOutcome::Ordered { .. } | ApprovalOutcome::Refused { .. },
                ) => false,
            };
            let concluded = ApprovalEvent::ApprovalConcluded(ApprovalConcluded { outcome });
            new.then_some(concluded).into_iter().collect()
        }
    }
}

/// Total: a history that no decision could have made folds to something too.
#[must_use]
pub fn evolve(mut approval: Approval, event: &ApprovalEvent) -> Approval {
    match event {
        ApprovalEvent::ApprovalAsked(asked) => {
            approval.status = ApprovalStatus::Waiting;
            approval.asked = Some(Arc::new(asked.clone()));
        }
        ApprovalEvent::ApprovalGiven(event) => {
            approval.status = ApprovalStatus::Approved;
            approval.approved_by = Some(event.by.clone());
            approval.remember(event.request_id, &event.by, ApprovalAsk::Approve);
        }
        ApprovalEvent::ApprovalRefused(event) => {
            approval.status = ApprovalStatus::Refused;
            let reason = event.reason.clone();
            approval.remember(event.request_id, &event.by, ApprovalAsk::Refuse { reason });
        }
        ApprovalEvent::ApprovalWithdrawn(event) => {
            approval.status = ApprovalStatus::Withdrawn;
            approval.remember(event.request_id, &event.by, ApprovalAsk::Withdraw);
        }
        ApprovalEvent::ApprovalLapsed(_) => approval.status = ApprovalStatus::Lapsed,
        ApprovalEvent::ApprovalConcluded(event) => {
            approval.status = match event.outcome {
                ApprovalOutcome::Ordered { .. } => ApprovalStatus::Ordered,
                ApprovalOutcome::Refused { .. } => ApprovalStatus::NotOrdered,
            };
        }
    }
    approval
}

impl Approval {
    fn remember(&mut self, request_id: RequestId, by: &str, ask: ApprovalAsk) {
        let by = by.to_owned();
        let request = ApprovalRequest {
            request_id,
            by,
            ask,
        };
        self.requests.insert(request_id, request);
    }
}
