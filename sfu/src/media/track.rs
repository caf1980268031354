//! Audio or video of a broadcast: one to a few layers of one codec.

use std::time::{Duration, Instant};

use super::{Layer, SenderClock};
use crate::{MediaKind, sdp::Payload};

/// What a publisher announced of one track.
#[derive(Debug, Clone)]
pub(crate) struct PublishedTrack {
    /// Audio or video.
    pub(crate) kind: MediaKind,
    /// The payloads it may send, its preferred one first.
    pub(crate) payloads: Vec<Payload>,
    /// Its layers' rids: one empty name without simulcast.
    pub(crate) rids: Vec<String>,
}

/// What a publisher announced.
#[derive(Debug, Clone, Default)]
pub struct PublishedLayers(pub(crate) Vec<PublishedTrack>);

/// What a packet's payload type says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PayloadChange {
    /// The same as before.
    None,
    /// The codec is known now.
    First,
    /// The codec is another one now.
    Other,
}

/// One track as this worker holds it.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) kind: MediaKind,
    pub(crate) payloads: Vec<Payload>,
    pub(crate) layers: Vec<Layer>,
    /// The payload type that flows, once a packet told; until then the publisher's preferred one is expected.
    flowing: Option<u8>,
}

impl Track {
    pub(crate) fn new(
        now: Instant,
        published: &PublishedTrack,
        keyframe_interval: Duration,
        cache_limit: usize,
    ) -> Self {
        let payload_type = published.payloads.first().map_or(0, |p| p.payload_type);
        let layer = |rid: &String| {
            Layer::new(
                now,
                rid.clone(),
                payload_type,
                keyframe_interval,
                cache_limit,
            )
        };
        Self {
            kind: published.kind,
            payloads: published.payloads.clone(),
            layers: published.rids.iter().map(layer).collect(),
            flowing: None,
        }
    }

    /// The payload that flows, or is expected to.
    pub(crate) fn payload(&self) -> Option<&Payload> {
        match self.flowing {
            Some(flowing) => self.payloads.iter().find(|p| p.payload_type == flowing),
            None => self.payloads.first(),
        }
    }

    /// Whether the codec is known for sure, because packets came.
    pub(crate) fn is_flowing(&self) -> bool {
        self.flowing.is_some()
    }

    /// Notes the payload type of a packet before it is taken in. Another one than flowed before is another codec: what
    /// is cached of the old one is of no use any more.
    pub(crate) fn note_payload(&mut self, payload_type: u8) -> PayloadChange {
        let before = self.flowing.replace(payload_type);
        if before == Some(payload_type) {
            return PayloadChange::None;
        }
        let codec = self.payload().map(|p| p.codec);
        for layer in &mut self.layers {
            layer.codec = codec;
            if before.is_some() {
                layer.restart();
            }
        }
        match before {
            None => PayloadChange::First,
            Some(_) => PayloadChange::Other,
        }
    }

    /// The RTP clock, in Hz.
    pub(crate) fn clock_rate(&self) -> u32 {
        let fallback = match self.kind {
            MediaKind::Audio => 48_000,
            MediaKind::Video => 90_000,
        };
        self.payload().map_or(fallback, |p| p.codec.clock_rate())
    }

    /// The layer that a viewer gets: the `preferred` one while it flows, else the best that does, else the best.
    pub(crate) fn choose(&self, now: Instant, preferred: Option<&str>) -> u8 {
        let wanted = preferred.and_then(|rid| self.layers.iter().position(|l| l.rid == rid));
        if let Some(index) = wanted.filter(|&i| self.layers[i].flowing(now)) {
            return index as u8;
        }
        let best = self
            .layers
            .iter()
            .enumerate()
            .max_by_key(|(_, l)| (l.flowing(now), l.rank()));
        best.map_or(0, |(index, _)| index as u8)
    }

    /// What `rtp` of layer `from` reads in the clock of layer `to`, where both sent a sender report.
    pub(crate) fn align(&self, rtp: u32, from: u8, to: u8) -> Option<u32> {
        let clock =
            |layer: u8| -> Option<SenderClock> { self.layers.get(usize::from(layer))?.clock };
        let rate = self.clock_rate();
        Some(clock(to)?.rtp_at(clock(from)?.wall_at(rtp, rate), rate))
    }
}
