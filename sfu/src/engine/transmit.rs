//! What a transport has to send, gathered into as few messages as can be.

use crate::{Output, Path};

/// Bytes of a message, at most. Whoever sends it cuts it further where the kernel takes less.
const MAX_MESSAGE: usize = 64 << 10;

/// Datagrams on their way into one message: all but the last are of one length, as [`Output::send`] takes them.
#[derive(Default)]
pub(super) struct Transmit {
    /// Where to; `None` while there is nothing.
    path: Option<Path>,
    datagrams: Vec<u8>,
    segment: usize,
    /// The last one was shorter: nothing may follow it.
    is_full: bool,
    datagram: Vec<u8>,
}

impl Transmit {
    /// Sends all that there is, in order. `next` writes one datagram at a time and says where it goes.
    pub(super) fn send_all(
        &mut self,
        mut next: impl FnMut(&mut Vec<u8>) -> Option<Path>,
        out: &mut dyn Output,
    ) {
        while let Some(path) = next(&mut self.datagram) {
            if !self.takes(path) {
                self.flush(out);
            }
            self.take(path);
        }
        self.flush(out);
    }

    fn takes(&self, path: Path) -> bool {
        self.path == Some(path)
            && !self.is_full
            && self.datagram.len() <= self.segment
            && self.datagrams.len() + self.datagram.len() <= MAX_MESSAGE
    }

    fn take(&mut self, path: Path) {
        if self.path.replace(path).is_none() {
            self.segment = self.datagram.len();
        }
        self.is_full = self.datagram.len() < self.segment;
        self.datagrams.extend_from_slice(&self.datagram);
    }

    fn flush(&mut self, out: &mut dyn Output) {
        if let Some(path) = self.path.take() {
            out.send(path, &self.datagrams, self.segment);
        }
        self.datagrams.clear();
        self.is_full = false;
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use proptest::prelude::*;

    use super::*;
    use crate::{Event, PeerMessage, Protocol, WorkerId};

    /// Messages: where to, and the lengths of their datagrams.
    #[derive(Default)]
    struct Sent {
        messages: Vec<(Path, Vec<usize>)>,
        datagrams: Vec<(Path, Vec<u8>)>,
    }

    impl Output for Sent {
        fn send(&mut self, path: Path, datagrams: &[u8], segment: usize) {
            let each = datagrams.chunks(segment);
            self.messages
                .push((path, each.clone().map(<[u8]>::len).collect()));
            self.datagrams
                .extend(each.map(|datagram| (path, datagram.to_vec())));
        }

        fn peer(&mut self, _: WorkerId, _: PeerMessage) {}

        fn event(&mut self, _: Event) {}
    }

    fn path(port: u16) -> Path {
        Path {
            protocol: Protocol::Udp,
            local: IpAddr::V4(Ipv4Addr::LOCALHOST),
            remote: (Ipv4Addr::LOCALHOST, port).into(),
        }
    }

    fn send(datagrams: &[(Path, Vec<u8>)]) -> Sent {
        let (mut sent, mut rest) = (Sent::default(), datagrams.iter());
        let next = |buffer: &mut Vec<u8>| {
            let (path, datagram) = rest.next()?;
            buffer.clone_from(datagram);
            Some(*path)
        };
        Transmit::default().send_all(next, &mut sent);
        sent
    }

    #[test]
    fn fragments_of_a_message_go_together() {
        let lengths = [1197, 1197, 1197, 300, 90, 90];
        let datagrams = lengths.map(|len| (path(1), vec![7; len]));
        let expected = vec![
            (path(1), vec![1197, 1197, 1197, 300]),
            (path(1), vec![90, 90]),
        ];
        assert_eq!(send(&datagrams).messages, expected);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_changed_or_overtaken(
            given in proptest::collection::vec((1..3u16, prop_oneof![1..1500usize, Just(1197)]), 0..150),
        ) {
            let datagrams: Vec<_> = given.iter().zip(0u8..).map(|((port, len), fill)| (path(*port), vec![fill; *len])).collect();
            let sent = send(&datagrams);
            prop_assert_eq!(sent.datagrams, datagrams);
            prop_assert!(sent.messages.iter().all(|(_, lens)| lens.iter().sum::<usize>() <= MAX_MESSAGE));
        }
    }
}
