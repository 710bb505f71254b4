//! What an exchange tells of itself. Fields are written in ascending tag order.

use crate::codec::Message;
use crate::encode::Body;
use crate::message::kind::TradSesStatus;
use crate::message::read::Malformed;
use crate::tag;

/// TradingSessionStatus (35=h): the phase of one market segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradingSessionStatus {
    /// TradingSessionID (336). Between our two ends it names the segment, e.g. `CM` or `FO`.
    pub trading_session_id: String,
    pub status: TradSesStatus,
    pub text: Option<String>,
}

impl TradingSessionStatus {
    pub(crate) fn read(message: &Message) -> Result<TradingSessionStatus, Malformed> {
        Ok(TradingSessionStatus {
            trading_session_id: message.required(tag::TRADING_SESSION_ID)?,
            status: message.required(tag::TRAD_SES_STATUS)?,
            text: message.optional(tag::TEXT)?,
        })
    }

    pub(crate) fn write(&self, body: &mut Body) {
        body.maybe(tag::TEXT, self.text.as_deref());
        body.text(tag::TRADING_SESSION_ID, &self.trading_session_id);
        body.code(tag::TRAD_SES_STATUS, self.status.code());
    }
}
