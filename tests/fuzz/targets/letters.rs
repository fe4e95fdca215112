#![no_main]

#[path = "../../support/post_checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::letters(input));
