//! The wire between gateway and venue, which can be cut, go deaf, and break in the middle of a message.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Debug, Default)]
struct Faults {
    /// The venue; `None`: connections are closed as soon as they are made.
    to: Option<SocketAddr>,
    /// Bytes that still pass before the connection is cut, towards the venue and back.
    cut_after: [Option<usize>; 2],
    /// Bytes that vanish on the way, towards the venue and back.
    swallow: [bool; 2],
    swallowed: [usize; 2],
    dials: usize,
}

/// Its address stays the same as venues come and go.
pub struct Line {
    pub address: SocketAddr,
    faults: Arc<Mutex<Faults>>,
    cuts: watch::Sender<u64>,
}

pub const TO_VENUE: usize = 0;
pub const TO_GATEWAY: usize = 1;

impl Line {
    pub async fn new() -> Line {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let faults = Arc::<Mutex<Faults>>::default();
        let (cuts, cut) = watch::channel(0);
        let shared = Arc::clone(&faults);
        tokio::spawn(async move {
            while let Ok((gateway, _)) = listener.accept().await {
                let to = {
                    let mut faults = shared.lock().unwrap();
                    faults.dials += 1;
                    faults.to
                };
                let Some(to) = to else { continue };
                let Ok(venue) = TcpStream::connect(to).await else {
                    continue;
                };
                gateway.set_nodelay(true).unwrap();
                venue.set_nodelay(true).unwrap();
                tokio::spawn(carry(gateway, venue, Arc::clone(&shared), cut.clone()));
            }
        });
        Line {
            address,
            faults,
            cuts,
        }
    }

    fn faults(&self) -> std::sync::MutexGuard<'_, Faults> {
        self.faults.lock().unwrap()
    }

    /// Leads to a venue, or nowhere.
    pub fn lead_to(&self, to: Option<SocketAddr>) {
        self.faults().to = to;
    }

    /// Connections made so far.
    pub fn dials(&self) -> usize {
        self.faults().dials
    }

    pub fn swallow(&self, direction: usize, swallow: bool) {
        self.faults().swallow[direction] = swallow;
    }

    pub fn swallowed(&self, direction: usize) -> usize {
        self.faults().swallowed[direction]
    }

    /// Breaks the connection when so many more bytes have passed.
    pub fn cut_after(&self, direction: usize, bytes: usize) {
        self.faults().cut_after[direction] = Some(bytes);
    }

    /// Breaks the connection now.
    pub fn cut(&self) {
        self.cuts.send_modify(|cut| *cut += 1);
    }
}

async fn carry(
    mut gateway: TcpStream,
    mut venue: TcpStream,
    faults: Arc<Mutex<Faults>>,
    mut cut: watch::Receiver<u64>,
) {
    cut.mark_unchanged();
    let (mut there, mut back) = ([0; 4096], [0; 4096]);
    loop {
        let (direction, read, bytes, out) = tokio::select! {
            _ = cut.changed() => return,
            read = gateway.read(&mut there) => (TO_VENUE, read, &there, &mut venue),
            read = venue.read(&mut back) => (TO_GATEWAY, read, &back, &mut gateway),
        };
        let Ok(read @ 1..) = read else { return };
        let (pass, broken) = faults.lock().unwrap().pass(direction, read);
        if out.write_all(&bytes[..pass]).await.is_err() || broken {
            return;
        }
    }
}

impl Faults {
    /// How many of these bytes pass, and whether the connection breaks behind them.
    fn pass(&mut self, direction: usize, bytes: usize) -> (usize, bool) {
        if self.swallow[direction] {
            self.swallowed[direction] += bytes;
            return (0, false);
        }
        match &mut self.cut_after[direction] {
            Some(left) if *left <= bytes => {
                let pass = *left;
                self.cut_after[direction] = None;
                (pass, true)
            }
            Some(left) => {
                *left -= bytes;
                (bytes, false)
            }
            None => (bytes, false),
        }
    }
}
