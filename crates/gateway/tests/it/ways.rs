//! How a session reaches its venue: over TLS, in FIX 4.2, in its hours only. Against the simulated exchange, which does the same.

use crate::crash::exchange::{Exchange, SYMBOL};
use crate::desk::{COMP_ID, Desk};
use crate::line::Line;
use crate::rig::{PATIENCE, Rig, Running, run_gateway, until};
use squareoff_domain::PositionKey;
use squareoff_domain::position::{OrderStatus, TradeStatus};
use squareoff_exchange::config::{Options, Tls as ExchangeTls};
use squareoff_fix::driver::tls::{Identity, ServerName, connector};
use squareoff_fix::{Hours, Journal, Reset, Schedule, Timestamp, Weekday};
use squareoff_gateway::{
    ANSWER_TIME_LIMIT, CONFIRM_TIME_LIMIT, Connection, Dialect, DropCopySession, Protocol, Tls,
    VenueConfig, VenueSession, run_drop_copy,
};
use squareoff_store::EventStore;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const SECOND: i64 = 1_000_000_000;

/// A log, an exchange, and a gateway and a drop copy that reach it by `connection`.
struct Trade {
    folder: TempDir,
    store: EventStore,
    desk: Desk,
    exchange: Exchange,
    line: Line,
    connection: Connection,
    dialect: Dialect,
}

impl Trade {
    async fn new(options: Options, dialect: Dialect) -> Trade {
        let folder = tempfile::tempdir().unwrap();
        let store = EventStore::open(&folder.path().join("log")).unwrap();
        let desk = Desk::new(&store);
        desk.activate().await;
        let mut exchange = Exchange::with(options);
        let line = Line::new().await;
        line.lead_to(Some(exchange.start().await));
        let connection = Connection::plain(line.address.to_string());
        Trade {
            folder,
            store,
            desk,
            exchange,
            line,
            connection,
            dialect,
        }
    }

    fn gateway(&self) -> Running {
        let session = VenueSession {
            connection: self.connection.clone(),
            comp_id: COMP_ID.into(),
            heartbeat_s: 30,
            resend_age_max: Duration::from_secs(60),
            message_rate_per_s: 100_000,
            cancel_on_disconnect: false,
            answer_time_limit: ANSWER_TIME_LIMIT,
            journal: self.folder.path().join("journal"),
        };
        let config = VenueConfig {
            venue: squareoff_domain::Venue::Nse,
            protocol: Protocol::Fix(self.dialect),
            sessions: vec![session],
            former: vec![],
        };
        run_gateway(config, self.store.clone())
    }

    fn copy(&self) -> Running {
        let session = DropCopySession {
            venue: squareoff_domain::Venue::Nse,
            dialect: self.dialect,
            connection: self.connection.clone(),
            comp_id: format!("{COMP_ID}-DC"),
            heartbeat_s: 30,
            confirm_time_limit: CONFIRM_TIME_LIMIT,
            journal: self.folder.path().join("copy"),
        };
        let store = self.store.clone();
        Running::spawn(move |stopping| run_drop_copy(session, store, stopping))
    }

    /// A gateway dials and is shut out again and again.
    async fn is_shut_out(&self) {
        let gateway = self.gateway();
        let dials = self.line.dials();
        until("it dials again", async || self.line.dials() > dials + 2).await;
        gateway.stop().await.unwrap();
    }

    /// Two clients of ours trade with each other, and the drop copy says so too; then one cancels what is left.
    async fn trade(&self) -> [PositionKey; 2] {
        let seller = self.desk.open("C1", SYMBOL, 100).await;
        let buyer = self.desk.open("C2", SYMBOL, -100).await;
        let sold = self.desk.order(&seller, 50).await;
        self.desk
            .until_order(&seller, &sold, "acknowledged", |order| order.acknowledged)
            .await;
        let bought = self.desk.order(&buyer, 20).await;
        self.desk
            .until_order(&buyer, &bought, "filled", |order| {
                order.status() == OrderStatus::Filled
            })
            .await;
        for key in [&seller, &buyer] {
            self.desk
                .until(key, "the trade is confirmed", |position| {
                    let trades = position.trades();
                    trades.len() == 1
                        && trades
                            .iter()
                            .all(|(_, trade)| trade.status == TradeStatus::Confirmed)
                })
                .await;
        }
        self.desk.cancel(&seller, &sold).await;
        self.desk
            .until_order(&seller, &sold, "canceled", |order| {
                order.status() == OrderStatus::Canceled
            })
            .await;
        assert_eq!(self.desk.position(&seller).await.net.0, 80);
        assert_eq!(self.desk.position(&buyer).await.net.0, -80);
        assert!(self.desk.held().await.is_empty());
        [seller, buyer]
    }

    async fn end(mut self, running: impl IntoIterator<Item = Running>) {
        for running in running {
            running.stop().await.unwrap();
        }
        self.exchange.kill();
        assert_eq!(self.exchange.ledger().duplicates, 0);
    }
}

/// A certificate for `localhost` that signs itself.
fn identity(folder: &Path, name: &str) -> Identity {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let identity = Identity {
        certificate: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}.key")),
    };
    std::fs::write(&identity.certificate, made.cert.pem()).unwrap();
    std::fs::write(&identity.key, made.signing_key.serialize_pem()).unwrap();
    identity
}

fn tls(ca: &Identity, own: &Identity) -> Option<Tls> {
    Some(Tls {
        server_name: ServerName::try_from("localhost").unwrap(),
        connector: connector(&ca.certificate, Some(own)).unwrap(),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_and_the_drop_copy_go_over_tls_and_in_no_other_way() {
    let files = tempfile::tempdir().unwrap();
    let [ours, theirs, stranger] =
        ["ours", "theirs", "stranger"].map(|name| identity(files.path(), name));
    let options = Options {
        tls: Some(ExchangeTls {
            own: theirs.clone(),
            client_ca: Some(ours.certificate.clone()),
        }),
        ..Options::default()
    };
    let mut trade = Trade::new(options, Dialect::Fix44).await;
    trade.is_shut_out().await;
    trade.connection.tls = tls(&theirs, &stranger);
    trade.is_shut_out().await;
    trade.connection.tls = tls(&theirs, &ours);
    let gateway = trade.gateway();
    trade.desk.until_session("ready 3").await;
    let lines = trade.desk.session().await;
    assert_eq!(lines, ["claimed 1", "claimed 2", "claimed 3", "ready 3"]);
    let copy = trade.copy();
    trade.trade().await;
    trade.end([gateway, copy]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_venue_that_speaks_fix_42_takes_orders_fills_cancels_and_questions() {
    let options = Options {
        fix42: ["NSE".to_owned()].into(),
        ..Options::default()
    };
    let trade = Trade::new(options, Dialect::Fix42).await;
    let gateway = trade.gateway();
    trade.desk.until_session("ready 1").await;
    let copy = trade.copy();
    let [seller, _] = trade.trade().await;
    let working = trade.desk.order(&seller, 30).await;
    trade
        .desk
        .until_order(&seller, &working, "acknowledged", |order| {
            order.acknowledged
        })
        .await;
    // A second life asks about each order that works, because there is no mass status.
    gateway.kill().await;
    let gateway = trade.gateway();
    trade.desk.until_session("ready 2").await;
    let status = trade.desk.order_status(&seller, &working).await;
    assert_eq!(status, OrderStatus::New);
    assert!(trade.desk.position(&seller).await.frozen.is_none());
    trade.end([gateway, copy]).await;
}

/// Hours of every day that begin in half a minute and last a minute: near enough to the venue's clock that neither takes the other's for
/// wrong. And the second they begin in.
fn hours_ahead() -> (Schedule, i64) {
    const DAY_S: i64 = 86_400;
    let start_s = Timestamp::now().0 / SECOND + 30;
    let of_day = |second: i64| u32::try_from(second.rem_euclid(DAY_S)).unwrap();
    let hours = Hours::Daily {
        days: vec![
            Weekday::Monday,
            Weekday::Tuesday,
            Weekday::Wednesday,
            Weekday::Thursday,
            Weekday::Friday,
            Weekday::Saturday,
            Weekday::Sunday,
        ],
        start: of_day(start_s),
        end: of_day(start_s + 60),
    };
    let schedule = Schedule {
        utc_offset_s: 0,
        hours,
    };
    (schedule, start_s)
}

/// The clock of the sessions of the test below, and how often it was asked.
static CLOCK: AtomicI64 = AtomicI64::new(0);
static ASKED: AtomicU64 = AtomicU64::new(0);

fn clock() -> Timestamp {
    ASKED.fetch_add(1, Ordering::SeqCst);
    Timestamp(CLOCK.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_session_outside_its_hours_is_not_opened_and_opens_when_they_begin() {
    let (schedule, start_s) = hours_ahead();
    CLOCK.store(start_s * SECOND - 1_000_000, Ordering::SeqCst);
    let rig = Rig::without_gateway().await;
    let mut config = rig.config();
    let session = &mut config.sessions[0];
    session.heartbeat_s = 1;
    session.connection.clock = clock;
    session.connection.schedule = Some(schedule);
    let gateway = run_gateway(config, rig.store.clone());
    rig.desk.until_session("claimed 1").await;
    // It looks at its hours again and again, and dials not once.
    let looked = ASKED.load(Ordering::SeqCst);
    until("it looked at the clock", async || {
        ASKED.load(Ordering::SeqCst) > looked + 20
    })
    .await;
    assert!(rig.book.lock().unwrap().states.is_empty());
    assert_eq!(rig.desk.session().await, ["claimed 1"]);

    CLOCK.store(start_s * SECOND, Ordering::SeqCst);
    rig.desk.until_session("ready 1").await;
    CLOCK.store((start_s + 60) * SECOND, Ordering::SeqCst);
    rig.desk.until_session("down 1").await;
    let last = rig.desk.session().await.pop().unwrap();
    assert_eq!(
        last,
        "down 1: logged out as asked: the session's hours are over"
    );
    tokio::time::timeout(PATIENCE, gateway.stop())
        .await
        .unwrap()
        .unwrap();
}

static IN_SESSION: AtomicI64 = AtomicI64::new(0);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_venue_has_it_the_numbers_start_anew_with_each_session_and_the_orders_go_on() {
    let mut trade = Trade::new(Options::default(), Dialect::Fix44).await;
    let gateway = trade.gateway();
    trade.desk.until_session("ready 1").await;
    let key = trade.desk.open("C1", SYMBOL, 100).await;
    let order = trade.desk.order(&key, 50).await;
    let acknowledged = trade
        .desk
        .until_order(&key, &order, "acknowledged", |order| order.acknowledged);
    acknowledged.await;
    gateway.stop().await.unwrap();

    // The next session begins behind all that the journal holds.
    let (schedule, start_s) = hours_ahead();
    IN_SESSION.store(start_s * SECOND, Ordering::SeqCst);
    trade.connection.schedule = Some(schedule);
    trade.connection.clock = || Timestamp(IN_SESSION.load(Ordering::SeqCst));
    trade.connection.reset = Reset::EachSession;
    let generation = || {
        let (folder, now) = (trade.folder.path().join("journal"), Timestamp::now());
        let journal = Journal::open(&folder, COMP_ID, "NSE", now).unwrap();
        (journal.generation(), journal.last_seq())
    };
    for life in [2, 3] {
        let (before, _) = generation();
        let gateway = trade.gateway();
        trade.desk.until_session(&format!("ready {life}")).await;
        let status = trade.desk.order_status(&key, &order).await;
        assert_eq!(status, OrderStatus::New);
        gateway.stop().await.unwrap();
        let begun_anew = u64::from(life == 2);
        assert_eq!(generation().0, before + begun_anew);
    }
    let gateway = trade.gateway();
    trade.desk.until_session("ready 4").await;
    trade.desk.cancel(&key, &order).await;
    let canceled = trade.desk.until_order(&key, &order, "canceled", |order| {
        order.status() == OrderStatus::Canceled
    });
    canceled.await;
    assert!(trade.desk.position(&key).await.frozen.is_none());
    assert!(trade.desk.held().await.is_empty());
    trade.end([gateway]).await;
}
