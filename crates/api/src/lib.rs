//! People: HTTP in, problem details out. A click becomes an event; the gateway reacts to it, never this crate.
//!
//! 1. Nothing is acknowledged before it is durable in the log. 2. A request with the key of an earlier one gets the earlier answer.
//! 3. Orders need the log alone: without the read database only queries fail. 4. Every answer that is not a success has a stable type.
//! 5. Who may do what is one table ([`rights`]), and one layer in front of every route asks it.
//!
//! Who asks is logged in (`auth`), or has a development token where sample log-ins are allowed. Without a certificate (`tls`) the API listens
//! on loopback only.

mod approvals;
pub mod auth;
pub mod bulk;
mod connection;
mod decide;
pub mod directory;
pub mod document;
pub mod extract;
mod follow;
mod gathered;
mod guard;
mod hand_back;
mod if_match;
mod limits;
pub mod live;
pub mod notify;
mod platform;
pub mod problem;
mod refusals;
pub mod rights;
mod routes;
pub mod server;
mod socket;
mod tls;
mod verified;

pub use auth::DevelopmentKey;
pub use directory::Directory;
pub use limits::{Bounds, Limits, Rate, Rates};
pub use refusals::RefusalLog;
pub use server::{App, ServeError, Settings, date_in_india, listen, router, routes, serve};
pub use tls::{Tls, TlsError, TlsFiles};
