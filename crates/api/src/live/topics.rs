//! What a reader listens to.

use std::fmt;
use std::str::FromStr;

/// A set of the five topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topics(u8);

impl Topics {
    pub const NONE: Topics = Topics(0);
    pub const ORDERS: Topics = Topics(1);
    pub const POSITIONS: Topics = Topics(2);
    pub const PLATFORM: Topics = Topics(4);
    pub const BULK: Topics = Topics(8);
    pub const APPROVALS: Topics = Topics(16);
    pub const ALL: Topics = Topics(31);
    /// What belongs to no client.
    pub const OF_PLATFORM: Topics = Topics(12);

    /// Each topic with its name in a query, and what its part of a change is called.
    pub(super) const NAMED: [(Topics, &'static str); 5] = [
        (Topics::ORDERS, "orders"),
        (Topics::POSITIONS, "positions"),
        (Topics::PLATFORM, "platform"),
        (Topics::BULK, "bulk"),
        (Topics::APPROVALS, "approvals"),
    ];

    #[must_use]
    pub const fn and(self, other: Topics) -> Topics {
        Topics(self.0 & other.0)
    }

    #[must_use]
    pub const fn or(self, other: Topics) -> Topics {
        Topics(self.0 | other.0)
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub const fn has(self, other: Topics) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let named = Topics::NAMED.into_iter();
        named.filter_map(move |(topic, name)| self.has(topic).then_some(name))
    }
}

impl fmt::Display for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().collect::<Vec<_>>().join(","))
    }
}

impl FromStr for Topics {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').try_fold(Topics::NONE, |topics, name| {
            let known = Topics::NAMED.iter().find(|(_, known)| *known == name);
            let (topic, _) = known.ok_or_else(|| {
                let known = Topics::ALL;
                format!("`{name}` is no topic: one or more of {known}, with commas between")
            })?;
            Ok(topics.or(*topic))
        })
    }
}
