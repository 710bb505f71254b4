//! `squareoff demo --bulk`: the whole sample book squared off at once, as the desk would on the day: seen dry, proposed by one person,
//! approved by another, paused and resumed on the way.

use super::person::{PATIENCE, Person};
use crate::stack::Stack;
use anyhow::{Context, Result, bail};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use uuid::Uuid;

/// Between two looks at the progress, and how often it is told.
const LOOK: Duration = Duration::from_millis(50);
const TELL: Duration = Duration::from_secs(1);
/// Bulks in a row: what a part that was killed left open, the next one closes.
const ROUNDS_MAX: usize = 5;

pub struct Bulk {
    proposer: Person,
    approver: Person,
    closed: watch::Sender<usize>,
}

pub struct Ran {
    pub items: usize,
    pub elapsed: Duration,
}

impl Bulk {
    pub fn new(stack: &Stack) -> Result<Self> {
        Ok(Bulk {
            proposer: Person::new(stack, "desk-demo")?,
            approver: Person::new(stack, "supervisor-demo")?,
            closed: watch::Sender::new(0),
        })
    }

    /// How many positions have been closed.
    pub fn closed(&self) -> watch::Receiver<usize> {
        self.closed.subscribe()
    }

    /// Closes every position.
    ///
    /// # Errors
    /// The first refusal, or an outage that patience did not mend.
    pub async fn run(&self, say: &impl Fn(&str)) -> Result<Ran> {
        let begun = Instant::now();
        let mut items = 0;
        for round in 0..ROUNDS_MAX {
            let Some(proposed) = self.propose(say).await? else {
                let elapsed = begun.elapsed();
                return Ok(Ran { items, elapsed });
            };
            let id = proposed["bulk_id"].as_str().context("a bulk's id")?;
            let path = format!("/v1/bulk/{id}");
            self.ask(&self.approver, &format!("{path}/approve"), &Value::Null)
                .await?;
            let done = self.follow(&path, round == 0, say).await?;
            let closed = done["progress"]["closed"].as_u64().unwrap_or(0);
            items += usize::try_from(closed)?;
            // The next proposal is made of what the read model shows: all of this one.
            let position = done["position"].as_str().unwrap_or("0");
            let seen = format!("{path}/items?limit=1&at_least={position}");
            self.proposer.get(&seen).await?;
        }
        bail!("positions are open after {ROUNDS_MAX} bulks")
    }

    /// `None` when nothing is open.
    async fn propose(&self, say: &impl Fn(&str)) -> Result<Option<Value>> {
        let mut body = json!({
            "filter": { "all": true },
            "reason": "the primary platform is down",
            "dry_run": true,
        });
        let key = Uuid::new_v4().to_string();
        let (status, dry) = self.proposer.post("/v1/bulk", &key, &body).await?;
        if status != StatusCode::OK {
            bail!("the dry run was refused: {status} {dry}");
        }
        if dry["items"] == 0 {
            return Ok(None);
        }
        say(&format!(
            "a bulk of everything: {} positions worth {} rupees, {} orders, {} cancels, {} seconds at {} messages a second",
            dry["items"],
            dry["notional"].as_str().unwrap_or_default(),
            dry["slices"],
            dry["orders_to_cancel"],
            dry["estimated_seconds"],
            dry["message_rate_per_s"]
        ));
        body["dry_run"] = false.into();
        self.ask(&self.proposer, "/v1/bulk", &body).await.map(Some)
    }

    /// Until every item is settled; with `pause` it is paused and resumed once.
    async fn follow(&self, path: &str, mut pause: bool, say: &impl Fn(&str)) -> Result<Value> {
        let before = *self.closed.borrow();
        let (mut told, mut moved, mut last) = (Instant::now(), Instant::now(), 0);
        loop {
            let (status, bulk) = self.proposer.get(path).await?;
            if status != StatusCode::OK {
                bail!("the bulk is not shown: {status} {bulk}");
            }
            let progress = &bulk["progress"];
            let closed = usize::try_from(progress["closed"].as_u64().unwrap_or(0))?;
            self.closed.send_replace(before + closed);
            if told.elapsed() > TELL {
                told = Instant::now();
                say(&format!(
                    "{}: {closed} of {} closed, {} sent, {} failed, {} seconds left",
                    bulk["phase"].as_str().unwrap_or("begun"),
                    bulk["items"],
                    progress["sent"],
                    progress["failed"],
                    progress["estimated_seconds_left"]
                ));
            }
            if bulk["status"] == "completed" {
                return Ok(bulk);
            }
            if pause && closed > 0 {
                pause = false;
                let reason = json!({ "reason": "the desk has a look" });
                self.ask(&self.proposer, &format!("{path}/pause"), &reason)
                    .await?;
                self.ask(&self.proposer, &format!("{path}/resume"), &Value::Null)
                    .await?;
            }
            if closed > last {
                (last, moved) = (closed, Instant::now());
            } else if moved.elapsed() > PATIENCE {
                bail!(
                    "the bulk did not move for {} seconds: {bulk}",
                    PATIENCE.as_secs()
                );
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn ask(&self, person: &Person, path: &str, body: &Value) -> Result<Value> {
        let key = Uuid::new_v4().to_string();
        let (status, answer) = person.post(path, &key, body).await?;
        if status != StatusCode::ACCEPTED {
            bail!("{path} was refused: {status} {answer}");
        }
        Ok(answer)
    }
}
