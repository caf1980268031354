//! Encodings of several sub-layers, as browsers make them: which frames a picture has, what they refer to, and how their
//! packets say so.

use super::Codec;

/// How an encoding is layered, by the names of the WebRTC-SVC specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalability {
    None,
    L1T3,
    /// Upper spatial layers refer to the one below in keyframes only.
    L3T3Key,
    L3T3,
}

/// One frame of a spatial layer.
#[derive(Debug, Clone)]
pub struct Frame {
    pub number: u32,
    pub picture: u32,
    pub keyframe: bool,
    pub spatial: u8,
    pub temporal: u8,
    pub references: [Option<u32>; 3],
    /// VP8: it refers to the base layer alone.
    sync: bool,
    /// Pictures of temporal layer 0 up to this one.
    pub base_pictures: u32,
}

/// A picture id before its wrap.
const FIRST_PICTURE_ID: u32 = 0x7ff0;

impl Scalability {
    fn spatial(self) -> u8 {
        match self {
            Self::None | Self::L1T3 => 1,
            Self::L3T3Key | Self::L3T3 => 3,
        }
    }

    /// The frames of the picture that is `phase` pictures behind its keyframe.
    pub fn frames(
        self,
        codec: Codec,
        keyframe: bool,
        phase: u32,
        first: u32,
        picture: u32,
    ) -> Vec<Frame> {
        let count = u32::from(self.spatial());
        let temporal = match (self, phase % 4) {
            (Self::None, _) | (_, 0) => 0,
            (_, 2) => 1,
            _ => 2,
        };
        // Every other picture of layer 1 refers to the one before it as well: no point to go up, with VP8.
        let chained = codec == Codec::Vp8 && temporal == 1 && phase % 8 == 6;
        let back: &[u32] = match (self, phase % 4) {
            _ if keyframe => &[],
            (Self::None, _) | (_, 1) => &[1],
            (_, 0) => &[4],
            (_, 2) if chained => &[2, 4],
            (_, 2) => &[2],
            // The picture of layer 1 just before.
            _ => &[1],
        };
        let frame = |spatial: u8| {
            let number = first + u32::from(spatial);
            let own = back.iter().map(|back| number - back * count);
            let below = spatial > 0 && (keyframe || self == Self::L3T3);
            let mut all = own.chain(below.then(|| number - 1));
            Frame {
                number,
                picture,
                keyframe,
                spatial,
                temporal,
                references: [all.next(), all.next(), all.next()],
                sync: temporal > 0 && phase % 4 != 3 && !chained,
                base_pictures: 0,
            }
        };
        (0..self.spatial()).map(frame).collect()
    }

    /// The bytes of a frame, of those that a picture of a single layer has.
    pub fn share(self, bytes: usize, frame: &Frame) -> usize {
        match self.spatial() {
            1 => bytes,
            _ => bytes * [1, 4, 16][usize::from(frame.spatial)] / 21,
        }
    }

    /// The dependency descriptor that browsers send with AV1.
    pub fn descriptor(
        self,
        codec: Codec,
        frame: &Frame,
        first: bool,
        last: bool,
        size: (u16, u16),
    ) -> Option<Vec<u8>> {
        if codec != Codec::Av1 {
            return None;
        }
        let mut bits = Bits::default();
        let template = frame.spatial * 4
            + if frame.keyframe {
                0
            } else {
                1 + frame.temporal
            };
        bits.put(u32::from(first), 1);
        bits.put(u32::from(last), 1);
        bits.put(u32::from(template), 6);
        bits.put(frame.number & 0xffff, 16);
        let attached = first && frame.keyframe && frame.spatial == 0;
        // A structure; no active targets; templates' indications; own references; no chains.
        bits.put(u32::from(attached), 1);
        bits.put(0b0010, 4);
        if attached {
            self.put_structure(&mut bits, size);
        }
        for reference in frame.references.into_iter().flatten() {
            bits.put(1, 2);
            bits.put(frame.number - reference - 1, 4);
        }
        bits.put(0, 2);
        Some(bits.bytes())
    }

    fn put_structure(self, bits: &mut Bits, size: (u16, u16)) {
        let targets: Vec<(u8, u8)> = (0..self.spatial())
            .flat_map(|s| (0..3).map(move |t| (s, t)))
            .collect();
        // By spatial layer: a keyframe, and one of each temporal layer.
        let templates: Vec<(u8, u8, bool)> = (0..self.spatial())
            .flat_map(|s| [(s, 0, true), (s, 0, false), (s, 1, false), (s, 2, false)])
            .collect();
        bits.put(0, 6);
        bits.put(targets.len() as u32 - 1, 5);
        for pair in templates.windows(2) {
            let ((spatial, temporal, _), (next, after, _)) = (pair[0], pair[1]);
            bits.put(
                if next > spatial {
                    2
                } else {
                    u32::from(after > temporal)
                },
                2,
            );
        }
        bits.put(3, 2);
        for &(spatial, temporal, key) in &templates {
            for &(s, t) in &targets {
                let indication = match () {
                    () if s < spatial || t < temporal => 0,
                    () if key => 2,
                    () if s == spatial && t == temporal && t > 0 => 1,
                    () if s == spatial => 2,
                    () => 3,
                };
                bits.put(indication, 2);
            }
        }
        // Templates without references, and no chains: the short form of 0 in `ns(targets + 1)`.
        bits.put(0, templates.len() as u32);
        let count = targets.len() as u32 + 1;
        let width = count.ilog2();
        bits.put(0, width);
        bits.put(1, 1);
        for spatial in (0..self.spatial()).rev() {
            bits.put(u32::from(size.0 >> spatial) - 1, 16);
            bits.put(u32::from(size.1 >> spatial) - 1, 16);
        }
    }
}

impl Frame {
    /// What a payload begins with.
    pub fn head(&self, codec: Codec, first: bool, last: bool, size: (u16, u16)) -> Vec<u8> {
        match codec {
            Codec::Vp8 => self.vp8(first, size),
            Codec::Vp9 => self.vp9(first, last, size),
            // The aggregation header: goes on, to be continued, one element, a new sequence; then a frame.
            Codec::Av1 => {
                let new = first && self.keyframe && self.spatial == 0;
                let flags = u8::from(!first) << 7 | u8::from(!last) << 6 | u8::from(new) << 3;
                vec![0x10 | flags, 0x30]
            }
            Codec::H264 => unreachable!("H.264 is sent without layers"),
        }
    }

    fn picture_id(&self) -> [u8; 2] {
        ((FIRST_PICTURE_ID + self.picture) as u16 | 0x8000).to_be_bytes()
    }

    fn vp8(&self, first: bool, (width, height): (u16, u16)) -> Vec<u8> {
        let mut head = vec![0x80 | u8::from(first) << 4, 0xe0];
        head.extend_from_slice(&self.picture_id());
        head.push(self.base_pictures as u8);
        head.push(self.temporal << 6 | u8::from(self.sync) << 5);
        if first && self.keyframe {
            head.extend_from_slice(&[0x10, 0, 0, 0x9d, 0x01, 0x2a]);
            head.extend_from_slice(&width.to_le_bytes());
            head.extend_from_slice(&height.to_le_bytes());
        } else {
            head.extend_from_slice(&[0x11, 0, 0]);
        }
        head
    }

    fn vp9(&self, first: bool, last: bool, (width, height): (u16, u16)) -> Vec<u8> {
        let structure = first && self.keyframe && self.spatial == 0;
        let mut head = vec![
            0xa0 | u8::from(!self.keyframe) << 6
                | u8::from(first) << 3
                | u8::from(last) << 2
                | u8::from(structure) << 1,
        ];
        head.extend_from_slice(&self.picture_id());
        let below = self.keyframe && self.spatial > 0;
        let switch = self.temporal < 2;
        head.push(self.temporal << 5 | u8::from(switch) << 4 | self.spatial << 1 | u8::from(below));
        head.push(self.base_pictures as u8);
        if structure {
            head.push(2 << 5 | 0x10);
            for shift in [2, 1, 0] {
                head.extend_from_slice(&(width >> shift).to_be_bytes());
                head.extend_from_slice(&(height >> shift).to_be_bytes());
            }
        }
        head
    }
}

/// Writes bits, the highest first.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        self.0
            .extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
    }

    fn bytes(self) -> Vec<u8> {
        let byte = |bits: &[bool]| {
            let set = bits.iter().enumerate().filter(|(_, bit)| **bit);
            set.map(|(at, _)| 0x80 >> at).sum()
        };
        self.0.chunks(8).map(byte).collect()
    }
}
