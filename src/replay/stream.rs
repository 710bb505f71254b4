//! What a stream's name says: its kind, and what of date, client, venue and symbol it names. Borrowed, because a filter asks it of
//! every event of the log.

/// The kinds of streams there are, as the first part of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Position,
    Platform,
    Bulk,
    Approval,
    Session,
    Contracts,
    Client,
    Operator,
    Suspense,
    Refusals,
    Checkpoints,
    /// A name that no part of this release gives.
    Other,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Position => "position",
            Kind::Platform => "platform",
            Kind::Bulk => "bulk",
            Kind::Approval => "approval",
            Kind::Session => "session",
            Kind::Contracts => "contracts",
            Kind::Client => "client",
            Kind::Operator => "operator",
            Kind::Suspense => "suspense",
            Kind::Refusals => "refusals",
            Kind::Checkpoints => "audit-checkpoints",
            Kind::Other => "other",
        }
    }
}

/// A name in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'a> {
    pub kind: Kind,
    /// The trading date, `YYYY-MM-DD`.
    pub date: Option<&'a str>,
    pub client: Option<&'a str>,
    pub venue: Option<&'a str>,
    pub symbol: Option<&'a str>,
}

impl Name<'_> {
    pub fn of(stream: &str) -> Name<'_> {
        let mut name = Name {
            kind: Kind::Other,
            date: None,
            client: None,
            venue: None,
            symbol: None,
        };
        let (head, rest) = stream.split_once('-').unwrap_or((stream, ""));
        // Dates are ten characters; everything behind them follows another hyphen.
        let dated = rest.get(..10).zip(rest.get(11..));
        match head {
            "platform" if rest.is_empty() => name.kind = Kind::Platform,
            "audit" if rest == "checkpoints" => name.kind = Kind::Checkpoints,
            "bulk" => name.kind = Kind::Bulk,
            "approval" => name.kind = Kind::Approval,
            "client" => (name.kind, name.client) = (Kind::Client, Some(rest)),
            "operator" => name.kind = Kind::Operator,
            "session" => {
                name.kind = Kind::Session;
                name.venue = rest.split_once('-').map(|(venue, _)| venue);
            }
            "suspense" => {
                name.kind = Kind::Suspense;
                (name.venue, name.date) = rest.split_once('-').unzip();
            }
            "contracts" => {
                name.kind = Kind::Contracts;
                (name.date, name.venue) = dated.unzip();
            }
            "refusals" => {
                name.kind = Kind::Refusals;
                let client = dated.map(|(_, client)| client);
                name.date = dated.map(|(date, _)| date);
                name.client = client.filter(|client| *client != "desk");
            }
            "position" => {
                name.kind = Kind::Position;
                let parts = dated.and_then(|(date, rest)| {
                    let (client, rest) = rest.split_once('-')?;
                    let (venue, rest) = rest.split_once(':')?;
                    let (symbol, _) = rest.rsplit_once('-')?;
                    Some((date, client, venue, symbol))
                });
                if let Some((date, client, venue, symbol)) = parts {
                    (name.date, name.client) = (Some(date), Some(client));
                    (name.venue, name.symbol) = (Some(venue), Some(symbol));
                }
            }
            _ => {}
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_its_parts() {
        let (day, some) = ("2026-11-20", Some);
        for (stream, kind, date, client, venue, symbol) in [
            ("platform", Kind::Platform, None, None, None, None),
            (
                "client-C00001",
                Kind::Client,
                None,
                some("C00001"),
                None,
                None,
            ),
            (
                "session-NSE-SQOF",
                Kind::Session,
                None,
                None,
                some("NSE"),
                None,
            ),
            (
                "suspense-NSE-2026-11-20",
                Kind::Suspense,
                some(day),
                None,
                some("NSE"),
                None,
            ),
            (
                "contracts-2026-11-20-MCX",
                Kind::Contracts,
                some(day),
                None,
                some("MCX"),
                None,
            ),
            (
                "refusals-2026-11-20-C00001",
                Kind::Refusals,
                some(day),
                some("C00001"),
                None,
                None,
            ),
            (
                "refusals-2026-11-20-desk",
                Kind::Refusals,
                some(day),
                None,
                None,
                None,
            ),
            (
                "position-2026-11-20-C00001-NSE:BAJAJ-AUTO-MIS",
                Kind::Position,
                some(day),
                some("C00001"),
                some("NSE"),
                some("BAJAJ-AUTO"),
            ),
            ("bulk-7d0b1c1e-0000", Kind::Bulk, None, None, None, None),
            ("position-", Kind::Position, None, None, None, None),
            ("position-ééééééé-x", Kind::Position, None, None, None, None),
            (
                "audit-checkpoints",
                Kind::Checkpoints,
                None,
                None,
                None,
                None,
            ),
            ("platform-2", Kind::Other, None, None, None, None),
            ("", Kind::Other, None, None, None, None),
        ] {
            let name = Name {
                kind,
                date,
                client,
                venue,
                symbol,
            };
            assert_eq!(Name::of(stream), name, "{stream}");
        }
    }
}
