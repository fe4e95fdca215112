#![no_main]

#[path = "../../support/knock_checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::knock(input));
