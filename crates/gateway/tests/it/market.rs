//! The venue tells of its market: phases of segments go to the platform, and the day's end ends what still works. The kill switch
//! stops what was not sent.

use crate::desk::find;
use crate::replaces::{CHEAPER, acknowledged_order};
use crate::rig::{Rig, until};
use crate::venue::Candour;
use squareoff_domain::Venue;
use squareoff_domain::platform::{self, MarketPhase, PlatformEvent};
use squareoff_domain::position::OrderStatus;
use squareoff_fix::message::{TradSesStatus, TradingSessionStatus};
use squareoff_fix::{AppMessage, LocalMktDate};
use squareoff_store::codec::LogEvent;

/// A phase of 2026-11-20.
fn told(segment: &str, status: TradSesStatus) -> TradingSessionStatus {
    TradingSessionStatus {
        trading_session_id: segment.into(),
        status,
        trade_date: LocalMktDate::new(2026, 11, 20),
        text: None,
    }
}

fn phase(segment: &str, status: TradSesStatus) -> AppMessage {
    AppMessage::TradingSessionStatus(told(segment, status))
}

impl Rig {
    /// What the platform was told of its markets: `FO open 2026-11-20 NSE-BROKER`.
    async fn phases(&self) -> Vec<String> {
        let stream = self.desk.stream(platform::STREAM).await;
        let line = |stored| match PlatformEvent::decode(stored).unwrap() {
            PlatformEvent::MarketPhaseChanged(told) => Some(format!(
                "{} {} {} {}",
                told.segment, told.phase, told.trading_date, told.source
            )),
            _ => None,
        };
        stream.iter().filter_map(line).collect()
    }

    async fn until_phases(&self, count: usize) -> Vec<String> {
        until("the platform is told", async || {
            self.phases().await.len() >= count
        })
        .await;
        self.phases().await
    }
}

#[tokio::test]
async fn phases_of_the_market_go_to_the_platform_each_once() {
    let rig = Rig::new().await;
    rig.venue.say(phase("CM", TradSesStatus::PreOpen));
    // The tests' own set-up has said already that this one is open.
    rig.venue.say(phase("FO", TradSesStatus::Open));
    rig.venue.say(phase("CM", TradSesStatus::Open));
    rig.venue.say(phase("CM", TradSesStatus::Open));
    rig.venue.say(phase("CM", TradSesStatus::Halted));
    rig.venue.say(phase("CM", TradSesStatus::Open));
    rig.venue.say(phase("CM", TradSesStatus::PreClose));
    let phases = rig.until_phases(7).await;
    assert_eq!(
        phases,
        [
            "FO open 2026-11-20 test",
            "FO open 2026-11-20 test",
            "CM pre-open 2026-11-20 NSE-BROKER",
            "CM open 2026-11-20 NSE-BROKER",
            "CM halted 2026-11-20 NSE-BROKER",
            "CM open 2026-11-20 NSE-BROKER",
            "CM pre-close 2026-11-20 NSE-BROKER",
        ]
    );
    assert!(rig.desk.held().await.is_empty());
    rig.end().await;
}

#[tokio::test]
async fn a_phase_without_a_date_is_of_the_day_in_india() {
    let rig = Rig::new().await;
    let undated = TradingSessionStatus {
        trade_date: None,
        ..told("CM", TradSesStatus::Closed)
    };
    rig.venue.say(AppMessage::TradingSessionStatus(undated));
    let india = time::OffsetDateTime::now_utc().to_offset(time::macros::offset!(+5:30));
    let line = rig.until_phases(3).await.pop().unwrap();
    // The test may run at midnight.
    let days = [india.date(), india.date().next_day().unwrap()];
    let lines = days.map(|day| format!("CM closed {day} NSE-BROKER"));
    assert!(lines.contains(&line), "{line}");
    rig.end().await;
}

#[tokio::test]
async fn what_tells_no_phase_that_we_know_is_held() {
    let rig = Rig::new().await;
    rig.venue.say(phase("EQ", TradSesStatus::Open));
    rig.venue.say(phase("CM", TradSesStatus::Unknown));
    rig.venue.say(phase("CM", TradSesStatus::Open));
    let held = rig.desk.until_held(2).await;
    assert!(
        held[0].reason.contains("`EQ` is not a segment"),
        "{held:#?}"
    );
    assert!(held[1].reason.contains("is no phase"), "{held:#?}");
    assert_eq!(rig.until_phases(3).await.len(), 3);
    rig.end().await;
}

/// The log takes nothing for longer than the gateway waits: the phase counts as not received, and comes again.
#[tokio::test]
async fn a_phase_that_the_log_did_not_take_comes_again() {
    let rig = Rig::new().await;
    let file = rig.log.path().join(squareoff_store::embedded::FILE_NAME);
    let locked = rusqlite::Connection::open(file).unwrap();
    locked.execute_batch("begin immediate").unwrap();
    rig.venue.say(phase("CM", TradSesStatus::Open));
    until("the connection is given up", async || rig.line.dials() > 1).await;
    locked.execute_batch("rollback").unwrap();
    let phases = rig.until_phases(3).await;
    assert_eq!(phases[2], "CM open 2026-11-20 NSE-BROKER");
    rig.end().await;
}

#[tokio::test]
async fn when_the_market_closes_what_still_works_has_expired() {
    let rig = Rig::new().await;
    let (key, order, id) = acknowledged_order(&rig).await;
    rig.desk.list(&key).await;
    let other = rig.desk.open("C2", "ALPHA", 100).await;
    rig.desk.order(&other, 50).await;
    // Reports before the close, in one batch with it.
    rig.venue.fill(&order, 20);
    rig.venue.say(phase("CM", TradSesStatus::Closed));
    rig.venue.say(phase("FO", TradSesStatus::PreClose));
    rig.venue.say(phase("FO", TradSesStatus::Closed));
    rig.desk
        .until(&key, "ended", |p| p.working().is_zero())
        .await;
    rig.desk
        .until(&other, "ended", |p| p.working().is_zero())
        .await;
    let story = rig.desk.story(&key).await;
    assert_eq!(
        story[5..],
        ["executed o1 20@97.00", "expired o1 session-end"]
    );
    assert_eq!(rig.desk.order_status(&key, &id).await, OrderStatus::Expired);
    // The venue's own word for it comes too, and a fill that was on its way counts.
    rig.venue.report(crate::venue::report(
        &order,
        squareoff_fix::message::ExecType::Expired,
        "X1",
    ));
    rig.venue.fill(&order, 5);
    rig.desk.until(&key, "late", |p| p.net.0 == 75).await;
    rig.end().await;
}

#[tokio::test]
async fn a_market_that_closed_while_no_gateway_ran_is_found_at_the_start() {
    for next_day in [false, true] {
        let mut rig = Rig::new().await;
        let (key, _, id) = acknowledged_order(&rig).await;
        let flat = rig.desk.open("C2", "ALPHA", 50).await;
        rig.desk.order(&flat, 50).await;
        let order = rig.venue.until_order(2).await;
        rig.venue.fill(&order, 50);
        rig.desk.until(&flat, "flat", |p| p.net.0 == 0).await;
        rig.desk.list(&key).await;
        rig.kill().await;
        // It would say that it still works the order.
        rig.book.lock().unwrap().candour = Candour::Refusal;
        if next_day {
            rig.desk.next_day().await;
        } else {
            rig.desk.market(Venue::Nse, MarketPhase::Closed).await;
        }
        for _ in 0..2 {
            rig.start().await;
            rig.desk
                .until(&key, "ended", |p| p.working().is_zero())
                .await;
            rig.kill().await;
        }
        rig.start().await;
        let position = rig.desk.position(&key).await;
        assert_eq!(find(&position, &id).1.status(), OrderStatus::Expired);
        let story = rig.desk.story(&key).await;
        assert_eq!(story[5..], ["expired o1 session-end"]);
        assert_eq!(rig.desk.story(&flat).await.len(), 5);
        rig.end().await;
    }
}

/// Decided in the moment in which the market closed: it is in the log behind the close.
#[tokio::test]
async fn an_order_behind_the_close_is_never_sent() {
    let mut rig = Rig::new().await;
    let key = rig.desk.open("C1", "ALPHA", 100).await;
    rig.desk.list(&key).await;
    rig.line.lead_to(None);
    rig.line.cut();
    rig.desk.until_session("down").await;
    rig.desk.order(&key, 10).await;
    rig.desk.market(Venue::Nse, MarketPhase::Closed).await;
    rig.desk
        .until(&key, "dropped", |p| p.working().is_zero())
        .await;
    let story = rig.desk.story(&key).await;
    assert_eq!(story.last().unwrap(), "canceled o1 unsent");
    rig.desk.market(Venue::Nse, MarketPhase::Open).await;
    rig.line.lead_to(Some(rig.venue.address));
    rig.desk.order(&key, 20).await;
    assert_eq!(rig.venue.until_order(1).await.order_qty, 20);
    rig.stop().await.unwrap();
}

#[tokio::test]
async fn the_kill_switch_stops_what_was_not_sent_and_lets_cancels_go() {
    for killed in [false, true] {
        let mut rig = Rig::new().await;
        let (key, order, id) = acknowledged_order(&rig).await;
        rig.desk.list(&key).await;
        rig.line.lead_to(None);
        rig.line.cut();
        rig.desk.until_session("down").await;
        if killed {
            rig.kill().await;
        }
        rig.desk.order(&key, 10).await;
        rig.desk.modify(&key, &id, CHEAPER).await;
        rig.desk.halt().await;
        if killed {
            rig.launch();
        }
        rig.desk
            .until(&key, "stopped", |p| {
                p.working().units() == 50 && !find(p, &id).1.replace_pending()
            })
            .await;
        rig.desk.cancel(&key, &id).await;
        rig.line.lead_to(Some(rig.venue.address));
        let cancel = rig.venue.until_cancel(1).await;
        rig.venue.report(crate::venue::canceled(&order, &cancel));
        rig.desk
            .until(&key, "freed", |p| p.working().is_zero())
            .await;
        rig.venue.until_orders(1).await;
        assert!(rig.book.lock().unwrap().replaces().is_empty());
        let story = rig.desk.story(&key).await;
        for line in ["canceled o2 unsent", "replace-not-delivered o1.r1"] {
            assert!(story.contains(&line.to_owned()), "{story:#?}");
        }
        rig.end().await;
    }
}
