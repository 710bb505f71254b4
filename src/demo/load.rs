//! Square-offs through HTTP, as a desk's program would send them: with a key of its own each, asked again with the same key when an
//! answer is lost, and followed until the read model shows the fill.

use super::follow::{Followed, Page};
use crate::stack::Stack;
use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use squareoff_api::DevelopmentKey;
use squareoff_domain::PositionKey;
use squareoff_primary::book::Book;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use uuid::Uuid;

/// Square-offs under way at once.
const CONCURRENCY: usize = 32;
/// For so long one request is asked again while parts are down.
const PATIENCE: Duration = Duration::from_secs(90);
const RETRY: Duration = Duration::from_millis(50);
/// Between two looks at the end of the log.
const LOOK: Duration = Duration::from_millis(2);
/// How often a position is asked for again when its order ended without closing it, as a crash may leave one undelivered.
const ROUNDS_MAX: usize = 10;

pub struct Load {
    http: Client,
    url: String,
    token: String,
    positions: Vec<PositionKey>,
    accepted: watch::Sender<usize>,
    followed: Followed,
}

pub struct Ran {
    pub orders: usize,
    pub elapsed: Duration,
    /// Sorted.
    pub latencies_ms: Vec<f64>,
}

#[derive(Deserialize)]
struct Accepted {
    order_ids: Vec<Uuid>,
}

impl Load {
    pub fn new(stack: &Stack, book: &Book) -> Result<Self> {
        let open = book
            .positions
            .iter()
            .filter(|line| line.net_quantity.0 != 0);
        Ok(Load {
            http: Client::builder().timeout(Duration::from_secs(10)).build()?,
            url: stack.url.clone(),
            token: DevelopmentKey::load_or_create(&stack.folder.development_key())?
                .token("demo")?,
            positions: open.map(|line| line.key.clone()).collect(),
            accepted: watch::Sender::new(0),
            followed: Followed::default(),
        })
    }

    pub fn positions(&self) -> usize {
        self.positions.len()
    }

    /// Ends when so many square-offs have been accepted.
    pub async fn accepted(&self, count: usize) {
        let mut accepted = self.accepted.subscribe();
        accepted.wait_for(|accepted| *accepted >= count).await.ok();
    }

    /// Closes every position.
    ///
    /// # Errors
    /// The first refusal or outage that patience did not mend.
    pub async fn run(&self) -> Result<Ran> {
        let begun = Instant::now();
        let closings = stream::iter(&self.positions).map(|position| self.close(position));
        let closed = closings.buffer_unordered(CONCURRENCY).try_collect();
        let closed: Vec<(usize, f64)> = tokio::select! {
            closed = closed => closed?,
            Err(error) = self.follow() => return Err(error),
        };
        let elapsed = begun.elapsed();
        let mut latencies_ms: Vec<f64> = closed.iter().map(|(_, latency)| *latency).collect();
        latencies_ms.sort_by(f64::total_cmp);
        Ok(Ran {
            orders: closed.iter().map(|(orders, _)| orders).sum(),
            elapsed,
            latencies_ms,
        })
    }

    /// Closes one position; how many orders it took, and the milliseconds from the request to the last fill visible.
    async fn close(&self, position: &PositionKey) -> Result<(usize, f64)> {
        let begun = Instant::now();
        let mut orders = 0;
        for _ in 0..ROUNDS_MAX {
            let accepted = self.square_off(position).await?;
            orders += accepted.order_ids.len();
            self.accepted.send_modify(|accepted| *accepted += 1);
            let mut filled = true;
            for order_id in accepted.order_ids {
                filled &= self.ended(order_id).await? == "filled";
            }
            if filled {
                return Ok((orders, begun.elapsed().as_secs_f64() * 1_000.0));
            }
        }
        bail!(
            "{} was not closed in {ROUNDS_MAX} rounds",
            position.stream()
        )
    }

    async fn square_off(&self, position: &PositionKey) -> Result<Accepted> {
        let key = Uuid::new_v4().to_string();
        let body = json!({
            "client_code": position.client,
            "venue": position.venue,
            "symbol": position.symbol,
            "product": position.product,
            "quantity": "all",
        });
        let ask = || {
            self.http
                .post(format!("{}/v1/square-offs", self.url))
                .header("Idempotency-Key", &key)
                .json(&body)
        };
        let (status, answer) = self.until_answered(ask).await?;
        if status != StatusCode::ACCEPTED {
            bail!("{} was not accepted: {status} {answer}", position.stream());
        }
        serde_json::from_value(answer).context("an accepted square-off")
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
        let url = format!("{}/v1/orders/{order_id}?at_least={at_least}", self.url);
        let (status, order) = self.until_answered(|| self.http.get(&url)).await?;
        if status != StatusCode::OK {
            bail!("the order {order_id} is not shown: {status} {order}");
        }
        Ok(order["status"].as_str().unwrap_or_default().to_owned())
    }

    /// Reads the log as it grows; never ends by itself.
    async fn follow(&self) -> Result<()> {
        let mut from = "0".to_owned();
        loop {
            let url = format!("{}/v1/events?limit=1000&from={from}", self.url);
            let (status, answer) = self.until_answered(|| self.http.get(&url)).await?;
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

    /// Asks until there is an answer: while parts are down there is none, or a 503 that says so. The key makes asking again safe.
    async fn until_answered(
        &self,
        ask: impl Fn() -> RequestBuilder,
    ) -> Result<(StatusCode, Value)> {
        let begun = Instant::now();
        loop {
            let answer = async {
                let response = ask().bearer_auth(&self.token).send().await?;
                Ok::<_, reqwest::Error>((response.status(), response.json::<Value>().await?))
            };
            let why = match answer.await {
                Ok((StatusCode::SERVICE_UNAVAILABLE, body)) => body["detail"].to_string(),
                Ok(answer) => return Ok(answer),
                Err(error) => error.to_string(),
            };
            if begun.elapsed() > PATIENCE {
                bail!("no answer within {} seconds: {why}", PATIENCE.as_secs());
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}
