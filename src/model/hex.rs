//! Bytes as lowercase hexadecimal digits, two a byte: keys that people copy, hashes, what stands beside a text.

use std::fmt::Write;
use zeroize::Zeroize;

/// The digits of `bytes`.
pub fn digits(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The bytes of exactly `N` times two hexadecimal digits, in any case; `None` for anything else.
pub fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let text = text.as_bytes();
    let right = text.len() == N * 2
        && bytes.iter_mut().zip(text.chunks_exact(2)).all(|(byte, pair)| {
            let nibbles = pair.iter().try_fold(0_u8, |sum, digit| {
                let value = char::from(*digit).to_digit(16)?;
                Some(sum << 4 | u8::try_from(value).ok()?)
            });
            nibbles.map(|value| *byte = value).is_some()
        });
    if !right {
        bytes.zeroize();
        return None;
    }
    Some(bytes)
}

/// The bytes of any number of digits; `None` if they are not two a byte.
pub fn any_bytes(text: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| bytes::<1>(std::str::from_utf8(pair).ok()?).map(|[byte]| byte);
    let pairs = text.as_bytes().chunks(2);
    pairs.map(pair).collect()
}

/// Groups of a spoken hash: 24 digits are 79 bits, out of reach for somebody who makes up things until one fits.
const SPOKEN_GROUPS: usize = 6;

/// A hash in six groups of four digits, for two people to compare by voice, in any language.
pub fn spoken(hash: &[u8]) -> String {
    // Four bytes a group: the remainder by 10,000 is even enough for the eye, and for 13 bits of it.
    let group =
        |bytes: &[u8]| bytes.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)) % 10_000;
    let groups = hash.chunks_exact(4).take(SPOKEN_GROUPS);
    groups.map(|bytes| format!("{:04}", group(bytes))).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        assert_eq!(digits(&[0, 0x0f, 0xff]), "000fff");
        assert_eq!(bytes::<3>("000FfF"), Some([0, 0x0f, 0xff]));
        for wrong in ["000ff", "000ffff0", "000ffg", "+00fff", "0x00ff", "ßßß"] {
            assert_eq!(bytes::<3>(wrong), None, "{wrong}");
        }
    }
}
