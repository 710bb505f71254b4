//! Where each leaf stands in the log: its position, 8 bytes big-endian each, by leaf index.
//!
//! Positions are the adapter's and may have gaps. The map is made of the log and can be made again of it; it is durable up to a checkpoint's
//! size before that checkpoint is signed.

use squareoff_store::Position;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

const FILE: &str = "positions";
const BYTES: u64 = 8;

/// The map as the sealer writes it.
#[derive(Debug)]
pub struct PositionsLog {
    file: File,
    size: u64,
}

impl PositionsLog {
    /// Opens the map and makes it what `positions` says: nothing is written when it says so already. Behind them nothing is left.
    ///
    /// # Errors
    /// The file system's.
    pub fn open(folder: &Path, positions: &[u64]) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(folder.join(FILE))?;
        let bytes: Vec<u8> = positions.iter().flat_map(|at| at.to_be_bytes()).collect();
        let length = file.metadata()?.len();
        let mut found = vec![
            0;
            bytes
                .len()
                .min(usize::try_from(length).unwrap_or(usize::MAX))
        ];
        file.read_exact_at(&mut found, 0)?;
        if found != bytes {
            file.write_all_at(&bytes, 0)?;
        }
        file.set_len(bytes.len() as u64)?;
        file.sync_all()?;
        Ok(PositionsLog {
            file,
            size: positions.len() as u64,
        })
    }

    /// Appends and makes durable.
    ///
    /// # Errors
    /// The file system's; the same call may be made again.
    pub fn append(&mut self, positions: impl Iterator<Item = Position>) -> io::Result<()> {
        let bytes: Vec<u8> = positions.flat_map(|at| at.as_u64().to_be_bytes()).collect();
        self.file.write_all_at(&bytes, self.size * BYTES)?;
        self.file.sync_data()?;
        self.size += bytes.len() as u64 / BYTES;
        Ok(())
    }
}

/// The map as others read it while it grows.
#[derive(Debug)]
pub struct Positions {
    file: File,
    /// Leaves whose position is known, at the time of opening.
    size: u64,
}

impl Positions {
    /// # Errors
    /// The file system's: `NotFound` when nothing was ever sealed here.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let file = File::open(folder.join(FILE))?;
        let size = file.metadata()?.len() / BYTES;
        Ok(Positions { file, size })
    }

    /// The position of a leaf, if the map goes so far.
    ///
    /// # Errors
    /// The file system's.
    pub fn at(&self, index: u64) -> io::Result<Option<Position>> {
        if index >= self.size {
            return Ok(None);
        }
        let mut bytes = [0; BYTES as usize];
        self.file.read_exact_at(&mut bytes, index * BYTES)?;
        Ok(Some(Position::from_u64(u64::from_be_bytes(bytes))))
    }

    /// The leaf index of the event at a position.
    ///
    /// # Errors
    /// The file system's.
    pub fn index_of(&self, position: Position) -> io::Result<Option<u64>> {
        let (mut low, mut high) = (0, self.size);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.at(middle)? {
                Some(found) if found == position => return Ok(Some(middle)),
                Some(found) if found < position => low = middle + 1,
                Some(_) | None => high = middle,
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_is_found_by_its_position_and_what_a_crash_left_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Positions::open(folder.path()).is_err());
        let mut log = PositionsLog::open(folder.path(), &[]).unwrap();
        let at = |number| Position::from_u64(number);
        log.append([3, 17, 18].into_iter().map(at)).unwrap();
        log.append([900].into_iter().map(at)).unwrap();
        let map = Positions::open(folder.path()).unwrap();
        for (index, position) in [3, 17, 18, 900].into_iter().enumerate() {
            assert_eq!(map.index_of(at(position)).unwrap(), Some(index as u64));
            assert_eq!(map.at(index as u64).unwrap(), Some(at(position)));
        }
        for nowhere in [0, 4, 19, 901] {
            assert_eq!(map.index_of(at(nowhere)).unwrap(), None);
        }
        assert_eq!(map.at(4).unwrap(), None);
        // Torn in the middle of a number, and wrong in another.
        drop(PositionsLog::open(folder.path(), &[3, 16]).unwrap());
        let file = OpenOptions::new()
            .write(true)
            .open(folder.path().join(FILE))
            .unwrap();
        file.set_len(13).unwrap();
        let mut log = PositionsLog::open(folder.path(), &[3, 17]).unwrap();
        log.append([20].into_iter().map(at)).unwrap();
        let map = Positions::open(folder.path()).unwrap();
        assert_eq!(map.index_of(at(17)).unwrap(), Some(1));
        assert_eq!(map.at(2).unwrap(), Some(at(20)));
    }
}
