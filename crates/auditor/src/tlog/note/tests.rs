//! Notes against the specification's own examples, and what is refused.

use super::*;

const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

#[test]
fn the_example_of_the_specification_verifies_and_is_written_back_the_same() {
    let key = VerifierKey::parse(VKEY).unwrap();
    assert_eq!(key.to_string(), VKEY);
    let note = SignedNote::parse(NOTE).unwrap();
    assert_eq!(note.verify(&key), Ok(0));
    assert_eq!(note.to_string(), NOTE);
}

#[test]
fn a_changed_text_or_signature_is_refused_and_an_unknown_signer_passed_over() {
    let key = VerifierKey::parse(VKEY).unwrap();
    let changed = SignedNote::parse(&NOTE.replace("message", "massage")).unwrap();
    assert_eq!(
        changed.verify(&key),
        Err(NoteError::WrongSignature("example.com/foo".to_owned()))
    );
    let other = Signer::from_seed("example.com/foo", KeyKind::Ed25519, &[7; 32]).unwrap();
    let note = SignedNote::parse(NOTE).unwrap();
    assert_eq!(
        note.verify(other.public()),
        Err(NoteError::Unsigned("example.com/foo".to_owned()))
    );
}

#[test]
fn a_signer_is_read_back_and_what_it_signs_verifies_with_its_public_key() {
    for kind in [KeyKind::Ed25519, KeyKind::CosignatureV1] {
        let signer = Signer::from_seed("squareoff.example/log", kind, &[3; 32]).unwrap();
        let again = Signer::parse(&signer.to_secret_text()).unwrap();
        let public = VerifierKey::parse(&signer.public().to_string()).unwrap();
        let text = "squareoff.example/log\n0\nx\n".to_owned();
        let note = SignedNote {
            signatures: vec![again.sign(&text, 1_679_315_147)],
            text,
        };
        let note = SignedNote::parse(&note.to_string()).unwrap();
        let time = if kind == KeyKind::Ed25519 {
            0
        } else {
            1_679_315_147
        };
        assert_eq!(note.verify(&public), Ok(time));
        assert!(!format!("{signer:?}").contains("PRIVATE"));
    }
}

#[test]
fn the_same_key_signs_under_another_id_as_a_witness() {
    let log = Signer::from_seed("a", KeyKind::Ed25519, &[1; 32]).unwrap();
    let witness = Signer::from_seed("a", KeyKind::CosignatureV1, &[1; 32]).unwrap();
    assert_ne!(log.public().id(), witness.public().id());
}

#[test]
fn what_is_no_key_is_refused_by_name() {
    let refused = |text: &str| VerifierKey::parse(text).unwrap_err();
    assert_eq!(refused("no key"), KeyError::Form);
    assert_eq!(
        refused(&VKEY.replace("530d903a", "530D903A")),
        KeyError::Form
    );
    assert!(matches!(
        refused(&VKEY.replace("530d903a", "530d903b")),
        KeyError::Id { .. }
    ));
    assert!(matches!(
        refused(&VKEY.replace("/foo", "/bar")),
        KeyError::Id { .. }
    ));
    assert_eq!(
        refused(&VKEY.replace("/foo", " foo")),
        KeyError::Name("example.com foo".to_owned())
    );
    assert_eq!(refused("a+00000000+Ag=="), KeyError::Kind(2));
    assert_eq!(refused("a+00000000+AQ=="), KeyError::Bytes);
}

#[test]
fn what_is_no_note_is_refused() {
    let signature = NOTE.split_once("\n\n").unwrap().1;
    for bad in [
        String::new(),
        "text\n".to_owned(),
        "text\n\n".to_owned(),
        format!("text\n{signature}"),
        format!("te\txt\n\n{signature}"),
        format!("text\n\n{}", signature.trim_end()),
        format!("text\n\n{}", signature.replace('\u{2014}', "-")),
        format!("text\n\n{}", signature.replace("Uw2Q", "Uw2")),
        "text\n\n\u{2014} a AAAA\n".to_owned(),
        format!("text\n\n{}", signature.repeat(65)),
    ] {
        assert!(SignedNote::parse(&bad).is_err(), "{bad:?}");
    }
    let note = SignedNote::parse(&format!("a\n\nb\n\n{signature}")).unwrap();
    assert_eq!(note.text, "a\n\nb\n");
}
