//! The bag: the letters and receipts that a node holds, its own and those it carries, each for so long and no more.
//!
//! Nobody can fill it for the others: each author and each recipient has a share, and when the bag is full, who has
//! the most in it makes room. Age is counted in hours in which nodes ran, and travels along: a clock that jumps from
//! 1970 to this year lets nothing expire.

use crate::model::keys::IdentityKey;
use crate::model::ledger::merkle::sha256;
use crate::model::ledger::names::AlarmId;
use crate::model::post::letter::{Envelope, Letter, LetterId};
use crate::model::post::limits::{
    LETTER_HOURS, MAX_LETTERS, MAX_LETTERS_OF, MAX_LETTERS_TO, MAX_RECEIPTS, MAX_RECEIPTS_OF,
    MAX_SHOWN_ALARMS_OF, MAX_SHOWN_LETTERS_OF,
};
use crate::model::post::memory::Memory;
use crate::model::post::receipt::{Receipt, ReceiptName};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Hours in which a node ran.
pub type Hours = u32;

/// Something, and how old it is, in hours.
pub type Aged<T> = (u16, T);

/// Something that is held, and for how long already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held<T> {
    /// What.
    pub what: T,
    /// The hours of this node when it came.
    pub since: Hours,
    /// How old it was then.
    pub age: u16,
}

impl<T> Held<T> {
    /// How old it is now, in hours.
    pub fn age(&self, now: Hours) -> u16 {
        let here = u16::try_from(now.saturating_sub(self.since)).unwrap_or(u16::MAX);
        self.age.saturating_add(here)
    }
}

/// What became of a letter that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Took {
    /// It is in the bag now.
    New,
    /// It was, or its recipient has it already.
    Known,
    /// There is no room for it.
    Full,
}

/// What a bag holds, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// Letters.
    pub letters: BTreeSet<LetterId>,
    /// Receipts.
    pub receipts: BTreeSet<ReceiptName>,
}

/// What one node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bag {
    me: IdentityKey,
    /// Hours in which this node ran.
    pub(in crate::model::post) hours: Hours,
    pub(in crate::model::post) letters: BTreeMap<LetterId, Held<Letter>>,
    pub(in crate::model::post) receipts: BTreeMap<ReceiptName, Held<Receipt>>,
    /// Letters to this node that it has shown.
    pub(in crate::model::post) shown: Memory<LetterId>,
    /// Alarms that it has shown.
    pub(in crate::model::post) alarms: Memory<AlarmId>,
}

impl Bag {
    /// An empty one of the node with this key.
    pub fn new(me: IdentityKey) -> Self {
        Self {
            me,
            hours: 0,
            letters: BTreeMap::new(),
            receipts: BTreeMap::new(),
            shown: Memory::new(MAX_SHOWN_LETTERS_OF),
            alarms: Memory::new(MAX_SHOWN_ALARMS_OF),
        }
    }

    /// Whose it is.
    pub fn me(&self) -> IdentityKey {
        self.me
    }

    // --- letters ---

    /// Puts a letter in: an own one, or one that a peer gives, which must not be for this node. `age` is how old it is,
    /// in hours.
    pub fn take(&mut self, letter: Letter, age: u16) -> Took {
        let envelope = letter.envelope();
        let id = envelope.id;
        let has_receipt = || {
            let mut receipts = self.receipts.values().map(|held| &held.what);
            receipts.any(|one| (one.letter(), one.recipient()) == (id, envelope.recipient))
        };
        if self.letters.contains_key(&id) || has_receipt() || age >= LETTER_HOURS {
            return Took::Known;
        }
        let (me, author, recipient) = (self.me, envelope.author, envelope.recipient);
        if self.count(|one| one.author == author) >= MAX_LETTERS_OF {
            return Took::Full;
        }
        let is_to = |letter: &Letter| letter.envelope().recipient == recipient;
        if self.letters.values().filter(|held| is_to(&held.what)).count() >= MAX_LETTERS_TO
            && !self.make_room(me, author, is_to)
        {
            return Took::Full;
        }
        if self.letters.len() >= MAX_LETTERS && !self.make_room(me, author, |_| true) {
            return Took::Full;
        }
        self.letters.insert(id, Held { what: letter, since: self.hours, age });
        Took::New
    }

    /// Puts own letters in, all of them or none.
    pub fn take_all(&mut self, letters: Vec<Letter>) -> Took {
        let before = self.letters.clone();
        let none =
            letters.into_iter().map(|letter| self.take(letter, 0)).find(|took| *took != Took::New);
        match none {
            None => Took::New,
            // Those that made room are there again too.
            Some(why) => {
                self.letters = before;
                why
            }
        }
    }

    /// Takes own letters out again that are not to be sent after all.
    pub fn take_back(&mut self, ids: &[LetterId]) {
        ids.iter().for_each(|id| _ = self.letters.remove(id));
    }

    fn count(&self, is_one: impl Fn(&Envelope) -> bool) -> usize {
        self.letters.values().filter(|held| is_one(&held.what.envelope())).count()
    }

    /// Makes room for a letter of `author` among those that `is_one` tells: whoever else has the most of them gives the
    /// one that came last, if it still has no fewer then. Own letters stay.
    fn make_room(
        &mut self,
        me: IdentityKey,
        author: IdentityKey,
        is_one: impl Fn(&Letter) -> bool,
    ) -> bool {
        let mut counts: HashMap<IdentityKey, usize> = HashMap::new();
        for held in self.letters.values().filter(|held| is_one(&held.what)) {
            *counts.entry(held.what.envelope().author).or_default() += 1;
        }
        let has = counts.get(&author).copied().unwrap_or_default();
        let others = counts.iter().filter(|(one, _)| **one != me && **one != author);
        let most = others.max_by_key(|(one, count)| (**count, **one));
        let Some((most, _)) = most.filter(|(_, count)| **count > has + 1) else { return false };
        let theirs = self
            .letters
            .iter()
            .filter(|(_, held)| held.what.envelope().author == *most && is_one(&held.what));
        let last = theirs.max_by_key(|(id, held)| (held.since, **id)).map(|(id, _)| *id);
        last.is_some_and(|last| self.letters.remove(&last).is_some())
    }

    /// Whether this node has shown this letter.
    pub fn has_shown(&self, letter: &Letter) -> bool {
        let envelope = letter.envelope();
        self.shown.has(&envelope.author, &envelope.id)
    }

    /// Notes that this node is showing a letter. Returns false if it was noted before.
    pub fn show(&mut self, letter: &Letter) -> bool {
        let envelope = letter.envelope();
        self.shown.put(envelope.author, envelope.id)
    }

    // --- receipts ---

    /// Puts a receipt in, and takes its letter out. Returns that letter's receipt if this node wrote the letter; and
    /// whether the receipt is new and kept. `age` is how old it is, in hours.
    pub fn take_receipt(&mut self, receipt: Receipt, age: u16) -> (bool, Option<Receipt>) {
        let (name, letter) = (receipt.name(), receipt.letter());
        if self.receipts.contains_key(&name) || age >= LETTER_HOURS {
            return (false, None);
        }
        let is_theirs = |held: &Held<Letter>| held.what.envelope().recipient == receipt.recipient();
        let done = self.letters.get(&letter).filter(|held| is_theirs(held)).cloned();
        if done.is_some() {
            self.letters.remove(&letter);
        }
        let own = done.filter(|held| held.what.envelope().author == self.me);
        let own = own.map(|_| receipt.clone());
        let by = receipt.recipient();
        self.receipts.insert(name, Held { what: receipt, since: self.hours, age });
        self.trim_receipts(|one| one.recipient() == by, MAX_RECEIPTS_OF);
        self.trim_receipts(|_| true, MAX_RECEIPTS);
        (self.receipts.contains_key(&name), own)
    }

    /// Where there are too many, the one goes that was signed first, as it says: of the same receipts all nodes keep the
    /// same, or they would give each other those for which there is no room for ever.
    fn trim_receipts(&mut self, is_one: impl Fn(&Receipt) -> bool, most: usize) {
        let these = || self.receipts.iter().filter(|(_, held)| is_one(&held.what));
        if these().count() <= most {
            return;
        }
        let first = these().min_by_key(|(name, held)| (held.what.wall(), **name));
        if let Some(first) = first.map(|(name, _)| *name) {
            self.receipts.remove(&first);
        }
    }

    // --- alarms ---

    /// Whether this node has shown this alarm.
    pub fn has_shown_alarm(&self, author: &IdentityKey, id: &AlarmId) -> bool {
        self.alarms.has(author, id)
    }

    /// Notes that this node is showing an alarm. Returns false if it was noted before.
    pub fn show_alarm(&mut self, author: IdentityKey, id: AlarmId) -> bool {
        self.alarms.put(author, id)
    }

    // --- time ---

    /// An hour has passed in which this node ran. Takes out what is too old, and returns the own letters among that.
    pub fn hour(&mut self) -> Vec<Letter> {
        self.hours = self.hours.saturating_add(1);
        let now = self.hours;
        self.receipts.retain(|_, held| held.age(now) < LETTER_HOURS);
        let mut expired = Vec::new();
        self.letters.retain(|_, held| {
            let is_old = held.age(now) >= LETTER_HOURS;
            if is_old && held.what.envelope().author == self.me {
                expired.push(held.what.clone());
            }
            !is_old
        });
        expired
    }

    // --- members ---

    /// Takes out what is of or to members that were shut out, as `is_out` tells, and returns the own letters among that.
    /// What of them was shown stays known: were one let in after all, nothing would be shown twice.
    pub fn shut_out(&mut self, is_out: impl Fn(&IdentityKey) -> bool) -> Vec<Letter> {
        self.receipts.retain(|_, held| !is_out(&held.what.recipient()));
        let mut dropped = Vec::new();
        self.letters.retain(|_, held| {
            let Envelope { author, recipient, .. } = held.what.envelope();
            let goes = is_out(&author) || is_out(&recipient);
            if goes && author == self.me {
                dropped.push(held.what.clone());
            }
            !goes
        });
        dropped
    }

    // --- with peers ---

    /// What is in the bag, by name.
    pub fn lists(&self) -> Lists {
        Lists {
            letters: self.letters.keys().copied().collect(),
            receipts: self.receipts.keys().copied().collect(),
        }
    }

    /// A letter with its age, in hours.
    pub fn letter(&self, id: &LetterId) -> Option<(u16, Letter)> {
        self.letters.get(id).map(|held| (held.age(self.hours), held.what.clone()))
    }

    /// What a peer with these lists lacks: receipts and letters, with their age in hours.
    pub fn beyond(&self, theirs: &Lists) -> (Vec<Aged<Receipt>>, Vec<Aged<Letter>>) {
        let receipts = self.receipts.iter().filter(|(name, _)| !theirs.receipts.contains(*name));
        let letters = self.letters.iter().filter(|(id, _)| !theirs.letters.contains(*id));
        let receipts = receipts.map(|(_, held)| (held.age(self.hours), held.what.clone()));
        let letters = letters.map(|(_, held)| (held.age(self.hours), held.what.clone()));
        (receipts.collect(), letters.collect())
    }
}

impl Lists {
    /// Both lists as one hash: equal ones are not told.
    pub fn digest(&self) -> [u8; 32] {
        let letters: Vec<&[u8]> = self.letters.iter().map(|id| &id.as_bytes()[..]).collect();
        let receipts: Vec<&[u8]> = self.receipts.iter().map(|name| &name[..]).collect();
        let count = (letters.len() as u64).to_be_bytes();
        sha256(&[b"rn-bag1", &count[..], &letters.concat(), &receipts.concat()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::identity::Identity;
    use crate::model::keys::SecretKey;
    use crate::model::post::hand::Hand;
    use crate::model::post::limits::SEAL_BYTES;
    use crate::model::post::receipt::Fate;
    use proptest::prelude::*;

    fn identity(byte: u8) -> Identity {
        Identity::new(SecretKey::from([byte; 32]))
    }

    fn key(byte: u8) -> IdentityKey {
        identity(byte).public().identity
    }

    /// A letter that nobody can open.
    fn letter(author: u8, to: u8, number: u16) -> Letter {
        let mut id = [author; 16];
        id[..2].copy_from_slice(&number.to_be_bytes());
        let envelope = Envelope { id: id.into(), author: key(author), recipient: key(to) };
        Letter::sign(envelope, vec![0; 256 + SEAL_BYTES], &identity(author).signer())
    }

    fn receipt(by: u8, of: &Letter) -> Receipt {
        Hand::new(&identity(by)).receipt(of.id(), Fate::Shown, 9)
    }

    /// How many letters of its node a bag holds.
    fn own(bag: &Bag) -> usize {
        bag.count(|one| one.author == bag.me)
    }

    fn full(most: usize, mut make: impl FnMut(usize) -> Letter, bag: &mut Bag) -> usize {
        (0..most).filter(|at| bag.take(make(*at), 0) == Took::New).count()
    }

    #[test]
    fn each_author_each_recipient_and_all_together_have_a_bound() {
        let mut bag = Bag::new(key(1));
        let of_one = full(MAX_LETTERS_OF + 5, |at| letter(2, at as u8 + 60, at as u16), &mut bag);
        assert_eq!(of_one, MAX_LETTERS_OF);
        let mut bag = Bag::new(key(1));
        let to_one =
            full(MAX_LETTERS_TO + 50, |at| letter(at as u8 % 8 + 2, 99, at as u16), &mut bag);
        assert_eq!((to_one, bag.letters.len()), (MAX_LETTERS_TO, MAX_LETTERS_TO));
        let mut bag = Bag::new(key(1));
        full(
            2 * MAX_LETTERS,
            |at| letter(at as u8 % 40 + 2, at as u8 % 30 + 60, at as u16),
            &mut bag,
        );
        assert_eq!(bag.letters.len(), MAX_LETTERS);
    }

    #[test]
    fn who_fills_the_bag_makes_room_for_others_and_own_letters_stay() {
        let mut bag = Bag::new(key(1));
        assert_eq!(bag.take(letter(1, 99, 0), 0), Took::New);
        for author in [2, 3] {
            full(MAX_LETTERS_OF, |at| letter(author, 99, at as u16), &mut bag);
        }
        assert_eq!(bag.letters.len(), MAX_LETTERS_TO, "full for this recipient");
        assert_eq!(bag.take(letter(4, 99, 0), 0), Took::New);
        assert_eq!(bag.take(letter(1, 99, 1), 0), Took::New);
        assert_eq!((bag.letters.len(), own(&bag)), (MAX_LETTERS_TO, 2));
        let flood = letter(2, 99, 900);
        assert_eq!(bag.take(flood, 0), Took::Full, "it does not push out the others in turn");
    }

    #[test]
    fn a_receipt_drops_a_letter_only_if_its_recipient_signed_it() {
        let (mut bag, one) = (Bag::new(key(1)), letter(1, 2, 0));
        bag.take(one.clone(), 0);
        assert_eq!(bag.take_receipt(receipt(3, &one), 0), (true, None), "somebody else's");
        assert_eq!(own(&bag), 1);
        let right = receipt(2, &one);
        assert_eq!(bag.take_receipt(right.clone(), 0), (true, Some(right.clone())));
        assert_eq!((own(&bag), bag.take(one, 0)), (0, Took::Known));
        assert_eq!(bag.take_receipt(right, 0), (false, None), "told once");
    }

    #[test]
    fn receipts_of_one_recipient_fill_only_their_share() {
        let mut bag = Bag::new(key(1));
        let honest = receipt(2, &letter(1, 2, 0));
        bag.take_receipt(honest.clone(), 0);
        for at in 0..2 * MAX_RECEIPTS_OF {
            bag.take_receipt(receipt(3, &letter(1, 3, at as u16)), 0);
        }
        assert_eq!(bag.receipts.len(), MAX_RECEIPTS_OF + 1);
        assert!(bag.receipts.contains_key(&honest.name()));
    }

    #[test]
    fn of_too_many_receipts_all_keep_the_same_and_none_outlives_its_time() {
        let hand = Hand::new(&identity(3));
        let many = (0..MAX_RECEIPTS_OF as u64 + 44)
            .map(|at| hand.receipt(letter(1, 3, at as u16).id(), Fate::Shown, at / 7));
        let many: Vec<_> = many.collect();
        let (mut one, mut two) = (Bag::new(key(1)), Bag::new(key(2)));
        many.iter().for_each(|receipt| _ = one.take_receipt(receipt.clone(), 0));
        many.iter().rev().for_each(|receipt| _ = two.take_receipt(receipt.clone(), 0));
        assert_eq!(one.lists(), two.lists());
        assert!(!one.take_receipt(many[0].clone(), 0).0, "there is no room for it");
        // Its age travels: who carries it later lets it go at the same time.
        let old = hand.receipt(letter(1, 3, 9999).id(), Fate::Shown, u64::MAX);
        assert!(!one.take_receipt(old.clone(), LETTER_HOURS).0);
        assert!(one.take_receipt(old.clone(), LETTER_HOURS - 1).0);
        one.hour();
        assert!(!one.lists().receipts.contains(&old.name()));
    }

    #[test]
    fn a_letter_grows_old_with_the_hours_of_all_who_carry_it() {
        let (mut one, mut two) = (Bag::new(key(1)), Bag::new(key(2)));
        one.take(letter(1, 3, 0), 0);
        let id = letter(1, 3, 0).id();
        (0..LETTER_HOURS / 2).for_each(|_| assert_eq!(one.hour(), []));
        let (age, carried) = one.letter(&id).expect("there");
        assert_eq!((age, two.take(carried, age)), (LETTER_HOURS / 2, Took::New));
        (0..LETTER_HOURS - age).for_each(|_| assert_eq!(two.hour(), []));
        assert!(two.letters.is_empty());
        let expired: Vec<_> = (0..LETTER_HOURS - age).flat_map(|_| one.hour()).collect();
        assert_eq!(expired, [letter(1, 3, 0)], "its author is told");
        assert_eq!(one.take(letter(1, 3, 0), LETTER_HOURS), Took::Known, "too old to begin again");
    }

    #[test]
    fn a_letter_is_shown_once_however_often_it_comes() {
        let (mut bag, one) = (Bag::new(key(2)), letter(1, 2, 0));
        assert!(!bag.has_shown(&one) && bag.show(&one));
        assert!(bag.has_shown(&one) && !bag.show(&one));
    }

    #[test]
    fn of_letters_for_which_there_is_no_room_none_is_taken_and_nobody_made_room() {
        let mut bag = Bag::new(key(1));
        full(MAX_LETTERS_TO, |at| letter(at as u8 % 4 + 2, 99, at as u16), &mut bag);
        let before = bag.clone();
        let mine = |count| (0..count).map(|at| letter(1, 99, 900 + at)).collect();
        assert_eq!(bag.take_all(mine(MAX_LETTERS_OF as u16 + 1)), Took::Full);
        assert_eq!(bag, before);
        assert_eq!(bag.take_all(mine(4)), Took::New);
        assert_eq!(own(&bag), 4);
    }

    #[test]
    fn of_who_was_shut_out_nothing_is_carried_and_own_letters_to_it_are_told() {
        let mut bag = Bag::new(key(1));
        for (author, to) in [(1, 2), (1, 3), (2, 3), (3, 2), (3, 4)] {
            assert_eq!(bag.take(letter(author, to, u16::from(to)), 0), Took::New);
        }
        let (theirs, others) = (receipt(2, &letter(5, 2, 0)), receipt(3, &letter(2, 3, 9)));
        bag.take_receipt(theirs, 0);
        bag.take_receipt(others.clone(), 0);
        let shown = letter(2, 1, 0);
        bag.show(&shown);
        assert_eq!(bag.shut_out(|one| *one == key(2)), [letter(1, 2, 2)]);
        let left = [letter(1, 3, 3).id(), letter(3, 4, 4).id()];
        let left = Lists { letters: left.into(), receipts: [others.name()].into() };
        assert_eq!(bag.lists(), left);
        assert!(!bag.show(&shown), "shown twice");
        assert_eq!((bag.shut_out(|one| *one == key(2)), bag.lists()), (Vec::new(), left));
    }

    /// Nodes 1 to 4 that meet two by two; each brings the other's bag up to date, as a meeting does.
    fn meet(bags: &mut [Bag], from: usize, to: usize, shown: &mut Vec<LetterId>) {
        let (receipts, letters) = bags[from].beyond(&bags[to].lists());
        let bag = &mut bags[to];
        receipts.into_iter().for_each(|(age, receipt)| _ = bag.take_receipt(receipt, age));
        for (age, letter) in letters {
            if letter.envelope().recipient != bag.me() {
                bag.take(letter, age);
            } else {
                if bag.show(&letter) {
                    shown.push(letter.id());
                }
                bag.take_receipt(receipt(to as u8 + 1, &letter), 0);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn in_whatever_order_nodes_meet_each_letter_is_shown_once_and_then_nobody_holds_it(
            letters in prop::collection::vec((1_u8..5, 1_u8..5), 1..8),
            meetings in prop::collection::vec((0_usize..4, 0_usize..4), 0..40),
        ) {
            let mut bags: Vec<_> = (1..5).map(|byte| Bag::new(key(byte))).collect();
            let (mut shown, mut written) = (Vec::new(), 0);
            for (at, (from, to)) in letters.iter().enumerate().filter(|(_, (from, to))| from != to) {
                bags[usize::from(*from) - 1].take(letter(*from, *to, at as u16), 0);
                written += 1;
            }
            for (from, to) in meetings.into_iter().filter(|(from, to)| from != to) {
                meet(&mut bags, from, to, &mut shown);
            }
            for _ in 0..4 {
                for (from, to) in [(0, 1), (1, 2), (2, 3), (3, 2), (2, 1), (1, 0)] {
                    meet(&mut bags, from, to, &mut shown);
                }
            }
            shown.sort();
            shown.dedup();
            prop_assert_eq!(shown.len(), written);
            prop_assert!(bags.iter().all(|bag| bag.letters.is_empty()));
            prop_assert!(bags.iter().all(|bag| bag.lists().digest() == bags[0].lists().digest()));
        }
    }
}
