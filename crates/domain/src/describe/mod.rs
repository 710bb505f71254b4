//! An event in words, one line: for the audit trail, the incident's story and whoever replays the log. Pure; prices in rupees.
//!
//! Client, instrument, time and actor are not repeated: they stand beside it.

mod approval;
mod bulk;
mod client;
mod person;
mod platform;
mod position;
mod reason;

use crate::Event;
use crate::reference::ContractEvent;
use crate::refusals::RefusalEvent;
use crate::sealing::SealEvent;
use crate::session::SessionEvent;
use crate::suspense::SuspenseEvent;
use approval::approval;
use bulk::bulk;
use client::client;
use person::person;
use platform::platform;
use position::position;
pub use reason::reason_of;

/// The event in words.
pub fn describe(event: &Event) -> String {
    match event {
        Event::Approval(event) => approval(event),
        Event::Bulk(event) => bulk(event),
        Event::Client(event) => client(event),
        Event::Contract(ContractEvent::ContractListed(listed)) => {
            let contract = &listed.contract;
            format!(
                "{}:{} was listed with reference price {}",
                contract.venue, contract.symbol, contract.reference_price
            )
        }
        Event::Person(event) => person(event),
        Event::Platform(event) => platform(event),
        Event::Position(event) => position(event),
        Event::Refusal(RefusalEvent::RequestRefused(refused)) => {
            format!("{} was refused: {}", refused.what, refused.detail)
        }
        Event::Seal(SealEvent::CheckpointSealed(sealed)) => {
            format!("the log was sealed up to its event number {}", sealed.size)
        }
        Event::Session(event) => session(event),
        Event::Suspense(event) => suspense(event),
    }
}

fn session(event: &SessionEvent) -> String {
    match event {
        SessionEvent::SessionClaimed(event) => {
            format!(
                "a gateway took the session with {} over, fence {}",
                event.venue, event.fence
            )
        }
        SessionEvent::SessionReady(event) => format!("the session with {} is ready", event.venue),
        SessionEvent::SessionKept(event) => {
            format!("the session with {} is still ready", event.venue)
        }
        SessionEvent::SessionDown(event) => {
            format!("the session with {} is down: {}", event.venue, event.reason)
        }
    }
}

fn suspense(event: &SuspenseEvent) -> String {
    match event {
        SuspenseEvent::ReportSuspended(report) => {
            format!(
                "a report of {} fits nothing: {}",
                report.venue, report.reason
            )
        }
        SuspenseEvent::SuspenseMatchBegun(begun) => format!(
            "report {} is about to be booked on {}: {}",
            begun.report_key,
            begun.position.stream(),
            begun.reason
        ),
        SuspenseEvent::SuspenseMatched(matched) => format!(
            "report {} belongs to {}: {}",
            matched.report_key,
            matched.position.stream(),
            matched.reason
        ),
        SuspenseEvent::SuspenseDismissed(dismissed) => format!(
            "report {} is no trade of ours: {}",
            dismissed.report_key, dismissed.reason
        ),
        SuspenseEvent::SuspenseContradicted(told) => format!(
            "the primary has report {} in {} ({}); what was settled stands",
            told.report_key,
            told.position.stream(),
            told.source
        ),
    }
}
