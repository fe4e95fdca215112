//! How often each address may ask for something: a bucket of tokens for each, refilled by time.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Instant;

/// Token buckets, one for each key, of which a bounded number is remembered.
#[derive(Debug)]
pub struct Buckets<K: Eq + Hash + Copy> {
    levels: HashMap<K, (f64, Instant)>,
    burst: f64,
    per_second: f64,
    most: usize,
}

impl<K: Eq + Hash + Copy> Buckets<K> {
    /// Each key may act `burst` times at once and `per_second` times a second; `most` keys are remembered.
    pub fn new(burst: f64, per_second: f64, most: usize) -> Self {
        Self { levels: HashMap::new(), burst, per_second, most }
    }

    /// Whether `key` may act at `now`.
    pub fn take(&mut self, key: K, now: Instant) -> bool {
        if self.levels.len() >= self.most && !self.levels.contains_key(&key) {
            self.forget(now);
        }
        let (level, since) = self.levels.get(&key).copied().unwrap_or((self.burst, now));
        let passed = now.duration_since(since).as_secs_f64();
        let level = self.burst.min(level + passed * self.per_second);
        let may = level >= 1.0;
        self.levels.insert(key, (if may { level - 1.0 } else { level }, now));
        may
    }

    /// Makes room: forgets the full buckets, and if there are none, the one that rested longest.
    fn forget(&mut self, now: Instant) {
        let (burst, rate) = (self.burst, self.per_second);
        self.levels.retain(|_, (level, since)| {
            *level + now.duration_since(*since).as_secs_f64() * rate < burst
        });
        if self.levels.len() >= self.most {
            let oldest = self.levels.iter().min_by_key(|(_, (_, since))| *since);
            if let Some(key) = oldest.map(|(key, _)| *key) {
                self.levels.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_then_a_rate() {
        let (mut buckets, now) = (Buckets::new(3.0, 2.0, 10), Instant::now());
        let taken = (0..10).filter(|_| buckets.take(1, now)).count();
        assert_eq!(taken, 3);
        assert!(buckets.take(2, now), "another key has its own bucket");
        assert!(buckets.take(1, now + Duration::from_millis(500)));
        assert!(!buckets.take(1, now + Duration::from_millis(500)));
    }

    #[test]
    fn a_thousand_keys_do_not_fill_the_memory() {
        let (mut buckets, now) = (Buckets::new(3.0, 2.0, 10), Instant::now());
        for key in 0..1000 {
            buckets.take(key, now);
        }
        assert!(buckets.levels.len() <= 10);
    }
}
