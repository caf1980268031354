//! A session's way out: datagrams that leave together leave as one message.
//!
//! The kernel's price is by the message, however many segments of one size it has, and the last of them may be shorter. So
//! packets of sound go behind those of the picture that they arrived with, for nothing.

use std::time::Instant;

use crate::{Output, Path, srtp::Sealer};

/// Bytes of one segmented message at most: below the 65,507 of the largest datagram.
pub(super) const MESSAGE_BYTES: usize = 64_000;
/// Segments of one message at most: `UDP_MAX_SEGMENTS` of Linux before 6.9.
const MESSAGE_SEGMENTS: usize = super::BATCH;

/// What writing needs beside the track.
pub(crate) struct Wire<'a> {
    pub(crate) now: Instant,
    pub(crate) sealer: &'a Sealer,
    /// This moment as abs-send-time.
    pub(crate) send_time: [u8; 3],
    pub(crate) sent: Sent,
    path: Path,
    /// Room for a message and one more, reused.
    scratch: &'a mut [u8],
    out: &'a mut dyn Output,
    /// The message that waits for more: where it begins and ends in `scratch`, and the size of its segments.
    open: (usize, usize, usize),
}

/// What was handed to [`Output`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

impl<'a> Wire<'a> {
    /// Bytes of `scratch`: a message, and room to write the next behind it.
    pub(crate) const SCRATCH: usize = 2 * MESSAGE_BYTES;

    pub(crate) fn new(
        now: Instant,
        send_time: [u8; 3],
        (sealer, path): (&'a Sealer, Path),
        scratch: &'a mut [u8],
        out: &'a mut dyn Output,
    ) -> Self {
        Self {
            now,
            sealer,
            send_time,
            sent: Sent::default(),
            path,
            scratch,
            out,
            open: (0, 0, 0),
        }
    }

    /// Where to write datagrams of `len` bytes together; [`Self::push`] sends them.
    pub(crate) fn room(&mut self, len: usize) -> &mut [u8] {
        if self.scratch.len() - self.open.1 < len {
            self.flush();
        }
        &mut self.scratch[self.open.1..]
    }

    /// Datagrams were written into the room: of `segment` bytes each, but for the last, which may be shorter.
    pub(crate) fn push(&mut self, written: usize, segment: usize) {
        if written == 0 {
            return;
        }
        self.sent.packets += written.div_ceil(segment) as u64;
        self.sent.bytes += written as u64;
        let (start, end, size) = self.open;
        let whole = end > start && (end - start) % size == 0;
        // Behind whole segments may come more of them, or one that is shorter.
        let fits = segment == size || (written <= segment && segment <= size);
        let bytes = end + written - start;
        if whole && fits && bytes <= MESSAGE_BYTES && bytes.div_ceil(size) <= MESSAGE_SEGMENTS {
            self.open.1 += written;
            return;
        }
        self.send_open();
        self.open = (end, end + written, segment);
    }

    /// Sends what waits. To be called at the end.
    pub(crate) fn flush(&mut self) {
        self.send_open();
        self.open = (0, 0, 0);
    }

    fn send_open(&mut self) {
        let (start, end, segment) = self.open;
        if end > start {
            self.out.send(self.path, &self.scratch[start..end], segment);
        }
    }
}
