//! What forks decide: which blocks count, apart from the logs, so that to look at it takes no lock.

use crate::model::ledger::fork::ForkProof;
use crate::model::ledger::names::LogName;

/// What a fork decides.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    name: LogName,
    sequence: u32,
    lamport: u64,
    is_released: bool,
}

impl Verdict {
    /// What this fork decides, of which somebody said that its author may go on, or nobody did.
    pub fn new(fork: &ForkProof, is_released: bool) -> Self {
        let (name, sequence, lamport) = (fork.name(), fork.sequence(), fork.lamport());
        Self { name, sequence, lamport, is_released }
    }

    /// Whether it lets a block of its author count that stands there with this Lamport number.
    fn lets(&self, name: &LogName, sequence: u32, lamport: u64) -> bool {
        match self.name == *name {
            true => sequence < self.sequence,
            false => lamport < self.lamport || self.is_released,
        }
    }
}

/// What all forks decide.
#[derive(Clone, Debug, Default)]
pub struct Verdicts(pub Vec<Verdict>);

impl Verdicts {
    /// As `Chains::counts_at`.
    pub fn counts_at(&self, name: &LogName, sequence: u32, lamport: u64) -> bool {
        let mut own = self.0.iter().filter(|fork| fork.name.author == name.author);
        own.all(|fork| fork.lets(name, sequence, lamport))
    }
}
