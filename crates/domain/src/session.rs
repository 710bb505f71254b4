//! What the gateway tells of one exchange session. One gateway at a time holds a session: each start claims a higher fence, and a
//! gateway whose fence is no longer the highest must stop, because its next append to this stream is refused.

use crate::id::{ClientCode, Venue};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// `session-<venue>-<comp id>`; `comp_id` is our SenderCompID (FIX tag 49).
pub fn stream(venue: Venue, comp_id: &str) -> String {
    format!("session-{venue}-{comp_id}")
}

/// Which clients' orders go over a session, where a venue has several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Of the sessions to the venue this is the one with this number, from 0.
    pub number: u32,
    /// How many sessions the gateway has to the venue.
    pub of: u32,
}

impl Share {
    /// Of a venue with one session.
    pub const ONLY: Share = Share { number: 0, of: 1 };
}

/// The number of the session, of so many to one venue, that a client's orders go over: FNV-1a of the client code. Another number of
/// sessions moves clients to other ones, so do not change it without need.
pub fn share_of(client: &ClientCode, sessions: u32) -> u32 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    let hash = client.as_str().bytes().fold(BASIS, step);
    // The low bits of the hash of short codes are poor.
    let spread = (hash ^ (hash >> 32)) % u64::from(sessions.max(1));
    u32::try_from(spread).expect("less than the sessions are many")
}

/// A gateway took the session over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionClaimed {
    pub venue: Venue,
    /// One more than that of the gateway before.
    pub fence: u64,
    /// Absent in events from before a venue could have several sessions: this is the only one.
    #[serde(default)]
    pub share: Option<Share>,
}

/// Logged on, and the venue has said how every order stands: orders may go. In events from before it was asked: logged on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionReady {
    pub venue: Venue,
    /// That of the gateway which says so.
    pub fence: u64,
}

/// The session is not usable: logged out, or the connection was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionDown {
    pub venue: Venue,
    /// That of the gateway which says so.
    pub fence: u64,
    /// What ended it, as the gateway saw it.
    pub reason: String,
}

/// Still ready, as its gateway says from time to time: one that was killed can't say that it is down, but it no longer says this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionKept {
    pub venue: Venue,
    /// That of the gateway which says so.
    pub fence: u64,
}

/// For how long a gateway's word that a session is ready holds, in seconds. It says so three times as often, some 2,000 events on a
/// trading day.
pub const KEPT_S: i64 = 30;

/// Whether what was recorded at `said_at` still holds.
pub const fn is_kept(said_at: Timestamp, now: Timestamp) -> bool {
    now.0.saturating_sub(said_at.0) < KEPT_S * 1_000_000_000
}

/// Every event of an exchange session's stream, `session-<venue>-<comp id>`. The variant's name is the event's type in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEvent {
    SessionClaimed(SessionClaimed),
    SessionReady(SessionReady),
    SessionKept(SessionKept),
    SessionDown(SessionDown),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Session {
    pub fence: u64,
    pub ready: bool,
    /// Of the newest claim.
    pub share: Option<Share>,
}

/// What a gateway reports; `fence` is the one it claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionReport {
    /// A gateway starts: it takes the next fence.
    Claim {
        share: Share,
    },
    Ready {
        fence: u64,
    },
    /// Ready as before.
    Keep {
        fence: u64,
    },
    Down {
        fence: u64,
        reason: String,
    },
}

/// Another gateway holds the session.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the session was taken over by another gateway (fence {held} is now {highest})")]
pub struct Fenced {
    pub held: u64,
    pub highest: u64,
}

/// # Errors
/// [`Fenced`] when the reporter's fence is not the highest. A state reported twice gives no event, and what is not ready is not kept.
pub fn record(
    session: &Session,
    venue: Venue,
    report: SessionReport,
) -> Result<Vec<SessionEvent>, Fenced> {
    let check = |fence| {
        if fence == session.fence {
            Ok(())
        } else {
            Err(Fenced {
                held: fence,
                highest: session.fence,
            })
        }
    };
    match report {
        SessionReport::Claim { share } => Ok(vec![SessionEvent::SessionClaimed(SessionClaimed {
            venue,
            fence: session.fence.saturating_add(1),
            share: Some(share),
        })]),
        SessionReport::Ready { fence } => {
            check(fence)?;
            Ok(if session.ready {
                vec![]
            } else {
                vec![SessionEvent::SessionReady(SessionReady { venue, fence })]
            })
        }
        SessionReport::Keep { fence } => {
            check(fence)?;
            Ok(if session.ready {
                vec![SessionEvent::SessionKept(SessionKept { venue, fence })]
            } else {
                vec![]
            })
        }
        SessionReport::Down { fence, reason } => {
            check(fence)?;
            Ok(if session.ready {
                vec![SessionEvent::SessionDown(SessionDown {
                    venue,
                    fence,
                    reason,
                })]
            } else {
                vec![]
            })
        }
    }
}

#[must_use]
pub fn evolve(session: Session, event: &SessionEvent) -> Session {
    match event {
        SessionEvent::SessionClaimed(claimed) => Session {
            fence: claimed.fence,
            ready: false,
            share: claimed.share,
        },
        SessionEvent::SessionReady(_) => Session {
            ready: true,
            ..session
        },
        SessionEvent::SessionKept(_) => session,
        SessionEvent::SessionDown(_) => Session {
            ready: false,
            ..session
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tell(session: Session, report: SessionReport) -> Result<Session, Fenced> {
        record(&session, Venue::Nse, report).map(|events| events.iter().fold(session, evolve))
    }

    #[test]
    fn a_session_is_kept_while_it_is_ready_and_the_word_of_it_holds_for_a_while() {
        let share = Share::ONLY;
        let keep = SessionReport::Keep { fence: 1 };
        let claimed = tell(Session::default(), SessionReport::Claim { share }).unwrap();
        assert_eq!(record(&claimed, Venue::Nse, keep.clone()), Ok(vec![]));
        let ready = tell(claimed, SessionReport::Ready { fence: 1 }).unwrap();
        let told = record(&ready, Venue::Nse, keep.clone()).unwrap();
        assert_eq!(told.len(), 1);
        assert_eq!(told.iter().fold(ready.clone(), evolve), ready);
        let second = tell(ready, SessionReport::Claim { share }).unwrap();
        assert!(record(&second, Venue::Nse, keep).is_err());
        let at = |seconds: i64| Timestamp(seconds * 1_000_000_000);
        for (now, holds) in [
            (100, true),
            (129, true),
            (130, false),
            (200, false),
            (90, true),
        ] {
            assert_eq!(is_kept(at(100), at(now)), holds, "{now}");
        }
    }

    #[test]
    fn a_gateway_that_lost_its_fence_can_say_nothing_more() {
        let share = Share::ONLY;
        let first = tell(Session::default(), SessionReport::Claim { share }).unwrap();
        let ready = tell(first, SessionReport::Ready { fence: 1 }).unwrap();
        assert!(ready.ready);
        let second = tell(ready, SessionReport::Claim { share }).unwrap();
        assert_eq!(
            second,
            Session {
                fence: 2,
                ready: false,
                share: Some(share)
            }
        );
        let late = tell(second, SessionReport::Ready { fence: 1 });
        assert_eq!(
            late,
            Err(Fenced {
                held: 1,
                highest: 2
            })
        );
    }
    #[test]
    fn clients_are_spread_over_the_sessions_and_stay_where_they_are() {
        let client = |n: u32| format!("C{n:04}").parse::<ClientCode>().unwrap();
        for sessions in [1, 2, 3, 7] {
            let shares = Vec::from_iter((0..1_000).map(|n| share_of(&client(n), sessions)));
            let even = 1_000 / usize::try_from(sessions).unwrap();
            for session in 0..sessions {
                let clients = shares.iter().filter(|share| **share == session).count();
                assert!(clients.abs_diff(even) <= even / 5, "{clients} of 1000");
            }
        }
        // These are in logs.
        let shares = ["C0001", "AB12", "Z"].map(|code| share_of(&code.parse().unwrap(), 5));
        assert_eq!(shares, [4, 4, 2]);
    }
}
