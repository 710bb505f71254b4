//! Somebody's events in words.

use crate::people::{PersonEvent, SecondFactor};

pub fn person(event: &PersonEvent) -> String {
    match event {
        PersonEvent::OperatorEnrolled(event) => {
            let of = event
                .client
                .as_ref()
                .map_or_else(String::new, |client| format!(" of {client}"));
            format!(
                "enrolled {} ({}) as {}{of}: {}",
                event.operator, event.name, event.role, event.reason
            )
        }
        PersonEvent::RoleChanged(event) => {
            format!("made {} {}: {}", event.operator, event.role, event.reason)
        }
        PersonEvent::OperatorDisabled(event) => {
            format!("disabled {}: {}", event.operator, event.reason)
        }
        PersonEvent::OperatorReinstated(event) => {
            format!("reinstated {}: {}", event.operator, event.reason)
        }
        PersonEvent::CredentialsReset(event) => format!(
            "threw password and second factor of {} away: {}",
            event.operator, event.reason
        ),
        PersonEvent::PasswordSet(event) => format!("{} set a password", event.operator),
        PersonEvent::SecondFactorEnrolled(event) => {
            format!("{} enrolled a source of one-time codes", event.operator)
        }
        PersonEvent::RecoveryCodesMade(event) => {
            format!("{} got {} recovery codes", event.operator, event.count)
        }
        PersonEvent::LoggedIn(event) => {
            let with = match event.second_factor {
                SecondFactor::Totp => "password and one-time code",
                SecondFactor::RecoveryCode => "password and recovery code",
                SecondFactor::SentCode => "a one-time code that was sent",
                SecondFactor::None => "password",
            };
            format!(
                "{} logged in as {} from {} with {with}",
                event.operator, event.role, event.address
            )
        }
        PersonEvent::LoggedOut(event) => format!("{} logged out", event.operator),
        PersonEvent::LogInRevoked(event) => {
            format!("{} ended a log-in of {}", event.by, event.operator)
        }
        PersonEvent::RefreshTokenReused(event) => format!(
            "a refresh token of {} came a second time, from {}: the log-in ended",
            event.operator, event.address
        ),
        PersonEvent::LogInLockedOut(event) => format!(
            "{} attempts to log in as {} failed in a row from {}: the next one waits {} s",
            event.failures, event.operator, event.address, event.wait_s
        ),
    }
}
