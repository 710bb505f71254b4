//! Two sessions with real journals over a link that breaks anywhere, between processes that die anywhere.
//!
//! Each side has numbered messages to send and takes them from its journal's last position on, as the
//! gateway does. What must hold, whatever happens:
//! 1. after the link heals every message is recorded exactly once and in order by an application that
//!    drops what it has already recorded, except those its sender chose to fill over;
//! 2. what its sender chose to fill over and was not recorded by then is never recorded: only so may the
//!    sender call it not delivered;
//! 3. a message delivered a second time says so (PossDup);
//! 4. one sequence number never carries two different messages.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use squareoff_fix::journal::Journal;
use squareoff_fix::session::{Numbers, Replay};
use squareoff_fix::{Decoder, Frame, Output, Resend, Role, Session, Timestamp};
use tempfile::TempDir;

use crate::support::{config, message, name};

const SECOND: i64 = 1_000_000_000;

struct Side {
    role: Role,
    folder: TempDir,
    journal: Journal,
    session: Session,
    decoder: Decoder,
    connected: bool,
    /// Bytes on their way to the other side.
    wire: VecDeque<u8>,
    /// How many messages the application wants to have sent.
    wanted: u64,
    /// What the application has recorded, durable over restarts.
    recorded: Vec<String>,
    seen: BTreeMap<u64, String>,
    filled: BTreeSet<String>,
    fail_next_record: bool,
    /// Delivered and not recorded yet; lost with the connection.
    pending: Vec<(u64, String)>,
    slow: bool,
    fill_next: bool,
}

impl Side {
    fn new(role: Role) -> Side {
        let folder = quick_folder();
        Side {
            role,
            journal: open(role, &folder),
            folder,
            session: Session::new(config(role)),
            decoder: Decoder::default(),
            connected: false,
            wire: VecDeque::new(),
            wanted: 0,
            recorded: Vec::new(),
            seen: BTreeMap::new(),
            filled: BTreeSet::new(),
            fail_next_record: false,
            pending: Vec::new(),
            slow: false,
            fill_next: false,
        }
    }

    fn prefix(&self) -> &'static str {
        match self.role {
            Role::Initiator => "G",
            Role::Acceptor => "E",
        }
    }

    fn connect(&mut self, now: Timestamp) {
        self.connected = true;
        self.decoder = Decoder::default();
        let numbers = Numbers {
            next_out: self.journal.last_seq() + 1,
            next_in: self.journal.next_inbound(),
            fresh: false,
            since: Timestamp(0),
        };
        self.session.connected(numbers, now);
    }

    fn disconnect(&mut self) {
        self.connected = false;
        self.session.disconnected();
        self.wire.clear();
        self.pending.clear();
    }

    /// The process dies and comes back with what is on disk; the inbound number may be lost with the power.
    fn restart(&mut self, lose_inbound: bool) {
        self.disconnect();
        self.session = Session::new(config(self.role));
        let elsewhere = quick_folder();
        self.journal = open(self.role, &elsewhere); // Lets go of the lock.
        if lose_inbound {
            std::fs::remove_file(self.folder.path().join("inbound.num"))
                .expect("the file is there");
        }
        self.journal = open(self.role, &self.folder);
    }

    fn receive(&mut self, bytes: &[u8], now: Timestamp) {
        self.decoder.buffer.extend_from_slice(bytes);
        while let Some(frame) = self.decoder.next() {
            let Frame::Message(message) = frame else {
                panic!("the link cuts, it does not garble");
            };
            self.session.received(&message, now);
        }
        self.settle(now);
    }

    fn settle(&mut self, now: Timestamp) {
        while self.session.is_logged_on() && self.journal_position() < self.wanted {
            let position = self.journal_position() + 1;
            let message = message(&format!("{}{position}", self.prefix()), position);
            assert!(self.session.send_app(&message, now));
            if !self.put_out(now) {
                return self.disconnect();
            }
        }
        if !self.put_out(now) {
            self.disconnect();
        }
    }

    fn journal_position(&self) -> u64 {
        self.journal.last_position()
    }

    /// Does what the session wants; false when the connection is to be closed.
    fn put_out(&mut self, now: Timestamp) -> bool {
        while let Some(output) = self.session.next_output() {
            match output {
                Output::Send(record) => {
                    self.journal
                        .append(std::slice::from_ref(&record))
                        .expect("room on the disk");
                    self.wire.extend(record.bytes);
                }
                Output::Deliver(inbound) => {
                    let id = name(&inbound.message);
                    let known = self.seen.insert(inbound.seq, id.clone());
                    assert!(
                        known.is_none_or(|known| known == id),
                        "one number, two messages"
                    );
                    if std::mem::take(&mut self.fail_next_record) {
                        return false;
                    }
                    assert!(
                        inbound.poss_dup || !self.recorded.contains(&id),
                        "{id} came again and did not say so"
                    );
                    self.pending.push((inbound.seq, id));
                    if !self.slow {
                        self.record();
                    }
                }
                Output::ResendRequested { from, to } => self.resend(from, to, now),
                Output::LoggedOn(_) => {}
                Output::ResetJournal => panic!("nobody asked for a reset"),
                Output::Disconnect(reason) => {
                    let text = reason.to_string();
                    assert!(!text.contains("too low"), "{text}");
                    return false;
                }
            }
        }
        let next = self.session.inbound_to_record();
        self.journal.record_inbound(next).expect("room on the disk");
        true
    }

    fn record(&mut self) {
        for (seq, id) in std::mem::take(&mut self.pending) {
            if !self.recorded.contains(&id) {
                self.recorded.push(id);
            }
            self.session.recorded_through(seq);
        }
    }

    fn resend(&mut self, from: u64, to: u64, now: Timestamp) {
        let records = self.journal.records(from, to).expect("readable");
        let mut decisions = Vec::new();
        for record in self.session.undecided(&records) {
            if std::mem::take(&mut self.fill_next) {
                self.filled.insert(record.id.clone());
            }
            decisions.push(match self.filled.contains(&record.id) {
                true => Resend::GapFill,
                false => Resend::Again,
            });
        }
        let replay = Replay {
            from,
            to,
            records: &records,
            decisions: &decisions,
        };
        for frame in self.session.replay(&replay, now) {
            self.wire.extend(frame);
        }
    }
}

/// In memory where there is such a place: thousands of journal writes, and no power to lose.
fn quick_folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a temporary folder")
}

fn open(role: Role, folder: &TempDir) -> Journal {
    let identity = config(role).identity;
    let now = Timestamp(SECOND);
    Journal::open(folder.path(), &identity.sender, &identity.target, now)
        .expect("the journal opens")
}

#[derive(Clone, Debug)]
enum Step {
    Want(bool, u64),
    Carry(bool, usize),
    Cut,
    Restart(bool, bool),
    FailRecord(bool),
    /// From now on the application records only when told to.
    Slow(bool),
    Record(bool),
    Fill(bool),
    Wait(i64),
}

fn step(fills: bool) -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<bool>(), 1_u64..4).prop_map(|(side, n)| Step::Want(side, n)),
        8 => (any::<bool>(), 1_usize..400).prop_map(|(side, n)| Step::Carry(side, n)),
        2 => Just(Step::Cut),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(side, lose)| Step::Restart(side, lose)),
        1 => any::<bool>().prop_map(Step::FailRecord),
        1 => any::<bool>().prop_map(Step::Slow),
        1 => any::<bool>().prop_map(Step::Record),
        u32::from(fills) => any::<bool>().prop_map(Step::Fill),
        1 => (1_i64..40).prop_map(Step::Wait),
    ]
}

struct World {
    sides: [Side; 2],
    /// Filled over before they were recorded.
    gone: BTreeSet<String>,
    now: Timestamp,
}

impl World {
    fn new() -> World {
        World {
            sides: [Side::new(Role::Initiator), Side::new(Role::Acceptor)],
            gone: BTreeSet::new(),
            now: Timestamp(1_777_540_500 * SECOND),
        }
    }

    fn run(&mut self, step: &Step) {
        if !self.sides.iter().all(|side| side.connected) {
            self.sides.iter_mut().for_each(Side::disconnect);
            for side in &mut self.sides {
                side.connect(self.now);
                side.settle(self.now);
            }
        }
        match *step {
            Step::Want(side, n) => {
                let side = &mut self.sides[usize::from(side)];
                side.wanted += n;
                side.settle(self.now);
            }
            Step::Carry(from, n) => {
                let from = &mut self.sides[usize::from(from)];
                let n = n.min(from.wire.len());
                let bytes: Vec<u8> = from.wire.drain(..n).collect();
                let role = from.role;
                let to = self.sides.iter_mut().find(|side| side.role != role);
                let to = to.expect("there are two");
                if to.connected {
                    to.receive(&bytes, self.now);
                }
            }
            Step::Cut => self.sides.iter_mut().for_each(Side::disconnect),
            Step::Restart(side, lose) => self.sides[usize::from(side)].restart(lose),
            Step::FailRecord(side) => self.sides[usize::from(side)].fail_next_record = true,
            Step::Slow(side) => self.sides[usize::from(side)].slow = true,
            Step::Record(side) => {
                let side = &mut self.sides[usize::from(side)];
                side.slow = false;
                side.record();
                side.settle(self.now);
            }
            Step::Fill(side) => self.sides[usize::from(side)].fill_next = true,
            Step::Wait(seconds) => {
                self.now = self.now.plus(seconds * SECOND);
                for side in self.sides.iter_mut().filter(|side| side.connected) {
                    side.session.tick(self.now);
                    side.settle(self.now);
                }
            }
        }
    }

    /// A good link for long enough.
    fn heal(&mut self) {
        for side in &mut self.sides {
            (side.fail_next_record, side.fill_next, side.slow) = (false, false, false);
        }
        self.run(&Step::Cut);
        for _ in 0..400 {
            self.run(&Step::Carry(false, usize::MAX));
            self.run(&Step::Carry(true, usize::MAX));
            if self.done() {
                return;
            }
            self.run(&Step::Wait(1));
        }
        panic!("the link healed and messages are still missing");
    }

    fn done(&self) -> bool {
        let [a, b] = &self.sides;
        [(a, b), (b, a)].iter().all(|(from, to)| {
            (1..=from.wanted)
                .map(|n| format!("{}{n}", from.prefix()))
                .all(|id| to.recorded.contains(&id) || from.filled.contains(&id))
        })
    }

    fn check(&mut self) {
        let [a, b] = &self.sides;
        for (from, to) in [(a, b), (b, a)] {
            let numbers: Vec<u64> = to
                .recorded
                .iter()
                .map(|id| id[1..].parse().expect("a number"))
                .collect();
            assert!(
                numbers.is_sorted_by(|a, b| a < b),
                "out of order: {numbers:?}"
            );
            assert!(numbers.iter().all(|n| *n <= from.wanted));
            for id in &to.recorded {
                assert!(
                    !self.gone.contains(id),
                    "{id} was filled over and recorded all the same"
                );
            }
            let missing = from.filled.iter().filter(|id| !to.recorded.contains(id));
            self.gone.extend(missing.cloned());
        }
    }
}

fn survives(steps: &[Step]) {
    let mut world = World::new();
    for step in steps {
        world.run(step);
        world.check();
    }
    world.heal();
    world.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, max_shrink_iters: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_or_recorded_twice(steps in proptest::collection::vec(step(false), 1..120)) {
        survives(&steps);
    }

    #[test]
    fn what_is_filled_over_is_the_only_thing_missing(steps in proptest::collection::vec(step(true), 1..120)) {
        survives(&steps);
    }
}
