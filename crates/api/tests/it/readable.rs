//! A node with the read models behind it, and how to look into its answers.

use crate::desk::{Desk, PATIENCE};
use crate::node::{Node, settings};
use serde_json::Value;
use squareoff_api::Settings;
use squareoff_projections::Part;
use squareoff_projections::testing::TestDatabase;
use squareoff_store::{EventStore, Position};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinHandle;

/// A node, its read database, and the projection between them.
pub struct Readable {
    pub node: Node,
    pub test: TestDatabase,
    projecting: JoinHandle<()>,
}

impl Drop for Readable {
    fn drop(&mut self) {
        self.projecting.abort();
    }
}

impl Readable {
    pub async fn start(desk: &Desk) -> Self {
        Self::under(desk, settings()).await
    }

    /// Under other settings.
    pub async fn under(desk: &Desk, settings: Settings) -> Self {
        let test = TestDatabase::start().await.unwrap();
        // Each in its role, as `squareoff up` starts them: nothing the API is asked in any test needs more.
        let mut app = Node::app(desk, &test.database().of_part(Part::Api));
        app.settings = settings;
        let node = Node::serving(desk, app).await;
        let database = test.database().of_part(Part::Projections);
        let store = EventStore::open(&desk.folder().join("log")).unwrap();
        let running = squareoff_projections::run(store, database, std::future::pending());
        let projecting = tokio::spawn(async { running.await.unwrap() });
        let readable = Readable {
            node,
            test,
            projecting,
        };
        readable.caught_up(desk).await;
        readable
    }

    /// Waits until the read models reflect all of the log; the position they are at.
    pub async fn caught_up(&self, desk: &Desk) -> Position {
        let head = desk.head().await;
        let watcher = &self.node.app.watcher;
        watcher.wait_for(head, PATIENCE).await.unwrap()
    }
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

pub fn list<'a>(body: &'a Value, name: &str) -> &'a [Value] {
    body[name].as_array().unwrap()
}

#[track_caller]
pub fn assert_time(value: &Value) {
    OffsetDateTime::parse(text(value), &Rfc3339).unwrap();
}
