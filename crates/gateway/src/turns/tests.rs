use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

fn push(turns: &mut Turns, at: u64, class: Class, client: &str, stream: &str) {
    let client = client.parse().unwrap();
    turns.push(Position::from_u64(at), class, &client, &stream.into());
}

/// `c1 A a`: a cancel, `i1` a person's, `b1` a bulk's, `m1` a modify, with its place, of client A on position a. What goes, by its place.
fn goes(lines: &str) -> Vec<u64> {
    let mut turns = Turns::default();
    for line in lines.split(", ") {
        let words: Vec<_> = line.split(' ').collect();
        let (class, at) = words[0].split_at(1);
        let class = match class {
            "c" => Class::Cancel,
            "i" => Class::Interactive,
            "b" => Class::Bulk,
            _ => Class::Modify,
        };
        push(&mut turns, at.parse().unwrap(), class, words[1], words[2]);
    }
    let popped = std::iter::from_fn(|| turns.pop()).map(Position::as_u64);
    let popped = popped.collect();
    assert!(turns.lines.is_empty() && turns.rings.iter().all(|ring| ring.clients.is_empty()));
    popped
}

#[test]
fn whose_turn_it_is() {
    for (waits, order) in [
        ("m1 A a, b2 B b, i3 C c, c4 D d", vec![4, 3, 2, 1]),
        // Clients in turn, each in the log's order.
        (
            "i1 A a, i2 A b, i3 A c, i4 B d, i5 B d, i6 C e",
            vec![1, 4, 6, 2, 5, 3],
        ),
        // A position's own order holds, and its first goes with the most urgent behind it.
        ("b1 A a, i2 A a, b3 B b", vec![1, 2, 3]),
        ("m1 A a, i2 A a, b3 B b, i4 C c", vec![1, 4, 2, 3]),
        // Its cancels do not wait for it.
        ("b1 A a, b2 A a, c3 A a", vec![3, 1, 2]),
    ] {
        assert_eq!(goes(waits), order, "{waits}");
    }
}

#[test]
fn a_client_that_comes_back_waits_for_the_others() {
    let mut turns = Turns::default();
    push(&mut turns, 1, Class::Interactive, "A", "a");
    push(&mut turns, 2, Class::Interactive, "B", "b");
    push(&mut turns, 3, Class::Interactive, "B", "b");
    assert_eq!(turns.pop(), Some(Position::from_u64(1)));
    push(&mut turns, 4, Class::Interactive, "A", "a");
    let rest = Vec::from_iter(std::iter::from_fn(|| turns.pop()).map(Position::as_u64));
    assert_eq!(rest, [2, 4, 3]);
}

#[derive(Debug, Clone)]
enum Op {
    Push {
        class: usize,
        client: u8,
        stream: u8,
    },
    Pop,
    Remove(usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let push = (0..CLASSES, 0_u8..6, 0_u8..3);
    let push = push.prop_map(|(class, client, stream)| Op::Push {
        class,
        client,
        stream,
    });
    let op = prop_oneof![5 => push, 4 => Just(Op::Pop), 1 => any::<usize>().prop_map(Op::Remove)];
    prop::collection::vec(op, 1..200)
}

/// What waits, as a bare list: place, class, client, position.
type Bare = VecDeque<(u64, Class, u8, u8)>;

fn line(of: &(u64, Class, u8, u8)) -> (u8, u8, bool) {
    (of.2, of.3, of.1 == Class::Cancel)
}

/// The class that the head of a line goes with.
fn urgency(bare: &Bare, of: &(u64, Class, u8, u8)) -> Option<Class> {
    bare.iter()
        .filter(|other| line(other) == line(of))
        .map(|other| other.1)
        .min()
}

proptest! {
    /// Against the bare list: nothing is lost or comes twice, lines keep their order, the most urgent class goes.
    #[test]
    fn the_turns_are_what_the_rules_say(ops in ops()) {
        let mut turns = Turns::default();
        let mut bare = Bare::new();
        let mut popped = 0_u64;
        for (at, op) in (1..).zip(ops) {
            match op {
                Op::Push { class, client, stream } => {
                    let class = Class::ALL[class];
                    let of = client * 8 + stream;
                    push(&mut turns, at, class, &format!("C{client}"), &format!("{of}"));
                    bare.push_back((at, class, client, of));
                }
                Op::Remove(n) if !bare.is_empty() => {
                    let (at, ..) = bare.remove(n % bare.len()).unwrap();
                    turns.remove(Position::from_u64(at));
                }
                Op::Remove(_) => {}
                Op::Pop => {
                    let went = turns.pop().map(Position::as_u64);
                    let Some(went) = went else {
                        prop_assert!(bare.is_empty());
                        continue;
                    };
                    popped += 1;
                    let index = bare.iter().position(|of| of.0 == went);
                    prop_assert!(index.is_some(), "{went} did not wait");
                    let of = bare[index.unwrap()];
                    let before = bare.iter().take(index.unwrap());
                    prop_assert!(before.into_iter().all(|other| line(other) != line(&of)));
                    if popped.is_multiple_of(OLDEST_EVERY) {
                        prop_assert_eq!(index, Some(0));
                    } else {
                        let most = bare.iter().map(|other| other.1).min();
                        prop_assert_eq!(urgency(&bare, &of), most);
                    }
                    bare.remove(index.unwrap());
                }
            }
            prop_assert_eq!(turns.is_empty(), bare.is_empty());
        }
    }

    /// While it waits in a class, a client sees each other client of the class go at most once more than itself, but for the oldest's turns.
    #[test]
    fn no_client_waits_for_more_than_a_turn_of_each_other(sizes in prop::collection::vec(1_u64..40, 2..8)) {
        let mut turns = Turns::default();
        let mut at = 0;
        for (client, size) in sizes.iter().enumerate() {
            for _ in 0..*size {
                at += 1;
                push(&mut turns, at, Class::Bulk, &format!("C{client}"), &format!("{client}"));
            }
        }
        let mut client_of = Vec::new();
        for (client, size) in sizes.iter().enumerate() {
            client_of.extend(std::iter::repeat_n(client, usize::try_from(*size).unwrap()));
        }
        let mut went = vec![0_u64; sizes.len()];
        let mut popped = 0_u64;
        let mut by_age = vec![0_u64; sizes.len()];
        while let Some(at) = turns.pop() {
            popped += 1;
            let client = client_of[usize::try_from(at.as_u64()).unwrap() - 1];
            match popped.is_multiple_of(OLDEST_EVERY) {
                true => by_age[client] += 1,
                false => went[client] += 1,
            }
            for (other, size) in sizes.iter().enumerate() {
                // One that still waits is not behind.
                if went[other] + by_age[other] < *size {
                    prop_assert!(went[client] <= went[other] + by_age[other] + 1 + by_age[client], "{went:?} {by_age:?}");
                }
            }
        }
    }

    /// However much that is more urgent comes: what waits goes, when so many turns have passed as are older, sixteen times.
    #[test]
    fn nothing_starves(flood in 1_usize..4, before in 0_u64..10) {
        let mut turns = Turns::default();
        for at in 0..before {
            push(&mut turns, at, Class::Modify, "B", "b");
        }
        push(&mut turns, before, Class::Modify, "A", "a");
        let mut at = before;
        for _ in 0..(before + 1) * OLDEST_EVERY {
            for _ in 0..flood {
                at += 1;
                push(&mut turns, at, Class::Cancel, "F", "f");
            }
            turns.pop();
        }
        prop_assert!(!turns.places.contains_key(&Position::from_u64(before)));
    }
}
