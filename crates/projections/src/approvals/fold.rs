//! One approval, folded: its row.

use super::ApprovalRow;
use crate::fold::{FoldError, Folded, next_version};
use crate::orders::time_in_force;
use crate::units::{date, instant, position as log_position, units, whole};
use squareoff_domain::Event;
use squareoff_domain::approval::{
    self, Approval, ApprovalAsked, ApprovalEvent, ApprovalOrder, ApprovalOutcome,
};
use squareoff_domain::position::PricePolicy;
use squareoff_store::StoredEvent;

#[derive(Debug, Default)]
pub(crate) struct FoldedApproval {
    approval: Approval,
    row: Option<ApprovalRow>,
    version: u64,
}

impl Folded for FoldedApproval {
    fn begin(_: &StoredEvent) -> Result<Self, FoldError> {
        Ok(FoldedApproval::default())
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn apply(&mut self, stored: &StoredEvent, event: &Event) -> Result<(), FoldError> {
        self.version = next_version(self.version, stored)?;
        if let Event::Approval(event) = event {
            self.approval = approval::evolve(std::mem::take(&mut self.approval), event);
            self.note(stored, event);
        }
        Ok(())
    }

    fn settled(&mut self) {}
}

impl FoldedApproval {
    /// What was never asked has no row.
    pub(crate) fn row(&self) -> Option<ApprovalRow> {
        self.row.clone()
    }

    /// Whose order it is about.
    pub(crate) fn client(&self) -> Option<&str> {
        let asked = self.approval.asked.as_ref()?;
        Some(asked.key.client.as_str())
    }

    fn note(&mut self, stored: &StoredEvent, event: &ApprovalEvent) {
        if let ApprovalEvent::ApprovalAsked(asked) = event {
            self.row.get_or_insert_with(|| row(stored, asked));
        }
        let Some(row) = &mut self.row else { return };
        let mut answered = |by: &str, reason: Option<&String>| {
            row.answered_by = Some(by.to_owned());
            row.answered_at = Some(instant(stored.occurred_at));
            row.reason = reason.cloned();
        };
        match event {
            ApprovalEvent::ApprovalAsked(_) | ApprovalEvent::ApprovalLapsed(_) => {}
            ApprovalEvent::ApprovalGiven(event) => answered(&event.by, None),
            ApprovalEvent::ApprovalRefused(event) => answered(&event.by, Some(&event.reason)),
            ApprovalEvent::ApprovalWithdrawn(event) => answered(&event.by, None),
            ApprovalEvent::ApprovalConcluded(event) => {
                (row.order_request_id, row.refusal_code, row.refusal_detail) = match &event.outcome
                {
                    ApprovalOutcome::Ordered { request_id } => (Some(request_id.0), None, None),
                    ApprovalOutcome::Refused { code, detail } => {
                        (None, Some(code.clone()), Some(detail.clone()))
                    }
                };
            }
        }
        row.state = self.approval.status.as_str().into();
        row.version = whole(stored.version);
        row.updated_position = log_position(stored.position);
    }
}

fn row(stored: &StoredEvent, asked: &ApprovalAsked) -> ApprovalRow {
    let (what, order_id, price, terms) = match &asked.order {
        ApprovalOrder::SquareOff { terms } => {
            let price = match terms.price {
                PricePolicy::Limit(price) => Some(price),
                PricePolicy::MarketableLimit => None,
            };
            ("square-off", None, price, Some(terms))
        }
        ApprovalOrder::Modify { order_id, .. } => {
            ("modify", Some(order_id.0), Some(asked.price), None)
        }
    };
    ApprovalRow {
        position: log_position(stored.position),
        approval_id: asked.approval_id.0,
        stream: stored.stream.as_ref().to_owned(),
        request_id: asked.request_id.0,
        state: "".into(),
        what: what.into(),
        position_stream: asked.key.stream(),
        trading_date: date(asked.key.date),
        client_code: asked.key.client.as_str().to_owned(),
        venue: asked.key.venue.as_str().into(),
        symbol: asked.key.symbol.as_str().to_owned(),
        product: asked.key.product.as_str().into(),
        order_id,
        quantity: units(asked.quantity),
        limit_price: price.map(|price| price.0),
        counted_price: asked.price.0,
        time_in_force: terms.map(|terms| time_in_force(terms.time_in_force).to_owned()),
        evidence: terms.and_then(|terms| terms.evidence.clone()),
        notional: whole(asked.notional),
        limit_notional: whole(asked.limit),
        epoch: asked.epoch.into(),
        asked_by: asked.asked_by.clone(),
        asked_at: instant(stored.occurred_at),
        answered_by: None,
        answered_at: None,
        reason: None,
        order_request_id: None,
        refusal_code: None,
        refusal_detail: None,
        version: whole(stored.version),
        updated_position: log_position(stored.position),
    }
}
