//! Lines and questions of the commands that start no node, and so have no screen: set-up, peers, wipe.

use crate::base::error::{Error, Result};
use crate::model::limits::{MAX_PASSPHRASE, MAX_TYPED};
use crate::model::passphrase::Passphrase;
use crate::shell::editor::Key;
use crate::shell::keys::{Decoder, Pressed};
use crate::shell::terminal::Hidden;
use crate::shell::{setup_words, words};
use crate::store::files;
use rustix::io::Errno;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;
use zeroize::Zeroizing;

/// Writes a text and a line break to standard output.
pub fn say(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    written.map_err(|cause| Error::device("write to standard output", cause))
}

/// Whether the person types exactly `word`. Without a terminal nobody can be asked: an error.
pub fn confirms(question: &str, word: &str) -> Result<bool> {
    if !io::stdin().is_terminal() {
        return Err(nobody_to_ask());
    }
    prompt(question);
    let mut line = Vec::new();
    let read = io::stdin().lock().take(MAX_TYPED as u64).read_until(b'\n', &mut line);
    read.map_err(|cause| Error::device("read from the terminal", cause))?;
    Ok(line.trim_ascii() == word.as_bytes())
}

/// What cannot be done without a person who confirms it.
pub fn nobody_to_ask() -> Error {
    Error::input(
        "confirmation",
        "there is no terminal to ask on",
        "run it in a terminal, or with --yes if you are sure",
    )
}

/// A line that somebody types, or that a script gives: trimmed. The question goes to stderr.
pub fn line(question: &str) -> Result<Zeroizing<String>> {
    prompt(question);
    let mut line = Zeroizing::new(String::with_capacity(MAX_TYPED));
    let read = io::stdin().lock().take(MAX_TYPED as u64).read_line(&mut line);
    match read.map_err(|cause| Error::device("read from the terminal", cause))? {
        0 => Err(Error::input("answer", "the input ended", "run it in a terminal")),
        _ => Ok(Zeroizing::new(line.trim().to_owned())),
    }
}

/// What somebody types, or a script gives, as `read` reads it. At a terminal what cannot be read is asked for again.
pub fn read<T>(question: &str, read: impl Fn(&str) -> Result<T>) -> Result<T> {
    until_read(io::stdin().is_terminal(), || line(question), read)
}

fn until_read<T>(
    is_terminal: bool,
    mut line: impl FnMut() -> Result<Zeroizing<String>>,
    read: impl Fn(&str) -> Result<T>,
) -> Result<T> {
    loop {
        match read(&line()?) {
            Err(error) if is_terminal => prompt(&format!("{}\n", words::failure(&error))),
            done => return done,
        }
    }
}

/// The passphrase of an identity: the first line of `file`, or else it is asked for on the terminal.
pub fn passphrase(file: Option<&Path>) -> Result<Passphrase> {
    match file {
        Some(file) => passphrase_in(file),
        None => hidden(setup_words::PASSPHRASE)?.try_into(),
    }
}

/// The passphrase of an identity that is being made, if it shall have one: the first line of `file`, or else, if it
/// `is_wanted`, asked for on the terminal.
pub fn new_passphrase(file: Option<&Path>, is_wanted: bool) -> Result<Option<Passphrase>> {
    match file {
        Some(file) => passphrase_in(file).map(Some),
        None => is_wanted.then(typed_twice).transpose(),
    }
}

fn passphrase_in(path: &Path) -> Result<Passphrase> {
    let text = Zeroizing::new(files::read_text(path, MAX_PASSPHRASE as u64 + 2)?);
    Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()).try_into()
}

fn typed_twice() -> Result<Passphrase> {
    let first = Passphrase::try_from(hidden(setup_words::NEW_PASSPHRASE)?)?;
    let again = hidden(setup_words::PASSPHRASE_AGAIN)?;
    match Passphrase::try_from(again) {
        Ok(again) if again.matches(&first) => Ok(first),
        _ => Err(Error::input("passphrase", "the two are not the same", "start again")),
    }
}

fn prompt(text: &str) {
    // To stderr, so that it is seen when the output goes to a file. If stderr is gone nobody reads it.
    let _ = write!(io::stderr(), "{text}").and_then(|()| io::stderr().flush());
}

/// A line that is not shown while it is typed.
fn hidden(question: &str) -> Result<Zeroizing<String>> {
    let not_given = |why: &str| {
        Error::input("passphrase", why, "type it on a terminal, or give --passphrase-file FILE")
    };
    if !io::stdin().is_terminal() {
        return Err(not_given("there is no terminal to ask on"));
    }
    let wrong = |cause| Error::device("read from the terminal", cause);
    let mode = Hidden::begin().map_err(wrong)?;
    prompt(question);
    // All of its room from the start: what grows leaves a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_PASSPHRASE + 8));
    let mut decoder = Decoder::default();
    let line = loop {
        let mut byte = [0];
        let count = rustix::io::read(io::stdin(), &mut byte);
        match count {
            Ok(0) => break Err(not_given("the input ended")),
            Ok(_) if byte == [CTRL_C] => break Err(not_given("it was not given")),
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(cause) => break Err(wrong(cause.into())),
        }
        match decoder.feed(&byte).first() {
            Some(Pressed::Enter) => break Ok(()),
            Some(Pressed::EndOfInput) if text.is_empty() => {
                break Err(not_given("the input ended"));
            }
            Some(Pressed::Key(Key::Letter(letter))) if text.len() <= MAX_PASSPHRASE => {
                text.push(*letter);
            }
            Some(Pressed::Key(Key::Backspace)) => {
                text.pop();
            }
            Some(Pressed::Key(Key::Clear)) => text.clear(),
            _ => {}
        }
    };
    drop(mode);
    prompt("\n");
    line.map(|()| text)
}

/// What the key Ctrl-C sends where it is no signal.
const CTRL_C: u8 = 0x03;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::join::code::Code;

    /// The code that comes of these lines, and how many of them were taken.
    fn code(is_terminal: bool, lines: &[&str]) -> (Result<Code>, usize) {
        let mut taken = 0;
        let line = || {
            let line = lines.get(taken).ok_or(Error::Stopped)?;
            taken += 1;
            Ok(Zeroizing::new((*line).to_owned()))
        };
        let code = until_read(is_terminal, line, str::parse);
        (code, taken)
    }

    #[test]
    fn a_slip_is_asked_for_again_at_a_terminal_and_ends_a_script() {
        let lines =
            ["", "7-crosover-clockwork", "crossover-clockwork", "7-crossover-clockwork", ""];
        let (read, taken) = code(true, &lines);
        assert_eq!((&*read.expect("a code").expose(), taken), (&"7-crossover-clockwork".into(), 4));
        let (read, taken) = code(false, &lines[1..]);
        assert!(read.is_err() && taken == 1);
        // Where the input ends nothing is asked for ever.
        let (read, taken) = code(true, &lines[..2]);
        assert!(matches!(read, Err(Error::Stopped)) && taken == 2);
    }
}
