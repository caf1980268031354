//! The RTP header of packets toward one viewer (RFC 3550 §5.1, RFC 8285).

use std::ops::Range;

use crate::{
    media::Extras,
    rtp::{Extension, ExtensionMap, dependency_descriptor::shift_frame_number, time::PlayoutDelay},
};

/// Bytes that the extensions written into every packet take at most: mid (1 + 16), transport sequence (1 + 2),
/// send time (1 + 3), playout delay (1 + 3), each with one byte more in the two-byte form.
const MAX_FIXED: usize = 32;
/// The mid is a token of SDP; longer ones aren't sent, and such a viewer is told apart by payload type.
const MAX_MID: usize = 16;
/// RFC 8285 §4.2: the longest value and the highest id that the one-byte form has.
const ONE_BYTE_VALUE: usize = 16;
const ONE_BYTE_ID: u8 = 14;

/// What differs from packet to packet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) payload_type: u8,
    pub(crate) marker: bool,
    pub(crate) padding: bool,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) transport_sequence: u16,
    /// As abs-send-time.
    pub(crate) send_time: [u8; 3],
    /// Added to the frame number of a dependency descriptor.
    pub(crate) frame_number: u16,
}

/// Writes headers with the extensions that one viewer negotiated.
#[derive(Debug, Clone)]
pub(crate) struct HeaderWriter {
    extensions: ExtensionMap,
    one_byte: Fixed,
    two_byte: Fixed,
    /// The viewer allows both forms on one stream (`a=extmap-allow-mixed`, RFC 8285 §6).
    mixed: bool,
}

/// The extensions that every packet bears, ready to be copied and patched.
#[derive(Debug, Clone, Default)]
struct Fixed {
    bytes: [u8; MAX_FIXED],
    length: usize,
    transport_sequence: Option<usize>,
    send_time: Option<usize>,
    playout_delay: Option<usize>,
}

impl Fixed {
    fn push(&mut self, two_byte: bool, id: u8, value: &[u8]) -> Option<usize> {
        let head = element_head(two_byte, id, value.len())?;
        let head = &head[..=usize::from(two_byte)];
        let at = self.length + head.len();
        let target = self.bytes.get_mut(self.length..at + value.len())?;
        target[..head.len()].copy_from_slice(head);
        target[head.len()..].copy_from_slice(value);
        self.length = at + value.len();
        Some(at)
    }
}

/// The bytes before an element's value: only the first counts in the one-byte form. `None` where the form can't hold it.
fn element_head(two_byte: bool, id: u8, length: usize) -> Option<[u8; 2]> {
    if two_byte {
        return Some([id, u8::try_from(length).ok()?]);
    }
    let fits = (1..=ONE_BYTE_VALUE).contains(&length) && (1..=ONE_BYTE_ID).contains(&id);
    fits.then(|| [id << 4 | (length as u8 - 1), 0])
}

impl HeaderWriter {
    /// A writer for the section `mid`, with `extensions` as negotiated. `playout_delay` goes on every packet where the
    /// viewer takes it.
    pub(crate) fn new(
        mid: &str,
        extensions: ExtensionMap,
        mixed: bool,
        playout_delay: Option<PlayoutDelay>,
    ) -> Self {
        let fixed = |two_byte: bool| {
            let mut fixed = Fixed::default();
            let mut push = |extension, value: &[u8]| {
                extensions
                    .id(extension)
                    .and_then(|id| fixed.push(two_byte, id, value))
            };
            if mid.len() <= MAX_MID {
                push(Extension::Mid, mid.as_bytes());
            }
            let transport_sequence = push(Extension::TransportSequence, &[0; 2]);
            let send_time = push(Extension::AbsSendTime, &[0; 3]);
            let playout_delay =
                playout_delay.and_then(|delay| push(Extension::PlayoutDelay, &delay.to_bytes()));
            Fixed {
                transport_sequence,
                send_time,
                playout_delay,
                ..fixed
            }
        };
        Self {
            extensions,
            one_byte: fixed(false),
            two_byte: fixed(true),
            mixed,
        }
    }

    /// Changes the playout delay that packets bear from now on, where they bear one.
    pub(crate) fn set_playout_delay(&mut self, delay: PlayoutDelay) {
        for fixed in [&mut self.one_byte, &mut self.two_byte] {
            let value = fixed
                .playout_delay
                .and_then(|at| fixed.bytes.get_mut(at..at + 3));
            if let Some(value) = value {
                value.copy_from_slice(&delay.to_bytes());
            }
        }
    }

    /// The length of a header with these extras.
    #[inline]
    pub(crate) fn length(&self, extras: Extras<'_>) -> usize {
        let two_byte = self.needs_two_byte(extras);
        let fixed = if two_byte {
            &self.two_byte
        } else {
            &self.one_byte
        };
        let mut length = fixed.length;
        for (extension, value) in extras {
            if let Some(head) = self.head(two_byte, extension, value.len()) {
                length += head.1 + value.len();
            }
        }
        if length == 0 {
            12
        } else {
            16 + length.next_multiple_of(4)
        }
    }

    /// Writes a header into `target` and returns its length, the same as [`HeaderWriter::length`] says. `target` must
    /// have that much room.
    #[inline]
    pub(crate) fn write(&self, target: &mut [u8], stamp: &Stamp, extras: Extras<'_>) -> usize {
        let two_byte = self.needs_two_byte(extras);
        let fixed = if two_byte {
            &self.two_byte
        } else {
            &self.one_byte
        };
        let mut end = 16 + fixed.length;
        target[16..end].copy_from_slice(&fixed.bytes[..fixed.length]);
        if let Some(at) = fixed.transport_sequence {
            target[16 + at..18 + at].copy_from_slice(&stamp.transport_sequence.to_be_bytes());
        }
        if let Some(at) = fixed.send_time {
            target[16 + at..19 + at].copy_from_slice(&stamp.send_time);
        }
        for (extension, value) in extras {
            let Some((head, head_length)) = self.head(two_byte, extension, value.len()) else {
                continue;
            };
            target[end..end + head_length].copy_from_slice(&head[..head_length]);
            end += head_length;
            target[end..end + value.len()].copy_from_slice(value);
            if extension == Extension::DependencyDescriptor {
                shift_frame_number(&mut target[end..end + value.len()], stamp.frame_number);
            }
            end += value.len();
        }
        let has_extensions = end > 16;
        let length = if has_extensions {
            end.next_multiple_of(4)
        } else {
            12
        };
        if has_extensions {
            target[end..length].fill(0);
            let profile: u16 = if two_byte { 0x1000 } else { 0xbede };
            target[12..14].copy_from_slice(&profile.to_be_bytes());
            target[14..16].copy_from_slice(&((length as u16 - 16) / 4).to_be_bytes());
        }
        target[0] = 0x80 | u8::from(stamp.padding) << 5 | u8::from(has_extensions) << 4;
        target[1] = u8::from(stamp.marker) << 7 | stamp.payload_type;
        target[2..4].copy_from_slice(&stamp.sequence.to_be_bytes());
        target[4..8].copy_from_slice(&stamp.timestamp.to_be_bytes());
        target[8..12].copy_from_slice(&stamp.ssrc.to_be_bytes());
        length
    }

    /// Where a header that was written has what changes with each try to send the packet: receivers that put a lost packet
    /// together take it for 0.
    pub(crate) fn fleeting(&self, header: &[u8]) -> [Option<Range<usize>>; 2] {
        let fixed = if header.get(12) == Some(&0x10) {
            &self.two_byte
        } else {
            &self.one_byte
        };
        let at = |place: Option<usize>, length| place.map(|at| 16 + at..16 + at + length);
        [at(fixed.transport_sequence, 2), at(fixed.send_time, 3)]
    }

    /// A value that the one-byte form can't hold turns the whole packet to the two-byte form, if the viewer allows it;
    /// else that value is left out.
    fn needs_two_byte(&self, extras: Extras<'_>) -> bool {
        !extras.is_empty()
            && self.mixed
            && extras.into_iter().any(|(extension, value)| {
                self.extensions
                    .id(extension)
                    .is_some_and(|id| element_head(false, id, value.len()).is_none())
            })
    }

    fn head(
        &self,
        two_byte: bool,
        extension: Extension,
        length: usize,
    ) -> Option<([u8; 2], usize)> {
        let head = element_head(two_byte, self.extensions.id(extension)?, length)?;
        Some((head, 1 + usize::from(two_byte)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{media::ExtrasBuffer, rtp::Packet};

    const STAMP: Stamp = Stamp {
        payload_type: 96,
        marker: true,
        padding: false,
        sequence: 0x1234,
        timestamp: 0xdead_beef,
        ssrc: 7,
        transport_sequence: 0x0102,
        send_time: [0xab, 0xcd, 0xef],
        frame_number: 0,
    };

    fn extensions() -> ExtensionMap {
        let mut map = ExtensionMap::default();
        map.insert(Extension::Mid, 4);
        map.insert(Extension::TransportSequence, 3);
        map.insert(Extension::AbsSendTime, 2);
        map.insert(Extension::PlayoutDelay, 5);
        map.insert(Extension::DependencyDescriptor, 8);
        map
    }

    fn written(writer: &HeaderWriter, extras: Extras<'_>) -> Vec<u8> {
        let mut bytes = vec![0xff; 512];
        let length = writer.write(&mut bytes, &STAMP, extras);
        assert_eq!(length, writer.length(extras));
        bytes.truncate(length);
        bytes.extend_from_slice(b"payload");
        bytes
    }

    #[test]
    fn every_negotiated_extension_is_on_the_packet() {
        let writer = HeaderWriter::new(
            "video0",
            extensions(),
            true,
            Some(PlayoutDelay { min: 0, max: 0 }),
        );
        let bytes = written(&writer, Extras::default());
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(
            (packet.sequence(), packet.timestamp(), packet.ssrc()),
            (0x1234, 0xdead_beef, 7)
        );
        assert!(packet.marker());
        assert_eq!(packet.payload(), b"payload");
        let seen: Vec<_> = packet.extensions().collect();
        assert_eq!(
            seen,
            [
                (4, b"video0".as_slice()),
                (3, &[1, 2]),
                (2, &[0xab, 0xcd, 0xef]),
                (5, &[0, 0, 0])
            ]
        );
    }

    #[test]
    fn the_playout_delay_changes_in_both_forms() {
        let mut writer = HeaderWriter::new("0", extensions(), true, Some(PlayoutDelay::NONE));
        writer.set_playout_delay(PlayoutDelay { min: 2, max: 3 });
        let mut long = ExtrasBuffer::new();
        long.push(Extension::DependencyDescriptor, &[9; 60]);
        for extras in [Extras::default(), long.extras()] {
            let bytes = written(&writer, extras);
            let packet = Packet::parse(&bytes).unwrap();
            let delay = packet.extensions().find(|(id, _)| *id == 5);
            assert_eq!(delay, Some((5, [0x00, 0x20, 0x03].as_slice())));
        }
    }

    #[test]
    fn a_long_value_takes_the_two_byte_form_only_where_allowed() {
        let mut buffer = ExtrasBuffer::new();
        buffer.push(Extension::DependencyDescriptor, &[9; 60]);
        for mixed in [true, false] {
            let writer = HeaderWriter::new("0", extensions(), mixed, None);
            let bytes = written(&writer, buffer.extras());
            let packet = Packet::parse(&bytes).unwrap();
            assert_eq!(
                packet
                    .extensions()
                    .any(|(id, value)| id == 8 && value.len() == 60),
                mixed
            );
            assert!(
                packet
                    .extensions()
                    .any(|(id, value)| id == 4 && value == b"0")
            );
            assert_eq!(packet.payload(), b"payload");
        }
    }

    #[test]
    fn a_viewer_without_extensions_gets_a_bare_header() {
        let writer = HeaderWriter::new("0", ExtensionMap::default(), false, None);
        assert_eq!(written(&writer, Extras::default()).len(), 12 + 7);
    }
}
