//! Letting people in: who they are is proved here, what they may do is decided elsewhere.
//!
//! People are streams of the event log (`domain/src/people/`); what proves them is in a file of its own ([`Secrets`]), never in the log.
//!
//! 1. Nobody learns whether an account exists: an unknown one answers the same, and costs the same time, as a wrong password.
//! 2. Nobody keeps somebody else out: what is locked is an account from one address, and never for longer than a quarter of an hour.
//! 3. Hashing is bounded, in memory and in waiting; a full queue says so before anything was counted.
//! 4. Every code, refresh token and recovery code counts once. A refresh token that comes twice ends its log-in.
//! 5. Each request looks its log-in up: one that ended is refused from the next request on, by every process of the machine.
//! 6. A log-in that is not in the event log is none.
//!
//! Times come in as arguments. Where several machines serve, each has a secrets file of its own.

mod access;
mod checked;
mod enrolment;
mod error;
mod jwt;
mod log_in;
pub mod password;
mod people;
mod secrets;
mod sent_code;
mod token;
mod totp;

pub use access::{Access, By, Visit, end_of_day_in_india};
pub use error::AccessError;
pub use jwt::{Claims, Jwk, LIFETIME as ACCESS_TOKEN_LIFETIME};
pub use log_in::{Carried, Credentials, Factor, Granted};
pub use people::{FirstSecret, HandOver, NewPerson, Somebody};
pub use secrets::{CODE_LIFETIME as SENT_CODE_LIFETIME, KeySource, LogIn, Secrets, SecretsError};
pub use sent_code::Challenge;
pub use token::{beside_cookie, is_beside_cookie};
pub use totp::{Enrolment, code as totp_code};
