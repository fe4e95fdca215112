//! A newcomer that has a code and no address finds the door on the local network; and how that is attacked.

#![allow(clippy::panic, reason = "a test fails by panicking")]

mod support;

use reunite::base::threads::Stop;
use reunite::model::join::code::{Code, DoorNumber};
use reunite::net::join::call::meet;
use reunite::net::join::door::{Came, Door};
use reunite::net::join::search::{Sign, seek};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;
use support::until;

fn here() -> SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}

/// Where the door of this number answers while `open` waits for callers.
fn found(number: DoorNumber) -> Vec<SocketAddr> {
    seek(number, &Stop::default(), &mut rand::rng()).expect("asked")
}

#[test]
fn an_open_door_is_found_by_its_number_and_comes_to_hear_the_code_there() {
    let door = Door::open(here(), true).expect("open");
    let (number, at, stop) = (door.number(), door.address(), Stop::default());
    let code: Code = door.expose().parse().expect("a code");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| door.wait(&stop).expect("no fault"));
        let found = found(number);
        assert!(found.contains(&at), "{found:?}");
        // The right words are heard there, and nothing is asked after them.
        drop(meet(at, &code, &Stop::default()).expect("the same code"));
        assert!(matches!(waiting.join().expect("no panic"), Came::Lost(_)));
    });
    assert!(!found(number).contains(&at), "a door that is closed does not answer");
}

#[test]
fn a_door_that_is_not_to_be_found_does_not_answer() {
    let door = Door::open(here(), false).expect("open");
    let (number, at, stop) = (door.number(), door.address(), Stop::default());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| door.wait(&stop));
        let found = found(number);
        stop.set();
        assert!(!found.contains(&at), "{found:?}");
        assert!(waiting.join().expect("no panic").is_err(), "it was stopped");
    });
}

#[test]
fn who_answers_falsely_for_a_door_is_seen_beside_the_right_one() {
    let door = Door::open(here(), true).expect("open");
    let (number, at, stop) = (door.number(), door.address(), Stop::default());
    let false_door = TcpListener::bind(here()).expect("a free port");
    let false_at = false_door.local_addr().expect("bound");
    let mut sign = Sign::new(number, false_at).expect("open");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| door.wait(&stop));
        let lying = scope.spawn(|| {
            while !stop.wait(Duration::from_millis(20)) {
                sign.answer();
            }
        });
        // A search goes on for a second after the first answer.
        until("one search finds both", || {
            let found = found(number);
            found.contains(&at) && found.contains(&false_at)
        });
        stop.set();
        lying.join().expect("no panic");
        assert!(waiting.join().expect("no panic").is_err(), "it was stopped");
    });
}
