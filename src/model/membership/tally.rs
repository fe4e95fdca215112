//! Counts voices: who stands in the network, and who is shut out of it.
//!
//! Whom a revoked member admitted, and whom it spoke against, beyond its last good block does not count; so one
//! revocation can undo another. They are decided in steps. `named` are those against whom enough voices count after all
//! that is decided. Of these, those are decided next whose voices count even if all the others are decided too. If
//! there are none, some of them undo each other, and the weightiest is decided alone.

use crate::model::keys::IdentityKey;
use crate::model::ledger::bar::Bar;
use crate::model::ledger::merkle::Hash;
use crate::model::ledger::names::LogName;
use crate::model::ledger::register::Spot;
use crate::model::membership::voices::{Voice, Voices};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// That somebody is shut out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// Whose voices it stands on, and how many admissions away from the founder each of them is.
    pub voices: BTreeMap<IdentityKey, u32>,
    /// Who had seen it, in the same way; it does not stand on these.
    pub heeded: BTreeMap<IdentityKey, u32>,
    /// How long the good part of each log is. What stands further on, or in another log, is beyond.
    ends: BTreeMap<LogName, u32>,
    /// That of logs which nobody named: nothing, unless nobody doubts anything.
    otherwise: u32,
}

impl Ruling {
    /// How far what the target wrote is good.
    pub fn bar(&self) -> Bar {
        Bar { ends: self.ends.clone(), otherwise: self.otherwise }
    }

    /// Whether what the target wrote there is beyond its last good block.
    pub fn is_beyond(&self, log: &LogName, sequence: u32) -> bool {
        sequence >= self.ends.get(log).copied().unwrap_or(self.otherwise)
    }

    /// The lower, the weightier: older members first, more of them if these are the same. Who had seen a ruling weighs
    /// as much as who made it.
    fn weight(&self, admit: usize) -> Vec<u32> {
        let silent = self.heeded.iter().filter(|(member, _)| !self.voices.contains_key(member));
        // Where one admits, the founder's own device is trusted with all. Where more do, it is one among others.
        let least = u32::from(admit > 1);
        let depths = self.voices.values().copied().chain(silent.map(|(_, depth)| *depth));
        let mut depths: Vec<_> = depths.map(|depth| depth.max(least)).collect();
        depths.sort_unstable();
        depths.push(u32::MAX);
        depths
    }
}

/// Who is shut out.
pub type Rulings = BTreeMap<IdentityKey, Ruling>;

/// Who stands in the network, also if they are shut out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How many admissions away from the founder each is.
    pub depths: BTreeMap<IdentityKey, u32>,
    /// The admissions that count.
    pub admissions: BTreeSet<Hash>,
}

/// What follows from the voices.
#[derive(Debug)]
pub struct Tally {
    /// Who stands.
    pub standing: Standing,
    /// Who is shut out.
    pub rulings: Rulings,
}

impl Tally {
    /// Counts.
    pub fn new(voices: &Voices<'_>) -> Self {
        let mut rulings = Rulings::new();
        loop {
            let possible = named(voices, &rulings, &Rulings::new());
            if possible.is_empty() {
                break;
            }
            let mut certain = named(voices, &rulings, &possible);
            certain.retain(|target, _| possible.contains_key(target));
            if certain.is_empty() {
                // They undo each other.
                let admit = voices.founded.rule.admit();
                let weight =
                    |(target, ruling): &(IdentityKey, Ruling)| (ruling.weight(admit), *target);
                certain.extend(possible.into_iter().min_by_key(weight));
            }
            rulings.extend(certain);
        }
        let standing = standing(voices, |spot| is_void(&[&rulings], spot));
        Self { standing, rulings }
    }

    /// Whether what stands there is beyond the last good block of its author.
    pub fn is_void(&self, spot: &Spot) -> bool {
        is_void(&[&self.rulings], spot)
    }
}

fn is_void(rulings: &[&Rulings], spot: &Spot) -> bool {
    let beyond = |ruling: &Ruling| ruling.is_beyond(&spot.log, spot.sequence);
    rulings.iter().any(|rulings| rulings.get(&spot.log.author).is_some_and(beyond))
}

/// Who stands, if what is `left_out` does not count.
fn standing(voices: &Voices<'_>, left_out: impl Fn(&Spot) -> bool) -> Standing {
    standing_while(voices, left_out, |_| true)
}

/// As `standing`, until somebody stands of whom `go_on` does not hold.
fn standing_while(
    voices: &Voices<'_>,
    left_out: impl Fn(&Spot) -> bool,
    mut go_on: impl FnMut(&IdentityKey) -> bool,
) -> Standing {
    let (founder, needed) = (voices.founder, voices.founded.rule.admit());
    let mut standing = Standing::default();
    let mut signers: BTreeMap<&Hash, BTreeSet<IdentityKey>> = BTreeMap::new();
    let mut queue = VecDeque::from([(founder, 0)]);
    standing.depths.insert(founder, 0);
    // Nearest first: so who completes an admission says how far it is.
    while let Some((author, depth)) = queue.pop_front() {
        for (leaf, spot) in voices.signed.get(&author).into_iter().flatten() {
            let Some(admission) = voices.admissions.get(leaf) else { continue };
            let member = admission.admitted.member();
            let is_founder = author == founder;
            if left_out(spot) || (member == author && !is_founder) {
                continue;
            }
            let signers = signers.entry(leaf).or_default();
            signers.insert(author);
            let alone = is_founder && (member == founder || voices.first.contains(leaf));
            if alone || signers.len() >= needed {
                standing.admissions.insert(*leaf);
                if let Entry::Vacant(place) = standing.depths.entry(member) {
                    place.insert(depth + 1);
                    queue.push_back((member, depth + 1));
                    if !go_on(&member) {
                        return standing;
                    }
                }
            }
        }
    }
    standing
}

/// A voice that counts.
struct Heard<'a> {
    voice: &'a Voice<'a>,
    /// Whether it says what is beyond the last good block. Who would void their own admission by that says nothing of
    /// it: else two could tear down all that the founder did, themselves with it.
    doubts: bool,
}

impl Heard<'_> {
    /// How long the good part of this log is; of one that it does not name, for `None`.
    fn end(&self, log: Option<&LogName>) -> u32 {
        let named = log.and_then(|log| self.voice.last_good().head(log));
        if self.doubts { named.map_or(0, |head| head.length) } else { u32::MAX }
    }
}

/// Voices that count, by whose they are.
type By<'a> = BTreeMap<IdentityKey, Vec<Heard<'a>>>;

/// Those against whom enough voices count, after these rulings and if `others` are made too.
fn named(voices: &Voices<'_>, rulings: &Rulings, others: &Rulings) -> Rulings {
    let void = |spot: &Spot| is_void(&[rulings, others], spot);
    let stand = standing(voices, void);
    let mut named = Rulings::new();
    for (target, against) in &voices.against {
        if rulings.contains_key(target) {
            continue;
        }
        let mut by = By::new();
        for voice in against {
            let author = voice.spot.log.author;
            if stand.depths.contains_key(&author) && !void(&voice.spot) {
                by.entry(author).or_default().push(Heard { voice, doubts: true });
            }
        }
        let needed = voices.founded.rule.revoke();
        let is_enough =
            by.len() >= needed || (!by.is_empty() && are_all(voices, target, &by, rulings, void));
        if is_enough {
            for heard in by.values_mut().flatten() {
                heard.doubts = !undoes_itself(voices, heard.voice, &stand, void);
            }
            let heeded = voices.heeded.get(target).into_iter().flatten();
            let heeded = heeded.filter(|spot| !void(spot)).filter_map(|spot| {
                let author = spot.log.author;
                Some((author, *stand.depths.get(&author)?))
            });
            let ruling = ruling(&by, by.len().min(needed), &stand);
            named.insert(*target, Ruling { heeded: heeded.collect(), ..ruling });
        }
    }
    named
}

/// Whether its author would not stand any more if what the voice doubts did not count.
fn undoes_itself(
    voices: &Voices<'_>,
    voice: &Voice<'_>,
    stand: &Standing,
    void: impl Fn(&Spot) -> bool,
) -> bool {
    let target = voice.revoked.member();
    let is_doubted = |spot: &Spot| {
        let good = voice.last_good().head(&spot.log).map_or(0, |head| head.length);
        spot.log.author == target && spot.sequence >= good
    };
    let signed = voices.signed.get(&target).into_iter().flatten();
    let mut signed = signed.filter(|(leaf, _)| stand.admissions.contains(leaf));
    signed.any(|(_, spot)| is_doubted(spot)) && {
        let rest = standing(voices, |spot| void(spot) || is_doubted(spot));
        !rest.depths.contains_key(&voice.spot.log.author)
    }
}

/// Whether nobody else is there who could speak against the target, besides who was admitted by those who have,
/// after they had.
fn are_all(
    voices: &Voices<'_>,
    target: &IdentityKey,
    by: &By<'_>,
    rulings: &Rulings,
    void: impl Fn(&Spot) -> bool,
) -> bool {
    let later = |spot: &Spot| {
        let mut own = by.get(&spot.log.author).into_iter().flatten();
        own.any(|heard| voices.is_behind(spot, &heard.voice.spot))
    };
    let is_no_other = |member: &IdentityKey| {
        member == target || by.contains_key(member) || rulings.contains_key(member)
    };
    let mut are_all = is_no_other(&voices.founder);
    standing_while(
        voices,
        |spot| void(spot) || later(spot),
        |member| {
            are_all &= is_no_other(member);
            are_all
        },
    );
    are_all
}

/// The ruling of these voices. Beyond the last good block is what as many put there as are needed. Of one who spoke
/// twice, the harsher word counts.
fn ruling(by: &By<'_>, needed: usize, stand: &Standing) -> Ruling {
    let end = |log: Option<&LogName>| {
        let of = |own: &Vec<Heard<'_>>| own.iter().map(|heard| heard.end(log)).min();
        let mut ends: Vec<_> = by.values().filter_map(of).collect();
        ends.sort_unstable();
        ends.get(needed.saturating_sub(1)).copied().unwrap_or(u32::MAX)
    };
    let all = by.values().flatten().flat_map(|heard| heard.voice.last_good().iter());
    let logs: BTreeSet<_> = all.map(|head| head.name).collect();
    let depth = |author| stand.depths.get(author).copied().unwrap_or(u32::MAX);
    Ruling {
        voices: by.keys().map(|author| (*author, depth(author))).collect(),
        heeded: BTreeMap::new(),
        ends: logs.iter().map(|log| (*log, end(Some(log)))).collect(),
        otherwise: end(None),
    }
}
