//! The order state changes of FIX (volume 4, appendix D), groups A to E, in our own words and as this platform lives them: quantities
//! go down only, so what FIX shows with an increase is shown with a decrease, and an increase refused.

use super::Table;

pub(super) const A_TO_E: Table = &[
    // A: an order's plain life.
    (
        "A: filled in two parts",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced ; o1 placed
         sent o1 => OrderDispatched ; o1 sent
         ack o1 => OrderAcknowledged ; o1 new
         fill o1 5 E1 => Executed ; o1 partially-filled, o1 5/20, o1 leaves 15
         fill o1 15 E2 => Executed ; o1 filled, o1 20/20, o1 leaves 0, net 0",
    ),
    (
        "A: filled in part, and the day ends",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         fill o1 5 E1 => Executed
         expired o1 => OrderExpired ; o1 expired, o1 5/20, o1 leaves 0, net 15, closable 15
         session-end => ",
    ),
    (
        "A: the day ends without a word of the venue's",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         fill o1 5 E1 => Executed
         session-end => OrderExpired ; o1 expired, closable 15
         session-end =>
         expired o1 => ; o1 expired",
    ),
    // B: cancels.
    (
        "B: a cancel of an order that has not filled",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         cancel o1 => CancelRequested ; o1 pending-cancel, closable 0
         canceled o1 => OrderCanceled ; o1 canceled, o1 0/20, closable 20",
    ),
    (
        "B: fills come while the cancel is on its way",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         fill o1 5 E1 => Executed
         cancel o1 => CancelRequested ; o1 pending-cancel
         fill o1 5 E2 => Executed ; o1 pending-cancel, o1 10/20
         canceled o1 => OrderCanceled ; o1 canceled, o1 10/20, closable 10",
    ),
    (
        "B: filled in full before the cancel can be taken",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         cancel o1 => CancelRequested
         fill o1 20 E1 => Executed ; o1 filled, net 0
         cancel-rejected o1 => CancelRejected ; o1 filled
         cancel o1 => refused order-ended",
    ),
    (
        "B: a cancel before the acknowledgement, which crosses it",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         sent o1 => OrderDispatched
         cancel o1 => CancelRequested ; o1 pending-cancel
         ack o1 => OrderAcknowledged ; o1 pending-cancel
         canceled o1 => OrderCanceled ; o1 canceled",
    ),
    (
        "B: a cancel before the acknowledgement, and the order is rejected",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         sent o1 => OrderDispatched
         cancel o1 => CancelRequested
         rejected o1 => OrderRejected ; o1 rejected, closable 20
         cancel-rejected o1 1 => CancelRejected ; o1 rejected, free",
    ),
    (
        "B: the venue says that it does not know an order that works",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         cancel o1 => CancelRequested
         cancel-rejected o1 1 => CancelRejected OrderInDoubt ; o1 in-doubt, closable 0
         cancel o1 => CancelRequested ; o1 in-doubt
         canceled o1 => OrderCanceled InDoubtResolved ; o1 canceled, closable 20",
    ),
    // C: replaces of the quantity.
    (
        "C: a replace to less of an order that has not filled",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         change o1 10 - => ReplaceRequested ; o1 pending-replace, closable 0
         replaced o1 => OrderReplaced ; o1 new, o1 0/10, closable 10
         fill o1 10 E1 => Executed ; o1 filled, net 10",
    ),
    (
        "C: a replace to more is refused, filled or not",
        "bod +40 => BodLoaded
         close 20 => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         change o1 25 - => refused quantity-not-lower
         fill o1 20 E1 => Executed
         change o1 25 - => refused order-ended",
    ),
    (
        "C: a fill comes while the replace is on its way, and it is taken",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         change o1 15 - => ReplaceRequested
         fill o1 10 E1 => Executed ; o1 pending-replace, o1 10/20
         replaced o1 => OrderReplaced ; o1 partially-filled, o1 10/15, o1 leaves 5, closable 5
         fill o1 5 E2 => Executed ; o1 filled",
    ),
    (
        "C: a fill comes first and the replace is rejected",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         change o1 - 99.95 => ReplaceRequested
         fill o1 20 E1 => Executed ; o1 filled
         replace-rejected o1 => ReplaceRejected ; o1 filled, o1 at 97.00",
    ),
    (
        "C: what is asked equals what has filled meanwhile",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         change o1 10 - => ReplaceRequested
         fill o1 10 E1 => Executed
         replaced o1 => OrderReplaced ; o1 filled, o1 10/10, closable 10, free",
    ),
    (
        "C: what is asked is below what has filled meanwhile, and becomes it",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         change o1 10 - => ReplaceRequested
         fill o1 15 E1 => Executed
         replaced o1 15 => OrderReplaced ; o1 filled, o1 15/15, closable 5, free",
    ),
    (
        "C: the venue says a quantity below what has filled",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         change o1 10 - => ReplaceRequested
         fill o1 15 E1 => Executed
         replaced o1 => OrderReplaced ; o1 filled, o1 leaves 0, closable 5, free",
    ),
    // D: several replaces.
    (
        "D: one replace after another, both taken",
        "bod +20 => BodLoaded
         limit 20 100.00 => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         change o1 15 99.95 => ReplaceRequested ; o1 replace R01
         replaced o1 => OrderReplaced ; o1 0/15, o1 at 99.95
         fill o1 5 E1 => Executed
         change o1 10 99.90 => ReplaceRequested ; o1 replace R02
         replaced o1 => OrderReplaced ; o1 5/10, o1 at 99.90, o1 partially-filled
         fill o1 5 E2 => Executed ; o1 filled",
    ),
    (
        "D: one replace taken, the next rejected",
        "bod +20 => BodLoaded
         limit 20 100.00 => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         change o1 15 99.95 => ReplaceRequested
         replaced o1 => OrderReplaced
         change o1 10 99.90 => ReplaceRequested ; o1 pending-replace
         replace-rejected o1 => ReplaceRejected ; o1 new, o1 0/15, o1 at 99.95",
    ),
    (
        "D: one replace rejected, the next taken",
        "bod +20 => BodLoaded
         limit 20 100.00 => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         change o1 15 99.95 => ReplaceRequested
         replace-rejected o1 => ReplaceRejected ; o1 0/20, o1 at 100.00
         replace-rejected o1 =>
         change o1 - 99.90 => ReplaceRequested
         replaced o1 => OrderReplaced ; o1 0/20, o1 at 99.90",
    ),
    (
        "D: a second replace has to wait for the first to be answered",
        "bod +20 => BodLoaded
         limit 20 100.00 => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         change o1 15 99.95 => ReplaceRequested
         change o1 10 99.90 => refused replace-pending
         replaced o1 => OrderReplaced
         change o1 10 99.90 => ReplaceRequested",
    ),
    (
        "D: the answer to the first replace is told again after the second",
        "bod +20 => BodLoaded
         limit 20 100.00 => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         change o1 15 99.95 => ReplaceRequested
         replaced o1 => OrderReplaced
         change o1 10 99.90 => ReplaceRequested
         replaced o1 => OrderReplaced
         replaced o1/1 => ; o1 0/10, o1 at 99.90, free",
    ),
    (
        "D: a cancel waits for the replace that is on its way",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         change o1 15 - => ReplaceRequested
         cancel o1 #1 => CancelQueued ; o1 pending-cancel
         cancel o1 #1 =>
         fill o1 5 E1 => Executed ; o1 pending-cancel
         replaced o1 => OrderReplaced CancelRequested ; o1 pending-cancel, o1 5/15
         canceled o1 => OrderCanceled ; o1 canceled, closable 15",
    ),
    (
        "D: a cancel that waited goes when the replace was rejected, or never arrived",
        "bod +40 => BodLoaded
         close 20 => SquareOffAccepted OrderPlaced
         close 20 => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         ack o2 => OrderAcknowledged
         change o1 15 - => ReplaceRequested
         change o2 15 - => ReplaceRequested
         cancel all => CancelQueued CancelQueued
         replace-rejected o1 => ReplaceRejected CancelRequested
         replace-lost o2 => ReplaceNotDelivered CancelRequested
         replace-lost o2 => ; o2 pending-cancel",
    ),
    (
        "D: a cancel that waited has nothing left to do",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         change o1 15 - => ReplaceRequested
         cancel o1 => CancelQueued
         fill o1 20 E1 => Executed ; o1 filled
         replace-rejected o1 => ReplaceRejected ; o1 filled",
    ),
    (
        "D: a replace that was said to be rejected, or lost, is taken after all",
        "bod +20 => BodLoaded
         limit 20 100.00 => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         change o1 15 - => ReplaceRequested
         replace-rejected o1 => ReplaceRejected
         replaced o1 => OrderReplaced ; o1 0/15
         change o1 10 - => ReplaceRequested
         replace-lost o1 => ReplaceNotDelivered
         replaced o1 => OrderReplaced ; o1 0/10
         replace-rejected o1 => ; o1 0/10",
    ),
    // E: what nobody asked for.
    (
        "E: the venue cancels of itself",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         fill o1 5 E1 => Executed
         canceled o1 => OrderCanceled ; o1 canceled, closable 15, free",
    ),
    (
        "E: the venue changes what nobody asked to change, and a person has to look",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         change o1 15 - => ReplaceRequested
         replaced o1 => OrderReplaced
         replaced o1 10 => ReportContradicted PositionFrozen ; o1 0/15, frozen
         replaced o1 10 => ",
    ),
    (
        "E: a fill after a cancel: the venue had it still, what fills is booked",
        "bod +20 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         canceled o1 => OrderCanceled ; closable 20
         fill o1 5 E1 => Executed ; o1 canceled, o1 5/20, net 15, closable 15
         fill o1 15 E2 => Executed ; o1 filled, net 0",
    ),
];
