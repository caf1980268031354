//! The ways from a room to its clients.

use std::{collections::HashMap, sync::Arc};

use spillway_chat::room::{Lane, ParticipantId};
use spillway_sfu::SessionId;
use spillway_sfu_net::DataMessage;
use tokio::sync::mpsc;

/// The way to one client.
pub(super) enum Outlet {
    /// Data channels of a session.
    Channel {
        session: SessionId,
        chat: u16,
        reactions: Option<u16>,
    },
    /// A WebSocket.
    Socket(mpsc::Sender<Arc<str>>),
}

impl Outlet {
    pub(super) fn channel(session: SessionId, chat: u16) -> Self {
        Self::Channel {
            session,
            chat,
            reactions: None,
        }
    }
}

/// All clients of a room.
#[derive(Default)]
pub(super) struct Outlets {
    by_id: HashMap<ParticipantId, Outlet>,
    sessions: HashMap<SessionId, ParticipantId>,
}

/// What became of a frame for many: those that took it or didn't are known at once, others when their workers have answered.
#[derive(Default)]
pub(super) struct Dispatch {
    pub(super) known: Vec<(ParticipantId, bool)>,
    pub(super) messages: Vec<DataMessage>,
}

impl Outlets {
    pub(super) fn add(&mut self, id: ParticipantId, outlet: Outlet) {
        if let Outlet::Channel { session, .. } = outlet {
            self.sessions.insert(session, id);
        }
        self.by_id.insert(id, outlet);
    }

    /// The way for reactions is open too, or isn't any more.
    pub(super) fn set_reactions(&mut self, id: ParticipantId, stream: Option<u16>) {
        if let Some(Outlet::Channel { reactions, .. }) = self.by_id.get_mut(&id) {
            *reactions = stream;
        }
    }

    /// A socket is closed by its outlet's going; a data channel's session is given back, for the channel to be closed.
    pub(super) fn remove(&mut self, id: ParticipantId) -> Option<SessionId> {
        let Some(Outlet::Channel { session, .. }) = self.by_id.remove(&id) else {
            return None;
        };
        if self.sessions.get(&session) == Some(&id) {
            self.sessions.remove(&session);
        }
        Some(session)
    }

    /// All who are there.
    pub(super) fn participants(&self) -> Vec<ParticipantId> {
        self.by_id.keys().copied().collect()
    }

    pub(super) fn participant(&self, session: SessionId) -> Option<ParticipantId> {
        self.sessions.get(&session).copied()
    }

    /// The sessions that have data channels.
    pub(super) fn sessions(&self) -> Vec<SessionId> {
        self.sessions.keys().copied().collect()
    }

    pub(super) fn dispatch(&self, to: &[ParticipantId], lane: Lane, frame: &Arc<str>) -> Dispatch {
        let mut dispatch = Dispatch::default();
        for id in to {
            match self.by_id.get(id) {
                Some(Outlet::Channel {
                    session,
                    chat,
                    reactions,
                }) => {
                    let channel = match lane {
                        Lane::Chat => *chat,
                        Lane::Reactions => reactions.unwrap_or(*chat),
                    };
                    dispatch.messages.push(DataMessage {
                        session: *session,
                        channel,
                        text: Arc::clone(frame),
                    });
                }
                Some(Outlet::Socket(socket)) => {
                    let taken = socket.try_send(Arc::clone(frame)).is_ok();
                    dispatch.known.push((*id, taken));
                }
                None => dispatch.known.push((*id, false)),
            }
        }
        dispatch
    }
}
