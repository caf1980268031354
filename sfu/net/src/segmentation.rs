//! Remembers towards which peers the kernel can't cut a burst into datagrams (UDP GSO).

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    time::{Duration, Instant},
};

/// A route may change, so a refusal is believed for this long.
const BELIEVED_FOR: Duration = Duration::from_mins(1);
/// Peers remembered. When there are more, all are forgotten and learnt anew: each costs one failed system call.
const MAX_REFUSALS: usize = 4_096;

/// Which peers can be sent several datagrams by one message.
pub(crate) struct Segmentation {
    supported: bool,
    refusals: HashMap<IpAddr, Instant>,
}

impl Segmentation {
    pub(crate) fn new(supported: bool) -> Self {
        if !supported {
            tracing::warn!(
                "this kernel has no UDP segmentation offload (Linux 4.18 has): each packet costs a system call"
            );
        }
        Self {
            supported,
            refusals: HashMap::new(),
        }
    }

    /// Whether a message to this peer may hold several datagrams. Reads the clock only for peers that refused.
    pub(crate) fn allowed(&mut self, remote: IpAddr) -> bool {
        if !self.supported {
            return false;
        }
        if self.refusals.is_empty() {
            return true;
        }
        match self.refusals.get(&remote) {
            Some(since) if since.elapsed() < BELIEVED_FOR => false,
            Some(_) => {
                self.refusals.remove(&remote);
                true
            }
            None => true,
        }
    }

    pub(crate) fn refused(&mut self, remote: IpAddr, now: Instant, error: &io::Error) {
        tracing::debug!(%remote, %error, "segmentation refused; sending to this peer datagram by datagram");
        if self.refusals.len() >= MAX_REFUSALS {
            self.refusals.clear();
        }
        self.refusals.insert(remote, now);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn address(n: u32) -> IpAddr {
        std::net::Ipv4Addr::from(n).into()
    }

    #[test]
    fn a_refusal_concerns_one_peer_and_passes() {
        let mut segmentation = Segmentation::new(true);
        let now = Instant::now();
        let error = io::Error::from_raw_os_error(22);
        segmentation.refused(address(1), now, &error);
        assert!(!segmentation.allowed(address(1)));
        assert!(segmentation.allowed(address(2)));
        let long_ago = now.checked_sub(BELIEVED_FOR).unwrap();
        segmentation.refused(address(1), long_ago, &error);
        assert!(segmentation.allowed(address(1)));
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut segmentation = Segmentation::new(true);
        for n in 0..2 * MAX_REFUSALS as u32 {
            segmentation.refused(address(n), Instant::now(), &io::Error::from_raw_os_error(5));
        }
        assert!(segmentation.refusals.len() <= MAX_REFUSALS);
    }
}
