//! Bytes of a terminal in, keys out.
//!
//! Source: ECMA-48 control sequences (`ESC [ parameters final`) and what xterm sends for its keys.

use crate::shell::editor::Key;

/// What was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressed {
    /// The line is complete.
    Enter,
    /// Ctrl-D: the end of input, if the line is empty.
    EndOfInput,
    /// A key that changes the line.
    Key(Key),
}

/// Bytes that may be the beginning of a key.
#[derive(Debug, Default)]
pub struct Decoder(Vec<u8>);

/// Longest sequence that is waited for; longer ones are no key of ours.
const LONGEST: usize = 32;

impl Decoder {
    /// Takes bytes and returns the keys that they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Pressed> {
        let mut pressed = Vec::new();
        for byte in bytes {
            self.0.push(*byte);
            match decode(&self.0) {
                Decoded::More if self.0.len() < LONGEST => {}
                Decoded::More | Decoded::Nothing => self.0.clear(),
                Decoded::Pressed(key) => {
                    self.0.clear();
                    pressed.push(key);
                }
            }
        }
        pressed
    }
}

enum Decoded {
    More,
    Nothing,
    Pressed(Pressed),
}

fn decode(bytes: &[u8]) -> Decoded {
    let key = |key| Decoded::Pressed(Pressed::Key(key));
    match bytes {
        [b'\r' | b'\n'] => Decoded::Pressed(Pressed::Enter),
        [0x01] => key(Key::Home),
        [0x04] => Decoded::Pressed(Pressed::EndOfInput),
        [0x05] => key(Key::End),
        [0x08 | 0x7f] => key(Key::Backspace),
        [0x15] => key(Key::Clear),
        [0x17] => key(Key::ClearWord),
        [0x1b] | [0x1b, b'[' | b'O'] => Decoded::More,
        [0x1b, b'[' | b'O', parameters @ .., last] => match (parameters, last) {
            (_, b'0'..=b'?') => Decoded::More,
            ([], b'D') => key(Key::Left),
            ([], b'C') => key(Key::Right),
            ([], b'H') | (b"1" | b"7", b'~') => key(Key::Home),
            ([], b'F') | (b"4" | b"8", b'~') => key(Key::End),
            (b"3", b'~') => key(Key::Delete),
            _ => Decoded::Nothing,
        },
        [0x00..=0x1f, ..] => Decoded::Nothing,
        letters => match std::str::from_utf8(letters) {
            Ok(text) => {
                text.chars().next().map_or(Decoded::Nothing, |letter| key(Key::Letter(letter)))
            }
            Err(error) if error.error_len().is_none() => Decoded::More,
            Err(_) => Decoded::Nothing,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(bytes: &[u8]) -> Vec<Pressed> {
        Decoder::default().feed(bytes)
    }

    #[test]
    fn letters_of_every_script_come_whole() {
        let letters = |text: &str| -> Vec<_> {
            text.chars().map(|one| Pressed::Key(Key::Letter(one))).collect()
        };
        assert_eq!(keys("aনမ𐴌".as_bytes()), letters("aনမ𐴌"));
        let mut decoder = Decoder::default();
        let whole: Vec<_> = "ন".bytes().flat_map(|byte| decoder.feed(&[byte])).collect();
        assert_eq!(whole, letters("ন"));
    }

    #[test]
    fn keys_of_a_terminal_are_known_and_unknown_ones_type_nothing() {
        use Pressed::*;
        assert_eq!(
            keys(b"\x1b[D\x1bOC\x1b[3~\x7f\r"),
            [
                Key(self::Key::Left),
                Key(self::Key::Right),
                Key(self::Key::Delete),
                Key(self::Key::Backspace),
                Enter
            ]
        );
        assert_eq!(keys(b"\x1b[A\x1b[15~\x1b[1;5C\x1bx\x02\xff"), []);
        assert_eq!(keys(b"\x04"), [EndOfInput]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_keys_or_nothing(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut decoder = Decoder::default();
            decoder.feed(&bytes);
            prop_assert!(decoder.0.len() < LONGEST);
        }
    }
}
