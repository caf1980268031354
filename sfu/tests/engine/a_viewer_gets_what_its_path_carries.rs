use std::{collections::HashMap, time::Duration};

use spillway_sfu::MediaKind;

use crate::support::{viewer::in_order, *};

fn simulcast() -> (World, PeerId) {
    let mut world = World::new();
    let offer = Offer {
        rids: vec!["0", "1", "2"],
        ..Offer::publisher()
    };
    let mut source = Source::simulcast(1);
    for (layer, bitrate) in source
        .layers
        .iter_mut()
        .zip([2_500_000, 1_000_000, 300_000])
    {
        layer.bitrate = bitrate;
    }
    let publisher = world.publish(
        &offer,
        Source {
            group: 100_000,
            ..source
        },
    );
    world.connect(&[publisher]);
    world.run(seconds(3));
    (world, publisher)
}

fn set_rate(world: &mut World, viewer: PeerId, rate: u64) {
    world.links[viewer].0.rate = Some(rate);
}

/// What a viewer was given, sampled every 100 ms.
#[derive(Debug, Default)]
struct Record(Vec<Sample>);

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Duration,
    estimate: u64,
    layer: Option<u8>,
}

impl Record {
    /// Lets time pass and samples.
    fn run(&mut self, world: &mut World, viewer: PeerId, time: Duration) {
        let end = world.now + time;
        while world.now < end {
            world.run(ms(100));
            let statistics = world.engines[0].statistics(world.now);
            let session = world.peers[viewer].session;
            let found = statistics.sessions.iter().find(|s| s.session == session);
            let found = found.expect("the viewer's session");
            let video = found.layers.iter().find(|l| l.kind == MediaKind::Video);
            self.0.push(Sample {
                at: world.now - world.start,
                estimate: found.estimate,
                layer: video.and_then(|l| l.rid.parse().ok()),
            });
        }
    }

    /// Share of the samples between two moments in which this layer was had.
    fn share(&self, layer: u8, from: Duration, to: Duration) -> f64 {
        let within = || self.0.iter().filter(|s| (from..to).contains(&s.at));
        let had = within().filter(|s| s.layer == Some(layer)).count();
        had as f64 / within().count().max(1) as f64
    }

    fn print(&self) {
        for sample in self.0.iter().step_by(5) {
            println!(
                "{:.1?} {:>8} {:?}",
                sample.at, sample.estimate, sample.layer
            );
        }
    }
}

/// The longest time without a whole frame between two moments.
fn longest_gap(world: &World, viewer: PeerId, from: Duration, to: Duration) -> Duration {
    let mut parts: HashMap<(u8, u32), u8> = HashMap::new();
    let (mut last, end) = (world.start + from, world.start + to);
    let mut longest = ms(0);
    for heard in world.video(viewer) {
        let Some(tag) = heard.tag else { continue };
        let seen = parts.entry((tag.layer, tag.frame)).or_default();
        *seen += 1;
        if *seen == tag.of && (last..end).contains(&heard.at) {
            longest = longest.max(heard.at - last);
            last = heard.at;
        }
    }
    longest.max(end - last)
}

/// Share of the sound that never came.
fn audio_lost(world: &World, viewer: PeerId) -> f64 {
    let heard = in_order(&world.peers[viewer].heard, MediaKind::Audio);
    let (first, last) = (heard.keys().next(), heard.keys().last());
    let span = last.zip(first).map_or(0, |(last, first)| last - first + 1);
    1.0 - heard.len() as f64 / span.max(1) as f64
}

#[test]
fn when_it_narrows_and_widens_again() {
    let (mut world, _) = simulcast();
    let viewer = world.watch(&Offer::viewer());
    set_rate(&mut world, viewer, 5_000_000);
    world.connect(&[viewer]);
    let start = world.now - world.start;
    let mut record = Record::default();
    record.run(&mut world, viewer, seconds(12));
    set_rate(&mut world, viewer, 800_000);
    record.run(&mut world, viewer, seconds(20));
    set_rate(&mut world, viewer, 5_000_000);
    record.run(&mut world, viewer, seconds(20));
    for (layer, from, to) in [(0, 2, 12), (2, 15, 32), (0, 42, 52)] {
        let share = record.share(layer, start + seconds(from), start + seconds(to));
        if share < 0.99 {
            record.print();
        }
        assert!(
            share >= 0.99,
            "layer {layer} for {share} of {from} s to {to} s"
        );
    }
    let gap = longest_gap(&world, viewer, start + seconds(2), start + seconds(52));
    assert!(gap < seconds(1), "no frame for {gap:?}");
    let lost = audio_lost(&world, viewer);
    assert!(lost < 0.02, "{lost} of the sound lost");
}

#[test]
fn although_some_of_it_is_lost() {
    for loss in [0.02, 0.05, 0.1] {
        let (mut world, _) = simulcast();
        let viewer = world.watch(&Offer::viewer());
        set_rate(&mut world, viewer, 10_000_000);
        world.connect(&[viewer]);
        world.links[viewer].0.loss = loss;
        world.links[viewer].0.latency = ms(30);
        let start = world.now - world.start;
        let mut record = Record::default();
        record.run(&mut world, viewer, seconds(40));
        let share = record.share(0, start + seconds(10), start + seconds(40));
        if share < 0.85 {
            record.print();
        }
        assert!(
            share >= 0.85,
            "the best layer for {share} of the time at {loss} lost"
        );
        let gap = longest_gap(&world, viewer, start + seconds(5), start + seconds(40));
        println!("loss {loss}: share {share} gap {gap:?}");
    }
}
