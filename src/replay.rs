//! `squareoff replay`: the log, or one stream of it, as JSON Lines.

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::value::RawValue;
use squareoff_store::codec;
use squareoff_store::{EventStore, Position, StoredEvent};
use std::io::{BufWriter, ErrorKind, Write};

/// Events of one read.
const PAGE: usize = 4_096;

#[derive(Serialize)]
struct Line<'a> {
    position: String,
    stream: &'a str,
    version: u64,
    r#type: &'a str,
    schema_version: u16,
    id: uuid::Uuid,
    occurred_at_ns: i64,
    recorded_at_ns: i64,
    actor: &'a str,
    request_id: uuid::Uuid,
    correlation_id: uuid::Uuid,
    epoch: u32,
    data: &'a RawValue,
}

/// Prints events to standard output: those of `stream`, or of the whole log behind `from`.
///
/// # Errors
/// When there is no such stream, the log cannot be read, or it holds an event of a newer release: what lies before it is printed. A reader that goes
/// away (`| head`) is no error.
pub async fn run(store: &EventStore, stream: Option<&str>, from: Position) -> Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let (mut version, mut position) = (1, from);
    loop {
        let events = match stream {
            Some(stream) => store.read_stream(stream, version, PAGE).await?,
            None => store.read_all(position, PAGE).await?,
        };
        let Some(last) = events.last() else {
            if let (Some(stream), 1) = (stream, version) {
                bail!("no event was ever appended to {stream}");
            }
            break;
        };
        (version, position) = (last.version + 1, last.position);
        for event in events.iter().filter(|event| event.position > from) {
            // Its body may mean something else to the release that wrote it: nobody should read it as if it were known.
            codec::check(event)?;
            match print(&mut out, event) {
                Err(error)
                    if error
                        .downcast_ref::<std::io::Error>()
                        .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe) =>
                {
                    return Ok(());
                }
                printed => printed?,
            }
        }
    }
    match out.flush() {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        flushed => Ok(flushed?),
    }
}

fn print(out: &mut impl Write, event: &StoredEvent) -> Result<()> {
    let body = std::str::from_utf8(&event.body)
        .with_context(|| format!("the event at position {} is no text", event.position))?;
    let line = Line {
        position: event.position.to_string(),
        stream: &event.stream,
        version: event.version,
        r#type: &event.event_type,
        schema_version: event.schema_version,
        id: event.id,
        occurred_at_ns: event.occurred_at.0,
        recorded_at_ns: event.recorded_at.0,
        actor: &event.actor,
        request_id: event.request_id,
        correlation_id: event.correlation_id,
        epoch: event.epoch,
        data: serde_json::from_str(body)
            .with_context(|| format!("the event at position {} is no JSON", event.position))?,
    };
    let mut text = serde_json::to_vec(&line)?;
    text.push(b'\n');
    Ok(out.write_all(&text)?)
}
