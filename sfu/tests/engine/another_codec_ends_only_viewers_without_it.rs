use spillway_sfu::{EndReason, MediaKind};

use crate::support::{viewer::whole_frames, *};

#[test]
fn and_the_others_get_its_payload_type_from_its_keyframe_on() {
    let mut world = World::new();
    let first = world.publish(&Offer::publisher(), Source::new(1));
    let both = world.watch(&Offer::viewer());
    let only_h264 = world.watch(&Offer {
        codecs: vec![Codec::H264],
        ..Offer::viewer()
    });
    world.connect(&[first, both, only_h264]);
    world.run(seconds(1));
    let offer = Offer {
        codecs: vec![Codec::Vp8],
        ..Offer::publisher()
    };
    let source = Source {
        codec: Codec::Vp8,
        ..Source::new(2)
    };
    let second = world.publish(&offer, source);
    world.connect(&[second]);
    assert_eq!(world.ended(only_h264), None, "before anything of it came");
    world.run(seconds(1));
    assert_eq!(world.ended(only_h264), Some(EndReason::CodecUnsupported));
    assert_eq!(world.ended(both), None);
    for packet in world.video(both) {
        let expected = match packet.tag.map(|t| t.source) {
            Some(2) => 96,
            _ => 102,
        };
        assert_eq!(packet.payload_type, expected);
    }
    let frames = whole_frames(&world.peers[both].heard);
    assert!(frames.iter().find(|f| f.source == 2).unwrap().keyframe);
    world.assert_continuous(both, MediaKind::Video);
    let refused = world.try_watch(
        0,
        &Offer {
            codecs: vec![Codec::H264],
            ..Offer::viewer()
        },
        None,
    );
    assert!(matches!(
        refused,
        Err(spillway_sfu::Reject::Unacceptable(_))
    ));
}

#[test]
fn when_one_publisher_changes_codecs_in_flight() {
    let mut world = World::new();
    let offer = Offer {
        codecs: vec![Codec::H264, Codec::Vp8],
        ..Offer::publisher()
    };
    let publisher = world.publish(&offer, Source::new(1));
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[publisher, viewer]);
    world.run(seconds(2));
    world.peer(publisher, |peer, _| {
        let source = peer.source.as_mut().unwrap();
        source.codec = Codec::Vp8;
        source.layers[0].wants_keyframe = true;
    });
    // Who joins now must not get the cached H.264 as VP8.
    world.run(ms(40));
    let late = world.watch(&Offer::viewer());
    world.connect(&[late]);
    world.run(seconds(1));
    for id in [viewer, late] {
        for packet in world.video(id) {
            let h264 = packet.payload.first().is_some_and(|b| b & 0x60 != 0);
            assert_eq!(
                packet.payload_type,
                if h264 { 102 } else { 96 },
                "{packet:?}"
            );
        }
    }
    assert_eq!(world.video(viewer).last().unwrap().payload_type, 96);
    assert_eq!(world.video(late).last().unwrap().payload_type, 96);
}
