//! The inbound sequence number expected next, overwritten in place in two slots by turns.
//!
//! Slot: generation u64, number u64, turn u64, crc32 u32. The newest readable slot of the current generation
//! counts; none means 1. A write torn by a crash spoils one slot, the other still holds the number before.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Buf;

use crate::journal::JournalError;
use crate::journal::folder::at;

const SLOT_BYTES: usize = 28;
/// Slots in sectors of their own, so that one torn sector spoils one slot.
const SLOT_STRIDE: u64 = 4096;

#[derive(Debug)]
pub struct InboundNumber {
    file: File,
    path: PathBuf,
    generation: u64,
    next: u64,
    turn: u64,
}

impl InboundNumber {
    pub fn open(path: &Path, generation: u64) -> Result<InboundNumber, JournalError> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(at(path))?;
        Ok(InboundNumber::of(file, path, generation))
    }

    fn of(file: File, path: &Path, generation: u64) -> InboundNumber {
        let mut number = InboundNumber {
            file,
            path: path.to_owned(),
            generation,
            next: 1,
            turn: 0,
        };
        for slot in 0..2 {
            let Some((of, next, turn)) = number.read(slot) else {
                continue;
            };
            if turn > number.turn {
                number.turn = turn;
                number.next = if of == generation { next } else { 1 };
            }
        }
        number
    }

    /// The number that a journal of this generation expects next, without taking hold of it; `None` without the file.
    pub fn peek(path: &Path, generation: u64) -> Option<u64> {
        let number = InboundNumber::of(File::open(path).ok()?, path, generation);
        Some(number.next)
    }

    pub fn next(&self) -> u64 {
        self.next
    }

    pub fn set(&mut self, next: u64) -> Result<(), JournalError> {
        if next == self.next {
            return Ok(());
        }
        self.turn += 1;
        let mut slot = Vec::with_capacity(SLOT_BYTES);
        slot.extend(self.generation.to_le_bytes());
        slot.extend(next.to_le_bytes());
        slot.extend(self.turn.to_le_bytes());
        slot.extend(crc32fast::hash(&slot).to_le_bytes());
        self.file
            .write_all_at(&slot, self.turn % 2 * SLOT_STRIDE)
            .map_err(at(&self.path))?;
        self.next = next;
        Ok(())
    }

    pub fn restart(&mut self, generation: u64) -> Result<(), JournalError> {
        self.generation = generation;
        self.next = 0; // Not a number, so that the next line writes.
        self.set(1)
    }

    fn read(&self, slot: u64) -> Option<(u64, u64, u64)> {
        let mut bytes = [0; SLOT_BYTES];
        self.file
            .read_exact_at(&mut bytes, slot * SLOT_STRIDE)
            .ok()?;
        let crc = crc32fast::hash(&bytes[..24]);
        let mut bytes = &bytes[..];
        let found = (bytes.get_u64_le(), bytes.get_u64_le(), bytes.get_u64_le());
        (bytes.get_u32_le() == crc).then_some(found)
    }
}
