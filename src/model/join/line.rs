//! The line between two who have shown each other that they have the same code: every message is sealed, in order.
//!
//! ```text
//! message = ChaCha20-Poly1305( a key of the direction, nonce: zero 4  number u64 )      RFC 8439
//! ```

use crate::base::error::{Error, Result};
use crate::model::keys::SecretKey;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use std::fmt;
use zeroize::Zeroizing;

/// Bytes that a message is longer by when it is sealed.
pub const SEAL_BYTES: usize = 16;

/// One end of the line.
pub struct Line {
    own: Direction,
    other: Direction,
    binding: [u8; 32],
}

struct Direction {
    key: LessSafeKey,
    /// How many messages were sealed with it.
    count: u64,
}

impl Line {
    /// The end that seals with `own` and opens with `other`. Both ends have the same `binding`.
    pub(super) fn new(own: &SecretKey, other: &SecretKey, binding: [u8; 32]) -> Self {
        Self { own: Direction::new(own), other: Direction::new(other), binding }
    }

    /// What both ends know, and no other line has: for a signature that shall hold here alone.
    pub fn binding(&self) -> &[u8; 32] {
        &self.binding
    }

    /// Seals the next message.
    pub fn seal(&mut self, body: &[u8]) -> Result<Vec<u8>> {
        let nonce = self.own.next()?;
        // With room for the tag: what grows would leave a copy behind.
        let mut sealed = Vec::with_capacity(body.len() + SEAL_BYTES);
        sealed.extend_from_slice(body);
        let done = self.own.key.seal_in_place_append_tag(nonce, Aad::empty(), &mut sealed);
        done.map(|()| sealed).map_err(|_| Error::Full { what: "bytes of one message" })
    }

    /// Opens the next message. One that is not the next, or not whole, is refused, and so is all that follows.
    pub fn open(&mut self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let nonce = self.other.next()?;
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let opened = self.other.key.open_in_place(nonce, Aad::empty(), &mut bytes);
        let length = opened.map(|body| body.len());
        let length =
            length.map_err(|_| Error::peer("sent a message that was changed on its way"))?;
        bytes.truncate(length);
        Ok(bytes)
    }
}

impl Direction {
    fn new(key: &SecretKey) -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, key.expose());
        Self { key: LessSafeKey::new(key.expect("a key of ChaCha20 has 32 bytes")), count: 0 }
    }

    /// A nonce that this key has not had.
    fn next(&mut self) -> Result<Nonce> {
        let mut nonce = [0; 12];
        nonce.iter_mut().skip(4).zip(self.count.to_be_bytes()).for_each(|(to, from)| *to = from);
        self.count =
            self.count.checked_add(1).ok_or(Error::Full { what: "messages of one line" })?;
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends() -> (Line, Line) {
        let key = |byte| SecretKey::from([byte; 32]);
        (Line::new(&key(1), &key(2), [3; 32]), Line::new(&key(2), &key(1), [3; 32]))
    }

    #[test]
    fn messages_come_whole_and_in_order_or_not_at_all() {
        let (mut one, mut other) = ends();
        let (first, second) =
            (one.seal(b"first").expect("sealed"), one.seal(b"second").expect("sealed"));
        assert_eq!(first.len(), 5 + SEAL_BYTES);
        assert!(ends().1.open(&second).is_err(), "the second first");
        assert_eq!(**other.open(&first).expect("the first"), *b"first");
        assert!(other.open(&first).is_err(), "the first again");
        let (_, mut other) = ends();
        let mut changed = first.clone();
        changed[2] ^= 1;
        assert!(other.open(&changed).is_err() && other.open(&first).is_err(), "changed");
        assert!(ends().1.open(&first[..first.len() - 1]).is_err() && ends().1.open(b"").is_err());
    }

    #[test]
    fn a_message_that_is_sent_back_is_refused() {
        let (mut one, _) = ends();
        let sealed = one.seal(b"yes").expect("sealed");
        assert!(one.open(&sealed).is_err());
    }

    #[test]
    fn its_keys_are_never_shown() {
        assert_eq!(format!("{:?}", ends().0), "Line(…)");
    }
}
