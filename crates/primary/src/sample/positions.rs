//! Made-up positions: many small ones, few large, long and short, spread over clients by their size.

use super::SampleError;
use super::clients::{CORPORATE, HNI};
use super::dice::Dice;
use crate::book::{ClientLine, ContractLine, PositionLine};
use crate::format::is_option;
use squareoff_domain::{
    Contract, NetQuantity, PositionKey, Price, Product, Quantity, Segment, TradingDate,
};
use std::collections::BTreeSet;

/// Orders that the largest sample position is closed with.
pub const SLICES_MAX: u64 = 6;
/// An average price is kept to the paisa.
const PAISA: Price = Price(100);
const LAKH: u64 = 100_000;
const CRORE: u64 = 100 * LAKH;

/// How a category of clients trades.
struct Habit {
    /// Share of all positions, against a retail client's 1.
    weight: usize,
    /// Of a thousand positions, those larger than one order may be.
    large_per_mille: u64,
    lots: (u64, u64),
    /// Of a position in the cash market.
    rupees: (u64, u64),
}

fn habit(category: &str) -> Habit {
    match category {
        CORPORATE => Habit {
            weight: 20,
            large_per_mille: 150,
            lots: (5, 60),
            rupees: (10 * LAKH, 2 * CRORE),
        },
        HNI => Habit {
            weight: 8,
            large_per_mille: 40,
            lots: (2, 20),
            rupees: (LAKH, 25 * LAKH),
        },
        _ => Habit {
            weight: 1,
            large_per_mille: 2,
            lots: (1, 5),
            rupees: (5_000, 2 * LAKH),
        },
    }
}

/// An instrument and a product it can be held in.
type Slot = (usize, Product);

pub fn list(
    count: u32,
    date: TradingDate,
    clients: &[ClientLine],
    contracts: &[ContractLine],
    dice: &mut Dice,
) -> Result<Vec<PositionLine>, SampleError> {
    let slots: Vec<Slot> = contracts.iter().enumerate().flat_map(slots_of).collect();
    let is_cash = |slot: &&Slot| contracts[slot.0].contract.segment == Segment::Cash;
    let cash_slots: Vec<Slot> = slots.iter().filter(is_cash).copied().collect();
    let open_to = |client: &ClientLine| {
        if client.client.segments.contains(&Segment::Derivatives) {
            &slots
        } else {
            &cash_slots
        }
    };
    let most: u64 = clients
        .iter()
        .map(|client| open_to(client).len() as u64)
        .sum();
    if u64::from(count) > most {
        return Err(SampleError::TooManyPositions {
            positions: count,
            clients: u32::try_from(clients.len()).unwrap_or(u32::MAX),
            most,
        });
    }
    // A client stands in the urn as often as its weight says.
    let weight = |client: usize| habit(&clients[client].client.category).weight;
    let urn: Vec<usize> = (0..clients.len())
        .flat_map(|client| std::iter::repeat_n(client, weight(client)))
        .collect();
    let mut held = vec![BTreeSet::new(); clients.len()];
    let mut lines = Vec::new();
    for _ in 0..count {
        // The next client, and its next slot, with room: there is one, because `count` is at most `most`.
        let mut client = *dice.pick(&urn);
        while held[client].len() == open_to(&clients[client]).len() {
            client = (client + 1) % clients.len();
        }
        let open = open_to(&clients[client]);
        let mut slot = dice.index(open.len());
        while !held[client].insert(slot) {
            slot = (slot + 1) % open.len();
        }
        let (instrument, product) = open[slot];
        lines.push(position(
            date,
            &clients[client],
            &contracts[instrument].contract,
            product,
            dice,
        ));
    }
    lines.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(lines)
}

fn slots_of((index, line): (usize, &ContractLine)) -> [Slot; 2] {
    let overnight = match line.contract.segment {
        Segment::Cash => Product::Cnc,
        Segment::Derivatives | Segment::Currency | Segment::Commodity => Product::Nrml,
    };
    [(index, Product::Mis), (index, overnight)]
}

fn position(
    date: TradingDate,
    client: &ClientLine,
    contract: &Contract,
    product: Product,
    dice: &mut Dice,
) -> PositionLine {
    let long = product == Product::Cnc || dice.chance(600);
    let units = quantity(&habit(&client.client.category), contract, dice).units();
    let units = i64::try_from(units).expect("a quantity fits an i64");
    // Premiums move more in a day or two than what they are on.
    let (low_bp, high_bp) = if is_option(contract.kind) {
        (6_000, 14_000)
    } else {
        (9_300, 10_700)
    };
    let paid = Price(dice.scale(contract.reference_price.0, low_bp, high_bp));
    PositionLine {
        key: PositionKey {
            date,
            client: client.client.client.clone(),
            venue: contract.venue,
            symbol: contract.symbol.clone(),
            product,
        },
        net_quantity: NetQuantity(if long { units } else { -units }),
        average_price: paid.floor_to(PAISA).max(PAISA),
    }
}

fn quantity(habit: &Habit, contract: &Contract, dice: &mut Dice) -> Quantity {
    let lot = contract.lot.units();
    let slice_lots = contract.largest_slice().units() / lot;
    let lots = if dice.chance(habit.large_per_mille) {
        dice.between(slice_lots + 1, SLICES_MAX * slice_lots)
    } else if contract.segment == Segment::Cash {
        let units = 10_000 * dice.between(habit.rupees.0, habit.rupees.1)
            / contract.reference_price.0.unsigned_abs().max(1);
        units / lot
    } else {
        dice.between(habit.lots.0, habit.lots.1)
    };
    let lots = lots.clamp(1, SLICES_MAX * slice_lots);
    Quantity::new(lots * lot).expect("a few orders' worth of units")
}
