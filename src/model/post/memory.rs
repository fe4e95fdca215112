//! What was shown once: of each author the newest names, so that nothing is shown twice, and nobody fills the memory.

use crate::model::keys::IdentityKey;
use crate::model::limits::MAX_PEERS;
use std::collections::{BTreeMap, VecDeque};

/// Authors that are remembered: more than there ever are members, so one that left long ago makes room.
const MAX_AUTHORS: usize = 2 * MAX_PEERS;

/// Names of things, by author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory<T> {
    of: BTreeMap<IdentityKey, VecDeque<T>>,
    /// All of these authors; the one of whom nothing new was shown for longest comes first.
    order: VecDeque<IdentityKey>,
    most: usize,
}

impl<T: PartialEq> Memory<T> {
    /// One that remembers so many of each author.
    pub fn new(most: usize) -> Self {
        Self { of: BTreeMap::new(), order: VecDeque::new(), most }
    }

    /// Whether this is remembered.
    pub fn has(&self, author: &IdentityKey, name: &T) -> bool {
        self.of.get(author).is_some_and(|names| names.contains(name))
    }

    /// Remembers this. Returns false if it was remembered already.
    pub fn put(&mut self, author: IdentityKey, name: T) -> bool {
        if self.has(&author, &name) {
            return false;
        }
        self.order.retain(|other| *other != author);
        if self.order.len() >= MAX_AUTHORS {
            self.order.pop_front().and_then(|oldest| self.of.remove(&oldest));
        }
        self.order.push_back(author);
        let names = self.of.entry(author).or_default();
        names.push_back(name);
        if names.len() > self.most {
            names.pop_front();
        }
        true
    }

    /// All of it: the author of whom nothing new was shown for longest first, and of each the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (&IdentityKey, &VecDeque<T>)> {
        self.order.iter().filter_map(|author| self.of.get_key_value(author))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In an order that is not that of time.
    fn author(at: usize) -> IdentityKey {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&(at as u16).reverse_bits().to_be_bytes());
        bytes.into()
    }

    #[test]
    fn when_there_are_too_many_authors_the_one_goes_that_was_silent_for_longest() {
        let mut memory = Memory::new(2);
        (0..MAX_AUTHORS).for_each(|at| assert!(memory.put(author(at), 0)));
        // Of the first something new is shown; of the second only what was shown before.
        assert!(memory.put(author(0), 1) && !memory.put(author(1), 0));
        assert!(memory.put(author(MAX_AUTHORS), 0));
        assert!(memory.put(author(MAX_AUTHORS + 1), 0));
        let has = |at| memory.has(&author(at), &0);
        assert_eq!([0, 1, 2, 3, MAX_AUTHORS].map(has), [true, false, false, true, true]);
        let order: Vec<_> = memory.iter().map(|(one, _)| *one).collect();
        let expected = (3..MAX_AUTHORS).chain([0, MAX_AUTHORS, MAX_AUTHORS + 1]).map(author);
        assert_eq!(order, expected.collect::<Vec<_>>());
    }

    #[test]
    fn of_each_author_the_newest_are_remembered() {
        let mut memory = Memory::new(2);
        (0..3).for_each(|name| assert!(memory.put(author(1), name)));
        assert_eq!([0, 1, 2].map(|name| memory.has(&author(1), &name)), [false, true, true]);
    }
}
