//! Writes letters, opens those for this node, and signs their receipts.
//!
//! Source: the Noise protocol framework, revision 34, section 7.4, the one-way pattern X: it hides what is written and
//! who wrote it from all but the recipient, and proves to the recipient who did. Whoever gets the recipient's key later
//! can open what was recorded before.

use crate::base::error::{Error, Result};
use crate::model::codec::{Decoder, Encoder};
use crate::model::identity::Identity;
use crate::model::keys::{IdentityKey, KnockKey, PublicKeys, SecretKey};
use crate::model::noise::{ONE_WAY, builder};
use crate::model::post::letter::{Envelope, Letter, LetterId};
use crate::model::post::limits::{LETTER_CONTENTS, SEAL_BYTES};
use crate::model::post::receipt::{Fate, Receipt};
use crate::model::spoken::Spoken;
use crate::model::x25519::{KeyPair, Known, Own};
use rand::CryptoRng;
use ring::signature::Ed25519KeyPair;
use std::fmt;
use zeroize::Zeroizing;

/// What writes, opens and signs in the name of this node.
pub struct Hand {
    me: IdentityKey,
    key: Ed25519KeyPair,
    own: Own,
}

/// What stands in a letter.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The words.
    pub text: Spoken,
    /// When they were written, by the author's clock, in seconds since 1970.
    pub wall: u64,
}

impl Hand {
    /// The hand of the node with this identity.
    pub fn new(identity: &Identity) -> Self {
        let key = identity.signer();
        let own = SecretKey::from(*identity.knock_secret().expose()).into();
        Self { me: identity.public().identity, key, own }
    }

    /// Whose it is.
    pub fn me(&self) -> IdentityKey {
        self.me
    }

    /// Writes a letter to the node with these keys; `wall` is what the clock says.
    pub fn write(
        &self,
        to: &PublicKeys,
        text: &Spoken,
        wall: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Letter> {
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        let envelope = Envelope { id: LetterId::from(id), author: self.me, recipient: to.identity };
        let prologue = envelope.prologue();
        let pairs = [Known::lasting(self.own.copy()), Known::fresh(KeyPair::random(rng), None)];
        let content = content(text, wall);
        let mut sealed = vec![0; content.len() + SEAL_BYTES];
        let written = builder(ONE_WAY, self.own.secret(), pairs, &prologue, rng)
            .and_then(|builder| builder.remote_public_key(to.knock.as_bytes())?.build_initiator())
            .and_then(|mut state| state.write_message(&content, &mut sealed));
        match written {
            Ok(length) if length == sealed.len() => Ok(Letter::sign(envelope, sealed, &self.key)),
            _ => Err(Error::input(
                "message",
                "it cannot be sealed for its receiver",
                "check the key of the receiver in the peers file",
            )),
        }
    }

    /// Opens a letter. `from` is the knock key of the author that it names: nobody else can have sealed it.
    pub fn open(
        &self,
        letter: &Letter,
        from: &KnockKey,
        rng: &mut impl CryptoRng,
    ) -> Result<Opened> {
        let wrong = || Error::peer("wrote a letter that cannot be opened here");
        let prologue = letter.envelope().prologue();
        let pairs = [Known::lasting(self.own.copy()), Known::fresh(KeyPair::random(rng), None)];
        let mut state = builder(ONE_WAY, self.own.secret(), pairs, &prologue, rng)
            .and_then(|builder| builder.build_responder())
            .map_err(|_| wrong())?;
        let mut content = Zeroizing::new(vec![0; letter.sealed().len()]);
        let length = state.read_message(letter.sealed(), &mut content).map_err(|_| wrong())?;
        if state.get_remote_static() != Some(&from.as_bytes()[..]) {
            return Err(wrong());
        }
        read(content.get(..length).unwrap_or_default())
    }

    /// Signs what became of a letter to this node; `wall` is what the clock says.
    pub fn receipt(&self, letter: LetterId, fate: Fate, wall: u64) -> Receipt {
        Receipt::sign(letter, self.me, fate, wall, &self.key)
    }
}

/// The content of a letter: filled up, so that its length tells little of what it says.
fn content(text: &Spoken, wall: u64) -> Zeroizing<Vec<u8>> {
    let text = text.as_str().as_bytes();
    let mut out = Encoder::default();
    out.u64(wall).u16(u16::try_from(text.len()).unwrap_or(u16::MAX)).bytes(text);
    let mut content = Zeroizing::new(out.done());
    let room = LETTER_CONTENTS.into_iter().find(|room| content.len() <= *room);
    let filled = room.unwrap_or_else(|| content.len());
    content.resize(filled, 0);
    content
}

fn read(content: &[u8]) -> Result<Opened> {
    let mut from = Decoder::new(content);
    let wall = from.u64()?;
    let length = usize::from(from.u16()?);
    let text = Spoken::try_from(from.bytes(length)?)?;
    match from.rest().iter().all(|byte| *byte == 0) {
        true => Ok(Opened { text, wall }),
        false => Err(Error::peer("wrote a letter with something behind its end")),
    }
}

impl fmt::Debug for Hand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hand({})", self.me)
    }
}

impl fmt::Debug for Opened {
    /// What people write to each other stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opened(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(byte: u8) -> Identity {
        Identity::new(SecretKey::from([byte; 32]))
    }

    fn letter(from: u8, to: u8, text: &str) -> Letter {
        let text = Spoken::try_from(text).expect("short");
        let hand = Hand::new(&identity(from));
        hand.write(&identity(to).public(), &text, 5, &mut rand::rng()).expect("sealed")
    }

    fn opens(as_: u8, letter: &Letter, from: u8) -> Option<String> {
        let hand = Hand::new(&identity(as_));
        let opened = hand.open(letter, &identity(from).public().knock, &mut rand::rng()).ok()?;
        assert_eq!(opened.wall, 5);
        Some(opened.text.as_str().to_owned())
    }

    fn encoded(letter: &Letter) -> Vec<u8> {
        let mut out = Encoder::default();
        letter.encode(&mut out);
        out.done()
    }

    #[test]
    fn a_letter_is_readable_by_its_recipient_and_by_nobody_else() {
        let letter = letter(1, 2, "မင်္ဂလာပါ");
        assert_eq!(opens(2, &letter, 1).as_deref(), Some("မင်္ဂလာပါ"));
        assert_eq!(opens(3, &letter, 1), None, "a carrier");
        assert_eq!(opens(1, &letter, 1), None, "not even its author");
        assert_eq!(opens(2, &letter, 3), None, "it is not by somebody else");
    }

    #[test]
    fn what_was_sealed_for_one_envelope_opens_in_no_other() {
        let letter = letter(1, 2, "come");
        for wrong in [
            Envelope { id: [9; 16].into(), ..letter.envelope() },
            Envelope { author: identity(3).public().identity, ..letter.envelope() },
            Envelope { recipient: identity(3).public().identity, ..letter.envelope() },
        ] {
            let forger = Hand::new(&identity(3));
            let moved = Letter::sign(wrong, letter.sealed().to_vec(), &forger.key);
            assert_eq!(opens(2, &moved, 1), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_letter_says_by_its_length_only_whether_it_is_short_or_long() {
        let length = |text: &str| encoded(&letter(1, 2, text)).len();
        assert_eq!(length("a"), length(&"a".repeat(246)));
        assert_eq!(length(&"a".repeat(247)), length(&"a".repeat(1000)));
    }

    #[test]
    fn a_letter_or_receipt_with_any_bit_changed_is_refused() {
        let letter = encoded(&letter(1, 2, "come"));
        assert!(Letter::read(&mut Decoder::new(&letter)).is_ok());
        let mut receipt = Encoder::default();
        Hand::new(&identity(2)).receipt([1; 16].into(), Fate::Shown, 7).encode(&mut receipt);
        let receipt = receipt.done();
        assert!(Receipt::read(&mut Decoder::new(&receipt)).is_ok());
        for at in 0..letter.len() {
            let mut other = letter.clone();
            other[at] ^= 1;
            assert!(Letter::read(&mut Decoder::new(&other)).is_err(), "byte {at}");
        }
        for at in 0..receipt.len() {
            let mut other = receipt.clone();
            other[at] ^= 1;
            assert!(Receipt::read(&mut Decoder::new(&other)).is_err(), "byte {at}");
        }
    }

    #[test]
    fn nothing_that_is_written_or_secret_is_shown() {
        let hand = Hand::new(&identity(2));
        let letter = letter(1, 2, "a secret");
        let opened = hand.open(&letter, &identity(1).public().knock, &mut rand::rng());
        let shown = format!("{letter:?} {opened:?} {hand:?}");
        assert!(!shown.contains("a secret") && shown.contains("Opened(…)"), "{shown}");
    }
}
