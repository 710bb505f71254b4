//! Whether a message is the one a script expects.

use super::script::fields;

/// How closely a message must be the expected one: the same fields in the same order in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closeness {
    /// Every value but the checksum and the instants (10, 42, 52, 60, 122).
    Strict,
    /// Texts are each engine's own (58), and with them the length (9).
    Relaxed,
}

/// # Errors
/// The first difference, in words.
pub fn compare(expected: &[u8], found: &[u8], closeness: Closeness) -> Result<(), String> {
    let (wanted, came): (Vec<_>, Vec<_>) = (fields(expected).collect(), fields(found).collect());
    for (wanted, came) in wanted.iter().zip(&came) {
        let ((tag, value), (found_tag, found_value)) = (split(wanted), split(came));
        let shown = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
        if tag != found_tag {
            return Err(format!("expected {}, found {}", shown(wanted), shown(came)));
        }
        let fits = match (tag, closeness) {
            (b"10", _) => found_value.iter().all(u8::is_ascii_digit),
            (b"42" | b"52" | b"60" | b"122", _) => is_instant(found_value),
            (b"58", Closeness::Relaxed) => !found_value.is_empty(),
            (b"9", Closeness::Relaxed) => found_value.iter().all(u8::is_ascii_digit),
            _ => value == found_value,
        };
        if !fits {
            return Err(format!("expected {}, found {}", shown(wanted), shown(came)));
        }
    }
    if wanted.len() != came.len() {
        return Err(format!(
            "expected {} fields, found {}",
            wanted.len(),
            came.len()
        ));
    }
    Ok(())
}

fn split(field: &[u8]) -> (&[u8], &[u8]) {
    let equals = field.iter().position(|byte| *byte == b'=');
    let (tag, value) = field.split_at(equals.unwrap_or(field.len()));
    (tag, value.get(1..).unwrap_or_default())
}

/// YYYYMMDD-HH:MM:SS, with decimals or without.
fn is_instant(value: &[u8]) -> bool {
    squareoff_fix::Timestamp::parse(value).is_some()
}
