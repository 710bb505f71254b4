//! Time-based one-time codes (RFC 6238): SHA-1, six digits, steps of 30 seconds, which is what every authenticator app speaks.
//!
//! A code of the step before or behind counts too, for clocks that differ; whoever takes it notes its step, so that none counts twice.

use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use secrecy::SecretString;
use squareoff_domain::{OperatorId, Timestamp};
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

/// As long as the hash, as RFC 4226 recommends.
const SEED_BYTES: usize = 20;
const ISSUER: &str = "Squareoff";
/// Of a module of the QR code, in the picture's units.
const MODULE: u32 = 4;

/// What an authenticator app is set up with. Shown once.
pub struct Enrolment {
    /// `otpauth://totp/…`: for who can't take a picture.
    pub uri: SecretString,
    /// The same as a picture.
    pub qr_svg: SecretString,
}

pub fn new_seed() -> Zeroizing<Vec<u8>> {
    let mut seed = Zeroizing::new(vec![0; SEED_BYTES]);
    getrandom::fill(&mut seed).expect("the system has randomness");
    seed
}

/// The step of the code, when it is one of now.
pub fn step_of(seed: &[u8], code: &str, now: Timestamp) -> Option<u64> {
    let code = Zeroizing::new(code.replace(' ', ""));
    of(seed).check(&code, seconds(now))
}

/// The code of an instant: what an app would show.
pub fn code(seed: &[u8], now: Timestamp) -> String {
    of(seed).generate(seconds(now)).to_string()
}

pub fn enrolment(operator: &OperatorId, seed: &[u8]) -> Enrolment {
    let secret = Zeroizing::new(Secret::from(seed).to_base32());
    let uri = Zeroizing::new(format!(
        "otpauth://totp/{ISSUER}:{operator}?secret={}&issuer={ISSUER}&algorithm=SHA1&digits=6&period=30",
        *secret
    ));
    let code = QrCode::with_error_correction_level(uri.as_bytes(), EcLevel::M);
    let code = code.expect("the address has some 150 bytes, a QR code holds thousands");
    let picture = code.render::<svg::Color<'_>>();
    let picture = { picture }.module_dimensions(MODULE, MODULE).build();
    Enrolment {
        uri: SecretString::from(uri.as_str()),
        qr_svg: SecretString::from(picture),
    }
}

fn of(seed: &[u8]) -> Totp {
    // The seeds are ours and of the right length; those of RFC 6238's own examples are too.
    Builder::new().with_secret(seed).build_noncompliant()
}

fn seconds(now: Timestamp) -> u64 {
    u64::try_from(now.0 / 1_000_000_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000_000_000)
    }

    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        let seed = b"12345678901234567890";
        // Appendix B, the last six of its eight digits.
        for (seconds, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            assert_eq!(code(seed, at(seconds)), expected);
        }
    }

    #[test]
    fn a_code_counts_in_its_step_and_in_those_beside_it() {
        let seed = new_seed();
        let shown = code(&seed, at(1_000_000_020));
        let step = 1_000_000_020 / 30;
        for (now, expected) in [
            (1_000_000_020, Some(step)),
            (1_000_000_049, Some(step)),
            (1_000_000_079, Some(step)),
            (999_999_990, Some(step)),
            (1_000_000_080, None),
            (999_999_989, None),
        ] {
            assert_eq!(step_of(&seed, &shown, at(now)), expected, "{now}");
        }
        let spaced = format!("{} {}", &shown[..3], &shown[3..]);
        assert_eq!(step_of(&seed, &spaced, at(1_000_000_020)), Some(step));
        for none in ["", "12345", "1234567", "abcdef", "१२३४५६"] {
            assert_eq!(step_of(&seed, none, at(1_000_000_020)), None, "{none}");
        }
    }

    #[test]
    fn an_app_is_set_up_by_address_or_picture() {
        let enrolment = enrolment(&"desk-asha".parse().unwrap(), b"12345678901234567890");
        assert_eq!(
            enrolment.uri.expose_secret(),
            "otpauth://totp/Squareoff:desk-asha?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Squareoff&algorithm=SHA1&digits=6&period=30"
        );
        let picture = enrolment.qr_svg.expose_secret();
        assert!(
            picture.contains("<svg") && picture.ends_with("</svg>"),
            "{picture}"
        );
    }
}
