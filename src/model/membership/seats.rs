//! Gives everybody who stands in the network the number, knock key and token that they alone have.

use crate::model::ids::PeerNumber;
use crate::model::keys::IdentityKey;
use crate::model::ledger::membership::Admitted;
use crate::model::ledger::merkle::{Hash, sha256};
use crate::model::limits::{LOWEST_SPARE_NUMBER, MAX_PEERS};
use crate::model::membership::tally::Tally;
use crate::model::membership::voices::{Admission, Voices};
use std::collections::{BTreeMap, BTreeSet};

/// Somebody who stands in the network, by one admission.
#[derive(Clone, Debug)]
pub struct Seat<'a> {
    /// What was said of them.
    pub admitted: &'a Admitted,
    /// The number by which they are known.
    pub number: PeerNumber,
    /// Who admitted them.
    pub by: BTreeSet<IdentityKey>,
    /// Whether they signed that themselves.
    pub has_consented: bool,
    /// How many admissions away from the founder they are.
    pub depth: u32,
    leaf: Hash,
    lamport: u64,
    /// How far the nearest of those who admitted them is.
    near: u32,
}

/// All seats.
#[derive(Debug, Default)]
pub struct Seats<'a> {
    /// Who has one.
    pub taken: Vec<Seat<'a>>,
    /// Admissions by which nobody has one, because somebody else has their knock key or token.
    pub clashing: Vec<&'a Admitted>,
    /// Numbers that were ever given to somebody.
    pub given: BTreeSet<PeerNumber>,
}

impl<'a> Seats<'a> {
    /// Who has which.
    pub fn new(voices: &Voices<'a>, tally: &Tally) -> Self {
        let mut seats = Self::default();
        let mut claims: BTreeMap<IdentityKey, Seat<'a>> = BTreeMap::new();
        for leaf in &tally.standing.admissions {
            let Some(admission) = voices.admissions.get(leaf) else { continue };
            let seat = seat(leaf, admission, tally);
            seats.given.insert(seat.number);
            match claims.get(&admission.admitted.member()) {
                Some(known) if preference(known) <= preference(&seat) => {}
                _ => {
                    claims.insert(admission.admitted.member(), seat);
                }
            }
        }
        let mut claims: Vec<_> = claims.into_values().collect();
        // Who is shut out keeps what they had, whoever comes nearer to the founder with it.
        claims
            .sort_by_key(|seat| (!tally.rulings.contains_key(&seat.admitted.member()), rank(seat)));
        seats.part_clashing(&mut claims);
        claims.sort_by_key(|seat| (seat.number, rank(seat)));
        seats.place(claims);
        seats
    }

    /// Takes away those whose knock key or token one before them has. Which number they want has no say in it: a low one
    /// is soon made up.
    fn part_clashing(&mut self, claims: &mut Vec<Seat<'a>>) {
        let (mut knocks, mut tokens) = (BTreeSet::new(), BTreeSet::new());
        claims.retain(|claim| {
            let is_first = knocks.insert(claim.admitted.profile().keys.knock)
                & tokens.insert(sha256(&[claim.admitted.token().token().expose()]));
            if !is_first {
                self.clashing.push(claim.admitted);
            }
            is_first
        });
    }

    /// Seats them, who comes first first.
    fn place(&mut self, claims: Vec<Seat<'a>>) {
        let mut numbers = BTreeSet::new();
        let mut homeless = Vec::new();
        for claim in claims {
            match numbers.insert(claim.number) {
                true => self.taken.push(claim),
                false => homeless.push(claim),
            }
        }
        homeless.sort_by_key(|seat| seat.leaf);
        for mut seat in homeless {
            let free =
                |number: &PeerNumber| !self.given.contains(number) && !numbers.contains(number);
            let found = spare_numbers(&seat.leaf).find(free);
            match found {
                Some(number) => {
                    numbers.insert(number);
                    seat.number = number;
                    self.taken.push(seat);
                }
                None => self.clashing.push(seat.admitted),
            }
        }
        self.taken.sort_by_key(|seat| seat.number);
    }
}

fn seat<'a>(leaf: &Hash, admission: &Admission<'a>, tally: &Tally) -> Seat<'a> {
    let member = admission.admitted.member();
    let depths = &tally.standing.depths;
    let right = admission.signed.iter().filter(|(spot, _)| !tally.is_void(spot));
    let (mut by, mut has_consented) = (BTreeSet::new(), false);
    let (mut lamport, mut near) = (u64::MAX, u32::MAX);
    for (spot, number) in right {
        let author = spot.log.author;
        has_consented |= author == member;
        let Some(depth) = depths.get(&author) else { continue };
        // The founder's own is the only one that counts for who signed it.
        if author != member || *depth == 0 {
            (lamport, near) = (lamport.min(*number), near.min(*depth));
            by.insert(author);
        }
    }
    let (admitted, number) = (admission.admitted, admission.admitted.profile().number);
    let depth = depths.get(&member).copied().unwrap_or(u32::MAX);
    Seat { admitted, number, by, has_consented, depth, leaf: *leaf, lamport, near }
}

/// Of several admissions of one key the lowest holds: first that to which it consented.
fn preference(seat: &Seat<'_>) -> (bool, u32, u64, Hash) {
    (!seat.has_consented, seat.near, seat.lamport, seat.leaf)
}

/// Of several members who are given the same the lowest has it.
fn rank(seat: &Seat<'_>) -> (u32, u64, Hash) {
    (seat.depth, seat.lamport, seat.leaf)
}

/// The numbers for whom an admission gave somebody else's, from one that its leaf says on.
fn spare_numbers(leaf: &Hash) -> impl Iterator<Item = PeerNumber> + use<> {
    let [high, low, ..] = *leaf;
    let count = MAX_PEERS + 1 - usize::from(LOWEST_SPARE_NUMBER);
    let first = usize::from(u16::from_be_bytes([high, low]));
    (0..count).filter_map(move |step| {
        let number = usize::from(LOWEST_SPARE_NUMBER) + (first + step) % count;
        PeerNumber::try_from(number as u64).ok()
    })
}
