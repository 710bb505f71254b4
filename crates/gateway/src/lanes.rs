//! Over which of a venue's sessions a message goes, and what has gone already. Called by `plan`; pure.
//!
//! 1. A client's orders go over one session, the same as long as the sessions are as many: `session::share_of`.
//! 2. What is about an order goes over the session that the order went over, whatever has changed since.
//! 3. What any journal of the venue holds has gone: also one of a session that is not used any more, or of other clients then.

use squareoff_domain::session::share_of;
use squareoff_domain::{ClOrdId, ClientCode, OrderId};
use std::collections::{HashMap, HashSet};

#[derive(Debug, Default)]
pub struct Lanes {
    /// The sessions, as events name them.
    names: Vec<String>,
    /// What the journals held when this life began, with the session's number; `None` for one that is not used any more. Emptied when
    /// the log has been read to its end: what comes then is in no journal.
    handed: HashMap<ClOrdId, Option<usize>>,
    /// Every session that the log tells orders of.
    sent_over: HashSet<String>,
    /// Orders that did not go over the session that is their client's now.
    elsewhere: HashMap<OrderId, usize>,
}

impl Lanes {
    pub fn new(names: Vec<String>) -> Lanes {
        Lanes {
            names,
            ..Lanes::default()
        }
    }

    /// These messages are in a journal.
    pub fn learn(&mut self, lane: Option<usize>, ids: impl IntoIterator<Item = ClOrdId>) {
        self.handed.extend(ids.into_iter().map(|id| (id, lane)));
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether a message about this order, or the order itself, is in a journal.
    pub fn has_gone(&mut self, order_id: OrderId, id: &ClOrdId, client: &ClientCode) -> bool {
        let Some(lane) = self.handed.get(id) else {
            return false;
        };
        self.went(order_id, client, *lane);
        true
    }

    /// The log tells over which session an order went.
    pub fn dispatched(&mut self, order_id: OrderId, client: &ClientCode, session: &str) {
        if !self.sent_over.contains(session) {
            self.sent_over.insert(session.to_owned());
        }
        let lane = self.names.iter().position(|name| name == session);
        self.went(order_id, client, lane);
    }

    /// Whether orders may have gone over the session of this stream: it is ours, or was. One that only tells us things sends none.
    pub fn may_have_sent(&self, stream: &str) -> bool {
        let name = stream.strip_prefix("session-").unwrap_or(stream);
        self.names.iter().any(|ours| ours == name) || self.sent_over.contains(name)
    }

    fn went(&mut self, order_id: OrderId, client: &ClientCode, lane: Option<usize>) {
        if let Some(lane) = lane
            && lane != self.of_client(client)
        {
            self.elsewhere.insert(order_id, lane);
        }
    }

    pub fn of_order(&self, order_id: OrderId, client: &ClientCode) -> usize {
        let elsewhere = self.elsewhere.get(&order_id).copied();
        elsewhere.unwrap_or_else(|| self.of_client(client))
    }

    /// The log has been read to its end.
    pub fn caught_up(&mut self) {
        self.handed = HashMap::new();
    }

    fn of_client(&self, client: &ClientCode) -> usize {
        let sessions = u32::try_from(self.names.len()).expect("the sessions are few");
        share_of(client, sessions) as usize
    }
}
