//! What a sheet's cell holds, and how it is written for people and for programs.

use super::zone::Zone;
use serde_json::Value as Json;
use squareoff_domain::{Money, NetQuantity, Price, Quantity, Timestamp};

/// One cell. Two are equal when nothing changed between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Not there (yet).
    Nothing,
    Flag(bool),
    /// Units of an instrument, or a count.
    Number(i64),
    Word(&'static str),
    Text(String),
    Price(Price),
    Money(Money),
    Time(Timestamp),
}

impl Value {
    /// Of something that may be absent.
    pub fn some<T: Into<Value>>(value: Option<T>) -> Value {
        value.map_or(Value::Nothing, Into::into)
    }

    pub fn text(value: impl ToString) -> Value {
        Value::Text(value.to_string())
    }

    /// A count; one that no log could hold is cut.
    pub fn count(count: usize) -> Value {
        Value::Number(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// Says as little as an absent one: nothing, none, no.
    pub fn is_blank(&self) -> bool {
        match self {
            Value::Nothing | Value::Flag(false) | Value::Number(0) => true,
            Value::Text(text) => text.is_empty(),
            Value::Word(word) => word.is_empty(),
            Value::Flag(true)
            | Value::Number(_)
            | Value::Price(_)
            | Value::Money(_)
            | Value::Time(_) => false,
        }
    }

    /// For people.
    pub fn shown(&self, zone: Zone) -> String {
        match self {
            Value::Nothing => "-".to_owned(),
            Value::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Word(word) => (*word).to_owned(),
            Value::Text(text) => text.clone(),
            Value::Price(price) => price.to_string(),
            Value::Money(money) => money.to_string(),
            Value::Time(time) => zone.show(*time),
        }
    }

    /// For programs: numbers as numbers, prices and money as text in rupees, times in UTC as RFC 3339.
    pub fn json(&self) -> Json {
        match self {
            Value::Nothing => Json::Null,
            Value::Flag(flag) => Json::from(*flag),
            Value::Number(number) => Json::from(*number),
            Value::Word(word) => Json::from(*word),
            Value::Text(text) => Json::from(text.as_str()),
            Value::Price(price) => Json::from(price.to_string()),
            Value::Money(money) => Json::from(money.to_string()),
            Value::Time(time) => Json::from(Zone::UTC.rfc3339(*time)),
        }
    }
}

impl From<Quantity> for Value {
    fn from(quantity: Quantity) -> Value {
        Value::Number(i64::try_from(quantity.units()).unwrap_or(i64::MAX))
    }
}

impl From<NetQuantity> for Value {
    fn from(net: NetQuantity) -> Value {
        Value::Number(net.0)
    }
}

impl From<u32> for Value {
    fn from(count: u32) -> Value {
        Value::Number(count.into())
    }
}

impl From<u64> for Value {
    fn from(count: u64) -> Value {
        Value::Number(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl From<Price> for Value {
    fn from(price: Price) -> Value {
        Value::Price(price)
    }
}

impl From<Money> for Value {
    fn from(money: Money) -> Value {
        Value::Money(money)
    }
}

impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Value {
        Value::Time(time)
    }
}

impl From<&'static str> for Value {
    fn from(word: &'static str) -> Value {
        Value::Word(word)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Value {
        Value::Flag(flag)
    }
}
