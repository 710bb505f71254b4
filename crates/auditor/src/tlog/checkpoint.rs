//! A tree's head as the log signs it (C2SP tlog-checkpoint).

use super::hash::{Hash, hash_from_base64, parse_decimal, to_base64};
use super::note::{NoteError, SignedNote, Signer, VerifierKey};
use thiserror::Error;

/// Size and root of a log's tree: three lines of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: by custom the name of its key.
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

/// Why a note is no checkpoint that a trusted log signed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CheckpointError {
    #[error("the checkpoint is malformed: {0}")]
    Malformed(&'static str),
    #[error("the checkpoint is of the log `{found}`, not of `{expected}`")]
    Origin { found: String, expected: String },
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl Checkpoint {
    /// The note's text: origin, size and root, a line each.
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            to_base64(&self.root)
        )
    }

    /// Reads the text. Lines behind the third are extensions, which we neither write nor understand: they are signed and passed over.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let malformed = |what| Err(CheckpointError::Malformed(what));
        let Some(text) = text.strip_suffix('\n') else {
            return malformed("its last line does not end");
        };
        let lines: Vec<_> = text.split('\n').collect();
        let [origin, size, root, extensions @ ..] = lines.as_slice() else {
            return malformed("it has fewer than three lines");
        };
        if origin.is_empty() || extensions.iter().any(|line| line.is_empty()) {
            return malformed("it has an empty line");
        }
        let Some(size) = parse_decimal(size) else {
            return malformed("its second line is no size");
        };
        let Some(root) = hash_from_base64(root) else {
            return malformed("its third line is no hash");
        };
        let origin = (*origin).to_owned();
        Ok(Checkpoint { origin, size, root })
    }

    /// The signed note, as it is published.
    pub fn sign(&self, log: &Signer) -> SignedNote {
        let text = self.text();
        let signatures = vec![log.sign(&text, 0)];
        SignedNote { text, signatures }
    }

    /// Opens a note that `log` signed. The checkpoint's origin must be the key's name.
    ///
    /// # Errors
    /// [`CheckpointError`] when the note is malformed, of another log, not signed by the key, or changed since.
    pub fn open(note: &str, log: &VerifierKey) -> Result<(Self, SignedNote), CheckpointError> {
        let note = SignedNote::parse(note)?;
        let checkpoint = Checkpoint::parse(&note.text)?;
        if checkpoint.origin != log.name() {
            return Err(CheckpointError::Origin {
                found: checkpoint.origin,
                expected: log.name().to_owned(),
            });
        }
        note.verify(log)?;
        Ok((checkpoint, note))
    }
}

#[cfg(test)]
mod tests {
    use super::super::note::KeyKind;
    use super::*;

    const TEXT: &str =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn the_example_of_the_specification_is_read_and_written_back() {
        let checkpoint = Checkpoint::parse(TEXT).unwrap();
        assert_eq!(checkpoint.size, 20_852_163);
        assert_eq!(checkpoint.text(), TEXT);
        let extended = Checkpoint::parse(&format!("{TEXT}more\n")).unwrap();
        assert_eq!(extended, checkpoint);
    }

    #[test]
    fn what_is_no_checkpoint_is_refused() {
        for bad in [
            "",
            "a\n",
            "a\n1\n",
            &TEXT[1..TEXT.len() - 1],
            &TEXT.replace("20852163", "020852163"),
            &TEXT.replace("20852163", "-1"),
            &TEXT.replace("q2I=", "q2J="),
            &TEXT.replace("example.com/behind-the-sofa", ""),
            &format!("{TEXT}\nmore\n"),
        ] {
            assert!(Checkpoint::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_checkpoint_opens_with_the_logs_key_alone() {
        let log = Signer::from_seed("a", KeyKind::Ed25519, &[1; 32]).unwrap();
        let other = Signer::from_seed("b", KeyKind::Ed25519, &[1; 32]).unwrap();
        let checkpoint = Checkpoint {
            origin: "a".to_owned(),
            size: 3,
            root: [9; 32],
        };
        let note = checkpoint.sign(&log).to_string();
        assert_eq!(Checkpoint::open(&note, log.public()).unwrap().0, checkpoint);
        assert!(matches!(
            Checkpoint::open(&note, other.public()),
            Err(CheckpointError::Origin { .. })
        ));
        let forged = note.replace("\n3\n", "\n4\n");
        assert_eq!(
            Checkpoint::open(&forged, log.public()),
            Err(CheckpointError::Note(NoteError::WrongSignature(
                "a".to_owned()
            )))
        );
    }
}
