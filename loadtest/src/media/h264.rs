//! H.264 in RTP (RFC 6184, packetization mode 1): parameter sets and slices that parsers believe, with pictures of nothing.

use super::mark::{self, Mark};
use super::{MAX_PAYLOAD, cut, fill};

const NAL_SLICE: u8 = 1;
const NAL_IDR: u8 = 5;
const NAL_SEI: u8 = 6;
const NAL_SPS: u8 = 7;
const NAL_PPS: u8 = 8;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
/// `nal_ref_idc` of what other pictures refer to.
const REFERENCE: u8 = 3 << 5;
/// SEI payload type 5: user data, unregistered, behind 16 bytes that say whose (ITU-T H.264 D.1.7).
const USER_DATA: u8 = 5;
const OURS: [u8; 16] = *b"spillwayloadtest";
/// Slice headers up to the frame number, which nobody reads: `first_mb_in_slice` 0, `slice_type` 7 (I) or 5 (P),
/// `pic_parameter_set_id` 0, each an Exp-Golomb code.
const I_SLICE: u8 = 0b1000_1000;
const P_SLICE: u8 = 0b1001_1010;

/// The level that carries 1080p60: nobody is refused for it, and nobody decodes this.
const LEVEL: u8 = 42;
const BASELINE: u8 = 66;
/// `constraint_set0_flag` and `constraint_set1_flag`: constrained baseline.
const CONSTRAINED: u8 = 0b1110_0000;

/// Writes the fields of parameter sets.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    free: u32,
}

impl Bits {
    fn put(&mut self, value: u32, bits: u32) {
        for bit in (0..bits).rev() {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            self.free -= 1;
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> bit & 1) as u8) << self.free;
            }
        }
    }

    /// An unsigned Exp-Golomb code (ITU-T H.264 §9.1).
    fn golomb(&mut self, value: u32) {
        let bits = (value + 1).ilog2();
        self.put(0, bits);
        self.put(value + 1, bits + 1);
    }

    fn finish(mut self) -> Vec<u8> {
        self.put(1, 1);
        self.bytes
    }
}

/// A sequence parameter set for pictures of this size (ITU-T H.264 §7.3.2.1).
fn sequence_parameters(width: u32, height: u32) -> Vec<u8> {
    let mut bits = Bits::default();
    for byte in [REFERENCE | NAL_SPS, BASELINE, CONSTRAINED, LEVEL] {
        bits.put(u32::from(byte), 8);
    }
    bits.golomb(0); // seq_parameter_set_id
    bits.golomb(12); // log2_max_frame_num_minus4
    bits.golomb(2); // pic_order_cnt_type
    bits.golomb(1); // max_num_ref_frames
    bits.put(0, 1); // gaps_in_frame_num_value_allowed_flag
    bits.golomb(width.div_ceil(16) - 1);
    bits.golomb(height.div_ceil(16) - 1);
    bits.put(1, 1); // frame_mbs_only_flag
    bits.put(1, 1); // direct_8x8_inference_flag
    let (right, bottom) = (
        width.next_multiple_of(16) - width,
        height.next_multiple_of(16) - height,
    );
    if right + bottom == 0 {
        bits.put(0, 1); // frame_cropping_flag
    } else {
        bits.put(1, 1);
        bits.golomb(0);
        bits.golomb(right / 2);
        bits.golomb(0);
        bits.golomb(bottom / 2);
    }
    bits.put(0, 1); // vui_parameters_present_flag
    bits.finish()
}

/// A picture parameter set (ITU-T H.264 §7.3.2.2).
fn picture_parameters() -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(u32::from(REFERENCE | NAL_PPS), 8);
    bits.golomb(0); // pic_parameter_set_id
    bits.golomb(0); // seq_parameter_set_id
    bits.put(0, 2); // entropy_coding_mode_flag, bottom_field_pic_order_in_frame_present_flag
    bits.golomb(0); // num_slice_groups_minus1
    bits.golomb(0); // num_ref_idx_l0_default_active_minus1
    bits.golomb(0); // num_ref_idx_l1_default_active_minus1
    bits.put(0, 3); // weighted_pred_flag, weighted_bipred_idc
    bits.golomb(0); // pic_init_qp_minus26
    bits.golomb(0); // pic_init_qs_minus26
    bits.golomb(0); // chroma_qp_index_offset
    bits.put(0b100, 3); // deblocking_filter_control_present_flag and two more
    bits.finish()
}

/// The payloads of a picture of `bytes` bytes. `mark` makes the mark of each, told whether it is the first and the last.
pub fn payloads(
    (width, height): (u32, u32),
    key: bool,
    bytes: usize,
    mut mark: impl FnMut(bool, bool) -> Mark,
) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    if key {
        payloads.push(parameter_sets((width, height), mark(true, false)));
    }
    let (nal, slice) = if key {
        (NAL_IDR, I_SLICE)
    } else {
        (NAL_SLICE, P_SLICE)
    };
    // The NAL unit's header and the slice's.
    let least = 2 + mark::LEN;
    let bytes = bytes.max(least);
    if bytes <= MAX_PAYLOAD {
        let mut payload = vec![REFERENCE | nal, slice];
        payload.extend(mark(payloads.is_empty(), true).to_bytes());
        fill(&mut payload, bytes);
        payloads.push(payload);
        return payloads;
    }
    let sizes: Vec<usize> = cut(bytes, MAX_PAYLOAD - 2).collect();
    let last = sizes.len() - 1;
    for (i, size) in sizes.into_iter().enumerate() {
        let start = u8::from(i == 0) << 7;
        let end = u8::from(i == last) << 6;
        let mut payload = vec![REFERENCE | FU_A, start | end | nal];
        if i == 0 {
            payload.push(slice);
        }
        payload.extend(mark(payloads.is_empty(), i == last).to_bytes());
        fill(&mut payload, size + 2);
        payloads.push(payload);
    }
    payloads
}

/// The packet before a keyframe: both parameter sets, and the mark as user data.
fn parameter_sets(size: (u32, u32), mark: Mark) -> Vec<u8> {
    let mut sei = vec![NAL_SEI, USER_DATA, (OURS.len() + mark::LEN) as u8];
    sei.extend(OURS);
    sei.extend(mark.to_bytes());
    sei.push(0x80); // rbsp_trailing_bits
    let mut payload = vec![REFERENCE | STAP_A];
    for nal in [
        sequence_parameters(size.0, size.1),
        picture_parameters(),
        sei,
    ] {
        payload.extend((nal.len() as u16).to_be_bytes());
        payload.extend(nal);
    }
    payload
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bytes::Bytes;
    use rtc_rtp::codec::h264::H264Packet;
    use rtc_rtp::packetizer::Depacketizer;

    use super::*;

    fn mark(first: bool, last: bool) -> Mark {
        Mark {
            publisher: 3,
            layer: 1,
            key: true,
            first,
            last,
            packet: 77,
            frame: 5,
            sent: 9,
        }
    }

    /// The Annex B stream that another implementation makes of the payloads.
    fn depacketized(payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut depacketizer = H264Packet::default();
        payloads
            .iter()
            .flat_map(|payload| {
                let payload = Bytes::copy_from_slice(payload);
                depacketizer.depacketize(&payload).unwrap()
            })
            .collect()
    }

    #[test]
    fn others_read_parameter_sets_and_slices() {
        let payloads = payloads((1280, 720), true, 20_000, mark);
        assert!(payloads.iter().all(|payload| payload.len() <= MAX_PAYLOAD));
        let stream = depacketized(&payloads);
        let types: Vec<u8> = stream
            .windows(5)
            .filter(|window| window.starts_with(&[0, 0, 0, 1]))
            .map(|window| window[4] & 0x1f)
            .collect();
        assert_eq!(types, [NAL_SPS, NAL_PPS, NAL_SEI, NAL_IDR]);
        for (i, payload) in payloads.iter().enumerate() {
            let found = Mark::find(payload).unwrap();
            let expected = mark(i == 0, i + 1 == payloads.len());
            assert_eq!(found, expected, "payload {i}");
        }
    }

    #[test]
    fn a_picture_has_the_size_asked_for() {
        for bytes in [0, 30, 1_000, 1_160, 1_161, 10_417, 62_500] {
            let payloads = payloads((640, 360), false, bytes, mark);
            let sum: usize = payloads.iter().map(Vec::len).sum();
            let headers = if payloads.len() > 1 {
                2 * payloads.len()
            } else {
                0
            };
            assert_eq!(sum - headers, bytes.max(2 + mark::LEN));
        }
    }
}
