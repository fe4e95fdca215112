//! How two who have the same code find that out, and make a key of it (SPAKE2, RFC 9382, in the form of the crate's
//! group Ed25519 with roles).
//!
//! ```text
//! newcomer                         member
//! Calling    -- element A -->      Answering
//!            <-- element B --
//! Proving    -- proof A ---->      knows that the code is the same
//!            <---- proof B --      and only now says so
//! proof = HMAC-SHA256( a key of the direction,  element A  element B )
//! ```
//!
//! Whoever tries a code has to show a proof before it can know whether the code was right. The randomness is the
//! operating system's: the crate takes it itself.

use crate::base::error::{Error, Result};
use crate::model::join::code::Code;
use crate::model::join::line::Line;
use crate::model::keys::SecretKey;
use ring::hmac;
use spake2::{Ed25519Group, Identity, Password, Spake2};
use std::fmt;

/// Bytes of what each side says first: a side and a point.
pub const ELEMENT_BYTES: usize = 33;
/// Bytes of a proof.
pub const PROOF_BYTES: usize = 32;

/// What a side says first.
pub type Element = [u8; ELEMENT_BYTES];
/// What shows that a side knows the code.
pub type Proof = [u8; PROOF_BYTES];

const NEWCOMER: &[u8] = b"reunite join 1 newcomer";
const MEMBER: &[u8] = b"reunite join 1 member";

/// A newcomer that has said its element.
pub struct Calling {
    half: Spake2<Ed25519Group>,
    own: Element,
}

/// A newcomer that has given its proof.
pub struct Proving(Shared);

/// A member that has said its element, and waits for the proof.
pub struct Answering(Shared);

/// What both sides have in common if they had the same code.
struct Shared {
    key: SecretKey,
    elements: [Element; 2],
}

impl Calling {
    /// Begins, with the code that was typed.
    pub fn begin(code: &Code) -> (Self, Element) {
        let (half, said) =
            Spake2::start_a(&password(code), &Identity::new(NEWCOMER), &Identity::new(MEMBER));
        let own = element(&said);
        (Self { half, own }, own)
    }

    /// Goes on with what the member said.
    pub fn answered(self, element: &Element) -> Result<(Proving, Proof)> {
        let shared = Shared::new(self.half, element, [self.own, *element])?;
        let proof = shared.proof(NEWCOMER);
        Ok((Proving(shared), proof))
    }
}

impl Proving {
    /// Checks that the member knows the code too. The line is the newcomer's end.
    pub fn confirmed(self, proof: &Proof) -> Result<Line> {
        self.0.check(MEMBER, proof)?;
        Ok(self.0.line(NEWCOMER, MEMBER))
    }
}

impl Answering {
    /// Answers what a newcomer said.
    pub fn begin(code: &Code, element: &Element) -> Result<(Self, Element)> {
        let (half, said) =
            Spake2::start_b(&password(code), &Identity::new(NEWCOMER), &Identity::new(MEMBER));
        let own = self::element(&said);
        Ok((Self(Shared::new(half, element, [*element, own])?), own))
    }

    /// Checks that the newcomer knows the code. The line is the member's end.
    pub fn confirmed(self, proof: &Proof) -> Result<(Line, Proof)> {
        self.0.check(NEWCOMER, proof)?;
        Ok((self.0.line(MEMBER, NEWCOMER), self.0.proof(MEMBER)))
    }
}

impl Shared {
    fn new(half: Spake2<Ed25519Group>, theirs: &Element, elements: [Element; 2]) -> Result<Self> {
        let wrong = |_| Error::peer("said something that is no beginning of a join");
        let mut key = half.finish(theirs).map_err(wrong)?;
        let bytes = key.first_chunk().copied();
        zeroize::Zeroize::zeroize(&mut key);
        let bytes: [u8; 32] = bytes.ok_or_else(|| Error::peer("made a key of another length"))?;
        Ok(Self { key: SecretKey::from(bytes), elements })
    }

    fn key(&self, by: &[u8]) -> hmac::Key {
        let key = self.key.derive(&[b"proof of ", by].concat());
        hmac::Key::new(hmac::HMAC_SHA256, key.expose())
    }

    fn proof(&self, by: &[u8]) -> Proof {
        let mut proof = [0; PROOF_BYTES];
        let tag = hmac::sign(&self.key(by), &self.elements.concat());
        proof.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        proof
    }

    fn check(&self, by: &[u8], proof: &Proof) -> Result<()> {
        hmac::verify(&self.key(by), &self.elements.concat(), proof)
            .map_err(|_| Error::peer("it has another code, or somebody stands between"))
    }

    fn line(&self, own: &[u8], other: &[u8]) -> Line {
        let key = |by: &[u8]| self.key.derive(&[b"line of ", by].concat());
        let binding = *self.key.derive(b"binding").expose();
        Line::new(&key(own), &key(other), binding)
    }
}

fn password(code: &Code) -> Password {
    Password::new(code.expose().as_bytes())
}

fn element(said: &[u8]) -> Element {
    let mut element = [0; ELEMENT_BYTES];
    element.iter_mut().zip(said).for_each(|(to, from)| *to = *from);
    element
}

macro_rules! hidden {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}

hidden!(Calling, Proving, Answering, Shared);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code(text: &str) -> Code {
        text.parse().expect("a code")
    }

    fn right() -> Code {
        code("7-crossover-clockwork")
    }

    #[test]
    fn the_same_code_makes_a_line_that_nobody_else_has() {
        let (calling, a) = Calling::begin(&right());
        let (answering, b) = Answering::begin(&right(), &a).expect("an element");
        let (proving, proof) = calling.answered(&b).expect("an element");
        let (mut member, proof) = answering.confirmed(&proof).expect("the same code");
        let mut newcomer = proving.confirmed(&proof).expect("the same code");
        assert_eq!(newcomer.binding(), member.binding());
        let sealed = newcomer.seal(b"hello").expect("sealed");
        assert_eq!(*member.open(&sealed).expect("opened"), b"hello");
        let sealed = member.seal(b"hello").expect("sealed");
        assert_eq!(*newcomer.open(&sealed).expect("opened"), b"hello");
    }

    #[test]
    fn another_code_is_found_out_and_says_nothing_of_the_right_one() {
        for wrong in ["7-crossover-zulu", "7-yucatan-clockwork", "8-crossover-clockwork"] {
            let (calling, a) = Calling::begin(&code(wrong));
            let (answering, b) = Answering::begin(&right(), &a).expect("an element");
            let (_, proof) = calling.answered(&b).expect("an element");
            assert!(answering.confirmed(&proof).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_said_back_to_who_said_it_is_refused() {
        let (calling, a) = Calling::begin(&right());
        assert!(calling.answered(&a).is_err(), "its own element");
        let (answering, b) = Answering::begin(&right(), &a).expect("an element");
        let (calling, _) = Calling::begin(&right());
        let (proving, proof) = calling.answered(&b).expect("an element");
        assert!(proving.confirmed(&proof).is_err(), "its own proof");
        assert!(answering.confirmed(&proof).is_err(), "a proof of another meeting");
    }

    #[test]
    fn nothing_of_it_is_shown() {
        let (calling, a) = Calling::begin(&right());
        let (answering, _) = Answering::begin(&right(), &a).expect("an element");
        assert_eq!(format!("{calling:?} {answering:?}"), "Calling(…) Answering(…)");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_element_is_refused_or_ends_in_a_proof_that_does_not_hold(
            side in prop::sample::select(vec![0x41_u8, 0x42, 0x53, 0]),
            point in prop_oneof![any::<[u8; 32]>(), Just([0; 32]), Just(one())],
            proof in any::<Proof>(),
        ) {
            let mut said = [side; ELEMENT_BYTES];
            said[1..].copy_from_slice(&point);
            let (calling, _) = Calling::begin(&right());
            if let Ok((proving, own)) = calling.answered(&said) {
                prop_assert!(own != proof && proving.confirmed(&proof).is_err());
            }
            if let Ok((answering, _)) = Answering::begin(&right(), &said) {
                prop_assert!(answering.confirmed(&proof).is_err());
            }
        }
    }

    /// The neutral point.
    fn one() -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes
    }
}
