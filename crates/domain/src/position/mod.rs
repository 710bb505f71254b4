//! The position: one client's holding in one instrument and product on one trading day, and every order on it, ours and the primary's.
//!
//! "Never close more than is open" is decided here and kept by one version check of this stream. Invariants:
//! 1. no accepted request makes what may still fill exceed what is open; 2. our orders never add risk; 3. an order's cumulative
//!    quantity is the sum of its live executions; 4. net = BOD + live executions, in whatever order and number reports come; 5. a
//!    repeated report gives no event, a repeated request its first answer; 6. the order and number of reports change nothing;
//!    7. slices add up and obey lot and freeze; 8. prices obey tick, band and protection of the recorded reference version; 9. a
//!    ClOrdID is never used twice; 10. `evolve` is total and a refusal has no events; 11. outside of an active platform, an open
//!    market and a ready session nothing is placed or changed, and cancels, facts and what a person found out pass.
//!
//! It deliberately does not know the client's margin or the venue's message rate.

mod cancel;
mod decide;
mod event;
mod evolve;
mod order;
mod orders;
mod profit;
mod record;
mod refusal;
mod report;
#[cfg(test)]
pub(crate) mod sample;
mod state;
#[cfg(test)]
mod tests;

pub use cancel::MAX_CANCELS_PER_ORDER;
pub use decide::{Context, MAX_REPLACES_PER_ORDER, MAX_SLICES, Request, decide, price};
pub use event::*;
pub use evolve::{apply, evolve};
pub use order::{CancelState, Ended, Order, OrderStatus, Origin, Replace, ReplaceState};
pub use orders::Orders;
pub use profit::{Netting, Profit};
pub use record::{record, record_all};
pub use refusal::Refusal;
pub use report::{Execution, ExecutionReport, Report, UNKNOWN_ORDER};
pub use state::{Asked, Booked, Confirmation, Corrected, Position, Trade, TradeStatus};
