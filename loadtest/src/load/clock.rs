//! The clock that marks and the kernel's receive timestamps share.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds from 1900 to 1970 (RFC 5905 §6).
const NTP_EPOCH: u64 = 2_208_988_800;
const NANOSECONDS: u64 = 1_000_000_000;

/// Nanoseconds since 1970.
pub fn since_1970() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64)
}

/// As sender reports write it: 32 bits of seconds, 32 of their fraction.
pub fn to_ntp(nanoseconds: u64) -> u64 {
    let seconds = nanoseconds / NANOSECONDS + NTP_EPOCH;
    let fraction = ((nanoseconds % NANOSECONDS) << 32) / NANOSECONDS;
    seconds << 32 | fraction
}
