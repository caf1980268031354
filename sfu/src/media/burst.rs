//! Packets of one layer that arrived together, on their way to another worker.

use super::{Extras, Layer, MediaPacket, PacketInfo};
use crate::{ChannelName, MediaKind, SessionId};

/// A shared copy of packets that arrived together, made once however many workers and viewers want it.
#[derive(Debug)]
pub struct Burst {
    /// The channel.
    pub(crate) channel: ChannelName,
    /// The publisher's session: another one's bursts are stale.
    pub(crate) feed: SessionId,
    /// Audio or video.
    pub(crate) kind: MediaKind,
    /// The layer's place in its track.
    pub(crate) layer: u8,
    /// The payload type, in the publisher's numbering.
    pub(crate) payload_type: u8,
    /// Packets from before the subscription, for the cache: viewers get them at their own pace.
    pub(crate) backlog: bool,
    pub(crate) packets: Vec<BurstPacket>,
    pub(crate) bytes: Vec<u8>,
}

/// One packet of a [`Burst`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct BurstPacket {
    pub(crate) sequence: u64,
    pub(crate) info: PacketInfo,
    extras: u16,
    payload: u16,
}

impl Burst {
    /// Copies `sequences` out of a layer's cache.
    pub(crate) fn collect(
        channel: &ChannelName,
        feed: SessionId,
        (kind, layer): (MediaKind, u8),
        source: &Layer,
        sequences: impl ExactSizeIterator<Item = u64>,
        backlog: bool,
    ) -> Self {
        let mut burst = Self {
            channel: channel.clone(),
            feed,
            kind,
            layer,
            payload_type: source.payload_type,
            backlog,
            packets: Vec::with_capacity(sequences.len()),
            bytes: Vec::with_capacity(sequences.len() * 1280),
        };
        for sequence in sequences {
            let Some(packet) = source.cache.get(sequence) else {
                continue;
            };
            burst.bytes.extend_from_slice(packet.extras.as_bytes());
            burst.bytes.extend_from_slice(packet.payload);
            burst.packets.push(BurstPacket {
                sequence,
                info: packet.info,
                extras: packet.extras.as_bytes().len() as u16,
                payload: packet.payload.len() as u16,
            });
        }
        burst
    }

    /// The packets in the order they arrived, with their extended sequence numbers.
    pub(crate) fn packets(&self) -> impl Iterator<Item = (u64, MediaPacket<'_>)> {
        let mut rest = self.bytes.as_slice();
        self.packets.iter().map_while(move |packet| {
            let (extras, after) = rest.split_at_checked(usize::from(packet.extras))?;
            let (payload, after) = after.split_at_checked(usize::from(packet.payload))?;
            rest = after;
            Some((
                packet.sequence,
                MediaPacket {
                    info: packet.info,
                    extras: Extras::from_bytes(extras),
                    payload,
                },
            ))
        })
    }
}
