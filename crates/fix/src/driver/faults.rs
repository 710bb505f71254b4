//! Where a process can die between two durable steps, for the tests of the crash matrix. Without the feature `faults` nothing can stop
//! at any of them.

/// A moment between two steps that a crash may fall between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Messages are numbered, and their records are not in the journal.
    BeforeJournal,
    /// They are in the journal, and no byte has gone to the socket.
    AfterJournal,
    /// They are on the wire, and the application does not know it.
    AfterSocketWrite,
    /// What came is read, and the application not told.
    BeforeReceive,
    /// The application knows what came means, and it is not in its log.
    BeforeAppend,
    /// It is in the application's log, which has not said so yet.
    AfterAppend,
    /// The application has said so, and the inbound number is the old one.
    BeforeInboundAdvance,
}

#[cfg(not(feature = "faults"))]
pub use off::at;
#[cfg(feature = "faults")]
pub use on::{Faults, at};

#[cfg(not(feature = "faults"))]
mod off {
    use super::Point;

    /// Goes on: there are no faults in this build.
    #[allow(clippy::unused_async, reason = "with the feature it may wait for ever")]
    pub async fn at(_: Point) {}
}

#[cfg(feature = "faults")]
mod on {
    use super::Point;
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
    use tokio::sync::watch;

    tokio::task_local! {
        static FAULTS: Faults;
    }

    /// What a test holds of a life that is to stop at a point.
    #[derive(Clone, Debug)]
    pub struct Faults {
        armed: Arc<Mutex<Option<Point>>>,
        last: Arc<Mutex<Option<Point>>>,
        reached: Arc<watch::Sender<bool>>,
    }

    impl Default for Faults {
        fn default() -> Faults {
            Faults {
                armed: Arc::default(),
                last: Arc::default(),
                reached: Arc::new(watch::Sender::new(false)),
            }
        }
    }

    impl Faults {
        /// The task that runs `life` stands still for ever when it next comes to the point.
        pub fn arm(&self, point: Point) {
            *lock(&self.armed) = Some(point);
        }

        /// Whether nothing that came is being taken in just now.
        pub fn is_between_messages(&self) -> bool {
            match *lock(&self.last) {
                Some(Point::BeforeReceive | Point::BeforeAppend | Point::AfterAppend) => false,
                Some(
                    Point::BeforeJournal
                    | Point::AfterJournal
                    | Point::AfterSocketWrite
                    | Point::BeforeInboundAdvance,
                )
                | None => true,
            }
        }

        /// Waits until it stands there.
        pub async fn reached(&self) {
            // The sender is ours, so it can't be gone.
            let _ = self.reached.subscribe().wait_for(|reached| *reached).await;
        }

        /// Runs a life that can be stopped.
        pub async fn within<F: Future>(&self, life: F) -> F::Output {
            FAULTS.scope(self.clone(), life).await
        }

        fn take(&self, point: Point) -> bool {
            *lock(&self.last) = Some(point);
            let mut armed = lock(&self.armed);
            let hit = *armed == Some(point);
            if hit {
                *armed = None;
                self.reached.send_replace(true);
            }
            hit
        }
    }

    fn lock(point: &Mutex<Option<Point>>) -> MutexGuard<'_, Option<Point>> {
        point.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on, or stands still for ever where a test wants it.
    pub async fn at(point: Point) {
        if FAULTS
            .try_with(|faults| faults.take(point))
            .unwrap_or(false)
        {
            std::future::pending::<()>().await;
        }
    }
}
