//! The journal's folder is lost, the log is not: what the log knows as sent, ended or under way is not sent again.

use crate::rig::Rig;
use crate::venue::Candour;
use squareoff_domain::position::{Execution, ExecutionReport, OrderStatus, Outcome, Report};
use squareoff_domain::{PositionKey, Price, Quantity};

impl Rig {
    /// Kills the gateway and removes its journal.
    async fn lose_journal(&mut self) {
        self.kill().await;
        self.remove_journal().await;
    }

    /// The journal of a gateway that does not run is gone.
    pub async fn remove_journal(&self) {
        drop(self.open_journal().await);
        for entry in std::fs::read_dir(self.journal.path()).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }

    async fn sent_one(&self, client: &str, already: usize) -> PositionKey {
        let key = self.desk.open(client, "ALPHA", 50).await;
        self.desk.order(&key, 50).await;
        self.venue.until_order(already + 1).await;
        self.desk
            .until(&key, "dispatched", |p| {
                p.orders.values().all(|order| order.dispatched)
            })
            .await;
        key
    }
}

#[tokio::test]
async fn orders_that_the_log_knows_as_sent_are_not_sent_again() {
    let mut rig = Rig::new().await;
    let filled = rig.sent_one("C1", 0).await;
    let under_way = rig.sent_one("C2", 1).await;
    let orders = rig.venue.until_orders(2).await;
    rig.venue.fill(&orders[0], 50);
    rig.desk.until(&filled, "flat", |p| p.net.0 == 0).await;
    rig.lose_journal().await;
    rig.start().await;
    let new = rig.desk.open("C3", "ALPHA", 50).await;
    rig.desk.order(&new, 50).await;
    let order = rig.venue.until_order(3).await;
    assert_eq!(order.account.as_deref(), Some("C3"));
    // The one under way still reserves, and its fill is still taken: it ends the doubt whether the venue has the order.
    assert_eq!(rig.desk.position(&under_way).await.working().units(), 50);
    rig.venue.fill(&orders[1], 50);
    rig.desk.until(&under_way, "flat", |p| p.net.0 == 0).await;
    let story = rig.desk.story(&under_way).await;
    let reason =
        "the session's numbers started anew before the exchange answered (fence 2, generation 1)";
    assert_eq!(
        story[4..],
        [
            &format!("in-doubt o1 {reason}"),
            "executed o1 50@97.00",
            "resolved o1 delivered"
        ]
    );
    assert!(
        !rig.desk
            .story(&filled)
            .await
            .iter()
            .any(|line| line.contains("doubt"))
    );
    rig.end().await;
}

#[tokio::test]
async fn an_order_that_the_venue_has_answered_was_sent_whatever_else_is_missing() {
    let mut rig = Rig::without_gateway().await;
    let execution = |units| Execution::Fill {
        key: "NSE|2026-11-20|E1".parse().unwrap(),
        quantity: Quantity::new(units).unwrap(),
        price: Price(970_000),
    };
    for (client, execution) in [("C1", Execution::New), ("C2", execution(20))] {
        let key = rig.desk.open(client, "ALPHA", 50).await;
        let report = ExecutionReport {
            cl_ord_id: rig.desk.order(&key, 50).await,
            exchange_order_id: "X1".parse().unwrap(),
            execution,
            cumulative: 0,
            leaves: 0,
        };
        rig.desk.tell(&key, Report::Execution(report)).await;
    }
    rig.start().await;
    let key = rig.desk.open("C3", "ALPHA", 50).await;
    rig.desk.order(&key, 50).await;
    let order = rig.venue.until_order(1).await;
    assert_eq!(order.account.as_deref(), Some("C3"));
    rig.end().await;
}

/// In the log the cancel stands before the dispatch: taken for one that overtook its order, the order would count as never sent.
#[tokio::test]
async fn an_order_sent_before_its_cancel_is_not_taken_for_one_that_never_was() {
    let mut rig = Rig::without_gateway().await;
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    let id = rig.desk.order(&key, 50).await;
    let cancel_id = rig.desk.cancel(&key, &id).await;
    let report = Report::Dispatched {
        cl_ord_id: id.clone(),
        session: "NSE-BROKER".into(),
        sequence: 2,
    };
    rig.desk.tell(&key, report).await;
    rig.book.lock().unwrap().candour = Candour::Refusal;
    rig.start().await;
    // The cancel may or may not have gone, and says nothing new to a venue that has it.
    let cancel = rig.venue.until_cancel(1).await;
    assert_eq!(cancel.cl_ord_id, cancel_id.as_str());
    let position = rig.desk.position(&key).await;
    assert_eq!(position.working().units(), 50);
    assert!(rig.book.lock().unwrap().orders().is_empty());
    rig.end().await;
}

#[tokio::test]
async fn neither_are_orders_that_have_ended_nor_cancels_that_were_answered() {
    let mut rig = Rig::new().await;
    let key = rig.sent_one("C1", 0).await;
    let order = rig.venue.until_order(1).await;
    rig.venue.acknowledge(&order);
    rig.desk
        .cancel(&key, &order.cl_ord_id.parse().unwrap())
        .await;
    let cancel = rig.venue.until_cancel(1).await;
    let reject = crate::venue::cancel_reject(&cancel, 0, "too late");
    rig.venue
        .say(squareoff_fix::AppMessage::OrderCancelReject(reject));
    rig.desk
        .until(&key, "answered", |p| {
            p.orders.values().all(|order| !order.cancel_pending())
        })
        .await;
    rig.lose_journal().await;
    rig.start().await;
    rig.sent_one("C2", 1).await;
    let book = rig.book.lock().unwrap();
    assert_eq!((book.orders().len(), book.cancels().len()), (2, 1));
    assert_eq!(book.duplicates, Vec::<String>::new());
}

/// At start everything that the log holds unsent waits until the log's end is read: only that tells what of it still has to go.
#[tokio::test]
async fn thousands_of_orders_that_ended_unsent_are_not_sent_and_do_not_block_the_start() {
    const POSITIONS: usize = 40;
    const SLICES: u64 = 200;
    let mut rig = Rig::without_gateway().await;
    let mut placed = Vec::new();
    for n in 0..POSITIONS {
        let units = SLICES * crate::desk::SLICE;
        let net = i64::try_from(units).unwrap();
        let key = rig.desk.open(&format!("C{n}"), "ALPHA", net).await;
        rig.desk.square_off(&key, units).await;
        placed.push(key);
    }
    for key in &placed {
        rig.desk.end_all(key).await;
    }
    rig.start().await;
    let key = rig.desk.open("NEW", "ALPHA", 50).await;
    rig.desk.order(&key, 50).await;
    let order = rig.venue.until_order(1).await;
    assert_eq!(order.account.as_deref(), Some("NEW"));
    rig.end().await;
}

/// It was placed and perhaps sent before the gateway died: without a journal nobody can tell but the venue.
#[tokio::test]
async fn an_order_that_may_have_been_sent_is_in_doubt_until_the_venue_says() {
    let mut rig = Rig::new().await;
    rig.sent_one("C0", 0).await;
    rig.lose_journal().await;
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    let id = rig.desk.order(&key, 50).await;
    rig.start().await;
    assert_eq!(
        rig.desk.order_status(&key, &id).await,
        OrderStatus::NotDelivered
    );
    let story = rig.desk.story(&key).await;
    assert_eq!(
        story[3..],
        [
            "in-doubt o1 the gateway's journal is lost: nobody knows whether it was sent (fence 2)",
            "not-delivered o1",
        ]
    );
    rig.sent_one("C2", 1).await;
    rig.end().await;
}

#[tokio::test]
async fn and_where_the_venue_does_not_until_a_person_does() {
    let mut rig = Rig::new().await;
    rig.book.lock().unwrap().candour = Candour::Refusal;
    rig.sent_one("C0", 0).await;
    rig.lose_journal().await;
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    let id = rig.desk.order(&key, 50).await;
    rig.start().await;
    let status = rig.desk.order_status(&key, &id).await;
    assert_eq!(status, OrderStatus::InDoubt);
    // It is not sent, in this life or the next, and a doubt is told once.
    rig.sent_one("C2", 1).await;
    rig.kill().await;
    rig.start().await;
    rig.sent_one("C3", 2).await;
    rig.desk.resolve(&key, &id, Outcome::NotDelivered).await;
    let story = rig.desk.story(&key).await;
    assert_eq!(
        story[3..],
        [
            "in-doubt o1 the gateway's journal is lost: nobody knows whether it was sent (fence 2)",
            "resolved o1 not-delivered",
        ]
    );
    rig.sent_one("C4", 3).await;
    rig.end().await;
}

/// A gateway that went down in an orderly way had sent what there was to send: what came behind is certainly new.
#[tokio::test]
async fn an_order_placed_while_the_session_was_down_is_in_no_doubt() {
    let mut rig = Rig::new().await;
    rig.sent_one("C0", 0).await;
    rig.stop().await.unwrap();
    rig.launch();
    rig.desk.until_session("ready 2").await;
    rig.line.lead_to(None);
    rig.line.cut();
    rig.desk.until_session("down 2").await;
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    rig.desk.order(&key, 50).await;
    rig.lose_journal().await;
    rig.line.lead_to(Some(rig.venue.address));
    rig.start().await;
    rig.venue.until_order(2).await;
    assert!(
        !rig.desk
            .story(&key)
            .await
            .iter()
            .any(|line| line.contains("doubt"))
    );
    rig.end().await;
}
