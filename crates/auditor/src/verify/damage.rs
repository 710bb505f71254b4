//! What happened to the first entry that is not where it should be.

use super::report::{Damage, DamageKind};
use std::collections::HashMap;

/// Compares the entries that should be there, by their indexes, with those that are: for each the index that it is proved to
/// have, `None` when it is no entry of the log.
pub(crate) fn first(expected: impl Iterator<Item = u64>, found: &[Option<u64>]) -> Option<Damage> {
    let expected: Vec<_> = expected.collect();
    let same = |at: &usize| expected.get(*at).copied() == found.get(*at).copied().flatten();
    let at = (0..expected.len().max(found.len())).find(|at| !same(at) || expected.len() <= *at)?;
    let mut times: HashMap<u64, u32> = HashMap::new();
    for index in found.iter().flatten() {
        *times.entry(*index).or_default() += 1;
    }
    let here = found.get(at).copied().flatten();
    let Some(index) = expected.get(at).copied() else {
        let index = expected.last().map_or(0, |last| last + 1);
        let detail = "an entry stands behind the last one";
        return Some(Damage::new(DamageKind::Inserted, Some(index), detail));
    };
    let elsewhere = times.contains_key(&index);
    let belongs = |index| times.get(&index) == Some(&1) && expected.binary_search(&index).is_ok();
    let (kind, detail) = match here {
        None if elsewhere => (
            DamageKind::Inserted,
            "an entry that was never signed stands before it".to_owned(),
        ),
        Some(other) if elsewhere && belongs(other) => (
            DamageKind::Reordered,
            format!("the entry of index {other} stands in its place"),
        ),
        Some(other) if elsewhere => (
            DamageKind::Inserted,
            format!("a copy of the entry of index {other} stands before it"),
        ),
        Some(other) => (
            DamageKind::Removed,
            format!("it is gone, and the entry of index {other} stands in its place"),
        ),
        None if at >= found.len() => (DamageKind::Removed, "the entries end before it".to_owned()),
        None => (
            DamageKind::Altered,
            "its entry is not what was signed".to_owned(),
        ),
    };
    Some(Damage::new(kind, Some(index), detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_damage_is_told_from_the_others() {
        let check = |found: &[i64], expected: Option<(DamageKind, u64)>| {
            let found: Vec<_> = found
                .iter()
                .map(|index| u64::try_from(*index).ok())
                .collect();
            let damage = first([0, 1, 2, 3, 7].into_iter(), &found);
            let told = damage.map(|damage| (damage.kind, damage.index.unwrap()));
            assert_eq!(told, expected, "{found:?}");
        };
        use DamageKind::{Altered, Inserted, Removed, Reordered};
        check(&[0, 1, 2, 3, 7], None);
        check(&[0, -1, 2, 3, 7], Some((Altered, 1)));
        check(&[0, -1], Some((Altered, 1)));
        check(&[0, 2, 3, 7], Some((Removed, 1)));
        check(&[0, 1, 2, 3], Some((Removed, 7)));
        check(&[], Some((Removed, 0)));
        check(&[0, -1, 1, 2, 3, 7], Some((Inserted, 1)));
        check(&[0, 0, 1, 2, 3, 7], Some((Inserted, 1)));
        check(&[0, 3, 1, 2, 3, 7], Some((Inserted, 1)));
        check(&[0, 5, 1, 2, 3, 7], Some((Inserted, 1)));
        check(&[0, 1, 2, 3, 7, -1], Some((Inserted, 8)));
        check(&[0, 1, 2, 3, 7, 3], Some((Inserted, 8)));
        check(&[0, 2, 1, 3, 7], Some((Reordered, 1)));
        check(&[7, 0, 1, 2, 3], Some((Reordered, 0)));
    }
}
