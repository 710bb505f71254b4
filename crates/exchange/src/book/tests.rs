//! The book's scenarios as lines of text, and its equality with the naive one.

use super::naive::{Naive, hash_of};
use super::*;
use proptest::prelude::*;

/// Applies an order the way the exchange does: fills first, then the rest rests.
fn submit(
    book: &mut Book,
    side: Side,
    order: u64,
    limit: Price,
    units: i64,
    quotes: &[(Price, i64)],
) -> Vec<Fill> {
    let resting = Resting {
        price: limit,
        priority: order,
        order,
        leaves_units: units,
    };
    enter(book, side, resting, quotes)
}

/// Replaces what rests of an order at a price and leaves; `None` when nothing does.
fn replace(
    book: &mut Book,
    order: u64,
    limit: Price,
    leaves_units: i64,
    at: u64,
    quotes: &[(Price, i64)],
) -> Option<Vec<Fill>> {
    let find = |side| book.resting(side).find(|resting| resting.order == order);
    let found = [Side::Buy, Side::Sell].map(|side| find(side).map(|resting| (side, resting)));
    let (side, resting) = found.into_iter().flatten().next()?;
    let replaced = resting.replaced(limit, leaves_units, at);
    book.remove(side, resting.price, resting.priority);
    if replaced.priority == resting.priority {
        book.insert(side, replaced);
        return Some(Vec::new());
    }
    Some(enter(book, side, replaced, quotes))
}

fn enter(book: &mut Book, side: Side, entering: Resting, quotes: &[(Price, i64)]) -> Vec<Fill> {
    let (limit, units) = (entering.price, entering.leaves_units);
    let crossed = quotes
        .iter()
        .copied()
        .filter(|(price, _)| side.crosses(limit, *price));
    let fills = book.fills(side, limit, units, crossed);
    let opposite = if side == Side::Buy {
        Side::Sell
    } else {
        Side::Buy
    };
    for fill in &fills {
        if let Against::Order(order) = fill.against {
            let hit = book
                .resting(opposite)
                .find(|resting| resting.order == order);
            book.reduce(opposite, fill.price, hit.unwrap().priority, fill.units);
        }
    }
    let leaves_units = units - fills.iter().map(|fill| fill.units).sum::<i64>();
    if leaves_units > 0 {
        book.insert(
            side,
            Resting {
                leaves_units,
                ..entering
            },
        );
    }
    fills
}

/// A scenario is lines of `buy|sell PRICE UNITS` (numbered from 1 in order), `cancel NUMBER`, `replace NUMBER PRICE
/// LEAVES` or `quote PRICE UNITS` (liquidity for the next order only); the last line is what the last order must trade: `against@price x units`.
const SCENARIOS: &[(&str, &[&str], &str)] = &[
    (
        "an order away from the market rests",
        &["sell 101 10", "buy 100 10"],
        "",
    ),
    (
        "a fill happens at the resting price",
        &["sell 100 10", "buy 105 4"],
        "1@100x4",
    ),
    (
        "a better price fills first",
        &["sell 101 5", "sell 100 5", "buy 101 8"],
        "2@100x5 1@101x3",
    ),
    (
        "at one price the earlier order fills first",
        &["sell 100 5", "sell 100 5", "buy 100 7"],
        "1@100x5 2@100x2",
    ),
    (
        "a partly filled order keeps its place",
        &["sell 100 5", "sell 100 5", "buy 100 2", "buy 100 4"],
        "1@100x3 2@100x1",
    ),
    (
        "a cancelled order does not fill",
        &["sell 100 5", "sell 100 5", "cancel 1", "buy 100 7"],
        "2@100x5",
    ),
    (
        "an order made smaller keeps its place",
        &["sell 100 5", "sell 100 5", "replace 1 100 3", "buy 100 4"],
        "1@100x3 2@100x1",
    ),
    (
        "an order made larger goes behind",
        &["sell 100 5", "sell 100 5", "replace 1 100 6", "buy 100 6"],
        "2@100x5 1@100x1",
    ),
    (
        "an order at a new price goes behind those that are there",
        &["sell 101 5", "sell 100 5", "replace 1 100 5", "buy 100 6"],
        "2@100x5 1@100x1",
    ),
    (
        "an order moved away and back has lost its place",
        &[
            "sell 100 5",
            "sell 100 5",
            "replace 1 101 5",
            "replace 1 100 5",
            "buy 100 6",
        ],
        "2@100x5 1@100x1",
    ),
    (
        "an order replaced across the market trades at once",
        &["sell 101 5", "buy 99 8", "replace 2 101 8"],
        "1@101x5",
    ),
    (
        "what is left over rests and can be hit",
        &["sell 100 5", "buy 100 8", "sell 99 9"],
        "2@100x3",
    ),
    (
        "bids are best first too",
        &["buy 99 5", "buy 100 5", "sell 99 8"],
        "2@100x5 1@99x3",
    ),
    (
        "liquidity behind an order at the same price",
        &["sell 100 5", "quote 100 50", "buy 100 9"],
        "1@100x5 L@100x4",
    ),
    (
        "liquidity before a worse order",
        &["sell 101 5", "quote 100 3", "buy 101 9"],
        "L@100x3 1@101x5",
    ),
    (
        "liquidity that isn't crossed isn't hit",
        &["quote 101 50", "buy 100 9"],
        "",
    ),
    (
        "a sell hits liquidity at the bid",
        &["quote 100 2", "quote 99 9", "sell 99 5"],
        "L@100x2 L@99x3",
    ),
];

#[test]
fn scenarios() {
    for (name, lines, expected) in SCENARIOS {
        let (mut book, mut placed, mut quotes, mut fills) =
            (Book::default(), Vec::new(), Vec::new(), Vec::new());
        for line in *lines {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |at: usize| words[at].parse::<i64>().unwrap();
            match words[0] {
                "quote" => quotes.push((Price(number(1)), number(2))),
                "cancel" => {
                    let order = number(1) as u64;
                    let (side, price) = placed[order as usize - 1];
                    book.remove(side, price, order);
                }
                "replace" => {
                    placed.push(placed[number(1) as usize - 1]);
                    let (order, at) = (number(1) as u64, 100 + placed.len() as u64);
                    let (limit, leaves) = (Price(number(2)), number(3));
                    fills = replace(&mut book, order, limit, leaves, at, &quotes).unwrap();
                }
                word => {
                    let side = if word == "buy" { Side::Buy } else { Side::Sell };
                    placed.push((side, Price(number(1))));
                    fills = submit(
                        &mut book,
                        side,
                        placed.len() as u64,
                        Price(number(1)),
                        number(2),
                        &quotes,
                    );
                    quotes.clear();
                }
            }
        }
        let shown = fills.iter().map(|fill| match fill.against {
            Against::Order(order) => format!("{order}@{}x{}", fill.price.0, fill.units),
            Against::Liquidity => format!("L@{}x{}", fill.price.0, fill.units),
        });
        assert_eq!(shown.collect::<Vec<_>>().join(" "), *expected, "{name}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Submit {
        side: Side,
        limit: i64,
        units: i64,
        quotes: Vec<(i64, i64)>,
    },
    Cancel {
        nth: usize,
    },
    Replace {
        nth: usize,
        limit: i64,
        leaves: i64,
        quotes: Vec<(i64, i64)>,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let quotes = || prop::collection::vec((95_i64..106, 1_i64..20), 0..4);
    prop_oneof![
        4 => (side, 90_i64..111, 1_i64..50, quotes())
            .prop_map(|(side, limit, units, quotes)| Step::Submit { side, limit, units, quotes }),
        1 => (0_usize..64).prop_map(|nth| Step::Cancel { nth }),
        2 => (0_usize..64, 90_i64..111, 1_i64..50, quotes())
            .prop_map(|(nth, limit, leaves, quotes)| Step::Replace { nth, limit, leaves, quotes }),
    ]
}

proptest! {
    #[test]
    fn the_fast_book_does_what_the_naive_one_says(steps in prop::collection::vec(step(), 1..120)) {
        let (mut book, mut naive, mut placed) = (Book::default(), Naive::default(), 0);
        let priced = |quotes: Vec<(i64, i64)>| -> Vec<(Price, i64)> {
            quotes.into_iter().map(|(price, units)| (Price(price), units)).collect()
        };
        for (step, at) in steps.into_iter().zip(1_000..) {
            match step {
                Step::Submit { side, limit, units, quotes } => {
                    placed += 1;
                    let quotes = priced(quotes);
                    let entering = Resting { price: Price(limit), priority: at, order: placed, leaves_units: units };
                    let fast = enter(&mut book, side, entering, &quotes);
                    prop_assert_eq!(fast, naive.submit(side, placed, Price(limit), units, &quotes));
                }
                Step::Cancel { .. } | Step::Replace { .. } if placed == 0 => {}
                Step::Cancel { nth } => {
                    let order = nth as u64 % placed + 1;
                    for side in [Side::Buy, Side::Sell] {
                        let found = book.resting(side).find(|resting| resting.order == order);
                        if let Some(resting) = found {
                            book.remove(side, resting.price, resting.priority);
                        }
                    }
                    naive.cancel(order);
                }
                Step::Replace { nth, limit, leaves, quotes } => {
                    let (order, quotes) = (nth as u64 % placed + 1, priced(quotes));
                    let fast = replace(&mut book, order, Price(limit), leaves, at, &quotes);
                    prop_assert_eq!(fast, naive.replace(order, Price(limit), leaves, &quotes));
                }
            }
            prop_assert_eq!(hash_of(&book), naive.hash());
        }
    }
}
