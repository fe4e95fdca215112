#![no_main]

#[path = "../../support/ledger_checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::ledger_file(input));
