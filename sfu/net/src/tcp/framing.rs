//! RFC 4571 framing: each datagram on a stream has its length before it, 16 bits in network order.

use std::io::{self, Write};

/// The longest frame that is believed. ICE, DTLS and media all stay below a UDP datagram of 1500 bytes; a longer one
/// means that the peer speaks something else.
pub(crate) const MAX_FRAME: usize = 8_192;
/// The length in front of a frame.
pub(crate) const LENGTH: usize = 2;

/// The frame is longer than [`MAX_FRAME`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

/// The length of the first frame in `bytes` (RFC 4571 §2), once it is there in full. Empty frames are legal.
pub(crate) fn first_frame(bytes: &[u8]) -> Result<Option<usize>, TooLong> {
    let Some((&length, rest)) = bytes.split_first_chunk::<LENGTH>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes(length));
    if length > MAX_FRAME {
        return Err(TooLong);
    }
    Ok((rest.len() >= length).then_some(length))
}

/// Frames on their way into a stream, bounded.
pub(crate) struct FrameQueue {
    bytes: Vec<u8>,
    written: usize,
    limit: usize,
}

impl FrameQueue {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            written: 0,
            limit,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Appends a frame. False if it is too long or doesn't fit any more: then nothing of it is queued.
    pub(crate) fn push(&mut self, datagram: &[u8]) -> bool {
        let Ok(length) = u16::try_from(datagram.len()) else {
            return false;
        };
        if self.bytes.len() - self.written + LENGTH + datagram.len() > self.limit {
            return false;
        }
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(datagram);
        true
    }

    /// Writes until everything is written or the stream takes no more. Returns whether any byte went.
    pub(crate) fn write_to(&mut self, stream: &mut impl Write) -> io::Result<bool> {
        let mut progress = false;
        while self.written < self.bytes.len() {
            match stream.write(&self.bytes[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.written += count;
                    progress = true;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        // What is written leaves the queue when it is all of it, or most of it, so that moving bytes stays rare.
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
        } else if self.written > self.limit / 2 {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
        Ok(progress)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Takes `room` bytes, then blocks.
    struct Narrow {
        taken: Vec<u8>,
        room: usize,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.room -= count;
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_frame_is_seen_only_in_full() {
        let stream = [0, 3, b'a', b'b', b'c', 0, 0];
        for cut in 0..5 {
            assert_eq!(first_frame(&stream[..cut]), Ok(None));
        }
        assert_eq!(first_frame(&stream[..5]), Ok(Some(3)));
        assert_eq!(first_frame(&stream[5..]), Ok(Some(0)));
    }

    #[test]
    fn a_frame_of_absurd_length_is_refused_at_its_length() {
        let length = (MAX_FRAME as u16 + 1).to_be_bytes();
        assert_eq!(first_frame(&length), Err(TooLong));
        assert_eq!(first_frame(b"GET / HTTP/1.1"), Err(TooLong));
    }

    #[test]
    fn the_queue_is_bounded_and_never_cuts_a_frame() {
        let mut queue = FrameQueue::new(10);
        assert!(queue.push(b"abc"));
        assert!(!queue.push(b"defg"));
        assert!(queue.push(b"def"));
        let mut stream = Narrow {
            taken: Vec::new(),
            room: 7,
        };
        assert!(queue.write_to(&mut stream).unwrap());
        assert!(queue.push(b"ghijk"));
        stream.room = 100;
        assert!(queue.write_to(&mut stream).unwrap());
        assert!(queue.is_empty());
        assert_eq!(stream.taken, b"\0\x03abc\0\x03def\0\x05ghijk");
        assert!(!queue.write_to(&mut stream).unwrap());
    }
}
