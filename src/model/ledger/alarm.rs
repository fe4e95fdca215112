//! What a block says of alarms: that one was raised, that people have it on their screen, that it is called off.
//!
//! ```text
//! raised     = 11  salt 16  length u16  UTF-8
//! seen       = 12  alarm 32
//! called off = 13  alarm 32
//! AlarmId    = SHA-256("rn-al1" author 32  salt 16  UTF-8)
//! ```
//!
//! The name follows from the author and the words, so an alarm that comes by a session of its own, faster than the
//! ledger, is known for the same one when its block comes.

use crate::base::error::{Error, Result};
use crate::model::codec::{Decoder, Encoder};
use crate::model::keys::IdentityKey;
use crate::model::ledger::merkle::sha256;
use crate::model::ledger::names::AlarmId;
use crate::model::spoken::Spoken;
use rand::CryptoRng;
use std::ops::RangeInclusive;

const RAISED: u8 = 11;
const SEEN: u8 = 12;
const CALLED_OFF: u8 = 13;

/// Bytes of a salt: no two alarms with the same words are one.
pub const SALT_BYTES: usize = 16;

/// What a block says of an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// The author raises it.
    Raised(Raised),
    /// People at the author's node have read it.
    Seen(AlarmId),
    /// It is over. That counts only of an alarm that the same author raised.
    CalledOff(AlarmId),
}

/// An alarm, as its author raises it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raised {
    salt: [u8; SALT_BYTES],
    text: Spoken,
}

impl Raised {
    /// A new alarm with these words.
    pub fn new(text: Spoken, rng: &mut impl CryptoRng) -> Self {
        let mut salt = [0; SALT_BYTES];
        rng.fill_bytes(&mut salt);
        Self { salt, text }
    }

    /// An alarm that somebody tells of.
    pub fn of(salt: [u8; SALT_BYTES], text: Spoken) -> Self {
        Self { salt, text }
    }

    /// What makes it another one than all with the same words.
    pub fn salt(&self) -> &[u8; SALT_BYTES] {
        &self.salt
    }

    /// What it says.
    pub fn text(&self) -> &Spoken {
        &self.text
    }

    /// Its name when this author raises it.
    pub fn id(&self, author: &IdentityKey) -> AlarmId {
        sha256(&[b"rn-al1", author.as_bytes(), &self.salt, self.text.as_str().as_bytes()]).into()
    }
}

impl Alarm {
    /// The kinds of entries that are such statements.
    pub const KINDS: RangeInclusive<u8> = RAISED..=CALLED_OFF;

    /// Writes it, its kind first.
    pub fn encode(&self, out: &mut Encoder) {
        match self {
            Self::Raised(Raised { salt, text }) => {
                let text = text.as_str().as_bytes();
                out.u8(RAISED).bytes(salt).u16(u16::try_from(text.len()).unwrap_or(u16::MAX));
                out.bytes(text);
            }
            Self::Seen(alarm) => _ = out.u8(SEEN).bytes(alarm.as_bytes()),
            Self::CalledOff(alarm) => _ = out.u8(CALLED_OFF).bytes(alarm.as_bytes()),
        }
    }

    /// Reads one of this kind.
    pub fn decode(kind: u8, from: &mut Decoder<'_>) -> Result<Self> {
        match kind {
            RAISED => {
                let salt = from.array()?;
                let length = usize::from(from.u16()?);
                let text = Spoken::try_from(from.bytes(length)?)?;
                Ok(Self::Raised(Raised { salt, text }))
            }
            SEEN => Ok(Self::Seen(from.array::<32>()?.into())),
            CALLED_OFF => Ok(Self::CalledOff(from.array::<32>()?.into())),
            _ => Err(Error::peer("said of alarms what is not known")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_alarm_is_named_by_its_author_its_words_and_its_salt() {
        let words = |text: &str| Spoken::try_from(text).expect("short");
        let of = |author: u8, salt: u8, text: &str| {
            Raised::of([salt; SALT_BYTES], words(text)).id(&[author; 32].into())
        };
        assert_eq!(of(1, 2, "fire"), of(1, 2, "fire"));
        for other in [of(2, 2, "fire"), of(1, 3, "fire"), of(1, 2, "water")] {
            assert_ne!(other, of(1, 2, "fire"));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_as_what_writes_the_same_again_or_refused(
            kind in Alarm::KINDS, rest in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut from = Decoder::new(&rest);
            if let Ok(alarm) = Alarm::decode(kind, &mut from) {
                let mut out = Encoder::default();
                alarm.encode(&mut out);
                let read = [&[kind][..], &rest[..rest.len() - from.left()]].concat();
                prop_assert_eq!(out.done(), read);
            }
        }
    }
}
