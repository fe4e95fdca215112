#![no_main]

#[path = "../../support/checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::view_file(input));
