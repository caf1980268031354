use std::{cell::Cell, rc::Rc, time::Duration};

use super::world::{End, Setup, World, a_third};
use crate::transport::{
    ChannelId, DataError, Delivery, MAX_BUFFERED, MAX_CHANNELS, MAX_MESSAGE_LEN, TransportEvent,
};

/// The first byte of a DTLS record that carries SCTP.
const APPLICATION_DATA: u8 = 23;
const SECOND: Duration = Duration::from_secs(1);

/// A world in which the client has opened a channel.
fn with_channel(label: &str, delivery: Delivery) -> (World, ChannelId) {
    let mut world = World::connected(Setup::with_data_channels());
    world.run_for(SECOND);
    let id = open(&mut world, End::Client, label, delivery);
    (world, id)
}

fn open(world: &mut World, end: End, label: &str, delivery: Delivery) -> ChannelId {
    let now = world.now;
    let id = world
        .peer(end)
        .transport
        .open_channel(now, label, delivery)
        .unwrap();
    world.run_for(SECOND);
    let opened = TransportEvent::ChannelOpened {
        id,
        label: label.into(),
        delivery,
    };
    for end in [End::Server, End::Client] {
        assert!(
            world.peer(end).events.contains(&opened),
            "{end:?} {:?}",
            world.peer(end).events
        );
    }
    id
}

fn send(
    world: &mut World,
    end: End,
    id: ChannelId,
    data: &[u8],
    binary: bool,
) -> Result<(), DataError> {
    let now = world.now;
    let result = world.peer(end).transport.send_data(now, id, data, binary);
    world.drain();
    result
}

fn received(world: &mut World, end: End) -> Vec<(ChannelId, Vec<u8>, bool)> {
    let events = std::mem::take(&mut world.peer(end).events);
    let data = |event| match event {
        TransportEvent::Data {
            channel,
            data,
            binary,
        } => Some((channel, data, binary)),
        _ => None,
    };
    events.into_iter().filter_map(data).collect()
}

#[test]
fn messages_go_both_ways() {
    for delivery in [Delivery::RELIABLE, Delivery::ONCE] {
        let (mut world, id) = with_channel("chat", delivery);
        assert_eq!(id, ChannelId(0), "the DTLS client has the even ones");
        let long = vec![7; MAX_MESSAGE_LEN];
        for end in [End::Client, End::Server] {
            let messages: [(&[u8], bool); 4] =
                [(b"hello", false), (b"", false), (b"", true), (&long, true)];
            for (data, binary) in messages {
                send(&mut world, end, id, data, binary).unwrap();
            }
            world.run_for(SECOND);
            let mut got = received(&mut world, end.other());
            got.sort_by_key(|(_, data, binary)| (data.len(), *binary));
            let mut expected = messages.map(|(data, binary)| (id, data.to_vec(), binary));
            expected.sort_by_key(|(_, data, binary)| (data.len(), *binary));
            assert_eq!(got, expected);
        }
    }
}

#[test]
fn we_can_open_channels_too() {
    let mut world = World::connected(Setup::with_data_channels());
    world.run_for(SECOND);
    let id = open(&mut world, End::Server, "reactions", Delivery::ONCE);
    assert_eq!(id, ChannelId(1));
    send(&mut world, End::Server, id, b"hi", false).unwrap();
    world.run_for(SECOND);
    assert_eq!(
        received(&mut world, End::Client),
        [(id, b"hi".to_vec(), false)]
    );
}

#[test]
fn a_channel_that_we_close_ends_after_what_was_sent_and_another_can_be_opened() {
    let (mut world, id) = with_channel("chat", Delivery::RELIABLE);
    send(&mut world, End::Server, id, b"good-bye", false).unwrap();
    let now = world.now;
    let server = &mut world.peer(End::Server).transport;
    server.close_channel(now, id).unwrap();
    assert_eq!(server.close_channel(now, id), Err(DataError::NoChannel));
    world.run_for(SECOND);
    let told = world.peer(End::Client).events.clone();
    let good_bye = TransportEvent::Data {
        channel: id,
        data: b"good-bye".to_vec(),
        binary: false,
    };
    let closed = TransportEvent::ChannelClosed(id);
    let place = |event| told.iter().position(|one| *one == event).unwrap();
    assert!(place(good_bye) < place(closed), "{told:?}");
    for end in [End::Client, End::Server] {
        assert_eq!(
            send(&mut world, end, id, b"x", false),
            Err(DataError::NoChannel)
        );
    }
    world.peer(End::Client).events.clear();
    let next = open(&mut world, End::Client, "chat", Delivery::RELIABLE);
    send(&mut world, End::Server, next, b"welcome back", false).unwrap();
    world.run_for(SECOND);
    assert_eq!(
        received(&mut world, End::Client),
        [(next, b"welcome back".to_vec(), false)]
    );
}

#[test]
fn what_comes_on_a_channel_that_we_close_is_dropped() {
    let (mut world, id) = with_channel("chat", Delivery::RELIABLE);
    let now = world.now;
    let server = &mut world.peer(End::Server).transport;
    server.close_channel(now, id).unwrap();
    send(&mut world, End::Client, id, b"still there?", false).unwrap();
    world.run_for(SECOND);
    assert_eq!(received(&mut world, End::Server), []);
    let next = loop {
        // The number isn't free again.
        let now = world.now;
        let client = &mut world.peer(End::Client).transport;
        let opened = client
            .open_channel(now, "chat", Delivery::RELIABLE)
            .unwrap();
        if opened != id {
            break opened;
        }
    };
    world.run_for(SECOND);
    send(&mut world, End::Client, next, b"here I am", false).unwrap();
    world.run_for(SECOND);
    assert_eq!(
        received(&mut world, End::Server),
        [(next, b"here I am".to_vec(), false)]
    );
}

#[test]
fn ordered_messages_arrive_in_order_despite_loss() {
    let (mut world, id) = with_channel("chat", Delivery::RELIABLE);
    let mut count = 0;
    world.loss = Box::new(move |_, _| {
        count += 1;
        count % 4 == 0
    });
    for number in 0..50_u8 {
        send(&mut world, End::Client, id, &[number], true).unwrap();
    }
    world.run_for(20 * SECOND);
    let got: Vec<u8> = received(&mut world, End::Server)
        .into_iter()
        .map(|(_, data, _)| data[0])
        .collect();
    assert_eq!(got, (0..50).collect::<Vec<u8>>());
}

#[test]
fn messages_sent_once_are_not_repeated() {
    let (mut world, id) = with_channel("reactions", Delivery::ONCE);
    let lose = Rc::new(Cell::new(true));
    let losing = lose.clone();
    world.loss = Box::new(move |end, _| end == End::Server && losing.get());
    send(&mut world, End::Client, id, b"lost", false).unwrap();
    world.run_for(Duration::from_millis(100));
    lose.set(false);
    send(&mut world, End::Client, id, b"arrives", false).unwrap();
    world.run_for(10 * SECOND);
    assert_eq!(
        received(&mut world, End::Server),
        [(id, b"arrives".to_vec(), false)]
    );
}

#[test]
fn opening_survives_loss() {
    for seed in 0..10 {
        let mut world = World::new(Setup::with_data_channels());
        world.loss = a_third(seed, |_, bytes| bytes.first() == Some(&APPLICATION_DATA));
        world.nominate();
        let up = (0..100).any(|_| {
            world.run_for(SECOND);
            world.nominate();
            let now = world.now;
            world
                .client
                .transport
                .open_channel(now, "chat", Delivery::RELIABLE)
                .is_ok()
        });
        assert!(up, "seed {seed}: no association");
        let opened = |world: &World| {
            let opened =
                |event: &TransportEvent| matches!(event, TransportEvent::ChannelOpened { .. });
            world.server.events.iter().any(opened) && world.client.events.iter().any(opened)
        };
        assert!(
            world.run_until(20 * SECOND, opened),
            "seed {seed}: no channel"
        );
    }
}

#[test]
fn an_outage_delays_messages_but_loses_none() {
    let (mut world, id) = with_channel("chat", Delivery::RELIABLE);
    let lose = Rc::new(Cell::new(true));
    let losing = lose.clone();
    world.loss = Box::new(move |_, _| losing.get());
    send(&mut world, End::Server, id, b"late", false).unwrap();
    for _ in 0..20 {
        // Media or checks keep the session itself alive.
        world.run_for(5 * SECOND);
        world.nominate();
    }
    lose.set(false);
    for _ in 0..20 {
        world.run_for(5 * SECOND);
        world.nominate();
    }
    assert_eq!(
        received(&mut world, End::Client),
        [(id, b"late".to_vec(), false)]
    );
}

#[test]
fn the_buffer_is_bounded() {
    let (mut world, id) = with_channel("chat", Delivery::RELIABLE);
    world.loss = Box::new(|end, _| end == End::Client);
    let message = vec![1; 1000];
    let taken = (0..1000)
        .take_while(|_| send(&mut world, End::Server, id, &message, true).is_ok())
        .count();
    assert_eq!(taken, MAX_BUFFERED / message.len());
    assert_eq!(
        send(&mut world, End::Server, id, &message, true),
        Err(DataError::BufferFull)
    );
    world.loss = Box::new(|_, _| false);
    world.run_for(15 * SECOND);
    assert_eq!(send(&mut world, End::Server, id, &message, true), Ok(()));
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let (mut world, id) = with_channel("chat", Delivery::RELIABLE);
    let too_long = vec![0; MAX_MESSAGE_LEN + 1];
    assert_eq!(
        send(&mut world, End::Server, id, &too_long, true),
        Err(DataError::TooLong)
    );
    assert_eq!(
        send(&mut world, End::Server, ChannelId(8), b"", true),
        Err(DataError::NoChannel)
    );
    let mut without = World::connected(Setup::default());
    assert_eq!(
        send(&mut without, End::Server, id, b"", true),
        Err(DataError::NotConnected)
    );
}

#[test]
fn channels_are_bounded() {
    let mut world = World::connected(Setup::with_data_channels());
    world.run_for(SECOND);
    for _ in 0..MAX_CHANNELS {
        open(&mut world, End::Client, "c", Delivery::RELIABLE);
    }
    let now = world.now;
    let one_more = world
        .client
        .transport
        .open_channel(now, "c", Delivery::RELIABLE);
    assert_eq!(one_more, Err(DataError::TooManyChannels));
}
