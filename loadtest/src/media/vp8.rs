//! VP8 in RTP (RFC 7741), with picture ids of 15 bits as libwebrtc sends them.

use super::mark::{self, Mark};
use super::{MAX_PAYLOAD, cut, fill};

/// X and, on the first packet of a picture, S.
const EXTENDED: u8 = 0x80;
const START: u8 = 0x10;
/// I: there is a picture id.
const HAS_PICTURE_ID: u8 = 0x80;
/// M: of 15 bits.
const LONG_PICTURE_ID: u16 = 0x8000;
/// The start code of a keyframe (RFC 6386 §9.1).
const START_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];
/// `show_frame`; the lowest bit says that it is no keyframe.
const SHOWN: u8 = 0x10;
const INTER: u8 = 0x01;

/// The payloads of a picture of `bytes` bytes. `mark` makes the mark of each, told whether it is the first and the last.
pub fn payloads(
    (width, height): (u32, u32),
    key: bool,
    picture: u16,
    bytes: usize,
    mut mark: impl FnMut(bool, bool) -> Mark,
) -> Vec<Vec<u8>> {
    let header = frame_header((width, height), key);
    let bytes = bytes.max(header.len() + mark::LEN);
    let id = (picture | LONG_PICTURE_ID).to_be_bytes();
    let descriptor = |first| {
        let start = if first { START } else { 0 };
        vec![EXTENDED | start, HAS_PICTURE_ID, id[0], id[1]]
    };
    let most = MAX_PAYLOAD - descriptor(true).len();
    let sizes: Vec<usize> = cut(bytes, most).collect();
    let last = sizes.len() - 1;
    let payload = |(i, size)| {
        let mut payload: Vec<u8> = descriptor(i == 0);
        let size = size + payload.len();
        if i == 0 {
            payload.extend(&header);
        }
        payload.extend(mark(i == 0, i == last).to_bytes());
        fill(&mut payload, size);
        payload
    };
    sizes.into_iter().enumerate().map(payload).collect()
}

/// RFC 6386 §9.1: three bytes, and for keyframes the start code and the size.
fn frame_header((width, height): (u32, u32), key: bool) -> Vec<u8> {
    if !key {
        return vec![SHOWN | INTER, 0, 0];
    }
    let mut header = vec![SHOWN, 0, 0];
    header.extend(START_CODE);
    header.extend((width as u16).to_le_bytes());
    header.extend((height as u16).to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bytes::Bytes;
    use rtc_rtp::codec::vp8::Vp8Packet;
    use rtc_rtp::packetizer::Depacketizer;

    use super::*;

    #[test]
    fn others_read_the_picture() {
        let mark = |first, last| Mark {
            publisher: 0,
            layer: 0,
            key: true,
            first,
            last,
            packet: 1,
            frame: 2,
            sent: 3,
        };
        let payloads = payloads((960, 540), true, 0x1234, 9_000, mark);
        let mut picture = Vec::new();
        for (i, payload) in payloads.iter().enumerate() {
            assert!(payload.len() <= MAX_PAYLOAD);
            let mut packet = Vp8Packet::default();
            let part = packet
                .depacketize(&Bytes::copy_from_slice(payload))
                .unwrap();
            assert_eq!((packet.picture_id, packet.s), (0x1234, u8::from(i == 0)));
            picture.extend(part);
            let expected = mark(i == 0, i + 1 == payloads.len());
            assert_eq!(Mark::find(payload), Some(expected));
        }
        assert_eq!(picture.len(), 9_000);
        assert_eq!(picture[0] & 1, 0);
        assert_eq!(picture[3..10], [0x9d, 0x01, 0x2a, 0xc0, 0x03, 0x1c, 0x02]);
    }
}
