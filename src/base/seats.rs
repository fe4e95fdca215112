//! Places of which there are only so many: in all, and for each one who takes them.

use crate::base::threads::lock;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

/// A bounded number of places, with a bound for each key besides.
#[derive(Debug)]
pub struct Seats<K: Eq + Hash + Clone> {
    taken: Arc<Mutex<HashMap<K, usize>>>,
    in_all: usize,
    each: usize,
}

/// One taken place; free again when dropped.
#[derive(Debug)]
pub struct Seat<K: Eq + Hash + Clone> {
    taken: Arc<Mutex<HashMap<K, usize>>>,
    key: K,
}

impl<K: Eq + Hash + Clone> Seats<K> {
    /// `in_all` places, at most `each` of them for one key.
    pub fn new(in_all: usize, each: usize) -> Self {
        Self { taken: Arc::default(), in_all, each }
    }

    /// Takes a place for `key`, or `None` when there is none left.
    pub fn take(&self, key: &K) -> Option<Seat<K>> {
        let mut taken = lock(&self.taken);
        let sum: usize = taken.values().sum();
        let own = taken.get(key).copied().unwrap_or(0);
        if sum >= self.in_all || own >= self.each {
            return None;
        }
        taken.insert(key.clone(), own + 1);
        Some(Seat { taken: Arc::clone(&self.taken), key: key.clone() })
    }
}

impl<K: Eq + Hash + Clone> Drop for Seat<K> {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        match taken.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_bounded_in_all_and_for_each_and_come_back() {
        let seats = Seats::new(3, 2);
        let first = seats.take(&1).expect("free");
        let _second = seats.take(&1).expect("free");
        assert!(seats.take(&1).is_none(), "two for one key at most");
        let _third = seats.take(&2).expect("free");
        assert!(seats.take(&3).is_none(), "three in all at most");
        drop(first);
        assert!(seats.take(&3).is_some(), "a dropped seat is free again");
    }
}
