//! The checks of `support/checks.rs` over some thousand mutations of the fuzzer's seeds: what the fuzz
//! targets do for hours, in seconds and with the compiler that everybody has.
//!
//! A failure prints its number; `REUNITE_CASE=check:number cargo test --test properties` runs that one again.

#[path = "support/checks.rs"]
mod checks;

use checks::{Check, Dice};
use std::fs;
use std::panic::{catch_unwind, set_hook, take_hook};
use std::path::Path;

/// Mutations of a seed, at most, for one input.
const MOST_CHANGES: usize = 8;
/// Longest input.
const MOST_BYTES: usize = 4096;
/// What an input is likely to mean something with.
const WORDS: [&[u8]; 32] = [
    b"\n",
    b",",
    b", ",
    b"\"",
    b"\"\"",
    b"\r\n",
    b"\n\n",
    b":",
    b"^",
    b"|",
    b"~",
    b"quit",
    b"t",
    b"f",
    b"9999",
    b"@1",
    b"@2",
    b"100000000007",
    b"10.0.0.97,40000",
    b"EMERGENCY BROADCAST - - ",
    b"People:\n",
    b"\nReplaced:\n",
    b"\nX:\n",
    b"Name, Status\n",
    b"missing",
    b"14729384756392834",
    b"\xe0\xa6\xa8",
    b"\xff",
    b"\xe2\x80\xae",
    b"\x1b[2J",
    b"null",
    b"\"token\": \"",
];

#[test]
fn datagrams_make_only_knocks_that_were_heard() {
    mutate("datagrams", checks::datagrams, 4000);
}

#[test]
fn text_sessions_lose_no_text_and_hold_little() {
    mutate("text_session", checks::text_session, 4000);
}

#[test]
fn database_files_are_rewritten_without_loss() {
    mutate("database_file", checks::database_file, 2000);
}

#[test]
fn peers_files_are_read_or_refused_without_telling_a_token() {
    mutate("peers_file", checks::peers_file, 4000);
}

fn mutate(name: &str, check: Check, cases: u64) {
    let seeds = seeds(name);
    let wanted = std::env::var("REUNITE_CASE").ok().and_then(|wanted| {
        let (check, number) = wanted.split_once(':')?;
        Some(if check == name { number.parse().ok()?..=number.parse().ok()? } else { 1..=0 })
    });
    for seed in &seeds {
        check(seed);
    }
    for number in wanted.unwrap_or(1..=cases) {
        let input = mutated(&seeds, number);
        if fails(check, &input) {
            println!("REUNITE_CASE={name}:{number} fails");
            let least = minimal(check, input);
            println!("and so does the shorter b\"{}\":", least.escape_ascii());
            check(&least);
        }
    }
}

fn fails(check: Check, input: &[u8]) -> bool {
    catch_unwind(|| check(input)).is_err()
}

/// Leaves out what is not needed for `check` to fail with `input`.
fn minimal(check: Check, mut input: Vec<u8>) -> Vec<u8> {
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let mut length = input.len() / 2;
    while length > 0 {
        let mut from = 0;
        while from < input.len() {
            let mut shorter = input.clone();
            shorter.drain(from..(from + length).min(input.len()));
            if fails(check, &shorter) {
                input = shorter;
            } else {
                from += length;
            }
        }
        length /= 2;
    }
    set_hook(hook);
    input
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(name);
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("seeds").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{name} has no seeds");
    paths.iter().map(|path| fs::read(path).expect("a seed")).collect()
}

/// One of the seeds with a few changes, all of which follow from `number`.
fn mutated(seeds: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut dice = Dice::new(number);
    let mut input = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(MOST_CHANGES) {
        let from = dice.below(input.len());
        let length = dice.below(16).min(input.len() - from);
        let other = &seeds[dice.below(seeds.len())];
        let there = dice.below(other.len());
        match dice.below(7) {
            0 if !input.is_empty() => input[from] = dice.roll() as u8,
            1 => insert(&mut input, from, &[dice.roll() as u8]),
            2 => drop(input.drain(from..from + length)),
            3 => insert(&mut input, from, &other[there..(there + 64).min(other.len())]),
            4 => {
                insert(&mut input, from, &WORDS[dice.below(WORDS.len())].repeat(1 + dice.below(3)))
            }
            5 => input.truncate(from),
            _ => {
                let again = input[from..from + length].repeat(1 + dice.below(40));
                insert(&mut input, from, &again);
            }
        }
    }
    input.truncate(MOST_BYTES);
    input
}

fn insert(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    input.splice(at..at, bytes.iter().copied());
}
