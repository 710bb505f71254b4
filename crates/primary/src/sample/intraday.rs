//! What a made-up primary did in the morning: orders that rest at the exchange, and trades.

use super::dice::{Dice, Part};
use crate::book::{Book, PositionLine};
use crate::intraday::{Intraday, OrderLine, TradeLine};
use squareoff_domain::{Contract, ExecutionKey, Price, Quantity, Side, Symbol, Timestamp, Venue};
use std::collections::HashMap;

/// An hour before the outage, in nanoseconds behind the reference prices' instant.
const HOUR_NS: i64 = 3_600_000_000_000;
/// Away from the reference price, in basis points: far enough that nobody trades with a resting order by chance.
const AWAY_BP: (u64, u64) = (150, 300);

/// `orders` resting orders and `trades` trades, spread over the positions of `book`; fewer when it has fewer. Every second order closes
/// a part of its position, the others would add to it. The same arguments give the same lines.
pub fn intraday(book: &Book, seed: u64, orders: usize, trades: usize) -> Intraday {
    let mut dice = Dice::new(seed, Part::Intraday);
    let contracts: HashMap<(Venue, &Symbol), &Contract> = book
        .contracts
        .iter()
        .map(|line| &line.contract)
        .map(|contract| ((contract.venue, &contract.symbol), contract))
        .collect();
    let open: Vec<(&PositionLine, &Contract)> = book
        .positions
        .iter()
        .filter(|line| line.net_quantity.0 != 0)
        .filter_map(|line| Some((line, *contracts.get(&(line.key.venue, &line.key.symbol))?)))
        .collect();
    let mut intraday = Intraday::default();
    for number in 0..orders.min(open.len()) {
        let (line, contract) = *dice.pick(&open);
        intraday
            .orders
            .push(order(line, contract, number, &mut dice));
    }
    for number in 0..trades.min(open.len()) {
        let (line, contract) = *dice.pick(&open);
        intraday
            .trades
            .push(trade(line, contract, number, &mut dice));
    }
    intraday
}

fn order(line: &PositionLine, contract: &Contract, number: usize, dice: &mut Dice) -> OrderLine {
    let closing = if line.net_quantity.0 > 0 {
        Side::Sell
    } else {
        Side::Buy
    };
    let opening = if line.net_quantity.0 > 0 {
        Side::Buy
    } else {
        Side::Sell
    };
    let side = if number.is_multiple_of(2) {
        closing
    } else {
        opening
    };
    // A buyer waits below the market, a seller above it.
    let away = i64::try_from(dice.between(AWAY_BP.0, AWAY_BP.1)).unwrap_or(0) * -side.sign();
    let reference = contract.reference_price.0;
    let price = Price(reference.saturating_add(reference.saturating_mul(away) / 10_000))
        .clamp(contract.band_low, contract.band_high.max(contract.band_low));
    let price = match side {
        Side::Buy => price.ceil_to(contract.tick),
        Side::Sell => price.floor_to(contract.tick),
    };
    OrderLine {
        key: line.key.clone(),
        side,
        quantity: contract.lot,
        cumulative: Quantity::ZERO,
        price,
        cl_ord_id: format!("P{number:09}").parse().expect("letters and digits"),
        exchange_order_id: format!("P-{number}").parse().expect("printable ASCII"),
        entered_at: Timestamp(contract.reference_at.0.saturating_sub(HOUR_NS)),
        ended: false,
    }
}

/// Adds a lot to the position, so that it never turns it around.
fn trade(line: &PositionLine, contract: &Contract, number: usize, dice: &mut Dice) -> TradeLine {
    let side = if line.net_quantity.0 > 0 {
        Side::Buy
    } else {
        Side::Sell
    };
    let price = Price(dice.scale(contract.reference_price.0, 9_900, 10_100));
    let exec_id = format!("P{number}");
    TradeLine {
        key: line.key.clone(),
        execution: ExecutionKey::new(line.key.venue, line.key.date, &exec_id)
            .expect("printable ASCII"),
        side,
        quantity: contract.lot,
        price: price.floor_to(contract.tick).max(contract.tick),
        traded_at: Timestamp(contract.reference_at.0.saturating_sub(HOUR_NS)),
    }
}
