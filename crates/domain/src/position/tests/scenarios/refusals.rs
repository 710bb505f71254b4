//! Every refusal, and its place: of two reasons that both apply, the earlier in the list is the answer.

use super::Table;

pub(super) const REFUSALS: Table = &[
    (
        "of a square-off, each reason before the next",
        "bod +42 => BodLoaded
         limit 5 100.00 #1 => SquareOffAccepted OrderPlaced
         canceled o1 => OrderCanceled
         off =>
         close 7 #1 => refused idempotency-key-reused
         yesterday =>
         close 0 => refused platform-not-active
         on =>
         yesterday =>
         no contract =>
         close 0 => refused unknown-position
         on =>
         no contract =>
         close 0 => refused unknown-instrument
         on =>
         halted =>
         market closed =>
         unready =>
         close 0 => refused new-orders-halted
         on =>
         market closed =>
         close 0 => refused market-not-open
         on =>
         hand-back => PositionHandedBack
         close 0 => refused exchange-not-connected
         ready =>
         freeze => PositionFrozen ; frozen
         close 0 => refused position-handed-back
         epoch =>
         suspended =>
         close 0 => refused position-frozen
         unfreeze => PositionUnfrozen ; free
         close 0 => refused instrument-restricted
         on =>
         epoch =>
         close 0 => refused quantity-not-positive
         close 47 => refused exceeds-open-quantity
         all => refused odd-lot
         freeze-quantity 4 =>
         close 7 => refused not-whole-lots
         limit 10 99.97 => refused freeze-below-lot
         freeze-quantity 5 =>
         age 3601 =>
         close 10 => refused stale-reference
         limit 10 89.97 => refused price-off-tick
         protection 99 101 =>
         limit 10 89.95 => refused price-out-of-band
         limit 10 110.05 => refused price-out-of-band
         limit 10 98.95 => refused price-out-of-protection
         limit 10 101.05 => refused price-out-of-protection
         limit 10 101.00 => SquareOffAccepted OrderPlaced OrderPlaced",
    ),
    (
        "what is settled trade for trade, suspended or expired is not squared off here, and what expires today is",
        "bod +40 => BodLoaded
         trade-for-trade =>
         all => refused instrument-restricted
         on =>
         suspended =>
         all => refused instrument-restricted
         on =>
         expiry 2026-11-19 =>
         all => refused instrument-restricted
         expiry 2026-11-20 =>
         close 5 => SquareOffAccepted OrderPlaced
         ack o1 => OrderAcknowledged
         suspended =>
         change o1 - 99.95 => refused instrument-restricted",
    ),
    (
        "a reference price may be as old as is allowed, and from the future",
        "bod +40 => BodLoaded
         age 3600 =>
         close 5 => SquareOffAccepted OrderPlaced
         age 3601 =>
         close 5 => refused stale-reference
         limit 5 100.00 => SquareOffAccepted OrderPlaced
         age -5 =>
         close 5 => SquareOffAccepted OrderPlaced",
    ),
    (
        "a band and a protection include their edges, and a negative price is in neither",
        "bod +40 => BodLoaded
         limit 5 90.00 => SquareOffAccepted OrderPlaced
         limit 5 110.00 => SquareOffAccepted OrderPlaced
         limit 5 -90.00 => refused price-out-of-band
         protection 99 101 =>
         limit 5 99.00 => SquareOffAccepted OrderPlaced
         limit 5 101.00 => SquareOffAccepted OrderPlaced",
    ),
    (
        "of a position that nobody knows",
        "all => refused unknown-position
         cancel all => refused unknown-position
         freeze => refused unknown-position
         unfreeze => refused unknown-position
         hand-back => refused unknown-position
         resolve o1 lost => refused unknown-position
         change o1 5 - => refused unknown-position",
    ),
    (
        "a reason is asked for where a person has to answer for it",
        "mute freeze => refused reason-missing
         mute unfreeze => refused reason-missing
         mute resolve o1 lost => refused reason-missing",
    ),
    (
        "of what is left to close",
        "bod +10 => BodLoaded
         close 15 => refused exceeds-open-quantity
         close 5 => SquareOffAccepted OrderPlaced
         close 10 => refused exceeds-open-quantity
         close 5 => SquareOffAccepted OrderPlaced ; closable 0
         close 5 => refused nothing-to-close
         close 7 => refused nothing-to-close",
    ),
    (
        "of slices: as many as one request may place, and no more",
        "bod +5000 => BodLoaded
         close 4005 => refused too-many-slices
         limit 4005 99.97 => refused too-many-slices
         close 4000 => SquareOffAccepted OrderPlaced*200 ; closable 1000",
    ),
    (
        "of a change, each reason before the next",
        "bod +40 => BodLoaded
         external P1 sell 5 filled 0 => ExternalOrderObserved
         limit 20 100.00 => SquareOffAccepted OrderPlaced
         off =>
         change o9 20 - => refused platform-not-active
         on =>
         change o9 20 - => refused unknown-order
         change o1 20 - => refused not-our-order
         change o2 25 - => refused order-not-acknowledged
         ack o2 => OrderAcknowledged
         doubt o2 => OrderInDoubt
         cancel o2 => CancelRequested
         change o2 25 - => refused order-in-doubt
         ack o2 => InDoubtResolved
         change o2 25 - => refused cancel-pending
         cancel-rejected o2 => CancelRejected
         change o2 20 - => refused nothing-to-change
         change o2 - 100.00 => refused nothing-to-change
         change o2 - - => refused nothing-to-change
         change o2 25 99.97 => refused quantity-not-lower
         fill o2 5 E1 => Executed
         change o2 5 99.97 => refused quantity-not-above-filled
         change o2 0 99.97 => refused quantity-not-positive
         change o9 0 - => refused quantity-not-positive
         change o2 7 99.97 => refused not-whole-lots
         change o2 - 99.97 => refused price-off-tick
         change o2 - 89.95 => refused price-out-of-band
         protection 99 101 =>
         change o2 - 98.95 => refused price-out-of-protection
         change o2 10 99.95 #1 => ReplaceRequested ; o2 pending-replace, o2 5/20, closable 15
         change o2 10 99.95 #1 =>
         change o2 10 99.90 #1 => refused idempotency-key-reused
         change o2 10 99.90 => refused replace-pending
         cancel o2 => CancelQueued ; o2 pending-cancel
         change o2 10 99.90 => refused cancel-pending
         canceled o2 => OrderCanceled
         change o2 10 99.90 => refused order-ended",
    ),
    (
        "of a cancel: whatever is outside, only the order itself can refuse it",
        "bod +40 => BodLoaded
         close 20 => SquareOffAccepted OrderPlaced
         freeze => PositionFrozen
         halted =>
         market closed =>
         unready =>
         off =>
         no contract =>
         cancel o9 => refused unknown-order
         cancel o1 => CancelRequested
         cancel o1 => refused cancel-pending
         cancel all => refused nothing-to-cancel
         canceled o1 => OrderCanceled
         cancel o1 => refused order-ended",
    ),
    (
        "of a doubt",
        "bod +10 => BodLoaded
         all => SquareOffAccepted OrderPlaced
         resolve o9 lost => refused unknown-order
         resolve o1 lost => refused order-not-in-doubt
         doubt o1 => OrderInDoubt
         canceled o1 => OrderCanceled InDoubtResolved ; o1 canceled
         resolve o1 lost => refused order-ended",
    ),
    (
        "of a hand-back: nothing of ours may still change the position",
        "bod +40 => BodLoaded
         external P1 sell 5 filled 0 => ExternalOrderObserved
         close 20 => SquareOffAccepted OrderPlaced
         hand-back => refused orders-working
         canceled o2 => OrderCanceled
         hand-back #1 => PositionHandedBack
         hand-back #1 =>
         hand-back => refused position-handed-back
         close 5 => refused position-handed-back
         epoch =>
         hand-back #1 => refused idempotency-key-reused
         close 5 => SquareOffAccepted OrderPlaced",
    ),
    (
        "of an unfreezing",
        "bod +10 => BodLoaded
         unfreeze => refused position-not-frozen
         freeze #1 => PositionFrozen
         freeze #1 =>
         unfreeze #2 => PositionUnfrozen
         unfreeze #2 =>
         unfreeze #1 => refused idempotency-key-reused
         unfreeze => refused position-not-frozen",
    ),
];

/// One order cancelled and changed as often as can be, and once more.
pub(super) fn often() -> String {
    let mut steps =
        "bod +10 => BodLoaded\nall => SquareOffAccepted OrderPlaced\nack o1 => OrderAcknowledged\n"
            .to_owned();
    for _ in 0..super::MAX_CANCELS_PER_ORDER {
        steps += "cancel o1 => CancelRequested\ncancel-rejected o1 => CancelRejected\n";
    }
    steps += "cancel o1 => refused too-many-cancels\ncancel all => refused nothing-to-cancel\n";
    for number in 0..super::MAX_REPLACES_PER_ORDER {
        let price = if number % 2 == 0 { "99.95" } else { "99.90" };
        steps +=
            &format!("change o1 - {price} => ReplaceRequested\nreplaced o1 => OrderReplaced\n");
    }
    steps + "change o1 - 100.00 => refused too-many-replaces ; o1 at 99.90"
}
