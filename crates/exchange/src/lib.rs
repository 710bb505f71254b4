//! A simulated exchange, as a real program.
pub mod book;
pub mod contracts;
pub mod engine;
pub mod fact;
pub mod feed;
pub mod ledger;
pub mod liquidity;
pub mod price;
pub mod request;
pub mod rules;
pub mod state;
pub mod translate;
