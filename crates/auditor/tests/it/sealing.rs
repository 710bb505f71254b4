//! The sealer: signs what there is, goes on from any crash, and stops before a log that was touched.

use crate::rig::{ORIGIN, Rig, until};
use squareoff_auditor::proofs::{Proofs, ProofsError};
use squareoff_auditor::tlog::{Checkpoint, CompactRange, Hash};
use squareoff_domain::sealing::{CheckpointSealed, STREAM};
use squareoff_store::{EventStore, Position};
use std::collections::BTreeMap;
use std::time::Duration;

/// Root over the log's first entries, from the log alone.
async fn root(store: &EventStore, size: u64) -> Hash {
    let mut tree = CompactRange::default();
    let mut after = Position::START;
    while tree.size() < size {
        let left = usize::try_from(size - tree.size()).unwrap();
        let entries = store.read_entries(after, left).await.unwrap();
        after = entries.last().expect("the log is not shorter").position;
        entries
            .iter()
            .for_each(|entry| tree.push(entry.leaf_hash()));
    }
    tree.root()
}

/// Every checkpoint that the log tells of: each of another size, in order, the root that the log has, at most 1,000 new events each.
async fn told(rig: &Rig) -> BTreeMap<u64, Checkpoint> {
    let events = rig.store.read_stream(STREAM, 1, 10_000).await.unwrap();
    let (mut found, mut before) = (BTreeMap::new(), 0);
    for event in events {
        let sealed: CheckpointSealed = serde_json::from_slice(&event.body).unwrap();
        let (checkpoint, _) = Checkpoint::open(&sealed.note, rig.key().public()).unwrap();
        assert_eq!(
            (checkpoint.size, &*checkpoint.origin),
            (sealed.size, ORIGIN)
        );
        assert!(
            sealed.size > before && sealed.size - before <= 1_000,
            "{before} {}",
            sealed.size
        );
        assert_eq!(checkpoint.root, root(&rig.store, sealed.size).await);
        before = sealed.size;
        found.insert(sealed.size, checkpoint);
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_appended_is_sealed_and_a_tail_of_checkpoints_is_left_alone() {
    let mut rig = Rig::new();
    let sealer = rig.seal(vec![]);
    let last = rig.append("platform", 2_345).await;
    let checkpoint = rig.sealed(last).await;
    assert_eq!(checkpoint.root, root(&rig.store, checkpoint.size).await);
    // Nothing but its own events comes behind: more than an interval later the size is the same.
    let quiet = until("the log is told of the newest checkpoint", || {
        let size = rig.checkpoint().unwrap().size;
        (size >= 2_345).then_some(size)
    })
    .await;
    let last = rig.append("client-C00001", 1).await;
    let next = rig.sealed(last).await;
    assert!(next.size > quiet);
    // A checkpoint is on disk before the log tells of it: stopped, the sealer has told of them all.
    sealer.stop().await;
    let checkpoints = told(&rig).await;
    assert!(checkpoints.len() >= 4, "{checkpoints:?}");
    assert!(rig.status().alarms.is_empty());
    let sealed = rig.checkpoint().unwrap().size;
    // Started again with nothing to do it signs nothing.
    let sealer = rig.seal(vec![]);
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    sealer.stop().await;
    assert_eq!(rig.checkpoint().unwrap().size, sealed);
}

/// More has come since it last looked than the checkpoint at hand has room for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_it_leaves_nothing_unsigned() {
    let mut rig = Rig::new();
    let sealer = rig.seal(vec![]);
    rig.append("platform", 900).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let last = rig.append("platform", 500).await;
    sealer.stop().await;
    assert!(rig.status().position >= last.as_u64());
    assert!(rig.checkpoint().unwrap().size >= 1_400);
    told(&rig).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_has_a_proof_as_soon_as_it_is_sealed_and_not_before() {
    let mut rig = Rig::new();
    let proofs = Proofs::new(&rig.audit());
    let last = rig.append("platform", 300).await;
    let entries = rig.store.read_entries(Position::START, 300).await.unwrap();
    assert!(matches!(
        proofs.prove(&entries[7]),
        Err(ProofsError::NotSealed)
    ));
    let sealer = rig.seal(vec![]);
    rig.sealed(last).await;
    for entry in &entries {
        let proof = proofs.prove(entry).unwrap();
        assert_eq!(proof.extra.as_deref(), Some(&*entry.bytes));
        proof
            .verify(&entry.leaf_hash(), &rig.public_key(), &[], 0)
            .unwrap();
        let mut other = entry.clone();
        other.bytes[20] ^= 1;
        assert!(
            matches!(proofs.prove(&other), Err(ProofsError::Altered(at)) if at == entry.position)
        );
    }
    sealer.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_it_signs_one_root_for_each_size_and_never_a_smaller_one() {
    let mut rig = Rig::new();
    let mut seen: BTreeMap<u64, Hash> = BTreeMap::new();
    for round in 0..25_u64 {
        let sealer = rig.seal(vec![]);
        rig.append("platform", 700).await;
        // Somewhere between the first read and the last word.
        tokio::time::sleep(Duration::from_millis((round * 7) % 60)).await;
        sealer.kill().await;
        if let Some(checkpoint) = rig.checkpoint() {
            let newest = seen.keys().next_back().copied().unwrap_or(0);
            assert!(checkpoint.size >= newest);
            let root = seen.entry(checkpoint.size).or_insert(checkpoint.root);
            assert_eq!(*root, checkpoint.root);
        }
    }
    let last = rig.append("platform", 1).await;
    let sealer = rig.seal(vec![]);
    rig.sealed(last).await;
    sealer.stop().await;
    for (size, checkpoint) in told(&rig).await {
        assert_eq!(
            *seen.entry(size).or_insert(checkpoint.root),
            checkpoint.root
        );
    }
    assert!(seen.len() > 10, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tiles_positions_and_even_the_checkpoint_are_made_again_of_the_log() {
    let mut rig = Rig::new();
    let sealer = rig.seal(vec![]);
    let last = rig.append("platform", 1_500).await;
    rig.sealed(last).await;
    sealer.stop().await;
    let size = rig.checkpoint().unwrap().size;
    let leaf = rig.audit().join("tile/0/001");
    for damage in 0..4 {
        match damage {
            0 => std::fs::write(&leaf, [7; 8_192]).unwrap(),
            1 => std::fs::remove_file(&leaf).unwrap(),
            2 => std::fs::write(rig.audit().join("positions"), [1; 9]).unwrap(),
            _ => {
                std::fs::remove_file(rig.audit().join("checkpoint")).unwrap();
                std::fs::remove_dir_all(rig.audit().join("tile")).unwrap();
            }
        }
        let sealer = rig.seal(vec![]);
        let last = rig.append("platform", 1).await;
        rig.sealed(last).await;
        sealer.stop().await;
        assert!(rig.status().alarms.is_empty(), "{:?}", rig.status());
        assert!(rig.checkpoint().unwrap().size > size);
        let entry = rig
            .store
            .read_entries(Position::from_u64(299), 1)
            .await
            .unwrap()
            .remove(0);
        let proof = Proofs::new(&rig.audit()).prove(&entry).unwrap();
        proof
            .verify(&entry.leaf_hash(), &rig.public_key(), &[], 0)
            .unwrap();
    }
    told(&rig).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_backup_of_the_log_stops_it_with_the_first_missing_position() {
    let mut rig = Rig::new();
    rig.append("platform", 400).await;
    let sealer = rig.seal(vec![]);
    let last = rig.append("platform", 100).await;
    rig.sealed(last).await;
    sealer.stop().await;
    let sealed = rig.checkpoint().unwrap();
    // Another log stands in its place: shorter, with other events.
    let mut other = Rig::new();
    other.append("platform", 5).await;
    std::mem::swap(&mut rig.store, &mut other.store);
    let sealer = rig.seal(vec![]);
    let alarm = until("the alarm", || rig.status().alarms.get("log").cloned()).await;
    assert!(alarm.contains("the event at position 1 "), "{alarm}");
    rig.append("client-C00001", 3).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(
        rig.checkpoint().unwrap(),
        sealed,
        "nothing is signed any more"
    );
    sealer.stop().await;
    assert_eq!(rig.checkpoint().unwrap(), sealed);
    // Back in its place, all is well.
    std::mem::swap(&mut rig.store, &mut other.store);
    let sealer = rig.seal(vec![]);
    until("the alarm is over", || {
        rig.status().alarms.is_empty().then_some(())
    })
    .await;
    sealer.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_sealed_with_a_key_that_was_lost_is_not_signed_with_another() {
    let mut rig = Rig::new();
    let sealer = rig.seal(vec![]);
    let last = rig.append("platform", 5).await;
    rig.sealed(last).await;
    sealer.stop().await;
    std::fs::rename(rig.audit(), rig.path("kept")).unwrap();
    let sealer = rig.seal(vec![]);
    let alarm = until("the alarm", || rig.status().alarms.get("log").cloned()).await;
    assert!(alarm.contains("with another key"), "{alarm}");
    sealer.stop().await;
    assert_eq!(rig.checkpoint(), None);
}
