//! How long to wait before a process that died is started again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// A process that lived so long was well.
const WELL: Duration = Duration::from_mins(1);

/// The pause doubles with each death, and is short again after a life of a minute.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    last: Option<Duration>,
}

impl Backoff {
    /// The pause after a process that lived so long.
    pub(super) fn next(&mut self, lived: Duration) -> Duration {
        let pause = match self.last {
            Some(last) if lived < WELL => (last * 2).min(LONGEST),
            _ => FIRST,
        };
        self.last = Some(pause);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute_and_a_minute_of_life_is_forgiven() {
        let mut backoff = Backoff::default();
        let brief = Duration::from_millis(10);
        let pauses: Vec<_> = (0..8).map(|_| backoff.next(brief).as_millis()).collect();
        assert_eq!(
            pauses,
            [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]
        );
        assert_eq!(backoff.next(WELL), FIRST);
        assert_eq!(backoff.next(brief), FIRST * 2);
    }
}
