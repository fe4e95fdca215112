//! The code that a person reads to a newcomer: which door, and two words that open it.

use crate::base::error::{Error, Result};
use crate::model::join::words;
use rand::{CryptoRng, RngExt};
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use zeroize::{Zeroize, Zeroizing};

/// Numbers of doors. Who has the code of a door that is closed does not close another one by trying.
const DOORS: RangeInclusive<u8> = 1..=99;

/// Which door a code is for; no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoorNumber(u8);

impl DoorNumber {
    /// The plain number.
    pub fn value(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for DoorNumber {
    type Error = Error;

    fn try_from(number: u8) -> Result<Self> {
        let wrong = || Error::peer("named a door by a number that no door has");
        DOORS.contains(&number).then_some(Self(number)).ok_or_else(wrong)
    }
}

/// A code, as `7-crossover-clockwork`. Its words are secret for as long as its door is open: wiped when dropped, never
/// printed by `Debug`.
pub struct Code {
    door: DoorNumber,
    words: [u8; 2],
}

impl Code {
    /// A new code. `rng` must be the operating system's or seeded from it.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut words = [0; 2];
        rng.fill_bytes(&mut words);
        Self { door: DoorNumber(rng.random_range(DOORS)), words }
    }

    /// Which door it is for.
    pub fn door(&self) -> DoorNumber {
        self.door
    }

    /// The code as it is read out, and as both sides put it into SPAKE2. Nothing else may be done with it.
    pub fn expose(&self) -> Zeroizing<String> {
        let [first, second] = self.words;
        let (long, short) = (words::long(first), words::short(second));
        Zeroizing::new(format!("{}-{long}-{short}", self.door.0))
    }
}

impl FromStr for Code {
    type Err = Error;

    /// Reads what somebody typed. A slip that gives no word of the list is found here, and closes no door.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |what| {
            Error::input("code", what, "type it as it was read to you, like 7-crossover-clockwork")
        };
        let text = Zeroizing::new(text.trim().to_lowercase());
        let mut parts = text.split(|letter: char| letter == '-' || letter.is_whitespace());
        let mut next = || parts.find(|part| !part.is_empty());
        let (Some(door), Some(first), Some(second), None) = (next(), next(), next(), next()) else {
            return Err(wrong("it is not a number and two words"));
        };
        let number = door.parse().ok().and_then(|number: u8| number.try_into().ok());
        let door = number.ok_or_else(|| wrong("its number is not one from 1 to 99"))?;
        let first = words::of_long(first);
        let first = first.ok_or_else(|| wrong("its first word is none that such codes have"))?;
        let second = words::of_short(second);
        let second = second.ok_or_else(|| wrong("its second word is none that such codes have"))?;
        Ok(Self { door, words: [first, second] })
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        self.words.zeroize();
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({}-…)", self.door.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        for typed in
            ["7-crossover-clockwork", " 7 Crossover  CLOCKWORK ", "07 - crossover - clockwork"]
        {
            let code: Code = typed.parse().expect("a code");
            assert_eq!(*code.expose(), "7-crossover-clockwork", "{typed}");
        }
    }

    #[test]
    fn a_slip_is_found_before_it_is_tried_and_never_quoted() {
        for typed in [
            "",
            "7",
            "crossover-clockwork",
            "7-crosover-clockwork",
            "7-clockwork-crossover",
            "0-crossover-clockwork",
            "100-crossover-clockwork",
            "7-crossover-clockwork-x",
            "7-crossover",
            "-7-crossover",
        ] {
            let error = typed.parse::<Code>().expect_err(typed);
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("crosover") && !shown.contains("100"), "{shown}");
        }
    }

    #[test]
    fn the_words_are_never_shown() {
        let code = Code::random(&mut rand::rng());
        let shown = format!("{code:?}");
        let exposed = code.expose();
        assert!(exposed.split('-').skip(1).all(|word| !shown.contains(word)), "{shown}");
    }

    proptest! {
        #[test]
        fn any_line_is_a_code_or_none(line in "\\PC{0,40}") {
            if let Ok(code) = line.parse::<Code>() {
                prop_assert!(code.expose().parse::<Code>().is_ok());
            }
        }

        #[test]
        fn every_code_is_read_again(door in DOORS, first in any::<u8>(), second in any::<u8>()) {
            let code = Code { door: DoorNumber(door), words: [first, second] };
            let read: Code = code.expose().parse().expect("a code");
            prop_assert_eq!((read.door, read.words), (code.door, code.words));
        }
    }
}
