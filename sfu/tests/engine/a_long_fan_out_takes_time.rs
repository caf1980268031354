use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use spillway_sfu::{Event, Output, Path, PeerMessage, WorkerId};

use crate::support::*;

/// Sockets that take a millisecond for each message.
#[derive(Default)]
struct Slow {
    passed: Cell<Duration>,
    sent: Vec<(Path, Vec<u8>)>,
}

impl Output for Slow {
    fn send(&mut self, path: Path, datagrams: &[u8], segment: usize) {
        self.passed.set(self.passed.get() + ms(1));
        self.sent
            .push((path, datagrams[..segment.min(datagrams.len())].to_vec()));
    }

    fn peer(&mut self, _: WorkerId, _: PeerMessage) {}

    fn event(&mut self, _: Event) {}

    fn clock(&self, since: Instant) -> Instant {
        since + self.passed.take()
    }
}

#[test]
fn and_who_is_served_last_is_not_taken_for_far_away() {
    let mut world = World::new();
    let publisher = world.publish(&Offer::publisher(), Source::new(1));
    world.connect(&[publisher]);
    let viewers: Vec<_> = (0..100)
        .map(|_| world.watch(&Offer::viewer_with_remb()))
        .collect();
    world.connect(&viewers);
    world.run(seconds(2));

    // The next sound, which waits for nothing.
    let mut slow = Slow::default();
    while slow.sent.len() < viewers.len() {
        slow = Slow::default();
        world.now = world.peers[publisher].source.as_ref().unwrap().next();
        produce(&mut world, publisher, &mut slow);
        world.engines[0].flush(world.now, &mut slow);
    }
    told_when_they_were_served(&mut world, &viewers, &slow);
}

#[test]
fn nor_who_watches_the_last_of_many_channels() {
    let mut world = World::new();
    let mut publishers = Vec::new();
    let mut viewers = Vec::new();
    for number in 0..50 {
        world.channel = format!("channel-{number}").parse().unwrap();
        publishers.push(world.publish(&Offer::publisher(), Source::new(1)));
        viewers.extend([(); 2].map(|()| world.watch(&Offer::viewer_with_remb())));
    }
    world.connect(&publishers);
    world.connect(&viewers);
    world.run(seconds(2));

    // The next sound of all.
    let mut slow = Slow::default();
    while slow.sent.len() < viewers.len() {
        slow = Slow::default();
        world.now += ms(20);
        for &publisher in &publishers {
            produce(&mut world, publisher, &mut slow);
        }
        slow.sent.clear();
        slow.passed.take();
        world.engines[0].flush(world.now, &mut slow);
        let path_of = |&(path, _): &(Path, Vec<u8>)| path.remote;
        slow.sent.dedup_by_key(|sent| path_of(sent));
    }
    told_when_they_were_served(&mut world, &viewers, &slow);
}

fn produce(world: &mut World, publisher: PeerId, out: &mut Slow) {
    let path = world.peers[publisher].path();
    world.peers[publisher].produce(world.now);
    for mut datagram in std::mem::take(&mut world.peers[publisher].outbox) {
        world.engines[0].handle_datagram(world.now, path, &mut datagram, out);
    }
}

/// One message to each, a millisecond after the other.
fn told_when_they_were_served(world: &mut World, viewers: &[PeerId], slow: &Slow) {
    let send_times: Vec<u32> = slow
        .sent
        .iter()
        .map(|(to, datagram)| {
            let is_to = |&viewer: &PeerId| world.peers[viewer].path().remote == to.remote;
            let viewer = viewers.iter().copied().find(is_to).unwrap();
            let peer = &mut world.peers[viewer];
            peer.handle(world.now, datagram);
            peer.heard.last().unwrap().send_time.unwrap()
        })
        .collect();
    let first = send_times[0];
    for (served, send_time) in send_times.into_iter().enumerate() {
        // 18 bits of fraction.
        let said = f64::from(send_time.wrapping_sub(first) & 0xFF_FFFF) / f64::from(1 << 18);
        let truly = served as f64 / 1e3;
        assert!(
            truly - said < 0.017 && said - truly < 0.001,
            "viewer {served} was served after {truly} s and told {said}"
        );
    }
}
