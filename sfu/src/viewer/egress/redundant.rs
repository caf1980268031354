//! Sound with copies of the packets before it (RFC 2198), for a viewer whose path loses packets.

use arrayvec::ArrayVec;

use super::{Egress, Item, Stamp, TransportHistory, Wire};
use crate::{
    media::Layer,
    rtp::red::{self, Block},
    viewer::MAX_COPIES,
};

/// Copies mustn't make a datagram longer than what every path carries.
const MAX_DATAGRAM: usize = 1_200;

impl Egress {
    /// Sends packets of sound, each with up to `copies` of those before it. A copy that is no more in the cache, or never
    /// was, is left out, as is one that doesn't fit; a packet without any goes as it is.
    pub(crate) fn send_redundantly(
        &mut self,
        copies: usize,
        (index, layer): (u8, &Layer),
        items: &[Item<'_>],
        history: &mut TransportHistory,
        wire: &mut Wire<'_>,
    ) {
        for item in items {
            let blocks = self.blocks(copies, (index, layer), item, wire.sealer.tag_len());
            if blocks.is_empty() {
                self.send(index, std::slice::from_ref(item), history, wire);
            } else {
                self.send_with(&blocks, index, item, history, wire);
            }
        }
    }

    /// The copies that a packet goes with, the oldest first: of packets that this viewer was sent under the numbers before
    /// its own, of the same source.
    fn blocks<'a>(
        &mut self,
        copies: usize,
        (index, layer): (u8, &'a Layer),
        item: &Item<'_>,
        tag: usize,
    ) -> ArrayVec<Block<'a>, MAX_COPIES> {
        let mut blocks = ArrayVec::new();
        let Some(highest) = layer
            .cache
            .highest()
            .filter(|_| !item.rewrite.changes.empty)
        else {
            return blocks;
        };
        let primary = item.packet.payload;
        let mut room = MAX_DATAGRAM
            .saturating_sub(self.header.length(item.packet.extras) + tag)
            .saturating_sub(red::length(&[], primary));
        let number = item.rewrite.sequence;
        let before = (self.forwarder.begun()..number).rev();
        for number in before.take(copies.min(MAX_COPIES)) {
            let source = self.sent.find(number as u16);
            let source = source.filter(|s| s.layer == index && !s.changes.empty);
            let block = source.and_then(|source| {
                let packet = layer.cache.get(source.sequence(highest)?)?;
                Block::new(item.rewrite.timestamp, source.timestamp, packet.payload)
            });
            let Some(block) = block else { continue };
            let Some(left) = room.checked_sub(block.cost()) else {
                break;
            };
            room = left;
            blocks.push(block);
            self.sent.mark_copied(number as u16);
        }
        blocks.reverse();
        blocks
    }

    fn send_with(
        &mut self,
        blocks: &[Block<'_>],
        layer: u8,
        item: &Item<'_>,
        history: &mut TransportHistory,
        wire: &mut Wire<'_>,
    ) {
        let Some((selected, payload_type)) = self.selected.and_then(|s| Some((s, s.red?))) else {
            return;
        };
        let (packet, rewrite) = (&item.packet, item.rewrite);
        let header = self.header.length(packet.extras);
        let payload = red::length(blocks, packet.payload);
        let total = header + payload + wire.sealer.tag_len();
        let (sealer, now, send_time) = (wire.sealer, wire.now, wire.send_time);
        let Some(target) = wire.room(total).get_mut(..total) else {
            return;
        };
        let stamp = Stamp {
            payload_type,
            marker: packet.info.marker || rewrite.changes.marker,
            padding: false,
            sequence: rewrite.sequence as u16,
            timestamp: rewrite.timestamp,
            ssrc: self.ssrc,
            transport_sequence: history.depart(now, total, 0),
            send_time,
            frame_number: 0,
        };
        self.header.write(target, &stamp, packet.extras);
        let room = &mut target[header..header + payload];
        red::write(room, selected.payload_type, blocks, packet.payload);
        sealer.seal_rtp(target, header, rewrite.sequence);
        if let Some(sealed) = &mut self.sealed {
            sealed.keep(rewrite.sequence, target);
        }
        let milliseconds = history.milliseconds(now);
        self.sent.record(milliseconds, rewrite, layer, item.source);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload as u32);
        wire.push(total, total);
    }
}
