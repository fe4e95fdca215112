//! What was shown once: of each author the newest names, so that nothing is shown twice, and nobody fills the memory.

use crate::model::keys::IdentityKey;
use crate::model::limits::MAX_PEERS;
use std::collections::{BTreeMap, VecDeque};

/// Names of things, by author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory<T> {
    of: BTreeMap<IdentityKey, VecDeque<T>>,
    most: usize,
}

impl<T: PartialEq> Memory<T> {
    /// One that remembers so many of each author.
    pub fn new(most: usize) -> Self {
        Self { of: BTreeMap::new(), most }
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
        // More than there ever are members: one that left long ago makes room.
        if self.of.len() >= 2 * MAX_PEERS && !self.of.contains_key(&author) {
            self.of.pop_first();
        }
        let names = self.of.entry(author).or_default();
        names.push_back(name);
        if names.len() > self.most {
            names.pop_front();
        }
        true
    }

    /// Forgets this.
    pub fn forget(&mut self, author: &IdentityKey, name: &T) {
        if let Some(names) = self.of.get_mut(author) {
            names.retain(|other| other != name);
        }
    }

    /// All of it, the oldest first of each author.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&IdentityKey, &VecDeque<T>)> {
        self.of.iter()
    }
}
