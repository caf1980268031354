//! As OBS does: no RTX, no transport-wide feedback, no mid with audio, rids 0, 1, 2, deaf to keyframe requests.

use spillway_sfu::MediaKind;

use crate::support::{
    viewer::{in_order, whole_frames},
    *,
};

#[test]
fn three_layers_and_sound() {
    let mut world = World::new();
    let offer = Offer {
        text: Some(include_str!("../fixtures/sdp/obs_simulcast.sdp")),
        ..Offer::obs()
    };
    let mut source = Source {
        audio_ssrc: 1_402_948_181,
        audio_mid: false,
        transport_cc: false,
        answers: Answers::Never,
        codec: Codec::H264,
        payload_type: Some(96),
        ..Source::simulcast(1)
    };
    source.group = 120;
    let publisher = world.publish(&offer, source);
    world.connect(&[publisher]);
    world.run(seconds(3));
    let best = world.watch(&Offer::viewer());
    let small = world.watch_on(0, &Offer::viewer(), Some("2"));
    world.connect(&[best, small]);
    world.run(seconds(3));
    for (viewer, layer) in [(best, 0), (small, 2)] {
        let frames = whole_frames(&world.peers[viewer].heard);
        assert!(frames.len() > 60);
        assert!(frames.iter().all(|f| f.layer == layer));
        assert!(in_order(&world.peers[viewer].heard, MediaKind::Audio).len() > 100);
        world.assert_continuous(viewer, MediaKind::Video);
        world.assert_continuous(viewer, MediaKind::Audio);
    }
}
