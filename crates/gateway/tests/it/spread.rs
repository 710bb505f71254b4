//! Several sessions to one venue: clients are spread over them, and more or fewer sessions send nothing twice and lose nothing.

use crate::desk::Desk;
use crate::rig::{Running, run_gateway, until};
use crate::venue::{Book, Manner, Venue};
use squareoff_domain::position::OrderStatus;
use squareoff_domain::session::share_of;
use squareoff_domain::{ClOrdId, PositionKey};
use squareoff_gateway::{Connection, Dialect, FormerSession, Protocol, VenueConfig, VenueSession};
use squareoff_store::EventStore;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// A venue that may have up to three sessions with us, each its own book.
struct Spread {
    folder: TempDir,
    store: EventStore,
    desk: Desk,
    books: Vec<Arc<Mutex<Book>>>,
    venues: Vec<Venue>,
    gateway: Option<Running>,
}

fn comp_id(number: usize) -> String {
    format!("BROKER{number}")
}

impl Spread {
    async fn new() -> Spread {
        let folder = tempfile::tempdir().unwrap();
        let store = EventStore::open(&folder.path().join("log")).unwrap();
        let desk = Desk::new(&store);
        desk.activate().await;
        let books = Vec::from_iter((0..3).map(|_| Arc::<Mutex<Book>>::default()));
        let mut venues = Vec::new();
        for (number, book) in books.iter().enumerate() {
            let of_venue = folder.path().join(format!("venue{number}"));
            venues.push(Venue::start_for(&comp_id(number), &of_venue, book).await);
        }
        Spread {
            folder,
            store,
            desk,
            books,
            venues,
            gateway: None,
        }
    }

    fn journal(&self, number: usize) -> PathBuf {
        self.folder.path().join(comp_id(number))
    }

    fn launch(&mut self, sessions: usize) {
        let session = |number: usize| VenueSession {
            connection: Connection::plain(self.venues[number].address.to_string()),
            comp_id: comp_id(number),
            heartbeat_s: 30,
            resend_age_max: Duration::from_secs(60),
            message_rate_per_s: 100_000,
            cancel_on_disconnect: false,
            answer_time_limit: squareoff_gateway::ANSWER_TIME_LIMIT,
            journal: self.journal(number),
        };
        let former = (sessions..3).filter(|number| self.journal(*number).exists());
        let former = former.map(|number| FormerSession {
            comp_id: comp_id(number),
            journal: self.journal(number),
        });
        let config = VenueConfig {
            venue: squareoff_domain::Venue::Nse,
            protocol: Protocol::Fix(Dialect::Fix44),
            sessions: (0..sessions).map(session).collect(),
            former: former.collect(),
        };
        self.gateway = Some(run_gateway(config, self.store.clone()));
    }

    async fn kill(&mut self) {
        self.gateway.take().unwrap().kill().await;
    }

    /// A position of each of so many clients, and an order on it.
    async fn orders(&self, from: usize, clients: usize) -> Vec<(PositionKey, ClOrdId)> {
        let mut orders = Vec::new();
        for n in from..from + clients {
            let key = self.desk.open(&format!("C{n}"), "ALPHA", 100).await;
            let id = self.desk.order(&key, 50).await;
            orders.push((key, id));
        }
        orders
    }

    /// The session that each order went over.
    fn went(&self) -> BTreeMap<String, usize> {
        let mut went = BTreeMap::new();
        for (number, book) in self.books.iter().enumerate() {
            for order in book.lock().unwrap().orders() {
                let before = went.insert(order.cl_ord_id.clone(), number);
                assert_eq!(before, None, "{} went twice", order.cl_ord_id);
            }
        }
        went
    }

    async fn until_sent(&self, orders: usize) -> BTreeMap<String, usize> {
        until("the orders are there", async || self.went().len() >= orders).await;
        self.went()
    }

    async fn end(mut self) {
        self.gateway.take().unwrap().stop().await.unwrap();
        for book in &self.books {
            assert_eq!(book.lock().unwrap().duplicates, Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn a_clients_orders_and_cancels_go_over_one_session_which_its_code_tells() {
    let mut spread = Spread::new().await;
    spread.launch(2);
    let orders = spread.orders(0, 12).await;
    let went = spread.until_sent(12).await;
    for (key, id) in &orders {
        assert_eq!(went[id.as_str()], share_of(&key.client, 2) as usize);
        spread.desk.cancel(key, id).await;
    }
    until("the cancels are there", async || {
        let cancels = spread
            .books
            .iter()
            .map(|book| book.lock().unwrap().cancels().len());
        cancels.sum::<usize>() == 12
    })
    .await;
    for (number, book) in spread.books.iter().enumerate() {
        for cancel in book.lock().unwrap().cancels() {
            assert_eq!(went[&cancel.orig_cl_ord_id], number);
        }
    }
    spread.end().await;
}

/// Killed in the middle of it, with orders that wait, and started with other numbers of sessions.
#[tokio::test]
async fn more_or_fewer_sessions_send_nothing_twice_and_lose_nothing() {
    let mut spread = Spread::new().await;
    for book in &spread.books {
        book.lock().unwrap().manner = Manner::HalfFills;
    }
    let mut orders = Vec::new();
    for sessions in [2, 3, 1, 3, 2] {
        spread.launch(sessions);
        orders.extend(spread.orders(orders.len(), 6).await);
        spread.until_sent(orders.len() - 3).await;
        spread.kill().await;
        orders.extend(spread.orders(orders.len(), 2).await);
    }
    spread.launch(3);
    let mut never_came = Vec::new();
    for (key, id) in &orders {
        until(
            "the order is there, or is said never to have come",
            async || {
                let status = spread.desk.order_status(key, id).await;
                spread.went().contains_key(id.as_str()) || status == OrderStatus::NotDelivered
            },
        )
        .await;
        if !spread.went().contains_key(id.as_str()) {
            never_came.push(id);
        }
    }
    // Killed between journal and socket, and started without that session, which comes twice: nobody here knows, and the venue does not
    // have it. At most what was under way then.
    assert!(never_came.len() <= 2 * 3, "{never_came:?}");
    let went = spread.went();
    let there = orders.iter().filter(|(_, id)| !never_came.contains(&id));
    for (key, id) in there {
        let half = |p: &squareoff_domain::position::Position| p.net.0 == 75;
        spread.desk.until(key, "half filled", half).await;
        // The session that the order went over is there: its cancel goes the same way, wherever the client belongs now.
        spread.desk.cancel(key, id).await;
        spread
            .desk
            .until(key, "canceled", |p| p.working().is_zero())
            .await;
    }
    for (number, book) in spread.books.iter().enumerate() {
        for cancel in book.lock().unwrap().cancels() {
            assert_eq!(went[&cancel.orig_cl_ord_id], number);
        }
    }
    spread.end().await;
}

#[tokio::test]
async fn what_a_session_that_is_gone_has_sent_without_an_answer_is_in_doubt() {
    let mut spread = Spread::new().await;
    spread.launch(2);
    let orders = spread.orders(0, 8).await;
    let went = spread.until_sent(8).await;
    spread.kill().await;
    spread.launch(1);
    for (key, id) in &orders {
        let gone = went[id.as_str()] == 1;
        let wanted = if gone {
            OrderStatus::InDoubt
        } else {
            OrderStatus::Sent
        };
        spread
            .desk
            .until_order(key, id, "known", |order| order.status() == wanted)
            .await;
    }
    assert_eq!(spread.went(), went);
    spread.end().await;
}
