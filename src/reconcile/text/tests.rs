//! The report as it reads, for a day with one break, and for one with none.

use super::*;
use crate::reconcile::{csv, json};
use crate::replay::zone::Zone;
use squareoff_domain::position::TradeStatus;
use squareoff_domain::{
    ExecutionKey, NetQuantity, PositionKey, Price, Product, Quantity, Segment, Side as Way,
    Timestamp, Venue,
};
use squareoff_reconcile::compare;
use squareoff_reconcile::read::Scope;
use squareoff_reconcile::sides::{
    Booked, Held, Instrument, Ledger, Moment, Origin, Sides, Terms, Told,
};
use squareoff_store::Position;

/// 2026-11-20 15:47:12 in India.
const MADE_AT: Timestamp = Timestamp(1_795_169_832_000_000_000);

/// A day of one trade, which the ledger has with `theirs` units.
fn done(theirs: Option<u64>) -> Reconciliation {
    let key = PositionKey {
        date: "2026-11-20".parse().unwrap(),
        client: "C00042".parse().unwrap(),
        venue: Venue::Nse,
        symbol: "BAJAJ-AUTO".parse().unwrap(),
        product: Product::Cnc,
    };
    let told = Told {
        execution: ExecutionKey::new(Venue::Nse, key.date, "NSE-812").unwrap(),
        terms: Terms {
            side: Way::Sell,
            quantity: Quantity::new(1_250).unwrap(),
            price: Price(90_125_500),
        },
        busted: false,
        account: Some("C00042".into()),
        symbol: Some("BAJAJ-AUTO".into()),
        order: Some("013F9K2M7Q1T8W4Z6N00".into()),
        at: Some(Timestamp(MADE_AT.0 - 3_600_000_000_000)),
    };
    let mut sides = Sides::default();
    sides.log.position = Position::from_u64(18_223);
    sides.log.at = Timestamp(MADE_AT.0 - 1_000_000_000);
    sides.log.positions.push(Held {
        stream: key.stream().into(),
        bod: NetQuantity(1_250),
        net: NetQuantity(0),
        working: Quantity::ZERO,
        frozen: false,
        handed_back: None,
        key,
    });
    let place = (Venue::Nse, "BAJAJ-AUTO".into());
    let instrument = Instrument {
        segment: Segment::Cash,
        mark: Price(90_000_000),
    };
    sides.log.instruments.insert(place, instrument);
    sides.log.trades.push(Booked {
        told: told.clone(),
        position: 0,
        order_id: None,
        status: TradeStatus::Provisional,
        origin: Origin::Order,
        at: Position::from_u64(18_000),
    });
    let mut ledger = Ledger {
        lines: 4_031,
        last_at: told.at,
        ..Ledger::default()
    };
    ledger.venues.insert(Venue::Nse);
    ledger.trades.extend(theirs.map(|units| {
        let mut theirs = told.clone();
        theirs.terms.quantity = Quantity::new(units).unwrap();
        theirs
    }));
    sides.ledger = Some(ledger);
    let compared = compare(&sides, Moment::END_OF_DAY);
    Reconciliation {
        scope: Scope {
            date: "2026-11-20".parse().unwrap(),
            venue: None,
        },
        made_at: MADE_AT,
        moment: Moment::END_OF_DAY,
        sides,
        compared,
        read_model_failed: None,
        ledger_path: Some("exchange/ledger.jsonl".into()),
        trades_path: None,
        positions_path: None,
        required: [].into(),
    }
}

fn paper(width: Option<usize>) -> Paper {
    Paper {
        width,
        colour: false,
        zone: Zone::IST,
    }
}

#[test]
fn a_break_reads_with_its_money_its_sides_its_cause_and_what_to_do() {
    let text = report(&done(Some(1_000)), &paper(Some(100)));
    let expected = "\
Reconciliation of 2026-11-20 has 1 break of 22,53,137.50 rupees
made at 2026-11-20 15:47:12.000 IST, the day is over

Compared
  the log                1 trade; as of position 18223, 2026-11-20 15:47:11.000 IST
  the drop copy          absent: it told nothing of this day
  the exchange's ledger  1 trade; as of 2026-11-20 14:47:12.000 IST; exchange/ledger.jsonl
  the trade file         absent: give it with --trades
  Postgres               absent
  the position file      absent: give it with --positions

Trades by venue and segment
                           trades  units bought  units sold  value in rupees
  NSE CM, sides differ
    the log                     1             0       1,250   1,12,65,687.50
    the exchange's ledger       1             0       1,000     90,12,550.00

Clients: 1 traded, 1 with sums that differ:
";
    assert!(text.starts_with(expected), "{text}");
    let expected = "
Breaks, most money first
1. quantity differs: 22,53,137.50 rupees
   client C00042 in BAJAJ-AUTO  at NSE CM, CNC  execution NSE-812  order 013F9K2M7Q1T8W4Z6N00
   the log                SELL 1250 at 9012.55
   the exchange's ledger  SELL 1000 at 9012.55
   likely  A correction of the trade reached only one side, or a line was changed by hand.
   next    Ask the venue which content stands. If it is theirs, have the correction or bust sent
           again; the log is never changed by hand.
   look    squareoff replay position-2026-11-20-C00042-NSE:BAJAJ-AUTO-CNC
";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn an_equal_day_says_who_agrees() {
    let text = report(&done(Some(1_250)), &paper(None));
    let first = text.lines().next().unwrap();
    assert_eq!(
        first,
        "Reconciliation of 2026-11-20 is equal: the log and the exchange's ledger agree"
    );
    assert!(text.ends_with("No breaks\n"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn no_line_is_wider_than_the_paper() {
    for width in [40, 60, 80, 100] {
        let text = report(&done(None), &paper(Some(width)));
        let widest = text.lines().map(UnicodeWidthStr::width).max();
        assert!(widest <= Some(width), "{width}: {text}");
    }
}

#[test]
fn the_json_has_the_documented_fields() {
    let report = json::report(&done(None));
    let fields = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(
        fields(&report),
        [
            "before_reach",
            "breaks",
            "date",
            "day_over",
            "gaps",
            "made_at",
            "money",
            "on_its_way",
            "orders",
            "positions",
            "schema",
            "sources",
            "totals",
            "venue",
            "verdict"
        ]
    );
    let found = &report["breaks"][0];
    assert_eq!(
        fields(found),
        [
            "cause",
            "cl_ord_id",
            "client_code",
            "execution_key",
            "kind",
            "money",
            "next",
            "product",
            "says",
            "segment",
            "stream",
            "symbol",
            "title",
            "venue"
        ]
    );
    assert_eq!(
        (&found["kind"], &found["money"], &found["says"]["ledger"]),
        (
            &"missing-at-venue".into(),
            &"11265687.50".into(),
            &"nothing".into()
        )
    );
    assert_eq!(report["sources"][0]["total"]["value"], "11265687.50");
    let text = report.to_string() + &csv::breaks(&done(None)).unwrap();
    let documented = include_str!("../../../docs/RECONCILIATION.md");
    for kind in squareoff_reconcile::Kind::ALL {
        let code = kind.code();
        assert!(
            documented.contains(&format!("`{code}`")),
            "{code} is in no docs"
        );
    }
    assert!(text.contains("number,kind,money_rupees"), "{text}");
}
