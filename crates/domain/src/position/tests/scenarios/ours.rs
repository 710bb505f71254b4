//! Our own: what the rules say beyond FIX, and the hard cases of the field.

use super::Table;

pub(super) const OURS: Table = &[
    (
        "a long position is sold in slices and becomes flat",
        "bod +40 => BodLoaded ; net 40, closable 40
         all => SquareOffAccepted OrderPlaced OrderPlaced ; closable 0, o1 placed, o2 placed
         sent o1 => OrderDispatched ; o1 sent
         ack o1 => OrderAcknowledged ; o1 new
         fill o1 5 E1 => Executed ; net 35, o1 partially-filled
         fill o1 15 E2 => Executed ; net 20, o1 filled, closable 0
         fill o2 20 E3 => Executed ; net 0, o2 filled, closable 0
         all => refused nothing-to-close",
    ),
    (
        "a short position is bought back",
        "bod -10 => BodLoaded ; net -10, closable 10
         close 10 => SquareOffAccepted OrderPlaced ; closable 0
         fill o1 10 E1 => Executed ; net 0, o1 filled",
    ),
    (
        "what is on its way is reserved",
        "bod +40 => BodLoaded
         close 15 => SquareOffAccepted OrderPlaced ; closable 25
         close 30 => refused exceeds-open-quantity
         close 25 => SquareOffAccepted OrderPlaced OrderPlaced ; closable 0
         close 5 => refused nothing-to-close",
    ),
    (
        "a rejected order frees what it reserved",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced ; closable 0
         rejected o1 => OrderRejected ; o1 rejected, closable 10, net 10
         rejected o1 => ",
    ),
    (
        "a cancel confirmed by the venue frees the rest",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         fill o1 5 E1 => Executed
         cancel o1 => CancelRequested ; o1 pending-cancel, closable 0
         cancel o1 => refused cancel-pending
         canceled o1 => OrderCanceled ; o1 canceled, net 5, closable 5
         cancel o1 => refused order-ended",
    ),
    (
        "a cancel that comes too late is rejected and the fill stands",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         cancel o1 => CancelRequested
         fill o1 10 E1 => Executed ; o1 filled, net 0
         cancel-rejected o1 => CancelRejected ; o1 filled
         cancel-rejected o1 => ",
    ),
    (
        "a rejected cancel gives the order back its status, and another may be asked",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         cancel o1 => CancelRequested ; o1 pending-cancel, o1 cancel C01
         cancel-rejected o1 => CancelRejected ; o1 new, closable 0
         cancel o1 => CancelRequested ; o1 pending-cancel, o1 cancel C02",
    ),
    (
        "a cancel refused for its rate is asked again by itself, and by nobody after the eighth",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         cancel o1 => CancelRequested ; o1 pending-cancel, o1 cancel C01
         cancel-throttled o1 => CancelRejected CancelRequested ; o1 pending-cancel, o1 cancel C02
         cancel-throttled o1 => CancelRejected CancelRequested ; o1 pending-cancel, o1 cancel C03
         cancel-throttled o1 => CancelRejected CancelRequested ; o1 pending-cancel, o1 cancel C04
         cancel-throttled o1 => CancelRejected CancelRequested ; o1 pending-cancel, o1 cancel C05
         cancel-throttled o1 => CancelRejected CancelRequested ; o1 pending-cancel, o1 cancel C06
         cancel-throttled o1 => CancelRejected CancelRequested ; o1 pending-cancel, o1 cancel C07
         cancel-throttled o1 => CancelRejected CancelRequested ; o1 pending-cancel, o1 cancel C08
         cancel-throttled o1 => CancelRejected ; o1 new, closable 0
         cancel-throttled o1 =>
         cancel o1 => CancelRequested ; o1 pending-cancel, o1 cancel C09",
    ),
    (
        "a cancel refused for its rate of an order that has filled meanwhile is not asked again",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         cancel o1 => CancelRequested
         fill o1 10 E1 => Executed ; o1 filled
         cancel-throttled o1 => CancelRejected ; o1 filled",
    ),
    (
        "an order never sent is dropped by the gateway",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         cancel o1 => CancelRequested
         dropped o1 => OrderCanceled ; o1 canceled, closable 10",
    ),
    (
        "a fill before its acknowledgement implies it",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         fill o1 5 E1 => Executed ; o1 partially-filled
         ack o1 => ",
    ),
    (
        "a fill reported twice counts once, and another under its key is a conflict",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         fill o1 5 E1 => Executed ; net 5
         fill o1 5 E1 => ; net 5
         fill o1 10 E1 => ExecutionConflicted PositionFrozen ; net 5
         fill o1 10 E1 => ; net 5",
    ),
    (
        "a fill after the cancel is booked, because it is real",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         cancel o1 => CancelRequested
         canceled o1 => OrderCanceled ; closable 10
         fill o1 5 E1 => Executed ; o1 canceled, net 5, closable 5",
    ),
    (
        "a late fill that leaves too much working cancels our newest orders",
        "bod +40 => BodLoaded
         close 20 => SquareOffAccepted OrderPlaced
         cancel o1 => CancelRequested
         canceled o1 => OrderCanceled ; closable 40
         close 20 => SquareOffAccepted OrderPlaced
         close 20 => SquareOffAccepted OrderPlaced ; closable 0
         fill o1 20 E1 => Executed ExposureBreached CancelRequested ; net 20, o3 pending-cancel, o2 placed
         canceled o3 => OrderCanceled ; closable 0
         fill o2 20 E2 => Executed ; net 0",
    ),
    (
        "an over-fill is booked and told, and what no longer closes is cancelled",
        "bod +20 => BodLoaded
         close 10 => SquareOffAccepted OrderPlaced
         close 10 => SquareOffAccepted OrderPlaced
         fill o1 25 E1 => Executed OverfillDetected PositionFrozen ExposureBreached CancelRequested ; net -5, o1 filled, o2 pending-cancel",
    ),
    (
        "a message that never arrived frees the order",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         sent o1 => OrderDispatched
         lost o1 => OrderNotDelivered ; o1 not-delivered, closable 10
         lost o1 => ",
    ),
    (
        "a cancel that never arrived leaves the order as it was",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         cancel o1 => CancelRequested
         cancel-lost o1 => CancelNotDelivered ; o1 new
         cancel-lost o1 => ",
    ),
    (
        "an order expires at the end of the day",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         fill o1 5 E1 => Executed
         expired o1 => OrderExpired ; o1 expired, net 5, closable 5",
    ),
    (
        "a request repeated gets its first answer, and its id serves nothing else",
        "bod +40 => BodLoaded
         close 10 #1 => SquareOffAccepted OrderPlaced ; closable 30
         close 10 #1 => ; closable 30
         close 15 #1 => refused idempotency-key-reused
         cancel o1 #1 => refused idempotency-key-reused
         cancel all #2 => CancelRequested
         cancel all #2 =>
         cancel o1 #2 => refused idempotency-key-reused
         off => ; closable 30
         close 10 #1 => ; closable 30",
    ),
    (
        "cancel all asks for every order that works",
        "bod +40 => BodLoaded
         cancel all => refused nothing-to-cancel
         close 10 => SquareOffAccepted OrderPlaced
         all => SquareOffAccepted OrderPlaced OrderPlaced
         fill o2 20 E1 => Executed
         cancel all => CancelRequested CancelRequested ; o1 pending-cancel, o2 filled, o3 pending-cancel
         cancel all => refused nothing-to-cancel",
    ),
    (
        "a flat position has nothing to close",
        "bod 0 => BodLoaded
         all => refused nothing-to-close",
    ),
    (
        "a BOD line that contradicts the first is told once",
        "bod +40 => BodLoaded
         bod +40 =>
         bod +45 => BodContradicted PositionFrozen ; net 40
         bod +45 => ",
    ),
    (
        "a report about an order this position never placed is kept once",
        "bod +40 => BodLoaded
         stranger => UnknownOrderReported
         stranger => ; net 40",
    ),
    (
        "a second BOD line that contradicts differently is told too",
        "bod +40 => BodLoaded
         bod +45 => BodContradicted PositionFrozen
         unfreeze => PositionUnfrozen
         bod +45 =>
         bod +50 => BodContradicted PositionFrozen ; net 40",
    ),
    (
        "the venue's control holds an order, and approves it",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         sent o1 => OrderDispatched
         held o1 => OrderFrozen ; o1 frozen, closable 0
         held o1 =>
         ack o1 => OrderAcknowledged ; o1 new
         fill o1 20 E1 => Executed ; o1 filled",
    ),
    (
        "the venue's control holds an order, and rejects it",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         held o1 => OrderFrozen
         rejected o1 => OrderRejected ; o1 rejected, closable 20",
    ),
    (
        "an order that is held can be cancelled, not changed",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         held o1 => OrderFrozen
         change o1 10 - => refused order-not-acknowledged
         cancel o1 => CancelRequested ; o1 pending-cancel
         canceled o1 => OrderCanceled ; o1 canceled",
    ),
    (
        "a trade of the primary's moves the position, and our newest orders go when it leaves too little",
        "bod +40 => BodLoaded
         all => SquareOffAccepted OrderPlaced OrderPlaced
         primary buy 5 E1 => PrimaryTradeApplied ; net 45, closable 5
         primary buy 5 E1 =>
         primary sell 10 E2 => PrimaryTradeApplied ExposureBreached CancelRequested ; net 35, o2 pending-cancel, o1 placed
         primary sell 5 E3 => PrimaryTradeApplied ; net 30
         canceled o2 => OrderCanceled ; closable 10
         primary sell 5 E2 => ExecutionConflicted PositionFrozen ; net 30, frozen
         primary sell 5 E2 => ",
    ),
    (
        "a breach that a rejected cancel leaves is told again",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         primary sell 5 E1 => PrimaryTradeApplied ExposureBreached CancelRequested
         cancel-rejected o1 => CancelRejected ExposureBreached CancelRequested
         cancel-lost o1 => CancelNotDelivered ExposureBreached CancelRequested
         canceled o1 => OrderCanceled ; closable 15",
    ),
    (
        "a breach while a replace is on its way waits for the answer to it",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         change o1 15 - => ReplaceRequested
         primary sell 5 E1 => PrimaryTradeApplied ExposureBreached CancelQueued ; o1 pending-cancel
         replaced o1 => OrderReplaced CancelRequested",
    ),
    (
        "the newest go first, and only as many as it takes",
        "bod +45 => BodLoaded
         close 15 => SquareOffAccepted OrderPlaced
         close 15 => SquareOffAccepted OrderPlaced
         close 15 => SquareOffAccepted OrderPlaced
         primary sell 20 E1 => PrimaryTradeApplied ExposureBreached CancelRequested CancelRequested ; o1 placed, o2 pending-cancel, o3 pending-cancel",
    ),
    (
        "our trade comes through the primary first: it is the order's once the venue says so",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         primary sell 5 E1 => PrimaryTradeApplied ExposureBreached CancelRequested ; net 15, o1 0/20
         fill o1 5 E1 => Executed ; net 15, o1 5/20, o1 leaves 15
         fill o1 5 E1 =>
         primary sell 5 E1 => ; net 15",
    ),
    (
        "a trade of the primary's and a fill of ours under one ExecID that differ",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         primary buy 5 E1 => PrimaryTradeApplied
         fill o1 5 E1 => ExecutionConflicted PositionFrozen ; net 25, o1 0/20",
    ),
    (
        "an execution of one order is told of another",
        "bod +20 => BodLoaded
         close 10 => SquareOffAccepted OrderPlaced
         close 10 => SquareOffAccepted OrderPlaced
         fill o1 5 E1 => Executed
         fill o2 5 E1 => ExecutionConflicted PositionFrozen ; net 15, o1 5/10, o2 0/10
         unfreeze => PositionUnfrozen
         fill o1 5 E1 99.95 => ExecutionConflicted PositionFrozen",
    ),
    (
        "an order of the primary's that closes is counted, shown, and can be cancelled",
        "external P1 sell 15 filled 5 => ExternalOrderObserved ; o1 partially-filled, o1 5/15
         bod +40 => BodLoaded ; closable 30
         external P1 sell 15 filled 5 =>
         external P1 sell 15 filled 10 => ExternalOrderUpdated ; o1 leaves 5, closable 35
         external P1 sell 15 filled 5 => ; o1 leaves 5
         close 40 => refused exceeds-open-quantity
         cancel o1 => CancelRequested ; o1 pending-cancel
         canceled o1 => OrderCanceled ; o1 canceled, closable 40
         external-ended P1 sell 15 filled 10 => ",
    ),
    (
        "the primary says that its order has ended, at first sight or later",
        "bod +40 => BodLoaded
         external-ended P1 sell 15 filled 0 => ExternalOrderObserved OrderCanceled ; o1 canceled, closable 40
         external P2 sell 15 filled 0 => ExternalOrderObserved ; closable 25
         external-ended P2 sell 15 filled 5 => ExternalOrderUpdated OrderCanceled ; o2 canceled, closable 40
         external-ended P2 sell 15 filled 5 => ",
    ),
    (
        "an order of the primary's that opens does not count",
        "bod +40 => BodLoaded
         external P1 buy 15 filled 0 => ExternalOrderObserved ; closable 40
         all => SquareOffAccepted OrderPlaced OrderPlaced
         cancel all => CancelRequested CancelRequested CancelRequested",
    ),
    (
        "an order of the primary's seen late leaves too little: ours go, theirs stay",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         external P1 sell 5 filled 0 => ExternalOrderObserved ExposureBreached CancelRequested ; o1 pending-cancel, o2 new
         external P2 sell 30 filled 0 => ExternalOrderObserved
         canceled o1 => OrderCanceled ; closable 0",
    ),
    (
        "an order of the primary's has a fill that we are told",
        "bod +20 => BodLoaded
         external P1 sell 10 filled 5 => ExternalOrderObserved
         fill o1 5 E1 => Executed ; net 15, o1 filled, o1 10/10
         lost o1 => ReportContradicted PositionFrozen ; o1 filled",
    ),
    (
        "the drop copy agrees, before or after, told once",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         fill o1 5 E1 => Executed ; E1 provisional
         drop-copy E1 sell 5 => TradeConfirmed ; E1 confirmed, net 15
         drop-copy E1 sell 5 =>
         drop-copy E2 sell 10 => TradeConfirmed ; net 15, unbooked E2
         drop-copy E3 sell 10 => TradeConfirmed ; unbooked E2+E3
         fill o1 10 E2 => Executed ; E2 confirmed, net 5, unbooked E3",
    ),
    (
        "the drop copy disagrees: a break, and what was booked stays until it agrees",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         fill o1 5 E1 => Executed
         drop-copy E1 sell 10 => TradeConfirmed ; E1 contradicted, net 15
         drop-copy E1 sell 5 => TradeConfirmed ; E1 confirmed",
    ),
    (
        "the drop copy stands at what was corrected, and then at the correction",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         fill o1 5 E1 => Executed
         drop-copy E1 sell 5 => TradeConfirmed
         correct o1 E1 C1 10 100.00 => ExecutionCorrected ; E1 corrected, net 10
         drop-copy C1 sell 15 => TradeConfirmed ; E1 contradicted, unbooked -
         drop-copy C1 sell 10 => TradeConfirmed ; E1 confirmed
         bust o1 E1 => ExecutionBusted ; E1 busted, net 20",
    ),
    (
        "an over-fill within what is open is told, and freezes nothing",
        "bod +40 => BodLoaded
         close 10 => SquareOffAccepted OrderPlaced
         fill o1 15 E1 => Executed OverfillDetected ; o1 15/10, net 25, free, closable 25
         fill o1 5 E2 => Executed OverfillDetected ; o1 20/10, net 20",
    ),
    (
        "an over-fill from flat freezes as one from long does",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         fill o1 10 E1 => Executed ; net 0, free
         fill o1 5 E2 => Executed OverfillDetected PositionFrozen ; net -5, frozen
         unfreeze => PositionUnfrozen
         fill o1 5 E3 => Executed OverfillDetected ; net -10, free
         all => SquareOffAccepted OrderPlaced
         fill o2 10 E4 => Executed ; net 0, o2 filled",
    ),
    (
        "a late fill of a cancelled order turns the position: no order got more than it asked for, and what is open can be closed",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         canceled o1 => OrderCanceled
         all => SquareOffAccepted OrderPlaced
         fill o2 10 E1 => Executed ; net 0
         fill o1 10 E2 => Executed ; net -10, free, closable 10
         all => SquareOffAccepted OrderPlaced",
    ),
    (
        "a short position that an over-fill makes long freezes too",
        "bod -10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         fill o1 15 E1 => Executed OverfillDetected PositionFrozen ; net 5, frozen",
    ),
    (
        "a frozen position takes no order, and lets cancels and facts pass",
        "bod +40 => BodLoaded
         close 20 => SquareOffAccepted OrderPlaced
         freeze => PositionFrozen
         close 20 => refused position-frozen
         fill o1 5 E1 => Executed
         cancel o1 => CancelRequested
         canceled o1 => OrderCanceled
         unfreeze => PositionUnfrozen
         close 20 => SquareOffAccepted OrderPlaced",
    ),
    (
        "what was handed back takes no order, and facts go on",
        "bod +40 => BodLoaded
         close 20 => SquareOffAccepted OrderPlaced
         fill o1 20 E1 => Executed
         hand-back => PositionHandedBack
         close 20 => refused position-handed-back
         primary sell 20 E2 => PrimaryTradeApplied ; net 0",
    ),
    (
        "a doubt about an order that has ended is none",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         canceled o1 => OrderCanceled
         doubt o1 => ; o1 canceled",
    ),
    (
        "a doubt counts in full until a cancel, the day's end or a fill says more",
        "bod +60 => BodLoaded
         all => SquareOffAccepted OrderPlaced OrderPlaced OrderPlaced
         doubt o1 => OrderInDoubt
         doubt o2 => OrderInDoubt
         doubt o3 => OrderInDoubt ; closable 0
         fill o1 5 E1 => Executed InDoubtResolved ; o1 partially-filled
         canceled o2 => OrderCanceled InDoubtResolved ; o2 canceled
         session-end => OrderExpired OrderExpired ; o1 expired, o3 expired, closable 55",
    ),
    (
        "an order lost is another's room, and its late fill breaks it",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         lost o1 => OrderNotDelivered ; closable 20
         all => SquareOffAccepted OrderPlaced
         fill o1 5 E1 => Executed PositionFrozen ExposureBreached CancelRequested ; o1 partially-filled, net 15, o2 pending-cancel",
    ),
    (
        "the gateway drops an order once, and the venue's word of it is late",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         dropped o1 => OrderCanceled
         dropped o1 =>
         sent o1 => OrderDispatched ; o1 canceled
         sent o1 => ",
    ),
];
