//! The checks of `support/session_checks.rs` and `support/knock_checks.rs` over right input with some of its
//! bytes changed: what the fuzz targets do for hours, in seconds and with the compiler that everybody has.

#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/session_checks.rs"]
mod checks;
#[path = "support/knock_checks.rs"]
mod knock_checks;

use proptest::prelude::*;
use std::fs;
use std::path::Path;

/// The seeds of this fuzz target.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(target);
    let files = fs::read_dir(folder).expect("a folder of seeds");
    let mut paths: Vec<_> = files.map(|file| file.expect("a seed").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a seed")).collect()
}

/// A seed with some bytes changed, put in or cut off.
fn changed(target: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let change = (any::<prop::sample::Index>(), prop_oneof![Just(0), any::<u8>()], 0..6_u8);
    (prop::sample::select(seeds(target)), prop::collection::vec(change, 0..6)).prop_map(
        |(mut bytes, changes)| {
            for (place, byte, how) in changes {
                let place = place.index(bytes.len() + 1);
                match (how, bytes.get_mut(place)) {
                    (0, _) => bytes.truncate(place),
                    (1, _) => bytes.insert(place, byte),
                    (_, Some(old)) => *old = byte,
                    (_, None) => bytes.push(byte),
                }
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn frames_come_out_whole_or_not_at_all(bytes in changed("frames")) {
        checks::frames(&bytes);
    }

    #[test]
    fn messages_are_refused_or_say_exactly_what_was_sent(bytes in changed("messages")) {
        checks::messages(&bytes);
    }

    #[test]
    fn rows_are_taken_only_if_they_stay_the_same(bytes in changed("rows")) {
        checks::rows(&bytes);
    }
}

proptest! {
    // Each case is some dozen handshakes.
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_gate_lets_in_only_who_may_come_in_and_always_still_does(bytes in changed("knock")) {
        knock_checks::knock(&bytes);
    }

    #[test]
    fn a_caller_believes_only_the_node_and_always_gets_in(bytes in changed("reply")) {
        knock_checks::reply(&bytes);
    }
}
