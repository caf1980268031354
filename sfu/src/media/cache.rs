//! The packets of one layer, kept for retransmission and for viewers who join.

use super::{Extras, MediaPacket, PacketInfo};

/// Bytes and packets that a cache starts with: about a second of a 2 Mbit/s layer.
const FIRST_BYTES: usize = 256 * 1024;
const FIRST_PACKETS: usize = 1024;
/// Numbers without a packet that are passed over at a time.
pub(crate) const MAX_LEAP: u64 = 2048;
/// Packets at the head of a keyframe that may still be under way when the rest of it is here.
const MAX_MISSING: u64 = 8;
/// Packets that a cache grows to at most, whatever their size.
const MAX_PACKETS: usize = 1 << 16;

/// A ring of packets by sequence number: payloads lie in one ring of bytes, oldest overwritten first.
///
/// The ring doubles, up to `limit` bytes, when it would otherwise overwrite the newest keyframe, so that it holds the
/// whole group of pictures that a joining viewer needs. At the limit the keyframe is lost and joiners wait for the next.
#[derive(Debug)]
pub(crate) struct PacketCache {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    /// Bytes ever written, skipped ring ends included: a slot is alive while `written - position <= bytes.len()`.
    written: u64,
    highest: Option<u64>,
    /// The first packet of the newest keyframe, while it is held.
    keyframe: Option<Keyframe>,
    limit: usize,
}

#[derive(Debug, Clone, Copy)]
struct Keyframe {
    first: u64,
    timestamp: u32,
    position: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// The extended sequence number plus one; 0 is an empty slot.
    tag: u64,
    position: u64,
    extras: u16,
    payload: u16,
    info: PacketInfo,
}

impl PacketCache {
    /// A cache that grows to at most `limit` bytes of packets.
    pub(crate) fn new(limit: usize) -> Self {
        let size = FIRST_BYTES.min(limit.next_power_of_two());
        Self {
            bytes: vec![0; size],
            slots: vec![Slot::default(); FIRST_PACKETS],
            written: 0,
            highest: None,
            keyframe: None,
            limit: limit.max(size),
        }
    }

    /// Keeps a packet. False if it is there already (a duplicate), older than what the ring reaches back to, or too
    /// large for it: then nothing changes.
    pub(crate) fn insert(&mut self, sequence: u64, packet: &MediaPacket<'_>) -> bool {
        let extras = packet.extras.as_bytes();
        let length = extras.len() + packet.payload.len();
        let highest = self.highest.unwrap_or(sequence);
        if length > self.bytes.len() / 4
            || u16::try_from(packet.payload.len()).is_err()
            || highest.saturating_sub(sequence) >= self.slots.len() as u64
            || self.slot(sequence).is_some()
        {
            return false;
        }
        self.keep_keyframe(sequence.max(highest), length);
        let position = self.reserve(length);
        let start = self.offset(position);
        self.bytes[start..start + extras.len()].copy_from_slice(extras);
        self.bytes[start + extras.len()..start + length].copy_from_slice(packet.payload);
        let index = self.index(sequence);
        self.slots[index] = Slot {
            tag: sequence + 1,
            position,
            extras: extras.len() as u16,
            payload: packet.payload.len() as u16,
            info: packet.info,
        };
        self.highest = Some(highest.max(sequence));
        self.note_keyframe(sequence, packet.info, position);
        true
    }

    /// The packet with this sequence number, while it is held.
    pub(crate) fn get(&self, sequence: u64) -> Option<MediaPacket<'_>> {
        let slot = self.slot(sequence)?;
        let start = self.offset(slot.position);
        let payload = start + usize::from(slot.extras);
        Some(MediaPacket {
            info: slot.info,
            extras: Extras::from_bytes(&self.bytes[start..payload]),
            payload: &self.bytes[payload..payload + usize::from(slot.payload)],
        })
    }

    /// The first sequence number of the newest keyframe, while it is held.
    pub(crate) fn keyframe(&self) -> Option<u64> {
        self.keyframe
            .filter(|k| self.slot(k.first).is_some())
            .map(|k| k.first)
    }

    /// Bytes from `sequence`, or the next packet that is held, to the live edge; `None` if nothing is held from there, or only
    /// far behind it: a source may leap.
    pub(crate) fn bytes_after(&self, sequence: u64) -> Option<u64> {
        let highest = self.highest?;
        let near = highest.min(sequence.saturating_add(MAX_LEAP));
        let first = (sequence..=near).find_map(|s| self.slot(s))?;
        Some(self.written - first.position)
    }

    /// How many packets are missing directly before `sequence`, if one that is held comes before them.
    pub(crate) fn missing_before(&self, sequence: u64) -> u64 {
        (0..MAX_MISSING)
            .find(|missing| {
                let before = sequence.checked_sub(missing + 1);
                before.is_some_and(|before| self.slot(before).is_some())
            })
            .unwrap_or(0)
    }

    /// The highest sequence number that was inserted.
    pub(crate) fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Bytes of memory held for packets.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Allows the ring to grow to `limit` bytes. A ring that is larger already stays as it is.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit.max(self.bytes.len());
    }

    fn slot(&self, sequence: u64) -> Option<&Slot> {
        let slot = &self.slots[self.index(sequence)];
        (slot.tag == sequence + 1 && self.alive(slot.position)).then_some(slot)
    }

    fn index(&self, sequence: u64) -> usize {
        (sequence & (self.slots.len() as u64 - 1)) as usize
    }

    fn offset(&self, position: u64) -> usize {
        (position & (self.bytes.len() as u64 - 1)) as usize
    }

    fn alive(&self, position: u64) -> bool {
        self.written - position <= self.bytes.len() as u64
    }

    /// Takes `length` bytes that don't straddle the ring's end.
    fn reserve(&mut self, length: usize) -> u64 {
        let start = self.offset(self.written);
        if start + length > self.bytes.len() {
            self.written += (self.bytes.len() - start) as u64;
        }
        let position = self.written;
        self.written += length as u64;
        position
    }

    /// Grows when writing `length` bytes, or the slot of `highest`, would overwrite the newest keyframe.
    fn keep_keyframe(&mut self, highest: u64, length: usize) {
        let Some(keyframe) = self.keyframe else {
            return;
        };
        let needed = self.written - keyframe.position + 2 * length as u64;
        if needed > self.bytes.len() as u64
            && self.alive(keyframe.position)
            && self.bytes.len() * 2 <= self.limit
        {
            self.resize(self.bytes.len() * 2, self.slots.len());
        }
        if highest - keyframe.first >= self.slots.len() as u64 && self.slots.len() < MAX_PACKETS {
            self.resize(self.bytes.len(), self.slots.len() * 2);
        }
    }

    /// Moves what is alive into larger rings, in the order it was written.
    fn resize(&mut self, bytes: usize, slots: usize) {
        let mut alive: Vec<Slot> = self
            .slots
            .iter()
            .filter(|slot| slot.tag != 0 && self.alive(slot.position))
            .copied()
            .collect();
        alive.sort_unstable_by_key(|slot| slot.position);
        let old = std::mem::replace(
            self,
            Self {
                bytes: vec![0; bytes],
                slots: vec![Slot::default(); slots],
                written: 0,
                highest: self.highest,
                keyframe: None,
                limit: self.limit,
            },
        );
        for mut slot in alive {
            let length = usize::from(slot.extras) + usize::from(slot.payload);
            let from = old.offset(slot.position);
            let position = self.reserve(length);
            let to = self.offset(position);
            self.bytes[to..to + length].copy_from_slice(&old.bytes[from..from + length]);
            if let Some(keyframe) = old.keyframe.filter(|k| k.position == slot.position) {
                self.keyframe = Some(Keyframe {
                    position,
                    ..keyframe
                });
            }
            slot.position = position;
            let index = self.index(slot.tag - 1);
            self.slots[index] = slot;
        }
    }

    /// A keyframe begins at the first packet that shares its timestamp: parameter sets often come in packets of their
    /// own before the slice that makes the frame a keyframe.
    fn note_keyframe(&mut self, sequence: u64, info: PacketInfo, position: u64) {
        match self.keyframe {
            Some(k) if k.timestamp == info.timestamp => {
                let earlier = Keyframe {
                    first: sequence,
                    position: position.min(k.position),
                    ..k
                };
                self.keyframe = Some(if sequence < k.first { earlier } else { k });
            }
            newest if info.keyframe && newest.is_none_or(|k| sequence > k.first) => {
                let mut first = (sequence, position);
                while let Some(slot) = first.0.checked_sub(1).and_then(|before| self.slot(before)) {
                    if slot.info.timestamp != info.timestamp {
                        break;
                    }
                    first = (first.0 - 1, slot.position);
                }
                self.keyframe = Some(Keyframe {
                    first: first.0,
                    timestamp: info.timestamp,
                    position: first.1,
                });
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn packet(timestamp: u32, keyframe: bool, payload: &[u8]) -> MediaPacket<'_> {
        MediaPacket {
            info: PacketInfo {
                timestamp,
                keyframe,
                ..PacketInfo::default()
            },
            extras: Extras::default(),
            payload,
        }
    }

    #[test]
    fn duplicates_are_refused_and_payloads_come_back() {
        let mut cache = PacketCache::new(1 << 20);
        assert!(cache.insert(70_000, &packet(1, true, b"first")));
        assert!(cache.insert(70_002, &packet(2, false, b"third")));
        assert!(cache.insert(70_001, &packet(2, false, b"second")));
        assert!(!cache.insert(70_001, &packet(2, false, b"other")));
        assert_eq!(cache.get(70_001).unwrap().payload, b"second");
        assert_eq!(cache.keyframe(), Some(70_000));
        assert!(cache.get(70_003).is_none());
    }

    #[test]
    fn the_group_of_pictures_survives_until_the_limit() {
        let mut cache = PacketCache::new(1 << 20);
        let payload = [7; 1000];
        cache.insert(1, &packet(0, true, &payload));
        for n in 2..=900 {
            cache.insert(n, &packet(n as u32, false, &payload));
        }
        assert_eq!(cache.keyframe(), Some(1));
        assert_eq!(cache.get(1).unwrap().payload.len(), 1000);
        for n in 901..=3000 {
            cache.insert(n, &packet(n as u32, false, &payload));
        }
        assert_eq!(cache.keyframe(), None, "the limit of 1 MiB was reached");
        assert_eq!(cache.capacity(), 1 << 20);
        assert!(cache.get(3000).is_some());
    }

    #[test]
    fn many_small_packets_of_one_group_are_all_held() {
        let mut cache = PacketCache::new(1 << 20);
        for n in 0..5000u64 {
            assert!(cache.insert(n, &packet(n as u32, n == 0, &n.to_be_bytes())));
        }
        assert_eq!(cache.keyframe(), Some(0));
        for n in 0..5000u64 {
            assert_eq!(cache.get(n).unwrap().payload, n.to_be_bytes());
        }
    }

    #[test]
    fn a_keyframe_begins_with_its_parameter_sets() {
        let mut cache = PacketCache::new(1 << 20);
        cache.insert(9, &packet(1, false, b"before"));
        cache.insert(10, &packet(2, false, b"aud"));
        cache.insert(11, &packet(2, true, b"sps"));
        cache.insert(12, &packet(2, true, b"idr"));
        assert_eq!(cache.keyframe(), Some(10));
        cache.insert(14, &packet(3, true, b"next"));
        cache.insert(13, &packet(3, false, b"late"));
        assert_eq!(cache.keyframe(), Some(13));
    }
}
