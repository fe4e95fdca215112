//! What must hold of the post whatever a peer sends among letters, in any order and number, and whatever the file of a
//! bag says. A check takes any input and panics where something does not hold. `tests/post_values.rs` runs it over
//! changed seeds, a target of `tests/fuzz` over what a fuzzer finds.

#![allow(dead_code, missing_docs, reason = "each user needs its part of this")]
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a check fails by panicking")]

use rand::SeedableRng;
use rand::rngs::StdRng;
use reunite::base::error::Result;
use reunite::model::codec::Decoder;
use reunite::model::identity::Identity;
use reunite::model::keys::{IdentityKey, SecretKey};
use reunite::model::ledger::merkle::sha256;
use reunite::model::post::bag::{Bag, Lists, Took};
use reunite::model::post::exchange::Exchange;
use reunite::model::post::hand::Hand;
use reunite::model::post::letter::{Envelope, Letter, LetterId};
use reunite::model::post::limits::{
    LETTER_CONTENTS, LETTER_HOURS, MAX_LETTERS, MAX_LETTERS_OF, MAX_LETTERS_TO, MAX_RECEIPTS,
    MAX_RECEIPTS_OF, SEAL_BYTES,
};
use reunite::model::post::receipt::{Fate, Receipt, ReceiptName};
use reunite::model::post::stored;
use reunite::model::spoken::Spoken;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

/// This node. All but the last are members.
const ME: u8 = 0;
const IDENTITIES: u8 = 12;
const STRANGER: u8 = IDENTITIES - 1;
/// What the file of a bag begins with.
pub const BEGIN: &[u8] = b"reunite post 1\n";
/// Most letters and receipts of one input: each is looked for in all others.
const MOST: usize = 800;

static ALL: LazyLock<Vec<Identity>> = LazyLock::new(|| {
    (1..=IDENTITIES).map(|byte| Identity::new(SecretKey::from([byte; 32]))).collect()
});

static KEYS: LazyLock<Vec<IdentityKey>> =
    LazyLock::new(|| ALL.iter().map(|one| one.public().identity).collect());
static HANDS: LazyLock<Vec<Hand>> = LazyLock::new(|| ALL.iter().map(Hand::new).collect());

fn identity(who: u8) -> &'static Identity {
    &ALL[usize::from(who % IDENTITIES)]
}

fn hand(who: u8) -> &'static Hand {
    &HANDS[usize::from(who % IDENTITIES)]
}

pub fn key(who: u8) -> IdentityKey {
    KEYS[usize::from(who % IDENTITIES)]
}

/// The letter of this number of the one to the other, the same each time. What is for this node it can open, but not
/// every third.
pub fn letter(author: u8, to: u8, number: u8) -> Letter {
    thread_local!(static KEPT: RefCell<HashMap<[u8; 3], Letter>> = RefCell::default());
    let (author, to) = (author % IDENTITIES, to % IDENTITIES);
    let make = || {
        if to == ME && number % 3 != 0 {
            let mut rng = StdRng::seed_from_u64(u64::from(author) << 8 | u64::from(number));
            let text = Spoken::try_from("come").expect("short");
            return hand(author).write(&identity(to).public(), &text, 1, &mut rng).expect("sealed");
        }
        let mut id = [author; 16];
        id[..2].copy_from_slice(&[to, number]);
        let envelope = Envelope { id: id.into(), author: key(author), recipient: key(to) };
        let sealed = vec![number; LETTER_CONTENTS[0] + SEAL_BYTES];
        Letter::sign(envelope, sealed, &identity(author).signer())
    };
    KEPT.with_borrow_mut(|kept| kept.entry([author, to, number]).or_insert_with(make).clone())
}

/// What somebody, who need not be whom it is to, says of such a letter.
pub fn receipt(by: u8, author: u8, to: u8, number: u8, wall: u8) -> Receipt {
    let fate = if wall % 2 == 0 { Fate::Shown } else { Fate::Unreadable };
    hand(by).receipt(letter(author, to, number).id(), fate, wall.into())
}

/// The first byte says whether the others are the file of a bag or what happens to one.
pub fn letters(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    match kind % 2 {
        0 => file(bytes),
        _ => {
            // It ends where the input does.
            let _ = Trial::new().run(&mut Decoder::new(bytes));
        }
    }
}

// --- the file ---

/// The input is a file, or what stands in one between its owner and its sum.
fn file(bytes: &[u8]) {
    if let Ok(bag) = stored::decode(bytes, key(ME)) {
        stays(&bag);
    }
    let mut whole = [BEGIN, key(ME).as_bytes(), bytes].concat();
    whole.extend(sha256(&[&whole]));
    if let Ok(mut bag) = stored::decode(&whole, key(ME)) {
        stays(&bag);
        bag.take(letter(ME, 1, 0), 0);
        bag.hour();
        stays(&bag);
        let (receipts, letters) = bag.beyond(&Lists::default());
        let ages = receipts.iter().map(|(age, _)| age).chain(letters.iter().map(|(age, _)| age));
        assert!(ages.into_iter().all(|age| *age < LETTER_HOURS), "something outlives its time");
    }
}

/// It is the same after a start, and is written the same again.
fn stays(bag: &Bag) -> Bag {
    let bytes = stored::encode(bag);
    let read = stored::decode(&bytes, bag.me()).expect("our own");
    assert!(read == *bag && stored::encode(&read) == bytes, "another one after a start");
    read
}

// --- what happens ---

/// Something, and in which hour it would have been new.
struct Since<T>(T, i64);

/// A bag, and what it should hold: what was put in and not taken out for a reason.
struct Trial {
    bag: Bag,
    members: BTreeSet<IdentityKey>,
    hours: i64,
    letters: BTreeMap<LetterId, Since<Envelope>>,
    receipts: BTreeMap<ReceiptName, Since<(LetterId, IdentityKey)>>,
    shown: BTreeSet<LetterId>,
    left: usize,
}

impl Trial {
    fn new() -> Self {
        Self {
            bag: Bag::new(key(ME)),
            members: (0..STRANGER).map(key).collect(),
            hours: 0,
            letters: BTreeMap::new(),
            receipts: BTreeMap::new(),
            shown: BTreeSet::new(),
            left: MOST,
        }
    }

    fn run(mut self, from: &mut Decoder<'_>) -> Result<()> {
        loop {
            match from.u8()? % 10 {
                0 => {
                    let length = usize::from(from.u16()?);
                    self.hears(from.bytes(length)?);
                }
                1 => {
                    let ([author, to, number], age) = (from.array()?, from.u16()?);
                    let one = Exchange::Letter(age, Box::new(letter(author, to, number)));
                    self.hears_changed(&one, from.u16()?);
                }
                2 => {
                    let [author, to, first, count] = from.array()?;
                    for at in 0..count.min(80) {
                        let one = letter(author, to, first.wrapping_add(at));
                        self.takes(Exchange::Letter(0, Box::new(one)));
                    }
                }
                3 => {
                    let ([by, author, to, number, wall], age) = (from.array()?, from.u16()?);
                    let one = receipt(by, author, to, number, wall);
                    self.hears_changed(&Exchange::Receipt(age, Box::new(one)), from.u16()?);
                }
                4 => {
                    let [by, author, first, count] = from.array()?;
                    for at in 0..count {
                        let number = first.wrapping_add(at);
                        let one = receipt(by, author, by, number, number);
                        self.takes(Exchange::Receipt(0, Box::new(one)));
                    }
                }
                5 => {
                    let mut theirs = Lists::default();
                    for _ in 0..from.u8()? % 16 {
                        let [author, to, number] = from.array()?;
                        theirs.letters.insert(letter(author, to, number).id());
                        theirs.receipts.insert(receipt(to, author, to, number, 0).name());
                    }
                    self.hears(&Exchange::Lists(theirs).encode());
                }
                6 => self.hours_pass(1 + 3 * u16::from(from.u8()?)),
                7 => self.bag = stays(&self.bag),
                8 => self.shut_out(key(from.u8()?)),
                _ => {
                    let [to, number] = from.array()?;
                    if to % IDENTITIES != ME && self.members.contains(&key(to)) {
                        self.take(letter(ME, to, number), 0);
                    }
                }
            }
        }
    }

    /// Hears a message of a peer that somebody may have changed on its way.
    fn hears_changed(&mut self, message: &Exchange, change: u16) {
        let mut body = message.encode();
        // Kind and age are not signed.
        let at = 3 + usize::from(change >> 3) % (body.len() - 3);
        if change % 2 == 1 {
            body[at] ^= 1 << (change & 7);
            assert!(Exchange::decode(&body).is_err(), "nobody signed this");
        }
        self.hears(&body);
    }

    /// Hears the body of a frame, as a node does at any place of a meeting.
    fn hears(&mut self, body: &[u8]) {
        let Ok(message) = Exchange::decode(body) else { return };
        assert_eq!(message.encode(), body, "said otherwise");
        self.takes(message);
    }

    fn takes(&mut self, message: Exchange) {
        match message {
            Exchange::Letter(_, letter) if letter.envelope().recipient == key(ME) => {
                self.open(&letter);
            }
            Exchange::Letter(age, letter) => {
                let Envelope { author, recipient, .. } = letter.envelope();
                if self.members.contains(&author) && self.members.contains(&recipient) {
                    self.take(*letter, age);
                }
            }
            Exchange::Receipt(age, receipt) if self.members.contains(&receipt.recipient()) => {
                self.take_receipt(receipt.as_ref().clone(), age);
            }
            Exchange::Lists(theirs) => self.give(&theirs),
            Exchange::Summary(_) | Exchange::Receipt(..) | Exchange::Given => {}
        }
    }

    fn has_turn(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }

    /// Each letter to this node is shown once, and has a receipt however often it comes.
    fn open(&mut self, letter: &Letter) {
        let author = letter.envelope().author;
        let who = ALL.iter().zip(&*KEYS).find(|(_, key)| **key == author).map(|(who, _)| who);
        let Some(who) = who.filter(|_| self.members.contains(&author) && self.has_turn()) else {
            return;
        };
        let opened = hand(ME).open(letter, &who.public().knock, &mut StdRng::seed_from_u64(1));
        assert_eq!(self.bag.has_shown(letter), self.shown.contains(&letter.id()));
        assert_eq!(self.bag.show(letter), self.shown.insert(letter.id()), "not shown just once");
        let fate = if opened.is_ok() { Fate::Shown } else { Fate::Unreadable };
        self.take_receipt(hand(ME).receipt(letter.id(), fate, 7), 0);
    }

    /// Puts a letter in. Nothing goes but one that has to make room for it.
    fn take(&mut self, letter: Letter, age: u16) {
        if !self.has_turn() {
            return;
        }
        let Envelope { id, author, recipient } = letter.envelope();
        let is_known = self.letters.contains_key(&id)
            || self.receipts.values().any(|one| one.0 == (id, recipient))
            || age >= LETTER_HOURS;
        let (of, to, all) = (self.of(author), self.to(recipient), self.letters.len());
        let has_room = of < MAX_LETTERS_OF && to < MAX_LETTERS_TO && all < MAX_LETTERS;
        let took = self.bag.take(letter.clone(), age);
        match took {
            Took::New => {
                assert!(!is_known, "it was there");
                self.letters.insert(id, Since(letter.envelope(), self.hours - i64::from(age)));
            }
            Took::Known => assert!(is_known, "it was not there"),
            Took::Full => assert!(!is_known && !has_room, "there was room"),
        }
        let here = self.bag.lists().letters;
        let gone = self.letters.values().map(|one| one.0).filter(|one| !here.contains(&one.id));
        let gone: Vec<_> = gone.collect();
        assert_eq!(gone.len(), usize::from(took == Took::New && !has_room), "one makes room");
        for one in gone {
            assert!(one.author != key(ME) && one.author != author, "an own one, or of who pushes");
            assert!(to < MAX_LETTERS_TO || one.recipient == recipient, "of somebody else");
            self.letters.remove(&one.id);
        }
        assert!(self.of(author) <= MAX_LETTERS_OF && self.to(recipient) <= MAX_LETTERS_TO);
        self.holds_what_it_should();
    }

    /// Puts a receipt in, which takes out its letter, and if there are too many another receipt.
    fn take_receipt(&mut self, receipt: Receipt, age: u16) {
        if !self.has_turn() {
            return;
        }
        let (name, letter, by) = (receipt.name(), receipt.letter(), receipt.recipient());
        let is_known = self.receipts.contains_key(&name) || age >= LETTER_HOURS;
        let (is_new, own) = self.bag.take_receipt(receipt.clone(), age);
        if is_known {
            assert!(!is_new && own.is_none(), "told twice, or too late");
            return self.holds_what_it_should();
        }
        let done = self.letters.get(&letter).map(|one| one.0).filter(|one| one.recipient == by);
        assert_eq!(
            own,
            done.filter(|one| one.author == key(ME)).map(|_| receipt),
            "told otherwise"
        );
        if done.is_some() {
            self.letters.remove(&letter);
        }
        self.receipts.insert(name, Since((letter, by), self.hours - i64::from(age)));
        let of = |all: &BTreeMap<_, Since<(_, IdentityKey)>>| {
            all.values().filter(|one| one.0.1 == by).count()
        };
        let (theirs, all) = (of(&self.receipts), self.receipts.len());
        let here = self.bag.lists().receipts;
        let gone: Vec<_> = self
            .receipts
            .iter()
            .filter(|(one, _)| !here.contains(*one))
            .map(|(one, _)| *one)
            .collect();
        let are_too_many = theirs > MAX_RECEIPTS_OF || all > MAX_RECEIPTS;
        assert_eq!(gone.len(), usize::from(are_too_many), "one makes room");
        for one in gone {
            let Since((_, who), _) = self.receipts.remove(&one).expect("it was there");
            assert!(theirs <= MAX_RECEIPTS_OF || who == by, "of somebody else");
        }
        assert_eq!(is_new, self.receipts.contains_key(&name));
        assert!(of(&self.receipts) <= MAX_RECEIPTS_OF);
        self.holds_what_it_should();
    }

    /// What is too old goes, and nothing else; the author of a letter is told.
    fn hours_pass(&mut self, count: u16) {
        let mut told = BTreeSet::new();
        for _ in 0..count {
            told.extend(self.bag.hour().iter().map(Letter::id));
        }
        self.hours += i64::from(count);
        let first = self.hours - i64::from(LETTER_HOURS);
        let own = |one: &&Since<Envelope>| one.1 <= first && one.0.author == key(ME);
        let expected = self.letters.values().filter(own).map(|one| one.0.id).collect();
        assert_eq!(told, expected, "others are told to be lost");
        self.letters.retain(|_, one| one.1 > first);
        self.receipts.retain(|_, one| one.1 > first);
        self.holds_what_it_should();
    }

    /// What is of or to a member that was shut out goes, and nothing else.
    fn shut_out(&mut self, who: IdentityKey) {
        self.members.remove(&who);
        let is_out = |one: &IdentityKey| !self.members.contains(one);
        let told = self.bag.shut_out(is_out);
        let told: BTreeSet<_> = told.iter().map(Letter::id).collect();
        let goes = |one: &Envelope| is_out(&one.author) || is_out(&one.recipient);
        let own = |one: &&Since<Envelope>| goes(&one.0) && one.0.author == key(ME);
        let expected = self.letters.values().filter(own).map(|one| one.0.id).collect();
        assert_eq!(told, expected, "others are told to be lost");
        self.letters.retain(|_, one| !goes(&one.0));
        self.receipts.retain(|_, one| !is_out(&one.0.1));
        self.holds_what_it_should();
    }

    /// A peer is given what it lacks, as old as it is, and can read it.
    fn give(&self, theirs: &Lists) {
        let (receipts, letters) = self.bag.beyond(theirs);
        let lacking = self.receipts.iter().filter(|(name, _)| !theirs.receipts.contains(*name));
        let given = receipts.iter().map(|(age, one)| (one.name(), self.hours - i64::from(*age)));
        assert!(given.eq(lacking.map(|(name, one)| (*name, one.1))), "other receipts are given");
        let lacking = self.letters.iter().filter(|(id, _)| !theirs.letters.contains(*id));
        let given = letters.iter().map(|(age, one)| (one.id(), self.hours - i64::from(*age)));
        assert!(given.eq(lacking.map(|(id, one)| (*id, one.1))), "other letters are given");
        let receipts = receipts.into_iter().map(|(age, one)| Exchange::Receipt(age, Box::new(one)));
        let letters = letters.into_iter().map(|(age, one)| Exchange::Letter(age, Box::new(one)));
        // Each costs a signature.
        for one in receipts.take(4).chain(letters.take(4)) {
            assert_eq!(Exchange::decode(&one.encode()).ok(), Some(one));
        }
    }

    fn of(&self, author: IdentityKey) -> usize {
        self.letters.values().filter(|one| one.0.author == author).count()
    }

    fn to(&self, recipient: IdentityKey) -> usize {
        self.letters.values().filter(|one| one.0.recipient == recipient).count()
    }

    fn holds_what_it_should(&self) {
        let lists = self.bag.lists();
        assert!(lists.letters.iter().eq(self.letters.keys()), "other letters than it should");
        assert!(lists.receipts.iter().eq(self.receipts.keys()), "other receipts than it should");
        assert!(self.letters.len() <= MAX_LETTERS && self.receipts.len() <= MAX_RECEIPTS);
    }
}
