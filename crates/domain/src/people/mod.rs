//! Who may come in, and as what. Never a secret: passwords, seeds and tokens are kept outside of the log.
//!
//! 1. Nobody changes their own rights, so whoever administers is always left to administer.
//! 2. A log-in is recorded only for somebody who is enrolled, not disabled, and in the role that they were let in as.
//! 3. What an administrator does has a reason.
//! 4. What an administrator asks again under the same id gives no events; its first answer stands.

mod event;
mod refusal;
mod role;
#[cfg(test)]
mod tests;

pub use event::{
    CredentialsReset, LogInKind, LogInLockedOut, LogInRevoked, LoggedIn, LoggedOut,
    OperatorDisabled, OperatorEnrolled, OperatorReinstated, PasswordSet, PersonEvent,
    RecoveryCodesMade, RefreshTokenReused, RoleChanged, SecondFactor, SecondFactorEnrolled,
};
pub use refusal::PersonRefusal;
pub use role::Role;

use crate::client::holds_pan;
use crate::id::{ClientCode, LogInId, OperatorId, RequestId};
use std::collections::BTreeMap;

/// `operator-<id>`.
pub fn operator_stream(operator: &OperatorId) -> String {
    format!("operator-{operator}")
}

/// What an investor's id begins with; behind it stands the client code in small letters. Nobody else's begins so.
const INVESTOR_PREFIX: &str = "investor-";

/// Whether the name is one that an investor would have, enrolled or not.
pub fn is_investor_id(operator: &str) -> bool {
    operator.starts_with(INVESTOR_PREFIX)
}

/// The id that the investor of this client has.
pub fn investor_id(client: &ClientCode) -> OperatorId {
    let id = format!("{INVESTOR_PREFIX}{}", client.as_str().to_ascii_lowercase());
    OperatorId::try_from(id).expect("a client code has capital letters and digits alone")
}

/// Somebody as they were enrolled, in the role they have now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    pub name: String,
    pub role: Role,
    pub client: Option<ClientCode>,
}

/// What is known of one person or program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    pub enrolled: Option<Enrolled>,
    pub disabled: bool,
    /// The request that gave out a first secret last: what those before it gave out counts no longer.
    pub secret_of: Option<RequestId>,
    /// What administrators asked, to know a repetition.
    pub requests: BTreeMap<RequestId, PersonRequest>,
}

impl Person {
    /// As what they may come in; `None` when they may not.
    pub fn admitted(&self) -> Option<&Enrolled> {
        self.enrolled.as_ref().filter(|_| !self.disabled)
    }

    /// Whether what administrators decide on is the same. Log-ins come all the time.
    pub fn is_as(&self, other: &Person) -> bool {
        let decided = |person: &Person| {
            let Person {
                enrolled,
                disabled,
                secret_of,
                requests: _,
            } = person;
            (enrolled.clone(), *disabled, *secret_of)
        };
        decided(self) == decided(other)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRequest {
    pub request_id: RequestId,
    /// The actor of the event's envelope.
    pub by: String,
    pub operator: OperatorId,
    pub ask: PersonAsk,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonAsk {
    Enrol {
        name: String,
        role: Role,
        client: Option<ClientCode>,
        reason: String,
    },
    ChangeRole {
        role: Role,
        reason: String,
    },
    Disable {
        reason: String,
    },
    Reinstate {
        reason: String,
    },
    /// Throw password and second factor away, so that they set new ones.
    Reset {
        reason: String,
    },
    /// Their secrets were right.
    LogIn {
        log_in: LogInId,
        kind: LogInKind,
        /// As what the log-in was prepared.
        role: Role,
        second_factor: SecondFactor,
        address: String,
    },
}

/// What the keeper of the secrets tells, which is so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonReport {
    PasswordSet,
    SecondFactorEnrolled,
    RecoveryCodesMade {
        count: u32,
    },
    LoggedOut {
        log_in: LogInId,
    },
    LogInRevoked {
        log_in: LogInId,
        by: String,
    },
    RefreshTokenReused {
        log_in: LogInId,
        address: String,
    },
    LockedOut {
        address: String,
        failures: u32,
        wait_s: u32,
    },
}

/// # Errors
/// [`PersonRefusal`], in its order of precedence. A request repeated gives no events: its first answer stands.
pub fn decide(person: &Person, request: PersonRequest) -> Result<Vec<PersonEvent>, PersonRefusal> {
    if let Some(first) = person.requests.get(&request.request_id) {
        return if *first == request {
            Ok(vec![])
        } else {
            Err(PersonRefusal::RequestIdReused)
        };
    }
    let PersonRequest {
        request_id,
        by,
        operator,
        ask,
    } = request;
    check_texts(&ask)?;
    if is_about_rights(&ask) && by == operator.as_str() {
        return Err(PersonRefusal::OwnRights);
    }
    let enrolled = match (&ask, &person.enrolled) {
        (PersonAsk::Enrol { .. }, Some(_)) => {
            return Err(PersonRefusal::AlreadyEnrolled { operator });
        }
        (PersonAsk::Enrol { .. }, None) => None,
        (_, None) => return Err(PersonRefusal::UnknownOperator { operator }),
        (_, Some(enrolled)) => Some(enrolled),
    };
    let event = match ask {
        PersonAsk::Enrol {
            name,
            role,
            client,
            reason,
        } => {
            let fits = match &client {
                Some(client) => role == Role::Investor && operator == investor_id(client),
                None => role != Role::Investor && !is_investor_id(operator.as_str()),
            };
            if !fits {
                return Err(PersonRefusal::ClientMismatch);
            }
            PersonEvent::OperatorEnrolled(OperatorEnrolled {
                operator,
                name,
                role,
                client,
                by,
                reason,
                request_id,
            })
        }
        PersonAsk::ChangeRole { role, reason } => {
            // Whose positions somebody sees is said at enrolment alone.
            if role == Role::Investor || enrolled.is_some_and(|known| known.client.is_some()) {
                return Err(PersonRefusal::ClientMismatch);
            }
            if enrolled.is_some_and(|known| known.role == role) {
                return Err(PersonRefusal::SameRole { operator, role });
            }
            PersonEvent::RoleChanged(RoleChanged {
                operator,
                role,
                by,
                reason,
                request_id,
            })
        }
        PersonAsk::Disable { reason } => {
            if person.disabled {
                return Err(PersonRefusal::Disabled { operator });
            }
            PersonEvent::OperatorDisabled(OperatorDisabled {
                operator,
                by,
                reason,
                request_id,
            })
        }
        PersonAsk::Reinstate { reason } => {
            if !person.disabled {
                return Err(PersonRefusal::NotDisabled { operator });
            }
            PersonEvent::OperatorReinstated(OperatorReinstated {
                operator,
                by,
                reason,
                request_id,
            })
        }
        PersonAsk::Reset { reason } => {
            if person.disabled {
                return Err(PersonRefusal::Disabled { operator });
            }
            PersonEvent::CredentialsReset(CredentialsReset {
                operator,
                by,
                reason,
                request_id,
            })
        }
        PersonAsk::LogIn {
            log_in,
            kind,
            role,
            second_factor,
            address,
        } => {
            // Somebody whose role changed meanwhile has to come again.
            if person.disabled || enrolled.is_some_and(|known| known.role != role) {
                return Err(PersonRefusal::Disabled { operator });
            }
            PersonEvent::LoggedIn(LoggedIn {
                operator,
                log_in,
                kind,
                role,
                second_factor,
                address,
                request_id,
            })
        }
    };
    Ok(vec![event])
}

fn check_texts(ask: &PersonAsk) -> Result<(), PersonRefusal> {
    let (name, reason) = match ask {
        PersonAsk::Enrol { name, reason, .. } => (Some(name), reason),
        PersonAsk::ChangeRole { reason, .. }
        | PersonAsk::Disable { reason }
        | PersonAsk::Reinstate { reason }
        | PersonAsk::Reset { reason } => (None, reason),
        PersonAsk::LogIn { .. } => return Ok(()),
    };
    if reason.trim().is_empty() {
        return Err(PersonRefusal::ReasonMissing);
    }
    if holds_pan(reason) || name.is_some_and(|name| holds_pan(name)) {
        return Err(PersonRefusal::HoldsPan);
    }
    let is_name = |name: &String| {
        (1..=120).contains(&name.trim().chars().count()) && !name.contains(char::is_control)
    };
    if name.is_some_and(|name| !is_name(name)) {
        return Err(PersonRefusal::NotAName);
    }
    Ok(())
}

const fn is_about_rights(ask: &PersonAsk) -> bool {
    match ask {
        PersonAsk::Enrol { .. }
        | PersonAsk::ChangeRole { .. }
        | PersonAsk::Disable { .. }
        | PersonAsk::Reinstate { .. }
        | PersonAsk::Reset { .. } => true,
        PersonAsk::LogIn { .. } => false,
    }
}

/// What is told of somebody who is not enrolled says nothing.
pub fn record(
    person: &Person,
    operator: OperatorId,
    request_id: RequestId,
    report: PersonReport,
) -> Vec<PersonEvent> {
    if person.enrolled.is_none() {
        return vec![];
    }
    vec![match report {
        PersonReport::PasswordSet => PersonEvent::PasswordSet(PasswordSet {
            operator,
            request_id,
        }),
        PersonReport::SecondFactorEnrolled => {
            PersonEvent::SecondFactorEnrolled(SecondFactorEnrolled {
                operator,
                request_id,
            })
        }
        PersonReport::RecoveryCodesMade { count } => {
            PersonEvent::RecoveryCodesMade(RecoveryCodesMade {
                operator,
                count,
                request_id,
            })
        }
        PersonReport::LoggedOut { log_in } => PersonEvent::LoggedOut(LoggedOut {
            operator,
            log_in,
            request_id,
        }),
        PersonReport::LogInRevoked { log_in, by } => PersonEvent::LogInRevoked(LogInRevoked {
            operator,
            log_in,
            by,
            request_id,
        }),
        PersonReport::RefreshTokenReused { log_in, address } => {
            PersonEvent::RefreshTokenReused(RefreshTokenReused {
                operator,
                log_in,
                address,
                request_id,
            })
        }
        PersonReport::LockedOut {
            address,
            failures,
            wait_s,
        } => PersonEvent::LogInLockedOut(LogInLockedOut {
            operator,
            address,
            failures,
            wait_s,
            request_id,
        }),
    }]
}

/// Total: a history that no decision could have made folds to something too.
#[must_use]
pub fn evolve(mut person: Person, event: &PersonEvent) -> Person {
    if let Some(request) = asked(event) {
        person.requests.insert(request.request_id, request);
    }
    match event {
        PersonEvent::OperatorEnrolled(event) => {
            person.enrolled = Some(Enrolled {
                name: event.name.clone(),
                role: event.role,
                client: event.client.clone(),
            });
            person.secret_of = Some(event.request_id);
        }
        PersonEvent::RoleChanged(event) => {
            if let Some(enrolled) = &mut person.enrolled {
                enrolled.role = event.role;
            }
        }
        PersonEvent::OperatorDisabled(_) => person.disabled = true,
        PersonEvent::OperatorReinstated(_) => person.disabled = false,
        PersonEvent::CredentialsReset(event) => person.secret_of = Some(event.request_id),
        PersonEvent::PasswordSet(_)
        | PersonEvent::SecondFactorEnrolled(_)
        | PersonEvent::RecoveryCodesMade(_)
        | PersonEvent::LoggedIn(_)
        | PersonEvent::LoggedOut(_)
        | PersonEvent::LogInRevoked(_)
        | PersonEvent::RefreshTokenReused(_)
        | PersonEvent::LogInLockedOut(_) => {}
    }
    person
}

/// What an administrator asked, of the event that came of it. A log-in is never asked again.
fn asked(event: &PersonEvent) -> Option<PersonRequest> {
    let (request_id, by, operator, ask) = match event {
        PersonEvent::OperatorEnrolled(event) => {
            let ask = PersonAsk::Enrol {
                name: event.name.clone(),
                role: event.role,
                client: event.client.clone(),
                reason: event.reason.clone(),
            };
            (event.request_id, &event.by, &event.operator, ask)
        }
        PersonEvent::RoleChanged(event) => {
            let (role, reason) = (event.role, event.reason.clone());
            let ask = PersonAsk::ChangeRole { role, reason };
            (event.request_id, &event.by, &event.operator, ask)
        }
        PersonEvent::OperatorDisabled(event) => {
            let reason = event.reason.clone();
            let ask = PersonAsk::Disable { reason };
            (event.request_id, &event.by, &event.operator, ask)
        }
        PersonEvent::OperatorReinstated(event) => {
            let reason = event.reason.clone();
            let ask = PersonAsk::Reinstate { reason };
            (event.request_id, &event.by, &event.operator, ask)
        }
        PersonEvent::CredentialsReset(event) => {
            let reason = event.reason.clone();
            let ask = PersonAsk::Reset { reason };
            (event.request_id, &event.by, &event.operator, ask)
        }
        PersonEvent::PasswordSet(_)
        | PersonEvent::SecondFactorEnrolled(_)
        | PersonEvent::RecoveryCodesMade(_)
        | PersonEvent::LoggedIn(_)
        | PersonEvent::LoggedOut(_)
        | PersonEvent::LogInRevoked(_)
        | PersonEvent::RefreshTokenReused(_)
        | PersonEvent::LogInLockedOut(_) => return None,
    };
    Some(PersonRequest {
        request_id,
        by: by.clone(),
        operator: operator.clone(),
        ask,
    })
}
