//! Who may listen to what: decided when a connection is opened, and looked after while it is open.

use super::Live;
use super::change::Change;
use super::topics::Topics;
use crate::auth::{Asks, Who, authenticate};
use crate::guard::refused;
use crate::problem::Problem;
use crate::rights::Action;
use crate::server::App;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, header};
use squareoff_domain::{ClientCode, Role};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

/// How often it is asked whether those who listen still may: whoever may no more is gone within a second.
pub const RECHECK: Duration = Duration::from_millis(500);

/// Whose orders, positions and approvals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    All,
    Client(ClientCode),
}

/// What one connection is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub audience: Audience,
    pub topics: Topics,
}

impl Filter {
    /// What `who` is told of, when this client and these topics were asked for; of an investor the own client, and the topics of clients.
    ///
    /// # Errors
    /// `not-allowed`.
    pub fn of(
        who: &Who,
        client: Option<ClientCode>,
        topics: Option<Topics>,
    ) -> Result<Self, Problem> {
        let visible = visible(who);
        let topics = topics.unwrap_or(visible);
        if visible.is_empty() || !visible.has(topics) {
            let (name, role) = (&who.name, who.role);
            return Err(refused(format!(
                "{name} has the role {role}, which may listen to {}",
                if visible.is_empty() {
                    "nothing".to_owned()
                } else {
                    visible.to_string()
                }
            )));
        }
        let audience = match (who.role, client) {
            (Role::Investor, asked) => {
                let own = who.client.clone();
                let own = own.filter(|own| asked.is_none_or(|asked| asked == *own));
                let other = || refused(format!("{} may listen to the own client alone", who.name));
                Audience::Client(own.ok_or_else(other)?)
            }
            (_, Some(client)) => Audience::Client(client),
            (_, None) => Audience::All,
        };
        Ok(Filter { audience, topics })
    }

    /// The parts of a change that this reader is shown.
    pub fn shown(&self, change: &Change) -> Topics {
        let wanted = self.topics.and(change.topics);
        match (&self.audience, &change.client) {
            (Audience::All, _) => wanted,
            (Audience::Client(ours), Some(client)) if ours == client => wanted,
            // What is of the platform is of no client.
            (Audience::Client(_), _) => wanted.and(Topics::OF_PLATFORM),
        }
    }
}

/// What their queries may be asked for.
fn visible(who: &Who) -> Topics {
    let given = |action, topics| {
        if who.may(action) {
            topics
        } else {
            Topics::NONE
        }
    };
    given(Action::ReadPositions, Topics::ORDERS.or(Topics::POSITIONS))
        .or(given(Action::ReadPlatform, Topics::PLATFORM))
        .or(given(Action::ReadBulk, Topics::BULK))
        .or(given(Action::ReadApprovals, Topics::APPROVALS))
}

/// Who listens, and what they proved it with.
#[derive(Debug)]
pub struct Gate {
    pub who: Who,
    proof: Parts,
}

impl Gate {
    pub(super) fn new(who: Who, headers: HeaderMap) -> Self {
        let (mut proof, ()) = Request::new(()).into_parts();
        proof.headers = headers;
        Gate { who, proof }
    }

    /// Connections with the same proof are asked about once.
    fn proofs(&self) -> [Option<&[u8]>; 2] {
        let value = |name| Some(self.proof.headers.get(name)?.as_bytes());
        [value(header::AUTHORIZATION), value(header::COOKIE)]
    }

    /// Whether the proof, asked again, still speaks for the same person in the same role.
    fn holds(&self, asked: &Result<Who, Problem>) -> bool {
        match asked {
            Ok(who) => *who == self.who,
            // Who can't be asked has not said no.
            Err(problem) => problem.status.is_server_error(),
        }
    }
}

impl FromRequestParts<App> for Gate {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let who = Who::from_request_parts(parts, app).await?;
        Ok(Gate::new(who, parts.headers.clone()))
    }
}

/// Sends those away, for ever, who may listen no more.
pub async fn keep_checking(app: &App) {
    let mut due = tokio::time::interval(RECHECK);
    loop {
        due.tick().await;
        check(&app.live, app).await;
    }
}

/// Once.
pub(super) async fn check(live: &Live, app: &App) {
    let gates = live.gates();
    let mut asked = HashMap::new();
    for (id, gate) in &gates {
        let answer = match asked.entry(gate.proofs()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                // Thousands are asked in one go: others have their turn between them.
                tokio::task::yield_now().await;
                unknown.insert(authenticate(app, &gate.proof, Asks::Still).await)
            }
        };
        if !gate.holds(answer) {
            live.expel(*id);
        }
    }
}
