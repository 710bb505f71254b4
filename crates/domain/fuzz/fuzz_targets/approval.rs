#![no_main]

#[allow(dead_code, reason = "each target runs one of the aggregates")]
#[path = "../../tests/it/histories/mod.rs"]
mod histories;

libfuzzer_sys::fuzz_target!(|history: &[u8]| histories::approval::run(history));
