//! `make fuzz` looks for new bytes; these are the ones it kept, or that were written to break something.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::fed::{codec, session};

/// Runs each file of `fuzz/corpus/<target>/`; a panic names the file.
fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} has files", folder.display());
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let survived = std::panic::catch_unwind(|| run(&bytes));
        assert!(survived.is_ok(), "{}", file.display());
    }
}

#[test]
fn the_codec_survives_everything_that_was_found() {
    replay("codec", codec);
}

#[test]
fn a_session_survives_everything_that_was_found() {
    replay("session", session);
}

/// Lines of a session, most of them nearly right.
fn line() -> impl Strategy<Value = String> {
    let kind =
        proptest::sample::select(&["0", "1", "2", "3", "4", "5", "A", "D", "8", "j", "AE"][..]);
    let field = (1_u32..1000, "[ -{}]{0,8}").prop_map(|(tag, value)| format!("{tag}={value}|"));
    let known = proptest::sample::select(
        &[
            "43=Y|122=~|",
            "36=9|",
            "123=Y|",
            "7=1|16=0|",
            "112=x|",
            "98=0|108=30|",
            "141=Y|",
            "97=Y|",
            "11=a|55=X|54=1|60=~|40=1|38=5|",
        ][..],
    );
    let more = prop_oneof![field, known.prop_map(str::to_owned)];
    let message =
        (kind, 0_u64..12, proptest::collection::vec(more, 0..5)).prop_map(|(kind, seq, more)| {
            format!("35={kind}|34={seq}|49=THEM|52=~|56=US|{}", more.concat())
        });
    prop_oneof![
        8 => message,
        1 => (0_u32..90).prop_map(|seconds| format!("+{seconds}")),
        1 => proptest::sample::select(&["!", "s", "r", "c"][..]).prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        codec(&bytes);
        session(&bytes);
    }

    #[test]
    fn any_lines_are_survived(kind: u8, lines in proptest::collection::vec(line(), 0..60)) {
        let on = "35=A|34=1|49=THEM|52=~|56=US|98=0|108=30|\n";
        session(&[&[kind], on.as_bytes(), lines.join("\n").as_bytes()].concat());
    }
}
