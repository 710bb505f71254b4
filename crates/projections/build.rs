//! Queries are checked against the stored descriptions in `.sqlx`, also when `DATABASE_URL` is set for running.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-env-changed=SQLX_OFFLINE_DIR");
    // Only `prepare.sh` sets it: then the macros ask a real database and write what they learn there.
    if std::env::var_os("SQLX_OFFLINE_DIR").is_none() {
        println!("cargo:rustc-env=SQLX_OFFLINE=true");
    }
}
