//! An event as an auditor reads it: who, when, why, and what it changed. The terminal and JSON both print this.

use super::folds::Effect;
use super::sheet::Change;
use super::zone::Zone;
use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::value::RawValue;
use squareoff_domain::{Event, describe, reason_of};
use squareoff_projections::audit::{AuditKind, kind_of};
use squareoff_store::StoredEvent;
use uuid::Uuid;

#[derive(Debug)]
pub struct Told<'a> {
    pub stored: &'a StoredEvent,
    pub event: &'a Event,
    pub kind: AuditKind,
    pub effect: Effect,
}

/// A line of `--json`. Fields are added, never renamed or retyped.
#[derive(Serialize)]
struct Line<'a> {
    position: String,
    stream: &'a str,
    version: u64,
    r#type: &'a str,
    schema_version: u16,
    id: Uuid,
    occurred_at: String,
    occurred_at_ns: i64,
    recorded_at: String,
    recorded_at_ns: i64,
    actor: &'a str,
    request_id: Uuid,
    correlation_id: Uuid,
    /// The W3C trace of the request that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    epoch: u32,
    /// `ask`, `fact` or `refusal`.
    kind: &'a str,
    words: String,
    reason: Option<&'a str>,
    /// Whose wish a fact about an order goes back to.
    asked: Option<AskedLine<'a>>,
    order_id: Option<Uuid>,
    changes: Vec<serde_json::Value>,
    /// The stored body; a line break in it is a blank here.
    data: &'a RawValue,
}

#[derive(Serialize)]
struct AskedLine<'a> {
    actor: &'a str,
    version: u64,
    request_id: Uuid,
}

impl<'a> Told<'a> {
    pub fn of(stored: &'a StoredEvent, event: &'a Event, effect: Effect) -> Told<'a> {
        let kind = kind_of(event);
        Told {
            stored,
            event,
            kind,
            effect,
        }
    }

    pub fn words(&self) -> String {
        describe(self.event)
    }

    pub fn changes(&self) -> &[Change] {
        &self.effect.changes
    }

    fn order_id(&self) -> Option<Uuid> {
        let Event::Position(event) = self.event else {
            return None;
        };
        event.order_id().map(|order| order.0)
    }

    /// Why it is in the log: who asked and in which request, or who told it.
    pub fn why(&self) -> String {
        let stored = self.stored;
        let part_of = Some(stored.correlation_id)
            .filter(|id| !id.is_nil() && *id != stored.request_id)
            .map_or(String::new(), |id| format!(", part of {id}"));
        let request = if stored.request_id.is_nil() {
            String::new()
        } else {
            format!(" in request {}", stored.request_id)
        };
        let trace = stored
            .trace_id
            .map_or(String::new(), |trace| format!(", trace {trace}"));
        match (self.kind, &self.effect.asked) {
            (AuditKind::Ask, _) => format!("{} asked{request}{part_of}{trace}", stored.actor),
            // The refusal has an id of its own; what was asked is what it is a part of.
            (AuditKind::Refusal, _) => {
                format!(
                    "{} asked in request {}{trace}",
                    stored.actor, stored.correlation_id
                )
            }
            (AuditKind::Fact, Some(asked)) => format!(
                "{} tells it; {} had asked in v{}, request {}",
                stored.actor, asked.actor, asked.version, asked.request
            ),
            (AuditKind::Fact, None) => format!("{} tells it{part_of}", stored.actor),
        }
    }

    /// A line of JSON, without its end.
    ///
    /// # Errors
    /// When the stored body is no JSON.
    pub fn json(&self) -> Result<Vec<u8>> {
        let stored = self.stored;
        let no_json = || format!("the event at position {} is no JSON", stored.position);
        // A line break can only stand between the parts of a body, and a line is one object.
        let body: Vec<u8>;
        let body = if stored.body.contains(&b'\n') || stored.body.contains(&b'\r') {
            let blank = |byte: &u8| {
                if matches!(byte, b'\n' | b'\r') {
                    b' '
                } else {
                    *byte
                }
            };
            body = stored.body.iter().map(blank).collect();
            &body
        } else {
            &stored.body
        };
        let line = Line {
            position: stored.position.to_string(),
            stream: &stored.stream,
            version: stored.version,
            r#type: &stored.event_type,
            schema_version: stored.schema_version,
            id: stored.id,
            occurred_at: Zone::UTC.rfc3339(stored.occurred_at),
            occurred_at_ns: stored.occurred_at.0,
            recorded_at: Zone::UTC.rfc3339(stored.recorded_at),
            recorded_at_ns: stored.recorded_at.0,
            actor: &stored.actor,
            request_id: stored.request_id,
            correlation_id: stored.correlation_id,
            trace_id: stored.trace_id.map(|trace| trace.to_string()),
            epoch: stored.epoch,
            kind: self.kind.as_str(),
            words: self.words(),
            reason: reason_of(self.event),
            asked: self.effect.asked.as_ref().map(|asked| AskedLine {
                actor: &asked.actor,
                version: asked.version,
                request_id: asked.request,
            }),
            order_id: self.order_id(),
            changes: self.changes().iter().map(Change::json).collect(),
            data: serde_json::from_slice(body).with_context(no_json)?,
        };
        Ok(serde_json::to_vec(&line)?)
    }
}
