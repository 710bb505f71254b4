//! Bulk square-offs: what the desk sees of them, and the worker that works them off (`squareoff bulk`, a process of its own).
//!
//! 1. All of it lives off the log alone; only the choice of a proposal's items needs the read database.
//! 2. An item is asked under an id made of the bulk and its position, so a restart or a second worker asks nothing twice.
//! 3. No item is begun that the bulk's own stream does not allow: not before the approval, not in a pause, not after an abort.
//! 4. What was asked is followed to its end and told, also after a pause or an abort.
//! 5. The worker sends at most 0.9 of the venue's message rate and has at most [`run::IN_FLIGHT_MAX`] positions on their way at a venue.
//!
//! The same worker carries out the kill switch's cancel-all (`cancel_all`), and finishes approved single orders that nobody else did (`approvals`).

mod approvals;
pub mod book;
mod cancel_all;
mod changes;
pub(crate) mod desk;
mod gate;
mod item;
mod pace;
pub(crate) mod plan;
mod refused;
mod run;
mod session_close;
mod summary;
mod told;
mod worker;

pub use book::Book;
pub(crate) use book::Bulks;
pub use session_close::SessionClose;
pub use summary::{Pace as MeasuredPace, Summary};
pub use worker::{WorkerError, run};
