//! What the person types, line by line; from a terminal with keys, or from a script's pipe.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::base::threads::Stop;
use crate::model::limits::{MAX_TYPED, SLICE};
use crate::shell::editor::{Editor, Key};
use crate::shell::screen::Screen;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, poll, read};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use rustix::event::{PollFd, PollFlags, Timespec};
use std::collections::VecDeque;
use std::io;

/// What came instead of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// There is no more input, or the node is to stop.
    Ended,
    /// The line was longer than a line may be; it was not taken.
    TooLong,
}

/// A line, or what came instead.
pub type Line = std::result::Result<String, Gone>;

/// Reads lines.
#[derive(Debug)]
pub struct Input {
    screen: Screen,
    stop: Stop,
    piped: VecDeque<u8>,
    ended: bool,
}

impl Input {
    /// Input from standard input.
    pub fn new(screen: &Screen, stop: &Stop) -> Self {
        Self { screen: screen.clone(), stop: stop.clone(), piped: VecDeque::new(), ended: false }
    }

    /// Shows `prompt` and waits for a line. The line is trimmed.
    pub fn line(&mut self, prompt: &str) -> Line {
        if self.screen.is_interactive() {
            self.typed(prompt)
        } else {
            self.screen.say(prompt.trim_end());
            self.piped()
        }
    }

    fn typed(&mut self, prompt: &str) -> Line {
        if let Err(cause) = enable_raw_mode() {
            log::error!("the terminal cannot be set up: {cause}");
            return Err(Gone::Ended);
        }
        let line = self.keys(prompt);
        self.screen.entered();
        if let Err(cause) = disable_raw_mode() {
            log::error!("the terminal cannot be set back: {cause}");
        }
        match line {
            Ok(Some(line)) => Ok(line.trim().to_owned()),
            Ok(None) => Err(Gone::Ended),
            Err(error) => {
                log::error!("{error}");
                Err(Gone::Ended)
            }
        }
    }

    /// Reads keys until Enter; `None` when the person or a signal ends the node.
    fn keys(&mut self, prompt: &str) -> Result<Option<String>> {
        let wrong = |cause| Error::device("read the keyboard", cause);
        let mut editor = Editor::default();
        self.screen.typing(prompt, "", "");
        while !self.stop.is_set() {
            if !poll(SLICE).map_err(wrong)? {
                continue;
            }
            match read().map_err(wrong)? {
                Event::Key(key) if key.kind != KeyEventKind::Release => match meaning(key) {
                    Pressed::Enter => return Ok(Some(editor.into_line())),
                    Pressed::Interrupt => {
                        self.stop.set();
                        return Ok(None);
                    }
                    Pressed::EndOfInput if editor.is_empty() => return Ok(None),
                    Pressed::EndOfInput => editor.press(Key::Delete),
                    Pressed::Key(key) => editor.press(key),
                    Pressed::Nothing => {}
                },
                _ => {}
            }
            let (before, behind) = editor.parts();
            self.screen.typing(prompt, before, behind);
        }
        Ok(None)
    }

    fn piped(&mut self) -> Line {
        loop {
            if let Some(at) = self.piped.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.piped.drain(..=at).collect();
                line.pop();
                return whole(&line);
            }
            // Of a line without end only so much is kept that it is known to be too long.
            self.piped.truncate(MAX_TYPED + 1);
            if self.stop.is_set() {
                return Err(Gone::Ended);
            }
            if self.ended {
                let line: Vec<u8> = self.piped.drain(..).collect();
                return if line.is_empty() { Err(Gone::Ended) } else { whole(&line) };
            }
            if let Err(error) = self.read_more() {
                log::error!("{error}");
                self.ended = true;
            }
        }
    }

    fn read_more(&mut self) -> Result<()> {
        let wrong = |cause| Error::device("read standard input", cause);
        let stdin = io::stdin();
        let slice =
            Deadline::after(SLICE).slice(SLICE).and_then(|slice| Timespec::try_from(slice).ok());
        let ready = rustix::event::poll(&mut [PollFd::new(&stdin, PollFlags::IN)], slice.as_ref());
        match ready {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(()),
            Ok(_) => {}
            Err(cause) => return Err(wrong(cause.into())),
        }
        let mut buffer = [0; 4096];
        match rustix::io::read(&stdin, &mut buffer) {
            Ok(0) => self.ended = true,
            Ok(count) => self.piped.extend(buffer.iter().take(count)),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(cause) => return Err(wrong(cause.into())),
        }
        Ok(())
    }
}

fn whole(line: &[u8]) -> Line {
    if line.len() > MAX_TYPED {
        return Err(Gone::TooLong);
    }
    Ok(String::from_utf8_lossy(line).trim().to_owned())
}

enum Pressed {
    Enter,
    Interrupt,
    EndOfInput,
    Key(Key),
    Nothing,
}

fn meaning(key: KeyEvent) -> Pressed {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Pressed::Interrupt,
            KeyCode::Char('d') => Pressed::EndOfInput,
            KeyCode::Char('u') => Pressed::Key(Key::Clear),
            KeyCode::Char('w') => Pressed::Key(Key::ClearWord),
            KeyCode::Char('a') => Pressed::Key(Key::Home),
            KeyCode::Char('e') => Pressed::Key(Key::End),
            KeyCode::Char('j' | 'm') => Pressed::Enter,
            KeyCode::Char('h') => Pressed::Key(Key::Backspace),
            _ => Pressed::Nothing,
        };
    }
    match key.code {
        KeyCode::Enter => Pressed::Enter,
        KeyCode::Char(letter) => Pressed::Key(Key::Letter(letter)),
        KeyCode::Backspace => Pressed::Key(Key::Backspace),
        KeyCode::Delete => Pressed::Key(Key::Delete),
        KeyCode::Left => Pressed::Key(Key::Left),
        KeyCode::Right => Pressed::Key(Key::Right),
        KeyCode::Home => Pressed::Key(Key::Home),
        KeyCode::End => Pressed::Key(Key::End),
        _ => Pressed::Nothing,
    }
}
