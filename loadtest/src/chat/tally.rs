//! What all clients together count.

use std::collections::BTreeMap;
use std::ops::Range;

use hdrhistogram::Histogram;

/// Nanoseconds that a histogram tells apart, to three digits.
const MOST_NS: u64 = 600_000_000_000;
/// Different failures that are told apart.
const MOST_FAILURES: usize = 100;

/// Counts.
#[derive(Debug)]
pub struct Tally {
    /// From a message's being written to its being read, by each client.
    pub latency: Histogram<u64>,
    /// From a message's being written to its author's knowing that it's in the log.
    pub acknowledgement: Histogram<u64>,
    /// In nanoseconds since 1970: frames and bytes count in it.
    pub window: Range<u64>,
    /// Frames of the server.
    pub frames: u64,
    /// Those of them with entries.
    pub log_frames: u64,
    /// Bytes of the frames.
    pub bytes: u64,
    /// Entries that were heard, by all clients, at any time.
    pub delivered: u64,
    /// Frames that aren't of the protocol.
    pub broken: u64,
    /// Connections that were lost after a welcome.
    pub lost: u64,
    /// Errors of the server, by code.
    pub errors: BTreeMap<String, u64>,
    /// Why there was no connection, or no longer.
    pub failures: BTreeMap<String, u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            latency: histogram(),
            acknowledgement: histogram(),
            window: 0..0,
            frames: 0,
            log_frames: 0,
            bytes: 0,
            delivered: 0,
            broken: 0,
            lost: 0,
            errors: BTreeMap::new(),
            failures: BTreeMap::new(),
        }
    }
}

#[expect(clippy::expect_used, reason = "the bounds are constants")]
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, MOST_NS, 3)
        .expect("1 µs to 10 minutes with three digits is a histogram")
}

impl Tally {
    /// A frame came.
    pub fn on_frame(&mut self, now: u64, bytes: usize, has_entries: bool) {
        if self.window.contains(&now) {
            self.frames += 1;
            self.log_frames += u64::from(has_entries);
            self.bytes += bytes as u64;
        }
    }

    /// The server refused something.
    pub fn on_error(&mut self, code: &str) {
        count(&mut self.errors, code);
    }

    /// Something failed.
    pub fn on_failure(&mut self, why: &str) {
        count(&mut self.failures, why);
    }
}

fn count(counts: &mut BTreeMap<String, u64>, what: &str) {
    let is_known = counts.len() < MOST_FAILURES || counts.contains_key(what);
    let what = if is_known { what } else { "other" };
    *counts.entry(what.to_owned()).or_default() += 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_count_within_the_window() {
        let mut tally = Tally {
            window: 10..20,
            ..Tally::default()
        };
        tally.on_frame(9, 100, true);
        tally.on_frame(10, 100, true);
        tally.on_frame(19, 50, false);
        tally.on_frame(20, 100, true);
        assert_eq!((tally.frames, tally.log_frames, tally.bytes), (2, 1, 150));
    }

    #[test]
    fn reasons_are_bounded() {
        let mut tally = Tally::default();
        for number in 0..1_000 {
            tally.on_error(&number.to_string());
            tally.on_error("0");
        }
        assert_eq!(tally.errors.len(), MOST_FAILURES + 1);
        assert_eq!((tally.errors["0"], tally.errors["other"]), (1_001, 900));
    }
}
