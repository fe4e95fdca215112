#![no_main]

#[path = "../../support/join_checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::joining(input));
