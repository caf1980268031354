//! What a load test found, in the form that others read: JSON, and a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::options::Options;
use super::server::Sample;
use super::totals::{Flow, Totals};
use super::viewer::Viewer;
use crate::floor::Floor;

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

/// One second of the test.
#[derive(Debug, Clone, Serialize)]
pub struct Second {
    /// Since the start.
    pub at: f64,
    /// Viewers who are connected.
    pub viewers: usize,
    /// Of the pictures that arrived in it: from the sending of the last packet to its arrival.
    pub median_ms: f64,
    /// The same, exceeded by one in a hundred.
    pub p99_ms: f64,
    /// The same, the latest.
    pub max_ms: f64,
    /// What came so far.
    pub counts: Counts,
    /// The server's process.
    pub server: Option<Sample>,
    /// Sessions that failed so far.
    pub failures: u64,
}

/// What is counted outside of [`Totals`].
#[derive(Debug, Default)]
pub struct Outcome {
    /// Viewers who began to join.
    pub joins: u64,
    /// Why sessions failed, and how often.
    pub failures: BTreeMap<String, u64>,
    /// Milliseconds from the request to the first whole keyframe.
    pub first_pictures: Vec<f64>,
    /// Viewers who left after a while without a picture.
    pub without_picture: u64,
    /// Packets missing between the first and the last that a viewer got.
    pub lost: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Viewers who left after a while without having been at the live edge.
    pub never_live: u64,
    /// Milliseconds of each viewer's longest time without a new picture in the window.
    pub longest_gaps: Vec<f64>,
    /// Viewers who were connected at the end of the window.
    pub watching: u64,
    /// Those of them with an open data channel.
    pub data_channels: u64,
    /// What was sent in the window, times the viewers who were there all the time.
    pub expected: Flow,
    /// What of it arrived.
    pub arrived: Flow,
    /// Publishers had one layer each, so that all that is sent is expected.
    pub single_layer: bool,
    /// Keyframes that publishers were asked for.
    pub keyframe_requests: u64,
    /// How long the window was.
    pub measured: Duration,
    /// What had come when the window began.
    pub counts_at_start: Counts,
    /// And when it ended.
    pub counts_at_end: Counts,
    /// The server when the window began.
    pub at_start: Option<Sample>,
    /// And when it ended.
    pub at_end: Option<Sample>,
    /// The server with publishers alone.
    pub before_viewers: Option<Sample>,
    /// With all viewers.
    pub with_viewers: Option<Sample>,
    /// After they left.
    pub after_viewers: Option<Sample>,
}

impl Outcome {
    /// A viewer is gone, who may have had time enough for a picture.
    pub fn note_viewer(&mut self, viewer: &Viewer, had_time: bool) {
        match viewer.first_picture() {
            Some(after) => self.first_pictures.push(after.as_secs_f64() * 1e3),
            None => self.without_picture += u64::from(had_time),
        }
        self.never_live += u64::from(had_time && !viewer.was_live());
        let (lost, duplicates) = viewer.lost_and_duplicates();
        self.lost += lost;
        self.duplicates += duplicates;
    }

    /// A viewer's longest time without a new picture in the window, in nanoseconds; 0 if it wasn't there.
    pub fn note_gap(&mut self, gap: u64) {
        if gap > 0 {
            self.longest_gaps.push(gap as f64 / 1e6);
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
    fn of_histogram(histogram: &Histogram<u64>) -> Self {
        let at = |share| histogram.value_at_quantile(share) as f64 / 1e6;
        Self {
            count: histogram.len(),
            median: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            max: histogram.max() as f64 / 1e6,
        }
    }

    fn of_values(values: &[f64]) -> Self {
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
    /// Bytes in memory with publishers alone.
    pub resident_before: u64,
    /// With all viewers.
    pub resident_with_viewers: u64,
    /// After they left.
    pub resident_after: u64,
    /// Bytes that each viewer added.
    pub bytes_per_viewer: f64,
    /// Share of what viewers added that was still there after they left.
    pub share_kept: f64,
    /// Open files before, with and after the viewers.
    pub descriptors: [u64; 3],
}

/// The server's cost beside what the machine itself takes, over loopback in the same minute.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// What the machine takes.
    pub floor: Floor,
    /// The server's cost for a datagram, by that of one sent alone.
    pub to_single: f64,
    /// The same, by that of one sent in bursts as large as the server's.
    pub to_burst: f64,
}

/// All that a load test found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The command's options that matter.
    pub setting: String,
    /// Seconds of the measured window.
    pub seconds: f64,
    /// Viewers connected at its end.
    pub viewers: u64,
    /// Those of them with an open data channel.
    pub data_channels: u64,
    /// Viewers who began to join.
    pub joins: u64,
    /// Viewers who left after a while without a picture.
    pub without_picture: u64,
    /// Viewers who left after a while without having been at the live edge: what they saw late is in no latency.
    pub never_live: u64,
    /// Why sessions failed, and how often.
    pub failures: BTreeMap<String, u64>,
    /// From the request to the first whole keyframe.
    pub join_ms: Spread,
    /// From the sending of a picture's last packet to the arrival of all its packets.
    pub latency_ms: Spread,
    /// The same for sound.
    pub sound_latency_ms: Spread,
    /// Each viewer's longest time without a new picture in the window.
    pub longest_gap_ms: Spread,
    /// Packets sent in the window, times the viewers who were there all the time; none with several layers.
    pub expected: Option<u64>,
    /// Those that didn't arrive.
    pub lost: Option<u64>,
    /// The same for pictures.
    pub expected_pictures: Option<u64>,
    /// Those of which a packet or more didn't arrive.
    pub lost_pictures: Option<u64>,
    /// Packets missing between the first and the last that each viewer got.
    pub gaps: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets that the server sent again.
    pub retransmissions: u64,
    /// Packets without a mark: padding and repair, or another publisher's.
    pub unmarked: u64,
    /// Packets that weren't RTP or not authentic.
    pub broken: u64,
    /// Datagrams that this side couldn't send.
    pub unsent: u64,
    /// Keyframes that publishers were asked for.
    pub keyframe_requests: u64,
    /// Datagrams a second from the server.
    pub datagrams_per_second: f64,
    /// Bits a second from the server.
    pub bits_per_second: f64,
    /// Datagrams that arrived as one burst, in the mean.
    pub datagrams_per_message: f64,
    /// What the server's process cost, if it is on this machine.
    pub server: Option<Cost>,
    /// That beside the floor, if it was measured.
    pub floor: Option<Comparison>,
    /// Second by second.
    pub timeline: Vec<Second>,
}

impl Report {
    /// Draws the conclusions.
    pub fn new(
        options: &Options,
        outcome: Outcome,
        totals: &Totals,
        timeline: Vec<Second>,
    ) -> Self {
        let seconds = outcome.measured.as_secs_f64();
        let counts = outcome.counts_at_end.since(outcome.counts_at_start);
        let (expected, arrived) = (outcome.expected, outcome.arrived);
        let exact = outcome.single_layer && !options.only_watch;
        Self {
            setting: setting(options),
            seconds,
            viewers: outcome.watching,
            data_channels: outcome.data_channels,
            joins: outcome.joins,
            without_picture: outcome.without_picture,
            never_live: outcome.never_live,
            join_ms: Spread::of_values(&outcome.first_pictures),
            latency_ms: Spread::of_histogram(&totals.latency),
            sound_latency_ms: Spread::of_histogram(&totals.sound_latency),
            longest_gap_ms: Spread::of_values(&outcome.longest_gaps),
            expected: exact.then_some(expected.packets),
            lost: exact.then(|| expected.packets.saturating_sub(arrived.packets)),
            expected_pictures: exact.then_some(expected.pictures),
            lost_pictures: exact.then(|| expected.pictures.saturating_sub(arrived.pictures)),
            gaps: outcome.lost,
            duplicates: outcome.duplicates,
            retransmissions: totals.retransmissions,
            unmarked: totals.unmarked,
            broken: totals.broken,
            unsent: totals.unsent,
            keyframe_requests: outcome.keyframe_requests,
            datagrams_per_second: counts.datagrams as f64 / seconds,
            bits_per_second: counts.bytes as f64 * 8.0 / seconds,
            datagrams_per_message: counts.datagrams as f64 / counts.messages.max(1) as f64,
            server: cost(&outcome, counts, seconds),
            floor: None,
            failures: outcome.failures,
            timeline,
        }
    }

    /// Puts the server's cost beside the floor.
    pub fn compare_with(&mut self, floor: Floor) {
        let burst = floor.at(self.datagrams_per_message);
        if let (Some(cost), Some(single), Some(burst)) = (&self.server, floor.at(1.0), burst) {
            self.floor = Some(Comparison {
                to_single: cost.ns_per_datagram / single,
                to_burst: cost.ns_per_datagram / burst,
                floor,
            });
        }
    }

    /// As a table for a terminal.
    pub fn to_table(&self) -> String {
        let mut table = String::new();
        for (name, value) in self.rows() {
            // Writing to a string doesn't fail.
            let _ = writeln!(table, "  {name:<24}  {value}");
        }
        table
    }

    /// Names and values, for people to read.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = Vec::new();
        let mut row = |name: &'static str, value: String| rows.push((name, value));
        let spread = |s: &Spread| {
            format!(
                "{:.1} median, {:.1} p95, {:.1} p99, {:.1} max",
                s.median, s.p95, s.p99, s.max
            )
        };
        row("setting", self.setting.clone());
        row("viewers at the end", self.viewers.to_string());
        if self.data_channels > 0 {
            row("with a data channel", self.data_channels.to_string());
        }
        row(
            "joins",
            format!("{}, {} without a picture", self.joins, self.without_picture),
        );
        row("never live", self.never_live.to_string());
        row("first picture, ms", spread(&self.join_ms));
        row("latency of pictures, ms", spread(&self.latency_ms));
        row("latency of sound, ms", spread(&self.sound_latency_ms));
        row("longest gap, ms", spread(&self.longest_gap_ms));
        if let (Some(expected), Some(lost)) = (self.expected, self.lost) {
            row("lost", format!("{lost} of {expected}"));
        }
        if let (Some(expected), Some(lost)) = (self.expected_pictures, self.lost_pictures) {
            row("pictures not whole", format!("{lost} of {expected}"));
        }
        row(
            "gaps, twice, sent again",
            format!(
                "{}, {}, {}",
                self.gaps, self.duplicates, self.retransmissions
            ),
        );
        row(
            "without mark, broken",
            format!("{}, {}", self.unmarked, self.broken),
        );
        row("keyframes asked for", self.keyframe_requests.to_string());
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
            row(
                "server's memory",
                format!(
                    "{:.1} MiB before, {:.1} with, {:.1} after: {:.1} KiB a viewer, {:.0} % kept",
                    mib(cost.resident_before),
                    mib(cost.resident_with_viewers),
                    mib(cost.resident_after),
                    cost.bytes_per_viewer / 1024.0,
                    cost.share_kept * 100.0
                ),
            );
            row("server's open files", format!("{:?}", cost.descriptors));
        }
        if let Some(comparison) = &self.floor {
            let floor = &comparison.floor;
            let at = |burst| floor.at(burst).unwrap_or_default();
            row(
                "the machine's floor",
                format!(
                    "{:.0} ns alone, {:.0} in such bursts: {:.2} and {:.2} times that",
                    at(1.0),
                    at(self.datagrams_per_message),
                    comparison.to_single,
                    comparison.to_burst
                ),
            );
        }
        for (reason, count) in &self.failures {
            row("failed", format!("{count}: {reason}"));
        }
        rows
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn setting(options: &Options) -> String {
    let layers: Vec<String> = options
        .bitrate
        .iter()
        .map(|rate| format!("{:.1}", *rate as f64 / 1e6))
        .collect();
    let mut text = format!(
        "{} × {} viewers, {:?} {}x{} at {} fps, {} Mbit/s, keyframes every {:?}",
        options.channels,
        options.viewers,
        options.video,
        options.size.0,
        options.size.1,
        options.fps,
        layers.join("+"),
        options.gop,
    );
    if let Some(stay) = options.churn {
        let _ = write!(text, ", staying {stay:?}");
    }
    if options.no_gro {
        text += ", without UDP_GRO";
    }
    text
}

fn cost(outcome: &Outcome, counts: Counts, seconds: f64) -> Option<Cost> {
    let (start, end) = (outcome.at_start?, outcome.at_end?);
    let (before, with, after) = (
        outcome.before_viewers?,
        outcome.with_viewers?,
        outcome.after_viewers?,
    );
    let cpu = (end.cpu.saturating_sub(start.cpu)) as f64;
    let switches = |sample: Sample| sample.voluntary_switches + sample.involuntary_switches;
    // While media flows: afterwards some is given back already.
    let with = Sample {
        resident: with.resident.max(end.resident),
        ..with
    };
    let grown = with.resident.saturating_sub(before.resident) as f64;
    let kept = after.resident.saturating_sub(before.resident) as f64;
    Some(Cost {
        cores: cpu / 1e9 / seconds,
        ns_per_datagram: cpu / counts.datagrams.max(1) as f64,
        switches_per_second: switches(end).saturating_sub(switches(start)) as f64 / seconds,
        resident_before: before.resident,
        resident_with_viewers: with.resident,
        resident_after: after.resident,
        bytes_per_viewer: grown / outcome.watching.max(1) as f64,
        share_kept: if grown > 0.0 { kept / grown } else { 0.0 },
        descriptors: [before.descriptors, with.descriptors, after.descriptors],
    })
}
