//! Square-offs through HTTP, as a desk's program would send them: with a key of its own each, asked again with the same key when an
//! answer is lost, and followed until the read model shows the fill.

use super::follow::{Followed, Page};
use super::person::{PATIENCE, Person};
use crate::stack::Stack;
use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use squareoff_domain::PositionKey;
use squareoff_primary::book::{Book, ClientLine};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use uuid::Uuid;

/// Square-offs under way at once.
const CONCURRENCY: usize = 32;
/// Between two looks at the end of the log.
const LOOK: Duration = Duration::from_millis(2);
/// How often a position is asked for again when its order ended without closing it, as a crash may leave one undelivered.
const ROUNDS_MAX: usize = 10;

pub struct Load {
    pub(super) person: Person,
    /// Approves what one person may not place alone.
    second: Person,
    pub(super) positions: Vec<PositionKey>,
    accepted: watch::Sender<usize>,
    followed: Followed,
}

pub struct Ran {
    pub elapsed: Duration,
    /// Sorted.
    pub latencies_ms: Vec<f64>,
}

#[derive(Deserialize)]
struct Accepted {
    order_ids: Vec<Uuid>,
    approval: Option<Approval>,
}

/// A square-off that was accepted, and approved where it had to be.
pub(super) struct Closing {
    pub order_ids: Vec<Uuid>,
    pub approved: bool,
}

/// What waits for a second person.
#[derive(Deserialize)]
struct Approval {
    approval_id: Uuid,
}

/// What the second person's answer came to.
#[derive(Deserialize)]
struct Approved {
    status: String,
    order_ids: Vec<Uuid>,
}

impl Load {
    pub fn new(stack: &Stack, book: &Book) -> Result<Self> {
        let open = book
            .positions
            .iter()
            .filter(|line| line.net_quantity.0 != 0);
        Ok(Load {
            person: Person::new(stack, "desk-demo")?,
            second: Person::new(stack, "supervisor-demo")?,
            positions: open.map(|line| line.key.clone()).collect(),
            accepted: watch::Sender::new(0),
            followed: Followed::default(),
        })
    }

    pub fn positions(&self) -> usize {
        self.positions.len()
    }

    /// Each client calls and tells who they are, as they would before the desk closes anything for them.
    ///
    /// # Errors
    /// The first caller that is not verified, or an outage that patience did not mend.
    pub async fn verify_callers(&self, book: &Book) -> Result<usize> {
        let clients: BTreeSet<_> = self.positions.iter().map(|key| &key.client).collect();
        let known = book.clients.iter();
        let calling = known.filter(|line| clients.contains(&line.client.client));
        let verified = stream::iter(calling).map(|line| self.verify_caller(line));
        let verified: Vec<()> = verified.buffer_unordered(CONCURRENCY).try_collect().await?;
        Ok(verified.len())
    }

    async fn verify_caller(&self, line: &ClientLine) -> Result<()> {
        let code = &line.client.client;
        let body = json!({
            "call_reference": format!("demo/{code}"),
            "pan": line.identity.pan,
            "date_of_birth": line.identity.date_of_birth,
        });
        let (path, key) = (
            format!("/v1/clients/{code}/verifications"),
            Uuid::new_v4().to_string(),
        );
        let (status, answer) = self.person.post(&path, &key, &body).await?;
        if status != StatusCode::OK {
            bail!("the caller of {code} was not verified: {status} {answer}");
        }
        Ok(())
    }

    /// How many square-offs have been accepted.
    pub fn accepted(&self) -> watch::Receiver<usize> {
        self.accepted.subscribe()
    }

    pub(super) fn count(&self) {
        self.accepted.send_modify(|accepted| *accepted += 1);
    }

    /// Closes every position.
    ///
    /// # Errors
    /// The first refusal or outage that patience did not mend.
    pub async fn run(&self) -> Result<Ran> {
        let begun = Instant::now();
        let closings = stream::iter(&self.positions).map(|position| self.close(position));
        let closed = closings.buffer_unordered(CONCURRENCY).try_collect();
        let mut latencies_ms: Vec<f64> = tokio::select! {
            closed = closed => closed?,
            Err(error) = self.follow() => return Err(error),
        };
        let elapsed = begun.elapsed();
        latencies_ms.sort_by(f64::total_cmp);
        Ok(Ran {
            elapsed,
            latencies_ms,
        })
    }

    /// Closes one position; the milliseconds from the request to the last fill visible.
    async fn close(&self, position: &PositionKey) -> Result<f64> {
        let begun = Instant::now();
        for _ in 0..ROUNDS_MAX {
            let accepted = self.square_off(position).await?;
            self.count();
            let mut filled = !accepted.order_ids.is_empty();
            for order_id in accepted.order_ids {
                filled &= self.ended(order_id).await? == "filled";
            }
            if filled {
                return Ok(begun.elapsed().as_secs_f64() * 1_000.0);
            }
        }
        bail!(
            "{} was not closed in {ROUNDS_MAX} rounds",
            position.stream()
        )
    }

    pub(super) async fn square_off(&self, position: &PositionKey) -> Result<Closing> {
        let key = Uuid::new_v4().to_string();
        let body = json!({
            "client_code": position.client,
            "venue": position.venue,
            "symbol": position.symbol,
            "product": position.product,
            "quantity": "all",
        });
        let asked = self.person.post("/v1/square-offs", &key, &body);
        let (status, answer) = asked.await?;
        if status != StatusCode::ACCEPTED {
            bail!("{} was not accepted: {status} {answer}", position.stream());
        }
        let accepted: Accepted =
            serde_json::from_value(answer).context("an accepted square-off")?;
        let order_ids = match &accepted.approval {
            Some(waits) => self.approve(waits.approval_id).await?,
            None => accepted.order_ids,
        };
        Ok(Closing {
            order_ids,
            approved: accepted.approval.is_some(),
        })
    }

    /// Approves, and asks again until the orders are placed: a part that is killed meanwhile leaves that to whoever is up.
    async fn approve(&self, approval_id: Uuid) -> Result<Vec<Uuid>> {
        let path = format!("/v1/approvals/{approval_id}/approve");
        let key = Uuid::new_v4().to_string();
        let ordered = async {
            loop {
                let (status, answer) = self.second.post(&path, &key, &Value::Null).await?;
                if status != StatusCode::ACCEPTED {
                    bail!("{approval_id} was not approved: {status} {answer}");
                }
                let approved: Approved = serde_json::from_value(answer).context("an approval")?;
                if approved.status != "approved" {
                    return Ok(approved.order_ids);
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let ordered = tokio::time::timeout(PATIENCE, ordered).await;
        ordered.with_context(|| format!("{approval_id} was not ordered in time"))?
    }

    /// The status the order ended with, once the read model shows it.
    async fn ended(&self, order_id: Uuid) -> Result<String> {
        let ended = tokio::time::timeout(PATIENCE, self.followed.ended(order_id)).await;
        let at_least = ended.with_context(|| {
            format!(
                "the order {order_id} did not end within {} seconds",
                PATIENCE.as_secs()
            )
        })?;
        let path = format!("/v1/orders/{order_id}?at_least={at_least}");
        let (status, order) = self.person.get(&path).await?;
        if status != StatusCode::OK {
            bail!("the order {order_id} is not shown: {status} {order}");
        }
        Ok(order["status"].as_str().unwrap_or_default().to_owned())
    }

    /// Reads the log as it grows; never ends by itself.
    async fn follow(&self) -> Result<()> {
        let mut from = "0".to_owned();
        loop {
            let path = format!("/v1/events?limit=1000&from={from}");
            let (status, answer) = self.person.get(&path).await?;
            if status != StatusCode::OK {
                bail!("the log cannot be followed: {status} {answer}");
            }
            let page: Page = serde_json::from_value(answer)?;
            if page.next == from {
                tokio::time::sleep(LOOK).await;
            }
            from.clone_from(&page.next);
            self.followed.learn(page);
        }
    }
}
