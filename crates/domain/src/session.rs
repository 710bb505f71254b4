//! What the gateway tells of one exchange session. One gateway at a time holds a session: each start claims a higher fence, and a
//! gateway whose fence is no longer the highest must stop, because its next append to this stream is refused.

use crate::id::Venue;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// `session-<venue>-<comp id>`; `comp_id` is our SenderCompID (FIX tag 49).
pub fn stream(venue: Venue, comp_id: &str) -> String {
    format!("session-{venue}-{comp_id}")
}

/// A gateway took the session over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionClaimed {
    pub venue: Venue,
    /// One more than that of the gateway before.
    pub fence: u64,
}

/// Logged on: orders may go. What either side has missed is asked for and comes behind this.
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

/// Every event of an exchange session's stream, `session-<venue>-<comp id>`. The variant's name is the event's type in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEvent {
    SessionClaimed(SessionClaimed),
    SessionReady(SessionReady),
    SessionDown(SessionDown),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Session {
    pub fence: u64,
    pub ready: bool,
}

/// What a gateway reports; `fence` is the one it claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionReport {
    /// A gateway starts: it takes the next fence.
    Claim,
    Ready {
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
/// [`Fenced`] when the reporter's fence is not the highest. A state reported twice gives no event.
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
        SessionReport::Claim => Ok(vec![SessionEvent::SessionClaimed(SessionClaimed {
            venue,
            fence: session.fence.saturating_add(1),
        })]),
        SessionReport::Ready { fence } => {
            check(fence)?;
            Ok(if session.ready {
                vec![]
            } else {
                vec![SessionEvent::SessionReady(SessionReady { venue, fence })]
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
        },
        SessionEvent::SessionReady(_) => Session {
            ready: true,
            ..session
        },
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
    fn a_gateway_that_lost_its_fence_can_say_nothing_more() {
        let first = tell(Session::default(), SessionReport::Claim).unwrap();
        let ready = tell(first, SessionReport::Ready { fence: 1 }).unwrap();
        assert!(ready.ready);
        let second = tell(ready, SessionReport::Claim).unwrap();
        assert_eq!(
            second,
            Session {
                fence: 2,
                ready: false
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
}
