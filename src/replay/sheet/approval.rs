//! An order that needs a second person, on paper: what was asked, what it is worth, and who answered what.

use super::Sheet;
use crate::replay::value::Value;
use squareoff_domain::Money;
use squareoff_domain::approval::{Approval, ApprovalOrder};

pub fn sheet(approval: &Approval) -> Sheet {
    let asked = approval.asked.as_ref();
    let money = |value: u64| Money(i64::try_from(value).unwrap_or(i64::MAX));
    let what = asked.map(|asked| match &asked.order {
        ApprovalOrder::SquareOff { .. } => Value::Word("square-off"),
        ApprovalOrder::Modify { order_id, .. } => Value::Text(format!("modify {order_id}")),
    });
    Sheet {
        figures: vec![
            ("status", approval.status.as_str().into()),
            ("what", what.unwrap_or(Value::Nothing)),
            (
                "position",
                asked.map_or(Value::Nothing, |asked| Value::Text(asked.key.stream())),
            ),
            ("quantity", Value::some(asked.map(|asked| asked.quantity))),
            ("price", Value::some(asked.map(|asked| asked.price))),
            (
                "notional",
                asked.map_or(Value::Nothing, |asked| Value::Money(money(asked.notional))),
            ),
            (
                "limit",
                asked.map_or(Value::Nothing, |asked| Value::Money(money(asked.limit))),
            ),
            (
                "asked by",
                Value::some(asked.map(|asked| asked.asked_by.clone())),
            ),
            ("approved by", Value::some(approval.approved_by.clone())),
        ],
        lists: vec![],
    }
}
