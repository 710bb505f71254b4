//! The platform on paper: its phase and epoch, what is halted, what waits for a second person, and the markets.

use super::{List, Row, Sheet};
use crate::replay::value::Value;
use squareoff_domain::platform::{Platform, Wish};

pub fn sheet(platform: &Platform) -> Sheet {
    let activation = platform.activation.as_ref();
    Sheet {
        figures: vec![
            ("phase", platform.phase.as_str().into()),
            ("epoch", platform.epoch.into()),
            (
                "trading date",
                platform.trading_date.map_or(Value::Nothing, Value::text),
            ),
            (
                "activation asked for",
                activation.map_or(Value::Nothing, |asked| Value::text(asked.trading_date)),
            ),
            (
                "asked by",
                Value::some(activation.map(|asked| asked.requested_by.clone())),
            ),
            (
                "approved by",
                Value::some(activation.and_then(|asked| asked.approved_by.clone())),
            ),
            (
                "outage began",
                Value::some(activation.map(|asked| asked.outage_began_at)),
            ),
            (
                "hand-back asked by",
                Value::some(platform.handback_requested_by.clone()),
            ),
        ],
        lists: vec![
            books(platform),
            halts(platform),
            resumes(platform),
            cancel_alls(platform),
            disconnects(platform),
            disconnect_wishes(platform),
            markets(platform),
        ],
    }
}

fn books(platform: &Platform) -> List {
    let rows = platform.books.iter().map(|(date, source)| Row {
        key: date.to_string(),
        label: format!("book of {date}"),
        cells: vec![("source", Value::text(source))],
    });
    List {
        name: "books",
        of: "book",
        rows: rows.collect(),
    }
}

fn halts(platform: &Platform) -> List {
    let rows = platform.halts.iter().map(|(scope, halt)| Row {
        key: scope.to_string(),
        label: format!("halt of {scope}"),
        cells: vec![
            ("by", Value::text(&halt.by)),
            ("reason", Value::text(&halt.reason)),
        ],
    });
    List {
        name: "halts",
        of: "halt",
        rows: rows.collect(),
    }
}

fn resumes(platform: &Platform) -> List {
    let rows = platform.resumes.iter().map(|(scope, wish)| Row {
        key: scope.to_string(),
        label: format!("resume of {scope}, asked for"),
        cells: asked(wish),
    });
    List {
        name: "resumes",
        of: "resume",
        rows: rows.collect(),
    }
}

fn cancel_alls(platform: &Platform) -> List {
    let rows = platform.cancel_alls.iter().map(|(id, wish)| Row {
        key: id.to_string(),
        label: format!("cancel-all in {}, asked for", wish.scope),
        cells: asked(wish),
    });
    List {
        name: "cancel_alls",
        of: "cancel-all",
        rows: rows.collect(),
    }
}

fn disconnects(platform: &Platform) -> List {
    let rows = platform.disconnects.iter().map(|(venue, halt)| Row {
        key: venue.to_string(),
        label: format!("disconnect of {venue}"),
        cells: vec![
            ("by", Value::text(&halt.by)),
            ("reason", Value::text(&halt.reason)),
        ],
    });
    List {
        name: "disconnects",
        of: "disconnect",
        rows: rows.collect(),
    }
}

fn disconnect_wishes(platform: &Platform) -> List {
    let rows = platform.disconnect_wishes.iter().map(|(venue, wish)| Row {
        key: venue.to_string(),
        label: format!("disconnect of {venue}, asked for"),
        cells: asked(wish),
    });
    List {
        name: "disconnect_requests",
        of: "disconnect, asked for",
        rows: rows.collect(),
    }
}

fn asked(wish: &Wish) -> Vec<super::Figure> {
    vec![
        ("scope", Value::text(wish.scope)),
        ("by", Value::text(&wish.by)),
        ("reason", Value::text(&wish.reason)),
    ]
}

fn markets(platform: &Platform) -> List {
    let rows = platform
        .markets
        .iter()
        .map(|((venue, segment), market)| Row {
            key: format!("{venue}/{segment}"),
            label: format!("market {venue}/{segment}"),
            cells: vec![
                ("phase", market.phase.as_str().into()),
                ("trading date", Value::text(market.trading_date)),
                ("as told by", Value::text(&market.source)),
            ],
        });
    List {
        name: "markets",
        of: "market",
        rows: rows.collect(),
    }
}
