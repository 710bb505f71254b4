//! Everything that happens because time passes (FIX 4.4 volume 2, "Heartbeat", "Test Request").

use super::{Gap, Phase, RESEND_PATIENCE_S, RESEND_TRIES_MAX, Reason, SECOND, Session};
use crate::encode::Body;
use crate::tag;
use crate::value::Timestamp;

/// TestReqID of our test requests. One is out at a time, so it needs no number.
const TEST_REQ_ID: &str = "TEST";

impl Session {
    /// Time has passed: heartbeats, test requests, limits. Call at or after [`Session::deadline`].
    pub fn tick(&mut self, now: Timestamp) {
        match self.phase {
            Phase::Disconnected => {}
            Phase::AwaitingLogon { until } if now >= until => self.disconnect(Reason::NoLogon),
            Phase::LoggingOut { until } if now >= until => {
                self.disconnect(Reason::LogoutUnanswered);
            }
            Phase::AwaitingLogon { .. } | Phase::LoggingOut { .. } => {}
            Phase::LoggedOn if self.closes().is_some_and(|closes| now >= closes) => {
                self.log_out("the session's hours are over", now);
            }
            Phase::LoggedOn => {
                self.keep_alive(now);
                self.insist(now);
            }
        }
    }

    /// When [`Session::tick`] has something to do next; `None` when never.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Disconnected => None,
            Phase::AwaitingLogon { until } | Phase::LoggingOut { until } => Some(until),
            Phase::LoggedOn => {
                let silence = if self.test_request_out { 2 } else { 1 };
                let alive = (self.heartbeat_s > 0)
                    .then(|| self.last_received.plus(silence * self.patience()));
                let beat = (self.heartbeat_s > 0 && !self.test_request_out)
                    .then(|| self.last_sent.plus(self.heartbeat_s * SECOND));
                let gap = self
                    .gap
                    .map(|gap| gap.asked_at.plus(RESEND_PATIENCE_S * SECOND));
                [alive, beat, gap, self.closes()]
                    .into_iter()
                    .flatten()
                    .min()
            }
        }
    }

    /// When the schedule ends the session that the peers last spoke in.
    fn closes(&self) -> Option<Timestamp> {
        let schedule = self.config.schedule.as_ref()?;
        let last = self.last_sent.max(self.last_received);
        Some(schedule.current(last).map_or(last, |session| session.end))
    }

    /// HeartBtInt and a reasonable transmission time, a fifth of it.
    fn patience(&self) -> i64 {
        self.heartbeat_s * SECOND * 6 / 5
    }

    fn keep_alive(&mut self, now: Timestamp) {
        if self.heartbeat_s == 0 {
            return;
        }
        let silent = now.since(self.last_received);
        if silent >= 2 * self.patience() {
            self.disconnect(Reason::Silent);
        } else if silent >= self.patience() && !self.test_request_out {
            self.test_request_out = true;
            let mut body = Body::new();
            body.text(tag::TEST_REQ_ID, TEST_REQ_ID);
            self.send_admin(b"1", body, now);
        } else if now.since(self.last_sent) >= self.heartbeat_s * SECOND && !self.test_request_out {
            self.send_admin(b"0", Body::new(), now);
        }
    }

    /// Asks again for a gap that does not close, then gives up: behind it, everything is stuck.
    fn insist(&mut self, now: Timestamp) {
        let Some(gap) = self.gap else { return };
        if !self.is_logged_on() || now.since(gap.asked_at) < RESEND_PATIENCE_S * SECOND {
            return;
        }
        if gap.tries >= RESEND_TRIES_MAX {
            self.disconnect(Reason::GapNotFilled { from: self.next_in });
            return;
        }
        self.gap = Some(Gap {
            asked_at: now,
            tries: gap.tries + 1,
            ..gap
        });
        self.ask_again(now);
    }
}
