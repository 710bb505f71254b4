//! Where FIX 4.2 says the same in other words than 4.4, which the types are made after.
//!
//! | what | 4.2 | 4.4 |
//! |---|---|---|
//! | a fill | ExecTransType (20) New, ExecType (150) 1 partial or 2 whole | ExecType F |
//! | a bust, a correction | ExecTransType 1, 2 | ExecType H, G |
//! | the answer to a status request | ExecTransType 3 | ExecType I |
//! | HandlInst (21) of an order | required | optional, we leave it out |
//! | SessionRejectReason (373) | up to 11 | up to 17, 99 |
//! | mass cancel, mass status, TradeCaptureReport, and their fields in a report | none | there |

use crate::codec::Message;
use crate::encode::Body;
use crate::message::kind::{ExecType, OrdStatus};
use crate::message::read::{Malformed, RejectReason};
use crate::tag;

/// A version of FIX that messages are read and written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    Fix42,
    Fix44,
}

/// HandlInst: automated execution, no broker intervention. All that an exchange does.
const AUTOMATED: u8 = b'1';

impl Dialect {
    /// The dialect of a BeginString. Older versions are taken as 4.2, which knows what they know.
    pub fn of(begin_string: &[u8]) -> Dialect {
        match begin_string {
            b"FIX.4.0" | b"FIX.4.1" | b"FIX.4.2" => Dialect::Fix42,
            _ => Dialect::Fix44,
        }
    }

    /// BeginString (8).
    pub fn begin_string(self) -> &'static str {
        match self {
            Dialect::Fix42 => "FIX.4.2",
            Dialect::Fix44 => "FIX.4.4",
        }
    }

    /// Whether the version has the message type at all; only types of ours are asked for.
    pub(crate) fn has(self, kind: &str) -> bool {
        match self {
            Dialect::Fix42 => !matches!(kind, "q" | "r" | "AE" | "AF"),
            Dialect::Fix44 => true,
        }
    }

    /// SessionRejectReason (373) as far as the version has a number for it.
    pub(crate) fn reject_reason(self, reason: RejectReason) -> Option<u64> {
        let last = match self {
            Dialect::Fix42 => RejectReason::InvalidMessageType.code(),
            Dialect::Fix44 => RejectReason::Other.code(),
        };
        Some(reason.code()).filter(|code| *code <= last)
    }

    pub(crate) fn write_handl_inst(self, body: &mut Body) {
        match self {
            Dialect::Fix42 => body.code(tag::HANDL_INST, AUTOMATED),
            Dialect::Fix44 => body,
        };
    }

    /// What a report says: ExecType (150), in 4.2 with ExecTransType (20).
    pub(crate) fn read_exec_type(self, message: &Message) -> Result<ExecType, Malformed> {
        if self == Dialect::Fix44 {
            return message.required(tag::EXEC_TYPE);
        }
        let fault = |tag| Malformed::tag(RejectReason::ValueOutOfRange, tag);
        let exec_type = match message.get(tag::EXEC_TYPE) {
            Some(b"1" | b"2") => ExecType::Trade,
            // A fill has these two codes and no other.
            Some(b"F" | b"G" | b"H" | b"I") => return Err(fault(tag::EXEC_TYPE)),
            _ => message.required(tag::EXEC_TYPE)?,
        };
        match message.required::<String>(tag::EXEC_TRANS_TYPE)?.as_bytes() {
            b"0" => Ok(exec_type),
            b"1" => Ok(ExecType::TradeCancel),
            b"2" => Ok(ExecType::TradeCorrect),
            b"3" => Ok(ExecType::OrderStatus),
            _ => Err(fault(tag::EXEC_TRANS_TYPE)),
        }
    }

    /// ExecTransType (20), which only 4.2 has.
    pub(crate) fn write_exec_trans_type(self, body: &mut Body, exec_type: ExecType) {
        let code = match exec_type {
            ExecType::TradeCancel => b'1',
            ExecType::TradeCorrect => b'2',
            ExecType::OrderStatus => b'3',
            ExecType::New
            | ExecType::DoneForDay
            | ExecType::Canceled
            | ExecType::Replaced
            | ExecType::PendingCancel
            | ExecType::Stopped
            | ExecType::Rejected
            | ExecType::Suspended
            | ExecType::PendingNew
            | ExecType::Calculated
            | ExecType::Expired
            | ExecType::Restated
            | ExecType::PendingReplace
            | ExecType::Trade => b'0',
        };
        match self {
            Dialect::Fix42 => body.code(tag::EXEC_TRANS_TYPE, code),
            Dialect::Fix44 => body,
        };
    }

    /// ExecType (150). In 4.2 a fill says whether it is the last, and what ExecTransType says leaves the order's status.
    pub(crate) fn exec_type_code(
        self,
        exec_type: ExecType,
        leaves_qty: i64,
        status: OrdStatus,
    ) -> u8 {
        match (self, exec_type) {
            (Dialect::Fix44, _) => exec_type.code(),
            (Dialect::Fix42, ExecType::Trade) if leaves_qty == 0 => b'2',
            (Dialect::Fix42, ExecType::Trade) => b'1',
            (
                Dialect::Fix42,
                ExecType::TradeCancel | ExecType::TradeCorrect | ExecType::OrderStatus,
            ) => match status {
                // An auction's state has no ExecType of its own.
                OrdStatus::AcceptedForBidding => ExecType::New.code(),
                _ => status.code(),
            },
            (Dialect::Fix42, _) => exec_type.code(),
        }
    }
}
