//! One API process as others see it: an address. It opens the log by itself, so that two nodes share nothing but the folder.

use crate::desk::{DATE, Desk, PATIENCE};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use squareoff_access::password::Hashing;
use squareoff_access::{Access, KeySource, Secrets};
use squareoff_api::bulk::SessionClose;
use squareoff_api::live::Limits;
use squareoff_api::notify::{Notifier, Outbox};
use squareoff_api::problem::TYPE_PREFIX;
use squareoff_api::{App, DevelopmentKey, Rate, Rates, Settings};
use squareoff_domain::{OrderId, PositionKey};
use squareoff_identity::{KeyStore, MasterKeySource, Vault};
use squareoff_projections::Database;
use squareoff_store::{EventStore, Position};
use std::num::NonZeroU32;
use std::sync::LazyLock;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Where callers look up what a problem means.
const API_PAGE: &str = include_str!("../../../../docs/API.md");

pub const ACTOR: &str = "desk-asha";
/// Who approves what that one asked.
pub const SECOND: &str = "supervisor-ravi";

pub struct Node {
    pub app: App,
    pub url: String,
    http: Client,
    served: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.served.abort();
    }
}

impl Node {
    /// A node whose read database is away, which no order needs.
    pub async fn start(desk: &Desk) -> Self {
        Self::reading(desk, &nowhere()).await
    }

    /// A node without a read database, under other settings.
    pub async fn with(desk: &Desk, settings: Settings) -> Self {
        let mut app = Self::app(desk, &nowhere());
        app.settings = settings;
        Self::serving(desk, app).await
    }

    /// What a node serves. It has begun to read the log when this task next waits.
    pub fn app(desk: &Desk, database: &Database) -> App {
        let store = EventStore::open(&desk.folder().join("log")).unwrap();
        let reads = database.pool(8);
        let key = DevelopmentKey::load_or_create(&desk.folder().join("development.key")).unwrap();
        let keys = desk.folder().join("keys");
        let store_of_keys = KeyStore::open(&keys, &keys.join("backup")).unwrap();
        let master = MasterKeySource::FileMadeOnce(keys.join("master.key"));
        let secrets = secrets(desk);
        let access = Access::new(secrets, Hashing::start(), store.clone());
        let outbox = Outbox::open(&desk.folder().join("outbox")).unwrap();
        App::start(store, reads, key, settings())
            .with_access(access, true)
            .with_notifier(Some(Notifier::Outbox(outbox)))
            .with_seal(&desk.folder().join("audit"))
            .with_vault(Vault::new(store_of_keys, master))
            .with_rates(plenty())
    }

    pub async fn reading(desk: &Desk, database: &Database) -> Self {
        Self::serving(desk, Self::app(desk, database)).await
    }

    /// With other limits for those who listen.
    pub async fn limited(desk: &Desk, limits: Limits) -> Self {
        Self::serving(desk, Self::app(desk, &nowhere()).with_live(limits)).await
    }

    pub async fn serving(desk: &Desk, app: App) -> Self {
        let listener = squareoff_api::listen("127.0.0.1:0".parse().unwrap(), None).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = squareoff_api::serve(listener, app.clone(), None, std::future::pending());
        let served = tokio::spawn(served);
        let http = Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .unwrap();
        let node = Node {
            app,
            url,
            http,
            served,
        };
        node.knows(desk.head().await).await;
        node.app.live.begun().await;
        node
    }

    /// Waits until decisions are made on the log up to `position`.
    pub async fn knows(&self, position: Position) {
        assert!(self.app.directory.reach(position, PATIENCE).await);
    }

    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub fn token(&self, actor: &str) -> String {
        self.app.key.token(actor).unwrap()
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_as(ACTOR, method, path)
    }

    pub fn request_as(&self, actor: &str, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(self.token(actor))
    }

    pub async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    /// What a 200 holds.
    pub async fn read(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.body
    }

    /// What `/readyz` says, ready or not.
    pub async fn read_ready(&self) -> Value {
        answer(self.anonymous(Method::GET, "/readyz")).await.body
    }

    /// A square-off under a new key.
    pub fn square_off(&self, body: &Value) -> RequestBuilder {
        self.square_off_as(ACTOR, &Uuid::new_v4().to_string(), body)
    }

    pub fn square_off_as(&self, actor: &str, key: &str, body: &Value) -> RequestBuilder {
        self.anonymous(Method::POST, "/v1/square-offs")
            .bearer_auth(self.token(actor))
            .header("Idempotency-Key", key)
            .json(body)
    }

    /// Closes `quantity` of a position under a new key.
    pub async fn close(&self, position: &PositionKey, quantity: impl Into<Value>) -> Accepted {
        let body = with(&close_all(position), &[("quantity", quantity.into())]);
        answer(self.square_off(&body)).await.accepted()
    }

    /// Something asked of a resource; `Value::Null` is no body.
    pub fn ask_as(&self, actor: &str, key: &str, path: &str, body: &Value) -> RequestBuilder {
        let request = self
            .anonymous(Method::POST, path)
            .bearer_auth(self.token(actor))
            .header("Idempotency-Key", key);
        if body.is_null() {
            request
        } else {
            request.json(body)
        }
    }

    /// The same, by the desk and under a new key.
    pub fn ask(&self, path: &str, body: &Value) -> RequestBuilder {
        self.ask_as(ACTOR, &Uuid::new_v4().to_string(), path, body)
    }

    /// What is accepted of the desk.
    pub async fn accept(&self, path: &str, body: &Value) -> Value {
        self.accept_as(ACTOR, path, body).await
    }

    /// What is accepted of somebody; this node decides on it from now on.
    pub async fn accept_as(&self, actor: &str, path: &str, body: &Value) -> Value {
        let key = Uuid::new_v4().to_string();
        let answer = answer(self.ask_as(actor, &key, path, body)).await;
        assert_eq!(answer.status, 202, "{path}: {}", answer.text);
        answer.body
    }

    pub fn cancel(&self, order: OrderId, key: &str) -> RequestBuilder {
        self.request(Method::POST, &format!("/v1/orders/{order}/cancel"))
            .header("Idempotency-Key", key)
    }
}

/// What lets people in, as every node of the desk has it.
pub fn secrets(desk: &Desk) -> Secrets {
    let key = KeySource::FileMadeOnce(desk.folder().join("keys/access.key"));
    Secrets::open(&desk.folder().join("access"), &key).unwrap()
}

/// The path of a position's resource.
pub fn position_path(position: &PositionKey) -> String {
    format!("/v1/positions/{}", position.stream().replace('&', "%26"))
}

/// More than any test asks.
fn plenty() -> Rates {
    let rate = Rate::per_s(NonZeroU32::new(1_000_000).unwrap());
    Rates {
        person: rate,
        address: rate,
        client: rate,
    }
}

pub fn settings() -> Settings {
    Settings {
        reference_age_max_s: 86_400,
        venue_message_rate: 100,
        caller_verification: false,
        approval_notional: None,
        caller_verification_minutes: 15,
        session_close: SessionClose::default(),
    }
}

/// Two thousand rupees are what one person may place: twenty units at the reference price.
pub fn limited() -> Settings {
    Settings {
        approval_notional: Some(20_000_000),
        ..settings()
    }
}

/// A read database that is not there.
pub fn nowhere() -> Database {
    Database::from_url("postgres://nobody@127.0.0.1:1/nothing").unwrap()
}

/// The body that closes all of a position.
pub fn close_all(position: &PositionKey) -> Value {
    json!({
        "client_code": position.client,
        "venue": position.venue,
        "symbol": position.symbol,
        "product": position.product,
        "quantity": "all",
    })
}

/// `body` with fields changed; `null` takes one away.
pub fn with(body: &Value, changes: &[(&str, Value)]) -> Value {
    let mut body = body.clone();
    for (field, value) in changes {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(*field);
        } else {
            body[*field] = value.clone();
        }
    }
    body
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// As it was sent.
    pub text: String,
    /// Parsed; null when it is no JSON.
    pub body: Value,
}

/// Every answer of every test is as it is described.
pub async fn answer(request: RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.unwrap();
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let response = client.execute(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let answer = Answer {
        status,
        headers,
        body: serde_json::from_str(&text).unwrap_or_default(),
        text,
    };
    check_described(&method, &path, &answer);
    answer
}

/// The operation's description has this status and, of a problem, this type.
#[track_caller]
fn check_described(method: &Method, path: &str, answer: &Answer) {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(squareoff_api::document::document);
    let code = answer.problem();
    if ["no-such-resource", "method-not-allowed"].contains(&code) || answer.status == 405 {
        return;
    }
    let fits = |template: &str| {
        let (template, path) = (template.split('/'), path.split('/'));
        let (template, path): (Vec<_>, Vec<_>) = (template.collect(), path.collect());
        let mut parts = template.iter().zip(&path);
        template.len() == path.len()
            && parts.all(|(template, part)| template.starts_with('{') || template == part)
    };
    let paths = DOCUMENT["paths"].as_object().unwrap();
    // A HEAD is a GET without its body.
    let method = match method.as_str() {
        "HEAD" => "get".to_owned(),
        method => method.to_lowercase(),
    };
    let operation = paths
        .iter()
        .filter(|(template, _)| fits(template))
        .find_map(|(_, item)| item.get(&method));
    let Some(operation) = operation else {
        panic!(
            "{method} {path} is not described, and was answered {}",
            answer.status
        );
    };
    let status = answer.status.to_string();
    assert!(
        operation["responses"].get(&status).is_some(),
        "{method} {path}: {status} {code} is not described"
    );
    let mut problems = operation["x-problems"].as_array().unwrap().iter();
    assert!(
        code.is_empty() || problems.any(|problem| problem == code),
        "{method} {path}: {code} is not described"
    );
}

/// An accepted square-off.
#[derive(Debug)]
pub struct Accepted {
    pub orders: Vec<OrderId>,
    pub position: Position,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn accepted(&self) -> Accepted {
        assert_eq!(self.status, 202, "{}", self.text);
        let ids = self.body["order_ids"].as_array().unwrap().iter();
        Accepted {
            orders: ids
                .map(|id| OrderId(id.as_str().unwrap().parse().unwrap()))
                .collect(),
            position: self.body["position"].as_str().unwrap().parse().unwrap(),
        }
    }

    pub fn is_repetition(&self) -> bool {
        self.header("idempotency-replayed") == Some("true")
    }

    /// The last part of the problem's type; empty when this is no problem.
    pub fn problem(&self) -> &str {
        let uri = self.body["type"].as_str().unwrap_or_default();
        uri.strip_prefix(TYPE_PREFIX).unwrap_or_default()
    }

    /// What is wrong with this as the problem `code`, whose detail says `word`.
    pub fn mistakes(&self, status: u16, code: &str, word: &str) -> Vec<String> {
        let mut mistakes = Vec::new();
        let mut check = |right: bool, what: &str| {
            if !right {
                mistakes.push(what.to_owned());
            }
        };
        let text = |member: &str| self.body[member].as_str().unwrap_or_default();
        check(self.status == status, "the status");
        check(self.problem() == code, "the type");
        check(
            self.headers.get(CONTENT_TYPE).map(|value| value.as_bytes())
                == Some(b"application/problem+json"),
            "the content type",
        );
        check(
            self.body["status"] == json!(self.status),
            "the member `status`",
        );
        let known = squareoff_api::problem::known::known(code);
        check(
            known.is_some_and(|known| known.title == text("title")),
            "the title",
        );
        check(
            !text("detail").is_empty() && text("detail").contains(word),
            "the detail",
        );
        check(
            self.body.as_object().is_some_and(|body| body.len() == 4),
            "the members",
        );
        check(self.header("x-request-id").is_some(), "no request id");
        check(
            self.header("retry-after").is_some()
                == (status == 503
                    || matches!(
                        code,
                        "not-sealed-yet" | "log-in-locked" | "too-many-requests"
                    )),
            "Retry-After",
        );
        check(
            self.header("www-authenticate").is_some() == (status == 401),
            "WWW-Authenticate",
        );
        let row = format!("| `{code}` | {status} |");
        check(API_PAGE.contains(&row), "no row in docs/API.md");
        check(self.header("allow").is_some() == (status == 405), "Allow");
        mistakes
    }

    #[track_caller]
    pub fn assert_problem(&self, status: u16, code: &str, word: &str) {
        let mistakes = self.mistakes(status, code, word);
        assert!(
            mistakes.is_empty(),
            "{mistakes:?} in {} {}",
            self.status,
            self.text
        );
    }
}

/// A line of a table: what is wrong, the request, status and type of the problem, and a word of its detail.
pub type Refused = (
    &'static str,
    RequestBuilder,
    u16,
    &'static str,
    &'static str,
);

/// Every line gets its problem, a type has one title, and nothing is appended but that it was refused.
pub async fn assert_refused(desk: &Desk, lines: Vec<Refused>) {
    let before = desk.events_but_refusals().await;
    let mut titles = std::collections::BTreeMap::<String, Value>::new();
    let mut wrong = Vec::new();
    for (what, request, status, code, word) in lines {
        let answer = answer(request).await;
        let mut mistakes = answer.mistakes(status, code, word);
        let title = titles
            .entry(code.to_owned())
            .or_insert_with(|| answer.body["title"].clone());
        if *title != answer.body["title"] {
            mistakes.push("another title than before".to_owned());
        }
        if !mistakes.is_empty() {
            wrong.push(format!(
                "{what}: {} in {} {}",
                mistakes.join(", "),
                answer.status,
                answer.text
            ));
        }
    }
    if desk.events_but_refusals().await != before {
        wrong.push("something was appended".to_owned());
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The stream of C00001's position in `symbol`.
pub fn stream_text(symbol: &str, product: &str) -> String {
    format!("position-{DATE}-C00001-NSE:{symbol}-{product}")
}
