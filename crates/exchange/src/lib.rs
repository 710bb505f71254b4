//! A simulated exchange, as a real program: FIX acceptor, price-time books, seeded liquidity, a ledger of its own.
//!
//! Used by the `squareoff-exchange` binary; checkers and tests use [`ledger::read`] and [`ledger::summary`] as the
//! oracle for "nothing lost, nothing sent twice". The way of an order: `session` (FIX in) -> `translate` -> `engine`
//! (one thread: `state` decides, `ledger` makes durable) -> `feed` -> `pump` (FIX out).
//!
//! 1. What a broker is told is in the ledger first.
//! 2. State is the fold of the ledger.
//! 3. It knows nothing of the program it tests: of ours it imports only `fix`.
//!
//! Market control has a way of its own: `control` (HTTP on loopback) or `socket` -> `command` -> `engine`, and `line` where a connection is
//! disturbed; so have the session `hours` and the orders `carried` in from before the outage. What the market sees goes
//! `engine` -> `market` -> `control`.
//!
//! Not here: market orders.

pub mod book;
pub mod carried;
pub mod command;
pub mod config;
pub mod contracts;
pub mod control;
pub mod engine;
pub mod fact;
pub mod fault;
pub mod feed;
pub mod hours;
pub mod ledger;
pub mod line;
pub mod liquidity;
pub mod market;
pub mod phase;
pub mod price;
pub mod pump;
pub mod request;
pub mod rules;
pub mod server;
pub mod session;
pub mod setting;
pub mod socket;
pub mod state;
pub mod translate;
