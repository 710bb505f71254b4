//! Market control over HTTP, on loopback: commands in, lists, the ledger and market data out.
//!
//! For a desk, tests and scripts on this machine. Whoever can connect can control the market, so it listens on loopback alone
//! and takes a command only as `application/json`, which no foreign web page can send.
//!
//! 1. A body that can't be read is answered with 400, what isn't there with 404, what can't be now with 409, each by one
//!    sentence, and nothing is changed. 2. What is answered with ok is durable, but for what disturbs a line.
//! 3. Bodies, requests and listeners are bounded.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::command::{Answer, Command, Refused, Why};
use crate::config::TradeDate;
use crate::engine::{Engine, Stopped};
use crate::fact::Line;
use crate::feed::CHUNK_MAX;
use crate::hours::{self, Hours};
use crate::line::{Cut, Lines, REPLAYS_MAX};

/// Holds the address in the data folder, while the exchange runs.
pub const FILE_NAME: &str = "control.http";
/// Several times the longest command.
const BODY_BYTES_MAX: usize = 4_096;
/// Requests under way: a desk, tests and a few forgotten shells, each with a listener beside.
const REQUESTS_MAX: usize = 64;

/// What commands are carried out with.
#[derive(Clone)]
pub struct Desk {
    pub engine: Engine,
    pub lines: Lines,
    pub hours: Arc<Vec<Hours>>,
    pub date: TradeDate,
}

/// Listens, and leaves the address in the data folder.
///
/// # Errors
/// As the system.
pub async fn listen(dir: &Path, at: SocketAddr) -> std::io::Result<(TcpListener, PathBuf)> {
    let listener = TcpListener::bind(at).await?;
    let path = dir.join(FILE_NAME);
    let beside = path.with_extension("writing");
    // Readers wait for the file to appear, so it must never be seen half written.
    std::fs::write(&beside, listener.local_addr()?.to_string())?;
    std::fs::rename(&beside, &path)?;
    Ok((listener, path))
}

/// Serves until it is aborted.
pub async fn serve(listener: TcpListener, desk: Desk) {
    let free = Arc::new(Semaphore::new(REQUESTS_MAX));
    let router = Router::new()
        .route("/control", post(control))
        .route("/orders", get(orders))
        .route("/trades", get(trades))
        .route("/state", get(state))
        .route("/ledger", get(ledger))
        .route("/market-data", get(snapshot))
        .route("/market-data/stream", get(stream))
        .fallback(async || error(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            error(StatusCode::METHOD_NOT_ALLOWED, "not by this method")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(free, bounded))
        .with_state(desk);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "market control can't be served");
    }
}

async fn bounded(State(free): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    match free.try_acquire() {
        Ok(_slot) => next.run(request).await,
        Err(_) => error(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many requests are under way",
        ),
    }
}

async fn control(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Response {
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if !is_json {
        let text = "content-type: a command is application/json";
        return error(StatusCode::BAD_REQUEST, text);
    }
    let Ok(body) = body else {
        let text = format!("a command has at most {BODY_BYTES_MAX} bytes");
        return error(StatusCode::BAD_REQUEST, &text);
    };
    match serde_json::from_slice(&body) {
        Err(why) => error(StatusCode::BAD_REQUEST, &format!("not a command: {why}")),
        Ok(command) => desk.answer(command).await,
    }
}

async fn orders(State(desk): State<Desk>) -> Response {
    desk.answer(Command::Orders(true)).await
}

async fn trades(State(desk): State<Desk>) -> Response {
    desk.answer(Command::Trades(true)).await
}

async fn state(State(desk): State<Desk>) -> Response {
    desk.answer(Command::State(true)).await
}

async fn snapshot(State(desk): State<Desk>) -> Response {
    Json(desk.engine.market().snapshot()).into_response()
}

async fn stream(State(desk): State<Desk>) -> Response {
    let Some((first, lines)) = desk.engine.market().listen() else {
        return error(StatusCode::SERVICE_UNAVAILABLE, "too many listen already");
    };
    let lines = futures::stream::unfold((Some(first), lines), |(first, mut lines)| async {
        let text = match first {
            Some(first) => first,
            None => lines.recv().await?,
        };
        let line = Ok::<_, Infallible>(Bytes::copy_from_slice(text.as_bytes()));
        Some((line, (None, lines)))
    });
    jsonl(Body::from_stream(lines))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    /// The ordinal that it begins behind.
    #[serde(default)]
    after: u64,
}

/// The ledger's next lines behind an ordinal, about a thousand; nothing at its end.
async fn ledger(
    State(desk): State<Desk>,
    page: Result<Query<Page>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Ok(Query(page)) = page else {
        return error(
            StatusCode::BAD_REQUEST,
            "after: the ordinal to begin behind, and nothing else",
        );
    };
    let feed = desk.engine.feed();
    let read = tokio::task::spawn_blocking(move || feed.after(page.after)).await;
    let Ok(Ok(facts)) = read else {
        return error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the ledger can't be read",
        );
    };
    let mut text = Vec::new();
    for fact in facts.iter().take(CHUNK_MAX) {
        serde_json::to_writer(&mut text, &Line::from(&**fact))
            .expect("writing to memory can't fail");
        text.push(b'\n');
    }
    jsonl(Body::from(text))
}

fn jsonl(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "application/jsonl")], body).into_response()
}

impl Desk {
    async fn answer(&self, command: Command) -> Response {
        if !matches!(
            command,
            Command::Orders(_) | Command::Trades(_) | Command::State(_)
        ) {
            tracing::info!(?command, "market control");
        }
        match self.carry_out(command).await {
            Err(stopped) => error(StatusCode::SERVICE_UNAVAILABLE, &stopped.to_string()),
            Ok(Err(Refused { why, text })) => {
                let status = match why {
                    Why::Invalid => StatusCode::BAD_REQUEST,
                    Why::Unknown => StatusCode::NOT_FOUND,
                    Why::Conflict => StatusCode::CONFLICT,
                };
                error(status, &text)
            }
            Ok(Ok(answer)) => Json(self.shown(answer)).into_response(),
        }
    }

    /// Does what a command says; the answer stands when all that it says has happened here.
    ///
    /// # Errors
    /// When the engine has stopped; inside, why the command can't be.
    pub async fn carry_out(&self, command: Command) -> Result<Result<Answer, Refused>, Stopped> {
        if let Err(refused) = self.check_line(&command) {
            return Ok(Err(refused));
        }
        let answer = self.engine.control(command.clone()).await?;
        if answer.is_err() {
            return Ok(answer);
        }
        if matches!(command, Command::Clock(_)) {
            // The phases follow before the answer does.
            let looked = hours::look(&self.hours, &self.date, &self.engine).await?;
            return Ok(looked.map(|()| Answer::Done));
        }
        if self.disturb(&command) {
            return Ok(answer);
        }
        let text = format!("session: {REPLAYS_MAX} replays wait already");
        Ok(Err(Refused::conflict(text)))
    }

    /// Whether the line that a command is about is there, and up where it must be.
    fn check_line(&self, command: &Command) -> Result<(), Refused> {
        let (session, needs_connection) = if let Command::Hold(hold) = command {
            (&hold.session, false)
        } else if let Command::Disconnect(asked) = command {
            (&asked.session, true)
        } else if let Command::Replay(asked) = command {
            (&asked.session, true)
        } else {
            return Ok(());
        };
        let Some(line) = self.lines.of(session) else {
            return Err(Refused::unknown(format!(
                "session: {session:?} is not here"
            )));
        };
        if needs_connection && !line.is_up() {
            return Err(Refused::conflict(format!(
                "session: {session} is not connected"
            )));
        }
        Ok(())
    }

    /// Whether the lines took what a command says about them.
    fn disturb(&self, command: &Command) -> bool {
        if let Command::Hold(asked) = command {
            let line = self.lines.of(&asked.session);
            line.into_iter().for_each(|line| line.hold(asked.held));
        } else if let Command::Disconnect(asked) = command {
            let cut = if asked.mid_message {
                Cut::MidMessage
            } else {
                Cut::Now
            };
            let line = self.lines.of(&asked.session);
            line.into_iter().for_each(|line| line.cut(cut));
        } else if let Command::Replay(asked) = command {
            let line = self.lines.of(&asked.session);
            return line.is_some_and(|line| line.replay(asked.from, asked.to));
        } else if let Command::Disaster(asked) = command {
            let lines = self.lines.of_venue(&asked.venue);
            lines.for_each(|line| line.cut(Cut::Now));
        }
        true
    }

    pub(crate) fn shown(&self, answer: Answer) -> Value {
        match answer {
            Answer::Done => json!({"ok": true}),
            Answer::Orders { total, rows } => json!({"ok": true, "total": total, "orders": rows}),
            Answer::Trades { total, rows } => json!({"ok": true, "total": total, "trades": rows}),
            Answer::State(view) => {
                let lines = self.lines.all().map(|(session, line)| {
                    let held = *line.held().borrow();
                    json!({"session": session, "connected": line.is_up(), "held": held})
                });
                json!({"ok": true, "state": view, "lines": lines.collect::<Vec<_>>()})
            }
        }
    }
}

fn error(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({ "error": text }))).into_response()
}
