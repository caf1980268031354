use std::{collections::HashMap, time::Duration};

use spillway_sfu::MediaKind;

use crate::support::{
    link::{BurstLoss, Random},
    viewer::in_order,
    world::seed_of_environment,
    *,
};

fn simulcast() -> (World, PeerId) {
    broadcast(World::new())
}

fn broadcast(mut world: World) -> (World, PeerId) {
    let offer = Offer::simulcast();
    let publisher = world.publish(&offer, Source::three_rates());
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
fn also_if_it_estimates_its_path_itself() {
    let (mut world, _) = simulcast();
    let viewer = world.watch(&Offer::viewer_with_remb());
    set_rate(&mut world, viewer, 5_000_000);
    world.connect(&[viewer]);
    let start = world.now - world.start;
    let mut record = Record::default();
    record.run(&mut world, viewer, seconds(12));
    set_rate(&mut world, viewer, 800_000);
    record.run(&mut world, viewer, seconds(30));
    set_rate(&mut world, viewer, 5_000_000);
    record.run(&mut world, viewer, seconds(60));
    for (layer, from, to) in [(0, 5, 12), (2, 20, 42), (0, 82, 102)] {
        let share = record.share(layer, start + seconds(from), start + seconds(to));
        if share < 0.95 {
            record.print();
        }
        assert!(
            share >= 0.95,
            "layer {layer} for {share} of {from} s to {to} s"
        );
    }
    let lost = audio_lost(&world, viewer);
    assert!(lost < 0.02, "{lost} of the sound lost");
}

#[test]
fn also_if_its_publisher_sends_keyframes_when_it_likes() {
    for after in [1, 3, 5, 7, 9] {
        let mut source = Source::three_rates();
        (source.group, source.answers) = (300, Answers::Never);
        let mut world = World::new();
        let publisher = world.publish(&Offer::simulcast(), source);
        world.connect(&[publisher]);
        let viewer = world.watch(&Offer::viewer());
        set_rate(&mut world, viewer, 5_000_000);
        world.connect(&[viewer]);
        // Keyframes come every 10 s from when it connected.
        let started = world.peers[publisher].source.as_ref().unwrap().started;
        let next = started + seconds(20);
        world.run(next + seconds(after) - world.now);
        let fall = world.now - world.start;
        set_rate(&mut world, viewer, 800_000);
        let mut record = Record::default();
        record.run(&mut world, viewer, seconds(14));
        let gap = longest_gap(&world, viewer, fall, fall + seconds(14));
        if gap > ms(2_500) {
            record.print();
        }
        assert!(
            gap <= ms(2_500),
            "{after} s after a keyframe: no frame for {gap:?}"
        );
        let lost = audio_lost(&world, viewer);
        assert!(lost < 0.02, "{lost} of the sound lost");
        world.assert_ordered(viewer, MediaKind::Video);
        world.assert_sent_continuously(viewer);
    }
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

/// Seeds for the paths of [`whatever_the_path_does`]: `SPILLWAY_SEEDS` of them, a few without that.
fn seeds() -> Vec<u64> {
    if let Some(seed) = seed_of_environment() {
        return vec![seed];
    }
    let count = std::env::var("SPILLWAY_SEEDS").ok();
    let count = count.and_then(|n| n.parse().ok()).unwrap_or(6);
    (0..count).map(|_| rand::random()).collect()
}

#[test]
fn whatever_the_path_does() {
    for seed in seeds() {
        let world = World::seeded(1, &spillway_sfu::Limits::default(), seed);
        let (mut world, _) = broadcast(world);
        let viewer = world.watch(&Offer::viewer());
        world.connect(&[viewer]);
        let mut record = Record::default();
        let mut above = ms(0);
        for _ in 0..8 {
            let link = path(&mut world.random);
            let rate = link.rate.unwrap_or(u64::MAX);
            world.links[viewer].0 = link;
            let from = world.now - world.start;
            for _ in 0..60 {
                record.run(&mut world, viewer, ms(100));
                // An estimate that is too high without being used harms nobody, and nothing could tell: a layer's own
                // rate must be in the way.
                let used = record.0.last().is_some_and(|s| {
                    s.estimate as f64 > 1.5 * rate as f64
                        && s.layer.is_some_and(|l| needs(l) > rate)
                });
                above = if used { above + ms(100) } else { ms(0) };
                if above > seconds(2) {
                    record.print();
                    panic!("too much was believed of a path of {rate} for {above:?}");
                }
            }
            let to = world.now - world.start;
            let gap = longest_gap(&world, viewer, from + seconds(3), to);
            if gap > seconds(2) {
                record.print();
                panic!("no frame for {gap:?} on a path of {rate} from {from:?} on");
            }
        }
        let lost = audio_lost(&world, viewer);
        assert!(lost < 0.1, "{lost} of the sound lost");
        world.assert_ordered(viewer, MediaKind::Video);
        world.assert_ordered(viewer, MediaKind::Audio);
        world.assert_sent_continuously(viewer);
    }
}

/// What a layer takes at the very least: its own rate, without headers and sound.
fn needs(layer: u8) -> u64 {
    [2_500_000, 1_000_000, 300_000][usize::from(layer)]
}

/// Some path: 0.6 to 20 Mbit/s, near or far, clean or not.
fn path(random: &mut Random) -> Link {
    let octaves = random.share() * 5.0;
    let bad = random.share() < 0.5;
    Link {
        rate: Some((600_000.0 * octaves.exp2()) as u64),
        latency: ms(5 + random.below(70) as u64),
        jitter: if bad {
            ms(random.below(15) as u64)
        } else {
            ms(0)
        },
        loss: if bad { random.share() * 0.05 } else { 0.0 },
        duplicates: if bad { random.share() * 0.01 } else { 0.0 },
        reordered: if bad { random.share() * 0.02 } else { 0.0 },
        bursts: (random.share() < 0.25).then(|| BurstLoss {
            share: random.share() * 0.02,
            length: 1.0 + random.share() * 9.0,
        }),
        queue: ms(100 + random.below(300) as u64),
    }
}
