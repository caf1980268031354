//! What waits while the kernel's send buffer is full.

use std::collections::VecDeque;

use spillway_sfu::Path;

/// Bytes that may wait per socket: about 4 ms of a 10 Gbit/s link. More waiting would only be more delay.
const MAX_BYTES: usize = 4 << 20;

/// Datagrams to one peer.
pub(crate) struct Burst {
    pub(crate) path: Path,
    pub(crate) datagrams: Vec<u8>,
    pub(crate) segment: usize,
}

/// Bursts in the order in which they were sent. At the bound new ones are refused: media that comes later than what
/// is already late helps nobody, and the order stays.
#[derive(Default)]
pub(crate) struct BlockedQueue {
    bursts: VecDeque<Burst>,
    bytes: usize,
}

impl BlockedQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.bursts.is_empty()
    }

    /// False if the queue is full.
    pub(crate) fn push(&mut self, path: Path, datagrams: &[u8], segment: usize) -> bool {
        if self.bytes + datagrams.len() > MAX_BYTES {
            return false;
        }
        self.bytes += datagrams.len();
        self.bursts.push_back(Burst {
            path,
            datagrams: datagrams.to_vec(),
            segment,
        });
        true
    }

    pub(crate) fn pop(&mut self) -> Option<Burst> {
        let burst = self.bursts.pop_front()?;
        self.bytes -= burst.datagrams.len();
        Some(burst)
    }

    /// Returns the rest of a burst that was popped to the front.
    pub(crate) fn put_back(&mut self, burst: Burst) {
        self.bytes += burst.datagrams.len();
        self.bursts.push_front(burst);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use spillway_sfu::Protocol;

    use super::*;

    #[test]
    fn a_full_queue_refuses_the_newest_and_keeps_the_order() {
        let path = Path {
            protocol: Protocol::Udp,
            local: [127, 0, 0, 1].into(),
            remote: ([127, 0, 0, 1], 9).into(),
        };
        let mut queue = BlockedQueue::default();
        let mut pushed = 0u8;
        while queue.push(path, &vec![pushed; 100_000], 1_000) {
            pushed += 1;
        }
        assert_eq!(usize::from(pushed), MAX_BYTES / 100_000);
        let mut first = queue.pop().unwrap();
        assert_eq!(first.datagrams[0], 0);
        first.datagrams.drain(..50_000);
        queue.put_back(first);
        assert!(queue.push(path, &vec![9; 50_000], 1_000));
        assert!(!queue.push(path, &vec![9; 100_000], 1_000));
        for expected in 0..pushed {
            assert_eq!(queue.pop().unwrap().datagrams[0], expected);
        }
        assert_eq!(queue.pop().unwrap().datagrams.len(), 50_000);
        assert!(queue.is_empty());
    }
}
