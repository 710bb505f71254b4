//! One newtype per identifier. Texts are parsed once, at the edge, and can be trusted from then on.

use crate::time::TradingDate;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write};
use std::str::FromStr;
use thiserror::Error;
use uuid::Uuid;

/// A text that cannot be the identifier it was given as.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a {what}: {expected}")]
pub struct IdError {
    pub what: &'static str,
    pub text: String,
    pub expected: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $expected:literal, $max:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $name::try_from(text.to_owned())
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                let allowed: fn(u8) -> bool = $allowed;
                if text.is_empty() || text.len() > $max || !text.bytes().all(allowed) {
                    return Err(IdError { what: $what, text, expected: $expected });
                }
                Ok($name(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

text_id!(
    /// A broker's unique client code (UCC).
    ClientCode, "client code", "1 to 12 capital letters and digits", 12,
    |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()
);
text_id!(
    /// The full trading symbol at its venue: `RELIANCE`, `BAJAJ-AUTO`, `NIFTY26NOVFUT`.
    Symbol, "symbol", "1 to 32 capital letters, digits, `&` and `-`", 32,
    |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'&' | b'-')
);
text_id!(
    /// ClOrdID (FIX tag 11): ours, minted inside the event, unique in an epoch. At most 20 characters.
    ClOrdId, "client order id", "1 to 20 letters and digits", 20,
    |byte| byte.is_ascii_alphanumeric()
);
text_id!(
    /// OrderID (FIX tag 37): the venue's number of the order.
    ExchangeOrderId, "exchange order number", "1 to 40 printable ASCII characters", 40,
    |byte| byte.is_ascii_graphic()
);
text_id!(
    /// Account (FIX tag 1) as the venue reports it; for our orders the client code.
    Account, "account", "1 to 32 printable ASCII characters", 32,
    |byte| byte.is_ascii_graphic()
);
text_id!(
    /// Identity of one execution for ever: `<venue>|<trade date>|<ExecID>`; ExecID (FIX tag 17) is unique only within a day.
    ExecutionKey, "execution key", "1 to 80 printable ASCII characters", 80,
    |byte| byte.is_ascii_graphic()
);

text_id!(
    /// A person or program that may come in: the actor of the events it causes.
    OperatorId, "operator id", "1 to 64 small letters, digits, `-` and `_`", 64,
    |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
);

impl ExecutionKey {
    /// # Errors
    /// [`IdError`] when `exec_id` holds what an ExecID cannot.
    pub fn new(venue: Venue, trade_date: TradingDate, exec_id: &str) -> Result<Self, IdError> {
        ExecutionKey::try_from(format!("{venue}|{trade_date}|{exec_id}"))
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id!(
    /// One request of one person: the same id again is the same request, and gets the first answer.
    RequestId
);
uuid_id!(
    /// One order of ours.
    OrderId
);
uuid_id!(
    /// One data key of one client; the key itself is in the key store.
    KeyId
);
uuid_id!(
    /// One log-in of one person or program, until it ends.
    LogInId
);

impl OrderId {
    /// The id of slice `index` (from 0) of an accepted request: the same request always names the same orders of a position, and two
    /// positions never share one, even if they were asked under one id.
    pub fn of_slice(position: &PositionKey, request: RequestId, index: u32) -> Self {
        let mut name = position.stream();
        write!(name, "/{index}").expect("a string takes all");
        OrderId(Uuid::new_v5(&request.0, name.as_bytes()))
    }

    /// The id here of an order that the primary placed: whoever imports it, however often, names it alike.
    pub fn of_external(position: &PositionKey, number: &ExchangeOrderId) -> Self {
        /// Of this one use, so that no other id of ours can be the same.
        const NAMESPACE: Uuid = Uuid::from_u128(0x8f2b_1c64_0d1e_4b57_9a2a_6c0e_57d3_91b4);
        let name = format!("{}/{number}", position.stream());
        OrderId(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
    }
}

impl ClOrdId {
    /// The id of `order`'s NewOrderSingle in `epoch`: two characters of epoch, fifteen of the order (77 bits of its UUID), `N00`, in
    /// base 36. No counter is shared between nodes, and none is needed: two orders of one day collide with a probability below one
    /// in a billion, and the venue's own duplicate check stands behind it.
    pub fn mint(epoch: u32, order: OrderId) -> ClOrdId {
        ClOrdId(format!(
            "{}{}N00",
            base36(u128::from(epoch), 2),
            base36(order.0.as_u128(), 15)
        ))
    }

    /// The id of the `number`-th OrderCancelRequest (from 1) of the order with this id: `C` and the number in the last three characters.
    pub fn cancel(&self, number: u32) -> ClOrdId {
        self.numbered('C', number)
    }

    /// The id of the `number`-th OrderCancelReplaceRequest (from 1) of the order with this id, `R` and the number.
    pub fn replace(&self, number: u32) -> ClOrdId {
        self.numbered('R', number)
    }

    /// What the ids of one order of ours have in common, its own and those of its cancels and replaces; the whole text where it is no id
    /// that was minted here.
    pub fn stem(text: &str) -> &str {
        match text.get(..17).zip(text.get(17..)) {
            Some((order, kind)) if kind.len() == 3 && kind.starts_with(['N', 'C', 'R']) => order,
            Some(_) | None => text,
        }
    }

    fn numbered(&self, kind: char, number: u32) -> ClOrdId {
        let order = self.0.get(..17).unwrap_or(&self.0);
        ClOrdId(format!("{order}{kind}{}", base36(u128::from(number), 2)))
    }
}

/// The `width` lowest digits of `value` in base 36.
fn base36(mut value: u128, width: usize) -> String {
    const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut digits = vec!['0'; width];
    for digit in digits.iter_mut().rev() {
        *digit = char::from(DIGITS[usize::try_from(value % 36).expect("below 36")]);
        value /= 36;
    }
    digits.into_iter().collect()
}

macro_rules! closed_set {
    ($(#[$doc:meta])* $name:ident, $what:literal, $expected:literal, { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $text),+
                }
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok($name::$variant),)+
                    _ => Err(IdError { what: $what, text: text.to_owned(), expected: $expected }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

pub(crate) use closed_set;

closed_set!(
    /// An exchange.
    Venue, "venue", "NSE, BSE or MCX", { Nse = "NSE", Bse = "BSE", Mcx = "MCX" }
);
closed_set!(
    /// A market segment of a venue.
    Segment, "segment", "CM, FO, CD or COM", {
        /// Cash market.
        Cash = "CM",
        /// Equity futures and options.
        Derivatives = "FO",
        /// Currency derivatives.
        Currency = "CD",
        /// Commodity derivatives.
        Commodity = "COM",
    }
);
closed_set!(
    /// The broker's product label. No exchange protocol carries it; positions are kept apart by it.
    Product, "product", "MIS, NRML or CNC", {
        /// Margin intraday: squared off the same day.
        Mis = "MIS",
        /// Normal (carry-forward) derivatives.
        Nrml = "NRML",
        /// Cash and carry: delivery.
        Cnc = "CNC",
    }
);
closed_set!(
    /// Which way an order or a trade goes.
    Side, "side", "BUY or SELL", { Buy = "BUY", Sell = "SELL" }
);

impl Side {
    /// The sign a fill on this side gives a net quantity.
    pub const fn sign(self) -> i64 {
        match self {
            Side::Buy => 1,
            Side::Sell => -1,
        }
    }
}

/// One client's position in one instrument and product on one trading day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PositionKey {
    pub date: TradingDate,
    pub client: ClientCode,
    pub venue: Venue,
    pub symbol: Symbol,
    pub product: Product,
}

impl PositionKey {
    /// `position-<date>-<client>-<venue>:<symbol>-<product>`.
    pub fn stream(&self) -> String {
        let PositionKey {
            date,
            client,
            venue,
            symbol,
            product,
        } = self;
        format!("position-{date}-{client}-{venue}:{symbol}-{product}")
    }

    /// The key that a position stream's name spells; `None` for any other stream.
    pub fn of_stream(stream: &str) -> Option<PositionKey> {
        let rest = stream.strip_prefix("position-")?;
        let (date, rest) = (rest.get(..10)?, rest.get(10..)?.strip_prefix('-')?);
        let (client, rest) = rest.split_once('-')?;
        let (venue, rest) = rest.split_once(':')?;
        // Symbols may hold a hyphen, products never do.
        let (symbol, product) = rest.rsplit_once('-')?;
        Some(PositionKey {
            date: date.parse().ok()?,
            client: client.parse().ok()?,
            venue: venue.parse().ok()?,
            symbol: symbol.parse().ok()?,
            product: product.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stream_name_spells_its_key() {
        for (symbol, product) in [
            ("RELIANCE", Product::Cnc),
            ("BAJAJ-AUTO", Product::Mis),
            ("M&M", Product::Cnc),
            ("NIFTY26NOV24000CE", Product::Nrml),
        ] {
            let key = PositionKey {
                date: "2026-11-20".parse().unwrap(),
                client: "C00042".parse().unwrap(),
                venue: Venue::Nse,
                symbol: symbol.parse().unwrap(),
                product,
            };
            assert_eq!(PositionKey::of_stream(&key.stream()), Some(key));
        }
        for other in [
            "platform",
            "position-",
            "position-2026-11-20",
            "position-2026-11-20-C1-NSE:X",
            "position-2026-02-30-C1-NSE:X-MIS",
            "position-२०२६-C1-NSE:X-MIS",
        ] {
            assert_eq!(PositionKey::of_stream(other), None, "{other}");
        }
    }

    #[test]
    fn identifiers_refuse_what_would_break_a_stream_name_or_a_message() {
        assert!("C-1".parse::<ClientCode>().is_err());
        assert!("c1".parse::<ClientCode>().is_err());
        assert!("A:B".parse::<Symbol>().is_err());
        assert!("A\u{1}B".parse::<ExchangeOrderId>().is_err());
        assert_eq!(
            "XYZ".parse::<Venue>().unwrap_err().to_string(),
            "`XYZ` is not a venue: NSE, BSE or MCX"
        );
    }

    proptest! {
        #[test]
        fn a_minted_id_is_twenty_characters_and_its_own(epoch in any::<u32>(), bits in any::<u128>(), number in 1_u32..1296) {
            let order = OrderId(Uuid::from_u128(bits));
            let new = ClOrdId::mint(epoch, order);
            let (cancel, replace) = (new.cancel(number), new.replace(number));
            prop_assert_eq!((new.as_str().len(), cancel.as_str().len(), replace.as_str().len()), (20, 20, 20));
            prop_assert!(new != cancel && new != replace && cancel != replace && cancel != new.cancel(number + 1));
            prop_assert_eq!(new.as_str().parse::<ClOrdId>().unwrap(), new);
        }
    }
}
