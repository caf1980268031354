//! One step of a load test: so many viewers, measured for one window.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::server::Sample;
use super::totals::{Flow, Totals};

/// What came from the server so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Datagrams.
    pub datagrams: u64,
    /// Bursts that the kernel handed over as one.
    pub messages: u64,
    /// Bytes of the datagrams.
    pub bytes: u64,
}

impl Counts {
    fn since(self, before: Self) -> Self {
        Self {
            datagrams: self.datagrams - before.datagrams,
            messages: self.messages - before.messages,
            bytes: self.bytes - before.bytes,
        }
    }
}

/// A distribution, in milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Spread {
    /// How many values.
    pub count: u64,
    /// Half are less.
    pub median: f64,
    /// 95 of 100 are less.
    pub p95: f64,
    /// 99 of 100 are less.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    pub(crate) fn of_histogram(histogram: &Histogram<u64>) -> Self {
        let at = |share| histogram.value_at_quantile(share) as f64 / 1e6;
        Self {
            count: histogram.len(),
            median: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            max: histogram.max() as f64 / 1e6,
        }
    }

    pub(super) fn of_values(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| {
            let index = (sorted.len() as f64 * share).ceil() as usize;
            sorted.get(index.saturating_sub(1)).copied().unwrap_or(0.0)
        };
        Self {
            count: sorted.len() as u64,
            median: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            max: at(1.0),
        }
    }

    /// For people to read.
    pub fn to_text(self) -> String {
        if self.count == 0 {
            return "-".to_owned();
        }
        format!(
            "{:.1} median, {:.1} p95, {:.1} p99, {:.1} max",
            self.median, self.p95, self.p99, self.max
        )
    }
}

/// What the server's process cost.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Cost {
    /// Cores in use, all threads together.
    pub cores: f64,
    /// Nanoseconds of CPU for each datagram that arrived at us.
    pub ns_per_datagram: f64,
    /// Context switches a second, given and taken.
    pub switches_per_second: f64,
    /// Bytes in memory at the window's end.
    pub resident: u64,
    /// Bytes that each viewer added to what the server took with publishers alone.
    pub bytes_per_viewer: f64,
    /// Open files at the window's end.
    pub descriptors: u64,
}

/// What is gathered of one measured window.
#[derive(Debug, Default)]
pub struct Window {
    /// How long it was.
    pub measured: Duration,
    /// What had come when it began.
    pub counts_at_start: Counts,
    /// And when it ended.
    pub counts_at_end: Counts,
    /// The server when it began.
    pub at_start: Option<Sample>,
    /// And when it ended.
    pub at_end: Option<Sample>,
    /// Sessions that failed in the step, joining included.
    pub failed: u64,
    /// Viewers who were connected at the end.
    pub watching: u64,
    /// Those of them with an open data channel.
    pub data_channels: u64,
    /// The channels of viewers who weren't there when it began: the server had refused them, or lost them.
    pub absent: Vec<usize>,
    /// What was sent, times the viewers who were there or should have been; none if that isn't known.
    pub expected: Option<Flow>,
    /// What of it arrived.
    pub arrived: Flow,
    /// Milliseconds of each viewer's longest time without a new picture.
    pub longest_gaps: Vec<f64>,
}

impl Window {
    /// A viewer's longest time without a new picture, in nanoseconds; 0 if it wasn't there.
    pub fn note_gap(&mut self, gap: u64) {
        if gap > 0 {
            self.longest_gaps.push(gap as f64 / 1e6);
        }
    }
}

/// What was measured with so many viewers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Step {
    /// Viewers connected at the window's end.
    pub viewers: u64,
    /// Those who should have been there when the window began, and weren't: what was sent is lost to them.
    pub absent: u64,
    /// Those of them with an open data channel.
    pub data_channels: u64,
    /// Sessions that failed while viewers joined and were measured.
    pub failed: u64,
    /// Seconds of the measured window.
    pub seconds: f64,
    /// From the sending of a picture's last packet to the arrival of all its packets.
    pub latency_ms: Spread,
    /// The same for sound.
    pub sound_latency_ms: Spread,
    /// Each viewer's longest time without a new picture in the window.
    pub longest_gap_ms: Spread,
    /// Packets sent in the window, times the viewers who were there or should have been; none with several layers, churn or
    /// storms.
    pub expected: Option<u64>,
    /// Those that didn't arrive.
    pub lost: Option<u64>,
    /// The same for pictures.
    pub expected_pictures: Option<u64>,
    /// Those of which a packet or more didn't arrive.
    pub lost_pictures: Option<u64>,
    /// Datagrams a second from the server.
    pub datagrams_per_second: f64,
    /// Bits a second from the server.
    pub bits_per_second: f64,
    /// Datagrams that arrived as one burst, in the mean.
    pub datagrams_per_message: f64,
    /// What the server's process cost, if it is on this machine.
    pub server: Option<Cost>,
}

impl Step {
    /// Draws the conclusions. `before` is the server with publishers alone.
    pub fn new(window: &Window, totals: &Totals, before: Option<Sample>) -> Self {
        let seconds = window.measured.as_secs_f64();
        let counts = window.counts_at_end.since(window.counts_at_start);
        let expected = window.expected;
        let lost = |of: fn(Flow) -> u64| Some(of(expected?).saturating_sub(of(window.arrived)));
        Self {
            viewers: window.watching,
            absent: window.absent.len() as u64,
            data_channels: window.data_channels,
            failed: window.failed,
            seconds,
            latency_ms: Spread::of_histogram(&totals.latency),
            sound_latency_ms: Spread::of_histogram(&totals.sound_latency),
            longest_gap_ms: Spread::of_values(&window.longest_gaps),
            expected: expected.map(|flow| flow.packets),
            lost: lost(|flow| flow.packets),
            expected_pictures: expected.map(|flow| flow.pictures),
            lost_pictures: lost(|flow| flow.pictures),
            datagrams_per_second: counts.datagrams as f64 / seconds,
            bits_per_second: counts.bytes as f64 * 8.0 / seconds,
            datagrams_per_message: counts.datagrams as f64 / counts.messages.max(1) as f64,
            server: cost(window, counts, before),
        }
    }

    /// The share of packets that were lost, if it is known.
    pub fn loss(&self) -> Option<f64> {
        Some(self.lost? as f64 / self.expected?.max(1) as f64)
    }

    /// Names and values, for people to read.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = Vec::new();
        let mut row = |name: &'static str, value: String| rows.push((name, value));
        row("viewers at the end", self.viewers.to_string());
        if self.absent > 0 {
            row("not there at the start", self.absent.to_string());
        }
        if self.data_channels > 0 {
            row("with a data channel", self.data_channels.to_string());
        }
        row("latency of pictures, ms", self.latency_ms.to_text());
        row("latency of sound, ms", self.sound_latency_ms.to_text());
        row("longest gap, ms", self.longest_gap_ms.to_text());
        if let (Some(lost), Some(expected)) = (self.lost, self.expected) {
            row("lost", format!("{lost} of {expected}"));
        }
        if let (Some(lost), Some(expected)) = (self.lost_pictures, self.expected_pictures) {
            row("pictures not whole", format!("{lost} of {expected}"));
        }
        row(
            "from the server",
            format!(
                "{:.0} datagrams/s, {:.1} Mbit/s, {:.2} datagrams in a burst",
                self.datagrams_per_second,
                self.bits_per_second / 1e6,
                self.datagrams_per_message
            ),
        );
        if let Some(cost) = &self.server {
            row(
                "server's CPU",
                format!(
                    "{:.0} ns a datagram, {:.2} cores, {:.0} switches/s",
                    cost.ns_per_datagram, cost.cores, cost.switches_per_second
                ),
            );
        }
        rows
    }

    /// The columns of a table with one step in each row.
    pub const COLUMNS: [&str; 10] = [
        "viewers",
        "median ms",
        "p99 ms",
        "gap max ms",
        "lost",
        "not whole",
        "Mbit/s",
        "ns/datagram",
        "cores",
        "failed",
    ];

    /// The step's row in that table.
    pub fn cells(&self) -> [String; 10] {
        let known = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let server = self.server;
        [
            self.viewers.to_string(),
            format!("{:.1}", self.latency_ms.median),
            format!("{:.1}", self.latency_ms.p99),
            format!("{:.0}", self.longest_gap_ms.max),
            known(self.loss().map(|loss| format!("{:.3} %", loss * 100.0))),
            known(self.lost_pictures.map(|lost| lost.to_string())),
            format!("{:.1}", self.bits_per_second / 1e6),
            known(server.map(|cost| format!("{:.0}", cost.ns_per_datagram))),
            known(server.map(|cost| format!("{:.2}", cost.cores))),
            self.failed.to_string(),
        ]
    }
}

fn cost(window: &Window, counts: Counts, before: Option<Sample>) -> Option<Cost> {
    let (start, end, before) = (window.at_start?, window.at_end?, before?);
    let seconds = window.measured.as_secs_f64();
    let cpu = (end.cpu.saturating_sub(start.cpu)) as f64;
    let switches = |sample: Sample| sample.voluntary_switches + sample.involuntary_switches;
    let grown = end.resident.saturating_sub(before.resident) as f64;
    Some(Cost {
        cores: cpu / 1e9 / seconds,
        ns_per_datagram: cpu / counts.datagrams.max(1) as f64,
        switches_per_second: switches(end).saturating_sub(switches(start)) as f64 / seconds,
        resident: end.resident,
        bytes_per_viewer: grown / window.watching.max(1) as f64,
        descriptors: end.descriptors,
    })
}
