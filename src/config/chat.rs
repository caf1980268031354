//! `[chat]`: what may be said, how fast, and for how long it's kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use spillway_chat::RoomLimits;

use super::Problem;

/// `[chat]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chat {
    /// Characters of a message; longer ones are refused.
    pub message_length: usize,
    /// Messages a second of one author over time; beyond it they're refused, with the time to wait.
    pub author_rate: f64,
    /// Messages of one author at once.
    pub author_burst: u32,
    /// Messages a second in one room; beyond it those who write the most are refused.
    pub room_rate: u32,
    /// Messages a second that viewers of a room are shown; the log keeps the others too.
    pub shown_rate: u32,
    /// Entries of a channel's log kept in memory for those who come or are behind, while somebody is there.
    pub recent: usize,
    /// Emoji to react with.
    pub reactions: Vec<String>,
    /// Followers of one channel; beyond it nobody else can follow.
    pub followers: usize,
    /// Entries of one channel's log; beyond it the oldest are forgotten, donations with their broadcast.
    pub log_entries: u64,
    /// How long is kept what was said off air; the rest is kept with its broadcast.
    #[serde(with = "humantime_serde")]
    pub keep: Duration,
}

impl Default for Chat {
    fn default() -> Self {
        let limits = RoomLimits::default();
        Self {
            message_length: limits.message_length,
            author_rate: limits.author_rate,
            author_burst: limits.author_burst as u32,
            room_rate: limits.room_rate,
            shown_rate: limits.shown_rate,
            recent: limits.recent,
            reactions: limits.reactions,
            followers: 1_000_000,
            log_entries: 1_000_000,
            keep: Duration::from_hours(30 * 24),
        }
    }
}

impl Chat {
    /// The bounds of a room.
    pub fn room_limits(&self) -> RoomLimits {
        RoomLimits {
            message_length: self.message_length,
            author_rate: self.author_rate,
            author_burst: f64::from(self.author_burst),
            room_rate: self.room_rate,
            shown_rate: self.shown_rate,
            recent: self.recent,
            reactions: self.reactions.clone(),
        }
    }

    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        let mut range = |key: &str, is_good: bool, range: &str| {
            if !is_good {
                problems.push(Problem::new(
                    format!("chat.{key}"),
                    format!("isn't {range}"),
                ));
            }
        };
        range(
            "message_length",
            (1..=2000).contains(&self.message_length),
            "1 to 2000",
        );
        let rate = self.author_rate;
        range(
            "author_rate",
            rate.is_finite() && (0.01..=10_000.0).contains(&rate),
            "0.01 to 10000",
        );
        range(
            "author_burst",
            (1..=100_000).contains(&self.author_burst),
            "1 to 100000",
        );
        range(
            "room_rate",
            (1..=10_000).contains(&self.room_rate),
            "1 to 10000",
        );
        range(
            "shown_rate",
            (1..=10_000).contains(&self.shown_rate),
            "1 to 10000",
        );
        range(
            "recent",
            (1..=100_000).contains(&self.recent),
            "1 to 100000",
        );
        range("followers", self.followers > 0, "at least 1");
        range("log_entries", self.log_entries > 0, "at least 1");
        let are_emoji = self
            .reactions
            .iter()
            .all(|emoji| (1..=32).contains(&emoji.len()));
        range(
            "reactions",
            self.reactions.len() <= 32 && are_emoji,
            "up to 32 emoji of 1 to 32 bytes",
        );
    }
}
