//! What a load test found, in the form that others read: JSON, and a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::iter;

use serde::Serialize;

use super::machine::Machine;
use super::options::Options;
use super::server::Sample;
use super::step::{Counts, Spread, Step};
use super::totals::Totals;
use super::viewer::Viewer;
use crate::floor::Floor;

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
    /// Keyframes that publishers were asked for.
    pub keyframe_requests: u64,
    /// The server with publishers alone.
    pub before_viewers: Option<Sample>,
    /// After the viewers left.
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
}

/// The memory and open files of the server's process.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Memory {
    /// Bytes with publishers alone.
    pub resident_before: u64,
    /// After the viewers left.
    pub resident_after: u64,
    /// Share of what viewers added that was still there after they left.
    pub share_kept: f64,
    /// Open files with publishers alone.
    pub descriptors_before: u64,
    /// After the viewers left.
    pub descriptors_after: u64,
}

/// The server's cost beside what the machine itself takes, over loopback in the same minute.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// What the machine takes.
    pub floor: Floor,
    /// Of that: nanoseconds for a datagram sent alone, to receivers as the viewers were (`UDP_GRO` or not).
    pub single: f64,
    /// The same in bursts as large as the server's; none if it isn't seen how large they are, without `UDP_GRO`.
    pub burst: Option<f64>,
    /// The server's cost for a datagram, by that of one sent alone.
    pub to_single: f64,
    /// The same, by that of one sent in bursts as large as the server's.
    pub to_burst: Option<f64>,
}

/// All that a load test found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The command's options that matter.
    pub setting: String,
    /// Where and when.
    pub machine: Machine,
    /// What the last step found.
    #[serde(flatten)]
    pub last: Step,
    /// What each step found.
    pub steps: Vec<Step>,
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
    /// Packets missing between the first and the last that each viewer got.
    pub gaps: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets that the server sent again.
    pub retransmissions: u64,
    /// Packets without a mark: padding and repair, or another publisher's.
    pub unmarked: u64,
    /// Packets that weren't RTP, or not authentic.
    pub broken: u64,
    /// RTCP that couldn't be opened. Who left without a word is sent to for a while, and another may have the port by then.
    pub foreign: u64,
    /// Datagrams that this side couldn't send.
    pub unsent: u64,
    /// Keyframes that publishers were asked for.
    pub keyframe_requests: u64,
    /// The memory of the server's process, if it is on this machine.
    pub memory: Option<Memory>,
    /// Its cost in the last step beside the floor, if that was measured.
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
        steps: Vec<Step>,
        timeline: Vec<Second>,
    ) -> Self {
        let last = steps.last().cloned().unwrap_or_default();
        Self {
            setting: setting(options),
            machine: Machine::here(),
            joins: outcome.joins,
            without_picture: outcome.without_picture,
            never_live: outcome.never_live,
            join_ms: Spread::of_values(&outcome.first_pictures),
            gaps: outcome.lost,
            duplicates: outcome.duplicates,
            retransmissions: totals.retransmissions,
            unmarked: totals.unmarked,
            broken: totals.broken,
            foreign: totals.foreign,
            unsent: totals.unsent,
            keyframe_requests: outcome.keyframe_requests,
            memory: memory(&outcome, &last),
            floor: None,
            failures: outcome.failures,
            last,
            steps,
            timeline,
        }
    }

    /// Puts the server's cost beside the floor.
    pub fn compare_with(&mut self, floor: Floor, joined: bool) {
        let burst = floor.at(self.last.datagrams_per_message, joined);
        let single = floor.at(1.0, joined);
        if let (Some(cost), Some(single), Some(burst)) = (&self.last.server, single, burst) {
            self.floor = Some(Comparison {
                single,
                burst: joined.then_some(burst),
                to_single: cost.ns_per_datagram / single,
                to_burst: joined.then_some(cost.ns_per_datagram / burst),
                floor,
            });
        }
    }

    /// The steps, for a table of their own, if there are several.
    pub fn steps(&self) -> &[Step] {
        if self.steps.len() > 1 {
            &self.steps
        } else {
            &[]
        }
    }

    /// As tables for a terminal.
    pub fn to_table(&self) -> String {
        let mut table = String::new();
        // Writing to a string doesn't fail.
        for (name, value) in self.rows() {
            let _ = writeln!(table, "  {name:<24}  {value}");
        }
        if self.steps().is_empty() {
            return table;
        }
        let steps = self.steps().iter().map(Step::cells);
        for cells in iter::once(Step::COLUMNS.map(str::to_owned)).chain(steps) {
            table.push('\n');
            for cell in cells {
                let _ = write!(table, "{cell:>13}");
            }
        }
        table + "\n"
    }

    /// Names and values, for people to read. Without what the table of steps has.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = vec![
            ("setting", self.setting.clone()),
            ("machine", self.machine.to_text()),
            (
                "joins",
                format!("{}, {} without a picture", self.joins, self.without_picture),
            ),
            ("never live", self.never_live.to_string()),
            ("first picture, ms", self.join_ms.to_text()),
        ];
        if self.steps().is_empty() {
            rows.extend(self.last.rows());
        }
        let mut row = |name: &'static str, value: String| rows.push((name, value));
        row(
            "gaps, twice, sent again",
            format!(
                "{}, {}, {}",
                self.gaps, self.duplicates, self.retransmissions
            ),
        );
        row(
            "without mark, broken, others'",
            format!("{}, {}, {}", self.unmarked, self.broken, self.foreign),
        );
        row("keyframes asked for", self.keyframe_requests.to_string());
        if let (Some(memory), Some(cost)) = (&self.memory, &self.last.server) {
            row(
                "server's memory",
                format!(
                    "{:.1} MiB before, {:.1} with, {:.1} after: {:.1} KiB a viewer, {:.0} % kept",
                    mib(memory.resident_before),
                    mib(cost.resident),
                    mib(memory.resident_after),
                    cost.bytes_per_viewer / 1024.0,
                    memory.share_kept * 100.0
                ),
            );
            row(
                "server's open files",
                format!(
                    "{} before, {} with, {} after",
                    memory.descriptors_before, cost.descriptors, memory.descriptors_after
                ),
            );
        }
        if let Some(comparison) = &self.floor {
            let Comparison {
                single, to_single, ..
            } = comparison;
            let mut text = format!("{single:.0} ns alone: {to_single:.2} times that");
            if let (Some(burst), Some(to_burst)) = (comparison.burst, comparison.to_burst) {
                let _ = write!(
                    text,
                    "; {burst:.0} in such bursts: {to_burst:.2} times that"
                );
            }
            row("the machine's floor", text);
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
    let viewers: Vec<String> = options.steps().iter().map(ToString::to_string).collect();
    let mut text = format!("{} × {} viewers, ", options.channels, viewers.join(", "));
    let pictures = match &options.file {
        Some(file) => {
            let name = file.file_name().unwrap_or_default();
            format!("{} at {} fps", name.to_string_lossy(), options.fps)
        }
        None if options.only_watch => "of what others publish".into(),
        None => synthetic(options),
    };
    text += &pictures;
    let mut more = |is_so: bool, what: String| {
        if is_so {
            text += ", ";
            text += &what;
        }
    };
    let Options {
        audio, only_watch, ..
    } = options;
    more(
        *audio > 0 && !only_watch,
        format!("Opus {} kbit/s", audio / 1_000),
    );
    more(options.ignore_pli, "keyframe requests ignored".into());
    let spread = options.spread;
    more(!spread.is_zero(), format!("pictures sent over {spread:?}"));
    more(options.data_channel, "with data channels".into());
    more(true, format!("{} joins a second", options.rate));
    let every = options.storm.unwrap_or_default();
    more(!every.is_zero(), format!("all anew every {every:?}"));
    let stay = options.churn.unwrap_or_default();
    more(!stay.is_zero(), format!("staying {stay:?}"));
    let vanish = options.vanish;
    more(
        vanish > 0.0,
        format!("{:.0} % without a word", vanish * 100.0),
    );
    more(options.no_gro, "without UDP_GRO".into());
    text
}

fn synthetic(options: &Options) -> String {
    let layers: Vec<String> = options
        .bitrate
        .iter()
        .map(|rate| format!("{:.1}", *rate as f64 / 1e6))
        .collect();
    format!(
        "{:?} {}x{} at {} fps, {} Mbit/s, keyframes every {:?}",
        options.video,
        options.size.0,
        options.size.1,
        options.fps,
        layers.join("+"),
        options.gop,
    )
}

fn memory(outcome: &Outcome, last: &Step) -> Option<Memory> {
    let (before, after) = (outcome.before_viewers?, outcome.after_viewers?);
    let grown = last.server?.resident.saturating_sub(before.resident) as f64;
    let kept = after.resident.saturating_sub(before.resident) as f64;
    Some(Memory {
        resident_before: before.resident,
        resident_after: after.resident,
        share_kept: if grown > 0.0 { kept / grown } else { 0.0 },
        descriptors_before: before.descriptors,
        descriptors_after: after.descriptors,
    })
}
