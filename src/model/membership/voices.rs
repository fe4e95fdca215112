//! What is said in one network, sorted by who is admitted, by whom, and by whom somebody is to be shut out.

use crate::model::keys::IdentityKey;
use crate::model::ledger::heads::Heads;
use crate::model::ledger::membership::{Admitted, Founded, Membership, Revoked};
use crate::model::ledger::merkle::Hash;
use crate::model::ledger::names::{LogName, NetworkId};
use crate::model::ledger::register::{Register, Spot, Statement};
use crate::model::limits::MAX_VOICES_EACH;
use std::collections::{BTreeMap, BTreeSet};

/// An admission, and where it is signed.
#[derive(Debug)]
pub struct Admission<'a> {
    /// What it says.
    pub admitted: &'a Admitted,
    /// Where it stands, with the Lamport numbers.
    pub signed: Vec<(Spot, u64)>,
}

/// A voice against somebody.
#[derive(Clone, Copy, Debug)]
pub struct Voice<'a> {
    /// Where it stands: it says whose it is.
    pub spot: Spot,
    lamport: u64,
    /// What it says.
    pub revoked: &'a Revoked,
}

impl Voice<'_> {
    /// The ends of the good part of the target's logs.
    pub fn last_good(&self) -> &Heads {
        self.revoked.last_good()
    }
}

/// All that is said in one network.
#[derive(Debug)]
pub struct Voices<'a> {
    /// Who began it.
    pub founder: IdentityKey,
    /// How it began.
    pub founded: &'a Founded,
    /// All admissions, by their leaves.
    pub admissions: BTreeMap<Hash, Admission<'a>>,
    /// Which admissions an author signed, and where.
    pub signed: BTreeMap<IdentityKey, Vec<(Hash, Spot)>>,
    /// The voices against each.
    pub against: BTreeMap<IdentityKey, Vec<Voice<'a>>>,
    /// Who has seen that each is shut out, and where they say so.
    pub heeded: BTreeMap<IdentityKey, Vec<Spot>>,
    /// Those that the founder alone admits.
    pub first: BTreeSet<Hash>,
    register: &'a Register,
}

/// Whether what an author wrote there, with this Lamport number, counts: `Chains::counts_at` says so.
pub type Counts<'a> = &'a dyn Fn(&LogName, u32, u64) -> bool;

impl<'a> Voices<'a> {
    /// What is said in this network; `None` if its founding is not here.
    pub fn new(register: &'a Register, network: NetworkId, counts: Counts<'_>) -> Option<Self> {
        let all = register.statements();
        let mut all: Vec<_> = all
            .filter(|(spot, said)| counts(&spot.log, spot.sequence, said.lamport))
            .map(|(spot, said)| (*spot, said))
            .collect();
        let (began, founded) = all.iter().find_map(|(spot, said)| match &said.said {
            Membership::Founded(founded) if founded.network(&spot.log.author) == network => {
                Some((*spot, founded))
            }
            _ => None,
        })?;
        all.retain(|(_, said)| said.said.network() == Some(network));
        let mut voices = Self {
            founder: began.log.author,
            founded,
            admissions: BTreeMap::new(),
            signed: BTreeMap::new(),
            against: BTreeMap::new(),
            heeded: BTreeMap::new(),
            first: BTreeSet::new(),
            register,
        };
        for (spot, said) in &all {
            voices.add(*spot, said);
        }
        voices.against.values_mut().for_each(keep_first);
        voices.first = voices.first_admissions(began);
        Some(voices)
    }

    fn add(&mut self, spot: Spot, said: &'a Statement) {
        match &said.said {
            Membership::Admitted(admitted) => {
                let new = || Admission { admitted, signed: Vec::new() };
                let admission = self.admissions.entry(said.leaf).or_insert_with(new);
                admission.signed.push((spot, said.lamport));
                self.signed.entry(spot.log.author).or_default().push((said.leaf, spot));
            }
            // Nobody's voice counts against themselves.
            Membership::Revoked(revoked) if revoked.member() != spot.log.author => {
                let lamport = said.lamport;
                let voice = Voice { spot, lamport, revoked };
                self.against.entry(revoked.member()).or_default().push(voice);
            }
            Membership::Heeded(heeded) if heeded.member != spot.log.author => {
                self.heeded.entry(heeded.member).or_default().push(spot);
            }
            _ => {}
        }
    }

    /// The founder has nobody beside it at first: the first that it admits, in the log in which it began, are
    /// admitted by it alone, so many that there are then as many as the rule asks for.
    fn first_admissions(&self, began: Spot) -> BTreeSet<Hash> {
        let alone = self.founded.rule.admit() - 1;
        let (mut first, mut keys) = (BTreeSet::new(), BTreeSet::new());
        let own = self.signed.get(&self.founder).into_iter().flatten();
        let mut own: Vec<_> =
            own.filter(|(_, spot)| spot.log == began.log && *spot > began).collect();
        own.sort_by_key(|(_, spot)| *spot);
        for (leaf, _) in own {
            let key = self.admissions.get(leaf).map(|admission| admission.admitted.member());
            let Some(key) = key.filter(|key| *key != self.founder) else { continue };
            if keys.len() < alone || keys.contains(&key) {
                keys.insert(key);
                first.insert(*leaf);
            }
        }
        first
    }

    /// Whether an author wrote `later` knowingly behind `earlier`.
    pub fn is_behind(&self, later: &Spot, earlier: &Spot) -> bool {
        self.register.is_behind(later, earlier)
    }
}

/// Of each author keeps the first few. The first of all is worth most: a lone voice can rest on when it was raised.
fn keep_first(against: &mut Vec<Voice<'_>>) {
    against.sort_by_key(|voice| (voice.spot.log.author, voice.lamport, voice.spot));
    let mut last = (None, 0);
    against.retain(|voice| {
        let author = Some(voice.spot.log.author);
        last = (author, if last.0 == author { last.1 + 1 } else { 1 });
        last.1 <= MAX_VOICES_EACH
    });
}
