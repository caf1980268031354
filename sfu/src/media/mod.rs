//! What a broadcast is made of: channels, their tracks and layers, and the packets held of them.

mod burst;
mod cache;
mod channel;
mod extras;
mod layer;
mod sublayers;
mod track;

pub use burst::Burst;
pub(crate) use cache::{MAX_LEAP, PacketCache};
pub(crate) use channel::{Channel, Feed};
pub(crate) use extras::{Extras, ExtrasBuffer};
pub use layer::SenderClock;
pub(crate) use layer::{Layer, Pushed};
pub(crate) use sublayers::{SUB_LAYERS, SubLayer, descriptor};
pub use track::PublishedLayers;
pub(crate) use track::{PayloadChange, PublishedTrack, Track};

use crate::codec::TemporalSwitch;

/// What forwarding must know of a packet, beside its bytes. Sixteen bytes: each packet in a cache has one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each says another thing")]
pub(crate) struct PacketInfo {
    /// RTP timestamp, in the publisher's clock.
    pub timestamp: u32,
    /// Picture size, where this packet tells it; 0×0 otherwise.
    pub size: (u16, u16),
    /// RTP marker: the last packet of a picture (video), the first of a talk spurt (audio).
    pub marker: bool,
    /// Begins a keyframe, or carries its parameter sets.
    pub keyframe: bool,
    /// Spatial layer, 0 the smallest.
    pub spatial_layer: u8,
    /// Temporal layer, 0 the base.
    pub temporal_layer: u8,
    /// The packet begins a spatial layer's frame.
    pub begins_frame: bool,
    /// The packet ends a spatial layer's frame.
    pub ends_frame: bool,
    /// The frame needs none of an earlier picture: a viewer may go up to its spatial layer.
    pub spatial_switch: bool,
    /// Whether a viewer may go up to more temporal layers with the frame.
    pub temporal_switch: TemporalSwitch,
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
