//! The passphrase of an identity file: wiped when dropped, never shown.

use crate::base::error::Error;
use crate::model::limits::{MAX_PASSPHRASE, MIN_PASSPHRASE};
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A passphrase of 8 to 1000 bytes.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// The bytes, for what makes a key of them. Nothing else may be done with them.
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The same again: for an identity that is moved to another file.
    pub fn copy(&self) -> Self {
        Self(self.0.clone())
    }

    /// Whether both are the same.
    pub fn matches(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl TryFrom<Zeroizing<String>> for Passphrase {
    type Error = Error;

    fn try_from(text: Zeroizing<String>) -> Result<Self, Error> {
        let wrong = match text.len() {
            0..MIN_PASSPHRASE => "it is shorter than 8 letters",
            MIN_PASSPHRASE..=MAX_PASSPHRASE => return Ok(Self(text)),
            _ => "it is longer than 1000 bytes",
        };
        Err(Error::input("passphrase", wrong, "five or six words that nobody would guess are good"))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase(text: &str) -> Result<Passphrase, Error> {
        Zeroizing::new(text.to_owned()).try_into()
    }

    #[test]
    fn a_passphrase_is_neither_short_nor_endless_and_never_shown() {
        assert!(passphrase("1234567").is_err() && passphrase(&"x".repeat(1001)).is_err());
        let right = passphrase("river stone").expect("long enough");
        assert_eq!(format!("{right:?}"), "Passphrase(…)");
        assert!(
            right.matches(&right) && !right.matches(&passphrase("river stones").expect("long"))
        );
    }
}
