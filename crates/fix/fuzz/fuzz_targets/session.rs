#![no_main]

#[allow(dead_code, reason = "each target feeds one of the two")]
#[path = "../../tests/it/fed.rs"]
mod fed;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fed::session(bytes));
