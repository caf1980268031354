//! Where and when a load test was run.

use std::fs;
use std::thread;
use std::time::SystemTime;

use serde::Serialize;

/// A machine at a time.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// Processors that this process may use.
    pub processors: usize,
    /// The kernel's release.
    pub kernel: String,
    /// When, in UTC.
    pub at: String,
    /// The load test's version.
    pub version: &'static str,
}

impl Machine {
    /// This one, now.
    pub fn here() -> Self {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Self {
            processor: model(&processors).unwrap_or("unknown").to_owned(),
            processors: thread::available_parallelism().map_or(1, usize::from),
            kernel: kernel.trim().to_owned(),
            at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// For people to read.
    pub fn to_text(&self) -> String {
        let Self {
            processor,
            processors,
            kernel,
            at,
            ..
        } = self;
        format!("{processor}, {processors} of it for the load test, Linux {kernel}, {at}")
    }
}

fn model(processors: &str) -> Option<&str> {
    processors.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == "model name").then_some(value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processors_name_is_found() {
        let text = "processor\t: 0\nmodel name\t: A: fast one\nflags\t: x\n";
        assert_eq!(model(text), Some("A: fast one"));
        assert_eq!(model(""), None);
    }
}
