//! Says now and then how far a long transfer has come: `sync` counts blocks with it, `refresh` bytes. A short one says
//! nothing.

use crate::model::limits::PROGRESS_EVERY;
use std::time::Instant;

/// How far one transfer has come, and when that was last told.
pub struct Meter<'a> {
    tell: Box<dyn FnMut(u64, u64) + 'a>,
    told: Instant,
}

impl<'a> Meter<'a> {
    /// A meter that tells how much of how much is done, in whatever its user counts.
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
