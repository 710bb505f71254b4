//! What a row of each file says, and what of the book it must agree with.

use super::{OrderLine, TradeLine};
use crate::bod::row::Row;
use crate::book::Book;
use crate::format::parse_instant;
use squareoff_domain::{
    ClOrdId, ClientCode, ExecutionKey, PositionKey, Product, Quantity, Side, Symbol, TradingDate,
    Venue,
};
use std::collections::{HashMap, HashSet};

/// The book, and what the rows before have said.
pub(super) struct Known<'a> {
    date: TradingDate,
    clients: HashSet<&'a ClientCode>,
    contracts: HashSet<(Venue, &'a Symbol)>,
    orders: HashMap<(Venue, String), u64>,
    /// By venue: a ClOrdID is what a cancel names.
    cl_ord_ids: HashMap<(Venue, ClOrdId), u64>,
    trades: HashMap<ExecutionKey, u64>,
}

impl<'a> Known<'a> {
    pub fn of(book: &'a Book) -> Self {
        let contract = |line: &'a crate::ContractLine| (line.contract.venue, &line.contract.symbol);
        Known {
            date: book.trading_date,
            clients: book
                .clients
                .iter()
                .map(|line| &line.client.client)
                .collect(),
            contracts: book.contracts.iter().map(contract).collect(),
            orders: HashMap::new(),
            cl_ord_ids: HashMap::new(),
            trades: HashMap::new(),
        }
    }
}

pub(super) fn order(row: &mut Row, known: &mut Known) -> Option<OrderLine> {
    let key = key(row, known);
    let side = side(row);
    let quantity = row.units("quantity");
    let cumulative = row.units_or_none("cumulative_quantity");
    if let (Some(quantity), Some(cumulative)) = (quantity, cumulative)
        && cumulative > quantity
    {
        let why = format!("is more than the order's {quantity}");
        row.refuse("cumulative_quantity", why);
    }
    let price = row.rupees_above_zero("price");
    let cl_ord_id: Option<ClOrdId> = row.id("cl_ord_id");
    let exchange_order_id = row.id("exchange_order_id");
    let entered_at = instant(row, "entered_at");
    let ended = row.cell("state", "is not working or ended", |text| match text {
        "" | "working" => Some(false),
        "ended" => Some(true),
        _ => None,
    });
    let (key, cl_ord_id) = (key?, cl_ord_id?);
    let line = row.line;
    let number = (key.venue, row.text("exchange_order_id").to_owned());
    if let Some(before) = known.orders.insert(number, line) {
        row.refuse("exchange_order_id", format!("is on line {before} already"));
    }
    let id = (key.venue, cl_ord_id.clone());
    if let Some(before) = known.cl_ord_ids.insert(id, line) {
        row.refuse("cl_ord_id", format!("is on line {before} already"));
    }
    Some(OrderLine {
        key,
        side: side?,
        quantity: quantity?,
        cumulative: cumulative?,
        price: price?,
        cl_ord_id,
        exchange_order_id: exchange_order_id?,
        entered_at: entered_at?,
        ended: ended?,
    })
}

pub(super) fn trade(row: &mut Row, known: &mut Known) -> Option<TradeLine> {
    let key = key(row, known);
    let side = side(row);
    let quantity: Option<Quantity> = row.units("quantity");
    let price = row.rupees_above_zero("price");
    let traded_at = instant(row, "traded_at");
    let key = key?;
    let execution = row.execution("exec_id", key.venue, key.date)?;
    if let Some(before) = known.trades.insert(execution.clone(), row.line) {
        row.refuse("exec_id", format!("is on line {before} already"));
    }
    Some(TradeLine {
        key,
        execution,
        side: side?,
        quantity: quantity?,
        price: price?,
        traded_at: traded_at?,
    })
}

fn key(row: &mut Row, known: &Known) -> Option<PositionKey> {
    let date = row.date("trading_date");
    if date.is_some_and(|date| date != known.date) {
        let why = format!("is not the book's trading date {}", known.date);
        row.refuse("trading_date", why);
    }
    let client: Option<ClientCode> = row.id("client_code");
    if let Some(client) = &client
        && !known.clients.contains(client)
    {
        row.refuse("client_code", "is not in the client file");
    }
    let venue: Option<Venue> = row.id("venue");
    let symbol: Option<Symbol> = row.id("symbol");
    if let (Some(venue), Some(symbol)) = (venue, &symbol)
        && !known.contracts.contains(&(venue, symbol))
    {
        let why = format!("is not listed at {venue} in the contract file");
        row.refuse("symbol", why);
    }
    let product: Option<Product> = row.id("product");
    Some(PositionKey {
        date: date?,
        client: client?,
        venue: venue?,
        symbol: symbol?,
        product: product?,
    })
}

fn side(row: &mut Row) -> Option<Side> {
    row.id("side")
}

fn instant(row: &mut Row, column: &'static str) -> Option<squareoff_domain::Timestamp> {
    let why = "is not an instant of the form 2026-11-20T10:15:00+05:30";
    row.cell(column, why, parse_instant)
}
