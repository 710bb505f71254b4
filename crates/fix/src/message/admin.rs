//! Session-level messages with a body worth a type. Heartbeat, TestRequest and Logout have one field at most.

use crate::codec::Message;
use crate::encode::Body;
use crate::message::read::{Malformed, RejectReason};
use crate::tag;

/// The longest HeartBtInt taken, in seconds: beyond an hour a dead peer would go unnoticed.
pub const HEART_BT_INT_S_MAX: u64 = 3600;

/// Logon (35=A).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logon {
    /// HeartBtInt (108) in seconds; 0 for no heartbeats.
    pub heart_bt_int_s: u64,
    /// ResetSeqNumFlag (141).
    pub reset: bool,
    /// CancelOnDisconnect (8013, user-defined): the venue is to cancel our working orders when the connection is
    /// lost; in the acceptor's answer, that it will.
    pub cancel_on_disconnect: bool,
}

impl Logon {
    pub(crate) fn read(message: &Message) -> Result<Logon, Malformed> {
        if message.required::<u64>(tag::ENCRYPT_METHOD)? != 0 {
            return Err(Malformed::tag(
                RejectReason::ValueOutOfRange,
                tag::ENCRYPT_METHOD,
            ));
        }
        let heart_bt_int_s = message.required(tag::HEART_BT_INT)?;
        if heart_bt_int_s > HEART_BT_INT_S_MAX {
            return Err(Malformed::tag(
                RejectReason::ValueOutOfRange,
                tag::HEART_BT_INT,
            ));
        }
        Ok(Logon {
            heart_bt_int_s,
            reset: message.flagged(tag::RESET_SEQ_NUM_FLAG)?,
            cancel_on_disconnect: message.flagged(tag::CANCEL_ON_DISCONNECT)?,
        })
    }

    pub(crate) fn write(&self, body: &mut Body) {
        body.count(tag::ENCRYPT_METHOD, 0);
        body.count(tag::HEART_BT_INT, self.heart_bt_int_s);
        if self.reset {
            body.flag(tag::RESET_SEQ_NUM_FLAG, true);
        }
        if self.cancel_on_disconnect {
            body.flag(tag::CANCEL_ON_DISCONNECT, true);
        }
    }
}

/// ResendRequest (35=2): `end` 0 means all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResendRequest {
    pub begin: u64,
    pub end: u64,
}

impl ResendRequest {
    pub(crate) fn read(message: &Message) -> Result<ResendRequest, Malformed> {
        let request = ResendRequest {
            begin: message.required(tag::BEGIN_SEQ_NO)?,
            end: message.required(tag::END_SEQ_NO)?,
        };
        if request.begin == 0 || (request.end != 0 && request.end < request.begin) {
            return Err(Malformed::tag(
                RejectReason::ValueOutOfRange,
                tag::BEGIN_SEQ_NO,
            ));
        }
        Ok(request)
    }

    pub(crate) fn write(&self, body: &mut Body) {
        body.count(tag::BEGIN_SEQ_NO, self.begin);
        body.count(tag::END_SEQ_NO, self.end);
    }
}

/// SequenceReset (35=4), gap fill or reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceReset {
    pub new_seq_no: u64,
    pub gap_fill: bool,
}

impl SequenceReset {
    pub(crate) fn read(message: &Message) -> Result<SequenceReset, Malformed> {
        Ok(SequenceReset {
            new_seq_no: message.required(tag::NEW_SEQ_NO)?,
            gap_fill: message.flagged(tag::GAP_FILL_FLAG)?,
        })
    }

    pub(crate) fn write(&self, body: &mut Body) {
        body.count(tag::NEW_SEQ_NO, self.new_seq_no);
        if self.gap_fill {
            body.flag(tag::GAP_FILL_FLAG, true);
        }
    }
}

/// Reject (35=3): the other side could not read a message.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Reject {
    /// MsgSeqNum of the message refused.
    pub ref_seq_num: u64,
    pub ref_tag: Option<String>,
    pub ref_kind: Option<String>,
    /// SessionRejectReason (373).
    pub reason: Option<u64>,
    pub text: Option<String>,
}

impl Reject {
    pub(crate) fn read(message: &Message) -> Result<Reject, Malformed> {
        Ok(Reject {
            ref_seq_num: message.required(tag::REF_SEQ_NUM)?,
            ref_tag: message.optional(tag::REF_TAG_ID)?,
            ref_kind: message.optional(tag::REF_MSG_TYPE)?,
            reason: message.optional(tag::SESSION_REJECT_REASON)?,
            text: message.optional(tag::TEXT)?,
        })
    }

    pub(crate) fn write(&self, body: &mut Body) {
        body.count(tag::REF_SEQ_NUM, self.ref_seq_num);
        body.maybe(tag::TEXT, self.text.as_deref());
        body.maybe(tag::REF_TAG_ID, self.ref_tag.as_deref());
        body.maybe(tag::REF_MSG_TYPE, self.ref_kind.as_deref());
        if let Some(reason) = self.reason {
            body.count(tag::SESSION_REJECT_REASON, reason);
        }
    }
}
