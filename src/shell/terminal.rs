//! The terminal of this process: its size, and the mode in which keys come one by one.

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use std::io;

/// Keys come one by one and are not shown by the terminal, as long as this lives. Ctrl-C stays a signal.
pub struct KeyByKey(Termios);

impl KeyByKey {
    /// Sets the mode on standard input.
    pub fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut mode = before.clone();
        mode.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        mode.special_codes[SpecialCodeIndex::VMIN] = 1;
        mode.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &mode)?;
        Ok(Self(before))
    }
}

impl Drop for KeyByKey {
    fn drop(&mut self) {
        if let Err(cause) = tcsetattr(io::stdin(), OptionalActions::Now, &self.0) {
            log::debug!("the terminal is gone: {cause}");
        }
    }
}

/// As `KeyByKey`, and Ctrl-C is a key too: a process that it killed here would leave a terminal that shows nothing.
pub struct Hidden {
    _keys: KeyByKey,
}

impl Hidden {
    /// Sets the mode on standard input. What was typed ahead, and was shown, is not taken.
    pub fn begin() -> io::Result<Self> {
        let keys = KeyByKey::begin()?;
        let mut mode = tcgetattr(io::stdin())?;
        mode.local_modes.remove(LocalModes::ISIG);
        tcsetattr(io::stdin(), OptionalActions::Flush, &mode)?;
        Ok(Self { _keys: keys })
    }
}

/// Columns and rows of the terminal on standard output; 80 by 24 if it does not say.
pub fn size() -> (usize, usize) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
            (usize::from(size.ws_col), usize::from(size.ws_row))
        }
        _ => (80, 24),
    }
}
