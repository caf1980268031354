//! The promises to viewers, over paths and broadcasts drawn at random: `make soak` tries a thousand of each. A failure prints
//! its seed, and `SPILLWAY_SEED=… cargo test -p spillway-sfu --test engine whatever_the_path_does` replays it.

use std::{collections::BTreeSet, sync::Mutex, thread, time::Duration};

use spillway_sfu::{LayerSelection, Limits, MediaKind};

use crate::support::{
    link::{BurstLoss, Random},
    record::{Record, audio_lost, longest_gap, video_of, whole_frames},
    source::FRAME,
    world::seed_of_environment,
    *,
};

/// Plays with `SPILLWAY_SEEDS` random seeds, or with a few that are always the same, on all processors.
fn each_seed(play: impl Fn(u64) + Sync) {
    let seeds: Vec<u64> = if let Some(seed) = seed_of_environment() {
        vec![seed]
    } else {
        let count = std::env::var("SPILLWAY_SEEDS").ok();
        match count.and_then(|n| n.parse::<usize>().ok()) {
            Some(count) => (0..count).map(|_| rand::random()).collect(),
            None => (1..=6).collect(),
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(seeds.len());
    let seeds = Mutex::new(seeds);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = seeds.lock().unwrap().pop();
                    let Some(seed) = seed else { return };
                    play(seed);
                }
            });
        }
    });
}

fn world(seed: u64) -> World {
    World::seeded(1, &Limits::default(), seed)
}

/// What is broadcast, and how.
#[derive(Debug, Clone, Copy)]
struct Broadcast {
    codec: Codec,
    scalability: Scalability,
    simulcast: bool,
    /// Frames between keyframes of a publisher that sends none on request, as OBS.
    deaf: Option<u32>,
}

impl Broadcast {
    const LAYERED: [Self; 4] = [
        Self::new(Codec::H264, Scalability::None, true),
        Self::new(Codec::Vp8, Scalability::L1T3, true),
        Self::new(Codec::Vp9, Scalability::L3T3Key, false),
        Self::new(Codec::Av1, Scalability::L3T3, false),
    ];

    const fn new(codec: Codec, scalability: Scalability, simulcast: bool) -> Self {
        Self {
            codec,
            scalability,
            simulcast,
            deaf: None,
        }
    }

    fn any(random: &mut Random) -> Self {
        if random.share() < 0.2 {
            return Self {
                deaf: Some(60 + random.below(240) as u32),
                ..Self::LAYERED[0]
            };
        }
        Self::LAYERED[random.below(Self::LAYERED.len())]
    }

    /// Publishes it: 2.5, 1.0 and 0.3 Mbit/s of simulcast, or spatial layers of 2.5 Mbit/s in all.
    fn publish(self, world: &mut World) -> PeerId {
        let mut source = Source {
            codec: self.codec,
            scalability: self.scalability,
            ..Source::three_rates()
        };
        let mut offer = Offer {
            codecs: vec![self.codec],
            ..Offer::simulcast()
        };
        if let Some(group) = self.deaf {
            (source.group, source.answers, source.transport_cc) = (group, Answers::Never, false);
            offer = Offer {
                rids: offer.rids,
                ..Offer::obs()
            };
        }
        if !self.simulcast {
            source.layers.truncate(1);
            source.layers[0].rid = None;
            offer.rids.clear();
        }
        let publisher = world.publish(&offer, source);
        world.connect(&[publisher]);
        world.run(seconds(3));
        publisher
    }

    /// The longest that a viewer may be without a picture, on a path that carries the least layer.
    fn longest_gap(self) -> Duration {
        seconds(2) + self.deaf.map_or(ms(0), |group| FRAME * group)
    }
}

/// One viewer, and what must hold of it at all times.
struct Watched {
    id: PeerId,
    record: Record,
    /// How long its path was believed to carry too much.
    above: Duration,
}

impl Watched {
    fn new(id: PeerId) -> Self {
        Self {
            id,
            record: Record::default(),
            above: ms(0),
        }
    }

    /// Call every 100 ms.
    fn check(&mut self, world: &World) {
        let sample = self.record.sample(world, self.id);
        let rate = world.links[self.id].0.rate.unwrap_or(u64::MAX);
        // An estimate that is too high without being used harms nobody, and nothing could tell: what is sent must be in
        // the way.
        let used =
            sample.estimate as f64 > 1.5 * rate as f64 && sample.sent as f64 > 1.05 * rate as f64;
        self.above = if used { self.above + ms(100) } else { ms(0) };
        if self.above > seconds(2) {
            self.record.print();
            panic!(
                "too much was believed of a path of {rate} for {:?}",
                self.above
            );
        }
    }

    /// Numbers without a gap, and times that never step back.
    fn assert_continuous(&self, world: &World) {
        world.assert_ordered(self.id, MediaKind::Video);
        world.assert_ordered(self.id, MediaKind::Audio);
        world.assert_sent_continuously(self.id);
    }

    fn assert_gap(&self, world: &World, from: Duration, to: Duration, most: Duration) {
        let gap = longest_gap(world, self.id, from, to);
        if gap > most {
            self.record.print();
            let link = world.links[self.id].0;
            panic!("no frame for {gap:?} between {from:?} and {to:?} on {link:?}");
        }
    }

    /// It has all that is sent.
    fn assert_has_the_best(&self, world: &World, publisher: PeerId) {
        let sent = video_of(world, publisher);
        let best = sent.iter().max_by_key(|layer| layer.bitrate).unwrap();
        let had = &video_of(world, self.id)[0];
        let sub_layers = |layer: &spillway_sfu::LayerStatistics| {
            layer.sub_layers.last().map(|s| (s.spatial, s.temporal))
        };
        if (&had.rid, sub_layers(had)) != (&best.rid, sub_layers(best)) {
            self.record.print();
            panic!("stuck with {had:?} where there is {best:?}");
        }
    }
}

fn run(world: &mut World, viewers: &mut [Watched], time: Duration) {
    let end = world.now + time;
    while world.now < end {
        world.run(ms(100));
        for viewer in &mut *viewers {
            viewer.check(world);
        }
    }
}

fn elapsed(world: &World) -> Duration {
    world.now - world.start
}

#[test]
fn a_layer_that_fits_plays_within_seconds_of_a_fall_and_the_best_after_a_rise() {
    each_seed(|seed| {
        let mut world = world(seed);
        let kind = Broadcast::LAYERED[world.random.below(Broadcast::LAYERED.len())];
        let publisher = kind.publish(&mut world);
        let viewer = world.watch(&Offer::viewer());
        let wide = Link {
            latency: ms(5 + world.random.below(45) as u64),
            queue: ms(300),
            ..Link::thin(5_000_000)
        };
        world.links[viewer].0 = wide;
        world.connect(&[viewer]);
        let mut watched = [Watched::new(viewer)];
        let time = ms(8_000 + world.random.below(4_000) as u64);
        run(&mut world, &mut watched, time);
        watched[0].assert_has_the_best(&world, publisher);
        let fall = elapsed(&world);
        world.links[viewer].0.rate = Some(800_000);
        run(&mut world, &mut watched, seconds(15));
        world.links[viewer].0.rate = Some(5_000_000);
        run(&mut world, &mut watched, seconds(10));
        watched[0].assert_has_the_best(&world, publisher);
        let end = elapsed(&world);
        watched[0].assert_gap(&world, fall, end, ms(1_500));
        watched[0].assert_gap(&world, fall + seconds(3), end, seconds(1));
        let lost = audio_lost(&world, viewer);
        // What was in the queue when it fell, and behind it.
        assert!(lost < 0.04, "{lost} of the sound lost");
        watched[0].assert_continuous(&world);
    });
}

#[test]
fn losses_are_made_good() {
    each_seed(|seed| {
        let mut world = world(seed);
        let kind = Broadcast::LAYERED[world.random.below(Broadcast::LAYERED.len())];
        let publisher = kind.publish(&mut world);
        let viewer = world.watch(&Offer::viewer());
        world.connect(&[viewer]);
        let lossy = world.random.below(4);
        let link = Link {
            latency: ms(30),
            ..Link::thin(10_000_000)
        };
        let burst = BurstLoss {
            share: 0.02,
            length: 5.0,
        };
        let (link, least) = match lossy {
            0 => (Link { loss: 0.05, ..link }, 0.995),
            1 => (
                Link {
                    bursts: Some(burst),
                    ..link
                },
                0.985,
            ),
            2 => (
                Link {
                    loss: 0.1,
                    jitter: ms(30),
                    reordered: 0.02,
                    ..link
                },
                // Where the estimate falls for it, half of the frame rate.
                0.45,
            ),
            _ => (link, 0.95),
        };
        world.links[viewer].0 = link;
        if lossy == 3 {
            world.links[publisher].1 = Link {
                loss: 0.2,
                latency: ms(30),
                ..Link::default()
            };
        }
        let mut watched = [Watched::new(viewer)];
        run(&mut world, &mut watched, seconds(2));
        let from = elapsed(&world);
        run(&mut world, &mut watched, seconds(10));
        world.links[publisher].1.loss = 0.0;
        let to = elapsed(&world);
        run(&mut world, &mut watched, seconds(3));
        let end = elapsed(&world);
        let share = share_of_pictures(&world, viewer, (from, to), end);
        if share < least {
            watched[0].record.print();
        }
        assert!(
            share >= least,
            "{share} of the pictures, {kind:?}, loss {lossy}"
        );
        watched[0].assert_gap(&world, from, to, seconds(1));
        let clean = lossy == 3;
        let most = ms(if clean { 150 } else { 500 });
        watched[0].assert_gap(&world, to + seconds(2), end, most);
        world.assert_ordered(viewer, MediaKind::Video);
        if lossy < 3 {
            watched[0].assert_continuous(&world);
        }
    });
}

/// The share of the pictures of which a frame came whole until `end`, from the first to the last that came in a stretch of
/// time.
fn share_of_pictures(
    world: &World,
    viewer: PeerId,
    (from, to): (Duration, Duration),
    end: Duration,
) -> f64 {
    let whole = |from, to| -> BTreeSet<u32> {
        let frames = whole_frames(world, viewer, from, to);
        frames.iter().map(|(_, tag)| tag.picture).collect()
    };
    let within = whole(from, to);
    let (Some(&first), Some(&last)) = (within.first(), within.last()) else {
        return 0.0;
    };
    let came = whole(Duration::ZERO, end).range(first..=last).count();
    came as f64 / f64::from(last - first + 1)
}

#[test]
fn two_viewers_share_it() {
    each_seed(|seed| {
        let mut world = world(seed);
        Broadcast::LAYERED[0].publish(&mut world);
        let viewers = [0; 2].map(|_| world.watch(&Offer::viewer()));
        world.share_way(viewers[0], viewers[1]);
        let link = Link {
            latency: ms(5 + world.random.below(30) as u64),
            queue: ms(300),
            ..Link::thin(3_000_000)
        };
        for viewer in viewers {
            world.links[viewer].0 = link;
        }
        world.connect(&viewers[..1]);
        let apart = ms(world.random.below(8_000) as u64);
        world.run(apart);
        world.connect(&viewers[1..]);
        let mut watched = viewers.map(Watched::new);
        run(&mut world, &mut watched, seconds(20));
        let since = world.now;
        run(&mut world, &mut watched, seconds(30));
        let heard = viewers.map(|viewer| {
            let packets = world.peers[viewer].heard.iter().filter(|p| p.at >= since);
            packets.map(|p| p.payload.len() as f64).sum::<f64>()
        });
        let sum = heard[0] + heard[1];
        let index = sum * sum / (2.0 * (heard[0].powi(2) + heard[1].powi(2)));
        if index < 0.9 {
            for viewer in &watched {
                viewer.record.print();
            }
        }
        assert!(index >= 0.9, "{heard:?}: Jain's index {index}");
        for viewer in &watched {
            viewer.assert_continuous(&world);
        }
    });
}

#[test]
fn nobody_is_stuck() {
    each_seed(|seed| {
        let mut world = world(seed);
        let kind = Broadcast::any(&mut world.random);
        let publisher = kind.publish(&mut world);
        let remb = world.random.share() < 0.3;
        let lossy_uplink = world.random.share() < 0.3;
        let mut offers = vec![Offer::viewer()];
        if world.random.share() < 0.5 {
            offers.push(if remb {
                Offer::viewer_with_remb()
            } else {
                Offer::viewer()
            });
        }
        for offer in &mut offers {
            offer.red = world.random.share() < 0.5;
            offer.flexfec = offer.transport_cc && world.random.share() < 0.5;
        }
        let viewers: Vec<PeerId> = offers.iter().map(|offer| world.watch(offer)).collect();
        world.connect(&viewers);
        let mut watched: Vec<Watched> = viewers.iter().map(|id| Watched::new(*id)).collect();
        for _ in 0..6 {
            segment(&mut world, (publisher, kind, lossy_uplink), &mut watched);
        }
        for viewer in &viewers {
            world.links[*viewer].0 = Link::thin(20_000_000);
            select(&mut world, *viewer, LayerSelection::default());
        }
        // The longest that a layer isn't tried again, and a receiver's own estimate takes to grow.
        let time = seconds(if remb { 60 } else { 32 }) + kind.longest_gap();
        run(&mut world, &mut watched, time);
        for viewer in &watched {
            viewer.assert_has_the_best(&world, publisher);
            world.assert_ordered(viewer.id, MediaKind::Video);
            // What never came from the publisher leaves a gap.
            if !lossy_uplink {
                viewer.assert_continuous(&world);
            }
            let lost = audio_lost(&world, viewer.id);
            assert!(lost < 0.12, "{lost} of the sound lost");
        }
    });
}

/// Six seconds on paths of any kind, with a wish, a loss on the uplink, or a storm of keyframe requests.
fn segment(
    world: &mut World,
    (publisher, kind, lossy_uplink): (PeerId, Broadcast, bool),
    viewers: &mut [Watched],
) {
    for viewer in &*viewers {
        world.links[viewer.id].0 = path(&mut world.random);
        match world.random.below(4) {
            0 => {
                let wish = wish(&mut world.random);
                select(world, viewer.id, wish);
            }
            1 => ask_for_keyframes(world, viewer.id),
            _ => {}
        }
    }
    let from = elapsed(world);
    if lossy_uplink && world.random.share() < 0.5 {
        world.links[publisher].1.loss = world.random.share() * 0.2;
    }
    run(world, viewers, seconds(1));
    world.links[publisher].1.loss = 0.0;
    run(world, viewers, seconds(5));
    let to = elapsed(world);
    // Without keyframes on request a gap may be longer than this.
    if kind.deaf.is_none() {
        for viewer in &*viewers {
            viewer.assert_gap(world, from + seconds(3), to, kind.longest_gap());
        }
    }
}

fn select(world: &mut World, viewer: PeerId, selection: LayerSelection) {
    let session = world.peers[viewer].session;
    let selected = world.engine(0, |engine, now, out| {
        engine.select_layers(now, session, selection, out)
    });
    selected.expect("the viewer's session");
}

/// Any layer, or none in particular.
fn wish(random: &mut Random) -> LayerSelection {
    let rid = ["0", "1", "2"]
        .get(random.below(5))
        .map(ToString::to_string);
    let limit = |random: &mut Random| (random.share() < 0.3).then(|| random.below(3) as u8);
    LayerSelection {
        rid,
        max_spatial: limit(random),
        max_temporal: limit(random),
        ..LayerSelection::default()
    }
}

fn ask_for_keyframes(world: &mut World, viewer: PeerId) {
    let Some(media) = world.peers[viewer].video_ssrc else {
        return;
    };
    for _ in 0..10 {
        world.peer(viewer, |peer, _| {
            peer.send_rtcp(|writer| writer.picture_loss(1, media));
        });
    }
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
