//! Text of others, made safe for a terminal: what would control it is shown instead of obeyed.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` with every character that could move the cursor, change colours, turn the direction of reading or
/// hide itself written out: `␛` for ESC, `<U+202E>` for a direction override. Line breaks are written out too.
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_control) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '\t' => safe.push(' '),
            '\0'..='\u{1f}' => {
                safe.push(char::from_u32(0x2400 + u32::from(letter)).unwrap_or('?'));
            }
            '\u{7f}' => safe.push('\u{2421}'),
            other if is_control(other) => {
                // Writing to a String cannot fail.
                let _ = write!(safe, "<U+{:04X}>", u32::from(other));
            }
            other => safe.push(other),
        }
    }
    Cow::Owned(safe)
}

/// C0 and C1 controls, line separators, and the invisible characters that change how others read: Unicode's
/// bidirectional controls (UAX #9), zero-width space, tags, byte-order mark. The joiners stay: Bengali,
/// Arabic and Burmese need them.
fn is_control(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn controls_are_shown_not_obeyed() {
        assert_eq!(shown("\u{1b}[2J\r\n"), "␛[2J␍␊");
        assert_eq!(shown("a\u{202e}b\u{9b}1m"), "a<U+202E>b<U+009B>1m");
        assert_eq!(shown("\u{7f}\t\0"), "␡ ␀");
    }

    #[test]
    fn the_scripts_of_the_people_stay_as_they_are() {
        for name in ["မောင်", "নূর বেগম", "نور بیگم", "𐴌𐴟𐴇𐴥𐴝𐴚𐴒𐴙𐴝", "Cox's Bazar", "ক্‍ষ"]
        {
            assert!(matches!(shown(name), Cow::Borrowed(same) if same == name));
        }
    }

    proptest! {
        #[test]
        fn nothing_shown_controls_a_terminal(text in "\\PC*|.*|[\u{0}-\u{9f}\u{200b}-\u{206f}]*") {
            prop_assert!(!shown(&text).chars().any(is_control));
        }
    }
}
