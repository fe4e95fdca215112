//! The twelve-digit token of a node. People never see one; no log, error or menu holds one.

use crate::base::error::Error;
use crate::model::limits::TOKEN_DIGITS;
use rand::{CryptoRng, RngExt};
use std::fmt;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// A token: twelve ASCII digits. Compared in constant time, wiped when dropped, never printed by `Debug`.
pub struct Token([u8; TOKEN_DIGITS]);

impl Token {
    /// A new token. `rng` must be the operating system's or seeded from it.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut digits = [0; TOKEN_DIGITS];
        for digit in &mut digits {
            *digit = rng.random_range(b'0'..=b'9');
        }
        Self(digits)
    }

    /// The digits, for the wire and for a peers file. Nothing else may be done with them.
    pub fn expose(&self) -> &[u8; TOKEN_DIGITS] {
        &self.0
    }

    /// Another that is the same.
    pub fn copy(&self) -> Self {
        Self(self.0)
    }

    /// Whether both are the same, in a time that does not depend on where they differ.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl TryFrom<&[u8]> for Token {
    type Error = Error;

    fn try_from(bytes: &[u8]) -> Result<Self, Error> {
        <[u8; TOKEN_DIGITS]>::try_from(bytes)
            .ok()
            .filter(|digits| digits.iter().all(u8::is_ascii_digit))
            .map(Self)
            .ok_or_else(|| {
                Error::input("token", "it is not twelve digits", "make one with `reunite token`")
            })
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A token that an entry of the ledger and what follows from it hold together: one copy in memory, wiped with the
/// last that holds it.
#[derive(Clone, Debug)]
pub struct SharedToken(Arc<Token>);

impl SharedToken {
    /// The token.
    pub fn token(&self) -> &Token {
        &self.0
    }
}

impl From<Token> for SharedToken {
    fn from(token: Token) -> Self {
        Self(Arc::new(token))
    }
}

impl PartialEq for SharedToken {
    /// In constant time, as tokens are compared.
    fn eq(&self, other: &Self) -> bool {
        self.0.matches(&other.0)
    }
}

impl Eq for SharedToken {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown() {
        let token = Token::try_from(b"149418626997".as_slice()).expect("twelve digits");
        let shown = format!("{token:?} {token:#?}");
        assert!(!shown.chars().any(|c| c.is_ascii_digit()), "{shown}");
        let shown = format!("{:?}", SharedToken::from(token));
        assert!(!shown.chars().any(|c| c.is_ascii_digit()), "{shown}");
        let error = Token::try_from(b"14941862699x".as_slice()).expect_err("not digits");
        assert!(!format!("{error} {error:?}").contains("1494"));
    }

    #[test]
    fn only_twelve_digits_are_a_token() {
        for wrong in ["", "14941862699", "1494186269977", "14941862699x", " 49418626997"] {
            assert!(Token::try_from(wrong.as_bytes()).is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn tokens_match_only_themselves_and_new_ones_differ() {
        let mut rng = rand::rng();
        let (one, other) = (Token::random(&mut rng), Token::random(&mut rng));
        assert!(one.matches(&one) && !one.matches(&other));
    }
}
