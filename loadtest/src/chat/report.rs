//! What a run found: JSON, a table, and whether all is as it must be.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::client::Client;
use super::follower::Faults;
use super::log::Log;
use super::tally::Tally;
use super::writer::Written;
use crate::load::machine::Machine;
use crate::load::server::Sample;
use crate::load::step::Spread;

/// What reading the log again at the end found.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Audit {
    /// Entries that are as they were heard.
    pub same: u64,
    /// Entries that aren't, or are no more.
    pub changed: u64,
    /// Entries that are too old to be had again.
    pub too_old: u64,
}

/// Reactions.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Taps {
    /// Told by clients.
    pub sent: u64,
    /// What the client was told that was told least.
    pub told_least: u64,
    /// And most.
    pub told_most: u64,
    /// Updates a second of the client that had most.
    pub updates_per_second: f64,
    /// Clients who had more than ten a second.
    pub too_often: u64,
}

/// What the server's process cost.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Cost {
    /// Cores in use.
    pub cores: f64,
    /// Microseconds of CPU for each frame that came.
    pub us_per_frame: f64,
    /// Bytes in memory at the end.
    pub resident: u64,
}

/// All that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What was run.
    pub setting: String,
    /// Where and when.
    pub machine: Machine,
    /// Clients.
    pub viewers: u64,
    /// Seconds of the window.
    pub seconds: f64,
    /// How writing went.
    pub written: Written,
    /// Messages that are in the log, as far as anybody knows.
    pub stored: u64,
    /// Entries of the log from the beginning to the end, others' included.
    pub entries: u64,
    /// Of them those that nobody was shown.
    pub hidden: u64,
    /// Entries that were heard, by all clients together.
    pub delivered: u64,
    /// What clients found wrong.
    pub faults: Faults,
    /// Messages that are in the log twice, by how often they were found so.
    pub stored_twice: u64,
    /// What couldn't be judged.
    pub unjudged: u64,
    /// The log, read again at the end.
    pub audit: Audit,
    /// From a message's being written to its being read, by each client.
    pub latency_ms: Spread,
    /// From a message's being written to its author's knowing that it's in the log.
    pub acknowledgement_ms: Spread,
    /// Frames a second of one client.
    pub frames_per_second: f64,
    /// Of them those with entries.
    pub log_frames_per_second: f64,
    /// Bytes a second of one client.
    pub bytes_per_second: f64,
    /// Frames that aren't of the protocol.
    pub broken: u64,
    /// Connections that were lost.
    pub lost_connections: u64,
    /// Clients without a connection at the end.
    pub absent: u64,
    /// Reactions.
    pub taps: Taps,
    /// Errors of the server, by code.
    pub errors: BTreeMap<String, u64>,
    /// Why there was no connection, or no longer.
    pub failures: BTreeMap<String, u64>,
    /// The server's process.
    pub server: Option<Cost>,
    /// Cores that the load test took, which has one: what is near it was late to read, and the times are its own.
    pub own_cores: f64,
}

/// What is known besides the counts.
pub struct Run<'a> {
    /// What was run.
    pub setting: String,
    /// All clients.
    pub clients: Vec<&'a Client>,
    /// The log as they know it.
    pub log: &'a Log,
    /// The entry that it ended with for them: others may go on to write.
    pub end: u64,
    /// What they counted.
    pub tally: &'a Tally,
    /// The one who read the log again.
    pub auditor: &'a Client,
    /// The server's process at the window's beginning and end.
    pub server: Option<(Sample, Sample)>,
    /// This one then.
    pub own: (Sample, Sample),
}

impl Report {
    /// Draws the conclusions.
    pub fn new(run: Run<'_>) -> Self {
        let Run {
            setting,
            clients,
            log,
            end,
            tally,
            auditor,
            server,
            own,
        } = run;
        let (mut faults, mut written) = (Faults::default(), Written::default());
        for client in &clients {
            faults.add(client.faults(end));
            written.add(client.written());
        }
        let seconds = (tally.window.end - tally.window.start) as f64 / 1e9;
        let each = seconds * clients.len() as f64;
        Self {
            setting,
            machine: Machine::here(),
            viewers: clients.len() as u64,
            seconds,
            written,
            stored: log.placed(),
            entries: end - log.start(),
            hidden: log.hidden(),
            delivered: tally.delivered,
            faults,
            stored_twice: log.doubled(),
            unjudged: log.unjudged(),
            audit: audit(auditor, log.start(), end),
            latency_ms: Spread::of_histogram(&tally.latency),
            acknowledgement_ms: Spread::of_histogram(&tally.acknowledgement),
            frames_per_second: tally.frames as f64 / each,
            log_frames_per_second: tally.log_frames as f64 / each,
            bytes_per_second: tally.bytes as f64 / each,
            broken: tally.broken,
            lost_connections: tally.lost,
            absent: clients.iter().filter(|client| !client.is_in()).count() as u64,
            taps: taps(&clients),
            errors: tally.errors.clone(),
            failures: tally.failures.clone(),
            server: server.map(|(before, after)| cost(before, after, tally, seconds)),
            own_cores: cores(own.0, own.1, seconds),
        }
    }

    /// What isn't as it must be, in words.
    pub fn problems(&self) -> Vec<String> {
        let Faults {
            missing,
            doubled,
            out_of_order,
            differing,
            unseen,
        } = self.faults;
        let counts = [
            (missing, "entries are missing"),
            (doubled, "entries came twice"),
            (out_of_order, "entries came out of order"),
            (differing, "entries weren't the same for all"),
            (unseen, "entries weren't shown to some"),
            (self.stored_twice, "times a message was in the log twice"),
            (self.written.unanswered, "messages were never answered"),
            (self.audit.changed, "entries had changed or gone at the end"),
            (self.unjudged, "entries couldn't be judged"),
            (self.broken, "frames weren't of the protocol"),
            (self.absent, "clients had no connection at the end"),
            (
                self.taps.too_often,
                "clients had more than ten counts a second",
            ),
        ];
        let mut problems: Vec<_> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let Taps {
            sent, told_most, ..
        } = self.taps;
        // Who wasn't there all the time wasn't told all, nor is what was said on a connection that was lost.
        if self.lost_connections == 0 && told_most != sent {
            problems.push(format!("{sent} taps were counted as {told_most}"));
        }
        problems
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
        let Written {
            sent,
            acknowledged,
            refused,
            unanswered,
            repeated,
            held_back,
        } = self.written;
        let Faults {
            missing,
            doubled,
            out_of_order,
            differing,
            unseen,
        } = self.faults;
        let Audit {
            same,
            changed,
            too_old,
        } = self.audit;
        let mut rows = vec![
            ("setting", self.setting.clone()),
            ("machine", self.machine.to_text()),
            (
                "messages",
                format!(
                    "{sent} sent, {acknowledged} stored, {refused} refused, {unanswered} unanswered; {repeated} repeated, {held_back} held back"
                ),
            ),
            (
                "entries",
                format!(
                    "{} in the log, {} of them hidden; {} heard",
                    self.entries, self.hidden, self.delivered
                ),
            ),
            (
                "missing, doubled, late",
                format!("{missing}, {doubled}, {out_of_order}"),
            ),
            (
                "differing, unseen",
                format!("{differing}, {unseen}; {} stored twice", self.stored_twice),
            ),
            (
                "read again",
                format!("{same} the same, {changed} not, {too_old} too old"),
            ),
            ("latency, ms", self.latency_ms.to_text()),
            ("acknowledgement, ms", self.acknowledgement_ms.to_text()),
            (
                "frames a client",
                format!(
                    "{:.1} a second, {:.1} with entries, {:.1} kbit/s",
                    self.frames_per_second,
                    self.log_frames_per_second,
                    self.bytes_per_second * 8.0 / 1e3
                ),
            ),
            (
                "connections",
                format!(
                    "{} lost, {} absent at the end",
                    self.lost_connections, self.absent
                ),
            ),
        ];
        let taps = self.taps;
        if taps.sent > 0 {
            let row = format!(
                "{} sent, {} to {} told, {:.1} updates a second at most",
                taps.sent, taps.told_least, taps.told_most, taps.updates_per_second
            );
            rows.push(("taps", row));
        }
        if let Some(cost) = self.server {
            let row = format!(
                "{:.2} cores, {:.1} µs a frame, {:.1} MiB",
                cost.cores,
                cost.us_per_frame,
                cost.resident as f64 / f64::from(1 << 20)
            );
            rows.push(("server", row));
        }
        rows.push(("load test", format!("{:.2} cores of one", self.own_cores)));
        let told = |counts: &BTreeMap<String, u64>| -> Vec<String> {
            let counts = counts.iter();
            counts
                .map(|(what, count)| format!("{count}: {what}"))
                .collect()
        };
        rows.extend(told(&self.errors).into_iter().map(|row| ("refused", row)));
        rows.extend(told(&self.failures).into_iter().map(|row| ("failed", row)));
        rows
    }
}

fn audit(auditor: &Client, start: u64, end: u64) -> Audit {
    let Faults {
        missing,
        doubled,
        out_of_order,
        differing,
        unseen,
    } = auditor.faults(end);
    let changed = missing + doubled + out_of_order + differing;
    Audit {
        same: (end - start).saturating_sub(changed + unseen),
        changed,
        too_old: unseen,
    }
}

fn taps(clients: &[&Client]) -> Taps {
    let told = || clients.iter().map(|client| client.told());
    Taps {
        sent: clients.iter().map(|client| client.tapped()).sum(),
        told_least: told().map(|told| told.taps).min().unwrap_or(0),
        told_most: told().map(|told| told.taps).max().unwrap_or(0),
        updates_per_second: told()
            .map(super::taps::Told::per_second)
            .fold(0.0, f64::max),
        too_often: told().filter(|told| told.is_too_often()).count() as u64,
    }
}

fn cores(before: Sample, after: Sample, seconds: f64) -> f64 {
    after.cpu.saturating_sub(before.cpu) as f64 / 1e9 / seconds
}

fn cost(before: Sample, after: Sample, tally: &Tally, seconds: f64) -> Cost {
    let cores = cores(before, after, seconds);
    Cost {
        cores,
        us_per_frame: cores * seconds * 1e6 / tally.frames.max(1) as f64,
        resident: after.resident,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::log::Word;

    fn report(client: &Client, auditor: &Client, log: &Log, tally: &Tally) -> Report {
        Report::new(Run {
            setting: String::new(),
            clients: vec![client],
            log,
            end: log.last(),
            tally,
            auditor,
            server: None,
            own: (Sample::default(), Sample::default()),
        })
    }

    #[test]
    fn each_fault_fails_the_test_and_says_what_it_is() {
        let tally = Tally {
            window: 0..1_000_000_000,
            ..Tally::default()
        };
        let (client, auditor) = (Client::new(0, None, None), Client::auditor(0));
        let empty = report(&client, &auditor, &Log::new(0), &tally);
        assert_eq!(empty.problems(), ["1 clients had no connection at the end"]);
        let mut log = Log::new(0);
        log.hear(2, Word::Shown(1));
        let all_lost = report(&client, &auditor, &log, &tally);
        assert_eq!(all_lost.faults.missing, 2);
        let audit = all_lost.audit;
        assert_eq!((audit.same, audit.changed, audit.too_old), (0, 2, 0));
        let problems = all_lost.problems();
        assert_eq!(problems[0], "2 entries are missing");
        assert_eq!(problems[1], "2 entries had changed or gone at the end");
    }

    #[test]
    fn taps_that_werent_told_fail_the_test_unless_somebody_was_away() {
        let mut tally = Tally {
            window: 0..1_000_000_000,
            ..Tally::default()
        };
        let (client, auditor) = (Client::new(0, None, None), Client::auditor(0));
        let mut miscounted = report(&client, &auditor, &Log::new(0), &tally);
        miscounted.absent = 0;
        miscounted.taps.sent = 5;
        assert_eq!(miscounted.problems(), ["5 taps were counted as 0"]);
        tally.lost = 1;
        let mut away = report(&client, &auditor, &Log::new(0), &tally);
        (away.absent, away.taps.sent) = (0, 5);
        assert!(away.problems().is_empty());
    }
}
