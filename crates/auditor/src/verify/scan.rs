//! The lines of `entries.jsonl`, read and hashed on every core, handed over in order.

use super::chain::Link;
use super::fields::Fields;
use super::line;
use super::report::{VerifyError, at};
use crate::tlog::{Hash, leaf_hash};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Bytes that one worker takes at a time; a longer line makes a longer block.
const BLOCK_BYTES: usize = 1 << 20;
/// Blocks read ahead for each worker: enough that none waits for the disk, few enough that memory stays small.
const BLOCKS_AHEAD: usize = 2;

/// One line: what it claims, and what its entry hashes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scanned {
    pub(crate) index: u64,
    pub(crate) position: u64,
    pub(crate) leaf: Hash,
    /// Not there when the entry's layout is unknown.
    pub(crate) link: Option<Link>,
    pub(crate) proof: Option<String>,
}

/// Hands each line to `each`, in order and with its number from 0: `None` when it is not as it should be written. Ends early when
/// `each` says so by `false`. Gives the file's length and SHA-256, which mean nothing after an early end.
pub(crate) fn lines(
    path: &Path,
    mut each: impl FnMut(usize, Option<Scanned>) -> bool,
) -> Result<(u64, Hash), VerifyError> {
    let mut file = File::open(path).map_err(at(path))?;
    let length = file.metadata().map_err(at(path))?.len();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    // A small file is not worth a second thread.
    let workers = cores.min(length as usize / BLOCK_BYTES + 1);
    let (to_work, work) = sync_channel::<(usize, Vec<u8>)>(workers * BLOCKS_AHEAD);
    let work = Mutex::new(work);
    let (to_done, done) = sync_channel::<(usize, Vec<Option<Scanned>>)>(workers * BLOCKS_AHEAD);
    thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut sum = Sha256::new();
            let mut bytes = 0;
            let mut rest = Vec::new();
            for number in 0.. {
                let block = next_block(&mut file, &mut rest)?;
                bytes += block.len() as u64;
                sum.update(&block);
                // Nobody takes it when the lines so far were enough.
                if block.is_empty() || to_work.send((number, block)).is_err() {
                    break;
                }
            }
            Ok((bytes, sum.finalize().into()))
        });
        let work = &work;
        for _ in 0..workers {
            let to_done = to_done.clone();
            scope.spawn(move || {
                loop {
                    let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((number, block)) = next else { break };
                    if to_done.send((number, scan(&block))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(to_done);
        let mut waiting = BTreeMap::new();
        let (mut block, mut at_line) = (0, 0);
        'blocks: for (number, lines) in &done {
            waiting.insert(number, lines);
            while let Some(lines) = waiting.remove(&block) {
                block += 1;
                for line in lines {
                    if !each(at_line, line) {
                        break 'blocks;
                    }
                    at_line += 1;
                }
            }
        }
        // Ends the workers, and they the reader.
        drop(done);
        drain(work);
        reader
            .join()
            .expect("reading does not panic")
            .map_err(at(path))
    })
}

/// Takes what the reader still hands out, until it has ended.
fn drain(work: &Mutex<std::sync::mpsc::Receiver<(usize, Vec<u8>)>>) {
    let work = work.lock().unwrap_or_else(PoisonError::into_inner);
    while work.recv().is_ok() {}
}

/// The next whole lines; the last block may end without a newline. Empty at the file's end.
fn next_block(file: &mut File, rest: &mut Vec<u8>) -> std::io::Result<Vec<u8>> {
    let mut block = std::mem::take(rest);
    loop {
        let read = file
            .by_ref()
            .take(BLOCK_BYTES as u64)
            .read_to_end(&mut block)?;
        let end = block.iter().rposition(|byte| *byte == b'\n');
        if read == 0 {
            return Ok(block);
        }
        if let Some(end) = end {
            *rest = block.split_off(end + 1);
            return Ok(block);
        }
    }
}

fn scan(block: &[u8]) -> Vec<Option<Scanned>> {
    let mut entry = Vec::new();
    let lines = block.split_inclusive(|byte| *byte == b'\n');
    lines.map(|line| scan_line(line, &mut entry)).collect()
}

/// A line without its newline was cut off.
fn scan_line(line: &[u8], entry: &mut Vec<u8>) -> Option<Scanned> {
    let claimed = line::read(line.strip_suffix(b"\n")?, entry)?;
    Some(Scanned {
        index: claimed.index,
        position: claimed.position,
        leaf: leaf_hash(entry),
        link: Fields::of(entry).as_ref().map(Link::of),
        proof: claimed.proof,
    })
}
