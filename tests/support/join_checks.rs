//! What must hold whatever bytes come from who wants to join, or stand in a file that somebody brings. A check takes any
//! input and panics where something does not hold. `tests/session_values.rs` runs it over changed messages, a target of
//! `tests/fuzz` over what a fuzzer finds.

#![allow(dead_code, missing_docs, reason = "each user needs its part of this")]

use reunite::model::join::answer;
use reunite::model::join::code::Code;
use reunite::model::join::message::{Clear, Sealed};
use reunite::model::join::paper;
use reunite::model::join::porter::{Caller, Step, step};
use reunite::model::join::request::Request;
use reunite::model::join::welcome::Welcome;
use reunite::model::keys::SecretKey;
use reunite::model::x25519::Own;

/// The first byte says what the others are.
pub fn joining(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    match kind % 6 {
        0 => clear(bytes),
        1 => {
            if let Ok(said) = Sealed::decode(bytes) {
                assert_eq!(said.encode(), bytes, "said otherwise");
            }
        }
        2 => {
            if let Ok(request) = Request::decode(bytes) {
                assert_eq!(request.bytes(), bytes, "kept otherwise");
                let read = paper::request(&paper::of_request(&request));
                assert_eq!(read.ok(), Some(request), "written otherwise");
            }
        }
        3 => {
            if let Ok(welcome) = Welcome::decode(bytes) {
                let again = welcome.encode().expect("what was read can be written");
                assert_eq!(*again, bytes, "welcomed otherwise");
            }
        }
        4 => text(&String::from_utf8_lossy(bytes)),
        _ => files(bytes),
    }
}

fn clear(bytes: &[u8]) {
    if let Ok(said) = Clear::decode(bytes) {
        assert_eq!(said.encode(), bytes, "said otherwise");
    }
    let code: Code = "7-crossover-clockwork".parse().expect("a code");
    let first = step(&code, Caller::New, bytes, || true);
    assert!(!matches!(first, Step::In(..) | Step::Wrong(_)), "in at once");
    if let Step::Goes(caller, _) = first {
        assert!(
            !matches!(step(&code, caller, bytes, || true), Step::In(..)),
            "in by saying it twice"
        );
    }
}

fn text(text: &str) {
    if let Ok(request) = paper::request(text) {
        let read = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(read.contains(&request.keys().fingerprint()), "people read another fingerprint");
    }
    if let Ok(code) = text.parse::<Code>() {
        assert!(code.expose().parse::<Code>().is_ok(), "a code that is none");
    }
}

/// A request and what is given for its answer.
fn files(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first() else { return };
    let (request, bytes) = rest.split_at(rest.len().min(usize::from(*length)));
    let own: Own = SecretKey::from([7; 32]).into();
    if let Ok(request) = Request::decode(request) {
        let opened = answer::open(bytes, &request, &own, &mut rand::rng());
        assert!(opened.is_err(), "opened without its key");
    }
}
