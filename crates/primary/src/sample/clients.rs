//! Made-up clients: mostly small, mostly allowed in both segments.
//!
//! Every name ends in `Namuna` (Hindi for *sample*), every mail goes to example.com, and no telephone number begins with zeros.

use super::dice::Dice;
use crate::book::{ClientLine, Identity};
use squareoff_domain::{Client, Segment};

pub const RETAIL: &str = "retail";
/// High net worth individual.
pub const HNI: &str = "hni";
pub const CORPORATE: &str = "corporate";

const GIVEN_NAMES: [&str; 24] = [
    "Aarav", "Aditi", "Ananya", "Arjun", "Bhavna", "Chetan", "Deepa", "Farhan", "Gauri", "Harish",
    "Ishaan", "Jaya", "Kabir", "Lakshmi", "Meera", "Nikhil", "Omkar", "Priya", "Rohan", "Sana",
    "Tara", "Uday", "Vikram", "Zoya",
];
const BRANCHES: [&str; 8] = [
    "MUM-01", "MUM-02", "DEL-01", "BLR-01", "CHN-01", "KOL-01", "AMD-01", "PUN-01",
];

pub fn list(count: u32, dice: &mut Dice) -> Vec<ClientLine> {
    (1..=count).map(|number| client(number, dice)).collect()
}

fn client(number: u32, dice: &mut Dice) -> ClientLine {
    let category = match dice.below(100) {
        0..=1 => CORPORATE,
        2..=9 => HNI,
        _ => RETAIL,
    };
    // A quarter of the small clients never asked for derivatives.
    let cash_only = category == RETAIL && dice.chance(250);
    let segments = if cash_only {
        vec![Segment::Cash]
    } else {
        vec![Segment::Cash, Segment::Derivatives]
    };
    let code = format!("C{number:05}");
    let (name, holder) = if category == CORPORATE {
        (format!("Namuna Trading {number} Limited"), 'C')
    } else {
        (format!("{} Namuna", dice.pick(&GIVEN_NAMES)), 'P')
    };
    let identity = Identity {
        name,
        pan: pan(number, holder),
        email: format!("{}@example.com", code.to_ascii_lowercase()),
        phone: format!("+91 {:05} {:05}", number / 100_000, number % 100_000),
        date_of_birth: Some(format!(
            "{}-{:02}-{:02}",
            1950 + number % 50,
            1 + number % 12,
            1 + number % 28
        )),
    };
    let client = Client {
        client: code.parse().expect("capital letter and digits, at most 8"),
        category: category.to_owned(),
        branch: (*dice.pick(&BRANCHES)).to_owned(),
        segments,
    };
    ClientLine { client, identity }
}

/// `AAAPZ0001Z`: the pattern of a PAN (P: a person, C: a company), from the series AAA onwards, with Z for name and check letter.
fn pan(number: u32, holder: char) -> String {
    let series = number / 10_000;
    let letter = |place: u32| {
        let digit = u8::try_from(series / place % 26).expect("below 26");
        char::from(b'A' + digit)
    };
    let (first, second, third) = (letter(26 * 26), letter(26), letter(1));
    format!("{first}{second}{third}{holder}Z{:04}Z", number % 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_pan_has_the_pattern_and_is_nobody_elses() {
        for (number, expected) in [
            (1, "AAAPZ0001Z"),
            (9_999, "AAAPZ9999Z"),
            (10_000, "AABPZ0000Z"),
            (1_000_000, "ADWPZ0000Z"),
        ] {
            assert_eq!(pan(number, 'P'), expected);
        }
    }
}
