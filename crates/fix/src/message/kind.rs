//! Enumerated values of FIX 4.4 (volume 6), each with its code on the wire.

use super::read::{RejectReason, Value};

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $code:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($variant),* }

        impl $name {
            /// Every value.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The code on the wire.
            pub fn code(self) -> u8 {
                match self { $($name::$variant => $code),* }
            }
        }

        impl Value for $name {
            fn read(bytes: &[u8]) -> Result<$name, RejectReason> {
                match bytes {
                    $([$code] => Ok($name::$variant),)*
                    _ => Err(RejectReason::ValueOutOfRange),
                }
            }
        }
    };
}

codes! {
    /// Side (54). Indian venues know these two only.
    Side { Buy = b'1', Sell = b'2' }
}
codes! {
    /// OrdType (40).
    OrdType { Market = b'1', Limit = b'2', Stop = b'3', StopLimit = b'4' }
}
codes! {
    /// TimeInForce (59); absent means Day.
    TimeInForce { Day = b'0', GoodTillCancel = b'1', ImmediateOrCancel = b'3', FillOrKill = b'4' }
}
codes! {
    /// ExecType (150): what this report says.
    ExecType {
        New = b'0', DoneForDay = b'3', Canceled = b'4', Replaced = b'5', PendingCancel = b'6', Stopped = b'7',
        Rejected = b'8', Suspended = b'9', PendingNew = b'A', Calculated = b'B', Expired = b'C', Restated = b'D',
        PendingReplace = b'E', Trade = b'F', TradeCorrect = b'G', TradeCancel = b'H', OrderStatus = b'I',
    }
}
codes! {
    /// OrdStatus (39): where the order stands.
    OrdStatus {
        New = b'0', PartiallyFilled = b'1', Filled = b'2', DoneForDay = b'3', Canceled = b'4', Replaced = b'5',
        PendingCancel = b'6', Stopped = b'7', Rejected = b'8', Suspended = b'9', PendingNew = b'A',
        Calculated = b'B', Expired = b'C', AcceptedForBidding = b'D', PendingReplace = b'E',
    }
}
codes! {
    /// CxlRejResponseTo (434).
    CxlRejResponseTo { Cancel = b'1', CancelReplace = b'2' }
}
codes! {
    /// TradSesStatus (340): the phase of a market segment.
    TradSesStatus {
        Unknown = b'0', Halted = b'1', Open = b'2', Closed = b'3', PreOpen = b'4', PreClose = b'5',
        RequestRejected = b'6',
    }
}
codes! {
    /// BusinessRejectReason (380); 8 is of a later extension, which venues send in 4.4 too.
    BusinessRejectReason {
        Other = b'0', UnknownId = b'1', UnknownSecurity = b'2', UnsupportedMessageType = b'3',
        ApplicationNotAvailable = b'4', ConditionallyRequiredFieldMissing = b'5', NotAuthorized = b'6',
        DeliverToFirmNotAvailable = b'7', ThrottleLimitExceeded = b'8',
    }
}
codes! {
    /// MassCancelRequestType (530): the scope of a mass cancel.
    MassCancelRequestType {
        Security = b'1', UnderlyingSecurity = b'2', Product = b'3', CfiCode = b'4', SecurityType = b'5',
        TradingSession = b'6', AllOrders = b'7',
    }
}
codes! {
    /// MassCancelResponse (531): the scope that is being cancelled.
    MassCancelResponse {
        Rejected = b'0', Security = b'1', UnderlyingSecurity = b'2', Product = b'3', CfiCode = b'4',
        SecurityType = b'5', TradingSession = b'6', AllOrders = b'7',
    }
}
codes! {
    /// TradeReportTransType (487); absent means New.
    TradeReportTransType { New = b'0', Cancel = b'1', Replace = b'2', Release = b'3', Reverse = b'4' }
}
codes! {
    /// DKReason (127): why an execution is not accepted as ours.
    DkReason {
        UnknownSymbol = b'A', WrongSide = b'B', QuantityExceedsOrder = b'C', NoMatchingOrder = b'D',
        PriceExceedsLimit = b'E', CalculationDifference = b'F', Other = b'Z',
    }
}
