use super::*;
use crate::NAME_BYTES_MAX;
use proptest::prelude::*;

fn name() -> impl Strategy<Value = Arc<str>> {
    prop_oneof![
        8 => "\\PC{0,40}",
        1 => Just("n".repeat(NAME_BYTES_MAX)),
    ]
    .prop_map(Arc::from)
}

fn event() -> impl Strategy<Value = StoredEvent> {
    let place = (any::<i64>(), name(), any::<u64>(), any::<[u8; 32]>());
    let what = (
        any::<u128>(),
        name(),
        any::<u16>(),
        any::<i64>(),
        any::<i64>(),
    );
    let who = (
        name(),
        any::<u128>(),
        any::<u128>(),
        any::<u32>(),
        any::<Option<[u8; 16]>>(),
    );
    let body = prop::collection::vec(any::<u8>(), 0..600);
    (place, what, who, body).prop_map(|(place, what, who, body)| StoredEvent {
        position: Position::from_u64(place.0.unsigned_abs() >> 1),
        stream: place.1,
        version: place.2,
        previous: place.3,
        id: Uuid::from_u128(what.0),
        event_type: what.1,
        schema_version: what.2,
        occurred_at: Timestamp(what.3),
        recorded_at: Timestamp(what.4),
        actor: who.0,
        request_id: Uuid::from_u128(who.1),
        correlation_id: Uuid::from_u128(who.2),
        trace_id: who.4.and_then(TraceId::of_bytes),
        epoch: who.3,
        body,
    })
}

proptest! {
    #[test]
    fn an_event_is_read_from_its_entry_as_it_was(event in event(), neighbour in event()) {
        let entry = Entry::of(&event);
        prop_assert_eq!(entry.event(), Ok(event.clone()));
        prop_assert_eq!(decode(event.position, &entry.bytes, Some(&neighbour)), Ok(event.clone()));
        prop_assert_eq!(decode(event.position, &entry.bytes, Some(&event)), Ok(event));
    }

    #[test]
    fn bytes_that_say_an_event_are_its_one_entry(event in event(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut entry = Entry::of(&event);
        let at = at.index(entry.bytes.len());
        entry.bytes[at] = to;
        if let Ok(said) = entry.event() {
            prop_assert_eq!(Entry::of(&said), entry);
        }
    }

    #[test]
    fn an_entry_cut_or_lengthened_is_none(event in event(), at in any::<prop::sample::Index>(), more in 1_usize..9) {
        let mut entry = Entry::of(&event);
        let whole = entry.bytes.clone();
        entry.bytes.truncate(at.index(whole.len()));
        let cut = entry.event().unwrap_err();
        prop_assert!(matches!(cut, EntryError::Short { .. }), "{cut}");
        entry.bytes = whole;
        entry.bytes.resize(entry.bytes.len() + more, 0);
        prop_assert_eq!(entry.event(), Err(EntryError::Long { bytes: more }));
    }

    #[test]
    fn any_bytes_are_an_entry_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300), layout in any::<bool>()) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut().filter(|_| layout) {
            *first = LAYOUT;
        }
        let entry = Entry { position: Position::START, bytes };
        if let Ok(said) = entry.event() {
            prop_assert_eq!(Entry::of(&said), entry);
        }
    }

    #[test]
    fn a_draft_sealed_is_the_entry_of_what_was_stored(event in event()) {
        let new = NewEvent {
            id: event.id,
            event_type: "OrderPlaced",
            schema_version: event.schema_version,
            occurred_at: event.occurred_at,
            actor: event.actor.clone(),
            request_id: event.request_id,
            correlation_id: event.correlation_id,
            trace_id: event.trace_id,
            epoch: event.epoch,
            body: event.body.clone(),
        };
        let mut draft = Draft::of(&event.stream, event.version, &new);
        let hash = draft.seal(event.recorded_at, event.previous);
        let stored = Entry::of(&StoredEvent { event_type: "OrderPlaced".into(), ..event });
        prop_assert_eq!(&draft.bytes, &stored.bytes);
        prop_assert_eq!(hash, stored.leaf_hash());
    }
}

/// Written down by hand: another layout would be another log.
#[test]
fn the_layout_is_the_one_that_is_documented() {
    let event = StoredEvent {
        position: Position::from_u64(77),
        stream: "s".into(),
        version: 2,
        recorded_at: Timestamp(-1),
        id: Uuid::from_u128(3),
        event_type: "T".into(),
        schema_version: 4,
        occurred_at: Timestamp(5),
        actor: "é".into(),
        request_id: Uuid::from_u128(6),
        correlation_id: Uuid::from_u128(7),
        trace_id: None,
        epoch: 8,
        previous: [9; 32],
        body: b"{}".to_vec(),
    };
    let entry = Entry::of(&event);
    let expected = format!(
        "01{}{:016x}{:032x}{}{:04x}{:016x}{}{}{:032x}{:032x}{:08x}{}{}",
        "000173",
        2,
        3,
        "000154",
        4,
        5,
        "ffffffffffffffff",
        "0002c3a9",
        6,
        7,
        8,
        "09".repeat(32),
        "000000027b7d",
    );
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    assert_eq!(hex(&entry.bytes), expected);
    assert_eq!(entry.bytes.len(), FIXED_BYTES + "sT".len() + "é".len() + 2);
    let empty = Entry {
        position: Position::START,
        bytes: vec![],
    };
    // SHA-256 of one zero byte.
    assert_eq!(
        hex(&empty.leaf_hash()),
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    );
    assert_eq!(empty.event(), Err(EntryError::Short { field: "layout" }));
    let newer = Entry {
        bytes: vec![3],
        ..empty
    };
    assert_eq!(
        newer.event().unwrap_err().to_string(),
        "its layout is 3, this release knows 1 and 2"
    );
}

#[test]
fn a_trace_makes_another_layout_and_zeros_are_none() {
    let event = StoredEvent {
        position: Position::START,
        stream: "s".into(),
        version: 1,
        recorded_at: Timestamp(0),
        id: Uuid::nil(),
        event_type: "T".into(),
        schema_version: 1,
        occurred_at: Timestamp(0),
        actor: "a".into(),
        request_id: Uuid::nil(),
        correlation_id: Uuid::from_u128(7),
        trace_id: None,
        epoch: 0,
        previous: NO_PREVIOUS,
        body: vec![],
    };
    let without = Entry::of(&event);
    let trace_id = TraceId::of_bytes([0xab; 16]);
    let mut with = Entry::of(&StoredEvent { trace_id, ..event });
    assert_eq!(with.bytes.len(), without.bytes.len() + 16);
    assert_eq!(with.event().unwrap().trace_id, trace_id);
    let at = with.bytes.windows(16).position(|part| part == [0xab; 16]);
    let at = at.unwrap();
    assert_eq!(with.bytes[at - 16..at], *Uuid::from_u128(7).as_bytes());
    assert_eq!(with.bytes[1..at], without.bytes[1..at]);
    assert_eq!(with.bytes[at + 16..], without.bytes[at..]);
    with.bytes[at..at + 16].fill(0);
    assert_eq!(with.event(), Err(EntryError::NoTrace));
}
