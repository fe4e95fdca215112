//! Deadlines on the monotonic clock. What the wall clock says is never more than a hint: a Pi has none that can be
//! trusted.

use std::time::{Duration, Instant, SystemTime};

/// A moment after which something is given up.
///
/// It is absolute: however many reads a peer spreads its bytes over, the moment stays where it is.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// The moment `duration` from now.
    pub fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    /// The earlier of this moment and `duration` from now.
    pub fn or_after(self, duration: Duration) -> Self {
        Self(self.0.min(Instant::now() + duration))
    }

    /// The time left, or `None` once it has passed.
    pub fn left(self) -> Option<Duration> {
        self.0.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    /// The time left, cut to `slice`: how long to block before looking at the stop flag again.
    pub fn slice(self, slice: Duration) -> Option<Duration> {
        self.left().map(|left| left.min(slice))
    }
}

/// What the wall clock says, in seconds since 1970: for people to read, never to decide by.
pub fn wall() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_passes_and_is_cut_into_slices() {
        assert!(Deadline::after(Duration::ZERO).left().is_none());
        let later = Deadline::after(Duration::from_secs(60));
        assert_eq!(later.slice(Duration::from_millis(200)), Some(Duration::from_millis(200)));
        assert!(later.or_after(Duration::ZERO).left().is_none());
    }
}
