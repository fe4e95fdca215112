//! What the blocks say of who belongs to the network, with where each statement stands. It is the same whatever the
//! order in which the blocks came, and however often. What follows from it is for `model::membership` to say.
//!
//! Of a log that is flooded with statements so many are heeded that stand first in it; of where members are, and what
//! they are called, each log's newest word is kept. How many logs one author may have is `room`'s to say.

use crate::model::keys::IdentityKey;
use crate::model::ledger::block::Verified;
use crate::model::ledger::entry::Entry;
use crate::model::ledger::heads::Heads;
use crate::model::ledger::membership::Membership;
use crate::model::ledger::merkle::Hash;
use crate::model::ledger::names::LogName;
use crate::model::limits::MAX_LOG_STATEMENTS;
use std::collections::BTreeMap;

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// In which log: it says who wrote it.
    pub log: LogName,
    /// In which block of it.
    pub sequence: u32,
    /// Its place in the block.
    pub index: u16,
}

/// A statement of who belongs to the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it says.
    pub said: Membership,
    /// Its leaf: the same of all who say the same.
    pub leaf: Hash,
    /// The Lamport number of its block: more than that of every block which an honest author had seen.
    pub lamport: u64,
}

/// What is said of where a member is, or of what the author is called: by log, and by whom it is said of.
type Word = (LogName, IdentityKey);

/// All that blocks say of who belongs to the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Register {
    /// Foundings, admissions and revocations.
    statements: BTreeMap<Spot, Statement>,
    moved: BTreeMap<Word, (Spot, Statement)>,
    renamed: BTreeMap<Word, (Spot, Statement)>,
    /// The ends of their authors' earlier logs, as the first blocks of later ones name them.
    resumed: BTreeMap<LogName, Heads>,
}

impl Register {
    /// Whether a block says anything that belongs here.
    pub fn is_for(block: &Verified) -> bool {
        let is_first = block.header().sequence == 0;
        block.entries().iter().any(|entry| match entry {
            Entry::Membership(_) => true,
            Entry::Resume(_) => is_first,
            _ => false,
        })
    }

    /// Takes note of what a block says. Returns whether any of it is new.
    pub fn take(&mut self, block: &Verified) -> bool {
        let header = block.header();
        let mut is_new = false;
        for (entry, index) in block.entries().iter().zip(0..) {
            let spot = Spot { log: header.name, sequence: header.sequence, index };
            match entry {
                Entry::Membership(said) => is_new |= self.note(spot, header.lamport, said),
                Entry::Resume(heads) if header.sequence == 0 => {
                    let own = heads.iter().filter(|head| head.name.author == header.name.author);
                    is_new |= self.resumed.insert(header.name, own.collect()).is_none();
                }
                _ => {}
            }
        }
        is_new
    }

    fn note(&mut self, spot: Spot, lamport: u64, said: &Membership) -> bool {
        let statement = || Statement { said: said.clone(), leaf: said.leaf(), lamport };
        let of = match said {
            Membership::Moved(moved) => moved.member,
            _ => spot.log.author,
        };
        let words = match said {
            Membership::Moved(_) => &mut self.moved,
            Membership::Renamed(_) => &mut self.renamed,
            _ => {
                let is_new = self.statements.insert(spot, statement()).is_none();
                return is_new && self.trim(spot);
            }
        };
        let is_newer = words.get(&(spot.log, of)).is_none_or(|(known, _)| *known < spot);
        if is_newer {
            words.insert((spot.log, of), (spot, statement()));
            let all = (spot.log, IdentityKey::from([0; 32]))..=(spot.log, [u8::MAX; 32].into());
            if words.range(all.clone()).count() > MAX_LOG_STATEMENTS {
                let last = words.range(all).next_back().map(|(word, _)| *word);
                if let Some(last) = last {
                    words.remove(&last);
                }
            }
        }
        is_newer
    }

    /// Forgets the last statement of a log that has too many. Returns whether this one is still there.
    fn trim(&mut self, spot: Spot) -> bool {
        let first = Spot { sequence: 0, index: 0, ..spot };
        let all = first..=Spot { sequence: u32::MAX, index: u16::MAX, ..spot };
        if self.statements.range(all.clone()).count() > MAX_LOG_STATEMENTS {
            let last = self.statements.range(all).next_back().map(|(spot, _)| *spot);
            if let Some(last) = last {
                self.statements.remove(&last);
            }
        }
        self.statements.contains_key(&spot)
    }

    /// Foundings, admissions and revocations, each with where it stands.
    pub fn statements(&self) -> impl Iterator<Item = (&Spot, &Statement)> {
        self.statements.iter()
    }

    /// The newest word of each log on where each member is.
    pub fn moved(&self) -> impl Iterator<Item = (&Spot, &Statement)> {
        self.moved.values().map(|(spot, statement)| (spot, statement))
    }

    /// The newest word of each log on what its author is called.
    pub fn renamed(&self) -> impl Iterator<Item = (&Spot, &Statement)> {
        self.renamed.values().map(|(spot, statement)| (spot, statement))
    }

    /// Whether an author wrote `later` knowingly behind `earlier`: in the same log, or in one that resumes it.
    pub fn is_behind(&self, later: &Spot, earlier: &Spot) -> bool {
        if later.log == earlier.log {
            return later > earlier;
        }
        let resumed = self.resumed.get(&later.log).and_then(|heads| heads.head(&earlier.log));
        resumed.is_some_and(|head| head.length > earlier.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::identity::Identity;
    use crate::model::keys::SecretKey;
    use crate::model::ledger::membership::{Moved, Renamed, Revoked};
    use crate::model::ledger::pen::Pen;
    use std::net::SocketAddr;

    fn identity() -> Identity {
        Identity::new(SecretKey::from([1; 32]))
    }

    fn renamed(to: &str) -> Entry {
        let organisation = to.parse().expect("a name");
        Membership::Renamed(Renamed { network: [7; 32].into(), organisation }).into()
    }

    fn revoked(number: u64) -> Entry {
        let mut member = [0; 32];
        member[..8].copy_from_slice(&number.to_be_bytes());
        let said = Revoked::new(
            [7; 32].into(),
            member.into(),
            &Heads::default(),
            "".parse().expect("a reason"),
        );
        Membership::Revoked(said.expect("no logs")).into()
    }

    fn moved(number: u64) -> Entry {
        let mut member = [0; 32];
        member[..8].copy_from_slice(&number.to_be_bytes());
        let address = SocketAddr::from(([10, 0, 0, 1], 9)).try_into().expect("an address");
        let moved = Moved { network: [7; 32].into(), member: member.into(), address };
        Membership::Moved(moved).into()
    }

    #[test]
    fn the_newest_word_of_a_log_counts_in_whatever_order_its_blocks_come() {
        let mut pen = Pen::begin(&identity(), 1.into());
        let names = ["a", "b", "c"];
        let blocks = names.map(|name| pen.sign(vec![renamed(name)], 1, 0).expect("room"));
        let (mut one, mut other) = (Register::default(), Register::default());
        blocks.iter().for_each(|block| assert!(one.take(block)));
        assert!(other.take(&blocks[2]) && !other.take(&blocks[0]) && !other.take(&blocks[1]));
        assert_eq!(one, other);
        let words: Vec<_> = one.renamed().map(|(spot, _)| spot.sequence).collect();
        assert_eq!(words, [2]);
    }

    #[test]
    fn a_log_that_is_flooded_keeps_what_stands_first_in_it() {
        let most = MAX_LOG_STATEMENTS as u64;
        let mut pen = Pen::begin(&identity(), 1.into());
        let entries: Vec<_> = (0..most + 700).flat_map(|n| [revoked(n), moved(n)]).collect();
        let portions = Pen::portions(entries);
        let blocks: Vec<_> =
            portions.into_iter().map(|one| pen.sign(one, 1, 0).expect("room")).collect();
        let (mut one, mut other) = (Register::default(), Register::default());
        blocks.iter().for_each(|block| {
            one.take(block);
        });
        blocks.iter().rev().chain(&blocks).for_each(|block| {
            other.take(block);
        });
        assert_eq!(one, other);
        assert_eq!(
            (one.statements.len(), one.moved.len()),
            (MAX_LOG_STATEMENTS, MAX_LOG_STATEMENTS)
        );
    }

    #[test]
    fn an_author_orders_its_own_logs_by_what_it_says_of_them_alone() {
        let mut first = Pen::begin(&identity(), 9.into());
        let block = first.sign(vec![renamed("a"), renamed("b")], 1, 0).expect("room");
        let heads = [block.signed().head()].into_iter().collect();
        let (mut second, resume) = Pen::resume(&identity(), 5.into(), &heads);
        let resumed = second.sign(vec![resume], 2, 0).expect("room");
        let mut apart = Pen::begin(&identity(), 3.into());
        let apart = apart.sign(vec![renamed("c")], 3, 0).expect("room");
        let mut register = Register::default();
        for block in [&block, &resumed, &apart] {
            register.take(block);
        }
        let spot = |log: u64, sequence, index| Spot {
            log: LogName { author: identity().public().identity, log: log.into() },
            sequence,
            index,
        };
        assert!(register.is_behind(&spot(9, 0, 1), &spot(9, 0, 0)));
        assert!(!register.is_behind(&spot(9, 0, 0), &spot(9, 0, 0)));
        assert!(register.is_behind(&spot(5, 4, 0), &spot(9, 0, 1)));
        assert!(!register.is_behind(&spot(5, 4, 0), &spot(9, 1, 0)), "written after the memory");
        assert!(!register.is_behind(&spot(3, 0, 0), &spot(9, 0, 0)));
    }
}
