//! Values of operations in memory: packed one behind the other, a million of them without a million allocations.

use crate::model::limits::{MAX_VALUES_BYTES, VALUES_PIECE};

/// The length of a closed value.
const CLOSED: u16 = u16::MAX;

/// Bytes, in pieces that never move.
#[derive(Debug, Default)]
pub struct Arena {
    pieces: Vec<Vec<u8>>,
}

impl Arena {
    /// Stores these values; `None` stands for a closed one. Returns where they are, or `None` if there is no room.
    pub fn store<'a>(
        &mut self,
        values: impl Iterator<Item = Option<&'a str>> + Clone,
    ) -> Option<u32> {
        let mut size = 0;
        for value in values.clone() {
            let length = value.map_or(0, str::len);
            if length >= usize::from(CLOSED) {
                return None;
            }
            size += 2 + length;
        }
        let fits = |piece: &Vec<u8>| piece.len() + size <= VALUES_PIECE;
        if !self.pieces.last().is_some_and(fits) {
            if size > VALUES_PIECE || (self.pieces.len() + 1) * VALUES_PIECE > MAX_VALUES_BYTES {
                return None;
            }
            self.pieces.push(Vec::with_capacity(VALUES_PIECE));
        }
        let before = (self.pieces.len() - 1) * VALUES_PIECE;
        let piece = self.pieces.last_mut()?;
        let at = u32::try_from(before + piece.len()).ok()?;
        for value in values {
            let length = value.map_or(CLOSED, |text| u16::try_from(text.len()).unwrap_or(CLOSED));
            piece.extend_from_slice(&length.to_be_bytes());
            piece.extend_from_slice(value.unwrap_or_default().as_bytes());
        }
        Some(at)
    }

    /// The first `count` values stored there.
    pub fn values(&self, at: u32, count: usize) -> impl Iterator<Item = Option<&str>> {
        let mut rest = self.rest(at);
        (0..count).map_while(move |_| {
            let (length, behind) = rest.split_first_chunk()?;
            let length = u16::from_be_bytes(*length);
            if length == CLOSED {
                rest = behind;
                return Some(None);
            }
            let (text, behind) = behind.split_at_checked(usize::from(length))?;
            rest = behind;
            Some(std::str::from_utf8(text).ok())
        })
    }

    fn rest(&self, at: u32) -> &[u8] {
        let (piece, offset) = place(at);
        self.pieces.get(piece).and_then(|piece| piece.get(offset..)).unwrap_or_default()
    }
}

fn place(at: u32) -> (usize, usize) {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    (at / VALUES_PIECE, at % VALUES_PIECE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_where_they_were_stored_over_many_pieces() {
        let mut arena = Arena::default();
        let long = "x".repeat(60_000);
        let store = |arena: &mut Arena, n: usize| {
            arena.store([Some(long.as_str()), None, Some(""), Some(&n.to_string())].into_iter())
        };
        let places: Vec<_> = (0..100).map(|n| store(&mut arena, n).expect("room")).collect();
        assert!(arena.pieces.len() > 3);
        for (n, at) in places.iter().enumerate() {
            let values: Vec<_> = arena.values(*at, 4).collect();
            assert_eq!(values, [Some(long.as_str()), None, Some(""), Some(n.to_string().as_str())]);
        }
        assert!(arena.store([Some("x".repeat(70_000).as_str())].into_iter()).is_none());
    }
}
