//! Log lines that strangers can cause, at most one of a kind in a while: a flood must not fill the SD card.

use std::time::{Duration, Instant};

/// How long a kind of line stays quiet after it was logged.
pub const QUIET: Duration = Duration::from_secs(10);

/// Decides which of many equal events become a log line, and counts the others.
#[derive(Debug, Default)]
pub struct Throttle {
    logged: Option<Instant>,
    hushed: u64,
}

impl Throttle {
    /// Notes one event at `now`. `Some(n)`: log it, and say that `n` before it were not logged.
    pub fn note(&mut self, now: Instant) -> Option<u64> {
        if self.logged.is_some_and(|last| now.duration_since(last) < QUIET) {
            self.hushed += 1;
            return None;
        }
        self.logged = Some(now);
        Some(std::mem::take(&mut self.hushed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_and_a_count() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        assert_eq!(throttle.note(start), Some(0));
        for _ in 0..999 {
            assert_eq!(throttle.note(start), None);
        }
        assert_eq!(throttle.note(start + QUIET), Some(999));
    }
}
