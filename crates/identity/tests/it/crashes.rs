//! What a process leaves that ended between two steps of an erasure or a rotation, made by doing the steps by hand and stopping.

use crate::world::{NOW, WHY, World, caller, code, line, pan};
use squareoff_domain::RequestId;
use squareoff_domain::client::IdentityField::Pan;
use squareoff_domain::client::{self, ClientAsk, ClientRequest, ClientState, client_stream};
use squareoff_identity::keys::{Slot, SlotState};
use uuid::Uuid;

/// The first step of an erasure.
async fn mark(world: &World, number: u32) {
    let locked = world.vault.keys().lock().await.unwrap();
    let slots: Vec<_> = locked
        .slots()
        .unwrap()
        .into_iter()
        .filter(|slot| slot.client == code(number))
        .map(|slot| Slot {
            state: SlotState::Erasing,
            ..slot
        })
        .collect();
    assert_eq!(slots.len(), 1);
    locked.update(&slots).unwrap();
}

async fn append(world: &World, number: u32, ask: ClientAsk) {
    let request = ClientRequest {
        request_id: RequestId(Uuid::now_v7()),
        by: "desk-asha".into(),
        client: code(number),
        reason: WHY.into(),
        ask,
    };
    let decide =
        |state: &ClientState| client::decide(state, request.clone()).map(|events| (events, ()));
    let stream = client_stream(&code(number));
    world
        .streams
        .transact(&stream, &caller(), decide)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_erasure_that_never_came_to_the_log_did_not_happen() {
    let world = World::new().await;
    mark(&world, 1).await;
    // Before anybody looks after the store, too.
    assert_eq!(
        world.reveal(1).await.unwrap().get(Pan),
        Some(pan(1).as_str())
    );
    world.vault.settle(&world.streams, NOW).await.unwrap();
    assert_eq!(
        world.reveal(1).await.unwrap().get(Pan),
        Some(pan(1).as_str())
    );
    assert_eq!(world.find(1), [code(1)]);
    let slots = world.vault.keys().lock().await.unwrap().slots().unwrap();
    assert!(slots.iter().all(|slot| slot.state == SlotState::Live));
}

#[tokio::test]
async fn an_erasure_that_came_to_the_log_is_finished_by_whoever_comes_next() {
    for next in ["settle", "import", "erase"] {
        let world = World::new().await;
        mark(&world, 1).await;
        append(&world, 1, ClientAsk::Erase).await;
        // The key is there still, and nobody is shown anything.
        assert!(!world.files_with(1).is_empty());
        assert!(world.reveal(1).await.unwrap_err().contains("was erased"));
        match next {
            "settle" => world.vault.settle(&world.streams, NOW).await.unwrap(),
            "import" => drop(world.record(&[line(1), line(2)]).await),
            _ => world.erase(1).await,
        }
        assert_eq!(
            world.files_with(1),
            Vec::<std::path::PathBuf>::new(),
            "{next}"
        );
        assert_eq!(
            world
                .types(1)
                .await
                .iter()
                .filter(|name| *name == "ClientErased")
                .count(),
            1
        );
    }
}

#[tokio::test]
async fn a_rotation_that_is_cut_short_leaves_the_key_that_the_log_names() {
    let world = World::new().await;
    let known = world.state(1).await.identity.unwrap();
    // A fresh key that the log never named.
    let locked = world.vault.keys().lock().await.unwrap();
    let old = locked
        .slots()
        .unwrap()
        .into_iter()
        .find(|slot| slot.client == code(1))
        .unwrap();
    let fresh = Slot {
        state: SlotState::Fresh,
        key_id: squareoff_domain::KeyId(Uuid::now_v7()),
        pan_index: None,
        ..old.clone()
    };
    locked.add(std::slice::from_ref(&fresh)).unwrap();
    drop(locked);
    world.vault.settle(&world.streams, NOW).await.unwrap();
    let left = || async {
        let slots = world.vault.keys().lock().await.unwrap().slots().unwrap();
        let of_client = slots.into_iter().filter(|slot| slot.client == code(1));
        of_client
            .map(|slot| (slot.key_id, slot.state, slot.pan_index))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        left().await,
        [(known.key_id, SlotState::Live, old.pan_index)]
    );
    assert!(world.reveal(1).await.is_ok());
    // And one that it did name: the one before goes, its index stays.
    let locked = world.vault.keys().lock().await.unwrap();
    locked.add(std::slice::from_ref(&fresh)).unwrap();
    drop(locked);
    let sealed = client::SealedIdentity {
        key_id: fresh.key_id,
        ..known
    };
    append(&world, 1, ClientAsk::RotateKey { sealed }).await;
    world.vault.settle(&world.streams, NOW).await.unwrap();
    assert_eq!(
        left().await,
        [(fresh.key_id, SlotState::Live, old.pan_index)]
    );
}
