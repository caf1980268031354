//! One WHIP or WHEP session: a peer's transport, and its role in a channel.

use std::time::Instant;

use arrayvec::ArrayVec;

use crate::{
    ChannelName, Path, SessionId, publisher::Publisher, transport::Transport, viewer::Viewer,
};

/// Addresses of one peer that are recognised at a time; the oldest is forgotten for a newer one. A browser checks a
/// handful of candidate pairs.
pub(crate) const MAX_PATHS: usize = 16;

/// One session.
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) channel_name: ChannelName,
    /// The channel's place among this worker's channels.
    pub(crate) channel: usize,
    pub(crate) transport: Transport,
    pub(crate) role: Role,
    /// Our user name fragments: the present one, and the one before an ICE restart.
    pub(crate) ufrags: ArrayVec<String, 2>,
    /// At most [`MAX_PATHS`].
    pub(crate) paths: Vec<Path>,
    pub(crate) connected: bool,
    /// The moment that its timer is set to.
    pub(crate) scheduled: Option<Instant>,
    pub(crate) started: Instant,
}

/// What a session does in its channel.
pub(crate) enum Role {
    Publisher(Box<Publisher>),
    Viewer(Box<Viewer>),
}

impl Session {
    /// When it wants to be called next. Before it is connected its role has nothing to do, however overdue.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let role = match &self.role {
            _ if !self.connected => None,
            Role::Publisher(publisher) => publisher.next_timeout(),
            Role::Viewer(viewer) => viewer.next_timeout(),
        };
        self.transport.next_timeout().into_iter().chain(role).min()
    }
}
