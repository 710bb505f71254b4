//! Which events fold into which state of the domain.

use crate::transact::Aggregate;
use squareoff_domain::approval::{self, Approval, ApprovalEvent};
use squareoff_domain::bulk::{self, Bulk, BulkEvent};
use squareoff_domain::client::{self, ClientEvent, ClientState};
use squareoff_domain::people::{self, Person, PersonEvent};
use squareoff_domain::platform::{self, Platform, PlatformEvent};
use squareoff_domain::position::{self, Position, PositionEvent};
use squareoff_domain::reference::{ContractEvent, ContractList};
use squareoff_domain::refusals::{self, RefusalEvent, Refusals};
use squareoff_domain::sealing::{self, SealEvent, Sealed};
use squareoff_domain::session::{self, Session, SessionEvent};
use squareoff_domain::suspense::{self, Suspense, SuspenseEvent};

impl Aggregate for Approval {
    type Event = ApprovalEvent;

    fn evolve(self, event: &ApprovalEvent) -> Self {
        approval::evolve(self, event)
    }
}

impl Aggregate for Bulk {
    type Event = BulkEvent;

    fn evolve(self, event: &BulkEvent) -> Self {
        bulk::evolve(self, event)
    }
}

impl Aggregate for Position {
    type Event = PositionEvent;

    fn evolve(self, event: &PositionEvent) -> Self {
        position::evolve(self, event)
    }
}

impl Aggregate for Person {
    type Event = PersonEvent;

    fn evolve(self, event: &PersonEvent) -> Self {
        people::evolve(self, event)
    }
}

impl Aggregate for Platform {
    type Event = PlatformEvent;

    fn evolve(self, event: &PlatformEvent) -> Self {
        platform::evolve(self, event)
    }
}

impl Aggregate for Refusals {
    type Event = RefusalEvent;

    fn evolve(self, event: &RefusalEvent) -> Self {
        refusals::evolve(self, event)
    }
}

impl Aggregate for Sealed {
    type Event = SealEvent;

    fn evolve(self, event: &SealEvent) -> Self {
        sealing::evolve(self, event)
    }
}

impl Aggregate for Session {
    type Event = SessionEvent;

    fn evolve(self, event: &SessionEvent) -> Self {
        session::evolve(self, event)
    }
}

impl Aggregate for Suspense {
    type Event = SuspenseEvent;

    fn evolve(self, event: &SuspenseEvent) -> Self {
        suspense::evolve(self, event)
    }
}

impl Aggregate for ClientState {
    type Event = ClientEvent;

    fn evolve(self, event: &ClientEvent) -> Self {
        client::evolve(self, event)
    }
}

impl Aggregate for ContractList {
    type Event = ContractEvent;

    fn evolve(self, event: &ContractEvent) -> Self {
        ContractList::evolve(self, event)
    }
}
