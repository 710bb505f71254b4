use crate::{small, small_book};
use proptest::prelude::*;
use squareoff_primary::{Existing, SampleBook, generate, read};
use std::fs;
use std::os::unix::fs::PermissionsExt;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn what_is_written_is_read_again(seed in any::<u64>(), positions in 0_u32..200) {
        let book = generate(&SampleBook { seed, positions, ..small() }).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("deep/er/book");
        book.write(&dir, Existing::Keep).unwrap();
        prop_assert_eq!(read(&dir).unwrap(), book);
    }
}

#[test]
fn a_book_that_is_there_is_replaced_only_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("book");
    let (first, second) = (
        small_book(),
        generate(&SampleBook { seed: 8, ..small() }).unwrap(),
    );
    first.write(&dir, Existing::Keep).unwrap();
    let mode = fs::metadata(&dir).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "it holds identities");
    let refusal = second.write(&dir, Existing::Keep).unwrap_err().to_string();
    assert!(refusal.ends_with("book is already there"), "{refusal}");
    assert_eq!(read(&dir).unwrap(), first);
    second.write(&dir, Existing::Replace).unwrap();
    assert_eq!(read(&dir).unwrap(), second);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing is left beside it"
    );
}

#[test]
fn a_folder_or_file_that_is_no_book_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("letter.txt");
    fs::write(&file, "dear").unwrap();
    for path in [folder.path(), &file] {
        let refusal = small_book()
            .write(path, Existing::Replace)
            .unwrap_err()
            .to_string();
        assert!(
            refusal.ends_with("holds something else than a book and is not replaced"),
            "{refusal}"
        );
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "dear");
    let beneath_a_file = small_book()
        .write(&file.join("book"), Existing::Keep)
        .unwrap_err()
        .to_string();
    assert!(
        beneath_a_file.contains("could not be written to"),
        "{beneath_a_file}"
    );
}

#[test]
fn no_identity_shows_in_a_debug_text() {
    let book = small_book();
    let text = format!("{book:?}");
    for line in &book.clients {
        for secret in [
            &line.identity.pan,
            &line.identity.email,
            &line.identity.phone,
        ] {
            assert!(!text.contains(secret.as_str()));
        }
    }
}
