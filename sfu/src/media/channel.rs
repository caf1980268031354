//! A channel as one worker knows it: where its media comes from, and who on this worker watches.

use super::{Track, track_index};
use crate::{ChannelName, MediaKind, SessionId, WorkerId};

/// Where a channel's packets come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feed {
    /// Nobody publishes.
    None,
    /// A publisher of this worker; the number is its place among the sessions.
    Local { session: SessionId, index: usize },
    /// A publisher of another worker.
    Remote {
        session: SessionId,
        subscribed: bool,
    },
}

impl Feed {
    /// The publisher's session.
    pub(crate) fn session(self) -> Option<SessionId> {
        match self {
            Self::None => None,
            Self::Local { session, .. } | Self::Remote { session, .. } => Some(session),
        }
    }
}

/// One channel.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) name: ChannelName,
    pub(crate) feed: Feed,
    /// Audio and video, by [`track_index`].
    pub(crate) tracks: [Option<Track>; 2],
    /// The viewers' places among this worker's sessions.
    pub(crate) viewers: Vec<usize>,
    /// Other workers whose viewers watch a local publisher.
    pub(crate) subscribers: Vec<WorkerId>,
    /// Media came from the feed.
    pub(crate) on_air: bool,
    /// Packets wait for the fan-out.
    pub(crate) dirty: bool,
}

impl Channel {
    /// Whether packets wait to be fanned out.
    pub(crate) fn has_pending(&self) -> bool {
        let mut layers = self.tracks.iter().flatten().flat_map(|t| &t.layers);
        layers.any(|layer| !layer.pending.is_empty())
    }

    pub(crate) fn new(name: ChannelName) -> Self {
        Self {
            name,
            feed: Feed::None,
            tracks: [None, None],
            viewers: Vec::new(),
            subscribers: Vec::new(),
            on_air: false,
            dirty: false,
        }
    }

    pub(crate) fn track(&self, kind: MediaKind) -> Option<&Track> {
        self.tracks[track_index(kind)].as_ref()
    }

    /// Bits per second of the sound.
    pub(crate) fn audio_bitrate(&self) -> u64 {
        let layer = self.track(MediaKind::Audio).and_then(|t| t.layers.first());
        layer.map_or(0, |l| l.bitrate)
    }

    pub(crate) fn track_mut(&mut self, kind: MediaKind) -> Option<&mut Track> {
        self.tracks[track_index(kind)].as_mut()
    }
}
