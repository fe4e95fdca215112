//! Builds the state anew from the blocks that count, after a fork was proved or released, or somebody was shut out.

use crate::base::error::Result;
use crate::base::threads::lock;
use crate::model::ledger::heads::Heads;
use crate::model::ledger::replica::Replica;
use crate::model::ledger::state::State;
use crate::store::blocks::Step;
use crate::store::database::{Database, Inner};
use std::time::{Duration, Instant};

/// Longest pause between two times that the state is built anew; shorter ones are so many times as long as it took.
/// Nobody keeps a node busy with ever new proofs.
const REBUILD_PAUSE: (u32, Duration) = (20, Duration::from_secs(600));

impl Database {
    /// Builds the state anew if that is due.
    pub(in crate::store) fn rebuild_in_time(&self) -> Result<()> {
        if !lock(&self.0.inner).is_rebuild_due() {
            return Ok(());
        }
        let begun = Instant::now();
        self.rebuild()?;
        let pause = REBUILD_PAUSE.1.min(begun.elapsed() * REBUILD_PAUSE.0);
        lock(&self.0.inner).rebuild_at = Instant::now() + pause;
        Ok(())
    }

    /// Builds the state anew if something else counts than it holds.
    pub(in crate::store) fn rebuild(&self) -> Result<()> {
        // Whoever comes second finds it done.
        let _alone = lock(&self.0.building);
        if !self.with(Replica::is_stale) {
            return Ok(());
        }
        let (mut state, turns) = (State::default(), self.with(Replica::turns));
        let done = self.follow(Heads::default(), usize::MAX, |step| match step {
            Step::Block(block, true) => {
                if let Err(error) = state.apply(block) {
                    log::warn!("changes stay in their log alone: {error}");
                }
            }
            Step::Block(_, false) => {}
            Step::End(inner) => {
                inner.replica.renewed(std::mem::take(&mut state), turns);
                inner.version += 1;
            }
        })?;
        if !done {
            log::debug!("ever more came while the state was built anew");
        }
        Ok(())
    }
}

impl Inner {
    /// Whether the state is to be built anew now.
    pub fn is_rebuild_due(&self) -> bool {
        self.replica.is_stale() && Instant::now() >= self.rebuild_at
    }
}
