//! What a row of each file says, and what it must agree with.

use super::row::Row;
use crate::book::{ClientLine, ContractLine, Identity, PositionLine};
use crate::format::{
    CASH_SERIES, KINDS, SEGMENT_SEPARATOR, TRADE_FOR_TRADE_SERIES, is_option, parse_instant,
    segment_of,
};
use squareoff_domain::client::IdentityField;
use squareoff_domain::reference::{InstrumentKind, OptionType, Restriction};
use squareoff_domain::{
    Client, ClientCode, Contract, PositionKey, Price, Product, Segment, Symbol, TradingDate, Venue,
};
use std::collections::HashMap;
use std::hash::Hash;

/// What the rows before have said.
#[derive(Default)]
pub(super) struct Known {
    /// The date of the first line that has one: all others must have it too.
    pub date: Option<TradingDate>,
    /// On which line each stands. Lines with a mistake elsewhere count, so that one mistake is told once.
    contracts: HashMap<(Venue, Symbol), u64>,
    clients: HashMap<ClientCode, u64>,
    positions: HashMap<(ClientCode, Venue, Symbol, Product), u64>,
    /// Whether every line of the file could be read: only then something missing in it is the position's mistake.
    pub contracts_complete: bool,
    pub clients_complete: bool,
}

pub(super) fn contract(row: &mut Row, known: &mut Known) -> Option<ContractLine> {
    let trading_date = date(row, known);
    let venue: Option<Venue> = row.id("venue");
    let segment: Option<Segment> = row.id("segment");
    let symbol: Option<Symbol> = row.id("symbol");
    if let (Some(venue), Some(symbol)) = (venue, &symbol) {
        once(
            row,
            "symbol",
            &mut known.contracts,
            (venue, symbol.clone()),
            &|line| format!("is listed at {venue} on line {line} already"),
        );
    }
    let kind = row.cell(
        "instrument_type",
        "is not EQ, FUTIDX, FUTSTK, OPTIDX or OPTSTK",
        |text| {
            KINDS
                .iter()
                .find(|(_, name)| *name == text)
                .map(|(kind, _)| *kind)
        },
    );
    let terms = kind.and_then(|kind| terms(row, kind, segment, trading_date));
    let lot = row.units("lot_size_units");
    let tick = row.rupees_above_zero("tick_size_rupees");
    let freeze = row.units("freeze_quantity_units");
    let band_low = row.rupees_above_zero("price_band_low_rupees");
    let band_high = row.rupees_above_zero("price_band_high_rupees");
    let reference_price = row.rupees_above_zero("reference_price_rupees");
    let why = "is not an instant of the form 2026-11-19T15:30:00+05:30";
    let reference_at = row.cell("reference_price_at", why, parse_instant);
    let source = row.label("source");
    let price_protection = row.rupees_above_zero("price_protection_rupees");
    let protection_range = protection_range(row);
    let suspended = row.cell(
        "restriction",
        "is neither empty nor `suspended`",
        |text| match text {
            "" => Some(None),
            "suspended" => Some(Some(Restriction::Suspended)),
            _ => None,
        },
    );

    let (tick, band_low, band_high) = (tick?, band_low?, band_high?);
    let (reference_price, lot, freeze) = (reference_price?, lot?, freeze?);
    if freeze < lot {
        row.refuse(
            "freeze_quantity_units",
            format!("is less than the lot of {lot}"),
        );
    }
    if band_high < band_low {
        row.refuse(
            "price_band_high_rupees",
            format!("is below the low end {band_low}"),
        );
    } else if !(band_low..=band_high).contains(&reference_price) {
        let why = format!("is outside the band {band_low} to {band_high}");
        row.refuse("reference_price_rupees", why);
    } else if band_low.ceil_to(tick) > band_high {
        row.refuse("tick_size_rupees", "leaves no price inside the band");
    }
    let Terms {
        expiry,
        strike,
        option_type,
        trade_for_trade,
    } = terms?;
    let contract = Contract {
        trading_date: trading_date?,
        venue: venue?,
        segment: segment?,
        symbol: symbol?,
        kind: kind?,
        expiry,
        strike,
        option_type,
        lot,
        tick,
        freeze,
        band_low,
        band_high,
        reference_price,
        reference_at: reference_at?,
        price_protection: price_protection?,
        protection_range: protection_range?,
        restriction: suspended?.or(trade_for_trade),
        version: String::new(),
    };
    Some(ContractLine {
        contract,
        source: source?,
    })
}

struct Terms {
    expiry: Option<TradingDate>,
    strike: Option<Price>,
    option_type: Option<OptionType>,
    trade_for_trade: Option<Restriction>,
}

/// Both ends of the limit price protection, or neither.
fn protection_range(row: &mut Row) -> Option<Option<(Price, Price)>> {
    let (low, high) = ("protection_low_rupees", "protection_high_rupees");
    if row.text(low).is_empty() && row.text(high).is_empty() {
        return Some(None);
    }
    let (from, to) = (row.rupees_above_zero(low), row.rupees_above_zero(high));
    let (from, to) = (from?, to?);
    if to < from {
        row.refuse(high, format!("is below the low end {from}"));
        return None;
    }
    Some(Some((from, to)))
}

/// The columns whose meaning hangs on the kind of instrument.
fn terms(
    row: &mut Row,
    kind: InstrumentKind,
    segment: Option<Segment>,
    trading_date: Option<TradingDate>,
) -> Option<Terms> {
    let kind_segment = segment_of(kind);
    if segment.is_some_and(|segment| segment != kind_segment) {
        let kind_name = row.text("instrument_type").to_owned();
        row.refuse(
            "segment",
            format!("is not where {kind_name} is traded: {kind_segment}"),
        );
    }
    let mut trade_for_trade = None;
    let expiry = if kind == InstrumentKind::Equity {
        let why = format!("is not the series {CASH_SERIES} or {TRADE_FOR_TRADE_SERIES}");
        row.cell("series_or_expiry", &why, |text| {
            trade_for_trade =
                (text == TRADE_FOR_TRADE_SERIES).then_some(Restriction::TradeForTrade);
            (text == CASH_SERIES || trade_for_trade.is_some()).then_some(None)
        })
    } else {
        let expiry = row.date("series_or_expiry");
        if let (Some(expiry), Some(date)) = (expiry, trading_date)
            && expiry < date
        {
            row.refuse(
                "series_or_expiry",
                format!("is before the trading date {date}"),
            );
        }
        expiry.map(Some)
    };
    let (strike, option_type) = if is_option(kind) {
        let strike = row.rupees_above_zero("strike");
        let option_type = row.cell("option_type", "is not CE or PE", |text| match text {
            "CE" => Some(OptionType::Call),
            "PE" => Some(OptionType::Put),
            _ => None,
        });
        (strike.map(Some), option_type.map(Some))
    } else {
        let mut empty = |column| {
            row.cell(column, "must be empty: this is no option", |text| {
                text.is_empty().then_some(())
            })
        };
        (
            empty("strike").map(|()| None),
            empty("option_type").map(|()| None),
        )
    };
    Some(Terms {
        expiry: expiry?,
        strike: strike?,
        option_type: option_type?,
        trade_for_trade,
    })
}

pub(super) fn client(row: &mut Row, known: &mut Known) -> Option<ClientLine> {
    let client: Option<ClientCode> = row.id("client_code");
    if let Some(client) = &client {
        let told = &mut known.clients;
        once(row, "client_code", told, client.clone(), &|line| {
            format!("is on line {line} already")
        });
    }
    let name = row.identity("name", IdentityField::Name);
    let category = row.label("category");
    let branch = row.label("branch");
    let why = "is not a list of different segments (CM, FO, CD, COM) with | between them";
    let segments = row.cell("segments", why, segments);
    let pan = row.identity("pan", IdentityField::Pan);
    let email = row.identity("email", IdentityField::Email);
    let phone = row.identity("phone", IdentityField::Phone);
    let date_of_birth = date_of_birth(row, known);
    Some(ClientLine {
        client: Client {
            client: client?,
            category: category?,
            branch: branch?,
            segments: segments?,
        },
        identity: Identity {
            name: name?,
            pan: pan?,
            email: email?,
            phone: phone?,
            date_of_birth: date_of_birth?,
        },
    })
}

pub(super) fn position(row: &mut Row, known: &mut Known) -> Option<PositionLine> {
    let date = date(row, known);
    let client: Option<ClientCode> = row.id("client_code");
    if let Some(client) = &client
        && known.clients_complete
        && !known.clients.contains_key(client)
    {
        row.refuse("client_code", "is not in the client file");
    }
    let venue: Option<Venue> = row.id("venue");
    let symbol: Option<Symbol> = row.id("symbol");
    if let (Some(venue), Some(symbol)) = (venue, &symbol)
        && known.contracts_complete
        && !known.contracts.contains_key(&(venue, symbol.clone()))
    {
        row.refuse(
            "symbol",
            format!("is not listed at {venue} in the contract file"),
        );
    }
    let product: Option<Product> = row.id("product");
    let net_quantity = row.net_units("net_quantity_units");
    let average_price = row.rupees("average_price_rupees");
    if average_price.is_some_and(|price| price.0 < 0) {
        row.refuse("average_price_rupees", "must not be below zero");
    }
    let (client, venue, symbol, product) = (client?, venue?, symbol?, product?);
    let told = (client.clone(), venue, symbol.clone(), product);
    once(row, "client_code", &mut known.positions, told, &|line| {
        format!("has this instrument and product on line {line} already")
    });
    Some(PositionLine {
        key: PositionKey {
            date: date?,
            client,
            venue,
            symbol,
            product,
        },
        net_quantity: net_quantity?,
        average_price: average_price?,
    })
}

/// `Some(None)` where the file does not say.
fn date_of_birth(row: &mut Row, known: &Known) -> Option<Option<String>> {
    let column = "date_of_birth";
    if row.text(column).is_empty() {
        return Some(None);
    }
    let text = row.identity(column, IdentityField::DateOfBirth)?;
    let date: Option<TradingDate> = text.parse().ok();
    if let (Some(date), Some(today)) = (date, known.date)
        && date >= today
    {
        row.withhold(column, "is not a date before the trading date");
        return None;
    }
    Some(Some(text))
}

/// The trading date, which is the same on every line of the book.
fn date(row: &mut Row, known: &mut Known) -> Option<TradingDate> {
    let date = row.date("trading_date")?;
    let first = *known.date.get_or_insert(date);
    if date != first {
        row.refuse(
            "trading_date",
            format!("is not the book's trading date {first}"),
        );
    }
    Some(date)
}

/// Notes the line of `key`, and a mistake when it has one already.
fn once<K: Hash + Eq>(
    row: &mut Row,
    column: &'static str,
    told: &mut HashMap<K, u64>,
    key: K,
    why: &dyn Fn(u64) -> String,
) {
    match told.get(&key) {
        Some(line) => row.refuse(column, why(*line)),
        None => drop(told.insert(key, row.line)),
    }
}

fn segments(text: &str) -> Option<Vec<Segment>> {
    let mut segments = Vec::new();
    for name in text.split(SEGMENT_SEPARATOR) {
        let segment = name.parse().ok()?;
        if segments.contains(&segment) {
            return None;
        }
        segments.push(segment);
    }
    Some(segments)
}
