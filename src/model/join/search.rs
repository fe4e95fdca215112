//! The search for a door on the local network: a newcomer that has a code and no address asks all there for the door of
//! that number, and only that door answers, to it alone. To who has not this program both are random bytes.
//!
//! ```text
//! question = nonce 16  hash 16
//! answer   = hash 16  port u16
//! hash     = SHA-256 (context  nonce  door u8), its first half
//! ```
//!
//! The number of a door is no secret, and nothing here follows from the words of the code: there is nothing to try words
//! on. Who has the program can learn in this way, as by calling at all ports, that a door is open nearby. An answer
//! says where to call, not whom to believe: who answers falsely gets one guess at the words, as anybody at a door does.

use crate::model::join::code::DoorNumber;
use crate::model::ledger::merkle::sha256;
use rand::CryptoRng;

/// Bytes of a question: an answer is shorter, so nobody can have others flooded by asking in their name.
pub const QUESTION: usize = NONCE + HASH;
/// Bytes of an answer.
pub const ANSWER: usize = HASH + 2;
const NONCE: usize = 16;
const HASH: usize = 16;

/// What a newcomer asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    bytes: [u8; QUESTION],
    door: DoorNumber,
}

impl Question {
    /// Asks for this door.
    pub fn new(door: DoorNumber, rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; QUESTION];
        rng.fill_bytes(&mut bytes);
        let (nonce, asked) = bytes.split_at_mut(NONCE);
        asked.copy_from_slice(&hash(b"rn-door-asked", nonce, door));
        Self { bytes, door }
    }

    /// The question in what was sent to all, if it asks for this door.
    pub fn read(bytes: &[u8], door: DoorNumber) -> Option<Self> {
        let bytes: [u8; QUESTION] = bytes.try_into().ok()?;
        let (nonce, asked) = bytes.split_at(NONCE);
        (asked == hash(b"rn-door-asked", nonce, door)).then_some(Self { bytes, door })
    }

    /// What is sent.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The answer: at which port the door is.
    pub fn answer(&self, port: u16) -> [u8; ANSWER] {
        let mut answer = [0; ANSWER];
        let said = self.said().into_iter().chain(port.to_be_bytes());
        answer.iter_mut().zip(said).for_each(|(byte, said)| *byte = said);
        answer
    }

    /// The port in an answer to this question.
    pub fn answered(&self, answer: &[u8]) -> Option<u16> {
        let (said, port) = answer.split_first_chunk::<HASH>()?;
        let port = u16::from_be_bytes(port.try_into().ok()?);
        (*said == self.said() && port != 0).then_some(port)
    }

    fn said(&self) -> [u8; HASH] {
        let (nonce, _) = self.bytes.split_at(NONCE);
        hash(b"rn-door-here", nonce, self.door)
    }
}

fn hash(context: &[u8], nonce: &[u8], door: DoorNumber) -> [u8; HASH] {
    let hash = sha256(&[context, nonce, &[door.value()]]);
    *hash.first_chunk().expect("32 bytes have 16")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn door(number: u8) -> DoorNumber {
        number.try_into().expect("a door")
    }

    #[test]
    fn only_the_door_that_was_asked_for_answers_and_only_its_own_question() {
        let rng = &mut rand::rng();
        let (asked, again) = (Question::new(door(7), rng), Question::new(door(7), rng));
        assert_ne!(asked, again);
        let heard = Question::read(asked.bytes(), door(7)).expect("it is for this door");
        assert_eq!(Question::read(asked.bytes(), door(8)), None);
        let answer = heard.answer(33_001);
        assert_eq!(asked.answered(&answer), Some(33_001));
        assert_eq!(again.answered(&answer), None, "an answer to another question");
        assert_eq!(asked.answered(&heard.answer(0)), None, "no door is at port 0");
    }

    proptest! {
        #[test]
        fn nothing_else_is_a_question_or_an_answer(
            bytes in prop::collection::vec(any::<u8>(), 0..140), at in 0_usize..NONCE + HASH,
        ) {
            prop_assert_eq!(Question::read(&bytes, door(7)), None);
            let asked = Question::new(door(7), &mut rand::rng());
            prop_assert_eq!(asked.answered(&bytes), None);
            let mut other = asked.bytes;
            other[at] ^= 1;
            prop_assert_eq!(Question::read(&other, door(7)), None);
        }
    }
}
