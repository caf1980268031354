//! Receivers on loopback, emptied by a thread of their own.

use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use super::LOOPBACK;
use crate::load::socket::{Batch, Socket};

/// How often the thread looks.
const TICK: Duration = Duration::from_millis(1);
/// What hasn't arrived by then was dropped.
const PATIENCE: Duration = Duration::from_millis(200);

#[derive(Default)]
struct Shared {
    received: AtomicU64,
    stop: AtomicBool,
}

pub(super) struct Sink {
    addresses: Vec<SocketAddrV4>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Sink {
    /// `joined` says whether bursts are taken whole; the thread that takes them runs on `cores`.
    pub(super) fn new(count: usize, joined: bool, cores: CpuSet) -> io::Result<Self> {
        let sockets: Vec<Socket> = (0..count)
            .map(|_| Socket::bind(LOOPBACK, joined))
            .collect::<io::Result<_>>()?;
        let addresses = sockets
            .iter()
            .filter_map(|socket| match socket.address() {
                Ok(SocketAddr::V4(address)) => Some(Ok(address)),
                Ok(SocketAddr::V6(_)) => None,
                Err(error) => Some(Err(error)),
            })
            .collect::<io::Result<_>>()?;
        let shared = Arc::new(Shared::default());
        let thread = {
            let shared = shared.clone();
            thread::spawn(move || {
                // On the sender's core it would only be slower to drain.
                let _ = sched_setaffinity(Pid::from_raw(0), &cores);
                drain(&sockets, &shared);
            })
        };
        Ok(Self {
            addresses,
            shared,
            thread: Some(thread),
        })
    }

    pub(super) fn addresses(&self) -> &[SocketAddrV4] {
        &self.addresses
    }

    /// Waits until so many datagrams have been received, so that no receive buffer overflows: dropping is cheaper than
    /// delivering.
    pub(super) fn wait_for(&self, sent: u64) {
        let start = Instant::now();
        while self.shared.received.load(Ordering::Acquire) < sent && start.elapsed() < PATIENCE {
            thread::sleep(TICK);
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // It only ends; there is nothing to learn from it.
            let _ = thread.join();
        }
    }
}

fn drain(sockets: &[Socket], shared: &Shared) {
    let mut batch = Batch::default();
    while !shared.stop.load(Ordering::Acquire) {
        let mut received = 0;
        for socket in sockets {
            // A socket that can't be read is one whose datagrams are missed, which the sender sees.
            let _ = socket.receive(&mut batch, |burst| received += burst.datagrams().count());
        }
        shared.received.fetch_add(received as u64, Ordering::AcqRel);
        if received == 0 {
            thread::sleep(TICK);
        }
    }
}
