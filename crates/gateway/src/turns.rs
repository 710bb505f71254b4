//! Whose turn it is on a session, among all that waits for it. Called by `queue`; pure, and it holds no messages, only their places.
//!
//! 1. Class before class: a cancel goes before a person's square-off, that before a bulk's, and all of them before a modify.
//! 2. Within a class the clients take turns, a message each, so that nobody's thousand orders hold up another's one.
//! 3. What waits on one position goes in the log's order, and the first of it has the class of the most urgent behind it. Only the
//!    cancels of a position are a line of their own: they are about orders that have gone.
//! 4. Every [`OLDEST_EVERY`]th turn is the oldest message's, whatever its class: nothing waits for ever.

use squareoff_domain::ClientCode;
use squareoff_store::Position;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Of so many turns one is the oldest message's: a sixteenth of the rate, which no flood of cancels can take.
pub const OLDEST_EVERY: u64 = 16;

/// How urgent a message is, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Cancel,
    /// A person's square-off.
    Interactive,
    /// An item of a bulk square-off.
    Bulk,
    /// A change of an order that stands in the book meanwhile.
    Modify,
}

const CLASSES: usize = 4;

impl Class {
    const ALL: [Class; CLASSES] = [
        Class::Cancel,
        Class::Interactive,
        Class::Bulk,
        Class::Modify,
    ];

    const fn index(self) -> usize {
        match self {
            Class::Cancel => 0,
            Class::Interactive => 1,
            Class::Bulk => 2,
            Class::Modify => 3,
        }
    }
}

/// What goes in one order: the cancels of a position, or all else of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Line {
    stream: Arc<str>,
    cancels: bool,
}

#[derive(Debug)]
struct Waiting {
    client: ClientCode,
    places: BTreeMap<Position, Class>,
    of_class: [usize; CLASSES],
    /// Where the line stands among the turns.
    stands: Option<(Class, Position)>,
}

#[derive(Debug, Default)]
pub struct Turns {
    /// Everything that waits, in the log's order.
    places: BTreeMap<Position, Line>,
    lines: HashMap<Line, Waiting>,
    rings: [Ring; CLASSES],
    taken: u64,
}

/// The clients of one class, each with the first messages of its lines.
#[derive(Debug, Default)]
struct Ring {
    turns: BTreeMap<u64, ClientCode>,
    clients: HashMap<ClientCode, Heads>,
    last_turn: u64,
}

#[derive(Debug)]
struct Heads {
    turn: u64,
    at: BTreeMap<Position, Line>,
}

impl Turns {
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub fn push(&mut self, at: Position, class: Class, client: &ClientCode, stream: &Arc<str>) {
        let line = Line {
            stream: Arc::clone(stream),
            cancels: class == Class::Cancel,
        };
        self.places.insert(at, line.clone());
        let waiting = self.lines.entry(line.clone()).or_insert_with(|| Waiting {
            client: client.clone(),
            places: BTreeMap::new(),
            of_class: [0; CLASSES],
            stands: None,
        });
        waiting.places.insert(at, class);
        waiting.of_class[class.index()] += 1;
        self.settle(&line);
    }

    pub fn remove(&mut self, at: Position) {
        let Some(line) = self.places.remove(&at) else {
            return;
        };
        if let Some(waiting) = self.lines.get_mut(&line)
            && let Some(class) = waiting.places.remove(&at)
        {
            waiting.of_class[class.index()] -= 1;
        }
        self.settle(&line);
    }

    /// Takes out whose turn it is.
    pub fn pop(&mut self) -> Option<Position> {
        let at = self.next()?;
        self.taken += 1;
        let line = self.places.get(&at)?;
        if let Some(waiting) = self.lines.get(line)
            && let Some((class, _)) = waiting.stands
        {
            self.rings[class.index()].had_its_turn(&waiting.client);
        }
        self.remove(at);
        Some(at)
    }

    fn next(&self) -> Option<Position> {
        if self.taken % OLDEST_EVERY == OLDEST_EVERY - 1 {
            return self.places.keys().next().copied();
        }
        self.rings.iter().find_map(Ring::next)
    }

    /// Lets a line stand where its first message and its most urgent one put it.
    fn settle(&mut self, line: &Line) {
        let Some(waiting) = self.lines.get_mut(line) else {
            return;
        };
        let urgent = Class::ALL
            .into_iter()
            .find(|class| waiting.of_class[class.index()] > 0);
        let stands = urgent.zip(waiting.places.keys().next().copied());
        if stands == waiting.stands {
            return;
        }
        if let Some((class, at)) = waiting.stands {
            // One that joins before the other leaves: a client that stays in its class keeps its turn.
            if let Some((new, first)) = stands
                && new == class
            {
                self.rings[new.index()].join(&waiting.client, first, line);
            }
            self.rings[class.index()].leave(&waiting.client, at);
        }
        if let Some((new, first)) = stands
            && waiting.stands.is_none_or(|(class, _)| class != new)
        {
            self.rings[new.index()].join(&waiting.client, first, line);
        }
        waiting.stands = stands;
        if stands.is_none() {
            self.lines.remove(line);
        }
    }
}

impl Ring {
    fn next(&self) -> Option<Position> {
        let (_, client) = self.turns.first_key_value()?;
        self.clients.get(client)?.at.keys().next().copied()
    }

    /// A new client comes last.
    fn join(&mut self, client: &ClientCode, at: Position, line: &Line) {
        if !self.clients.contains_key(client) {
            let turn = self.new_turn(client);
            let at = BTreeMap::new();
            self.clients.insert(client.clone(), Heads { turn, at });
        }
        if let Some(heads) = self.clients.get_mut(client) {
            heads.at.insert(at, line.clone());
        }
    }

    fn leave(&mut self, client: &ClientCode, at: Position) {
        let Some(heads) = self.clients.get_mut(client) else {
            return;
        };
        heads.at.remove(&at);
        if heads.at.is_empty() {
            self.turns.remove(&heads.turn);
            self.clients.remove(client);
        }
    }

    fn had_its_turn(&mut self, client: &ClientCode) {
        let Some(before) = self.clients.get(client).map(|heads| heads.turn) else {
            return;
        };
        self.turns.remove(&before);
        let turn = self.new_turn(client);
        if let Some(heads) = self.clients.get_mut(client) {
            heads.turn = turn;
        }
    }

    fn new_turn(&mut self, client: &ClientCode) -> u64 {
        self.last_turn += 1;
        self.turns.insert(self.last_turn, client.clone());
        self.last_turn
    }
}

#[cfg(test)]
mod tests;
