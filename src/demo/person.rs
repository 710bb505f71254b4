//! Somebody at the desk, as their program speaks to the API: asks until there is an answer.

use crate::stack::Stack;
use anyhow::{Result, bail};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;
use squareoff_api::DevelopmentKey;
use std::time::{Duration, Instant};

/// For so long one request is asked again while parts are down.
pub const PATIENCE: Duration = Duration::from_secs(90);
const RETRY: Duration = Duration::from_millis(50);

pub struct Person {
    http: Client,
    url: String,
    token: String,
}

impl Person {
    pub fn new(stack: &Stack, name: &str) -> Result<Self> {
        Ok(Person {
            http: Client::builder().timeout(Duration::from_secs(10)).build()?,
            url: stack.url.clone(),
            token: DevelopmentKey::load_or_create(&stack.folder.development_key())?.token(name)?,
        })
    }

    /// `path` begins with a slash.
    pub async fn get(&self, path: &str) -> Result<(StatusCode, Value)> {
        let url = format!("{}{path}", self.url);
        self.until_answered(|| self.http.get(&url)).await
    }

    /// The same key names the same request, however often it is asked.
    pub async fn post(&self, path: &str, key: &str, body: &Value) -> Result<(StatusCode, Value)> {
        let url = format!("{}{path}", self.url);
        let ask = || {
            let request = self.http.post(&url).header("Idempotency-Key", key);
            if body.is_null() {
                request
            } else {
                request.json(body)
            }
        };
        self.until_answered(ask).await
    }

    /// Asks until there is an answer: while parts are down there is none, or a 503 that says so, and a 429 says later. The key makes asking again safe.
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
                Ok((StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS, body)) => {
                    body["detail"].to_string()
                }
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
