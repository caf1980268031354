//! What leaves from the cache: the cached group of pictures that a viewer joins with, and live packets that were held
//! back because they would have left too fast.

use std::time::{Duration, Instant};

use arrayvec::ArrayVec;

use super::{
    BATCH, CatchUp, Egress, KeyframeNeed, MAX_REPLAYS, TransportHistory, Viewer, Wire, egress::Item,
};
use crate::{
    MediaKind,
    media::{Channel, Layer, MAX_LEAP, Track, track_index},
};

/// A picture that is held back this long isn't live any more: the next keyframe is waited for instead.
const MAX_LAG: Duration = Duration::from_secs(1);
/// Held back this long, what lies before a new keyframe is left out.
const LAG_TO_JUMP: Duration = Duration::from_millis(300);
/// A keyframe that was asked for and hasn't come after this long won't come soon: OBS sends them when it likes.
const UNANSWERED: Duration = Duration::from_millis(800);
/// A cached group of pictures that is sent in place of that takes this share of what the path carries.
const STEADY_SHARE: f64 = 0.9;

impl Viewer {
    /// Sends what the catch-up may send now, at most `budget` bytes. Returns a need for a keyframe if the live edge
    /// can't be reached.
    pub(crate) fn catch_up(
        &mut self,
        channel: &Channel,
        budget: usize,
        wire: &mut Wire<'_>,
    ) -> Option<KeyframeNeed> {
        let track = channel.track(MediaKind::Video)?;
        let steady = self.steady_rate(wire.now, channel);
        let index = self.current_layer(MediaKind::Video)?;
        let layer = track.layers.get(usize::from(index))?;
        let bitrate = self.share_of(index, layer.bitrate);
        let cursor = self.cursor();
        let backlog = cursor.and_then(|cursor| layer.cache.bytes_after(cursor));
        let backlog = backlog.map(|bytes| self.share_of(index, bytes));
        let egress = self.egress[track_index(MediaKind::Video)].as_mut()?;
        let highest = layer.cache.highest()?;
        let newest = layer.cache.keyframe();
        let catch_up = egress.forwarder.catching_up()?;
        catch_up.keep_to(steady);
        if catch_up.is_surge(wire.now) {
            self.history.controller().on_surge(wire.now);
        }
        let overwritten = newest.is_none() && layer.cache.get(catch_up.cursor).is_none();
        let allowance = catch_up.allowance(wire.now).min(budget);
        if let Some(keyframe) = newest.filter(|&k| k > catch_up.cursor) {
            catch_up.cursor = keyframe;
            egress.forwarder.jump(keyframe);
        } else if overwritten
            || backlog.is_none_or(|bytes| catch_up.is_hopeless(wire.now, bytes, bitrate))
        {
            let thin = catch_up.clone();
            let instead = |keyframe, rate| thin.instead(wire.now, keyframe, rate);
            let smaller = fitting(wire.now, track, layer.bitrate, instead, |_, all| all);
            match smaller.filter(|_| !thin.is_steady()) {
                Some(smaller) => begin_with(egress, wire.now, track, smaller),
                None => egress.wait(),
            }
            // Its path is too thin for the same again.
            self.replays = MAX_REPLAYS;
            self.waits_since = None;
            return self.keyframes.grant(wire.now).then_some(KeyframeNeed {
                kind: MediaKind::Video,
                layer: index,
            });
        }
        let from = egress.forwarder.catching_up()?.cursor;
        let (next, bytes) = send_cached(
            egress,
            (index, layer),
            from,
            allowance,
            &mut self.history,
            wire,
        );
        let catch_up = egress.forwarder.catching_up()?;
        catch_up.cursor = next;
        catch_up.on_sent(bytes);
        if next > highest {
            egress.go_live();
        }
        None
    }

    /// Where nothing flows although a keyframe was asked for a while ago, begins with the cached group of pictures of the
    /// best layer that gets to the live edge without more than the path is known to carry.
    pub(super) fn go_on(&mut self, now: Instant, channel: &Channel) {
        let Some(track) = channel.track(MediaKind::Video) else {
            return;
        };
        if !self.waits() {
            self.waits_since = None;
            return;
        }
        let since = *self.waits_since.get_or_insert(now);
        if now.saturating_duration_since(since) < UNANSWERED {
            return;
        }
        let rate = self.steady_rate(now, channel);
        let instead = |keyframe, _| CatchUp::steady(now, keyframe, rate);
        let target = self.egress[track_index(MediaKind::Video)].as_ref();
        let target = target.and_then(|e| track.layers.get(usize::from(e.forwarder.target())));
        // No larger one than was chosen.
        let most = target.map_or(0, |target| target.bitrate + 1);
        let share = |layer, all| self.share_of(layer, all);
        let found = fitting(now, track, most, instead, share);
        let egress = self.egress[track_index(MediaKind::Video)].as_mut();
        if let (Some(mut found), Some(egress)) = (found, egress) {
            found.1.persist();
            begin_with(egress, now, track, found);
            self.waits_since = None;
        }
    }

    /// The pace of a catch-up that keeps to what the path is known to carry beside sound and what is sent again.
    fn steady_rate(&self, now: Instant, channel: &Channel) -> u64 {
        let rate = (self.history.estimate() as f64 * STEADY_SHARE) as u64;
        rate.saturating_sub(self.beside(now, channel))
    }

    /// Where the catch-up is.
    fn cursor(&mut self) -> Option<u64> {
        let video = self.egress[track_index(MediaKind::Video)].as_mut()?;
        Some(video.forwarder.catching_up()?.cursor)
    }

    /// Sends what may leave now of the live packets that are held back. Returns a need for a keyframe if they are held
    /// back too long.
    pub(crate) fn release(
        &mut self,
        channel: &Channel,
        wire: &mut Wire<'_>,
    ) -> Option<KeyframeNeed> {
        let track = channel.track(MediaKind::Video)?;
        let index = self.current_layer(MediaKind::Video)?;
        let layer = track.layers.get(usize::from(index))?;
        let share = |bytes| self.share_of(index, bytes);
        let mut cursor = self.held_from()?;
        let backlog = layer.cache.bytes_after(cursor).map(share);
        let egress = self.egress[track_index(MediaKind::Video)].as_mut()?;
        let lag = backlog.map_or(MAX_LAG, |bytes| {
            Duration::from_secs_f64(bytes as f64 * 8.0 / self.pacer.rate().max(1) as f64)
        });
        if lag >= LAG_TO_JUMP
            && let Some(keyframe) = layer.cache.keyframe().filter(|&k| k > cursor)
        {
            cursor = keyframe;
            egress.forwarder.jump(keyframe);
        } else if lag >= MAX_LAG {
            egress.wait();
            self.waits_since = None;
            let need = KeyframeNeed {
                kind: MediaKind::Video,
                layer: egress.forwarder.target(),
            };
            return self.keyframes.grant(wire.now).then_some(need);
        }
        let allowance = self.pacer.credit(wire.now).max(0.0) as usize;
        let before = wire.sent.bytes;
        let (next, _) = send_cached(
            egress,
            (index, layer),
            cursor,
            allowance,
            &mut self.history,
            wire,
        );
        self.pacer.on_sent(wire.sent.bytes - before);
        let all = layer.cache.highest().is_none_or(|highest| next > highest);
        egress.forwarder.hold_from(next, all);
        None
    }
}

/// Begins with the cached group of pictures of a layer, at the given pace.
fn begin_with(egress: &mut Egress, now: Instant, track: &Track, (layer, pace): (u8, CatchUp)) {
    egress.forwarder.set_target(layer);
    egress.catch_up(now, track, pace.cursor, false);
    if let Some(catch_up) = egress.forwarder.catching_up() {
        *catch_up = pace;
    }
}

/// The best layer below `most` bits per second whose cached group of pictures can be caught up with, and how: `instead`
/// tells for a keyframe and a bitrate, and `share` what is sent of so much of a layer.
fn fitting(
    now: Instant,
    track: &Track,
    most: u64,
    instead: impl Fn(u64, u64) -> CatchUp,
    share: impl Fn(u8, u64) -> u64,
) -> Option<(u8, CatchUp)> {
    let smaller = track.layers.iter().enumerate();
    let smaller = smaller.filter(|(_, l)| l.bitrate < most && l.flowing(now));
    let fits = |(place, layer): (usize, &Layer)| {
        let keyframe = layer.cache.keyframe()?;
        let index = place as u8;
        let backlog = share(index, layer.cache.bytes_after(keyframe)?);
        let bitrate = share(index, layer.bitrate);
        let catch_up = instead(keyframe, bitrate);
        let hopeless = catch_up.is_hopeless(now, backlog, bitrate);
        (!hopeless).then_some((layer.bitrate, index, catch_up))
    };
    let best = smaller
        .filter_map(fits)
        .max_by_key(|(bitrate, ..)| *bitrate)?;
    Some((best.1, best.2))
}

/// Sends cached packets from `next` on until at least `allowance` bytes of payload left, or all. Returns where it got to, and
/// the bytes.
fn send_cached(
    egress: &mut Egress,
    (index, layer): (u8, &Layer),
    mut next: u64,
    allowance: usize,
    history: &mut TransportHistory,
    wire: &mut Wire<'_>,
) -> (u64, usize) {
    let highest = layer.cache.highest().unwrap_or(0);
    let (mut sent, mut missing) = (0, 0);
    while next <= highest && sent < allowance && missing < MAX_LEAP {
        let mut items = ArrayVec::<Item<'_>, BATCH>::new();
        while next <= highest && sent < allowance && !items.is_full() && missing < MAX_LEAP {
            missing += 1;
            if let Some(packet) = layer.cache.get(next) {
                missing = 0;
                let decision = egress.forwarder.forward(wire.now, layer, next, &packet);
                if let Some(item) = Item::new(next, decision, packet) {
                    sent += item.packet.payload.len();
                    items.push(item);
                }
            }
            next += 1;
        }
        egress.send(index, &items, history, wire);
    }
    (next, sent)
}
