//! The gateway dies at any point, as often as it likes, with its sessions more or fewer each time; the log and the journals remain.
//! In the end every message went once, or the log says why not.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};

const SESSIONS_MAX: usize = 3;

#[derive(Debug, Clone)]
enum Op {
    Place,
    /// A change or a cancel of one of the orders.
    Change(usize),
    Cancel(usize),
    Halt,
    Resume,
    /// Reads so many events of the log.
    Read(usize),
    /// Reads to the end: messages may go.
    CatchUp,
    /// Hands so many messages to a session.
    HandOn(usize, usize),
    /// A session journals so many of what it was handed.
    Journal(usize, usize),
    /// The log learns that journaled orders were sent.
    Dispatched,
    /// The process dies, and another one begins with so many sessions.
    Crash(usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => Just(Op::Place),
        2 => any::<usize>().prop_map(Op::Change),
        3 => any::<usize>().prop_map(Op::Cancel),
        1 => Just(Op::Halt),
        1 => Just(Op::Resume),
        2 => (1_usize..6).prop_map(Op::Read),
        4 => Just(Op::CatchUp),
        4 => (0..SESSIONS_MAX, 1_usize..4).prop_map(|(lane, n)| Op::HandOn(lane, n)),
        4 => (0..SESSIONS_MAX, 1_usize..4).prop_map(|(lane, n)| Op::Journal(lane, n)),
        1 => Just(Op::Dispatched),
        2 => (1..=SESSIONS_MAX).prop_map(Op::Crash),
    ];
    prop::collection::vec(op, 1..120)
}

struct World {
    log: Vec<String>,
    /// What was journaled, in its order, with the session.
    journals: Vec<(ClOrdId, usize)>,
    sessions: usize,
    plan: Plan,
    read: usize,
    /// Handed to a session and not journaled.
    flight: BTreeMap<usize, VecDeque<ClOrdId>>,
    orders: u128,
    halted: bool,
}

fn session_name(lane: usize) -> String {
    format!("NSE-S{lane}")
}

impl World {
    fn new() -> World {
        let mut world = World {
            log: vec!["on".into()],
            journals: vec![],
            sessions: 1,
            plan: plan(),
            read: 0,
            flight: BTreeMap::new(),
            orders: FIRST_OF_MANY,
            halted: false,
        };
        world.begin(1);
        world
    }

    fn begin(&mut self, sessions: usize) {
        self.sessions = sessions;
        let mut lanes = Lanes::new((0..sessions).map(session_name).collect());
        for (id, lane) in &self.journals {
            lanes.learn((*lane < sessions).then_some(*lane), [id.clone()]);
        }
        self.plan = Plan::new(Venue::Nse, Protocol::Fix(Dialect::Fix44), lanes);
        self.read = 0;
        self.flight.clear();
    }

    fn read(&mut self, most: usize) {
        for _ in 0..most {
            let Some(word) = self.log.get(self.read).cloned() else {
                return;
            };
            self.read += 1;
            tell(&mut self.plan, self.read as u64, &word);
        }
    }

    fn catch_up(&mut self) {
        self.read(usize::MAX);
        let told = (0..SESSIONS_MAX).map(|lane| format!("session-{}", session_name(lane)));
        self.plan.go_live(&told.collect(), "fence 1");
    }

    /// As `outbound` does before it hands anything on.
    fn report(&mut self) {
        for told in std::mem::take(&mut self.plan.told) {
            let (sign, n) = self.name(&told.cl_ord_id);
            match sign {
                '+' => self.log.push(format!("end {n}")),
                _ => {
                    self.log.push(format!("void {n}"));
                    // The position asks for the cancel that waited for it.
                    if self.log.contains(&format!("queued {n}")) {
                        self.log.push(format!("-{n}"));
                    }
                }
            }
        }
    }

    fn name(&self, id: &ClOrdId) -> (char, u128) {
        let orders = FIRST_OF_MANY..self.orders;
        let mut names = orders.flat_map(|n| ['+', '-', '~'].map(|sign| (sign, n)));
        let found = names.find(|(sign, n)| named(&format!("{sign}{n}")) == *id);
        found.expect("every id is of an order")
    }

    fn has_gone(&self, word: &str) -> bool {
        let id = named(word);
        self.journals.iter().any(|(gone, _)| *gone == id)
    }

    fn said(&self, word: &str) -> bool {
        self.log.iter().any(|said| said == word)
    }

    /// An order that people may still ask something about.
    fn pick(&self, n: usize) -> Option<u128> {
        let open = (FIRST_OF_MANY..self.orders).filter(|n| {
            !self.said(&format!("end {n}"))
                && !self.said(&format!("-{n}"))
                && !self.said(&format!("queued {n}"))
        });
        let open = Vec::from_iter(open);
        (!open.is_empty()).then(|| open[n % open.len()])
    }

    fn go(&mut self, op: &Op) {
        match op {
            Op::Place => {
                self.log.push(format!("+{}", self.orders));
                self.orders += 1;
            }
            Op::Change(n) => {
                let order = self.pick(*n).filter(|n| !self.said(&format!("~{n}")));
                self.log.extend(order.map(|n| format!("~{n}")));
            }
            Op::Cancel(n) => {
                let Some(n) = self.pick(*n) else { return };
                let change = format!("~{n}");
                let waits = self.said(&change)
                    && !self.has_gone(&change)
                    && !self.said(&format!("void {n}"));
                self.log.push(if waits {
                    format!("queued {n}")
                } else {
                    format!("-{n}")
                });
            }
            Op::Halt if !self.halted => {
                self.halted = true;
                self.log.push("halt all".into());
            }
            Op::Resume if self.halted => {
                self.halted = false;
                self.log.push("resume all".into());
            }
            Op::Halt | Op::Resume => {}
            Op::Read(most) => self.read(*most),
            Op::CatchUp => self.catch_up(),
            Op::HandOn(lane, most) if self.plan.live && *lane < self.sessions => {
                self.report();
                for _ in 0..*most {
                    let message = self.plan.waiting.pop(*lane);
                    let id = message.map(|message| message.id().parse().unwrap());
                    self.flight.entry(*lane).or_default().extend(id);
                }
            }
            Op::HandOn(..) => {}
            Op::Journal(lane, most) => {
                let flight = self.flight.entry(*lane).or_default();
                let most = flight.len().min(*most);
                self.journals
                    .extend(flight.drain(..most).map(|id| (id, *lane)));
            }
            Op::Dispatched => {
                for (id, lane) in &self.journals {
                    let (sign, n) = self.name(id);
                    let word = format!("went {n} {lane}");
                    if sign == '+' && !self.said(&word) {
                        return self.log.push(word);
                    }
                }
            }
            Op::Crash(sessions) => self.begin(*sessions),
        }
    }

    /// A last life in which nothing breaks.
    fn finish(&mut self) {
        self.begin(self.sessions);
        let mut before = (usize::MAX, usize::MAX);
        while before != (self.log.len(), self.journals.len()) {
            before = (self.log.len(), self.journals.len());
            self.catch_up();
            for lane in 0..self.sessions {
                self.go(&Op::HandOn(lane, 1_000));
                self.go(&Op::Journal(lane, 1_000));
            }
        }
    }

    fn check(&self) {
        let ids = HashSet::<&ClOrdId>::from_iter(self.journals.iter().map(|(id, _)| id));
        assert_eq!(ids.len(), self.journals.len(), "one went twice");
        let at = |word: &str| {
            let id = named(word);
            self.journals.iter().position(|(gone, _)| *gone == id)
        };
        for n in FIRST_OF_MANY..self.orders {
            let (order, dropped) = (at(&format!("+{n}")), self.said(&format!("end {n}")));
            assert!(
                order.is_some() != dropped,
                "order {n}: {order:?}, dropped: {dropped}"
            );
            for sign in ['-', '~'] {
                let word = format!("{sign}{n}");
                let gone = at(&word);
                assert!(gone.is_none() || self.said(&word));
                let void = sign == '~' && self.said(&format!("void {n}"));
                assert!(!(void && gone.is_some()), "{word} went and was told not to");
                let lost = self.said(&word) && gone.is_none() && !dropped && !void;
                assert!(!lost, "{word} was lost");
                if let Some(gone) = gone {
                    assert!(
                        order.is_some_and(|order| order < gone),
                        "{word} overtook its order"
                    );
                    let (went, goes) = (self.journals[order.unwrap_or(0)].1, self.journals[gone].1);
                    // Over a session that was away for a time it may not have gone; never over another while it is there.
                    assert!(
                        went == goes || went >= 1,
                        "{word} went over session {goes}, its order over {went}"
                    );
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_message_goes_once_or_the_log_says_why_not(ops in ops()) {
        let mut world = World::new();
        for op in &ops {
            world.go(op);
        }
        world.finish();
        world.check();
    }
}
