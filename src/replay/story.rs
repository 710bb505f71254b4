//! Events one below the other, as they are read on a terminal.

use super::paper::{Ink, Paper};
use super::sheet::in_words;
use super::told::Told;
use squareoff_projections::audit::AuditKind;
use std::sync::Arc;

/// Where the text of an event begins; its version and time stand in front of it.
const INDENT: usize = 7;
/// The log's clock is told, too, where it differs from the event's own by this much.
const LATE_NS: u64 = 1_000_000_000;

#[derive(Debug)]
pub struct Story {
    paper: Paper,
    stream: Option<Arc<str>>,
}

impl Story {
    pub fn new(paper: Paper) -> Story {
        Story {
            paper,
            stream: None,
        }
    }

    /// The event's lines; its stream's name above them where it is another one than before.
    pub fn told(&mut self, told: &Told) -> String {
        let (stored, paper) = (told.stored, &self.paper);
        let mut text = String::new();
        if self.stream.as_ref() != Some(&stored.stream) {
            if self.stream.is_some() {
                text.push('\n');
            }
            text.push_str(&paper.line(2, &[(Ink::Heading, stored.stream.to_string())]));
            text.push('\n');
            self.stream = Some(stored.stream.clone());
        }
        let (ink, did) = match told.kind {
            AuditKind::Ask => (Ink::Ask, "asks"),
            AuditKind::Fact => (Ink::Fact, "tells"),
            AuditKind::Refusal => (Ink::Refusal, "is refused"),
        };
        let late = stored.recorded_at.0.abs_diff(stored.occurred_at.0) >= LATE_NS;
        let recorded = if late {
            format!("(recorded {})", paper.zone.time(stored.recorded_at))
        } else {
            String::new()
        };
        let head = [
            (
                Ink::Heading,
                format!("  {:<INDENT$}", format!("v{}", stored.version))
                    .trim_end()
                    .to_owned(),
            ),
            (Ink::Plain, paper.zone.show(stored.occurred_at)),
            (Ink::Faint, recorded),
            (ink, format!("{} {did}", stored.actor)),
            (Ink::Heading, stored.event_type.to_string()),
            (Ink::Faint, format!("#{}", stored.position)),
        ];
        text.push_str(&paper.line(INDENT, &head));
        text.push('\n');
        text.push_str(&paper.paragraph(INDENT, "", &[told.words()]));
        text.push_str(&paper.paragraph(INDENT, "why      ", &[told.why()]));
        text.push_str(&paper.paragraph(INDENT, "changed  ", &in_words(told.changes(), paper.zone)));
        text
    }
}
