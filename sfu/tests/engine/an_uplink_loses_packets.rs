use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use spillway_sfu::MediaKind;

use crate::support::{peer::Told, source::FRAME, *};

/// What became of the frames that a publisher made.
struct Outcome {
    world: World,
    publisher: PeerId,
    viewer: PeerId,
    /// When the path lost packets.
    lossy: (Instant, Instant),
}

/// A publisher whose uplink loses a fifth of all packets for 10 s, and a viewer on a clean path.
fn lossy(seed: u64, offer: &Offer, source: Source, latency: Duration) -> Outcome {
    let mut world = World::seeded(1, &spillway_sfu::Limits::default(), seed);
    let publisher = world.publish(offer, source);
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[publisher, viewer]);
    let link = Link {
        latency,
        ..Link::default()
    };
    world.links[publisher] = (link, link);
    world.run(seconds(4));
    let start = world.now;
    world.links[publisher].1.loss = 0.2;
    world.run(seconds(10));
    let end = world.now;
    world.links[publisher].1.loss = 0.0;
    world.run(seconds(8));
    Outcome {
        lossy: (start, end),
        world,
        publisher,
        viewer,
    }
}

impl Outcome {
    /// When each frame of the viewer's was whole.
    fn whole(&self) -> BTreeMap<u32, Instant> {
        let mut parts: HashMap<u32, (u8, Instant)> = HashMap::new();
        let mut seen = std::collections::HashSet::new();
        let mut whole = BTreeMap::new();
        for packet in self.world.video(self.viewer) {
            let Some(tag) = packet.tag.filter(|_| seen.insert(packet.sequence)) else {
                continue;
            };
            let part = parts.entry(tag.frame).or_insert((0, packet.at));
            part.0 += 1;
            if part.0 == tag.of {
                whole.insert(tag.frame, packet.at);
            }
        }
        whole
    }

    /// The frames made from `from` to `to`.
    fn made(&self, from: Instant, to: Instant) -> std::ops::Range<u32> {
        let source = self.world.peers[self.publisher].source.as_ref().unwrap();
        let frame = |at: Instant| (at - source.started).div_duration_f64(FRAME).ceil() as u32;
        frame(from)..frame(to)
    }

    /// How many of these frames were whole within `limit` after they were made, as a share.
    fn share_in_time(&self, frames: std::ops::Range<u32>, limit: Duration) -> f64 {
        let whole = self.whole();
        let source = self.world.peers[self.publisher].source.as_ref().unwrap();
        let in_time = |frame: &u32| {
            let made = source.started + FRAME * *frame;
            whole.get(frame).is_some_and(|at| *at <= made + limit)
        };
        let count = frames.len() as f64;
        frames.filter(in_time).count() as f64 / count
    }

    fn nacks(&self) -> Vec<(Instant, Vec<u16>)> {
        let nack = |(at, told): &(Instant, Told)| match told {
            Told::Nack { lost, .. } => Some((*at, lost.clone())),
            _ => None,
        };
        self.world.peers[self.publisher]
            .told
            .iter()
            .filter_map(nack)
            .collect()
    }
}

fn check(outcome: &Outcome, limit: Duration, least: f64) {
    let (start, end) = outcome.lossy;
    let during = outcome.share_in_time(outcome.made(start, end), limit);
    assert!(
        during >= least,
        "{during} of the frames in time while packets were lost"
    );
    let recovered = end + seconds(2);
    let after = outcome.made(recovered, recovered + seconds(5));
    let share = outcome.share_in_time(after, limit);
    assert!(
        (share - 1.0).abs() < f64::EPSILON,
        "{share} of the frames after 2 s"
    );
}

#[test]
fn a_fifth_of_the_packets_for_ten_seconds() {
    let seed = support_seed();
    for seed in seed..seed + 8 {
        let outcome = lossy(seed, &Offer::publisher(), Source::new(1), ms(30));
        check(&outcome, ms(400), 0.97);
    }
}

#[test]
fn without_rtx_and_without_keyframes_on_request() {
    let seed = support_seed();
    for seed in seed..seed + 8 {
        let source = Source {
            transport_cc: false,
            answers: Answers::Never,
            group: 240,
            ..Source::new(1)
        };
        let outcome = lossy(seed, &Offer::obs(), source, ms(30));
        check(&outcome, ms(400), 0.97);
    }
}

#[test]
fn repeats_are_about_a_round_trip_apart() {
    for (latency, rtx) in [(5, true), (60, true), (60, false), (250, true)] {
        let offer = if rtx {
            Offer::publisher()
        } else {
            Offer::obs()
        };
        let source = Source {
            transport_cc: rtx,
            ..Source::new(1)
        };
        let outcome = lossy(support_seed(), &offer, source, ms(latency));
        let round_trip = ms(2 * latency);
        let mut asked: HashMap<u16, Vec<Instant>> = HashMap::new();
        let settled = outcome.lossy.0 + seconds(1);
        for (at, lost) in outcome.nacks().into_iter().filter(|(at, _)| *at > settled) {
            for number in lost {
                asked.entry(number).or_default().push(at);
            }
        }
        let gaps: Vec<Duration> = asked
            .values()
            .filter_map(|times| Some(*times.get(1)? - times[0]))
            .filter(|gap| *gap < seconds(3))
            .collect();
        assert!(gaps.len() > 20, "{latency} ms: {} repeats", gaps.len());
        let mean = gaps.iter().sum::<Duration>() / gaps.len() as u32;
        let bounds = (round_trip, round_trip * 3 / 2 + ms(20));
        assert!(
            mean >= bounds.0 && mean <= bounds.1,
            "{latency} ms: {mean:?}"
        );
    }
}

#[test]
fn nothing_is_asked_for_that_came_already() {
    let outcome = lossy(support_seed(), &Offer::publisher(), Source::new(1), ms(30));
    let lost: usize = outcome.nacks().iter().map(|(_, lost)| lost.len()).sum();
    let source = outcome.world.peers[outcome.publisher]
        .source
        .as_ref()
        .unwrap();
    let sent = source.layers[0].next - 65_500;
    // A fifth of 10 s of 22, of which a fifth again, and again.
    let expected = sent as f64 * 10.0 / 22.0 * 0.25;
    assert!(
        (lost as f64) < expected * 1.25,
        "{lost} requests, {expected} expected"
    );
}

#[test]
fn sound_comes_again_while_it_can_still_be_played() {
    for (latency, comes) in [(20, true), (60, true), (200, false)] {
        let offer = Offer {
            audio_nack: true,
            ..Offer::publisher()
        };
        let outcome = lossy(support_seed(), &offer, Source::new(1), ms(latency));
        let (start, end) = outcome.lossy;
        let source = outcome.world.peers[outcome.publisher]
            .source
            .as_ref()
            .unwrap();
        let made = |frame: u32| source.started + ms(20) * frame;
        let mut heard = std::collections::HashMap::new();
        let sound = |p: &&Heard| p.kind == MediaKind::Audio;
        for packet in outcome.world.peers[outcome.viewer]
            .heard
            .iter()
            .filter(sound)
        {
            let late = packet.at - made(packet.tag.unwrap().frame);
            heard.entry(packet.tag.unwrap().frame).or_insert(late);
        }
        let frames: Vec<u32> = (0..source.audio_frame)
            .filter(|frame| made(*frame) >= start && made(*frame) < end)
            .collect();
        let came = frames
            .iter()
            .filter(|frame| heard.contains_key(frame))
            .count();
        let share = came as f64 / frames.len() as f64;
        let expected = if comes { 0.96..=1.0 } else { 0.7..=0.9 };
        assert!(expected.contains(&share), "{latency} ms: {share}");
        // What comes too late isn't asked for; that it is missed shows with the next packet that comes.
        let latest = heard.values().max().unwrap();
        assert!(
            *latest < ms(250) + ms(2 * latency) + ms(100),
            "{latency} ms: {latest:?}"
        );
    }
}

fn support_seed() -> u64 {
    world::seed_of_environment().unwrap_or_else(rand::random)
}
