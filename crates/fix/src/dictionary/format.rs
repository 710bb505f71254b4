//! The data types of fields (FIX 4.4 volume 1, "FIX Data Types"), as far as a value can be told to be none.

use crate::value::{LocalMktDate, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Any text or bytes.
    Text,
    Int,
    /// A number without sign: Length, SeqNum, NumInGroup.
    Count,
    /// float and what is based on it: Qty, Price, Amt, ...
    Decimal,
    Char,
    Boolean,
    UtcTimestamp,
    Date,
    MonthYear,
    DayOfMonth,
    UtcTime,
    /// Words with a space between them, each of which must be a code.
    Words,
}

impl Format {
    /// By the name of the type in the standard.
    pub fn named(name: &str) -> Format {
        match name {
            "int" => Format::Int,
            "Length" | "SeqNum" | "NumInGroup" => Format::Count,
            "float" | "Qty" | "Price" | "PriceOffset" | "Amt" | "Percentage" => Format::Decimal,
            "char" => Format::Char,
            "Boolean" => Format::Boolean,
            "UTCTimestamp" => Format::UtcTimestamp,
            "UTCDateOnly" | "UTCDate" | "LocalMktDate" => Format::Date,
            "MonthYear" => Format::MonthYear,
            "DayOfMonth" => Format::DayOfMonth,
            "UTCTimeOnly" => Format::UtcTime,
            "MultipleValueString" => Format::Words,
            _ => Format::Text,
        }
    }

    pub fn fits(self, value: &[u8]) -> bool {
        match self {
            Format::Text | Format::Words => true,
            Format::Int => digits(value.strip_prefix(b"-").unwrap_or(value)),
            Format::Count => digits(value),
            Format::Decimal => decimal(value.strip_prefix(b"-").unwrap_or(value)),
            Format::Char => value.len() == 1,
            Format::Boolean => matches!(value, b"Y" | b"N"),
            Format::UtcTimestamp => Timestamp::parse(value).is_some(),
            Format::Date => LocalMktDate::parse(value).is_some(),
            Format::MonthYear => month_year(value),
            Format::DayOfMonth => {
                digits(value) && number(value).is_some_and(|day| (1..=31).contains(&day))
            }
            Format::UtcTime => time(value),
        }
    }
}

fn digits(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(u8::is_ascii_digit)
}

fn number(value: &[u8]) -> Option<u64> {
    crate::value::parse_count(value)
}

/// "1", "1.5", "1." and ".5", but not ".".
fn decimal(value: &[u8]) -> bool {
    let dots = value.iter().filter(|byte| **byte == b'.').count();
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    dots <= 1 && digits >= 1 && dots + digits == value.len()
}

/// YYYYMM, YYYYMMDD, or YYYYMMw1 to w5.
fn month_year(value: &[u8]) -> bool {
    match value.len() {
        6 => {
            let mut date = *b"00000001";
            date[..6].copy_from_slice(value);
            LocalMktDate::parse(&date).is_some()
        }
        8 if value[6] == b'w' => month_year(&value[..6]) && (b'1'..=b'5').contains(&value[7]),
        8 => LocalMktDate::parse(value).is_some(),
        _ => false,
    }
}

/// HH:MM:SS with decimals or without, read as the time of some day.
fn time(value: &[u8]) -> bool {
    Timestamp::parse(&[b"20000101-".as_slice(), value].concat()).is_some()
}
