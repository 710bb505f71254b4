use crate::world::{WHY, World, caller, code, line, pan};
use squareoff_domain::client::IdentityField::{DateOfBirth, Email, Name, Pan, Phone};
use squareoff_identity::{MasterKeySource, Rewrapped, Shown, Told, Vault, make_master_key};
use squareoff_store::Position;

#[tokio::test]
async fn what_is_told_again_is_not_recorded_again_and_what_changed_is() {
    let world = World::new().await;
    let head = world.store.head().await.unwrap();
    let again = world.record(&[line(1), line(2), line(3)]).await;
    assert_eq!((again.recorded, again.unchanged), (0, 3));
    assert_eq!(world.store.head().await.unwrap(), head);
    // One field changed, and the others are left out: what is not said stays.
    let mut moved = line(2);
    moved.identity = Default::default();
    moved.identity.set(Email, "new@example.com");
    assert_eq!(world.record(&[moved]).await.recorded, 1);
    let plain = world.reveal(2).await.unwrap();
    assert_eq!(plain.get(Email), Some("new@example.com"));
    assert_eq!(plain.get(Pan), Some(pan(2).as_str()));
    // Another PAN is found, the old one no longer.
    let mut other = line(2);
    other.identity.set(Pan, "AAAPZ9999Z");
    world.record(&[other]).await;
    assert_eq!(world.find(9999), [code(2)]);
    assert!(world.find(2).is_empty());
}

#[tokio::test]
async fn nothing_of_an_identity_is_in_the_log_in_the_clear() {
    let world = World::new().await;
    world.reveal(1).await.unwrap();
    world.erase(3).await;
    let log = world.log().await;
    let text: String = log
        .iter()
        .map(|event| String::from_utf8_lossy(&event.body).into_owned())
        .collect();
    assert!(text.contains("MUM-01") && text.contains("\"pan\""));
    for number in 1..=3 {
        for (_, secret) in line(number).identity.iter() {
            assert!(!text.contains(secret), "{secret}");
        }
    }
}

#[tokio::test]
async fn an_identity_is_shown_masked_and_found_by_its_pan_alone() {
    let world = World::new().await;
    let state = world.state(1).await;
    let shown = world.vault.show(&code(1), &state);
    let Shown::Masked(fields) = shown else {
        panic!("{shown:?}");
    };
    assert!(fields.contains(&(Pan, "AA******1Z".to_owned())));
    assert!(fields.contains(&(Name, "A*** N***".to_owned())));
    assert_eq!(world.find(1), [code(1)]);
    assert_eq!(
        world.vault.find(&" aaapz0001z ".to_owned().into()).unwrap(),
        [code(1)]
    );
    for none in ["AAAPZ0009Z", "AAAPZ000", "", "AAAPZ0001"] {
        assert!(
            world
                .vault
                .find(&none.to_owned().into())
                .unwrap()
                .is_empty()
        );
    }
    // Two codes of one person.
    world.register(4).await;
    let mut twin = line(4);
    twin.identity.set(Pan, pan(1));
    world.record(&[twin]).await;
    assert_eq!(world.find(1), [code(1), code(4)]);
}

#[tokio::test]
async fn a_caller_is_who_tells_pan_and_date_of_birth_and_nothing_less() {
    let world = World::new().await;
    let mut born = line(2);
    born.identity.set(DateOfBirth, "1984-02-29");
    world.record(&[born]).await;
    let state = world.state(2).await;
    let is_caller = |number: u32, pan: &str, date: &str| {
        let told = Told {
            pan: pan.to_owned().into(),
            date_of_birth: date.to_owned().into(),
        };
        let identity = state.identity.as_ref().unwrap();
        world.vault.is_caller(&code(number), identity, &told)
    };
    for (pan, date, expected) in [
        ("AAAPZ0002Z", "1984-02-29", true),
        (" aaapz0002z ", " 1984-02-29", true),
        ("AAAPZ0001Z", "1984-02-29", false),
        ("AAAPZ0002Z", "1984-02-28", false),
        ("AAAPZ0002Z", "1984-02-2", false),
        ("AAAPZ0002Z", "", false),
        ("", "1984-02-29", false),
        ("", "", false),
    ] {
        assert_eq!(is_caller(2, pan, date).unwrap(), expected, "{pan} {date}");
    }
    // Not under another client's name.
    assert!(is_caller(1, "AAAPZ0002Z", "1984-02-29").is_err());
    // What is not recorded is told by nobody, not even by who says nothing.
    let bare = world.state(1).await;
    let told = Told {
        pan: "AAAPZ0001Z".to_owned().into(),
        date_of_birth: String::new().into(),
    };
    let identity = bare.identity.as_ref().unwrap();
    assert!(!world.vault.is_caller(&code(1), identity, &told).unwrap());
    // Nothing of it is in a debug text.
    assert!(!format!("{told:?}").contains("AAAPZ"), "{told:?}");
}

#[tokio::test]
async fn a_reveal_is_in_the_log_before_the_text_is_out() {
    let world = World::new().await;
    let revealed = world
        .vault
        .reveal(&world.streams, &code(1), WHY, &caller())
        .await
        .unwrap();
    let last = world.log().await.pop().unwrap();
    assert_eq!(&*last.event_type, "ClientIdentityRevealed");
    assert_eq!(
        (last.position, &*last.actor),
        (revealed.position.unwrap(), "desk-asha")
    );
    assert_eq!(last.request_id, revealed.request_id.0);
    assert!(String::from_utf8_lossy(&last.body).contains(WHY));
    assert_eq!(revealed.identity.get(Phone), Some("+91 00000 00001"));
    // Each look is one more.
    world.reveal(1).await.unwrap();
    assert_eq!(world.types(1).await.len(), 4);
    // What is refused, or cannot be opened, is not recorded as seen.
    let head = world.store.head().await.unwrap();
    for (number, reason, said) in [
        (1, "", "a reason is needed"),
        (1, "saw AAAPZ0001Z", "looks like a PAN"),
        (9, WHY, "no client has the code C00009"),
    ] {
        let refused = world
            .vault
            .reveal(&world.streams, &code(number), reason, &caller())
            .await
            .unwrap_err();
        assert!(refused.to_string().contains(said), "{refused}");
    }
    let master = world.folder.path().join("master.key");
    std::fs::rename(&master, world.folder.path().join("away")).unwrap();
    let message = world.reveal(1).await.unwrap_err();
    assert!(message.contains("there is no master key"), "{message}");
    assert_eq!(world.store.head().await.unwrap(), head);
    let state = world.state(1).await;
    assert!(matches!(
        world.vault.show(&code(1), &state),
        Shown::Sealed { .. }
    ));
}

#[tokio::test]
async fn an_erased_client_is_forgotten_and_the_log_keeps_its_bytes() {
    let world = World::new().await;
    let before = world
        .store
        .read_entries(Position::START, 1_000)
        .await
        .unwrap();
    let (plain, files) = (world.reveal(2).await.unwrap(), world.files_with(2));
    assert_eq!(files.len(), 2, "the store and its backup: {files:?}");
    // Nobody needs the master key to forget.
    std::fs::rename(
        world.folder.path().join("master.key"),
        world.folder.path().join("away"),
    )
    .unwrap();
    world.erase(2).await;
    std::fs::rename(
        world.folder.path().join("away"),
        world.folder.path().join("master.key"),
    )
    .unwrap();
    assert_eq!(world.files_with(2), Vec::<std::path::PathBuf>::new());
    assert_eq!(world.files_with(1).len(), 2);
    let state = world.state(2).await;
    assert_eq!(world.vault.show(&code(2), &state), Shown::Erased);
    assert!(world.find(2).is_empty());
    assert!(world.reveal(2).await.unwrap_err().contains("was erased"));
    assert_eq!(plain.get(Pan), Some(pan(2).as_str()));
    // Every leaf is what it was: proofs made before hold.
    let after = world
        .store
        .read_entries(Position::START, 1_000)
        .await
        .unwrap();
    assert!(after.len() > before.len());
    for (was, is) in before.iter().zip(&after) {
        assert_eq!((was.leaf_hash(), &was.bytes), (is.leaf_hash(), &is.bytes));
    }
    // Tomorrow's file names the client again.
    let told = world.record(&[line(1), line(2), line(3)]).await;
    assert_eq!((told.recorded, told.unchanged, told.erased), (0, 2, 1));
    assert_eq!(world.files_with(2), Vec::<std::path::PathBuf>::new());
    // Once more says nothing new.
    let types = world.types(2).await;
    world.erase(2).await;
    assert_eq!(world.types(2).await, types);
    assert_eq!(types.last().unwrap(), "ClientErased");
}

#[tokio::test]
async fn another_data_key_shows_the_same_and_the_old_one_is_gone() {
    let world = World::new().await;
    let old = world.state(1).await.identity.unwrap();
    world
        .vault
        .rotate_key(&world.streams, &code(1), WHY, &caller())
        .await
        .unwrap();
    let new = world.state(1).await.identity.unwrap();
    assert_ne!(new.key_id, old.key_id);
    assert_eq!(
        world.reveal(1).await.unwrap().get(Pan),
        Some(pan(1).as_str())
    );
    assert_eq!(world.find(1), [code(1)]);
    let slots = world.vault.keys().lock().await.unwrap().slots().unwrap();
    assert!(slots.iter().all(|slot| slot.key_id != old.key_id));
    // Tomorrow's file is known.
    assert_eq!(world.record(&[line(1)]).await.unchanged, 1);
}

#[tokio::test]
async fn another_master_key_shows_the_same() {
    let world = World::new().await;
    let path = world.folder.path().join("next.key");
    make_master_key(&path).unwrap();
    let next = MasterKeySource::File(path);
    let now = crate::world::NOW;
    let done = world.vault.rotate_master(&world.streams, &next, now).await;
    assert_eq!(done.unwrap(), Rewrapped::Now { keys: 3, lost: 0 });
    assert!(
        world
            .reveal(1)
            .await
            .unwrap_err()
            .contains("set the one it was wrapped by")
    );
    let vault = Vault::new(world.vault.keys().clone(), next);
    let revealed = vault.reveal(&world.streams, &code(1), WHY, &caller()).await;
    assert_eq!(revealed.unwrap().identity.get(Pan), Some(pan(1).as_str()));
}

#[tokio::test]
async fn keys_that_are_lost_come_back_from_a_backup_without_the_erased_ones() {
    let world = World::new().await;
    let backup = world.vault.back_up(crate::world::NOW).await.unwrap();
    // A copy out of reach, as an operator may have.
    let away = world.folder.path().join("copy");
    std::fs::copy(&backup, &away).unwrap();
    world.erase(3).await;
    std::fs::remove_file(world.folder.path().join("keys/client.keys")).unwrap();
    assert!(
        world
            .reveal(1)
            .await
            .unwrap_err()
            .contains("there is no key store")
    );
    let restored = world.vault.restore(&world.streams, &away).await.unwrap();
    assert_eq!(restored, (2, 1));
    assert_eq!(
        world.reveal(1).await.unwrap().get(Pan),
        Some(pan(1).as_str())
    );
    assert!(world.reveal(3).await.is_err());
    assert_eq!(world.files_with(3), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn without_its_key_an_identity_is_recorded_anew_from_the_next_file() {
    let world = World::new().await;
    std::fs::remove_file(world.folder.path().join("keys/client.keys")).unwrap();
    let told = world.record(&[line(1), line(2), line(3)]).await;
    assert_eq!((told.recorded, told.anew), (3, 3));
    assert_eq!(
        world.reveal(1).await.unwrap().get(Pan),
        Some(pan(1).as_str())
    );
}
