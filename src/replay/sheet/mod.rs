//! A stream's state as figures and lists: what `--state` shows, and what an event changed is the difference of two.
//!
//! 1. Figures come from the domain's own state and what it derives; nothing of the rules is written here.
//! 2. A sheet [`On`](Focus::On) an event holds what the event can touch, so that an event costs the same however long its stream is.

mod approval;
mod bulk;
mod change;
mod others;
mod platform;
mod position;

pub use change::{Change, changes, in_words};
pub use position::Standing;

use super::value::Value;
use squareoff_domain::Event;
use squareoff_domain::approval::{self as approvals, Approval};
use squareoff_domain::bulk::{self as bulks, Bulk};
use squareoff_domain::client::{self, ClientState};
use squareoff_domain::people::{self, Person};
use squareoff_domain::platform::{self as platforms, Platform};
use squareoff_domain::position::{self as positions, Position};
use squareoff_domain::reference::ContractList;
use squareoff_domain::refusals::{self, Refusals};
use squareoff_domain::sealing::{self, Sealed};
use squareoff_domain::session::{self, Session};
use squareoff_domain::suspense::{self, Suspense};

/// A named value.
pub type Figure = (&'static str, Value);

/// `bod average price` is `bod_average_price` to programs.
pub fn field(name: &str) -> String {
    name.replace([' ', '-'], "_").to_lowercase()
}

/// A line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What the line is about, for programs: an order's id, an execution's key.
    pub key: String,
    /// The same for people: `order 2`.
    pub label: String,
    pub cells: Vec<Figure>,
}

/// Lines of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// `orders`.
    pub name: &'static str,
    /// `order`.
    pub of: &'static str,
    pub rows: Vec<Row>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheet {
    pub figures: Vec<Figure>,
    pub lists: Vec<List>,
}

/// How much of a state is put on its sheet.
#[derive(Debug, Clone, Copy)]
pub enum Focus<'a> {
    All,
    /// What this event can change.
    On(&'a Event),
}

/// A stream's state, whatever the stream is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Approval(Approval),
    Bulk(Bulk),
    Client(ClientState),
    Contracts(ContractList),
    Person(Person),
    Platform(Platform),
    Position(Position),
    Refusals(Refusals),
    Sealed(Sealed),
    Session(Session),
    Suspense(Suspense),
}

impl State {
    /// What a stream that begins with such an event is before it.
    pub fn before(first: &Event) -> State {
        match first {
            Event::Approval(_) => State::Approval(Approval::default()),
            Event::Bulk(_) => State::Bulk(Bulk::default()),
            Event::Client(_) => State::Client(ClientState::default()),
            Event::Contract(_) => State::Contracts(ContractList::default()),
            Event::Person(_) => State::Person(Person::default()),
            Event::Platform(_) => State::Platform(Platform::default()),
            Event::Position(_) => State::Position(Position::default()),
            Event::Refusal(_) => State::Refusals(Refusals::default()),
            Event::Seal(_) => State::Sealed(Sealed::default()),
            Event::Session(_) => State::Session(Session::default()),
            Event::Suspense(_) => State::Suspense(Suspense::default()),
        }
    }

    /// The domain's own fold. An event of another kind than the stream's gives the state back as it was, in `Err`.
    #[allow(clippy::result_large_err)]
    pub fn evolve(self, event: &Event) -> Result<State, State> {
        Ok(match (self, event) {
            (State::Approval(state), Event::Approval(event)) => {
                State::Approval(approvals::evolve(state, event))
            }
            (State::Bulk(state), Event::Bulk(event)) => State::Bulk(bulks::evolve(state, event)),
            (State::Client(state), Event::Client(event)) => {
                State::Client(client::evolve(state, event))
            }
            (State::Contracts(state), Event::Contract(event)) => {
                State::Contracts(state.evolve(event))
            }
            (State::Person(state), Event::Person(event)) => {
                State::Person(people::evolve(state, event))
            }
            (State::Platform(state), Event::Platform(event)) => {
                State::Platform(platforms::evolve(state, event))
            }
            (State::Position(state), Event::Position(event)) => {
                State::Position(positions::evolve(state, event))
            }
            (State::Refusals(state), Event::Refusal(event)) => {
                State::Refusals(refusals::evolve(state, event))
            }
            (State::Sealed(state), Event::Seal(event)) => {
                State::Sealed(sealing::evolve(state, event))
            }
            (State::Session(state), Event::Session(event)) => {
                State::Session(session::evolve(state, event))
            }
            (State::Suspense(state), Event::Suspense(event)) => {
                State::Suspense(suspense::evolve(state, event))
            }
            (
                state,
                Event::Approval(_)
                | Event::Bulk(_)
                | Event::Client(_)
                | Event::Contract(_)
                | Event::Person(_)
                | Event::Platform(_)
                | Event::Position(_)
                | Event::Refusal(_)
                | Event::Seal(_)
                | Event::Session(_)
                | Event::Suspense(_),
            ) => return Err(state),
        })
    }

    /// What kind of a stream it is of.
    pub const fn kind(&self) -> &'static str {
        match self {
            State::Approval(_) => "approval",
            State::Bulk(_) => "bulk",
            State::Client(_) => "client",
            State::Contracts(_) => "contracts",
            State::Person(_) => "operator",
            State::Platform(_) => "platform",
            State::Position(_) => "position",
            State::Refusals(_) => "refusals",
            State::Sealed(_) => "audit-checkpoints",
            State::Session(_) => "session",
            State::Suspense(_) => "suspense",
        }
    }

    pub fn sheet(&self, focus: Focus) -> Sheet {
        match self {
            State::Approval(state) => approval::sheet(state),
            State::Bulk(state) => bulk::sheet(state, focus),
            State::Client(state) => others::client(state),
            State::Contracts(state) => others::contracts(state, focus),
            State::Person(state) => others::person(state),
            State::Platform(state) => platform::sheet(state),
            State::Position(state) => position::sheet(state),
            State::Refusals(state) => others::refusals(state, focus),
            State::Sealed(state) => others::sealed(state),
            State::Session(state) => others::session(state),
            State::Suspense(state) => others::suspense(state, focus),
        }
    }
}
