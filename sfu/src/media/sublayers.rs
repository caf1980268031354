//! The sub-layers of one encoding: of which of them a packet is, and what each of them takes.

use std::{iter, time::Duration};

use arrayvec::ArrayVec;

use super::{Extras, PacketInfo};
use crate::{
    codec::{Codec, TemporalSwitch, inspect, vp9},
    rtp::{
        Extension,
        dependency_descriptor::{
            DependencyDescriptor, Frame, Indication, Structure, attached_structure,
        },
    },
};

/// Sub-layers that are told apart: what lies above counts as the highest.
const SPATIAL: usize = 4;
const TEMPORAL: usize = 4;
/// Sub-layers of one encoding at most.
pub(crate) const SUB_LAYERS: usize = SPATIAL * TEMPORAL;
/// Pictures whose temporal layer is remembered for packets of them that don't say it.
const PICTURES: usize = 8;

/// A spatial and a temporal layer with all that they need: what a viewer may be limited to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SubLayer {
    pub(crate) spatial: u8,
    pub(crate) temporal: u8,
    /// The picture's width and height; 0×0 where nothing tells it.
    pub(crate) size: (u16, u16),
    /// In bits per second: of this and all below.
    pub(crate) bitrate: u64,
}

/// What one encoding is made of.
#[derive(Debug, Default)]
pub(super) struct SubLayers {
    /// What dependency descriptors refer to.
    structure: Option<Box<Structure>>,
    /// By spatial layer; 0×0 where nothing told.
    sizes: [(u16, u16); SPATIAL],
    /// Since the last measurement.
    bytes: [[u64; TEMPORAL]; SPATIAL],
    /// Smoothed, in bits per second.
    bitrates: [[u64; TEMPORAL]; SPATIAL],
    /// Spatial and temporal layers that flow, with the bitrate of each and all below: from the least to the most.
    flowing: ArrayVec<(u8, u8, u64), SUB_LAYERS>,
    pictures: ArrayVec<Picture, PICTURES>,
    /// Timestamp and first frame number of the newest picture.
    picture: Option<(u32, u16)>,
}

/// A picture whose packets don't all say of which temporal layer it is: the first that came decides.
#[derive(Debug, Clone, Copy)]
struct Picture {
    timestamp: u32,
    temporal: u8,
    switch: TemporalSwitch,
}

impl SubLayers {
    /// What forwarding must know of a packet, from its payload and its dependency descriptor.
    pub(super) fn describe(
        &mut self,
        codec: Codec,
        (timestamp, marker): (u32, bool),
        payload: &[u8],
        extras: Extras<'_>,
    ) -> PacketInfo {
        let seen = inspect(codec, payload);
        let mut info = PacketInfo {
            timestamp,
            marker,
            keyframe: seen.keyframe,
            size: seen.size.unwrap_or_default(),
            spatial_layer: seen.spatial_layer,
            temporal_layer: seen.temporal_layer,
            begins_frame: seen.begins_frame,
            ends_frame: seen.ends_frame || marker,
            spatial_switch: seen.spatial_switch,
            temporal_switch: seen.temporal_switch,
        };
        if self.follow_descriptor(extras, &mut info).is_some() {
            return info;
        }
        match codec {
            Codec::H264 | Codec::H265 => self.follow_picture(&mut info),
            // Of a frame in several packets only the first has a header that tells its layers.
            Codec::Av1 => (info.spatial_layer, info.temporal_layer) = (0, 0),
            Codec::Vp8 | Codec::Vp9 | Codec::Opus => {}
        }
        info
    }

    /// Remembers what a packet tells of those to come.
    pub(super) fn learn(&mut self, codec: Option<Codec>, payload: &[u8], extras: Extras<'_>) {
        if let Some(structure) = descriptor(extras).and_then(attached_structure) {
            for (known, told) in self.sizes.iter_mut().zip(&structure.sizes) {
                *known = *told;
            }
            match &mut self.structure {
                Some(known) => **known = structure,
                None => self.structure = Some(Box::new(structure)),
            }
        }
        if codec == Some(Codec::Vp9)
            && payload
                .first()
                .is_some_and(|first| first & vp9::HAS_STRUCTURE != 0)
            && let Some(told) = vp9::Descriptor::parse(payload)
            && told.size.is_some()
        {
            self.sizes = told.sizes;
        }
    }

    pub(super) fn structure(&self) -> Option<&Structure> {
        self.structure.as_deref()
    }

    fn follow_descriptor(&mut self, extras: Extras<'_>, info: &mut PacketInfo) -> Option<()> {
        let value = descriptor(extras)?;
        let structure = self.structure.as_deref()?;
        let mandatory = DependencyDescriptor::parse(value)?;
        let frame = Frame::parse(value, structure)?;
        info.spatial_layer = frame.spatial;
        info.temporal_layer = frame.temporal;
        info.begins_frame = mandatory.first_in_frame;
        info.ends_frame = mandatory.last_in_frame;
        let number = mandatory.frame_number;
        let first = first_frame(&mut self.picture, info.timestamp, number);
        let depth = number.wrapping_sub(first);
        let own = structure
            .targets
            .iter()
            .enumerate()
            .filter(|(_, t)| t.spatial == frame.spatial);
        let mut switches = own.clone().filter(|(_, t)| t.temporal >= frame.temporal);
        info.spatial_switch = frame.references.iter().all(|&back| back <= depth)
            && switches.any(|(index, _)| frame.indication(index) == Indication::Switch);
        let mut higher = own.filter(|(_, t)| t.temporal > frame.temporal);
        let all = higher.all(|(index, _)| frame.indication(index) == Indication::Switch);
        info.temporal_switch = if all {
            TemporalSwitch::Above
        } else {
            TemporalSwitch::None
        };
        Some(())
    }

    /// Leaving out a part of a picture breaks it: all its packets are of the temporal layer that the first said.
    fn follow_picture(&mut self, info: &mut PacketInfo) {
        let known = self.pictures.iter().find(|p| p.timestamp == info.timestamp);
        if let Some(picture) = known {
            info.temporal_layer = picture.temporal;
            if !info.keyframe {
                info.temporal_switch = picture.switch;
            }
            return;
        }
        info.begins_frame = true;
        if self.pictures.is_full() {
            self.pictures.pop_at(0);
        }
        self.pictures.push(Picture {
            timestamp: info.timestamp,
            temporal: info.temporal_layer,
            switch: info.temporal_switch,
        });
    }

    /// Counts a packet's bytes.
    pub(super) fn count(&mut self, info: PacketInfo, bytes: usize) {
        let spatial = usize::from(info.spatial_layer).min(SPATIAL - 1);
        let temporal = usize::from(info.temporal_layer).min(TEMPORAL - 1);
        self.bytes[spatial][temporal] += bytes as u64;
    }

    /// Updates bitrates with what was counted over `span`.
    pub(super) fn measure(&mut self, span: Duration) {
        let bitrates = self.bitrates.iter_mut().flatten();
        for (bitrate, bytes) in bitrates.zip(self.bytes.iter_mut().flatten()) {
            let rate = (std::mem::take(bytes) as f64 * 8.0 / span.as_secs_f64()) as u64;
            *bitrate = match *bitrate {
                0 => rate,
                // A layer that ended is forgotten, not kept as a trace of itself.
                before if rate == 0 && before < 1_000 => 0,
                before => (before * 3 + rate) / 4,
            };
        }
        self.flowing = self.find_flowing();
    }

    fn find_flowing(&self) -> ArrayVec<(u8, u8, u64), SUB_LAYERS> {
        let mut found = ArrayVec::new();
        for (spatial, temporal) in (0..SPATIAL).flat_map(|s| iter::repeat(s).zip(0..TEMPORAL)) {
            if self.bitrates[spatial][temporal] > 0 {
                let rows = &self.bitrates[..=spatial];
                let bitrate = rows.iter().flat_map(|row| &row[..=temporal]).sum();
                found.push((spatial as u8, temporal as u8, bitrate));
            }
        }
        found.sort_unstable_by_key(|&(.., bitrate)| bitrate);
        found
    }

    /// Those that flow, from the least to the most. `size` is that of the whole.
    pub(super) fn iter(&self, size: (u16, u16)) -> impl Iterator<Item = SubLayer> {
        let single = self.sizes == [(0, 0); SPATIAL];
        self.flowing
            .iter()
            .map(move |&(spatial, temporal, bitrate)| SubLayer {
                spatial,
                temporal,
                size: if single {
                    size
                } else {
                    self.sizes[usize::from(spatial)]
                },
                bitrate,
            })
    }
}

/// The first frame of the picture that frame `number` is of, as far as known. A late frame passes for the first of its
/// picture: then whatever it refers to counts as earlier.
fn first_frame(newest: &mut Option<(u32, u16)>, timestamp: u32, number: u16) -> u16 {
    let (known, first) = *newest.get_or_insert((timestamp, number));
    let ahead = timestamp.wrapping_sub(known) as i32;
    if ahead < 0 {
        return number;
    }
    let earlier = (number.wrapping_sub(first) as i16) < 0;
    let first = if ahead > 0 || earlier { number } else { first };
    *newest = Some((timestamp, first));
    first
}

/// The dependency descriptor that a packet bears.
pub(crate) fn descriptor(extras: Extras<'_>) -> Option<&[u8]> {
    let descriptor =
        |(extension, value)| (extension == Extension::DependencyDescriptor).then_some(value);
    extras.into_iter().find_map(descriptor)
}
