//! Which presentation a channel has.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::media::Moment;

use super::{MAX_NAME, Presentation, first_segment_number, is_name};

/// Bounds of an [`Origin`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Channels with a presentation, ended ones included; beyond them [`Origin::publish`] refuses.
    pub channels: usize,
    /// Requests that wait for a part or a playlist; beyond them they get 503.
    pub waiting: usize,
    /// How long a request waits for the first segment of a channel or rendition that has just begun.
    pub start_wait: Duration,
    /// How long a presentation that has ended can be read, or media of one that was replaced.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            channels: 256,
            waiting: 20_000,
            start_wait: Duration::from_secs(3),
            linger: Duration::from_mins(1),
        }
    }
}

/// Why a presentation can't be published.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PublishError {
    /// The name can't be in a URL.
    #[error("a channel's name is 1 to {MAX_NAME} of A-Z, a-z, 0-9, _ and -")]
    Name,
    /// The list is full.
    #[error("{0} channels have a presentation: remove one, or raise the bound")]
    TooMany(usize),
}

/// The presentations of all channels, and the HTTP face of them. Clones are the same origin.
#[derive(Debug, Clone, Default)]
pub struct Origin(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    waiting: Semaphore,
    channels: RwLock<HashMap<String, Channel>>,
}

impl Default for Shared {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Shared {
    fn new(limits: Limits) -> Self {
        Self {
            waiting: Semaphore::new(limits.waiting.min(Semaphore::MAX_PERMITS)),
            limits,
            channels: RwLock::default(),
        }
    }
}

#[derive(Debug)]
struct Channel {
    presentation: Presentation,
    /// When a sweep found that it had ended.
    ended: Option<Instant>,
    /// What it took the place of: players still fetch the last of its media. And when a sweep found it.
    before: Option<(Presentation, Option<Instant>)>,
}

impl Origin {
    /// An origin without channels.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Shared::new(limits)))
    }

    /// `channel` has this presentation from now on. One that it had is closed: its writers get
    /// [`PushError::Replaced`](super::PushError::Replaced), and requests that wait go on with the new one, whose numbers
    /// have to be above; [`next_number`](Self::next_number) says from where.
    pub fn publish(&self, channel: &str, presentation: &Presentation) -> Result<(), PublishError> {
        if !is_name(channel) {
            return Err(PublishError::Name);
        }
        let mut channels = self.write();
        let limit = self.0.limits.channels;
        if !channels.contains_key(channel) && channels.len() >= limit {
            return Err(PublishError::TooMany(limit));
        }
        let before = channels.remove(channel).map(|channel| channel.presentation);
        let before = before.filter(|before| !before.is(presentation));
        if let Some(before) = &before {
            if let Some(number) = before.last_number() {
                presentation.set_floor(number);
            }
            before.close();
        }
        let next = Channel {
            presentation: presentation.clone(),
            ended: None,
            before: before.map(|before| (before, None)),
        };
        channels.insert(channel.to_owned(), next);
        Ok(())
    }

    /// The number of the first segment of a presentation that is about to be published: [`first_segment_number`], or above
    /// what the channel's present one has.
    pub fn next_number(&self, channel: &str, now: Moment) -> u64 {
        let present = self
            .get(channel)
            .and_then(|presentation| presentation.last_number());
        first_segment_number(now).max(present.map_or(0, |number| number + 1))
    }

    /// Takes the channel off the list, at once.
    pub fn remove(&self, channel: &str) {
        let removed = self.write().remove(channel);
        if let Some(channel) = removed {
            channel.presentation.close();
        }
    }

    /// Forgets what ended or was replaced [`Limits::linger`] ago. To be called every few seconds.
    pub fn sweep(&self, now: Instant) {
        let linger = self.0.limits.linger;
        let over = |since: &mut Option<Instant>| {
            now.saturating_duration_since(*since.get_or_insert(now)) >= linger
        };
        self.write().retain(|_, channel| {
            channel.before.take_if(|(_, since)| over(since));
            if !channel.presentation.has_ended() {
                channel.ended = None;
                return true;
            }
            !over(&mut channel.ended)
        });
    }

    /// The names of all channels that have something, ended ones included.
    pub fn names(&self) -> Vec<String> {
        self.read().keys().cloned().collect()
    }

    /// What the channel has at present.
    pub fn get(&self, channel: &str) -> Option<Presentation> {
        Some(self.read().get(channel)?.presentation.clone())
    }

    /// What the channel had before that, for as long as its media is kept.
    pub(super) fn get_before(&self, channel: &str) -> Option<Presentation> {
        let channels = self.read();
        let (before, _) = channels.get(channel)?.before.as_ref()?;
        Some(before.clone())
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Leave to wait, which ends with what is given; nothing if too many wait.
    pub(super) fn wait_permit(&self) -> Option<SemaphorePermit<'_>> {
        self.0.waiting.try_acquire().ok()
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<String, Channel>> {
        self.0
            .channels
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<String, Channel>> {
        self.0
            .channels
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
