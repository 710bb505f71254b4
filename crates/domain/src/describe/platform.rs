//! What became of the platform, in words.

use crate::platform::{HaltScope, PlatformEvent};

pub(super) fn platform(event: &PlatformEvent) -> String {
    match event {
        PlatformEvent::ActivationRequested(event) => {
            format!(
                "asked to activate the platform for {}: {}",
                event.trading_date, event.reason
            )
        }
        PlatformEvent::ActivationApproved(_) => "approved the activation".to_owned(),
        PlatformEvent::ActivationRejected(event) => {
            format!("rejected the activation: {}", event.reason)
        }
        PlatformEvent::LoadingStarted(_) => "began to load the day's positions".to_owned(),
        PlatformEvent::BookLoaded(event) => {
            format!(
                "the book of {} is loaded: {} contracts, {} clients, {} positions",
                event.trading_date, event.contracts, event.clients, event.positions
            )
        }
        PlatformEvent::PlatformActivated(event) => {
            let without_book = event.without_book.as_ref();
            format!(
                "activated the platform for {}, epoch {}: {}{}",
                event.trading_date,
                event.epoch,
                event.reason,
                without_book.map_or_else(String::new, |why| format!(
                    " (without the day's book: {why})"
                ))
            )
        }
        PlatformEvent::PlatformStoodDown(event) => {
            format!(
                "stood the platform down, epoch {}: {}",
                event.epoch, event.reason
            )
        }
        PlatformEvent::HandbackRequested(event) => {
            format!(
                "asked to hand the positions back, epoch {}: {}",
                event.epoch, event.reason
            )
        }
        PlatformEvent::HandbackRejected(event) => {
            format!("rejected the hand-back: {}", event.reason)
        }
        PlatformEvent::HandbackApproved(_) => {
            "approved the hand-back; nothing new begins".to_owned()
        }
        PlatformEvent::HandbackCompleted(event) => {
            let package = &event.package;
            format!(
                "handed back {} positions, {} orders and {} executions, net digest {}",
                package.positions, package.orders, package.executions, package.net_digest
            )
        }
        PlatformEvent::NewOrdersHalted(event) => {
            format!(
                "halted new orders {}: {}",
                within(event.scope),
                event.reason
            )
        }
        PlatformEvent::ResumeRequested(event) => {
            format!(
                "asked to resume orders {}: {}",
                within(event.scope),
                event.reason
            )
        }
        PlatformEvent::ResumeRejected(event) => {
            format!(
                "rejected resuming orders {}: {}",
                within(event.scope),
                event.reason
            )
        }
        PlatformEvent::NewOrdersResumed(event) => format!(
            "approved what {} had asked: orders {} go on",
            event.requested_by,
            within(event.scope)
        ),
        PlatformEvent::CancelAllRequested(event) => {
            format!(
                "asked to cancel every order {}: {}",
                within(event.scope),
                event.reason
            )
        }
        PlatformEvent::CancelAllOrdered(event) => format!(
            "approved what {} had asked: every order {} is cancelled",
            event.requested_by,
            within(event.scope)
        ),
        PlatformEvent::CancelAllRejected(event) => {
            format!("rejected cancelling every order: {}", event.reason)
        }
        PlatformEvent::DisconnectRequested(event) => {
            format!("asked to disconnect {}: {}", event.venue, event.reason)
        }
        PlatformEvent::DisconnectRejected(event) => {
            format!("rejected disconnecting {}: {}", event.venue, event.reason)
        }
        PlatformEvent::VenueDisconnected(event) => format!(
            "approved what {} had asked: every session to {} logs out",
            event.requested_by, event.venue
        ),
        PlatformEvent::VenueReconnected(event) => {
            format!("reconnected {}: {}", event.venue, event.reason)
        }
        PlatformEvent::MarketPhaseChanged(event) => format!(
            "{}/{} is {} on {} ({})",
            event.venue, event.segment, event.phase, event.trading_date, event.source
        ),
    }
}

/// Where a word about the kill switch is true.
fn within(scope: HaltScope) -> String {
    match scope {
        HaltScope::All => "everywhere".to_owned(),
        HaltScope::Venue(_) | HaltScope::Segment { .. } => format!("in {scope}"),
    }
}
