//! Answering a resend request from the journal (FIX 4.4 volume 2, "Resend Request", "Sequence Reset").
//!
//! 1. The answer covers every number asked for, in order: the message again (PossDupFlag, its first
//!    SendingTime as OrigSendingTime) or a gap fill over it. 2. Session-level messages are always filled over.
//! 3. A message filled over is not acted on by a peer that has not acted on it before.

use bytes::Bytes;

use super::SessionVersion;
use crate::codec::Message;
use crate::encode::{Body, Header, Identity, frame};
use crate::journal::{Kind, Record};
use crate::message::SequenceReset;
use crate::tag;
use crate::value::Timestamp;

/// What happens to one journaled application message that the peer asks for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resend {
    /// It goes out again under its number.
    Again,
    /// It is filled over: the peer will never see it.
    GapFill,
}

/// A part of a resend request and what was decided about it.
#[derive(Clone, Copy, Debug)]
pub struct Replay<'a> {
    pub from: u64,
    pub to: u64,
    /// The journal's records of `from..=to`.
    pub records: &'a [Record],
    /// One for each of [`Session::undecided`](super::Session::undecided), in order; missing ones are gap fills.
    pub decisions: &'a [Resend],
}

pub fn answer(
    identity: &Identity,
    replay: &Replay<'_>,
    decision: impl Fn(u64) -> Resend,
    now: Timestamp,
) -> Vec<Bytes> {
    let mut frames = Vec::new();
    let mut filled_from = replay.from;
    for record in replay.records {
        let again = record.kind == Kind::App && decision(record.seq) == Resend::Again;
        let Some(frame) = again.then(|| repeat(identity, record, now)).flatten() else {
            continue;
        };
        if filled_from < record.seq {
            frames.push(gap_fill(identity, filled_from, record.seq, now));
        }
        frames.push(frame);
        filled_from = record.seq + 1;
    }
    if filled_from <= replay.to {
        frames.push(gap_fill(identity, filled_from, replay.to + 1, now));
    }
    frames
}

/// `None` when the record is no message, which our own journal does not hold.
fn repeat(identity: &Identity, record: &Record, now: Timestamp) -> Option<Bytes> {
    let message = Message::decode(record.bytes.clone()).ok()?;
    let mut more: Vec<(u32, &[u8])> = message
        .fields()
        .iter()
        .filter(|field| tag::is_header(field.tag) && !is_written_anew(field.tag))
        .map(|field| (field.tag, message.value(*field)))
        .collect();
    more.push((tag::ORIG_SENDING_TIME, message.get(tag::SENDING_TIME)?));
    more.sort_by_key(|(tag, _)| *tag);
    let header = Header {
        kind: message.kind(),
        seq: record.seq,
        sending_time: now,
        poss_dup: true,
        more: &more,
    };
    Some(frame(identity, &header, &message.body_bytes()))
}

fn is_written_anew(tag: u32) -> bool {
    matches!(
        tag,
        tag::BEGIN_STRING
            | tag::BODY_LENGTH
            | tag::MSG_TYPE
            | tag::MSG_SEQ_NUM
            | tag::POSS_DUP_FLAG
            | tag::SENDER_COMP_ID
            | tag::SENDING_TIME
            | tag::TARGET_COMP_ID
            | tag::ORIG_SENDING_TIME
    )
}

fn gap_fill(identity: &Identity, seq: u64, new_seq_no: u64, now: Timestamp) -> Bytes {
    let mut body = Body::new();
    SequenceReset {
        new_seq_no,
        gap_fill: true,
    }
    .write(&mut body);
    let body = body.finish().expect("two numbers always fit in a message");
    let time = now.text();
    let time = SessionVersion::of(&identity.begin_string).time(&time);
    let header = Header {
        kind: b"4",
        seq,
        sending_time: now,
        poss_dup: true,
        more: &[(tag::ORIG_SENDING_TIME, time)],
    };
    frame(identity, &header, &body)
}
