//! Which message of ours went out under which number, to know what a session-level Reject (35=3) is about.

use std::collections::VecDeque;

/// Messages remembered. A peer refuses a message as soon as it reads it, within some hundreds.
const SENT_MAX: usize = 4_096;

/// Numbers ascending.
#[derive(Debug, Default)]
pub struct Sent(VecDeque<(u64, String)>);

impl Sent {
    /// A number that is remembered already, or lies below the last, is told again: nothing changes.
    pub fn push(&mut self, seq: u64, id: &str) {
        if self.0.back().is_some_and(|(last, _)| *last >= seq) {
            return;
        }
        if self.0.len() == SENT_MAX {
            self.0.pop_front();
        }
        self.0.push_back((seq, id.to_owned()));
    }

    /// The id of the message that was sent under this number.
    pub fn id(&self, seq: u64) -> Option<&str> {
        let at = self.0.binary_search_by_key(&seq, |(sent, _)| *sent).ok()?;
        Some(&self.0[at].1)
    }

    /// The numbers start at 1 again.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_numbers_are_remembered_and_a_repetition_changes_nothing() {
        let mut sent = Sent::default();
        let last = SENT_MAX as u64 + 10;
        for seq in 1..=last {
            sent.push(seq, &format!("C{seq}"));
            sent.push(seq, "again");
        }
        assert_eq!(sent.id(10), None);
        assert_eq!(sent.id(11), Some("C11"));
        assert_eq!(sent.id(last), Some(format!("C{last}").as_str()));
        assert_eq!(sent.id(last + 1), None);
        sent.clear();
        sent.push(2, "first of the new numbers");
        assert_eq!(sent.id(2), Some("first of the new numbers"));
    }
}
