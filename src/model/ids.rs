//! Names of things: peer numbers, organisations, a person's Id.

use crate::base::error::Error;
use crate::model::limits;
use rand::{Rng, RngExt};
use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

/// The number by which people know a node: 1 to 999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerNumber(NonZeroU16);

impl PeerNumber {
    /// The lowest.
    pub const LOWEST: Self = Self(NonZeroU16::MIN);
}

impl TryFrom<u64> for PeerNumber {
    type Error = Error;

    fn try_from(number: u64) -> Result<Self, Error> {
        u16::try_from(number)
            .ok()
            .filter(|number| usize::from(*number) <= limits::MAX_PEERS)
            .and_then(NonZeroU16::new)
            .map(Self)
            .ok_or_else(|| {
                Error::input("peer number", format!("{number} is not one"), "give 1 to 999")
            })
    }
}

impl FromStr for PeerNumber {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let number: u64 = text.trim().parse().map_err(|_| {
            Error::input("peer number", "this is not a number", "give one from 1 to 999")
        })?;
        Self::try_from(number)
    }
}

impl fmt::Display for PeerNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PeerNumber {
    /// The plain number, for file names.
    pub fn value(self) -> u16 {
        self.0.get()
    }
}

/// The organisation behind a node: one line of at most 120 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Organisation(String);

impl FromStr for Organisation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match wrong_name(text.trim()) {
            None => Ok(Self(text.trim().to_owned())),
            Some(wrong) => Err(Error::input("organisation", wrong, "write its name in one line")),
        }
    }
}

/// What is wrong with a name, if anything is.
fn wrong_name(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        Some("it is empty")
    } else if text.len() > limits::MAX_NAME {
        Some("it is longer than 120 bytes")
    } else if text.chars().any(char::is_control) {
        Some("it holds a control character")
    } else {
        None
    }
}

impl fmt::Display for Organisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The name of a network: one line of at most 120 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NetworkName(String);

impl FromStr for NetworkName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match wrong_name(text.trim()) {
            None => Ok(Self(text.trim().to_owned())),
            Some(wrong) => Err(Error::input("network", wrong, "write its name in one line")),
        }
    }
}

impl fmt::Display for NetworkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why somebody is shut out, in one line of at most 1000 bytes; it may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reason(String);

impl FromStr for Reason {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.len() <= limits::MAX_REASON && !text.chars().any(char::is_control) {
            return Ok(Self(text.to_owned()));
        }
        let wrong = "it is longer than 1000 bytes, or more than one line";
        Err(Error::input("reason", wrong, "say it in a sentence or two"))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A person's Id: a decimal of up to 19 digits, sometimes negative. Kept as written: leading zeros count.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PersonId(String);

impl PersonId {
    /// Whether `text` has the form of an Id.
    pub fn is_one(text: &str) -> bool {
        let digits = text.strip_prefix('-').unwrap_or(text);
        (1..=19).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// A new Id of 18 or 19 digits, which the original's 64-bit numbers can hold.
    pub fn random(rng: &mut impl Rng) -> Self {
        Self(rng.random_range(100_000_000_000_000_000..=i64::MAX).to_string())
    }

    /// The digits as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PersonId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if Self::is_one(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::input("Id", "it is not a number of 1 to 19 digits", "copy it from the list"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_numbers_are_1_to_999() {
        for wrong in ["0", "1000", "-1", "", "two", "99999999999999999999"] {
            assert!(wrong.parse::<PeerNumber>().is_err(), "{wrong:?} was taken");
        }
        assert_eq!(" 7 ".parse::<PeerNumber>().map(PeerNumber::value).ok(), Some(7));
    }

    #[test]
    fn an_organisation_is_one_short_line() {
        for wrong in ["", "  ", "two\nlines", "\u{1b}[2J"] {
            assert!(wrong.parse::<Organisation>().is_err(), "{wrong:?} was taken");
        }
        assert!("x".repeat(121).parse::<Organisation>().is_err());
        assert!("Cox's Bazar NW 1".parse::<Organisation>().is_ok());
    }

    #[test]
    fn networks_and_reasons_are_one_line() {
        for wrong in ["", " ", "a\nb"] {
            assert!(wrong.parse::<NetworkName>().is_err(), "{wrong:?} was taken");
        }
        assert_eq!(
            " Cox's Bazar ".parse::<NetworkName>().expect("right").to_string(),
            "Cox's Bazar"
        );
        assert_eq!("".parse::<Reason>().expect("right"), Reason::default());
        for wrong in ["a\nb", "\u{1b}[2J", &"x".repeat(limits::MAX_REASON + 1)] {
            assert!(wrong.parse::<Reason>().is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn an_id_is_up_to_19_digits_and_may_be_negative() {
        for right in ["1600909831762", "-1", "9999999999999999999", "007"] {
            assert!(PersonId::is_one(right), "{right} was refused");
        }
        for wrong in ["", "-", "--1", "12345678901234567890", "1 2", "١٢", "0x1f", "1.5"] {
            assert!(!PersonId::is_one(wrong), "{wrong} was taken");
        }
    }

    #[test]
    fn new_ids_have_18_or_19_digits() {
        let mut rng = rand::rng();
        for _ in 0..1000 {
            let id = PersonId::random(&mut rng);
            assert!((18..=19).contains(&id.as_str().len()) && id.as_str().parse::<i64>().is_ok());
        }
    }
}
