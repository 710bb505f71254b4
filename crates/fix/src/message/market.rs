//! What an exchange tells of itself. Fields are written in ascending tag order.

use crate::codec::Message;
use crate::encode::Body;
use crate::message::kind::TradSesStatus;
use crate::message::read::Malformed;
use crate::tag;
use crate::value::LocalMktDate;

/// TradingSessionStatus (35=h): the phase of one market segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradingSessionStatus {
    /// TradingSessionID (336). Between our two ends it names the segment, e.g. `CM` or `FO`.
    pub trading_session_id: String,
    pub status: TradSesStatus,
    /// TradeDate (75): the trading day that the phase is of; FIX 4.4 has no field for it here, so a stranger may leave it out.
    pub trade_date: Option<LocalMktDate>,
    pub text: Option<String>,
}

impl TradingSessionStatus {
    pub(crate) fn read(message: &Message) -> Result<TradingSessionStatus, Malformed> {
        Ok(TradingSessionStatus {
            trading_session_id: message.required(tag::TRADING_SESSION_ID)?,
            status: message.required(tag::TRAD_SES_STATUS)?,
            trade_date: message.optional(tag::TRADE_DATE)?,
            text: message.optional(tag::TEXT)?,
        })
    }

    pub(crate) fn write(&self, body: &mut Body) {
        body.maybe(tag::TEXT, self.text.as_deref());
        if let Some(date) = self.trade_date {
            body.date(tag::TRADE_DATE, date);
        }
        body.text(tag::TRADING_SESSION_ID, &self.trading_session_id);
        body.code(tag::TRAD_SES_STATUS, self.status.code());
    }
}
