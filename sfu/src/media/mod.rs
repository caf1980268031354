//! What a broadcast is made of: channels, their tracks and layers, and the packets held of them.

mod burst;
mod cache;
mod channel;
mod extras;
mod layer;
mod track;

pub use burst::Burst;
pub(crate) use cache::PacketCache;
pub(crate) use channel::{Channel, Feed};
pub(crate) use extras::{Extras, ExtrasBuffer};
pub use layer::SenderClock;
pub(crate) use layer::{Layer, Pushed};
pub use track::PublishedLayers;
pub(crate) use track::{PayloadChange, PublishedTrack, Track};

/// What forwarding must know of a packet, beside its bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PacketInfo {
    /// RTP timestamp, in the publisher's clock.
    pub timestamp: u32,
    /// RTP marker: the last packet of a frame (video), the first of a talk spurt (audio).
    pub marker: bool,
    /// Begins a keyframe, or carries its parameter sets.
    pub keyframe: bool,
    /// Picture size, where this packet tells it; 0×0 otherwise.
    pub size: (u16, u16),
    /// Temporal layer, 0 the base.
    pub temporal_layer: u8,
}

/// One opened packet: payload and the header extensions that are passed on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MediaPacket<'a> {
    pub(crate) info: PacketInfo,
    pub(crate) extras: Extras<'a>,
    /// Without padding. Empty for packets that were padding only: those are never forwarded.
    pub(crate) payload: &'a [u8],
}

/// The index of a media kind's track.
pub(crate) fn track_index(kind: crate::MediaKind) -> usize {
    match kind {
        crate::MediaKind::Audio => 0,
        crate::MediaKind::Video => 1,
    }
}
