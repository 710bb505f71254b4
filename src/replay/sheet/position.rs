//! A position on paper: what is open, what works, every order and every trade.

use super::{Figure, List, Row, Sheet};
use crate::replay::value::Value;
use squareoff_domain::position::{Asked, Position};
use squareoff_domain::{NetQuantity, OrderId, Quantity, Side};

/// What the table of a day shows beside each event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub net: NetQuantity,
    pub working: Quantity,
    pub closable: Quantity,
}

impl Standing {
    pub fn of(position: &Position) -> Standing {
        Standing {
            net: position.net,
            working: position.working(),
            closable: position.closable(),
        }
    }
}

pub fn sheet(position: &Position) -> Sheet {
    Sheet {
        figures: figures(position),
        lists: vec![orders(position), trades(position)],
    }
}

fn figures(position: &Position) -> Vec<Figure> {
    let profit = position.profit(None);
    let standing = Standing::of(position);
    let bod_price = position.bod_loaded.then_some(position.bod_average_price);
    vec![
        ("net", standing.net.into()),
        ("working", standing.working.into()),
        ("closable", standing.closable.into()),
        ("bod", position.bod.into()),
        ("bod average price", Value::some(bod_price)),
        ("average price", Value::some(profit.average_price)),
        ("realized profit", profit.realized.into()),
        ("bought today", profit.bought.into()),
        ("sold today", profit.sold.into()),
        ("frozen", Value::some(position.frozen.clone())),
        ("handed back in epoch", Value::some(position.handed_back)),
        (
            "contradictions",
            Value::count(position.contradictions.len()),
        ),
        (
            "trades of the drop copy alone",
            Value::count(position.unbooked().count()),
        ),
    ]
}

fn orders(position: &Position) -> List {
    let mut orders: Vec<_> = position.orders.iter().collect();
    orders.sort_by_key(|(_, order)| order.number);
    let row = |(id, order): (&OrderId, &squareoff_domain::position::Order)| Row {
        key: id.to_string(),
        label: format!("order {}", order.number),
        cells: vec![
            ("side", side(order.side)),
            ("quantity", order.quantity.into()),
            ("price", order.price.into()),
            ("filled", order.filled().into()),
            ("leaves", order.leaves().into()),
            ("status", order.status().as_str().into()),
            (
                "whose",
                if order.is_ours() {
                    "ours"
                } else {
                    "the primary's"
                }
                .into(),
            ),
            ("ClOrdID", Value::text(order.current_cl_ord_id())),
            (
                "exchange order id",
                order
                    .exchange_order_id
                    .as_ref()
                    .map_or(Value::Nothing, Value::text),
            ),
            ("request", Value::some(request_of(position, *id))),
        ],
    };
    List {
        name: "orders",
        of: "order",
        rows: orders.into_iter().map(row).collect(),
    }
}

/// The request that placed the order.
fn request_of(position: &Position, order: OrderId) -> Option<String> {
    let placed = position.requests.iter().find(|(_, asked)| match asked {
        Asked::SquareOff { orders, .. } => orders.contains(&order),
        Asked::Cancel { .. }
        | Asked::Modify { .. }
        | Asked::ResolveInDoubt { .. }
        | Asked::Freeze
        | Asked::Unfreeze
        | Asked::HandBack { .. } => false,
    });
    placed.map(|(request, _)| request.to_string())
}

fn trades(position: &Position) -> List {
    let rows = position.trades().into_iter().map(|(key, trade)| Row {
        key: key.to_string(),
        label: format!("trade {key}"),
        cells: vec![
            ("side", side(trade.side)),
            ("quantity", trade.quantity.into()),
            ("price", trade.price.into()),
            ("status", trade.status.as_str().into()),
        ],
    });
    List {
        name: "trades",
        of: "trade",
        rows: rows.collect(),
    }
}

pub fn side(side: Side) -> Value {
    Value::Word(side.as_str())
}
