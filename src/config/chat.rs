//! `[chat]`: what may be said, how fast, and for how long it's kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use spillway_chat::RoomLimits;
use spillway_signaling::ChannelName;

use super::Problem;

/// A shared secret shorter than this could be guessed.
const MIN_SECRET_BYTES: usize = 16;
/// The most sources.
const MAX_SOURCES: usize = 1000;

/// One of `[[chat.sources]]`: who may tell of donations.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventSource {
    /// What it's called: events of two sources are never the same. `[a-z0-9-]{1,24}`.
    pub name: String,
    /// The key of its signatures.
    pub secret: String,
    /// How it tells.
    pub form: EventForm,
    /// For which channels; all without.
    #[serde(default)]
    pub channels: Vec<ChannelName>,
}

impl std::fmt::Debug for EventSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EventSource({}, …)", self.name)
    }
}

/// How donations are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventForm {
    /// Our own.
    Spillway,
    /// Stripe's webhooks.
    Stripe,
}

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
    /// How far the moment of a donation's signature may be from now.
    #[serde(with = "humantime_serde")]
    pub replay_window: Duration,
    /// Who may tell of donations.
    pub sources: Vec<EventSource>,
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
            replay_window: Duration::from_mins(5),
            sources: Vec::new(),
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
        let window = self.replay_window;
        range(
            "replay_window",
            (Duration::from_secs(10)..=Duration::from_hours(24)).contains(&window),
            "10s to 1day",
        );
        range("sources", self.sources.len() <= MAX_SOURCES, "up to 1000");
        for (index, source) in self.sources.iter().enumerate() {
            let key = format!("sources[{index}]");
            let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            let is_name = (1..=24).contains(&source.name.len()) && source.name.bytes().all(allowed);
            range(
                &format!("{key}.name"),
                is_name,
                "1 to 24 of a-z, 0-9 and '-'",
            );
            let is_only = self.sources[..index]
                .iter()
                .all(|other| other.name != source.name);
            range(
                &format!("{key}.name"),
                is_only,
                "another than those of the sources before",
            );
            let is_secret = source.secret.len() >= MIN_SECRET_BYTES;
            range(
                &format!("{key}.secret"),
                is_secret,
                "at least 16 characters, that nobody could guess",
            );
        }
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
