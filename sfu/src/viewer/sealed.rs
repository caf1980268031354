//! Packets as they were sent, for viewers that get lost ones again without RTX.

use crate::MediaKind;

/// Room for one datagram.
const SLOT_BYTES: usize = 1500;

/// The last sealed packets of one track, by sequence number. Larger ones than 1,500 bytes aren't kept.
#[derive(Debug)]
pub(crate) struct SealedPackets {
    bytes: Box<[u8]>,
    slots: Box<[Slot]>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    sequence: u16,
    length: u16,
}

impl SealedPackets {
    /// Room for about a second: 384 KB for video, 96 KB for audio.
    pub(crate) fn new(kind: MediaKind) -> Self {
        let slots = match kind {
            MediaKind::Audio => 64,
            MediaKind::Video => 256,
        };
        Self {
            bytes: vec![0; slots * SLOT_BYTES].into(),
            slots: vec![Slot::default(); slots].into(),
        }
    }

    pub(crate) fn keep(&mut self, sequence: u64, datagram: &[u8]) {
        if datagram.len() > SLOT_BYTES {
            return;
        }
        let index = sequence as usize & (self.slots.len() - 1);
        self.bytes[index * SLOT_BYTES..][..datagram.len()].copy_from_slice(datagram);
        self.slots[index] = Slot {
            sequence: sequence as u16,
            length: datagram.len() as u16,
        };
    }

    pub(crate) fn get(&self, sequence: u16) -> Option<&[u8]> {
        let index = usize::from(sequence) & (self.slots.len() - 1);
        let slot = self.slots[index];
        let kept = slot.length > 0 && slot.sequence == sequence;
        kept.then(|| &self.bytes[index * SLOT_BYTES..][..usize::from(slot.length)])
    }
}
