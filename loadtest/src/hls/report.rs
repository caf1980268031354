//! What a run found: JSON, and a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::tally::{Flow, Tally};
use crate::load::server::Sample;
use crate::load::step::Spread;

/// Stalls in the measured window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Stalls {
    /// How many.
    pub count: u64,
    /// Players who had one at least.
    pub players: u64,
    /// Seconds of all together.
    pub seconds: f64,
    /// The longest.
    pub longest: f64,
}

impl Stalls {
    /// One player's.
    pub fn add(&mut self, stalls: &[f64]) {
        self.count += stalls.len() as u64;
        self.players += u64::from(!stalls.is_empty());
        self.seconds += stalls.iter().sum::<f64>();
        self.longest = stalls.iter().copied().fold(self.longest, f64::max);
    }
}

/// The server's process in the measured window.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Cost {
    /// Cores in use.
    pub cores: f64,
    /// Microseconds of CPU for each answer.
    pub us_per_request: f64,
    /// Bytes in memory at the end.
    pub resident: u64,
}

/// All that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What was run.
    pub setting: String,
    /// Players who played at the end of the window.
    pub playing: u64,
    /// Players who never began.
    pub never_began: u64,
    /// Seconds of the window.
    pub seconds: f64,
    /// How far behind the server's programme date-time they played; none if the playlists have none.
    pub behind_ms: Option<Spread>,
    /// From the first player's having a part whole to each player's having it.
    pub delivery_ms: Spread,
    /// When they had nothing to play.
    pub stalls: Stalls,
    /// Playlists.
    pub playlists: Flow,
    /// Parts and initialization segments.
    pub media: Flow,
    /// Parts that a player couldn't have.
    pub missed: u64,
    /// Files that aren't CMAF.
    pub broken: u64,
    /// Why requests failed, and how often.
    pub failures: BTreeMap<String, u64>,
    /// The server's process.
    pub server: Option<Cost>,
}

/// What is known besides the tally.
#[derive(Debug, Default)]
pub struct Window {
    /// What was run.
    pub setting: String,
    /// Seconds.
    pub seconds: f64,
    /// Players who played at its end.
    pub playing: u64,
    /// Players who never began.
    pub never_began: u64,
    /// Their stalls in it.
    pub stalls: Stalls,
    /// The server at its beginning and end.
    pub server: Option<(Sample, Sample)>,
}

impl Report {
    /// Draws the conclusions.
    pub fn new(window: Window, tally: &Tally) -> Self {
        let requests = tally.playlists.requests + tally.media.requests;
        let server = window.server.map(|(start, end)| {
            let cpu = end.cpu.saturating_sub(start.cpu) as f64;
            Cost {
                cores: cpu / 1e9 / window.seconds,
                us_per_request: cpu / 1e3 / requests.max(1) as f64,
                resident: end.resident,
            }
        });
        let behind = tally.behind_ms();
        Self {
            setting: window.setting,
            playing: window.playing,
            never_began: window.never_began,
            seconds: window.seconds,
            behind_ms: (behind.count > 0).then_some(behind),
            delivery_ms: tally.delivery_ms(),
            stalls: window.stalls,
            playlists: tally.playlists,
            media: tally.media,
            missed: tally.missed,
            broken: tally.broken,
            failures: tally.failures.clone(),
            server,
        }
    }

    /// For a terminal.
    pub fn to_table(&self) -> String {
        let mut table = String::new();
        for (name, value) in self.rows() {
            // Writing to a string doesn't fail.
            let _ = writeln!(table, "  {name:<24}  {value}");
        }
        table
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let behind = self
            .behind_ms
            .map_or("unknown: no programme date-time".into(), Spread::to_text);
        let Stalls {
            count,
            players,
            seconds,
            longest,
        } = self.stalls;
        let mut rows = vec![
            ("setting", self.setting.clone()),
            (
                "players",
                format!(
                    "{} at the end, {} never began",
                    self.playing, self.never_began
                ),
            ),
            ("behind live, ms", behind),
            ("delivery of parts, ms", self.delivery_ms.to_text()),
            (
                "stalls",
                format!(
                    "{count} of {players} players, {seconds:.1} s together, {longest:.2} s the longest"
                ),
            ),
            ("playlists", self.flow(self.playlists)),
            ("parts", self.flow(self.media)),
            (
                "parts missed, broken",
                format!("{}, {}", self.missed, self.broken),
            ),
        ];
        if let Some(cost) = self.server {
            rows.push((
                "server",
                format!(
                    "{:.2} cores, {:.0} µs an answer, {:.1} MiB",
                    cost.cores,
                    cost.us_per_request,
                    cost.resident as f64 / f64::from(1 << 20)
                ),
            ));
        }
        for (reason, count) in &self.failures {
            rows.push(("failed", format!("{count}: {reason}")));
        }
        rows
    }

    fn flow(&self, flow: Flow) -> String {
        format!(
            "{:.0} a second, {:.1} Mbit/s",
            flow.requests as f64 / self.seconds,
            flow.bytes as f64 * 8.0 / 1e6 / self.seconds
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stalls_add_up() {
        let mut stalls = Stalls::default();
        stalls.add(&[]);
        stalls.add(&[0.5, 0.25]);
        stalls.add(&[1.0]);
        let expected = Stalls {
            count: 3,
            players: 2,
            seconds: 1.75,
            longest: 1.0,
        };
        assert_eq!(stalls, expected);
    }
}
