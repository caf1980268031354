use std::{cell::RefCell, rc::Rc};

use spillway_sfu::MediaKind;

use crate::support::{
    peer::key,
    viewer::{in_order, whole_frames},
    *,
};

/// A viewer that loses every 15th packet of video, the first time.
fn lossy(offer: &Offer) -> (World, PeerId, Rc<RefCell<Vec<Vec<u8>>>>) {
    let mut world = World::new();
    // A keyframe would make what was lost before it needless.
    let source = Source {
        group: 100_000,
        ..Source::new(1)
    };
    let publisher = world.publish(&Offer::publisher(), source);
    let viewer = world.watch(offer);
    world.connect(&[publisher, viewer]);
    world.run(seconds(1));
    let lost = Rc::new(RefCell::new(Vec::new()));
    let ssrc = world.peers[viewer].video_ssrc.unwrap();
    let (seen, mut count) = (lost.clone(), 0);
    world.loss = Box::new(move |peer, bytes| {
        if peer != viewer || bytes[0] >> 6 != 2 || key(bytes).0 != ssrc || bytes.len() < 200 {
            return false;
        }
        if seen.borrow().iter().any(|b: &Vec<u8>| key(b) == key(bytes)) {
            return false;
        }
        count += 1;
        let loses = count % 15 == 0;
        if loses {
            seen.borrow_mut().push(bytes.to_vec());
        }
        loses
    });
    (world, viewer, lost)
}

#[test]
fn as_rtx() {
    let (mut world, viewer, lost) = lossy(&Offer::viewer());
    world.run(seconds(4));
    assert!(lost.borrow().len() > 30);
    let heard = &world.peers[viewer].heard;
    for bytes in &lost.borrow()[..30] {
        let (_, sequence) = key(bytes);
        let again = heard
            .iter()
            .find(|p| p.kind == MediaKind::Video && p.sequence == sequence)
            .expect("it never came");
        assert!(again.repaired_by.is_some());
        let timestamp = u32::from_be_bytes(bytes[4..8].try_into().unwrap());
        assert_eq!(again.timestamp, timestamp);
    }
    let repairs = heard.iter().filter(|p| p.repaired_by.is_some()).count();
    assert!(repairs < lost.borrow().len() + 10, "{repairs} repairs");
    world.run(ms(500));
    world.loss = Box::new(|_, _| false);
    world.run(ms(500));
    let frames = whole_frames(&world.peers[viewer].heard);
    for pair in frames.windows(2) {
        assert_eq!(pair[0].frame + 1, pair[1].frame);
    }
}

#[test]
fn byte_for_byte_without_rtx() {
    let offer = Offer {
        rtx: false,
        ..Offer::viewer()
    };
    let (mut world, viewer, lost) = lossy(&offer);
    world.run(seconds(4));
    assert!(lost.borrow().len() > 30);
    // That they came under their own SSRC and were the same bytes is held against every packet by `World::note`.
    let ordered = in_order(&world.peers[viewer].heard, MediaKind::Video);
    let sequences: std::collections::HashSet<u16> = ordered.values().map(|p| p.sequence).collect();
    for bytes in &lost.borrow()[..30] {
        assert!(sequences.contains(&key(bytes).1));
    }
    assert_eq!(world.peers[viewer].rejected, 0, "nothing came twice");
}

#[test]
fn not_more_often_than_the_round_trip_allows() {
    let (mut world, viewer, _) = lossy(&Offer::viewer());
    world.loss = Box::new(|_, _| false);
    let newest = world.video(viewer).last().unwrap().sequence;
    world.run(ms(100));
    let before = world.sent.len();
    for _ in 0..50 {
        world.peer(viewer, |peer, _| {
            let ssrc = peer.video_ssrc.unwrap();
            peer.send_rtcp(|writer| writer.nack(1, ssrc, &[newest]));
        });
    }
    world.run(ms(15));
    let rtx: Vec<_> = world.peers[viewer]
        .heard
        .iter()
        .filter(|p| p.repaired_by.is_some())
        .collect();
    assert!(rtx.len() <= 1, "{} times", rtx.len());
    assert!(world.sent.len() < before + 40);
}

#[test]
fn a_keyframe_without_its_parameter_sets_comes_again_whole() {
    let mut world = World::new();
    let offer = Offer::simulcast();
    let source = Source {
        group: 100_000,
        ..Source::simulcast(1)
    };
    let publisher = world.publish(&offer, source);
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[publisher, viewer]);
    world.run(seconds(3));
    let from = world.video(viewer).len();
    // The first packet of the next keyframe, which is the viewer's switch to a smaller layer, is lost.
    let ssrc = world.peers[viewer].video_ssrc.unwrap();
    let mut last = None;
    let mut done = false;
    world.loss = Box::new(move |peer, bytes| {
        if peer != viewer || bytes[0] >> 6 != 2 || key(bytes).0 != ssrc {
            return false;
        }
        let timestamp = &bytes[4..8];
        let small = bytes.len() < 100;
        let new = last.as_deref() != Some(timestamp);
        last = Some(timestamp.to_vec());
        let loses = new && small && !done;
        done |= loses;
        loses
    });
    let session = world.peers[viewer].session;
    let selection = spillway_sfu::LayerSelection {
        rid: Some("2".into()),
        ..spillway_sfu::LayerSelection::default()
    };
    world
        .engine(0, |engine, now, out| {
            engine.select_layers(now, session, selection, out)
        })
        .unwrap();
    world.run(seconds(1));
    let heard = world.video(viewer)[from..].to_vec();
    let keyframes = heard
        .iter()
        .filter(|p| {
            p.tag
                .is_some_and(|t| t.layer == 2 && t.keyframe && t.index == 0)
        })
        .count();
    assert_eq!(
        keyframes, 2,
        "once without its parameter sets, once with them"
    );
    world.assert_ordered(viewer, MediaKind::Video);
    world.assert_sent_continuously(viewer);
}
