#![no_main]

#[path = "../../support/ledger_checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::meetings(input));
