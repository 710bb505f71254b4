//! Four bytes to a step, total: every pattern means something, and zeroes the least, so that a failing history shrinks to a plain one.

use super::history::{EXECUTIONS, Step};
use crate::platform::MarketPhase;
use crate::position::UNKNOWN_ORDER;

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
