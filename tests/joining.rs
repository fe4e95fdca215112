//! Joining by code over real sockets: how it goes, and how it is attacked.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/join.rs"]
mod support;

use reunite::base::clock::Deadline;
use reunite::base::error::Error;
use reunite::base::threads::Stop;
use reunite::model::frame::{self, Frames};
use reunite::model::identity::Identity;
use reunite::model::join::answer;
use reunite::model::join::code::Code;
use reunite::model::join::limits::JOIN_GUESTS;
use reunite::model::join::message::{Clear, Refusal, Sealed, Sorry};
use reunite::model::join::pake::{Answering, Calling};
use reunite::model::join::request::Request;
use reunite::model::join::sponsor::Remarks;
use reunite::net::join::call::{self, Newcomer};
use reunite::net::join::host::End;
use reunite::net::join::talk::{SealedTalk, Talk};
use reunite::shell::join_words;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{Member, Open, address, join, organisation};

const PATIENCE: Duration = Duration::from_secs(60);

fn newcomer<'a>(identity: &'a Identity, port: u16) -> Newcomer<'a> {
    Newcomer { identity, organisation: organisation("Cox's Bazar NW 1"), address: address(port) }
}

fn identity() -> Identity {
    Identity::random(&mut rand::rng())
}

/// A member that says yes before it is asked.
fn willing(member: &Arc<Member>) -> Open {
    let open = Open::of(member);
    open.decide.send(true).expect("awaited");
    open
}

#[test]
fn a_newcomer_with_the_code_is_let_in_once_a_person_says_yes() {
    let (member, own) = (Member::founder(), identity());
    let open = Open::of(&member);
    let (at, code, decide) = (open.address, open.code(), open.decide.clone());
    let welcome = std::thread::scope(|scope| {
        let joining = scope.spawn(|| {
            let given = join(at, &code, &newcomer(&own, 33_002)).expect("let in");
            let number = given.welcome().number;
            let members: Vec<_> =
                given.welcome().members.iter().map(|(one, _)| one.clone()).collect();
            assert_eq!(given.welcome().network, member.network);
            given.into_parts().1.done();
            (number, members)
        });
        let (asked, remarks) = open.asked.recv_timeout(PATIENCE).expect("asked");
        assert_eq!(remarks, Remarks::default());
        assert_eq!(asked.keys().fingerprint(), own.public().fingerprint());
        assert_eq!(asked.organisation().to_string(), "Cox's Bazar NW 1");
        assert_eq!(member.numbers(), [1], "nobody is admitted before a person says so");
        decide.send(true).expect("awaited");
        joining.join().expect("no panic")
    });
    assert_eq!(welcome.0.value(), 2);
    assert_eq!(welcome.1, reunite::model::join::sponsor::Sponsor::members(&*member));
    assert!(matches!(open.end(), End::Welcomed(number) if number.value() == 2));
}

#[test]
fn the_second_and_the_twelfth_come_in_as_the_first_did() {
    let member = Member::founder();
    for port in 33_002..33_013 {
        let (open, own) = (willing(&member), identity());
        let given = join(open.address, &open.code(), &newcomer(&own, port)).expect("let in");
        given.into_parts().1.done();
        assert!(matches!(open.end(), End::Welcomed(_)));
    }
    assert_eq!(member.numbers(), (1..=12).collect::<Vec<_>>());
}

#[test]
fn a_wrong_code_closes_the_door_also_for_who_has_the_right_one() {
    let (member, own) = (Member::founder(), identity());
    let open = willing(&member);
    let error = call::meet(open.address, &open.wrong_code(), &Stop::default()).expect_err("wrong");
    assert!(error.to_string().contains("code was wrong"), "{error}");
    let (at, code) = (open.address, open.code());
    assert!(matches!(open.end(), End::WrongCode(ip) if ip == at.ip()));
    assert!(join(at, &code, &newcomer(&own, 33_002)).is_err(), "the door is still open");
    assert_eq!(member.numbers(), [1]);
}

#[test]
fn a_code_of_another_door_closes_nothing() {
    let (member, own) = (Member::founder(), identity());
    let open = willing(&member);
    let (number, words) = open.code.split_once('-').expect("a number");
    let other = if number == "1" { 2 } else { 1 };
    let other = format!("{other}-{words}").parse().expect("a code");
    let error = call::meet(open.address, &other, &Stop::default()).expect_err("another door");
    assert!(error.to_string().contains("another door"), "{error}");
    join(open.address, &open.code(), &newcomer(&own, 33_002))
        .expect("let in")
        .into_parts()
        .1
        .done();
    assert!(matches!(open.end(), End::Welcomed(_)));
}

#[test]
fn a_no_is_told_and_tells_nothing_else() {
    let (member, own) = (Member::founder(), identity());
    let open = Open::of(&member);
    open.decide.send(false).expect("awaited");
    let error = join(open.address, &open.code(), &newcomer(&own, 33_002)).expect_err("no");
    assert!(error.to_string().contains("did not let this node in"), "{error}");
    assert!(matches!(open.end(), End::Declined));
    assert_eq!(member.numbers(), [1]);
}

#[test]
fn who_does_not_decide_in_time_lets_nobody_in_and_both_know_why() {
    let (member, own) = (Member::founder(), identity());
    let open = Open::within(&member, Duration::ZERO);
    let error = join(open.address, &open.code(), &newcomer(&own, 33_002)).expect_err("late");
    assert!(error.to_string().contains("did not decide in time"), "{error}");
    assert!(matches!(open.end(), End::Undecided));
    assert_eq!(member.numbers(), [1]);
}

#[test]
fn a_person_can_close_the_door() {
    let member = Member::founder();
    let open = Open::of(&member);
    let (at, code) = (open.address, open.code());
    open.stop.set();
    assert!(matches!(open.failed(), Error::Stopped));
    assert!(call::meet(at, &code, &Stop::default()).is_err());
}

#[test]
fn nobody_joins_with_the_key_or_the_address_of_a_member_or_once_shut_out() {
    let (member, out) = (Member::founder(), identity());
    member.shut.lock().expect("no panic").push(out.public());
    for (own, port, why) in [
        (&member.identity, 33_009, Refusal::KeyTaken),
        (&identity(), 33_001, Refusal::AddressTaken),
        (&out, 33_009, Refusal::ShutOut),
    ] {
        let open = willing(&member);
        assert!(join(open.address, &open.code(), &newcomer(own, port)).is_err());
        assert!(matches!(open.end(), End::Refused(judged) if judged.why == why), "{why:?}");
    }
    assert_eq!(member.numbers(), [1]);
}

#[test]
fn who_joins_under_the_name_of_a_member_is_shown_to_the_person_as_such() {
    let (member, own) = (Member::founder(), identity());
    let open = Open::of(&member);
    open.decide.send(false).expect("awaited");
    let liar = Newcomer {
        organisation: organisation("YANGON general-hospital"),
        ..newcomer(&own, 33_002)
    };
    assert!(join(open.address, &open.code(), &liar).is_err());
    let (asked, remarks) = open.asked.recv_timeout(PATIENCE).expect("asked");
    let shown = join_words::asks(&asked, &remarks);
    assert!(shown.contains("WARNING: node 1 has the same name"), "{shown}");
    assert!(shown.contains(&own.public().fingerprint()), "{shown}");
    assert!(matches!(open.end(), End::Declined));
}

/// A caller that has the code, and then does as it likes.
fn in_by(open: &Open) -> reunite::net::join::talk::SealedTalk {
    let mut talk = Talk::connect(open.address, &Stop::default()).expect("open");
    let code = open.code();
    let (calling, element) = Calling::begin(&code);
    talk.say(&Clear::Hello(code.door(), element)).expect("said");
    let Clear::Element(element) = hear(&mut talk) else { panic!("not answered") };
    let (proving, proof) = calling.answered(&element).expect("an element");
    talk.say(&Clear::Proof(proof)).expect("said");
    let Clear::Proof(proof) = hear(&mut talk) else { panic!("not answered") };
    talk.sealed(Box::new(proving.confirmed(&proof).expect("the same code")), 100_000)
}

fn hear(talk: &mut Talk) -> Clear {
    Clear::decode(&talk.hear(Deadline::after(PATIENCE)).expect("heard")).expect("known")
}

#[test]
fn a_request_signed_by_another_key_or_for_another_line_is_refused() {
    let (member, own, victim) = (Member::founder(), identity(), identity());
    let asked = |binding: &[u8; 32]| {
        let name = organisation("Cox's Bazar NW 1");
        Request::for_line(&own, name, address(33_002), binding, &mut rand::rng()).bytes().to_vec()
    };
    let forged = |binding: &[u8; 32]| {
        let mut bytes = asked(binding);
        bytes[1..33].copy_from_slice(victim.public().identity.as_bytes());
        bytes
    };
    for which in 0..3 {
        let open = willing(&member);
        let mut talk = in_by(&open);
        let binding = *talk.binding();
        let bytes = match which {
            0 => forged(&binding),
            // Of another line, or of a file.
            1 => asked(&[7; 32]),
            _ => asked(&[0; 32]),
        };
        talk.say(&Sealed::Ask(bytes)).expect("said");
        assert!(talk.hear(Deadline::after(PATIENCE)).is_err(), "answered");
        assert!(matches!(open.end(), End::Gone));
    }
    assert_eq!(member.numbers(), [1]);
}

#[test]
fn who_goes_away_before_the_yes_is_not_admitted() {
    let (member, own) = (Member::founder(), identity());
    let open = Open::of(&member);
    let mut talk = in_by(&open);
    let newcomer = newcomer(&own, 33_002);
    let request = Request::for_line(
        &own,
        newcomer.organisation,
        newcomer.address,
        &talk.binding().clone(),
        &mut rand::rng(),
    );
    talk.say(&Sealed::Ask(request.bytes().to_vec())).expect("said");
    open.asked.recv_timeout(PATIENCE).expect("asked");
    drop(talk);
    assert!(matches!(open.end(), End::Gone));
    assert_eq!(member.numbers(), [1]);
}

#[test]
fn an_answer_that_may_have_been_lost_is_kept_for_a_file() {
    let (member, own) = (Member::founder(), identity());
    let open = willing(&member);
    let given = join(open.address, &open.code(), &newcomer(&own, 33_002)).expect("let in");
    // Its disk fails: it never says that it is done.
    drop(given);
    let End::Unsure(number, answer) = open.end() else { panic!("it was sure") };
    assert!(number.value() == 2 && !answer.is_empty());
}

#[test]
fn who_is_let_in_by_a_slow_disk_is_told_that_it_may_be_a_member_and_gets_its_answer_as_a_file() {
    let (member, own) = (Member::founder(), identity());
    member.is_slow.store(true, Ordering::SeqCst);
    let (open, newcomer) = (willing(&member), newcomer(&own, 33_002));
    let error = join(open.address, &open.code(), &newcomer).expect_err("not yet");
    assert!(error.to_string().contains("may be a member"), "{error}");
    assert!(error.advice().is_some_and(|advice| advice.contains("join accept")));
    let (request, _) = open.asked.recv_timeout(PATIENCE).expect("asked");
    let End::Unsure(number, answer) = open.end() else { panic!("it was sure") };
    let (welcome, _) = answer::open(&answer, &request, &newcomer.own(), &mut rand::rng())
        .expect("the answer that it waits for");
    assert_eq!((welcome.number, number.value()), (number, 2));
}

#[test]
fn a_newcomer_whose_line_breaks_after_the_yes_is_told_that_it_may_be_a_member() {
    let (own, code) = (identity(), Code::random(&mut rand::rng()));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("bound");
    let error = std::thread::scope(|scope| {
        let joining =
            scope.spawn(|| join(at, &code, &newcomer(&own, 33_002)).expect_err("no answer"));
        let mut near =
            Talk::new(listener.accept().expect("somebody").0, &Stop::default()).expect("open");
        let Clear::Hello(_, element) = hear(&mut near) else { panic!("no beginning") };
        let (answering, element) = Answering::begin(&code, &element).expect("an element");
        near.say(&Clear::Element(element)).expect("said");
        let Clear::Proof(proof) = hear(&mut near) else { panic!("no proof") };
        let (line, proof) = answering.confirmed(&proof).expect("the same code");
        near.say(&Clear::Proof(proof)).expect("said");
        let mut near = near.sealed(Box::new(line), 1000);
        let said = |near: &mut SealedTalk| near.hear(Deadline::after(PATIENCE)).expect("heard");
        assert!(matches!(said(&mut near), Sealed::Ask(_)));
        near.say(&Sealed::Accepted).expect("said");
        assert_eq!(said(&mut near), Sealed::Here);
        drop(near);
        joining.join().expect("no panic")
    });
    assert!(error.to_string().contains("may be a member"), "{error}");
}

#[test]
fn a_thousand_join_requests_cost_little_and_the_newcomer_still_comes_in() {
    let (member, own) = (Member::founder(), identity());
    let open = willing(&member);
    let (mut answered, mut crowded, mut dropped, mut silent) = (0, 0, 0, Vec::new());
    for at in 0..1000 {
        let mut stream = TcpStream::connect(open.address).expect("open");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        let (_, element) = Calling::begin(&open.code());
        let hello = match at % 4 {
            // Silent ones that stay, other protocols, and well-formed beginnings without an end.
            0 => {
                silent.push(stream);
                continue;
            }
            1 => OTHER.to_vec(),
            _ => frame::encode(&Clear::Hello(open.code().door(), element).encode()),
        };
        let mut body = [0; 38];
        let count = stream.write_all(&hello).and_then(|()| stream.read(&mut body)).unwrap_or(0);
        match Clear::decode(body.get(4..count).unwrap_or_default()) {
            Ok(Clear::Element(_)) => answered += 1,
            Ok(Clear::Sorry(Sorry::Crowded)) => crowded += 1,
            _ => dropped += 1,
        }
    }
    assert!(crowded > 300 && dropped >= 250, "{answered} answered, {crowded} crowded, {dropped}");
    // Of the silent ones only the last have a place.
    for first in &mut silent[..250 - JOIN_GUESTS] {
        assert!(matches!(first.read(&mut [0; 8]), Ok(0) | Err(_)), "it was told something");
    }
    let (at, code, held) = (open.address, open.code(), Stop::default());
    std::thread::scope(|scope| {
        let crowd = scope.spawn(|| crowd(at, &held));
        let given = join(at, &code, &newcomer(&own, 33_002));
        held.set();
        given.expect("let in").into_parts().1.done();
        assert!(crowd.join().expect("no panic") > 0, "nobody else knocked");
    });
    assert!(matches!(open.end(), End::Welcomed(_)));
    assert_eq!(member.numbers(), [1, 2]);
}

/// What somebody says who does not mean this program.
const OTHER: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

/// All places are taken by who says nothing, and one more of them comes with everybody who says something else. Returns
/// how many came until `stop`.
fn crowd(at: SocketAddr, stop: &Stop) -> usize {
    let (mut silent, mut count) = (VecDeque::new(), 0);
    while !stop.is_set() {
        // Once the newcomer is in, the door is closed.
        let Ok((one, mut other)) =
            TcpStream::connect(at).and_then(|one| TcpStream::connect(at).map(|other| (one, other)))
        else {
            break;
        };
        count += 1;
        silent.push_back(one);
        if silent.len() > 4 * JOIN_GUESTS {
            silent.pop_front();
        }
        let _ = other.write_all(OTHER).and_then(|()| other.read(&mut [0; 8]));
    }
    count
}

/// What was heard of one who called and of one who answered.
type Heard = Arc<[Mutex<Vec<u8>>; 2]>;

/// Passes all bytes on between whoever connects first and `to`, as `change` makes them, and keeps them.
fn between(
    to: SocketAddr,
    change: impl Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static,
) -> (SocketAddr, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("bound");
    let seen = Heard::default();
    let (kept, change) = (Arc::clone(&seen), Arc::new(change));
    std::thread::spawn(move || {
        let near = listener.accept().expect("somebody").0;
        let far = TcpStream::connect(to).expect("open");
        let ends = [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))];
        for (which, (from, to)) in ends.into_iter().enumerate() {
            let (mut from, mut to) = (from.expect("open"), to.expect("open"));
            let (kept, change) = (Arc::clone(&kept), Arc::clone(&change));
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = from.read(&mut buffer) {
                    kept[which].lock().expect("no panic").extend_from_slice(&buffer[..count]);
                    if to.write_all(&change(buffer[..count].to_vec())).is_err() {
                        break;
                    }
                }
                let _ = to.shutdown(std::net::Shutdown::Write);
            });
        }
    });
    (at, seen)
}

#[test]
fn who_only_listens_between_them_learns_nothing() {
    let (member, own) = (Member::founder(), identity());
    let open = willing(&member);
    let (at, seen) = between(open.address, |bytes| bytes);
    join(at, &open.code(), &newcomer(&own, 33_002)).expect("let in").into_parts().1.done();
    let words: Vec<_> = open.code.split('-').skip(1).map(|word| word.as_bytes().to_vec()).collect();
    assert!(matches!(open.end(), End::Welcomed(_)));
    let seen = seen.each_ref().map(|one| one.lock().expect("no panic").clone()).concat();
    let keys = own.public();
    let names = [&b"Cox's Bazar"[..], b"Yangon", keys.identity.as_bytes(), keys.knock.as_bytes()];
    let needles = names.iter().map(|name| name.to_vec()).chain(member.secrets()).chain(words);
    for needle in needles {
        assert!(!seen.windows(needle.len()).any(|window| window == needle), "{needle:?} was seen");
    }
    assert!(seen.len() > 500);
}

#[test]
fn who_changes_a_byte_between_them_is_found_out() {
    let (member, own) = (Member::founder(), identity());
    // In the first elements; all later bytes are proofs or sealed, which other tests change.
    let open = willing(&member);
    let (at, _) = between(open.address, |mut bytes| {
        if bytes.len() == 4 + 36 {
            bytes[20] ^= 1;
        }
        bytes
    });
    assert!(join(at, &open.code(), &newcomer(&own, 33_002)).is_err());
    open.stop.set();
    assert_eq!(member.numbers(), [1]);
}

/// Somebody between them who speaks with each of them in its own name, and guesses a code.
#[test]
fn who_stands_between_them_without_the_code_is_found_out_by_both() {
    let (member, own) = (Member::founder(), identity());
    let open = willing(&member);
    let guess = open.wrong_code();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (at, code) = (listener.local_addr().expect("bound"), open.code());
    let error = std::thread::scope(|scope| {
        let joining =
            scope.spawn(|| join(at, &code, &newcomer(&own, 33_002)).expect_err("found out"));
        let mut near =
            Talk::new(listener.accept().expect("somebody").0, &Stop::default()).expect("open");
        let Clear::Hello(_, element) = hear(&mut near) else { panic!("no beginning") };
        let (answering, element) = Answering::begin(&guess, &element).expect("an element");
        near.say(&Clear::Element(element)).expect("said");
        let Clear::Proof(proof) = hear(&mut near) else { panic!("no proof") };
        // The guess was wrong: the proof does not hold, and any that is made up will not either.
        assert!(answering.confirmed(&proof).is_err());
        near.say(&Clear::Proof([7; 32])).expect("said");
        joining.join().expect("no panic")
    });
    assert!(error.to_string().contains("does not have the same code"), "{error}");
    // Its guess at the other side closes the door.
    assert!(call::meet(open.address, &guess, &Stop::default()).is_err());
    assert!(matches!(open.end(), End::WrongCode(_)));
    assert_eq!(member.numbers(), [1]);
}

#[test]
fn what_was_said_at_one_door_is_of_no_use_at_another() {
    let (member, own) = (Member::founder(), identity());
    let open = willing(&member);
    let (at, seen) = between(open.address, |bytes| bytes);
    join(at, &open.code(), &newcomer(&own, 33_002)).expect("let in").into_parts().1.done();
    assert!(matches!(open.end(), End::Welcomed(_)));
    let seen = seen[0].lock().expect("no panic").clone();
    let (mut frames, mut rest) = (Frames::new(), &seen[..]);
    let mut next = || frames.take(&mut rest).expect("right").expect("one more");
    let (hello, proof) = (Clear::decode(&next()), Clear::decode(&next()));
    let (Ok(Clear::Hello(number, element)), Ok(proof @ Clear::Proof(_))) = (hello, proof) else {
        panic!("it was let in without them")
    };
    let doors = std::iter::repeat_with(|| willing(&member));
    let again = doors.into_iter().find(|open| open.code().door() != number).expect("one of them");
    // As it was said: it is for another door. Word for word but for the number of the door: that door answers, and what
    // was right at the first is wrong here.
    let mut talk = Talk::connect(again.address, &Stop::default()).expect("open");
    talk.say(&Clear::Hello(number, element)).expect("said");
    assert!(matches!(hear(&mut talk), Clear::Sorry(Sorry::OtherDoor)));
    let mut talk = Talk::connect(again.address, &Stop::default()).expect("open");
    talk.say(&Clear::Hello(again.code().door(), element)).expect("said");
    assert!(matches!(hear(&mut talk), Clear::Element(_)));
    talk.say(&proof).expect("said");
    assert!(matches!(hear(&mut talk), Clear::Sorry(Sorry::WrongCode)));
    assert!(matches!(again.end(), End::WrongCode(_)));
    assert_eq!(member.numbers(), [1, 2]);
}
