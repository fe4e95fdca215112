//! What somebody says to people: a message, or the text of an alarm.

use crate::base::error::{Error, Result};
use crate::model::limits::MAX_SPOKEN;

/// What somebody says: 1 to `MAX_SPOKEN` bytes of text, to be shown with the controls in it made visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken(String);

impl Spoken {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Spoken {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        if (1..=MAX_SPOKEN).contains(&text.len()) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::input("message", "it is empty or longer than 1000 bytes", "send it in parts"))
    }
}

impl TryFrom<&[u8]> for Spoken {
    type Error = Error;

    /// What a peer says.
    fn try_from(bytes: &[u8]) -> Result<Self> {
        if !(1..=MAX_SPOKEN).contains(&bytes.len()) {
            return Err(Error::peer(format!("said something of {} bytes", bytes.len())));
        }
        let text = std::str::from_utf8(bytes);
        let text = text.map_err(|_| Error::peer("said what is not UTF-8 text"))?;
        Ok(Self(text.to_owned()))
    }
}
