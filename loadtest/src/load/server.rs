//! What the server's process costs: `/proc/PID` of proc(5).

use std::fs;
use std::io;
use std::path::PathBuf;

use nix::unistd::{SysconfVar, sysconf};

/// One look at a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Sample {
    /// Nanoseconds of CPU time of all threads, in steps of the system's tick.
    pub cpu: u64,
    /// Bytes in memory.
    pub resident: u64,
    /// Of its threads together, since their start: times that one gave the CPU away.
    pub voluntary_switches: u64,
    /// Times that one had it taken away.
    pub involuntary_switches: u64,
    /// Open files.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
}

/// A process that is looked at.
#[derive(Debug, Clone)]
pub struct Server {
    root: PathBuf,
}

impl Server {
    /// Fails if there is no such process, or its figures aren't ours to read.
    pub fn new(pid: u32) -> io::Result<Self> {
        let server = Self {
            root: PathBuf::from(format!("/proc/{pid}")),
        };
        server.sample()?;
        Ok(server)
    }

    /// Looks.
    pub fn sample(&self) -> io::Result<Sample> {
        let mut sample = Sample {
            cpu: cpu(&fs::read_to_string(self.root.join("stat"))?),
            resident: value(&fs::read_to_string(self.root.join("status"))?, "VmRSS:") << 10,
            descriptors: fs::read_dir(self.root.join("fd"))?.count() as u64,
            ..Sample::default()
        };
        for task in fs::read_dir(self.root.join("task"))? {
            let task = task?.path();
            // A thread may end between the two looks.
            let Ok(status) = fs::read_to_string(task.join("status")) else {
                continue;
            };
            sample.threads += 1;
            sample.voluntary_switches += value(&status, "voluntary_ctxt_switches:");
            sample.involuntary_switches += value(&status, "nonvoluntary_ctxt_switches:");
        }
        Ok(sample)
    }
}

/// CPU time in a `stat`: fields 14 and 15, behind the command's name, which may have blanks and parentheses.
fn cpu(stat: &str) -> u64 {
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
    ticks * 1_000_000_000 / per_second.max(1) as u64
}

fn first_number(text: &str) -> u64 {
    text.split_whitespace()
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap_or(0)
}

fn value(status: &str, key: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .map_or(0, first_number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_process_that_works_is_seen_to() {
        let server = Server::new(std::process::id()).unwrap();
        let before = server.sample().unwrap();
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(200) {
            std::hint::black_box(start);
        }
        let ballast = vec![1u8; 32 << 20];
        let _file = fs::File::open("/proc/self/status").unwrap();
        let after = server.sample().unwrap();
        std::hint::black_box(ballast);
        assert!(after.cpu - before.cpu >= 10_000_000, "{before:?} {after:?}");
        assert!(after.resident >= before.resident + (30 << 20));
        assert!(after.descriptors > before.descriptors);
        assert!(Server::new(u32::MAX).is_err());
    }
}
