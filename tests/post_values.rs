//! The checks of `support/post_checks.rs` over right input with some of its bytes changed: what the fuzz target does for
//! hours, in seconds and with the compiler that everybody has.
//!
//! `REUNITE_WRITE_SEEDS=1 cargo test --test post_values -- --ignored` writes the fuzzer's seeds anew.

#[path = "support/post_checks.rs"]
mod checks;
#[path = "support/seeds.rs"]
mod seeds;

use proptest::prelude::*;
use reunite::model::post::bag::Bag;
use reunite::model::post::exchange::Exchange;
use reunite::model::post::stored;
use seeds::{changed, folder, seeds};
use std::fs;

#[test]
fn the_seeds_themselves_are_right() {
    let all = seeds("letters");
    assert_eq!(all.len(), of_letters().len());
    all.iter().for_each(|seed| checks::letters(seed));
    let bag =
        all.iter().find(|seed| seed.get(1..).is_some_and(|rest| rest.starts_with(checks::BEGIN)));
    let bag = stored::decode(bag.and_then(|seed| seed.get(1..)).expect("a file"), checks::key(0));
    assert_ne!(bag.expect("right").lists(), Bag::new(checks::key(0)).lists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_bag_holds_what_it_should_whatever_a_peer_sends(bytes in changed("letters")) {
        checks::letters(&bytes);
    }
}

// --- the seeds ---

/// A bag with something of each kind.
fn bag() -> Bag {
    let mut bag = Bag::new(checks::key(0));
    bag.hour();
    for (author, to) in [(0, 1), (1, 2), (2, 3)] {
        bag.take(checks::letter(author, to, 5), 9);
    }
    bag.take_receipt(checks::receipt(3, 1, 3, 6, 7), 2);
    bag.show(&checks::letter(1, 0, 1));
    for author in [4, 2] {
        bag.show_alarm(checks::key(author), [author; 32].into());
    }
    bag
}

fn of_letters() -> Vec<(&'static str, Vec<u8>)> {
    let whole = stored::encode(&bag());
    let within = whole.get(checks::BEGIN.len() + 32..whole.len() - 32).expect("it has more");
    let letter = Exchange::Letter(3, Box::new(checks::letter(1, 2, 1))).encode();
    let mut raw = vec![0, 0, 0];
    raw.splice(1..3, (letter.len() as u16).to_be_bytes());
    let file = |bytes: &[u8]| [&[0], bytes].concat();
    // One after the other; `Trial::run` says what each is.
    let script = |all: &[&[u8]]| [&[1], all.concat().as_slice()].concat();
    // Each author writes to one of a few.
    let floods: Vec<_> =
        (1..11).flat_map(|author| [2, author, author % 5 + 6, author * 9, 80]).collect();
    let receipts: Vec<_> = (1..4).flat_map(|author| [4, 5, author, author * 60, 255]).collect();
    let (starts, gives, old) = ([7], [5, 1, 1, 2, 5], [6, 239]);
    let carried = [1, 1, 2, 5, 0, 3, 0, 0];
    let to_this_node = [1, 1, 0, 1, 0, 0, 0, 0];
    let (own, another) = ([9, 1, 1], [9, 2, 1]);
    let receipt_by = |by| [3, by, 0, 1, 1, 0, 0, 0, 0, 0];
    vec![
        ("file", file(&whole)),
        ("in-a-file", file(within)),
        ("a-frame", script(&[&raw, &letter, &gives])),
        ("carried", script(&[&carried, &starts, &gives, &[3, 2, 1, 2, 5, 4, 0, 1, 0, 0]])),
        ("own", script(&[&own, &another, &receipt_by(2), &receipt_by(1), &own, &old, &[6, 0]])),
        ("to-this-node", script(&[&to_this_node, &to_this_node, &[2, 2, 0, 0, 9], &starts])),
        ("changed", script(&[&[1, 1, 2, 5, 0, 3, 0, 9], &[3, 2, 1, 2, 5, 4, 0, 1, 1, 17]])),
        (
            "shut-out",
            script(&[&own, &receipt_by(2), &carried, &[8, 2], &[8, 1], &carried, &starts]),
        ),
        ("full", script(&[&floods, &[9, 6, 1], &[6, 80], &starts, &gives])),
        ("many-receipts", script(&[&receipts, &old, &[6, 1]])),
    ]
}

#[test]
#[ignore = "it writes the seeds anew"]
fn write_the_seeds() {
    if std::env::var_os("REUNITE_WRITE_SEEDS").is_none() {
        return;
    }
    fs::create_dir_all(folder("letters")).expect("made");
    for (name, bytes) in of_letters() {
        fs::write(folder("letters").join(name), bytes).expect("written");
    }
}
