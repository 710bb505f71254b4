//! The witness over HTTP: signs what continues, refuses a fork, and is missed but not waited for.

use crate::rig::{ORIGIN, Rig, until};
use reqwest::Client;
use squareoff_auditor::seal::WitnessAddress;
use squareoff_auditor::tlog::Checkpoint;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_checkpoint_is_cosigned_and_an_away_witness_is_an_alarm_that_goes() {
    let mut rig = Rig::new();
    let log = rig.key().public().clone();
    let (address, witness) = rig.witness(vec![log.clone()]).await;
    let sealer = rig.seal(vec![address.clone()]);
    let last = rig.append("platform", 50).await;
    rig.sealed(last).await;
    let cosigned = until("it is cosigned", || rig.cosigned()).await;
    assert!(cosigned.size >= 50);
    let published = format!("{}/{}/checkpoint", address.url, hash(ORIGIN));
    let note = Client::new()
        .get(published)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(Checkpoint::open(&note, &log).unwrap().0.size >= cosigned.size);
    witness.stop().await;
    let last = rig.append("platform", 50).await;
    rig.sealed(last).await;
    let who = rig.witness_key().public().name().to_owned();
    let alarm = until("the alarm", || rig.status().alarms.get(&who).cloned()).await;
    assert!(alarm.contains("does not answer"), "{alarm}");
    sealer.stop().await;
    // Another address, the same folder and key: it goes on from what it signed.
    let (address, witness) = rig.witness(vec![log]).await;
    let sealer = rig.seal(vec![address]);
    until("the newest is cosigned", || {
        (rig.cosigned()?.size == rig.checkpoint()?.size).then_some(())
    })
    .await;
    until("no alarm is left", || {
        rig.status().alarms.is_empty().then_some(())
    })
    .await;
    sealer.stop().await;
    witness.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_and_a_rollback_are_refused_and_shown() {
    let mut rig = Rig::new();
    let log = rig.key().public().clone();
    let (address, witness) = rig.witness(vec![log]).await;
    let sealer = rig.seal(vec![address.clone()]);
    let last = rig.append("platform", 20).await;
    rig.sealed(last).await;
    until("it is cosigned", || rig.cosigned()).await;
    sealer.stop().await;
    // The keeper of the key rewrites the log from nothing, and what he kept of the seal with it.
    let mut forged = Rig::new();
    std::fs::create_dir_all(forged.audit()).unwrap();
    for file in ["key", "key.pub"] {
        std::fs::copy(rig.audit().join(file), forged.audit().join(file)).unwrap();
    }
    let who = address.key.name().to_owned();
    let last = forged.append("platform", 3).await;
    let sealer = forged.seal(vec![address.clone()]);
    forged.sealed(last).await;
    let shorter = until("the alarm", || forged.status().alarms.get(&who).cloned()).await;
    assert!(shorter.contains("this log was put back"), "{shorter}");
    let last = forged.append("platform", 60).await;
    forged.sealed(last).await;
    let longer = until("the alarm", || {
        let alarm = forged.status().alarms.get(&who).cloned()?;
        alarm.contains("(422)").then_some(alarm)
    })
    .await;
    assert!(longer.contains("fork"), "{longer}");
    assert_eq!(forged.status().cosigned, None);
    sealer.stop().await;
    witness.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_the_protocol_is_refused_by_its_status() {
    let rig = Rig::new();
    let (address, witness) = rig.witness(vec![rig.key().public().clone()]).await;
    let post = async |body: String| {
        let asked = Client::new()
            .post(format!("{}/add-checkpoint", address.url))
            .body(body);
        asked.send().await.unwrap().status().as_u16()
    };
    let stranger = Checkpoint {
        origin: "somebody/else".to_owned(),
        size: 0,
        root: squareoff_auditor::tlog::EMPTY_ROOT,
    };
    let note = stranger.sign(&rig.key()).to_string();
    assert_eq!(post(format!("old 0\n\n{note}")).await, 404);
    assert_eq!(post("hello".to_owned()).await, 400);
    assert_eq!(post("x".repeat(1 << 20)).await, 413);
    let own = Checkpoint {
        origin: ORIGIN.to_owned(),
        ..stranger
    };
    let note = own.sign(&rig.key()).to_string();
    assert_eq!(
        post(format!("old 0\n\n{}", note.replace("\n0\n", "\n1\n"))).await,
        403
    );
    assert_eq!(post(format!("old 1\n\n{note}")).await, 400);
    assert_eq!(post(format!("old 0\n\n{note}")).await, 200);
    witness.stop().await;
}

#[test]
fn an_address_has_a_url_and_the_key_that_cosigns() {
    let rig = Rig::new();
    let (cosigns, signs) = (
        rig.witness_key().public().to_string(),
        rig.key().public().to_string(),
    );
    let good = format!("http://127.0.0.1:8390#{cosigns}");
    assert_eq!(good.parse::<WitnessAddress>().unwrap().to_string(), good);
    for (bad, message) in [
        (
            "http://127.0.0.1:8390".to_owned(),
            "expected http://host:port#KEY",
        ),
        (
            format!("127.0.0.1:8390#{cosigns}"),
            "expected http://host:port#KEY",
        ),
        (
            format!("http://#{cosigns}"),
            "expected http://host:port#KEY",
        ),
        (format!("http://x#{signs}"), "not one that co-signs"),
        ("http://x#a+b+c".to_owned(), "the witness's key"),
    ] {
        let error = bad.parse::<WitnessAddress>().unwrap_err().to_string();
        assert!(error.contains(message), "{bad}: {error}");
    }
}

fn hash(text: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
