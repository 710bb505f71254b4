//! The platform's own stream: dormant until it is activated, each activation a new epoch, and the kill switch.
//!
//! Every new order passes [`Platform::gate`]; a cancel never asks it. `decide` answers people, `record` takes what the exchange says of
//! its market's phases. Rules:
//! 1. an activation, a hand-back, a resume, a cancel-all and a disconnect each need two people; a halt and a stand-down need one,
//!    because stopping must be quick; a reconnect needs one, because the halt that was there before the disconnect stays; `ActivateAlone` needs one and is for the machine's own command line, the event shows that nobody approved;
//! 2. nobody approves their own request;
//! 3. epochs strictly increase, so an id minted in an old one cannot collide with a new one;
//! 4. an activation needs the day's book in the log, or a reason why it must be without;
//! 5. a segment that nobody has told about on the activation's trading date counts as not open;
//! 6. a request repeated gives no events: its first answer stands. Ids are remembered from one activation to the next; an older
//!    one meets the log's own check, because event ids are made of request ids.
//!
//! "Reduce only" is no state and needs no event: no order of this platform ever adds risk. The venue's cut-off times (activation, hand-back)
//! are advice to people and deliberately not decided here.

mod decide;
mod event;
mod evolve;
mod refusal;
mod state;
#[cfg(test)]
mod tests;

pub use decide::{
    CANCEL_ALLS_PENDING_MAX, PlatformAsk, PlatformReport, PlatformRequest, decide, record,
};
pub use event::*;
pub use evolve::evolve;
pub use refusal::{Gate, PlatformRefusal};
pub use state::{Activation, Halt, Market, Phase, Platform, Wish};

pub const STREAM: &str = "platform";
