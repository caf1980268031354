//! The wall clock, and identifiers that sort by it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::RngExt as _;
use spillway_signaling::api::model::Timestamp;

/// Now, in milliseconds since 1970. A clock before that reads as 1970.
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Timestamp(since.as_millis() as u64)
}

/// The moment `duration` after `at`; the end of time when it's beyond.
pub fn after(at: Timestamp, duration: Duration) -> Timestamp {
    Timestamp(at.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
}

/// The moment `duration` before `at`; 1970 when it's beyond.
pub fn before(at: Timestamp, duration: Duration) -> Timestamp {
    Timestamp(at.0.saturating_sub(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
}

/// A new identifier: 48 bits of milliseconds and 80 random bits, so that identifiers sort by age and can't be guessed.
pub fn new_id() -> String {
    let random: u128 = rand::rng().random();
    format!("{:012x}{:020x}", now().0 & 0xffff_ffff_ffff, random >> 48)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_one_length_differ_and_sort_by_age() {
        let first = new_id();
        std::thread::sleep(Duration::from_millis(2));
        let second = new_id();
        assert_eq!((first.len(), second.len()), (32, 32));
        assert!(first < second);
        assert_ne!(new_id(), new_id());
    }
}
