//! Messages with types: what the application gets and gives.
//!
//! Called by `session` (reading) and by applications (writing, through [`OutboundMessage::new`]).
//!
//! 1. A typed message that is written reads back equal. 2. A message that lacks a required field or holds
//!    an unreadable one is [`Malformed`] with the tag, never half a message. 3. Unknown further fields are
//!    kept in the raw message and otherwise ignored: venues add their own.
//!
//! One file per group: `order` (what we ask), `report` (what the exchange tells of orders), `market` (what it tells of
//! itself), `mass` (many orders at once), `trade` (drop copy), `admin`, `kind` (codes),
//! `dialect` (FIX 4.2).

mod admin;
mod dialect;
mod kind;
mod market;
mod mass;
mod order;
mod read;
mod report;
mod trade;

use std::borrow::Cow;

use bytes::Bytes;

pub use admin::{Logon, Reject, ResendRequest, SequenceReset};
pub use dialect::Dialect;
pub use kind::{
    BusinessRejectReason, CxlRejResponseTo, DkReason, ExecType, MassCancelRequestType,
    MassCancelResponse, OrdStatus, OrdType, Side, TimeInForce, TradSesStatus, TradeReportTransType,
};
pub use market::TradingSessionStatus;
pub use mass::{AffectedOrder, OrderMassCancelReport, OrderMassCancelRequest};
pub use order::{
    NewOrderSingle, OrderCancelReplaceRequest, OrderCancelRequest, OrderMassStatusRequest,
    OrderStatusRequest,
};
pub use read::{Malformed, RejectReason};
pub use report::{BusinessMessageReject, ExecutionReport, OrderCancelReject};
pub use trade::{DontKnowTrade, TradeCaptureReport, TradeSide};

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
    OrderMassCancelRequest(OrderMassCancelRequest),
    OrderMassCancelReport(Box<OrderMassCancelReport>),
    ExecutionReport(Box<ExecutionReport>),
    OrderCancelReject(OrderCancelReject),
    TradeCaptureReport(Box<TradeCaptureReport>),
    DontKnowTrade(DontKnowTrade),
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
            b"q" => AppMessage::OrderMassCancelRequest(OrderMassCancelRequest::read(message)?),
            b"r" => {
                AppMessage::OrderMassCancelReport(Box::new(OrderMassCancelReport::read(message)?))
            }
            b"8" => AppMessage::ExecutionReport(Box::new(ExecutionReport::read(message)?)),
            b"9" => AppMessage::OrderCancelReject(OrderCancelReject::read(message)?),
            b"AE" => AppMessage::TradeCaptureReport(Box::new(TradeCaptureReport::read(message)?)),
            b"Q" => AppMessage::DontKnowTrade(DontKnowTrade::read(message)?),
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
        self.known_kind().unwrap_or_else(|raw| &raw.kind)
    }

    /// MsgType of a message that has a struct here.
    fn known_kind(&self) -> Result<&'static str, &RawMessage> {
        Ok(match self {
            AppMessage::NewOrderSingle(_) => "D",
            AppMessage::OrderCancelRequest(_) => "F",
            AppMessage::OrderCancelReplaceRequest(_) => "G",
            AppMessage::OrderStatusRequest(_) => "H",
            AppMessage::OrderMassStatusRequest(_) => "AF",
            AppMessage::OrderMassCancelRequest(_) => "q",
            AppMessage::OrderMassCancelReport(_) => "r",
            AppMessage::ExecutionReport(_) => "8",
            AppMessage::OrderCancelReject(_) => "9",
            AppMessage::TradeCaptureReport(_) => "AE",
            AppMessage::DontKnowTrade(_) => "Q",
            AppMessage::TradingSessionStatus(_) => "h",
            AppMessage::BusinessMessageReject(_) => "j",
            AppMessage::Reject(_) => "3",
            AppMessage::Other(raw) => return Err(raw),
        })
    }

    /// The body on the wire, in FIX 4.4.
    ///
    /// # Errors
    /// [`EncodeError`] when a value can't stand in a field or the message is too long.
    pub fn write(&self) -> Result<Bytes, EncodeError> {
        self.write_in(Dialect::Fix44)
    }

    /// The body on the wire. What the dialect has no field for is left out.
    ///
    /// # Errors
    /// As [`AppMessage::write`]; also when the dialect does not have the message type.
    pub fn write_in(&self, dialect: Dialect) -> Result<Bytes, EncodeError> {
        if let AppMessage::Other(raw) = self {
            self.check_dialect(dialect)?;
            return Ok(raw.body.clone());
        }
        let mut body = Body::new();
        self.write_to(&mut body, dialect)?;
        body.finish()
    }

    /// The same behind what `body` holds already, which then says whether all of it can go on the wire ([`Body::written`]). Allocates
    /// nothing where there is room for it.
    ///
    /// # Errors
    /// When the dialect does not have the message type.
    pub fn write_to(&self, body: &mut Body, dialect: Dialect) -> Result<(), EncodeError> {
        self.check_dialect(dialect)?;
        match self {
            AppMessage::NewOrderSingle(order) => order.write(body, dialect),
            AppMessage::OrderCancelRequest(request) => request.write(body),
            AppMessage::OrderCancelReplaceRequest(request) => request.write(body, dialect),
            AppMessage::OrderStatusRequest(request) => request.write(body, dialect),
            AppMessage::OrderMassStatusRequest(request) => request.write(body),
            AppMessage::OrderMassCancelRequest(request) => request.write(body),
            AppMessage::OrderMassCancelReport(report) => report.write(body),
            AppMessage::ExecutionReport(report) => report.write(body, dialect),
            AppMessage::OrderCancelReject(reject) => reject.write(body),
            AppMessage::TradeCaptureReport(report) => report.write(body),
            AppMessage::DontKnowTrade(doubt) => doubt.write(body),
            AppMessage::TradingSessionStatus(status) => status.write(body),
            AppMessage::BusinessMessageReject(reject) => reject.write(body),
            AppMessage::Reject(reject) => reject.write(body),
            AppMessage::Other(raw) => body.fields(&raw.body),
        }
        Ok(())
    }

    fn check_dialect(&self, dialect: Dialect) -> Result<(), EncodeError> {
        if dialect.has(self.kind()) {
            return Ok(());
        }
        Err(EncodeError::NotInDialect {
            kind: self.kind().to_owned(),
            begin_string: dialect.begin_string(),
        })
    }
}

/// A message on its way to the session: already encoded, so that the session's loop has no faults to handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundMessage {
    id: String,
    position: u64,
    kind: Cow<'static, str>,
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
        OutboundMessage::new_in(Dialect::Fix44, id, position, message)
    }

    /// The same for a session of another dialect, which must be the session's ([`Dialect::of`] its BeginString).
    ///
    /// # Errors
    /// [`EncodeError`] when it can't be written; nothing was sent.
    pub fn new_in(
        dialect: Dialect,
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
            kind: match message.known_kind() {
                Ok(kind) => Cow::Borrowed(kind),
                Err(raw) => Cow::Owned(raw.kind.clone()),
            },
            body: message.write_in(dialect)?,
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
