//! An error and its causes as one sentence: what a person at the command line reads.

/// Each cause behind the one it caused, but for those that the words before say already.
#[must_use]
pub fn in_one(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if sentence.ends_with(&cause) {
            continue;
        }
        if !sentence.is_empty() {
            sentence.push_str(": ");
        }
        sentence.push_str(&cause);
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;
    use std::fmt;

    #[derive(Debug)]
    struct Io(std::io::Error);

    impl fmt::Display for Io {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a/b: {}", self.0)
        }
    }

    impl Error for Io {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_cause_is_said_once() {
        let error = anyhow::Error::new(Io(std::io::Error::other("the disk is gone")));
        assert_eq!(in_one(&error), "a/b: the disk is gone");
        let error = error.context("the export failed");
        assert_eq!(in_one(&error), "the export failed: a/b: the disk is gone");
        assert_eq!(in_one(&anyhow::anyhow!("no cause")), "no cause");
    }
}
