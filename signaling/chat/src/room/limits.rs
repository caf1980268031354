//! How much may be said: by one, and by all, shared fairly.

use std::collections::HashMap;

use crate::{AuthorId, Millis};

/// Bounds of a room. Each has a stated behaviour when it is reached.
#[derive(Debug, Clone)]
pub struct RoomLimits {
    /// Characters of a message; longer ones are refused.
    pub message_length: usize,
    /// Messages a second of one author over time; further ones are refused with the time to wait.
    pub author_rate: f64,
    /// Messages of one author at once.
    pub author_burst: f64,
    /// Messages a second of all authors; beyond it those who write the most are refused.
    pub room_rate: u32,
    /// Messages a second that clients are shown; the log keeps the others too.
    pub shown_rate: u32,
    /// Entries kept in memory for those who come or are behind.
    pub recent: usize,
    /// Emoji to react with.
    pub reactions: Vec<String>,
}

impl Default for RoomLimits {
    fn default() -> Self {
        Self {
            message_length: 500,
            author_rate: 1.0,
            author_burst: 5.0,
            room_rate: 1000,
            shown_rate: 250,
            recent: 2000,
            reactions: ["❤️", "👍", "😂", "😮", "🔥", "👏", "🎉", "😢"]
                .map(str::to_owned)
                .to_vec(),
        }
    }
}

/// Tokens that come back with time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    tokens: f64,
    filled: Millis,
}

impl Bucket {
    pub(super) fn new(burst: f64, now: Millis) -> Self {
        Self {
            tokens: burst,
            filled: now,
        }
    }

    /// Takes one token. `Err`: after how many milliseconds there is one.
    pub(super) fn take(&mut self, rate: f64, burst: f64, now: Millis) -> Result<(), Millis> {
        let since = now.saturating_sub(self.filled) as f64 / 1000.0;
        self.filled = self.filled.max(now);
        self.tokens = (self.tokens + since * rate).min(burst);
        if self.tokens < 1.0 {
            return Err(((1.0 - self.tokens) / rate * 1000.0).ceil() as Millis);
        }
        self.tokens -= 1.0;
        Ok(())
    }

    pub(super) fn give_back(&mut self) {
        self.tokens += 1.0;
    }
}

/// One second's share of each author in what a room takes.
#[derive(Debug, Default)]
pub(super) struct FairShare {
    began: Millis,
    taken: u32,
    authors: HashMap<AuthorId, u32>,
    /// How many wrote in the second before: among so many it's shared.
    before: usize,
}

impl FairShare {
    /// Whether the room takes one more message of the author in this second: always while there's room for twice as many,
    /// then up to what is everybody's share.
    pub(super) fn take(&mut self, author: &AuthorId, rate: u32, now: Millis) -> bool {
        if now >= self.began + 1000 {
            let is_next = now < self.began + 2000;
            self.before = if is_next { self.authors.len() } else { 0 };
            self.began = now;
            self.taken = 0;
            self.authors.clear();
        }
        // Who is refused counts as well: there's to be room for them in the next second.
        let written = *self.authors.entry(author.clone()).or_default();
        let writers = self.before.max(self.authors.len()).max(1) as u32;
        if self.taken >= rate || (self.taken >= rate / 2 && written >= (rate / writers).max(1)) {
            return false;
        }
        self.taken += 1;
        *self.authors.entry(author.clone()).or_default() += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_bucket_says_how_long_to_wait_and_then_has_one() {
        let mut bucket = Bucket::new(2.0, 0);
        assert_eq!(bucket.take(0.5, 2.0, 0), Ok(()));
        assert_eq!(bucket.take(0.5, 2.0, 0), Ok(()));
        assert_eq!(bucket.take(0.5, 2.0, 0), Err(2000));
        assert_eq!(bucket.take(0.5, 2.0, 1999), Err(1));
        assert_eq!(bucket.take(0.5, 2.0, 2000), Ok(()));
        assert_eq!(
            bucket.take(0.5, 2.0, 1000),
            Err(2000),
            "a clock behind gives nothing"
        );
    }

    #[test]
    fn who_writes_little_finds_room_where_others_fill_it() {
        let author = |name: &str| AuthorId::try_from(name.to_owned()).unwrap();
        let (loud, quiet) = (author("loud"), author("quiet"));
        let mut share = FairShare::default();
        for second in 1..5 {
            let now = second * 1000;
            let loud_taken = (0..1000).filter(|_| share.take(&loud, 100, now)).count();
            let quiet_taken = (0..10)
                .filter(|_| share.take(&quiet, 100, now + 900))
                .count();
            if second > 1 {
                assert_eq!((loud_taken, quiet_taken), (50, 10), "second {second}");
            }
        }
        let all: usize = (0..1000)
            .filter(|n| share.take(&author(&format!("a{n}")), 100, 9000))
            .count();
        assert_eq!(all, 100);
    }
}
