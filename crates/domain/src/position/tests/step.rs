//! Steps that ask, tell, or change what is outside, in any interleaving and number. Orders are named by number and executions by a small
//! id, so that a step makes sense whatever was accepted before it. Every four bytes are one, and zeroes the least of them, so that a
//! failing history shrinks to a plain one.

use crate::platform::MarketPhase;
use crate::position::UNKNOWN_ORDER;

/// The executions that steps can name.
const EXECUTIONS: u8 = 40;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Close {
        request: u8,
        units: Option<u64>,
        price: Option<i64>,
        ioc: bool,
    },
    /// `None` cancels every order.
    Cancel {
        request: u8,
        order: Option<u8>,
    },
    Modify {
        request: u8,
        order: u8,
        price: Option<i64>,
        units: Option<u64>,
    },
    Resolve {
        request: u8,
        order: u8,
        delivered: bool,
    },
    Freeze(u8),
    Unfreeze(u8),
    HandBack(u8),

    Bod(i64),
    PrimaryTrade(u8),
    /// The primary's order number `id` with so many lots filled.
    External {
        id: u8,
        filled: u64,
        ended: bool,
    },
    DropCopy {
        id: u8,
        twist: bool,
    },
    Sent(u8),
    Dropped(u8),
    Ack(u8),
    Held(u8),
    Fill {
        id: u8,
        twist: bool,
    },
    Bust {
        id: u8,
        /// Of the n-th correction of it.
        correction: Option<u8>,
    },
    /// The n-th correction: it names the one before it, or `anew` the execution itself.
    Correct {
        id: u8,
        number: u8,
        lots: u64,
        anew: bool,
    },
    /// The n-th replace of an order; `lots` where the venue says another quantity than was asked.
    Replaced {
        order: u8,
        number: u8,
        lots: Option<u64>,
    },
    /// The n-th cancel or replace of an order was refused.
    ChangeRejected {
        order: u8,
        replace: bool,
        number: u8,
        code: i64,
    },
    Canceled(u8),
    Rejected(u8),
    Expired(u8),
    SessionEnded,
    InDoubt(u8),
    Lost(u8),
    ChangeLost {
        order: u8,
        replace: bool,
        number: u8,
    },
    Stranger(u8),
    /// A report that was told before.
    Again(u8),

    Platform(bool),
    /// Another activation: the next epoch.
    Epoch,
    Market(MarketPhase),
    Halted(bool),
    Session(bool),
    /// So many seconds after the reference price.
    Clock(i64),
}

/// The first byte chooses the kind, in about the proportion in which the kinds lead somewhere.
pub fn step([kind, a, b, c]: [u8; 4]) -> Step {
    let (order, id, request) = (a, a % EXECUTIONS, b % 32);
    let number = b % 3;
    let (replace, code) = (c.is_multiple_of(2), code(c));
    match kind % 100 {
        0..=3 => Step::Sent(order),
        4..=8 => Step::Ack(order),
        9..=22 => Step::Close {
            request,
            units: closed(a),
            price: limit(c),
            ioc: a.is_multiple_of(5),
        },
        23..=38 => Step::Fill {
            id,
            twist: b.is_multiple_of(23) && b > 0,
        },
        39..=43 => Step::Cancel {
            request,
            order: (!c.is_multiple_of(4)).then_some(order),
        },
        44..=49 => Step::Modify {
            request,
            order,
            price: limit(c),
            units: (!b.is_multiple_of(3)).then_some(u64::from(c % 9) * 5),
        },
        50..=52 => Step::Canceled(order),
        53..=56 => Step::Replaced {
            order,
            number,
            lots: c.is_multiple_of(5).then_some(u64::from(c / 5 % 6)),
        },
        57..=60 => Step::ChangeRejected {
            order,
            replace,
            number,
            code,
        },
        61..=63 => Step::Bust {
            id,
            correction: c.is_multiple_of(3).then_some(number),
        },
        64..=67 => Step::Correct {
            id,
            number,
            lots: u64::from(c % 6),
            anew: c.is_multiple_of(4),
        },
        68..=70 => Step::PrimaryTrade(id),
        71..=74 => Step::External {
            id: a,
            filled: u64::from(b % 5),
            ended: c.is_multiple_of(4),
        },
        75..=77 => Step::DropCopy {
            id,
            twist: b.is_multiple_of(5),
        },
        78 => Step::Dropped(order),
        79 => Step::Held(order),
        80 => Step::Rejected(order),
        81 => Step::Expired(order),
        82 if c < 64 => Step::SessionEnded,
        82 | 83 => Step::InDoubt(order),
        84 => Step::Lost(order),
        85 => Step::ChangeLost {
            order,
            replace,
            number,
        },
        86 | 87 => Step::Resolve {
            request,
            order,
            delivered: replace,
        },
        88..=90 => Step::Again(a),
        91 if c < 64 => Step::HandBack(request),
        91 => Step::Stranger(a % 2),
        92 if c < 128 => Step::Freeze(request),
        92 | 93 => Step::Unfreeze(request),
        94 if c < 64 => Step::Bod(i64::from(a % 13) - 6),
        94 => Step::Epoch,
        95 => Step::Platform(a > 64),
        96 => Step::Market(phase(a)),
        97 => Step::Halted(a < 64),
        98 => Step::Session(a > 64),
        _ => Step::Clock(if a > 64 { 1 } else { 61 }),
    }
}

/// Mostly all or whole lots; now and then what can't be.
fn closed(byte: u8) -> Option<u64> {
    match byte {
        0..=99 => None,
        100..=229 => Some(u64::from(byte % 8) * 5),
        230..=249 => Some(u64::from(byte % 7)),
        250..=255 => Some(u64::MAX - u64::from(byte % 2)),
    }
}

/// Mostly within the band and on a tick of 0.05; now and then not.
fn limit(byte: u8) -> Option<i64> {
    match byte {
        0..=99 => None,
        100..=229 => Some(1_000_000 + (i64::from(byte) - 165) * 500),
        230..=244 => Some(1_000_000 + i64::from(byte)),
        245..=254 => Some(800_000 + (i64::from(byte) - 245) * 50_000),
        255 => Some(i64::MIN),
    }
}

fn code(byte: u8) -> i64 {
    match byte / 2 % 3 {
        0 => 0,
        1 => UNKNOWN_ORDER,
        _ => 99,
    }
}

fn phase(byte: u8) -> MarketPhase {
    match byte {
        0..=15 => MarketPhase::PreOpen,
        16..=31 => MarketPhase::PreClose,
        32..=47 => MarketPhase::Closed,
        48..=63 => MarketPhase::Halted,
        64..=255 => MarketPhase::Open,
    }
}
