//! RTCP: what peers report and ask for, and what they are told. `docs/rtcp.md` is the policy.

use std::time::Instant;

use super::{CNAME, Engine, fanout::with_wire};
use crate::{
    MediaKind, Output, PeerMessage,
    media::Feed,
    rtcp::{self, Rtcp, Writer},
    session::{Role, Session},
    viewer::KeyframeNeed,
};

impl Engine {
    /// Takes an opened RTCP compound.
    pub(super) fn on_rtcp(
        &mut self,
        now: Instant,
        index: usize,
        packet: &[u8],
        out: &mut dyn Output,
    ) {
        for parsed in rtcp::packets(packet) {
            let Ok(parsed) = parsed else {
                self.totals.rejected += 1;
                break;
            };
            match self.sessions.get(index).map(|s| &s.role) {
                Some(Role::Publisher(_)) => self.on_publisher_rtcp(now, index, &parsed, out),
                Some(Role::Viewer(_)) => self.on_viewer_rtcp(now, index, parsed, out),
                None => return,
            }
        }
        self.reschedule(now, index);
    }

    fn on_publisher_rtcp(
        &mut self,
        now: Instant,
        index: usize,
        packet: &Rtcp<'_>,
        out: &mut dyn Output,
    ) {
        let wall = self.wall(now);
        let session = &mut self.sessions[index];
        let Role::Publisher(publisher) = &mut session.role else {
            return;
        };
        let (ssrc, ntp, rtp) = match packet {
            Rtcp::SenderReport { ssrc, ntp, rtp, .. } => (*ssrc, *ntp, *rtp),
            Rtcp::ExtendedReport { blocks, .. } => return publisher.on_extended(wall, blocks),
            _ => return,
        };
        let Some((kind, layer, clock)) = publisher.on_sender_report(now, wall, ssrc, (ntp, rtp))
        else {
            return;
        };
        let channel = self.channels.get_mut(session.channel);
        let Some(channel) = channel.filter(|c| c.feed.session() == Some(session.id)) else {
            return;
        };
        if let Some(known) = channel
            .track_mut(kind)
            .and_then(|t| t.layers.get_mut(usize::from(layer)))
        {
            known.clock = Some(clock);
        }
        for &worker in &channel.subscribers {
            let channel = channel.name.clone();
            out.peer(
                worker,
                PeerMessage::Clock {
                    channel,
                    feed: session.id,
                    kind,
                    layer,
                    clock,
                },
            );
        }
    }

    fn on_viewer_rtcp(
        &mut self,
        now: Instant,
        index: usize,
        packet: Rtcp<'_>,
        out: &mut dyn Output,
    ) {
        let wall = self.wall(now);
        let session = &mut self.sessions[index];
        let channel_index = session.channel;
        let (Some(channel), Role::Viewer(viewer)) =
            (self.channels.get(channel_index), &mut session.role)
        else {
            return;
        };
        match packet {
            Rtcp::ReceiverReport { reports, .. } | Rtcp::SenderReport { reports, .. } => {
                for block in reports {
                    viewer.on_report((now, wall), &block);
                }
            }
            Rtcp::TransportFeedback(feedback) => {
                viewer.on_feedback(now, &feedback);
                let need = viewer.retarget(now, channel);
                let sent = with_wire(
                    session,
                    &mut self.scratch,
                    (now, wall),
                    out,
                    |viewer, wire| viewer.resend_missing(channel, wire),
                );
                self.totals.add_sent(sent);
                self.need_keyframe(now, channel_index, need, out);
            }
            Rtcp::Remb { bitrate, .. } => viewer.on_remb(now, bitrate),
            Rtcp::Nack { media, lost, .. } => {
                let sent = with_wire(
                    session,
                    &mut self.scratch,
                    (now, wall),
                    out,
                    |viewer, wire| {
                        viewer.on_nack(media, lost, channel, wire);
                    },
                );
                self.totals.add_sent(sent);
            }
            Rtcp::PictureLoss { media, .. } => {
                let need = viewer.on_keyframe_request(now, media, channel);
                self.answer_keyframe_request(now, index, need, out);
            }
            Rtcp::FullIntra { mut requests, .. } => {
                let need = requests
                    .next()
                    .and_then(|request| viewer.on_refresh_request(now, request, channel));
                self.need_keyframe(now, channel_index, need, out);
            }
            Rtcp::SourceDescription
            | Rtcp::Goodbye { .. }
            | Rtcp::ExtendedReport { .. }
            | Rtcp::Other { .. } => {}
        }
    }

    /// Asks for what a viewer's request needs, and sends what it may get of the cache if it begins with that.
    fn answer_keyframe_request(
        &mut self,
        now: Instant,
        index: usize,
        need: Option<KeyframeNeed>,
        out: &mut dyn Output,
    ) {
        let session = &self.sessions[index];
        let begins = matches!(&session.role, Role::Viewer(viewer) if viewer.is_catching_up());
        self.need_keyframe(now, session.channel, need, out);
        if begins {
            self.pump(now, index, out);
        }
    }

    /// Somebody needs a keyframe: the feed is asked, once for all who do.
    pub(super) fn need_keyframe(
        &mut self,
        now: Instant,
        channel: usize,
        need: Option<KeyframeNeed>,
        out: &mut dyn Output,
    ) {
        let Some(need) = need else { return };
        let Some(known) = self.channels.get_mut(channel) else {
            return;
        };
        let layer = known
            .track_mut(MediaKind::Video)
            .and_then(|t| t.layers.get_mut(usize::from(need.layer)));
        if layer.is_some_and(|l| l.keyframes.request(now)) {
            self.ask_keyframe(channel, need.layer, out);
        }
    }

    /// Asks the feed of a channel for a keyframe.
    pub(super) fn ask_keyframe(&mut self, channel: usize, layer: u8, out: &mut dyn Output) {
        let Some(known) = self.channels.get(channel) else {
            return;
        };
        match known.feed {
            Feed::None => {}
            Feed::Remote { session, .. } => {
                out.peer(
                    session.worker,
                    PeerMessage::KeyframeRequest {
                        channel: known.name.clone(),
                        layer,
                    },
                );
            }
            Feed::Local { index, .. } => {
                self.totals.keyframe_requests += 1;
                if let Some(session) = self.sessions.get_mut(index) {
                    send_rtcp(session, &mut self.rtcp, out, |role, writer| {
                        if let Role::Publisher(publisher) = role {
                            publisher.write_keyframe_request(layer, writer);
                        }
                    });
                }
            }
        }
    }

    /// Sends the reports and feedback of a session that are due.
    pub(super) fn report(&mut self, now: Instant, index: usize, out: &mut dyn Output) {
        let wall = self.wall(now);
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let channel_index = session.channel;
        let Some(channel) = self.channels.get(channel_index) else {
            return;
        };
        while send_rtcp(session, &mut self.rtcp, out, |role, writer| match role {
            Role::Publisher(publisher) => publisher.write_feedback((now, wall), writer),
            Role::Viewer(viewer) => viewer.report(now, wall, channel, CNAME, writer),
        }) {}
        let overdue = match &mut session.role {
            Role::Publisher(publisher) => publisher.take_overdue(),
            Role::Viewer(_) => 0,
        };
        for layer in (0..64u8).filter(|layer| overdue & 1 << layer != 0) {
            let need = KeyframeNeed {
                kind: MediaKind::Video,
                layer,
            };
            self.need_keyframe(now, channel_index, Some(need), out);
        }
    }
}

/// Sends one RTCP compound, if `write` writes any: then true.
fn send_rtcp(
    session: &mut Session,
    buffer: &mut Vec<u8>,
    out: &mut dyn Output,
    write: impl FnOnce(&mut Role, &mut Writer<'_>),
) -> bool {
    let Some(path) = session.transport.path() else {
        return false;
    };
    let Some(sealer) = session.transport.sealer() else {
        return false;
    };
    buffer.clear();
    write(&mut session.role, &mut Writer::new(buffer));
    if buffer.is_empty() {
        return false;
    }
    sealer.seal_rtcp(buffer);
    out.send(path, buffer, buffer.len());
    true
}
