//! Shows how far a transfer has come: meetings of ledgers and refreshes tell it.

use crate::model::limits::PROGRESS_EVERY;
use std::time::Instant;

/// Shows how far something long has come.
pub struct Meter<'a> {
    tell: Box<dyn FnMut(u64, u64) + 'a>,
    told: Instant,
}

impl<'a> Meter<'a> {
    /// A meter that tells how many of how many bytes are done.
    pub fn new(tell: impl FnMut(u64, u64) + 'a) -> Self {
        Self { tell: Box::new(tell), told: Instant::now() }
    }

    /// So much is done.
    pub fn note(&mut self, done: u64, all: u64) {
        if self.told.elapsed() >= PROGRESS_EVERY {
            self.told = Instant::now();
            (self.tell)(done, all);
        }
    }
}
