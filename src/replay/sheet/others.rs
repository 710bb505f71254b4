//! On paper: a client, somebody who may come in, a day's contracts, its refusals, an exchange session, and what is held in suspense.

use super::position::side;
use super::{Focus, List, Row, Sheet};
use crate::replay::value::Value;
use serde::Serialize;
use squareoff_domain::client::{ClientState, IdentityField, Verification};
use squareoff_domain::people::Person;
use squareoff_domain::reference::{ContractEvent, ContractList};
use squareoff_domain::refusals::Refusals;
use squareoff_domain::sealing::Sealed;
use squareoff_domain::session::Session;
use squareoff_domain::suspense::{Held, Settled, Suspense, SuspenseEvent};
use squareoff_domain::{Client, Contract, Event};

/// Identity is told by the names of its fields: what they hold is ciphertext here.
pub fn client(state: &ClientState) -> Sheet {
    let client = state.client.as_ref();
    let identity = state.identity.as_ref().map(|identity| {
        let names: Vec<_> = identity.names().map(IdentityField::as_str).collect();
        format!("sealed: {}", names.join(", "))
    });
    let erased = state
        .erased
        .as_ref()
        .map(|erased| format!("by {}: {}", erased.by, erased.reason));
    let segments = |client: &Client| {
        let names: Vec<_> = client
            .segments
            .iter()
            .map(|segment| segment.as_str())
            .collect();
        names.join(", ")
    };
    Sheet {
        figures: vec![
            (
                "category",
                Value::some(client.map(|client| client.category.clone())),
            ),
            (
                "branch",
                Value::some(client.map(|client| client.branch.clone())),
            ),
            ("segments", Value::some(client.map(segments))),
            ("identity", Value::some(identity)),
            ("erased", Value::some(erased)),
        ],
        lists: vec![List {
            name: "verifications",
            of: "verification",
            rows: state.verifications.iter().map(verification).collect(),
        }],
    }
}

/// Of the callers that one operator had.
fn verification((by, of): (&String, &Verification)) -> Row {
    Row {
        key: by.clone(),
        label: format!("verification by {by}"),
        cells: vec![
            (
                "valid until",
                of.valid_until.map_or(Value::Nothing, Value::Time),
            ),
            ("failures", Value::count(of.failed_at.len())),
        ],
    }
}

pub fn person(person: &Person) -> Sheet {
    let enrolled = person.enrolled.as_ref();
    let client = enrolled.and_then(|enrolled| enrolled.client.clone());
    Sheet {
        figures: vec![
            (
                "name",
                Value::some(enrolled.map(|enrolled| enrolled.name.clone())),
            ),
            (
                "role",
                Value::some(enrolled.map(|enrolled| enrolled.role.to_string())),
            ),
            (
                "client",
                Value::some(client.map(|client| client.to_string())),
            ),
            ("disabled", person.disabled.into()),
        ],
        lists: vec![],
    }
}

pub fn session(session: &Session) -> Sheet {
    Sheet {
        figures: vec![
            ("fence", session.fence.into()),
            ("ready", session.ready.into()),
        ],
        lists: vec![],
    }
}

pub fn sealed(sealed: &Sealed) -> Sheet {
    let newest = sealed.0.as_ref();
    Sheet {
        figures: vec![
            (
                "events sealed",
                Value::some(newest.map(|sealed| sealed.size)),
            ),
            (
                "root",
                Value::some(newest.map(|sealed| sealed.root.clone())),
            ),
        ],
        lists: vec![],
    }
}

pub fn contracts(contracts: &ContractList, focus: Focus) -> Sheet {
    let rows = match focus {
        Focus::All => contracts.0.values().map(contract).collect(),
        Focus::On(Event::Contract(ContractEvent::ContractListed(listed))) => contracts
            .0
            .get(&listed.contract.symbol)
            .map(contract)
            .into_iter()
            .collect(),
        Focus::On(_) => vec![],
    };
    Sheet {
        figures: vec![("contracts", Value::count(contracts.0.len()))],
        lists: vec![List {
            name: "contracts",
            of: "contract",
            rows,
        }],
    }
}

fn contract(contract: &Contract) -> Row {
    Row {
        key: contract.symbol.to_string(),
        label: contract.symbol.to_string(),
        cells: vec![
            ("segment", contract.segment.as_str().into()),
            ("kind", spelled(&contract.kind)),
            (
                "expiry",
                contract.expiry.map_or(Value::Nothing, Value::text),
            ),
            ("strike", Value::some(contract.strike)),
            ("lot", contract.lot.into()),
            ("tick", contract.tick.into()),
            ("freeze", contract.freeze.into()),
            ("low", contract.band_low.into()),
            ("high", contract.band_high.into()),
            ("reference", contract.reference_price.into()),
            ("protection", contract.price_protection.into()),
            (
                "restriction",
                contract
                    .restriction
                    .as_ref()
                    .map_or(Value::Nothing, spelled),
            ),
            ("version", Value::text(&contract.version)),
        ],
    }
}

/// As the log spells it.
fn spelled(of: &impl Serialize) -> Value {
    match serde_json::to_value(of) {
        Ok(serde_json::Value::String(text)) => Value::Text(text),
        Ok(_) | Err(_) => Value::Nothing,
    }
}

pub fn refusals(refusals: &Refusals, focus: Focus) -> Sheet {
    let row = |(request, code): &(squareoff_domain::RequestId, String)| Row {
        key: format!("{request} {code}"),
        label: format!("request {request}"),
        cells: vec![("refused as", Value::text(code))],
    };
    let rows = match focus {
        Focus::All => refusals.0.iter().map(row).collect(),
        Focus::On(_) => vec![],
    };
    Sheet {
        figures: vec![("refused requests", Value::count(refusals.0.len()))],
        lists: vec![List {
            name: "refusals",
            of: "refusal",
            rows,
        }],
    }
}

pub fn suspense(suspense: &Suspense, focus: Focus) -> Sheet {
    let row = |(key, held): (&String, &Held)| report(key, held);
    let rows = match focus {
        Focus::All => suspense.held.iter().map(row).collect(),
        Focus::On(Event::Suspense(event)) => suspense
            .held
            .get_key_value(report_key(event))
            .map(row)
            .into_iter()
            .collect(),
        Focus::On(_) => vec![],
    };
    let open = suspense.held.values().filter(|held| held.settled.is_none());
    Sheet {
        figures: vec![
            ("reports held", Value::count(suspense.held.len())),
            ("not settled", Value::count(open.count())),
        ],
        lists: vec![List {
            name: "reports",
            of: "report",
            rows,
        }],
    }
}

fn report_key(event: &SuspenseEvent) -> &String {
    match event {
        SuspenseEvent::ReportSuspended(report) => &report.report_key,
        SuspenseEvent::SuspenseMatchBegun(begun) => &begun.report_key,
        SuspenseEvent::SuspenseMatched(matched) => &matched.report_key,
        SuspenseEvent::SuspenseDismissed(dismissed) => &dismissed.report_key,
        SuspenseEvent::SuspenseContradicted(told) => &told.report_key,
    }
}

fn report(key: &str, held: &Held) -> Row {
    let told = held.execution.as_ref();
    let settled = match (&held.settled, held.under_way()) {
        (Some(Settled::Matched { position }), _) => {
            Value::Text(format!("matched to {}", position.stream()))
        }
        (_, Some(begun)) => Value::Text(format!("a match to {} has begun", begun.stream())),
        (Some(Settled::Dismissed), None) => Value::Word("dismissed"),
        (None, None) => Value::Word("open"),
    };
    Row {
        key: key.to_owned(),
        label: format!("report {key}"),
        cells: vec![
            ("settled", settled),
            (
                "execution",
                told.map_or(Value::Nothing, |told| Value::text(&told.execution)),
            ),
            (
                "symbol",
                told.and_then(|told| told.symbol.as_ref())
                    .map_or(Value::Nothing, Value::text),
            ),
            ("side", told.map_or(Value::Nothing, |told| side(told.side))),
            ("quantity", Value::some(told.map(|told| told.quantity))),
            ("price", Value::some(told.map(|told| told.price))),
            ("contradicted", Value::count(held.contradicted.len())),
        ],
    }
}
