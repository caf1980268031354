//! What fills a probe that media alone doesn't: it goes on the retransmissions' SSRC, where players ignore what they have.

use super::{Egress, Stamp, TransportHistory, Wire};
use crate::media::{Extras, Track};

impl Egress {
    /// Sends the packet that left so many before the last one again, as RTX: it fills a probe. False if it can't be had any
    /// more.
    pub(crate) fn repeat(
        &mut self,
        back: u32,
        track: &Track,
        history: &mut TransportHistory,
        wire: &mut Wire<'_>,
    ) -> bool {
        let recent = self.sent.recent(back).filter(|_| self.has_rtx());
        let cached = recent.and_then(|(sequence, source)| {
            let layer = track.layers.get(usize::from(source.layer))?;
            let highest = layer.cache.highest()?;
            layer.cache.get(source.sequence(highest)?)?;
            Some((sequence, source, layer))
        });
        let Some((sequence, source, layer)) = cached else {
            return false;
        };
        self.resend((sequence, false), source, layer, history, wire);
        true
    }

    /// Sends an RTX packet of padding alone (RFC 3550 §5.1), as libwebrtc fills its probes: it repeats nothing.
    pub(crate) fn pad(&mut self, history: &mut TransportHistory, wire: &mut Wire<'_>) {
        let Some(payload_type) = self.selected.and_then(|selected| selected.rtx) else {
            return;
        };
        let header = self.header.length(Extras::default());
        let end = header + usize::from(u8::MAX);
        let total = end + wire.sealer.tag_len();
        let (sealer, now, send_time) = (wire.sealer, wire.now, wire.send_time);
        let Some(target) = wire.room(total).get_mut(..total) else {
            return;
        };
        let stamp = Stamp {
            payload_type,
            marker: false,
            padding: true,
            sequence: self.rtx_next as u16,
            timestamp: self.sent.last_timestamp(),
            ssrc: self.rtx_ssrc,
            transport_sequence: history.depart(now, total, 0),
            send_time,
            frame_number: 0,
        };
        self.header.write(target, &stamp, Extras::default());
        target[header..end].fill(0);
        target[end - 1] = u8::MAX;
        sealer.seal_rtp(target, header, self.rtx_next);
        self.rtx_next += 1;
        wire.push(total, total);
    }
}
