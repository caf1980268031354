//! What a viewer was given over time.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use spillway_sfu::{LayerStatistics, MediaKind};

use super::{PeerId, World, ms, seconds, source::Tag, viewer::in_order};

/// What a viewer was given, sampled every 100 ms.
#[derive(Debug, Default)]
pub struct Record(Vec<Sample>);

/// One moment.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Since the world began.
    pub at: Duration,
    /// What its path was believed to carry, in bits per second.
    pub estimate: u64,
    /// The simulcast layer that it got, by its number.
    pub layer: Option<u8>,
    /// What left toward it in the last second, in bits per second.
    pub sent: u64,
}

impl Record {
    /// Lets time pass and samples.
    pub fn run(&mut self, world: &mut World, viewer: PeerId, time: Duration) {
        let end = world.now + time;
        while world.now < end {
            world.run(ms(100));
            self.sample(world, viewer);
        }
    }

    /// Samples once.
    pub fn sample(&mut self, world: &World, viewer: PeerId) -> Sample {
        let statistics = world.engines[0].statistics(world.now);
        let session = world.peers[viewer].session;
        let found = statistics.sessions.iter().find(|s| s.session == session);
        let found = found.expect("the viewer's session");
        let video = found.layers.iter().find(|l| l.kind == MediaKind::Video);
        let sample = Sample {
            at: world.now - world.start,
            estimate: found.estimate,
            layer: video.and_then(|l| l.rid.parse().ok()),
            sent: sent_lately(world, viewer),
        };
        self.0.push(sample);
        sample
    }

    /// Share of the samples between two moments in which this layer was had.
    pub fn share(&self, layer: u8, from: Duration, to: Duration) -> f64 {
        let within = || self.0.iter().filter(|s| (from..to).contains(&s.at));
        let had = within().filter(|s| s.layer == Some(layer)).count();
        had as f64 / within().count().max(1) as f64
    }

    pub fn print(&self) {
        for sample in self.0.iter().step_by(5) {
            println!(
                "{:.1?} {:>8} {:>8} {:?}",
                sample.at, sample.estimate, sample.sent, sample.layer
            );
        }
    }
}

/// What left toward a viewer in the last second, in bits per second.
fn sent_lately(world: &World, viewer: PeerId) -> u64 {
    let recent = world.sent.iter().rev();
    let recent = recent.take_while(|(at, ..)| *at + seconds(1) > world.now);
    let bytes: usize = recent.filter(|(_, id, _)| *id == viewer).map(|s| s.2).sum();
    bytes as u64 * 8
}

/// The video that a viewer gets, and that its publisher sends, with the layers of each.
pub fn video_of(world: &World, id: PeerId) -> Vec<LayerStatistics> {
    let mut statistics = world.engines[0].statistics(world.now);
    let session = world.peers[id].session;
    let sessions = &mut statistics.sessions;
    let found = sessions.iter_mut().find(|s| s.session == session);
    let layers = std::mem::take(&mut found.expect("its session").layers);
    let video = layers.into_iter().filter(|l| l.kind == MediaKind::Video);
    video.collect()
}

/// When each frame came whole between two moments, in that order.
pub fn whole_frames(
    world: &World,
    viewer: PeerId,
    from: Duration,
    to: Duration,
) -> Vec<(Instant, Tag)> {
    let mut parts: HashMap<(u8, u8, u32), HashSet<u8>> = HashMap::new();
    let (from, to) = (world.start + from, world.start + to);
    let mut whole = Vec::new();
    for heard in world.video(viewer) {
        let Some(tag) = heard.tag.filter(|_| heard.at < to) else {
            continue;
        };
        let seen = parts.entry((tag.source, tag.layer, tag.frame)).or_default();
        if seen.insert(tag.index) && seen.len() == usize::from(tag.of) && heard.at >= from {
            whole.push((heard.at, tag));
        }
    }
    whole
}

/// The longest time without a whole frame between two moments.
pub fn longest_gap(world: &World, viewer: PeerId, from: Duration, to: Duration) -> Duration {
    let frames = whole_frames(world, viewer, from, to);
    let (mut last, end) = (world.start + from, world.start + to);
    let mut longest = ms(0);
    for (at, _) in frames {
        longest = longest.max(at - last);
        last = at;
    }
    longest.max(end - last)
}

/// Share of the sound that never came.
pub fn audio_lost(world: &World, viewer: PeerId) -> f64 {
    let heard = in_order(&world.peers[viewer].heard, MediaKind::Audio);
    let (first, last) = (heard.keys().next(), heard.keys().last());
    let span = last.zip(first).map_or(0, |(last, first)| last - first + 1);
    1.0 - heard.len() as f64 / span.max(1) as f64
}
