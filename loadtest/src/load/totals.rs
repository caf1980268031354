//! What all viewers of a load test count together.

use std::ops::{AddAssign, Range};

use hdrhistogram::Histogram;

/// Nanoseconds that latencies are told apart by: a minute, to three digits.
const MOST: u64 = 60_000_000_000;
const DIGITS: u8 = 3;

/// Packets, and pictures, that were sent in the measured window, or came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flow {
    /// Packets.
    pub packets: u64,
    /// Whole pictures.
    pub pictures: u64,
}

impl AddAssign for Flow {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.pictures += other.pictures;
    }
}

/// Counts and distributions.
pub struct Totals {
    /// The measured window, in nanoseconds since 1970: what was sent in it counts.
    pub window: Range<u64>,
    /// From sending a picture's last packet to the arrival of all its packets, in nanoseconds.
    pub latency: Histogram<u64>,
    /// The same of the current second, whether measured or not.
    pub latency_now: Histogram<u64>,
    /// From sending a packet of sound to its arrival.
    pub sound_latency: Histogram<u64>,
    /// Datagrams that came from the server.
    pub datagrams: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages that the kernel handed us: datagrams that arrived as one burst count once.
    pub messages: u64,
    /// Packets that a server sent again.
    pub retransmissions: u64,
    /// Packets that bore no mark of ours: padding, or another publisher's.
    pub unmarked: u64,
    /// Packets that weren't RTP, or not authentic.
    pub broken: u64,
    /// RTCP that can't be opened: for who had the port before.
    pub foreign: u64,
    /// Datagrams that we couldn't send.
    pub unsent: u64,
}

impl Totals {
    /// Nothing so far. Fails only if the bounds above made no sense.
    pub fn new() -> Result<Self, hdrhistogram::CreationError> {
        let histogram = || Histogram::new_with_bounds(1, MOST, DIGITS);
        Ok(Self {
            window: 0..0,
            latency: histogram()?,
            latency_now: histogram()?,
            sound_latency: histogram()?,
            datagrams: 0,
            bytes: 0,
            messages: 0,
            retransmissions: 0,
            unmarked: 0,
            broken: 0,
            foreign: 0,
            unsent: 0,
        })
    }

    /// A new window is measured: what was sent in it counts.
    pub fn begin_window(&mut self, window: Range<u64>) {
        self.window = window;
        self.latency.reset();
        self.sound_latency.reset();
    }

    /// A picture was whole at a viewer so many nanoseconds after its last packet had been sent.
    pub fn note_picture(&mut self, late: u64, in_window: bool) {
        self.latency_now.saturating_record(late);
        if in_window {
            self.latency.saturating_record(late);
        }
    }
}
