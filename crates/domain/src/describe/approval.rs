//! What became of an order that needs a second person, in words.

use crate::Price;
use crate::approval::{ApprovalEvent, ApprovalOrder, ApprovalOutcome};

pub(super) fn approval(event: &ApprovalEvent) -> String {
    match event {
        ApprovalEvent::ApprovalAsked(asked) => {
            let what = match &asked.order {
                ApprovalOrder::SquareOff { .. } => format!("to close {}", asked.quantity),
                ApprovalOrder::Modify { order_id, .. } => {
                    format!("to change order {order_id} to {}", asked.quantity)
                }
            };
            format!(
                "asked {what} of {} at {}, worth {} rupees: above {} a second person approves",
                asked.key.stream(),
                asked.price,
                rupees(asked.notional),
                rupees(asked.limit)
            )
        }
        ApprovalEvent::ApprovalGiven(_) => "approved the order".to_owned(),
        ApprovalEvent::ApprovalRefused(event) => {
            format!("refused to approve the order: {}", event.reason)
        }
        ApprovalEvent::ApprovalWithdrawn(_) => "took the order back".to_owned(),
        ApprovalEvent::ApprovalLapsed(event) => {
            format!("nobody answered before epoch {} ended", event.epoch)
        }
        ApprovalEvent::ApprovalConcluded(event) => match &event.outcome {
            ApprovalOutcome::Ordered { request_id } => {
                format!("the approved order was accepted as request {request_id}")
            }
            ApprovalOutcome::Refused { detail, .. } => {
                format!("the approved order was refused: {detail}")
            }
        },
    }
}

fn rupees(ten_thousandths: u64) -> Price {
    Price(i64::try_from(ten_thousandths).unwrap_or(i64::MAX))
}
