#![no_main]

#[path = "../../support/session_checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::frames(input));
