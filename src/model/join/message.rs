//! What is said at a door for newcomers: first in clear, until both have shown that they have the code; then sealed.
//!
//! ```text
//! in clear   hello = 1  version u8  door u8  element 33      element = 2  element 33
//!            proof = 3  proof 32                             sorry   = 4  why u8
//! sealed     ask = 1  request       accepted = 2             here    = 3
//!            answer = 4  answer     refused = 5  why u8      done    = 6
//! ```

use crate::base::error::{Error, Result};
use crate::model::codec::{Decoder, Encoder};
use crate::model::join::code::DoorNumber;
use crate::model::join::pake::{Element, Proof};

const VERSION: u8 = 1;

/// Why a caller is turned away. Anybody can say so: it is a hint for the person, and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sorry {
    /// Its code is for another door.
    OtherDoor,
    /// Many call now: it may come back.
    Crowded,
    /// Its code is wrong. The door is closed.
    WrongCode,
}

/// What is said in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clear {
    /// A newcomer begins.
    Hello(DoorNumber, Element),
    /// The member answers.
    Element(Element),
    /// Either shows that it has the code.
    Proof(Proof),
    /// The member turns a caller away.
    Sorry(Sorry),
}

/// Why a newcomer is not let in, or not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The person at the member said no.
    Declined,
    /// One of its keys is a member's already.
    KeyTaken,
    /// Its key is shut out, for ever.
    ShutOut,
    /// Another member is at its address.
    AddressTaken,
    /// There are as many members as there may be.
    Full,
    /// The member could not do it.
    Failed,
    /// The person at the member did not decide in time.
    Undecided,
    /// It is signed that it is let in, and the member's disk has not taken that yet: it gets its answer later, as a file.
    Unsaved,
}

/// What is said sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// The newcomer asks: the bytes of a request.
    Ask(Vec<u8>),
    /// The person has said yes: is the newcomer still there?
    Accepted,
    /// It is.
    Here,
    /// The bytes of an answer.
    Answer(Vec<u8>),
    /// The newcomer is not let in.
    Refused(Refusal),
    /// The newcomer has all that it needs on its disk.
    Done,
}

impl Clear {
    /// The bytes of it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        match self {
            Self::Hello(door, element) => out.u8(1).u8(VERSION).u8(door.value()).bytes(element),
            Self::Element(element) => out.u8(2).bytes(element),
            Self::Proof(proof) => out.u8(3).bytes(proof),
            Self::Sorry(why) => out.u8(4).u8(*why as u8),
        };
        out.done()
    }

    /// Reads it.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut from = Decoder::new(bytes);
        let said = match from.u8()? {
            1 if from.u8()? == VERSION => Self::Hello(from.u8()?.try_into()?, from.array()?),
            2 => Self::Element(from.array()?),
            3 => Self::Proof(from.array()?),
            4 => Self::Sorry(one_of(&SORRY, from.u8()?)?),
            _ => return Err(unknown()),
        };
        from.finish().map(|()| said)
    }
}

const SORRY: [Sorry; 3] = [Sorry::OtherDoor, Sorry::Crowded, Sorry::WrongCode];
const REFUSALS: [Refusal; 8] = [
    Refusal::Declined,
    Refusal::KeyTaken,
    Refusal::ShutOut,
    Refusal::AddressTaken,
    Refusal::Full,
    Refusal::Failed,
    Refusal::Undecided,
    Refusal::Unsaved,
];

fn one_of<T: Copy>(all: &[T], code: u8) -> Result<T> {
    all.get(usize::from(code)).copied().ok_or_else(unknown)
}

fn unknown() -> Error {
    Error::peer("said something at a door for newcomers that is not known")
}

impl Sealed {
    /// The bytes of it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        match self {
            Self::Ask(request) => out.u8(1).bytes(request),
            Self::Accepted => out.u8(2),
            Self::Here => out.u8(3),
            Self::Answer(answer) => out.u8(4).bytes(answer),
            Self::Refused(why) => out.u8(5).u8(*why as u8),
            Self::Done => out.u8(6),
        };
        out.done()
    }

    /// Reads it. What a request or an answer says is for these to read.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut from = Decoder::new(bytes);
        let said = match from.u8()? {
            1 => return Ok(Self::Ask(from.rest().to_vec())),
            4 => return Ok(Self::Answer(from.rest().to_vec())),
            2 => Self::Accepted,
            3 => Self::Here,
            5 => Self::Refused(one_of(&REFUSALS, from.u8()?)?),
            6 => Self::Done,
            _ => return Err(unknown()),
        };
        from.finish().map(|()| said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::join::limits::MAX_JOIN_CLEAR;
    use proptest::prelude::*;

    #[test]
    fn what_is_said_is_read_as_it_was_written() {
        let door = 7.try_into().expect("a door");
        let clear = [Clear::Hello(door, [5; 33]), Clear::Element([6; 33]), Clear::Proof([7; 32])];
        let sorry = SORRY.map(Clear::Sorry);
        for said in clear.iter().chain(&sorry) {
            let bytes = said.encode();
            assert!(bytes.len() <= MAX_JOIN_CLEAR);
            assert_eq!(Clear::decode(&bytes).expect("right"), *said);
            assert!(Clear::decode(&[&bytes[..], &[0]].concat()).is_err());
            assert!((0..bytes.len()).all(|end| Clear::decode(&bytes[..end]).is_err()));
        }
        let sealed = [
            Sealed::Ask(vec![1]),
            Sealed::Accepted,
            Sealed::Here,
            Sealed::Answer(vec![2]),
            Sealed::Done,
        ];
        for said in sealed.into_iter().chain(REFUSALS.map(Sealed::Refused)) {
            assert_eq!(Sealed::decode(&said.encode()).expect("right"), said);
        }
    }

    #[test]
    fn another_version_or_a_door_that_is_none_is_refused() {
        let hello = |version, door| [&[1, version, door][..], &[5; 33]].concat();
        assert!(Clear::decode(&hello(1, 99)).is_ok());
        assert!(
            [(2, 7), (1, 0), (1, 100)].iter().all(|(v, d)| Clear::decode(&hello(*v, *d)).is_err())
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_say_exactly_the_same_again(
            kind in 0..8_u8, rest in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let bytes = [&[kind][..], &rest].concat();
            if let Ok(said) = Clear::decode(&bytes) {
                prop_assert_eq!(&said.encode(), &bytes);
            }
            if let Ok(said) = Sealed::decode(&bytes) {
                prop_assert_eq!(&said.encode(), &bytes);
            }
        }
    }
}
