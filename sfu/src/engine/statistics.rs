//! What the platform can ask about sessions.

use std::time::{Duration, Instant};

use super::Engine;
use crate::{
    ChannelName, MediaKind, Path, Reject, SessionId,
    codec::Codec,
    session::Role,
    srtp::Profile,
    viewer::{Sent, SubLayerCap},
};

/// Counted since the worker began.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) packets_in: u64,
    pub(super) bytes_in: u64,
    pub(super) packets_out: u64,
    pub(super) bytes_out: u64,
    pub(super) rejected: u64,
    pub(super) unread: u64,
    pub(super) keyframe_requests: u64,
}

impl Totals {
    pub(super) fn add_sent(&mut self, sent: Sent) {
        self.packets_out += sent.packets;
        self.bytes_out += sent.bytes;
    }
}

/// One worker's figures.
#[derive(Debug, Clone, Default)]
pub struct EngineStatistics {
    /// Datagrams taken from peers, and their bytes.
    pub packets_in: u64,
    /// See `packets_in`.
    pub bytes_in: u64,
    /// Media packets sent to viewers, and their bytes; a retransmission counts again.
    pub packets_out: u64,
    /// See `packets_out`.
    pub bytes_out: u64,
    /// Datagrams that were malformed, forged or replayed.
    pub rejected: u64,
    /// Reports of viewers thrown away in a hurry. See [`Engine::hurry`].
    pub unread: u64,
    /// Keyframes that publishers were asked for.
    pub keyframe_requests: u64,
    /// Bytes of memory that packet caches hold.
    pub cached_bytes: u64,
    /// Each session.
    pub sessions: Vec<SessionStatistics>,
}

/// How a viewer's picture relates to our wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoClock {
    /// The viewer's session.
    pub session: SessionId,
    /// An RTP timestamp of its video, at 90 kHz.
    pub rtp: u32,
    /// What our clock says, or said, when a picture of that timestamp was captured, or arrived while that isn't known.
    pub since_1970: Duration,
}

/// One session's figures.
#[derive(Debug, Clone)]
pub struct SessionStatistics {
    /// The session.
    pub session: SessionId,
    /// Its channel.
    pub channel: ChannelName,
    /// A publisher; else a viewer.
    pub publisher: bool,
    /// ICE and DTLS are done.
    pub connected: bool,
    /// Since it was accepted.
    pub age: Duration,
    /// Where its media goes.
    pub path: Option<Path>,
    /// How its media is sealed.
    pub profile: Option<Profile>,
    /// Media packets from a publisher, or to a viewer, and their bytes.
    pub packets: u64,
    /// See `packets`.
    pub bytes: u64,
    /// Packets lost on the way from a publisher.
    pub lost: u64,
    /// Packets sent again to a viewer.
    pub resent: u64,
    /// Keyframes that a publisher was asked for, or that a viewer asked for.
    pub keyframe_requests: u64,
    /// Round trip, once known.
    pub rtt: Option<Duration>,
    /// Share of a viewer's packets lost lately, 0 to 1.
    pub loss: f32,
    /// What arrived at a viewer lately, in bits per second, where it sends transport-wide feedback.
    pub delivered: u64,
    /// What a viewer's path is believed to carry, in bits per second.
    pub estimate: u64,
    /// A publisher's layers; a viewer's current one.
    pub layers: Vec<LayerStatistics>,
}

/// One layer's figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerStatistics {
    /// Audio or video.
    pub kind: MediaKind,
    /// Its rid; empty without simulcast.
    pub rid: String,
    /// Its codec, once known.
    pub codec: Option<Codec>,
    /// Picture size; 0 before it is known, and for audio.
    pub width: u16,
    /// See `width`.
    pub height: u16,
    /// Smoothed, in bits per second.
    pub bitrate: u64,
    /// Packets came lately.
    pub flowing: bool,
    /// Its spatial and temporal layers, from the least bitrate to the most; a viewer's are those that it gets.
    pub sub_layers: Vec<SubLayerStatistics>,
}

/// A spatial and a temporal layer of an encoding with all that they need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubLayerStatistics {
    /// The spatial layer, 0 the smallest.
    pub spatial: u8,
    /// The temporal layer, 0 the slowest.
    pub temporal: u8,
    /// Picture size; 0 where nothing tells it.
    pub width: u16,
    /// See `width`.
    pub height: u16,
    /// With all below it, smoothed, in bits per second.
    pub bitrate: u64,
}

impl Engine {
    /// The figures at `now`.
    pub fn statistics(&self, now: Instant) -> EngineStatistics {
        EngineStatistics {
            packets_in: self.totals.packets_in,
            bytes_in: self.totals.bytes_in,
            packets_out: self.totals.packets_out,
            bytes_out: self.totals.bytes_out,
            rejected: self.totals.rejected,
            unread: self.totals.unread,
            keyframe_requests: self.totals.keyframe_requests,
            cached_bytes: self.cached_bytes() as u64,
            sessions: self
                .sessions
                .iter()
                .map(|(_, session)| self.session_statistics(now, session))
                .collect(),
        }
    }

    /// A publisher's layers at `now`, or a viewer's current ones.
    ///
    /// # Errors
    /// [`Reject::NoSession`].
    pub fn session_layers(
        &self,
        now: Instant,
        session: SessionId,
    ) -> Result<Vec<LayerStatistics>, Reject> {
        let index = self.index_of(session).ok_or(Reject::NoSession)?;
        Ok(self.layers(now, &self.sessions[index]))
    }

    /// The RTP timestamp of the picture that a viewer gets now, and what our wall clock says; `None` while it gets none.
    pub fn video_clock(&self, now: Instant, session: SessionId) -> Option<VideoClock> {
        let session = &self.sessions[self.index_of(session)?];
        let Role::Viewer(viewer) = &session.role else {
            return None;
        };
        let channel = self.channels.get(session.channel)?;
        let rtp = viewer.video_time(now, self.wall(now), channel)?;
        let since_1970 = self.config.unix_time + now.saturating_duration_since(self.started);
        Some(VideoClock {
            session: session.id,
            rtp,
            since_1970,
        })
    }

    fn session_statistics(
        &self,
        now: Instant,
        session: &crate::session::Session,
    ) -> SessionStatistics {
        let mut statistics = SessionStatistics {
            session: session.id,
            channel: session.channel_name.clone(),
            publisher: matches!(session.role, Role::Publisher(_)),
            connected: session.connected,
            age: now.saturating_duration_since(session.started),
            path: session.transport.path(),
            profile: session.transport.stats().profile(),
            packets: 0,
            bytes: 0,
            lost: 0,
            resent: 0,
            keyframe_requests: 0,
            rtt: None,
            loss: 0.0,
            delivered: 0,
            estimate: 0,
            layers: self.layers(now, session),
        };
        match &session.role {
            Role::Publisher(publisher) => {
                (statistics.packets, statistics.bytes) = (publisher.packets, publisher.bytes);
                statistics.lost = publisher.lost;
                statistics.keyframe_requests = publisher.keyframe_requests;
                statistics.rtt = publisher.round_trip();
            }
            Role::Viewer(viewer) => {
                (statistics.packets, statistics.bytes) = (viewer.sent.packets, viewer.sent.bytes);
                statistics.resent = viewer.resent;
                statistics.keyframe_requests = viewer.keyframe_requests;
                statistics.rtt = viewer.path.rtt;
                statistics.loss = viewer.path.loss;
                statistics.delivered = viewer.path.delivered;
                statistics.estimate = viewer.estimate();
            }
        }
        statistics
    }

    fn layers(&self, now: Instant, session: &crate::session::Session) -> Vec<LayerStatistics> {
        let Some(channel) = self.channels.get(session.channel) else {
            return Vec::new();
        };
        let mut layers = Vec::new();
        let cap = match &session.role {
            Role::Publisher(_) => SubLayerCap::ALL,
            Role::Viewer(viewer) => viewer.sub_layers(),
        };
        for track in channel.tracks.iter().flatten() {
            for (place, layer) in track.layers.iter().enumerate() {
                if let Role::Viewer(viewer) = &session.role
                    && viewer.current_layer(track.kind) != Some(place as u8)
                {
                    continue;
                }
                layers.push(LayerStatistics {
                    kind: track.kind,
                    rid: layer.rid.clone(),
                    codec: track
                        .payload()
                        .filter(|_| track.is_flowing())
                        .map(|p| p.codec),
                    width: layer.size.0,
                    height: layer.size.1,
                    bitrate: layer.bitrate,
                    flowing: layer.flowing(now),
                    sub_layers: layer
                        .sublayers()
                        .filter(|s| s.spatial <= cap.spatial && s.temporal <= cap.temporal)
                        .map(|s| SubLayerStatistics {
                            spatial: s.spatial,
                            temporal: s.temporal,
                            width: s.size.0,
                            height: s.size.1,
                            bitrate: s.bitrate,
                        })
                        .collect(),
                });
            }
        }
        layers
    }
}
