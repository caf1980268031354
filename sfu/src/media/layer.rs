//! One simulcast layer of a track: its packets, its pace, its sender's clock.

use std::time::{Duration, Instant};

use super::{Extras, MediaPacket, PacketCache, PacketInfo, SubLayer, sublayers::SubLayers};
use crate::{
    codec::Codec,
    rtcp::KeyframeRequests,
    rtp::{dependency_descriptor::Structure, time::NtpTime},
};

/// A layer without a packet for this long isn't flowing.
const STALL: Duration = Duration::from_millis(1500);
/// Packets wait so long for the rest of their picture, ...
const GATHERING: Duration = Duration::from_millis(2);
/// ... and until they are as many as leave in one message.
const GATHERED: usize = 48;

/// One layer as this worker holds it.
#[derive(Debug)]
pub(crate) struct Layer {
    /// The simulcast rid; empty without simulcast.
    pub(crate) rid: String,
    /// The payload type of its packets, in the publisher's numbering.
    pub(crate) payload_type: u8,
    /// The codec of its packets, once one told.
    pub(crate) codec: Option<Codec>,
    pub(crate) cache: PacketCache,
    /// Sequence numbers that came since the last fan-out, in the order they came.
    pub(crate) pending: Vec<u64>,
    pending_since: Instant,
    /// One of them ends a picture, or is late already.
    pending_urgent: bool,
    /// Keyframe requests towards the feed.
    pub(crate) keyframes: KeyframeRequests,
    /// How its RTP timestamps relate to our clock, once a sender report told.
    pub(crate) clock: Option<SenderClock>,
    /// Picture size as last seen; 0×0 before.
    pub(crate) size: (u16, u16),
    /// Smoothed, in bits per second.
    pub(crate) bitrate: u64,
    sub_layers: SubLayers,
    last_packet: Option<Instant>,
    /// The newest timestamp and when it came.
    newest: Option<(u32, Instant)>,
    cache_limit: usize,
    bytes: u64,
    measured: Instant,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It was a duplicate, or too old to be of use.
    Refused,
    /// It is in the cache. `resized`: its picture's size isn't the one before.
    Kept { resized: bool },
}

impl Layer {
    pub(crate) fn new(
        now: Instant,
        rid: String,
        payload_type: u8,
        keyframe_interval: Duration,
        cache_limit: usize,
    ) -> Self {
        Self {
            rid,
            payload_type,
            codec: None,
            cache: PacketCache::new(cache_limit),
            pending: Vec::with_capacity(64),
            pending_since: now,
            pending_urgent: false,
            keyframes: KeyframeRequests::new(keyframe_interval),
            clock: None,
            size: (0, 0),
            bitrate: 0,
            sub_layers: SubLayers::default(),
            last_packet: None,
            newest: None,
            cache_limit,
            bytes: 0,
            measured: now,
        }
    }

    /// What a packet of this layer is. `mark` is its timestamp and its marker.
    pub(crate) fn describe(
        &mut self,
        codec: Codec,
        mark: (u32, bool),
        payload: &[u8],
        extras: Extras<'_>,
    ) -> PacketInfo {
        self.learn(payload, extras);
        self.sub_layers.describe(codec, mark, payload, extras)
    }

    /// Remembers what a packet tells of the layer as a whole. What comes from another worker is described already.
    pub(crate) fn learn(&mut self, payload: &[u8], extras: Extras<'_>) {
        self.sub_layers.learn(self.codec, payload, extras);
    }

    /// The spatial and temporal layers that flow, from the least bitrate to the most.
    pub(crate) fn sublayers(&self) -> impl Iterator<Item = SubLayer> {
        self.sub_layers.iter(self.size)
    }

    /// What the dependency descriptors of its packets refer to.
    pub(crate) fn structure(&self) -> Option<&Structure> {
        self.sub_layers.structure()
    }

    /// Takes a packet in that viewers get with the next fan-out.
    pub(crate) fn push(&mut self, now: Instant, sequence: u64, packet: &MediaPacket<'_>) -> Pushed {
        let behind = self.cache.highest().is_some_and(|newest| sequence < newest);
        let pushed = self.backfill(now, sequence, packet);
        if matches!(pushed, Pushed::Kept { .. }) {
            let timestamp = packet.info.timestamp;
            if self
                .newest
                .is_none_or(|(newest, _)| timestamp.wrapping_sub(newest) as i32 > 0)
            {
                self.newest = Some((timestamp, now));
            }
            self.bytes += packet.payload.len() as u64;
            self.sub_layers.count(packet.info, packet.payload.len());
            if self.pending.is_empty() {
                self.pending_since = now;
                self.pending_urgent = false;
            }
            self.pending_urgent |= behind || packet.info.marker;
            self.pending.push(sequence);
        }
        pushed
    }

    /// Until when what is pending waits for the rest of its picture; none where it is complete, or has waited.
    ///
    /// A publisher's packets of a picture come one after the other, and the fan-out takes longer than that: without waiting the
    /// first would go by themselves, at the price of a message for each viewer. The picture can't be shown before its last packet.
    pub(crate) fn gathers_until(&self, now: Instant) -> Option<Instant> {
        let until = self.pending_since + GATHERING;
        let waits = !self.pending_urgent && self.pending.len() < GATHERED && now < until;
        waits.then_some(until)
    }

    /// Takes a packet in that viewers only get when they catch up.
    pub(crate) fn backfill(
        &mut self,
        now: Instant,
        sequence: u64,
        packet: &MediaPacket<'_>,
    ) -> Pushed {
        if !self.cache.insert(sequence, packet) {
            return Pushed::Refused;
        }
        self.last_packet = Some(now);
        if packet.info.keyframe {
            self.keyframes.on_keyframe();
        }
        let size = packet.info.size;
        let resized = size != (0, 0) && size != self.size;
        if resized {
            self.size = size;
        }
        Pushed::Kept { resized }
    }

    /// Forgets its packets: what comes is another codec.
    pub(crate) fn restart(&mut self) {
        self.cache = PacketCache::new(self.cache_limit);
        self.pending.clear();
        self.size = (0, 0);
        self.sub_layers = SubLayers::default();
    }

    /// How RTP time would relate to `wall` at `now` if packets took no time to arrive: the best guess for a publisher
    /// that sends no sender reports.
    pub(crate) fn arrival_clock(&self, now: Instant, wall: NtpTime) -> Option<SenderClock> {
        let (rtp, at) = self.newest?;
        let age = NtpTime::from_unix(now.saturating_duration_since(at)).bits();
        let epoch = NtpTime::from_unix(Duration::ZERO).bits();
        let wall = NtpTime::from_bits(wall.bits().wrapping_sub(age.wrapping_sub(epoch)));
        Some(SenderClock { wall, rtp })
    }

    /// The media time from the packet `sequence` to the newest in the cache; zero if it isn't there.
    pub(crate) fn span_from(&self, sequence: u64, clock_rate: u32) -> Duration {
        let timestamp = |sequence| Some(self.cache.get(sequence)?.info.timestamp);
        let newest = self.cache.highest().and_then(timestamp);
        let (Some(first), Some(newest)) = (timestamp(sequence), newest) else {
            return Duration::ZERO;
        };
        let ticks = (newest.wrapping_sub(first) as i32).max(0);
        Duration::from_secs_f64(f64::from(ticks) / f64::from(clock_rate))
    }

    /// Whether packets came lately.
    pub(crate) fn flowing(&self, now: Instant) -> bool {
        self.last_packet
            .is_some_and(|at| now.saturating_duration_since(at) < STALL)
    }

    /// What orders layers from worst to best: OBS numbers its layers from the largest, browsers from the smallest, so
    /// names say nothing.
    pub(crate) fn rank(&self) -> (u32, u64) {
        (
            u32::from(self.size.0) * u32::from(self.size.1),
            self.bitrate,
        )
    }

    /// Updates the bitrate; call it a few times a second.
    pub(crate) fn measure(&mut self, now: Instant) {
        let span = now.saturating_duration_since(self.measured);
        if span < Duration::from_millis(200) {
            return;
        }
        let rate = (self.bytes as f64 * 8.0 / span.as_secs_f64()) as u64;
        self.bitrate = if self.bitrate == 0 {
            rate
        } else {
            (self.bitrate * 3 + rate) / 4
        };
        self.sub_layers.measure(span);
        self.bytes = 0;
        self.measured = now;
    }
}

/// One moment in both a layer's RTP time and our wall clock, from a sender report (RFC 3550 §6.4.1) whose NTP time was
/// moved into our clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderClock {
    /// Our wall clock.
    pub(crate) wall: NtpTime,
    /// The layer's RTP timestamp at that moment.
    pub(crate) rtp: u32,
}

impl SenderClock {
    /// The RTP timestamp at `wall`.
    pub(crate) fn rtp_at(self, wall: NtpTime, clock_rate: u32) -> u32 {
        let ticks = wall.bits().wrapping_sub(self.wall.bits()) as i64;
        let elapsed = (i128::from(ticks) * i128::from(clock_rate)) >> 32;
        self.rtp.wrapping_add(elapsed as u32)
    }

    /// The wall clock at RTP timestamp `rtp`.
    pub(crate) fn wall_at(self, rtp: u32, clock_rate: u32) -> NtpTime {
        let ticks = i128::from(rtp.wrapping_sub(self.rtp) as i32);
        NtpTime::from_bits(
            self.wall
                .bits()
                .wrapping_add(((ticks << 32) / i128::from(clock_rate)) as u64),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtp_and_wall_time_turn_into_each_other() {
        let clock = SenderClock {
            wall: NtpTime::from_bits(10 << 32),
            rtp: u32::MAX - 100,
        };
        let later = NtpTime::from_bits((11 << 32) + (1 << 31));
        let rtp = clock.rtp_at(later, 90_000);
        assert_eq!(rtp, (u32::MAX - 100).wrapping_add(135_000));
        assert_eq!(clock.wall_at(rtp, 90_000), later);
        assert_eq!(
            clock.wall_at(clock.rtp.wrapping_sub(90_000), 90_000),
            NtpTime::from_bits(9 << 32)
        );
    }
}
