//! Who a client is: encrypted under a key of the client's own, shown as little as it can be, and forgotten when that key is destroyed.
//!
//! Called by the import of the book, the API and the command line; the log holds ciphertext and this crate the only way to read it.
//!
//! 1. Every field has a nonce of its own, and its associated data names client, field and key: it opens nowhere else.
//! 2. Data keys are in a key store outside of the log, wrapped by a master key that is in neither ([`keys`]).
//! 3. The plain text leaves only behind a durable event that says who saw it and why ([`Vault::reveal`]); everything else is masked.
//! 4. An erasure is done when its event is in the log; the key is destroyed behind it, and whoever opens the store next finishes what a
//!    crash cut short ([`Vault::settle`]).
//! 5. A PAN is found by its blind index alone, which lies with the key and is destroyed with it; log and read models have none. Names and
//!    phones have no index at all: they are opened to be compared ([`Vault::look`]).
//!
//! It knows neither HTTP nor the read database.

mod acts;
mod cipher;
mod error;
pub mod keys;
mod master;
mod plain;
mod recording;
mod sought;
mod vault;

pub use acts::{Erased, Revealed, client_streams};
pub use error::IdentityError;
pub use keys::{BACKUP_RETENTION, KeyStore, Rewrapped};
pub use master::{MasterKey, MasterKeyId, MasterKeySource, make as make_master_key};
pub use plain::{PlainIdentity, mask};
pub use recording::{Line, Recorded, RecordedBy};
pub use sought::{NAME_LETTERS_MIN, PHONE_DIGITS, Sought};
pub use vault::{Shown, Told, Vault};
