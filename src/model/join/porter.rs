//! Who comes in at a door for newcomers: the first that shows that it has the code. Who shows a wrong one closes it.

use crate::model::join::code::Code;
use crate::model::join::line::Line;
use crate::model::join::message::{Clear, Sorry};
use crate::model::join::pake::Answering;

/// How far a caller is.
#[derive(Debug)]
pub enum Caller {
    /// It has said nothing.
    New,
    /// It has been answered, and has yet to show that it has the code.
    Answered(Answering),
}

/// What becomes of a caller.
#[derive(Debug)]
pub enum Step {
    /// It is told this, and goes on.
    Goes(Caller, Clear),
    /// It is told this, and sent away; the door stays open for others.
    Away(Clear),
    /// It said something without sense; it is sent away in silence.
    Nonsense,
    /// It has the code. It is told this, and the door is closed behind it.
    In(Box<Line>, Clear),
    /// It tried a wrong code: it is told so, and the door is closed for all.
    Wrong(Clear),
}

/// Takes what a caller says at the door of this code. `has_turn` asks whether there is time for its beginning now; it is
/// asked only for one that has sense.
pub fn step(code: &Code, caller: Caller, said: &[u8], has_turn: impl FnOnce() -> bool) -> Step {
    match (caller, Clear::decode(said)) {
        (Caller::New, Ok(Clear::Hello(door, _))) if door != code.door() => {
            Step::Away(Clear::Sorry(Sorry::OtherDoor))
        }
        (Caller::New, Ok(Clear::Hello(..))) if !has_turn() => {
            Step::Away(Clear::Sorry(Sorry::Crowded))
        }
        (Caller::New, Ok(Clear::Hello(_, element))) => match Answering::begin(code, &element) {
            Ok((answering, own)) => Step::Goes(Caller::Answered(answering), Clear::Element(own)),
            Err(_) => Step::Nonsense,
        },
        (Caller::Answered(answering), Ok(Clear::Proof(proof))) => {
            match answering.confirmed(&proof) {
                Ok((line, own)) => Step::In(Box::new(line), Clear::Proof(own)),
                Err(_) => Step::Wrong(Clear::Sorry(Sorry::WrongCode)),
            }
        }
        _ => Step::Nonsense,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::join::pake::Calling;
    use proptest::prelude::*;

    fn code(text: &str) -> Code {
        text.parse().expect("a code")
    }

    fn right() -> Code {
        code("7-crossover-clockwork")
    }

    /// What comes of a caller with this code, and what it is told last.
    fn call(with: &Code) -> Step {
        let (calling, element) = Calling::begin(with);
        let hello = Clear::Hello(with.door(), element).encode();
        match step(&right(), Caller::New, &hello, || true) {
            Step::Goes(caller, Clear::Element(element)) => {
                let (_, proof) = calling.answered(&element).expect("an element");
                step(&right(), caller, &Clear::Proof(proof).encode(), || true)
            }
            other => other,
        }
    }

    #[test]
    fn the_right_code_comes_in_and_a_wrong_one_closes_the_door() {
        assert!(matches!(call(&right()), Step::In(_, Clear::Proof(_))));
        let wrong = call(&code("7-crossover-zulu"));
        assert!(matches!(wrong, Step::Wrong(Clear::Sorry(Sorry::WrongCode))));
    }

    #[test]
    fn a_code_of_another_door_and_a_crowd_close_nothing_and_cost_nothing() {
        let other = call(&code("8-crossover-clockwork"));
        assert!(matches!(other, Step::Away(Clear::Sorry(Sorry::OtherDoor))));
        let hello = Clear::Hello(right().door(), Calling::begin(&right()).1).encode();
        let crowded = step(&right(), Caller::New, &hello, || false);
        assert!(matches!(crowded, Step::Away(Clear::Sorry(Sorry::Crowded))));
        let asked = std::cell::Cell::new(false);
        let nonsense = step(&right(), Caller::New, b"GET / HTTP/1.1", || {
            asked.set(true);
            true
        });
        assert!(matches!(nonsense, Step::Nonsense) && !asked.get());
    }

    #[test]
    fn nobody_shows_a_proof_before_the_beginning_or_begins_twice() {
        let proof = Clear::Proof([0; 32]).encode();
        assert!(matches!(step(&right(), Caller::New, &proof, || true), Step::Nonsense));
        let hello = Clear::Hello(right().door(), Calling::begin(&right()).1).encode();
        let Step::Goes(caller, _) = step(&right(), Caller::New, &hello, || true) else {
            panic!("not answered");
        };
        assert!(matches!(step(&right(), caller, &hello, || true), Step::Nonsense));
    }

    #[test]
    fn what_came_in_once_does_not_come_in_again_also_with_the_same_code() {
        let (calling, element) = Calling::begin(&right());
        let hello = Clear::Hello(right().door(), element).encode();
        let begin = || match step(&right(), Caller::New, &hello, || true) {
            Step::Goes(caller, Clear::Element(element)) => (caller, element),
            _ => panic!("not answered"),
        };
        let (caller, answer) = begin();
        let proof = Clear::Proof(calling.answered(&answer).expect("an element").1).encode();
        assert!(matches!(step(&right(), caller, &proof, || true), Step::In(..)));
        let (caller, _) = begin();
        assert!(matches!(step(&right(), caller, &proof, || true), Step::Wrong(_)));
    }

    proptest! {
        #[test]
        fn no_bytes_come_in(said in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(!matches!(step(&right(), Caller::New, &said, || true), Step::In(..) | Step::Wrong(_)));
        }
    }
}
