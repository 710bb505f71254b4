//! A fact as one flat JSON line. Fields are added here with a default, never renamed: yesterday's ledger must be read.

use serde::{Deserialize, Serialize};
use squareoff_fix::Timestamp;

use super::{Cause, Ended, Fact, Happening, MassRefusal, OrderImage, TimeInForce, order_id};
use crate::book::Side;
use crate::fault::Fault;
use crate::phase::Phase;
use crate::price::Price;
use crate::request::Scope;
use crate::setting::Setting;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Name {
    OrderAccepted,
    OrderCarried,
    OrderSuspended,
    OrderRejected,
    Executed,
    Canceled,
    Replaced,
    CancelRejected,
    ReplaceRejected,
    Expired,
    TradeBusted,
    TradeCorrected,
    PhaseChanged,
    FreezeArmed,
    AcknowledgedLate,
    ReportRepeated,
    OrderVanished,
    TradeDropped,
    Throttled,
    MassCanceled,
    MassCancelRejected,
    Set,
    TailLost,
}

/// The line as written. `exec_id` is there for people and tools that read the file; reading takes the number.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    ordinal: u64,
    fact: Name,
    exec_id: String,
    venue: String,
    session: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause_session: Option<String>,
    generation: u64,
    msg_seq_num: u64,
    #[serde(default, skip_serializing_if = "is_false")]
    completes: bool,
    trade_date: String,
    /// UTC in FIX form, `YYYYMMDD-HH:MM:SS.sss`.
    transact_time: String,
    order: u64,
    order_id: String,
    cl_ord_id: String,
    /// Where it isn't `cl_ord_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    original_cl_ord_id: Option<String>,
    account: String,
    symbol: String,
    side: Side,
    time_in_force: TimeInForce,
    quantity_units: i64,
    price_e4: i64,
    leaves_units: i64,
    cum_units: i64,
    notional_e4: i64,
    /// Where it isn't `order`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    priority: Option<u64>,
    #[serde(default, skip_serializing_if = "is_false")]
    frozen: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_units: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_price_e4: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    against_order: Option<u64>,
    /// Of a bust or a correction: the ordinal of the execution, and what it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    execution: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    was_units: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    was_price_e4: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_cl_ord_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous_cl_ord_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    duplicate_cl_ord_id: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    segment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phase: Option<Phase>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    freeze_symbol: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    freeze_orders: Option<u32>,
    /// Of a repeated report.
    #[serde(default, skip_serializing_if = "is_false")]
    to_copy: bool,
    /// MsgType of a message that was one too many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_kind: Option<String>,
    /// Of a mass cancel: what it reaches, how many orders, and why it reaches none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    affected: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<MassRefusal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    setting: Option<Setting>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lost_from: Option<u64>,
    /// The fault that the line shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fault: Option<Fault>,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl From<&Fact> for Line {
    fn from(fact: &Fact) -> Self {
        let order_id = fact.order_id();
        let OrderImage {
            order,
            given_order_id: _,
            cl_ord_id,
            original_cl_ord_id,
            account,
            symbol,
            side,
            time_in_force,
            quantity_units,
            price,
            leaves_units,
            cum_units,
            notional,
            priority,
            frozen,
            ended,
        } = fact.order.clone();
        let mut line = Self {
            ordinal: fact.ordinal,
            fact: name(&fact.happening),
            exec_id: fact.exec_id(),
            venue: fact.venue.clone(),
            session: fact.session.clone(),
            cause_session: (fact.cause.session != fact.session).then(|| fact.cause.session.clone()),
            generation: fact.cause.generation,
            msg_seq_num: fact.cause.msg_seq_num,
            completes: fact.completes,
            trade_date: fact.trade_date.clone(),
            transact_time: fact.transact_time.to_string(),
            order,
            order_id,
            original_cl_ord_id: (original_cl_ord_id != cl_ord_id).then_some(original_cl_ord_id),
            cl_ord_id,
            account,
            symbol,
            side,
            time_in_force,
            quantity_units,
            price_e4: price.0,
            leaves_units,
            cum_units,
            notional_e4: notional,
            priority: (priority != order).then_some(priority),
            frozen,
            ended,
            last_units: None,
            last_price_e4: None,
            against_order: None,
            execution: None,
            was_units: None,
            was_price_e4: None,
            request_cl_ord_id: None,
            previous_cl_ord_id: None,
            reason: None,
            text: None,
            duplicate_cl_ord_id: fact.is_duplicate_cl_ord_id(),
            segment: None,
            phase: None,
            freeze_symbol: None,
            freeze_orders: None,
            to_copy: false,
            request_kind: None,
            scope: None,
            affected: None,
            refused: None,
            setting: None,
            lost_from: None,
            fault: fact.fault,
        };
        line.say(&fact.happening);
        line
    }
}

impl Line {
    fn say(&mut self, happening: &Happening) {
        match happening.clone() {
            Happening::Accepted
            | Happening::Carried
            | Happening::Suspended
            | Happening::Expired
            | Happening::AcknowledgedLate
            | Happening::Vanished => {}
            Happening::Rejected { reason, text } => {
                (self.reason, self.text) = (Some(reason), Some(text));
            }
            Happening::Executed {
                last_units,
                last_price,
                against,
            } => {
                (self.last_units, self.last_price_e4) = (Some(last_units), Some(last_price.0));
                self.against_order = against;
            }
            Happening::Canceled { request } => self.request_cl_ord_id = request,
            Happening::Replaced { previous } => self.previous_cl_ord_id = Some(previous),
            Happening::CancelRejected {
                request,
                reason,
                text,
                of_replace: _,
            } => {
                self.request_cl_ord_id = Some(request);
                (self.reason, self.text) = (Some(reason), Some(text));
            }
            Happening::Busted {
                execution,
                was_units,
                was_price,
            } => self.refer(execution, was_units, was_price),
            Happening::Corrected {
                execution,
                was_units,
                was_price,
                last_units,
                last_price,
            } => {
                self.refer(execution, was_units, was_price);
                (self.last_units, self.last_price_e4) = (Some(last_units), Some(last_price.0));
            }
            Happening::PhaseChanged { segment, to } => {
                (self.segment, self.phase) = (Some(segment), Some(to));
            }
            Happening::FreezeArmed { symbol, orders } => {
                (self.freeze_symbol, self.freeze_orders) = (symbol, Some(orders));
            }
            Happening::Repeated { execution, to_copy } => {
                (self.execution, self.to_copy) = (Some(execution), to_copy);
            }
            Happening::Dropped {
                execution,
                was_units,
                was_price,
            } => self.refer(execution, was_units, was_price),
            Happening::Throttled {
                request,
                kind,
                text,
            } => {
                (self.request_cl_ord_id, self.request_kind) = (Some(request), Some(kind));
                self.text = Some(text);
            }
            Happening::MassCanceled {
                request,
                scope,
                affected,
                refused,
            } => {
                (self.request_cl_ord_id, self.scope) = (Some(request), Some(scope));
                (self.affected, self.refused) = (Some(affected), refused);
            }
            Happening::Set(setting) => self.setting = Some(setting),
            Happening::TailLost { from } => self.lost_from = Some(from),
        }
    }

    fn refer(&mut self, execution: u64, was_units: i64, was_price: Price) {
        self.execution = Some(execution);
        (self.was_units, self.was_price_e4) = (Some(was_units), Some(was_price.0));
    }

    fn happening(&mut self) -> Result<Happening, String> {
        Ok(match self.fact {
            Name::OrderAccepted => Happening::Accepted,
            Name::OrderCarried => Happening::Carried,
            Name::OrderSuspended => Happening::Suspended,
            Name::OrderRejected => Happening::Rejected {
                reason: needed(self.reason, "reason")?,
                text: needed(self.text.take(), "text")?,
            },
            Name::Executed => Happening::Executed {
                last_units: needed(self.last_units, "last_units")?,
                last_price: Price(needed(self.last_price_e4, "last_price_e4")?),
                against: self.against_order,
            },
            Name::Canceled => Happening::Canceled {
                request: self.request_cl_ord_id.take(),
            },
            Name::Replaced => Happening::Replaced {
                previous: needed(self.previous_cl_ord_id.take(), "previous_cl_ord_id")?,
            },
            Name::CancelRejected | Name::ReplaceRejected => Happening::CancelRejected {
                request: needed(self.request_cl_ord_id.take(), "request_cl_ord_id")?,
                reason: needed(self.reason, "reason")?,
                text: needed(self.text.take(), "text")?,
                of_replace: self.fact == Name::ReplaceRejected,
            },
            Name::Expired => Happening::Expired,
            Name::TradeBusted => Happening::Busted {
                execution: needed(self.execution, "execution")?,
                was_units: needed(self.was_units, "was_units")?,
                was_price: Price(needed(self.was_price_e4, "was_price_e4")?),
            },
            Name::TradeCorrected => Happening::Corrected {
                execution: needed(self.execution, "execution")?,
                was_units: needed(self.was_units, "was_units")?,
                was_price: Price(needed(self.was_price_e4, "was_price_e4")?),
                last_units: needed(self.last_units, "last_units")?,
                last_price: Price(needed(self.last_price_e4, "last_price_e4")?),
            },
            Name::PhaseChanged => Happening::PhaseChanged {
                segment: needed(self.segment.take(), "segment")?,
                to: needed(self.phase, "phase")?,
            },
            Name::FreezeArmed => Happening::FreezeArmed {
                symbol: self.freeze_symbol.take(),
                orders: needed(self.freeze_orders, "freeze_orders")?,
            },
            Name::AcknowledgedLate => Happening::AcknowledgedLate,
            Name::ReportRepeated => Happening::Repeated {
                execution: needed(self.execution, "execution")?,
                to_copy: self.to_copy,
            },
            Name::OrderVanished => Happening::Vanished,
            Name::TradeDropped => Happening::Dropped {
                execution: needed(self.execution, "execution")?,
                was_units: needed(self.was_units, "was_units")?,
                was_price: Price(needed(self.was_price_e4, "was_price_e4")?),
            },
            Name::Throttled => Happening::Throttled {
                request: needed(self.request_cl_ord_id.take(), "request_cl_ord_id")?,
                kind: needed(self.request_kind.take(), "request_kind")?,
                text: needed(self.text.take(), "text")?,
            },
            Name::MassCanceled | Name::MassCancelRejected => Happening::MassCanceled {
                request: needed(self.request_cl_ord_id.take(), "request_cl_ord_id")?,
                scope: needed(self.scope.take(), "scope")?,
                affected: needed(self.affected, "affected")?,
                refused: self.refused,
            },
            Name::Set => Happening::Set(needed(self.setting.take(), "setting")?),
            Name::TailLost => Happening::TailLost {
                from: needed(self.lost_from, "lost_from")?,
            },
        })
    }
}

fn name(happening: &Happening) -> Name {
    match happening {
        Happening::Accepted => Name::OrderAccepted,
        Happening::Carried => Name::OrderCarried,
        Happening::Suspended => Name::OrderSuspended,
        Happening::Rejected { .. } => Name::OrderRejected,
        Happening::Executed { .. } => Name::Executed,
        Happening::Canceled { .. } => Name::Canceled,
        Happening::Replaced { .. } => Name::Replaced,
        Happening::CancelRejected {
            of_replace: false, ..
        } => Name::CancelRejected,
        Happening::CancelRejected {
            of_replace: true, ..
        } => Name::ReplaceRejected,
        Happening::Expired => Name::Expired,
        Happening::Busted { .. } => Name::TradeBusted,
        Happening::Corrected { .. } => Name::TradeCorrected,
        Happening::PhaseChanged { .. } => Name::PhaseChanged,
        Happening::FreezeArmed { .. } => Name::FreezeArmed,
        Happening::AcknowledgedLate => Name::AcknowledgedLate,
        Happening::Repeated { .. } => Name::ReportRepeated,
        Happening::Vanished => Name::OrderVanished,
        Happening::Dropped { .. } => Name::TradeDropped,
        Happening::Throttled { .. } => Name::Throttled,
        Happening::MassCanceled { refused: None, .. } => Name::MassCanceled,
        Happening::MassCanceled { .. } => Name::MassCancelRejected,
        Happening::Set(_) => Name::Set,
        Happening::TailLost { .. } => Name::TailLost,
    }
}

impl TryFrom<Line> for Fact {
    type Error = String;

    /// # Errors
    /// Names the field that this kind of fact needs and the line lacks.
    fn try_from(mut line: Line) -> Result<Self, String> {
        let happening = line.happening()?;
        let transact_time = needed(
            Timestamp::parse(line.transact_time.as_bytes()),
            "transact_time",
        )?;
        let cause = Cause {
            session: line.cause_session.unwrap_or_else(|| line.session.clone()),
            generation: line.generation,
            msg_seq_num: line.msg_seq_num,
        };
        // Lines of the first release had no end: what was neither filled nor working had been canceled.
        let is_canceled = matches!(happening, Happening::Canceled { .. });
        let order = OrderImage {
            order: line.order,
            given_order_id: (line.order_id != order_id(&line.venue, line.order))
                .then_some(line.order_id),
            original_cl_ord_id: line
                .original_cl_ord_id
                .unwrap_or_else(|| line.cl_ord_id.clone()),
            cl_ord_id: line.cl_ord_id,
            account: line.account,
            symbol: line.symbol,
            side: line.side,
            time_in_force: line.time_in_force,
            quantity_units: line.quantity_units,
            price: Price(line.price_e4),
            leaves_units: line.leaves_units,
            cum_units: line.cum_units,
            notional: line.notional_e4,
            priority: line.priority.unwrap_or(line.order),
            frozen: line.frozen,
            ended: line.ended.or(is_canceled.then_some(Ended::Canceled)),
        };
        Ok(Self {
            ordinal: line.ordinal,
            venue: line.venue,
            session: line.session,
            cause,
            completes: line.completes,
            trade_date: line.trade_date,
            transact_time,
            order,
            happening,
            fault: line.fault,
        })
    }
}

fn needed<T>(value: Option<T>, field: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("missing field {field}"))
}
