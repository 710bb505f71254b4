//! Market control over HTTP, as a test speaks to it.

use std::path::Path;

use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::broker::patiently;

pub struct Desk {
    client: Client,
    address: String,
}

impl Desk {
    /// Reads the address that the exchange left in its data folder.
    pub fn open(data: &Path) -> Self {
        Self {
            client: Client::new(),
            address: std::fs::read_to_string(data.join("control.http")).unwrap(),
        }
    }

    /// The status and the answer to a body.
    pub async fn send(&self, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let request = self.client.post(format!("http://{}/control", self.address));
        let request = request
            .header("content-type", "application/json")
            .body(body);
        let answer = patiently("an answer", request.send()).await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub async fn ask(&self, command: &str) -> Value {
        self.send(command.to_owned()).await.1
    }

    /// The command is carried out.
    pub async fn done(&self, command: &str) {
        assert_eq!(self.ask(command).await, json!({"ok": true}), "{command}");
    }

    /// The command is refused, by a status and a sentence that begins so.
    pub async fn refused(&self, command: &str, status: u16, begins: &str) {
        let (found, answer) = self.send(command.to_owned()).await;
        let said = answer["error"].as_str().unwrap_or_default();
        assert!(
            found == status && said.starts_with(begins),
            "{command}: {found} {answer}"
        );
    }

    pub async fn get(&self, path: &str) -> Response {
        let request = self.client.get(format!("http://{}{path}", self.address));
        patiently("an answer", request.send()).await.unwrap()
    }

    pub async fn read(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }
}
