//! The units of the command line: `6mbit`, `40ms`, `2%`, `1%:8`, `64kB`.

use std::time::Duration;

use thiserror::Error;

use crate::link::model::{BurstLoss, QueueLimit};

/// A value that can't be read.
#[derive(Debug, Error, PartialEq)]
#[error("{value:?} isn't a {expected}")]
pub struct UnitError {
    value: String,
    expected: &'static str,
}

/// Bits per second: `800kbit`, `6mbit`, `1gbit`.
pub fn rate(text: &str) -> Result<u64, UnitError> {
    const UNITS: &[(&str, f64)] = &[("kbit", 1e3), ("mbit", 1e6), ("gbit", 1e9)];
    let bits = scaled(text, UNITS).filter(|bits| *bits >= 1.0);
    bits.map(|bits| bits as u64)
        .ok_or_else(|| error(text, "rate such as 6mbit"))
}

/// A span of time: `250us`, `40ms`, `1.5s`.
pub fn time(text: &str) -> Result<Duration, UnitError> {
    const UNITS: &[(&str, f64)] = &[("us", 1e-6), ("ms", 1e-3), ("s", 1.0)];
    let seconds = scaled(text, UNITS);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| error(text, "time such as 40ms"))
}

/// A share of all packets: `2%`.
pub fn share(text: &str) -> Result<f64, UnitError> {
    let share = scaled(text, &[("%", 0.01)]).filter(|share| *share <= 1.0);
    share.ok_or_else(|| error(text, "share such as 2%"))
}

/// Share of packets lost in bursts, and the mean packets of a burst: `1%:8`.
pub fn burst_loss(text: &str) -> Result<BurstLoss, UnitError> {
    let parse = || {
        let (lost, length) = text.split_once(':')?;
        let burst = BurstLoss {
            share: share(lost).ok()?,
            length: length.parse().ok()?,
        };
        (burst.share < 1.0 && burst.length >= 1.0).then_some(burst)
    };
    parse().ok_or_else(|| {
        error(
            text,
            "burst loss such as 1%:8 (a share below 100%, and packets in a burst)",
        )
    })
}

/// The bound of a queue, in time or in bytes: `300ms`, `64kB`.
pub fn queue(text: &str) -> Result<QueueLimit, UnitError> {
    const UNITS: &[(&str, f64)] = &[("kB", 1e3), ("MB", 1e6), ("B", 1.0)];
    let bytes = scaled(text, UNITS).map(|bytes| QueueLimit::Bytes(bytes as u64));
    bytes
        .or_else(|| time(text).ok().map(QueueLimit::Time))
        .ok_or_else(|| error(text, "queue such as 300ms or 64kB"))
}

/// A number, not below zero, times its unit.
fn scaled(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let (number, scale) = units
        .iter()
        .find_map(|(unit, scale)| text.strip_suffix(unit).map(|number| (number, scale)))?;
    let value: f64 = number.parse().ok()?;
    (value >= 0.0 && value.is_finite()).then_some(value * scale)
}

fn error(value: &str, expected: &'static str) -> UnitError {
    UnitError {
        value: value.to_owned(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read() {
        assert_eq!(rate("6mbit"), Ok(6_000_000));
        assert_eq!(rate("1.5kbit"), Ok(1500));
        assert_eq!(time("40ms"), Ok(Duration::from_millis(40)));
        assert_eq!(time("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(time("250us"), Ok(Duration::from_micros(250)));
        assert_eq!(share("2%"), Ok(0.02));
        assert_eq!(
            burst_loss("1%:8"),
            Ok(BurstLoss {
                share: 0.01,
                length: 8.0
            })
        );
        assert_eq!(
            queue("300ms"),
            Ok(QueueLimit::Time(Duration::from_millis(300)))
        );
        assert_eq!(queue("64kB"), Ok(QueueLimit::Bytes(64_000)));
        assert_eq!(queue("1500B"), Ok(QueueLimit::Bytes(1500)));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "6", "mbit", "-1mbit", "0mbit", "nanmbit", "6 mbits"] {
            assert!(rate(text).is_err(), "{text}");
        }
        for text in ["", "40", "-1ms", "infs", "1e40s"] {
            assert!(time(text).is_err(), "{text}");
        }
        for text in ["2", "101%", "-1%", "%"] {
            assert!(share(text).is_err(), "{text}");
        }
        for text in ["1%", "1%:0", "100%:8", "1%:x"] {
            assert!(burst_loss(text).is_err(), "{text}");
        }
        assert!(queue("300").is_err());
    }
}
