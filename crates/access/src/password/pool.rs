//! Where passwords are hashed: on threads of their own, behind a queue with a limit.
//!
//! 1. At most [`Hashing::workers`] hashes are under way, so their memory is bounded, and at most so many more wait.
//! 2. Who finds the queue full is told so at once, before anything was done: [`Busy`].
//! 3. One address takes at most a quarter of the places: a guesser can't keep everybody else out.
//! 4. What nobody waits for any more is not hashed.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Log-ins that wait for a thread: ten seconds of one thread. Who comes then is better told to come again.
pub const WAITING_MAX: usize = 64;
/// One in so many places is the most that one address takes.
const ADDRESS_SHARE: usize = 4;
/// A storm of log-ins must not take the processors from the orders: half of them, and never more than this.
const WORKERS_MAX: usize = 8;

type Job = Box<dyn FnOnce() + Send>;

/// As many wait as may, so that nothing was begun; the same again is worth a try in some seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("too many log in at once")]
pub struct Busy;

/// Cheap to clone. The threads end with the last of it.
#[derive(Clone)]
pub struct Hashing {
    queue: Sender<Job>,
    places: Arc<Semaphore>,
    per_address: usize,
    taken: Arc<Mutex<HashMap<String, usize>>>,
    workers: usize,
}

/// The right to have something hashed; held until that is done.
#[derive(Clone)]
pub struct Place {
    queue: Sender<Job>,
    held: Arc<Held>,
}

struct Held {
    _permit: OwnedSemaphorePermit,
    taken: Arc<Mutex<HashMap<String, usize>>>,
    address: String,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().expect("nothing panics while counting");
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

impl Hashing {
    /// As many threads as half the processors.
    pub fn start() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self::with_limits((processors / 2).clamp(1, WORKERS_MAX), WAITING_MAX)
    }

    pub fn with_limits(workers: usize, waiting: usize) -> Self {
        let (queue, jobs) = channel::<Job>();
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..workers {
            let jobs = Arc::clone(&jobs);
            let thread = thread::Builder::new().name(format!("password-{number}"));
            let spawned = thread.spawn(move || work(&jobs));
            spawned.expect("the system has a thread for a new pool");
        }
        let places = workers + waiting;
        Hashing {
            queue,
            places: Arc::new(Semaphore::new(places)),
            per_address: places.div_ceil(ADDRESS_SHARE),
            taken: Arc::default(),
            workers,
        }
    }

    pub const fn workers(&self) -> usize {
        self.workers
    }

    /// A place in the queue, for somebody who comes from `address`.
    ///
    /// # Errors
    /// [`Busy`].
    pub fn place(&self, address: &str) -> Result<Place, Busy> {
        let permit = Arc::clone(&self.places).try_acquire_owned();
        let permit = permit.map_err(|_| Busy)?;
        let mut taken = self.taken.lock().expect("nothing panics while counting");
        let count = taken.entry(address.to_owned()).or_default();
        if *count >= self.per_address {
            return Err(Busy);
        }
        *count += 1;
        Ok(Place {
            queue: self.queue.clone(),
            held: Arc::new(Held {
                _permit: permit,
                taken: Arc::clone(&self.taken),
                address: address.to_owned(),
            }),
        })
    }
}

impl Place {
    /// Does `work` on one of the pool's threads.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (answer, answered) = oneshot::channel();
        // The place is held until the work is done, also when whoever asked goes away meanwhile.
        let held = Arc::clone(&self.held);
        let job = move || {
            if !answer.is_closed() {
                answer.send(work()).ok();
            }
            drop(held);
        };
        self.queue
            .send(Box::new(job))
            .expect("the pool's threads live as long as a sender");
        answered.await.expect("a job that is waited for is done")
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().expect("nothing panics while taking").recv();
        let Ok(job) = job else { return };
        job();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_finds_it_full_is_told_at_once_and_no_address_takes_it_all() {
        let hashing = Hashing::with_limits(1, 7);
        let mut held = Vec::new();
        for address in ["a", "b", "c", "d"] {
            held.push(hashing.place(address).unwrap());
            held.push(hashing.place(address).unwrap());
            assert_eq!(hashing.place(address).err(), Some(Busy), "{address}");
        }
        assert_eq!(hashing.place("e").err(), Some(Busy));
        held.truncate(7);
        let last = hashing.place("e").unwrap();
        assert_eq!(last.run(|| 7).await, 7);
        drop((held, last));
        assert!(hashing.taken.lock().unwrap().is_empty());
        assert_eq!(hashing.places.available_permits(), 8);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_hashed() {
        let hashing = Hashing::with_limits(1, 7);
        let (begun, has_begun) = oneshot::channel();
        let (go_on, waits) = std::sync::mpsc::channel::<()>();
        let place = hashing.place("a").unwrap();
        let first = tokio::spawn(async move {
            let job = move || {
                begun.send(()).unwrap();
                waits.recv().unwrap();
            };
            place.run(job).await;
        });
        has_begun.await.unwrap();
        let (done, was_done) = std::sync::mpsc::channel::<()>();
        let place = hashing.place("b").unwrap();
        let second = tokio::spawn(async move { place.run(move || done.send(())).await });
        // It stands in the queue before its task is aborted: the place is held by two then.
        while hashing.places.available_permits() != 6 {
            tokio::task::yield_now().await;
        }
        second.abort();
        second.await.unwrap_err();
        go_on.send(()).unwrap();
        first.await.unwrap();
        assert!(was_done.recv().is_err(), "its job was thrown away");
    }
}
