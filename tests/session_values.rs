//! The checks of `support/session_checks.rs`, `support/knock_checks.rs` and `support/join_checks.rs` over right input
//! with some of its bytes changed: what the fuzz targets do for hours, in seconds and with the compiler that everybody has.

#[path = "support/session_checks.rs"]
mod checks;
#[path = "support/join_checks.rs"]
mod join_checks;
#[path = "support/knock_checks.rs"]
mod knock_checks;
#[path = "support/seeds.rs"]
mod seeds;

use proptest::prelude::*;
use seeds::{changed, seeds};

#[test]
fn what_is_changed_of_a_joining_is_right_before() {
    let read = |kind: u8| move |seed: &&Vec<u8>| seed.first() == Some(&kind);
    let all = seeds("joining");
    let request = all.iter().find(read(2)).expect("a request");
    reunite::model::join::request::Request::decode(&request[1..]).expect("right");
    let welcome = all.iter().find(read(3)).expect("a welcome");
    reunite::model::join::welcome::Welcome::decode(&welcome[1..]).expect("right");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nobody_joins_by_saying_something_else(bytes in changed("joining")) {
        join_checks::joining(&bytes);
    }

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
