use crate::{small, small_book};
use squareoff_domain::platform::PlatformEvent;
use squareoff_domain::position::{Position as PositionState, PositionEvent};
use squareoff_domain::reference::{ContractList, contracts_stream};
use squareoff_domain::{Event, Price, Quantity, Timestamp, Venue};
use squareoff_primary::{Book, ImportReport, ImportedBy, SampleBook, generate, import};
use squareoff_store::{EventStore, Position, Streams, codec};

pub fn by() -> ImportedBy {
    ImportedBy {
        actor: "operator:test".into(),
        epoch: 0,
        now: Timestamp(1_795_000_000_000_000_000),
    }
}

pub async fn events(store: &EventStore) -> Vec<Event> {
    let (mut after, mut events) = (Position::START, Vec::new());
    loop {
        let page = store.read_all(after, 10_000).await.unwrap();
        let Some(last) = page.last() else {
            return events;
        };
        after = last.position;
        events.extend(page.iter().map(|stored| codec::decode(stored).unwrap()));
    }
}

async fn imported(book: &Book) -> (tempfile::TempDir, EventStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = EventStore::open(folder.path()).unwrap();
    let report = import(&store, book, &by()).await.unwrap();
    let lines = book.contracts.len() + book.clients.len() + book.positions.len();
    assert_eq!((report.events_appended, report.unchanged), (lines, 0));
    (folder, store)
}

#[tokio::test]
async fn a_book_imported_twice_appends_nothing_the_second_time() {
    let book = small_book();
    let (_folder, store) = imported(&book).await;
    let head = store.head().await.unwrap();
    let later = ImportedBy {
        actor: "operator:other".into(),
        epoch: 3,
        now: Timestamp(0),
    };
    let report = import(&store, &book, &later).await.unwrap();
    let expected = ImportReport {
        contracts: 60,
        clients: 60,
        positions: 400,
        events_appended: 0,
        unchanged: 520,
        contradicted: 0,
    };
    assert_eq!(report, expected);
    assert_eq!(store.head().await.unwrap(), head);
}

#[tokio::test]
async fn what_is_imported_is_what_the_files_say() {
    let book = small_book();
    let (_folder, store) = imported(&book).await;
    let positions = Streams::<PositionState>::new(store.clone());
    for line in &book.positions {
        let loaded = positions.load(&line.key.stream()).await.unwrap();
        assert_eq!(loaded.state.key.as_ref(), Some(&line.key));
        assert_eq!(
            (loaded.state.net, loaded.state.bod),
            (line.net_quantity, line.net_quantity)
        );
    }
    let lists = Streams::<ContractList>::new(store.clone());
    for venue in [Venue::Nse, Venue::Bse] {
        let loaded = lists
            .load(&contracts_stream(book.trading_date, venue))
            .await
            .unwrap();
        let lines = book.contracts.iter().map(|line| &line.contract);
        let expected: Vec<_> = lines.filter(|contract| contract.venue == venue).collect();
        assert!(loaded.state.0.values().eq(expected));
    }
}

#[tokio::test]
async fn no_identity_enters_the_log() {
    let book = small_book();
    let (_folder, store) = imported(&book).await;
    let log: String = store
        .read_all(Position::START, 10_000)
        .await
        .unwrap()
        .iter()
        .map(|stored| String::from_utf8(stored.body.clone()).unwrap())
        .collect();
    assert!(log.contains("C00001"));
    for line in &book.clients {
        for secret in [
            &line.identity.pan,
            &line.identity.email,
            &line.identity.phone,
        ] {
            assert!(!log.contains(secret.as_str()), "{secret}");
        }
    }
    assert!(!log.contains("Namuna"));
}

#[tokio::test]
async fn a_second_file_that_tells_it_otherwise_is_a_contradiction_and_changes_nothing() {
    let book = small_book();
    let (_folder, store) = imported(&book).await;
    let mut positions = book.positions.clone();
    positions[3].net_quantity.0 += 1;
    positions[5].average_price = Price(positions[5].average_price.0 + 100);
    let contracts = book.contracts.clone();
    let other = Book::of_lines(
        book.trading_date,
        contracts,
        book.clients.clone(),
        positions,
    );
    let report = import(&store, &other, &by()).await.unwrap();
    assert_eq!(
        (
            report.events_appended,
            report.contradicted,
            report.unchanged
        ),
        // Each freezes its position too.
        (4, 2, 518)
    );
    let again = import(&store, &other, &by()).await.unwrap();
    assert_eq!(again.events_appended, 0);

    let events = events(&store).await;
    let (loaded, told) = events[events.len() - 5..].split_last().unwrap();
    assert!(
        matches!(loaded, Event::Platform(PlatformEvent::BookLoaded(book)) if book.source.contains(&other.versions.positions)),
        "{loaded:?}"
    );
    for event in told {
        match event {
            Event::Position(PositionEvent::BodContradicted(event)) => {
                assert_eq!(event.source, other.versions.positions);
            }
            Event::Position(PositionEvent::PositionFrozen(_)) => {}
            _ => panic!("{event:?}"),
        }
    }
    let streams = Streams::<PositionState>::new(store.clone());
    let loaded = streams.load(&book.positions[3].key.stream()).await.unwrap();
    assert_eq!(loaded.state.net, book.positions[3].net_quantity);
}

/// Masters, unlike positions, follow the last file: also back to one that was imported before.
#[tokio::test]
async fn a_master_goes_where_the_last_file_says() {
    let book = small_book();
    let (_folder, store) = imported(&book).await;
    let (mut contracts, mut clients) = (book.contracts.clone(), book.clients.clone());
    contracts[0].contract.freeze = Quantity::new(contracts[0].contract.freeze.units() * 2).unwrap();
    clients[0].client.branch = "PUN-09".into();
    let other = Book::of_lines(
        book.trading_date,
        contracts,
        clients,
        book.positions.clone(),
    );
    for book in [&other, &book, &other, &book] {
        let report = import(&store, book, &by()).await.unwrap();
        // All contracts are of a new version of the file; of the clients, one differs.
        assert_eq!((report.events_appended, report.contradicted), (60 + 1, 0));
        assert_eq!(
            import(&store, book, &by()).await.unwrap().events_appended,
            0
        );
    }
}

#[tokio::test]
async fn two_imports_at_once_leave_each_line_once() {
    let book = small_book();
    let folder = tempfile::tempdir().unwrap();
    let store = EventStore::open(folder.path()).unwrap();
    let other = EventStore::open(folder.path()).unwrap();
    let by = by();
    let (one, two) = tokio::join!(import(&store, &book, &by), import(&other, &book, &by));
    one.unwrap();
    two.unwrap();
    // And that they are all there, once.
    assert_eq!(events(&store).await.len(), 520 + 1);
}

#[tokio::test]
async fn a_contract_list_longer_than_one_append_is_imported_in_parts() {
    let book = generate(&SampleBook {
        clients: 0,
        positions: 0,
        ..small()
    })
    .unwrap();
    let numbered = |number: usize| {
        let mut line = book.contracts[0].clone();
        line.contract.symbol = format!("X{number}").parse().unwrap();
        line
    };
    let contracts = (0..2_500).map(numbered).collect();
    let long = Book::of_lines(book.trading_date, contracts, vec![], vec![]);
    let (_folder, store) = imported(&long).await;
    let again = import(&store, &long, &by()).await.unwrap();
    assert_eq!((again.events_appended, again.unchanged), (0, 2_500));
}
