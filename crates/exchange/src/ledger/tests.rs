//! The file's own promises: whole messages only, a torn end survived at every byte, damage said aloud.

use squareoff_fix::Timestamp;

use super::*;
use crate::fact::{Ended, MassRefusal, TimeInForce};
use crate::fault::Fault;
use crate::phase::Phase;
use crate::price::Price;
use crate::request::Scope;
use crate::setting::Setting;

/// One of each kind, in two messages: an order filled in part with its rest canceled, then refusals.
fn facts() -> Vec<Fact> {
    let happenings = [
        (Happening::Accepted, 1),
        (
            Happening::Executed {
                last_units: 65,
                last_price: Price(260_000_500),
                against: None,
            },
            1,
        ),
        (
            Happening::Executed {
                last_units: 65,
                last_price: Price(260_001_000),
                against: Some(9),
            },
            1,
        ),
        (Happening::Canceled { request: None }, 1),
        (
            Happening::Canceled {
                request: Some("X\"1".to_owned()),
            },
            2,
        ),
        (
            Happening::Rejected {
                reason: 6,
                text: "duplicate: ClOrdID A".to_owned(),
            },
            3,
        ),
        (
            Happening::CancelRejected {
                request: "X2".to_owned(),
                reason: 0,
                text: "order: is done already".to_owned(),
                of_replace: false,
            },
            4,
        ),
    ];
    let mut facts: Vec<Fact> = happenings
        .into_iter()
        .chain(later())
        .zip(1..)
        .map(|((happening, seq), ordinal)| fact(ordinal, seq, happening))
        .collect();
    for at in 0..facts.len() {
        facts[at].completes = facts
            .get(at + 1)
            .is_none_or(|next| next.cause != facts[at].cause);
    }
    facts
}

/// What can happen to an order and to the market later.
fn later() -> Vec<(Happening, u64)> {
    let (was_units, was_price) = (65, Price(260_000_500));
    let happenings = [
        Happening::Replaced {
            previous: "A".to_owned(),
        },
        Happening::CancelRejected {
            request: "X3".to_owned(),
            reason: 99,
            text: "lot: no".to_owned(),
            of_replace: true,
        },
        Happening::Carried,
        Happening::Suspended,
        Happening::Expired,
        Happening::Busted {
            execution: 2,
            was_units,
            was_price,
        },
        Happening::Corrected {
            execution: 3,
            was_units,
            was_price,
            last_units: 130,
            last_price: Price(260_002_000),
        },
        Happening::PhaseChanged {
            segment: "FO".to_owned(),
            to: Phase::PreClose,
        },
        Happening::FreezeArmed {
            symbol: Some("NIFTY26NOVFUT".to_owned()),
            orders: 2,
        },
        Happening::FreezeArmed {
            symbol: None,
            orders: 0,
        },
    ];
    happenings.into_iter().zip(5..).collect()
}

fn fact(ordinal: u64, msg_seq_num: u64, happening: Happening) -> Fact {
    let order = OrderImage {
        given_order_id: (happening == Happening::Carried).then(|| "1100000001".to_owned()),
        frozen: happening == Happening::Suspended,
        order: 1,
        priority: if ordinal == 8 { 8 } else { 1 },
        cl_ord_id: if ordinal == 8 { "R" } else { "A" }.to_owned(),
        original_cl_ord_id: "A".to_owned(),
        account: "C00001".to_owned(),
        symbol: "NIFTY26NOVFUT".to_owned(),
        side: Side::Sell,
        time_in_force: TimeInForce::Day,
        quantity_units: 195,
        price: Price(260_000_500),
        leaves_units: 65,
        cum_units: 130,
        notional: 33_800_097_500,
        ended: matches!(happening, Happening::Canceled { .. }).then_some(Ended::Canceled),
    };
    Fact {
        ordinal,
        venue: "NSE".to_owned(),
        session: "NSE:SQUAREOFF".to_owned(),
        cause: Cause {
            session: "NSE:OTHER".to_owned(),
            generation: 2,
            msg_seq_num,
        },
        completes: false,
        trade_date: "2026-11-20".to_owned(),
        transact_time: Timestamp(1_777_540_500_250_000_000),
        order,
        happening,
        fault: None,
    }
}

fn reopened(dir: &Path) -> Result<(Ledger, Vec<Fact>), LedgerError> {
    let mut found = Vec::new();
    let ledger = Ledger::open(dir, |_, fact| found.push(fact))?;
    Ok((ledger, found))
}

#[test]
fn what_was_appended_is_read_back_and_each_line_begins_where_said() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ledger, _) = reopened(dir.path()).unwrap();
    let starts = ledger.append(&facts()).unwrap();
    let text = std::fs::read_to_string(ledger.path()).unwrap();
    for (start, fact) in starts.iter().zip(facts()) {
        assert!(text[*start as usize..].starts_with(&format!("{{\"ordinal\":{},", fact.ordinal)));
    }
    assert_eq!(
        read(ledger.path())
            .unwrap()
            .collect::<Result<Vec<_>, _>>()
            .unwrap(),
        facts()
    );
    drop(ledger);
    let (ledger, found) = reopened(dir.path()).unwrap();
    assert_eq!((found, ledger.next_ordinal()), (facts(), 18));
}

#[test]
fn an_end_torn_at_any_byte_leaves_the_whole_messages_and_can_be_written_on() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ledger, _) = reopened(dir.path()).unwrap();
    // A message of four facts and one of a single fact; cut from the end of the first one's last fact but one.
    let facts = &facts()[..5];
    let starts = ledger.append(facts).unwrap();
    let path = ledger.path().to_owned();
    drop(ledger);
    let whole = std::fs::read(&path).unwrap();
    // The byte behind each line, and how many facts are whole messages up to there.
    let ends = starts[1..].iter().copied().chain([whole.len() as u64]);
    let complete: Vec<(u64, usize)> = ends
        .zip(1..)
        .filter(|(_, count)| facts[count - 1].completes)
        .collect();
    let from = usize::try_from(starts[3]).unwrap();
    for cut in from..=whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let expected = complete
            .iter()
            .rev()
            .find(|(end, _)| *end <= cut as u64)
            .map_or(0, |(_, count)| *count);
        assert_eq!(
            read(&path).unwrap().filter(|fact| fact.is_ok()).count(),
            expected,
            "read, cut at {cut}"
        );
        let (mut ledger, found) = reopened(dir.path()).unwrap();
        assert_eq!(found, facts[..expected], "cut at {cut}");
        ledger.append(&facts[expected..]).unwrap();
        drop(ledger);
        assert_eq!(
            std::fs::read(&path).unwrap(),
            whole,
            "written on after a cut at {cut}"
        );
    }
}

#[test]
fn a_garbled_last_line_is_torn_and_a_garbled_line_before_it_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ledger, _) = reopened(dir.path()).unwrap();
    ledger.append(&facts()).unwrap();
    let path = ledger.path().to_owned();
    drop(ledger);
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{whole}\0\0\0\n")).unwrap();
    assert_eq!(reopened(dir.path()).unwrap().1, facts());
    std::fs::write(&path, whole.replacen("order_accepted", "order_accept", 1)).unwrap();
    let said = reopened(dir.path()).unwrap_err().to_string();
    assert!(
        said.contains("ledger.jsonl, line 1: unknown variant"),
        "{said}"
    );
    let hole = whole.replacen("\"ordinal\":3", "\"ordinal\":4", 1);
    std::fs::write(&path, hole).unwrap();
    let said = reopened(dir.path()).unwrap_err().to_string();
    assert!(said.contains("line 3: ordinal 4 where 3 was due"), "{said}");
}

#[test]
fn a_ledger_of_the_first_release_is_read_as_it_was_meant() {
    const OLD: &str = r#"{"ordinal":1,"fact":"order_accepted","exec_id":"NSE-1","venue":"NSE","session":"NSE:SQUAREOFF","generation":1,"msg_seq_num":2,"trade_date":"2026-11-20","transact_time":"20261120-04:00:00.000","order":1,"order_id":"NSE-O1","cl_ord_id":"A","account":"C00001","symbol":"QUIET","side":"buy","time_in_force":"day","quantity_units":5,"price_e4":1000000,"leaves_units":5,"cum_units":0,"notional_e4":0}
{"ordinal":2,"fact":"canceled","exec_id":"NSE-2","venue":"NSE","session":"NSE:SQUAREOFF","generation":1,"msg_seq_num":2,"completes":true,"trade_date":"2026-11-20","transact_time":"20261120-04:00:00.000","order":1,"order_id":"NSE-O1","cl_ord_id":"A","account":"C00001","symbol":"QUIET","side":"buy","time_in_force":"day","quantity_units":5,"price_e4":1000000,"leaves_units":0,"cum_units":0,"notional_e4":0}
{"ordinal":3,"fact":"cancel_rejected","exec_id":"NSE-3","venue":"NSE","session":"NSE:SQUAREOFF","generation":1,"msg_seq_num":3,"completes":true,"trade_date":"2026-11-20","transact_time":"20261120-04:00:00.000","order":0,"order_id":"NONE","cl_ord_id":"A","account":"","symbol":"QUIET","side":"buy","time_in_force":"day","quantity_units":0,"price_e4":0,"leaves_units":0,"cum_units":0,"notional_e4":0,"request_cl_ord_id":"X","reason":1,"text":"order: A is not known here"}
"#;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE_NAME), OLD).unwrap();
    let (_, found) = reopened(dir.path()).unwrap();
    let orders = found.iter().map(|fact| {
        let order = &fact.order;
        let ids = (
            order.original_cl_ord_id.as_str(),
            order.given_order_id.as_deref(),
        );
        (ids, order.priority, order.frozen, order.ended)
    });
    let expected = [
        (("A", None), 1, false, None),
        (("A", None), 1, false, Some(Ended::Canceled)),
        (("A", None), 0, false, None),
    ];
    assert_eq!(orders.collect::<Vec<_>>(), expected);
    let Happening::CancelRejected { of_replace, .. } = found[2].happening else {
        panic!("not a cancel reject")
    };
    assert!(!of_replace);
}

#[test]
fn what_faults_and_settings_write_is_read_back() {
    let (was_units, was_price) = (65, Price(260_000_500));
    let request = || "X9".to_owned();
    let mut settings = vec![
        Setting::Fault {
            fault: Fault::OverFill,
            symbol: Some("A".to_owned()),
            times: 2,
        },
        Setting::NoFaults,
        Setting::Seeded(BTreeMap::from([(Fault::PartialFill, 500)])),
        Setting::Clock { ahead_ms: -5 },
    ];
    settings.push(Setting::Throttle {
        session: None,
        messages_per_second: None,
    });
    settings.push(Setting::CancelOnDisconnect {
        session: "NSE:A".to_owned(),
        on: true,
    });
    let mut happenings: Vec<Happening> = settings.into_iter().map(Happening::Set).collect();
    happenings.extend([
        Happening::AcknowledgedLate,
        Happening::Vanished,
        Happening::Repeated {
            execution: 2,
            to_copy: true,
        },
        Happening::Dropped {
            execution: 2,
            was_units,
            was_price,
        },
        Happening::Throttled {
            request: request(),
            kind: "D".to_owned(),
            text: "throttle: no".to_owned(),
        },
    ]);
    for (scope, refused) in [
        (Scope::All, None),
        (
            Scope::Symbol("A".to_owned()),
            Some(MassRefusal::UnknownSymbol),
        ),
        (
            Scope::Segment("FO".to_owned()),
            Some(MassRefusal::Duplicate),
        ),
        (Scope::Unsupported(b'5'), Some(MassRefusal::Unsupported)),
    ] {
        happenings.push(Happening::MassCanceled {
            request: request(),
            scope,
            affected: 3,
            refused,
        });
    }
    let facts = happenings.into_iter().zip(1..);
    let facts = facts.map(|(happening, ordinal)| Fact {
        completes: true,
        fault: (ordinal == 7).then_some(Fault::FillBeforeAck),
        ..fact(ordinal, ordinal, happening)
    });
    let facts: Vec<Fact> = facts.collect();
    let dir = tempfile::tempdir().unwrap();
    let (mut ledger, _) = reopened(dir.path()).unwrap();
    ledger.append(&facts).unwrap();
    drop(ledger);
    assert_eq!(reopened(dir.path()).unwrap().1, facts);
    assert_eq!(
        summary(&dir.path().join(FILE_NAME))
            .unwrap()
            .duplicate_cl_ord_ids,
        1
    );
}

#[test]
fn a_tail_that_is_lost_again_and_again_leaves_a_ledger_without_a_second_use_of_an_ordinal() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ledger, _) = reopened(dir.path()).unwrap();
    let whole = |ordinal| Fact {
        completes: true,
        ..fact(ordinal, ordinal, Happening::Expired)
    };
    ledger
        .append(&(1..=4).map(whole).collect::<Vec<_>>())
        .unwrap();
    drop(ledger);
    // What is kept, and the one line that says what is not.
    for (lines, expected) in [
        (0, vec![1, 2, 3, 4]),
        (1, vec![1, 2, 3, 5]),
        (1, vec![1, 2, 3, 6]),
        (2, vec![1, 2, 7]),
        (9, vec![8]),
        (1, vec![9]),
    ] {
        lose_tail(dir.path(), lines).unwrap();
        let (_, found) = reopened(dir.path()).unwrap();
        let ordinals: Vec<u64> = found.iter().map(|fact| fact.ordinal).collect();
        assert_eq!(ordinals, expected);
    }
    let (mut ledger, _) = reopened(dir.path()).unwrap();
    ledger.append(&[whole(10)]).unwrap();
    drop(ledger);
    assert_eq!(reopened(dir.path()).unwrap().1.len(), 2);
}

#[test]
fn a_folder_has_one_exchange() {
    let dir = tempfile::tempdir().unwrap();
    let (_held, _) = reopened(dir.path()).unwrap();
    let said = reopened(dir.path()).unwrap_err().to_string();
    assert!(said.contains("is in use by another exchange"), "{said}");
}

#[test]
fn the_summary_adds_up() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ledger, _) = reopened(dir.path()).unwrap();
    ledger.append(&facts()).unwrap();
    let summary = summary(ledger.path()).unwrap();
    let key = ("C00001".to_owned(), "NIFTY26NOVFUT".to_owned(), Side::Sell);
    let expected = Summary {
        facts: 17,
        orders_accepted: 2,
        orders_rejected: 1,
        cancels: 2,
        cancels_rejected: 2,
        replacements: 1,
        expiries: 1,
        busts: 1,
        duplicate_cl_ord_ids: 1,
        executions: 2,
        throttled: 0,
        executed_units: BTreeMap::from([(key, 130)]),
        cum_units: BTreeMap::from([("A".to_owned(), 130)]),
    };
    assert_eq!(summary, expected);
}
