//! A failover is a storm of log-ins.

use crate::door::{Door, PASSWORD, code};
use squareoff_access::AccessError;
use squareoff_access::password::Hashing;
use squareoff_domain::people::{LogInKind, Role};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Those who find the queue full are told so at once, come again, and come in: nobody is lost, and nobody is locked out by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_fills_the_queue_and_loses_nobody() {
    const PEOPLE: usize = 12;
    let door = Arc::new(Door::hashing(Hashing::with_limits(1, 3)));
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        people.push(door.ready(&format!("desk-{number}"), Role::Desk).await);
    }
    let mut storm = JoinSet::new();
    for (number, ready) in people.into_iter().enumerate() {
        let door = Arc::clone(&door);
        storm.spawn(async move {
            let (mut busy, address) = (0, format!("203.0.113.{number}"));
            loop {
                let tried = door.try_with(
                    ready.operator.as_str(),
                    PASSWORD,
                    code(&ready.code(&door)),
                    LogInKind::Cookie,
                    &address,
                );
                match tried.await {
                    Ok(granted) => return (granted.log_in.operator, busy),
                    Err(AccessError::Busy(_)) => busy += 1,
                    Err(other) => panic!("{other}"),
                }
                tokio::task::yield_now().await;
            }
        });
    }
    let came = storm.join_all().await;
    let busy: usize = came.iter().map(|(_, busy)| busy).sum();
    assert_eq!(came.len(), PEOPLE);
    assert!(busy > 0, "twelve at once find four places");
    let living = door.access.log_ins(None, door.now()).await.unwrap();
    assert_eq!(living.len(), PEOPLE);
}
