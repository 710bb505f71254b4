//! What probably caused a break, and what to do next: one sentence or two each, for a person who was not there.

use crate::breaks::Kind;
use crate::sides::{Alarmed, Booked, Held, Origin, Settled, Source, Suspended};

pub(super) const LEDGER_ENDS_BEFORE: &str = "The ledger that was compared ends before this trade: it is an older copy, or the exchange has lost its last lines.";

type Words = (String, String);

fn words(cause: &str, next: &str) -> Words {
    (cause.to_owned(), next.to_owned())
}

/// `sources` are those that the log differs from; `settled`: a report of the trade was held in suspense, and this became of it.
pub(super) fn cause_of_trade(
    kind: Kind,
    sources: &[Source],
    booked: Option<&Booked>,
    settled: Option<Settled>,
) -> String {
    let venues_own = sources.contains(&Source::Ledger) || sources.contains(&Source::TradesFile);
    let from_primary = booked.is_some_and(|booked| booked.origin == Origin::Primary);
    let text = match kind {
        Kind::MissingInLog => match settled {
            Some(Settled::Dismissed) => {
                "A person dismissed the report of this trade as none of ours, and it is in our name at the venue."
            }
            Some(Settled::Matched) => {
                "The report was matched to a position, and the trade was never booked there: the request broke off between its two steps."
            }
            Some(Settled::No) | None if venues_own => {
                "The execution report never reached us: a message was lost while the session was down, or somebody else traded in our name."
            }
            Some(Settled::No) | None => {
                "The order session never told us of the trade, the drop copy did: a report was lost while the session was down."
            }
        },
        Kind::MissingAtVenue if from_primary => {
            "The primary's file has a trade that the venue has not: a wrong line of that file, or of another day."
        }
        Kind::MissingAtVenue if sources == [Source::TradesFile] => {
            "The file was made before this trade or leaves it out, or the venue took the trade back without telling us."
        }
        Kind::MissingAtVenue => {
            "The exchange lost its last lines after it had told us, or it took the trade back without telling us."
        }
        Kind::MissingInDropCopy => {
            "The drop copy told of later trades and passed over this one: it lost a message, or the venue does not have the trade."
        }
        Kind::Unconfirmed => {
            "The drop copy ended before it came to this trade or its correction: its session was down when the day ended, or the file was made too early."
        }
        Kind::SideDiffers => {
            "One side has the wrong direction. The position is wrong by twice the quantity wherever the mistake is."
        }
        Kind::ClientDiffers => {
            "The order went out under another account than the position's, or the venue or the broker moved the trade to another client."
        }
        Kind::InstrumentDiffers => {
            "One side has the trade in another contract: a symbol was mapped wrongly, or a line was changed by hand."
        }
        Kind::QuantityDiffers if sources == [Source::DropCopy] => {
            "The order session and the drop copy tell different quantities: a correction reached only one of them."
        }
        Kind::QuantityDiffers => {
            "A correction of the trade reached only one side, or a line was changed by hand."
        }
        Kind::PriceDiffers if sources == [Source::DropCopy] => {
            "The order session and the drop copy tell different prices: a correction reached only one of them."
        }
        Kind::PriceDiffers => {
            "A correction of the price reached only one side, or a line was changed by hand."
        }
        Kind::OrderDiffers => {
            "The venue filled another order than the log says. Client, instrument, quantity and price agree, so no money is at stake."
        }
        Kind::BustedOnOneSide if booked.is_some_and(|booked| booked.told.busted) => {
            "The log has the venue's word that it took the trade back, and the other side still counts it: the file was made before, or the venue withdrew the bust."
        }
        Kind::BustedOnOneSide => {
            "The venue took the trade back and its report never reached us. The log still counts the trade."
        }
        _ => "",
    };
    text.to_owned()
}

pub(super) fn next_of_trade(kind: Kind, sources: &[Source]) -> String {
    let text = match kind {
        Kind::MissingInLog => {
            "Treat the position as open by this quantity until it is settled: freeze it, get the venue's confirmation, and have the session resend, or match the trade in suspense."
        }
        Kind::MissingAtVenue if sources == [Source::TradesFile] => {
            "Get a newer file. If it still lacks the trade, ask the venue for the execution by its id before anybody relies on the position being closed."
        }
        Kind::MissingAtVenue => {
            "Ask the venue for the execution by its id before anybody relies on the position being closed."
        }
        Kind::MissingInDropCopy | Kind::Unconfirmed => {
            "Record the venue's own list with `squareoff book drop-copy <csv>`, and reconcile again. If it lacks the trade too, call the venue."
        }
        Kind::SideDiffers
        | Kind::QuantityDiffers
        | Kind::PriceDiffers
        | Kind::BustedOnOneSide
        | Kind::InstrumentDiffers => {
            "Ask the venue which content stands. If it is theirs, have the correction or bust sent again; the log is never changed by hand."
        }
        Kind::ClientDiffers => {
            "Stop further orders of both clients, find the order's account in `squareoff replay`, and have the venue's client-code modification done before its deadline."
        }
        Kind::OrderDiffers => "Note it for the audit trail; nothing needs to be traded.",
        _ => "",
    };
    text.to_owned()
}

pub(super) fn used_twice(source: Source) -> Words {
    match source {
        Source::Log => words(
            "The venue gave one execution id to two trades, or one report was matched to two positions.",
            "Find out which position it belongs to, and freeze the other: one of the two is wrong by this quantity.",
        ),
        Source::DropCopy => words(
            "The drop copy told two positions of one execution id.",
            "Ask the venue which account the trade belongs to.",
        ),
        Source::Ledger | Source::TradesFile | Source::ReadModel | Source::PositionsFile => words(
            "The venue's own record has the execution id twice: a line was copied, or the venue used an id again.",
            "Ask the venue for the execution by its id; if both lines are real, it is a second trade that the log does not have.",
        ),
    }
}

pub(super) fn suspended(held: &Suspended, booked_since: bool) -> Words {
    let cause = format!("Held because {}.", held.reason.trim_end_matches('.'));
    let next = if booked_since {
        "The trade has been booked since, so no money is at stake: dismiss the report with that reason."
    } else if held.execution.is_some() {
        "Match the report to the position it belongs to, or dismiss it with a reason. Until then no position counts the trade."
    } else {
        "Read the message in `squareoff replay`, and dismiss the report with a reason."
    };
    (cause, next.to_owned())
}

pub(super) fn alarmed(what: &Alarmed) -> Words {
    match what {
        Alarmed::Conflict { .. } => words(
            "The venue told one execution id with two contents. The first is booked; this is the second.",
            "Ask the venue which one stands: if both are real, the log lacks a trade.",
        ),
        Alarmed::Overfill { .. } => words(
            "The venue filled more than the order's quantity: it filled on after a cancel or a replace, or filled one order twice.",
            "The trade is real and booked. Close what was opened beyond flat, and claim it from the venue.",
        ),
        Alarmed::BeyondFlat { .. } => words(
            "A fill of ours came after the position had been closed by others, or the venue filled more than was ordered: what was to be closed is open the other way.",
            "The trade is real and booked. Close what was opened, and look for the fill that was not expected.",
        ),
        Alarmed::Contradiction => words(
            "The log was told something that cannot be true beside what it knew. It kept both, and the position froze.",
            "Look into it with `squareoff replay <stream>`, then unfreeze the position with a reason.",
        ),
    }
}

pub(super) fn unknown_fact(kind: &str) -> Words {
    (
        format!(
            "The ledger writes `{kind}`, which carries a trade's quantity or price, and this release does not know it. The line is in no sum of this report."
        ),
        "Use a release that knows this exchange's ledger, or compare the line by hand.".to_owned(),
    )
}

pub(super) fn ledger_gap() -> Words {
    words(
        "Somebody took lines out of the ledger, or the copy is not whole. What they said is in no sum of this report.",
        "Get the ledger again from the exchange. The trades missing at the venue in this list tell what the lines may have been.",
    )
}

pub(super) fn order(kind: Kind) -> Words {
    match kind {
        Kind::SentTwice => words(
            "A message went out again as a new one, where only a marked repeat may. The venue's own check refused it.",
            "Stop the gateway's session and find both messages in its journal before it is started again: the check may not save us next time.",
        ),
        Kind::OrderWorkingAtVenue => words(
            "A report of its end never came from the venue, or the market's close was taken for its end.",
            "Cancel it at the venue now: it may still fill, and nobody here counts on that.",
        ),
        Kind::OrderEndedAtVenue => words(
            "The venue ended the order and its report never reached us.",
            "Ask the venue for the order's status. Until then its quantity cannot be asked for again.",
        ),
        Kind::OrderUnknownHere => words(
            "The order was placed outside this platform in our name, or the log of another folder is being compared.",
            "Find out who placed it. Cancel it at the venue if it still works.",
        ),
        Kind::OrderMissingAtVenue => words(
            "The order was handed to the venue and never arrived, or the exchange lost its last lines.",
            "Ask the venue for the order's status before anything is sent again.",
        ),
        Kind::OrderLeavesDiffer => words(
            "A change of the order, or a fill of it, reached only one side.",
            "Look for a trade of this order in this list; if there is none, ask the venue for the order's status.",
        ),
        Kind::OrderInDoubt => words(
            "Nobody here knows whether the venue has the order. It counts in full until that is settled.",
            "Ask the venue, then say what became of it (resolve the doubt): only that frees its quantity.",
        ),
        Kind::OrderWorkingAtClose => words(
            "The day is over and the order was neither filled nor ended: the venue's word of its expiry never came.",
            "Ask the venue for the order's status. An order for the day cannot live on.",
        ),
        _ => words("", ""),
    }
}

pub(super) fn not_flat(held: &Held) -> Words {
    let cause = if held.frozen {
        "The position is frozen, so nobody could close it."
    } else if held.working.is_zero() {
        "Nobody closed it, or its orders ended unfilled."
    } else {
        "Its orders were still working when the day ended."
    };
    words(
        cause,
        "An intraday position is closed on its day: tell the risk desk, and have it carried or closed by the primary.",
    )
}

pub(super) fn handed_back() -> Words {
    words(
        "A trade, a bust or a correction came in after the position had been handed back.",
        "Tell the primary's operators: they count on the quantity that was handed over.",
    )
}

pub(super) fn closing(in_log: bool, in_file: bool) -> Words {
    match (in_log, in_file) {
        (true, true) => words(
            "The broker's books have a trade that the log has not, or lack one that it has; or the two began the day with different quantities.",
            "Look for the trades of this client and instrument in this list. If there are none, compare the quantities at the beginning of the day.",
        ),
        (true, false) => words(
            "The broker's books do not know the position: its trades have not reached them, or stand under another product.",
            "Compare with the client's positions under the other products, then have the trades booked.",
        ),
        (false, _) => words(
            "The position was opened outside this platform after the beginning of the day, or stands under another product there.",
            "Compare with the client's positions under the other products, and find the trades in the trade file.",
        ),
    }
}

pub(super) fn read_model(kind: Kind) -> Words {
    if kind == Kind::ReadModelBehind {
        return words(
            "The projections do not run, or have more to do than they manage. Postgres was not compared.",
            "Check `squareoff health projections`, and reconcile again.",
        );
    }
    words(
        "A row was changed by hand, restored from an older copy, or left out by a mistake of ours. The log is the truth.",
        "`squareoff rebuild --compare-only` names what differs; `squareoff rebuild --replace` makes the rows anew from the log.",
    )
}
