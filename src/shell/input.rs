//! What the person types, line by line; from a terminal with keys, or from a script's pipe.

use crate::base::error::{Error, Result};
use crate::base::threads::Stop;
use crate::base::waiting::wait_to_read;
use crate::model::limits::{MAX_TYPED, WOKEN_LOOK};
use crate::shell::editor::{Editor, Key};
use crate::shell::keys::{Decoder, Pressed};
use crate::shell::screen::Screen;
use crate::shell::terminal::KeyByKey;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;

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
    ahead: VecDeque<Pressed>,
    ended: bool,
}

impl Input {
    /// Input from standard input.
    pub fn new(screen: &Screen, stop: &Stop) -> Self {
        Self {
            screen: screen.clone(),
            stop: stop.clone(),
            piped: VecDeque::new(),
            ahead: VecDeque::new(),
            ended: false,
        }
    }

    /// Shows `prompt` and waits for a line. The line is trimmed.
    pub fn line(&mut self, prompt: &str) -> Line {
        match self.screen.is_interactive().then(KeyByKey::begin) {
            Some(Ok(mode)) => {
                let line = self.keys(prompt);
                self.screen.entered();
                drop(mode);
                line
            }
            other => {
                // A terminal, or an emulator of a machine, that knows no keys: it gives whole lines.
                if let Some(Err(cause)) = other {
                    log::debug!("the terminal gives no keys: {cause}");
                }
                self.screen.say(prompt.trim_end());
                self.piped()
            }
        }
    }

    /// Reads keys until Enter.
    fn keys(&mut self, prompt: &str) -> Line {
        let (mut editor, mut decoder) = (Editor::default(), Decoder::default());
        self.screen.typing(prompt, "", "");
        // What was typed ahead of this prompt comes first.
        let (mut pressed, mut changed) = (std::mem::take(&mut self.ahead), false);
        loop {
            while let Some(one) = pressed.pop_front() {
                changed = true;
                match one {
                    Pressed::Enter => {
                        self.ahead = pressed;
                        self.draw(prompt, &editor);
                        return whole(editor.into_line().as_bytes());
                    }
                    Pressed::EndOfInput if editor.is_empty() => return Err(Gone::Ended),
                    Pressed::EndOfInput => editor.press(Key::Delete),
                    Pressed::Key(key) => editor.press(key),
                }
            }
            if std::mem::take(&mut changed) {
                self.draw(prompt, &editor);
            }
            match self.read_more() {
                _ if self.stop.is_set() || self.ended => return Err(Gone::Ended),
                Ok(bytes) => pressed.extend(decoder.feed(&bytes)),
                Err(error) => {
                    log::error!("{error}");
                    return Err(Gone::Ended);
                }
            }
        }
    }

    fn draw(&self, prompt: &str, editor: &Editor) {
        let (before, behind) = editor.parts();
        self.screen.typing(prompt, before, behind);
    }

    fn piped(&mut self) -> Line {
        loop {
            if self.stop.is_set() {
                return Err(Gone::Ended);
            }
            if let Some(at) = self.piped.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.piped.drain(..=at).collect();
                line.pop();
                return whole(&line);
            }
            // Of a line without end only so much is kept that it is known to be too long.
            self.piped.truncate(MAX_TYPED + 1);
            if self.ended {
                let line: Vec<u8> = self.piped.drain(..).collect();
                return if line.is_empty() { Err(Gone::Ended) } else { whole(&line) };
            }
            match self.read_more() {
                Ok(bytes) => self.piped.extend(bytes),
                Err(error) => {
                    log::error!("{error}");
                    self.ended = true;
                }
            }
        }
    }

    /// Waits a while for further bytes. `ended` is set when there will be none: the pipe is closed, or the
    /// terminal is gone.
    fn read_more(&mut self) -> Result<Vec<u8>> {
        let wrong = |cause: Errno| Error::device("read standard input", cause.into());
        let stdin = io::stdin();
        let came = wait_to_read([stdin.as_fd()], &[&self.stop], WOKEN_LOOK);
        if !came.map_err(|cause| Error::device("wait for standard input", cause))? {
            return Ok(Vec::new());
        }
        let mut buffer = vec![0; 4096];
        match rustix::io::read(&stdin, &mut buffer) {
            Ok(count) => {
                self.ended = count == 0;
                buffer.truncate(count);
                Ok(buffer)
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(Vec::new()),
            Err(Errno::IO) => {
                self.ended = true;
                Ok(Vec::new())
            }
            Err(cause) => Err(wrong(cause)),
        }
    }
}

fn whole(line: &[u8]) -> Line {
    if line.len() > MAX_TYPED {
        return Err(Gone::TooLong);
    }
    let text: String = String::from_utf8_lossy(line).chars().filter(|one| *one != '\0').collect();
    Ok(text.trim().to_owned())
}
