//! A venue that knows no client order ids: what was sent and not answered is in doubt until its download shows it, or shows that it never
//! came. Nothing is sent twice.

use crate::desk::{COMP_ID, Desk};
use crate::rig::{Running, run_gateway, until};
use squareoff_domain::position::OrderStatus;
use squareoff_domain::{ClOrdId, PositionKey};
use squareoff_gateway::{Connection, Protocol, VenueConfig, VenueSession};
use squareoff_store::EventStore;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Manner {
    #[default]
    Answers,
    /// Acts on what comes, and its answers are lost with the connection.
    Mute,
    /// What comes is lost.
    Deaf,
}

/// What the venue knows; it outlives connections.
#[derive(Default)]
struct Floor {
    manner: Manner,
    /// Packets that came, read or lost.
    came: Vec<String>,
    /// Packets that were acted on, in order, by number.
    packets: BTreeMap<u64, String>,
    twice: Vec<String>,
    /// What was ever said, without its number, which is its place from 1.
    said: Vec<String>,
    /// Units of each order, its number from 1, and what has filled.
    orders: Vec<(u64, u64)>,
}

impl Floor {
    fn take(&mut self, line: &str) {
        self.came.push(line.to_owned());
        if self.manner == Manner::Deaf {
            return;
        }
        let words: Vec<_> = line.split(' ').collect();
        let packet: u64 = words[0].parse().unwrap();
        if self.packets.insert(packet, line.to_owned()).is_some() {
            self.twice.push(line.to_owned());
        }
        match words[1] {
            "NEW" => {
                self.orders.push((words[5].parse().unwrap(), 0));
                self.said
                    .push(format!("ACCEPTED {packet} N{}", self.orders.len()));
            }
            "CANCEL" => self.said.push(format!("CANCELED {}", words[2])),
            other => panic!("{other}"),
        }
    }

    fn fill(&mut self, order: usize, units: u64) {
        let (of, filled) = &mut self.orders[order - 1];
        *filled += units;
        let (filled, left) = (*filled, *of - *filled);
        let trade = self.said.len() + 1;
        let said = format!("TRADE N{order} T{trade} {units} 970000 {filled} {left}");
        self.said.push(said);
    }
}

struct Rig {
    folder: TempDir,
    store: EventStore,
    desk: Desk,
    floor: Arc<Mutex<Floor>>,
    news: Arc<Notify>,
    address: SocketAddr,
    gateway: Option<Running>,
}

async fn serve(mut stream: TcpStream, floor: Arc<Mutex<Floor>>, news: Arc<Notify>) {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    let Ok(Some(logon)) = lines.next_line().await else {
        return;
    };
    let words: Vec<_> = logon.split(' ').collect();
    assert_eq!(words[..2], ["LOGON", COMP_ID]);
    let mut told: usize = words[2].parse().unwrap();
    let mut downloaded = false;
    loop {
        let (mute, new) = {
            let floor = floor.lock().unwrap();
            (floor.manner == Manner::Mute, floor.said[told..].to_vec())
        };
        if !(mute && downloaded) {
            for said in new {
                told += 1;
                if writer
                    .write_all(format!("{told} {said}\n").as_bytes())
                    .await
                    .is_err()
                {
                    return;
                }
            }
        }
        if !std::mem::replace(&mut downloaded, true)
            && writer.write_all(b"DOWNLOADED\n").await.is_err()
        {
            return;
        }
        tokio::select! {
            () = news.notified() => {}
            line = lines.next_line() => match line {
                Ok(Some(line)) if line != "LOGOUT" => floor.lock().unwrap().take(&line),
                _ => return,
            }
        }
    }
}

impl Rig {
    async fn new() -> Rig {
        let folder = tempfile::tempdir().unwrap();
        let store = EventStore::open(&folder.path().join("log")).unwrap();
        let desk = Desk::new(&store);
        desk.activate().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (floor, news) = (Arc::<Mutex<Floor>>::default(), Arc::new(Notify::new()));
        let (of_venue, tell) = (Arc::clone(&floor), Arc::clone(&news));
        tokio::spawn(async move {
            let mut connection: Option<tokio::task::JoinHandle<()>> = None;
            while let Ok((stream, _)) = listener.accept().await {
                // A log-on ends the connection before it, and what of that was not read.
                if let Some(before) = connection.take() {
                    before.abort();
                    let _ = before.await;
                }
                let serving = serve(stream, Arc::clone(&of_venue), Arc::clone(&tell));
                connection = Some(tokio::spawn(serving));
            }
        });
        let mut rig = Rig {
            folder,
            store,
            desk,
            floor,
            news,
            address,
            gateway: None,
        };
        rig.launch();
        rig
    }

    fn launch(&mut self) {
        let session = VenueSession {
            connection: Connection::plain(self.address.to_string()),
            comp_id: COMP_ID.into(),
            heartbeat_s: 30,
            resend_age_max: Duration::from_secs(60),
            message_rate_per_s: 100_000,
            cancel_on_disconnect: false,
            answer_time_limit: squareoff_gateway::ANSWER_TIME_LIMIT,
            journal: self.folder.path().join("journal"),
        };
        let config = VenueConfig {
            venue: squareoff_domain::Venue::Nse,
            protocol: Protocol::Packets,
            sessions: vec![session],
            former: vec![],
        };
        self.gateway = Some(run_gateway(config, self.store.clone()));
    }

    async fn kill(&mut self) {
        self.gateway.take().unwrap().kill().await;
    }

    fn be(&self, manner: Manner) {
        self.floor.lock().unwrap().manner = manner;
    }

    fn fill(&self, order: usize, units: u64) {
        self.floor.lock().unwrap().fill(order, units);
        self.news.notify_one();
    }

    async fn until_came(&self, packets: usize) {
        let came = async || self.floor.lock().unwrap().came.len() >= packets;
        until("the packets came", came).await;
    }

    /// An order that has left and is not answered.
    async fn sent(&self) -> (PositionKey, ClOrdId) {
        let key = self.desk.open("C1", "ALPHA", 100).await;
        let id = self.desk.order(&key, 50).await;
        self.until_came(1).await;
        let sent = |order: &squareoff_domain::position::Order| order.dispatched;
        self.desk.until_order(&key, &id, "dispatched", sent).await;
        (key, id)
    }

    async fn end(mut self) {
        self.gateway.take().unwrap().stop().await.unwrap();
        let floor = self.floor.lock().unwrap();
        assert_eq!(floor.twice, Vec::<String>::new());
        // No id of ours is on the wire.
        for packet in &floor.came {
            assert!(
                !packet.contains("N00") && !packet.contains("C01"),
                "{packet}"
            );
        }
    }
}

#[tokio::test]
async fn an_order_is_accepted_filled_and_the_rest_cancelled_by_the_venues_number() {
    let rig = Rig::new().await;
    let (key, id) = rig.sent().await;
    rig.fill(1, 20);
    rig.desk
        .until(&key, "filled in part", |p| p.net.0 == 80)
        .await;
    rig.desk.cancel(&key, &id).await;
    rig.desk
        .until(&key, "canceled", |p| p.working().is_zero())
        .await;
    let story = rig.desk.story(&key).await;
    assert_eq!(
        story[3..],
        [
            "dispatched o1 #1",
            "acknowledged o1 N1",
            "executed o1 20@97.00",
            "cancel-requested o1.c1",
            "canceled o1 venue",
        ]
    );
    assert_eq!(
        rig.floor.lock().unwrap().came,
        ["1 NEW C1 ALPHA SELL 50 970000", "2 CANCEL N1"]
    );
    rig.end().await;
}

#[tokio::test]
async fn a_cancel_waits_for_its_orders_number() {
    let rig = Rig::new().await;
    rig.desk.until_session("ready 1").await;
    rig.be(Manner::Mute);
    let (key, id) = rig.sent().await;
    rig.desk.cancel(&key, &id).await;
    let other = rig.desk.open("C2", "ALPHA", 100).await;
    rig.desk.order(&other, 50).await;
    rig.until_came(2).await;
    rig.be(Manner::Answers);
    rig.news.notify_one();
    rig.desk
        .until(&key, "canceled", |p| p.working().is_zero())
        .await;
    assert_eq!(rig.floor.lock().unwrap().came[2], "3 CANCEL N1");
    rig.end().await;
}

/// Killed behind the socket, before the answer: the venue has the order, which only its download tells.
#[tokio::test]
async fn what_was_sent_without_an_answer_is_in_doubt_until_the_download_shows_it() {
    let mut rig = Rig::new().await;
    rig.desk.until_session("ready 1").await;
    rig.be(Manner::Mute);
    let (key, id) = rig.sent().await;
    rig.kill().await;
    rig.be(Manner::Answers);
    rig.launch();
    rig.fill(1, 50);
    rig.desk.until(&key, "filled", |p| p.net.0 == 50).await;
    let story = rig.desk.story(&key).await;
    assert_eq!(
        story[4..],
        [
            "in-doubt o1 sent without an answer before message 0 (fence 2)",
            "acknowledged o1 N1",
            "resolved o1 delivered",
            "executed o1 50@97.00",
        ]
    );
    assert_eq!(rig.desk.order_status(&key, &id).await, OrderStatus::Filled);
    assert_eq!(rig.floor.lock().unwrap().came.len(), 1);
    rig.end().await;
}

/// The same, and the venue never read it: it is not sent again, and the position is free.
#[tokio::test]
async fn what_the_download_does_not_show_never_came_and_is_not_sent_again() {
    let mut rig = Rig::new().await;
    rig.desk.until_session("ready 1").await;
    rig.be(Manner::Deaf);
    let (key, id) = rig.sent().await;
    rig.kill().await;
    rig.be(Manner::Answers);
    rig.launch();
    rig.desk
        .until(&key, "free", |p| p.working().is_zero())
        .await;
    assert_eq!(
        rig.desk.order_status(&key, &id).await,
        OrderStatus::NotDelivered
    );
    let story = rig.desk.story(&key).await;
    assert_eq!(
        story[4..],
        [
            "in-doubt o1 sent without an answer before message 0 (fence 2)",
            "not-delivered o1"
        ]
    );
    // Another order is another packet.
    rig.desk.order(&key, 50).await;
    rig.until_came(2).await;
    rig.fill(1, 50);
    rig.desk.until(&key, "filled", |p| p.net.0 == 50).await;
    let packets = rig.floor.lock().unwrap().packets.clone();
    assert_eq!(
        packets.into_values().collect::<Vec<_>>(),
        ["2 NEW C1 ALPHA SELL 50 970000"]
    );
    rig.end().await;
}

#[tokio::test]
async fn what_was_told_while_the_gateway_was_away_comes_with_the_download() {
    let mut rig = Rig::new().await;
    let (key, id) = rig.sent().await;
    let acknowledged = |order: &squareoff_domain::position::Order| order.acknowledged;
    rig.desk
        .until_order(&key, &id, "acknowledged", acknowledged)
        .await;
    rig.kill().await;
    rig.fill(1, 30);
    rig.fill(1, 20);
    rig.launch();
    rig.desk.until(&key, "filled", |p| p.net.0 == 50).await;
    rig.end().await;
}
