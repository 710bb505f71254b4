//! The order state changes of FIX (volume 4, appendix D), groups F to K, in our own words and as this platform lives them. Group G
//! (status requests) is told as reports of what is already known; group H (good till cancelled) is not offered: Indian venues take no
//! such orders, and a position's stream ends with its day.

use super::Table;

pub(super) const F_TO_K: Table = &[
    // F: the order is rejected.
    (
        "F: rejected at once",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         sent o1 => OrderDispatched
         rejected o1 => OrderRejected ; o1 rejected, closable 20
         rejected o1 =>
         ack o1 => OrderAcknowledged ; o1 rejected",
    ),
    (
        "F: rejected after it was acknowledged",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         rejected o1 => OrderRejected ; o1 rejected, closable 20, free",
    ),
    (
        "F: an order that was rejected fills, and one that filled is rejected: either way a person has to look",
        "bod +40 => BodLoaded
         close 20 => SquareOffAccepted OrderPlaced
         close 20 => SquareOffAccepted OrderPlaced
         rejected o1 => OrderRejected
         fill o1 5 E1 => Executed PositionFrozen ; o1 rejected, net 35, frozen
         unfreeze => PositionUnfrozen
         fill o2 5 E2 => Executed
         rejected o2 => OrderRejected PositionFrozen ; o2 rejected, net 30, frozen, closable 30",
    ),
    (
        "F: one of two slices is rejected, the other works",
        "bod +40 => BodLoaded
         all => SquareOffAccepted OrderPlaced OrderPlaced
         rejected o1 => OrderRejected ; o1 rejected, o2 placed, closable 20
         fill o2 20 E1 => Executed ; net 20, closable 20",
    ),
    // G: the venue is asked how an order stands.
    (
        "G: what is known already says nothing new, at any point of its life",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         ack o1 =>
         fill o1 5 E1 => Executed
         ack o1 => ; o1 partially-filled
         fill o1 5 E1 =>
         canceled o1 => OrderCanceled
         canceled o1 =>
         ack o1 => ; o1 canceled",
    ),
    (
        "G: asked of an order in doubt, the venue has it",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         sent o1 => OrderDispatched
         doubt o1 => OrderInDoubt ; o1 in-doubt, closable 0
         doubt o1 =>
         ack o1 => OrderAcknowledged InDoubtResolved ; o1 new, closable 0",
    ),
    (
        "G: asked of an order in doubt, a person finds out that the venue has it",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         sent o1 => OrderDispatched
         doubt o1 => OrderInDoubt
         resolve o1 delivered #1 => InDoubtResolved ; o1 sent, closable 0
         resolve o1 delivered #1 =>
         resolve o1 lost #1 => refused idempotency-key-reused",
    ),
    (
        "G: asked of an order in doubt, a person finds out that it never arrived",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         sent o1 => OrderDispatched
         doubt o1 => OrderInDoubt
         resolve o1 lost => InDoubtResolved ; o1 not-delivered, closable 20
         lost o1 => ; o1 not-delivered, free",
    ),
    (
        "G: asked of an order that has filled, the venue says otherwise: the fill stands, and a person has to look",
        "bod +40 => BodLoaded
         close 20 => SquareOffAccepted OrderPlaced
         fill o1 20 E1 => Executed
         differs o1 => ReportContradicted PositionFrozen ; o1 filled, net 20, frozen
         differs o1 =>
         close 20 => refused position-frozen",
    ),
    (
        "G: an order that was said never to have arrived is there after all: it counts again, and what is too much is cancelled",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         sent o1 => OrderDispatched
         doubt o1 => OrderInDoubt
         resolve o1 lost => InDoubtResolved ; closable 20
         all => SquareOffAccepted OrderPlaced ; closable 0
         ack o1 => OrderAcknowledged PositionFrozen ExposureBreached CancelRequested ; o1 new, o2 pending-cancel, frozen
         lost o1 => ; o1 new
         canceled o2 => OrderCanceled ; closable 0",
    ),
    (
        "G: an order that the venue has acknowledged or holds can't be one that never arrived",
        "bod +40 => BodLoaded
         close 20 => SquareOffAccepted OrderPlaced
         close 20 => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         lost o1 => ReportContradicted PositionFrozen ; o1 new, closable 0, frozen
         lost o1 =>
         held o2 => OrderFrozen
         lost o2 => ReportContradicted ; o2 frozen, closable 0",
    ),
    // I: time in force.
    (
        "I: an immediate order that finds nobody",
        "bod +20 => BodLoaded
         ioc 20 => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         canceled o1 => OrderCanceled ; o1 canceled, closable 20",
    ),
    (
        "I: an immediate order fills in part, and the rest is cancelled",
        "bod +20 => BodLoaded
         ioc 20 => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         fill o1 15 E1 => Executed ; o1 partially-filled
         canceled o1 => OrderCanceled ; o1 canceled, o1 15/20, net 5, closable 5",
    ),
    (
        "I: an immediate order's rest expires, as some venues say it",
        "bod +20 => BodLoaded
         ioc 20 => SquareOffAccepted OrderPlaced
         fill o1 15 E1 => Executed
         expired o1 => OrderExpired ; o1 expired, closable 5",
    ),
    // J: executions corrected and taken back.
    (
        "J: an execution of an order that works is taken back: the venue fills it anew",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         fill o1 5 E1 => Executed ; o1 5/20
         bust o1 E1 => ExecutionBusted ; o1 new, o1 0/20, o1 leaves 20, net 20, closable 0, E1 busted
         bust o1 E1 =>
         fill o1 20 E2 => Executed ; o1 filled, net 0",
    ),
    (
        "J: an execution of a filled order is taken back: the order stays done, and what is open again needs a new request",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         fill o1 5 E1 => Executed
         fill o1 15 E2 => Executed ; o1 filled
         bust o1 E1 => ExecutionBusted ; o1 filled, o1 15/20, o1 leaves 0, net 5, closable 5
         all => SquareOffAccepted OrderPlaced ; closable 0",
    ),
    (
        "J: an execution of a cancelled order is taken back",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         fill o1 5 E1 => Executed
         canceled o1 => OrderCanceled ; closable 15
         bust o1 E1 => ExecutionBusted ; o1 canceled, o1 0/20, net 20, closable 20",
    ),
    (
        "J: taken back before it was told",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         bust o1 E1 => ExecutionBusted ; net 20
         fill o1 5 E1 => Executed ; o1 0/20, net 20, E1 busted",
    ),
    (
        "J: quantity and price are corrected, and corrected again",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         fill o1 10 E1 => Executed ; o1 10/20, E1 provisional
         correct o1 E1 C1 5 99.95 => ExecutionCorrected ; o1 5/20, net 15, E1 is 5, E1 corrected
         correct o1 E1 C1 5 99.95 =>
         correct o1 C1 C2 15 99.90 => ExecutionCorrected ; o1 15/20, net 5, E1 is 15
         bust o1 C2 => ExecutionBusted ; o1 0/20, net 20, E1 busted",
    ),
    (
        "J: corrected before it was told, and the chain from its end",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         correct o1 C1 C2 15 99.90 => ExecutionCorrected ; net 20
         correct o1 E1 C1 5 99.95 => ExecutionCorrected ; net 20
         fill o1 10 E1 => Executed ; o1 15/20, net 5, E1 is 15, free",
    ),
    (
        "J: an execution is corrected a second time under its own ExecID: the later holds, whichever came first",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         fill o1 10 E1 => Executed
         correct o1 E1 C2 15 99.90 => ExecutionCorrected ; E1 is 15
         correct o1 E1 C1 5 99.95 => ExecutionCorrected ; E1 is 15, net 5
         bust o1 C1 => ExecutionBusted ; E1 busted, net 20",
    ),
    (
        "J: corrected twice in one instant: what was told later holds, whatever the ExecIDs say",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         fill o1 10 E1 => Executed
         correct o1 E1 C9 15 99.90 @5 => ExecutionCorrected ; E1 is 15
         correct o1 E1 C1 5 99.95 @5 => ExecutionCorrected ; E1 is 5, net 15
         correct o1 E1 C9 15 99.90 @5 => ; E1 is 5
         correct o1 E1 C5 10 99.85 @4 => ExecutionCorrected ; E1 is 5
         correct o1 E1 C2 20 99.80 @6 => ExecutionCorrected ; E1 is 20, net 0",
    ),
    (
        "J: a filled order is corrected down: it stays done",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         fill o1 20 E1 => Executed
         correct o1 E1 C1 15 99.95 => ExecutionCorrected ; o1 filled, o1 15/20, net 5, closable 5",
    ),
    (
        "J: corrected to more than the order: an over-fill like any other",
        "bod +20 => BodLoaded
         close 10 => SquareOffAccepted OrderPlaced
         fill o1 10 E1 => Executed
         correct o1 E1 C1 15 99.95 => ExecutionCorrected OverfillDetected ; o1 15/10, net 5, free
         correct o1 C1 C2 25 99.95 => ExecutionCorrected OverfillDetected PositionFrozen ; o1 25/10, net -5, frozen",
    ),
    (
        "J: a correction told twice with different contents, or under the ExecID of another report",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         fill o1 5 E1 => Executed
         fill o1 5 E2 => Executed
         correct o1 E1 C1 10 99.95 => ExecutionCorrected ; net 5
         correct o1 E1 C1 15 99.95 => ExecutionConflicted PositionFrozen ; net 5
         correct o1 E1 C1 15 99.95 =>
         correct o1 E2 C1 10 99.95 => ExecutionConflicted
         correct o1 E2 E1 10 99.95 => ExecutionConflicted
         correct o1 E2 E2 10 99.95 => ExecutionConflicted
         fill o1 5 C1 => ExecutionConflicted
         fill o1 5 C1 => ; net 5",
    ),
    // K: trading is halted.
    (
        "K: halted, the order stays and fills when trading goes on",
        "bod +20 => BodLoaded
         close 10 => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         market halted =>
         close 10 => refused market-not-open
         change o1 5 - => refused market-not-open
         market open =>
         fill o1 10 E1 => Executed ; o1 filled
         close 10 => SquareOffAccepted OrderPlaced",
    ),
    (
        "K: halted, the order is cancelled, by us or by the venue",
        "bod +40 => BodLoaded
         close 20 => SquareOffAccepted OrderPlaced
         close 20 => SquareOffAccepted OrderPlaced
         market halted =>
         cancel o1 => CancelRequested
         canceled o1 => OrderCanceled ; o1 canceled
         canceled o2 => OrderCanceled ; o2 canceled, closable 40",
    ),
];
