//! The report as one JSON document. Its shape is told in docs/RECONCILIATION.md: fields are added, never renamed.

use super::rupees::plain;
use super::view::{self, sum_of};
use crate::replay::zone::Zone;
use serde_json::{Map, Value, json};
use squareoff_reconcile::totals::{Sum, Sums, agree};
use squareoff_reconcile::{Break, Reconciliation, Source, Verdict};

/// Of the document; a change that readers must know of raises it.
const SCHEMA: u32 = 1;

pub fn report(done: &Reconciliation) -> Value {
    let compared = &done.compared;
    let at = |at| Zone::UTC.rfc3339(at);
    let (verdict, gaps) = match done.verdict() {
        Verdict::Equal => ("equal", vec![]),
        Verdict::Breaks => ("breaks", done.gaps()),
        Verdict::Incomplete(why) => ("incomplete", why),
    };
    let sources: Vec<Value> = view::sides(done)
        .into_iter()
        .map(|side| {
            let venues = done.venues(side.source).into_iter();
            json!({
                "source": side.source.as_str(),
                "present": side.there,
                "as_of": side.as_of.map(at),
                "position": side.position.map(|position| position.to_string()),
                "venues": venues.filter(|_| side.there).map(|venue| venue.as_str()).collect::<Vec<_>>(),
                "note": side.note,
                "total": sum(side.sum),
            })
        })
        .collect();
    let totals = &compared.totals;
    let all = view::with_trades(done, None);
    let segments: Vec<Value> = totals
        .segments
        .iter()
        .map(|((venue, segment), sums)| {
            let there = view::with_trades(done, Some(*venue));
            let segment = segment.map(|segment| segment.as_str());
            group(
                json!({"venue": venue.as_str(), "segment": segment}),
                sums,
                &there,
            )
        })
        .collect();
    let clients: Vec<Value> = totals
        .clients
        .iter()
        .map(|(client, sums)| group(json!({"client_code": &**client}), sums, &all))
        .collect();
    let instruments: Vec<Value> = totals
        .instruments
        .iter()
        .map(|((venue, symbol), sums)| {
            let there = view::with_trades(done, Some(*venue));
            group(
                json!({"venue": venue.as_str(), "symbol": &**symbol}),
                sums,
                &there,
            )
        })
        .collect();
    json!({
        "schema": SCHEMA,
        "date": done.scope.date.to_string(),
        "venue": done.scope.venue.map(|venue| venue.as_str()),
        "made_at": at(done.made_at),
        "day_over": done.moment.is_over,
        "verdict": verdict,
        "gaps": gaps,
        "money": plain(money(done)),
        "breaks": compared.breaks.iter().map(one).collect::<Vec<_>>(),
        "on_its_way": compared.on_its_way,
        "before_reach": compared.before_reach,
        "orders": compared.orders,
        "positions": {
            "count": compared.positions.count,
            "open": compared.positions.open,
            "open_value": plain(compared.positions.open_value.0.into()),
            "open_unvalued": compared.positions.open_unvalued,
        },
        "sources": sources,
        "totals": {"segments": segments, "clients": clients, "instruments": instruments},
    })
}

/// Of all breaks.
pub fn money(done: &Reconciliation) -> i128 {
    let breaks = done.compared.breaks.iter();
    breaks.map(|found| i128::from(found.money.0)).sum()
}

fn sum(sum: Sum) -> Value {
    json!({
        "trades": sum.trades,
        "bought": sum.bought,
        "sold": sum.sold,
        "value": plain(sum.value),
    })
}

fn group(mut name: Value, sums: &Sums, there: &[Source]) -> Value {
    let sides: Map<String, Value> = there
        .iter()
        .map(|source| (source.as_str().to_owned(), sum(sum_of(sums, *source))))
        .collect();
    name["agree"] = agree(sums, there).into();
    name["sides"] = sides.into();
    name
}

fn one(found: &Break) -> Value {
    let says: Map<String, Value> = found
        .says
        .iter()
        .map(|(source, text)| (source.as_str().to_owned(), text.as_str().into()))
        .collect();
    json!({
        "kind": found.kind.code(),
        "title": found.kind.title(),
        "money": plain(found.money.0.into()),
        "venue": found.venue.map(|venue| venue.as_str()),
        "segment": found.segment.map(|segment| segment.as_str()),
        "client_code": found.client.as_deref(),
        "symbol": found.symbol.as_deref(),
        "product": found.product.map(|product| product.as_str()),
        "execution_key": found.execution,
        "cl_ord_id": found.order.as_deref(),
        "stream": found.stream.as_deref(),
        "says": says,
        "cause": found.cause,
        "next": found.next,
    })
}
