//! The position: one client's holding in one instrument and product on one trading day, and every order of ours on it.
//!
//! "Never close more than is open" is decided here and kept by one version check of this stream. Invariants (DESIGN's numbers):
//! 1. no accepted request makes what may still fill exceed what is open; 2. our orders never add risk; 3. an order's cumulative
//!    quantity is the sum of its executions; 4. net = BOD + executions, in whatever order and number reports come; 5. a repeated
//!    report gives no event, a repeated request its first answer; 10. `evolve` is total and a refusal has no events.
//!
//! It deliberately does not know the market's phase, the client's margin or the venue's message rate.

mod decide;
mod event;
mod evolve;
mod record;
mod refusal;
#[cfg(test)]
pub(crate) mod sample;
mod state;
#[cfg(test)]
mod tests;

pub use decide::{Context, MAX_CANCELS_PER_ORDER, MAX_SLICES, Request, decide};
pub use event::*;
pub use evolve::evolve;
pub use record::{Execution, ExecutionReport, Report, record, record_all};
pub use refusal::Refusal;
pub use state::{Booked, CancelState, Ended, Order, OrderStatus, Position};
