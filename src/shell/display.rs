//! Draws on a terminal, or writes plain lines where there is none: a script, a file, a pipe.

use crate::shell::terminal;
use std::io::{self, Write};
use unicode_width::UnicodeWidthChar;

/// Where text goes, and the line being typed there.
#[derive(Debug)]
pub struct Display<W: Write> {
    out: W,
    terminal: bool,
    typing: Option<(String, String, String)>,
}

const BELL: &str = "\x07";
const CLEAR_LINE: &str = "\r\x1b[K";
const ALARM_COLOURS: &str = "\x1b[1;97;41m";
const PLAIN: &str = "\x1b[0m";

impl<W: Write> Display<W> {
    /// A display on `out`.
    pub fn new(out: W, terminal: bool) -> Self {
        Self { out, terminal, typing: None }
    }

    /// Shows what was asked for.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        self.above(text)
    }

    /// Shows what happened meanwhile, above the line being typed.
    pub fn notice(&mut self, text: &str) -> io::Result<()> {
        self.above(text)
    }

    /// Shows an alarm so that it cannot be overlooked.
    pub fn alarm(&mut self, text: &str) -> io::Result<()> {
        if !self.terminal {
            return self.above(text);
        }
        let coloured: Vec<_> =
            text.lines().map(|line| format!("{ALARM_COLOURS}{line}{PLAIN}")).collect();
        self.above(&format!("{BELL}{}", coloured.join("\n")))?;
        self.ring()
    }

    /// Rings the terminal's bell.
    pub fn ring(&mut self) -> io::Result<()> {
        if self.terminal {
            self.out.write_all(BELL.as_bytes())?;
        }
        self.out.flush()
    }

    /// Shows the line being typed.
    pub fn typing(&mut self, prompt: String, before: String, behind: String) -> io::Result<()> {
        self.typing = Some((prompt, before, behind));
        self.draw()
    }

    /// The line being typed was entered, and stays.
    pub fn entered(&mut self) -> io::Result<()> {
        if self.typing.take().is_some() {
            self.out.write_all(b"\r\n")?;
        }
        self.out.flush()
    }

    /// Ends the display.
    pub fn end(&mut self) -> io::Result<()> {
        if self.typing.take().is_some() && self.terminal {
            self.out.write_all(b"\r\n")?;
        }
        self.out.flush()
    }

    fn above(&mut self, text: &str) -> io::Result<()> {
        if !self.terminal {
            writeln!(self.out, "{text}")?;
            return self.out.flush();
        }
        if self.typing.is_some() {
            self.out.write_all(CLEAR_LINE.as_bytes())?;
        }
        // While a line is being typed the terminal does not add the carriage return by itself.
        write!(self.out, "{}\r\n", text.replace('\n', "\r\n"))?;
        self.draw()
    }

    /// Draws the line being typed: always in one row of the screen, scrolled sideways if it is long.
    fn draw(&mut self) -> io::Result<()> {
        if let (Some((prompt, before, behind)), true) = (&self.typing, self.terminal) {
            let (columns, _) = terminal::size();
            let room = columns.saturating_sub(width(prompt) + 1).max(8);
            let before = tail(before, room);
            let behind = head(behind, room.saturating_sub(width(before)));
            write!(self.out, "{CLEAR_LINE}{prompt}{before}{behind}")?;
            match width(behind) {
                0 => {}
                back => write!(self.out, "\x1b[{back}D")?,
            }
        }
        self.out.flush()
    }
}

/// Terminal columns that `text` takes.
pub fn width(text: &str) -> usize {
    text.chars().map(|letter| letter.width().unwrap_or(0)).sum()
}

fn head(text: &str, room: usize) -> &str {
    let mut used = 0;
    let cut = text.char_indices().find(|(_, letter)| {
        used += letter.width().unwrap_or(0);
        used > room
    });
    text.get(..cut.map_or(text.len(), |(at, _)| at)).unwrap_or_default()
}

fn tail(text: &str, room: usize) -> &str {
    let mut used = 0;
    let cut = text.char_indices().rev().find(|(_, letter)| {
        used += letter.width().unwrap_or(0);
        used > room
    });
    text.get(cut.map_or(0, |(at, letter)| at + letter.len_utf8())..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(terminal: bool, act: impl Fn(&mut Display<&mut Vec<u8>>)) -> String {
        let mut bytes = Vec::new();
        act(&mut Display::new(&mut bytes, terminal));
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_notice_goes_above_the_line_being_typed_and_the_line_stays() {
        let drawn = on(true, |display| {
            display.typing("> ".into(), "hel".into(), "lo".into()).expect("memory");
            display.notice("news").expect("memory");
        });
        assert!(drawn.ends_with("\r\x1b[Knews\r\n\r\x1b[K> hello\x1b[2D"), "{drawn:?}");
    }

    #[test]
    fn without_a_terminal_there_are_only_plain_lines() {
        let drawn = on(false, |display| {
            display.alarm("!! ALARM\n!! run").expect("memory");
            display.text("done").expect("memory");
        });
        assert_eq!(drawn, "!! ALARM\n!! run\ndone\n");
    }

    #[test]
    fn an_alarm_rings_and_is_coloured() {
        let drawn = on(true, |display| display.alarm("ALARM").expect("memory"));
        assert!(drawn.contains(BELL) && drawn.contains(ALARM_COLOURS));
    }

    #[test]
    fn a_long_line_shows_the_part_around_the_cursor() {
        assert_eq!(tail("abcdef", 3), "def");
        assert_eq!(head("abcdef", 3), "abc");
        assert_eq!(tail("日本語", 4), "本語");
        assert_eq!(head("日本語", 5), "日本");
        assert_eq!((tail("ab", 9), head("ab", 9)), ("ab", "ab"));
    }
}
