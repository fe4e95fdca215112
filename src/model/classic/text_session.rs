//! What a classic text session says. TCP has no messages: what one `send` wrote may come in pieces, cut in
//! the middle of a character, or together with the next. This puts it together as well as it can be known.

use crate::model::classic::datagram::{ALARM_PREFIX, QUIT};
use crate::model::limits::{MAX_MESSAGES, MAX_TEXT, TEXT_CHUNK};

/// Something to show, or the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A message.
    Message(String),
    /// An alarm, without its prefix.
    Alarm(String),
    /// The other side ended the session.
    Quit,
    /// The other side went over a limit; the session has to end.
    TooMuch,
}

/// A text session in the middle.
#[derive(Debug, Default)]
pub struct TextSession {
    held: Vec<u8>,
    bytes: usize,
    messages: usize,
    begun: bool,
}

impl TextSession {
    /// Takes what one read brought. What may go on is held back: `holds` tells.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<Said> {
        self.bytes += bytes.len();
        if self.bytes > MAX_TEXT || self.messages >= MAX_MESSAGES {
            return Some(Said::TooMuch);
        }
        self.held.extend_from_slice(bytes);
        if self.held == QUIT.as_bytes() {
            return Some(Said::Quit);
        }
        let undecided = self.may_be_alarm() || self.held.ends_with(QUIT.as_bytes());
        if undecided && self.held.len() <= TEXT_CHUNK {
            return None;
        }
        self.release(cut_at(&self.held))
    }

    /// Whether something is held back until more comes, or a moment has passed.
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// A moment has passed and nothing more came: what is held was all, but for a cut-off character.
    pub fn moment_passed(&mut self) -> Option<Said> {
        self.release(cut_at(&self.held))
    }

    /// The other side closed. A `quit` at the end was its goodbye.
    pub fn finish(mut self) -> Option<Said> {
        let whole = self.held.strip_suffix(QUIT.as_bytes()).map_or(self.held.len(), <[u8]>::len);
        self.release(whole)
    }

    fn may_be_alarm(&self) -> bool {
        let (held, prefix) = (self.held.as_slice(), ALARM_PREFIX.as_bytes());
        !self.begun && (held.starts_with(prefix) || prefix.starts_with(held))
    }

    fn release(&mut self, count: usize) -> Option<Said> {
        let rest = self.held.split_off(count.min(self.held.len()));
        let said = std::mem::replace(&mut self.held, rest);
        if said.is_empty() {
            return None;
        }
        let first = !std::mem::replace(&mut self.begun, true);
        self.messages += 1;
        let text = String::from_utf8_lossy(&said);
        Some(match text.strip_prefix(ALARM_PREFIX) {
            Some(alarm) if first => Said::Alarm(alarm.to_owned()),
            _ => Said::Message(text.into_owned()),
        })
    }
}

/// Where `bytes` ends when a character that is cut off at its end is left out.
fn cut_at(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(3);
    let last = bytes.get(from..).unwrap_or_default();
    for (at, byte) in last.iter().enumerate().rev() {
        let length = match byte {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            0x80..=0xbf => continue,
            _ => break,
        };
        let there = last.len() - at;
        return if there < length { from + at } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::classic::datagram::ALARM_STANDARD;
    use proptest::prelude::*;

    fn hear(reads: &[&[u8]]) -> Vec<Said> {
        let (mut session, mut said) = (TextSession::default(), Vec::new());
        for read in reads {
            said.extend(session.feed(read));
        }
        said.extend(session.finish());
        said
    }

    fn message(text: &str) -> Said {
        Said::Message(text.to_owned())
    }

    #[test]
    fn each_send_is_a_message_and_quit_ends() {
        assert_eq!(
            hear(&[b"hello", b"world", b"quit"]),
            [message("hello"), message("world"), Said::Quit]
        );
        assert_eq!(hear(&[b"helloquit"]), [message("hello")]);
        assert_eq!(hear(&[b"I will not quit", b" yet"]), [message("I will not quit yet")]);
    }

    #[test]
    fn a_message_that_ends_in_quit_is_shown_after_a_moment() {
        let mut session = TextSession::default();
        assert_eq!(session.feed(b"do not quit"), None);
        assert!(session.holds());
        assert_eq!(session.moment_passed(), Some(message("do not quit")));
        assert!(!session.holds());
    }

    #[test]
    fn a_character_cut_between_reads_is_put_together() {
        let text = "নূর မောင် 🙂";
        for cut in 1..text.len() {
            let (one, other) = text.as_bytes().split_at(cut);
            let said: String = hear(&[one, other])
                .into_iter()
                .map(|said| match said {
                    Said::Message(text) => text,
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(said, text, "cut at {cut}");
        }
    }

    #[test]
    fn an_alarm_is_known_however_it_is_cut() {
        let bytes = format!("{ALARM_PREFIX}{ALARM_STANDARD}");
        for cut in 0..bytes.len() {
            let (one, other) = bytes.as_bytes().split_at(cut);
            assert_eq!(hear(&[one, other]), [Said::Alarm(ALARM_STANDARD.into())], "cut at {cut}");
        }
        assert_eq!(hear(&[b"x", bytes.as_bytes()]).len(), 2, "only the first text can be an alarm");
    }

    #[test]
    fn a_session_is_bounded_in_bytes_and_messages() {
        let mut session = TextSession::default();
        let said = std::iter::repeat_with(|| session.feed(b"x")).take(MAX_MESSAGES + 1).last();
        assert_eq!(said, Some(Some(Said::TooMuch)));
        let mut session = TextSession::default();
        let said =
            std::iter::repeat_with(|| session.feed(&[b'x'; 4096])).take(MAX_TEXT / 4096 + 1).last();
        assert_eq!(said, Some(Some(Said::TooMuch)));
    }

    proptest! {
        #[test]
        fn no_text_is_lost_whatever_the_reads(text in "[a-z\u{1000}-\u{1010}]{0,40}", cuts in prop::collection::vec(0usize..120, 0..5)) {
            prop_assume!(!text.ends_with("quit") && !text.starts_with("quit"));
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.sort_unstable();
            let (mut reads, mut from) = (Vec::new(), 0);
            for cut in cuts.into_iter().chain([text.len()]) {
                reads.push(&text.as_bytes()[from..cut]);
                from = cut;
            }
            let said = hear(&reads);
            prop_assume!(!said.contains(&Said::Quit));
            let heard: String = said.into_iter().filter_map(|said| match said {
                Said::Message(text) => Some(text),
                _ => None,
            }).collect();
            prop_assert_eq!(heard, text);
        }

        #[test]
        fn any_bytes_are_heard_without_a_panic(reads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..8)) {
            let reads: Vec<_> = reads.iter().map(Vec::as_slice).collect();
            hear(&reads);
        }
    }
}
