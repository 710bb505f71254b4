//! The log's positions as KurrentDB would number them: ordered, with gaps of no pattern, commit and prepare alike.
//!
//! KurrentDB's positions are byte offsets. Dense ones would let a client get away with arithmetic on them; these don't.

use crate::wire;
use squareoff_store::Position;

/// A position takes the upper bits, the gap the lower seven: 2^56 events have room.
const GAP_BITS: u32 = 7;
/// The golden ratio's bits scatter neighbours (Knuth, 6.4); its top six make the gap.
const SCATTER: u64 = 0x9e37_79b9_7f4a_7c15;

pub(crate) fn place(position: Position) -> wire::Position {
    let number = position.as_u64();
    let gap = number.wrapping_mul(SCATTER) >> 58;
    let commit = number << GAP_BITS | gap;
    wire::Position {
        commit,
        prepare: commit,
    }
}

/// The log's position at this place, `None` where no event can stand. The zero is the log's start.
pub(crate) fn position(at: wire::Position) -> Option<Position> {
    let position = Position::from_u64(at.commit >> GAP_BITS);
    (place(position) == at).then_some(position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_ordered_have_gaps_and_lead_back() {
        assert_eq!(place(Position::START).commit, 0);
        let mut gaps = std::collections::BTreeSet::new();
        for number in (0..2_000).chain([1 << 40, (1 << 56) - 2]) {
            let here = place(Position::from_u64(number));
            let next = place(Position::from_u64(number + 1));
            assert!(here.commit < next.commit);
            gaps.insert(next.commit - here.commit);
            assert_eq!(position(here), Some(Position::from_u64(number)));
            for between in here.commit + 1..next.commit {
                let between = wire::Position {
                    commit: between,
                    prepare: between,
                };
                assert_eq!(position(between), None);
            }
        }
        assert!(gaps.len() > 3, "{gaps:?}");
        let halves = wire::Position {
            prepare: 0,
            ..place(Position::from_u64(9))
        };
        assert_eq!(position(halves), None);
    }
}
