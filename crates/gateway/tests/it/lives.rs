//! The gateway dies between any two of its steps, and the next one goes on: each order is processed once, each fill booked once.

use crate::desk::COMP_ID;
use crate::line::{TO_GATEWAY, TO_VENUE};
use crate::rig::{Rig, until};
use crate::venue::{Manner, NAME, canceled, open_journal};
use squareoff_domain::position::Position;
use squareoff_domain::{ClOrdId, PositionKey};
use squareoff_fix::encode::{Header, Identity, frame};
use squareoff_fix::message::{NewOrderSingle, OrdType, Side};
use squareoff_fix::{
    AppMessage, Application, Endpoint, Inbound, Kind, NotRecorded, OutboundMessage, PriceE4,
    Record, Resend, Role, SentRecord, SessionConfig, SessionState, Timestamp, connect_loop,
};
use tokio::sync::{mpsc, watch};

/// What the gateway makes of an order to sell.
fn on_the_wire(key: &PositionKey, id: &ClOrdId, units: i64) -> AppMessage {
    AppMessage::NewOrderSingle(NewOrderSingle {
        cl_ord_id: id.to_string(),
        account: Some(key.client.to_string()),
        symbol: key.symbol.to_string(),
        security_exchange: Some(NAME.into()),
        side: Side::Sell,
        order_qty: units,
        ord_type: OrdType::Limit,
        price: Some(PriceE4(970_000)),
        time_in_force: None,
        transact_time: Timestamp::now(),
        text: None,
    })
}

/// Where the log has the order.
async fn position_of(rig: &Rig, key: &PositionKey, id: &ClOrdId) -> u64 {
    let stream = rig.desk.stream(&key.stream()).await;
    let placed = stream.iter().find(|stored| {
        &*stored.event_type == "OrderPlaced"
            && String::from_utf8_lossy(&stored.body).contains(id.as_str())
    });
    placed.unwrap().position.as_u64()
}

/// Writes the order into the gateway's journal as its next message.
pub async fn journal_by_hand(rig: &Rig, key: &PositionKey, id: &ClOrdId, units: i64) -> u64 {
    let mut journal = rig.open_journal().await;
    let seq = journal.last_seq() + 1;
    let identity = Identity {
        begin_string: "FIX.4.4".into(),
        sender: COMP_ID.into(),
        target: NAME.into(),
    };
    let header = Header {
        kind: b"D",
        seq,
        sending_time: Timestamp::now(),
        ..Header::default()
    };
    let body = on_the_wire(key, id, units).write().unwrap();
    let record = Record {
        seq,
        kind: Kind::App,
        id: id.to_string(),
        position: position_of(rig, key, id).await,
        sending_time: header.sending_time,
        bytes: frame(&identity, &header, &body),
    };
    journal.append(&[record]).unwrap();
    seq
}

#[tokio::test]
async fn placed_and_not_journaled() {
    let mut rig = Rig::without_gateway().await;
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    rig.desk.order(&key, 50).await;
    rig.start().await;
    let order = rig.venue.until_order(1).await;
    rig.venue.fill(&order, 50);
    rig.desk.until(&key, "flat", |p| p.net.0 == 0).await;
    rig.end().await;
}

#[tokio::test]
async fn journaled_and_not_on_the_wire() {
    let mut rig = Rig::new().await;
    rig.stop().await.unwrap();
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    let id = rig.desk.order(&key, 50).await;
    let seq = journal_by_hand(&rig, &key, &id, 50).await;
    rig.start().await;
    // The venue misses the number, asks for it, and gets it as it was.
    let order = rig.venue.until_order(1).await;
    assert_eq!(order.cl_ord_id, id.as_str());
    {
        let book = rig.book.lock().unwrap();
        assert_eq!(
            (book.processed[0].seq, book.processed[0].poss_dup),
            (seq, true)
        );
    }
    rig.venue.fill(&order, 50);
    rig.desk.until(&key, "flat", |p| p.net.0 == 0).await;
    let dispatched = format!("dispatched o1 #{seq}");
    assert_eq!(rig.desk.story(&key).await[3], dispatched);
    rig.end().await;
}

#[tokio::test]
async fn a_cancel_without_an_answer_yet_does_not_go_twice() {
    let mut rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", 60).await;
    let id = rig.desk.order(&key, 50).await;
    let order = rig.venue.until_order(1).await;
    rig.venue.acknowledge(&order);
    rig.desk.cancel(&key, &id).await;
    rig.venue.until_cancel(1).await;
    rig.kill().await;
    rig.start().await;
    rig.desk.order(&key, 10).await;
    rig.venue.until_order(2).await;
    let cancel = rig.venue.until_cancel(1).await;
    rig.venue.report(canceled(&order, &cancel));
    rig.desk
        .until(&key, "canceled", |p| p.working().units() == 10)
        .await;
    rig.end().await;
}

/// A gateway that sends what is given to it and records nothing: what a real one looks like that dies right behind the socket.
struct Doomed;

impl Application for Doomed {
    async fn receive(&mut self, _: Vec<Inbound>) -> Result<(), NotRecorded> {
        std::future::pending().await
    }

    async fn resend(&mut self, records: Vec<Record>) -> Result<Vec<Resend>, NotRecorded> {
        Ok(vec![Resend::Again; records.len()])
    }

    async fn sent(&mut self, _: &[SentRecord]) -> Result<(), NotRecorded> {
        Ok(())
    }

    async fn state(&mut self, _: SessionState) -> Result<(), NotRecorded> {
        Ok(())
    }
}

#[tokio::test]
async fn on_the_wire_and_the_log_does_not_know() {
    let mut rig = Rig::without_gateway().await.with_manner(Manner::Fills);
    let key = rig.desk.open("C1", "ALPHA", 50).await;
    let id = rig.desk.order(&key, 50).await;
    let (queue, outbound) = mpsc::channel(1);
    let message = on_the_wire(&key, &id, 50);
    let at = position_of(&rig, &key, &id).await;
    queue
        .send(OutboundMessage::new(id.as_str(), at, &message).unwrap())
        .await
        .unwrap();
    let config = SessionConfig::new(Role::Initiator, COMP_ID, NAME);
    let journal = open_journal(rig.journal.path(), COMP_ID, NAME).await;
    let mut endpoint = Endpoint::new(config, journal, outbound, Doomed, Timestamp::now);
    let address = rig.line.address.to_string();
    let (_stop, stopping) = watch::channel(false);
    let doomed = tokio::spawn(async move { connect_loop(&address, &mut endpoint, stopping).await });
    // The venue has answered, too: the fills are received and not recorded.
    until("filled", async || rig.book.lock().unwrap().sent.len() == 3).await;
    doomed.abort();
    let _ = doomed.await;
    assert_eq!(rig.desk.position(&key).await.net.0, 50);

    rig.start().await;
    rig.desk.until(&key, "flat", |p| p.net.0 == 0).await;
    assert_eq!(
        rig.desk.story(&key).await[3..],
        [
            "dispatched o1 #2".to_owned(),
            format!("acknowledged o1 X-{id}"),
            "executed o1 25@97.00".into(),
            "executed o1 25@97.00".into()
        ]
    );
    rig.venue.until_order(1).await;
    rig.end().await;
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_of_messages_costs_nothing() {
    let rig = Rig::new().await.with_manner(Manner::Fills);
    let key = rig.desk.open("C1", "ALPHA", 100_000).await;
    let cuts = [(TO_VENUE, 100), (TO_GATEWAY, 150), (TO_VENUE, 333)];
    for (round, (direction, bytes)) in (1..).zip(cuts) {
        let before = rig.desk.session().await.len();
        rig.line.cut_after(direction, bytes);
        for _ in 0..10 {
            rig.desk.order(&key, 10).await;
        }
        rig.venue.until_orders(round * 10).await;
        let filled = |p: &Position| p.executions.len() == round * 20;
        rig.desk.until(&key, "all fills", filled).await;
        assert!(rig.desk.session().await.len() > before);
    }
    assert_eq!(rig.desk.position(&key).await.net.0, 100_000 - 300);
    rig.end().await;
}

#[tokio::test]
async fn a_venue_that_dies_and_comes_back_gets_what_it_missed() {
    let mut rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", 100).await;
    rig.desk.order(&key, 50).await;
    let first = rig.venue.until_order(1).await;
    rig.restart_venue().await;
    rig.desk.order(&key, 50).await;
    let second = rig.venue.until_order(2).await;
    rig.venue.fill(&first, 50);
    rig.venue.fill(&second, 50);
    rig.desk.until(&key, "flat", |p| p.net.0 == 0).await;
    rig.end().await;
}
