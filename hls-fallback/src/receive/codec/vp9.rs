//! VP9 (RFC 9628), all spatial layers of a picture.

use bytes::Bytes;

use super::Coded;
use super::reader::Reader;

/// The most spatial layers, and frames in a superframe.
const MAX_LAYERS: usize = 8;
/// More references than a picture may have are malformed (RFC 9628 §4.2).
const MAX_REFERENCES: usize = 3;

pub(super) fn assemble(payloads: &[Bytes]) -> Option<Coded> {
    let mut layers: Vec<Vec<u8>> = Vec::new();
    let mut ended = true;
    for payload in payloads {
        let part = split(payload)?;
        // A layer's frame begins where the one before has ended, and only there.
        if part.begins != ended {
            return None;
        }
        if part.begins {
            layers.push(Vec::new());
        }
        layers.last_mut()?.extend(part.data);
        ended = part.ends;
    }
    if !ended || layers.len() > MAX_LAYERS {
        return None;
    }
    let keyframe = is_keyframe(*layers.first()?.first()?);
    Some(Coded {
        data: join(&layers),
        keyframe,
    })
}

/// By a frame's first byte (VP9 specification §6.2): the frame marker, the profile, `show_existing_frame`, `frame_type`.
fn is_keyframe(byte: u8) -> bool {
    let profile_3 = byte & 0x30 == 0x30;
    let (existing, inter) = if profile_3 { (4, 2) } else { (8, 4) };
    byte & (existing | inter) == 0
}

/// One frame as it is; several as a superframe (VP9 specification, annex B), or decoders would take the first alone.
fn join(layers: &[Vec<u8>]) -> Vec<u8> {
    let index = (layers.len() > 1).then(|| superframe_index(layers));
    let mut data = layers.concat();
    data.extend(index.into_iter().flatten());
    data
}

fn superframe_index(layers: &[Vec<u8>]) -> Vec<u8> {
    const SIZE_BYTES: u8 = 4;
    let marker = 0b1100_0000 | (SIZE_BYTES - 1) << 3 | (layers.len() - 1) as u8;
    let sizes = layers
        .iter()
        .flat_map(|layer| (layer.len() as u32).to_le_bytes());
    [marker].into_iter().chain(sizes).chain([marker]).collect()
}

struct Part<'a> {
    /// A layer's frame begins and ends with it.
    begins: bool,
    ends: bool,
    data: &'a [u8],
}

/// A payload behind its descriptor (RFC 9628 §4.2).
fn split(payload: &[u8]) -> Option<Part<'_>> {
    let mut reader = Reader(payload);
    let flags = reader.byte()?;
    let [id, inter, layer, flexible, begins, ends, structure] =
        [0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02].map(|flag| flags & flag != 0);
    if id && reader.byte()? & 0x80 != 0 {
        reader.byte()?;
    }
    if layer {
        reader.byte()?;
        if !flexible {
            reader.byte()?;
        }
    }
    if flexible && inter {
        skip_references(&mut reader)?;
    }
    if structure {
        skip_structure(&mut reader)?;
    }
    (!reader.0.is_empty()).then_some(Part {
        begins,
        ends,
        data: reader.0,
    })
}

fn skip_references(reader: &mut Reader<'_>) -> Option<()> {
    for _ in 0..MAX_REFERENCES {
        if reader.byte()? & 1 == 0 {
            return Some(());
        }
    }
    None
}

/// The scalability structure (RFC 9628 §4.2.1).
fn skip_structure(reader: &mut Reader<'_>) -> Option<()> {
    let head = reader.byte()?;
    let layers = usize::from(head >> 5) + 1;
    if head & 0x10 != 0 {
        reader.take(4 * layers)?;
    }
    if head & 0x08 != 0 {
        for _ in 0..reader.byte()? {
            let references = usize::from(reader.byte()? >> 2 & 3);
            reader.take(references)?;
        }
    }
    Some(())
}
