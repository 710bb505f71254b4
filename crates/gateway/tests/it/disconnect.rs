//! The last level of the kill switch: people disconnect the venue, and nothing goes there until they reconnect it.

use crate::rig::{Rig, until};
use squareoff_fix::SessionState;

impl Rig {
    async fn until_logged_out(&self) {
        until("it is logged out", async || {
            matches!(
                self.book.lock().unwrap().states.last(),
                Some(SessionState::LoggedOff { .. })
            )
        })
        .await;
    }
}

#[tokio::test]
async fn a_disconnected_venue_is_logged_out_of_and_left_alone_until_it_is_reconnected() {
    let mut rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", 100).await;
    let id = rig.desk.order(&key, 50).await;
    let order = rig.venue.until_order(1).await;
    rig.venue.acknowledge(&order);
    rig.desk
        .until_order(&key, &id, "acknowledged", |order| order.acknowledged)
        .await;
    rig.desk.halt().await;
    rig.desk.disconnect().await;
    rig.desk.until_session("down 1").await;
    rig.until_logged_out().await;
    // A cancel waits, and no dial is made: not by this life and not by the next.
    rig.desk.cancel(&key, &id).await;
    let dials = rig.line.dials();
    rig.stop().await.unwrap();
    rig.launch();
    rig.desk.until_session("claimed 2").await;
    let waiting = rig.desk.open("C2", "ALPHA", 100).await;
    rig.desk.until(&waiting, "open", |p| p.net.0 == 100).await;
    assert_eq!(rig.line.dials(), dials);
    rig.desk.reconnect().await;
    let cancel = rig.venue.until_cancel(1).await;
    assert_eq!(cancel.orig_cl_ord_id, id.as_str());
    assert_eq!(rig.line.dials(), dials + 1);
    rig.end().await;
}

#[tokio::test]
async fn what_was_filled_meanwhile_is_booked_after_the_reconnect() {
    let rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    rig.desk.order(&key, 50).await;
    let order = rig.venue.until_order(1).await;
    rig.desk.halt().await;
    rig.desk.disconnect().await;
    rig.until_logged_out().await;
    rig.venue.fill(&order, 50);
    rig.desk.reconnect().await;
    rig.desk.until(&key, "flat", |p| p.net.0 == 0).await;
    rig.end().await;
}

#[tokio::test]
async fn the_venue_is_asked_to_cancel_on_a_disconnect_when_it_is_set_so() {
    for set in [true, false] {
        let mut rig = Rig::without_gateway().await;
        rig.cancel_on_disconnect = set;
        rig.start().await;
        let agreed = rig.book.lock().unwrap().terms.last().cloned();
        assert_eq!(agreed.unwrap().cancel_on_disconnect, set);
        rig.end().await;
    }
}
