//! Messages with types: what the application gets and gives.
//!
//! Called by `session` (reading) and by applications (writing, through [`OutboundMessage::new`]).
//!
//! 1. A typed message that is written reads back equal. 2. A message that lacks a required field or holds
//!    an unreadable one is [`Malformed`] with the tag, never half a message. 3. Unknown further fields are
//!    kept in the raw message and otherwise ignored: venues add their own.
//!
//! One file per group: `order` (what we ask), `report` (what the exchange tells of orders), `market` (what it tells of
//! itself), `admin`, `kind` (codes).

mod admin;
mod kind;
mod market;
mod order;
mod read;
mod report;

use bytes::Bytes;

pub use admin::{Logon, Reject, ResendRequest, SequenceReset};
pub use kind::{
    BusinessRejectReason, CxlRejResponseTo, ExecType, OrdStatus, OrdType, Side, TimeInForce,
    TradSesStatus,
};
pub use market::TradingSessionStatus;
pub use order::{
    NewOrderSingle, OrderCancelReplaceRequest, OrderCancelRequest, OrderMassStatusRequest,
    OrderStatusRequest,
};
pub use read::{Malformed, RejectReason};
pub use report::{BusinessMessageReject, ExecutionReport, OrderCancelReject};

use crate::codec::Message;
pub use crate::encode::{Body, EncodeError};

/// The longest application id (ClOrdIDs are at most 20 characters at Indian venues).
pub const ID_BYTES_MAX: usize = 128;

/// An application message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppMessage {
    NewOrderSingle(NewOrderSingle),
    OrderCancelRequest(OrderCancelRequest),
    OrderCancelReplaceRequest(OrderCancelReplaceRequest),
    OrderStatusRequest(OrderStatusRequest),
    OrderMassStatusRequest(OrderMassStatusRequest),
    ExecutionReport(Box<ExecutionReport>),
    OrderCancelReject(OrderCancelReject),
    TradingSessionStatus(TradingSessionStatus),
    BusinessMessageReject(BusinessMessageReject),
    /// Inbound only: the peer refused one of *our* messages at session level, `ref_seq_num` says which.
    /// It is delivered because an order refused so is not at the exchange.
    Reject(Reject),
    /// A type without a struct here, or any type when the session reads bodies raw.
    Other(RawMessage),
}

/// A message by its fields alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawMessage {
    /// MsgType (35).
    pub kind: String,
    /// The fields behind the header in wire order, as they are on the wire.
    pub body: Bytes,
}

impl AppMessage {
    /// Reads the body of an application message.
    ///
    /// # Errors
    /// [`Malformed`] when a field is missing or unreadable; a session answers it with Reject.
    pub fn read(message: &Message) -> Result<AppMessage, Malformed> {
        Ok(match message.kind() {
            b"D" => AppMessage::NewOrderSingle(NewOrderSingle::read(message)?),
            b"F" => AppMessage::OrderCancelRequest(OrderCancelRequest::read(message)?),
            b"G" => {
                AppMessage::OrderCancelReplaceRequest(OrderCancelReplaceRequest::read(message)?)
            }
            b"H" => AppMessage::OrderStatusRequest(OrderStatusRequest::read(message)?),
            b"AF" => AppMessage::OrderMassStatusRequest(OrderMassStatusRequest::read(message)?),
            b"8" => AppMessage::ExecutionReport(Box::new(ExecutionReport::read(message)?)),
            b"9" => AppMessage::OrderCancelReject(OrderCancelReject::read(message)?),
            b"h" => AppMessage::TradingSessionStatus(TradingSessionStatus::read(message)?),
            b"j" => AppMessage::BusinessMessageReject(BusinessMessageReject::read(message)?),
            b"3" => AppMessage::Reject(Reject::read(message)?),
            _ => AppMessage::raw(message),
        })
    }

    /// The message by its fields alone.
    pub fn raw(message: &Message) -> AppMessage {
        AppMessage::Other(RawMessage {
            kind: String::from_utf8_lossy(message.kind()).into_owned(),
            body: message.body_bytes(),
        })
    }

    /// MsgType (35).
    pub fn kind(&self) -> &str {
        match self {
            AppMessage::NewOrderSingle(_) => "D",
            AppMessage::OrderCancelRequest(_) => "F",
            AppMessage::OrderCancelReplaceRequest(_) => "G",
            AppMessage::OrderStatusRequest(_) => "H",
            AppMessage::OrderMassStatusRequest(_) => "AF",
            AppMessage::ExecutionReport(_) => "8",
            AppMessage::OrderCancelReject(_) => "9",
            AppMessage::TradingSessionStatus(_) => "h",
            AppMessage::BusinessMessageReject(_) => "j",
            AppMessage::Reject(_) => "3",
            AppMessage::Other(raw) => &raw.kind,
        }
    }

    /// The body on the wire.
    ///
    /// # Errors
    /// [`EncodeError`] when a value can't stand in a field or the message is too long.
    pub fn write(&self) -> Result<Bytes, EncodeError> {
        let mut body = Body::new();
        match self {
            AppMessage::NewOrderSingle(order) => order.write(&mut body),
            AppMessage::OrderCancelRequest(request) => request.write(&mut body),
            AppMessage::OrderCancelReplaceRequest(request) => request.write(&mut body),
            AppMessage::OrderStatusRequest(request) => request.write(&mut body),
            AppMessage::OrderMassStatusRequest(request) => request.write(&mut body),
            AppMessage::ExecutionReport(report) => report.write(&mut body),
            AppMessage::OrderCancelReject(reject) => reject.write(&mut body),
            AppMessage::TradingSessionStatus(status) => status.write(&mut body),
            AppMessage::BusinessMessageReject(reject) => reject.write(&mut body),
            AppMessage::Reject(reject) => reject.write(&mut body),
            AppMessage::Other(raw) => return Ok(raw.body.clone()),
        }
        body.finish()
    }
}

/// A message on its way to the session: already encoded, so that the session's loop has no faults to handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundMessage {
    id: String,
    position: u64,
    kind: String,
    body: Bytes,
    poss_resend: bool,
}

impl OutboundMessage {
    /// `id` is the application's name for the message (a ClOrdID; may be empty), `position` its place in the
    /// application's log (0 for none); both go to the journal with it.
    ///
    /// # Errors
    /// [`EncodeError`] when it can't be written; nothing was sent.
    pub fn new(
        id: impl Into<String>,
        position: u64,
        message: &AppMessage,
    ) -> Result<OutboundMessage, EncodeError> {
        let id = id.into();
        if id.len() > ID_BYTES_MAX {
            return Err(EncodeError::IdTooLong { bytes: id.len() });
        }
        Ok(OutboundMessage {
            id,
            position,
            kind: message.kind().to_owned(),
            body: message.write()?,
            poss_resend: false,
        })
    }

    /// The same with PossResend (97=Y): a new message that may repeat an earlier one under another sequence number.
    pub fn possibly_resent(self) -> OutboundMessage {
        OutboundMessage {
            poss_resend: true,
            ..self
        }
    }

    /// The application's name for it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its place in the application's log.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// MsgType (35).
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The fields behind the header.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Whether it carries PossResend=Y.
    pub fn is_poss_resend(&self) -> bool {
        self.poss_resend
    }
}

#[cfg(test)]
mod tests;
