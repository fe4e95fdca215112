//! Frames: where one message of a sealed session ends and the next begins.
//!
//! ```text
//! frame = length u32  body      length 1..=MAX_FRAME, of the body alone; less where all bodies are short
//! ```

use crate::base::error::{Error, Result};
use crate::model::limits::MAX_FRAME;

/// Bytes of the length before a body.
const LENGTH_BYTES: usize = 4;

/// The frame of this body, which has 1 to `MAX_FRAME` bytes: every message of this program does.
pub fn encode(body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(LENGTH_BYTES + body.len());
    append(body, &mut frame);
    frame
}

/// Appends the frame of this body to what is to be sent with it.
pub fn append(body: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&length(body.len()));
    out.extend_from_slice(body);
}

/// What stands before a body of so many bytes in its frame.
pub fn length(body: usize) -> [u8; LENGTH_BYTES] {
    debug_assert!((1..=MAX_FRAME).contains(&body), "a body of {body} bytes");
    // A body that is too long for its length is refused by whoever reads it.
    u32::try_from(body).unwrap_or(u32::MAX).to_be_bytes()
}

/// Puts frames together from pieces of any size. It holds one unfinished frame and nothing more.
#[derive(Debug)]
pub struct Frames {
    /// Longest body that may come.
    most: usize,
    length: [u8; LENGTH_BYTES],
    /// How many bytes of the length have come.
    known: usize,
    body: Vec<u8>,
}

impl Frames {
    /// A decoder between two frames.
    pub fn new() -> Self {
        Self { most: MAX_FRAME, length: [0; LENGTH_BYTES], known: 0, body: Vec::new() }
    }

    /// From now on bodies have at most `most` bytes, which is no more than `MAX_FRAME`: who may say only little
    /// makes us hold only little.
    pub fn limit(&mut self, most: usize) {
        self.most = most.min(MAX_FRAME);
    }

    /// Takes from the front of `piece` what belongs to the frame under way. Returns its body once it is
    /// whole; `None` says that all of `piece` is used up. To be called until then.
    ///
    /// A length that no body may have is an error before a byte of it is held, and stays one.
    pub fn take(&mut self, piece: &mut &[u8]) -> Result<Option<Vec<u8>>> {
        while self.known < LENGTH_BYTES {
            let Some((byte, rest)) = piece.split_first() else { return Ok(None) };
            if let Some(place) = self.length.get_mut(self.known) {
                *place = *byte;
            }
            (self.known, *piece) = (self.known + 1, rest);
        }
        let length = usize::try_from(u32::from_be_bytes(self.length)).unwrap_or(usize::MAX);
        if !(1..=self.most).contains(&length) {
            return Err(Error::peer(format!("announced a frame of {length} bytes")));
        }
        let missing = length.saturating_sub(self.body.len());
        let (come, rest) = piece.split_at_checked(missing).unwrap_or((piece, &[]));
        // Grows as bytes come, so that an announcement alone takes no memory.
        self.body.extend_from_slice(come);
        *piece = rest;
        if self.body.len() < length {
            return Ok(None);
        }
        self.known = 0;
        Ok(Some(std::mem::take(&mut self.body)))
    }

    /// Whether a frame has begun that is not whole yet: an end here is a transfer that broke off.
    pub fn is_amid(&self) -> bool {
        self.known > 0
    }
}

impl Default for Frames {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>> {
        let (mut frames, mut bodies) = (Frames::new(), Vec::new());
        for mut piece in pieces.iter().copied() {
            while let Some(body) = frames.take(&mut piece)? {
                bodies.push(body);
            }
            assert!(piece.is_empty());
        }
        Ok(bodies)
    }

    #[test]
    fn a_length_that_no_body_may_have_is_refused_at_once() {
        for wrong in [0, MAX_FRAME as u32 + 1, u32::MAX] {
            let mut frames = Frames::new();
            let bytes = [wrong.to_be_bytes().as_slice(), &[7; 100]].concat();
            assert!(frames.take(&mut bytes.as_slice()).is_err(), "{wrong}");
            assert!(frames.take(&mut [7; 100].as_slice()).is_err(), "{wrong} again");
            assert_eq!(frames.body.capacity(), 0);
        }
        let longest = vec![7; MAX_FRAME];
        assert_eq!(all(&[&encode(&longest)]).expect("allowed"), [longest]);
    }

    #[test]
    fn who_may_say_only_little_makes_us_hold_only_little() {
        let mut frames = Frames::new();
        frames.limit(3);
        let bytes = [encode(b"abc"), encode(b"abcd")].concat();
        let mut piece = bytes.as_slice();
        assert_eq!(frames.take(&mut piece).expect("short enough"), Some(b"abc".to_vec()));
        assert!(frames.take(&mut piece).is_err());
        let mut frames = Frames::new();
        frames.limit(usize::MAX);
        assert!(frames.take(&mut (MAX_FRAME as u32 + 1).to_be_bytes().as_slice()).is_err());
    }

    #[test]
    fn an_announcement_alone_takes_no_memory() {
        let mut frames = Frames::new();
        let bytes = [(MAX_FRAME as u32).to_be_bytes().as_slice(), &[7; 100]].concat();
        assert!(matches!(frames.take(&mut bytes.as_slice()), Ok(None)));
        assert!(frames.body.capacity() <= 200 && frames.is_amid());
    }

    #[test]
    fn a_session_may_end_between_frames_only() {
        let bytes = encode(b"one");
        for cut in 0..=bytes.len() {
            let mut frames = Frames::new();
            let came = frames.take(&mut &bytes[..cut]).expect("right so far");
            assert_eq!(came.is_some(), cut == bytes.len());
            assert_eq!(frames.is_amid(), cut != 0 && cut != bytes.len());
        }
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same_bodies(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
            size in 1usize..60,
        ) {
            let mut bytes = Vec::new();
            bodies.iter().for_each(|body| append(body, &mut bytes));
            let pieces: Vec<_> = bytes.chunks(size).collect();
            prop_assert_eq!(all(&pieces).expect("right frames"), bodies);
        }

        #[test]
        fn any_bytes_are_taken_without_a_panic_or_much_memory(
            bytes in prop::collection::vec(prop_oneof![Just(0), any::<u8>()], 0..200),
        ) {
            let mut frames = Frames::new();
            let mut piece = bytes.as_slice();
            while let Ok(Some(body)) = frames.take(&mut piece) {
                prop_assert!((1..=bytes.len()).contains(&body.len()));
            }
            prop_assert!(frames.body.capacity() <= bytes.len() * 2 + 8);
        }
    }
}
