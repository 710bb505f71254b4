//! Domain events to stored bytes and back: the one table of event types, their schema versions, and the way from older ones.
//!
//! 1. The type is the variant's name, the body the payload alone; both are a contract for ever.
//! 2. What an older release wrote is raised to today's schema, version by version (`UPCASTS`), before it is read.
//! 3. What a newer release wrote, or a type unknown here, is an error that names position and type: never skipped, never guessed.

use crate::{Position, StoredEvent};
use squareoff_domain::Event;
use squareoff_domain::approval::ApprovalEvent;
use squareoff_domain::bulk::BulkEvent;
use squareoff_domain::client::ClientEvent;
use squareoff_domain::people::PersonEvent;
use squareoff_domain::platform::PlatformEvent;
use squareoff_domain::position::PositionEvent;
use squareoff_domain::reference::ContractEvent;
use squareoff_domain::refusals::RefusalEvent;
use squareoff_domain::sealing::SealEvent;
use squareoff_domain::session::SessionEvent;
use squareoff_domain::suspense::SuspenseEvent;
use std::borrow::Cow;
use thiserror::Error;

/// What the log stores of a domain event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    pub event_type: &'static str,
    pub schema_version: u16,
    /// JSON of the payload struct.
    pub body: Vec<u8>,
}

/// A stored event that this release can't read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    #[error(
        "the log holds {event_type} at position {position}, which this release does not know here"
    )]
    UnknownType {
        position: Position,
        event_type: String,
    },
    #[error(
        "the log holds {event_type} v{found} at position {position}; this release knows v{known}"
    )]
    NewerVersion {
        position: Position,
        event_type: String,
        found: u16,
        known: u16,
    },
    #[error("the log holds {event_type} v{found} at position {position}, which no upcast reads")]
    NoUpcast {
        position: Position,
        event_type: String,
        found: u16,
    },
    #[error("the {event_type} at position {position} has a body that is none: {reason}")]
    Body {
        position: Position,
        event_type: String,
        reason: String,
    },
}

/// A kind of event that the log can hold: each aggregate's enum, and [`Event`] for all of them.
pub trait LogEvent: Sized {
    fn encode(&self) -> Encoded;

    /// # Errors
    /// [`DecodeError`], also when the event is one of another aggregate.
    fn decode(stored: &StoredEvent) -> Result<Self, DecodeError>;
}

/// Stored bytes of any domain event.
pub fn encode(event: &Event) -> Encoded {
    event.encode()
}

/// The domain event that was stored.
///
/// # Errors
/// [`DecodeError`]: stop there, an event is never skipped.
pub fn decode(stored: &StoredEvent) -> Result<Event, DecodeError> {
    Event::decode(stored)
}

/// Whether this release knows the event's type and version: for readers that pass over events they need nothing of.
///
/// # Errors
/// [`DecodeError`]: stop there too, because what such an event changes is unknown.
pub fn check(stored: &StoredEvent) -> Result<(), DecodeError> {
    match known_version(&stored.event_type) {
        None => Err(unknown(stored)),
        Some(known) if stored.schema_version > known => Err(newer(stored, known)),
        Some(_) => Ok(()),
    }
}

macro_rules! log_events {
    ($($aggregate:ident: $events:ident { $($event:ident $version:literal,)+ })+) => {
        /// Every event type with the schema version that is written today.
        pub const EVENT_TYPES: &[(&str, u16)] = &[$($((stringify!($event), $version),)+)+];

        fn known_version(event_type: &str) -> Option<u16> {
            match event_type {
                $($(stringify!($event) => Some($version),)+)+
                _ => None,
            }
        }

        $(impl LogEvent for $events {
            fn encode(&self) -> Encoded {
                match self {
                    $($events::$event(payload) => written(stringify!($event), $version, payload),)+
                }
            }

            fn decode(stored: &StoredEvent) -> Result<Self, DecodeError> {
                match &*stored.event_type {
                    $(stringify!($event) => read(stored, $version).map($events::$event),)+
                    _ => Err(unknown(stored)),
                }
            }
        })+

        impl LogEvent for Event {
            fn encode(&self) -> Encoded {
                match self {
                    $(Event::$aggregate(event) => event.encode(),)+
                }
            }

            fn decode(stored: &StoredEvent) -> Result<Self, DecodeError> {
                match &*stored.event_type {
                    $($(stringify!($event) => {
                        read(stored, $version).map($events::$event).map(Event::$aggregate)
                    })+)+
                    _ => Err(unknown(stored)),
                }
            }
        }
    };
}

log_events! {
    Approval: ApprovalEvent {
        ApprovalAsked 1,
        ApprovalGiven 1,
        ApprovalRefused 1,
        ApprovalWithdrawn 1,
        ApprovalLapsed 1,
        ApprovalConcluded 1,
    }
    Bulk: BulkEvent {
        BulkProposed 1,
        BulkItemsListed 1,
        BulkApproved 1,
        BulkRejected 1,
        BulkPaused 1,
        BulkResumed 1,
        BulkAborted 1,
        BulkPhaseEntered 1,
        BulkCancelsDone 1,
        BulkItemsSettled 1,
        BulkCompleted 1,
    }
    Client: ClientEvent {
        ClientRegistered 1,
        ClientIdentityRecorded 1,
        ClientKeyRotated 1,
        ClientIdentityRevealed 1,
        ClientErased 1,
        CallerVerified 1,
        CallerVerificationFailed 1,
    }
    Contract: ContractEvent {
        ContractListed 1,
    }
    Platform: PlatformEvent {
        ActivationRequested 1,
        ActivationApproved 1,
        ActivationRejected 1,
        LoadingStarted 1,
        BookLoaded 1,
        PlatformActivated 2,
        PlatformStoodDown 1,
        HandbackRequested 1,
        HandbackRejected 1,
        HandbackApproved 1,
        HandbackCompleted 1,
        NewOrdersHalted 1,
        ResumeRequested 1,
        ResumeRejected 1,
        NewOrdersResumed 1,
        CancelAllRequested 1,
        CancelAllOrdered 1,
        CancelAllRejected 1,
        DisconnectRequested 1,
        DisconnectRejected 1,
        VenueDisconnected 1,
        VenueReconnected 1,
        MarketPhaseChanged 1,
    }
    Position: PositionEvent {
        BodLoaded 1,
        BodContradicted 1,
        PrimaryTradeApplied 1,
        ExternalOrderObserved 1,
        ExternalOrderUpdated 1,
        SquareOffAccepted 1,
        OrderPlaced 1,
        OrderDispatched 1,
        OrderAcknowledged 1,
        OrderFrozen 1,
        OrderRejected 1,
        Executed 1,
        ExecutionConflicted 1,
        ExecutionBusted 1,
        ExecutionCorrected 1,
        TradeConfirmed 1,
        OverfillDetected 1,
        CancelRequested 1,
        CancelQueued 1,
        CancelRejected 1,
        CancelNotDelivered 1,
        ReplaceRequested 1,
        OrderReplaced 1,
        ReplaceRejected 1,
        ReplaceNotDelivered 1,
        OrderCanceled 1,
        OrderExpired 1,
        OrderNotDelivered 1,
        OrderInDoubt 1,
        InDoubtResolved 1,
        ExposureBreached 1,
        PositionFrozen 1,
        PositionUnfrozen 1,
        PositionHandedBack 1,
        ReportContradicted 1,
        UnknownOrderReported 1,
    }
    Person: PersonEvent {
        OperatorEnrolled 1,
        RoleChanged 1,
        OperatorDisabled 1,
        OperatorReinstated 1,
        CredentialsReset 1,
        PasswordSet 1,
        SecondFactorEnrolled 1,
        RecoveryCodesMade 1,
        LoggedIn 1,
        LoggedOut 1,
        LogInRevoked 1,
        RefreshTokenReused 1,
        LogInLockedOut 1,
    }
    Refusal: RefusalEvent {
        RequestRefused 1,
    }
    Seal: SealEvent {
        CheckpointSealed 1,
    }
    Session: SessionEvent {
        SessionClaimed 1,
        SessionReady 1,
        SessionKept 1,
        SessionDown 1,
    }
    Suspense: SuspenseEvent {
        ReportSuspended 1,
        SuspenseMatchBegun 1,
        SuspenseMatched 1,
        SuspenseDismissed 1,
        SuspenseContradicted 1,
    }
}

/// From one schema version of a type to the next: type, the version it reads, and how. A version that was ever written keeps its
/// line for ever.
const UPCASTS: &[Upcast] = &[("PlatformActivated", 1, platform_activated_1)];

type Upcast = (&'static str, u16, fn(&[u8]) -> serde_json::Result<Vec<u8>>);

/// Every event type with each older schema version that was ever written and is read still.
pub fn older_versions() -> impl Iterator<Item = (&'static str, u16)> {
    UPCASTS.iter().map(|(name, from, _)| (*name, *from))
}

/// Version 1 did not say who asked, who approved and who activated, nor for which request.
fn platform_activated_1(body: &[u8]) -> serde_json::Result<Vec<u8>> {
    let mut fields: serde_json::Map<_, _> = serde_json::from_slice(body)?;
    for added in ["requested_by", "approved_by", "activated_by", "request_id"] {
        fields.insert(added.to_owned(), serde_json::Value::Null);
    }
    serde_json::to_vec(&fields)
}

fn written(
    event_type: &'static str,
    schema_version: u16,
    payload: &impl serde::Serialize,
) -> Encoded {
    let body = serde_json::to_vec(payload).expect("payloads have no maps with keys but strings");
    Encoded {
        event_type,
        schema_version,
        body,
    }
}

fn read<T: serde::de::DeserializeOwned>(
    stored: &StoredEvent,
    known: u16,
) -> Result<T, DecodeError> {
    let body = upcast(UPCASTS, stored, known)?;
    serde_json::from_slice(&body).map_err(|error| no_body(stored, &error))
}

/// The body in the schema version `known`.
fn upcast<'a>(
    upcasts: &[Upcast],
    stored: &'a StoredEvent,
    known: u16,
) -> Result<Cow<'a, [u8]>, DecodeError> {
    let (position, event_type) = (stored.position, || stored.event_type.to_string());
    let found = stored.schema_version;
    if found > known {
        return Err(newer(stored, known));
    }
    let mut body = Cow::Borrowed(stored.body.as_slice());
    for version in found..known {
        let step = upcasts
            .iter()
            .find(|(name, from, _)| (*name, *from) == (&*stored.event_type, version));
        let Some((_, _, raise)) = step else {
            let event_type = event_type();
            return Err(DecodeError::NoUpcast {
                position,
                event_type,
                found,
            });
        };
        body = Cow::Owned(raise(&body).map_err(|error| no_body(stored, &error))?);
    }
    Ok(body)
}

fn no_body(stored: &StoredEvent, error: &serde_json::Error) -> DecodeError {
    DecodeError::Body {
        position: stored.position,
        event_type: stored.event_type.to_string(),
        reason: error.to_string(),
    }
}

fn newer(stored: &StoredEvent, known: u16) -> DecodeError {
    DecodeError::NewerVersion {
        position: stored.position,
        event_type: stored.event_type.to_string(),
        found: stored.schema_version,
        known,
    }
}

fn unknown(stored: &StoredEvent) -> DecodeError {
    DecodeError::UnknownType {
        position: stored.position,
        event_type: stored.event_type.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squareoff_domain::Timestamp;
    use squareoff_domain::platform::{PlatformActivated, PlatformStoodDown};
    use uuid::Uuid;

    fn stored(event_type: &str, schema_version: u16, body: &[u8]) -> StoredEvent {
        StoredEvent {
            position: Position::from_u64(7),
            stream: "platform".into(),
            version: 1,
            recorded_at: Timestamp(0),
            id: Uuid::nil(),
            event_type: event_type.into(),
            schema_version,
            occurred_at: Timestamp(0),
            actor: "desk".into(),
            request_id: Uuid::nil(),
            correlation_id: Uuid::nil(),
            trace_id: None,
            epoch: 1,
            previous: crate::NO_PREVIOUS,
            body: body.into(),
        }
    }

    #[test]
    fn an_event_is_read_back_as_it_was_written() {
        let reason = String::from("primary back — ठीक है");
        let event = PlatformEvent::PlatformStoodDown(PlatformStoodDown {
            epoch: 3,
            reason,
            by: Some("asha".into()),
            request_id: None,
        });
        let encoded = event.encode();
        assert_eq!(
            (encoded.event_type, encoded.schema_version),
            ("PlatformStoodDown", 1)
        );
        let stored = stored(encoded.event_type, encoded.schema_version, &encoded.body);
        assert_eq!(decode(&stored), Ok(Event::Platform(event.clone())));
        assert_eq!(PlatformEvent::decode(&stored), Ok(event.clone()));
        assert_eq!(encode(&Event::Platform(event)), encoded);
        // Another aggregate's event in a stream is an error, not nothing.
        let error = SessionEvent::decode(&stored).unwrap_err();
        assert!(matches!(error, DecodeError::UnknownType { .. }), "{error}");
    }

    #[test]
    fn every_type_is_listed_once() {
        let mut names: Vec<_> = EVENT_TYPES.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), EVENT_TYPES.len());
    }

    #[test]
    fn what_this_release_cannot_read_is_named() {
        for (event_type, version, body, message) in [
            (
                "PlatformStoodDown",
                3,
                "{}",
                "the log holds PlatformStoodDown v3 at position 7; this release knows v1",
            ),
            (
                "PlatformStoodDown",
                0,
                "{}",
                "the log holds PlatformStoodDown v0 at position 7, which no upcast reads",
            ),
            (
                "Teleported",
                1,
                "{}",
                "the log holds Teleported at position 7, which this release does not know here",
            ),
        ] {
            let stored = stored(event_type, version, body.as_bytes());
            assert_eq!(decode(&stored).unwrap_err().to_string(), message);
            // An older version that nothing reads is for whoever decodes it.
            let checked = check(&stored).map_err(|error| error.to_string());
            let expected = if version == 0 {
                Ok(())
            } else {
                Err(message.to_owned())
            };
            assert_eq!(checked, expected);
        }
        for body in [
            "",
            "{",
            "[]",
            "{\"epoch\":1}",
            "{\"epoch\":-1,\"reason\":\"\"}",
            "\u{0}",
        ] {
            let error = decode(&stored("PlatformStoodDown", 1, body.as_bytes())).unwrap_err();
            assert!(matches!(error, DecodeError::Body { .. }), "{body}: {error}");
        }
    }

    #[test]
    fn an_activation_that_an_older_release_wrote_is_read() {
        let body = r#"{"epoch":4,"trading_date":"2026-11-20","reason":"primary down"}"#;
        let read = decode(&stored("PlatformActivated", 1, body.as_bytes())).unwrap();
        let activated = PlatformActivated {
            epoch: 4,
            trading_date: "2026-11-20".parse().unwrap(),
            reason: "primary down".into(),
            requested_by: None,
            approved_by: None,
            activated_by: None,
            request_id: None,
            without_book: None,
        };
        let event = Event::Platform(PlatformEvent::PlatformActivated(activated));
        assert_eq!(read, event);
        assert_eq!(encode(&event).schema_version, 2);
        for broken in ["", "[]", "7", r#"{"epoch":4}"#] {
            let error = decode(&stored("PlatformActivated", 1, broken.as_bytes())).unwrap_err();
            assert!(
                matches!(error, DecodeError::Body { .. }),
                "{broken}: {error}"
            );
        }
    }

    #[test]
    fn what_was_written_before_a_field_was_added_is_read() {
        let stood_down = br#"{"epoch":4,"reason":"primary back"}"#;
        decode(&stored("PlatformStoodDown", 1, stood_down)).unwrap();
        let suspended =
            br#"{"venue":"NSE","report_key":"E1","reason":"unknown","message":"35=8|"}"#;
        decode(&stored("ReportSuspended", 1, suspended)).unwrap();
    }

    #[test]
    fn an_old_body_is_raised_version_by_version() {
        let upcasts: &[Upcast] = &[
            ("Grown", 1, |body| Ok([body, b" two"].concat())),
            ("Grown", 2, |body| Ok([body, b" three"].concat())),
            ("Other", 1, |_| Ok(vec![])),
        ];
        let raise =
            |from, to| upcast(upcasts, &stored("Grown", from, b"one"), to).map(Cow::into_owned);
        assert_eq!(raise(1, 3).unwrap(), b"one two three");
        assert_eq!(raise(2, 3).unwrap(), b"one three");
        assert_eq!(raise(3, 3).unwrap(), b"one");
        assert!(matches!(
            raise(1, 4),
            Err(DecodeError::NoUpcast { found: 1, .. })
        ));
        assert!(matches!(
            raise(5, 4),
            Err(DecodeError::NewerVersion {
                found: 5,
                known: 4,
                ..
            })
        ));
    }
}
