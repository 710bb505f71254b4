//! The venue tells of its market: phases of segments go to the platform.

use crate::rig::{Rig, until};
use squareoff_domain::platform::{self, PlatformEvent};
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
