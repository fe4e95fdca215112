//! Bytes of a message to numbers and back: big-endian, and nothing beyond what is there.

use crate::base::error::{Error, Result};

/// Takes a message apart from its front. Never panics and never allocates: what it hands out is borrowed.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// A decoder at the first of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next byte.
    pub fn u8(&mut self) -> Result<u8> {
        self.array().map(u8::from_be_bytes)
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next four bytes.
    pub fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next eight bytes.
    pub fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(too_short)?;
        self.rest = rest;
        Ok(*array)
    }

    /// The next `length` bytes.
    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(too_short)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// All that is left.
    pub fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// The end of the message. Bytes that nobody asked for are refused.
    pub fn finish(self) -> Result<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(Error::peer("sent a message with bytes behind its end"))
    }
}

fn too_short() -> Error {
    Error::peer("sent a message that is too short")
}

/// Puts a message together.
#[derive(Debug, Default)]
pub struct Encoder(Vec<u8>);

impl Encoder {
    /// A message that begins with its kind.
    pub fn of_kind(kind: u8) -> Self {
        Self(vec![kind])
    }

    /// An empty message with room for so many bytes: one that holds secrets must not grow, and leave copies behind.
    pub fn with_room(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Adds a byte.
    pub fn u8(&mut self, number: u8) -> &mut Self {
        self.bytes(&[number])
    }

    /// Adds two bytes.
    pub fn u16(&mut self, number: u16) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    /// Adds four bytes.
    pub fn u32(&mut self, number: u32) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    /// Adds eight bytes.
    pub fn u64(&mut self, number: u64) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    /// Adds these bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The message.
    pub fn done(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_behind_the_end_are_refused() {
        let mut decoder = Decoder::new(&[1, 2]);
        assert_eq!(decoder.u8().ok(), Some(1));
        assert!(decoder.clone().finish().is_err());
        assert_eq!(decoder.left(), 1);
        assert_eq!(decoder.rest(), [2]);
    }

    #[test]
    fn what_is_not_there_is_refused_and_takes_nothing() {
        let mut decoder = Decoder::new(&[1, 2, 3]);
        assert!(decoder.u32().is_err() && decoder.u64().is_err());
        assert!(decoder.bytes(usize::MAX).is_err() && decoder.array::<4>().is_err());
        assert_eq!(decoder.u16().ok(), Some(0x0102));
        assert!(decoder.u16().is_err());
        assert_eq!(decoder.bytes(1).ok(), Some([3].as_slice()));
        assert!(decoder.u8().is_err() && decoder.finish().is_ok());
    }

    proptest! {
        #[test]
        fn what_is_put_together_comes_apart_again(
            a in any::<u8>(), b in any::<u16>(), c in any::<u32>(), d in any::<u64>(), e in any::<[u8; 5]>(),
        ) {
            let mut encoder = Encoder::of_kind(a);
            encoder.u16(b).u32(c).u64(d).u8(a).bytes(&e);
            let bytes = encoder.done();
            let mut decoder = Decoder::new(&bytes);
            prop_assert_eq!(decoder.u8().expect("there"), a);
            prop_assert_eq!(decoder.u16().expect("there"), b);
            prop_assert_eq!(decoder.u32().expect("there"), c);
            prop_assert_eq!(decoder.u64().expect("there"), d);
            prop_assert_eq!(decoder.bytes(1).expect("there"), [a]);
            prop_assert_eq!(decoder.array::<5>().expect("there"), e);
            prop_assert!(decoder.finish().is_ok());
        }
    }
}
