//! Who is a member now. Whoever has the same blocks has the same roster.

use crate::model::address::Address;
use crate::model::ids::{NetworkName, Organisation, PeerNumber, Reason};
use crate::model::keys::{IdentityKey, KnockKey, PublicKeys};
use crate::model::ledger::bar::Bars;
use crate::model::ledger::membership::{Admitted, Heeded, Membership, Rule};
use crate::model::ledger::names::{LogName, NetworkId};
use crate::model::ledger::register::{Register, Spot, Statement};
use crate::model::limits::{MAX_ADDRESSES, MAX_PEERS};
use crate::model::membership::seats::{Seat, Seats};
use crate::model::membership::tally::{Ruling, Rulings, Tally};
use crate::model::membership::voices::{Admission, Counts, Voices};
use crate::model::secret::{SharedToken, Token};
use std::collections::{BTreeMap, BTreeSet};

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The number by which people know it.
    pub number: PeerNumber,
    /// The number that its admission gave it, if another has that.
    pub wanted: Option<PeerNumber>,
    /// Whose it is, as it calls itself.
    pub organisation: Organisation,
    /// Its keys.
    pub keys: PublicKeys,
    /// Where to look for it, the likeliest first: its own word, what people typed, the address of its admission.
    pub addresses: Vec<Address>,
    /// Who admitted it.
    pub admitted_by: BTreeSet<IdentityKey>,
    /// How many admissions away from the founder it is.
    pub depth: u32,
    /// Whether it has signed its admission.
    pub has_consented: bool,
    token: SharedToken,
}

impl Member {
    /// Its token. Nobody is shown it.
    pub fn token(&self) -> &Token {
        self.token.token()
    }
}

/// Somebody who is shut out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shut {
    /// Who spoke against it.
    pub by: BTreeSet<IdentityKey>,
    /// Who has seen that it is shut out, besides these.
    pub heeded_by: BTreeSet<IdentityKey>,
    /// What reasons they gave.
    pub reasons: Vec<Reason>,
    /// As whom it was known.
    pub known_as: Known,
}

/// As whom somebody was known who is shut out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// A member with this number, of this organisation.
    Member(PeerNumber, Organisation),
    /// Somebody that others took in, which does not count: they are shut out too or were too few, or it has a key or
    /// token of another. What it calls itself may be another's name.
    Doubtful,
    /// Somebody that nobody took in.
    Stranger,
}

/// What too few have signed yet. Who agrees with an admission signs exactly the same, who agrees with a revocation
/// names the same member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// What was said.
    pub said: Membership,
    /// Members who said it.
    pub by: BTreeSet<IdentityKey>,
}

/// Who belongs to a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    network: NetworkId,
    name: NetworkName,
    rule: Rule,
    founder: IdentityKey,
    members: BTreeMap<PeerNumber, Member>,
    numbers: BTreeMap<IdentityKey, PeerNumber>,
    shut: BTreeMap<IdentityKey, Shut>,
    /// Knock keys of those who are shut out.
    shut_knocks: BTreeSet<KnockKey>,
    authors: BTreeSet<IdentityKey>,
    rulings: Rulings,
    open: Vec<Open>,
    clashing: Vec<Admitted>,
    /// Numbers that admissions ever gave, and those that were given instead.
    given: BTreeSet<PeerNumber>,
    spare: BTreeSet<PeerNumber>,
}

impl Roster {
    /// The roster of this network, as it follows from the register; `None` if its founding has not come yet. What does
    /// not count because its author forked is left away.
    pub fn new(register: &Register, network: NetworkId, counts: Counts<'_>) -> Option<Self> {
        let voices = Voices::new(register, network, counts)?;
        let tally = Tally::new(&voices);
        let seats = Seats::new(&voices, &tally);
        let words = Words::new(register, network, counts, &tally);
        let mut roster = Self {
            network,
            name: voices.founded.name.clone(),
            rule: voices.founded.rule,
            founder: voices.founder,
            members: BTreeMap::new(),
            numbers: BTreeMap::new(),
            shut: BTreeMap::new(),
            shut_knocks: BTreeSet::new(),
            authors: tally.standing.depths.keys().copied().collect(),
            rulings: Rulings::new(),
            open: open(&voices, &tally),
            clashing: seats.clashing.iter().map(|admitted| (*admitted).clone()).collect(),
            spare: seats.taken.iter().map(|seat| seat.number).collect(),
            given: seats.given,
        };
        roster.spare.retain(|number| !roster.given.contains(number));
        for (key, ruling) in &tally.rulings {
            roster.shut.insert(*key, shut(key, ruling, &voices));
        }
        for key in taken_in(&voices) {
            if let Some(shut) = roster.shut.get_mut(&key) {
                shut.known_as = Known::Doubtful;
            }
        }
        for seat in &seats.taken {
            let member = words.member(seat);
            match roster.shut.get_mut(&member.keys.identity) {
                Some(shut) => {
                    shut.known_as = Known::Member(member.number, member.organisation);
                    roster.shut_knocks.insert(member.keys.knock);
                }
                None => {
                    roster.numbers.insert(member.keys.identity, member.number);
                    roster.members.insert(member.number, member);
                }
            }
        }
        roster.rulings = tally.rulings;
        Some(roster)
    }

    /// Which network it is.
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// What the network is called.
    pub fn name(&self) -> &NetworkName {
        &self.name
    }

    /// Who may do what in it.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// Who began it.
    pub fn founder(&self) -> IdentityKey {
        self.founder
    }

    /// The member with this key.
    pub fn member(&self, key: &IdentityKey) -> Option<&Member> {
        self.by_number(*self.numbers.get(key)?)
    }

    /// The member with this number.
    pub fn by_number(&self, number: PeerNumber) -> Option<&Member> {
        self.members.get(&number)
    }

    /// All members, by their numbers.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none: the founder's own admission has not come yet.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether this key is shut out, for ever.
    pub fn is_revoked(&self, key: &IdentityKey) -> bool {
        self.shut.contains_key(key)
    }

    /// Whether one of these keys is: a device that was shut out and calls itself somebody else has its knock key still.
    pub fn is_shut_out(&self, keys: &PublicKeys) -> bool {
        self.is_revoked(&keys.identity) || self.shut_knocks.contains(&keys.knock)
    }

    /// All who are shut out, by their keys.
    pub fn shut(&self) -> impl Iterator<Item = (&IdentityKey, &Shut)> {
        self.shut.iter()
    }

    /// What this member, which has this roster, has not said yet and is to sign by itself: of whom it has seen that they
    /// are shut out.
    pub fn unheeded(&self, by: &IdentityKey) -> Vec<Membership> {
        let is_silent = |shut: &Shut| !shut.by.contains(by) && !shut.heeded_by.contains(by);
        let silent = self.shut.iter().filter(|(member, shut)| *member != by && is_silent(shut));
        let heeded = |member| Heeded { network: self.network, member };
        silent.map(|(member, _)| Membership::Heeded(heeded(*member))).collect()
    }

    /// Whether this key belongs to the network or once did: what it wrote is kept and passed on, but for what is
    /// beyond its last good block.
    pub fn is_author(&self, key: &IdentityKey) -> bool {
        self.authors.contains(key)
    }

    /// Whether what stands there is beyond the last good block of a member that is shut out: it is kept, and not
    /// believed.
    pub fn is_beyond(&self, log: &LogName, sequence: u32) -> bool {
        self.rulings.get(&log.author).is_some_and(|ruling| ruling.is_beyond(log, sequence))
    }

    /// How far what each of those who are shut out wrote is good.
    pub fn bars(&self) -> Bars {
        self.rulings.iter().map(|(key, ruling)| (*key, ruling.bar())).collect()
    }

    /// What too few have signed yet, to be shown to people.
    pub fn open(&self) -> &[Open] {
        &self.open
    }

    /// Admissions that count and make nobody a member, because their knock key or token is another's: somebody
    /// meddles with the network.
    pub fn clashing(&self) -> &[Admitted] {
        &self.clashing
    }

    /// Whether a number was never given to anybody.
    pub fn is_free(&self, number: PeerNumber) -> bool {
        !self.given.contains(&number) && !self.spare.contains(&number)
    }

    /// The number for the next newcomer: above all that were given, while there are such. `None` if all are used up,
    /// since none is given twice.
    pub fn next_number(&self) -> Option<PeerNumber> {
        let highest = self.given.last().map_or(0, |number| usize::from(number.value()));
        let proposed = self.open.iter().filter_map(|open| match &open.said {
            Membership::Admitted(admitted) => Some(admitted.profile().number),
            _ => None,
        });
        let proposed: BTreeSet<_> = proposed.collect();
        let all = || {
            let above = (highest + 1..=MAX_PEERS).chain(1..=highest.min(MAX_PEERS));
            let numbers = above.filter_map(|number| PeerNumber::try_from(number as u64).ok());
            numbers
                .filter(move |number| !self.given.contains(number) && !self.spare.contains(number))
        };
        // Whoever proposes much must not use up the numbers.
        all().find(|number| !proposed.contains(number)).or_else(|| all().next())
    }
}

/// Those whom somebody else took in, whether it counts or not.
fn taken_in(voices: &Voices<'_>) -> BTreeSet<IdentityKey> {
    let by_others = |one: &&Admission<'_>| {
        let member = one.admitted.member();
        one.signed.iter().any(|(spot, _)| spot.log.author != member)
    };
    voices.admissions.values().filter(by_others).map(|one| one.admitted.member()).collect()
}

fn shut(key: &IdentityKey, ruling: &Ruling, voices: &Voices<'_>) -> Shut {
    let against = voices.against.get(key).into_iter().flatten();
    let spoke = against.filter(|voice| ruling.voices.contains_key(&voice.spot.log.author));
    let mut reasons: Vec<_> = spoke.map(|voice| voice.revoked.reason().clone()).collect();
    reasons.dedup();
    let (by, heeded_by) = (ruling.voices.keys().copied(), ruling.heeded.keys().copied());
    let (by, heeded_by) = (by.collect(), heeded_by.collect());
    Shut { by, heeded_by, reasons, known_as: Known::Stranger }
}

/// What members have said and does not count yet.
fn open(voices: &Voices<'_>, tally: &Tally) -> Vec<Open> {
    let is_member = |key: &IdentityKey| {
        tally.standing.depths.contains_key(key) && !tally.rulings.contains_key(key)
    };
    let mut open = Vec::new();
    for (leaf, admission) in &voices.admissions {
        let member = admission.admitted.member();
        let signers = admission.signed.iter().map(|(spot, _)| spot.log.author);
        let by: BTreeSet<_> = signers.filter(|key| is_member(key) && *key != member).collect();
        let is_open = !tally.standing.admissions.contains(leaf);
        if is_open && !by.is_empty() && !tally.rulings.contains_key(&member) {
            open.push(Open { said: Membership::Admitted(admission.admitted.clone()), by });
        }
    }
    for (target, against) in &voices.against {
        let spoke = || against.iter().filter(|voice| is_member(&voice.spot.log.author));
        let Some(first) = spoke().next().filter(|_| !tally.rulings.contains_key(target)) else {
            continue;
        };
        let by = spoke().map(|voice| voice.spot.log.author).collect();
        open.push(Open { said: Membership::Revoked(first.revoked.clone()), by });
    }
    open
}

/// The newest words on where members are and what they are called.
struct Words<'a> {
    /// Of each member the words of others, newest first.
    typed: BTreeMap<IdentityKey, Vec<(u64, Spot, Address)>>,
    own: BTreeMap<IdentityKey, (u64, Spot, Address)>,
    names: BTreeMap<IdentityKey, (u64, Spot, &'a Organisation)>,
}

impl<'a> Words<'a> {
    fn new(register: &'a Register, network: NetworkId, counts: Counts<'_>, tally: &Tally) -> Self {
        // Of a log the newest word is kept; nodes can have different ones of a log that forked.
        let heard = |(spot, statement): &(&Spot, &Statement)| {
            statement.said.network() == Some(network)
                && counts(&spot.log, u32::MAX, u64::MAX)
                && tally.standing.depths.contains_key(&spot.log.author)
                && !tally.rulings.contains_key(&spot.log.author)
        };
        let mut words =
            Self { typed: BTreeMap::new(), own: BTreeMap::new(), names: BTreeMap::new() };
        for (spot, statement) in register.moved().filter(heard) {
            let Membership::Moved(moved) = &statement.said else { continue };
            let word = (statement.lamport, *spot, moved.address);
            if moved.member == spot.log.author {
                let newest = words.own.entry(moved.member).or_insert(word);
                *newest = (*newest).max(word);
            } else {
                words.typed.entry(moved.member).or_default().push(word);
            }
        }
        words.typed.values_mut().for_each(|typed| typed.sort_by(|one, other| other.cmp(one)));
        for (spot, statement) in register.renamed().filter(heard) {
            let Membership::Renamed(renamed) = &statement.said else { continue };
            let word = (statement.lamport, *spot, &renamed.organisation);
            let newest = words.names.entry(spot.log.author).or_insert(word);
            if (newest.0, newest.1) < (word.0, word.1) {
                *newest = word;
            }
        }
        words
    }

    fn member(&self, seat: &Seat<'_>) -> Member {
        let profile = seat.admitted.profile();
        let key = profile.keys.identity;
        let own = self.own.get(&key).map(|(_, _, address)| *address);
        let own = own.or(seat.has_consented.then_some(profile.address));
        // Of each person who typed one, the newest.
        let (mut by, mut addresses) = (BTreeSet::new(), Vec::from_iter(own));
        for (_, spot, address) in self.typed.get(&key).into_iter().flatten() {
            let is_first = by.insert(spot.log.author) && !addresses.contains(address);
            if is_first && addresses.len() + 1 < MAX_ADDRESSES {
                addresses.push(*address);
            }
        }
        if !addresses.contains(&profile.address) {
            addresses.push(profile.address);
        }
        let name = self.names.get(&key).map_or(&profile.organisation, |(_, _, name)| *name);
        Member {
            number: seat.number,
            wanted: (profile.number != seat.number).then_some(profile.number),
            organisation: name.clone(),
            keys: profile.keys,
            addresses,
            admitted_by: seat.by.clone(),
            depth: seat.depth,
            has_consented: seat.has_consented,
            token: seat.admitted.token().clone(),
        }
    }
}
