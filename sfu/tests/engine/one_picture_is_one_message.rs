use std::time::Instant;

use spillway_sfu::{Event, Output, Path, PeerMessage, WorkerId};

use crate::support::*;

/// The sizes of the datagrams of each message.
#[derive(Default)]
struct Messages(Vec<Vec<usize>>);

impl Output for Messages {
    fn send(&mut self, _: Path, datagrams: &[u8], segment: usize) {
        self.0
            .push(datagrams.chunks(segment).map(<[u8]>::len).collect());
    }

    fn peer(&mut self, _: WorkerId, _: PeerMessage) {}

    fn event(&mut self, _: Event) {}
}

/// A viewer at the live edge, and a publisher.
fn live() -> (World, PeerId) {
    let mut world = World::new();
    let publisher = world.publish(&Offer::publisher(), Source::new(1));
    world.connect(&[publisher]);
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[viewer]);
    world.run(seconds(3));
    (world, publisher)
}

/// The publisher's next picture of at least four packets, and the next sound: their datagrams, and when both are there.
fn next_picture_and_sound(
    world: &mut World,
    publisher: PeerId,
) -> (Instant, Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut picture = Vec::new();
    for _ in 0..1_000 {
        let now = world.peers[publisher].source.as_ref().unwrap().next();
        world.now = now;
        world.peers[publisher].produce(now);
        let outbox = std::mem::take(&mut world.peers[publisher].outbox);
        let (sound, others): (Vec<_>, Vec<_>) = outbox
            .into_iter()
            .partition(|datagram| datagram[1] & 0x7f == 111);
        if picture.is_empty() && others.len() >= 4 {
            picture = others;
        } else if !picture.is_empty() && !sound.is_empty() {
            return (now, picture, sound);
        } else {
            take(world, now, publisher, [others, sound].concat());
            world.engines[0].flush(now, &mut Messages::default());
        }
    }
    panic!("no such picture came");
}

fn take(world: &mut World, now: Instant, publisher: PeerId, datagrams: Vec<Vec<u8>>) {
    let path = world.peers[publisher].path();
    for mut datagram in datagrams {
        world.engines[0].handle_datagram(now, path, &mut datagram, &mut Messages::default());
    }
}

#[test]
fn however_its_packets_come() {
    let (mut world, publisher) = live();
    let (now, picture, _) = next_picture_and_sound(&mut world, publisher);
    let count = picture.len();
    let (head, tail) = picture.split_at(2);
    let mut messages = Messages::default();
    take(&mut world, now, publisher, head.to_vec());
    world.engines[0].flush(now, &mut messages);
    assert!(messages.0.is_empty(), "the rest is waited for");
    take(&mut world, now, publisher, tail.to_vec());
    world.engines[0].flush(now, &mut messages);
    assert_eq!(messages.0.len(), 1, "{:?}", messages.0);
    assert_eq!(messages.0[0].len(), count);
}

#[test]
fn and_sound_that_came_with_it_rides_along() {
    let (mut world, publisher) = live();
    let (now, picture, sound) = next_picture_and_sound(&mut world, publisher);
    let count = picture.len();
    // Whichever came first.
    take(&mut world, now, publisher, [sound, picture].concat());
    let mut messages = Messages::default();
    world.engines[0].flush(now, &mut messages);
    assert_eq!(messages.0.len(), 1, "{:?}", messages.0);
    let sizes = &messages.0[0];
    assert_eq!(sizes.len(), count + 1);
    assert!(sizes[count] < sizes[0], "the sound is the shorter end");
}

#[test]
fn but_nothing_waits_long_for_the_rest() {
    let (mut world, publisher) = live();
    let (now, picture, sound) = next_picture_and_sound(&mut world, publisher);
    let mut messages = Messages::default();
    take(&mut world, now, publisher, picture[..2].to_vec());
    take(&mut world, now, publisher, sound);
    world.engines[0].flush(now, &mut messages);
    assert_eq!(messages.0.len(), 1, "sound waits for nothing");
    let due = world.engines[0].next_timeout();
    assert!(due <= now + ms(2), "{:?}", due - now);
    world.engines[0].handle_timeout(now + ms(2), &mut messages);
    // Reports may be due as well.
    let pictures: Vec<_> = messages.0.iter().filter(|sizes| sizes.len() > 1).collect();
    assert_eq!(pictures.len(), 1, "{:?}", messages.0);
    assert_eq!(pictures[0].len(), 2);
}

#[test]
fn and_a_publisher_that_ends_leaves_no_timer() {
    let mut world = World::new();
    let publisher = world.publish(&Offer::publisher(), Source::new(1));
    world.connect(&[publisher]);
    world.run(seconds(1));
    let (now, picture, _) = next_picture_and_sound(&mut world, publisher);
    take(&mut world, now, publisher, picture[..2].to_vec());
    let engine = &mut world.engines[0];
    engine.flush(now, &mut Messages::default());
    assert!(engine.next_timeout() <= now + ms(2));
    engine.close_all(now, &mut Messages::default());
    engine.handle_timeout(now + ms(2), &mut Messages::default());
    assert!(engine.next_timeout() > now + ms(2));
}
