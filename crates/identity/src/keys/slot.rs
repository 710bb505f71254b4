//! The bytes of the key store: a page that says how it is wrapped, then one slot of fixed size per data key.
//!
//! A slot is written and erased in its place, so that an erased key is overwritten and not only left out of a newer copy. It is smaller than a
//! disk's sector and never lies across two, so that a crash leaves the old slot or the new one; the checksum tells should a disk break that.
//!
//! | page bytes | what |
//! |---|---|
//! | 0-7 | `SQOFKEYS` |
//! | 8-9 | format, 1 |
//! | 10-25 | id of the master key |
//! | 26-85 | the index key, wrapped |
//! | 86-89 | CRC-32 of the bytes before |
//!
//! | slot bytes | what |
//! |---|---|
//! | 0-3 | CRC-32 of the rest |
//! | 4 | state: 1 live, 2 fresh, 3 erasing |
//! | 5, 6-17 | length of the client code, the code |
//! | 18-33 | key id |
//! | 34-93 | the data key, wrapped: nonce, ciphertext, tag |
//! | 94, 95-126 | whether there is a PAN, its blind index |
//! | 127-134 | seconds since 1970 when the key was made |
//!
//! All numbers are big-endian. A slot of zeros is free.

use crate::cipher::{KEY_BYTES, NONCE_BYTES, TAG_BYTES};
use crate::master::MasterKeyId;
use squareoff_domain::{ClientCode, KeyId};
use uuid::Uuid;

pub const PAGE_BYTES: usize = 4_096;
pub const SLOT_BYTES: usize = 256;
pub const WRAPPED_BYTES: usize = NONCE_BYTES + KEY_BYTES + TAG_BYTES;

const MAGIC: &[u8; 8] = b"SQOFKEYS";
const FORMAT: u16 = 1;
const PAGE_CHECKED: usize = 26 + WRAPPED_BYTES;
const CODE_BYTES_MAX: usize = 12;

/// What the first page says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub master: MasterKeyId,
    pub index: [u8; WRAPPED_BYTES],
}

/// Why a first page is none.
#[derive(Debug, PartialEq, Eq)]
pub enum NoPage {
    OtherFormat { found: u16, known: u16 },
    Damaged,
}

impl Page {
    pub fn bytes(&self) -> [u8; PAGE_BYTES] {
        let mut bytes = [0; PAGE_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..10].copy_from_slice(&FORMAT.to_be_bytes());
        bytes[10..26].copy_from_slice(&self.master.0);
        bytes[26..PAGE_CHECKED].copy_from_slice(&self.index);
        let sum = crc32fast::hash(&bytes[..PAGE_CHECKED]);
        bytes[PAGE_CHECKED..PAGE_CHECKED + 4].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    /// # Errors
    /// [`NoPage`].
    pub fn read(bytes: &[u8]) -> Result<Page, NoPage> {
        if bytes.len() < PAGE_BYTES || &bytes[..8] != MAGIC {
            return Err(NoPage::Damaged);
        }
        let found = u16::from_be_bytes([bytes[8], bytes[9]]);
        if found != FORMAT {
            return Err(NoPage::OtherFormat {
                found,
                known: FORMAT,
            });
        }
        let sum = crc32fast::hash(&bytes[..PAGE_CHECKED]);
        if bytes[PAGE_CHECKED..PAGE_CHECKED + 4] != sum.to_be_bytes() {
            return Err(NoPage::Damaged);
        }
        Ok(Page {
            master: MasterKeyId(array(&bytes[10..26])),
            index: array(&bytes[26..PAGE_CHECKED]),
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotState {
    Live,
    /// Of a rotation that the log may not have yet.
    Fresh,
    /// Of an erasure that the log may not have yet.
    Erasing,
}

/// Bytes that are neither a slot nor free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotASlot;

/// One data key of one client. The blind index is of the PAN that is encrypted under it.
#[derive(Clone, PartialEq, Eq)]
pub struct Slot {
    pub state: SlotState,
    pub client: ClientCode,
    pub key_id: KeyId,
    pub wrapped: [u8; WRAPPED_BYTES],
    pub pan_index: Option<[u8; 32]>,
    pub made_at_s: u64,
}

impl Slot {
    pub fn bytes(&self) -> [u8; SLOT_BYTES] {
        let mut bytes = [0; SLOT_BYTES];
        bytes[4] = match self.state {
            SlotState::Live => 1,
            SlotState::Fresh => 2,
            SlotState::Erasing => 3,
        };
        let code = self.client.as_str().as_bytes();
        bytes[5] = u8::try_from(code.len()).expect("a client code has at most 12 bytes");
        bytes[6..6 + code.len()].copy_from_slice(code);
        bytes[18..34].copy_from_slice(self.key_id.0.as_bytes());
        bytes[34..94].copy_from_slice(&self.wrapped);
        if let Some(index) = &self.pan_index {
            bytes[94] = 1;
            bytes[95..127].copy_from_slice(index);
        }
        bytes[127..135].copy_from_slice(&self.made_at_s.to_be_bytes());
        let sum = crc32fast::hash(&bytes[4..]);
        bytes[..4].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    /// `Ok(None)` for a free slot.
    ///
    /// # Errors
    /// [`NotASlot`].
    pub fn read(bytes: &[u8]) -> Result<Option<Slot>, NotASlot> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if bytes.len() != SLOT_BYTES || bytes[..4] != crc32fast::hash(&bytes[4..]).to_be_bytes() {
            return Err(NotASlot);
        }
        let state = match bytes[4] {
            1 => SlotState::Live,
            2 => SlotState::Fresh,
            3 => SlotState::Erasing,
            _ => return Err(NotASlot),
        };
        let length = usize::from(bytes[5]);
        if length > CODE_BYTES_MAX {
            return Err(NotASlot);
        }
        let code = std::str::from_utf8(&bytes[6..6 + length]).map_err(|_| NotASlot)?;
        Ok(Some(Slot {
            state,
            client: code.parse().map_err(|_| NotASlot)?,
            key_id: KeyId(Uuid::from_bytes(array(&bytes[18..34]))),
            wrapped: array(&bytes[34..94]),
            pan_index: (bytes[94] == 1).then(|| array(&bytes[95..127])),
            made_at_s: u64::from_be_bytes(array(&bytes[127..135])),
        }))
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("a range of that many bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(state: SlotState, code: &str, pan_index: Option<[u8; 32]>) -> Slot {
        Slot {
            state,
            client: code.parse().unwrap(),
            key_id: KeyId(Uuid::from_u128(7)),
            wrapped: [9; WRAPPED_BYTES],
            pan_index,
            made_at_s: 1_795_000_000,
        }
    }

    #[test]
    fn a_slot_and_a_page_are_read_as_they_were_written() {
        for slot in [
            slot(SlotState::Live, "C", None),
            slot(SlotState::Fresh, "ABCDEFGHIJ12", Some([3; 32])),
            slot(SlotState::Erasing, "C00001", Some([0; 32])),
        ] {
            assert!(Slot::read(&slot.bytes()) == Ok(Some(slot)));
        }
        assert!(Slot::read(&[0; SLOT_BYTES]) == Ok(None));
        let page = Page {
            master: MasterKeyId([4; 16]),
            index: [5; WRAPPED_BYTES],
        };
        assert_eq!(Page::read(&page.bytes()), Ok(page));
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let bytes = slot(SlotState::Live, "C00001", Some([3; 32])).bytes();
        for index in 0..SLOT_BYTES {
            let mut bytes = bytes;
            bytes[index] ^= 0x10;
            assert!(Slot::read(&bytes) == Err(NotASlot), "byte {index}");
        }
        let page = Page {
            master: MasterKeyId([4; 16]),
            index: [5; WRAPPED_BYTES],
        };
        for index in 0..PAGE_CHECKED + 4 {
            let mut bytes = page.bytes();
            bytes[index] ^= 0x10;
            assert!(Page::read(&bytes).is_err(), "byte {index}");
        }
    }
}
