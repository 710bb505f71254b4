//! What happened to an approval. A contract for ever: fields are added, never renamed or retyped; a changed meaning is a new event.

use super::ApprovalId;
use crate::amount::{Price, Quantity};
use crate::id::{OrderId, PositionKey, RequestId};
use crate::position::{Change, Position, Request, SquareOffTerms, Wanted};
use serde::{Deserialize, Serialize};

/// What is to be placed or changed, word for word as it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalOrder {
    SquareOff { terms: SquareOffTerms },
    Modify { order_id: OrderId, change: Change },
}

/// A person asked for an order that is worth more than one person may place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalAsked {
    pub approval_id: ApprovalId,
    pub request_id: RequestId,
    pub key: PositionKey,
    pub order: ApprovalOrder,
    /// Units that the order closes, or the changed order has.
    pub quantity: Quantity,
    /// What a unit was counted at: the limit, or of a marketable limit the reference price.
    pub price: Price,
    /// What it is worth, in 1/10,000 rupee; of a changed order all orders of its request together.
    pub notional: u64,
    /// What one person may place, in 1/10,000 rupee.
    pub limit: u64,
    /// The activation it was asked in, with which it lapses.
    pub epoch: u32,
    /// The person: the actor of the envelope.
    pub asked_by: String,
}

impl ApprovalAsked {
    /// What the position is asked for once it is approved. Of `all` that is no more than what was open when it was asked.
    pub fn request(&self, position: &Position) -> Request {
        let request_id = self.approval_id.order_request();
        match &self.order {
            ApprovalOrder::SquareOff { terms } => {
                let quantity = match terms.quantity {
                    Wanted::All if position.closable() > self.quantity => {
                        Wanted::Units(self.quantity.units())
                    }
                    wanted @ (Wanted::All | Wanted::Units(_)) => wanted,
                };
                let terms = SquareOffTerms {
                    quantity,
                    ..terms.clone()
                };
                Request::SquareOff { request_id, terms }
            }
            ApprovalOrder::Modify { order_id, change } => Request::Modify {
                request_id,
                order: *order_id,
                change: *change,
            },
        }
    }
}

/// A second person approved: the order is about to be placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalGiven {
    pub request_id: RequestId,
    pub by: String,
}

/// A second person turned it down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRefused {
    pub request_id: RequestId,
    pub by: String,
    pub reason: String,
}

/// Who asked took it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalWithdrawn {
    pub request_id: RequestId,
    pub by: String,
}

/// The activation it was asked in ended before anybody answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalLapsed {
    pub epoch: u32,
}

/// What asking the position came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalOutcome {
    /// It was accepted, under this request.
    Ordered { request_id: RequestId },
    /// The position refused; the code is that of its refusal.
    Refused { code: String, detail: String },
}

/// What was approved has been asked of the position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalConcluded {
    pub outcome: ApprovalOutcome,
}

/// Every event of an approval's stream, `approval-<uuid>`. The variant's name is the event's type in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApprovalEvent {
    ApprovalAsked(ApprovalAsked),
    ApprovalGiven(ApprovalGiven),
    ApprovalRefused(ApprovalRefused),
    ApprovalWithdrawn(ApprovalWithdrawn),
    ApprovalLapsed(ApprovalLapsed),
    ApprovalConcluded(ApprovalConcluded),
}
