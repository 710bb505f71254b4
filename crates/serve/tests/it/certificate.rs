//! A certificate for `localhost`, made anew for each test.

use squareoff_serve::Tls;
use std::fs;
use std::path::Path;

/// Writes certificate and key into `folder`.
pub fn certificate(folder: &Path) -> Tls {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let tls = Tls {
        certificate: folder.join("certificate.pem"),
        key: folder.join("key.pem"),
    };
    fs::write(&tls.certificate, made.cert.pem()).unwrap();
    fs::write(&tls.key, made.signing_key.serialize_pem()).unwrap();
    tls
}
