//! Which SSRC of a publisher carries what.

use arrayvec::ArrayVec;

use crate::{
    MediaKind,
    rtcp::{NackGenerator, ReceiveStatistics},
    rtp::{Extension, Packet, SequenceUnwrapper},
    sdp::{IncomingTrack, PublisherSession},
};

/// SSRCs of one publisher at most: audio, and up to nine layers with their repairs. Packets of further ones are dropped.
pub(super) const MAX_STREAMS: usize = 20;

/// What an SSRC carries of its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Media,
    /// Retransmissions (RFC 4588).
    Repair,
}

/// One SSRC.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) ssrc: u32,
    pub(super) kind: MediaKind,
    pub(super) layer: u8,
    pub(super) role: Role,
    pub(super) unwrapper: SequenceUnwrapper,
    pub(super) statistics: ReceiveStatistics,
    pub(super) nacks: NackGenerator,
    /// The timestamp of a keyframe that comes while older packets are missed, and where it begins.
    pub(super) keyframe: Option<(u32, u64)>,
    pub(super) full_intra_requests: u8,
}

/// What [`Streams::find`] found.
pub(super) enum Found<'a> {
    Known(&'a mut Stream),
    /// A new SSRC took the place of another one that had media.
    Replaced,
    Unknown,
}

/// All SSRCs of one publisher, in the order they were met.
#[derive(Debug)]
pub(super) struct Streams {
    known: Vec<Stream>,
    /// SSRCs that others replaced, the newest last: what still comes of them is late.
    retired: ArrayVec<u32, MAX_STREAMS>,
}

impl Streams {
    /// Those that the offer named (`a=ssrc`).
    pub(super) fn new(session: &PublisherSession) -> Self {
        let mut streams = Self {
            known: Vec::new(),
            retired: ArrayVec::new(),
        };
        for track in session.tracks.iter().filter(|t| t.rids.is_empty()) {
            if let Some(group) = track.ssrcs.first() {
                streams.add(group.ssrc, track.kind, 0, Role::Media);
                if let Some(repair) = group.rtx {
                    streams.add(repair, track.kind, 0, Role::Repair);
                }
            }
        }
        streams
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Stream> {
        self.known.iter()
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.known.iter_mut()
    }

    pub(super) fn of_ssrc(&mut self, ssrc: u32) -> Option<&mut Stream> {
        self.known.iter_mut().find(|s| s.ssrc == ssrc)
    }

    /// The stream of a layer's media.
    pub(super) fn media(&mut self, kind: MediaKind, layer: u8) -> Option<&mut Stream> {
        self.known
            .iter_mut()
            .find(|s| s.role == Role::Media && (s.kind, s.layer) == (kind, layer))
    }

    /// The stream of a packet, by SSRC; a new one is told by its rid, its mid or its payload type, in this order
    /// (RFC 8843 §9.2, RFC 8852 §3): OBS sends no mid on audio, and rid "0" without simulcast.
    pub(super) fn find(&mut self, packet: &Packet<'_>, session: &PublisherSession) -> Found<'_> {
        if let Some(known) = self.known.iter().position(|s| s.ssrc == packet.ssrc()) {
            return Found::Known(&mut self.known[known]);
        }
        let Some((track, layer, role)) = identify(packet, session) else {
            return Found::Unknown;
        };
        let former = |s: &Stream| (s.kind, s.layer, s.role) == (track.kind, layer, role);
        let replaces = self
            .known
            .iter()
            .any(|s| former(s) && s.unwrapper.highest().is_some());
        if self.retired.contains(&packet.ssrc()) {
            return Found::Unknown;
        }
        for gone in self.known.extract_if(.., |s| former(s)) {
            if self.retired.is_full() {
                self.retired.remove(0);
            }
            if gone.unwrapper.highest().is_some() {
                self.retired.push(gone.ssrc);
            }
        }
        match self.add(packet.ssrc(), track.kind, layer, role) {
            // Repairs are matched by the number of what they repair: a new SSRC changes nothing.
            Some(_) if replaces && role == Role::Media => Found::Replaced,
            Some(stream) => Found::Known(stream),
            None => Found::Unknown,
        }
    }

    fn add(&mut self, ssrc: u32, kind: MediaKind, layer: u8, role: Role) -> Option<&mut Stream> {
        if self.known.len() >= MAX_STREAMS || self.known.iter().any(|s| s.ssrc == ssrc) {
            return None;
        }
        self.known.push(Stream {
            ssrc,
            kind,
            layer,
            role,
            unwrapper: SequenceUnwrapper::default(),
            statistics: ReceiveStatistics::new(ssrc),
            nacks: NackGenerator::new(kind),
            keyframe: None,
            full_intra_requests: 0,
        });
        self.known.last_mut()
    }
}

fn identify<'s>(
    packet: &Packet<'_>,
    session: &'s PublisherSession,
) -> Option<(&'s IncomingTrack, u8, Role)> {
    let text = |extension| {
        let id = session.extensions.id(extension)?;
        let value = packet.extensions().find(|&(seen, _)| seen == id)?.1;
        std::str::from_utf8(value).ok()
    };
    let by_payload = session.tracks.iter().find_map(|track| {
        let payload_type = packet.payload_type();
        let media = track
            .payloads
            .iter()
            .any(|p| p.payload_type == payload_type);
        let repair = track.payloads.iter().any(|p| p.rtx == Some(payload_type));
        (media || repair).then_some((track, if media { Role::Media } else { Role::Repair }))
    });
    let (track, role) = match text(Extension::Mid) {
        Some(mid) => {
            let track = session.tracks.iter().find(|t| t.mid == mid)?;
            (track, by_payload.filter(|(t, _)| t.mid == track.mid)?.1)
        }
        None => by_payload?,
    };
    if track.rids.is_empty() {
        return Some((track, 0, role));
    }
    let rid = match role {
        Role::Media => text(Extension::Rid)?,
        Role::Repair => text(Extension::RepairedRid)?,
    };
    let layer = track.rids.iter().position(|known| known == rid)?;
    Some((track, layer as u8, role))
}
